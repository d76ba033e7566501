"""What Python users see: ``import hwsim`` is enough, reprs are one line, charts are Figures."""

import importlib
import importlib.util
import inspect
import pkgutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import matplotlib
import numpy as np
import pytest
from matplotlib.figure import Figure

import cost_models
import hwsim
import rtl
import sweeps
from cost_models.breakdown import breakdown
from cost_models.cost import Cost
from hwsim.errors import HwsimError, InputError
from hwsim.formats import block_names, complex_names, scalar_names
from hwsim.formats.fields import Named
from hwsim.formats.minifloat import Minifloat
from hwsim.tensors.sources import Layer
from hwsim.units import UnitSpec
from hwsim.units.integer import IntegerUnit
from rtl.verification import suite
from rtl.verification.run import Verdict
from sweeps.run import Outcome

#: Of a line on a terminal, with some room for long names.
LONGEST = 240


def python(program: str) -> str:
    """Run a program in an interpreter of its own and return what it prints."""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def modules() -> list[ModuleType]:
    """Return all modules of our packages but those that do something when they are imported."""
    names = [
        info.name
        for package in (hwsim, rtl, cost_models, sweeps)
        for info in pkgutil.walk_packages(package.__path__, f"{package.__name__}.")
    ]
    # The testbench runs in the simulator, and the command line runs.
    skipped = {"rtl.verification.bench", "hwsim.cli.__main__"}
    # Torch is an extra.
    if importlib.util.find_spec("torch") is None:
        skipped |= {name for name in names if name.rpartition(".")[2].startswith("torch_")}
    return [importlib.import_module(name) for name in names if name not in skipped]


def test_importing_hwsim_loads_no_library() -> None:
    loaded = python("import sys, hwsim; print(*sys.modules)").split()
    assert "hwsim" in loaded
    ours = [name for name in loaded if name.partition(".")[0] in ("rtl", "cost_models", "sweeps")]
    assert not ours
    assert not {"numpy", "amaranth", "pandas", "matplotlib", "hwsim.formats"} & {*loaded}


@pytest.mark.parametrize("name", hwsim.__all__)
def test_every_name_is_there_after_import_hwsim_alone(name: str) -> None:
    assert name in dir(hwsim)
    value = getattr(hwsim, name)
    assert value.__name__.rpartition(".")[2] == name


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'hwsim' has no attribute 'pares'"):
        hwsim.pares  # noqa: B018


def test_hwsim_alone_makes_a_unit_and_its_verilog() -> None:
    unit = hwsim.make("integer", lanes=1, weight="int2", activation="int2")
    assert hwsim.verilog(unit, hwsim.create(unit)) == hwsim.verilog(unit)
    assert hwsim.parse("mxfp4").bits_per_element == 4.25  # type: ignore[union-attr]


def test_the_command_line_starts_without_libraries_that_it_may_not_need() -> None:
    loaded = python("import sys, hwsim.cli; print(*sys.modules)").split()
    assert not {"pandas", "pyarrow", "matplotlib", "amaranth", "numpy"} & {*loaded}


@pytest.mark.parametrize("name", [*scalar_names(), *complex_names(), *block_names()])
def test_formats_show_what_makes_them(name: str) -> None:
    fmt = hwsim.parse(name)
    assert repr(fmt) == f"hwsim.parse({fmt.name!r})"
    assert eval(repr(fmt), {"hwsim": hwsim}) == fmt


def test_options_of_formats_are_shown() -> None:
    fmt = hwsim.formats.parse_block("int4_g128").with_options(scale="bf16")
    assert repr(fmt) == "hwsim.parse('int4_g128[scale=bf16]')"


def test_a_format_whose_name_is_not_enough_shows_its_fields() -> None:
    class Own(Minifloat):
        @property
        def name(self) -> str:
            return "own"

    shown = repr(Own(2, 1, 1))
    assert "Own(exponent=2, mantissa=1, bias=1, specials=" in shown
    assert "\n" not in shown


@pytest.mark.parametrize("family", hwsim.units.FAMILIES)
def test_units_show_the_call_that_makes_them(family: str) -> None:
    for unit in suite(family):
        assert eval(repr(unit), {"hwsim": hwsim}) == unit
        assert "\n" not in repr(unit)


def test_parameters_with_their_default_are_not_shown() -> None:
    unit = IntegerUnit(lanes=4, weight="int4", activation="int8")  # type: ignore[arg-type]
    assert repr(unit) == "hwsim.make('integer', lanes=4, weight='int4', activation='int8')"


def test_results_are_one_line() -> None:
    unit = hwsim.make("integer", lanes=2, weight="int2", activation="int2")
    cost = hwsim.estimate(unit, "sky130")
    verdict = Verdict(unit.name, True, 9, True, 1, 1, 1, 1, "Icarus", 0.1, "")
    failed = Verdict(unit.name, False, 9, True, 1, 1, 1, 1, "Icarus", 0.1, "first\nsecond")
    x = np.zeros((64, 64))
    shown = [
        cost,
        verdict,
        failed,
        breakdown(unit, "sky130"),
        Layer("w", x, x),
        Outcome((), (), (), 0),
        hwsim.formats.parse_block("mxfp4").quantize(x),
        unit.timing(),
        unit.result,
    ]
    for value in shown:
        assert "\n" not in repr(value)
        assert len(repr(value)) < LONGEST
    assert f"{cost.energy_pj_per_mac:.5g} pJ/MAC" in repr(cost)


def test_all_formats_and_units_have_the_one_line_repr() -> None:
    modules()
    for cls, shared in ((Named, Named.__repr__), (UnitSpec, UnitSpec.__repr__)):
        assert all(one.__repr__ is shared for one in subclasses(cls))


def subclasses(cls: type) -> list[type]:
    """Return all subclasses of ours."""
    direct = [one for one in cls.__subclasses__() if not one.__module__.startswith("tests")]
    return [*direct, *(deeper for one in direct for deeper in subclasses(one))]


def test_every_error_has_the_base() -> None:
    found = {
        value
        for module in modules()
        for value in vars(module).values()
        if inspect.isclass(value)
        and issubclass(value, BaseException)
        and value.__module__.partition(".")[0] in ("hwsim", "rtl", "cost_models", "sweeps")
    }
    assert InputError in found
    assert len(found) > 8
    # An interruption is no error: what catches those must not catch it. Neither is a finding of the
    # tests in the simulator's process, which it turns into a verdict.
    assert {one for one in found if not issubclass(one, HwsimError)} == {
        importlib.import_module("sweeps.run").SweepInterruptedError,
        importlib.import_module("rtl.verification.bench").WrongError,
    }


def test_a_chart_of_a_format_is_a_figure_of_its_own() -> None:
    before = dict(matplotlib.rcParams)
    figure = hwsim.draw(hwsim.formats.parse_scalar("e4m3"))
    assert isinstance(figure, Figure)
    assert len(figure.axes) == 2
    assert dict(matplotlib.rcParams) == before
    program = "import sys, hwsim; hwsim.draw(hwsim.parse('e2m1')); print(*sys.modules)"
    assert "matplotlib.pyplot" not in python(program).split()


@pytest.mark.parametrize("fmt", ["e4m3", hwsim.parse("mxfp4"), hwsim.parse("fp32"), None])
def test_what_has_no_chart_is_refused(fmt: Any) -> None:
    with pytest.raises(InputError, match="charts are drawn"):
        hwsim.draw(fmt)


def test_formats_are_a_data_frame() -> None:
    table = hwsim.frames.formats().set_index("name")
    assert table.loc["e4m3", "max"] == 448
    assert np.isnan(table.loc["int2", "epsilon"])
    assert table.dtypes["bits"] == np.int64
    blocks = hwsim.frames.block_formats().set_index("name")
    assert blocks.loc["mxfp4", "bits_per_element"] == 4.25
    assert blocks.loc["mxfp4", "size"] == 32
    assert "<table" in blocks._repr_html_()
    assert list(hwsim.frames.units()["unit"]) == list(hwsim.units.FAMILIES)


def test_costs_are_a_data_frame() -> None:
    unit = hwsim.make("integer", lanes=2, weight="int2", activation="int2")
    costs = [hwsim.estimate(unit, name) for name in ("sky130", "asap7")]
    table = hwsim.frames.costs(costs)
    assert list(table["technology"]) == ["sky130", "asap7"]
    assert list(table["energy_pj_per_mac"]) == [cost.energy_pj_per_mac for cost in costs]
    assert (table["area_um2_error_95_percent"] > table["area_um2_error_68_percent"]).all()
    measured = Cost("u", "t", "synthesis", 10.0, 2.0, 1.0, 0.1, 0.2, 5.0, 4.0, provenance={
        "candidates": [{"area_um2": 10.0, "delay_ns": 2.0}, {"area_um2": 11.0, "delay_ns": 2.0}]
    })  # fmt: skip
    spread = hwsim.frames.costs([measured])["area_um2_spread_percent"]
    assert spread[0] == pytest.approx(10)
    with pytest.raises(InputError, match="allowed: a list of costs"):
        hwsim.frames.costs(costs[0])  # type: ignore[arg-type]


def test_published_numbers_are_a_data_frame() -> None:
    every = hwsim.frames.published()
    table = hwsim.frames.published({"node": "28"})
    assert 0 < len(table) < len(every)
    assert set(table["node"]) == {28}
    assert table.dtypes["value"] == np.float64
    with pytest.raises(InputError, match="unknown filter"):
        hwsim.frames.published({"nodes": "28"})


def test_a_folder_without_results_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="run a sweep into"):
        hwsim.results(tmp_path)
    (tmp_path / "results.parquet").write_text("no table")
    with pytest.raises(InputError, match="is no table of a sweep"):
        hwsim.results(tmp_path)


def test_a_cost_is_a_table_in_a_notebook():
    unit = hwsim.make("integer", lanes=1, weight="int4", activation="int4")
    cost = hwsim.estimate(unit, "sky130")
    shown = cost._repr_html_()
    assert f"<th>{unit.name}</th><th>sky130, estimate</th>" in shown
    assert f'<td style="text-align: right">{cost.area_um2:.5g}</td>' in shown
    assert shown.count("<tr>") == 1 + len(cost.metrics())
