from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from cost_models import activity
from cost_models.activity import _Machine, _Sample, simulate
from cost_models.netlist import GATES, netlist, parse
from cost_models.network import SimulationError, of_gates, toggles, unit_delays
from cost_models.operands import default_operands, gaussian
from hwsim.errors import InputError
from hwsim.units import make
from hwsim.units.operands import Operands
from tests.cost_models.plain_simulator import play_all
from tests.cost_models.test_netlist import gate, module, toggle_flip_flop
from tests.cost_models.test_network import TRUTH

UNITS = [
    ("integer", 3, "int4", "uint5"),
    ("integer", 1, "int8", "int8"),
    ("bit_serial", 5, "int6", "int3"),
    ("float", 2, "e4m3", "e5m2"),
    ("float", 1, "fp16", "e2m1"),
]


def unit_of(family, lanes, weight, activation):
    return make(family, lanes=lanes, weight=weight, activation=activation)


@pytest.mark.parametrize("kind", GATES)
def test_gate_has_its_truth_table(kind):
    pins = {"NOT": "A", "MUX": "ABS"}.get(kind, "AB")
    cell = gate(kind, **{pin: 3 + "ABS".index(pin) for pin in pins}, Y=9)
    machine = _Machine(parse(module([cell], inputs=[3, 4, 5], outputs=[9]), "default"), 8)
    rows = (np.arange(8)[:, np.newaxis] >> np.arange(3)) & 1
    for column, port in enumerate(("i3", "i4", "i5")):
        machine.drive(port, rows[:, column].astype(bool))
    machine.settle()
    assert machine.read("o9")[:, 0].tolist() == [bool(TRUTH[kind](*row)) for row in rows.tolist()]


def test_toggles_are_counted_per_stream():
    machine = _Machine(parse(toggle_flip_flop(), "default"), 70)
    enable = np.arange(70) < 3
    machine.drive("i3", enable)
    machine.settle()
    before = machine.values.copy()
    machine.clock()
    machine.settle()
    # Three streams flip: the flip-flop, and both gates behind it.
    assert machine.toggled(before).tolist() == [0, 0, 0, 3, 3, 3]
    assert machine.read("o12")[:, 0].tolist() == (~enable).tolist()


@pytest.mark.parametrize("unit", [unit_of(*row) for row in UNITS], ids=lambda unit: unit.name)
def test_gates_compute_what_the_golden_model_says(unit):
    activity = simulate(unit, netlist(unit), gaussian(unit, 65, 20, seed=1))
    assert 0.05 < activity.mean < 0.6
    assert activity.toggles.min() >= 0
    assert activity.toggles.max() <= 1


@pytest.mark.parametrize("unit", [unit_of(*row) for row in UNITS[:3]], ids=lambda unit: unit.name)
def test_drawn_transitions_are_those_that_toggles_are_the_mean_of(unit):
    """So few cycles and streams that every one is drawn."""
    gates = netlist(unit)
    found = simulate(unit, gates, gaussian(unit, 3, 8, seed=1))
    transitions = found.transitions
    places = set(zip(transitions.words.tolist(), transitions.bits.tolist(), strict=True))
    assert len(transitions.words) == len(places) == found.cycles
    np.testing.assert_allclose(transitions.settled() / found.cycles, found.toggles)


@pytest.mark.parametrize("unit", [unit_of(*row) for row in UNITS[:3]], ids=lambda unit: unit.name)
def test_hazards_with_unit_delays_are_those_of_the_definition(unit):
    gates = netlist(unit)
    cells = of_gates(gates)
    transitions = simulate(unit, gates, gaussian(unit, 3, 8, seed=1)).transitions
    expected, settled = play_all(cells, transitions, unit_delays(cells))
    assert settled
    found = toggles(cells, transitions, unit_delays(cells)) * len(transitions.words)
    np.testing.assert_allclose(found, expected)
    extra = expected - transitions.settled()
    assert extra[gates.first_gate :].any()
    assert not extra[: gates.first_gate].any()
    assert not (extra % 2).any()


def test_a_sample_draws_every_cycle_with_the_same_chance(monkeypatch):
    """100 cycles of which 10 are kept, for 400 generators: each about 40 times."""
    kept = np.zeros(100, int)
    for seed in range(400):
        sample = _Sample(10)
        sample.rng = np.random.default_rng(seed)
        for cycle in range(100):
            word = np.full((1, 1), cycle, np.uint64)
            sample.add(word, word)
        drawn = [int(before[0, 0]) for before, _ in sample.kept]
        assert len(set(drawn)) == 10
        kept[drawn] += 1
    # Binomial: a standard deviation of 6.
    assert abs(kept - 40).max() < 4.5 * 6
    assert abs(kept[:10].mean() - 40) < 4 * 6 / 10**0.5


def test_a_smaller_sample_is_part_of_a_larger_one():
    """So netlists of different sizes are played the same cycles."""
    values = np.random.default_rng(0).integers(0, 2**63, (101, 2, 2), np.uint64)
    drawn = []
    for size in (128, 2048):
        sample = _Sample(activity.DRAWN_CYCLES)
        for before, after in pairwise(values):
            sample.add(before, after)
        drawn.append(sample.draw(100, size))
    small, large = drawn
    places = [set(zip(t.words.tolist(), t.bits.tolist(), strict=True)) for t in (small, large)]
    assert places[0] < places[1]
    assert [len(p) for p in places] == [128, 2048]
    np.testing.assert_array_equal(small.before, large.before)
    # As many of every cycle, and none of streams that there are not.
    cycles, words = np.divmod(large.words, 2)
    assert set(np.bincount(cycles)) == {2048 // activity.DRAWN_CYCLES}
    assert (words * 64 + large.bits).max() < 100


def test_macs_per_cycle_and_its_error_are_those_of_the_operands():
    """Beats of a stream are not independent; the error is that of the mean of streams."""
    unit = make(
        "bit_serial", lanes=2, weight="int8", activation="int8", serial="weight", digits="essential"
    )
    operands = default_operands(unit)
    found = simulate(unit, netlist(unit), operands)
    taken = unit.cycles(operands.activations, operands.weights)
    assert taken.std() > 0
    assert found.macs_per_cycle == pytest.approx(2 * taken.size / taken.sum())
    # The error of a ratio to a mean, by leaving out one stream after the other.
    streams = len(taken)
    left = [2 / np.delete(taken, k, axis=0).mean() for k in range(streams)]
    jackknife = np.sqrt((streams - 1) * np.var(left))
    assert found.macs_per_cycle_error == pytest.approx(jackknife, rel=0.02)
    more = gaussian(unit, 4000, taken.shape[1], seed=5)
    truth = 2 / unit.cycles(more.activations, more.weights).mean()
    assert abs(found.macs_per_cycle - truth) < 3 * found.macs_per_cycle_error


def test_a_fixed_schedule_has_no_error():
    unit = unit_of(*UNITS[2])
    found = simulate(unit, netlist(unit), default_operands(unit))
    assert found.macs_per_cycle == pytest.approx(unit.macs_per_cycle)
    assert found.macs_per_cycle_error == 0


def test_a_unit_that_waits_computes_the_same_and_toggles_less():
    unit = make("bit_serial", lanes=2, weight="int4", activation="int4", digits="essential")
    gates, operands = netlist(unit), default_operands(unit)
    busy, waits = (simulate(unit, gates, operands, waits=count) for count in (0, 5))
    assert waits.mean < 0.7 * busy.mean
    assert waits.macs_per_cycle == busy.macs_per_cycle


def test_operands_at_rest_toggle_less():
    unit = make("integer", lanes=2, weight="int8", activation="int8")
    busy = default_operands(unit)
    idle = Operands(np.zeros_like(busy.activations), busy.weights)
    gates = netlist(unit)
    assert simulate(unit, gates, idle).mean < 0.6 * simulate(unit, gates, busy).mean


@pytest.mark.parametrize("unit", [unit_of(*row) for row in UNITS], ids=lambda unit: unit.name)
def test_a_wrong_gate_is_caught(unit):
    gates, operands = netlist(unit), default_operands(unit)
    toggles = simulate(unit, gates, operands).toggles[gates.first_gate :]
    types = gates.types.copy()
    # The busiest exclusive-or becomes its complement.
    exclusive = types == GATES.index("XOR")
    types[np.argmax(toggles * exclusive)] = GATES.index("XNOR")
    with pytest.raises(SimulationError, match=unit.name):
        simulate(unit, replace(gates, types=types), operands)


def test_a_unit_that_never_answers_is_caught():
    unit = make("integer", lanes=1, weight="int2", activation="int2")
    gates = netlist(unit)
    outputs = {**gates.outputs, "o__valid": np.array([0])}
    with pytest.raises(SimulationError, match="no result in time"):
        simulate(unit, replace(gates, outputs=outputs), default_operands(unit))


def test_too_few_beats_are_refused():
    unit = make("bit_serial", lanes=1, weight="int4", activation="int4")
    with pytest.raises(InputError, match="beats are too few"):
        simulate(unit, netlist(unit), gaussian(unit, 4, 2, seed=0))


def test_operands_must_be_rows_of_dot_products():
    unit = make("integer", lanes=1, weight="int2", activation="int2")
    with pytest.raises(InputError, match="shape"):
        simulate(unit, netlist(unit), Operands(np.zeros(8, np.uint8), np.zeros(8, np.uint8)))
