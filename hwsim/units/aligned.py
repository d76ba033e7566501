"""Sums of many terms aligned to the largest exponent and cut off below it; see ``float_mac``."""

from typing import NamedTuple

import numpy as np

from hwsim.formats.base import Float64, Int64, Kind, Unpacked
from hwsim.formats.minifloat import Minifloat
from hwsim.units import rounding
from hwsim.units.rounding import Subnormals, SumRounding

#: The exponent of zero, below that of any number.
_NO_EXPONENT = -(1 << 20)


class Terms(NamedTuple):
    """Terms of a sum, the last axis.

    Attributes
    ----------
    significand
        Signed; the value is ``significand * 2**(exponent - fraction)``.
    fraction
        Fraction bits of the significand.
    exponent
        What the terms are aligned by; far below all others for zeros.
    special
        0 for a finite term, else infinity or NaN.
    """

    significand: Int64
    fraction: Int64
    exponent: Int64
    special: Float64

    def part(self, which: slice) -> "Terms":
        """Return some of the terms."""
        return Terms(
            self.significand[..., which],
            self.fraction[..., which],
            self.exponent[..., which],
            self.special[..., which],
        )


def products(formats: tuple[Minifloat, Minifloat], a: Unpacked, w: Unpacked) -> Terms:
    """Return the products of the operands of two formats, which are taken apart."""
    significand = a.significand * w.significand
    negative = (a.sign ^ w.sign).astype(bool)
    fraction = sum(fmt.mantissa for fmt in formats)
    with np.errstate(invalid="ignore"):
        special = _value(a) * _value(w)
    return Terms(
        np.where(negative, -significand, significand),
        np.full(significand.shape, fraction, np.int64),
        np.where(significand, a.exponent + w.exponent + fraction, _NO_EXPONENT),
        np.where(np.isfinite(special), 0.0, special),
    )


def _value(taken: Unpacked) -> Float64:
    """Return infinity and NaN as they are, zero as 0, and +-1 for finite numbers."""
    magnitude = np.choose(taken.kind, [0.0, 1.0, np.inf, np.nan])
    assert list(Kind) == [Kind.ZERO, Kind.FINITE, Kind.INFINITY, Kind.NAN]
    return np.where(taken.sign, -magnitude, magnitude)


def add(
    fmt: Minifloat,
    terms: Terms,
    accumulated: Int64,
    bits: int,
    rule: SumRounding,
    subnormals: Subnormals,
) -> Int64:
    """Return the codes of the sum of ``terms`` and of the codes ``accumulated`` of ``fmt``.

    All are truncated to ``bits`` fraction bits below the largest exponent; the exact sum of what
    is left is rounded to ``fmt`` by ``rule``. A sum of zero is +0.
    """
    value = total(_with(terms, fmt, accumulated), bits)
    codes = rounding.encode(fmt, value, rule, subnormals).astype(np.int64)
    return np.where(codes == fmt.sign_code, 0, codes) if fmt.has_negative_zero else codes


def total(terms: Terms, bits: int) -> Float64:
    """Return the sum of ``terms``, exact but for what is cut off them.

    All are truncated to ``bits`` fraction bits below the largest exponent. The sum of what is left
    must be below 2**53 of its units; a sum of zero is +0.
    """
    largest = terms.exponent.max(axis=-1)
    # How far the significand's lowest bit lies above that of the aligned sum.
    up = terms.exponent - largest[..., np.newaxis] + bits - terms.fraction
    magnitude = np.abs(terms.significand)
    cut = np.where(up >= 0, magnitude << np.clip(up, 0, bits), magnitude >> np.clip(-up, 0, 63))
    units = np.where(terms.significand < 0, -cut, cut).sum(axis=-1)
    exponent = np.where(units, largest - bits, 0)
    with np.errstate(invalid="ignore"):
        special = terms.special.sum(axis=-1)
    return np.where(np.isfinite(special), np.ldexp(units.astype(np.float64), exponent), special)


def _with(terms: Terms, fmt: Minifloat, codes: Int64) -> Terms:
    """Return ``terms`` and one more, a code of ``fmt``."""
    taken = fmt.unpack(codes)
    value = _value(taken)
    significand = np.where(taken.sign, -taken.significand, taken.significand)
    exponent = np.where(taken.significand, taken.exponent + fmt.mantissa, _NO_EXPONENT)
    special = np.where(np.isfinite(value), 0.0, value)
    return Terms(
        np.concatenate([terms.significand, significand[..., np.newaxis]], axis=-1),
        np.concatenate([terms.fraction, np.full((*codes.shape, 1), fmt.mantissa)], axis=-1),
        np.concatenate([terms.exponent, exponent[..., np.newaxis]], axis=-1),
        np.concatenate([terms.special, special[..., np.newaxis]], axis=-1),
    )
