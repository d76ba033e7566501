"""Sums in float64 that round to a narrower format as the exact sum would, once.

Rounding an exact sum first to float64 and then to fp32 rounds twice, and may end one code off. If
the first rounding is to odd, the second gives the correctly rounded sum for all formats of at most
51 significand bits.

Source: Boldo and Melquiond, Emulation of a FMA and correctly rounded sums, IEEE TC 57(4), 2008.
"""

import numpy as np

from hwsim.formats.base import Codes, Float64, Overflow
from hwsim.formats.minifloat import Minifloat


def add_to_odd(x: Float64, y: Float64) -> Float64:
    """Return x + y in float64, an inexact sum rounded to its odd neighbour."""
    with np.errstate(invalid="ignore"):
        total = x + y
        part = total - x
        error = (x - (total - part)) + (y - part)
    even = (total.view(np.int64) & 1) == 0
    inexact = np.isfinite(total) & np.isfinite(error) & (error != 0)
    toward = np.where(error > 0, np.inf, -np.inf)
    return np.where(inexact & even, np.nextafter(total, toward), total)


def add(fmt: Minifloat, x: Float64, y: Float64) -> Float64:
    """Return x + y rounded once to nearest even in ``fmt``; overflow gives infinity or NaN.

    ``x`` and ``y`` are exact float64 values of any format, or exact products of two.
    """
    return fmt.decode(encode(fmt, add_to_odd(x, y)))


def encode(fmt: Minifloat, x: Float64) -> Codes:
    """Return the codes of ``x`` rounded to nearest even; overflow gives infinity or NaN."""
    return fmt.encode(x, overflow=Overflow.IEEE)
