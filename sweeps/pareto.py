"""Pareto optimality: the points that no other point beats.

A point *dominates* another when it is at least as good in every objective and better in one. Equal
points do not dominate each other, so a tie on the front is kept whole. A point with NaN in an
objective is never optimal and dominates nothing.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from hwsim.errors import InputError
from hwsim.formats.base import Bools


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
    costs = np.asarray(values, np.float64)
    if costs.ndim != 2 or costs.shape[1] != len(maximise) or not maximise:
        raise InputError(f"values must be (points, {len(maximise)} objectives), not {costs.shape}")
    costs = np.where(np.asarray(maximise), -costs, costs)
    optimal = np.zeros(len(costs), bool)
    front = costs[:0]
    for index in np.lexsort(costs.T[::-1]):
        point = costs[index]
        dominated = (front <= point).all(axis=1) & (front < point).any(axis=1)
        if not dominated.any() and not np.isnan(point).any():
            optimal[index] = True
            front = np.vstack([front, point])
    return optimal
