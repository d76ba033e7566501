"""Our estimates beside published numbers.

Costs are estimates, scaled to a band at 45 or 28 nm by :mod:`cost_models.scaling` where the
published number, from :mod:`cost_models.published`, has another node than the library. The two
kinds of number stand beside each other and never in one column. With the library sky130_fd_sc_hd
the parts of `bitmod` are mapped as the original RTL was, for the table of BitMoD's modules;
everything else needs none.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from scipy.stats import spearmanr

from cost_models import published
from cost_models.cost import Cost
from cost_models.estimate import estimate_all
from cost_models.published import Published
from cost_models.scaling import QUANTITIES, SOURCES, Band, factor, scale
from cost_models.technology import load
from hwsim.tables import cell, number
from hwsim.units import UnitSpec, make
from sweeps.studies.page import Cell, Measured, Page, Piece, Table, paragraph
from sweeps.studies.peers import ORIGINAL
from sweeps.studies.peers.mapping import Mapped, Task, mapped, peer

if TYPE_CHECKING:
    from cost_models.synthesis.liberty import Library

ANCHORS = ("asap7", "sky130")
BITS = (2, 4, 8, 16)
LANES = (1, 4, 16)

#: Parameters of ``float`` by what stands in the tables.
SUMS: dict[str, dict[str, str]] = {
    "exact": {},
    "aligned13": {"accumulation": "aligned13"},
    "aligned24": {"accumulation": "aligned24"},
    "fp16": {"accumulator": "fp16"},
    "fp32": {"accumulator": "fp32"},
}

#: FP8 over INT8 in dedicated hardware: ratios without a node, so no rows of `published.csv`.
FP8_OVER_INT8 = (1.5, 2.8)
FP8_SOURCE = (
    "van Baalen et al., FP8 versus INT8 for efficient deep learning inference, arXiv:2303.17951, "
    "abstract, read: 50 to 180 % less efficient in dedicated hardware"
)

MODULES = dict(
    zip(
        ("exp match", "bit-serial multiplier", "group accumulator", "dequantiser"),
        ORIGINAL,
        strict=True,
    )
)
#: The multiply-adds that BitMoD's authors compare with, and their names in `peers.csv`.
BASELINES = {
    "FP16 x INT8 + FP16": "fma_fp16_int8",
    "FP16 x (INT8 or 2 FP4) + FP16": "fma_dual",
}

#: Filters of :func:`cost_models.published.select`, each for one number.
Filters = tuple[dict[str, str], ...]


# Units.


def measure(spec: UnitSpec) -> dict[str, Cost]:
    """Return the estimates of a unit by technology."""
    return estimate_all(spec, ANCHORS)


Costs = Measured[UnitSpec, dict[str, Cost]]


def integer(lanes: int, bits: int = 8) -> UnitSpec:
    """Return an integer unit with equal operands."""
    name = f"int{bits}"
    return make("integer", lanes=lanes, weight=name, activation=name)


def minifloat(name: str, accumulation: str, lanes: int) -> UnitSpec:
    """Return a floating-point unit with equal operands."""
    return make("float", lanes=lanes, weight=name, activation=name, **SUMS[accumulation])


def fp16_mac() -> UnitSpec:
    """Return a multiply-accumulate with one rounding."""
    return make("fma", lanes=1, weight="fp16", activation="fp16", accumulator="fp16")


def per_mac(cost: Cost, quantity: str) -> float:
    """Return area in um^2 for a MAC a cycle, or a MAC a ns, or energy in pJ a MAC."""
    match quantity:
        case "area":
            return cost.area_um2_per_mac_per_cycle
        case "area x period":
            return cost.area_um2_per_mac_per_cycle * cost.delay_ns
        case _:
            return cost.energy_pj_per_mac


def bare(cost: Cost, quantity: str) -> float:
    """Return a figure per MAC without flip-flops: without their area, or their clock pins."""
    if quantity == "energy":
        return cost.energy_pj_per_mac - cost.clock_energy_pj_per_mac
    flip_flops: int = cost.provenance["gates"]["DFF"]
    area = cost.area_um2 - flip_flops * load(cost.technology).least_area.area_um2["DFF"]
    return area / cost.macs_per_cycle


# Published numbers.


def chosen(filters: Filters) -> list[Published]:
    """Return the numbers that the filters choose, one each."""
    rows = []
    for each in filters:
        (one,) = published.select(each)
        rows.append(one)
    return rows


def total(filters: Filters) -> float:
    """Return the sum of the numbers that the filters choose."""
    return sum(one.value for one in chosen(filters))


def evidence(filters: Filters) -> str:
    """Return how good the evidence for the numbers is."""
    kinds = (one.evidence + (", derived" if one.derived else "") for one in chosen(filters))
    return " + ".join(dict.fromkeys(kinds))


def operations(system: str, mul: str, add: str, metric: str) -> Filters:
    """Return filters of a multiplication and an addition in a table of operations."""
    shared = {"system": system, "metric": metric}
    return ({**shared, "unit": "mul", "weight": mul}, {**shared, "unit": "add", "weight": add})


def horowitz(mul: str, add: str) -> dict[str, Filters]:
    """Return filters of a MAC at 45 nm by quantity."""
    return {name: operations("Horowitz", mul, add, name) for name in ("area", "energy")}


def tensor_core(unit: str, *quantities: str) -> dict[str, Filters]:
    """Return filters of a tensor core without tables, by quantity, per MAC."""
    shared = {"system": "LUT Tensor Core", "unit": unit}
    return {name: ({**shared, "metric": f"{name}_per_mac"},) for name in quantities}


def verdict(low: float, high: float, value: float) -> str:
    """Return where ``value`` lies."""
    if value < low:
        return f"below: {value / low:.2f} of the lower end"
    if value > high:
        return f"above: {value / high:.2f} of the upper end"
    return "inside"


SCALED = """\
## MACs, scaled to 45 and 28 nm

Area in um^2 for a MAC a cycle, energy in pJ a MAC, ours with hazards. *Unscaled* is the estimate at
the library's own node. At 45 nm: Horowitz, ISSCC 2014, figure 1.1.9, a multiplication plus an
addition. These have no registers, so *bare* is our unit without the area of its flip-flops, or
without the energy of their clock pins. At 28 nm: tensor cores, LUT Tensor Core, arXiv:2408.06003,
table 1, normalised to 28 nm and 1.41 GHz. The energy of sky130 cannot be scaled.
"""

FACTORS = """\
The factors, by source. *Between libraries* is a unit's area in sky130 over that in asap7; *between
tables* the energy of one operation at 45 nm (Horowitz) over that at 7 nm (TPUv4i, ISCA 2021, table
2, recalled).
"""

UNSCALED = """\
Energy at 7 nm, nothing scaled: asap7 at 0.70 V beside TPUv4i's table, a multiplication plus an
addition. *Of it clock* is what the clock pins of our flip-flops take.
"""

BIT_FUSION = """\
## Bit Fusion's table of precisions

Area and energy a cycle over those of INT8 with as many lanes. Ours: `integer`, estimated in asap7,
sums of 32 bits and more. Published: systolic arrays of one column with fixed precision at 45 nm,
500 MHz (github.com/hsharma35/bitfusion, results/systolic_array_synth.csv, read; their node is
inferred, which does not matter for ratios).
"""

BITMOD = """\
## BitMoD's modules

Area over that of the sum of the four modules. Published: TSMC 28 nm, 1 GHz, registers included
(github.com/yc2367/BitMoD, b18cacb, hardware/PE_Area_Power.xlsx, read). Their RTL, measured before,
and ours are mapped in one open flow: sky130, ABC's default script, no wires, no target.
"""


def page(libraries: "Mapping[str, Library]") -> Page:
    """Return the page, with our parts of BitMoD if sky130 is among ``libraries``."""
    costs: Costs = Measured(measure)
    figures = mapped(libraries)
    pieces: list[Piece] = [
        paragraph(
            """Ours are estimates (normal operands, no wires, hazards, handshake and result register
            included), what is mapped is so with the library of
            [libraries.md](libraries.md); published numbers are those of `hwsim published`, with
            their evidence: *read* in the source, *secondary* in a text that quotes it, *recalled*
            from neither. Scaled numbers are bands between two sources ([memory.md](memory.md)), no
            confidence intervals."""
        ),
        SCALED,
        _scaled(costs),
        FACTORS,
        _factors(costs),
        UNSCALED,
        _unscaled(costs),
        partial(_meaning, costs),
        "## FP8 over INT8",
        _fp8_introduction(),
        _fp8(costs),
        partial(_fp8_found, costs),
        BIT_FUSION,
        _bit_fusion(costs),
        partial(_bit_fusion_found, costs),
        BITMOD,
        _bitmod(),
        _bitmod_found(),
    ]
    tasks: list[Task] = []
    if "sky130" in libraries:
        tasks = list(OURS.values())
        pieces.append(_our_bitmod(figures))

    def measured(workers: int | None) -> None:
        costs.measure(_units(), workers)
        figures.measure(tasks, workers)

    return Page("Estimates beside published numbers", pieces, measured)


def _units() -> list[UnitSpec]:
    """Return all units that are estimated."""
    return [
        *(comparison.spec for comparison in comparisons()),
        *(minifloat(name, accumulation, lanes) for name, accumulation, lanes in fp8_units()),
        *(integer(lanes, bits) for lanes in LANES for bits in BITS),
    ]


# Absolute numbers.


class Comparison(NamedTuple):
    """A unit of ours, and by quantity what the published number is the sum of."""

    name: str
    spec: UnitSpec
    node: int
    parts: dict[str, Filters]


def comparisons() -> list[Comparison]:
    """Return what is compared at 45 and 28 nm."""
    both = ("area", "energy")
    fp16 = minifloat("fp16", "aligned24", 4)
    fp8 = minifloat("e4m3", "aligned13", 16)
    return [
        Comparison("INT8 MAC, 32-bit sum", integer(1), 45, horowitz("INT8", "INT32")),
        Comparison("FP16 MAC, fp16 sum", fp16_mac(), 45, horowitz("FP16", "FP16")),
        Comparison("INT8, 16 lanes", integer(16), 28, tensor_core("A100 INT8 TC", *both)),
        Comparison("FP16, 4 lanes, aligned24", fp16, 28, tensor_core("A100 FP16 TC", *both)),
        Comparison("e4m3, 16 lanes, aligned13", fp8, 28, tensor_core("H100 FP8 TC", "area")),
    ]


def _scaled(costs: Costs) -> Table:
    """Return the scaled bands beside the published numbers."""
    rows = []
    for comparison in comparisons():
        for quantity in comparison.parts:
            for anchor in ANCHORS if quantity == "area" else ("asap7",):
                rows.append(_scaled_row(costs, comparison, quantity, anchor, per_mac))
                if comparison.node == 45:
                    rows.append(_scaled_row(costs, comparison, quantity, anchor, bare))
    return Table(
        ["unit", "quantity", "from", "unscaled", "to nm", "scaled", "published", "evidence",
         "published is"],
        rows,
    )  # fmt: skip


def _scaled_row(
    costs: Costs,
    comparison: Comparison,
    quantity: str,
    anchor: str,
    figure: Callable[[Cost, str], float],
) -> list[Cell]:
    """Return a figure, scaled as its cost is, beside the published one."""
    name, spec, node, parts = comparison
    published_value = total(parts[quantity])

    def unscaled() -> float:
        return figure(costs[spec][anchor], quantity)

    def scaled() -> tuple[float, float]:
        cost = costs[spec][anchor]
        band: Band = scale(cost, quantity, node)
        attribute, _ = QUANTITIES[quantity]
        share = unscaled() / getattr(cost, attribute)
        return band.low * share, band.high * share

    return [
        f"{name}, bare" if figure is bare else name,
        quantity,
        anchor,
        lambda: number(unscaled()),
        str(node),
        lambda: " to ".join(map(number, scaled())),
        cell(published_value),
        evidence(parts[quantity]),
        lambda: verdict(*scaled(), published_value),
    ]


def _factors(costs: Costs) -> Table:
    """Return what the bands are made of, beside what two libraries and two tables of pJ say."""
    rows: list[list[Cell]] = []
    for quantity, start, node in (
        ("area", 7, 45), ("area", 7, 28), ("area", 130, 45), ("area", 130, 28),
        ("energy", 7, 45), ("energy", 7, 28),
    ):  # fmt: skip
        factors = [str(factor(source, quantity, start, node)) for source in SOURCES]
        known = between_tables() if (quantity, node) == ("energy", 45) else "-"
        rows.append([quantity, str(start), str(node), *factors, "-", known])
    factors = [f"{value:.0f}" for value in area_from_7_to_130()]
    rows.append(["area", "7", "130", *factors, partial(between_libraries, costs), "-"])
    return Table(
        ["quantity", "from nm", "to nm", *SOURCES, "between libraries", "between tables"], rows
    )


def area_from_7_to_130() -> list[float]:
    """Return the factor of each source."""
    return [factor(name, "area", 7, 45).low / factor(name, "area", 130, 45).low for name in SOURCES]


def between_libraries(costs: Costs) -> str:
    """Return the range of areas in sky130 over those in asap7, by unit."""
    units = [costs[spec] for spec in (integer(1), integer(16), fp16_mac())]
    ratios = [cost["sky130"].area_um2 / cost["asap7"].area_um2 for cost in units]
    return f"{min(ratios):.0f} to {max(ratios):.0f}"


def between_tables() -> str:
    """Return the range of energies at 45 nm over those at 7 nm, by operation."""
    ratios = []
    for unit, fmt in (("mul", "INT8"), ("add", "INT8"), ("add", "INT32"), ("mul", "FP16"),
                      ("add", "FP16")):  # fmt: skip
        shared = {"unit": unit, "weight": fmt, "metric": "energy"}
        old, new = chosen(({"system": "Horowitz", **shared}, {"system": "TPUv4i", **shared}))
        ratios.append(old.value / new.value)
    return f"{min(ratios):.2g} to {max(ratios):.2g}"


def _unscaled(costs: Costs) -> Table:
    """Return energies at 7 nm, where both kinds of number exist."""

    def row(name: str, spec: UnitSpec, mul: str, add: str) -> list[Cell]:
        filters = operations("TPUv4i", mul, add, "energy")
        value = total(filters)
        return [
            name,
            lambda: number(costs[spec]["asap7"].energy_pj),
            lambda: number(costs[spec]["asap7"].clock_pj),
            cell(value),
            evidence(filters),
            lambda: f"{costs[spec]['asap7'].energy_pj / value:.2f}",
        ]

    return Table(
        ["unit", "estimate, pJ", "of it clock, pJ", "published, pJ", "evidence",
         "estimate / published"],
        [
            row("INT8 MAC, 32-bit sum", integer(1), "INT8", "INT32"),
            row("FP16 MAC, fp16 sum", fp16_mac(), "FP16", "FP16"),
        ],
    )  # fmt: skip


def _meaning(costs: Costs) -> str:
    """Return what the tables say, with the numbers as they are now."""
    core = tensor_core("A100 INT8 TC", "energy")["energy"]
    own = costs[integer(16)]["asap7"].energy_pj_per_mac
    stillmaker, deepscale = (factor(name, "energy", 7, 45) for name in SOURCES)
    areas = " and ".join(f"{value:.0f}" for value in area_from_7_to_130())
    items = [
        """**Suspecting the estimate first.** It is within a few per cent of synthesis in the same
        library ([cost-model.md](cost-model.md)), and its gates compute what the golden model says.
        What differs is the unit (register, handshake), the operands, and the scaling.""",
        f"""**Area from asap7: the scaling.** The same units take {between_libraries(costs)} times
        the area in sky130, while the scalings say that 130 nm takes {areas} times that of 7 nm.
        asap7, a predictive kit, is less dense than the 7 nm of either source, so bands from it are
        too high. Read the bands from sky130.""",
        """**Area from sky130: INT8 agrees, bare and in a tensor core, while FP16 and FP8 come out
        smaller than published.** Horowitz' FP16 is a multiplier and an adder, with two roundings
        and two normalisers, and its areas are recalled; FPnew's multiply-add with one rounding
        takes as much as ours in the same flow ([peers.md](peers.md)). The tensor cores run at
        1.41 GHz, with pipeline and operand registers; ours have one stage and a fraction of that
        clock.""",
        f"""**Energy from 7 to 45 nm: the scaling.** The sources say {stillmaker} and {deepscale},
        two published tables of the same operations {between_tables()}. The table above
        compares with TPUv4i, nothing scaled.""",
        f"""**Energy is high**, at 7 nm with nothing scaled, too, and not for the clock: hazards are
        {_hazards(costs[integer(1)])} of the INT8 MAC's and {_hazards(costs[fp16_mac()])} of the
        FP16 MAC's. Ours do everything in one cycle, so the adder sees every hazard of the
        multiplier, and registers would stop them; what the published numbers count is not stated.
        Our operands are normal and scaled to the full range; the published tables do not state
        theirs. The INT8 tensor core is published with
        {total(core):.2f} pJ a MAC at 28 nm ({evidence(core)}), where ours takes {own:.2f} in
        asap7, unscaled; neither its operands nor their toggles are stated.""",
    ]
    return "\n".join(
        ["### What is not inside, and why", "", *(paragraph(item, "- ") for item in items)]
    )


def _hazards(costs: Mapping[str, Cost]) -> str:
    cost = costs["asap7"]
    return f"{100 * cost.glitch_pj / cost.energy_pj:.0f} %"


# Ratios.

RATIOS = ("area", "area x period", "energy")


def fp8_units() -> list[tuple[str, str, int]]:
    """Return format, accumulation and lanes of the units of FP8."""
    return [
        (name, accumulation, lanes)
        for name in ("e4m3", "e5m2")
        for accumulation in ("exact", "aligned13", "fp16", "fp32")
        # Lanes that round one after another make a large netlist for what a small one says.
        for lanes in (LANES if accumulation in ("exact", "aligned13") else LANES[:2])
    ]


def _fp8_ratio(costs: Costs, unit: tuple[str, str, int], anchor: str, quantity: str) -> float:
    """Return what a unit of FP8 takes over INT8 at equal lanes, per MAC."""
    ours, base = costs[minifloat(*unit)], costs[integer(unit[2])]
    return per_mac(ours[anchor], quantity) / per_mac(base[anchor], quantity)


def _fp8_inside(costs: Costs, unit: tuple[str, str, int], quantity: str) -> bool:
    """Return whether the ratio is in the published range in both libraries."""
    low, high = FP8_OVER_INT8
    return all(low <= _fp8_ratio(costs, unit, anchor, quantity) <= high for anchor in ANCHORS)


def _fp8_introduction() -> str:
    low, high = FP8_OVER_INT8
    fp8, int8 = (total(tensor_core(name, "area")["area"]) for name in
                 ("H100 FP8 TC", "A100 INT8 TC"))  # fmt: skip
    return paragraph(
        f"""The `float` unit over the `integer` unit (32-bit sum) at equal lanes, per MAC.
        Published: {low} to {high} ({FP8_SOURCE}); and {fp8 / int8:.2f} in area, LUT Tensor Core's
        H100 FP8 over its A100 INT8 tensor core."""
    )


def _fp8(costs: Costs) -> Table:
    """Return what FP8 takes next to INT8 at equal lanes."""

    def ratio(unit: tuple[str, str, int], anchor: str, quantity: str) -> Cell:
        return lambda: f"{_fp8_ratio(costs, unit, anchor, quantity):.2f}"

    def inside(unit: tuple[str, str, int], quantity: str) -> Cell:
        return lambda: "yes" if _fp8_inside(costs, unit, quantity) else "no"

    return Table(
        ["unit", "lanes", *(f"{anchor} {q}" for anchor in ANCHORS for q in RATIOS), "published",
         *(f"{q} inside" for q in RATIOS)],
        [
            [f"{unit[0]}, {unit[1]}", str(unit[2]),
             *(ratio(unit, anchor, q) for anchor in ANCHORS for q in RATIOS),
             "{} to {}".format(*FP8_OVER_INT8), *(inside(unit, q) for q in RATIOS)]
            for unit in fp8_units()
        ],
    )  # fmt: skip


def _fp8_found(costs: Costs) -> str:
    units = fp8_units()
    counts = ", ".join(f"{q} {sum(_fp8_inside(costs, unit, q) for unit in units)}" for q in RATIOS)
    return paragraph(
        f"""Inside in both libraries, of {len(units)}: {counts}. There is no one ratio: it follows
        the accumulation. A multiplier of 4 x 4 or 3 x 3 bits in the place of 8 x 8 pays for
        decoders and shifters where sums are exact or aligned; one rounding a product to fp32
        costs more than the published range. Aligned units have the area of INT8 and up to twice
        its period, and area x period is nearer to what hardware for one clock rate would pay;
        lanes that round one after another would be pipelined instead, which would stop their
        hazards, too. The energy of exact and aligned sums is below the range, which contradicts
        it. A likely cause: INT8 operands at full scale toggle all of a larger multiplier, with the
        hazards of its adders. The abstract that we read states neither accumulation nor
        operands."""
    )


#: Metrics of Bit Fusion's table by quantity.
PRECISION = {"area": "area", "energy": "energy_per_cycle"}


def bit_fusion(unit: str, weight: str, metric: str) -> float:
    """Return a number of Bit Fusion's table."""
    return total(({"system": "Bit Fusion", "unit": unit, "weight": weight, "metric": metric},))


def _ours(costs: Costs, quantity: str, lanes: int, bits: int) -> float:
    return per_mac(costs[integer(lanes, bits)]["asap7"], quantity) * lanes


def _theirs(quantity: str, lanes: int, bits: int) -> float:
    return bit_fusion(f"systolic {lanes}x1 fixed", f"INT{bits}", PRECISION[quantity])


def _bit_fusion(costs: Costs) -> Table:
    """Return area and energy against precision."""

    def row(lanes: int, bits: int) -> list[Cell]:
        def ours(quantity: str) -> Cell:
            return lambda: (
                f"{_ours(costs, quantity, lanes, bits) / _ours(costs, quantity, lanes, 8):.2f}"
            )

        def theirs(quantity: str) -> str:
            return f"{_theirs(quantity, lanes, bits) / _theirs(quantity, lanes, 8):.2f}"

        return [str(lanes), str(bits), *(f(q) for q in PRECISION for f in (ours, theirs))]

    return Table(
        ["lanes", "bits", "area, estimate", "area, published", "energy, estimate",
         "energy, published"],
        [row(lanes, bits) for lanes in LANES for bits in BITS],
    )  # fmt: skip


def _bit_fusion_found(costs: Costs) -> str:
    points = [(lanes, bits) for lanes in LANES for bits in BITS]
    ranks = [
        spearmanr(
            [_ours(costs, q, *point) for point in points], [_theirs(q, *point) for point in points]
        ).statistic
        for q in PRECISION
    ]
    fused = [
        bit_fusion("systolic 1x1 fusible 2..8", "INT2-8", metric)
        / bit_fusion("systolic 1x1 fixed", "INT8", metric)
        for metric in PRECISION.values()
    ]
    return paragraph(
        f"""Rank correlation over all {len(points)} points: area {ranks[0]:.3f}, energy
        {ranks[1]:.3f}. With one lane our low precisions fall less in area, as the sum has 32 bits
        whatever the operands; at many lanes INT2 takes less than published. A fusible element of
        2 to 8 bits takes {fused[0]:.2f} times the area and {fused[1]:.2f} times the energy of the
        fixed INT8 one there. It has no counterpart here: `bit_serial` composes precision in time,
        `rmmec` ([rmmec.md](rmmec.md)) fuses other formats."""
    )


#: A number of BitMoD's table of areas.
SHARED = {"system": "BitMoD", "metric": "area"}


def _areas(names: "Mapping[str, str]") -> tuple[dict[str, float], dict[str, float]]:
    """Return published areas, and those of their RTL mapped here."""
    areas = {name: total(({**SHARED, "unit": name},)) for name in names}
    return areas, {name: peer(f"bitmod_{part}").area for name, part in names.items()}


def _bitmod() -> Table:
    """Return areas of BitMoD's modules over their sum: published, and of their RTL here."""
    areas, here = _areas(MODULES | BASELINES)
    element, original = (sum(values[name] for name in MODULES) for values in (areas, here))
    rows = [["element, the sum", cell(element), "1", number(original), "1"]]
    rows += [
        [name, cell(area), f"{area / element:.3f}", number(here[name]),
         f"{here[name] / original:.3f}"]
        for name, area in areas.items()
    ]  # fmt: skip
    separate = total(
        ({**SHARED, "unit": "FP16 multiplier"}, {**SHARED, "unit": "FP16 adder"}),
    )
    rows.append(
        ["FP16 multiplier and adder", cell(separate), f"{separate / element:.3f}", "-", "-"]
    )
    return Table(
        ["module", "published, um^2", "over the sum", "their RTL, sky130, um^2", "over the sum"],
        rows,
    )


def _bitmod_found() -> str:
    areas, here = _areas(MODULES | BASELINES)
    element, original = (sum(values[name] for name in MODULES) for values in (areas, here))
    baseline = "FP16 x (INT8 or 2 FP4) + FP16"
    return paragraph(
        f"""The shares of the modules agree, the element next to a multiply-add does not: it takes
        {element / areas[baseline]:.2f} of the *{baseline}* there and
        {original / here[baseline]:.2f} here. Their clock target of 1 GHz is a likely cause, as the
        deeper multiply-add pays more for it, and this flow has no target; it is not proven."""
    )


#: Our parts of an element, which are summed, and our multiply-adds.
ELEMENT = {
    "aligner (exp match, and the shifters of the multiplier)": Task("bitmod aligner"),
    "processing element (the rest)": Task("bitmod processing element"),
}
OURS = ELEMENT | {
    "fma int8 x fp16 + fp16": Task("fma, int8 x fp16 + fp16"),
    "fma (int8 or 2 e2m1) x fp16 + fp16": Task("fma, (int8 or 2 e2m1) x fp16 + fp16"),
    "fma fp16 x fp16 + fp16": Task("fma, fp16 x fp16 + fp16"),
}


def _our_bitmod(figures: Mapped) -> Table:
    """Return the areas of our parts of an element, and of our multiply-adds."""

    def element() -> float:
        return sum(figures[task].area for task in ELEMENT.values())

    def row(name: str, task: Task) -> list[Cell]:
        return [
            name,
            lambda: number(figures[task].area),
            lambda: f"{figures[task].area / element():.3f}",
        ]

    return Table(
        ["our module, mapped now", "sky130, um^2", "over the sum"],
        [
            ["element with aligner, the sum", lambda: number(element()), "1"],
            *(row(name, task) for name, task in OURS.items()),
        ],
    )
