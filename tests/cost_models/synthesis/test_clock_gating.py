"""Clock gates: read from a library, put into netlists, and priced."""

import subprocess

import numpy as np
import pytest

from cost_models import synthesis
from cost_models.operands import default_operands
from cost_models.synthesis import clock_gating, liberty, mapped, opensta, simulation, yosys
from cost_models.synthesis.cells import read_cell, read_header
from cost_models.synthesis.energy import energies
from cost_models.synthesis.mapped import Instance, MappedNetlist, MappingError
from hwsim.errors import InputError
from hwsim.units import make
from rtl import icarus

HEAD = """library (l) {
  time_unit : "1ns"; voltage_unit : "1V"; leakage_power_unit : "1nW";
  capacitive_load_unit (1,ff); nom_voltage : 2;
"""


def power(rise, fall, rest=""):
    return (
        f'internal_power () {{ {rest} rise_power (scalar) {{ values ("{rise}"); }} '
        f'fall_power (scalar) {{ values ("{fall}"); }} }}'
    )


#: Closed, the clock takes 1 and 1; open, the output takes 4 and 2 and the clock nothing.
GATE = f"""cell (GATE) {{ area : 9; cell_leakage_power : 5;
  clock_gating_integrated_cell : "latch_posedge_precontrol";
  statetable ("CK E TE", "M") {{ table : "L L L : - : L, L H - : - : H, L - H : - : H,
    H - - : - : N"; }}
  pin (M) {{ direction : internal; internal_node : "M"; }}
  pin (CK) {{ direction : input; clock_gate_clock_pin : true; capacitance : 3;
    {power(1, 1, 'when : "!E * !TE * !GCK";')} {power(7, 7, 'when : "E * !TE * !GCK";')} }}
  pin (E) {{ direction : input; clock_gate_enable_pin : true; capacitance : 2; {power(3, 3)} }}
  pin (TE) {{ direction : input; clock_gate_test_pin : true; capacitance : 2; {power(3, 3)} }}
  pin (GCK) {{ direction : output; clock_gate_out_pin : true; state_function : "CK * M";
    max_capacitance : 50;
    {power(4, 2, 'related_pin : "CK"; when : "E + TE";')}
    {power(40, 20, 'related_pin : "CK"; when : "!E * !TE";')} }} }}"""

FLIP_FLOP = f"""cell (FF) {{ area : 4; cell_leakage_power : 1;
  ff (IQ, IQN) {{ clocked_on : "CK"; next_state : "D"; }}
  pin (CK) {{ direction : input; capacitance : 1; {power(8, 6)} }}
  pin (D) {{ direction : input; capacitance : 1; }}
  pin (Q) {{ direction : output; function : "IQ"; {power(9, 9, 'related_pin : "CK";')} }} }}"""

#: A clock gate beside osu018, in its units: pF, V^2 pF.
FOR_OSU018 = f"""cell (CKGATE) {{ area : 96; cell_leakage_power : 0.2; dont_use : true;
  clock_gating_integrated_cell : latch_posedge;
  latch (IQ, IQN) {{ enable : "!CK"; data_in : "E"; }}
  pin (CK) {{ direction : input; clock : true; clock_gate_clock_pin : true; capacitance : 0.01;
    {power(0.01, 0.01)} }}
  pin (E) {{ direction : input; clock_gate_enable_pin : true; capacitance : 0.005;
    {power(0.01, 0.01)}
    timing () {{ related_pin : "CK"; timing_type : setup_rising;
      rise_constraint (scalar) {{ values ("0.25"); }}
      fall_constraint (scalar) {{ values ("0.25"); }} }} }}
  pin (GCK) {{ direction : output; clock_gate_out_pin : true; function : "CK * IQ";
    max_capacitance : LOAD; {power(0.02, 0.02, 'related_pin : "CK";')}
    timing () {{ related_pin : "CK"; timing_sense : positive_unate;
      cell_rise (scalar) {{ values ("0.1"); }} rise_transition (scalar) {{ values ("0.1"); }}
      cell_fall (scalar) {{ values ("0.1"); }} fall_transition (scalar) {{ values ("0.1"); }}
    }} }} }}
"""


def cell(text):
    return read_cell(text, read_header(HEAD, "my.lib"))


def per_toggle(arc):
    return arc.per_toggle(*(np.ones(1),) * 3).item()


def test_a_clock_gate_is_read():
    made = cell(GATE)
    gate = made.clock_gate
    assert (gate.enable_pin, gate.clock_pin, gate.output_pin) == ("E", "CK", "GCK")
    assert (gate.test_pins, gate.state, gate.area_um2) == (("TE",), "M", 9.0)
    assert made.clock_pin == "CK"
    assert made.most_load == {"GCK": 50.0}
    assert per_toggle(made.input_arcs["CK"]) == 1
    # What a clock takes that leaves the output at 0 is not taken where it does not.
    assert per_toggle(made.clock_arc) == 0
    assert per_toggle(made.output_arcs["GCK"][0]) == 3


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("latch_posedge_precontrol", "latch_negedge", "of the kind latch_negedge; allowed"),
        ("clock_gate_enable_pin : true;", "", "with 0 clock_gate_enable_pins, not 1"),
        ("clock_gate_test_pin : true;", "", "more than enable, clock, output and test pins"),
        ('"CK * M"', '"CK + M"', "does not gate CK with the latched E"),
        ("statetable (", "states (", "without a latch or a statetable"),
        ("area : 9;", "", "has no area"),
    ],
)
def test_clock_gates_of_another_kind_are_refused(old, new, message):
    assert old in GATE
    with pytest.raises(InputError, match=message):
        cell(GATE.replace(old, new))


@pytest.fixture
def small():
    """Two flip-flops behind a gate and one before none; nets by name."""
    nets = {name: k for k, name in enumerate(("0", "1", "clk", "e", "d", "gck", "q0", "q1", "q2"))}
    flip_flop, gate = cell(FLIP_FLOP), cell(GATE)
    pins = {"CK": "gck", "D": "d"}
    instances = [
        Instance(name, made, {pin: nets[net] for pin, net in connections.items()})
        for name, made, connections in (
            ("g", gate, {"CK": "clk", "E": "e", "TE": "0", "GCK": "gck"}),
            ("a", flip_flop, pins | {"Q": "q0"}),
            ("b", flip_flop, pins | {"Q": "q1"}),
            ("c", flip_flop, {"CK": "clk", "D": "d", "Q": "q2"}),
        )
    ]
    inputs = {"clk": [nets["clk"]], "e": [nets["e"]], "d": [nets["d"]]}
    outputs = {"q": [nets["q0"], nets["q1"], nets["q2"]]}
    return MappedNetlist(instances, inputs, outputs, len(nets)), nets


def test_enables_of_flip_flops(small):
    netlist, nets = small
    assert [netlist.enable(i) for i in netlist.flip_flops] == [nets["e"], nets["e"], 1]
    assert {net: gate.name for net, gate in netlist.clock_gates.items()} == {nets["gck"]: "g"}


def test_energy_of_a_gated_clock_by_hand(small):
    netlist, nets = small
    slews = {(i.name, pin): (0.0, 0.0) for i in netlist.instances for pin in i.nets}
    priced = energies(netlist, slews, 2.0)
    # A flip-flop's clock pin takes 8 and 6 and charges 1 fF to 2 V; the gate's 1 and 1, and 3 fF.
    assert priced.clock_fj == pytest.approx((14 + 4) + (2 + 12))
    # Open, it saves 1 and 1, its output takes 4 and 2 and charges 2 fF, and two pins take 14 each.
    by_share = {
        share: clock_gating.gated_clock_energy(netlist, slews, priced.toggle_fj, ones)
        for share in (0.0, 0.25, 1.0)
        for ones in [np.where(np.arange(netlist.nets) == nets["e"], share, 0.0)]
    }
    whole = -2 + 6 + 8 + 28
    assert by_share == pytest.approx({0.0: 0.0, 0.25: whole / 4, 1.0: whole})
    assert priced.leakage_nw == 5 + 3 * 1


@pytest.mark.parametrize(
    ("name", "pin", "net", "message"),
    [
        ("g", "TE", "1", "TE of clock gate GATE g is not tied to 0"),
        ("g", "CK", "e", "clock gate GATE g is not clocked by the port clk"),
        ("c", "CK", "e", "flip-flop FF c is not clocked by the port clk"),
        ("c", "D", "gck", "D of FF c is a gated clock"),
    ],
)
def test_clocks_through_anything_else_are_refused(small, name, pin, net, message):
    netlist, nets = small
    changed = [
        Instance(i.name, i.cell, i.nets | {pin: nets[net]}) if i.name == name else i
        for i in netlist.instances
    ]
    with pytest.raises(MappingError, match=message):
        mapped._check(MappedNetlist(changed, netlist.inputs, netlist.outputs, netlist.nets))


def test_osu018_has_no_clock_gate(unit, library):
    assert library.clock_gates == ()
    assert clock_gating.characterise(library) is None
    with pytest.raises(InputError, match=r"no clock gate for rising edges in osu018_stdcells\.lib"):
        synthesis.measure(unit, "osu018", library, clock_gating=True)


@pytest.fixture(scope="module")
def with_gates(tmp_path_factory):
    """osu018 with two sizes of a clock gate."""
    text = liberty.OSU018.read_text()
    path = tmp_path_factory.mktemp("gates") / "gates.lib"
    gates = FOR_OSU018.replace("LOAD", "0.2") + FOR_OSU018.replace("LOAD", "1.0").replace(
        "CKGATE", "CKGATE2"
    ).replace("area : 96", "area : 128")
    end = text.rindex("}")
    path.write_text(text[:end] + gates + text[end:])
    with liberty.opened("mine", [path]) as opened:
        yield opened


def test_sizes_are_for_what_they_drive(with_gates, tmp_path):
    pin = with_gates.cell("DFFPOSX1").inputs["CLK"]
    assert clock_gating.clock_load(with_gates) == pytest.approx(pin)
    small, large = clock_gating.characterise(with_gates)
    assert (small["cell"], large["cell"]) == ("CKGATE", "CKGATE2")
    assert small["flip_flops"] == int(200 / pin)
    # Inside 10 and 10 fJ, and 10 fF; open, its output takes 20 and 20 fJ.
    assert small["closed_fj_per_cycle"] == pytest.approx(20 + 10 * with_gates.voltage**2)
    assert small["open_fj_per_cycle"] == pytest.approx(60 + 10 * with_gates.voltage**2)
    first, second = clock_gating.commands(with_gates, tmp_path)[-2:]
    assert first == f"clockgate -pos CKGATE2 E:CK:GCK -min_net_size {int(200 / pin) + 1}"
    assert second == "clockgate -pos CKGATE E:CK:GCK -min_net_size 4"


#: A register with a reset of its own and one without, both with enables.
UNIT = make("bitmod", lanes=1, activation="fp16", group_size=8)


@pytest.fixture(scope="module")
def gated(with_gates, tmp_path_factory):
    return yosys.Flow(UNIT, with_gates, tmp_path_factory.mktemp("gated"), True).smallest()


def test_a_gated_netlist_is_simulated_and_priced(gated, with_gates):
    netlist = gated.netlist
    behind = [i for i in netlist.flip_flops if netlist.enable(i) != 1]
    assert len(netlist.clock_gates) > 2
    assert len(behind) > len(netlist.flip_flops) / 2
    # Compares the results with the golden model's.
    toggles = simulation.simulate(UNIT, netlist, default_operands(UNIT), gated.timing.delays)
    assert toggles.ones[1] == toggles.idle.ones[1] == 1
    shares = toggles.ones[[netlist.enable(i) for i in behind]]
    assert shares.min() < 0.5 < shares.max() <= 1
    assert not toggles.idle.ones[[netlist.enable(i) for i in behind]].any()
    cost = synthesis._priced(UNIT, "mine", with_gates, None, gated, None, "area")
    priced = energies(netlist, gated.timing.slews, with_gates.voltage)
    assert cost.provenance["clock_gates"] == len(netlist.clock_gates)
    # Idle, no gate opens and nothing moves: what is left is the free clock.
    assert cost.idle_pj == pytest.approx(priced.clock_fj * 1e-3)
    assert cost.clock_pj > cost.idle_pj


def test_opensta_times_through_the_gates(gated):
    """The enable has to be there a setup before the edge, the flip-flops have the edge's time."""
    name = next(iter(gated.netlist.clock_gates.values())).name
    behind = next(i for i in gated.netlist.flip_flops if gated.netlist.enable(i) != 1)
    script = gated.verilog.parent / "gate.tcl"
    script.write_text(
        (gated.verilog.parent / "analyse.tcl").read_text()
        + f"report_checks -to unit/{name}/E -format full_clock_expanded\n"
        + f"report_checks -from unit/{behind.name}/CLK -format full_clock_expanded\n"
    )
    log = subprocess.run(
        [opensta.find(), "-no_splash", "-exit", script.name],
        cwd=script.parent, capture_output=True, text=True, check=True, stdin=subprocess.DEVNULL,
    ).stdout  # fmt: skip
    assert "rising clock gating-check end-point clocked by clk" in log
    assert "-250.00" in log[: log.index("library setup time")].splitlines()[-1]
    assert f"Startpoint: unit/{behind.name} (rising edge-triggered flip-flop clocked by clk)" in log
    assert "Error" not in log


def verilog(expression, names):
    """Return an expression in Verilog, with names in the place of its variables."""
    parts = [verilog(operand, names) for operand in expression.operands]
    match expression.operator:
        case "name":
            return names[expression.text]
        case "constant":
            return f"1'b{expression.text}"
        case "not":
            return f"~{parts[0]}"
    return f"({ {'and': ' & ', 'or': ' | ', 'xor': ' ^ '}[expression.operator].join(parts) })"


def models(netlist):
    """Cells in Verilog: a clock gate is a latch and an AND, as Liberty says."""
    for made in {i.cell.name: i.cell for i in netlist.instances}.values():
        pins = {pin: pin for pin in made.inputs}
        lines = [f"module {made.name} ({', '.join([*made.inputs, *made.outputs])});"]
        lines += [f"input {pin};" for pin in made.inputs]
        lines += [f"output {pin};" for pin in made.outputs]
        if made.clock_gate is not None:
            state = made.clock_gate.state
            lines += [f"reg {state} = 0;", f"always @* if (!CK) {state} <= E;"]
            pins[state] = state
        if (flip_flop := made.flip_flop) is not None:
            data = verilog(flip_flop.next_state, pins)
            lines += [
                f"reg {flip_flop.state}; wire {flip_flop.inverse} = ~{flip_flop.state};",
                f"initial {flip_flop.state} = $random;",
                f"always @(posedge {flip_flop.clock_pin}) {flip_flop.state} <= #1 {data};",
            ]
            pins |= {name: name for name in (flip_flop.state, flip_flop.inverse)}
        lines += [f"assign {pin} = {verilog(f, pins)};" for pin, f in made.outputs.items()]
        yield "\n".join([*lines, "endmodule", ""])


def bench(gated, beats):
    """Offers beats and takes results at random times."""
    netlist = gated.netlist
    ports = {name: len(nets) for name, nets in (netlist.inputs | netlist.outputs).items()}
    pins = ", ".join(
        f".\\{name if width == 1 else f'{name}[{bit}]'} ({name}[{bit}])"
        for name, width in ports.items()
        for bit in range(width)
    )
    declared = "\n".join(
        f"{'reg' if name in netlist.inputs else 'wire'} [{width - 1}:0] {name};"
        for name, width in ports.items()
    )
    return f"""module bench;
{declared}
reg [{ports["i__payload"] - 1}:0] beats [0:{len(beats) - 1}];
integer cycle, position;
{gated.verilog.stem} unit ({pins});
initial begin
  $readmemh("beats.hex", beats);
  clk = 0; rst = 1; i__valid = 0; o__ready = 0; i__payload = 0; position = 0;
  #50 clk = 1; #50 clk = 0; #50 clk = 1; #5 rst = 0;
  for (cycle = 0; cycle < {40 * len(beats)}; cycle = cycle + 1) begin
    if (!i__valid && position < {len(beats)}) i__valid = $random;
    if (i__valid) i__payload = beats[position];
    o__ready = $random;
    #45 clk = 0;
    #45 if (o__valid && o__ready) $display("result %h", o__payload);
    if (i__valid && i__ready) begin position = position + 1; #5 clk = 1; #5 i__valid = 0; end
    else begin #5 clk = 1; #5 ; end
  end
  $finish;
end
endmodule
"""


def test_icarus_computes_the_golden_results(gated, tmp_path):
    """With stalls on both sides, so that gates close in the middle of dot products.

    Flip-flops start at random, and no beat is offered at the reset: it has to open the gates.
    """
    operands = default_operands(UNIT).take(slice(6))
    beats = [word for words in UNIT.words(operands) for word in words]
    (tmp_path / "beats.hex").write_text("\n".join(f"{beat:x}" for beat in beats))
    (tmp_path / "all.v").write_text(
        "".join(models(gated.netlist)) + gated.verilog.read_text() + bench(gated, beats)
    )
    compiler, runner = icarus.find()
    icarus.run([compiler, "-g2005", "-s", "bench", "-o", "all.vvp", "all.v"], tmp_path)
    log = icarus.run([runner, "-n", "all.vvp"], tmp_path)
    results = [int(line.split()[1], 16) for line in log.splitlines() if line.startswith("result")]
    expected = UNIT.dot(operands.activations, operands.weights, **operands.metadata)
    assert results == expected.tolist()
