"""What is installed of the things that hwsim can use: how a package says what it needs.

Every package that needs programs or data has a module ``findings`` with a function ``examine``;
``hwsim doctor`` collects what they yield.
"""

import re
import shutil
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version

from hwsim import processes
from hwsim.files import reason


@dataclass(frozen=True)
class Finding:
    """One thing that hwsim can use.

    Attributes
    ----------
    name
        What it is called.
    found
        Its version, its path, or an empty string if it cannot be used.
    purpose
        What it is for.
    install
        The command that installs it.
    problem
        Why it cannot be used.
    """

    name: str
    found: str
    purpose: str
    install: str
    problem: str = "missing"


def of_program(name: str, program: str, argument: str, purpose: str, install: str) -> Finding:
    """Return the finding for a program, which prints its version if called with ``argument``."""
    path = shutil.which(program)
    if path is None:
        return Finding(name, "", purpose, install)
    try:
        done = processes.run([path, argument])
    except OSError as error:
        return Finding(name, "", purpose, install, f"{path} does not run: {reason(error)}")
    if done.returncode:
        return Finding(name, "", purpose, install, f"{path} ends with status {done.returncode}")
    number = re.search(r"\d+\.[\w.]+", done.stdout + done.stderr)
    return Finding(name, number[0] if number else path, purpose, install, "")


def of_package(name: str, purpose: str, install: str) -> Finding:
    """Return the finding for an installed Python package."""
    try:
        return Finding(name, version(name), purpose, install, "")
    except PackageNotFoundError:
        return Finding(name, "", purpose, install)
