"""Estimated cost by part: what tables, decoders or the accumulator of a unit take of the whole.

A part is a submodule of the unit's top module. The unit is mapped to generic gates part by part,
so that each gate belongs to one, and simulated as a whole with the operands, which proves it
against the golden model; the parts are priced like any estimate. Nothing is optimised across the
borders of parts, so their sum is not the estimate of the unit: that one is kept beside it. Both are
of the least area.

The energy of a toggle has a share for the cell and one for every pin that it drives. The latter
counts in the part that has the pin: a table that is read by more columns costs more energy in the
columns, not in the table.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, replace
from functools import reduce
from typing import Any

import numpy as np

from cost_models import activity
from cost_models import technology as technologies
from cost_models.activity import Activity
from cost_models.cost import METRICS, Cost
from cost_models.estimate import (
    Floats,
    critical_loads,
    estimate_all,
    hazards_by_net,
    shared_gates,
    vector,
)
from cost_models.netlist import GATES, TYPES, Int, Netlist, netlist_by_part
from cost_models.operands import default_operands
from cost_models.technology import Sizing, Technology
from hwsim.errors import InputError
from hwsim.units import UnitSpec
from hwsim.units.base import check_unit
from hwsim.units.operands import Operands
from rtl.verilog import HandMade

#: What a part has beside its share of a cost: numbers of cells.
_COUNTS = ("gates", "flip_flops")


@dataclass(frozen=True)
class Part:
    """Cost of one part, or of several together.

    Attributes
    ----------
    area_um2
        Sum of cell areas in um^2.
    settled_pj
        Settled energy per clock cycle in pJ, clock pins included, glitches excluded.
    clock_pj
        The part of ``settled_pj`` that the clock pins take.
    glitch_pj
        What hazards add to ``settled_pj``; see :class:`~cost_models.cost.Cost`.
    leakage_nw
        Leakage power in nW.
    gates, flip_flops
        Number of cells.
    """

    area_um2: float
    settled_pj: float
    clock_pj: float
    glitch_pj: float
    leakage_nw: float
    gates: int
    flip_flops: int

    def __add__(self, other: "Part") -> "Part":
        return Part(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(self)))


@dataclass(frozen=True)
class Breakdown:
    """Cost of a unit by part, in one technology.

    Attributes
    ----------
    parts
        Cost by part, the largest area first.
    whole
        Estimate of the unit with optimisation across the borders of parts.
    """

    parts: Mapping[str, Part]
    whole: Cost

    def __repr__(self) -> str:
        parts = ", ".join(self.parts)
        return f"<Breakdown of {self.whole.unit}, {self.whole.technology}: {parts}>"

    @property
    def total(self) -> Part:
        """Sum of all parts."""
        return reduce(Part.__add__, self.parts.values())

    def metrics(self, part: Part) -> dict[str, float]:
        """Return the metrics that add up over parts, of one part or several, by name.

        What is per MAC is per MAC of the whole unit.
        """
        own = {name: value for name, value in vars(part).items() if name not in _COUNTS}
        cost = replace(self.whole, **own)
        return {name: getattr(cost, name) for name, metric in METRICS.items() if metric.additive}

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "parts": {name: self._plain(part) for name, part in self.parts.items()},
            "sum_of_parts": self._plain(self.total),
            "whole": self.whole.to_dict(),
        }

    def _plain(self, part: Part) -> dict[str, float]:
        return self.metrics(part) | {name: getattr(part, name) for name in _COUNTS}


def breakdown(
    unit: UnitSpec, technology: str | Technology, operands: Operands | None = None
) -> Breakdown:
    """Return the estimated cost of every part of ``unit`` in one technology.

    Parameters and errors are those of :func:`cost_models.estimate.estimate`.
    """
    (result,) = breakdown_all(unit, [technology], operands).values()
    return result


def breakdown_all(
    unit: UnitSpec, names: Iterable[str | Technology], operands: Operands | None = None
) -> dict[str, Breakdown]:
    """Return the breakdown of ``unit`` by technology; parameters are those of ``breakdown``."""
    check_unit(unit)
    if isinstance(unit, HandMade):
        raise InputError(f"{unit.name} has Verilog of its own, whose parts are not told apart")
    loaded = technologies.load_all(names)
    operands = default_operands(unit) if operands is None else operands
    whole = estimate_all(unit, loaded, operands)
    gates = netlist_by_part(unit)
    toggling = activity.simulate(unit, gates, operands)
    return {
        technology.name: Breakdown(price(gates, toggling, technology), whole[technology.name])
        for technology in loaded
    }


def price(gates: Netlist, toggling: Activity, technology: Technology) -> dict[str, Part]:
    """Return the cost of every part, the largest area first.

    Parameters
    ----------
    gates
        A netlist with parts.
    toggling
        Toggles of each net.
    """
    assert gates.parts is not None
    names, part = np.unique(gates.parts, return_inverse=True)
    types = np.append(np.full(len(gates.data), len(TYPES) - 1), gates.types)
    is_flip_flop = np.arange(len(types)) < len(gates.data)
    sizing = technology.least_area
    clock = is_flip_flop * sizing.clock_fj_per_cycle
    settled = clock + _toggle_energy(
        gates,
        toggling.toggles,
        vector(sizing.energy_fj_per_toggle, TYPES)[types],
        sizing.energy_fj_per_toggle_and_load,
    )
    glitch = _toggle_energy(
        gates,
        hazards_by_net(gates, toggling.transitions, technology.hazards),
        # Flip-flops have none.
        np.append(vector(sizing.glitch_fj_per_toggle, GATES), 0.0)[types],
        sizing.glitch_fj_per_toggle_and_load,
    )
    columns = {
        "area_um2": _areas(gates, types, sizing),
        "settled_pj": settled * 1e-3,
        "clock_pj": clock * 1e-3,
        "glitch_pj": glitch * 1e-3,
        "leakage_nw": vector(sizing.leakage_nw, TYPES)[types],
        "gates": ~is_flip_flop,
        "flip_flops": is_flip_flop,
    }
    sums = {key: np.bincount(part, values, len(names)) for key, values in columns.items()}
    order = np.argsort(-sums["area_um2"], kind="stable")
    return {
        str(names[k]): Part(**{key: _cast(key, values[k]) for key, values in sums.items()})
        for k in order
    }


def _areas(gates: Netlist, types: Int, sizing: Sizing) -> Floats:
    """Return the area of each cell in um^2."""
    areas = vector(sizing.area_um2, TYPES)[types]
    areas[len(gates.data) :] += (
        shared_gates(gates) * sizing.area_um2_per_shared_gate
        + critical_loads(gates) * sizing.area_um2_per_critical_doubling
    )
    return areas


def _toggle_energy(gates: Netlist, toggles: Floats, own: Floats, per_load: float) -> Floats:
    """Return the energy in fJ per cycle of each cell: of its output, and of the pins it has.

    A pin on a port of the unit loads nobody, as in the estimate; the pins of the unit's outputs
    count in the cells that drive them. ``own`` is the energy of a toggle of each cell's output in
    fJ, ``per_load`` that of every pin that it drives.
    """
    first = gates.first_flip_flop
    driven = np.where(np.arange(gates.nets) < first, 0.0, toggles)
    pins = np.concatenate([driven[gates.data], driven[gates.pins].sum(axis=1)])
    outputs = np.bincount(np.concatenate([*gates.outputs.values()]), minlength=gates.nets)
    loads = pins + (driven * outputs)[first:]
    return toggles[first:] * own + loads * per_load


def _cast(key: str, value: float) -> Any:
    return round(value) if key in _COUNTS else float(value)
