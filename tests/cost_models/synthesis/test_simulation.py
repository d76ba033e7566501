import re
from dataclasses import replace
from itertools import product

import numpy as np
import pytest

from cost_models import activity
from cost_models.activity import _Machine
from cost_models.netlist import netlist as gates_of
from cost_models.network import SimulationError
from cost_models.operands import default_operands, gaussian
from cost_models.synthesis import yosys
from cost_models.synthesis.cells import read_cell
from cost_models.synthesis.expressions import parse
from cost_models.synthesis.mapped import CLOCK, Instance, MappedNetlist, MappingError
from cost_models.synthesis.opensta import StaError
from cost_models.synthesis.simulation import elements, of_cells, simulate, take_apart
from hwsim.errors import InputError
from hwsim.units import make
from hwsim.units.operands import Operands
from tests.cost_models.synthesis.test_cells import FLIP_FLOP, HEAD, read_header

#: What osu018's cells compute, by their names.
CELLS = {
    "AND2X1": {"Y": lambda a, b: a and b},
    "AOI21X1": {"Y": lambda a, b, c: not ((a and b) or c)},
    "AOI22X1": {"Y": lambda a, b, c, d: not ((a and b) or (c and d))},
    "BUFX2": {"Y": lambda a: a},
    "FAX1": {"YC": lambda a, b, c: a + b + c > 1, "YS": lambda a, b, c: (a + b + c) % 2},
    "HAX1": {"YC": lambda a, b: a and b, "YS": lambda a, b: a != b},
    "INVX1": {"Y": lambda a: not a},
    "MUX2X1": {"Y": lambda a, b, s: not (a if s else b)},
    "NAND3X1": {"Y": lambda a, b, c: not (a and b and c)},
    "NOR2X1": {"Y": lambda a, b: not (a or b)},
    "OAI21X1": {"Y": lambda a, b, c: not ((a or b) and c)},
    "OAI22X1": {"Y": lambda a, b, c, d: not ((a or b) and (c or d))},
    "OR2X1": {"Y": lambda a, b: a or b},
    "XNOR2X1": {"Y": lambda a, b: a == b},
    "XOR2X1": {"Y": lambda a, b: a != b},
}


@pytest.fixture(scope="module")
def operands(unit):
    return default_operands(unit)


@pytest.fixture(scope="module")
def found(unit, mapped, operands):
    return simulate(unit, mapped.netlist, operands, mapped.timing.delays)


class Machine:
    """A netlist with unit delays: in each step all gates look at the values of the step before."""

    def __init__(self, netlist):
        self.netlist = netlist
        self.values = np.zeros(netlist.nets, bool)
        self.values[1] = True
        self.gates = [i for i in netlist.instances if not i.cell.flip_flop]
        self.flip_flops = [i for i in netlist.instances if i.cell.flip_flop]

    def drive(self, port, value):
        for bit, net in enumerate(self.netlist.inputs[port]):
            self.values[net] = value >> bit & 1

    def pins(self, instance):
        return {pin: self.values[net] for pin, net in instance.nets.items()}

    def settle(self):
        """Return how often each net changes."""
        changes = np.zeros(self.netlist.nets, int)
        while True:
            after = self.values.copy()
            for gate in self.gates:
                for pin, function in gate.cell.outputs.items():
                    after[gate.nets[pin]] = function.evaluate(self.pins(gate))
            if (after == self.values).all():
                return changes
            changes += after != self.values
            self.values = after

    def clock(self):
        """Let flip-flops take their inputs; osu018's deliver what they take."""
        taken = [i.cell.flip_flop.next_state.evaluate(self.pins(i)) for i in self.flip_flops]
        for instance, value in zip(self.flip_flops, taken, strict=True):
            self.values[instance.nets["Q"]] = value


def test_toggles_are_those_of_another_simulator(unit, mapped):
    """One stream, of fewer cycles than are drawn: all are played with delays."""
    operands = gaussian(unit, 1, 50, seed=1)
    found = simulate(unit, mapped.netlist, operands, mapped.timing.delays)
    assert found.transitions == found.cycles
    machine = Machine(mapped.netlist)
    machine.drive("rst", 1)
    for _ in range(2):
        machine.settle()
        machine.clock()
    machine.drive("rst", 0)
    machine.drive("o__ready", 1)
    machine.drive("i__valid", 1)
    (beats,) = unit.words(operands)
    assert unit.timing().interval == 1
    warm_up = unit.timing().latency + unit.timing().interval
    settled = np.zeros(mapped.netlist.nets, int)
    every = np.zeros(mapped.netlist.nets, int)
    before = machine.values.copy()
    for cycle, beat in enumerate(list(beats)[: warm_up + found.cycles + 1]):
        machine.drive("i__payload", beat)
        changes = (machine.values != before) + machine.settle()
        if cycle > warm_up:
            settled += machine.values != before
            every += changes
        before = machine.values.copy()
        machine.clock()
    keep = np.arange(mapped.netlist.nets) != mapped.netlist.clock
    np.testing.assert_allclose(found.settled[keep] * found.cycles, settled[keep])
    np.testing.assert_allclose((found.unit_hazards * found.cycles + settled)[keep], every[keep])
    assert every.sum() > 1.2 * settled.sum()


def test_real_delays_make_fewer_hazards_than_unit_delays(mapped, found):
    driven = mapped.netlist.driven
    assert found.hazards.min() >= 0
    assert 0.1 < found.hazards[driven].sum() / found.unit_hazards[driven].sum() < 0.8


def test_idle_operands_toggle_little(unit, mapped, operands, found):
    idle = Operands(np.zeros_like(operands.activations), np.zeros_like(operands.weights))
    rest = simulate(unit, mapped.netlist, idle, mapped.timing.delays)
    driven = mapped.netlist.driven
    assert rest.settled[driven].sum() < 0.1 * found.settled[driven].sum()


def test_too_few_beats_are_refused(unit, mapped, operands):
    short = Operands(operands.activations[:1, :2], operands.weights[:1, :2])
    with pytest.raises(InputError, match="2 beats are too few to count toggles"):
        simulate(unit, mapped.netlist, short, mapped.timing.delays)


def test_operands_of_another_shape_are_refused(unit, mapped, operands):
    with pytest.raises(InputError, match="must have the shape"):
        simulate(unit, mapped.netlist, operands.take(0), mapped.timing.delays)


@pytest.mark.parametrize(
    ("kind", "change"),
    [
        ("XOR2X1", {"outputs": {"Y": parse("A+B")}}),
        ("NAND2X1", {"outputs": {"Y": parse("A B")}}),
        ("INVX1", {"outputs": {"Y": parse("A")}}),
        ("DFFPOSX1", {"outputs": {"Q": parse("P0002")}}),
    ],
)
def test_a_cell_that_computes_something_else_is_found(unit, mapped, operands, kind, change):
    instances = [
        replace(i, cell=replace(i.cell, **change)) if i.cell.name == kind else i
        for i in mapped.netlist.instances
    ]
    with pytest.raises(SimulationError, match=r"the gates deliver .*, the golden model|no result"):
        simulate(unit, replace(mapped.netlist, instances=instances), operands, mapped.timing.delays)


@pytest.mark.parametrize("pin", ["A", None])
def test_a_delay_that_is_missing_is_an_error(unit, mapped, operands, pin):
    """Of a gate, and of a register before an input."""
    delays = dict(mapped.timing.delays)
    missing = next(key for key in delays if key[1] == pin)
    del delays[missing]
    with pytest.raises(StaError, match="OpenSTA gives no delay of"):
        simulate(unit, mapped.netlist, operands, delays)


UNITS = [
    make("float", lanes=1, weight="e2m1", activation="e2m1"),
    make("bit_serial", lanes=2, weight="int4", activation="int3", digits="essential"),
]


@pytest.fixture(scope="module", params=UNITS, ids=lambda unit: unit.name)
def other(request, library, tmp_path_factory):
    """Another unit, and how it is mapped for speed."""
    flow = yosys.Flow(request.param, library, tmp_path_factory.mktemp("other"))
    return request.param, flow.fastest()


def test_cells_compute_what_the_golden_model_says(other):
    """The simulation compares every result."""
    unit, mapped = other
    gates, _ = take_apart(mapped.netlist)
    assert activity.simulate(unit, gates, default_operands(unit)).mean > 0.05


def test_estimate_and_synthesis_are_played_the_same(other):
    unit, mapped = other
    operands = default_operands(unit)
    netlists = take_apart(mapped.netlist)[0], gates_of(unit)
    cells, gates = (activity.simulate(unit, netlist, operands) for netlist in netlists)
    assert cells.cycles == gates.cycles
    assert cells.macs_per_cycle == gates.macs_per_cycle
    assert cells.macs_per_cycle_error == gates.macs_per_cycle_error
    assert (cells.macs_per_cycle_error > 0) == (unit.family == "bit_serial")
    # The same cycles of all streams, and of these the same or fewer.
    for port in ("i__payload", "i__valid"):
        values = [
            (found.transitions.before[nets], found.transitions.after[nets])
            for found, nets in zip((cells, gates), (n.inputs[port] for n in netlists), strict=True)
        ]
        np.testing.assert_array_equal(*values)
    drawn = sorted(
        (
            set(zip(t.words.tolist(), t.bits.tolist(), strict=True))
            for t in (cells.transitions, gates.transitions)
        ),
        key=len,
    )
    assert drawn[0] <= drawn[1]


def one_of_each(library):
    """Every cell of ``CELLS``, with inputs of its own."""
    instances, inputs, net = [], {}, 2
    for name, outputs in CELLS.items():
        cell = library.cell(name)
        pins = [*cell.inputs, *outputs]
        nets = dict(zip(pins, range(net, net + len(pins)), strict=True))
        net += len(pins)
        instances.append(Instance(name, cell, nets))
        inputs |= {f"{name}_{pin}": [nets[pin]] for pin in cell.inputs}
    return MappedNetlist(instances, {CLOCK: [net], **inputs}, {}, net + 1)


def test_cells_are_taken_apart_to_what_they_compute(library):
    netlist = one_of_each(library)
    gates, places = take_apart(netlist)
    cells = elements(netlist)
    for instance in netlist.instances:
        inputs = sorted(instance.cell.inputs)
        states = np.array(list(product([False, True], repeat=len(inputs))), bool).T
        machine = _Machine(gates, states.shape[1])
        for pin, values in zip(inputs, states, strict=True):
            machine.drive(f"{instance.name}_{pin}", values)
        machine.settle()
        for pin, function in CELLS[instance.name].items():
            net = instance.nets[pin]
            expected = [bool(function(*column)) for column in states.T.tolist()]
            word = int(machine.values[places[net], 0])
            assert [bool(word >> k & 1) for k in range(len(expected))] == expected
            (element,) = np.flatnonzero(cells.outputs == net)
            table, pins = cells.tables[element], cells.pins[element]
            columns = {instance.nets[name]: states[k] for k, name in enumerate(inputs)}
            rows = sum(columns[p].astype(int) << j for j, p in enumerate(pins))
            assert [bool(table[row]) for row in rows] == expected


@pytest.mark.parametrize(
    ("cell", "constants", "pins", "table"),
    [
        ("NAND2X1", {"B": 1}, ["A"], (1, 0)),
        ("NAND2X1", {"B": 0}, [], (1,)),
        ("OAI21X1", {"A": 1}, ["C"], (1, 0)),  # B does not matter.
        ("OAI21X1", {"A": 0}, ["B", "C"], (1, 1, 1, 0)),
        ("XOR2X1", {"A": 1}, ["B"], (1, 0)),
        ("FAX1", {"C": 1}, ["A", "B"], (0, 1, 1, 1)),
    ],
)
def test_constants_leave_what_matters(library, cell, constants, pins, table):
    of = library.cell(cell)
    names = [*of.inputs, *of.outputs]
    nets = {name: constants.get(name, k) for k, name in enumerate(names, 2)}
    netlist = MappedNetlist(
        [Instance("u", of, nets)],
        {CLOCK: [20], "i": [n for pin, n in nets.items() if pin in of.inputs and n > 1]},
        {},
        21,
    )
    cells = elements(netlist)
    assert cells.outputs[0] == nets[next(iter(of.outputs))]
    assert cells.pins[0] == [nets[pin] for pin in pins]
    assert tuple(cells.tables[0]) == table


#: Deliver the complement of what they store, or store the complement; or deliver both.
FLIP_FLOPS = [
    FLIP_FLOP.replace("(Q)", "(QN)").replace('"IQ"', '"IQN"'),
    FLIP_FLOP.replace("(Q)", "(QN)").replace('"D"; }', '"!D"; }'),
    FLIP_FLOP[:-2] + FLIP_FLOP[FLIP_FLOP.index("pin (Q)") :].replace("Q", "QN"),
]


@pytest.mark.parametrize("text", FLIP_FLOPS)
def test_flip_flops_may_deliver_the_complement(text):
    cell = read_cell(re.sub(r"when : .!?D \* !?Q.;", "", text), read_header(HEAD, "my.lib"))
    nets = {"CK": 2, "D": 3, "Q": 4, "QN": 5}
    instance = Instance("u", cell, {pin: nets[pin] for pin in ("CK", "D", *cell.outputs)})
    netlist = MappedNetlist([instance], {CLOCK: [2], "d": [3]}, {"q": [5]}, 6)
    gates, places = take_apart(netlist)
    machine = _Machine(gates, 1)
    seen = []
    for value in (0, 1, 1, 0):
        machine.drive("d", np.array([bool(value)]))
        machine.settle()
        machine.clock()
        machine.settle()
        seen.append(int(machine.read("q")[0, 0]))
    assert seen == [1, 0, 0, 1]
    # Both change at the clock edge, each with its own delay.
    outputs = [nets[pin] for pin in cell.outputs]
    assert elements(netlist).sources.tolist() == [3, *outputs]
    delays = {("d", None): (1, 2), ("u", "CK", "Q"): (3, 4), ("u", "CK", "QN"): (5, 6)}
    expected = [[1, 2], *(delays["u", "CK", pin] for pin in cell.outputs)]
    np.testing.assert_array_equal(of_cells(netlist, delays).sources, expected)
    assert len(set(places[outputs].tolist())) == len(outputs)


def test_a_clear_that_is_used_is_refused(library):
    cell = library.cell("DFFSR")
    nets = {"CLK": 2, "D": 3, "R": 4, "S": 1, "Q": 5}
    netlist = MappedNetlist([Instance("u", cell, nets)], {CLOCK: [2], "d": [3, 4]}, {"q": [5]}, 6)
    with pytest.raises(MappingError, match="DFFSR u has an asynchronous clear or preset"):
        take_apart(netlist)
    unused = replace(netlist, instances=[Instance("u", cell, {**nets, "R": 1})])
    assert take_apart(unused)[0].first_gate == 5


def test_cells_in_a_loop_are_refused(library):
    inverter = library.cell("INVX1")
    loop = [Instance(name, inverter, {"A": a, "Y": y}) for name, a, y in (("u", 3, 4), ("v", 4, 3))]
    netlist = MappedNetlist(loop, {CLOCK: [2]}, {"q": [4]}, 5)
    with pytest.raises(MappingError, match="2 cells are in or behind a loop"):
        take_apart(netlist)


def test_clock_is_a_port(mapped):
    assert mapped.netlist.inputs[CLOCK] == [mapped.netlist.clock]
