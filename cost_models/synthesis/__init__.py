"""Measured cost: Yosys and ABC map a unit to a library, OpenSTA times it, a simulation runs it.

The mapped netlist plays the operand stream with the library's functions. Its results must be those
of the golden model, and the toggles of its nets, priced with the library's tables and pin
capacitances, are the energy: without hazards, and beside it what hazards add with the delays that
OpenSTA gives for every cell. What wires add, if that is asked for, is a part of its own
(:mod:`cost_models.synthesis.wires`).
"""

from collections.abc import Sequence
from pathlib import Path

from cost_models import technology as technologies
from cost_models import wires as wiring
from cost_models.cost import Cost, Objective, check_flags, check_goal
from cost_models.operands import default_operands
from cost_models.synthesis import limits, opensta, placement, simulation, yosys
from cost_models.synthesis.clock_gating import gated_clock_energy
from cost_models.synthesis.energy import energies
from cost_models.synthesis.liberty import Library, opened
from cost_models.synthesis.wires import Extraction, added, extract
from cost_models.synthesis.yosys import Mapped
from hwsim.errors import InputError
from hwsim.files import temporary_folder
from hwsim.units import UnitSpec
from hwsim.units.operands import Operands
from rtl import verilog
from rtl.yosys import version

__all__ = ["Library", "Objective", "measure", "opened", "synthesize"]


def synthesize(
    unit: UnitSpec,
    technology: str,
    liberty: Sequence[Path | str] | None = None,
    operands: Operands | None = None,
    objective: Objective = "area",
    clock_ns: float | None = None,
    clock_gating: bool = False,
    wires: bool = False,
    utilisation: float | None = None,
) -> Cost:
    """Map ``unit`` to a cell library and measure it.

    Parameters
    ----------
    technology
        Name for the result; ``osu018`` is found by itself where Debian installs it.
    liberty
        Liberty files, plain or gzip, that together are the library.
    operands
        Operand codes whose toggles the energy is of; those of
        :func:`~cost_models.operands.default_operands` if None.
    objective
        What the mapping is for: the least ``area``, ``speed``, or ``density``, the least area times
        delay.
    clock_ns
        A clock period in ns that the least area has to meet, instead of an objective.
    clock_gating
        With the library's clock gates (:mod:`cost_models.synthesis.clock_gating`).
    wires, utilisation
        With what wires and a clock tree add, as ``Cost.wires``, if cells cover that share of the
        core, above 0 and at most 1, and 0.7 if None. ``technology`` then is one whose wires
        :func:`cost_models.wires.figures` knows, or FILE.yaml of a technology that has them.

    Raises
    ------
    InputError
        For another objective, one with a clock, a clock that is not positive, a utilisation without
        wires, or if the library is missing or
        unsuitable, has no clock gate that is asked for, or one of its cells that the unit needs is
        unsuitable.
    MissingToolError
        If OpenSTA is not installed.
    cost_models.network.SimulationError
        If the mapped netlist does not compute what the golden model says.
    hwsim.errors.ToolError
        If a tool fails or a cell stays unmapped.
    """
    with opened(technology, liberty) as library:
        return measure(
            unit, technology, library, operands, objective, clock_ns, clock_gating, wires,
            utilisation,
        )  # fmt: skip


def measure(
    unit: UnitSpec,
    technology: str,
    library: Library,
    operands: Operands | None = None,
    objective: Objective = "area",
    clock_ns: float | None = None,
    clock_gating: bool = False,
    wires: bool = False,
    utilisation: float | None = None,
) -> Cost:
    """Do the work of :func:`synthesize` with an opened library, which many units can share."""
    check_goal(objective, clock_ns)
    check_flags(clock_gating=clock_gating, wires=wires)
    if utilisation is None:
        utilisation = wiring.UTILISATION
    elif not wires:
        raise InputError(f"utilisation={utilisation!r}: allowed: None without wires")
    placement.check_utilisation(utilisation)
    figures = _figures(technology) if wires else None
    opensta.find()
    extraction = None
    with temporary_folder() as folder:
        flow = yosys.Flow(unit, library, folder, clock_gating)
        if clock_ns is not None:
            mapped = flow.for_clock(clock_ns)
        else:
            ends = {"area": flow.smallest, "speed": flow.fastest, "density": flow.densest}
            mapped = ends[objective]()
        if figures is not None:
            extraction = extract(mapped, library, figures, utilisation)
    return _priced(unit, technology, library, operands, mapped, clock_ns, objective, extraction)


def _figures(technology: str) -> wiring.Figures:
    """Return the wires of a technology by its name, or those that its file has."""
    others = set(technologies.names()) - set(technologies.shipped())
    if technology in others or technology.endswith(technologies.SUFFIX):
        loaded = technologies.load(technology)
        return wiring.figures(loaded.name, loaded.wires)
    return wiring.figures(technology)


def measure_curve(
    unit: UnitSpec, technology: str, library: Library, operands: Operands | None = None
) -> tuple[Cost, Cost, Cost]:
    """Return the least area, the least delay, and what meets a clock half way between.

    Parameters and errors are those of :func:`synthesize`, with an opened library.
    """
    opensta.find()
    with temporary_folder() as folder:
        flow = yosys.Flow(unit, library, folder)
        smallest, fastest = flow.smallest(), flow.fastest()
        clock_ns = (smallest.delay_ns + fastest.delay_ns) / 2
        between = flow.for_clock(clock_ns)
    return (
        _priced(unit, technology, library, operands, smallest, None, "area"),
        _priced(unit, technology, library, operands, fastest, None, "speed"),
        _priced(unit, technology, library, operands, between, clock_ns, "clock"),
    )


def measure_streams(
    unit: UnitSpec,
    technology: str,
    library: Library,
    streams: Sequence[Operands | None],
    clock_gating: bool = False,
) -> list[Cost]:
    """Map a unit once, for the least area, and return its cost for each of several operands.

    Other parameters and errors are those of :func:`synthesize`, with an opened library.
    """
    check_flags(clock_gating=clock_gating)
    opensta.find()
    with temporary_folder() as folder:
        mapped = yosys.Flow(unit, library, folder, clock_gating).smallest()
    return [_priced(unit, technology, library, one, mapped, None, "area") for one in streams]


def _priced(
    unit: UnitSpec,
    technology: str,
    library: Library,
    operands: Operands | None,
    mapped: Mapped,
    clock_ns: float | None,
    objective: str,
    extraction: Extraction | None = None,
) -> Cost:
    """Simulate a mapped unit and sum up what it costs."""
    netlist = mapped.netlist
    toggles = simulation.simulate(
        unit, netlist, operands or default_operands(unit), mapped.timing.delays
    )
    priced = energies(netlist, mapped.timing.slews, library.voltage)
    clock_fj, idle_clock_fj = (
        priced.clock_fj + gated_clock_energy(netlist, mapped.timing.slews, priced.toggle_fj, ones)
        for ones in (toggles.ones, toggles.idle.ones)
    )
    idle_fj = idle_clock_fj + float(toggles.idle.toggles @ priced.toggle_fj)
    driven = netlist.driven
    return Cost(
        unit=unit.name,
        technology=technology,
        method="synthesis",
        clock_ns=clock_ns,
        area_um2=mapped.area_um2,
        delay_ns=mapped.delay_ns,
        settled_pj=(float(toggles.settled @ priced.toggle_fj) + clock_fj) * 1e-3,
        clock_pj=clock_fj * 1e-3,
        glitch_pj=float(toggles.hazards @ priced.toggle_fj) * 1e-3,
        leakage_nw=priced.leakage_nw,
        idle_pj=idle_fj * 1e-3,
        macs_per_cycle=toggles.macs_per_cycle,
        macs_per_cycle_error=toggles.macs_per_cycle_error,
        wires=None if extraction is None else added(mapped, extraction, toggles, library.voltage),
        provenance={
            "tools": {"yosys": version(), "opensta": opensta.version()},
            "libraries": library.digests,
            "corner": library.corner,
            **verilog.provenance(unit),
            "objective": "clock" if clock_ns is not None else objective,
            "driving_cell": library.buffer,
            "style": mapped.style,
            "variant": mapped.variant,
            "candidates": mapped.candidates,
            "cells": len(netlist.instances),
            "clock_gates": len(netlist.clock_gates),
            "violations": limits.violations(netlist, mapped.timing.slews),
            "cycles": toggles.cycles,
            "cycles_with_delays": toggles.transitions,
            "toggles_per_net_and_cycle": float(toggles.settled[driven].mean()),
            "hazards_per_net_and_cycle": float(toggles.hazards[driven].mean()),
            "glitch_pj_with_unit_delays": float(toggles.unit_hazards @ priced.toggle_fj) * 1e-3,
        },
    )
