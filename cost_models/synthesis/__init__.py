"""Measured cost: Yosys and ABC map a unit to a cell library, OpenSTA times it, Icarus runs it.

The mapped netlist plays the operand stream with cell models made of the library's functions. Its
results must be those of the golden model, and the toggles of its nets, priced with the library's
tables and pin capacitances, are the energy: of the stream that was played, without hazards, and
beside it what hazards add if every cell takes one unit of time.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import get_args

from cost_models.cost import Cost
from cost_models.operands import default_operands
from cost_models.synthesis import opensta, simulation, yosys
from cost_models.synthesis.energy import energies
from cost_models.synthesis.liberty import Library, opened
from cost_models.synthesis.yosys import Objective
from hwsim.errors import check_known
from hwsim.files import temporary_folder
from hwsim.units import UnitSpec
from hwsim.units.operands import Operands
from rtl import icarus, verilog
from rtl.yosys import version

__all__ = ["Library", "Objective", "measure", "opened", "synthesize"]


def synthesize(
    unit: UnitSpec,
    technology: str,
    liberty: Sequence[Path] | None = None,
    operands: Operands | None = None,
    objective: Objective = "area",
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
        :func:`~cost_models.operands.default_operands` if None. Of many dot products only the first
        are played, for as many cycles as :mod:`cost_models.synthesis.simulation` says.
    objective
        What the mapping is for: the least ``area``, or ``speed``.

    Raises
    ------
    InputError
        For another objective, or if the library is missing or unsuitable, or one of its cells that
        the unit needs is.
    MissingToolError
        If OpenSTA or Icarus is not installed.
    cost_models.activity.SimulationError
        If the mapped netlist does not compute what the golden model says.
    hwsim.errors.ToolError
        If a tool fails or a cell stays unmapped.
    """
    with opened(technology, liberty) as library:
        return measure(unit, technology, library, operands, objective)


def measure(
    unit: UnitSpec,
    technology: str,
    library: Library,
    operands: Operands | None = None,
    objective: Objective = "area",
) -> Cost:
    """Do the work of :func:`synthesize` with an opened library, which many units can share."""
    check_known("objective", objective, get_args(Objective))
    opensta.find()
    icarus.find()
    with temporary_folder() as folder:
        mapped = yosys.map_unit(unit, library, objective, folder)
        toggles = simulation.simulate(
            unit, mapped.netlist, operands or default_operands(unit), folder
        )
    priced = energies(mapped.netlist, mapped.slews, library.voltage)
    settled = float(toggles.settled @ priced.toggle_fj)
    driven = mapped.netlist.driven
    return Cost(
        unit=unit.name,
        technology=technology,
        method="synthesis",
        area_um2=mapped.area_um2,
        delay_ns=mapped.delay_ns,
        settled_pj=(settled + priced.clock_fj) * 1e-3,
        clock_pj=priced.clock_fj * 1e-3,
        glitch_pj=(float(toggles.all @ priced.toggle_fj) - settled) * 1e-3,
        leakage_nw=priced.leakage_nw,
        macs_per_cycle=toggles.macs_per_cycle,
        provenance={
            "tools": {
                "yosys": version(),
                "opensta": opensta.version(),
                "icarus": icarus.version(),
            },
            "libraries": library.digests,
            **verilog.provenance(unit),
            "objective": objective,
            "style": mapped.style,
            "variant": mapped.variant,
            "candidates": mapped.candidates,
            "cells": len(mapped.netlist.instances),
            "cycles": toggles.cycles,
            "toggles_per_net_and_cycle": float(toggles.settled[driven].mean()),
            "toggles_per_net_and_cycle_with_glitches": float(toggles.all[driven].mean()),
        },
    )
