"""Toggles of every net of a mapped netlist, without delays and with those of an SDF file.

Without delays, the cells are taken apart to the two-input gates of their Liberty functions, and
these are simulated as an estimate's are (:mod:`cost_models.activity`): the same code, the same
operands, the same cycles. The results must be those of the golden model, so the simulation proves
the mapping, too.

With delays, each output of a cell is one element of a :mod:`cost_models.network`, with the delays
that OpenSTA gives for its slews and load. The register before the operands is clocked like those of
the unit, so inputs arrive when it delivers them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from cost_models import activity, network
from cost_models.netlist import GATES, Netlist
from cost_models.network import Delays, Network
from cost_models.synthesis.expressions import Bits, Expression
from cost_models.synthesis.mapped import CLOCK, Instance, MappedNetlist, MappingError
from cost_models.synthesis.opensta import DelayTable, StaError
from hwsim.units import UnitSpec
from hwsim.units.operands import Operands

Floats = NDArray[np.float64]
Int = NDArray[np.int64]

_OPERATIONS = {"and": "AND", "or": "OR", "xor": "XOR"}


@dataclass(frozen=True, eq=False)
class Toggles:
    """Toggle rates of a mapped netlist.

    Attributes
    ----------
    settled
        Mean toggles per cycle of each net without delays, shape (nets,), each in [0, 1].
    ones
        Share of the cycles in which each enable of flip-flops is 1 before the clock edge, shape
        (nets,).
    idle
        ``settled`` and ``ones`` of idle cycles.
    hazards
        Mean toggles per cycle beyond these with the delays of the cells.
    unit_hazards
        The same if each output of a cell takes one unit of time, for comparison.
    cycles
        Clock cycles counted, over all dot products; ``transitions`` of them with delays.
    macs_per_cycle, macs_per_cycle_error
        As :class:`cost_models.activity.Activity` has them.
    """

    settled: Floats
    ones: Floats
    idle: activity.Idle
    hazards: Floats
    unit_hazards: Floats
    cycles: int
    transitions: int
    macs_per_cycle: float
    macs_per_cycle_error: float


def simulate(
    unit: UnitSpec, netlist: MappedNetlist, operands: Operands, delays: DelayTable
) -> Toggles:
    """Play ``operands`` to ``netlist``, check the results, and count toggles.

    The stream has no stalls. Cycles before the pipeline is full are not counted.

    Parameters
    ----------
    unit
        The specification whose golden model the results must equal.
    operands
        Codes of shape (streams, length); ``unit.lanes`` divides the length.
    delays
        Of the cells.

    Raises
    ------
    cost_models.network.SimulationError
        If a result differs from ``unit.dot`` or does not come.
    InputError
        For operands that do not fit the unit or are too short to count anything.
    """
    gates, places = take_apart(netlist)
    result = activity.simulate(unit, gates, operands)
    transitions = result.transitions.of(places)
    cells = elements(netlist)
    settled = transitions.settled() / len(transitions.words)
    hazards, unit_hazards = (
        network.toggles(cells, transitions, given) - settled
        for given in (of_cells(netlist, delays), network.unit_delays(cells))
    )
    return Toggles(
        result.toggles[places],
        result.ones[places],
        activity.Idle(result.idle.toggles[places], result.idle.ones[places]),
        hazards,
        unit_hazards,
        result.cycles,
        len(transitions.words),
        result.macs_per_cycle,
        result.macs_per_cycle_error,
    )


def take_apart(netlist: MappedNetlist) -> tuple[Netlist, Int]:
    """Return the cells as generic gates, and the net that each of their nets is there."""
    return _Parts(netlist).gates()


class _Parts:
    """Gates that cells are taken apart to; nets are numbered as they come."""

    def __init__(self, netlist: MappedNetlist) -> None:
        self.netlist = netlist
        self.kinds: list[int] = []
        self.pins: list[tuple[int, int, int]] = []
        #: Number of the net that each net of the cells is.
        self.number = {0: 0, 1: 1}
        self.inputs = {}
        for name, nets in netlist.inputs.items():
            if name != CLOCK:
                self.inputs[name] = np.arange(len(self.number), len(self.number) + len(nets))
                self.number |= dict(zip(nets, self.inputs[name].tolist(), strict=True))
        self.flip_flops = [i for i in netlist.instances if i.cell.flip_flop is not None]
        self.first_gate = len(self.number) + len(self.flip_flops)
        self.states = dict(
            zip(
                (i.name for i in self.flip_flops),
                range(len(self.number), self.first_gate),
                strict=True,
            )
        )

    def gates(self) -> tuple[Netlist, Int]:
        for instance in self.flip_flops:
            self.outputs(instance)
        for instance in _in_order(self.netlist, set(self.number)):
            self.outputs(instance)
        data = [self.next_state(instance) for instance in self.flip_flops]
        levels = np.zeros(self.first_gate + len(self.kinds), np.int64)
        for k, pins in enumerate(self.pins, self.first_gate):
            levels[k] = 1 + max(levels[pin] for pin in pins)
        # By level, as everything expects that goes through a netlist.
        order = np.argsort(levels[self.first_gate :], kind="stable")
        place = np.arange(len(levels))
        place[self.first_gate + order] = np.arange(self.first_gate, len(levels))
        gates = Netlist(
            style="cells",
            types=np.array(self.kinds, np.int64)[order],
            pins=place[np.array(self.pins, np.int64).reshape(-1, 3)[order]],
            levels=levels[self.first_gate :][order],
            data=place[data],
            enables=place[[self.number[self.netlist.enable(i)] for i in self.flip_flops]],
            inputs=self.inputs,
            outputs={
                name: place[[self.number[net] for net in nets]]
                for name, nets in self.netlist.outputs.items()
            },
        )
        # The clock is no net of gates; it stands for a constant.
        nets = [self.number.get(net, 0) for net in range(self.netlist.nets)]
        return gates, place[nets]

    def outputs(self, instance: Instance) -> None:
        """Add what a cell drives."""
        names = self.names(instance)
        for pin, function in instance.cell.outputs.items():
            if pin in instance.nets:
                self.number[instance.nets[pin]] = self.add(function, names)

    def next_state(self, instance: Instance) -> int:
        flip_flop = instance.cell.flip_flop
        assert flip_flop is not None
        names = self.names(instance)
        for expression in (flip_flop.clear, flip_flop.preset):
            if expression is not None and self.add(expression, names) != 0:
                raise MappingError(
                    f"{instance.cell.name} {instance.name} has an asynchronous clear or preset, "
                    "which units do not use"
                )
        return self.add(flip_flop.next_state, names)

    def names(self, instance: Instance) -> dict[str, int]:
        """Return the nets of a cell's pins and states, as far as they are known."""
        names = {pin: self.number[net] for pin, net in instance.nets.items() if net in self.number}
        flip_flop = instance.cell.flip_flop
        if flip_flop is not None:
            state = self.states[instance.name]
            names |= {flip_flop.state: state}
            functions = (*instance.cell.outputs.values(), flip_flop.next_state)
            if any(flip_flop.inverse in function.names for function in functions):
                names[flip_flop.inverse] = self.gate("NOT", state)
        return names

    def add(self, function: Expression, names: Mapping[str, int]) -> int:
        """Add the gates of an expression, and return the net of its value."""
        match function.operator:
            case "name":
                return names[function.text]
            case "constant":
                return int(function.text)
            case "not":
                return self.gate("NOT", self.add(function.operands[0], names))
        first, *others = (self.add(operand, names) for operand in function.operands)
        for other in others:
            first = self.gate(_OPERATIONS[function.operator], first, other)
        return first

    def gate(self, kind: str, a: int, b: int = 0) -> int:
        if a < 2 and kind == "NOT":
            return 1 - a
        if kind == "AND" and 0 in (a, b):
            return 0
        if kind == "OR" and 1 in (a, b):
            return 1
        if kind in ("AND", "OR") and min(a, b) < 2:
            return max(a, b)
        self.kinds.append(GATES.index(kind))
        self.pins.append((a, b, 0))
        return self.first_gate + len(self.kinds) - 1


def _in_order(netlist: MappedNetlist, known: set[int]) -> list[Instance]:
    """Return the combinational cells, each behind those that it reads from."""
    cells = [instance for instance in netlist.instances if instance.cell.clock_pin is None]
    known |= {
        net
        for instance in netlist.instances
        if instance.cell.flip_flop is not None
        for net in (instance.nets.get(pin) for pin in instance.cell.outputs)
        if net is not None
    }
    readers: dict[int, list[int]] = {}
    waiting = []
    for k, instance in enumerate(cells):
        unknown = {instance.nets[pin] for pin in instance.cell.inputs} - known
        waiting.append(len(unknown))
        for net in unknown:
            readers.setdefault(net, []).append(k)
    ready = [k for k, count in enumerate(waiting) if count == 0]
    for k in ready:
        for pin in cells[k].cell.outputs:
            for reader in readers.get(cells[k].nets.get(pin, -1), ()):
                waiting[reader] -= 1
                if waiting[reader] == 0:
                    ready.append(reader)
    if len(ready) < len(cells):
        raise MappingError(f"{len(cells) - len(ready)} cells are in or behind a loop")
    return [cells[k] for k in ready]


@dataclass(frozen=True)
class _Output:
    """An output of a combinational cell: its inputs that matter, and what it makes of them."""

    instance: Instance
    pin: str
    inputs: tuple[str, ...]
    table: tuple[int, ...]


def elements(netlist: MappedNetlist) -> Network:
    """Return every output of a combinational cell as an element."""
    outputs = _combinational(netlist)
    return Network(
        nets=netlist.nets,
        sources=np.array([net for net, _ in _sources(netlist)], np.int64),
        outputs=np.array([output.instance.nets[output.pin] for output in outputs], np.int64),
        pins=[[output.instance.nets[pin] for pin in output.inputs] for output in outputs],
        tables=[output.table for output in outputs],
    )


def of_cells(netlist: MappedNetlist, delays: DelayTable) -> Delays:
    """Return the delays of :func:`elements`.

    Raises
    ------
    StaError
        If one is missing.
    """
    return Delays(
        np.array([_delay(delays, key) for _, key in _sources(netlist)]).reshape(-1, 2),
        np.array(
            [
                _delay(delays, (output.instance.name, pin, output.pin))
                for output in _combinational(netlist)
                for pin in output.inputs
            ]
        ).reshape(-1, 2),
    )


def _combinational(netlist: MappedNetlist) -> list[_Output]:
    return [
        _Output(
            instance,
            pin,
            *_function(function, frozenset((p, n) for p, n in instance.nets.items() if n < 2)),
        )
        for instance in netlist.instances
        if instance.cell.clock_pin is None
        for pin, function in instance.cell.outputs.items()
        if pin in instance.nets and function.names
    ]


@lru_cache(maxsize=4096)
def _function(
    function: Expression, constants: frozenset[tuple[str, int]]
) -> tuple[tuple[str, ...], tuple[int, ...]]:
    """Return the inputs that matter where some are constant, and the truth table over them.

    OpenSTA has no delay from one that does not.
    """
    fixed = {name: bool(value) for name, value in constants}
    free = sorted(function.names - set(fixed))
    inputs = [
        name
        for name in free
        if np.any(_rows(function, free, fixed | {name: False})
                  != _rows(function, free, fixed | {name: True}))
    ]  # fmt: skip
    rest = dict.fromkeys(set(free) - set(inputs), False)
    return tuple(inputs), tuple(_rows(function, inputs, fixed | rest).astype(int).tolist())


def _rows(function: Expression, free: Sequence[str], fixed: Mapping[str, bool]) -> Bits:
    """Return values of a function, entry i where bit j of i is the j-th free name's."""
    states = np.arange(1 << len(free))
    values = {name: (states >> j & 1).astype(bool) for j, name in enumerate(free)}
    return np.broadcast_to(
        function.evaluate(values | {name: np.array(v) for name, v in fixed.items()}), states.shape
    )


def _sources(netlist: MappedNetlist) -> list[tuple[int, tuple[str | None, ...]]]:
    """Return nets that change at the clock edge, each with where its delay is in a table."""
    ports = [
        (net, (port if len(nets) == 1 else f"{port}[{bit}]", None))
        for port, nets in netlist.inputs.items()
        if port != CLOCK
        for bit, net in enumerate(nets)
    ]
    return [
        *ports,
        *(
            (instance.nets[pin], (instance.name, instance.cell.flip_flop.clock_pin, pin))
            for instance in netlist.instances
            if instance.cell.flip_flop is not None
            for pin in instance.cell.outputs
            if pin in instance.nets
        ),
    ]


def _delay(delays: DelayTable, key: tuple[str | None, ...]) -> tuple[float, float]:
    try:
        return delays[key]
    except KeyError:
        raise StaError(f"OpenSTA gives no delay of {key}") from None
