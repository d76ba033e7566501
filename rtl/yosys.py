"""Yosys as a child process: one script in, its log out.

Yosys prints to the standard output and takes its process with it when it crashes, so every run
has a process of its own, which costs about 0.1 s.
"""

import subprocess
import sys
from collections.abc import Sequence
from importlib.metadata import version as installed
from pathlib import Path

_CHILD = """
import sys
from pyosys import libyosys
design = libyosys.Design()
for command in sys.stdin.read().split("\\0"):
    libyosys.run_pass(command, design)
"""


class YosysError(RuntimeError):
    """Yosys refused a command or crashed; the message ends with the last lines of its log."""


def run(commands: Sequence[str], cwd: Path) -> str:
    """Run Yosys commands on one empty design in the folder ``cwd`` and return the log.

    Raises
    ------
    YosysError
        If a command fails or the process dies.
    """
    child = subprocess.run(
        [sys.executable, "-c", _CHILD],
        input="\0".join(commands),
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
    )
    if child.returncode != 0:
        tail = "\n".join((child.stdout + child.stderr).splitlines()[-12:])
        raise YosysError(f"Yosys ended with status {child.returncode}:\n{tail}")
    return child.stdout


def version() -> str:
    """Return the version of the installed Yosys, e.g. ``0.70``."""
    return installed("pyosys")
