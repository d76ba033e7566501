"""How the scale of a group of numbers is chosen, one rule a family of formats.

``maximum`` maps the largest magnitude of a group to the largest value of the format. That suits
formats whose steps are even or grow with the number, from three bits of magnitude on. *Tapered*
formats, such as posits, are precise near 1 and have no fraction bits left at their largest value,
so this rule costs them up to 80 dB; formats of two or three bits do better to let the largest
numbers saturate; and in those that are finer than an fp32 scale, rounding it costs many steps at
the largest value. They take ``least_error``, the power of two with the smallest sum of squared
errors, which in hardware is a shift. Searched are nine octaves about the one that suits normally
distributed numbers best, at the group's root mean square.
"""

from enum import StrEnum
from functools import lru_cache
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hwsim.errors import unknown

Float64 = NDArray[np.float64]
Floats = NDArray[np.floating[Any]]

#: Octaves on both sides of the one that suits normal numbers.
REACH = 4
#: Bits of an fp32 significand, less two for what a step may be rounded by.
FP32_BITS = 22
#: Octaves by which normal numbers may exceed a format's largest value, in the search for that one.
_CLIPPED = 4
#: Of the largest magnitudes that the compiled search takes.
_LARGEST_OCTAVE = 900


class Element(Protocol):
    """What the rules need of a format."""

    @property
    def min(self) -> float: ...
    @property
    def max(self) -> float: ...
    @property
    def smallest(self) -> float: ...
    def quantize(self, x: ArrayLike) -> NDArray[Any]: ...
    def search_table(self, size: int) -> tuple[Any, ...] | None: ...
    def __hash__(self) -> int: ...


class ScaleRule(StrEnum):
    """How the scale of a group is chosen."""

    MAXIMUM = "maximum"
    LEAST_ERROR = "least_error"


def parse_scale_rule(rule: str) -> ScaleRule:
    """Return the rule of a name such as ``least_error``, or raise InputError for an unknown one."""
    try:
        return ScaleRule(rule)
    except ValueError:
        raise unknown("scale_rule", str(rule), list(ScaleRule)) from None


def is_finer_than(element: Element, bits: int) -> bool:
    """Whether 1 - 2**-bits, the error of a scale of so many bits, changes the largest value."""
    top = element.max or element.min
    return float(element.quantize(top * (1 - 2.0**-bits))) != top


def least_error_scales(element: Element, groups: Floats) -> Float64:
    """Return the power of two that quantises each group with the least sum of squared errors.

    Of several, the smallest within reach (see the module). Elements are rounded to nearest even and
    saturate.

    Parameters
    ----------
    element
        Format of the quotients by the scale.
    groups
        Finite numbers of shape (..., size), float32 or float64.

    Returns
    -------
    numpy.ndarray
        Scales of shape (...); 0 for a group of zeros.
    """
    table = element.search_table(groups.size)
    if table is None:
        return exact_least_error_scales(element, groups.astype(np.float64))
    flat = groups.reshape(-1, groups.shape[-1])
    return _compiled_scales(element, flat, table).reshape(groups.shape[:-1])


def _compiled_scales(element: Element, groups: Floats, table: tuple[Any, ...]) -> Float64:
    from hwsim.formats import quotients, searches

    largest = np.empty(len(groups))
    narrow = groups.dtype == np.float32
    loop = quotients.largest_narrow if narrow else quotients.largest_wide
    loop(groups.reshape(-1), groups.shape[-1], largest)
    octave = np.frexp(largest)[1]
    if np.abs(octave).max(initial=0) > _LARGEST_OCTAVE:
        return exact_least_error_scales(element, groups.astype(np.float64))
    best, close = np.empty(len(groups), np.int64), np.empty(len(groups), bool)
    search = normal_octave(element), REACH, *table
    searches.least_error(groups, np.ldexp(1.0, -octave), *search, best, close)
    scales = np.where(largest == 0, 0.0, np.ldexp(1.0, octave + best))
    # Sums in another order might decide otherwise.
    doubtful = np.flatnonzero(close)
    if doubtful.size:
        scales[doubtful] = exact_least_error_scales(element, groups[doubtful].astype(np.float64))
    return scales


def exact_least_error_scales(element: Element, groups: Float64) -> Float64:
    """Return what :func:`least_error_scales` does, with NumPy's order of sums: the definition."""
    largest = np.abs(groups).max(axis=-1, initial=0.0)
    octave = np.frexp(largest)[1]
    # Magnitudes of at most 1, whose squares neither overflow nor vanish.
    near_one = np.ldexp(groups, -octave[..., np.newaxis])
    own = np.rint(_half_log2(np.square(near_one).mean(axis=-1))).astype(np.int64)
    own += normal_octave(element)
    best = own - REACH
    least = np.full(largest.shape, np.inf)
    for exponent in range(-REACH, REACH + 1):
        error = _squared_error(element, near_one, own + exponent)
        best = np.where(error < least, own + exponent, best)
        least = np.minimum(error, least)
    return np.where(largest == 0, 0.0, np.ldexp(1.0, octave + best))


def _half_log2(mean: Float64) -> Float64:
    half: Float64 = np.log2(np.where(mean == 0, 1.0, mean)) / 2
    return half


def _squared_error(element: Element, groups: Float64, octave: NDArray[np.int64]) -> Float64:
    """Return the sum of squared errors of each group with a scale of 2**octave."""
    scale = np.ldexp(1.0, octave)[..., np.newaxis]
    error: Float64 = np.square(element.quantize(groups / scale) * scale - groups).sum(axis=-1)
    return error


@lru_cache(maxsize=256)
def normal_octave(element: Element) -> int:
    """Return the exponent of the best scale for standard normal numbers, magnitudes if unsigned."""
    numbers = np.random.default_rng(0).standard_normal(1 << 12)
    if element.min >= 0:
        numbers = np.abs(numbers)
    smallest = element.smallest if element.max > 0 else 1.0
    octaves = np.arange(
        -np.ceil(np.log2(max(element.max, -element.min))) - _CLIPPED,
        2 - np.floor(np.log2(smallest)),
        dtype=np.int64,
    )
    errors = [_squared_error(element, numbers, octave) for octave in octaves]
    return int(octaves[int(np.argmin(errors))])
