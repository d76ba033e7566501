"""Estimated cost: a generic netlist priced with the coefficients of a technology.

Area and leakage are sums over gates. Cells of a library take several gates at once, but not a gate
that is read more than once; and on long paths logic is duplicated and cells are larger, the more so
the more they drive. So such gates add to the area. Delay is the longest path, each gate taking the
delay of its type and one term for its fan-out. Settled energy is a sum over toggles, counted
with the operands at hand, plus the clock pins; what hazards add to it is a sum over the toggles
that gates make beyond these if each takes one unit of time. Neither a library nor a tool beyond
Yosys is needed, and one mapping and one simulation serve all technologies.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from cost_models import activity
from cost_models import technology as technologies
from cost_models.bands import UNSEEN_FAMILIES
from cost_models.cost import Cost
from cost_models.netlist import GATES, TYPES, Netlist, netlist
from cost_models.operands import default_operands
from cost_models.technology import Coefficients, Technology
from hwsim.errors import InputError
from hwsim.units import UnitSpec
from hwsim.units.base import check_unit
from hwsim.units.operands import Operands
from rtl import verilog
from rtl.verilog import HandMade
from rtl.yosys import version

Floats = NDArray[np.float64]

#: Share of the longest path's gates from which a path counts as critical.
CRITICAL = 0.9


@dataclass(frozen=True, eq=False)
class Features:
    """What a technology is multiplied with.

    Attributes
    ----------
    netlist
        The unit as generic gates.
    counts
        Cells of each of ``TYPES``.
    shared, critical
        Sums of :func:`shared_gates` and :func:`critical_loads` over all gates.
    toggles
        Output toggles per cycle, summed over the cells of each of ``TYPES``.
    loaded_toggles
        Toggles per cycle times fan-out, summed over the outputs of all cells.
    glitches, loaded_glitches
        The same for the toggles that hazards add, ``glitches`` by type out of ``GATES``.
    mean_activity
        Mean toggles per net and cycle.
    macs_per_cycle
        Multiply-accumulates per cycle, for the operands.
    """

    netlist: Netlist
    counts: Floats
    shared: float
    critical: float
    toggles: Floats
    loaded_toggles: float
    glitches: Floats
    loaded_glitches: float
    mean_activity: float
    macs_per_cycle: float


def features(
    unit: UnitSpec, operands: Operands | None = None, style: str | None = None
) -> Features:
    """Map ``unit`` to gates and simulate it.

    ``operands`` are those of :func:`estimate`, ``style`` that of
    :func:`~cost_models.netlist.netlist`.
    """
    if operands is None:
        operands = default_operands(unit)
    if not isinstance(operands, Operands):
        raise InputError(f"operands={operands!r}: allowed: hwsim.units.operands.Operands")
    gates = netlist(unit, style)
    result = activity.simulate(unit, gates, operands)
    flip_flops = result.toggles[gates.first_flip_flop : gates.first_gate].sum()
    cells = slice(gates.first_flip_flop, None)
    fanout = gates.fanout()
    return Features(
        netlist=gates,
        counts=gates.counts(),
        shared=float(shared_gates(gates).sum()),
        critical=float(critical_loads(gates).sum()),
        toggles=np.append(_by_type(gates, result.toggles), flip_flops),
        loaded_toggles=float(result.toggles[cells] @ fanout[cells]),
        glitches=_by_type(gates, result.glitches),
        loaded_glitches=float(result.glitches @ fanout),
        mean_activity=result.mean,
        macs_per_cycle=result.macs_per_cycle,
    )


def shared_gates(gates: Netlist) -> Floats:
    """Return 1 for gates that drive more than one pin, 0 for others, shape (gates,)."""
    return (gates.fanout()[gates.first_gate :] > 1).astype(np.float64)


def critical_loads(gates: Netlist) -> Floats:
    """Return log2(1 + fan-out) of gates on long paths, 0 for others, shape (gates,).

    Long is a path with at least 90 % of the longest one's gates.
    """
    first = gates.first_gate
    depth = int(gates.levels.max(initial=0))
    # The latest level at which a net may be ready without making the longest path longer.
    latest = np.full(gates.nets, depth)
    for start, end in reversed(_runs(gates)):
        before = np.repeat(latest[first + start : first + end] - 1, gates.pins.shape[1])
        np.minimum.at(latest, gates.pins[start:end].ravel(), before)
    critical = latest[first:] - gates.levels <= (1 - CRITICAL) * depth
    return np.log2(1 + gates.fanout()[first:]) * critical


def _by_type(gates: Netlist, toggles: Floats) -> Floats:
    """Return the toggles of gates, summed by type."""
    sums = np.bincount(gates.types, toggles[gates.first_gate :], len(GATES))
    return sums.astype(np.float64)


def estimate(
    unit: UnitSpec, technology: str | Technology, operands: Operands | None = None
) -> Cost:
    """Return the estimated cost of ``unit`` in one technology.

    Parameters
    ----------
    technology
        A name out of :func:`cost_models.technology.names`, or coefficients of one's own.
    operands
        Operand codes to count toggles with, as :class:`~hwsim.units.operands.Operands`; those of
        :func:`~cost_models.operands.default_operands` if None.

    Raises
    ------
    InputError
        For a ``unit`` that is none, an unknown technology, or operands that do not fit.
    cost_models.activity.SimulationError
        If the gates do not compute what the golden model says.
    """
    (cost,) = estimate_all(unit, [technology], operands).values()
    return cost


def estimate_all(
    unit: UnitSpec, names: Iterable[str | Technology], operands: Operands | None = None
) -> dict[str, Cost]:
    """Return the estimated cost of ``unit`` by technology; parameters are those of ``estimate``."""
    check_unit(unit)
    loaded = technologies.load_all(names)
    measured = features(unit, operands)
    return {technology.name: price(unit, measured, technology) for technology in loaded}


def price(unit: UnitSpec, measured: Features, technology: Technology) -> Cost:
    """Return the cost of a unit whose features are known."""
    clock_fj = technology.clock_fj_per_cycle * len(measured.netlist.data)
    settled_fj = (
        clock_fj
        + measured.toggles @ vector(technology.energy_fj_per_toggle, TYPES)
        + measured.loaded_toggles * technology.energy_fj_per_toggle_and_load
    )
    glitch_fj = (
        measured.glitches @ vector(technology.glitch_fj_per_toggle, GATES)
        + measured.loaded_glitches * technology.glitch_fj_per_toggle_and_load
    )
    return Cost(
        unit=unit.name,
        technology=technology.name,
        method="estimate",
        area_um2=float(
            measured.counts @ vector(technology.area_um2, TYPES)
            + measured.shared * technology.area_um2_per_shared_gate
            + measured.critical * technology.area_um2_per_critical_doubling
        ),
        delay_ns=critical_path(measured.netlist, PathDelays.of(technology)).delay_ns,
        settled_pj=float(settled_fj) * 1e-3,
        clock_pj=clock_fj * 1e-3,
        glitch_pj=float(glitch_fj) * 1e-3,
        leakage_nw=float(measured.counts @ vector(technology.leakage_nw, TYPES)),
        macs_per_cycle=measured.macs_per_cycle,
        provenance={
            "coefficients": technology.provenance,
            "errors": technology.errors,
            # Verilog of one's own is no hardware of the family.
            "band": technology.band(UNSEEN_FAMILIES if isinstance(unit, HandMade) else unit.family),
            "tools": {"yosys": version()},
            "style": measured.netlist.style,
            "effort": "bounded" if measured.netlist.bounded else "full",
            **verilog.provenance(unit),
            "gates": dict(zip(TYPES, measured.counts.astype(int).tolist(), strict=True)),
            "toggles_per_net_and_cycle": measured.mean_activity,
        },
    )


def vector(coefficients: Coefficients, types: tuple[str, ...]) -> Floats:
    """Return coefficients in the order of ``types``."""
    return np.array([coefficients[name] for name in types])


@dataclass(frozen=True, eq=False)
class PathDelays:
    """Delay coefficients as one vector in ns: a number per gate type, then fan-out, clock-to-output
    and setup."""

    values: Floats

    @classmethod
    def of(cls, technology: Technology) -> "PathDelays":
        """Return those of a technology."""
        gates = vector(technology.delay_ns, GATES)
        return cls(
            np.append(
                gates,
                [
                    technology.delay_ns_per_doubling,
                    technology.clock_to_output_ns,
                    technology.setup_ns,
                ],
            )
        )

    @property
    def gates(self) -> Floats:
        """Delay through a gate, by type."""
        return self.values[: len(GATES)]

    @property
    def per_doubling(self) -> float:
        """Delay per log2(1 + fan-out)."""
        return float(self.values[-3])

    @property
    def clock_to_output(self) -> float:
        """Delay from the clock edge to a flip-flop's output."""
        return float(self.values[-2])

    @property
    def setup(self) -> float:
        """Setup time of a flip-flop."""
        return float(self.values[-1])


@dataclass(frozen=True, eq=False)
class Path:
    """The longest path of a netlist.

    Attributes
    ----------
    delay_ns
        Its delay.
    features
        How often each number of :class:`PathDelays` is in it.
    """

    delay_ns: float
    features: Floats


def _runs(gates: Netlist) -> list[tuple[int, int]]:
    """Return first gate and end of every level."""
    borders = [0, *(np.flatnonzero(np.diff(gates.levels)) + 1).tolist(), len(gates.types)]
    return list(pairwise(borders))


def critical_path(gates: Netlist, delays: PathDelays) -> Path:
    """Return the longest path from inputs and flip-flops to outputs and flip-flops."""
    doublings = np.log2(1 + gates.fanout())
    arrival = np.zeros(gates.nets)
    registers = slice(gates.first_flip_flop, gates.first_gate)
    arrival[registers] = delays.clock_to_output + delays.per_doubling * doublings[registers]
    first = gates.first_gate
    own = delays.gates[gates.types] + delays.per_doubling * doublings[first:]
    for start, end in _runs(gates):
        latest = arrival[gates.pins[start:end]].max(axis=1)
        arrival[first + start : first + end] = latest + own[start:end]

    ends = np.concatenate([gates.data, *gates.outputs.values()])
    required = arrival[ends]
    required[: len(gates.data)] += delays.setup
    worst = int(required.argmax())
    counts = np.zeros(len(delays.values))
    counts[-1] = worst < len(gates.data)
    net = int(ends[worst])
    while net >= first:
        counts[gates.types[net - first]] += 1
        counts[-3] += doublings[net]
        pins = gates.pins[net - first]
        net = int(pins[arrival[pins].argmax()])
    if net >= gates.first_flip_flop:
        counts[-2] = 1
        counts[-3] += doublings[net]
    return Path(float(required[worst]), counts)
