import gzip
from pathlib import Path

import numpy as np
import pytest

from cost_models import technology
from cost_models.operands import Operands, default_operands
from cost_models.synthesis import liberty, opensta, synthesize
from cost_models.synthesis.opensta import StaError
from hwsim.errors import InputError, MissingToolError
from hwsim.units import make

#: Rows of the held-out table.
UNITS = (1, 15)


@pytest.mark.parametrize("row", UNITS)
def test_synthesis_is_within_the_printed_error_of_the_estimate(row):
    loaded = technology.load("osu018")
    declared = [unit for unit in loaded.units if unit["held_out"]][row]
    cost = synthesize(make(declared["family"], **declared["parameters"]), "osu018")
    assert cost.method == "synthesis"
    for quantity, field in (("area", "area_um2"), ("delay", "delay_ns"), ("energy", "energy_pj")):
        band = loaded.errors["unseen_units"][quantity]["max_percent"] / 100
        assert declared["estimate"][field] == pytest.approx(getattr(cost, field), rel=band)


def test_plain_and_compressed_files_give_the_same(tmp_path):
    unit = make("integer", lanes=1, weight="int2", activation="int2")
    compressed = tmp_path / "osu018.lib.gz"
    compressed.write_bytes(gzip.compress(liberty.OSU018.read_bytes()))
    plain, packed = (synthesize(unit, "osu018", files) for files in (None, [compressed]))
    assert packed.area_um2 == plain.area_um2
    assert packed.energy_pj == plain.energy_pj
    assert 0 < plain.clock_pj < plain.energy_pj
    assert plain.leakage_nw > 0


def test_operands_set_the_energy():
    unit = make("integer", lanes=1, weight="int4", activation="int4")
    busy = default_operands(unit)
    idle = Operands(*(np.zeros_like(codes) for codes in busy[:2]))
    full, rest = (synthesize(unit, "osu018", None, operands) for operands in (busy, idle))
    assert rest.clock_pj == pytest.approx(full.clock_pj)
    assert rest.clock_pj <= rest.energy_pj < 0.5 * full.energy_pj


SMALL = make("integer", lanes=1, weight="int2", activation="int2")


def test_missing_opensta_is_named(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MissingToolError, match="apt-get install opensta"):
        synthesize(SMALL, "osu018")


def test_missing_osu018_is_named(monkeypatch, tmp_path):
    monkeypatch.setattr(liberty, "OSU018", tmp_path / "osu018_stdcells.lib")
    with pytest.raises(InputError, match=r"apt-get install qflow-tech-osu018.*--liberty FILE"):
        synthesize(SMALL, "osu018")


def test_other_technologies_need_a_file():
    with pytest.raises(InputError, match="sky130 needs its cell library: give --liberty FILE"):
        synthesize(SMALL, "sky130")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"module x; endmodule", "not a Liberty file"),
        (b"\x1f\x8bgarbage", "cannot read"),
        (b"library (empty) {\n}\n", "no flip-flop in my.lib; give all files"),
    ],
)
def test_unsuitable_files_are_refused(tmp_path, content, message):
    path = tmp_path / "my.lib"
    path.write_bytes(content)
    with pytest.raises(InputError, match=message):
        synthesize(SMALL, "mine", [path])


def test_unreadable_file_is_named(tmp_path):
    with pytest.raises(InputError, match=r"cannot read the Liberty file .*none\.lib"):
        synthesize(SMALL, "mine", [tmp_path / "none.lib"])


@pytest.mark.parametrize(
    "netlist",
    [
        "module top(input clk, output q); NOSUCHCELL u (.A(clk), .Y(q)); endmodule",
        "module top(input clk, output a, output b); assign {a, b} = {clk, clk}; endmodule",
    ],
)
def test_what_opensta_cannot_read_is_an_error(tmp_path, netlist):
    verilog: Path = tmp_path / "top.v"
    verilog.write_text(netlist)
    with liberty.opened("osu018", None) as library, pytest.raises(StaError, match="top"):
        opensta.analyse([verilog], library)
