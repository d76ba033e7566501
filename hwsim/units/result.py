"""What a unit delivers after the last beat of a dot product, and the exact sums behind it."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hwsim.errors import InputError
from hwsim.formats.base import Bools, Float64, Format, Int64

#: Widest sum in bits: what IEEE 1364, section 4.3.1, lets a tool limit vectors to.
MAX_WIDTH = 1 << 16

#: Magnitudes up to this many bits are summed in int64; wider ones as Python integers.
_INT64_BITS = 62

#: Integers of any width: int64, uint64, or Python integers in an object array.
Integers = NDArray[Any]


FormatT_co = TypeVar("FormatT_co", bound=Format, covariant=True)


@dataclass(frozen=True)
class RoundedResult(Generic[FormatT_co]):
    """A code of a format: a sum that was rounded to it, once or step by step.

    Parameters
    ----------
    format
        The format that sums are rounded to.
    shape
        See :class:`Result`.
    """

    format: FormatT_co
    shape: tuple[int, ...] = ()

    @property
    def bits(self) -> int:
        """Width of a result code."""
        return self.format.bits * prod(self.shape)

    def pack(self, elements: Integers) -> Integers:
        """Return the codes of dot products, given those of the format, shape (..., *shape)."""
        return join(elements, self.format.bits, self.shape)

    def decode(self, codes: ArrayLike) -> Float64:
        """Return the values of ``codes``, exact."""
        elements = split(codes, self.format.bits, self.shape)
        return self.format.decode(elements.astype(np.uint64))

    def describe(self) -> dict[str, Any]:
        """Return the layout as plain data."""
        return {"bits": self.bits, "format": self.format.name, "shape": list(self.shape)}


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
        ``positive_infinity``, ``negative_infinity``, ``overflow`` (the sum is wrong) and
        ``inexact`` (bits below its unit were dropped).
    exponent_bits
        Width of an unsigned field above the flags that is added to ``exponent``; 0 where the
        sum is in fixed point.
    shape
        A unit that computes several dot products at once delivers an array of this shape in one
        code, the first element lowest. Sums, flags and values then have these as last axes.

    Raises
    ------
    InputError
        For a width of more than 65536 bits.
    """

    width: int
    exponent: int = 0
    flags: tuple[str, ...] = ()
    exponent_bits: int = 0
    shape: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if self.width > MAX_WIDTH:
            raise InputError(
                f"accumulator_bits={self.width}: allowed: up to {MAX_WIDTH}, the widest vector "
                "that every Verilog tool takes"
            )

    @property
    def element_bits(self) -> int:
        """Width of one dot product's result."""
        return self.width + len(self.flags) + self.exponent_bits

    @property
    def bits(self) -> int:
        """Width of a result code."""
        return self.element_bits * prod(self.shape)

    def describe(self) -> dict[str, Any]:
        """Return the layout as plain data."""
        return {
            "bits": self.bits,
            "sum_bits": self.width,
            "unit_of_sum": f"2**{self.exponent}",
            "flags": list(self.flags),
            "exponent_bits": self.exponent_bits,
            "shape": list(self.shape),
        }

    def pack(
        self,
        sums: Integers,
        flags: Mapping[str, Bools] | None = None,
        exponents: Int64 | None = None,
    ) -> Integers:
        """Return the codes of ``sums``, wrapped to the width, with their flags and exponents.

        Returns uint64 where a code fits, Python integers in an object array where it does not.
        """
        # Object arrays of no dimension turn into plain integers; keep one dimension throughout.
        codes = np.atleast_1d(sums)
        wide = self.element_bits > 64
        mask = (1 << self.width) - 1
        codes = codes.astype(object) & mask if wide else _wrap(codes, self.width)
        for position, name in enumerate(self.flags, self.width):
            bit = np.atleast_1d((flags or {})[name]).astype(codes.dtype)
            codes = codes | (bit << (position if wide else np.uint64(position)))
        if exponents is not None:
            place = self.element_bits - self.exponent_bits
            field = np.atleast_1d(exponents).astype(codes.dtype)
            codes = codes | (field << (place if wide else np.uint64(place)))
        return join(codes.reshape(np.shape(sums)), self.element_bits, self.shape)

    def wrap(self, sums: Integers) -> Integers:
        """Return ``sums`` as the register has them, signed, modulo 2**width."""
        half = 1 << (self.width - 1)
        wide = np.asarray(sums, object) if self.width > 62 else sums
        return (wide % (2 * half) + half) % (2 * half) - half

    def to_int(self, codes: ArrayLike) -> Integers:
        """Return the signed sums of ``codes`` as Python integers in an object array."""
        codes = split(codes, self.element_bits, self.shape)
        sign = (codes >> (self.width - 1)) & 1
        return np.asarray((codes & ((1 << self.width) - 1)) - (sign << self.width), object)

    def flag(self, codes: ArrayLike, name: str) -> Bools:
        """Return the flag called ``name`` of every code; False where the unit has no such flag."""
        array = split(codes, self.element_bits, self.shape)
        if name not in self.flags:
            return np.zeros(array.shape, bool)
        return np.asarray((array >> (self.width + self.flags.index(name))) & 1, bool)

    def decode(self, codes: ArrayLike) -> Float64:
        """Return the values of ``codes``, rounded to float64 where they have over 53 bits.

        A sum that met both infinities, or has overflowed, is NaN.
        """
        field = split(codes, self.element_bits, self.shape) >> (
            self.element_bits - self.exponent_bits
        )
        exponents = field * bool(self.exponent_bits) + self.exponent
        scaled = np.frompyfunc(_ldexp, 2, 1)(self.to_int(codes), exponents)
        values = np.asarray(scaled, np.float64)
        plus, minus = self.flag(codes, "positive_infinity"), self.flag(codes, "negative_infinity")
        values = np.where(plus, np.inf, np.where(minus, -np.inf, values))
        nan = self.flag(codes, "nan") | self.flag(codes, "overflow") | (plus & minus)
        return np.where(nan, np.nan, values)


def join(elements: Integers, bits: int, shape: tuple[int, ...]) -> Integers:
    """Put the results of the last axes of ``shape`` into one code each, the first lowest."""
    if not shape:
        return elements
    outer = elements.shape[: elements.ndim - len(shape)]
    places = np.array([1 << (bits * k) for k in range(prod(shape))], object)
    return elements.reshape(*outer, -1).astype(object) @ places


def split(codes: ArrayLike, bits: int, shape: tuple[int, ...]) -> Integers:
    """Return the code of every dot product, as Python integers."""
    array = np.asarray(codes).astype(object)
    if not shape:
        return array
    shifts = np.array([bits * k for k in range(prod(shape))], object)
    elements = array[..., np.newaxis] >> shifts & ((1 << bits) - 1)
    return elements.reshape(*array.shape, *shape)


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
