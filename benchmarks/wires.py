"""Measure what wires add to units of the fitting set, and fit the factors of a technology to it.

    python benchmarks/wires.py TECHNOLOGY [--liberty FILE...] [--units N] [--held-out N]

Prints what wires add to each unit in percent, and the factors as YAML, with their errors on units
left out and on units of the held-out set. Units that a file ``--kept`` has are not measured again.
"""

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import yaml

from cost_models import fitting_set
from cost_models.synthesis import measure
from cost_models.synthesis.liberty import Library, opened
from cost_models.wires import UTILISATION, Sample, figures, fit
from hwsim.units import UnitSpec


def spread(units: Sequence[UnitSpec], count: int) -> list[UnitSpec]:
    """Return some units, evenly out of all."""
    return [units[k * len(units) // count] for k in range(min(count, len(units)))]


def row(unit: UnitSpec, technology: str, library: Library) -> dict[str, Any]:
    cost = measure(unit, technology, library, wires=True)
    return cost.to_dict() | {
        name: getattr(cost, name) for name in ("settled_pj", "glitch_pj", "clock_pj")
    }


def sample(row: dict[str, Any]) -> Sample:
    added = row["wires"]
    return Sample(
        row["area_um2"],
        added["delay_ns"] / row["delay_ns"],
        (added["settled_pj"] + added["glitch_pj"])
        / (row["settled_pj"] - row["clock_pj"] + row["glitch_pj"]),
        added["clock_pj"] / row["clock_pj"],
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("technology")
    parser.add_argument("--liberty", type=Path, nargs="+")
    parser.add_argument("--units", type=int, default=20)
    parser.add_argument("--held-out", type=int, default=10)
    parser.add_argument("--kept", type=Path)
    arguments = parser.parse_args()
    kept = arguments.kept
    rows = {}
    if kept and kept.exists():
        rows = {row["unit"]: row for row in map(json.loads, kept.read_text().splitlines())}
    sets = [
        spread(units, count)
        for units, count in zip(
            fitting_set.split(), (arguments.units, arguments.held_out), strict=True
        )
    ]
    with opened(arguments.technology, arguments.liberty) as library:
        for unit in (unit for units in sets for unit in units):
            if unit.name not in rows:
                rows[unit.name] = row(unit, arguments.technology, library)
                if kept:
                    with kept.open("a") as file:
                        file.write(json.dumps(rows[unit.name]) + "\n")
            one = sample(rows[unit.name])
            print(
                f"{unit.name:49.49} {one.area_um2:9.4g} um^2, delay {100 * one.delay:4.1f} %, "
                f"data {100 * one.data:4.1f} %, clock {100 * one.clock:4.1f} %",
                flush=True,
            )
    command = f"benchmarks/wires.py {arguments.technology}"
    command += f" --units {arguments.units} --held-out {arguments.held_out}"
    fitting, held_out = ([sample(rows[unit.name]) for unit in units] for units in sets)
    source = f"{command}; wires: {figures(arguments.technology).source}"
    factors = fit(fitting, held_out, UTILISATION, source)
    print(yaml.safe_dump({"factors": asdict(factors)}, sort_keys=False, width=100))


if __name__ == "__main__":
    main()
