"""Toggles of every net of a netlist of gates, counted by simulating it with real operands.

All dot products of a stream run in lockstep, one bit of a machine word each, so one operation
evaluates a gate for 64 of them. Without delays a net toggles at most once a cycle. What hazards add
is counted by :mod:`cost_models.network` on a sample of the cycles, whose settled states are kept.

The results that stream out are compared with the golden model, so every estimate proves the
netlist that it prices.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cost_models import loops
from cost_models.netlist import Int, Netlist
from cost_models.network import SimulationError, Transitions
from hwsim.errors import InputError
from hwsim.units import UnitSpec
from hwsim.units.operands import Operands

Words = NDArray[np.uint64]
Flags = NDArray[np.bool_]

WORD = 64
_ONES = np.uint64(2**64 - 1)

#: Cycles that transitions are drawn from, at random from those counted if these are more; the
#: default operands have about as many. Half of them would be off by up to 7 %, where a unit does
#: something else in every cycle of a beat.
DRAWN_CYCLES = 64
#: Transitions drawn: as many as are this many when multiplied with the number of gates, within
#: limits. Many nets stand for the cycles that are not drawn.
GATE_TRANSITIONS = 1 << 21
FEWEST_TRANSITIONS, MOST_TRANSITIONS = 128, 2048
#: Fewer cycles, but at least ``FEWEST_CYCLES``, where they are more than so many values of nets.
DRAWN_VALUES = 1 << 22
FEWEST_CYCLES = 4

#: Cycles beyond the declared timing after which a unit counts as stuck.
_PATIENCE = 16
#: Cycles of every stream that an idle unit is looked at, after its last result.
IDLE_CYCLES = 16


@dataclass(frozen=True, eq=False)
class Idle:
    """A unit that is offered no beat, after its last result.

    ``i__valid`` is 0, ``o__ready`` 1, and the operands are held.

    Attributes
    ----------
    toggles, ones
        As :class:`Activity` has them.
    """

    toggles: NDArray[np.float64]
    ones: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Activity:
    """Toggle rates of a netlist under an operand stream.

    Attributes
    ----------
    toggles
        Mean toggles per clock cycle of each net without delays, shape (nets,), each in [0, 1].
    ones
        Share of the cycles in which each enable of flip-flops is 1 before the clock edge, shape
        (nets,): 1 for the constant, 0 for nets that are no enable.
    idle
        The same of idle cycles.
    transitions
        A sample of the cycles that these are the mean of.
    mean
        Mean of ``toggles`` over the outputs of gates and flip-flops.
    cycles
        Clock cycles counted, over all streams.
    macs_per_cycle, macs_per_cycle_error
        Multiply-accumulates per clock cycle for these operands, and its standard error as that of
        all operands drawn like them: 0 for units whose cycles do not depend on operands.
    """

    toggles: NDArray[np.float64]
    ones: NDArray[np.float64]
    idle: Idle
    transitions: Transitions
    mean: float
    cycles: int
    macs_per_cycle: float
    macs_per_cycle_error: float


def simulate(unit: UnitSpec, netlist: Netlist, operands: Operands, waits: int = 0) -> Activity:
    """Run dot products through ``netlist``, check their results, and count toggles.

    Both streams run without a stall. The cycles before the pipeline is full are not counted.

    Parameters
    ----------
    unit
        The specification whose golden model the results must equal.
    netlist
        The unit as generic gates.
    operands
        Codes of shape (streams, length); ``unit.lanes`` divides the length.
    waits
        Cycles after every beat in which none is offered, and operands are held; they count in
        toggles, and not in ``macs_per_cycle``.

    Raises
    ------
    SimulationError
        If a result differs from ``unit.dot``, or does not come within the declared timing.
    InputError
        For operands that do not fit the unit or are too short to count anything.
    """
    expected = unit.dot(operands.activations, operands.weights, **operands.metadata)
    if expected.ndim != 1:
        raise InputError(f"operands must have the shape (streams, length), not {expected.ndim + 1}")
    beats = _beats(unit, operands)
    streams, length = beats.shape[:2]
    timing = unit.timing()
    warm_up = timing.latency + timing.interval
    taken = unit.cycles(operands.activations, operands.weights, **operands.metadata)
    limit = int(taken.sum(axis=-1).max()) + waits * length + timing.latency + _PATIENCE

    machine = _Machine(netlist, streams)
    machine.drive("rst", np.ones(streams, bool))
    machine.settle()
    machine.clock()
    machine.drive("rst", np.zeros(streams, bool))
    machine.drive("o__ready", np.ones(streams, bool))

    everyone = np.arange(streams)
    position, rest = (np.zeros(streams, np.int64) for _ in range(2))
    results: list[int | None] = [None] * streams
    counts, ones = (np.zeros(netlist.nets, np.int64) for _ in range(2))
    cycles = 0
    sample = _Sample(_drawn_cycles(netlist))
    previous = machine.values.copy()
    for cycle in range(limit):
        offered = (position < length) & (rest == 0)
        machine.drive("i__valid", offered)
        shown = np.minimum(position - (rest > 0), length - 1)
        machine.drive("i__payload", beats[everyone, shown])
        machine.settle()
        if cycle > warm_up and (position < length).all():
            counts += machine.toggled(previous)
            ones += machine.enabled()
            cycles += streams
            sample.add(previous, machine.values)
        previous[:] = machine.values
        delivered = machine.read("o__valid")[:, 0]
        if delivered.any():
            _collect(results, delivered, machine.read("o__payload"))
        ends = offered & machine.read("i__ready")[:, 0]
        position += ends
        rest = np.where(ends, waits, np.maximum(rest - 1, 0))
        machine.clock()
        if None not in results:
            break
    _check(unit, results, expected.tolist())
    if cycles == 0:
        raise InputError(
            f"{length} beats are too few to count toggles; {unit.name} needs more than "
            f"{warm_up // timing.interval + 1}"
        )
    toggles = counts / cycles
    macs = unit.mean_macs_per_beat(operands.metadata) / float(taken.mean())
    return Activity(
        toggles,
        ones / cycles,
        _idle(machine, warm_up),
        sample.draw(streams, _drawn_transitions(netlist)),
        float(toggles[netlist.first_flip_flop :].mean()),
        cycles,
        macs,
        macs
        * float(taken.mean(axis=-1).std(ddof=min(streams - 1, 1)))
        / (float(taken.mean()) * streams**0.5),
    )


def _idle(machine: "_Machine", settling: int) -> Idle:
    """Offer nothing and return what happens after some cycles of settling."""
    machine.drive("i__valid", np.zeros(machine.streams, bool))
    counts, ones = (np.zeros(machine.netlist.nets, np.int64) for _ in range(2))
    previous = machine.values.copy()
    for cycle in range(settling + IDLE_CYCLES):
        machine.settle()
        if cycle >= settling:
            counts += machine.toggled(previous)
            ones += machine.enabled()
        previous[:] = machine.values
        machine.clock()
    cycles = IDLE_CYCLES * machine.streams
    return Idle(counts / cycles, ones / cycles)


def _drawn_cycles(netlist: Netlist) -> int:
    return min(DRAWN_CYCLES, max(FEWEST_CYCLES, DRAWN_VALUES // netlist.nets))


def _drawn_transitions(netlist: Netlist) -> int:
    affordable = GATE_TRANSITIONS // max(len(netlist.types), 1)
    return min(MOST_TRANSITIONS, max(FEWEST_TRANSITIONS, affordable))


def _beats(unit: UnitSpec, operands: Operands) -> Flags:
    """Return the bits of all beats, shape (streams, beats, unit.beat_bits)."""
    size = -(-unit.beat_bits // 8)
    words = [
        b"".join(word.to_bytes(size, "little") for word in words) for words in unit.words(operands)
    ]
    packed = np.frombuffer(b"".join(words), np.uint8).reshape(len(words), -1, size)
    bits = np.unpackbits(packed, axis=2, bitorder="little", count=unit.beat_bits)
    return bits.astype(bool)


def _collect(results: list[int | None], delivered: Flags, payload: Flags) -> None:
    packed = np.packbits(payload, axis=1, bitorder="little")
    for stream in np.flatnonzero(delivered):
        if results[stream] is not None:
            raise SimulationError(f"stream {stream} delivers a second result")
        results[stream] = int.from_bytes(packed[stream].tobytes(), "little")


def _check(unit: UnitSpec, results: list[int | None], expected: list[int]) -> None:
    for stream, (got, want) in enumerate(zip(results, expected, strict=True)):
        if got is None:
            raise SimulationError(f"{unit.name}: stream {stream} delivers no result in time")
        if got != want:
            raise SimulationError(
                f"{unit.name}: the gates deliver {got:#x} for stream {stream}, the golden model "
                f"{want:#x}"
            )


class _Sample:
    """Transitions of all nets at clock edges, every edge with the same chance to be among them."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.seen = 0
        self.kept: list[tuple[Words, Words]] = []
        self.rng = np.random.default_rng(0)

    def add(self, before: Words, after: Words) -> None:
        """Offer a transition between settled values (Vitter, ACM TOMS 11(1), 1985, algorithm R)."""
        self.seen += 1
        place = self.seen - 1 if self.seen <= self.size else int(self.rng.integers(self.seen))
        if place < self.size:
            self.kept[place : place + 1] = [(before.copy(), after.copy())]

    def draw(self, streams: int, size: int) -> Transitions:
        """Return about ``size`` transitions: as many of every cycle, of streams at random.

        Those of a smaller draw are among those of a larger one.
        """
        cycles = len(self.kept)
        of_each = min(-(-size // cycles), streams)
        drawn = np.array([self.rng.permutation(streams)[:of_each] for _ in range(cycles)])
        words = self.kept[0][0].shape[1]
        before, after = (np.concatenate([pair[k] for pair in self.kept], axis=1) for k in range(2))
        return Transitions(
            before,
            after,
            (np.arange(cycles)[:, np.newaxis] * words + drawn // WORD).ravel(),
            (drawn % WORD).ravel(),
        )


def _mask(streams: int) -> Words:
    """Return words in which the bits of the streams are 1."""
    used = np.zeros(-(-streams // WORD) * WORD, bool)
    used[:streams] = True
    return np.packbits(used, bitorder="little").view("<u8")


class _Machine:
    """The values of all nets in ``streams`` independent simulations, one bit each."""

    def __init__(self, netlist: Netlist, streams: int) -> None:
        self.netlist = netlist
        self.streams = streams
        self.values = np.zeros((netlist.nets, -(-streams // WORD)), np.uint64)
        self.values[1] = _ONES

    def drive(self, port: str, bits: Flags) -> None:
        """Set an input port; ``bits`` has the shape (streams,) or (streams, port width)."""
        packed = np.packbits(bits.reshape(self.streams, -1), axis=0, bitorder="little")
        words = np.zeros((packed.shape[1], self.values.shape[1] * WORD // 8), np.uint8)
        words[:, : len(packed)] = packed.T
        self.values[self.netlist.inputs[port]] = words.view("<u8")

    def read(self, port: str) -> Flags:
        """Return the bits of an output port, shape (streams, port width)."""
        words = self.values[self.netlist.outputs[port]].astype("<u8", copy=False).view(np.uint8)
        bits = np.unpackbits(words, axis=1, bitorder="little", count=self.streams)
        return bits.T.astype(bool)

    def settle(self) -> None:
        """Evaluate all gates."""
        loops.settle(self.values, self.netlist.types, self.netlist.pins)

    def clock(self) -> None:
        """Let every flip-flop take its input where its enable is 1."""
        states = slice(self.netlist.first_flip_flop, self.netlist.first_gate)
        enables = self.values[self.netlist.enables]
        self.values[states] = (self.values[self.netlist.data] & enables) | (
            self.values[states] & ~enables
        )

    def enabled(self) -> Int:
        """Return in how many of the simulations each enable is 1, shape (nets,)."""
        ones = np.zeros(self.netlist.nets, np.int64)
        nets = np.unique([1, *self.netlist.enables])
        values = np.bitwise_count(self.values[nets] & _mask(self.streams))
        ones[nets] = values.sum(axis=1, dtype=np.int64)
        return ones

    def toggled(self, previous: Words) -> Int:
        """Return for each net in how many of the simulations it differs from ``previous``."""
        changes = np.bitwise_count((self.values ^ previous) & _mask(self.streams))
        return changes.sum(axis=1, dtype=np.int64)
