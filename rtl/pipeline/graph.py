"""A unit as a graph: what depends on what, and how long it takes.

Nodes are the cells of the data path, registers, and groups of bits of the beat. Cells that depend
on the handshake, such as the multiplexer that holds a register, are no nodes: they belong to what
they drive, and every stage gets its own.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from hwsim.errors import InputError
from rtl.blocks.fold import INTERLEAVED
from rtl.flat import Bit, Flat
from rtl.pipeline.delays import delay

#: Cells that keep a state.
REGISTER = "$dff"
#: Cells that are memories, with all their ports.
MEMORY = "$mem_v2"


@dataclass
class Graph:
    """Nodes by number, and what leads to them.

    Attributes
    ----------
    delays
        Of every node from its inputs to its output; of a source, when it is there.
    inputs
        Of every node, the nodes that it depends on and the delay that lies between, in gates that
        are no nodes.
    widths
        Bits of every node's output that something reads.
    registers, sources, last
        Which nodes keep a state, which are given, which belong in the last stage.
    interleaved
        Which nodes read a state that has several cycles: they may be so many stages before the
        last, less one, and no earlier.
    """

    delays: list[float] = field(default_factory=list)
    inputs: list[dict[int, float]] = field(default_factory=list)
    widths: list[int] = field(default_factory=list)
    registers: list[bool] = field(default_factory=list)
    sources: list[bool] = field(default_factory=list)
    last: list[bool] = field(default_factory=list)
    interleaved: dict[int, int] = field(default_factory=dict)

    def add(
        self,
        delay: float = 0,
        inputs: dict[int, float] | None = None,
        width: int = 0,
        register: bool = False,
        source: bool = False,
        last: bool = False,
    ) -> int:
        """Add a node and return its number."""
        self.delays.append(delay)
        self.inputs.append(inputs or {})
        self.widths.append(width)
        self.registers.append(register)
        self.sources.append(source)
        self.last.append(last)
        return len(self.delays) - 1

    @cached_property
    def outputs(self) -> list[list[int]]:
        """Of every node, the nodes that depend on it."""
        outputs: list[list[int]] = [[] for _ in self.delays]
        for node, inputs in enumerate(self.inputs):
            for before in inputs:
                outputs[before].append(node)
        return outputs

    @cached_property
    def order(self) -> list[int]:
        """All nodes, each behind those that it depends on within a cycle; registers come first."""
        waiting = [0 if self.registers[n] else len(i) for n, i in enumerate(self.inputs)]
        ready = [node for node, count in enumerate(waiting) if not count]
        for node in ready:
            for after in self.outputs[node]:
                waiting[after] -= 1
                if not waiting[after] and not self.registers[after]:
                    ready.append(after)
        assert len(ready) == len(self.delays), "a data path has no loop without a register"
        return ready

    @cached_property
    def loops(self) -> list[list[int]]:
        """Groups of nodes that depend on one another, most of a single node, in topological order.

        The nodes of a group are in the order of :attr:`order`.
        """
        count = len(self.delays)
        pairs = [(before, node) for node, inputs in enumerate(self.inputs) for before in inputs]
        rows, columns = zip(*pairs, strict=True) if pairs else ((), ())
        edges = coo_array((np.ones(len(pairs), bool), (rows, columns)), shape=(count, count))
        number, labels = connected_components(edges, connection="strong")
        members: list[list[int]] = [[] for _ in range(number)]
        for node in self.order:
            members[labels[node]].append(node)
        after = {(labels[a], labels[b]) for a, b in pairs if labels[a] != labels[b]}
        waiting = np.zeros(number, int)
        following = defaultdict(list)
        for a, b in sorted(after):
            following[a].append(b)
            waiting[b] += 1
        ready = [label for label in range(number) if not waiting[label]]
        for label in ready:
            for b in following[label]:
                waiting[b] -= 1
                if not waiting[b]:
                    ready.append(b)
        return [members[label] for label in ready]


@dataclass(frozen=True)
class Cell:
    """A cell of the unit."""

    name: str
    cell: dict[str, Any]

    @property
    def is_register(self) -> bool:
        """Whether it keeps a state."""
        return bool(self.cell["type"] == REGISTER)

    def bits(self, direction: str) -> Iterator[int]:
        """Yield the nets of its inputs or outputs."""
        for port, bits in self.cell["connections"].items():
            if self.cell["port_directions"][port] == direction:
                yield from (bit for bit in bits if isinstance(bit, int))


def _check_memories(flat: Flat) -> None:
    """Refuse memories that are more than tables, as beats would not meet them in their order."""
    for cell in flat.cells.values():
        if cell["type"] != MEMORY:
            continue
        parameters = cell["parameters"]
        is_written = int(parameters["WR_PORTS"], 2) > 0
        if is_written or "1" in parameters["RD_CLK_ENABLE"]:
            name = parameters["MEMID"].removeprefix("\\")
            raise InputError(
                f"stages of {flat.name}: the memory {name} is "
                f"{'written' if is_written else 'read at a clock edge'}; allowed: 1, or memories "
                "that are read within the cycle and never written, which are tables"
            )


@dataclass
class Part:
    """A part of a unit as a graph.

    Attributes
    ----------
    graph
        Its nodes.
    bits
        Of every node, the nets that it drives.
    cells
        Of every node, its cell; None for bits that are given.
    """

    graph: Graph = field(default_factory=Graph)
    bits: list[list[int]] = field(default_factory=list)
    cells: list[Cell | None] = field(default_factory=list)

    def add(self, bits: list[int], cell: Cell | None, **node: Any) -> None:
        """Add a node that drives ``bits``."""
        self.graph.add(**node)
        self.bits.append(bits)
        self.cells.append(cell)

    def connect(self, node: int, bits: dict[int, float]) -> None:
        """Let a node depend on nets, each with a delay between."""
        numbers = self.numbers
        inputs = self.graph.inputs[node]
        for bit, late in bits.items():
            before = numbers[bit]
            inputs[before] = max(late, inputs.get(before, 0))

    @cached_property
    def numbers(self) -> dict[int, int]:
        """The node that drives a net, once all nodes are there."""
        return {bit: node for node, bits in enumerate(self.bits) for bit in bits}


class DataPath:
    """The cells of a unit in one stage, told apart into what a stage has once and what it shares.

    Parameters
    ----------
    flat
        The unit, all registers of which are ``$dff``, and whose memories are tables.
    interleaved
        Beats from one that replaces a state to the next that reads it, of registers that are called
        :data:`~rtl.blocks.fold.INTERLEAVED`. So many stages may lie between reading and replacing.

    Attributes
    ----------
    forward
        Everything from the beat to the registers that the results are in.
    behind
        What lies between these registers and the results.

    Raises
    ------
    InputError
        If results depend on a beat that is still offered, and for a memory that keeps a state.
    """

    def __init__(self, flat: Flat, interleaved: int = 1) -> None:
        _check_memories(flat)
        self.flat = flat
        self.interleaved = interleaved
        self.cells = [Cell(name, cell) for name, cell in flat.cells.items()]
        self.drivers = {bit: cell for cell in self.cells for bit in cell.bits("output")}
        (self.valid,), (self.ready,), (self.taken,), (self.offered,) = (
            self._port(name) for name in ("i__valid", "i__ready", "o__ready", "o__valid")
        )
        self.common = {bit for name in ("clk", "rst") for bit in self._port(name)}
        self.beat = self._port("i__payload")
        self.result = self._port("o__payload")
        self.states = {
            bit
            for name, net in flat.module["netnames"].items()
            if INTERLEAVED in name
            for bit in net["bits"]
            if isinstance(bit, int)
        }
        self.controls = self._controls()
        self.readers = self._readers()
        if self._sources(self.result) & {*self.beat, self.valid, self.taken}:
            raise InputError(
                f"stages of {flat.name}: its results depend on what is offered in the same cycle; "
                "allowed: 1"
            )
        self.exclusive = self._exclusive()
        self.pinned = self._pinned()
        self.forward = self._forward()
        self.behind = self._behind()

    def _port(self, name: str) -> list[int]:
        """Return the nets of a port."""
        return [bit for bit in self.flat.port(name) if isinstance(bit, int)]

    def is_data(self, bit: Bit) -> bool:
        """Whether a bit belongs to a beat, and is delayed with it."""
        if not isinstance(bit, int) or bit in self.common:
            return False
        if bit in (self.valid, self.ready, self.taken):
            return False
        driver = self.drivers.get(bit)
        return driver is None or driver.name not in self.controls

    def gates(self, bits: Iterable[Bit]) -> dict[int, float]:
        """Return data and ``o__ready`` that nets depend on, by the delay of controls between."""
        found: dict[int, float] = {}
        waiting = [(bit, 0.0) for bit in bits if isinstance(bit, int)]
        while waiting:
            bit, late = waiting.pop()
            if bit in self.common or bit in (self.valid, self.ready):
                continue
            if found.get(bit, -1) >= late:
                continue
            found[bit] = late
            driver = self.drivers.get(bit)
            if driver is not None and driver.name in self.controls:
                waiting += ((b, late + delay(driver.cell)) for b in driver.bits("input"))
        return {bit: late for bit, late in found.items() if self.is_data(bit) or bit == self.taken}

    def data(self, bits: Iterable[Bit]) -> dict[int, float]:
        """Return the data that nets depend on, by the delay of controls between."""
        return {bit: late for bit, late in self.gates(bits).items() if bit != self.taken}

    def _controls(self) -> set[str]:
        """Cells that depend on the handshake within a cycle."""
        readers = defaultdict(list)
        for cell in self.cells:
            if not cell.is_register:
                for bit in cell.bits("input"):
                    readers[bit].append(cell)
        found: set[str] = set()
        waiting = [self.valid, self.ready, self.taken]
        while waiting:
            for cell in readers[waiting.pop()]:
                if cell.name not in found:
                    found.add(cell.name)
                    waiting += cell.bits("output")
        return found

    def _readers(self) -> dict[int, set[str]]:
        """What reads a net: cells by name, and the output ports."""
        readers: dict[int, set[str]] = defaultdict(set)
        for cell in self.cells:
            for bit in cell.bits("input"):
                readers[bit].add(cell.name)
        for name in ("i__ready", "o__valid", "o__payload"):
            for bit in self._port(name):
                readers[bit].add(name)
        return readers

    def _sources(self, bits: Iterable[int]) -> set[int]:
        """Nets that others depend on within a cycle: of registers and ports."""
        seen: set[int] = set()
        waiting = [*bits]
        while waiting:
            bit = waiting.pop()
            if bit not in seen:
                seen.add(bit)
                driver = self.drivers.get(bit)
                if driver is not None and not driver.is_register:
                    waiting += driver.bits("input")
        return {b for b in seen if b not in self.drivers or self.drivers[b].is_register}

    def _exclusive(self) -> set[str]:
        """Cells that lie between registers and the results, and nowhere else."""
        found: set[str] = set()
        waiting = [*self.result]
        while waiting:
            driver = self.drivers.get(waiting.pop())
            if driver is None or driver.is_register or driver.name in found:
                continue
            readers = set[str]().union(*(self.readers[bit] for bit in driver.bits("output")))
            # A cell comes up again with each of its readers; the last one decides.
            if readers <= found | {"o__payload"}:
                found.add(driver.name)
                waiting += driver.bits("input")
        return found

    def _pinned(self) -> set[str]:
        """Cells that belong in the last stage: registers, and what results share with sums."""
        registers = {cell.name for cell in self.cells if cell.is_register}
        offering = self._sources([self.offered])
        deciding = self._sources([self.ready]) - {self.taken} - self.common
        shown = {bit for bit in self._shown() if bit in self.drivers}
        pinned = {self.drivers[bit].name for bit in shown | (offering & self.drivers.keys())}
        if deciding - offering:
            # Beats that take several cycles: the registers that count these are not told apart.
            return pinned | registers
        taking = (
            name
            for name in registers
            if self.taken in self.gates(self.flat.cells[name]["connections"]["D"])
        )
        return pinned | {*taking}

    def _shown(self) -> dict[int, None]:
        """Nets that results are made of by cells that make nothing else, in a stable order."""
        cells = [cell for cell in self.cells if cell.name in self.exclusive]
        inputs = [bit for cell in cells for bit in cell.bits("input")]
        within = {bit for cell in cells for bit in cell.bits("output")}
        return dict.fromkeys(
            bit for bit in (*self.result, *inputs) if bit not in within and self.is_data(bit)
        )

    def _forward(self) -> Part:
        part = Part()
        alike: dict[frozenset[str], list[int]] = {}
        for bit in self.beat:
            alike.setdefault(frozenset(self.readers[bit]), []).append(bit)
        for readers, bits in alike.items():
            part.add(bits, None, width=len(bits) if readers else 0, source=True)
        for cell in self.cells:
            if cell.name not in self.controls and cell.name not in self.exclusive:
                bits = [*cell.bits("output")]
                part.add(
                    bits,
                    cell,
                    delay=0 if cell.is_register else delay(cell.cell),
                    width=sum(bool(self.readers[bit]) for bit in bits),
                    register=cell.is_register,
                    last=cell.name in self.pinned,
                )
        # What decides whether a beat is taken, and whether a result is offered.
        part.add([], None, last=True)
        for node, one in enumerate(part.cells):
            if one is not None:
                data = self.data(one.bits("input"))
                if not one.is_register and self.states & data.keys():
                    part.graph.interleaved[node] = self.interleaved
                part.connect(node, {b: late for b, late in data.items() if b not in self.states})
        driver = self.drivers.get(self.ready)
        bits = [self.offered, *(driver.bits("input") if driver else ())]
        part.connect(len(part.cells) - 1, self.data(bits))
        return part

    def _behind(self) -> Part:
        part = Part()
        for bit in self._shown():
            driver = self.drivers[bit]
            given = 0 if driver.is_register else delay(driver.cell)
            part.add([bit], None, delay=given, width=1, source=True)
        for cell in self.cells:
            if cell.name in self.exclusive:
                bits = [*cell.bits("output")]
                part.add(bits, cell, delay=delay(cell.cell), width=len(bits))
        part.add([], None, last=True)
        for node, one in enumerate(part.cells):
            if one is not None:
                part.connect(node, dict.fromkeys(filter(self.is_data, one.bits("input")), 0.0))
        part.connect(len(part.cells) - 1, dict.fromkeys(self.result, 0.0))
        return part
