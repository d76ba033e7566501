"""Area from words alone: a screen for spaces that are too large to map every unit to gates.

The unit is elaborated to RTLIL, and what its cells are made of is counted
(:mod:`cost_models.words`). A coefficient a kind, kept with the technology, makes an area of them.
The error is several times that of an estimate; delay and energy do not follow from words at all. So
a screen only chooses what to estimate, and is reported as nothing else.

The coefficients are fitted to estimates, which the technology's others give, of the first
:data:`UNITS` units of :mod:`cost_models.screening_set`. Errors are of units, and of families, that
the fit has not seen: it is made again without each tenth of the units, and without each family.
"""

import datetime
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
from scipy.optimize import nnls
from scipy.stats import spearmanr

from cost_models import screening_set
from cost_models.estimate import estimate_all
from cost_models.netlist import rtlil_text
from cost_models.technology import Technology
from cost_models.words import FEATURES, Floats, features
from hwsim.errors import InputError
from hwsim.pool import each
from hwsim.progress import Countdown, say
from hwsim.units import UnitSpec
from rtl.yosys import version

UNITS = 150
FOLDS = 10
_DIGITS = 4


def area(unit: UnitSpec, technology: Technology) -> float:
    """Return the screened area of ``unit`` in um^2.

    Raises
    ------
    InputError
        For a technology that no screen was fitted for.
    """
    return float(features(rtlil_text(unit), unit.name) @ coefficients(technology))


def coefficients(technology: Technology) -> Floats:
    """Return the area in um^2 of each of ``FEATURES``; errors are those of :func:`area`."""
    if technology.screen is None:
        raise InputError(f"no screen was fitted for {technology.name}")
    table = technology.screen["um2"]
    return np.array([table[name] for name in FEATURES])


def fitted(
    technology: Technology,
    workers: int | None = None,
    progress: Callable[[str], None] | None = None,
) -> dict[str, Any]:
    """Return what ``Technology.screen`` holds.

    Parameters
    ----------
    technology
        With the coefficients of its estimates.
    workers
        Units estimated at a time, by default one a core.
    progress
        Called with a line of text after every unit; by default it goes to the standard error.
    """
    report = progress or say
    units = screening_set.units(UNITS)
    measured = {}
    countdown = Countdown(len(units))
    for unit, result in each(partial(_measure, technology), units, workers):
        if isinstance(result, Exception):
            raise result
        measured[unit] = result
        report(f"{countdown.step()} screen, {unit.name}: {result[1]:.4g} um^2")
    matrix = np.array([measured[unit][0] for unit in units])
    areas = np.array([measured[unit][1] for unit in units])
    folds = [k % FOLDS for k in range(len(units))]
    families = [unit.structure for unit in units]
    return {
        "date": datetime.date.today().isoformat(),
        "yosys": version(),
        "fitted_to": f"areas of estimates of the first {len(units)} units of "
        "cost_models/screening_set.py",
        "um2": {
            name: float(f"{value:.{_DIGITS}g}")
            for name, value in zip(FEATURES, fit(matrix, areas), strict=True)
        },
        "unseen_units": errors(predict_unseen(matrix, areas, folds), areas),
        "unseen_families": errors(predict_unseen(matrix, areas, families), areas),
    }


def _measure(technology: Technology, unit: UnitSpec) -> tuple[Floats, float]:
    """Return the screen's features and the estimated area."""
    (cost,) = estimate_all(unit, [technology]).values()
    return features(rtlil_text(unit), unit.name), cost.area_um2


def fit(matrix: Floats, areas: Floats) -> Floats:
    """Return the non-negative coefficients of the least squared relative error.

    Parameters
    ----------
    matrix
        Features, one row a unit.
    areas
        Areas in um^2, positive.
    """
    relative = matrix / areas[:, np.newaxis]
    scale = np.maximum(relative.max(axis=0), np.finfo(float).tiny)
    solution, _ = nnls(relative / scale, np.ones(len(areas)))
    return solution / scale


def errors(predicted: Floats, measured: Floats) -> dict[str, float]:
    """Return mean and largest absolute relative error in percent, and Spearman's correlation."""
    percent = 100 * np.abs(predicted / measured - 1)
    return {
        "mean_percent": round(float(percent.mean()), 2),
        "max_percent": round(float(percent.max()), 2),
        "rank": round(float(spearmanr(predicted, measured).statistic), 4),
    }


def predict_unseen(matrix: Floats, areas: Floats, groups: Sequence[object]) -> Floats:
    """Return for each row what a fit to the rows of all other groups says of it."""
    labels = np.array([str(group) for group in groups])
    predicted = np.zeros(len(areas))
    for label in np.unique(labels):
        out = labels == label
        predicted[out] = matrix[out] @ fit(matrix[~out], areas[~out])
    return predicted
