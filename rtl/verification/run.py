"""Runs the testbench on one unit and says what was proved."""

import contextlib
import json
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any
from xml.etree import ElementTree

from cocotb_tools.runner import Icarus
from find_libpython import find_libpython

from hwsim.errors import InputError, MissingToolError
from hwsim.files import temporary_folder
from hwsim.numbers import whole
from hwsim.units import UnitSpec
from hwsim.units.base import check_unit
from hwsim.units.recipe import recipe
from rtl import Unit, emit, icarus
from rtl.player import PATIENCE, player
from rtl.verilog import SOURCE, HandMade, plain

#: Environment variable of the simulator's process: what the testbench has to do, as JSON.
JOB = "HWSIM_VERIFY"

DEFAULT_SEED = 1
MAX_SEED = 2**32 - 1
#: Dot products of random operands, each of one beat.
RANDOM_DOTS = 4096


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
) -> Verdict:
    """Simulate the emitted Verilog of ``unit`` against its golden model.

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

    Raises
    ------
    InputError
        For a ``unit`` that is none or that the simulator's process cannot make again
        (:mod:`hwsim.units.recipe`), a seed out of range, and fewer than 1 random dot product.
    MissingToolError, rtl.icarus.IcarusError
        If Icarus Verilog is not installed or fails.
    """
    check_unit(unit)
    if JOB in os.environ:
        raise InputError(
            "a script that verifies its own units is run again in the simulator's process; put "
            "what it does under: if __name__ == '__main__'"
        )
    whole("seed", seed, 0, MAX_SEED)
    whole("random_dots", random_dots, 1)
    simulator = simulator_version()
    started = time.perf_counter()
    with temporary_folder() as folder:
        source = folder / SOURCE
        own = unit.verilog if isinstance(unit, HandMade) and component is None else None
        source.write_text(own.text if own else emit.verilog(unit, component))
        report = folder / "report.json"
        try:
            failure = _simulate(unit, source, report, seed, random_dots)
        except icarus.IcarusError as error:
            raise icarus.IcarusError(own.in_files(str(error)) if own else str(error)) from None
        facts = _facts(report)
    vectors = facts.get("vectors", 0)
    if not failure and vectors == 0:
        failure = "no vector was compared"
    return Verdict(
        unit=unit.name,
        passed=not failure,
        vectors=vectors,
        exhaustive=facts.get("exhaustive", False),
        latency=facts.get("latency"),
        interval=facts.get("interval"),
        min_interval=facts.get("min_interval"),
        seed=seed,
        simulator=simulator,
        seconds=time.perf_counter() - started,
        failure=failure,
    )


def _simulate(unit: UnitSpec, source: Path, report: Path, seed: int, random_dots: int) -> str:
    """Build and run the simulation; return what failed, or an empty string."""
    job = {
        "unit": recipe(plain(unit)),
        "seed": seed,
        "random_dots": random_dots,
        "report": str(report),
    }
    folder = source.parent
    results = folder / "results.xml"
    log = folder / "log.txt"
    bench = folder / "player.v"
    bench.write_text(_player(unit))
    runner = _Runner()
    runner.build(
        sources=[source, bench],
        hdl_toplevel=_PLAYER,
        build_dir=folder / "build",
        timescale=("1ns", "1ps"),
        log_file=log,
    )
    # Under pytest the runner exits where it elsewhere returns; the results say why, if any.
    with contextlib.suppress(SystemExit, icarus.IcarusError, ElementTree.ParseError):
        runner.test(
            hdl_toplevel=_PLAYER,
            test_module="rtl.verification.bench",
            build_dir=folder / "build",
            test_dir=folder,
            results_xml=str(results),
            seed=seed,
            extra_env={JOB: json.dumps(job)},
            log_file=log,
        )
    if report.exists() and "refused" in (said := json.loads(report.read_text())):
        raise InputError(said["refused"])
    return _failures(results, log)


#: The module that plays the scripts of the tests.
_PLAYER = "hwsim_player"


def _player(unit: UnitSpec) -> str:
    """Return the player, which reads a script from a file and writes a log."""
    return player(
        unit,
        name=_PLAYER,
        top=emit.top_module(unit),
        patience=PATIENCE + unit.timing().latency,
        running="0",
        declarations=_FILES,
        fetch=_FETCH,
        deliver='          $fwrite(log, "R %0d %h\\n", offered, seen);',
        log_beat='          $fwrite(log, "T %0d\\n", cycle);',
        log_start='          $fwrite(log, "S\\n");',
        log_segment='          $fwrite(log, "Z\\n");',
        log_limit="",
        failed='      $fwrite(log, "E %0s\\n", message); close;',
        ended="          close;",
    )


_FILES = """\
  reg go = 0;
  reg done = 0;
  integer script, log, status;

  always @(posedge go) begin
    script = $fopen("script.txt", "r");
    log = $fopen("transfers.txt", "w");
    done = 0; state = FETCH; pending = 0; running = 1;
  end

  task close;
    begin
      $fclose(script);
      $fclose(log);
      done = 1;
    end
  endtask"""

_FETCH = """\
      status = $fscanf(script, "%h", code);
      unknown = 0;
      if (code[31:28] == 1 || code[31:28] == 2 || (code[31:28] == 3 && code[24]))
        status = $fscanf(script, "%h", word);
      if (code[31:28] == 1 && code[24]) status = $fscanf(script, "%h", unknown);"""


class _Runner(Icarus):
    """cocotb's, but the programs that it starts end with this process."""

    def _set_env_common(self) -> None:
        # It asks for the library of Python, which the simulator loads, and raises ValueError.
        if not os.environ.get("LIBPYTHON_LOC") and find_libpython() is None:
            raise MissingToolError(
                "the shared library of Python (libpython), which the simulator loads, is not "
                "installed; on Debian: apt-get install libpython3-dev; or set LIBPYTHON_LOC to it"
            )
        super()._set_env_common()

    def _execute_cmds(
        self, cmds: Sequence[Sequence[str]], cwd: Path, stdout: IO[str] | None = None
    ) -> None:
        for command in cmds:
            icarus.run(command, cwd, stdout, {**self.env, "TMPDIR": str(self.build_dir)})


def _facts(report: Path) -> dict[str, Any]:
    """Return what the testbench counted and measured; nothing if it did not get that far."""
    if not report.exists():
        return {}
    try:
        facts: dict[str, Any] = json.loads(report.read_text())
    except ValueError as error:
        raise icarus.IcarusError(f"the simulation's report is cut short: {error}") from None
    return facts


def _failures(results: Path, log: Path) -> str:
    if not results.exists():
        tail = "\n".join(log.read_text(errors="replace").splitlines()[-8:])
        raise icarus.IcarusError(f"the simulation gave no results:\n{tail}")
    try:
        cases = list(ElementTree.parse(results).iter("testcase"))
    except ElementTree.ParseError as error:
        raise icarus.IcarusError(f"the simulation's results are cut short: {error}") from None
    if not cases:
        return "no test ran"
    failed = [(case.get("name"), case.find("failure")) for case in cases]
    return "; ".join(
        f"{name}: {failure.get('message', 'failed').splitlines()[0]}"
        for name, failure in failed
        if failure is not None
    )
