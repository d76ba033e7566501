"""Runs the testbench on one unit and says what was proved."""

import json
import os
import re
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO
from xml.etree import ElementTree

from cocotb_tools.runner import Icarus
from find_libpython import find_libpython

from hwsim.errors import MissingToolError
from hwsim.files import temporary_folder
from hwsim.numbers import whole
from hwsim.units import UnitSpec
from hwsim.units.base import check_unit
from rtl import Unit, emit, icarus
from rtl.player import PATIENCE, player
from rtl.verification.bench import (
    EXPECTED,
    JOB,
    SCRIPT,
    TRANSFERS,
    Report,
    WrongError,
    judge,
    read,
    require,
)
from rtl.verification.plan import Plan, plan
from rtl.verilog import SOURCE, HandMade, plain

DEFAULT_SEED = 1
MAX_SEED = 2**32 - 1
#: Dot products of random operands, each of one beat.
RANDOM_DOTS = 4096
#: The declaration of a register with its initial value, as Yosys writes it.
_INITIAL = re.compile(
    r"^( *reg (?:signed )?(?:\[\d+:\d+\] )?(?:\\\S+ |[\w$]+)) = \d+'\w+;$", re.MULTILINE
)


@dataclass(frozen=True)
class Verdict:
    """The outcome of verifying one unit.

    Attributes
    ----------
    unit
        Name of the unit.
    passed
        Whether every test passed, at least one vector was compared, and the measured timing is
        the declared one.
    vectors
        Dot products compared with the golden model.
    exhaustive
        Whether they held every pair of operands.
    latency, interval, min_interval
        As measured, in cycles, of the slowest beats and of the fastest; None if the simulation did
        not get that far.
    seed, simulator, seconds
        Seed of the vectors, simulator with its version, wall-clock time.
    failure
        What the failing tests said, or an empty string.
    """

    unit: str
    passed: bool
    vectors: int
    exhaustive: bool
    latency: int | None
    interval: int | None
    min_interval: int | None
    seed: int
    simulator: str
    seconds: float
    failure: str

    def __repr__(self) -> str:
        return f"<Verdict on {' '.join(str(self).split())}>"

    def __str__(self) -> str:
        if not self.passed:
            return (
                f"{self.unit}: FAIL after {self.vectors} vectors, seed {self.seed}: {self.failure}"
            )
        interval = f"{self.interval}"
        if self.min_interval != self.interval:
            interval = f"{self.min_interval} to {self.interval}"
        kind = "all operand pairs" if self.exhaustive else "random operands"
        return (
            f"{self.unit}: pass, {self.vectors} vectors ({kind}), latency {self.latency}, "
            f"interval {interval}, seed {self.seed}, {self.simulator}, {self.seconds:.1f} s"
        )


def simulator_version() -> str:
    """Return the installed simulator and its version, e.g. ``Icarus 11.0``.

    Raises
    ------
    MissingToolError, rtl.icarus.IcarusError
        If Icarus Verilog is not installed or fails.
    """
    icarus.find()
    return f"Icarus {icarus.version()}"


def verify(
    unit: UnitSpec,
    seed: int = DEFAULT_SEED,
    component: Unit | None = None,
    random_dots: int = RANDOM_DOTS,
    seconds: float = 0,
) -> Verdict:
    """Simulate the emitted Verilog of ``unit`` against its golden model.

    Its registers hold X until they are reset or loaded: initial values are left out. What memories
    hold at first stays, and so does all that files of :func:`~rtl.verilog.with_verilog` say.

    Parameters
    ----------
    unit
        What to verify.
    seed
        Seed of all random operands and pauses, 0 to 2**32 - 1.
    component
        Hardware to verify in the place of ``rtl.create(unit)``.
    random_dots
        Dot products of one beat of random operands, where not all pairs can be tested. Below 2048,
        those of several beats become fewer, too.
    seconds
        Processor time that the simulation may take, 0 for any; it fails where that is over.

    Raises
    ------
    InputError
        For a ``unit`` that is none, a seed out of range, and fewer than 1 random dot product.
    MissingToolError, rtl.icarus.IcarusError
        If Icarus Verilog is not installed or fails.
    """
    check_unit(unit)
    whole("seed", seed, 0, MAX_SEED)
    whole("random_dots", random_dots, 1)
    simulator = simulator_version()
    started = time.perf_counter()
    own = unit.verilog if isinstance(unit, HandMade) and component is None else None
    text = own.text if own else uninitialised(emit.verilog(unit, component))
    tests = plan(plain(unit), seed, random_dots)
    with temporary_folder() as folder:
        _write(folder, unit, tests, text)
        try:
            failure, facts = _simulate(folder, tests, seed, seconds)
        except icarus.TimeOverError as error:
            failure, facts = str(error), Report()
        except icarus.IcarusError as error:
            raise icarus.IcarusError(own.in_files(str(error)) if own else str(error)) from None
    if not failure and facts.vectors == 0:
        failure = "no vector was compared"
    return Verdict(
        unit=unit.name,
        passed=not failure,
        vectors=facts.vectors,
        exhaustive=tests.exhaustive,
        latency=facts.latency,
        interval=facts.interval,
        min_interval=facts.min_interval,
        seed=seed,
        simulator=simulator,
        seconds=time.perf_counter() - started,
        failure=failure,
    )


def uninitialised(text: str) -> str:
    """Return Verilog that Yosys wrote, its registers without initial values, so X in simulation."""
    return _INITIAL.sub(r"\1;", text)


def first_failure(
    unit: UnitSpec,
    text: str,
    seed: int = DEFAULT_SEED,
    seconds: float = 0,
    random_dots: int = RANDOM_DOTS,
) -> str:
    """Return the first thing that :func:`verify` would find wrong, or an empty string.

    The same scripts are played and their logs compared alike, but by Icarus alone, without cocotb,
    and no further than to the first failure. So it takes a fraction of the time where there is one.

    Parameters
    ----------
    unit
        Whose golden model counts.
    text
        Verilog of its hardware, with the top module of ``unit``; initial values that Yosys wrote
        are left out.
    seed, seconds, random_dots
        As of :func:`verify`.

    Raises
    ------
    InputError, MissingToolError, rtl.icarus.IcarusError
        As :func:`verify`; Icarus fails for what is no Verilog.
    """
    tests = plan(plain(unit), seed, random_dots)
    compiler, runner = icarus.find()
    with temporary_folder() as folder:
        _write(folder, unit, tests, uninitialised(text))
        command = [compiler, "-g2012", "-s", _PLAYER, "-o", _BUILT, SOURCE, _PLAYER_FILE]
        icarus.run(command, folder)
        expected = (folder / EXPECTED).read_text().split()
        # The first test is short, and the only one in which some faults show before all is played.
        last = len(tests.tests) - 1
        for first, until in ((0, 0), (1, last)):
            play = [runner, "-n", _BUILT, f"+from={first}", f"+upto={until}"]
            try:
                icarus.run(play, folder, seconds=seconds)
            except icarus.TimeOverError as error:
                return str(error)
            for number in range(first, until + 1):
                if failure := _judged(folder, tests, number, expected):
                    return failure
    return ""


def _judged(folder: Path, tests: Plan, number: int, expected: Sequence[str]) -> str:
    """Return what is wrong with the log of a test, or an empty string."""
    test = tests.tests[number]
    try:
        require(not test.wrong, test.wrong)
        log = read(folder / TRANSFERS.format(number))
        judge(test, tests.timing, log, expected, Report())
    except WrongError as error:
        return _said(tests, test.name, str(error), error.row)
    return ""


def _said(tests: Plan, name: str, message: str, row: int | None) -> str:
    """Return what a test says, with the operands of a dot product."""
    return f"{name}: {message}" + ("" if row is None else f": {tests.describe(name, row)}")


def _write(folder: Path, unit: UnitSpec, tests: Plan, text: str) -> None:
    """Write all that the simulation reads."""
    (folder / SOURCE).write_text(text)
    results = sum(len(played.expected) for played in tests.played)
    (folder / _PLAYER_FILE).write_text(_player(unit, results))
    digits = -(-unit.result.bits // 4)
    with (folder / EXPECTED).open("w") as file:
        for played in tests.played:
            file.writelines(f"{code:0{digits}x}\n" for code in played.expected)
    for number, (test, played) in enumerate(zip(tests.tests, tests.played, strict=True)):
        (folder / SCRIPT.format(number)).write_text(f"{test.first:x}\n{played.text}")


def _simulate(folder: Path, tests: Plan, seed: int, seconds: float) -> tuple[str, Report]:
    """Build and run the simulation; return what failed, or an empty string, and what was found."""
    report, job = folder / "report.json", folder / "job.json"
    job.write_text(json.dumps({**tests.plain(), "report": str(report)}))
    results = folder / "results.xml"
    log = folder / "log.txt"
    runner = _Runner(seconds)
    runner.build(
        sources=[folder / SOURCE, folder / _PLAYER_FILE],
        hdl_toplevel=_PLAYER,
        build_dir=folder / "build",
        timescale=("1ns", "1ps"),
        log_file=log,
    )
    # Under pytest the runner exits where it elsewhere returns; the results say why, if any.
    with _suppressed():
        runner.test(
            hdl_toplevel=_PLAYER,
            test_module="bench",
            build_dir=folder / "build",
            test_dir=folder,
            results_xml=str(results),
            seed=seed,
            extra_env={JOB: str(job)},
            log_file=log,
        )
    facts = _facts(report)
    return _failures(results, log, tests, facts), facts


@contextmanager
def _suppressed() -> Iterator[None]:
    try:
        yield
    except icarus.TimeOverError:
        raise
    except (SystemExit, icarus.IcarusError, ElementTree.ParseError):
        pass


#: The module that plays the scripts of the tests, its file, and what Icarus makes of it.
_PLAYER, _PLAYER_FILE, _BUILT = "hwsim_player", "player.v", "player.vvp"


def _player(unit: UnitSpec, results: int) -> str:
    """Return the player, which reads scripts from files and writes logs.

    It stops at the first wrong result. A test starts when ``go`` rises; told ``+from=`` and
    ``+upto=``, it plays tests by itself up to the first that fails.
    """
    return player(
        unit,
        name=_PLAYER,
        top=emit.top_module(unit),
        patience=PATIENCE + unit.timing().latency,
        running="0",
        declarations=_FILES.format(results=max(1, results), expected=EXPECTED),
        fetch=_FETCH,
        deliver=_DELIVER,
        log_beat='          $fwrite(log, "T %0d\\n", cycle);',
        log_start='          $fwrite(log, "S\\n");',
        log_segment='          first = base + left;\n          $fwrite(log, "Z\\n");',
        log_limit="          limit = left;",
        failed='      $fwrite(log, "E %0s\\n", message); close(1);',
        ended="          close(0);",
    )


_FILES = """\
  reg go = 0;
  reg done = 0;
  integer number = 0;
  integer upto = 0;
  reg alone = 0;
  integer script, log, status, base, first, limit;
  reg [RESULT-1:0] expected [0:{results}-1];

  initial begin
    $readmemh("{expected}", expected);
    if ($value$plusargs("from=%d", number)) begin
      alone = 1; status = $value$plusargs("upto=%d", upto); open;
    end
  end

  always @(posedge go) open;

  // Each script begins with a reset, before which nothing counts.
  task open;
    begin
      script = $fopen($sformatf("script_%0d.txt", number), "r");
      log = $fopen($sformatf("transfers_%0d.txt", number), "w");
      status = $fscanf(script, "%h", base);
      done = 0; state = FETCH; pending = 0; known = 0; running = 1;
    end
  endtask

  task close(input failing);
    begin
      $fclose(script);
      $fclose(log);
      done = 1;
      if (alone && (failing || number == upto)) $finish;
      else if (alone) begin
        number = number + 1; open;
      end
    end
  endtask"""

_FETCH = """\
      status = $fscanf(script, "%h", code);
      unknown = 0;
      if (code[31:28] == 1 || code[31:28] == 2 || (code[31:28] == 3 && code[24]))
        status = $fscanf(script, "%h", word);
      if (code[31:28] == 1 && code[24]) status = $fscanf(script, "%h", unknown);"""

_DELIVER = """\
          $fwrite(log, "R %0d %h\\n", offered, seen);
          if (received >= limit || seen !== expected[first + received]) begin
            message = "a wrong result"; fail;
          end"""


class _Runner(Icarus):
    """cocotb's, but the programs that it starts end with this process or with their time.

    The testbench is found as a module by itself, which importing its package would slow down.
    """

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self.seconds = seconds

    def _set_env_common(self) -> None:
        # It asks for the library of Python, which the simulator loads, and raises ValueError.
        if not os.environ.get("LIBPYTHON_LOC") and find_libpython() is None:
            raise MissingToolError(
                "the shared library of Python (libpython), which the simulator loads, is not "
                "installed; on Debian: apt-get install libpython3-dev; or set LIBPYTHON_LOC to it"
            )
        super()._set_env_common()
        self.env["PYTHONPATH"] = os.pathsep.join([str(Path(__file__).parent), *sys.path])

    def _execute_cmds(
        self, cmds: Sequence[Sequence[str]], cwd: Path, stdout: IO[str] | None = None
    ) -> None:
        for command in cmds:
            environment = {**self.env, "TMPDIR": str(self.build_dir)}
            icarus.run(command, cwd, stdout, environment, self.seconds)


def _facts(report: Path) -> Report:
    """Return what the testbench counted and measured; nothing if it did not get that far."""
    if not report.exists():
        return Report()
    try:
        return Report(**json.loads(report.read_text()))
    except ValueError as error:
        raise icarus.IcarusError(f"the simulation's report is cut short: {error}") from None


def _failures(results: Path, log: Path, tests: Plan, facts: Report) -> str:
    if not results.exists():
        tail = "\n".join(log.read_text(errors="replace").splitlines()[-8:])
        raise icarus.IcarusError(f"the simulation gave no results:\n{tail}")
    try:
        cases = list(ElementTree.parse(results).iter("testcase"))
    except ElementTree.ParseError as error:
        raise icarus.IcarusError(f"the simulation's results are cut short: {error}") from None
    if not cases:
        return "no test ran"
    failed = [(case.get("name", ""), case.find("failure")) for case in cases]
    return "; ".join(
        _said(tests, name, failure.get("message", "failed").splitlines()[0], facts.rows.get(name))
        for name, failure in failed
        if failure is not None
    )
