"""Straight lines between the points of a table, both axes logarithmic; nothing beyond its ends."""

import math
from collections.abc import Mapping

from hwsim.errors import InputError


def neighbours(points: Mapping[int, float], x: float, what: str) -> tuple[int, int]:
    """Return the nearest points at or below and at or above ``x``; the same one twice if on it.

    Raises
    ------
    InputError
        If ``x``, which ``what`` describes, is outside the points.
    """
    if not min(points) <= x <= max(points):
        raise InputError(
            f"{what} is outside the table, which has {min(points)} to {max(points)}; "
            "nothing is extrapolated"
        )
    return max(p for p in points if p <= x), min(p for p in points if p >= x)


def loglog(points: Mapping[int, float], x: float, what: str) -> float:
    """Return the value at ``x``, a power law between neighbours; a point's own value on it.

    Arguments and errors are those of :func:`neighbours`; points and values are positive.
    """
    low, high = neighbours(points, x, what)
    if low == high:
        return points[low]
    return points[low] * (points[high] / points[low]) ** (math.log(x / low) / math.log(high / low))
