"""The cocotb testbench of every unit. It runs inside the simulator, started by ``run.py``.

The unit is driven by a player in Verilog (:mod:`rtl.player`). Each test here writes it a script,
lets it run, and compares what it logged: every result with the golden model, their number, and
without pauses every cycle.
"""

import json
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cocotb
import numpy as np
from cocotb.triggers import RisingEdge, Timer

from hwsim.errors import InputError
from hwsim.units.operands import Operands
from hwsim.units.recipe import made
from hwsim.units.stimulus import (
    all_pairs,
    cancelling,
    corner_mix,
    corners,
    directed,
    dot_lengths,
    extremes,
    is_exhaustive,
    longest,
    metadata_orders,
    random_codes,
    tainted,
)
from rtl.player import Script, Segment, Sink

JOB = json.loads(os.environ["HWSIM_VERIFY"])

try:
    UNIT = made(JOB["unit"])
except InputError as error:
    # cocotb says nothing of it but a traceback.
    Path(JOB["report"]).write_text(json.dumps({"refused": str(error)}))
    raise

#: Dot products of random operands where not all pairs can be tested.
RANDOM_DOTS: int = JOB["random_dots"]
#: Dot products whose second beat takes away the first.
CANCELLING_DOTS = 256
#: Beats of random operands for every length of a dot product.
BEATS = min(256, RANDOM_DOTS // 8)
#: Dot products with directed operands of rounded sums, each of some groups.
DIRECTED_DOTS = max(64, min(512, RANDOM_DOTS // 4) // (UNIT.group_beats or 1))
#: Cycles of a long stall, and of a long pause.
STALL, PAUSE = 70, 320
#: Cycles of resets.
RESETS = (1, 2, 3, 40)


@dataclass
class Report:
    """What the tests counted and measured; written for the process that started the simulator."""

    vectors: int = 0
    latency: int | None = None
    interval: int | None = None
    min_interval: int | None = None
    exhaustive: bool = is_exhaustive(UNIT)

    def measure(self, latencies: list[int], intervals: list[int]) -> None:
        """Keep the longest and shortest of what was measured so far."""
        self.latency = max([*latencies, self.latency or 0])
        self.interval = max([*intervals, self.interval or 0])
        self.min_interval = min([*intervals, self.min_interval or self.interval])

    def write(self) -> None:
        Path(JOB["report"]).write_text(json.dumps(self.__dict__))


REPORT = Report()


@dataclass
class Transfers:
    """What crossed the streams since a start: the cycles of every event."""

    taken: list[int] = field(default_factory=list)
    offered: list[int] = field(default_factory=list)


@dataclass
class Log:
    """What the player logged: results by segment, cycles by start, and what failed."""

    results: list[list[int]] = field(default_factory=list)
    starts: list[Transfers] = field(default_factory=list)
    failure: str = ""


def read(path: Path) -> Log:
    """Return the log that the player wrote."""
    log = Log()
    for line in path.read_text().splitlines():
        kind, _, rest = line.partition(" ")
        if kind == "R":
            cycle, code = rest.split()
            if set(code) & set("xz"):
                log.failure = f"an undefined result: {code}"
                break
            log.results[-1].append(int(code, 16))
            if log.starts:
                log.starts[-1].offered.append(int(cycle))
        elif kind == "T":
            log.starts[-1].taken.append(int(rest))
        elif kind == "S":
            log.starts.append(Transfers())
        elif kind == "Z":
            log.results.append([])
        else:
            log.failure = rest
    return log


async def play(dut: Any, script: Script) -> list[Transfers]:
    """Let the player work off a script, and compare every result; return the cycles."""
    Path("script.txt").write_text(script.text())
    dut.go.value = 1
    await RisingEdge(dut.done)
    dut.go.value = 0
    await Timer(20, unit="ns")
    log = read(Path("transfers.txt"))
    for segment, results in zip(script.segments, log.results, strict=False):
        compare(segment, results)
    REPORT.write()
    assert not log.failure, log.failure
    # Without a failure the player got to the end.
    assert len(log.results) == len(script.segments)
    return log.starts


def compare(segment: Segment, results: list[int]) -> None:
    """Compare the results of a segment; what a reset cuts off may be missing."""
    for (stimulus, row), got, want in zip(segment.rows, results, segment.expected, strict=False):
        assert got == want, (
            f"a dot product is {got:#x}, expected {want:#x}: {describe(stimulus.take(row))}"
        )
    assert len(results) <= len(segment.expected), "surplus result"
    REPORT.vectors += len(results)


def describe(row: Operands) -> str:
    """Return the operands of one dot product as text."""
    fields = {"activations": row.activations, "weights": row.weights, **row.metadata}
    return ", ".join(f"{name} {codes.tolist()}" for name, codes in fields.items())


def generator() -> np.random.Generator:
    """Return the generator of the job's seed; each test starts from its beginning."""
    return np.random.default_rng(JOB["seed"])


async def check(dut: Any, stimuli: list[Operands], rng: np.random.Generator) -> None:
    """Run dot products without pauses, and compare every cycle count besides results."""
    script = Script(UNIT, rng)
    for stimulus in stimuli:
        script.start(log=True)
        script.dots(stimulus)
        script.drain()
    for stimulus, log in zip(stimuli, await play(dut, script), strict=True):
        compare_timing(stimulus, log)


def compare_timing(stimulus: Operands, log: Transfers) -> None:
    """Compare the cycles of every beat and the wait for every result with the declared ones."""
    declared = UNIT.timing()
    predicted = UNIT.cycles(stimulus.activations, stimulus.weights, **stimulus.metadata)
    if predicted.shape[-1] < UNIT.steady_beats:
        return
    # A group that is cut short may wait for the one before it, and in an array others for it.
    beats = predicted.shape[-1]
    cut = beats % (UNIT.group_beats or 1)
    whole = slice(0 if cut and UNIT.parts else beats - cut)
    steady = predicted[:, whole]
    outside = (steady < declared.min_interval) | (steady > declared.interval)
    assert not outside.any(), f"the golden model predicts beats outside {declared}"
    # A beat is over with its last word.
    words = log.taken[UNIT.words_per_beat - 1 :: UNIT.words_per_beat]
    taken = np.array(words).reshape(predicted.shape)
    waits = np.array(log.offered) - taken[:, -1]
    if declared.stores_beats:
        assert log.taken[0] == 0, f"an idle unit takes its first beat in cycle {log.taken[0]}"
        # The last beat's cycles are over before the wait begins; nothing follows to show them.
        measured = np.diff([*words, words[-1] + int(predicted.flat[-1])])
        waits -= predicted[:, -1]
    else:
        measured = np.diff([-1, *words])
        waits -= 1
    measured = measured.reshape(predicted.shape)
    wrong = measured != predicted
    assert not wrong.any(), (
        f"a beat takes {measured[wrong][0]} cycles, the golden model predicts "
        f"{predicted[wrong][0]}: {describe(stimulus.take(int(np.argwhere(wrong)[0, 0])))}"
    )
    drains = UNIT.drains(stimulus.activations, stimulus.weights, **stimulus.metadata)
    assert (waits == drains).all(), (
        f"results wait {set(waits)} cycles, the golden model predicts {set(drains)}; {declared}"
    )
    latencies = (predicted[:, -1] + waits)[predicted[:, -1] <= declared.interval]
    REPORT.measure(latencies.tolist(), measured[:, whole].ravel().tolist())


def lengths(rng: np.random.Generator, beats: int) -> list[Operands]:
    """Return random dot products of all lengths, most of them short, of some beats each."""
    found = [random_codes(UNIT, max(2, beats // long), long, rng) for long in dot_lengths(UNIT)]
    found += [random_codes(UNIT, 1, long, rng) for long in (17, 33)]
    return [*found, corner_mix(UNIT, max(2, beats // 4), 4, rng)]


@cocotb.test()
async def timing(dut: Any) -> None:
    """Compare latency and interval with neither side stalling, from an idle unit."""
    rng = generator()
    stimuli = [random_codes(UNIT, 1, UNIT.steady_beats, rng) for _ in range(8)]
    await check(dut, [*stimuli, random_codes(UNIT, 4, 4 * UNIT.steady_beats, rng)], rng)


@cocotb.test()
async def operands(dut: Any) -> None:
    """All operand pairs, in every lane where they are few, or random ones where too many."""
    rng = generator()
    many = all_pairs(UNIT, rng) if is_exhaustive(UNIT) else random_codes(UNIT, RANDOM_DOTS, 1, rng)
    await check(dut, [many], rng)


@cocotb.test()
async def lone_corners(dut: Any) -> None:
    """Corner pairs, each alone in a lane."""
    rng = generator()
    await check(dut, [corners(UNIT, rng)], rng)


@cocotb.test()
async def full_corners(dut: Any) -> None:
    """Corner codes in all lanes, and long sums towards both ends of the accumulator."""
    rng = generator()
    group = UNIT.group_beats or 1
    mixes = [corner_mix(UNIT, max(4, 2 * BEATS // beats), beats, rng) for beats in {1, group}]
    await check(dut, [*mixes, *extremes(UNIT, rng)], rng)


@cocotb.test()
async def cancellation(dut: Any) -> None:
    """Sums of which little is left, and every way to round."""
    rng = generator()
    stimuli = [cancelling(UNIT, CANCELLING_DOTS, rng)]
    rounded = directed(UNIT, DIRECTED_DOTS, rng)
    await check(dut, stimuli if rounded is None else [*stimuli, rounded], rng)


@cocotb.test()
async def accumulation(dut: Any) -> None:
    """Dot products of all lengths in any order, without pauses, with either side's or both's."""
    rng = generator()
    script = Script(UNIT, rng)
    script.start()
    for pause, busy in ((0.0, 0), (0.6, 0), (0.0, 5), (0.4, 3)):
        script.sink(Sink.COIN if busy else Sink.READY, busy)
        beats = BEATS // 3 if pause or busy else BEATS
        script.dots(*lengths(rng, beats), pause=pause, mixed=True)
    # One beat right after many.
    script.sink(Sink.READY)
    for _ in range(2):
        script.dots(random_codes(UNIT, 1, min(longest(UNIT), LONG_DOT), rng))
        script.dots(random_codes(UNIT, 3, 1, rng))
    script.drain()
    await play(dut, script)


#: Beats of a dot product that is long for any family.
LONG_DOT = 260


@cocotb.test()
async def metadata(dut: Any) -> None:
    """Every value of the metadata, and every order of two."""
    rng = generator()
    script = Script(UNIT, rng)
    script.start()
    for stimulus in metadata_orders(UNIT, rng):
        script.dots(stimulus)
    script.drain()
    await play(dut, script)


@cocotb.test()
async def patience(dut: Any) -> None:
    """Results that wait, for a few cycles and for many, and long pauses between beats."""
    rng = generator()
    script = Script(UNIT, rng)
    script.start()
    for sink, amount in (
        (Sink.PATIENT, 0), (Sink.PATIENT, 1), (Sink.PATIENT, 3), (Sink.STALLING, STALL),
        (Sink.PATIENT, STALL), (Sink.PATIENT, 2 * STALL),
    ):  # fmt: skip
        script.sink(sink, amount)
        count = 2 if amount >= STALL else 16
        script.dots(*(random_codes(UNIT, count, beats, rng) for beats in (1, 2, 3)), mixed=True)
    script.drain()
    script.sink(Sink.READY)
    # Nothing may come by itself, neither from an idle unit nor from one in the middle of a sum.
    for beats in (1, 2, 5):
        script.idle(PAUSE)
        script.dots(random_codes(UNIT, 2, beats, rng))
        script.drain()
    script.idle(PAUSE)
    script.dots(random_codes(UNIT, 1, 5, rng), pause=1 - 1 / STALL)
    script.drain()
    script.idle(PAUSE)
    await play(dut, script)


@cocotb.test()
async def resets(dut: Any) -> None:
    """A reset forgets everything, in any phase, and takes no beat that is offered meanwhile."""
    rng = generator()
    script = Script(UNIT, rng)
    script.start()
    group = UNIT.group_beats or 1
    latency = UNIT.timing().latency
    # Offering a beat for some cycles; after some beats, which a group has or not.
    phases = [(0, 1 + cycles, k % 3) for k, cycles in enumerate(range(2 * latency + 2))]
    middle = {1, 2, group // 2, group - 1, group, group + 1} - {0}
    phases += [(beats, 0, offer) for offer in range(3) for beats in sorted(middle)]
    phases += [(beats, cycles, 2) for beats in (1, group) for cycles in (1, latency + 1)]
    for k, (beats, cycles, offer) in enumerate(phases):
        script.dots(random_codes(UNIT, 1, 1, rng))
        # Flags, too, must be forgotten.
        begun = (random_codes, tainted)[k % 2](UNIT, 1, beats // UNIT.words_per_beat + 2, rng)
        script.begin(begun, beats, cycles)
        script.reset(int(rng.choice(RESETS)), _offered(offer, rng), bool(k % 2), cut=True)
        if beats:
            # Wherever the position in a group is wrong, a whole group shows it.
            script.dots(random_codes(UNIT, 1, group + 1, rng))
        script.dots(random_codes(UNIT, 2, 2, rng))
        if k % 2:
            script.drain()
            script.idle(2 * latency)
        script.drain()
    # Results that were not taken.
    for k in range(4):
        script.sink(Sink.NEVER)
        script.dots(random_codes(UNIT, 1, 1 + k, rng))
        script.begin(random_codes(UNIT, 1, 2, rng), 0, (k + 1) * latency + 30)
        script.reset(RESETS[k], _offered(k % 3, rng), bool(k % 2), cut=True)
        script.sink(Sink.READY)
        script.idle(latency + 1 if k % 2 else 0)
        script.dots(random_codes(UNIT, 3, 2, rng))
        script.drain()
    script.idle(PAUSE)
    await play(dut, script)


def _offered(which: int, rng: np.random.Generator) -> int | None:
    """Return a beat to offer during a reset: none, the last of a dot product, or the first.

    A register that a reset misses may be set by the one or by the other.
    """
    if not which:
        return None
    (words,) = UNIT.words(random_codes(UNIT, 1, 2, rng))
    return words[-1] if which == 1 else words[0]


@cocotb.test()
async def programming(dut: Any) -> None:
    """Beats that load registers do, wherever they come, and a reset undoes it."""
    rng = generator()
    programs = UNIT.programs(rng)
    script = Script(UNIT, rng)
    script.start()
    stimuli: Callable[[], Operands] = lambda: random_codes(UNIT, BEATS, 1, rng)  # noqa: E731
    for words, golden in programs:
        script.load(words, golden)
        script.dots(stimuli())
        # The same again, in the middle of a sum.
        for k in range(len(words)):
            script.dots(random_codes(UNIT, 1, 3, rng), between=words[k : k + 1])
        script.drain()
        script.load(words[:1], golden)
        script.reset(1 + len(words) % 3, cut=True)
        script.dots(stimuli())
        # Not all are loaded when a reset comes.
        script.load(words[:2], UNIT)
        script.reset(1, words[2])
        script.dots(stimuli())
        script.drain()
    await play(dut, script)


@cocotb.test()
async def undefined_inputs(dut: Any) -> None:
    """X on all that counts for nothing: an idle bus, and fields that are to be ignored."""
    rng = generator()
    script = Script(UNIT, rng, undefined=True)
    script.start()
    script.dots(*lengths(rng, BEATS // 3), pause=0.3, mixed=True)
    script.drain()
    script.idle(PAUSE // 4)
    script.dots(random_codes(UNIT, 8, 3, rng))
    script.drain()
    await play(dut, script)
