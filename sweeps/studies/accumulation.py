"""What summing costs: area, delay and energy per MAC by element format, accumulation and lanes.

The `float` unit with both operands in one format: a table of all points, and how much the
accumulation is worth against a step of element width. With an empty cache of netlists it takes
hours; a run that was interrupted finds what it has mapped there.
"""

from collections.abc import Callable, Sequence
from functools import partial
from statistics import geometric_mean
from typing import NamedTuple

from cost_models import technology
from cost_models.estimate import features, price
from hwsim.tables import number
from hwsim.units import UnitSpec, make
from sweeps.studies.page import Cell, Measured, Page, Table, paragraph

TECHNOLOGY = "sky130"
#: One style of Yosys for all, to save time: adders and small multipliers hardly differ.
STYLE = "noalumacc"
ELEMENTS = ("e2m1", "e2m3", "e3m2", "e4m3", "e5m2", "fp16", "bf16")
#: Parameters by what stands in the tables.
SUMS: dict[str, dict[str, str]] = {
    "exact": {},
    "aligned13": {"accumulation": "aligned13"},
    "fp16": {"accumulator": "fp16"},
    "fp32": {"accumulator": "fp32"},
}
ACCUMULATIONS = tuple(SUMS)
LANES = (1, 4, 8, 16, 32)

#: Element format, accumulation, lanes.
Key = tuple[str, str, int]
#: Element format and accumulation.
Pair = tuple[str, str]


class Point(NamedTuple):
    """Cost of one unit: um^2 for a MAC a cycle, ns, pJ a MAC, and the effort of mapping."""

    area: float
    delay: float
    energy: float
    settled: float
    effort: str

    def __str__(self) -> str:
        mark = "*" if self.effort == "bounded" else ""
        energy = f"{number(self.energy)} ({number(self.settled)})"
        return f"{self.area:.0f} / {self.delay:.1f} / {energy}{mark}"


Points = Measured[Key, Point]


def unit(key: Key) -> UnitSpec:
    """Return the unit with an element format, accumulation and lanes."""
    element, accumulation, lanes = key
    return make("float", lanes=lanes, weight=element, activation=element, **SUMS[accumulation])


def measure(key: Key) -> Point:
    """Return the estimated cost of a unit."""
    spec = unit(key)
    cost = price(spec, features(spec, style=STYLE), technology.load(TECHNOLOGY))
    return Point(
        cost.area_um2_per_mac_per_cycle,
        cost.delay_ns,
        cost.energy_pj_per_mac,
        cost.settled_energy_pj_per_mac,
        cost.provenance["effort"],
    )


def page() -> Page:
    """Return the page."""
    points: Points = Measured(measure)
    # The small ones first.
    every = [(e, a, n) for n in LANES for a in ACCUMULATIONS for e in ELEMENTS]
    return Page(
        "What summing costs",
        [
            paragraph(
                f"""The `float` unit with both operands in one format, by how its products are
                summed ([what the names mean](../hwsim/units/float_mac.py)). All numbers are
                estimates of {TECHNOLOGY} with normally distributed operands, mapped in Yosys' style
                {STYLE} only; [cost-model.md](cost-model.md) has their error. The lanes of `fp16`
                and `fp32` add one after another in one cycle, with one rounding each, so their area
                per lane hardly changes and their delay grows with the lanes; those of `aligned13`
                and `exact` add in a tree. Every sum of a chain passes the hazards of those before
                it on and adds its own, so their energy grows with the lanes, too: such units are
                pipelined in practice. No unit that the estimates were fitted to is so deep."""
            ),
            paragraph(
                """Area in um^2 per MAC/cycle / delay in ns / energy in pJ per MAC, in parentheses
                without hazards, by lanes. * is a large unit, mapped with bounded effort;
                [design.md](design.md) says what that changes."""
            ),
            _points(points),
            "## Another accumulation of the same elements",
            paragraph(
                """Relative to `exact`, geometric mean over all lanes: area per MAC/cycle, energy
                per MAC and, in parentheses, that without hazards."""
            ),
            _ratios(points, ACCUMULATIONS[1:], lambda element, _: (element, "exact")),
            "## Another element format with the same accumulation",
            "Relative to `e4m3`, likewise.",
            _ratios(points, ACCUMULATIONS, lambda _, accumulation: ("e4m3", accumulation)),
            "## What the accumulation is worth",
            partial(_verdict, points),
        ],
        partial(points.measure, every),
    )


def ratio(points: Points, quantity: str, one: Pair, other: Pair) -> float:
    """Return how much more ``one`` takes than ``other``: geometric mean over all lanes."""
    return geometric_mean(
        getattr(points[*one, n], quantity) / getattr(points[*other, n], quantity) for n in LANES
    )


def _points(points: Points) -> Table:
    """Return all points, a row for an element format and an accumulation."""

    def cell(key: Key) -> Cell:
        return lambda: str(points[key])

    return Table(
        ["element", "accumulation", *(f"{n} lane{'s' * (n > 1)}" for n in LANES)],
        [
            [element, accumulation, *(cell((element, accumulation, n)) for n in LANES)]
            for element in ELEMENTS
            for accumulation in ACCUMULATIONS
        ],
    )


def _ratios(
    points: Points, accumulations: Sequence[str], base: Callable[[str, str], Pair]
) -> Table:
    """Return area and energy relative to those of ``base(element, accumulation)``."""

    def cell(one: Pair) -> Cell:
        def text() -> str:
            area, energy, settled = (
                f"{ratio(points, quantity, one, base(*one)):.2f}"
                for quantity in ("area", "energy", "settled")
            )
            return f"{area}, {energy} ({settled})"

        return text

    return Table(
        ["element", *accumulations],
        [[element, *(cell((element, name)) for name in accumulations)] for element in ELEMENTS],
    )


def _verdict(points: Points) -> str:
    """Return the two effects beside each other, as ranges over what is varied besides."""
    lines = []
    for element in ELEMENTS:
        ratios = [
            ratio(points, "area", (element, name), (element, "exact")) for name in ACCUMULATIONS
        ]
        cheapest = ACCUMULATIONS[ratios.index(min(ratios))]
        dearest = ACCUMULATIONS[ratios.index(max(ratios))]
        lines.append(
            f"- {element}: `{cheapest}` is the smallest; `{dearest}` takes "
            f"{max(ratios) / min(ratios):.1f} times its area."
        )
    widths = [ratio(points, "area", ("e4m3", name), ("e2m1", name)) for name in ACCUMULATIONS]
    last = f"""A step of element width, from e2m1 to e4m3, multiplies the area by {min(widths):.1f}
        to {max(widths):.1f}, depending on the accumulation."""
    return "\n".join([*lines, "", paragraph(last)])
