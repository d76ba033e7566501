"""Area, delay and energy at nodes without a library: bands between two published scalings.

A cost in an anchor technology is multiplied with what each of two sources says a node is worth.
They disagree by up to a factor of five (area from 7 nm), so what comes out is the range over both
and never one number. The range is no confidence interval: bands of one unit from two anchors need
not even overlap (docs/memory.md).

- ``stillmaker2017`` fits circuit simulations with predictive transistor models: area by table,
  energy and delay as polynomials in the supply voltage, here at nominal voltages, for high
  performance and low power devices. It has no 28 nm, which lies between its 32 and 20 nm.
- ``deepscale2021`` fits what a manufacturer published about its own nodes, whose density below
  20 nm grew faster than that of its competitors. It has no 16 nm, which lies between its 22 and
  14 nm, and no node above 130 nm.

Between two nodes of a source a power law is taken.
"""

from dataclasses import dataclass

import numpy as np

from cost_models import data
from cost_models.cost import Cost, Method
from cost_models.interpolation import loglog
from hwsim.errors import InputError, unknown
from hwsim.numbers import whole

#: Nodes in nm that a cost can be scaled to.
NODES = (45, 28, 16)

#: Attribute of Cost, and unit, by quantity.
QUANTITIES = {
    "area": ("area_um2", "um^2"),
    "delay": ("delay_ns", "ns"),
    "energy": ("energy_pj", "pJ/cycle"),
}

#: The sources, and how good the evidence for their tables is.
SOURCES = {
    "stillmaker2017": (
        "Stillmaker & Baas, Integration 58 (2017) 74-81",
        "secondary: tables of two programs that quote it, checked with the authors' corrigendum",
    ),
    "deepscale2021": (
        "Sarangi & Baas, DeepScaleTool, ISCAS 2021, arXiv:2102.10195",
        "secondary: transcriptions of its workbook, two for energy and delay, one for area",
    ),
}


@dataclass(frozen=True)
class Anchor:
    """A technology that costs can be scaled from.

    Attributes
    ----------
    node
        Its node in nm.
    quantities
        Those of ``QUANTITIES`` that both sources scale from it.
    missing
        Why the others, if any, cannot be scaled.
    """

    node: int
    quantities: tuple[str, ...]
    missing: str = ""


#: The technologies of :mod:`cost_models.technology`.
ANCHORS = {
    "asap7": Anchor(7, ("area", "delay", "energy")),
    "sky130": Anchor(
        130,
        ("area",),
        "it runs at 1.8 V, and the sources scale 130 nm at its nominal supply, which is lower",
    ),
    "osu018": Anchor(180, (), "only one of the sources has 180 nm, and a band needs two"),
}


@dataclass(frozen=True)
class Factor:
    """What one source multiplies a quantity with.

    Attributes
    ----------
    low, high
        The range over the source's device types; equal where it has one.
    source, evidence
        What is cited, and a key of :data:`cost_models.data.EVIDENCE` with its reasons.
    """

    low: float
    high: float
    source: str
    evidence: str

    def __str__(self) -> str:
        ends = dict.fromkeys(f"{value:.3g}" for value in (self.low, self.high))
        return " to ".join(ends)


@dataclass(frozen=True)
class Band:
    """A quantity of a unit at a node without a library.

    Attributes
    ----------
    quantity, node
        One of ``QUANTITIES``, and the node in nm.
    low, high, unit
        The range over both sources.
    anchor, method
        Technology and method of the cost that was scaled.
    factors
        The two sources, each with its range of factors.
    """

    quantity: str
    node: int
    low: float
    high: float
    unit: str
    anchor: str
    method: Method
    factors: tuple[Factor, Factor]


def check_node(node: int) -> None:
    """Refuse a node that is none of ``NODES`` with InputError."""
    if whole("node", node, 1) not in NODES:
        raise InputError(f"node={node}: allowed: {', '.join(map(str, NODES))}, in nm")


def scale(cost: Cost, quantity: str, node: int) -> Band:
    """Return ``quantity`` of a cost at ``node``.

    Parameters
    ----------
    cost
        An estimate or synthesis in one of ``ANCHORS``.
    quantity
        One of ``QUANTITIES``: area in um^2, delay in ns, energy in pJ/cycle.
    node
        One of ``NODES``, in nm.

    Raises
    ------
    InputError
        For another technology, quantity or node, or one that the sources do not reach.
    """
    if quantity not in QUANTITIES:
        raise unknown("quantity", quantity, QUANTITIES)
    check_node(node)
    anchor = anchor_of(cost)
    if quantity not in anchor.quantities:
        raise InputError(f"{quantity} cannot be scaled from {cost.technology}: {anchor.missing}")
    attribute, unit = QUANTITIES[quantity]
    value: float = getattr(cost, attribute)
    stillmaker, deepscale = (factor(source, quantity, anchor.node, node) for source in SOURCES)
    return Band(
        quantity=quantity,
        node=node,
        low=value * min(stillmaker.low, deepscale.low),
        high=value * max(stillmaker.high, deepscale.high),
        unit=unit,
        anchor=cost.technology,
        method=cost.method,
        factors=(stillmaker, deepscale),
    )


def bands(cost: Cost, node: int) -> list[Band]:
    """Return the bands of all quantities that can be scaled from the technology of ``cost``.

    Raises
    ------
    InputError
        As :func:`scale`, and if there is none.
    """
    anchor = anchor_of(cost)
    if not anchor.quantities:
        raise InputError(f"nothing can be scaled from {cost.technology}: {anchor.missing}")
    return [scale(cost, quantity, node) for quantity in anchor.quantities]


def anchors() -> list[str]:
    """Return the names of the technologies that something can be scaled from."""
    return [name for name, anchor in ANCHORS.items() if anchor.quantities]


def anchor_of(cost: Cost) -> Anchor:
    """Return the anchor of a cost; raise InputError for a technology that is none."""
    if not isinstance(cost, Cost):
        raise InputError(f"cost={cost!r}: allowed: an estimate or a synthesis")
    if cost.technology not in ANCHORS:
        raise unknown("technology to scale from", cost.technology, ANCHORS)
    return ANCHORS[cost.technology]


def factor(source: str, quantity: str, from_node: int, to_node: int) -> Factor:
    """Return what ``source`` multiplies ``quantity`` with from one node in nm to another."""
    by_variant: dict[str, dict[int, float]] = {}
    for row in data.read("scaling.csv"):
        if (row["source"], row["quantity"]) == (source, quantity):
            by_variant.setdefault(row["variant"], {})[int(row["node"])] = _relative(row)
    ratios = [
        loglog(values, to_node, f"{to_node} nm") / values[from_node]
        for values in by_variant.values()
        if from_node in values
    ]
    if not ratios:
        raise InputError(f"{source} has no {quantity} at {from_node} nm")
    return Factor(min(ratios), max(ratios), *SOURCES[source])


def _relative(row: dict[str, str]) -> float:
    """Evaluate a row's polynomial, highest power first, at its supply voltage."""
    coefficients = [float(value) for value in row["coefficients"].split(";")]
    return float(np.polyval(coefficients, float(row["supply_v"] or 0)))
