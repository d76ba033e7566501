"""Measured cost: Yosys and ABC map a unit to a cell library, OpenSTA times it and adds up power.

The energy is that of the operand stream: its mean toggle rate, counted on the generic netlist,
is given to OpenSTA for every net. OpenSTA's own propagation is not used, as it multiplies toggle
rates along adder trees without bound.
"""

import tempfile
from collections.abc import Sequence
from pathlib import Path

from cost_models import activity
from cost_models.cost import Cost
from cost_models.netlist import netlist
from cost_models.operands import Operands, default_operands
from cost_models.synthesis import opensta, yosys
from cost_models.synthesis.liberty import Library, opened
from hwsim.units import UnitSpec
from rtl.yosys import version


def synthesize(
    unit: UnitSpec,
    technology: str,
    liberty: Sequence[Path] | None = None,
    operands: Operands | None = None,
) -> Cost:
    """Map ``unit`` to a cell library and measure it.

    Parameters
    ----------
    technology
        Name for the result; ``osu018`` is found by itself where Debian installs it.
    liberty
        Liberty files, plain or gzip, that together are the library.
    operands
        Operand codes that set the toggle rate; those of
        :func:`~cost_models.operands.default_operands` if None.

    Raises
    ------
    InputError
        If the library is missing or unsuitable.
    MissingToolError
        If OpenSTA is not installed.
    cost_models.synthesis.yosys.MappingError, cost_models.synthesis.opensta.StaError
        If a tool fails or a cell stays unmapped.
    """
    with opened(technology, liberty) as library:
        return measure(unit, technology, library, operands)


def measure(
    unit: UnitSpec, technology: str, library: Library, operands: Operands | None = None
) -> Cost:
    """Do the work of :func:`synthesize` with an opened library, which many units can share."""
    opensta.find()
    gates = netlist(unit)
    toggling = activity.simulate(unit, gates, operands or default_operands(unit))
    with tempfile.TemporaryDirectory() as folder:
        mapped = yosys.map_unit(unit, library, Path(folder))
        report = opensta.analyse(mapped.verilog, unit.name, library, toggling.mean)
    return Cost(
        unit=unit.name,
        technology=technology,
        method="synthesis",
        area_um2=mapped.area_um2,
        delay_ns=report.delay_ns,
        energy_pj=report.energy_pj,
        clock_pj=report.clock_pj,
        leakage_nw=report.leakage_nw,
        macs_per_cycle=toggling.macs_per_cycle,
        provenance={
            "tools": {"yosys": version(), "opensta": opensta.version()},
            "libraries": library.digests,
            "style": mapped.style,
            "cells": mapped.cells,
            "toggles_per_net_and_cycle": toggling.mean,
        },
    )
