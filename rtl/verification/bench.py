"""The cocotb testbench of every unit. It runs inside the simulator, started by ``run.py``.

Signals are sampled at the rising edge, where they still have the values that the edge acts on,
and driven right after it. Each test compares every result with the golden model, and counts it.
"""

import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cocotb
import numpy as np
from cocotb.clock import Clock
from cocotb.triggers import RisingEdge

from hwsim.errors import InputError
from hwsim.units.operands import Operands
from hwsim.units.recipe import made
from hwsim.units.stimulus import (
    all_pairs,
    cancelling,
    corners,
    dot_lengths,
    is_exhaustive,
    random_codes,
)

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
#: Beats of random operands for every length of a dot product, for accumulation and stalls.
BEATS = min(256, RANDOM_DOTS // 8)
#: Cycles without a transfer after which the unit counts as hung.
PATIENCE = 1000 + UNIT.timing().latency

Pause = Callable[[], bool]


def never() -> bool:
    """Do not pause."""
    return False


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
    """What crossed the streams: results, and the cycles of every event."""

    results: list[int] = field(default_factory=list)
    taken: list[int] = field(default_factory=list)
    offered: list[int] = field(default_factory=list)


class Bench:
    """Drives one beat stream and collects one result stream."""

    def __init__(self, dut: Any) -> None:
        self.clk, self.rst = dut.clk, dut.rst
        self.i_payload, self.i_valid, self.i_ready = dut.i__payload, dut.i__valid, dut.i__ready
        self.o_payload, self.o_valid, self.o_ready = dut.o__payload, dut.o__valid, dut.o__ready

    async def start(self) -> None:
        """Start the clock, and reset."""
        Clock(self.clk, 10, unit="ns").start()
        self.i_payload.value = 0
        await self.reset()

    async def reset(self, cycles: int = 2) -> None:
        """Assert the reset for some cycles; nothing is offered meanwhile."""
        self.i_valid.value = 0
        self.o_ready.value = 0
        self.rst.value = 1
        for _ in range(cycles):
            await RisingEdge(self.clk)
        self.rst.value = 0
        await RisingEdge(self.clk)
        assert int(self.o_valid.value) == 0, "a result is offered after reset"
        assert str(self.i_ready.value) in "01", "i__ready is undefined after reset"

    async def run(
        self,
        beats: list[int],
        results: int,
        pause_input: Pause = never,
        pause_output: Pause = never,
    ) -> Transfers:
        """Send ``beats`` and take ``results`` results; cycle 0 is the one of the first offer."""
        log = Transfers()
        words: Iterator[int] = iter(beats)
        offering, taking, pending = False, False, None
        cycle, idle = -1, 0
        sent = 0
        while len(log.results) < results or sent < len(beats):
            if not offering and sent < len(beats) and not pause_input():
                self.i_payload.value = next(words)
                self.i_valid.value = 1
                offering = True
            taking = not pause_output()
            self.o_ready.value = taking
            await RisingEdge(self.clk)
            cycle += 1
            idle += 1
            # Outputs: defined, held until taken.
            if int(self.o_valid.value):
                payload = self.o_payload.value.to_unsigned()
                if pending is None:
                    log.offered.append(cycle)
                else:
                    assert payload == pending, "a result changed before it was taken"
                pending = None if taking else payload
                if taking:
                    log.results.append(payload)
                    idle = 0
                    assert len(log.results) <= results, "surplus result"
            else:
                assert pending is None, "a result was withdrawn before it was taken"
            # Inputs.
            if offering and int(self.i_ready.value):
                log.taken.append(cycle)
                sent += 1
                offering = False
                self.i_valid.value = 0
                idle = 0
            assert idle < PATIENCE, f"no transfer in {PATIENCE} cycles"
        return log

    async def check(
        self,
        stimulus: Operands,
        pause_input: Pause = never,
        pause_output: Pause = never,
    ) -> None:
        """Run dot products and compare every result, and without pauses every cycle count."""
        rows = list(stimulus.rows())
        beats = [word for words in UNIT.words(stimulus) for word in words]
        codes = UNIT.dot(stimulus.activations, stimulus.weights, **stimulus.metadata)
        expected = [int(code) for code in codes]
        log = await self.run(beats, len(expected), pause_input, pause_output)
        for row, got, want in zip(rows, log.results, expected, strict=True):
            assert got == want, f"a dot product is {got:#x}, expected {want:#x}: {describe(row)}"
        if pause_input is never and pause_output is never:
            compare_timing(stimulus, log)
        REPORT.vectors += len(expected)
        REPORT.write()


def describe(row: Operands) -> str:
    """Return the operands of one dot product as text."""
    fields = {"activations": row.activations, "weights": row.weights, **row.metadata}
    return ", ".join(f"{name} {codes.tolist()}" for name, codes in fields.items())


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
        f"{predicted[wrong][0]}: {describe(list(stimulus.rows())[int(np.argwhere(wrong)[0, 0])])}"
    )
    drains = UNIT.drains(stimulus.activations, stimulus.weights, **stimulus.metadata)
    assert (waits == drains).all(), (
        f"results wait {set(waits)} cycles, the golden model predicts {set(drains)}; {declared}"
    )
    latencies = (predicted[:, -1] + waits)[predicted[:, -1] <= declared.interval]
    REPORT.measure(latencies.tolist(), measured[:, whole].ravel().tolist())


def generator() -> np.random.Generator:
    """Return the generator of the job's seed; each test starts from its beginning."""
    return np.random.default_rng(JOB["seed"])


def coin(rng: np.random.Generator, probability: float) -> Pause:
    """Pause with this probability, cycle by cycle."""
    return (lambda: bool(rng.random() < probability)) if probability else never


@cocotb.test()
async def timing(dut: Any) -> None:
    """Compare latency and interval with neither side stalling, from an idle unit."""
    bench = Bench(dut)
    await bench.start()
    rng = generator()
    for _ in range(8):
        await bench.check(random_codes(UNIT, 1, UNIT.steady_beats, rng))
    await bench.check(random_codes(UNIT, 4, 4 * UNIT.steady_beats, rng))


@cocotb.test()
async def operands(dut: Any) -> None:
    """All operand pairs, or random ones where they are too many."""
    bench = Bench(dut)
    await bench.start()
    rng = generator()
    many = all_pairs(UNIT, rng) if is_exhaustive(UNIT) else random_codes(UNIT, RANDOM_DOTS, 1, rng)
    await bench.check(many)


@cocotb.test()
async def lone_corners(dut: Any) -> None:
    """Corner pairs, each alone in a lane."""
    bench = Bench(dut)
    await bench.start()
    await bench.check(corners(UNIT, generator()))


@cocotb.test()
async def cancellation(dut: Any) -> None:
    """Sums of which little is left."""
    bench = Bench(dut)
    await bench.start()
    await bench.check(cancelling(UNIT, CANCELLING_DOTS, generator()))


@cocotb.test()
async def accumulation(dut: Any) -> None:
    """Dot products of several beats, without stalls and with either side or both stalling."""
    bench = Bench(dut)
    await bench.start()
    rng = generator()
    for pause_input, pause_output in ((0.0, 0.0), (0.6, 0.0), (0.0, 0.6), (0.4, 0.4)):
        for beats in dot_lengths(UNIT):
            stimulus = random_codes(UNIT, max(4, BEATS // beats), beats, rng)
            await bench.check(stimulus, coin(rng, pause_input), coin(rng, pause_output))


@cocotb.test()
async def reset_in_the_middle(dut: Any) -> None:
    """A reset forgets a dot product under way, and a result that was not taken."""
    bench = Bench(dut)
    await bench.start()
    rng = generator()
    for cycles in range(2 * UNIT.timing().latency + 2):
        (row,) = random_codes(UNIT, 1, 4, rng).rows()
        words = UNIT.pack_beats(row.activations, row.weights, **row.metadata)
        bench.i_payload.value = words[cycles % 2 * 3]
        bench.i_valid.value = 1
        bench.o_ready.value = 0
        for _ in range(cycles + 1):
            await RisingEdge(bench.clk)
        await bench.reset(1)
        await bench.check(random_codes(UNIT, 2, 2, rng))
