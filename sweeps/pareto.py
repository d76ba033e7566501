"""Pareto optimality: the points that no other point beats, and those that none beats for certain.

A point *dominates* another when it is at least as good in every objective and better in one. Equal
points do not dominate each other, so a tie on the front is kept whole. A point with NaN in an
objective is never optimal and dominates nothing.

Values have errors, which differences share in part. A point is *within the band* of the front when
no other one dominates it by more than the error of their difference: by the values alone it is, or
may be, on the front. All others are behind. That is no order, so each point is tried with all
others, and not with the front alone: where bands differ, one that is behind can put another behind
that the front cannot.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hwsim.errors import InputError
from hwsim.formats.base import Bools

Floats = NDArray[np.float64]


def pareto(values: ArrayLike, maximise: Sequence[bool]) -> Bools:
    """Return which points are Pareto-optimal.

    Points are taken in lexicographic order, best first: then only a point already on the front
    can dominate the next one, and the work is points x front.

    Parameters
    ----------
    values
        Real numbers, infinities included, of shape (points, objectives).
    maximise
        For every objective, whether more is better.

    Returns
    -------
    numpy.ndarray
        Booleans of shape (points,).

    Raises
    ------
    InputError
        If ``values`` is not of shape (points, len(maximise)).
    """
    costs = _costs(values, maximise)
    optimal = np.zeros(len(costs), bool)
    front = costs[:0]
    for index in np.lexsort(costs.T[::-1]):
        point = costs[index]
        dominated = (front <= point).all(axis=1) & (front < point).any(axis=1)
        if not dominated.any() and not np.isnan(point).any():
            optimal[index] = True
            front = np.vstack([front, point])
    return optimal


def within_band(
    values: ArrayLike,
    maximise: Sequence[bool],
    errors: ArrayLike,
    same: Sequence[bool] | None = None,
) -> Bools:
    """Return which points no other point dominates by more than errors allow.

    Another point does if in every objective it is better by at least the error of the difference,
    the root of the sum of the squares of both points' errors, and in one it is better. So in
    objectives without error it may be equal, and without any errors the points are those of
    :func:`pareto`, which are always among them.

    Parameters
    ----------
    values, maximise
        As for :func:`pareto`.
    errors
        Non-negative numbers, of the shape of ``values``.
    same
        Objectives of which equal values are one measurement: their difference has no error. None
        has none.

    Returns
    -------
    numpy.ndarray
        Booleans of shape (points,).

    Raises
    ------
    InputError
        If ``values`` or ``errors`` are not of shape (points, len(maximise)), or an error is
        negative or NaN.
    """
    costs, bands = _costs(values, maximise), np.asarray(errors, np.float64)
    if bands.shape != costs.shape or not (bands >= 0).all():
        raise InputError(f"errors must be {costs.shape} non-negative numbers, not {bands!r}")
    shared = np.zeros(costs.shape[1], bool) if same is None else np.asarray(same, bool)
    kept: Bools = np.logical_not(np.isnan(costs).any(axis=1))
    everything = np.arange(len(costs))
    # Most points are behind one of the front, which is quickly seen.
    front = np.flatnonzero(pareto(values, maximise))
    for index in np.flatnonzero(kept).tolist():
        kept[index] = not any(
            _is_behind(index, others, costs, bands, shared) for others in (front, everything)
        )
    return kept


def _is_behind(
    index: int, others: NDArray[np.intp], costs: Floats, bands: Floats, same: Bools
) -> bool:
    """Whether one of ``others`` dominates a point by more than the error of their difference."""
    # Infinities are equal to themselves, and their difference is not a number.
    equal = costs[others] == costs[index]
    with np.errstate(invalid="ignore"):
        better = np.where(equal, 0, costs[index] - costs[others])
    errors = np.where(equal & same, 0, np.hypot(bands[others], bands[index]))
    beyond = (better >= errors).all(axis=1)
    return bool((beyond & (better > 0).any(axis=1)).any())


def _costs(values: ArrayLike, maximise: Sequence[bool]) -> Floats:
    """Return values of which less is better."""
    costs = np.asarray(values, np.float64)
    if costs.ndim != 2 or costs.shape[1] != len(maximise) or not maximise:
        raise InputError(f"values must be (points, {len(maximise)} objectives), not {costs.shape}")
    return np.where(np.asarray(maximise), -costs, costs)
