import gzip
import json
import re

import numpy as np
import pytest

from cost_models import bands, technology
from cost_models.operands import default_operands
from cost_models.synthesis import liberty, measure, measure_streams, synthesize, yosys
from cost_models.synthesis.mapped import MappingError
from cost_models.synthesis.opensta import StaError
from hwsim import cli
from hwsim.errors import InputError, MissingToolError
from hwsim.units import make
from hwsim.units.operands import Operands
from rtl.yosys import YosysError

#: What OpenSTA says of four netlists.
SLACKS = (
    "for k in 1 2 3 4; do echo worst slack {slack}; done; echo slews of x; echo u1/Y ^ 1:1 v 1:1"
)
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


def test_several_operands_share_a_netlist(library):
    """Each costs what it does alone."""
    busy = default_operands(SMALL)
    idle = Operands(np.zeros_like(busy.activations), np.zeros_like(busy.weights))
    alone = [measure(SMALL, "osu018", library, one) for one in (idle, None)]
    assert measure_streams(SMALL, "osu018", library, [idle, None]) == alone
    assert alone[0].settled_pj < alone[1].settled_pj
    with pytest.raises(InputError, match="no clock gate for rising edges"):
        measure_streams(SMALL, "osu018", library, [None], clock_gating=True)
    with pytest.raises(InputError, match="clock_gating='yes': allowed: True, False"):
        measure_streams(SMALL, "osu018", library, [None], clock_gating="yes")


@pytest.fixture(scope="module")
def cost():
    return synthesize(SMALL, "osu018")


def test_glitches_come_on_top(cost):
    assert 0.05 * cost.settled_pj < cost.glitch_pj < 5 * cost.settled_pj
    assert json.loads(json.dumps(cost.to_dict())) == cost.to_dict()


def test_provenance_says_what_was_done(cost, library):
    made = cost.provenance
    assert set(made["tools"]) == {"yosys", "opensta"}
    assert made["objective"] == "area"
    assert made["driving_cell"] == library.buffer == "BUFX2"
    assert made["cycles"] >= 128
    assert 128 <= made["cycles_with_delays"] <= made["cycles"]
    assert 0 < made["toggles_per_net_and_cycle"] < 1
    assert made["hazards_per_net_and_cycle"] > 0
    assert made["glitch_pj_with_unit_delays"] > cost.glitch_pj
    assert made["violations"]["max_capacitance"]["count"] == 0
    assert made["cells"] > 50


@pytest.fixture(scope="module")
def fastest(flow):
    return flow.fastest()


def test_the_least_area_is_that_of_the_fastest_that_is_hardly_larger(mapped):
    candidates = mapped.candidates
    assert [c["variant"] for c in candidates] == list(yosys.STARTS)
    assert len({c["style"] for c in candidates}) == 1
    most = (1 + yosys.LARGER) * min(c["area_um2"] for c in candidates)
    assert mapped.delay_ns == min(c["delay_ns"] for c in candidates if c["area_um2"] <= most)
    assert (mapped.area_um2, mapped.delay_ns, mapped.variant) in [
        (c["area_um2"], c["delay_ns"], c["variant"]) for c in candidates
    ]


def test_the_least_area_is_less_than_of_what_is_made_for_speed(mapped, fastest):
    for candidate in mapped.candidates:
        assert candidate["area_um2"] < min(c["area_um2"] for c in fastest.candidates)
        assert candidate["delay_ns"] > fastest.delay_ns


def test_speed_is_the_least_delay_of_all(fastest):
    assert fastest.delay_ns == min(c["delay_ns"] for c in fastest.candidates)
    assert {c["variant"] for c in fastest.candidates} == {"fast", "flow"}


def test_all_multiplier_styles_are_tried(library, tmp_path):
    unit = make("integer", lanes=1, weight="int4", activation="int4", adders="operators")
    flow = yosys.Flow(unit, library, tmp_path)
    tried = {c["style"] for c in flow.fastest().candidates}
    assert tried == {"noalumacc", "booth"}
    # The smallest of all styles from the first start is that of the least area.
    areas = {name: flow.areas[name] for name in flow._map(flow._each(["direct"]))}
    assert flow.smallest().style == min(areas, key=areas.__getitem__).split("__")[0]


@pytest.mark.parametrize("share", [0.15, 0.6])
def test_a_clock_is_met_with_less_area(flow, mapped, fastest, share):
    clock = fastest.delay_ns + share * (mapped.delay_ns - fastest.delay_ns)
    between = flow.for_clock(clock)
    assert between.delay_ns <= clock
    assert between.area_um2 < fastest.area_um2
    meeting = [c["area_um2"] for c in between.candidates if c["delay_ns"] <= clock]
    assert between.area_um2 == min(meeting)


def test_a_clock_that_nothing_meets_gives_the_fastest(flow, fastest):
    found = flow.for_clock(0.5 * fastest.delay_ns)
    assert found.delay_ns == fastest.delay_ns
    assert found.area_um2 == fastest.area_um2


def test_a_clock_that_the_fastest_just_meets_is_met(flow, fastest):
    assert flow.for_clock(fastest.delay_ns).delay_ns <= fastest.delay_ns


def test_density_is_the_least_area_times_delay(flow, mapped, fastest):
    best = flow.densest()
    product = best.area_um2 * best.delay_ns
    for other in (mapped, fastest, *map(flow.for_clock, (best.delay_ns, mapped.delay_ns))):
        assert product <= other.area_um2 * other.delay_ns
    # The others were sized for the same, so that they say what the flow's noise is.
    products = [c["area_um2"] * c["delay_ns"] for c in best.candidates]
    assert product == min(products)
    assert len(products) == len(flow.styles) * 2
    assert {c["variant"] for c in best.candidates} == {
        f"{cover}{best.variant.removeprefix('fast').removeprefix('flow')}"
        for cover in ("fast", "flow")
    }


def test_density_is_measured(library, flow):
    cost = measure(SMALL, "osu018", library, objective="density")
    assert (cost.provenance["objective"], cost.clock_ns) == ("density", None)
    for objective in ("area", "speed"):
        other = measure(SMALL, "osu018", library, objective=objective)
        assert cost.gmacs_per_s_per_mm2 >= other.gmacs_per_s_per_mm2


@pytest.mark.parametrize("clock_ns", [0.5, 50.0])
def test_slack_is_to_the_clock(library, clock_ns):
    cost = measure(SMALL, "osu018", library, clock_ns=clock_ns)
    assert cost.provenance["objective"] == "clock"
    assert cost.slack_ns == clock_ns - cost.delay_ns
    assert (cost.slack_ns >= 0) == (clock_ns == 50)
    assert cost.period_ns == max(clock_ns, cost.delay_ns)


@pytest.mark.parametrize("clock_ns", [0, -1.0, float("nan")])
def test_a_clock_must_be_positive(library, clock_ns):
    with pytest.raises(InputError, match="clock"):
        measure(SMALL, "osu018", library, clock_ns=clock_ns)


def test_abc_knows_what_drives_inputs_and_flip_flops(unit, library, mapped, fastest, tmp_path):
    """Without the driving cell, or with a stronger one, the netlists would be others."""
    delays = {}
    for lines in ("set_load 1.0\n", "set_driving_cell INVX8\nset_load 1.0\n", None):
        flow = yosys.Flow(unit, library, tmp_path)
        constraints = tmp_path / "constraints"
        assert constraints.read_text().startswith(f"set_driving_cell {library.buffer}\n")
        if lines is not None:
            constraints.write_text(lines)
        delays[lines] = flow.fastest().delay_ns, flow.smallest().delay_ns
    assert len(set(delays.values())) == 3
    assert delays[None] == (fastest.delay_ns, mapped.delay_ns)


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
        ("nom_voltage : 1.8", "nom_voltage : 1.6", r"different corners: voltage_v 1.6 and 1.8"),
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


def test_icarus_is_not_needed(fake_tool):
    """Synthesis simulates by itself."""
    fake_tool("iverilog", "exit 3")
    fake_tool("vvp", "exit 3")
    assert synthesize(SMALL, "osu018").glitch_pj > 0


def test_command_line_takes_an_objective(capsys):
    unit = ["cost", "integer", "lanes=1", "weight=int2", "activation=int2"]
    synthesis = ["--method", "synthesis", "--technology", "osu018", "--json"]
    assert cli.main([*unit, *synthesis, "--objective", "speed"]) == 0
    (made,) = json.loads(capsys.readouterr().out)
    assert made["provenance"]["objective"] == "speed"
    estimate = [*unit, "--technology", "osu018", "--json"]
    assert cli.main([*estimate, "--objective", "speed"]) == 0
    (estimated,) = json.loads(capsys.readouterr().out)
    assert estimated["provenance"]["objective"] == "speed"
