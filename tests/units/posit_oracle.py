"""Posits in whole numbers: values scaled to integers, and rounding by a search among them."""

from bisect import bisect_right
from fractions import Fraction
from functools import lru_cache

from tests.formats.reference import posit_value


def value(code: int, width: int, es: int) -> Fraction | None:
    """Return the value of a code, None for NaR."""
    if code == 0:
        return Fraction(0)
    if code == 1 << (width - 1):
        return None
    return Fraction(posit_value(code, width, es))


@lru_cache(maxsize=16)
def _boundaries(width: int, es: int) -> list[Fraction]:
    """The posits of one bit more that lie between the positive ones, in ascending order."""
    codes = range(1, (1 << (width - 1)) - 1)
    return [Fraction(posit_value(2 * code + 1, width + 1, es)) for code in codes]


def rounded(x: Fraction | None, width: int, es: int) -> int:
    """Return the code of the posit nearest on the bit string, ties to the even code."""
    if x is None:
        return 1 << (width - 1)
    if x == 0:
        return 0
    between = _boundaries(width, es)
    place = bisect_right(between, abs(x))
    code = place + 1
    if place and between[place - 1] == abs(x) and code % 2:
        code -= 1
    return code if x > 0 else (1 << width) - code


def dot(activations: list[Fraction | None], weights: list[Fraction | None]) -> Fraction | None:
    """Return the exact dot product, None if a NaR takes part."""
    total = Fraction(0)
    for a, w in zip(activations, weights, strict=True):
        if a is None or w is None:
            return None
        total += a * w
    return total
