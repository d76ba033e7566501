from dataclasses import replace

import numpy as np
import pytest

from cost_models.activity import SimulationError, _Machine, hazards, simulate
from cost_models.netlist import GATES, netlist, parse
from cost_models.operands import default_operands, gaussian
from hwsim.errors import InputError
from hwsim.units import make
from hwsim.units.operands import Operands
from tests.cost_models.test_netlist import gate, module, toggle_flip_flop

UNITS = [
    ("integer", 3, "int4", "uint5"),
    ("integer", 1, "int8", "int8"),
    ("bit_serial", 5, "int6", "int3"),
    ("float", 2, "e4m3", "e5m2"),
    ("float", 1, "fp16", "e2m1"),
]

TRUTH = {
    "NOT": lambda a, b, s: not a,
    "AND": lambda a, b, s: a and b,
    "NAND": lambda a, b, s: not (a and b),
    "OR": lambda a, b, s: a or b,
    "NOR": lambda a, b, s: not (a or b),
    "XOR": lambda a, b, s: a != b,
    "XNOR": lambda a, b, s: a == b,
    "ANDNOT": lambda a, b, s: a and not b,
    "ORNOT": lambda a, b, s: a or not b,
    "MUX": lambda a, b, s: b if s else a,
}


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


def naive_hazards(netlist, before, after):
    """One transition at a time, all gates at every step, in plain Python."""
    first = netlist.first_gate
    values = [*after[:first], *before[first:]]
    toggles = [0] * netlist.nets
    while True:
        following = values[:first] + [
            int(TRUTH[GATES[kind]](*(values[pin] for pin in pins)))
            for kind, pins in zip(netlist.types.tolist(), netlist.pins.tolist(), strict=True)
        ]
        if following == values:
            break
        toggles = [n + (a != b) for n, a, b in zip(toggles, values, following, strict=True)]
        values = following
    assert values == list(after)
    settled = [0] * first + [
        int(a != b) for a, b in zip(before[first:], after[first:], strict=True)
    ]
    return np.array(toggles) - np.array(settled)


@pytest.mark.parametrize("unit", [unit_of(*row) for row in UNITS[:3]], ids=lambda unit: unit.name)
def test_hazards_are_those_of_a_plain_simulation(unit, monkeypatch):
    gates = netlist(unit)
    seen = []

    def spy(netlist, before, after, mask):
        seen.append((before, after, mask))
        return hazards(netlist, before, after, mask)

    monkeypatch.setattr("cost_models.activity.hazards", spy)
    streams = 3
    activity = simulate(unit, gates, gaussian(unit, streams, 8, seed=1))
    ((before, after, mask),) = seen
    bits = [
        [((word >> np.uint64(bit)) & np.uint64(1)).astype(int).tolist() for word in words.T
         for bit in range(streams)]
        for words in (before, after)
    ]  # fmt: skip
    extra = sum(naive_hazards(gates, *pair) for pair in zip(*bits, strict=True))
    assert mask.tolist() == [2**streams - 1] * before.shape[1]
    np.testing.assert_allclose(activity.glitches, extra / len(bits[0]))
    assert extra[gates.first_gate :].any()
    assert not (extra % 2).any()


@pytest.mark.parametrize(
    ("pins", "expected"),
    [
        # A balanced tree has none; in a chain the two inputs of a gate change one after the other.
        ([(3, 4), (5, 6), (7, 8)], [0, 0, 0]),
        ([(3, 4), (7, 5), (8, 6)], [0, 2, 2]),
    ],
)
def test_hazards_come_from_paths_of_different_length(pins, expected):
    cells = [gate("XOR", A=a, B=b, Y=7 + k) for k, (a, b) in enumerate(pins)]
    gates = parse(module(cells, inputs=[3, 4, 5, 6], outputs=[9]), "default")
    # One input of each of the first two gates of the tree rises, in one transition.
    before = np.array([[0], [1], *[[0]] * 7], np.uint64)
    after = before.copy()
    after[[2, 4]] = 1
    after[gates.first_gate :] = [[1], [1], [0]] if pins[1] == (5, 6) else [[1], [0], [0]]
    counted = hazards(gates, before, after, np.array([1], np.uint64))
    assert counted[gates.first_gate :].tolist() == expected


def test_gates_that_settle_elsewhere_are_caught():
    gates = parse(module([gate("NOT", A=3, Y=5)], inputs=[3], outputs=[5]), "default")
    before = np.array([[0], [1], [0], [1]], np.uint64)
    changed = np.array([[0], [0], [1], [0]], np.uint64)
    with pytest.raises(SimulationError, match="do not settle"):
        hazards(gates, before, before ^ changed, before[1])


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
