"""Formats of few bits as integers on one scale.

The values of integers, minifloats, posits, flint and the like are small integers times powers of
two, so those of a format of a few bits are integers in units of their lowest place.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from hwsim.formats.base import Format
from hwsim.formats.grid import unpack_float64

#: Values of more significand bits were not meant as dyadic numbers (quantiles, powers of sqrt(2)).
SIGNIFICAND_BITS = 8
#: Width of the largest magnitude; products of two stay within int64.
MAGNITUDE_BITS = 31


@dataclass(frozen=True)
class Dyadic:
    """The values of all codes of a format.

    Attributes
    ----------
    integers
        By code; 0 for NaN and the infinities.
    exponent
        They count multiples of 2**exponent, the largest power of two that divides all values.
    """

    integers: tuple[int, ...]
    exponent: int


@lru_cache(maxsize=64)
def dyadic(fmt: Format) -> Dyadic | None:
    """Return the values of ``fmt`` as integers, or None if they are not of that kind.

    That is, if a value has more than ``SIGNIFICAND_BITS`` bits from its first to its last one, or
    the largest integer more than ``MAGNITUDE_BITS``.
    """
    taken = unpack_float64(fmt.decode(np.arange(1 << fmt.bits)))
    if int(taken.significand.max()) >= 1 << SIGNIFICAND_BITS:
        return None
    lowest = int(taken.exponent[taken.significand != 0].min())
    magnitudes = [
        int(significand) << max(int(exponent) - lowest, 0)
        for significand, exponent in zip(taken.significand, taken.exponent, strict=True)
    ]
    if max(magnitudes) >= 1 << MAGNITUDE_BITS:
        return None
    signs = zip(magnitudes, taken.sign, strict=True)
    return Dyadic(tuple(-magnitude if sign else magnitude for magnitude, sign in signs), lowest)
