import os
import shutil
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

import hwsim
from cost_models import fitting_set, unit_key
from cost_models.netlist import netlist, pack
from hwsim import cache
from hwsim.formats.codebook import codebook
from hwsim.formats.integer import Integer
from hwsim.units import FAMILIES, make
from hwsim.units.integer import IntegerUnit
from hwsim.units.registry import OWN
from rtl.verilog import with_verilog

ROOT = Path(hwsim.__file__).parent.parent


@pytest.fixture(autouse=True)
def settled(monkeypatch):
    """Let the sources be older than this process, whatever was last done to them."""
    newest = max(max(state[2:]) for state in unit_key.sources().states)
    monkeypatch.setattr(hwsim, "IMPORTED_NS", newest + 1)


def tiny(**changes):
    return make("integer", **{"lanes": 1, "weight": "int2", "activation": "int2", **changes})


def test_every_unit_of_hwsim_has_a_key_of_its_own():
    units = {
        make(name, **values)
        for name in OWN
        for values in (*FAMILIES[name].fitting, *FAMILIES[name].configurations)
    }
    keys = {unit_key.unit_key(unit) for unit in units}
    assert None not in keys
    assert len(keys) == len(units) > len(fitting_set.units())


@pytest.mark.parametrize(
    "changes", [{"lanes": 2}, {"weight": "int3"}, {"weight": "uint2"}, {"activation": "int3"}]
)
def test_other_parameters_give_another_key(changes):
    assert unit_key.unit_key(tiny(**changes)) != unit_key.unit_key(tiny())


def test_codebooks_that_differ_in_a_value_differ():
    one, other = (
        make("codebook", lanes=1, weight=codebook([-1.0, 0.0, last, 3.0]), activation="int4")
        for last in (1.0, 2.0)
    )
    assert unit_key.unit_key(one) != unit_key.unit_key(other)


@dataclass(frozen=True)
class Odd(Integer):
    """A format of somebody else's."""


@dataclass(frozen=True, kw_only=True, repr=False)
class Other(IntegerUnit):
    """A family of somebody else's."""


def test_what_others_have_made_is_told_by_its_rtlil(tmp_path, monkeypatch):
    foreign = (replace(tiny(), weight=Odd(2)), Other(lanes=1, weight="int2", activation="int2"))
    assert [unit_key.unit_key(unit) for unit in foreign] == [None, None]
    with monkeypatch.context() as patch:
        patch.setattr(IntegerUnit, "generator", Other)
        assert unit_key.unit_key(tiny()) is None


def test_verilog_of_its_own_is_told_by_its_rtlil(tmp_path):
    from rtl.emit import verilog

    path = tmp_path / "tiny.v"
    path.write_text(verilog(tiny()))
    assert unit_key.unit_key(with_verilog(tiny(), [path])) is None


def test_sources_changed_since_the_import_are_not_trusted(monkeypatch):
    assert unit_key.unit_key(tiny()) is not None
    states = unit_key.sources().states
    monkeypatch.setattr(hwsim, "IMPORTED_NS", min(state[2] for state in states))
    assert unit_key.unit_key(tiny()) is None


def test_a_file_that_is_not_as_it_was_is_not_trusted(monkeypatch):
    found = unit_key.sources()
    path, size, *times = found.states[0]
    other = replace(found, states=((path, size + 1, *times), *found.states[1:]))
    monkeypatch.setattr(unit_key, "sources", lambda patterns: other)
    assert unit_key.unit_key(tiny()) is None


def test_the_cache_is_right_either_way(tmp_path, monkeypatch):
    monkeypatch.setenv(cache.VARIABLE, str(tmp_path))
    netlist.cache_clear()
    known = netlist(tiny())
    monkeypatch.setattr("cost_models.netlist.unit_key", lambda unit: None)
    netlist.cache_clear()
    by_text = netlist(tiny())
    netlist.cache_clear()
    assert len(list((tmp_path / "netlists").iterdir())) == 2
    for name, array in pack(known).items():
        assert (array == pack(by_text)[name]).all()


DIGEST = """
import hwsim
from cost_models import unit_key
from hwsim.units import make
unit = make("integer", lanes=1, weight="int2", activation="int2")
hwsim.IMPORTED_NS = 1 << 62
print(hwsim.__file__, *unit_key.unit_key(unit)[:3])
"""


@pytest.mark.parametrize(
    "name",
    ["rtl/integer.py", "rtl/yosys.py", "hwsim/formats/integer.py", "hwsim/units/integer.py",
     "hwsim/errors.py", "cost_models/netlist.py"],
)  # fmt: skip
def test_another_source_gives_another_key(tmp_path, name):
    for package in ("hwsim", "rtl", "cost_models"):
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / package, tmp_path / package, ignore=ignored)

    def key():
        return subprocess.run(
            [sys.executable, "-c", DIGEST],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(tmp_path)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout

    before = key()
    assert before.startswith(str(tmp_path))
    with (tmp_path / name).open("a") as file:
        file.write("# Another.\n")
    assert key() != before
