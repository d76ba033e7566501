from dataclasses import replace

import numpy as np
import pytest

from cost_models.activity import SimulationError
from cost_models.operands import default_operands
from cost_models.synthesis.expressions import parse
from cost_models.synthesis.mapped import CLOCK
from cost_models.synthesis.simulation import simulate
from hwsim.errors import InputError
from hwsim.units.operands import Operands
from rtl import icarus
from rtl.icarus import IcarusError

CYCLES = 50


@pytest.fixture(scope="module")
def operands(unit):
    return default_operands(unit)


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

    def read(self, port):
        return sum(int(self.values[n]) << bit for bit, n in enumerate(self.netlist.outputs[port]))

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


def test_toggles_are_those_of_another_simulator(unit, mapped, operands, tmp_path):
    found = simulate(unit, mapped.netlist, operands, tmp_path, CYCLES)
    machine = Machine(mapped.netlist)
    machine.drive("rst", 1)
    for _ in range(2):
        machine.settle()
        machine.clock()
    machine.drive("rst", 0)
    machine.drive("o__ready", 1)
    machine.drive("i__valid", 1)
    beats = [beat for words in unit.words(operands) for beat in words]
    assert unit.timing().interval == 1
    warm_up = unit.timing().latency + unit.timing().interval
    settled = np.zeros(mapped.netlist.nets, int)
    every = np.zeros(mapped.netlist.nets, int)
    before = machine.values.copy()
    for cycle, beat in enumerate(beats[: warm_up + found.cycles + 1]):
        machine.drive("i__payload", beat)
        changes = (machine.values != before) + machine.settle()
        if cycle > warm_up:
            settled += machine.values != before
            every += changes
        before = machine.values.copy()
        machine.clock()
    keep = np.arange(mapped.netlist.nets) != mapped.netlist.clock
    np.testing.assert_allclose(found.settled[keep] * found.cycles, settled[keep])
    np.testing.assert_allclose(found.all[keep] * found.cycles, every[keep])
    assert every.sum() > 1.2 * settled.sum()


def test_stream_is_cut_after_the_cycles_asked_for(unit, mapped, operands, tmp_path):
    found = simulate(unit, mapped.netlist, operands, tmp_path, CYCLES)
    length = operands.activations.shape[1]
    assert CYCLES <= found.cycles < CYCLES + length
    assert found.macs_per_cycle == pytest.approx(unit.macs_per_cycle)


def test_idle_operands_toggle_little(unit, mapped, operands, tmp_path):
    idle = Operands(np.zeros_like(operands.activations), np.zeros_like(operands.weights))
    busy, rest = (simulate(unit, mapped.netlist, o, tmp_path, CYCLES) for o in (operands, idle))
    driven = mapped.netlist.driven
    assert rest.settled[driven].sum() < 0.1 * busy.settled[driven].sum()


def test_too_few_beats_are_refused(unit, mapped, operands, tmp_path):
    short = Operands(operands.activations[:1, :2], operands.weights[:1, :2])
    with pytest.raises(InputError, match="2 beats are too few to count toggles"):
        simulate(unit, mapped.netlist, short, tmp_path)


def test_operands_of_another_shape_are_refused(unit, mapped, operands, tmp_path):
    flat = operands.take(0)
    with pytest.raises(InputError, match="must have the shape"):
        simulate(unit, mapped.netlist, flat, tmp_path)


@pytest.mark.parametrize(
    ("kind", "change"),
    [
        ("XOR2X1", {"outputs": {"Y": parse("A+B")}}),
        ("NAND2X1", {"outputs": {"Y": parse("A B")}}),
        ("INVX1", {"outputs": {"Y": parse("A")}}),
        ("DFFPOSX1", {"outputs": {"Q": parse("P0002")}}),
    ],
)
def test_a_cell_that_computes_something_else_is_found(
    unit, mapped, operands, tmp_path, kind, change
):
    instances = [
        replace(i, cell=replace(i.cell, **change)) if i.cell.name == kind else i
        for i in mapped.netlist.instances
    ]
    with pytest.raises(SimulationError, match=r"the cells deliver .*, (not|the golden model)"):
        simulate(unit, replace(mapped.netlist, instances=instances), operands, tmp_path, CYCLES)


@pytest.mark.parametrize(
    ("program", "message"),
    [("iverilog", "iverilog ended with status 3:\nbroken"), ("vvp", "vvp ended with status 3")],
)
def test_a_simulator_that_fails_is_an_error(
    unit, mapped, operands, tmp_path, fake_tool, program, message
):
    fake_tool(program, "echo broken; exit 3")
    with pytest.raises(IcarusError, match=message):
        simulate(unit, mapped.netlist, operands, tmp_path, CYCLES)


def test_a_simulator_that_says_nothing_is_an_error(unit, mapped, operands, tmp_path, fake_tool):
    fake_tool("vvp", "exit 0")
    with pytest.raises(SimulationError, match="the cells deliver 0 results in time, not 1"):
        simulate(unit, mapped.netlist, operands, tmp_path, CYCLES)


@pytest.mark.parametrize("part", [0, 0.01, 0.5, 0.8])
def test_toggles_that_were_not_written_whole_are_an_error(
    unit, mapped, operands, tmp_path, monkeypatch, part
):
    run = icarus.run

    def cut_short(command, folder):
        said = run(command, folder)
        if (dump := folder / "toggles.vcd").exists():
            raw = dump.read_bytes()
            head = raw.index(b"$enddefinitions")
            dump.write_bytes(raw[: head + int(part * (len(raw) - head))])
        return said

    monkeypatch.setattr(icarus, "run", cut_short)
    with pytest.raises(SimulationError, match="did not write all toggles"):
        simulate(unit, mapped.netlist, operands, tmp_path, CYCLES)


def test_clock_is_a_port(mapped):
    assert mapped.netlist.inputs[CLOCK] == [mapped.netlist.clock]
    assert icarus.version()
