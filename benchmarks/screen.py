"""Fit the screen of areas to estimates, and say how far off it is.

    python benchmarks/screen.py [--units N] [--workers N] [-o cost_models/data/screen.yaml]

The units are the first N of ``benchmarks/points.py``. Errors are of units, and of families, that
the fit has not seen: it is made again without each tenth of the units, and without each family.
"""

import argparse
import datetime
import os
from pathlib import Path
from typing import Any

import numpy as np
import points
import yaml
from numpy.typing import NDArray

from cost_models import screen, technology
from cost_models.estimate import estimate_all
from cost_models.netlist import rtlil_text
from hwsim.pool import each
from hwsim.units import UnitSpec
from rtl.yosys import version

FOLDS = 10


def measure(unit: UnitSpec) -> tuple[NDArray[np.float64], dict[str, float]]:
    """Return the screen's features, and the estimated area by technology."""
    estimates = estimate_all(unit, technology.names())
    areas = {name: cost.area_um2 for name, cost in estimates.items()}
    return screen.features(rtlil_text(unit), unit.name), areas


def fitted(matrix: NDArray[Any], areas: NDArray[Any], families: list[str]) -> dict[str, Any]:
    coefficients = screen.fit(matrix, areas)
    folds = np.arange(len(areas)) % FOLDS
    return {
        "um2": {
            name: float(f"{value:.4g}")
            for name, value in zip(screen.FEATURES, coefficients, strict=True)
        },
        "unseen_units": screen.errors(screen.predict_unseen(matrix, areas, list(folds)), areas),
        "unseen_families": screen.errors(screen.predict_unseen(matrix, areas, families), areas),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--units", type=int, default=150, metavar="N")
    parser.add_argument("--workers", type=int, default=os.cpu_count(), metavar="N")
    parser.add_argument("-o", "--output", type=Path, metavar="FILE.yaml")
    options = parser.parse_args()
    measured = {}
    for unit, result in each(measure, points.units(options.units), options.workers):
        if isinstance(result, Exception):
            raise result
        measured[unit] = result
    units = [unit for unit in points.units(options.units) if unit in measured]
    matrix = np.array([measured[unit][0] for unit in units])
    families = [unit.structure for unit in units]
    document: dict[str, Any] = {
        "provenance": {
            "date": datetime.date.today().isoformat(),
            "tools": {"yosys": version()},
            "fitted_to": f"areas of estimates of the first {len(units)} units of "
            "benchmarks/points.py",
            "errors": "against these estimates, each unit by a fit that has not seen it, or none "
            "of its family",
        },
        "technologies": {},
    }
    for name in technology.names():
        areas = np.array([measured[unit][1][name] for unit in units])
        fit = fitted(matrix, areas, families)
        document["technologies"][name] = fit
        for kind in ("unseen_units", "unseen_families"):
            print(f"{name}, {kind.replace('_', ' ')}: {fit[kind]}")
        predicted = screen.predict_unseen(matrix, areas, families)
        worst = np.argsort(-np.abs(np.log(predicted / areas)))[:5]
        print(
            "  worst:", ", ".join(f"{units[k].name} x{predicted[k] / areas[k]:.2f}" for k in worst)
        )
    if options.output:
        options.output.write_text(yaml.safe_dump(document, sort_keys=False, width=100))
        print(options.output)


if __name__ == "__main__":
    main()
