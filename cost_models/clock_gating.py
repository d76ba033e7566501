"""What clock gates add to an estimate, and what they save of its clock.

A group of flip-flops whose clock is gated (:mod:`cost_models.enables`) adds the area and the
leakage of a gate. Its clock pins take energy in cycles in which the gate is open only; the gate
takes some in all. What that is comes straight from the library, through ``hwsim characterise``:
nothing of it is fitted.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cost_models import technology as technologies
from cost_models.netlist import Netlist
from cost_models.technology import GATE_FIGURES, Technology
from hwsim.errors import InputError

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class GateCosts:
    """What the clock gates of a netlist add, and what its clock takes.

    Attributes
    ----------
    area_um2, leakage_nw
        Of the gates.
    clock_fj
        Energy per cycle of the gates and of all clock pins.
    """

    area_um2: float
    leakage_nw: float
    clock_fj: float


def gate_costs(
    netlist: Netlist,
    gates: Sequence[Mapping[str, Any]] | None,
    clock_fj_per_cycle: float,
    ones: Floats,
) -> GateCosts:
    """Return the costs of the clock in a technology.

    Parameters
    ----------
    netlist
        Generic gates; without enables it has no clock gates.
    gates
        Those of the technology.
    clock_fj_per_cycle
        For the clock pin of one flip-flop.
    ones
        Share of the cycles in which each net is 1 before the clock edge, shape (nets,); those of
        enables count.
    """
    nets, sizes = netlist.groups()
    free = len(netlist.data) - int(sizes.sum())
    if not len(nets):
        return GateCosts(0.0, 0.0, clock_fj_per_cycle * free)
    assert gates
    chosen = [_smallest(gates, int(size)) for size in sizes]
    area, leakage, closed, opened = (
        np.array([gate[key] for gate in chosen]) for key in GATE_FIGURES[1:]
    )
    share = ones[nets]
    behind = sizes * clock_fj_per_cycle
    clock = clock_fj_per_cycle * free + (1 - share) @ closed + share @ (opened + behind)
    return GateCosts(float(area.sum()), float(leakage.sum()), float(clock))


def check_gates(chosen: Iterable[Technology]) -> None:
    """Refuse with InputError technologies whose library has no clock gate for rising edges."""
    without = [one.name for one in chosen if not one.clock_gates]
    if without:
        having = [name for name in technologies.names() if technologies.load(name).clock_gates]
        raise InputError(
            f"clock_gating=True: {', '.join(without)} has no clock gate for rising edges; allowed: "
            f"technologies that have one, such as {', '.join(having)}"
        )


def _smallest(gates: Sequence[Mapping[str, Any]], flip_flops: int) -> Mapping[str, Any]:
    """Return the smallest gate that drives so many, or the largest."""
    return next((gate for gate in gates if gate["flip_flops"] >= flip_flops), gates[-1])
