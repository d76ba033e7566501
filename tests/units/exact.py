"""Sums of minifloats in plain Python, one number at a time: a second opinion on golden models."""

from fractions import Fraction
from math import inf, isfinite, isinf, isnan, nan

from hwsim.formats.minifloat import Minifloat


def nearest_even(x: Fraction, fmt: Minifloat) -> int:
    """Return the code of ``x`` by comparing exact distances to the two neighbours."""
    magnitude = abs(x)
    low, high = 0, fmt.max_code + 1
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if exact(fmt, middle) <= magnitude else (low, middle)
    if low == fmt.max_code:
        below = exact(fmt, low)
        half = (below - exact(fmt, low - 1)) / 2
        code = low if magnitude - below < half else fmt.infinity_code
    else:
        down, up = magnitude - exact(fmt, low), exact(fmt, high) - magnitude
        code = high if up < down or (up == down and low % 2) else low
    return code | (fmt.sign_code if x < 0 else 0)


def exact(fmt: Minifloat, code: int) -> Fraction:
    return Fraction(float(fmt.decode(code)))


def rounded_sum(fmt: Minifloat, x: float, y: float) -> float:
    """Return x + y rounded once in a format that has infinity; a zero is +0."""
    if isnan(x) or isnan(y) or (isinf(x) and isinf(y) and x != y):
        return nan
    if not (isfinite(x) and isfinite(y)):
        return x if isinf(x) else y
    total = Fraction(x) + Fraction(y)
    code = nearest_even(total, fmt)
    if code & (fmt.sign_code - 1) == fmt.infinity_code:
        return inf if total > 0 else -inf
    return float(fmt.decode(code)) + 0.0
