"""Which package imports which: the contracts of pyproject.toml, and no cycles.

Both are read from the sources, so imports inside functions count.
"""

import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterable, Mapping
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import grimp
import pytest

import rtl
from hwsim.units import FAMILIES

ROOT = Path(__file__).parents[1]
PACKAGES = ("hwsim", "rtl", "cost_models", "sweeps")


def lint(folder: Path) -> "subprocess.CompletedProcess[str]":
    """Check the packages in ``folder`` against the contracts there."""
    program = "from importlinter.cli import lint_imports_command as lint; lint()"
    command = [sys.executable, "-c", program, "--no-cache", "--no-logo"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a copy of the packages and of the contracts."""
    folder = tmp_path_factory.mktemp("sources")
    shutil.copy(ROOT / "pyproject.toml", folder)
    for package in PACKAGES:
        ignored = shutil.ignore_patterns("*.csv", "*.yaml", "*.json", "__pycache__")
        shutil.copytree(ROOT / package, folder / package, ignore=ignored)
    return folder


def test_imports_go_one_way() -> None:
    done = lint(ROOT)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("module", "line", "contract"),
    [
        ("hwsim/formats/integer.py", "import hwsim.units.base", "Imports go one way"),
        ("hwsim/units/integer.py", "    from rtl import create", "Imports go one way"),
        ("hwsim/units/integer.py", "from hwsim.tensors import error", "Imports go one way"),
        ("rtl/integer.py", "from hwsim.tensors import error", "Imports go one way"),
        ("rtl/integer.py", "    import cost_models.cost", "Imports go one way"),
        ("cost_models/cost.py", "import sweeps", "Imports go one way"),
        ("sweeps/run.py", "from hwsim.cli import output", "Imports go one way"),
        ("sweeps/run.py", "from sweeps.studies import page", "Nothing but the command line"),
        ("hwsim/errors.py", "from hwsim import pool", "Imports go one way"),
        ("hwsim/units/integer.py", "from amaranth.hdl import Module", "Golden models"),
        ("rtl/integer.py", "    import pandas", "Data frames"),
    ],
)
def test_an_import_of_the_wrong_direction_is_found(
    sources: Path, module: str, line: str, contract: str
) -> None:
    path = sources / module
    text = path.read_text()
    # An indented one stands in a function.
    bad = f"\n\ndef _late():\n{line}\n" if line.startswith(" ") else f"\n{line}\n"
    path.write_text(text + bad)
    try:
        done = lint(sources)
    finally:
        path.write_text(text)
    assert done.returncode == 1
    broken = [row for row in done.stdout.splitlines() if " BROKEN" in row]
    assert any(row.startswith(contract) for row in broken)


def test_every_module_has_its_layer() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    layers = {name for row in contracts["contracts"][0]["layers"] for name in re.split("[|:]", row)}
    found = grimp.build_graph(*PACKAGES, cache_dir=None)
    assert {name.strip() for name in layers} == {
        "rtl", "cost_models", "sweeps", *found.find_children("hwsim")
    }  # fmt: skip


def test_no_modules_import_each_other() -> None:
    assert cycle(graph()) == []


def test_shared_blocks_know_no_family() -> None:
    families = {cls.__module__ for cls in FAMILIES.values()}
    families |= {rtl.generator(cls).__module__ for cls in FAMILIES.values()}
    for module, imported in graph().items():
        if module.startswith("rtl.blocks"):
            assert not families & {*imported}, module


def test_a_cycle_is_found() -> None:
    known = graph()
    known["hwsim.formats.base"] = {*known["hwsim.formats.base"], "hwsim.formats.posit"}
    assert set(cycle(known)) == {"hwsim.formats.base", "hwsim.formats.posit"}


def graph() -> dict[str, Iterable[str]]:
    """Return what every module of ours imports when it runs, functions included."""
    # Names for annotations are no imports at run time; the contracts count them.
    found = grimp.build_graph(*PACKAGES, exclude_type_checking_imports=True, cache_dir=None)
    return {module: found.find_modules_directly_imported_by(module) for module in found.modules}


def cycle(known: Mapping[str, Iterable[str]]) -> list[str]:
    """Return modules that import each other in a ring, or an empty list."""
    try:
        TopologicalSorter(known).prepare()
    except CycleError as error:
        ring: list[str] = error.args[1]
        return ring
    return []
