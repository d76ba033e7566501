"""Icarus Verilog, the simulator: where its programs are, and how they are run."""

import math
import os
import re
import shutil
import signal
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import IO

from hwsim import processes
from hwsim.errors import MissingToolError, ToolError
from hwsim.files import temporary_folder


class IcarusError(ToolError):
    """A program of Icarus failed; the message ends with the last lines of what it said."""


class TimeOverError(IcarusError):
    """A program took all of the processor time that it was given."""


def find() -> tuple[str, str]:
    """Return the paths of the compiler and of the run-time.

    Raises
    ------
    MissingToolError
        If one is not installed.
    """
    paths = []
    for name in ("iverilog", "vvp"):
        path = shutil.which(name)
        if path is None:
            raise MissingToolError(
                f"{name} (Icarus Verilog) is not installed; it simulates Verilog to verify "
                "it; on Debian: apt-get install iverilog"
            )
        paths.append(path)
    return paths[0], paths[1]


@lru_cache(maxsize=1)
def version() -> str:
    """Return the version of the installed Icarus, e.g. ``11.0``.

    Raises
    ------
    MissingToolError, IcarusError, InputError
        If it is not installed or fails, and as :func:`hwsim.files.temporary_folder`.
    """
    with temporary_folder() as folder:
        match = re.search(r"version (\S+)", run([find()[0], "-V"], folder))
    return match[1] if match else "unknown"


def run(
    command: Sequence[str],
    folder: Path | None = None,
    log: IO[str] | None = None,
    environment: Mapping[str, str] | None = None,
    seconds: float = 0,
) -> str:
    """Run one of the programs, with the parameters of :func:`hwsim.processes.run`.

    Temporary files go to ``folder``, unless ``environment`` says otherwise.

    Returns
    -------
    str
        Its standard output, if that does not go to ``log``.

    Raises
    ------
    TimeOverError
        If it takes all of its processor time.
    IcarusError
        If it ends with another status than 0.
    """
    if folder and environment is None:
        environment = {**os.environ, "TMPDIR": str(folder)}
    done = processes.run(command, folder, log, environment, seconds)
    if done.returncode == -signal.SIGXCPU:
        name, limit = Path(command[0]).name, math.ceil(seconds)
        raise TimeOverError(f"{name} took all of the {limit} s of processor time that it had")
    if done.returncode:
        said = Path(log.name).read_text(errors="replace") if log else done.stdout + done.stderr
        tail = "\n".join(said.splitlines()[-8:])
        raise IcarusError(f"{command[0]} ended with status {done.returncode}:\n{tail}")
    return done.stdout or ""
