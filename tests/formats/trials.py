"""Numbers at which encoders are tried: everything near a decision, and the specials."""

from functools import cache

import numpy as np
from numpy.typing import NDArray

from tests.formats.reference import LARGE, SMALL, Reference

SPECIALS = np.array([
    0.0, -0.0, np.inf, -np.inf, 5e-324, -5e-324, 2.0**-149, -(2.0**-149), 2.0**-126, 1.2e-38,
    3.4028234663852886e38, -3.4028234663852886e38, 1.7976931348623157e308, -1.7976931348623157e308,
    2.0**128, 2.0**127 * 1.5, 1e-300,
])  # fmt: skip

Float64 = NDArray[np.float64]


@cache
def reference_of(name: str) -> Reference:
    return {**SMALL, **LARGE}[name]()


def neighbours(x: Float64) -> Float64:
    """Return numbers with their float64 and float32 neighbours."""
    with np.errstate(over="ignore", under="ignore"):
        narrow = x.astype(np.float32)
    narrow = narrow[np.isfinite(narrow)]
    around = [np.nextafter(narrow, np.float32(side)) for side in (-np.inf, np.inf)]
    near = [np.nextafter(x, side) for side in (-np.inf, np.inf)]
    return np.concatenate([x, *near, narrow, *around]).astype(np.float64)


def trial_numbers(reference: Reference, count: int | None = None) -> Float64:
    """Return values, arithmetic and geometric middles, all their neighbours, and specials.

    With ``count``, around that many randomly chosen values and around the ends and zero.
    """
    points = np.array([float(p) for p in reference.points])
    if count is not None:
        zero = int(np.searchsorted(points, 0.0))
        chosen = np.random.default_rng(1).choice(
            points.size - 1, min(count, points.size - 1), replace=False
        )
        ends = np.r_[0:8, zero - 8 : zero + 8, points.size - 9 : points.size - 1]
        first = np.unique(np.concatenate([chosen, ends]))
        points, following = points[first], points[first + 1]
    else:
        points, following = points[:-1], points[1:]
    middles = points + (following - points) / 2
    same_side = points * following > 0
    geometric = np.sqrt(np.abs(points * following)) * np.sign(points)
    quarters = points + (following - points) / 4
    near = np.concatenate([points, following, middles, geometric[same_side]])
    return np.concatenate([neighbours(near), quarters, 2 * points, SPECIALS])


def decisions(reference: Reference) -> Float64:
    """Return all values and arithmetic and geometric middles with their float64 neighbours."""
    points = np.array([float(p) for p in reference.points])
    lower, upper = points[:-1], points[1:]
    geometric = (np.sqrt(np.abs(lower * upper)) * np.sign(lower))[lower * upper > 0]
    middles = np.unique(np.concatenate([lower + (upper - lower) / 2, geometric]))
    return np.concatenate([points, middles, np.nextafter(middles, -np.inf),
                           np.nextafter(middles, np.inf), SPECIALS])  # fmt: skip
