"""Estimated cost: a generic netlist priced with the coefficients of a technology.

Area and leakage are sums over gates. Cells of a library take several gates at once, but not a gate
that is read more than once; and on long paths logic is duplicated and cells are larger, the more so
the more they drive. So such gates add to the area. Delay is the longest path between registers,
each gate taking the delay of its type and one term for its fan-out. Settled energy is a sum over
toggles, counted with the operands at hand, plus the clock pins; what hazards add to it is a sum
over the toggles beyond these in a simulation of the gates with the technology's delays. Neither a
library nor a tool beyond Yosys is needed, and one mapping serves all technologies.

A unit is a curve. Its ends, the least area and the least delay, have coefficients of their own, and
what a clock between them takes follows from how far it is from the one to the other.
"""

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from itertools import pairwise
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from cost_models import activity, network
from cost_models import technology as technologies
from cost_models.activity import Activity
from cost_models.bands import UNSEEN_FAMILIES
from cost_models.clock_gating import check_gates, gate_costs
from cost_models.cost import Cost, Objective, check_flags, check_goal
from cost_models.netlist import GATES, NETLISTS, TYPES, Int, Netlist, netlist
from cost_models.network import Transitions
from cost_models.operands import default_operands
from cost_models.technology import Coefficients, Curve, Delays, Sizing, Technology
from cost_models.unit_key import unit_key
from cost_models.wires import estimated, factors
from hwsim import cache
from hwsim.errors import InputError
from hwsim.units import UnitSpec
from hwsim.units.base import check_unit
from hwsim.units.operands import Operands
from rtl import verilog
from rtl.verilog import HandMade
from rtl.yosys import version

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
Found = TypeVar("Found")

#: Share of the longest path's gates from which a path counts as critical.
CRITICAL = 0.9

#: Clocks of a unit's curve that are tried for the least area times delay.
CLOCKS = 65


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
    counted
        Toggles, by the operands.
    simulated
        Simulates the unit again, for hazards that were not counted before.
    key
        What the toggles are cached by; None if they are not.
    """

    netlist: Netlist
    counts: Floats
    shared: float
    critical: float
    counted: "Counted"
    simulated: Callable[[], Activity]
    key: tuple[str, ...] | None


@dataclass(frozen=True, eq=False)
class Counted:
    """Toggles of a netlist, as far as estimates need them.

    Attributes
    ----------
    toggles
        Output toggles per cycle, summed over the cells of each of ``TYPES``.
    loaded_toggles
        Toggles per cycle times fan-out, summed over the outputs of all cells.
    ones
        Share of the cycles in which each enable of flip-flops is 1, shape (nets,).
    idle_toggles, idle_loaded_toggles, idle_ones
        The same of idle cycles.
    mean_activity
        Mean toggles per net and cycle.
    macs_per_cycle, macs_per_cycle_error
        Multiply-accumulates per cycle, for the operands, and its standard error.
    """

    toggles: Floats
    loaded_toggles: float
    ones: Floats
    idle_toggles: Floats
    idle_loaded_toggles: float
    idle_ones: Floats
    mean_activity: float
    macs_per_cycle: float
    macs_per_cycle_error: float


@dataclass(frozen=True, eq=False)
class Hazards:
    """Toggles per cycle that hazards add.

    Attributes
    ----------
    toggles
        Summed over the gates of each of ``GATES``.
    loaded
        Times fan-out, summed over all gates.
    """

    toggles: Floats
    loaded: float


def features(
    unit: UnitSpec,
    operands: Operands | None = None,
    style: str | None = None,
    clock_gating: bool = False,
    waits: int = 0,
) -> Features:
    """Map ``unit`` to gates and simulate it, unless that was done before.

    ``operands`` are those of :func:`estimate`, ``style`` that of
    :func:`~cost_models.netlist.netlist`; ``clock_gating`` is that of :func:`estimate`, and
    ``waits`` that of :func:`cost_models.activity.simulate`.
    """
    if not isinstance(operands, Operands | None):
        raise InputError(f"operands={operands!r}: allowed: hwsim.units.operands.Operands")
    gates = netlist(unit, style, clock_gating)
    known = unit_key(unit, counting=True)
    key = known and (*known, str(style), str(clock_gating), str(waits), _digest(operands))
    simulated = _Simulation(unit, gates, operands, waits)
    counted = cached_counts(key, Counted, lambda: _counted(gates, simulated()))
    return Features(
        netlist=gates,
        counts=gates.counts(),
        shared=float(shared_gates(gates).sum()),
        critical=float(critical_loads(gates).sum()),
        counted=counted,
        simulated=simulated,
        key=key,
    )


class _Simulation:
    """A simulation that is done when it is needed, and once."""

    def __init__(
        self, unit: UnitSpec, gates: Netlist, operands: Operands | None, waits: int
    ) -> None:
        self.given = unit, gates, operands, waits
        self.done: Activity | None = None

    def __call__(self) -> Activity:
        if self.done is None:
            unit, gates, operands, waits = self.given
            self.done = activity.simulate(unit, gates, operands or default_operands(unit), waits)
        return self.done

    def __reduce__(self) -> Any:
        # What was simulated is large, and is not sent to another process.
        return _Simulation, self.given


def _digest(operands: Operands | None) -> str:
    """Return a hash of operands; those of the unit's default follow from the unit."""
    if operands is None:
        return "default"
    arrays = {"activations": operands.activations, "weights": operands.weights, **operands.metadata}
    state = hashlib.sha256()
    for name, array in arrays.items():
        codes = np.ascontiguousarray(array)
        state.update(f"{name} {codes.dtype.str} {codes.shape} ".encode())
        state.update(codes.tobytes())
    return state.hexdigest()


def cached_counts(
    key: tuple[str, ...] | None, kind: type[Found], count: Callable[[], Found]
) -> Found:
    """Return what ``count`` returns, or what was kept of it."""
    if key is None:
        return count()
    name = cache.key(kind.__name__, *key)
    found = cache.load(
        NETLISTS,
        name,
        lambda arrays: kind(**{k: v if v.ndim else v.item() for k, v in arrays.items()}),
    )
    if found is None:
        found = count()
        cache.store(NETLISTS, name, {k: np.asarray(v) for k, v in vars(found).items()})
    return found


def _counted(gates: Netlist, result: Activity) -> Counted:
    return Counted(
        toggles=_of_cells(gates, result.toggles),
        loaded_toggles=_loaded(gates, result.toggles),
        ones=result.ones,
        idle_toggles=_of_cells(gates, result.idle.toggles),
        idle_loaded_toggles=_loaded(gates, result.idle.toggles),
        idle_ones=result.idle.ones,
        mean_activity=result.mean,
        macs_per_cycle=result.macs_per_cycle,
        macs_per_cycle_error=result.macs_per_cycle_error,
    )


def _of_cells(gates: Netlist, toggles: Floats) -> Floats:
    """Return the toggles of cells, summed by type out of ``TYPES``."""
    flip_flops = toggles[gates.first_flip_flop : gates.first_gate].sum()
    return np.append(_by_type(gates, toggles), flip_flops)


def _loaded(gates: Netlist, toggles: Floats) -> float:
    """Return the toggles of cells times their fan-out."""
    cells = slice(gates.first_flip_flop, None)
    return float(toggles[cells] @ gates.fanout()[cells])


def hazards(measured: Features, delays: Delays) -> Hazards:
    """Return what hazards add to the toggles of gates that have these delays."""
    gates = measured.netlist

    def count() -> Hazards:
        extra = hazards_by_net(gates, measured.simulated().transitions, delays)
        return Hazards(_by_type(gates, extra), float(extra @ gates.fanout()))

    return cached_counts(measured.key and (*measured.key, str(delays)), Hazards, count)


def hazards_by_net(
    gates: Netlist, transitions: Transitions, delays: Delays, fanout: Floats | Int | None = None
) -> Floats:
    """Return the toggles per cycle that hazards add to each net, shape (nets,).

    With ``fanout``, nets drive so much in place of what the netlist says.
    """
    numbers = PathDelays.of(delays)
    loads = gates.fanout() if fanout is None else fanout
    doublings = np.log2(1 + loads) * numbers.per_doubling
    first = gates.first_gate
    of_gates = numbers.gates[gates.types] + doublings[first:]
    of_sources = numbers.clock_to_output + doublings[2:first]
    counted = network.toggles(
        network.of_gates(gates),
        transitions,
        network.Delays(
            np.repeat(of_sources, 2).reshape(-1, 2),
            np.repeat(of_gates, 2 * gates.pins.shape[1]).reshape(-1, 2),
        ),
    )
    return counted - transitions.settled() / len(transitions.words)


def shared_gates(gates: Netlist) -> Floats:
    """Return 1 for gates that drive more than one pin, 0 for others, shape (gates,)."""
    return (gates.fanout()[gates.first_gate :] > 1).astype(np.float64)


def critical_loads(gates: Netlist) -> Floats:
    """Return log2(1 + fan-out) of :func:`critical_gates`, 0 for others, shape (gates,)."""
    return np.log2(1 + gates.fanout()[gates.first_gate :]) * critical_gates(gates)


def critical_gates(gates: Netlist) -> Flags:
    """Return which gates are on long paths, of at least 90 % of the longest one's gates."""
    first = gates.first_gate
    depth = int(gates.levels.max(initial=0))
    # The latest level at which a net may be ready without making the longest path longer.
    latest = np.full(gates.nets, depth)
    for start, end in reversed(levels(gates)):
        before = np.repeat(latest[first + start : first + end] - 1, gates.pins.shape[1])
        np.minimum.at(latest, gates.pins[start:end].ravel(), before)
    critical: Flags = latest[first:] - gates.levels <= (1 - CRITICAL) * depth
    return critical


def _by_type(gates: Netlist, toggles: Floats) -> Floats:
    """Return the toggles of gates, summed by type."""
    sums = np.bincount(gates.types, toggles[gates.first_gate :], len(GATES))
    return sums.astype(np.float64)


def estimate(
    unit: UnitSpec,
    technology: str | Technology,
    operands: Operands | None = None,
    objective: Objective = "area",
    clock_ns: float | None = None,
    clock_gating: bool = False,
    wires: bool = False,
) -> Cost:
    """Return the estimated cost of ``unit`` in one technology.

    Parameters
    ----------
    technology
        A name out of :func:`cost_models.technology.names`, or coefficients of one's own.
    operands
        Operand codes to count toggles with, as :class:`~hwsim.units.operands.Operands`; those of
        :func:`~cost_models.operands.default_operands` if None.
    objective
        What the unit is mapped for: the least ``area``, ``speed``, or ``density``, the least area
        times delay.
    clock_ns
        A clock period in ns that the least area has to meet, instead of an objective.
    clock_gating
        With clock gates (:mod:`cost_models.clock_gating`).
    wires
        With what wires and a clock tree add, as ``Cost.wires``, by factors fitted to placed
        netlists of the least area (:mod:`cost_models.wires`).

    Raises
    ------
    InputError
        For a ``unit`` that is none, an unknown technology or objective, a clock that is not
        positive, operands that do not fit, clock gates where the technology's library has none, or
        wires where there are no factors of the technology.
    cost_models.network.SimulationError
        If the gates do not compute what the golden model says.
    """
    (cost,) = estimate_all(
        unit, [technology], operands, objective, clock_ns, clock_gating, wires
    ).values()
    return cost


def estimate_all(
    unit: UnitSpec,
    names: Iterable[str | Technology],
    operands: Operands | None = None,
    objective: Objective = "area",
    clock_ns: float | None = None,
    clock_gating: bool = False,
    wires: bool = False,
) -> dict[str, Cost]:
    """Return the estimated cost of ``unit`` by technology; parameters are those of ``estimate``."""
    check_unit(unit)
    check_goal(objective, clock_ns)
    check_flags(clock_gating=clock_gating, wires=wires)
    loaded = technologies.load_all(names)
    if clock_gating:
        check_gates(loaded)
    its = {one.name: factors(one.name, one.wires) for one in loaded} if wires else {}
    measured = features(unit, operands, clock_gating=clock_gating)
    costs = {
        technology.name: price(unit, measured, technology, objective, clock_ns)
        for technology in loaded
    }
    return costs | {
        name: replace(costs[name], wires=estimated(costs[name], its[name])) for name in its
    }


def estimate_each(
    unit: UnitSpec,
    wanted: Sequence[tuple[str | Technology, Objective, float | None]],
    operands: Operands | None = None,
    clock_gating: bool = False,
) -> list[Cost]:
    """Return the estimated cost of ``unit`` for each technology, objective and clock period in ns.

    It is mapped and simulated once, and hazards are counted once a technology. Parameters and
    errors are those of :func:`estimate`.
    """
    check_unit(unit)
    measured = features(unit, operands, clock_gating=clock_gating)
    counted: dict[str, Hazards] = {}
    costs = []
    for name, objective, clock_ns in wanted:
        check_goal(objective, clock_ns)
        (technology,) = technologies.load_all([name])
        if technology.name not in counted:
            counted[technology.name] = hazards(measured, technology.hazards)
        costs.append(
            price(unit, measured, technology, objective, clock_ns, counted[technology.name])
        )
    return costs


def cost_curves(
    unit: UnitSpec,
    names: Sequence[str | Technology],
    operands: Operands | None = None,
    clock_gating: bool = False,
) -> "list[CostCurve]":
    """Return the curve of ``unit`` in each technology; it is mapped and simulated once."""
    check_unit(unit)
    measured = features(unit, operands, clock_gating=clock_gating)
    return [cost_curve(unit, measured, one) for one in technologies.load_all(names)]


@dataclass(frozen=True)
class End:
    """A unit at one end of its curve; what the fields are, :class:`~cost_models.cost.Cost` says."""

    area_um2: float
    delay_ns: float
    settled_pj: float
    clock_pj: float
    glitch_pj: float
    leakage_nw: float
    idle_pj: float


def end(
    measured: Features,
    counted: Hazards,
    sizing: Sizing,
    gates: Sequence[Mapping[str, Any]] | None = None,
) -> End:
    """Return what a unit takes at one end of its curve, with a technology's clock gates."""
    clock, idle = (
        gate_costs(measured.netlist, gates, sizing.clock_fj_per_cycle, ones)
        for ones in (measured.counted.ones, measured.counted.idle_ones)
    )
    data_fj, idle_fj = (
        toggles @ vector(sizing.energy_fj_per_toggle, TYPES)
        + loaded * sizing.energy_fj_per_toggle_and_load
        for toggles, loaded in (
            (measured.counted.toggles, measured.counted.loaded_toggles),
            (measured.counted.idle_toggles, measured.counted.idle_loaded_toggles),
        )
    )
    glitch_fj = (
        counted.toggles @ vector(sizing.glitch_fj_per_toggle, GATES)
        + counted.loaded * sizing.glitch_fj_per_toggle_and_load
    )
    return End(
        area_um2=float(
            measured.counts @ vector(sizing.area_um2, TYPES)
            + measured.shared * sizing.area_um2_per_shared_gate
            + measured.critical * sizing.area_um2_per_critical_doubling
            + clock.area_um2
        ),
        delay_ns=critical_path(measured.netlist, PathDelays.of(sizing)).delay_ns,
        settled_pj=float(clock.clock_fj + data_fj) * 1e-3,
        clock_pj=clock.clock_fj * 1e-3,
        glitch_pj=float(glitch_fj) * 1e-3,
        leakage_nw=float(measured.counts @ vector(sizing.leakage_nw, TYPES)) + clock.leakage_nw,
        idle_pj=float(idle.clock_fj + idle_fj) * 1e-3,
    )


def between(smallest: End, fastest: End, curve: Curve, clock_ns: float) -> End:
    """Return what the least area that meets a clock takes: the fastest if nothing does.

    Beyond the slowest clock, at which the smallest runs, nothing changes any more.
    """
    way = smallest.delay_ns - fastest.delay_ns
    done = (smallest.delay_ns - clock_ns) / way if way > 0 else float(clock_ns < smallest.delay_ns)
    done = min(max(done, 0.0), 1.0)
    exponents = {"area_um2": curve.area, "delay_ns": 1.0}
    chosen = End(
        **{
            field.name: start
            + (getattr(fastest, field.name) - start)
            * done ** exponents.get(field.name, curve.energy)
            for field in fields(End)
            for start in [getattr(smallest, field.name)]
        }
    )
    # Rounding must not make it miss the clock.
    return replace(chosen, delay_ns=clock_ns) if 0 < done < 1 else chosen


def densest(smallest: End, fastest: End, curve: Curve) -> End:
    """Return what the least area times delay takes, of ``CLOCKS`` clocks from end to end."""
    clocks = np.linspace(smallest.delay_ns, fastest.delay_ns, CLOCKS)
    met = (between(smallest, fastest, curve, clock_ns) for clock_ns in clocks.tolist())
    return min(met, key=lambda one: one.area_um2 * one.delay_ns)


@dataclass(frozen=True)
class CostCurve:
    """What a unit takes in one technology, whatever it is mapped for.

    Attributes
    ----------
    smallest, fastest
        The ends of its curve.
    macs_per_cycle, macs_per_cycle_error
        Of the operands.
    mapping
        What ``Cost.provenance`` says of its gates.
    """

    smallest: End
    fastest: End
    macs_per_cycle: float
    macs_per_cycle_error: float
    mapping: Mapping[str, Any]


def cost_curve(
    unit: UnitSpec, measured: Features, technology: Technology, counted: Hazards | None = None
) -> CostCurve:
    """Return the curve of a unit whose features are known, and ``counted``, if hazards are."""
    if counted is None:
        counted = hazards(measured, technology.hazards)
    gates = technology.clock_gates
    return CostCurve(
        end(measured, counted, technology.least_area, gates),
        end(measured, counted, technology.least_delay, gates),
        measured.counted.macs_per_cycle,
        measured.counted.macs_per_cycle_error,
        {
            "style": measured.netlist.style,
            "effort": "bounded" if measured.netlist.bounded else "full",
            **verilog.provenance(unit),
            "gates": dict(zip(TYPES, measured.counts.astype(int).tolist(), strict=True)),
            "toggles_per_net_and_cycle": measured.counted.mean_activity,
        },
    )


def price(
    unit: UnitSpec,
    measured: Features,
    technology: Technology,
    objective: Objective = "area",
    clock_ns: float | None = None,
    counted: Hazards | None = None,
) -> Cost:
    """Return the cost of a unit whose features are known, and ``counted``, if hazards are."""
    curve = cost_curve(unit, measured, technology, counted)
    return price_on_curve(unit, curve, technology, objective, clock_ns)


def price_on_curve(
    unit: UnitSpec,
    curve: CostCurve,
    technology: Technology,
    objective: Objective = "area",
    clock_ns: float | None = None,
) -> Cost:
    """Return the cost of a unit whose curve is known."""
    if clock_ns is not None:
        chosen = between(curve.smallest, curve.fastest, technology.curve, clock_ns)
    elif objective == "density":
        chosen = densest(curve.smallest, curve.fastest, technology.curve)
    else:
        chosen = curve.smallest if objective == "area" else curve.fastest
    return Cost(
        unit=unit.name,
        technology=technology.name,
        method="estimate",
        **vars(chosen),
        macs_per_cycle=curve.macs_per_cycle,
        macs_per_cycle_error=curve.macs_per_cycle_error,
        clock_ns=clock_ns,
        provenance={
            "coefficients": technology.provenance,
            "errors": technology.errors,
            "objective": "clock" if clock_ns is not None else objective,
            # Verilog of one's own is no hardware of the family.
            "band": technology.band(UNSEEN_FAMILIES if isinstance(unit, HandMade) else unit.family),
            "tools": {"yosys": version()},
            **curve.mapping,
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
    def of(cls, given: Delays) -> "PathDelays":
        """Return those of a technology's coefficients."""
        gates = vector(given.delay_ns, GATES)
        return cls(
            np.append(
                gates,
                [
                    given.delay_ns_per_doubling,
                    given.clock_to_output_ns,
                    given.setup_ns,
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


def levels(gates: Netlist) -> list[tuple[int, int]]:
    """Return first gate and end of every level."""
    borders = [0, *(np.flatnonzero(np.diff(gates.levels)) + 1).tolist(), len(gates.types)]
    return list(pairwise(borders))


def critical_path(gates: Netlist, delays: PathDelays, fanout: Floats | Int | None = None) -> Path:
    """Return the longest path between flip-flops, also those before inputs and behind outputs.

    With ``fanout``, nets drive so much in place of what the netlist says.
    """
    doublings = np.log2(1 + (gates.fanout() if fanout is None else fanout))
    arrival = np.zeros(gates.nets)
    registers = slice(2, gates.first_gate)
    arrival[registers] = delays.clock_to_output + delays.per_doubling * doublings[registers]
    first = gates.first_gate
    own = delays.gates[gates.types] + delays.per_doubling * doublings[first:]
    for start, end in levels(gates):
        latest = arrival[gates.pins[start:end]].max(axis=1)
        arrival[first + start : first + end] = latest + own[start:end]

    ends = np.concatenate([gates.data, gates.groups()[0], *gates.outputs.values()])
    required = arrival[ends] + delays.setup
    worst = int(required.argmax())
    counts = np.zeros(len(delays.values))
    counts[-1] = 1
    net = int(ends[worst])
    while net >= first:
        counts[gates.types[net - first]] += 1
        counts[-3] += doublings[net]
        pins = gates.pins[net - first]
        net = int(pins[arrival[pins].argmax()])
    if net >= 2:
        counts[-2] = 1
        counts[-3] += doublings[net]
    return Path(float(required[worst]), counts)
