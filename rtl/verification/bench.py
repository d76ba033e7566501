"""The cocotb testbench of every unit, which runs in the simulator, started by ``run.py``.

The unit is driven by a player in Verilog (:mod:`rtl.player`). Each test lets it work off a script
(:mod:`rtl.verification.plan`), and compares what it logged: every result with the golden model's,
their number, and without pauses every cycle. The simulator's process imports nothing but this file
and cocotb, so it starts in a fraction of a second.
"""

import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import cocotb
from cocotb.triggers import RisingEdge, Timer

#: Environment variable of the simulator's process: a file that says what the tests are, as JSON.
JOB = "HWSIM_VERIFY"
#: Files in the folder of the simulation: results of all tests, and script and log of one.
EXPECTED, SCRIPT, TRANSFERS = "expected.hex", "script_{}.txt", "transfers_{}.txt"


@dataclass(frozen=True)
class Timing:
    """The declared timing of a unit.

    Attributes
    ----------
    words_per_beat, stores_beats, interval, min_interval
        As the unit says.
    text
        All of it in words.
    """

    words_per_beat: int
    stores_beats: bool
    interval: int
    min_interval: int
    text: str


@dataclass(frozen=True)
class Cycles:
    """What the golden model predicts of dot products that follow each other without a pause.

    Attributes
    ----------
    beats
        Cycles of every beat, a list a dot product.
    drains
        Cycles from the end of each last beat to the one that offers the result.
    steady
        Beats of a dot product, the first ones, that say what the interval is.
    """

    beats: Sequence[Sequence[int]]
    drains: Sequence[int]
    steady: int


@dataclass(frozen=True)
class Test:
    """What a test must give.

    Attributes
    ----------
    name
        Its name.
    first
        The number of its first result, in the results of all tests.
    counts
        Results of every segment; those at the end of one that a reset ends may be missing.
    cycles
        Of every start that the script logs; None where they are not compared.
    wrong
        Why it fails at once, if so.
    """

    name: str
    first: int
    counts: Sequence[int]
    cycles: Sequence[Cycles | None]
    wrong: str = ""


class WrongError(AssertionError):
    """What a test finds wrong, and the number of the test's dot product that shows it, if any."""

    def __init__(self, message: str, row: int | None = None) -> None:
        super().__init__(message)
        self.row = row


def require(holds: bool, message: str, row: int | None = None) -> None:
    """Raise WrongError if something does not hold."""
    if not holds:
        raise WrongError(message, row)


@dataclass
class Report:
    """What the tests counted and measured.

    Attributes
    ----------
    vectors
        Results compared.
    latency, interval, min_interval
        The longest and the shortest measured.
    rows
        The dot product that shows what is wrong, by tests.
    """

    vectors: int = 0
    latency: int | None = None
    interval: int | None = None
    min_interval: int | None = None
    rows: dict[str, int] = field(default_factory=dict)

    def measure(self, latencies: list[int], intervals: list[int]) -> None:
        """Keep the longest and shortest of what was measured so far."""
        self.latency = max([*latencies, self.latency or 0])
        self.interval = max([*intervals, self.interval or 0])
        self.min_interval = min([*intervals, self.min_interval or self.interval])


@dataclass
class Transfers:
    """What crossed the streams since a start: the cycles of every event."""

    taken: list[int] = field(default_factory=list)
    offered: list[int] = field(default_factory=list)


@dataclass
class Log:
    """What the player logged: results by segment, cycles by start, and what failed."""

    results: list[list[str]] = field(default_factory=list)
    starts: list[Transfers] = field(default_factory=list)
    failure: str = ""


def read(path: Path) -> Log:
    """Return the log that the player wrote; results are hexadecimal text."""
    log = Log()
    for line in path.read_text().splitlines():
        kind, _, rest = line.partition(" ")
        if kind == "R":
            cycle, code = rest.split()
            if set(code) & set("xz"):
                log.failure = f"an undefined result: {code}"
                break
            log.results[-1].append(code)
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


def judge(test: Test, timing: Timing, log: Log, expected: Sequence[str], report: Report) -> None:
    """Compare a log with what a test must give, and add to the report.

    ``expected`` are the results of all tests, as the log has them.

    Raises
    ------
    WrongError
        For the first thing that is wrong.
    """
    first = 0
    for count, results in zip(test.counts, log.results, strict=False):
        wanted = expected[test.first + first : test.first + first + count]
        for k, (got, want) in enumerate(zip(results, wanted, strict=False)):
            if got != want:
                said = f"a dot product is {int(got, 16):#x}, expected {int(want, 16):#x}"
                raise WrongError(said, first + k)
        require(len(results) <= count, "surplus result")
        report.vectors += len(results)
        first += count
    require(not log.failure, log.failure)
    # Without a failure the player got to the end.
    require(len(log.results) == len(test.counts), "the log is cut short")
    first = 0
    for cycles, transfers in zip(test.cycles, log.starts, strict=False):
        if cycles is not None:
            compare_cycles(cycles, timing, transfers, first, report)
        first += len(transfers.offered)


def compare_cycles(
    cycles: Cycles, timing: Timing, log: Transfers, first: int, report: Report
) -> None:
    """Compare the cycles of every beat and the wait for every result with the predicted ones.

    ``first`` is the number of the first dot product.
    """
    beats = len(cycles.beats[0])
    predicted = [count for dot in cycles.beats for count in dot]
    steady = [count for dot in cycles.beats for count in dot[: cycles.steady]]
    require(
        all(timing.min_interval <= count <= timing.interval for count in steady),
        f"the golden model predicts beats outside {timing.text}",
    )
    # A beat is over with its last word.
    words = log.taken[timing.words_per_beat - 1 :: timing.words_per_beat]
    require(
        (len(words), len(log.offered)) == (len(predicted), len(cycles.beats)),
        f"{len(words)} beats and {len(log.offered)} results, not {len(predicted)} and "
        f"{len(cycles.beats)}",
    )
    lasts = predicted[beats - 1 :: beats]
    waits = [o - t for o, t in zip(log.offered, words[beats - 1 :: beats], strict=True)]
    if timing.stores_beats:
        require(
            log.taken[0] == 0, f"an idle unit takes its first beat in cycle {log.taken[0]}", first
        )
        # The last beat's cycles are over before the wait begins; nothing follows to show them.
        ends = [*words, words[-1] + predicted[-1]]
        waits = [wait - last for wait, last in zip(waits, lasts, strict=True)]
    else:
        ends = [-1, *words]
        waits = [wait - 1 for wait in waits]
    measured = [after - before for before, after in pairwise(ends)]
    for k, (got, want) in enumerate(zip(measured, predicted, strict=True)):
        if got != want:
            said = f"a beat takes {got} cycles, the golden model predicts {want}"
            raise WrongError(said, first + k // beats)
    require(
        waits == list(cycles.drains),
        f"results wait {set(waits)} cycles, the golden model predicts {set(cycles.drains)}; "
        f"{timing.text}",
    )
    report.measure(
        [a + b for a, b in zip(lasts, waits, strict=True) if a <= timing.interval],
        [count for k, count in enumerate(measured) if k % beats < cycles.steady],
    )


@dataclass(frozen=True)
class Bench:
    """What all tests share: declared timing, results as text, and the report with its file."""

    timing: Timing
    expected: Sequence[str]
    report: Report
    path: Path

    def cocotb_test(self, number: int, test: Test) -> Any:
        """Return what cocotb runs for a test."""

        async def run(dut: Any) -> None:
            await self.play(dut, number, test)

        return cocotb.test(name=test.name)(run)

    async def play(self, dut: Any, number: int, test: Test) -> None:
        """Let the player work off the script of a test, and look at its log."""
        require(not test.wrong, test.wrong)
        dut.number.value = number
        dut.go.value = 1
        await RisingEdge(dut.done)
        dut.go.value = 0
        await Timer(20, unit="ns")
        try:
            log = read(Path(TRANSFERS.format(number)))
            judge(test, self.timing, log, self.expected, self.report)
        except WrongError as error:
            if error.row is not None:
                self.report.rows[test.name] = error.row
            raise
        finally:
            self.path.write_text(json.dumps(asdict(self.report)))


def cocotb_tests(job: Path) -> dict[str, Any]:
    """Return what cocotb runs, by names, of a file that says so."""
    said = json.loads(job.read_text())
    expected = Path(EXPECTED).read_text().split()
    bench = Bench(Timing(**said["timing"]), expected, Report(), Path(said["report"]))
    found = {}
    for number, values in enumerate(said["tests"]):
        cycles = [one and Cycles(**one) for one in values.pop("cycles")]
        test = Test(**values, cycles=cycles)
        found[test.name] = bench.cocotb_test(number, test)
    return found


if JOB in os.environ:
    # cocotb runs what it finds by name in this module.
    globals().update(cocotb_tests(Path(os.environ[JOB])))
