"""A netlist of library cells, as read from Yosys' JSON format."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cost_models.synthesis.cells import Cell
from cost_models.synthesis.liberty import Library
from hwsim.errors import ToolError

Floats = NDArray[np.float64]
Int = NDArray[np.int64]

#: The port that clocks everything.
CLOCK = "clk"


class MappingError(ToolError):
    """A unit does not map to gates and flip-flops of one clock out of the library.

    The clock may go through clock gates.
    """


@dataclass(frozen=True)
class Instance:
    """A cell in a netlist, and the net of each of its pins; nets 0 and 1 are the constants."""

    name: str
    cell: Cell
    nets: Mapping[str, int]


@dataclass(frozen=True, eq=False)
class MappedNetlist:
    """Library cells and the nets between them.

    Attributes
    ----------
    instances
        All cells.
    inputs, outputs
        Nets of every port, lowest bit first.
    nets
        Number of nets; 0 and 1 are the constants.
    """

    instances: Sequence[Instance]
    inputs: Mapping[str, Sequence[int]]
    outputs: Mapping[str, Sequence[int]]
    nets: int

    @property
    def clock(self) -> int:
        """Net of the clock."""
        return self.inputs[CLOCK][0]

    @cached_property
    def flip_flops(self) -> Sequence[Instance]:
        """Cells that are flip-flops."""
        return [i for i in self.instances if i.cell.flip_flop is not None]

    @cached_property
    def clock_gates(self) -> Mapping[int, Instance]:
        """Clock gates by the net of the clock that they make."""
        return {
            instance.nets[gate.output_pin]: instance
            for instance in self.instances
            if (gate := instance.cell.clock_gate) is not None
        }

    def enable(self, instance: Instance) -> int:
        """Return the net that is 1 before the clock edges that reach a flip-flop or clock gate.

        That is the enable of the clock gate that it is behind, or net 1, the constant.
        """
        pin = instance.cell.clock_pin
        gate = None if pin is None else self.clock_gates.get(instance.nets[pin])
        if gate is None or gate.cell.clock_gate is None:
            return 1
        return gate.nets[gate.cell.clock_gate.enable_pin]

    @cached_property
    def driven(self) -> Int:
        """Nets that a cell drives."""
        return np.array(
            [i.nets[pin] for i in self.instances for pin in i.cell.outputs if pin in i.nets],
            np.int64,
        )

    @cached_property
    def load(self) -> Floats:
        """Sum of the input capacitances on each net, fF, shape (nets,)."""
        load = np.zeros(self.nets)
        for instance in self.instances:
            for pin, capacitance in instance.cell.inputs.items():
                load[instance.nets[pin]] += capacitance
        return load


def read(module: Mapping[str, Any], library: Library) -> MappedNetlist:
    """Return a module of Yosys' JSON format.

    Raises
    ------
    MappingError
        For inputs that nothing drives, or a flip-flop that is not clocked by the port ``clk``,
        through one clock gate at most.
    InputError
        For cells that are not in the library or lack what a cost follows from.
    """
    number: dict[int | str, int] = {"0": 0, "1": 1}

    def nets(bits: Sequence[int | str]) -> list[int]:
        if not {"x", "z"}.isdisjoint(map(str, bits)):
            raise MappingError("the mapped netlist has an undefined bit")
        return [number.setdefault(bit, len(number)) for bit in bits]

    ports = {
        direction: {
            name: nets(port["bits"])
            for name, port in module["ports"].items()
            if port["direction"] == direction
        }
        for direction in ("input", "output")
    }
    instances = [
        Instance(
            name,
            library.cell(cell["type"]),
            {pin: nets(bits)[0] for pin, bits in cell["connections"].items() if bits},
        )
        for name, cell in module["cells"].items()
    ]
    result = MappedNetlist(instances, ports["input"], ports["output"], len(number))
    _check(result)
    return result


def _check(netlist: MappedNetlist) -> None:
    sources = {0, 1, *netlist.driven.tolist()}.union(*netlist.inputs.values())
    for instance in netlist.instances:
        for pin in instance.cell.inputs:
            if instance.nets.get(pin) not in sources:
                raise MappingError(f"nothing drives {pin} of {instance.cell.name} {instance.name}")
        _check_clock(netlist, instance)


def _check_clock(netlist: MappedNetlist, instance: Instance) -> None:
    cell = instance.cell
    what = f"{cell.name} {instance.name}"
    gated = {pin for pin in cell.inputs if instance.nets[pin] in netlist.clock_gates}
    gate = cell.clock_gate
    if gate is not None:
        if instance.nets[gate.clock_pin] != netlist.clock:
            raise MappingError(f"clock gate {what} is not clocked by the port {CLOCK}")
        for pin in gate.test_pins:
            if instance.nets[pin] != 0:
                raise MappingError(f"{pin} of clock gate {what} is not tied to 0")
    elif cell.flip_flop is not None:
        pin = cell.flip_flop.clock_pin
        if instance.nets[pin] != netlist.clock and pin not in gated:
            raise MappingError(f"flip-flop {what} is not clocked by the port {CLOCK}")
        gated.discard(pin)
    if gated:
        raise MappingError(f"{', '.join(sorted(gated))} of {what} is a gated clock")
