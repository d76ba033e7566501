"""Hazards: which of two formats takes less energy, by four ways to count it.

Pairs of units that compete for the same work are synthesised with every library that is given, for
the least area, and estimated in sky130. What the documents said of them before stands beside.
"""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from cost_models import synthesis
from cost_models.cost import Cost
from cost_models.estimate import estimate
from hwsim.tables import number
from hwsim.units import UnitSpec, make
from sweeps.studies.page import Cell, Measured, Page, Piece, Table, paragraph

if TYPE_CHECKING:
    from cost_models.synthesis.liberty import Library

#: What the estimates are of, and the text.
TECHNOLOGY = "sky130"

UNITS: dict[str, UnitSpec] = {
    "INT8 x 4": make("integer", lanes=4, weight="int8", activation="int8"),
    "E4M3": make("float", lanes=1, weight="e4m3", activation="e4m3"),
    "E4M3 x 4": make("float", lanes=4, weight="e4m3", activation="e4m3"),
    "E4M3 x 4, aligned13": make(
        "float", lanes=4, weight="e4m3", activation="e4m3", accumulation="aligned13"
    ),
    "INT4 x 4": make("integer", lanes=4, weight="int4", activation="int4"),
    "E2M1 x 4": make("float", lanes=4, weight="e2m1", activation="e2m1"),
    "INT4 x 4, table": make("product_rom", lanes=4, weight="int4", activation="int4"),
    "INT4 by INT8, parallel": make("integer", lanes=4, weight="int4", activation="int8"),
    "INT4 by INT8, bit-serial": make("bit_serial", lanes=16, weight="int4", activation="int8"),
    "posit8_0 x 4": make("posit", lanes=4, weight="posit8_0", activation="posit8_0"),
    "HiF8 x 4": make("hif8", lanes=4, weight="hif8", activation="hif8"),
    "MXFP4 x 4": make("mx_dot", lanes=4, weight="e2m1", activation="e2m1"),
    "NVFP4 x 4": make("nvfp4_dot", lanes=4),
}


class Pair(NamedTuple):
    """Names of two units, and what decides between them."""

    first: str
    second: str
    why: str

    def __str__(self) -> str:
        return f"{self.first} or {self.second}"


PAIRS = (
    Pair("INT8 x 4", "E4M3", "8 bits; the float is alone with its sum of 45 bits"),
    Pair("INT8 x 4", "E4M3 x 4", "8 bits, lanes alike"),
    Pair("INT4 x 4", "E2M1 x 4", "4 bits, lanes alike; both sums are exact"),
    Pair("E4M3 x 4", "E4M3 x 4, aligned13", "exact sums, or shifters and 13 bits of fraction"),
    Pair("INT4 by INT8, parallel", "INT4 by INT8, bit-serial", "one result, in 1 cycle or in 4"),
    Pair("INT4 x 4", "INT4 x 4, table", "multipliers, or products looked up"),
    Pair("posit8_0 x 4", "HiF8 x 4", "8 bits of tapered precision, exact sums"),
    Pair("MXFP4 x 4", "NVFP4 x 4", "the same elements; scales of 8 bits without or with mantissa"),
    Pair("INT8 x 4", "MXFP4 x 4", "wider elements, or narrower ones that are summed in FP32"),
)

SETTLED, UNIT_DELAYS, REAL_DELAYS, WIRES = "settled", "unit delays", "real delays", "with wires"
#: Of estimates: with fitted delays, and with unit delays as they were.
HAZARDS, GLITCHES = "with hazards", "with glitches"
SYNTHESISED = (SETTLED, UNIT_DELAYS, REAL_DELAYS, WIRES)
ESTIMATED = (SETTLED, HAZARDS, WIRES)

#: pJ a MAC by what is counted.
Energies = Mapping[str, float]
#: Of each unit.
Measures = Measured[str, Energies]


#: Estimates in sky130 when hazards had unit delays, as far as the documents had them.
FORMER: dict[str, Energies] = {
    "INT8 x 4": {SETTLED: 3.26, GLITCHES: 11.9},
    "E4M3": {SETTLED: 4.93},
    "E4M3 x 4": {SETTLED: 3.05, GLITCHES: 9.37},
    "E4M3 x 4, aligned13": {SETTLED: 3.07},
    "INT4 x 4": {SETTLED: 1.26, GLITCHES: 4.35},
    "E2M1 x 4": {SETTLED: 1.09, GLITCHES: 2.56},
    "INT4 x 4, table": {SETTLED: 1.38, GLITCHES: 4.65},
    "INT4 by INT8, parallel": {SETTLED: 2.11, GLITCHES: 5.90},
    "INT4 by INT8, bit-serial": {SETTLED: 2.01, GLITCHES: 6.24},
    "posit8_0 x 4": {SETTLED: 5.39, GLITCHES: 24.1},
    "HiF8 x 4": {SETTLED: 5.73, GLITCHES: 23.3},
    "MXFP4 x 4": {SETTLED: 2.90, GLITCHES: 33.4},
    "NVFP4 x 4": {SETTLED: 4.07, GLITCHES: 45.6},
}

INTRODUCTION = """
Between two clock edges a net may change more than once. A gate whose inputs come one after the
other says something in between and takes it back, and every gate behind it may do so again. These
*hazards* charge nets like any other change. Deep arithmetic makes many: arrays of adders, and
shifters behind adders behind shifters. So which of two formats takes less energy depends on how
hazards are counted, and this page counts them in four ways, in pJ a MAC:

- **settled**: no hazards. Every net changes once a cycle at most.
- **unit delays**: the hazards of a simulation in which every cell takes one unit of time.
- **real delays**: those with the delays of the cells, what `energy_pj_per_mac` is.
- **with wires**: real delays, and what wires and a clock tree add to a placed netlist, what
  `energy_with_wires_pj_per_mac` is.

Every output of a cell is simulated as one element, with the delays to its rise and its fall from
each of its inputs that OpenSTA writes as SDF for the cell's slews and load
(`cost_models/synthesis/simulation.py`). Delays are inertial: a change that is taken back before it
is due never happens (`cost_models/network.py`, which says what Icarus does otherwise, too). Cycles
are drawn from the operand stream, and each is played from the settled state before the clock edge.

Unit delays overstate hazards because no pulse is shorter than the cell that it meets: a cell of
one unit swallows no pulse of one unit, so pulses live on from level to level, where cells with real
delays swallow the short ones.
"""

#: The shares of the fitting set are those of its syntheses by `hwsim characterise`.
SYNTHESIS = """
Units mapped for the least area with normal operands, by the flow of
[cost-model.md](cost-model.md). *Remaining* is the share of the hazards with unit delays that is
there with real ones: 0.18 to 0.59 of 121 units, those of `cost_models/fitting_set.py`, and 0.33 on
average. Bit-serial lanes take a weight's 4 bits one after another, so 16 of them do 4 MAC a cycle.
Netlists that ABC makes of one unit from equivalent starts differ in energy by up to 10 % here, so
ratios below 1.1 are no order.
"""

ESTIMATE = """
The same by estimates, which know of no library: hazards are those of generic gates with delays
that are fitted to cells, and wires a factor. There are no unit delays in them.
"""

BEFORE = """
Before, hazards were known with unit delays only, and energies were called an upper bound. Charts,
rankings and GMAC/J were made of that, while pages about formats quoted settled energy. These are
the figures of then in pJ/MAC, all of them former estimates in sky130, and those with glitches with
unit delays: of E4M3 alone and of aligned13 from `docs/accumulation.md`, of INT4 by INT8 from
`README.md`, of all others from `docs/operands.md`.
"""


def page(libraries: "Mapping[str, Library]") -> Page:
    """Return the page, with syntheses by every library that is given."""
    synthesised = {
        name: Measured(partial(synthesise, name, library)) for name, library in libraries.items()
    }
    estimated: Measures = Measured(estimated_energies)
    pieces: list[Piece] = [
        INTRODUCTION,
        "## The pairs",
        Table(["pair", "what decides"], [[str(pair), pair.why] for pair in PAIRS]),
    ]
    for name, costs in synthesised.items():
        pieces.append(f"## {name}, synthesis")
        if name == TECHNOLOGY:
            pieces.append(paragraph(SYNTHESIS))
        pieces += [
            f"{name}, synthesis, pJ/MAC:",
            _energies(costs, SYNTHESISED, remaining=True),
            partial(_remaining, costs),
            f"{name}, synthesis: which of two takes less, and how many times as much the other:",
            _order(costs, SYNTHESISED),
            partial(_turns, costs),
        ]
    pieces += [
        f"## {TECHNOLOGY}, estimate",
        paragraph(ESTIMATE),
        f"{TECHNOLOGY}, estimate, pJ/MAC:",
        _energies(estimated, ESTIMATED),
        f"{TECHNOLOGY}, estimate: which of two takes less, and how many times as much the other:",
        _order(estimated, ESTIMATED),
    ]
    if TECHNOLOGY in synthesised:
        pieces.append(partial(_agreement, estimated, synthesised[TECHNOLOGY]))
    pieces += ["## What the documents said before", paragraph(BEFORE), _former()]
    if TECHNOLOGY in synthesised:
        pieces += [
            f"Which of two takes less, by estimates then and by synthesis now, {TECHNOLOGY}:",
            _before_and_now(synthesised[TECHNOLOGY]),
        ]

    def measured(workers: int | None) -> None:
        for costs in (*synthesised.values(), estimated):
            costs.measure(list(UNITS), workers)

    return Page("Hazards, and which format takes less", pieces, measured)


def synthesise(technology: str, library: "Library", name: str) -> Energies:
    """Return the energies of a unit by synthesis."""
    cost = synthesis.measure(UNITS[name], technology, library, wires=True)
    hazards = cost.provenance["glitch_pj_with_unit_delays"]
    return {
        SETTLED: cost.settled_energy_pj_per_mac,
        UNIT_DELAYS: (cost.settled_pj + hazards) / cost.macs_per_cycle,
        REAL_DELAYS: cost.energy_pj_per_mac,
        WIRES: _with_wires(cost),
    }


def estimated_energies(name: str) -> Energies:
    """Return the energies of a unit by the estimate."""
    cost = estimate(UNITS[name], TECHNOLOGY, wires=True)
    return {
        SETTLED: cost.settled_energy_pj_per_mac,
        HAZARDS: cost.energy_pj_per_mac,
        WIRES: _with_wires(cost),
    }


def _with_wires(cost: Cost) -> float:
    energy = cost.energy_with_wires_pj_per_mac
    assert energy is not None
    return energy


def remaining(energies: Energies) -> float:
    """Return the share of hazards with unit delays that there are with real ones."""
    settled = energies[SETTLED]
    return (energies[REAL_DELAYS] - settled) / (energies[UNIT_DELAYS] - settled)


def less(pair: Pair, costs: Mapping[str, Energies], measure: str) -> tuple[str, float]:
    """Return which unit of a pair takes less, and how many times as much the other takes."""
    first, second = (costs[name][measure] for name in (pair.first, pair.second))
    if first <= second:
        return pair.first, second / first
    return pair.second, first / second


def _energies(costs: Measures, measures: Sequence[str], remaining: bool = False) -> Table:
    """Return the energies of all units."""

    def cell(name: str, measure: str) -> Cell:
        return lambda: number(costs[name][measure])

    rows: list[list[Cell]] = [
        [name, f"`{unit.name}`", *(cell(name, measure) for measure in measures)]
        for name, unit in UNITS.items()
    ]
    if not remaining:
        return Table(["", "unit", *measures], rows)
    return Table(
        ["", "unit", *measures, "remaining"],
        [[*row, _share(costs, name)] for row, name in zip(rows, UNITS, strict=True)],
    )


def _share(costs: Measures, name: str) -> Cell:
    return lambda: f"{remaining(costs[name]):.2f}"


def _remaining(costs: Measures) -> str:
    """Return what the shares are, together."""
    shares = [remaining(costs[name]) for name in UNITS]
    return paragraph(
        f"""With real delays {min(shares):.2f} to {max(shares):.2f} of the hazards with unit delays
        remain, {np.mean(shares):.2f} on average: not one share for all, so no factor mends unit
        delays."""
    )


def _winner(pair: Pair, costs: Mapping[str, Energies], measure: str) -> str:
    name, ratio = less(pair, costs, measure)
    return f"{name} ({ratio:.2f})"


def _winners(pair: Pair, costs: Measures, measures: Sequence[str]) -> list[Cell]:
    return [partial(_winner, pair, costs, measure) for measure in measures]


def _order(costs: Measures, measures: Sequence[str]) -> Table:
    """Return which of two takes less by each measure, and by which it is not as settled."""
    return Table(
        ["pair", *measures, "other than settled"],
        [
            [str(pair), *_winners(pair, costs, measures), partial(_others, pair, costs, measures)]
            for pair in PAIRS
        ],
    )


def _others(pair: Pair, costs: Measures, measures: Sequence[str]) -> str:
    turned = [measure for measure in measures if _turn(pair, costs, SETTLED, measure)]
    return ", ".join(turned) or "-"


def _turn(pair: Pair, costs: Mapping[str, Energies], one: str, other: str) -> bool:
    """Return whether different units take less by two measures."""
    return less(pair, costs, one)[0] != less(pair, costs, other)[0]


def _turns(costs: Measures) -> str:
    """Return where the order turns."""
    lines = []
    for one, other in (
        (SETTLED, REAL_DELAYS), (UNIT_DELAYS, REAL_DELAYS), (REAL_DELAYS, WIRES)
    ):  # fmt: skip
        turned = [str(pair) for pair in PAIRS if _turn(pair, costs, one, other)]
        named = f": {'; '.join(turned)}" if turned else ""
        text = f"*{one}* and *{other}* differ in {len(turned)} of {len(PAIRS)} pairs{named}."
        lines.append(paragraph(text, "- "))
    return "\n".join(lines)


def _agreement(estimated: Measures, synthesised: Measures) -> str:
    """Return for how many pairs the estimate has the order of synthesis."""
    said = []
    for ours, theirs in ((SETTLED, SETTLED), (HAZARDS, REAL_DELAYS), (WIRES, WIRES)):
        other = [
            str(pair)
            for pair in PAIRS
            if less(pair, estimated, ours)[0] != less(pair, synthesised, theirs)[0]
        ]
        but = f" (not of {'; '.join(other)})" if other else ""
        said.append(f"*{ours}* of {len(PAIRS) - len(other)}{but}")
    return paragraph(
        f"""The estimate has the order of synthesis, of {len(PAIRS)} pairs: {", ".join(said)}."""
    )


def _former() -> Table:
    """Return the former figures."""

    def figure(energies: Energies, measure: str) -> str:
        return number(energies[measure]) if measure in energies else "-"

    measures = (SETTLED, GLITCHES)
    return Table(
        ["", *(f"before, {measure}" for measure in measures)],
        [[name, *(figure(energies, m) for m in measures)] for name, energies in FORMER.items()],
    )


def _before_and_now(costs: Measures) -> Table:
    """Return which of two takes less, then and now."""
    return Table(
        ["pair", "before, settled", "before, with glitches", "now, real delays", "now, with wires"],
        [
            [str(pair), _former_winner(pair, SETTLED), _former_winner(pair, GLITCHES),
             *_winners(pair, costs, (REAL_DELAYS, WIRES))]
            for pair in PAIRS
        ],
    )  # fmt: skip


def _former_winner(pair: Pair, measure: str) -> str:
    known = all(measure in FORMER[name] for name in (pair.first, pair.second))
    return _winner(pair, FORMER, measure) if known else "-"
