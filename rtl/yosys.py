"""Yosys as a child process, which takes commands and answers when each is done.

Yosys prints to the standard output and takes its process with it when it crashes, so every design
has a process of its own, which costs about 0.1 s.
"""

import importlib.util
import json
import math
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version as installed
from pathlib import Path
from typing import IO, Any, NoReturn

from hwsim import processes
from hwsim.errors import ToolError

_CHILD = """
import os, resource, sys
if seconds := int(sys.argv[1]):
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 5))
# Yosys' own output goes where the errors go.
done = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)
from pyosys import libyosys
design = libyosys.Design()
for command in sys.stdin:
    libyosys.run_pass(command.rstrip("\\n"), design)
    print(file=done, flush=True)
"""


#: What Yosys says of ABC, a process of its own with the same limit, whose shell says this status.
_ABC_TIME_OVER = f"failed: return code {128 + signal.SIGXCPU}"


class YosysError(ToolError):
    """Yosys refused a command or crashed; the message ends with the last lines of its log."""


class TimeOverError(YosysError):
    """Yosys took all of the processor time that it was given."""


@dataclass(frozen=True, eq=False)
class Session:
    """A Yosys process with one design; :func:`session` makes it."""

    child: subprocess.Popen[str]
    log: IO[str]

    def run(self, commands: Sequence[str]) -> None:
        """Run commands and return when they are done.

        Raises
        ------
        YosysError
            If a command fails or the process dies.
        """
        assert self.child.stdin
        assert self.child.stdout
        for command in commands:
            try:
                self.child.stdin.write(f"{command}\n")
                self.child.stdin.flush()
            except BrokenPipeError:
                self._fail()
            if not self.child.stdout.readline():
                self._fail()

    def finish(self) -> str:
        """End the process and return its log."""
        self.child.communicate()
        if self.child.returncode != 0:
            self._fail()
        self.log.seek(0)
        return self.log.read()

    def _fail(self) -> NoReturn:
        self.child.communicate()
        self.log.seek(0)
        if self.child.returncode == -signal.SIGXCPU or _ABC_TIME_OVER in self.log.read():
            raise TimeOverError("Yosys took all of the time that it was given")
        self.log.seek(0)
        tail = "\n".join(self.log.read().splitlines()[-12:])
        raise YosysError(f"Yosys ended with status {self.child.returncode}:\n{tail}")


@contextmanager
def session(cwd: Path, seconds: float = 0) -> Iterator[Session]:
    """Yield a Yosys process with an empty design; it ends with the context.

    Parameters
    ----------
    cwd
        The folder that file names in commands are relative to, and where temporary files go.
    seconds
        Processor time that it may take, then commands raise TimeOverError; 0: any.
    """
    with (
        tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as log,
        processes.group() as leader,
        subprocess.Popen(
            [sys.executable, "-c", _CHILD, str(math.ceil(seconds))],
            cwd=cwd,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            # Yosys does not quote the name of its folder in what it has a shell run.
            env={**os.environ, "TMPDIR": "."},
            process_group=leader,
        ) as child,
    ):
        try:
            yield Session(child, log)
        finally:
            child.kill()


def run(commands: Sequence[str], cwd: Path) -> str:
    """Run Yosys commands on one empty design in the folder ``cwd`` and return the log.

    Raises
    ------
    YosysError
        If a command fails or the process dies.
    """
    with session(cwd) as yosys:
        yosys.run(commands)
        return yosys.finish()


def read_json(path: Path) -> Any:
    """Return what a command wrote as JSON.

    Raises
    ------
    YosysError
        If the file is missing or cut short, as where a disk is full.
    """
    try:
        return json.loads(path.read_text())
    except (FileNotFoundError, ValueError) as error:
        raise YosysError(f"Yosys did not write {path.name}: {error}") from None


def abc() -> str:
    """Return the path of the ABC that comes with Yosys."""
    spec = importlib.util.find_spec("pyosys")
    assert spec is not None, "the project depends on pyosys"
    assert spec.origin is not None, "and imports it as a package"
    return str(Path(spec.origin).with_name("yosys-abc"))


@cache
def version() -> str:
    """Return the version of the installed Yosys, e.g. ``0.70``."""
    return installed("pyosys")
