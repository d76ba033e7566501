import gzip
import json
import re
from pathlib import Path
from statistics import median

import numpy as np
import pytest

from cost_models import bands, technology
from cost_models.operands import default_operands
from cost_models.synthesis import liberty, opensta, synthesize
from cost_models.synthesis.mapped import MappingError
from cost_models.synthesis.opensta import StaError
from hwsim import cli
from hwsim.errors import InputError, MissingToolError
from hwsim.units import make
from hwsim.units.operands import Operands
from rtl.yosys import YosysError

#: What OpenSTA says of three netlists.
SLACKS = "for k in 1 2 3; do echo worst slack {slack}; done; echo slews of x; echo u1/Y ^ 1:1 v 1:1"
SMALL = make("integer", lanes=1, weight="int2", activation="int2")

#: Rows of the held-out table.
UNITS = (1, 15)


@pytest.mark.parametrize("row", UNITS)
def test_synthesis_is_within_the_printed_error_of_the_estimate(row):
    loaded = technology.load("osu018")
    declared = [unit for unit in loaded.units if unit["held_out"]][row]
    cost = synthesize(make(declared["family"], **declared["parameters"]), "osu018")
    assert cost.method == "synthesis"
    for quantity, (field, *more) in bands.QUANTITIES.items():
        if more:
            continue
        band = loaded.errors["unseen_units"][quantity]["max_percent"] / 100
        assert declared["estimate"][field] == pytest.approx(getattr(cost, field), rel=band)


def test_plain_and_compressed_files_give_the_same(cost, tmp_path):
    compressed = tmp_path / "osu018.lib.gz"
    compressed.write_bytes(gzip.compress(liberty.OSU018.read_bytes()))
    packed = synthesize(SMALL, "osu018", [compressed])
    assert packed.area_um2 == cost.area_um2
    assert packed.settled_pj == cost.settled_pj
    assert 0 < cost.clock_pj < cost.settled_pj
    assert cost.leakage_nw > 0


def test_operands_set_the_energy(cost):
    busy = default_operands(SMALL)
    idle = Operands(np.zeros_like(busy.activations), np.zeros_like(busy.weights))
    rest = synthesize(SMALL, "osu018", None, idle)
    assert rest.clock_pj == pytest.approx(cost.clock_pj)
    assert rest.clock_pj <= rest.settled_pj
    assert rest.settled_pj - rest.clock_pj < 0.2 * (cost.settled_pj - cost.clock_pj)


@pytest.fixture(scope="module")
def cost():
    return synthesize(SMALL, "osu018")


def test_glitches_come_on_top(cost):
    assert 0.05 * cost.settled_pj < cost.glitch_pj < 5 * cost.settled_pj
    assert json.loads(json.dumps(cost.to_dict())) == cost.to_dict()


def test_provenance_says_what_was_done(cost):
    made = cost.provenance
    assert set(made["tools"]) == {"yosys", "opensta", "icarus"}
    assert made["objective"] == "area"
    assert made["cycles"] >= 128
    assert 0 < made["toggles_per_net_and_cycle"] < made["toggles_per_net_and_cycle_with_glitches"]
    assert made["cells"] > 50


def test_area_delay_and_energy_are_of_the_netlist_of_median_delay(cost):
    candidates = cost.provenance["candidates"]
    assert [c["variant"] for c in candidates] == ["direct", "gates", "and_xor"]
    assert len({c["style"] for c in candidates}) == 1
    assert cost.delay_ns == median(c["delay_ns"] for c in candidates)
    assert (cost.area_um2, cost.delay_ns, cost.provenance["variant"]) in [
        (c["area_um2"], c["delay_ns"], c["variant"]) for c in candidates
    ]


def test_speed_is_the_least_delay_of_all_styles():
    unit = make("integer", lanes=1, weight="int4", activation="int4")
    small, fast = (synthesize(unit, "osu018", objective=o) for o in ("area", "speed"))
    assert fast.delay_ns < small.delay_ns
    candidates = fast.provenance["candidates"]
    assert fast.delay_ns == min(c["delay_ns"] for c in candidates)
    assert {c["style"] for c in candidates} == {"default", "noalumacc", "booth"}


def test_missing_opensta_is_named(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MissingToolError, match="apt-get install opensta"):
        synthesize(SMALL, "osu018")


def test_missing_osu018_is_named(monkeypatch, tmp_path):
    monkeypatch.setattr(liberty, "OSU018", tmp_path / "osu018_stdcells.lib")
    with pytest.raises(
        MissingToolError, match=r"apt-get install qflow-tech-osu018.*--liberty FILE"
    ):
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


def without(text, pattern):
    changed = re.sub(pattern, "", text, flags=re.DOTALL)
    assert changed != text
    return changed


def test_a_library_without_functions_is_refused(tmp_path):
    path = tmp_path / "my.lib"
    path.write_text(without(liberty.OSU018.read_text(), r"function : [^;]*;"))
    with pytest.raises(InputError, match=r"no cell in my\.lib has a function"):
        synthesize(SMALL, "mine", [path])


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("internal_power", "no_power", r"library cell \S+ has no internal_power"),
        ("cell_leakage_power", "something_else", r"library cell \S+ has no leakage power"),
        ('voltage_unit : "1V"', 'voltage_unit : "1kV"', r"voltage_unit is '1kV'"),
    ],
)
def test_a_library_that_says_too_little_is_refused(edited, old, new, message):
    with pytest.raises(InputError, match=message):
        synthesize(SMALL, "mine", [edited(old, new)])


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("nom_voltage : 1.8", "nom_voltage : 1.6", r"different supply voltages: 1.6 and 1.8 V"),
        ("library(osu018_stdcells)", "library(other)", r"AND2X1 is in more than one Liberty file"),
    ],
)
def test_files_that_are_no_library_together_are_refused(edited, old, new, message):
    with pytest.raises(InputError, match=message):
        synthesize(SMALL, "mine", [edited(old, new), liberty.OSU018])


def test_falling_edge_flip_flops_alone_are_refused(tmp_path):
    path = tmp_path / "my.lib"
    text = liberty.OSU018.read_text()
    for name in ("DFFPOSX1", "DFFSR"):
        text = without(text, rf"cell \({name}\).*?(?=/\* -)")
    path.write_text(text)
    with pytest.raises(MappingError, match=r"DFFNEGX1 u\d+ is not clocked by the port clk"):
        synthesize(SMALL, "mine", [path])


LATCH = """
module \\top
  wire input 1 \\clk
  wire input 2 \\d
  wire output 3 \\q
  cell $dlatch $1
    parameter \\WIDTH 1
    parameter \\EN_POLARITY 1'1
    connect \\EN \\clk
    connect \\D \\d
    connect \\Q \\q
  end
end
"""


def test_a_latch_is_refused(monkeypatch):
    text = LATCH.replace("top", SMALL.name)
    monkeypatch.setattr("cost_models.synthesis.yosys.rtlil_text", lambda unit: text)
    with pytest.raises(YosysError, match=r"type \$_DLATCH_P_\) .* D latches are not supported"):
        synthesize(SMALL, "osu018")


def test_a_cell_that_stays_unmapped_is_an_error(monkeypatch):
    text = LATCH.replace("top", SMALL.name).replace("$dlatch", "$tribuf").replace("Q", "Y")
    text = text.replace("    parameter \\EN_POLARITY 1'1\n", "").replace("\\D", "\\A")
    monkeypatch.setattr("cost_models.synthesis.yosys.rtlil_text", lambda unit: text)
    with pytest.raises(MappingError, match=r"the library has no cell for \$_TBUF_"):
        synthesize(SMALL, "osu018")


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("exit 3", "OpenSTA failed on"),
        ("echo Error: no; exit 0", "OpenSTA failed on"),
        ("exit 0", "OpenSTA reports no slack or slews"),
        (SLACKS.format(slack="INF"), "OpenSTA reports no slack or slews"),
        (SLACKS.format(slack="1e+30"), "OpenSTA reports no slack or slews"),
    ],
)
def test_an_opensta_that_fails_is_an_error(fake_tool, script, message):
    fake_tool("sta", script)
    with pytest.raises(StaError, match=message):
        synthesize(SMALL, "osu018")


def test_missing_icarus_is_named(monkeypatch, tmp_path, fake_tool):
    fake_tool("sta", "exit 0")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    with pytest.raises(MissingToolError, match="apt-get install iverilog"):
        synthesize(SMALL, "osu018")


def test_command_line_takes_an_objective(capsys):
    unit = ["cost", "integer", "lanes=1", "weight=int2", "activation=int2"]
    synthesis = ["--method", "synthesis", "--technology", "osu018", "--json"]
    assert cli.main([*unit, *synthesis, "--objective", "speed"]) == 0
    (made,) = json.loads(capsys.readouterr().out)
    assert made["provenance"]["objective"] == "speed"
    assert cli.main([*unit, "--objective", "speed"]) == 2
    assert "--objective goes with --method synthesis" in capsys.readouterr().err
