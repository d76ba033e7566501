"""Logic elements with delays: the one form in which hazards are simulated.

An element has inputs, one output, a truth table, and from each input a delay to the rise and to the
fall of the output. Generic gates are elements, and so is each output of a library cell, so an
estimate and a synthesised netlist are simulated by the same code. Delays are inertial: an element
that would take a change of its output back before it is due never makes it (IEEE 1076, 10.5.2.2:
the default in VHDL). Of inputs that change at one time, the one with the shortest delay counts.

Verilog's path delays do almost the same. Icarus does not drop what was announced: when it is due,
the output takes what the element makes of its inputs by then, so a change that was announced,
dropped and announced again may come early. Over 519 cycles of a netlist of osu018, whose hazards
are 1.7 times its settled toggles, that makes 0.6 % more of them; a picosecond more or less in each
cell, 1 % more to 4 % less. Which of two inputs is first decides single nets: only means over many
nets and cycles are a measure.

Between two clock edges a netlist goes from one settled state to the next. The settled states are
known (:mod:`cost_models.activity`), so every cycle can be played by itself, and a sample of them
is.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cost_models import loops
from cost_models.netlist import GATES, Netlist
from hwsim.errors import ToolError

Floats = NDArray[np.float64]
Int = NDArray[np.int64]
Bytes = NDArray[np.uint8]
Words = NDArray[np.uint64]

#: Ticks of the longest delay of an element: delays are rounded to a thousandth of it.
TICKS = 1000


class SimulationError(ToolError):
    """A netlist does not compute what the golden model says."""


@dataclass(frozen=True, eq=False)
class Network:
    """Logic elements and the nets between them.

    Attributes
    ----------
    nets
        Number of nets.
    sources
        Nets that change by themselves at a clock edge: inputs and outputs of flip-flops.
    outputs
        Net that each element drives.
    pins
        Nets of the inputs of each element.
    tables
        What each element computes: entry i is its output where bit j of i is its input j.
    """

    nets: int
    sources: Int
    outputs: Int
    pins: Sequence[Sequence[int]]
    tables: Sequence[Sequence[int]]


@dataclass(frozen=True, eq=False)
class Delays:
    """Delays of a network in ns.

    Attributes
    ----------
    sources
        From the clock edge to rise and fall of each source, shape (sources, 2).
    elements
        From each input of each element, in their order, to rise and fall of its output, shape
        (pins, 2).
    """

    sources: Floats
    elements: Floats


@dataclass(frozen=True, eq=False)
class Transitions:
    """Cycles of a simulation, drawn to be played with delays.

    Attributes
    ----------
    before, after
        Settled uint64 words of all nets, shape (nets, words), one bit a transition.
    words, bits
        Which bits are drawn.
    """

    before: Words
    after: Words
    words: Int
    bits: Int

    def of(self, nets: Int) -> "Transitions":
        """Return the same of some nets only."""
        return Transitions(self.before[nets], self.after[nets], self.words, self.bits)

    def settled(self) -> Int:
        """Return in how many of them each net changes, shape (nets,)."""
        changed = self.before ^ self.after
        drawn = np.zeros(changed.shape[1], np.uint64)
        np.bitwise_or.at(drawn, self.words, np.uint64(1) << self.bits.astype(np.uint64))
        return np.bitwise_count(changed & drawn).sum(axis=1, dtype=np.int64)


def gate_table(kind: str) -> list[int]:
    """Return the truth table of a generic gate out of ``GATES``, over its pins A, B and S."""
    functions = {
        "NOT": lambda a, b, s: 1 - a,
        "XOR": lambda a, b, s: a ^ b,
        "XNOR": lambda a, b, s: 1 - (a ^ b),
        "AND": lambda a, b, s: a & b,
        "NAND": lambda a, b, s: 1 - (a & b),
        "OR": lambda a, b, s: a | b,
        "NOR": lambda a, b, s: 1 - (a | b),
        "ANDNOT": lambda a, b, s: a & (1 - b),
        "ORNOT": lambda a, b, s: a | (1 - b),
        "MUX": lambda a, b, s: b if s else a,
    }
    return [functions[kind](k & 1, k >> 1 & 1, k >> 2 & 1) for k in range(8)]


def of_gates(gates: Netlist) -> Network:
    """Return a netlist of generic gates."""
    tables = [gate_table(kind) for kind in GATES]
    return Network(
        nets=gates.nets,
        sources=np.arange(2, gates.first_gate),
        outputs=np.arange(gates.first_gate, gates.nets),
        pins=gates.pins.tolist(),
        tables=[tables[kind] for kind in gates.types],
    )


def unit_delays(network: Network) -> Delays:
    """Return one unit of time for every element, and none for sources."""
    pins = sum(map(len, network.pins))
    return Delays(np.zeros((len(network.sources), 2)), np.ones((pins, 2)))


def toggles(network: Network, transitions: Transitions, delays: Delays) -> Floats:
    """Return the mean toggles of each net in a cycle, hazards included, shape (nets,).

    Parameters
    ----------
    transitions
        Settled states that the network goes from and to.
    delays
        Rounded to a thousandth of the longest delay of an element, at least that.

    Raises
    ------
    SimulationError
        If the elements do not settle at what they compute without delays.
    """
    longest = float(delays.elements.max(initial=0.0)) or 1.0
    alike = (delays.elements == longest).all() and not delays.sources.any()
    tick = longest / (1 if alike else TICKS)
    element_ticks = np.maximum(np.rint(delays.elements / tick).astype(np.int64), 1)
    source_ticks = np.maximum(np.rint(delays.sources / tick).astype(np.int64), 0)
    first_pin = np.cumsum([0, *map(len, network.pins)])
    pins = np.array([net for nets in network.pins for net in nets], np.int64)
    first_row = np.cumsum([0, *map(len, network.tables)])
    rows = np.array([row for table in network.tables for row in table], np.uint8)
    elements = np.repeat(np.arange(len(network.outputs)), np.diff(first_pin))
    readers = np.column_stack([elements, np.arange(len(pins)) - first_pin[elements]])
    by_net = np.argsort(pins, kind="stable")
    first_reader = np.searchsorted(pins[by_net], np.arange(network.nets + 1))
    counts: Int = loops.real_delays(
        transitions.before,
        transitions.after,
        transitions.words,
        transitions.bits,
        network.sources,
        source_ticks,
        network.outputs,
        first_pin,
        pins,
        element_ticks,
        first_row,
        rows,
        first_reader,
        readers[by_net],
        int(max(element_ticks.max(initial=1), source_ticks.max(initial=0))),
    )
    if counts[0] < 0:
        raise SimulationError("the gates do not settle at what they compute without delays")
    return counts / len(transitions.words)
