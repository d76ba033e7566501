"""What a command starts ends with it, however it ends: workers, Yosys, ABC, simulators."""

import os
import signal
import sys
from pathlib import Path

import pytest

from hwsim import cli, processes
from hwsim.pool import each
from tests.processes import hwsim, marked, start, wait_until

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")

UNIT = ["lanes=16", "weight=int8", "activation=int8"]
#: Soon with ABC, and there for seconds.
MAPPED = ["lanes=6", *UNIT[1:]]
SWEEP = """
name: two
technology: [osu018]
method: synthesis
units: [{unit: integer, lanes: [6, 5], weight: int8, activation: int8}]
objectives: [area_um2_per_mac_per_cycle, energy_pj_per_mac]
"""

#: What is started, and a program that then runs for a while.
COMMANDS = {
    "synthesis": (
        ["cost", "integer", *MAPPED, "--method", "synthesis", "--technology", "osu018"],
        "yosys-abc",
    ),
    "sweep": (["sweep", "{folder}/two.yaml", "-o", "{folder}/out", "--workers", "2"], "yosys-abc"),
    "verify": (["verify", "integer", *UNIT], "vvp "),
    "verify_two": (["verify", "integer", *UNIT, "posit", *UNIT[:1], "weight=posit8_0",
                    "activation=posit8_0"], "vvp "),
}  # fmt: skip


def interrupted(name: str, folder: Path, number: signal.Signals, group: bool = False) -> int:
    """Interrupt a command and return its status when nothing that it has started is left."""
    arguments, program = COMMANDS[name]
    (folder / "two.yaml").write_text(SWEEP)
    temporary = folder / "temporary"
    temporary.mkdir()
    environment = {"TMPDIR": str(temporary), "HWSIM_MARK": str(folder), "HWSIM_CACHE": str(folder)}
    command = hwsim([word.format(folder=folder) for word in arguments], environment)

    def running() -> list[str]:
        return marked("HWSIM_MARK", str(folder))

    with command:
        try:
            assert wait_until(lambda: any(program in line for line in running()), seconds=300)
            (os.killpg if group else os.kill)(command.pid, number)
            _, errors = command.communicate(timeout=60)
            assert wait_until(lambda: not running(), seconds=20), running()
            if number != signal.SIGKILL:
                assert "interrupted" in errors.splitlines()[-1]
                assert "Traceback" not in errors
                assert list(temporary.iterdir()) == []
        finally:
            command.kill()
    return command.returncode


@pytest.mark.parametrize(
    ("name", "number", "group"),
    [
        ("synthesis", signal.SIGTERM, False),
        ("synthesis", signal.SIGINT, True),
        ("sweep", signal.SIGINT, False),
        ("sweep", signal.SIGINT, True),
        ("verify", signal.SIGHUP, False),
        ("verify_two", signal.SIGTERM, False),
    ],
)
def test_an_interrupted_command_leaves_nothing(
    name: str, number: signal.Signals, group: bool, tmp_path: Path
) -> None:
    assert interrupted(name, tmp_path, number, group) == cli.INTERRUPTED


@pytest.mark.parametrize("name", ["synthesis", "sweep", "verify"])
def test_a_killed_command_leaves_no_process(name: str, tmp_path: Path) -> None:
    assert interrupted(name, tmp_path, signal.SIGKILL) == -signal.SIGKILL


def test_killed_parents_leave_no_idle_worker() -> None:
    code = (
        "import time; from hwsim.pool import each\n"
        "for task, _ in each(time.sleep, [0, 60, 60], 2): print(task, flush=True)\n"
    )
    mark = f"idle {os.getpid()}"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HWSIM_MARK", mark)
        process = start(code)
    process.kill()
    process.communicate(timeout=30)
    assert wait_until(lambda: not marked("HWSIM_MARK", mark), seconds=20)


def test_a_program_ends_with_what_it_has_started(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HWSIM_MARK", f"behind {os.getpid()}")
    done = processes.run(
        ["sh", "-c", "sleep 100 > /dev/null 2>&1 & echo said; echo so >&2; exit 3"]
    )
    monkeypatch.delenv("HWSIM_MARK")
    assert (done.returncode, done.stdout, done.stderr) == (3, "said\n", "so\n")
    assert wait_until(lambda: not marked("HWSIM_MARK", f"behind {os.getpid()}"), seconds=10)


def test_nohup_stays_in_force() -> None:
    code = (
        "import signal; signal.signal(signal.SIGHUP, signal.SIG_IGN)\n"
        "import sys, time; from hwsim import cli\n"
        "def sleep(options): print(0, flush=True); time.sleep(3); print('slept', flush=True)\n"
        "cli.units.run = sleep\n"
        "sys.exit(cli.main(['units']))\n"
    )
    process = start(code)
    process.send_signal(signal.SIGHUP)
    output, _ = process.communicate(timeout=60)
    assert output == "slept\n"


def test_temporary_files_of_workers_are_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    (path, again) = (result for _, result in each(os.getenv, ["TMPDIR", "TMPDIR"], 2))
    assert path == again
    assert Path(str(path)).parent == tmp_path
    assert list(tmp_path.iterdir()) == []
