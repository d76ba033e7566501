"""Clock gates out of a cell library: how they get into a netlist, and what a gated clock takes.

Yosys' ``clockgate`` puts one integrated clock-gating cell before all flip-flops of an enable. It
leaves a register alone whose reset acts without its enable, so such resets are made to open the
gate first (:mod:`cost_models.enables`). Libraries have the cell in several sizes; each group
of flip-flops gets the smallest that is allowed to drive their clock pins. A group that is too large
for all gets the largest, which then is among the netlist's violations of maximum capacitance.

The clock pins behind a gate, and the gate's output, take energy in cycles in which the gate is
open, its own clock pin in all. OpenSTA's clock is ideal, here as elsewhere: its edge reaches the
flip-flops and the gates at once, as a balanced tree would bring it, and the enable has to be there
a gate's setup before it.
"""

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cost_models import enables
from cost_models.enables import SMALLEST_GROUP
from cost_models.synthesis.cells import Arc, Cell, ClockGate
from cost_models.synthesis.energy import Slews, per_toggle
from cost_models.synthesis.liberty import Library
from cost_models.synthesis.mapped import Instance, MappedNetlist
from hwsim.errors import InputError

Floats = NDArray[np.float64]

#: Edges of a clock in a cycle.
_EDGES = 2
#: An ideal clock's.
_SLEW = np.zeros(1)
#: Flip-flops behind a gate for which the library states no largest load.
_UNLIMITED = 1024


def sizes(library: Library) -> list[Cell]:
    """Return the clock gates that are used, the smallest first, each of which drives more.

    Of several kinds that with the fewest test pins.

    Raises
    ------
    InputError
        If the library has none, or its text lacks something that a cost follows from.
    """
    cells = [(_gate(cell), cell) for cell in map(library.cell, library.clock_gates)]
    if not cells:
        names = ", ".join(source.name for source in library.sources)
        raise InputError(
            f"clock_gating=True: no clock gate for rising edges in {names}; allowed: False, or "
            "files with a cell that has clock_gating_integrated_cell"
        )
    fewest = min(len(gate.test_pins) for gate, _ in cells)
    useful: list[Cell] = []
    for gate, cell in sorted(cells, key=lambda pair: (pair[0].area_um2, pair[1].name)):
        if len(gate.test_pins) == fewest and (not useful or most(cell) > most(useful[-1])):
            useful.append(cell)
    return useful


def most(cell: Cell) -> float:
    """Return the load that a clock gate may have, fF; infinity if the library does not say."""
    return cell.most_load.get(_gate(cell).output_pin, float("inf"))


def clock_load(library: Library) -> float:
    """Return the largest capacitance of a clock pin of the simplest rising-edge flip-flops, fF.

    Raises
    ------
    InputError
        If the library has none.
    """
    rising = []
    for name in library.registers:
        with suppress(InputError):  # An error if it is used.
            cell = library.cell(name)
            if cell.flip_flop is not None and cell.flip_flop.clocked_on.operator == "name":
                rising.append((len(cell.inputs), cell.inputs[cell.flip_flop.clock_pin]))
    if not rising:
        raise InputError("clock_gating=True: no rising-edge flip-flop in the library")
    fewest = min(pins for pins, _ in rising)
    return max(load for pins, load in rising if pins == fewest)


def commands(library: Library, folder: Path) -> list[str]:
    """Return the Yosys commands that gate clocks, of a design whose flip-flops are Yosys' own.

    They come before those flip-flops are mapped. A file is written to ``folder``, in which they
    run. Errors are those of :func:`sizes` and :func:`clock_load`.
    """
    enables.write_map(folder)
    return [*enables.COMMANDS, *_clockgate(library)]


def _clockgate(library: Library) -> list[str]:
    """Return a command for each size, the largest first, which takes the groups from its least."""
    load = clock_load(library)
    made = []
    least = SMALLEST_GROUP
    for cell in sizes(library):
        gate = _gate(cell)
        ties = "".join(f" -tie_lo {pin}" for pin in gate.test_pins)
        pins = f"{gate.enable_pin}:{gate.clock_pin}:{gate.output_pin}"
        made.append(f"clockgate -pos {cell.name} {pins}{ties} -min_net_size {least}")
        if most(cell) == float("inf"):
            break
        least = max(int(most(cell) / load) + 1, least)
    return made[::-1]


def gated_clock_energy(
    netlist: MappedNetlist, slews: Slews, toggle_fj: Floats, ones: Floats
) -> float:
    """Return what gated clocks take per cycle in fJ, beyond the energy of the free clock.

    That is the difference between an open and a closed gate, the gate's output with its load, and
    the clock pins behind it, each for the share of the cycles in which the gate is open.

    Parameters
    ----------
    toggle_fj
        Energy of a toggle of each net, of :class:`~cost_models.synthesis.energy.Energies`; the
        nets of gated clocks have their load and the gate's internal energy.
    ones
        Share of the cycles in which each net is 1 before the clock edge, shape (nets,); those of
        enables count.
    """
    total = 0.0
    for cell, gates in _by_cell(list(netlist.clock_gates.values())):
        gate = _gate(cell)
        opened, closed = _arcs(cell)
        outputs, opens = (
            [instance.nets[pin] for instance in gates] for pin in (gate.output_pin, gate.enable_pin)
        )
        internal = _each(opened, gates, slews) - _each(closed, gates, slews)
        total += float((internal + toggle_fj[outputs]) @ ones[opens])
    behind = [flip_flop for flip_flop in netlist.flip_flops if netlist.enable(flip_flop) != 1]
    for cell, flip_flops in _by_cell(behind):
        assert cell.clock_pin is not None
        at_rest = _each(cell.input_arcs[cell.clock_pin], flip_flops, slews)
        total += float(at_rest @ ones[[netlist.enable(flip_flop) for flip_flop in flip_flops]])
    return _EDGES * total


def characterise(library: Library) -> list[dict[str, Any]] | None:
    """Return what :func:`cost_models.clock_gating.gate_costs` needs of the library's clock gates.

    The smallest first, each with its ``cell``'s name; None if the library has none. Energies are
    at an ideal clock's slew; that of an open gate is at half the load that it may have, without
    that load, which the clock pins behind it have.
    """
    if not library.clock_gates:
        return None
    load = clock_load(library)
    return [_characterised(cell, load, library.voltage) for cell in sizes(library)]


def _characterised(cell: Cell, load: float, voltage: float) -> dict[str, Any]:
    gate = _gate(cell)
    opened, closed = _arcs(cell)
    largest = int(most(cell) / load) if most(cell) < float("inf") else _UNLIMITED
    half = np.array([largest * load / 2])
    outputs = [arc.per_toggle(_SLEW, _SLEW, half) for arc in cell.output_arcs[gate.output_pin]]
    pin = cell.inputs[gate.clock_pin] * voltage**2
    in_closed, in_open = (
        _EDGES * arc.per_toggle(_SLEW, _SLEW, np.zeros(1)).item() + pin for arc in (closed, opened)
    )
    return {
        "cell": cell.name,
        "flip_flops": largest,
        "area_um2": gate.area_um2,
        "leakage_nw": cell.leakage_nw,
        "closed_fj_per_cycle": in_closed,
        "open_fj_per_cycle": in_open + _EDGES * float(np.mean(outputs)),
    }


def _gate(cell: Cell) -> ClockGate:
    assert cell.clock_gate is not None
    return cell.clock_gate


def _arcs(cell: Cell) -> tuple[Arc, Arc]:
    """Return what an edge of the clock takes inside an open and a closed gate."""
    assert cell.clock_arc is not None
    return cell.clock_arc, cell.input_arcs[_gate(cell).clock_pin]


def _each(arc: Arc, instances: Sequence[Instance], slews: Slews) -> Floats:
    return per_toggle(arc, instances, slews, np.zeros(len(instances)))


def _by_cell(instances: Sequence[Instance]) -> list[tuple[Cell, list[Instance]]]:
    groups: dict[str, list[Instance]] = {}
    for instance in instances:
        groups.setdefault(instance.cell.name, []).append(instance)
    return [(several[0].cell, several) for several in groups.values()]
