import json
from dataclasses import replace

import numpy as np
import pytest

from cost_models import technology
from cost_models.components import COMPONENTS
from cost_models.estimate import (
    PathDelays,
    critical_loads,
    critical_path,
    estimate,
    estimate_all,
    shared_gates,
)
from cost_models.fit import figures
from cost_models.netlist import GATES, netlist, parse
from cost_models.operands import default_operands, gaussian
from hwsim.errors import InputError
from hwsim.units import make
from hwsim.units.operands import Operands
from tests.cost_models.test_netlist import gate, module, toggle_flip_flop

#: Units whose estimates are quick to make again.
QUICK = ("integer", "lmul", "ternary_add", "posit")


def integer(**changes):
    return make("integer", **({"lanes": 1, "weight": "int4", "activation": "int4"} | changes))


@pytest.mark.parametrize(
    "larger",
    [
        {"lanes": 4},
        {"weight": "int8"},
        {"activation": "int8"},
        {"accumulator_bits": 48},
    ],
)
def test_more_hardware_costs_more(larger):
    small, large = (estimate_all(integer(**change), technology.names()) for change in ({}, larger))
    for name in technology.names():
        assert large[name].area_um2 > small[name].area_um2
        assert large[name].leakage_nw > small[name].leakage_nw
        assert large[name].clock_pj >= small[name].clock_pj


def test_technologies_are_ordered_by_node():
    costs = estimate_all(integer(lanes=2), ["osu018", "sky130", "asap7"])
    for quantity in ("area_um2", "settled_pj"):
        values = [getattr(cost, quantity) for cost in costs.values()]
        assert values == sorted(values, reverse=True)


def test_estimate_of_one_equals_that_of_many():
    unit = make("bit_serial", lanes=2, weight="int4", activation="int4")
    assert estimate(unit, "sky130") == estimate_all(unit, ["asap7", "sky130"])["sky130"]


def test_energy_follows_the_operands_and_area_does_not():
    unit = integer(weight="int8", activation="int8")
    busy = default_operands(unit)
    idle = Operands(np.zeros_like(busy.activations), np.zeros_like(busy.weights))
    full, rest = estimate(unit, "osu018", busy), estimate(unit, "osu018", idle)
    assert rest.area_um2 == full.area_um2
    assert rest.clock_pj == full.clock_pj
    assert rest.clock_pj <= rest.settled_pj < 0.5 * full.settled_pj


def test_costs_are_plain_json():
    cost = estimate(integer(), "osu018")
    assert json.loads(json.dumps(cost.to_dict())) == cost.to_dict()


def test_unknown_technology_is_refused():
    with pytest.raises(InputError, match="did you mean 'asap7'"):
        estimate(integer(), "asap")


def delays(**numbers):
    names = [*GATES, "per_doubling", "clock_to_output", "setup"]
    return PathDelays(np.array([float(numbers.get(name, 0)) for name in names]))


def test_path_from_flip_flop_to_flip_flop():
    gates = parse(toggle_flip_flop(), "default")
    path = critical_path(gates, delays(XOR=5, NOT=1, clock_to_output=2, setup=3, per_doubling=1))
    # The output drives two gates, the exclusive-or drives the flip-flop.
    assert path.delay_ns == pytest.approx(2 + np.log2(3) + 5 + 1 + 3)


def test_registers_stand_before_inputs_and_behind_outputs():
    gates = parse(toggle_flip_flop(), "default")
    path = critical_path(gates, delays(NOT=9, clock_to_output=2, setup=3))
    assert path.delay_ns == 2 + 9 + 3
    assert path.features[GATES.index("NOT")] == 1
    through = parse(module([gate("NOT", A=3, Y=4)], inputs=[3], outputs=[4]), "default")
    path = critical_path(through, delays(NOT=9, clock_to_output=2, setup=3, per_doubling=1))
    # The register before the input drives one pin, the gate one register.
    assert path.delay_ns == 2 + 1 + 9 + 1 + 3


def test_gates_on_long_paths_and_gates_read_twice():
    """A chain of five inverters, whose second drives another one, and a gate beside it."""
    chain = [gate("NOT", A=3 + k, Y=4 + k) for k in range(5)]
    beside = [gate("NOT", A=5, Y=10), gate("NOT", A=3, Y=11)]
    gates = parse(module([*chain, *beside], inputs=[3], outputs=[8, 10, 11]), "default")
    assert gates.levels.tolist() == [1, 1, 2, 3, 3, 4, 5]
    # The path of the one beside the chain has one gate, that of the branch three.
    loads = critical_loads(gates)
    assert sorted(loads.tolist()) == pytest.approx([0, 0, 1, 1, 1, 1, np.log2(3)])
    assert loads[gates.levels > 3].tolist() == [1, 1]
    shared = shared_gates(gates)
    assert shared.sum() == 1
    assert gates.levels[shared > 0].tolist() == [2]


def test_path_through_the_slower_pin():
    cells = [gate("NOT", A=3, Y=5), gate("AND", A=4, B=5, Y=6)]
    gates = parse(module(cells, inputs=[3, 4], outputs=[6]), "default")
    assert critical_path(gates, delays(NOT=1, AND=1)).delay_ns == 2


@pytest.mark.parametrize("delay", [0.01, 0.3])
def test_delay_of_a_path_is_the_sum_of_its_features(delay):
    gates = netlist(integer())
    coefficients = PathDelays(np.full(len(GATES) + 3, delay))
    path = critical_path(gates, coefficients)
    assert path.delay_ns == pytest.approx(path.features @ coefficients.values)


@pytest.mark.parametrize("family", QUICK)
@pytest.mark.parametrize("name", technology.names())
def test_estimates_are_those_of_the_error_table(name, family):
    """The table's errors hold for today's hardware; if not, characterise the libraries again."""
    rows = technology.load(name).units
    declared = next(row for row in rows if row["held_out"] and row["family"] == family)
    cost = estimate(make(family, **declared["parameters"]), name)
    for field, value in figures(cost).items():
        assert value == pytest.approx(declared["estimate"][field], rel=0.02), field


def test_glitches_follow_the_depth():
    """An adder tree has more hazards for its toggles than registers have."""
    tree, registers = (
        estimate(next(c for c in COMPONENTS if c.kind == kind), "sky130")
        for kind in ("sum", "store")
    )
    assert tree.glitch_pj > 0.1 * (tree.settled_pj - tree.clock_pj)
    assert registers.glitch_pj < 0.02 * (registers.settled_pj - registers.clock_pj)


def test_a_technology_of_ones_own_is_a_file(tmp_path):
    path = tmp_path / "mine.yaml"
    technology.write(replace(technology.load("sky130"), name="mine"), path)
    mine, shipped = (estimate(integer(), name) for name in (str(path), "sky130"))
    assert mine.technology == "mine"
    assert mine.area_um2 == shipped.area_um2


def test_a_unit_is_a_curve():
    unit = integer(lanes=4)
    small, fast = (estimate(unit, "sky130", objective=o) for o in ("area", "speed"))
    assert small.area_um2 < fast.area_um2
    assert small.delay_ns > fast.delay_ns
    slow, *between, unmet = (
        estimate(unit, "sky130", clock_ns=clock)
        for clock in (
            2 * small.delay_ns,
            *np.linspace(small.delay_ns, fast.delay_ns, 5)[1:-1],
            fast.delay_ns / 2,
        )
    )
    assert (slow.area_um2, slow.delay_ns) == (small.area_um2, small.delay_ns)
    assert slow.gmacs_per_s == pytest.approx(slow.macs_per_cycle / slow.clock_ns)
    areas = [cost.area_um2 for cost in (slow, *between, unmet)]
    assert areas == sorted(areas)
    assert all(cost.slack_ns == pytest.approx(0) for cost in between)
    # What no clock is met by runs as fast as it can.
    assert (unmet.area_um2, unmet.delay_ns) == (fast.area_um2, fast.delay_ns)
    assert unmet.slack_ns < 0
    assert unmet.gmacs_per_s == pytest.approx(fast.gmacs_per_s)


@pytest.mark.parametrize("clock", [0, -1.0, float("nan"), float("inf"), "5", True])
def test_a_clock_is_a_positive_period(clock):
    with pytest.raises(InputError, match=r"clock_ns=.*: allowed: a positive period in ns"):
        estimate(integer(), "sky130", clock_ns=clock)


def test_toggles_are_kept(tmp_path, monkeypatch):
    monkeypatch.setenv("HWSIM_CACHE", str(tmp_path))
    unit = make("bit_serial", lanes=2, weight="int4", activation="int4", digits="essential")
    first = estimate(unit, "sky130")
    monkeypatch.setattr("cost_models.activity.simulate", None)
    assert estimate(unit, "sky130") == first
    with pytest.raises(TypeError):
        estimate(unit, "sky130", gaussian(unit, 4, 9, seed=3))
    # Other delays have other hazards, of the same settled states.
    other = replace(
        technology.load("sky130"), name="other", hazards=technology.load("osu018").hazards
    )
    with pytest.raises(TypeError):
        estimate(unit, other)
