import numpy as np
import pytest

from cost_models.synthesis.cells import Table, read_cell, read_header
from cost_models.synthesis.expressions import parse
from hwsim.errors import InputError

HEAD = """library (l) {
  time_unit : "1ps"; voltage_unit : "1V"; leakage_power_unit : "1pW";
  capacitive_load_unit (1,ff); nom_voltage : 0.5;
  power_lut_template (t) { variable_1 : input_transition_time;
    variable_2 : total_output_net_capacitance; index_1 ("1, 2"); index_2 ("1, 3"); }
  power_lut_template (u) { variable_1 : total_output_net_capacitance;
    variable_2 : input_transition_time; }
  power_lut_template (in) { variable_1 : input_transition_time; index_1 ("1, 2"); }
"""

INVERTER = """cell (INV) { area : 1; cell_leakage_power : 7;
  pin (A) { direction : input; capacitance : 0.5; }
  pin (Y) { direction : output; function : "A'";
    internal_power () { related_pin : "A";
      rise_power (t) { values ("1, 3", "2, 4"); }
      fall_power (u) { index_1 ("0, 10"); index_2 ("1000, 2000"); values ("1, 2, \\
        3, 4"); } } } }"""

#: The clock takes 8 and 6 where the state stays, 0 and 20 where it changes.
FLIP_FLOP = """cell (FF) { area : 4;
  leakage_power () { value : 5; when : "D"; } leakage_power () { value : 7; when : "!D"; }
  ff (IQ, IQN) { clocked_on : "CK"; next_state : "D"; }
  pin (CK) { direction : input; capacitance : 1;
    internal_power () { when : "D * Q"; rise_power (in) { values ("8, 8"); }
      fall_power (in) { values ("6, 6"); } }
    internal_power () { when : "!D * !Q"; rise_power (in) { values ("8, 8"); }
      fall_power (in) { values ("6, 6"); } }
    internal_power () { rise_power (scalar) { values ("0"); }
      fall_power (in) { values ("20, 20"); } } }
  pin (D) { direction : input; capacitance : 1;
    internal_power () { related_pg_pin : VDD; when : "CK"; rise_power (scalar) { values ("2"); }
      fall_power (scalar) { values ("2"); } }
    internal_power () { related_pg_pin : VSS; when : "CK"; rise_power (scalar) { values ("4"); }
      fall_power (scalar) { values ("4"); } } }
  pin (Q) { direction : output; function : "IQ";
    internal_power () { related_pin : "CK"; rise_power (scalar) { values ("9"); }
      fall_power (scalar) { values ("9"); } } } }"""


def cell(text):
    return read_cell(text, read_header(HEAD, "my.lib"))


def per_toggle(arc, slew=1e-3, load=1.0):
    return arc.per_toggle(*(np.array([x]) for x in (slew, slew, load))).item()


def test_units_are_converted():
    head = read_header(HEAD.replace("1ps", "10ns").replace("(1,ff)", '(2.0, "pf")'), "my.lib")
    assert (head.voltage, head.capacitance_ff, head.energy_fj) == (0.5, 2000.0, 2000.0)
    assert (head.time_ns, head.leakage_nw) == (pytest.approx(10.0), pytest.approx(1e-3))


def test_gate():
    made = cell(INVERTER)
    assert made.inputs == {"A": 0.5}
    assert made.leakage_nw == pytest.approx(7e-3)
    assert made.outputs["Y"] == parse("!A")
    (arc,) = made.output_arcs["Y"]
    # Slews in ns, with the axes either way round; rising 1, falling 1 and 2 at loads 0 and 10.
    assert per_toggle(arc, 1e-3, 1.0) == pytest.approx((1 + 1.2 - 0.999) / 2)
    assert per_toggle(arc, 2e-3, 3.0) == pytest.approx((4 + 1.6 - 0.998) / 2)


def test_table_is_interpolated_and_extrapolated():
    table = Table(np.array([1.0, 2.0]), np.array([0.0, 10.0]), np.array([[1.0, 2.0], [3.0, 4.0]]))
    slew, load = np.array([1.0, 1.5, 0.0, 2.0]), np.array([0.0, 5.0, 20.0, -10.0])
    np.testing.assert_allclose(table.at(slew, load), [1.0, 2.5, 1.0, 2.0])


def test_clock_of_a_flip_flop_at_rest_and_changing():
    made = cell(FLIP_FLOP)
    assert made.flip_flop.clock_pin == "CK"
    assert per_toggle(made.input_arcs["CK"]) == pytest.approx((8 + 6) / 2)
    assert per_toggle(made.clock_arc) == pytest.approx((0 + 20) / 2)


def test_tables_count_by_their_share_of_states_and_supplies_add_up():
    # In half of the states, 2 and 4.
    assert per_toggle(cell(FLIP_FLOP).input_arcs["D"]) == pytest.approx(3.0)


def test_leakage_is_the_mean_of_states():
    assert cell(FLIP_FLOP).leakage_nw == pytest.approx(6e-3)


@pytest.mark.parametrize(
    ("text", "old", "new", "message"),
    [
        (INVERTER, 'function : "A\'";', "", "INV has no function for its output Y"),
        (INVERTER, "A'", "A #", "INV has a function that is not understood"),
        (INVERTER, "A'", "B'", "INV has a function of B, which is no input"),
        (INVERTER, "internal_power", "power", "INV has no internal_power for its output Y"),
        (INVERTER, "cell_leakage_power : 7;", "", "INV has no leakage power"),
        (INVERTER, "capacitance : 0.5;", "", "INV has no capacitance for its input A"),
        (INVERTER, "(t)", "(v)", "INV has a table of the unknown template v"),
        (INVERTER, '"1, 3", ', "", "INV has a table of t with 2 values"),
        (INVERTER, '"1, 3"', '"1, x"', "INV has a table that is no list of numbers"),
        (INVERTER, 'index_1 ("0, 10");', "", "INV has a table of u without index_1"),
        (INVERTER, "0.5", "half", "'half' is no number"),
        (INVERTER, "area", "?", "syntax that is not understood"),
        (FLIP_FLOP, "ff (", "latch (", "FF is a latch"),
        (FLIP_FLOP, "ff (IQ, IQN)", "statetable (D, IQ)", "FF is a statetable"),
        (FLIP_FLOP, 'next_state : "D";', "", "FF has no next_state for its flip-flop"),
        (FLIP_FLOP, '"CK";', '"CK D";', "FF is not clocked by one pin"),
        (FLIP_FLOP, '"D * Q"', '"D * R"', "FF has power that depends on R, which is no pin"),
        (
            FLIP_FLOP,
            FLIP_FLOP[FLIP_FLOP.index("    internal_power") : FLIP_FLOP.index("  pin (D)")],
            "}",
            "FF has no internal_power at its clock pin CK",
        ),
    ],
)
def test_what_a_cell_lacks_is_named(text, old, new, message):
    assert old in text
    with pytest.raises(InputError, match=message):
        cell(text.replace(old, new, 1))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('time_unit : "1ps";', "", "my.lib: time_unit is 'missing'"),
        ('"1ps"', '"1V"', "my.lib: time_unit is '1V'"),
        ('"1pW"', '"1pV"', "my.lib: leakage_power_unit is '1pV'"),
        ('"1V"', '"1mV"', "my.lib: voltage_unit must be 1V, not 1mV"),
        ("(1,ff)", "(1,kg)", r"my.lib: capacitive_load_unit must be in fF or pF"),
        ("nom_voltage : 0.5;", "", "my.lib has no nom_voltage"),
    ],
)
def test_units_that_do_not_match_are_refused(old, new, message):
    with pytest.raises(InputError, match=message):
        read_header(HEAD.replace(old, new), "my.lib")
