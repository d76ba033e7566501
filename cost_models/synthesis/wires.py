"""Wires of a placed netlist: their capacitance and resistance, and what they add to its cost.

The length of a wire is the half perimeter of the box around its pins, times what a Steiner tree is
longer for its number of pins (Cheng, RISA, ICCAD 1994). A tree between the pins, the rectilinear
minimum spanning tree scaled to that length, gives the resistances. OpenSTA reads both as SPEF.

The clock tree is not routed: buffers drive groups of flip-flops, and buffers such buffers. Wires to
flip-flops are as long as their minimum spanning tree; those between buffers are an H-tree, which
has 3/2 (sqrt(n) - 1) times the side of the core for n leaves. A clock gate is a leaf of the tree,
and what is behind it a wire like others, without buffers. Clock edges come at once everywhere.

A toggle takes half of C V^2 of its wire, like any capacitance. As in
:mod:`cost_models.synthesis.energy`, nets that a port of the unit drives are charged by whoever
drives the port.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cost_models.synthesis import opensta, placement
from cost_models.synthesis.liberty import Library
from cost_models.synthesis.mapped import MappedNetlist, MappingError
from cost_models.synthesis.opensta import Wanted
from cost_models.synthesis.placement import Placement, Site
from cost_models.synthesis.simulation import Toggles
from cost_models.synthesis.yosys import Mapped
from cost_models.wires import PLACED, Figures, Wires
from hwsim.errors import InputError

Floats = NDArray[np.float64]

#: Length of a net by half perimeter, for 1 pin and more: RISA's, as VPR has them.
_STEINER_PINS = (1, 3, 4, 5, 6, 7, 8, 9, 10, 15, 20, 25, 30, 35, 40, 45, 50)
_STEINER = (
    1.0, 1.0, 1.0828, 1.1536, 1.2206, 1.2823, 1.3385, 1.3991, 1.4493, 1.6899, 1.8924, 2.0743,
    2.2334, 2.3895, 2.5356, 2.6625, 2.7933,
)  # fmt: skip
#: What VPR adds for each pin beyond.
_STEINER_MORE = 0.02616

#: Between pins in one place, ohm: OpenSTA wants a resistance.
_LEAST_RESISTANCE = 1e-3


@dataclass(frozen=True, eq=False)
class ClockTree:
    """The buffers and wires between the port of the clock and the flip-flops.

    Attributes
    ----------
    buffers
        Their number.
    length_um
        Of the wires.
    energy_fj
        Of both in a cycle; without the flip-flops' pins.
    area_um2
        Of the buffers.
    """

    buffers: int
    length_um: float
    energy_fj: float
    area_um2: float


@dataclass(frozen=True, eq=False)
class Extraction:
    """Wires of a placed netlist.

    Attributes
    ----------
    figures
        The technology's wires.
    utilisation
        Share of the core that cells are to cover.
    placement
        Where the cells are.
    length_um, capacitance_ff
        Of all of each net's wire, shape (nets,); 0 for nets of one pin, constants and the clock.
    clock
        The clock tree.
    spef
        The file with all of it but the clock tree.
    delay_ns
        Shortest clock period with these wires.
    """

    figures: Figures
    utilisation: float
    placement: Placement
    length_um: Floats
    capacitance_ff: Floats
    clock: ClockTree
    spef: Path
    delay_ns: float


def extract(
    mapped: Mapped, library: Library, figures: Figures, utilisation: float, seed: int = 0
) -> Extraction:
    """Place a mapped unit, write its wires beside its Verilog as SPEF, and time it with them.

    Parameters
    ----------
    mapped
        The unit; its files must still be there.
    figures
        The technology's wires.
    utilisation, seed
        As for :func:`cost_models.synthesis.placement.place`.

    Raises
    ------
    InputError
        As :func:`cost_models.synthesis.placement.place`, or if the library lacks the clock buffer.
    MappingError
        If the file is not of this netlist.
    cost_models.synthesis.opensta.StaError
        If OpenSTA fails.
    """
    netlist, verilog = mapped.netlist, mapped.verilog
    placed = placement.place(netlist, Site(*figures.site_um), utilisation, seed)
    clock = clock_tree(netlist, placed, library, figures)
    pins = np.diff(placed.net_first)
    length = np.zeros(netlist.nets)
    length[placed.net_numbers] = placed.half_perimeters_um * steiner(pins)
    spef = verilog.with_suffix(".spef")
    spef.write_text(_spef(netlist, verilog, placed, length, figures))
    return Extraction(
        figures=figures,
        utilisation=utilisation,
        placement=placed,
        length_um=length,
        capacitance_ff=length * figures.capacitance_ff_per_um,
        clock=clock,
        spef=spef,
        delay_ns=delay_ns(mapped, library, spef),
    )


def added(mapped: Mapped, extraction: Extraction, toggles: Toggles, voltage: float) -> Wires:
    """Return what wires add to the cost of a mapped unit at a supply of ``voltage`` V."""
    netlist, placed, clock = mapped.netlist, extraction.placement, extraction.clock
    toggle_fj = toggle_energy_fj(netlist, extraction, voltage)
    gated_fj = 0.0
    for net, gate in netlist.clock_gates.items():
        assert gate.cell.clock_gate is not None
        # Twice in every cycle in which the gate is open.
        opened = toggles.ones[gate.nets[gate.cell.clock_gate.enable_pin]]
        gated_fj += 2 * toggle_fj[net] * opened
    wired = extraction.length_um[placed.net_numbers]
    return Wires(
        utilisation=extraction.utilisation,
        core_area_um2=placed.area_um2,
        delay_ns=extraction.delay_ns - mapped.delay_ns,
        settled_pj=float(toggles.settled @ toggle_fj) * 1e-3,
        glitch_pj=float(toggles.hazards @ toggle_fj) * 1e-3,
        clock_pj=float(clock.energy_fj + gated_fj) * 1e-3,
        length_um=float(wired.sum()),
        provenance={
            "of": PLACED,
            "source": extraction.figures.source,
            "seed": placed.seed,
            "wires": len(wired),
            "half_perimeter_um": float(placed.half_perimeters_um.sum()),
            "clock_tree": {
                "buffer": extraction.figures.clock_buffer,
                "buffers": clock.buffers,
                "area_um2": clock.area_um2,
                "length_um": clock.length_um,
            },
        },
    )


def toggle_energy_fj(netlist: MappedNetlist, extraction: Extraction, voltage: float) -> Floats:
    """Return what the wire of each net takes in a toggle, fJ, shape (nets,)."""
    energy = np.zeros(netlist.nets)
    driven = netlist.driven
    energy[driven] = extraction.capacitance_ff[driven] * voltage**2 / 2
    return energy


def delay_ns(mapped: Mapped, library: Library, spef: Path) -> float:
    """Return the shortest clock period of a mapped unit with the wires in a SPEF file."""
    netlists = {mapped.verilog: mapped.area_um2}
    return opensta.analyse(netlists, mapped.bench, library, Wanted(), spef).delays_ns[0]


def steiner(pins: NDArray[np.int64]) -> Floats:
    """Return the length of wires with some numbers of pins, relative to their half perimeter."""
    beyond = np.maximum(pins - _STEINER_PINS[-1], 0)
    ratio: Floats = np.interp(pins, _STEINER_PINS, _STEINER) + _STEINER_MORE * beyond
    return ratio


def clock_tree(
    netlist: MappedNetlist, placed: Placement, library: Library, figures: Figures
) -> ClockTree:
    """Return the clock tree of a placed netlist."""
    sinks = [
        k
        for k, instance in enumerate(netlist.instances)
        if (pin := instance.cell.clock_pin) and instance.nets[pin] == netlist.clock
    ]
    if not sinks:
        return ClockTree(0, 0.0, 0.0, 0.0)
    if figures.clock_buffer not in library.places:
        raise InputError(
            f"the library has no clock buffer {figures.clock_buffer}; wires.figures.clock_buffer "
            "of the technology's file names one"
        )
    buffer = library.cell(figures.clock_buffer)
    levels = [math.ceil(len(sinks) / figures.clock_fanout)]
    while levels[-1] > 1:
        levels.append(math.ceil(levels[-1] / figures.clock_fanout))
    x, y = placed.x_um[sinks], placed.y_um[sinks]
    side = math.sqrt(placed.area_um2)
    # From the border to the middle, and on to all leaves.
    trunk = side / 2 + 1.5 * (math.sqrt(levels[0]) - 1) * side
    length = float(spanning_tree(x, y)[1].sum()) + trunk
    (pin,) = buffer.inputs
    (output,) = buffer.outputs
    capacitance = buffer.inputs[pin]
    wire = length * figures.clock_capacitance_ff_per_um
    buffers = sum(levels)
    load = (netlist.load[netlist.clock] + wire + (buffers - 1) * capacitance) / buffers
    # At the slew that an ideal clock has, as flip-flops' clock pins are priced.
    zero = np.zeros(1)
    arcs = [*buffer.output_arcs[output], *filter(None, [buffer.input_arcs.get(pin)])]
    internal = sum(float(a.per_toggle(zero, zero, np.full(1, load)).item()) for a in arcs)
    charged = (wire + buffers * capacitance) * library.voltage**2
    return ClockTree(
        buffers,
        length,
        float(charged + 2 * buffers * internal),
        buffers * buffer.area_um2,
    )


def spanning_tree(x: Floats, y: Floats) -> tuple[NDArray[np.int64], Floats]:
    """Return the parents of points in their minimum spanning tree, and the lengths to them."""
    from cost_models.synthesis import annealing

    parent: NDArray[np.int64] = annealing.spanning_tree(x, y)
    length = np.abs(x - x[parent]) + np.abs(y - y[parent])
    length[0] = 0
    return parent, length


_HEAD = """*SPEF "IEEE 1481-1998"
*DESIGN "{design}"
*DATE ""
*VENDOR ""
*PROGRAM "hwsim"
*VERSION ""
*DESIGN_FLOW ""
*DIVIDER /
*DELIMITER :
*BUS_DELIMITER [ ]
*T_UNIT 1 NS
*C_UNIT 1 FF
*R_UNIT 1 OHM
*L_UNIT 1 HENRY
"""


def _spef(
    netlist: MappedNetlist, verilog: Path, placed: Placement, length: Floats, figures: Figures
) -> str:
    """Return the SPEF of a placed netlist."""
    names = net_names(netlist, verilog)
    nodes = _nodes(netlist)
    lines = [_HEAD.format(design=verilog.stem)]
    for net in placed.net_numbers:
        its = nodes[net]
        points = np.array([point for point, _, _ in its])
        parent, edges = spanning_tree(placed.x_um[points], placed.y_um[points])
        total = edges.sum()
        scale = length[net] / total if total else 0.0
        resistance = np.maximum(edges * scale * figures.resistance_ohm_per_um, _LEAST_RESISTANCE)
        # Half of each edge's capacitance at either end.
        half = edges * scale * figures.capacitance_ff_per_um / 2
        at = half.copy()
        np.add.at(at, parent[1:], half[1:])
        lines += [f"*D_NET {names[net]} {2 * half.sum():.6g}", "*CONN"]
        lines += [f"*{'P' if ':' not in node else 'I'} {node} {way}" for _, node, way in its]
        lines.append("*CAP")
        lines += [f"{k + 1} {node} {at[k]:.6g}" for k, (_, node, _) in enumerate(its)]
        lines.append("*RES")
        lines += [
            f"{k} {its[parent[k]][1]} {its[k][1]} {resistance[k]:.6g}" for k in range(1, len(its))
        ]
        lines += ["*END", ""]
    return "\n".join(lines)


def _nodes(netlist: MappedNetlist) -> dict[int, list[tuple[int, str, str]]]:
    """Return the point, the name in SPEF and the direction of each net's pins, the driver first."""
    nodes: dict[int, list[tuple[int, str, str]]] = {}

    def add(net: int, point: int, name: str, drives: bool, way: str) -> None:
        nodes.setdefault(net, []).insert(
            0 if drives else len(nodes.get(net, [])), (point, name, way)
        )

    for k, instance in enumerate(netlist.instances):
        for pin, net in instance.nets.items():
            drives = pin in instance.cell.outputs
            add(net, k, f"{instance.name}:{pin}", drives, "O" if drives else "I")
    point = len(netlist.instances)
    for ports, is_input in ((netlist.inputs, True), (netlist.outputs, False)):
        for port, nets in ports.items():
            for bit, net in enumerate(nets):
                name = port if len(nets) == 1 else rf"{port}\[{bit}\]"
                add(net, point, name, is_input, "I" if is_input else "O")
                point += 1
    return nodes


_INSTANCE = re.compile(r"^  \S+ (\S+) \(\n((?:    \..*\n)*)  \);$", re.MULTILINE)
_PIN = re.compile(r"\.(\w+)\((\\\S+ |[^\\()]+)\)")


def net_names(netlist: MappedNetlist, verilog: Path) -> Mapping[int, str]:
    """Return the names that a netlist's nets have in its Verilog, as in SPEF.

    Raises
    ------
    MappingError
        If the file is not of this netlist.
    """
    names: dict[int, str] = {}
    instances = {instance.name: instance for instance in netlist.instances}
    for name, text in _INSTANCE.findall(verilog.read_text()):
        if name not in instances:
            raise MappingError(f"{verilog.name} has a cell {name}, which the netlist has not")
        nets = instances.pop(name).nets
        for pin, net in _PIN.findall(text):
            if pin in nets:
                escaped = re.sub(r"([^\w])", r"\\\1", net.strip().removeprefix("\\"))
                names.setdefault(nets[pin], escaped)
    if instances:
        raise MappingError(f"{verilog.name} lacks the cell {next(iter(instances))}")
    return names
