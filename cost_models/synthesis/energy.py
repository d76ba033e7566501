"""Energy and leakage of a mapped netlist: a sum over its nets and cells.

A toggle of a net takes what the driving cell dissipates, at the slews of its inputs and the load of
the net; what the cells dissipate that the net goes into; and half of C V^2, with C the sum of input
capacitances. A net that a port of the unit drives charges nobody's capacitance; that is counted
where it is driven. The clock is the exception: each flip-flop's clock pin is charged and discharged
in every cycle, and the flip-flop's clock buffers with it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cost_models.synthesis.cells import Arc, Cell
from cost_models.synthesis.mapped import Instance, MappedNetlist

Floats = NDArray[np.float64]

#: Slews of a pin in ns, rising and falling, by instance and pin.
Slews = Mapping[tuple[str, str], tuple[float, float]]


@dataclass(frozen=True, eq=False)
class Energies:
    """What a netlist takes.

    Attributes
    ----------
    toggle_fj
        Energy of one toggle of each net in fJ, the mean of rise and fall; shape (nets,).
    clock_fj
        Energy of the clock pins on the port's net in a cycle in which no flip-flop changes and no
        clock gate is open, fJ; :mod:`cost_models.synthesis.clock_gating` has what is behind gates.
    leakage_nw
        Leakage in nW.
    """

    toggle_fj: Floats
    clock_fj: float
    leakage_nw: float


def energies(netlist: MappedNetlist, slews: Slews, voltage: float) -> Energies:
    """Return the energy of every transition of ``netlist`` at ``voltage`` V."""
    toggle = np.zeros(netlist.nets)
    toggle[netlist.driven] = netlist.load[netlist.driven] * voltage**2 / 2
    clock = 0.0
    by_cell: dict[str, list[Instance]] = {}
    for instance in netlist.instances:
        by_cell.setdefault(instance.cell.name, []).append(instance)
    for instances in by_cell.values():
        cell = instances[0].cell
        for pin, arcs in cell.output_arcs.items():
            driving = [instance for instance in instances if pin in instance.nets]
            nets = np.array([instance.nets[pin] for instance in driving], np.int64)
            if arcs and len(nets):
                load = netlist.load[nets]
                by_cause = [per_toggle(arc, driving, slews, load) for arc in arcs]
                np.add.at(toggle, nets, np.mean(by_cause, axis=0))
        for pin, arc in cell.input_arcs.items():
            nets = np.array([instance.nets[pin] for instance in instances], np.int64)
            each = per_toggle(arc, instances, slews, np.zeros(len(nets)))
            if pin != cell.clock_pin:
                np.add.at(toggle, nets, each)
                continue
            # Two transitions a cycle, of the pins that no clock gate drives.
            free = nets == netlist.clock
            clock += float(2 * each[free].sum()) + free.sum() * cell.inputs[pin] * voltage**2
            if cell.flip_flop is not None:
                _add_clock_of_changes(toggle, cell, instances, slews, each)
    leakage = sum(instance.cell.leakage_nw for instance in netlist.instances)
    return Energies(toggle, clock, leakage)


def _add_clock_of_changes(
    toggle: Floats, cell: Cell, instances: Sequence[Instance], slews: Slews, rest: Floats
) -> None:
    """Add to a flip-flop's toggles by how much its clock then takes more than at rest."""
    assert cell.clock_arc is not None
    each = per_toggle(cell.clock_arc, instances, slews, np.zeros(len(instances)))
    for pin in cell.outputs:
        using = [k for k, instance in enumerate(instances) if pin in instance.nets]
        nets = np.array([instances[k].nets[pin] for k in using], np.int64)
        np.add.at(toggle, nets, 2 * (each - rest)[using])
        # With several outputs, the first that is used speaks for all.
        instances = [instance for instance in instances if pin not in instance.nets]
        each, rest = (np.delete(values, using) for values in (each, rest))


def per_toggle(arc: Arc, instances: Sequence[Instance], slews: Slews, load: Floats) -> Floats:
    """Return what a transition takes in fJ in some cells, the mean of rise and fall."""
    pairs = np.array([slews[instance.name, arc.pin] for instance in instances])
    return arc.per_toggle(pairs[:, 0], pairs[:, 1], load)
