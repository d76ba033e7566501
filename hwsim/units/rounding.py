"""Sums in float64 that round to a narrower format as the exact sum would, once.

Rounding an exact sum first to float64 and then to fp32 rounds twice, and may end one code off. If
the first rounding is to odd, the second gives the correctly rounded sum for all formats of at most
51 significand bits.

Source: Boldo and Melquiond, Emulation of a FMA and correctly rounded sums, IEEE TC 57(4), 2008.
"""

import math
from enum import StrEnum

import numpy as np

from hwsim.errors import InputError
from hwsim.formats.base import Codes, Float64, Format, Int64, Kind, Overflow, Rounding, Unpacked
from hwsim.formats.minifloat import Minifloat
from hwsim.units.result import Integers

#: Significand bits of float64.
_BITS = 53


class SumRounding(StrEnum):
    """How sums and their terms are rounded; a family says which of these it takes.

    ``nearest_even`` and ``toward_zero`` are those of formats. What is too large for an
    accumulator's format gives infinity, or NaN in a format without infinity, under
    ``nearest_even``, and the largest finite value under ``toward_zero`` (IEEE 754-2019 section
    7.4). ``truncate`` drops the low bits of a fixed-point number as it stands, which rounds
    magnitudes toward zero and two's complement numbers toward minus infinity.
    """

    NEAREST_EVEN = Rounding.NEAREST_EVEN.value
    TOWARD_ZERO = Rounding.TOWARD_ZERO.value
    TRUNCATE = "truncate"


class Subnormals(StrEnum):
    """What becomes of subnormal operands, and of sums that are subnormal once rounded.

    ``keep``: they are ordinary numbers. ``flush``: they are zeros of the same sign.
    """

    KEEP = "keep"
    FLUSH = "flush"


def rounded_format(parameter: str, fmt: Format) -> Minifloat:
    """Return a format that sums are rounded to, or raise InputError naming the parameter."""
    if not isinstance(fmt, Minifloat) or not fmt.has_nan or not fmt.signed:
        raise InputError(
            f"{parameter}={fmt.name}: sums are rounded to signed minifloats that have NaN, such "
            "as fp16 or fp32"
        )
    return fmt


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


def add(
    fmt: Minifloat,
    x: Float64,
    y: Float64,
    rounding: SumRounding = SumRounding.NEAREST_EVEN,
    subnormals: Subnormals = Subnormals.KEEP,
) -> Float64:
    """Return x + y rounded once to ``fmt``; overflow is that of :class:`SumRounding`.

    ``x`` and ``y`` are exact float64 values of any format, or exact products of two.
    """
    return fmt.decode(encode(fmt, add_to_odd(x, y), rounding, subnormals))


def add_scaled(fmt: Minifloat, significand: Integers, exponent: Int64, y: Float64) -> Float64:
    """Return ``significand * 2**exponent + y`` rounded once to nearest even.

    Parameters
    ----------
    fmt
        What is rounded to; overflow gives infinity or NaN.
    significand
        Signed integers of any width, in an object array.
    exponent
        The sum must be below 2**1000, and a multiple of 2**-1000.
    y
        Values of ``fmt``; where they are infinite or NaN, they count as 0.
    """
    taken = fmt.unpack(fmt.encode(y, overflow=Overflow.IEEE))
    addend = np.where(taken.sign, -taken.significand, taken.significand).astype(object)
    lowest = np.minimum(exponent, taken.exponent)
    first = significand << (exponent - lowest).astype(object)
    second = addend << (taken.exponent - lowest).astype(object)
    total = np.frompyfunc(_to_odd, 2, 1)(first + second, lowest)
    return fmt.decode(encode(fmt, np.asarray(total, np.float64)))


def _to_odd(significand: int, exponent: int) -> float:
    """Return ``significand * 2**exponent`` in float64, rounded to odd."""
    magnitude = abs(significand)
    excess = max(0, magnitude.bit_length() - _BITS)
    kept = magnitude >> excess
    kept |= kept << excess != magnitude
    return math.copysign(math.ldexp(float(kept), int(exponent) + excess), significand)


def encode(
    fmt: Minifloat,
    x: Float64,
    rounding: SumRounding = SumRounding.NEAREST_EVEN,
    subnormals: Subnormals = Subnormals.KEEP,
) -> Codes:
    """Return the codes of ``x`` rounded; overflow is that of :class:`SumRounding`."""
    codes = fmt.encode(x, rounding=rounding, overflow=Overflow.IEEE)
    if subnormals is Subnormals.KEEP:
        return codes
    return fmt.encode(flush(fmt, fmt.decode(codes)), overflow=Overflow.IEEE)


def flush(fmt: Minifloat, x: Float64) -> Float64:
    """Return values of ``fmt`` with the subnormal ones replaced by zeros of their sign."""
    return np.where(np.abs(x) < np.ldexp(1.0, fmt.min_exponent), np.copysign(0.0, x), x)


def flush_unpacked(fmt: Minifloat, taken: Unpacked) -> Unpacked:
    """Return operands of ``fmt``, taken apart, with the subnormal ones replaced by zeros."""
    subnormal = (taken.kind == Kind.FINITE) & (taken.significand < (1 << fmt.mantissa))
    return taken._replace(
        kind=np.where(subnormal, Kind.ZERO, taken.kind).astype(np.uint8),
        significand=np.where(subnormal, 0, taken.significand),
    )
