"""Measure what wires add to units of the fitting set, and fit the factors of a technology to it.

    python benchmarks/wires.py TECHNOLOGY [--liberty FILE...] [--units N] [--kept FILE]

Prints what wires add to each unit in percent, and the factors as YAML, with their error on units
left out. Units that the file ``--kept`` has are not measured again.
"""

import argparse
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import yaml

from cost_models import fitting_set
from cost_models.operands import default_operands
from cost_models.synthesis import liberty, simulation, wires, yosys
from cost_models.synthesis.energy import energies
from cost_models.synthesis.liberty import Library
from cost_models.wires import Figures, Sample, figures, fit
from hwsim.files import temporary_folder
from hwsim.units import UnitSpec

UTILISATION = 0.7


def measure(unit: UnitSpec, library: Library, technology: Figures) -> dict[str, Any]:
    with temporary_folder() as folder:
        mapped = yosys.map_unit(unit, library, "area", folder)
        toggles = simulation.simulate(unit, mapped.netlist, default_operands(unit), folder)
        verilog = folder / f"{mapped.style}__{mapped.variant}.v"
        extraction = wires.place_and_extract(
            mapped.netlist, verilog, library, technology, UTILISATION
        )
        delays = mapped.delay_ns, wires.delay_ns(verilog, library, extraction.spef)
    added = wires.wires(
        mapped.netlist,
        extraction,
        library.voltage,
        UTILISATION,
        toggles.settled,
        toggles.all,
        delays,
    )
    priced = energies(mapped.netlist, mapped.slews, library.voltage)
    return {
        "unit": unit.name,
        "cells": len(mapped.netlist.instances),
        "area_um2": mapped.area_um2,
        "delay_ns": mapped.delay_ns,
        "settled_pj": float(toggles.settled @ priced.toggle_fj) * 1e-3,
        "data_pj": float(toggles.all @ priced.toggle_fj) * 1e-3,
        "clock_pj": priced.clock_fj * 1e-3,
        "wires": asdict(added),
    }


def sample(row: dict[str, Any]) -> Sample:
    added = row["wires"]
    return Sample(
        row["area_um2"],
        added["delay_ns"] / row["delay_ns"],
        (added["settled_pj"] + added["glitch_pj"]) / row["data_pj"],
        added["clock_pj"] / row["clock_pj"],
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("technology")
    parser.add_argument("--liberty", type=Path, nargs="+")
    parser.add_argument("--units", type=int, default=20)
    parser.add_argument("--kept", type=Path)
    arguments = parser.parse_args()
    units, _ = fitting_set.split()
    step = max(1, len(units) // arguments.units)
    kept = arguments.kept
    rows = {}
    if kept and kept.exists():
        rows = {row["unit"]: row for row in map(json.loads, kept.read_text().splitlines())}
    technology = figures(arguments.technology)
    chosen = units[::step][: arguments.units]
    with liberty.opened(arguments.technology, arguments.liberty) as library:
        for unit in chosen:
            if unit.name not in rows:
                rows[unit.name] = measure(unit, library, technology)
                if kept:
                    with kept.open("a") as file:
                        file.write(json.dumps(rows[unit.name]) + "\n")
            row = rows[unit.name]
            one = sample(row)
            length = row["wires"]["mean_length_um"]
            print(
                f"{unit.name:49.49} {row['cells']:5} cells {length:5.1f} um, "
                f"delay {100 * one.delay:4.1f} %, data {100 * one.data:4.1f} %, "
                f"clock {100 * one.clock:4.1f} %",
                flush=True,
            )
    factors = fit([sample(rows[unit.name]) for unit in chosen], UTILISATION)
    print(yaml.safe_dump({"factors": asdict(factors)}, sort_keys=False))


if __name__ == "__main__":
    main()
