"""What the tests of a unit play, and what must come of it: scripts and results of the golden model.

Everything that takes the golden model is made here, once for a unit and a seed. So the simulator's
process needs neither it nor NumPy, and a thousand mutants of a unit share it. Each test is a script
of the player (:mod:`rtl.player`); :mod:`rtl.verification.bench` says what is wrong with its log.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from hwsim.units import UnitSpec
from hwsim.units.operands import Operands
from hwsim.units.rounded_stimulus import classes, directed
from hwsim.units.stimulus import (
    all_pairs,
    cancelling,
    corner_mix,
    corners,
    dot_lengths,
    edges,
    extremes,
    is_exhaustive,
    late,
    longest,
    metadata_orders,
    random_codes,
    tainted,
    tainted_sums,
)
from rtl.player import Script, Sink
from rtl.verification.bench import Cycles, Test, Timing

#: Dot products whose second beat takes away the first.
CANCELLING_DOTS = 256
#: Dot products of activations at both ends, at most.
EDGE_DOTS = 512
#: Cycles of a long stall, and of a long pause.
STALL, PAUSE = 70, 320
#: Cycles of resets.
RESETS = (1, 2, 3, 40)
#: Dot products of which only the end counts.
LATE_DOTS = 8
#: Single beats after a long dot product, and those of a beat of few bits, of which few count.
AFTER_LONG, AFTER_LONG_NARROW, NARROW = 24, 96, 16
#: Beats of a dot product that is long for any family.
LONG_DOT = 260


@dataclass(frozen=True)
class Played:
    """A test's script, with the dot products whose results it expects, in order.

    Attributes
    ----------
    text
        The script, as the player with files reads it.
    expected
        Result codes.
    rows
        Operands of each, as rows of stimuli.
    """

    text: str = ""
    expected: tuple[int, ...] = ()
    rows: tuple[tuple[Operands, int], ...] = ()


@dataclass(frozen=True)
class Plan:
    """All tests of a unit.

    Attributes
    ----------
    tests
        What the testbench is told of each.
    played
        What the player is given for each.
    timing
        The declared timing, for the testbench.
    exhaustive
        Whether a test has every pair of operands.
    """

    tests: tuple[Test, ...]
    played: tuple[Played, ...]
    timing: Timing
    exhaustive: bool

    def describe(self, name: str, row: int) -> str:
        """Return the operands of a dot product of a test as text."""
        (played,) = [p for t, p in zip(self.tests, self.played, strict=True) if t.name == name]
        stimulus, place = played.rows[row]
        one = stimulus.take(place)
        fields = {"activations": one.activations, "weights": one.weights, **one.metadata}
        return ", ".join(f"{name} {codes.tolist()}" for name, codes in fields.items())

    def plain(self) -> dict[str, Any]:
        """Return what the testbench is told, as values that JSON holds."""
        return {
            "tests": [asdict(test) for test in self.tests],
            "timing": asdict(self.timing),
            "exhaustive": self.exhaustive,
        }


@lru_cache(maxsize=1)
def plan(unit: UnitSpec, seed: int, random_dots: int) -> Plan:
    """Return the tests of a unit; the last one is kept, for mutants of the unit.

    A golden model that raises an error fails the test.
    """
    declared = unit.timing()
    tests: list[Test] = []
    played: list[Played] = []
    first = 0
    for name, make in TESTS.items():
        # Each test starts from the beginning of the seed's numbers.
        drawn = _Drawn(unit, np.random.default_rng(seed), random_dots)
        try:
            script, timed = make(drawn)
            cycles = tuple(_cycles(unit, stimulus) for stimulus in timed)
        except Exception as error:
            tests.append(Test(name, first, (), (), f"{type(error).__name__}: {error}"))
            played.append(Played())
            continue
        counts = tuple(len(segment.expected) for segment in script.segments)
        tests.append(Test(name, first, counts, cycles))
        expected = tuple(code for segment in script.segments for code in segment.expected)
        rows = tuple(row for segment in script.segments for row in segment.rows)
        played.append(Played(script.text(), expected, rows))
        first += len(expected)
    timing = Timing(
        unit.words_per_beat,
        declared.stores_beats,
        declared.interval,
        declared.min_interval,
        str(declared),
    )
    return Plan(tuple(tests), tuple(played), timing, is_exhaustive(unit))


def _cycles(unit: UnitSpec, stimulus: Operands) -> Cycles | None:
    """Return the cycles of every beat and the wait for every result, as declared.

    None where dot products are so short that they may wait for the one before them.
    """
    predicted = unit.cycles(stimulus.activations, stimulus.weights, **stimulus.metadata)
    if predicted.shape[-1] < unit.steady_beats:
        return None
    # A group that is cut short may wait for the one before it, and in an array others for it.
    beats = predicted.shape[-1]
    cut = beats % (unit.group_beats or 1)
    drains = unit.drains(stimulus.activations, stimulus.weights, **stimulus.metadata)
    return Cycles(predicted.tolist(), drains.tolist(), 0 if cut and unit.parts else beats - cut)


@dataclass(frozen=True)
class _Drawn:
    """The unit of a test, and where its operands are drawn from."""

    unit: UnitSpec
    rng: np.random.Generator
    random_dots: int

    @property
    def beats(self) -> int:
        """Beats of random operands for every length of a dot product."""
        return min(256, self.random_dots // 8)

    def random(self, dots: int, beats: int) -> Operands:
        """Return random dot products."""
        return random_codes(self.unit, dots, beats, self.rng)

    def lengths(self, beats: int) -> list[Operands]:
        """Return random dot products of all lengths, most short, of some beats each."""
        found = [self.random(max(2, beats // long), long) for long in dot_lengths(self.unit)]
        found += [self.random(1, long) for long in (17, 33)]
        return [*found, corner_mix(self.unit, max(2, beats // 4), 4, self.rng)]

    def script(self, undefined: bool = False) -> Script:
        """Return a script that is after its first reset."""
        script = Script(self.unit, self.rng, undefined)
        script.start()
        return script

    def offered(self, which: int) -> int | None:
        """Return a beat to offer during a reset: none, the last of a dot product, or the first.

        A register that a reset misses may be set by the one or by the other.
        """
        if not which:
            return None
        (words,) = self.unit.words(self.random(1, 2))
        return words[-1] if which == 1 else words[0]


#: A script, and the stimuli of which all cycles are compared.
_Made = tuple[Script, Sequence[Operands]]


def _steady(drawn: _Drawn, *stimuli: Operands) -> _Made:
    """Return a script without pauses, of which every cycle count is compared."""
    script = Script(drawn.unit, drawn.rng)
    for stimulus in stimuli:
        script.start(log=True)
        script.dots(stimulus)
        script.drain()
    return script, stimuli


def _timing(drawn: _Drawn) -> _Made:
    """Latency and interval with neither side stalling, from an idle unit."""
    steady = drawn.unit.steady_beats
    stimuli = [drawn.random(1, steady) for _ in range(8)]
    return _steady(drawn, *stimuli, drawn.random(4, 4 * steady))


def _operands(drawn: _Drawn) -> _Made:
    """All operand pairs, in every lane where they are few, or random ones where too many."""
    if is_exhaustive(drawn.unit):
        return _steady(drawn, all_pairs(drawn.unit, drawn.rng))
    return _steady(drawn, drawn.random(drawn.random_dots, 1))


def _lone_corners(drawn: _Drawn) -> _Made:
    """Corner pairs, each alone in a lane."""
    return _steady(drawn, corners(drawn.unit, drawn.rng))


def _full_corners(drawn: _Drawn) -> _Made:
    """Corner codes and ends of ranges in all lanes, long sums towards both ends, specials."""
    unit, rng = drawn.unit, drawn.rng
    group = unit.group_beats or 1
    mixes = [corner_mix(unit, max(4, 2 * drawn.beats // beats), beats, rng) for beats in {1, group}]
    stimuli = [*mixes, edges(unit, min(EDGE_DOTS, drawn.random_dots // 4), rng)]
    stimuli += extremes(unit, rng)
    if (specials := tainted_sums(unit, max(4, drawn.beats // group), rng)) is not None:
        stimuli.append(specials)
    return _steady(drawn, *stimuli)


def _cancellation(drawn: _Drawn) -> _Made:
    """Sums of which little is left, and every way to round."""
    unit, rng = drawn.unit, drawn.rng
    group = unit.group_beats or 1
    # Dot products of some groups each.
    rounded = [
        directed(unit, max(64, min(512, drawn.random_dots // 4) // group), rng),
        classes(unit, max(64, drawn.random_dots // group), rng),
    ]
    taken = [stimulus for stimulus in rounded if stimulus is not None]
    return _steady(drawn, cancelling(unit, CANCELLING_DOTS, rng), *taken)


def _accumulation(drawn: _Drawn) -> _Made:
    """Dot products of all lengths in any order, without pauses, with either side's or both's."""
    script = drawn.script()
    for pause, busy in ((0.0, 0), (0.6, 0), (0.0, 5), (0.4, 3)):
        script.sink(Sink.COIN if busy else Sink.READY, busy)
        beats = drawn.beats // 3 if pause or busy else drawn.beats
        script.dots(*drawn.lengths(beats), pause=pause, mixed=True)
    # One beat right after many.
    script.sink(Sink.READY)
    for _ in range(2):
        script.dots(drawn.random(1, min(longest(drawn.unit), LONG_DOT)))
        script.dots(drawn.random(3, 1))
    # And often: not every operand shows in the result.
    for k in range(LATE_DOTS):
        script.dots(late(drawn.unit, 17 + k, 16, drawn.rng))
    for _ in range(AFTER_LONG_NARROW if drawn.unit.beat_bits <= NARROW else AFTER_LONG):
        script.dots(drawn.random(1, 34))
        script.dots(drawn.random(1, 1))
    script.drain()
    return script, ()


def _metadata(drawn: _Drawn) -> _Made:
    """Every value of the metadata, and every order of two."""
    script = drawn.script()
    for stimulus in metadata_orders(drawn.unit, drawn.rng):
        script.dots(stimulus)
    script.drain()
    return script, ()


def _patience(drawn: _Drawn) -> _Made:
    """Results that wait, for a few cycles and for many, and long pauses between beats."""
    script = drawn.script()
    for sink, amount in (
        (Sink.PATIENT, 0), (Sink.PATIENT, 1), (Sink.PATIENT, 3), (Sink.STALLING, STALL),
        (Sink.PATIENT, STALL), (Sink.PATIENT, 2 * STALL),
    ):  # fmt: skip
        script.sink(sink, amount)
        count = 2 if amount >= STALL else 16
        script.dots(*(drawn.random(count, beats) for beats in (1, 2, 3)), mixed=True)
    script.drain()
    script.sink(Sink.READY)
    # Nothing may come by itself, neither from an idle unit nor from one in the middle of a sum.
    for beats in (1, 2, 5):
        script.idle(PAUSE)
        script.dots(drawn.random(2, beats))
        script.drain()
    script.idle(PAUSE)
    script.dots(drawn.random(1, 5), pause=1 - 1 / STALL)
    script.drain()
    script.idle(PAUSE)
    return script, ()


def _resets(drawn: _Drawn) -> _Made:
    """A reset forgets everything, in any phase, and takes no beat that is offered meanwhile."""
    unit, rng = drawn.unit, drawn.rng
    script = drawn.script()
    group = unit.group_beats or 1
    latency = unit.timing().latency
    # Offering a beat for some cycles; after some beats, which a group has or not.
    phases = [(0, 1 + cycles, k % 3) for k, cycles in enumerate(range(2 * latency + 2))]
    middle = {1, 2, group // 2, group - 1, group, group + 1} - {0}
    phases += [(beats, 0, offer) for offer in range(3) for beats in sorted(middle)]
    phases += [(beats, cycles, 2) for beats in (1, group) for cycles in (1, latency + 1)]
    for k, (beats, cycles, offer) in enumerate(phases):
        script.dots(drawn.random(1, 1))
        # Flags, too, must be forgotten.
        begun = (random_codes, tainted)[k % 2](unit, 1, beats // unit.words_per_beat + 2, rng)
        script.begin(begun, beats, cycles)
        script.reset(int(rng.choice(RESETS)), drawn.offered(offer), bool(k % 2), cut=True)
        if beats:
            # Wherever the position in a group is wrong, a whole group shows it.
            script.dots(drawn.random(1, group + 1))
        script.dots(drawn.random(2, 2))
        if k % 2:
            script.drain()
            script.idle(2 * latency)
        script.drain()
    # Results that were not taken.
    for k in range(4):
        script.sink(Sink.NEVER)
        script.dots(drawn.random(1, 1 + k))
        script.begin(drawn.random(1, 2), 0, (k + 1) * latency + 30)
        script.reset(RESETS[k], drawn.offered(k % 3), bool(k % 2), cut=True)
        script.sink(Sink.READY)
        script.idle(latency + 1 if k % 2 else 0)
        script.dots(drawn.random(3, 2))
        script.drain()
    script.idle(PAUSE)
    return script, ()


def _programming(drawn: _Drawn) -> _Made:
    """Beats that load registers do, wherever they come, and a reset undoes it."""
    programs = drawn.unit.programs(drawn.rng)
    group = drawn.unit.group_beats or 1
    script = drawn.script()
    for words, golden in programs:
        script.load(words, golden)
        # Whole groups, too: few codes of weights stand for a register.
        groups = drawn.random(max(2, drawn.beats // group), group)
        script.dots(drawn.random(drawn.beats, 1), groups)
        # The same again, in the middle of a sum.
        for k in range(len(words)):
            script.dots(drawn.random(1, 3), between=words[k : k + 1])
        script.drain()
        script.load(words[:1], golden)
        script.reset(1 + len(words) % 3, cut=True)
        script.dots(drawn.random(drawn.beats, 1))
        # Not all are loaded when a reset comes.
        script.load(words[:2], drawn.unit)
        script.reset(1, words[2])
        script.dots(drawn.random(drawn.beats, 1))
        script.drain()
    return script, ()


def _undefined_inputs(drawn: _Drawn) -> _Made:
    """X on all that counts for nothing: an idle bus, and fields that are to be ignored."""
    script = drawn.script(undefined=True)
    script.dots(*drawn.lengths(drawn.beats // 3), pause=0.3, mixed=True)
    script.drain()
    script.idle(PAUSE // 4)
    script.dots(drawn.random(8, 3))
    script.drain()
    return script, ()


#: The tests of every unit by name, in the order in which they run.
TESTS: dict[str, Callable[[_Drawn], _Made]] = {
    make.__name__[1:]: make
    for make in (
        _timing,
        _operands,
        _lone_corners,
        _full_corners,
        _cancellation,
        _accumulation,
        _metadata,
        _patience,
        _resets,
        _programming,
        _undefined_inputs,
    )
}
