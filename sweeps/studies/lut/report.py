"""The page and the table beside it, made of what is measured.

Every figure of the page that is not in the section of published figures is computed here from
the measurement, and so is every crossover and every best table size; sentences that depend on a
number carry it.
"""

import csv
from collections.abc import Callable
from functools import partial
from pathlib import Path

from cost_models import technology as technologies
from hwsim.tables import number, percent
from sweeps.store import versions
from sweeps.studies.lut.designs import (
    ACTIVATIONS,
    CONVENTIONAL_ACTIVATIONS,
    GROUPS,
    HEADROOM,
    LANE_COUNTS,
    LANES,
    SHARES,
    TABLE_BITS,
    TABLE_LANES,
    TERNARY_ACTIVATIONS,
    WEIGHT_BITS,
    Amount,
    Design,
    K,
    adder_design,
    chain,
    conventional_design,
    dequantised_design,
    lane_jobs,
    multiplier_design,
    swept_bits,
    table_design,
    ternary_adder,
    ternary_multiplier,
    ternary_sizes,
    ternary_table,
)
from sweeps.studies.lut.results import (
    ALONE,
    CHECKED,
    METRICS,
    QUOTED,
    UNITS,
    Built,
    Results,
    Syntheses,
    Synthesised,
    adder_wins,
    best_size,
    needed_share,
    wins_up_to,
)
from sweeps.studies.page import Cell, Piece, Table, paragraph

#: Makes a design from weight bits and activation.
Made = Callable[..., Design]

#: Multipliers that tables and adders are compared with.
RIVALS = {
    "weight x activation": multiplier_design,
    "activation x activation": dequantised_design,
}


def write_csv(results: Results, path: Path) -> None:
    """Write a row for every design and share."""
    header = ["technology", "method", "kind", "unit", "weight_bits", "weight", "activation",
              "table_lanes", "options", "share", "area_um2_per_mac_per_cycle",
              "settled_energy_pj_per_mac", "table_area", "column_area", "table_settled_energy",
              "column_settled_energy", "delay_ns"]  # fmt: skip
    with path.open("w", newline="") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(header)
        for design in results.designs:
            cost = results.shares[design]
            options = " ".join(f"{key}={value}" for key, value in design.options)
            for share in (*SHARES, ALONE):
                if cost.table_area == 0 and share is not ALONE:
                    continue
                rows.writerow([
                    results.technology, "estimate", design.kind, design.family, design.bits,
                    design.weight, design.activation, design.table_lanes, options,
                    "none" if share is ALONE else share,
                    *(f"{value:.6g}" for value in (
                        cost.area(share), cost.energy(share), cost.table_area, cost.column_area,
                        cost.table_energy, cost.column_energy, cost.delay_ns)),
                ])  # fmt: skip


# The page.


def pieces(results: Results, syntheses: Syntheses | None) -> list[Piece]:
    """Return the page; nothing is measured before its figures are asked for."""
    return [
        _introduction(results),
        "## Where each kind wins",
        partial(_findings, results),
        *(piece for activation in ACTIVATIONS for piece in _by_bits(results, activation)),
        *_crossovers(results),
        *_sizes(results),
        *_needed(results),
        *_ternary(results),
        *_parts(results),
        *_lanes(results),
        *_chain(results),
        *_checks(results),
        *(_synthesis(results.technology, syntheses) if syntheses else ()),
        *_published(results),
    ]


def _introduction(results: Results) -> str:
    errors = technologies.load(results.technology).errors["unseen_units"]
    within = ", ".join(
        f"{name} {errors[key]['error_68_percent']:.1f} % / {errors[key]['error_95_percent']:.1f} %"
        for name, key in (("area", "area"), ("settled energy", "settled_energy"))
    )
    tools = ", ".join(f"{tool} {version}" for tool, version in versions().items())
    fewest, most = TABLE_LANES[0], TABLE_LANES[-1]
    text = f"""A dot product with weights of few bits needs no multiplier. **LUT**: all sums of
{fewest} to {most} activations are computed once, and every column of a tile reads one of them a bit
plane (`lut_tensor_core`, symmetric tables, weights `binary` and `bipolarN`). **Conventional LUT**:
digits 0 and 1, all sums (`unpu_lut`, `intN`). **ADD**: an adder a lane, one bit plane a
cycle (`serial_add`). **Multiplier**: one a lane, all bits at once; `integer` for integer
activations, `fma` with one rounding for floating-point ones. The accumulator is the same for all:
32 bits for integers, fp32 for floating point, so it is not what differs. A multiplier for weights
of 1 bit has `uint1`, for others `intN`. Integer multipliers and their sums are one tree of full
adders; what tables and ADD add up has trees of adders, and would gain from one, too.

All figures are for one row and {LANES} lanes. Integer units are built so. Floating-point units add
one after another; they are built with the lanes of one table, or one lane, and scaled. Their tables
are built for {TABLE_BITS}-bit weights; the columns of other weights are those of `lut_array` with
entries from outside, whose operands are unrelated. The section on amortisation has the deviations.

![Area and energy](./lut.png)

**All figures are estimates** of {results.technology} (see [the cost model](cost-model.md)) unless a
table says otherwise. 68 % / 95 % of units that it was not fitted to are within {within}.
**Energy is settled energy**, without hazards: that adds up over parts and lanes, and hazards, which
one part hands on to the next, do not. The section on amortisation has tiles with them.
Floating-point tables of 6 are large units, [mapped with bounded effort](design.md).
Normal operands, scaled to the range of their format;
where a table's entries have the activation's format, {HEADROOM} times smaller, or sums would
overflow. Made with {tools}.

*Area* is um^2 for one MAC a cycle, so a unit of n cycles a beat pays n times. The clock period is
not in it: floating-point lanes add one after another in a cycle, and units with fewer additions
have shorter paths (`delay_ns` in the table beside this file; of the lanes as measured).
*Share* N is the number of columns that read a row's table: cost = table / N + column."""
    return "\n\n".join(map(paragraph, text.split("\n\n")))


def _findings(results: Results) -> str:
    lines = []
    for activation in ACTIVATIONS:
        area, energy = (
            ", ".join(
                f"{_up_to(wins_up_to(results, metric, share, activation))} ({_share(share)})"
                for share in (*QUOTED, ALONE)
            )
            for metric in METRICS
        )
        text = f"""**{activation}**: tables of K = {K} take less area than multipliers {area}; less
            energy {energy}. {_adder_sentence(results, activation)}"""
        lines.append(paragraph(text, "- "))
    return "\n".join(lines)


def _up_to(bits: int) -> str:
    return f"up to {bits}-bit weights" if bits else "at no width"


def _adder_sentence(results: Results, activation: str) -> str:
    parts = []
    for metric in METRICS:
        for share in (16, 256):
            widths = adder_wins(results, metric, share, activation)
            if widths:
                parts.append(f"in {metric} at {', '.join(map(str, widths))} bits (N = {share})")
    if not parts:
        return "ADD is the cheapest of the three kinds at no width (N = 16 or 256)."
    return f"ADD is the cheapest of the three kinds {', '.join(parts)}."


def _cost(results: Results, design: Design, metric: str, share: float = ALONE) -> Cell:
    """Return the cell of a cost."""
    return lambda: number(results.cost(design, metric, share))


def _by_share(results: Results, design: Design) -> list[Cell]:
    """Return the cells of both costs at all shares that are quoted."""
    return [_cost(results, design, m, n) for m in METRICS for n in (*QUOTED, ALONE)]


def _by_bits(results: Results, activation: str) -> list[Piece]:
    rows: list[list[Cell]] = []
    for bits in WEIGHT_BITS:
        row: list[Cell] = [str(bits)]
        table = table_design(bits, activation)
        for metric in METRICS:
            row += [
                _cost(results, multiplier_design(bits, activation), metric),
                _cost(results, adder_design(bits, activation), metric, 1),
                *(_cost(results, table, metric, n) for n in (*QUOTED, ALONE)),
            ]
        rows.append(row)
    header = ["weight bits"]
    for metric in METRICS:
        header += [f"{metric}: multiplier", "ADD", *(f"LUT N = {n}" for n in QUOTED), "no table"]

    def introduction() -> str:
        converted = " and ".join(
            f"{number(results.cost(dequantised_design(0, activation), metric))} {UNITS[metric]}"
            for metric in METRICS
        )
        return paragraph(
            f"""Area in {UNITS["area"]}, energy in {UNITS["energy"]}. A multiplier of two
            {activation} operands takes {converted}."""
        )

    heading = f"## {activation} activations by weight bits, K = {K} (estimate)"
    return [heading, introduction, Table(header, rows)]


def _crossovers(results: Results) -> list[Piece]:
    def widest(metric: str, share: float, activation: str, make: Made, rival: Made) -> Cell:
        def text() -> str:
            last = max(b for b in WEIGHT_BITS if make(b, activation) in results.designs)
            bits = wins_up_to(results, metric, share, activation, make, rival)
            return f">= {bits}" if bits == last else str(bits)

        return text

    rows: list[list[Cell]] = [
        [
            label, rival_label, activation,
            *(
                widest(metric, share, activation, make, rival)
                for metric in METRICS for share in (*QUOTED, ALONE)
            ),
        ]
        for label, make, activations in (
            ("LUT", table_design, ACTIVATIONS),
            ("conventional LUT", conventional_design, CONVENTIONAL_ACTIVATIONS),
            ("ADD", adder_design, ACTIVATIONS),
        )
        for rival_label, rival in RIVALS.items()
        for activation in activations
    ]  # fmt: skip
    header = ["kind", "beats multiplier of", "activation"]
    header += [f"{m}, {_share(n)}" for m in METRICS for n in (*QUOTED, ALONE)]
    return [
        f"## The widest weight at which tables and adders beat multipliers, K = {K} (estimate)",
        paragraph(
            """In bits, from 1 bit up without a gap; 0: not even at 1 bit; `>=`: at all that are
            measured. The second multiplier takes weights that were converted to the activation's
            format before, as hardware without mixed precision does."""
        ),
        Table(header, rows),
    ]


def _share(share: float) -> str:
    return "no table" if share is ALONE else f"N = {share}"


def _sizes(results: Results) -> list[Piece]:
    shares = (*SHARES[2::2], ALONE)

    def size(metric: str, share: float, activation: str, bits: int) -> Cell:
        return lambda: str(best_size(results, metric, share, activation, bits))

    rows: list[list[Cell]] = [
        [activation, str(bits), *(size(m, n, activation, bits) for m in METRICS for n in shares)]
        for activation in ACTIVATIONS
        for bits in swept_bits(activation)
    ]
    header = ["activation", "weight bits"]
    header += [f"{m}, {_share(n)}" for m in METRICS for n in shares]
    sizes = f"{TABLE_LANES[0]} to {TABLE_LANES[-1]}"
    return [f"## The best K of {sizes} (estimate)", Table(header, rows)]


def _needed_share(results: Results, metric: str, table: Design, other: Design) -> Cell:
    def text() -> str:
        share = needed_share(results, metric, table, other)
        return "never" if share == ALONE else str(int(share))

    return text


def _needed(results: Results) -> list[Piece]:
    rows: list[list[Cell]] = []
    for bits in WEIGHT_BITS:
        row: list[Cell] = [str(bits)]
        for activation in ACTIVATIONS:
            table, other = table_design(bits, activation), multiplier_design(bits, activation)
            row += [_needed_share(results, metric, table, other) for metric in METRICS]
        rows.append(row)
    header = ["weight bits"]
    header += [f"{activation}, {metric}" for activation in ACTIVATIONS for metric in METRICS]
    return [
        f"## Columns that a table needs to be no dearer than multipliers, K = {K} (estimate)",
        Table(header, rows),
    ]


def _ternary(results: Results) -> list[Piece]:
    rows: list[list[Cell]] = []
    for activation in TERNARY_ACTIVATIONS:
        adder = ternary_adder(activation)
        for name, design in {
            "ADD (`ternary_add`)": adder,
            "multiplier": ternary_multiplier(activation),
        }.items():
            rows.append([activation, name, *_by_share(results, design), ""])
        for kind in ("symmetric", "full"):
            for size in GROUPS:
                design = ternary_table(activation, size, kind)
                if design in results.designs:
                    needed = _needed_share(results, "area", design, adder)
                    label = f"LUT G = {size}, {kind}"
                    rows.append([activation, label, *_by_share(results, design), needed])
    header = ["activation", "unit"]
    header += [f"{m}, {_share(n)}" for m in METRICS for n in (*QUOTED, ALONE)]
    header.append("N to beat ADD in area")
    return [
        "## Ternary weights (estimate)",
        paragraph(
            f"""{UNITS["area"]} and {UNITS["energy"]}; G activations to a table of 3^G sums, or of
            the half whose first weight is positive."""
        ),
        Table(header, rows),
    ]


def _parts(results: Results) -> list[Piece]:
    def row(design: Design) -> list[Cell]:
        def parts() -> str:
            return ", ".join(
                f"{name} {number(amount.area)} / {number(amount.energy)}"
                for name, amount in results.tile(design).parts
            )

        return [
            design.label,
            lambda: str(results.tile(design).lanes),
            lambda: number(results.tile(design).macs),
            parts,
        ]

    makers = (table_design, adder_design, multiplier_design)
    return [
        "## What the parts cost (estimate)",
        paragraph(
            """2-bit weights, one row, one column, as measured: um^2 / pJ per cycle. `tables` and
            `rows` are shared by columns; `fold` is the register of the result."""
        ),
        Table(
            ["unit", "lanes", "MAC/cycle", "parts"],
            [row(make(2, activation)) for activation in ACTIVATIONS for make in makers],
        ),
    ]


def _lanes(results: Results) -> list[Piece]:
    def column(design: Design, lanes: int) -> list[Cell]:
        def amount() -> Amount:
            tile = results.tiles[design, lanes]
            return (1 / tile.macs) * (tile.fixed + tile.scaled)

        return [lambda: number(amount().area), lambda: number(amount().energy)]

    header = ["unit, without its table"]
    for lanes in LANE_COUNTS:
        header += [f"{lanes} lanes: area", "energy"]
    return [
        "## How many lanes share an accumulator (estimate)",
        paragraph(
            f"""A unit of one bit plane a cycle adds to its accumulator in each of them, so it needs
            more lanes to an accumulator than a multiplier does. {UNITS["area"]} and
            {UNITS["energy"]}."""
        ),
        Table(
            header,
            [
                [design.label, *(cell for n in LANE_COUNTS for cell in column(design, n))]
                for design in dict.fromkeys(design for design, _ in lane_jobs())
            ],
        ),
    ]


#: Columns of the published tile of 2 rows, 64 columns, K = 4, and the steps of its table 2.
CHAIN_SHARE = 64
CHAIN = (
    "conventional",
    "symmetric table, correction by the sum of activations",
    "reinterpreted weights",
    "table outside",
)


def _chain(results: Results) -> list[Piece]:
    def row(step: str, unit: str, design: Design, share: float) -> list[Cell]:
        def relative() -> str:
            first = results.cost(chain()[0], "area", CHAIN_SHARE)
            return f"{results.cost(design, 'area', share) / first:.2f}"

        return [
            step,
            unit,
            _cost(results, design, "area", share),
            relative,
            _cost(results, design, "area"),
            _cost(results, design, "energy", share),
        ]

    rows = [
        row(step, f"`{design.family}` {design.weight}", design, CHAIN_SHARE)
        for step, design in zip(CHAIN[:-1], chain(), strict=True)
    ]
    rows.append(row(CHAIN[-1], "the same without its table", chain()[-1], ALONE))
    header = ["step", "unit", f"area at N = {CHAIN_SHARE}", "relative", "column alone",
              f"energy at N = {CHAIN_SHARE}"]  # fmt: skip
    return [
        "## From a conventional table to that of LUT Tensor Core (estimate)",
        paragraph(
            f"""2-bit weights, int8 activations, K = {K}; {UNITS["area"]} and {UNITS["energy"]}."""
        ),
        Table(header, rows),
    ]


def _checks(results: Results) -> list[Piece]:
    def row(built: Built) -> list[Cell]:
        def three(attribute: str) -> list[Cell]:
            def both() -> tuple[float, float]:
                check = results.check(built)
                return getattr(check.predicted, attribute), getattr(check.whole, attribute)

            return [
                lambda: number(both()[0]),
                lambda: number(both()[1]),
                lambda: percent(*both(), places=1),
            ]

        design, lanes, columns = built
        return [
            *(design.label, str(lanes), str(columns), *three("area"), *three("energy")),
            lambda: number(results.wholes[built].energy_pj),
        ]

    return [
        "## How far amortisation is from tiles that are built",
        paragraph(
            """Predicted: table / N + column, from the smallest tile, scaled in columns and
            (floating point) lanes. Built: the estimate of the whole tile, optimised across the
            borders of its parts. um^2, and pJ per cycle. With a single column optimisation
            dissolves the table, whose entries only one element reads, so table + column overstates
            N = 1."""
        ),
        Table(
            ["unit", "lanes", "columns", "area, predicted", "built", "deviation",
             "settled energy, predicted", "built", "deviation", "with hazards"],
            [row(built) for built in CHECKED],
        ),
    ]  # fmt: skip


def _synthesis(technology: str, syntheses: Syntheses) -> list[Piece]:
    def row(design: Design) -> list[Cell]:
        def rival() -> Synthesised:
            return syntheses[multiplier_design(design.bits, design.activation)]

        def area(share: int) -> float:
            item = syntheses[design]
            return ((1 / share) * item.table + item.column).area

        def at(share: int) -> list[Cell]:
            return [
                lambda: number(area(share)),
                lambda: f"{area(share) / rival().column.area:.2f}",
            ]

        return [
            design.label,
            lambda: number(syntheses[design].table.area),
            lambda: number(syntheses[design].column.area),
            *(cell for share in QUOTED for cell in at(share)),
            lambda: number(syntheses[design].column.energy),
        ]

    header = ["unit", "table", "column"]
    for share in QUOTED:
        header += [f"N = {share}", "/ multiplier"]
    header.append("pJ/MAC, column")
    return [
        f"## The decisive points by synthesis ({technology})",
        paragraph(
            f"""Synthesised, not estimated: {K} lanes, tiles of four and of eight columns, of which
            the difference is the column; {UNITS["area"]}."""
        ),
        Table(header, [row(design) for design in syntheses.designs]),
    ]


def _published(results: Results) -> list[Piece]:
    """Compare with published findings, in a column of their own."""

    def adders() -> str:
        parts = (
            f"{activation} {_up_to(wins_up_to(results, 'area', 16, activation, adder_design))}"
            for activation in ACTIVATIONS
        )
        return f"{'; '.join(parts)} (area, against weight x activation)"

    def sizes() -> str:
        parts = (
            f"{activation} "
            + ", ".join(
                f"{best_size(results, 'area', share, activation, TABLE_BITS)} at N = {share}"
                for share in (16, 64, 256)
            )
            for activation in ACTIVATIONS
        )
        return f"{'; '.join(parts)} ({TABLE_BITS}-bit weights, area)"

    def steps() -> str:
        areas = ", ".join(f"{value:.2f}" for value in _chain_areas(results))
        return f"{areas} (the steps of the table above, N = {CHAIN_SHARE})"

    def ternary() -> str:
        ratios = "; ".join(_ternary_ratio(results, name) for name in TERNARY_ACTIVATIONS)
        return f"{ratios} (area at N = 32, LUT : ADD : multiplier)"

    rows: list[list[Cell]] = [
        [
            "LUT beats MAC and ADD, FP16 activations (LUT Tensor Core, B.1)",
            "up to 6-bit weights, area and power of a DP4 unit, 28 nm",
            partial(_compare, results, "fp16"),
        ],
        [
            "the one pair of 12 that LUT loses (LUT Tensor Core)",
            "INT4 weights x INT8 activations (the text of one copy has the two swapped)",
            partial(_compare, results, "int8"),
        ],
        [
            "a conventional LUT against MAC (LUT Tensor Core)",
            "loses above 2-bit weights",
            partial(_compare, results, "int8", conventional_design),
        ],
        ["bit-serial ADD (LUT Tensor Core)", "wins at 1 to 2 bits only", adders],
        ["best K (LUT Tensor Core)", "4 for integers; 5 for floating point by a little", sizes],
        [
            "table 2 of LUT Tensor Core, relative area (W2A8)",
            "1.00, 0.76, 0.74, 0.69 (17272, 13117, 12780, 11991 um^2: UNPU, reinterpretation, "
            "negation elimination, LUT TC), 28 nm",
            steps,
        ],
        [
            "ternary tables against adders (arXiv:2604.25183), 16 nm",
            "INT8: little gain; FP16 tile of 32 x 32: LUT 0.120, sign-flip adder 0.197, "
            "multiplier 0.268 mm^2, so 0.61 : 1 : 1.36",
            ternary,
        ],
    ]
    return [
        "## Beside published findings",
        paragraph(
            """Published: other libraries, clock constraints, accumulators and baselines, so the two
            columns are no measurement of each other."""
        ),
        Table(["finding", "published", f"here, estimate ({results.technology})"], rows),
        partial(_explanation, results),
    ]


def _compare(results: Results, activation: str, make: Made = table_design) -> str:
    parts = []
    for label, rival in RIVALS.items():
        widths = []
        for share in (16, ALONE):
            widest = wins_up_to(results, "area", share, activation, make, rival)
            widths.append(f"{_up_to(widest)} ({_share(share)})")
        parts.append(f"against {label}: {', '.join(widths)}")
    return "area " + "; ".join(parts)


def _ternary_ratio(results: Results, activation: str) -> str:
    share = 32
    listed = [ternary_table(activation, g, "symmetric") for g in ternary_sizes(activation)]
    best = min(listed, key=lambda design: results.cost(design, "area", share))
    adder = results.cost(ternary_adder(activation), "area", share)
    multiplier = results.cost(ternary_multiplier(activation), "area", share)
    return (
        f"{activation} {results.cost(best, 'area', share) / adder:.2f} : 1 : "
        f"{multiplier / adder:.2f}, best G = {best.table_lanes}"
    )


def _chain_areas(results: Results) -> list[float]:
    """Return the relative areas of the steps from a conventional table on."""
    areas = [results.cost(design, "area", CHAIN_SHARE) for design in chain()]
    areas.append(results.cost(chain()[-1], "area"))
    return [area / areas[0] for area in areas]


def _explanation(results: Results) -> str:
    """Return why the two columns differ, with the figures that say so."""
    adder = results.cost(adder_design(1, "fp16"), "area")
    fused = results.cost(multiplier_design(4, "fp16"), "area")
    wide = results.cost(dequantised_design(4, "fp16"), "area")
    planes = results.cost(table_design(4, "fp16"), "area")
    table = results.tile(table_design(TABLE_BITS, "fp16")).shared.area
    exact = results.tile(table_design(TABLE_BITS, "int8"))
    exact_table = exact.shared.area * K / exact.lanes
    few, many = (
        [results.tiles[make(2, "int8"), lanes] for make in (table_design, multiplier_design)]
        for lanes in (LANE_COUNTS[0], LANE_COUNTS[-1])
    )
    ratios = [
        (((a.fixed + a.scaled).area / a.macs) / ((b.fixed + b.scaled).area / b.macs))
        for a, b in (few, many)
    ]
    return f"""Why they differ:

- **A floating-point addition costs as much as everything else.** Here each one is fp32 and rounded
  once: a lane of `serial_add` with binary weights, which is hardly more than such an adder, has
  {number(adder)} um^2, the whole fused int4 x fp16 multiply-add {number(fused)}, that of two fp16
  operands {number(wide)}. A table column needs bits / K additions a product: {number(planes)}
  um^2/(MAC/cycle) at 4 bits and K = {K}, without its table. So the crossover is near K bits, and
  other adders move it.
- **A floating-point table is not free.** Each entry is an adder that aligns, normalises and rounds:
  {number(table)} um^2 for one table of {K} fp16 activations, {number(exact_table)} for one of
  int8. Published units receive tables that were computed outside; compare them with *no table* and
  with large N.
- **Integer columns pay for the accumulator once a plane.** For 2-bit weights the column without its
  table has {ratios[0]:.2f} times the area of the multiplier at {LANE_COUNTS[0]} lanes and
  {ratios[1]:.2f} times at {LANE_COUNTS[-1]}: 32 bits of adder and register, used by every plane
  in a LUT and by every product in a multiplier. Units that add more lanes before the accumulator
  favour tables.
- **ADD** does a floating-point addition a lane and plane, nearly what the fused multiply-add does
  for all planes together, so it is no cheaper from 2 bits on; for integers its adders are as wide
  as the multiplier's rows and it repeats the accumulation.
- **Zeros save energy.** Normal weights are rounded to the format that a unit takes; of `int2` and
  `uint1` codes many are 0, which a multiplier and ADD hardly toggle for, while `binary` and
  `bipolarN` have no zero. Area does not see that.
"""
