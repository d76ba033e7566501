"""Toggles of every net of a mapped netlist, counted by simulating its cells on Icarus.

Each cell becomes Verilog made of its Liberty function, with a delay of one unit of time at every
output; combinational ones become truth tables, which run twice as fast as expressions. A small
bench plays the operand stream, one dot product after the other, and prints the results, which must
be those of the golden model: the simulation proves the mapping, too. Icarus writes every change of
every net to a file.

One run gives both counts. What a net is at the end of a cycle does not depend on the delays, so
cycles at whose end it has changed are the toggles without delays; all changes together are the
toggles with the hazards that unit delays make.
"""

import re
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cost_models.activity import SimulationError
from cost_models.synthesis.expressions import Expression
from cost_models.synthesis.mapped import Instance, MappedNetlist
from hwsim.errors import InputError
from hwsim.units import UnitSpec
from hwsim.units.operands import Operands
from rtl import icarus

Floats = NDArray[np.float64]
Int = NDArray[np.int64]
Bytes = NDArray[np.uint8]

#: Of a longer stream of operands, as many cycles are played as are this many when multiplied with
#: the number of cells, within limits: toggles of more nets average out sooner. That is within 1 %
#: of the energy of 4096 cycles for most units (2 % at most seen), and within 3 % with hazards.
CELL_CYCLES = 250_000
FEWEST_CYCLES, MOST_CYCLES = 128, 512
#: Units of time in a cycle, more than any path has cells.
_PERIOD = 10000
#: When the first cycle after the reset begins.
_RESET = 5 * _PERIOD // 2
#: Cycles beyond the declared timing after which a unit counts as stuck.
_PATIENCE = 16


@dataclass(frozen=True, eq=False)
class Toggles:
    """Toggle rates of a mapped netlist.

    Attributes
    ----------
    settled
        Mean toggles per cycle of each net without delays, shape (nets,), each in [0, 1].
    all
        The same with the hazards that unit delays make.
    cycles
        Clock cycles counted.
    macs_per_cycle
        Multiply-accumulates per clock cycle, for the operands that were simulated.
    """

    settled: Floats
    all: Floats
    cycles: int
    macs_per_cycle: float


def simulate(
    unit: UnitSpec,
    netlist: MappedNetlist,
    operands: Operands,
    folder: Path,
    cycles: int | None = None,
) -> Toggles:
    """Play ``operands`` to ``netlist``, check the results, and count toggles.

    The stream has no stalls. Cycles before the pipeline is full are not counted.

    Parameters
    ----------
    unit
        The specification whose golden model the results must equal.
    operands
        Codes of shape (streams, length); ``unit.lanes`` divides the length. The streams are played
        in turn until ``cycles`` are over.
    folder
        Where files are written.
    cycles
        By default what :data:`CELL_CYCLES` gives.

    Raises
    ------
    SimulationError
        If a result differs from ``unit.dot`` or does not come.
    rtl.icarus.IcarusError
        If the simulator fails.
    InputError
        For operands that do not fit the unit or are too short to count anything.
    MissingToolError
        If Icarus is not installed.
    """
    taken = unit.cycles(operands.activations, operands.weights, **operands.metadata)
    if taken.ndim != 2:
        raise InputError(f"operands must have the shape (streams, length), not {taken.ndim} axes")
    if cycles is None:
        wanted = CELL_CYCLES // len(netlist.instances)
        cycles = min(max(wanted, FEWEST_CYCLES), MOST_CYCLES)
    timing = unit.timing()
    warm_up = timing.latency + timing.interval
    ends = taken.sum(axis=1).cumsum()
    count = min(len(ends), int(np.searchsorted(ends, cycles + warm_up)) + 1)
    played = operands.take(slice(count))
    expected = unit.dot(played.activations, played.weights, **played.metadata).tolist()
    beats = [word for words in unit.words(played) for word in words]
    limit = int(ends[count - 1]) + timing.latency + _PATIENCE
    (folder / "beats.hex").write_text("\n".join(f"{beat:x}" for beat in beats))
    (folder / "simulation.v").write_text(
        _cells(netlist) + _bench(unit, netlist, len(beats), warm_up, limit)
    )
    log = _run(folder)
    results = [int(text, 16) for text in re.findall(r"^result ([0-9a-f]+)$", log, re.MULTILINE)]
    _check(unit, results, expected)
    span = re.search(r"^beats end in cycle (\d+)$", log, re.MULTILINE)
    last = int(span[1]) if span else 0
    if last <= warm_up:
        raise InputError(
            f"{len(beats)} beats are too few to count toggles; {unit.name} needs more than "
            f"{warm_up // timing.interval + 1}"
        )
    settled, changes = _count((folder / "toggles.vcd").read_bytes(), netlist.nets, warm_up, last)
    return Toggles(
        settled / (last - warm_up),
        changes / (last - warm_up),
        last - warm_up,
        unit.mean_macs_per_beat(played.metadata) / float(taken[:count].mean()),
    )


def _check(unit: UnitSpec, results: list[int], expected: list[int]) -> None:
    if len(results) != len(expected):
        raise SimulationError(
            f"{unit.name}: the cells deliver {len(results)} results in time, not {len(expected)}"
        )
    for number, (got, want) in enumerate(zip(results, expected, strict=True)):
        if got != want:
            raise SimulationError(
                f"{unit.name}: the cells deliver {got:#x} for dot product {number}, the golden "
                f"model {want:#x}"
            )


def _cells(netlist: MappedNetlist) -> str:
    """Return the netlist as one Verilog module without ports, in which net k is ``nk``."""
    functions = {
        (instance.cell.name, pin): function
        for instance in netlist.instances
        if instance.cell.flip_flop is None
        for pin, function in instance.cell.outputs.items()
        if function.names
    }
    tables = {key: f"t{number}" for number, key in enumerate(functions)}
    lines = [_truth_table(tables[key], function) for key, function in functions.items()]
    lines += ["module cells;", "wire n0 = 1'b0;", "wire n1 = 1'b1;"]
    for name, nets in netlist.inputs.items():
        lines += [f"wire n{net} = bench.{name}[{bit}];" for bit, net in enumerate(nets)]
    lines += [f"wire n{net};" for net in netlist.driven]
    for number, instance in enumerate(netlist.instances):
        cell = instance.cell
        names = {pin: f"n{net}" for pin, net in instance.nets.items()}
        if cell.flip_flop is not None:
            lines += _flip_flop(instance, names, f"s{number}")
        for pin, function in cell.outputs.items():
            if pin not in names:
                continue
            table = tables.get((cell.name, pin))
            if table is None:
                lines.append(f"assign #1 {names[pin]} = {function.verilog(names)};")
            else:
                pins = ", ".join(names[name] for name in (pin, *sorted(function.names)))
                lines.append(f"{table} #1 ({pins});")
    return "\n".join([*lines, "endmodule\n"])


def _truth_table(name: str, function: Expression) -> str:
    """Return a Verilog primitive of an output and the inputs of ``function`` in order."""
    inputs = sorted(function.names)
    rows = list(product("01", repeat=len(inputs)))
    values = function.evaluate(
        {pin: np.array([row[k] == "1" for row in rows]) for k, pin in enumerate(inputs)}
    )
    ports = ", ".join(f"i{k}" for k in range(len(inputs)))
    table = "".join(
        f"{' '.join(row)} : {int(value)};\n" for row, value in zip(rows, values, strict=True)
    )
    return (
        f"primitive {name}(y, {ports});\noutput y;\ninput {ports};\n"
        f"table\n{table}endtable\nendprimitive"
    )


def _flip_flop(instance: Instance, names: dict[str, str], state: str) -> list[str]:
    """Return a flip-flop that starts in a random state, and add its state to ``names``."""
    flip_flop = instance.cell.flip_flop
    assert flip_flop is not None
    events = [f"posedge {state}c"]
    lines = [
        f"reg {state};",
        f"initial {state} = $random;",
        f"wire {state}c = {flip_flop.clocked_on.verilog(names)};",
    ]
    body = ""
    for kind, value, expression in (("r", 0, flip_flop.clear), ("p", 1, flip_flop.preset)):
        if expression is not None:
            lines.append(f"wire {state}{kind} = {expression.verilog(names)};")
            events.append(f"posedge {state}{kind}")
            body += f"if ({state}{kind}) {state} <= {value}; else "
    body += f"{state} <= {flip_flop.next_state.verilog(names)};"
    names |= {flip_flop.state: state, flip_flop.inverse: f"~{state}"}
    return [*lines, f"always @({' or '.join(events)}) {body}"]


def _bench(unit: UnitSpec, netlist: MappedNetlist, beats: int, warm_up: int, limit: int) -> str:
    """Return the module that drives inputs one unit of time after the clock edge.

    Flip-flops change at that time, too. Outputs are read before the next edge.
    """
    inputs = {"clk": 1, "rst": 1, "i__valid": 1, "o__ready": 1, "i__payload": unit.beat_bits}
    unknown = set(netlist.inputs) - set(inputs)
    assert not unknown, unknown
    declared = "\n".join(f"reg [{width - 1}:0] {name} = 0;" for name, width in inputs.items())
    payload = ", ".join(f"cells.n{net}" for net in reversed(netlist.outputs["o__payload"]))
    (ready,), (valid,) = netlist.outputs["i__ready"], netlist.outputs["o__valid"]
    half = _PERIOD // 2
    return f"""module bench;
{declared}
reg [{unit.beat_bits - 1}:0] beats [0:{beats - 1}];
integer cycle, position, taken;
initial begin
  $readmemh("beats.hex", beats);
  $dumpfile("toggles.vcd");
  rst = 1;
  repeat (2) begin #{half} clk = 1; #{half} clk = 0; end
  #{half} clk = 1;
  position = 0;
  for (cycle = 0; cycle < {limit}; cycle = cycle + 1) begin
    #1 rst = 0;
    o__ready = 1;
    i__valid = position < {beats};
    if (i__valid) i__payload = beats[position];
    #{half - 1} clk = 0;
    #{half - 1};
    if (cycle == {warm_up}) $dumpvars(1, cells);
    if (cells.n{valid}) $display("result %h", {{{payload}}});
    taken = i__valid & cells.n{ready};
    #1 clk = 1;
    if (taken) begin
      position = position + 1;
      if (position == {beats}) $display("beats end in cycle %0d", cycle);
    end
  end
  $finish;
end
endmodule
"""


def _run(folder: Path) -> str:
    compiler, runner = icarus.find()
    top = ["-s", "bench", "-s", "cells"]
    icarus.run([compiler, "-g2005", *top, "-o", "simulation.vvp", "simulation.v"], folder)
    return icarus.run([runner, "-n", "simulation.vvp"], folder)


def _count(raw: bytes, nets: int, warm_up: int, last: int) -> tuple[Int, Int]:
    """Count, for each net, cycles with a settled change and all changes, in a value change dump.

    Icarus repeats a value where a net came back to it within a unit of time; these do not count.
    A dump that ends before the cycle ``last`` raises SimulationError.
    """
    head, _, body = raw.partition(b"$enddefinitions $end\n")
    identifiers = {
        identifier: int(net)
        for identifier, net in re.findall(rb"\$var wire 1 (\S+) n(\d+) \$end", head)
    }
    text = np.frombuffer(body, np.uint8)
    ends = np.flatnonzero(text == ord("\n"))
    starts = np.concatenate([[0], ends + 1])[: len(ends)]
    first = text[starts]
    is_time = first == ord("#")
    spans = zip(starts[is_time] + 1, ends[is_time], strict=True)
    times = np.array([int(body[start:end]) for start, end in spans], np.int64)
    # The clock changes in every cycle.
    if not times.size or (times[-1] - _RESET) // _PERIOD < last:
        raise SimulationError("Icarus did not write all toggles; is a disk full?")
    cycle = ((times - _RESET) // _PERIOD)[np.maximum(np.cumsum(is_time) - 1, 0)]
    is_value = (first == ord("0")) | (first == ord("1"))
    keys = _keys(text, starts[is_value] + 1, ends[is_value])
    known = np.array([int.from_bytes(i, "little") for i in identifiers], np.int64)
    order = np.argsort(known)
    place = np.minimum(np.searchsorted(known[order], keys), len(known) - 1)
    is_net = known[order][place] == keys
    net = np.array(list(identifiers.values()), np.int64)[order][place[is_net]]
    cycle = cycle[is_value][is_net]
    value = first[is_value][is_net]
    by_net = np.argsort(net, kind="stable")
    net, cycle, value = net[by_net], cycle[by_net], value[by_net]
    changed = np.zeros(len(net), bool)
    changed[1:] = (net[1:] == net[:-1]) & (value[1:] != value[:-1])
    changed &= (cycle > warm_up) & (cycle <= last)
    net, cycle = net[changed], cycle[changed]
    slots, counts = np.unique(net * (last + 1) + cycle, return_counts=True)
    settled = np.bincount(slots[counts % 2 == 1] // (last + 1), minlength=nets)
    return settled, np.bincount(net, minlength=nets)


def _keys(text: Bytes, starts: Int, ends: Int) -> Int:
    """Return pieces of ``text`` as little-endian numbers."""
    keys = np.zeros(len(starts), np.int64)
    for k in range(int((ends - starts).max(initial=0))):
        inside = starts + k < ends
        keys[inside] |= text[starts[inside] + k].astype(np.int64) << (8 * k)
    return keys
