"""Which source decides a result: what runs is what is found, and nothing else counts."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from hwsim.units import FAMILIES, make
from sweeps import sources

ROOT = Path(sources.__file__).parents[1]
COSTS = ("sweeps.costs", "sweeps.qualities")


def test_what_a_unit_depends_on():
    integer = sources.of_unit(make("integer", lanes=1, weight="int2", activation="int2"))
    posit = sources.of_unit(make("posit", lanes=1, weight="posit4_0", activation="posit4_0"))
    array = sources.of_unit(
        make("array", element="posit", rows=1, columns=1, lanes=1, weight="posit4_0",
             activation="posit4_0")
    )  # fmt: skip
    assert {"hwsim.units.integer", "hwsim.formats.integer", "rtl.integer"} <= integer
    assert {"hwsim.units.posit", "hwsim.formats.posit", "rtl.posit"} <= posit < array
    assert {"hwsim.units.array", "rtl.array"} <= array
    found = sources.closure({*COSTS, *integer})
    assert {"cost_models.estimate", "cost_models.netlist", "hwsim.tensors.quality"} <= found
    assert {"rtl.blocks.accumulator", "rtl.base", "hwsim.formats.base", "hwsim.units"} <= found
    # What a day's points of integers do not hang on.
    others = {
        "rtl.posit", "hwsim.units.posit", "cost_models.report", "cost_models.fit",
        "cost_models.synthesis", "hwsim.cli", "hwsim.cli.sweep", "sweeps.run", "sweeps.plots",
        "sweeps.table", "sweeps.report", "hwsim.accelerator", "hwsim.networks", "rtl.verification",
    }  # fmt: skip
    assert not others & found
    assert {"rtl.posit", "hwsim.units.posit"} <= sources.closure({*COSTS, *posit})


@pytest.fixture
def tree(tmp_path, monkeypatch):
    """A package of three modules in place of hwsim's, and what writes one of them."""
    monkeypatch.setattr(sources, "_ROOT", tmp_path)
    for found in (sources._module, sources._digest):
        found.cache_clear()
    (tmp_path / "rtl").mkdir()

    def write(name, text):
        (tmp_path / "rtl" / f"{name}.py").write_text(text)
        sources._module.cache_clear()
        sources._digest.cache_clear()
        return sources.digest(["rtl.unit"])

    write("__init__", "")
    write("block", "def add(a, b):\n    return a + b\n")
    write("other", "x = 1\n")
    yield write
    sources._module.cache_clear()
    sources._digest.cache_clear()


UNIT = '''\
"""A unit."""
from typing import TYPE_CHECKING
if TYPE_CHECKING:
    from rtl.other import x


def create():
    """Make it."""
    from rtl.block import add

    return add(1, 2)
'''


def test_statements_count_and_nothing_else(tree):
    before = tree("unit", UNIT)
    assert tree("other", "x = 2\n") == before
    assert tree("block", '"""Blocks."""\n# Adds.\ndef add(a, b):\n    return (a + b)\n') == before
    assert tree("unit", UNIT.replace('"""Make it."""', '"""Make one."""  # now')) == before
    assert tree("block", "def add(a, b):\n    return a - b\n") != before
    assert tree("block", "def add(a, b):\n    return a + b\n") == before
    assert tree("unit", UNIT.replace("1, 2", "1, 3")) != before
    assert tree("unit", UNIT.replace("TYPE_CHECKING:", "True:")) != before
    assert tree("unit", UNIT) == before
    assert tree("__init__", "y = 1\n") != before


#: Runs the tasks of a sweep of one unit, and prints the modules that were in their functions.
TRACED = """
import json, sys
from pathlib import Path
import hwsim.formats.ifairy
from hwsim.formats import parse_scalar, scalar_names
from hwsim.registration import OWN_PACKAGES
from hwsim.tensors.load import TensorSource
from hwsim.tensors.quality import formats_of
from hwsim.units import make
from sweeps import costs, qualities, sources
from sweeps.spec import Tensors
from sweeps.targets import Target

root = Path(hwsim.__file__).parent.parent
# What modules make as they are imported is not what tasks do.
for name in scalar_names():
    parse_scalar(name)
unit = make(sys.argv[2], **json.loads(sys.argv[3]))
layers = Tensors(TensorSource(path=Path(sys.argv[1])), 128)
weight, activation = formats_of(unit, 128)
found = {*sources.of_unit(unit), *sources.of_format(weight), *sources.of_format(activation)}
seen = set()

def trace(frame, event, argument):
    if event == "call":
        seen.add(frame.f_code)

sys.setprofile(trace)
qualities.measure(qualities.Measurement(layers, weight, (activation,)))
qualities.measure_unit(qualities.UnitMeasurement(layers, unit))
costs.estimated(costs.Costing(unit, (Target("sky130"),), layers))
sys.setprofile(None)
# Every family is asked whether a name is its own.
files = {Path(code.co_filename) for code in seen if code.co_name not in ("<module>", "parse")}
inside = {file.relative_to(root).with_suffix("") for file in files if file.is_relative_to(root)}
ran = {".".join(name.parts).removesuffix(".__init__") for name in inside}
# An environment may lie beside the packages.
ran = {name for name in ran if name.partition(".")[0] in OWN_PACKAGES}
print(json.dumps(sorted(ran - sources.closure({"sweeps.costs", "sweeps.qualities", *found}))))
"""
#: Small units of all kinds: exact, rounded, of blocks, of tables, with metadata, of elements.
UNITS = {
    "integer": {"lanes": 1, "weight": "int2", "activation": "int2"},
    "nvfp4_dot": {"lanes": 1, "weight": "nvfp4", "activation": "nvfp4"},
}
MORE = {
    "posit": {"lanes": 1, "weight": "posit4_0", "activation": "posit4_0"},
    "fma": {"lanes": 1, "weight": "int4", "activation": "e4m3", "accumulator": "fp16"},
    "codebook": {"lanes": 1, "weight": "nf3", "activation": "int4"},
    "bitmod": {"lanes": 1, "weight": "bitmod3_g64", "activation": "e2m1"},
    "lut_tensor_core": {"lanes": 4, "weight": "int2", "activation": "int4"},
    "array": {"element": "integer", "rows": 2, "columns": 1, "lanes": 1, "weight": "int2",
              "activation": "int2"},
    "mx_dot": {"lanes": 1, "weight": "mxfp4", "activation": "mxfp4"},
    "product_rom": {"lanes": 1, "weight": "pot3", "activation": "pot3"},
    "shift_add": {"lanes": 1, "weight": "int2_asym_g64", "activation": "int4"},
}  # fmt: skip
#: Modules that only find a class or tell what went wrong.
FINDING = {"hwsim.errors", "hwsim.registration", "hwsim.progress"}


@pytest.mark.parametrize(
    "family", [*UNITS, *[pytest.param(name, marks=pytest.mark.exhaustive) for name in MORE]]
)
def test_everything_that_runs_is_found(family, tmp_path):
    assert family in FAMILIES
    layers = ROOT / "tests" / "tensors" / "data" / "minilm.npz"
    given = json.dumps((UNITS | MORE)[family])
    done = subprocess.run(
        [sys.executable, "-c", TRACED, str(layers), family, given],
        capture_output=True, text=True, env={**os.environ, "HWSIM_CACHE": str(tmp_path)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert set(json.loads(done.stdout)) <= FINDING
