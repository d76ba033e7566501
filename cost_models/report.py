"""How far the estimate is from synthesis: ``docs/cost-model.md``, and the same measured now.

The document and its chart are made of what the technology files hold, so they can be made, and
checked, without a cell library.
"""

import hashlib
from collections.abc import Callable, Sequence
from math import comb
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cost_models import array_errors, chart, conformal, fit, fitting_set, wires
from cost_models import technology as technologies
from cost_models.bands import (
    LEVELS,
    QUANTITIES,
    RATIO_ERROR,
    RATIO_LEVEL,
    UNSEEN,
    UNSEEN_FAMILIES,
    error_key,
)
from cost_models.synthesis import liberty
from cost_models.technology import Technology
from hwsim import files, tables
from hwsim.units import make

#: What the errors are of, by their keys in a technology file.
KINDS = {
    "unseen_units": "held-out units",
    "fitting_units": "units fitted to",
    "unseen_families": "kinds of hardware left out",
    "unseen_families_all_units": "kinds of hardware left out, all units",
    "components_only": "fitted to components only",
    "components_only_all_units": "fitted to components only, all units",
    "unseen_units_speed": "held-out units at their least delay",
    "unseen_units_clock": "held-out units at a clock",
}

#: Quantities that a clock decides, and not the estimate.
_DECIDED = {"unseen_units_clock": ("delay", "area_times_delay")}

#: Headings by quantity.
_HEADINGS = {quantity: quantity.replace("_", " ") for quantity in QUANTITIES}
_HEADER = ("technology", *_HEADINGS.values())

#: How often the held-out units are split to check what is said of further ones.
SPLITS = 500

#: What the model is meant to keep: mean and largest error, least rank.
_ALLOWED = {
    "area": "3 % / - / 0.99",
    "delay": "6 % / - / 0.97",
    "settled_energy": "-",
    "energy": "8 % / - / 0.98",
    "area_times_delay": "-",
}

DOCUMENT = "cost-model.md"
CHART = "cost-model.png"

_INTRODUCTION = """# The cost model

<!-- Made by `hwsim cost-model report -o docs`; a test compares it with the technology files. -->

Two methods give a cost, and they are different kinds of number:

- **synthesis**: Yosys and ABC map the unit to a cell library, with buffers, sizes and a cell that
  drives the inputs, in both of Yosys' better multiplier styles. OpenSTA gives the shortest clock
  period from a register before the operands to one behind the results, the slews of all pins and
  the delays of all cells. The mapped netlist is simulated with the operand stream, its results are
  compared with the golden model, and its toggles, priced with the library's own tables, are the
  energy: once without delays, the settled energy, and once with the delays of the cells. What the
  second adds is the energy of glitches.
- **estimate**: the unit is mapped once to generic two-input gates, multiplexers and flip-flops,
  and simulated with the same operand stream, without delays and with those of gates, which
  were fitted to components. Area is a sum over gates by
  type, plus one over gates that drive more than one pin, which a complex cell cannot swallow,
  plus one over gates on paths of at least 90 % of the longest one's gates, times log2(1 +
  fan-out), where cells are larger. Delay is the longest path: a number per gate type, and one
  times log2(1 + fan-out). Settled energy is a sum over simulated toggles, by gate type and by
  load, plus a number per flip-flop and cycle for the clock pins, read from the library. Energy of
  glitches is another such sum, over the toggles that hazards add. The coefficients are fitted
  to synthesis. No library is needed.

Energy is settled energy and that of glitches. Both methods count cells only: no wires, no clock
tree, no placement, unless `--wires` adds them, as a part of its own. Both play the same cycles of
the same operands, so errors of energy per cycle are those of energy per MAC.

A unit is a curve, and three points of it are measured and estimated (`--objective density`, the
least area times delay, is at or near the second, and has its errors):

- **least area**, what `hwsim cost` shows by itself: ABC covers for area and takes the smallest size
  of every cell, of the smaller multiplier style from four equivalent starts; the fastest of those
  at most 2 % larger than the smallest counts.
- **least delay**, `--objective speed`: covered for delay, and sized for a period that nothing
  meets.
- **a clock**, `--clock NS`, at which sweeps run: the smallest netlist that meets it. For the errors
  below it is half way between the two delays of each unit.

The estimate has a set of coefficients for each end. At a share x of the way between their delays,
the area has gone x^a of its way, and energies x^e; a and e are fitted to the units at their clock.

## What was fitted to what

- **Components** ({components}): adders, multipliers, shifters, selections, tables, registers and
  the like, each alone between a stream and a register (`cost_models/components`).
- **Units** of all {families} families, small ones, as synthesis of all has to be a matter of
  minutes: {fitting} to fit to and {held_out} held out. Which is which is decided by the order of
  a hash of their names, by turns within a kind of hardware (`cost_models/fitting_set.py`).

The errors are of four questions. *{unseen_units}*: the coefficients that are shipped, fitted to
components and units, on units that the fit did not see, of families that it did.
*{fitting_units}*: the same on the units that the fit did see. *{unseen_families}*: for each of
{generators} generators, the units of all families that it builds, by a fit to everything else;
families whose hardware comes from one generator are left out together. *{components_only}*: by a
fit that has seen no unit. The last two are stated for held-out units, and again for all units.

The terms of the model were chosen without the held-out units; those fitted to were looked at.
Sums over gates and toggles by type, the fan-out's logarithm and the weak pull of every
coefficient towards its gate's transistor count are those of an earlier fit, with units that are
in neither set. Both further terms for area were chosen on osu018 by cross-validation over
components and the units fitted to, where they lowered the mean error; fan-outs beyond a bound, and
other shares of the longest path, were tried as well. So were, for glitches, inverters without
delay and gates that merge into the next one, and for energy toggles of shared and of critical
gates, and loads of inputs: none was better there by more than noise, and none was taken. No term
was changed after an error below was known. The multiplier styles that generic gates are made in
were: leaving Yosys' default style out saves much time and moves the errors by noise. Rows of
partial products alone would save more, but with three of the four libraries their rank correlation
of area falls below 0.99.{unseen}

Errors are absolute and relative to synthesis, as mean / largest / rank, which is Spearman's
correlation. They are of the least area, but for the last two tables. At a clock, delay is that of
the clock, so there is no error of it; what the least area meets anyway keeps the errors of that.
"""

_WITHIN = """## What ± means

{means[0]:.0f} to {means[1]:.0f} % of the held-out units keep the mean error. So estimates are
quoted with what 68 % and 95 % of units stay within, by the {units} held-out units of a technology:
of the {units} distances between estimate and synthesis, the {ranks[0]}th and the {ranks[1]}th
smallest, ranks ceil(({units} + 1) share). That holds for a further unit with at least the
probability stated, if it is drawn like these (split conformal prediction). A distance is by how
much the larger of both exceeds the smaller, so it is at least their difference relative to either,
and may be more than the largest error above; and it is the same of reciprocals: that of `fmax_mhz`
and `gmacs_per_s` is that of delay, that of `gmacs_per_j` that of energy. `gmacs_per_s_per_mm2` has
that of area times delay, of the product and not added up.

68 % / 95 %, one for all families:

{bounds}

### By family

The estimate follows some families less than others, so ± is by family. Each has a scale, the root
mean square of the logarithm of estimate over synthesis of its units that were fitted to. Few are
not much to go by, so it is pulled towards that of all units, as if the family had had {pulls}
more units of just that. Which of these, leave-one-out likelihood over the units
fitted to decides for each technology and quantity; the last means that families do not differ. No
held-out unit has a part in the scales. The ranks above are then taken of the logarithms of
estimate over synthesis divided by the scales, and the band of a family is that times its scale.
What is promised stays the same, and no more: at least the probability stated for a further unit
drawn like these, of whatever family, and not for each family by itself, which a handful of units
cannot promise.

A family that a technology was not fitted to (one of another package, a script's, or Verilog of
one's own) has the bounds of held-out units estimated without their kind of hardware. That promises
something only as far as the new kind is drawn like these kinds.

95 %, narrowest to widest band of a family, and that of other families:

{families}

Estimates of some families are off to one side. They are not corrected for it: the bands are as wide
on either side, and the tables of each technology below have the mean error with its sign.

### Comparing two units

Errors of two estimates are partly common, and cancel in a ratio. So a comparison is not off by two
bands, but by what ratios of held-out units are: the logarithm of estimated over synthesised ratio,
divided by the root of the sum of both squared scales. Pairs share units, so units are counted: a
pair of two further units is as likely as any other to have any rank among the {all_pairs} pairs of
all {units} + 2, so with at least {level} % it is within the {rank}th smallest, and no less within
the {rank}th smallest of the {pairs} pairs of held-out units alone. Errors are as likely to favour
either unit, so one beyond that in favour of a given unit has at most {favour} %. Sweeps call a
point behind the front only if another one is better by more than that in every cost; each
comparison is made by itself.

{level} % bounds of a ratio, of two units of the steadiest and of the least steady family:

{ratios}

### Checks

The held-out units are split in halves {splits} times, by the order of hashes of their names; the
bounds of one half, by family, are tried on the other, both ways. This is the percentage of units
within, on average, which the ranks see to, and in parentheses in the split of ten that holds
fewest, which says how much so few units leave open:

{halves}

All pairs of held-out units within the bounds of ratios, which these units made:

{pairs_within}

And the bounds of other families, of held-out units, tried on the units fitted to, each estimated by
the fit that has not seen its kind of hardware: units within 68 % / within 95 % / pairs within the
bounds of ratios:

{unseen}
"""

_UNSEEN = """

No term was chosen with {names}: what is said of it is what `hwsim characterise` gives for a library
of one's own. Its coefficients do not come with hwsim."""

_NOISE = """## Noise of synthesis

ABC's result depends on the structure that it starts from. This is by how much the netlists from
equivalent starts differ from the one that counts, at most, on average over all units. No estimate
follows that.
"""

_CURVES = """## What speed costs

The median of all units, synthesised for the least delay instead of the least area, and what the
technologies have of the curve between. The clock that sweeps run at by themselves is the median
delay of all units at their least area, with one digit.
"""

_WIRES = """## Wires

`hwsim cost --wires` adds what wires and a clock tree take, as a part of its own. Synthesis places
the netlist in rows at a utilisation, by annealing, gives OpenSTA the capacitance and resistance of
a tree for every net, and prices toggles with the capacitance. The clock tree is buffers and wires
between the port and the flip-flops. Nothing is routed, no cell is sized again, clock edges come at
once everywhere, and hazards are those of cells without wires. Estimates take shares of what is
there without wires, fitted to such placed netlists (`benchmarks/wires.py`): of the delay; of the
energy of data, glitches included; and, for the clock tree, of that of clock pins.

This is what wires add by these, and in parentheses the mean error of the total with wires, of units
fitted to, each left out, and of held-out units, if the figures without wires are known. The error
of these comes on top in an estimate.
"""

#: Headings of the figures of units.
_FIGURES = ("area", "delay", "settled energy", "energy")

_LIMITS = """## Where it is wrong

- **Where ABC had luck.** Units with tables are mapped to areas that differ with the start, and
  delays of equivalent netlists by up to a third. The generic netlist is one more draw.
- **Where synthesis took another multiplier style** than the generic netlist was smallest in:
  rows of AND gates, or Booth's digits. Area hardly tells them apart, but energy does.
- **Hazards in trees of adders and behind decoders.** Cells take several gates at once, and have
  other delays from each of their inputs. Energy of adder trees (`ternary_add`, `serial_add`,
  `bfp_dot`) is a tenth too low, that of tapered formats (`flint`, `dybit`) a tenth too high.
- **At the least delay**, where ABC duplicates logic and buffers a unit as it goes along. Small
  units with one long path are furthest off.
"""

_REGENERATE = """## Making it again

`hwsim characterise --liberty FILE... -o my.yaml` synthesises components and units with a library,
fits, and prints these errors. `hwsim cost --technology my.yaml` then estimates with it.
`hwsim cost-model report -o docs` writes this file and its chart from the technology files,
`hwsim cost-model report --json` prints the errors, and `hwsim cost-model measure` synthesises the
held-out units of a technology again and compares. `hwsim cost-model arrays` compares arrays again.
[libraries.md](libraries.md) says where the
libraries are.
"""


def errors() -> dict[str, dict[str, dict[str, dict[str, float | None]]]]:
    """Return the errors by kind out of ``KINDS``, technology and quantity."""
    return {
        kind: {technology.name: technology.errors[kind] for technology in _technologies()}
        for kind in KINDS
    }


def document() -> str:
    """Return ``docs/cost-model.md``, made from the technology files."""
    loaded = _technologies()
    sections = [
        _introduction(loaded[0]),
        _summary(loaded),
        _within(loaded),
        f"![Estimate against synthesis]({CHART})\n",
        _curves(loaded),
        _noise(loaded),
        _wires(),
        array_errors.section(array_errors.stored()),
        _LIMITS,
        *(_section(technology) for technology in loaded),
        _REGENERATE,
    ]
    return "\n".join(sections)


def write(folder: Path) -> list[Path]:
    """Write :func:`document` and its chart to ``folder``, made if missing; return their paths.

    Raises InputError if they cannot be written.
    """
    folder = files.as_path("folder", folder)
    files.make_folder(folder)
    text, picture = folder / DOCUMENT, folder / CHART
    files.write_text(text, document())
    chart.write(_technologies(), picture)
    return [text, picture]


def measure(
    technology: str,
    files: Sequence[Path] | None = None,
    progress: Callable[[str], None] | None = None,
) -> dict[str, dict[str, float | None]]:
    """Synthesise the held-out units now and return the errors of the estimate against it.

    Parameters
    ----------
    technology
        A technology that comes with the package, or the path of one's own.
    files
        Its Liberty files; None for the installed osu018.
    progress
        As in :func:`cost_models.fit.characterise`.

    Returns
    -------
    dict
        As :func:`cost_models.fit.errors_of`.
    """
    coefficients = technologies.load(technology)
    _, units = fitting_set.split()
    with liberty.opened(coefficients.name, files) as library:
        samples = fit.measure_units(units, coefficients.name, library, progress=progress)
    return fit.errors_of([fit.compare(sample, coefficients) for sample in samples], "estimate")


def _technologies() -> list[Technology]:
    return [*map(technologies.load, technologies.shipped()), *technologies.unseen()]


def _introduction(technology: Technology) -> str:
    # A family that is newer than the coefficients has no part in them.
    known = {row["family"] for row in technology.units}
    units = [unit for unit in fitting_set.units() if unit.family in known]
    return _INTRODUCTION.format(
        components=technology.provenance["components"],
        fitting=technology.provenance["fitting_units"],
        held_out=technology.provenance["held_out_units"],
        families=len({unit.family for unit in units}),
        generators=len({fitting_set.generator(unit) for unit in units}),
        unseen="".join(_UNSEEN.format(names=unseen.name) for unseen in technologies.unseen()),
        **KINDS,
    )


def _noise(loaded: list[Technology]) -> str:
    rows = [
        [
            technology.name,
            *(
                f"{np.mean([row['noise_percent'][field] for row in technology.units]):.1f} %"
                for field in ("area_um2", "delay_ns")
            ),
        ]
        for technology in loaded
    ]
    return f"{_NOISE}\n{tables.markdown(['technology', 'area', 'delay'], rows)}"


def _curves(loaded: list[Technology]) -> str:
    rows = []
    for technology in loaded:
        ratios = [
            np.median(
                [
                    row["speed"]["synthesis"][field] / row["synthesis"][field]
                    for row in technology.units
                ]
            )
            for field in fit.FIGURES
        ]
        rows.append(
            [
                technology.name,
                *(tables.percent(float(ratio), 1.0) for ratio in ratios),
                f"{technology.curve.area:.2f}",
                f"{technology.curve.energy:.2f}",
                f"{technology.clock_ns:g} ns",
            ]
        )
    header = ["technology", *_FIGURES, "exponent of area", "of energy", "clock of sweeps"]
    return f"{_CURVES}\n{tables.markdown(header, rows)}"


def _wires() -> str:
    rows, sources = [], []
    for name in wires.fitted():
        its = wires.factors(name)
        left_out, held_out = (its.errors[kind] for kind in wires.ERRORS)
        cells = [
            f"{100 * getattr(its, key):.1f} % ({left_out[key]:.1f} % / {held_out[key]:.1f} %)"
            for key in wires.SHARES
        ]
        units = f"{left_out['units']:g} / {held_out['units']:g}"
        areas = " to ".join(f"{area:.3g}" for area in its.areas_um2)
        rows.append([name, *cells, f"{its.utilisation:g}", areas, units])
        sources.append(f"- {name}: {wires.figures(name).source}")
    header = ["technology", "delay", "data", "clock tree", "utilisation", "cells um^2", "units"]
    return "\n".join([_WIRES, tables.markdown(header, rows), *sources, ""])


def _summary(loaded: list[Technology]) -> str:
    sections = ["## Errors\n"]
    for kind, label in KINDS.items():
        rows = [
            [
                technology.name,
                *(
                    "-" if q in _DECIDED.get(kind, ()) else _errors(technology.errors[kind][q])
                    for q in QUANTITIES
                ),
            ]
            for technology in loaded
        ]
        if kind == "unseen_units":
            rows.append(["wanted: at most", *_ALLOWED.values()])
        sections += [f"### {label[0].upper()}{label[1:]}\n", tables.markdown(_HEADER, rows)]
    return "\n".join(sections)


def _within(loaded: list[Technology]) -> str:
    units = loaded[0].provenance["held_out_units"]
    errors = [
        fit.relative_errors(_held_out(technology), "estimate", quantity)
        for technology in loaded
        for quantity in QUANTITIES
    ]
    below_mean = [100 * np.mean(percents <= percents.mean()) for percents in errors]
    *some, last = [f"{pull:g}" for pull in conformal.PULLS if np.isfinite(pull)]
    return _WITHIN.format(
        units=units,
        means=(min(below_mean), max(below_mean)),
        ranks=[conformal.rank_within(units, level) for level in LEVELS],
        pulls=f"{', '.join(some)}, {last} or infinitely many",
        pairs=comb(units, 2),
        all_pairs=comb(units + 2, 2),
        rank=conformal.rank_of_pairs_within(units, RATIO_LEVEL),
        level=RATIO_LEVEL,
        favour=(100 - RATIO_LEVEL) // 2,
        splits=SPLITS,
        bounds=_by_quantity(loaded, _bounds),
        families=_by_quantity(loaded, _bounds_of_families),
        ratios=_by_quantity(loaded, _bounds_of_ratios),
        halves=_by_quantity(loaded, _covered_by_halves),
        pairs_within=_by_quantity(loaded, _covered_pairs),
        unseen=_by_quantity(loaded, _covered_unseen),
    )


def _by_quantity(loaded: list[Technology], cell: Callable[[Technology, str], str]) -> str:
    rows = [[technology.name, *(cell(technology, q) for q in QUANTITIES)] for technology in loaded]
    return tables.markdown(_HEADER, rows).rstrip("\n")


def _bounds(technology: Technology, quantity: str) -> str:
    errors = technology.errors[UNSEEN][quantity]
    return " / ".join(f"{errors[error_key(level)]:.1f} %" for level in LEVELS)


def _bounds_of_families(technology: Technology, quantity: str) -> str:
    found, key = technology.bands[quantity], error_key(max(LEVELS))
    percents = [band[key] for band in found["families"].values()]
    return f"{_range(percents)}, {found[UNSEEN_FAMILIES][key]:.1f} %"


def _bounds_of_ratios(technology: Technology, quantity: str) -> str:
    parts = [band[RATIO_ERROR] for band in technology.bands[quantity]["families"].values()]
    # Of two alike the root of the sum of squares is that many times either.
    return _range(100 * np.expm1(np.sqrt(2) * np.log1p(np.array(parts) / 100)))


def _range(percents: Sequence[float] | NDArray[np.float64]) -> str:
    low, high = (f"{percent:.1f}" for percent in (min(percents), max(percents)))
    return f"{low} %" if low == high else f"{low} to {high} %"


def _covered_by_halves(technology: Technology, quantity: str) -> str:
    shares = 100 * coverage(technology.units, quantity)
    least = np.percentile(shares, 10, axis=0)
    return f"{_shares(shares.mean(axis=0))} ({_shares(least)})"


def _covered_pairs(technology: Technology, quantity: str) -> str:
    rows = _held_out(technology)
    parts = [
        technology.bands[quantity]["families"][row["family"]][RATIO_ERROR] for row in rows
    ]  # fmt: skip
    errors = fit.logarithms(rows, "estimate", quantity)
    return _shares(100 * np.array([_pairs_within(errors, np.array(parts))]))


def _covered_unseen(technology: Technology, quantity: str) -> str:
    band = technology.bands[quantity][UNSEEN_FAMILIES]
    rows = [row for row in technology.units if not row["held_out"]]
    distances = fit.distances(rows, UNSEEN_FAMILIES, quantity)
    shares = [np.mean(distances <= band[error_key(level)]) for level in LEVELS]
    errors = fit.logarithms(rows, UNSEEN_FAMILIES, quantity)
    pairs = _pairs_within(errors, np.full(len(rows), band[RATIO_ERROR]))
    return _shares(100 * np.array([*shares, pairs]))


def _pairs_within(errors: NDArray[np.float64], parts: NDArray[np.float64]) -> float:
    """Return which share of all pairs of units is within the bounds of their ratios."""
    first, second = np.triu_indices(len(errors), 1)
    logs = np.log1p(parts / 100)
    within = np.abs(errors[first] - errors[second]) <= np.hypot(logs[first], logs[second])
    return float(within.mean())


def _held_out(technology: Technology) -> list[dict[str, Any]]:
    return [row for row in technology.units if row["held_out"]]


def _shares(percents: NDArray[np.float64]) -> str:
    return " / ".join(f"{percent:.0f} %" for percent in percents)


def coverage(rows: list[dict[str, Any]], quantity: str) -> NDArray[np.float64]:
    """Return which share of one half of the held-out units is within the bands of the other half.

    Parameters
    ----------
    rows
        As :attr:`Technology.units`: the scales of families are those of the units fitted to.

    Returns
    -------
    ndarray
        ``[2 * SPLITS, len(LEVELS)]``: the held-out units are split by the order of hashes of their
        names, and each half is tried with the bands of the other.
    """
    held_out = [row for row in rows if row["held_out"]]
    scales = fit.scales(rows, quantity).of([row["family"] for row in held_out])
    scores = np.abs(fit.logarithms(held_out, "estimate", quantity)) / scales
    shares = []
    names = [fitting_set.drawn_by(_label(row)) for row in held_out]
    for split in range(SPLITS):
        hashes = [hashlib.sha256(f"{split} {name}".encode()).digest() for name in names]
        order = sorted(range(len(names)), key=hashes.__getitem__)
        halves = scores[order[::2]], scores[order[1::2]]
        for given, tried in (halves, halves[::-1]):
            bounds = [conformal.within(given, level) for level in LEVELS]
            shares.append([np.mean(tried <= bound) for bound in bounds])
    return np.array(shares)


def _errors(errors: dict[str, float | None]) -> str:
    return f"{errors['mean_percent']:.1f} % / {errors['max_percent']:.1f} % / {errors['rank']:.3f}"


def _section(technology: Technology) -> str:
    provenance = technology.provenance
    libraries = "; ".join(
        f"`{name}` (SHA-256 {digest}...)"
        for name, digest in provenance["libraries_sha256_prefix"].items()
    )
    tools = ", ".join(f"{name} {version}" for name, version in provenance["tools"].items())
    corner = ", ".join(f"{key} {value}" for key, value in provenance["corner"].items())
    lines = [
        f"## {technology.name}",
        "",
        f"Fitted on {provenance['date']} with {tools}. Corner: {corner}. Library: {libraries}.",
        f"Flow: {provenance['flow']}.",
        "",
        "Furthest off, of the held-out units:",
        "",
        *_worst(_held_out(technology)),
        "",
        "Bands by family, 68 % / 95 %, and the mean error of its held-out units with its sign:",
        "",
        tables.markdown(
            ["family", "held out", *_HEADINGS.values()], _families(technology)
        ),
        "Held-out units, synthesis and error of the estimate:",
        "",
        tables.markdown(
            ["unit", "area um^2", "error", "delay ns", "error", "settled energy pJ/cycle", "error",
             "energy pJ/cycle", "error"],
            [_held_out_row(row) for row in _held_out(technology)],
        ),
    ]  # fmt: skip
    return "\n".join(lines)


def _families(technology: Technology) -> list[list[str]]:
    found = []
    for family in technology.bands["area"]["families"]:
        rows = [row for row in _held_out(technology) if row["family"] == family]
        cells = [family, str(len(rows))]
        for quantity in QUANTITIES:
            band = technology.bands[quantity]["families"][family]
            cell = " / ".join(f"{band[error_key(level)]:.1f}" for level in LEVELS) + " %"
            if rows:
                estimated, measured = (
                    fit.quantities(rows, method, quantity) for method in ("estimate", "synthesis")
                )
                cell += f" ({100 * np.mean(estimated / measured - 1):+.1f} %)"
            cells.append(cell)
        found.append(cells)
    return found


def _held_out_row(row: dict[str, Any]) -> list[str]:
    cells = [_label(row)]
    for field in fit.FIGURES:
        figures = row["synthesis"][field], row["estimate"][field]
        cells += [tables.number(figures[0]), tables.percent(figures[1], figures[0], places=1)]
    return cells


def _worst(rows: list[dict[str, Any]]) -> list[str]:
    lines = []
    for quantity, (field, *more) in QUANTITIES.items():
        if more:
            continue
        row = max(rows, key=lambda row: abs(_error(row, field)))
        lines.append(
            f"- {_HEADINGS[quantity]}: {_label(row)} ({100 * _error(row, field):+.1f} %); "
            f"{_circumstances(row)}"
        )
    return lines


def _circumstances(row: dict[str, Any]) -> str:
    """Return what is known of a unit's synthesis that an estimate cannot follow."""
    styles, noise = row["styles"], row["noise_percent"]
    style = f"both in the multiplier style {styles['synthesis']}"
    if styles["synthesis"] != styles["estimate"]:
        style = f"synthesis in the multiplier style {styles['synthesis']}, the estimate in "
        style += styles["estimate"]
    return f"{style}; noise {noise['area_um2']:.1f} % of area, {noise['delay_ns']:.1f} % of delay"


def _error(row: dict[str, Any], field: str) -> float:
    return float(row["estimate"][field] / row["synthesis"][field] - 1)


def _label(row: dict[str, Any]) -> str:
    return make(row["family"], **row["parameters"]).name
