"""What a unit delivers after the last beat of a dot product, and the exact sums behind it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hwsim.errors import InputError
from hwsim.formats.base import Bools, Float64, Int64
from hwsim.formats.minifloat import Minifloat

#: Magnitudes up to this many bits are summed in int64; wider ones as Python integers.
_INT64_BITS = 62

#: Integers of any width: int64, uint64, or Python integers in an object array.
Integers = NDArray[Any]


@dataclass(frozen=True)
class RoundedResult:
    """A code of a floating-point format: the sum as it was rounded step by step.

    Parameters
    ----------
    format
        The accumulator's format.
    """

    format: Minifloat

    @property
    def bits(self) -> int:
        """Width of a result code."""
        return self.format.bits

    def decode(self, codes: ArrayLike) -> Float64:
        """Return the values of ``codes``, exact."""
        return self.format.decode(np.asarray(codes).astype(np.uint64))

    def describe(self) -> dict[str, Any]:
        """Return the layout as plain data."""
        return {"bits": self.bits, "format": self.format.name}


@dataclass(frozen=True)
class Result:
    """A two's complement sum, with one bit a flag above it.

    Parameters
    ----------
    width
        Width of the sum in bits. Sums wrap modulo 2**width.
    exponent
        The sum counts multiples of 2**exponent.
    flags
        Names of the flags, from the bit above the sum upward, out of ``nan``,
        ``positive_infinity`` and ``negative_infinity``.
    """

    width: int
    exponent: int = 0
    flags: tuple[str, ...] = ()

    @property
    def bits(self) -> int:
        """Width of a result code."""
        return self.width + len(self.flags)

    def describe(self) -> dict[str, Any]:
        """Return the layout as plain data."""
        return {
            "bits": self.bits,
            "sum_bits": self.width,
            "unit_of_sum": f"2**{self.exponent}",
            "flags": list(self.flags),
        }

    def pack(self, sums: Integers, flags: Mapping[str, Bools] | None = None) -> Integers:
        """Return the codes of ``sums``, wrapped to the width, with their flags.

        Returns uint64 where a code fits, Python integers in an object array where it does not.
        """
        # Object arrays of no dimension turn into plain integers; keep one dimension throughout.
        codes = np.atleast_1d(sums)
        wide = self.bits > 64
        mask = (1 << self.width) - 1
        codes = codes.astype(object) & mask if wide else _wrap(codes, self.width)
        for position, name in enumerate(self.flags, self.width):
            bit = np.atleast_1d((flags or {})[name]).astype(codes.dtype)
            codes = codes | (bit << (position if wide else np.uint64(position)))
        return codes.reshape(np.shape(sums))

    def to_int(self, codes: ArrayLike) -> Integers:
        """Return the signed sums of ``codes`` as Python integers in an object array."""
        codes = np.asarray(codes).astype(object)
        sign = (codes >> (self.width - 1)) & 1
        return np.asarray((codes & ((1 << self.width) - 1)) - (sign << self.width), object)

    def flag(self, codes: ArrayLike, name: str) -> Bools:
        """Return the flag called ``name`` of every code; False where the unit has no such flag."""
        array = np.asarray(codes).astype(object)
        if name not in self.flags:
            return np.zeros(array.shape, bool)
        return np.asarray((array >> (self.width + self.flags.index(name))) & 1, bool)

    def decode(self, codes: ArrayLike) -> Float64:
        """Return the values of ``codes``, rounded to float64 where they have over 53 bits.

        A sum that met both infinities is NaN.
        """
        sums = self.to_int(codes)
        scaled = np.frompyfunc(lambda s: _ldexp(s, self.exponent), 1, 1)(sums)
        values = np.asarray(scaled, np.float64)
        plus, minus = self.flag(codes, "positive_infinity"), self.flag(codes, "negative_infinity")
        values = np.where(plus, np.inf, np.where(minus, -np.inf, values))
        return np.where(self.flag(codes, "nan") | (plus & minus), np.nan, values)


def _wrap(sums: Integers, width: int) -> NDArray[np.uint64]:
    if sums.dtype == object:
        return (sums & ((1 << width) - 1)).astype(np.uint64)
    return sums.astype(np.int64).view(np.uint64) & np.uint64((1 << width) - 1)


def _ldexp(significand: int, exponent: int) -> float:
    """``significand * 2**exponent``, rounded once to nearest even."""
    return float(significand << exponent) if exponent >= 0 else significand / (1 << -exponent)


def exact_sums(products: Integers, bits: int, shifts: Int64 | None = None) -> Integers:
    """Sum ``products << shifts`` over the last axis without rounding or overflow.

    Parameters
    ----------
    products
        Signed integers, shape (..., n): int64, or object where ``bits`` exceeds 62.
    bits
        Bound on the width of a product's magnitude.
    shifts
        Non-negative left shifts, same shape; none means 0.

    Returns
    -------
    numpy.ndarray
        The sums, shape (...), int64 where they fit and object where they do not.
    """
    count = products.shape[-1]
    if count == 0:
        raise InputError("a dot product needs at least one element")
    if bits + count.bit_length() > _INT64_BITS:
        products = products.astype(object)
    if shifts is None:
        return products.sum(axis=-1)
    # Products that are shifted alike are summed first, in narrow integers.
    levels = int(shifts.max(initial=0)) + 1
    rows = products.reshape(-1, count)
    bins = np.zeros((len(rows), levels), products.dtype)
    np.add.at(bins, (np.arange(len(rows))[:, np.newaxis], shifts.reshape(-1, count)), rows)
    fits = bits + count.bit_length() + levels <= _INT64_BITS
    powers = np.array([1 << level for level in range(levels)], np.int64 if fits else object)
    return (bins.astype(powers.dtype) @ powers).reshape(products.shape[:-1])
