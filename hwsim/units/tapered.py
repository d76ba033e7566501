"""Exact dot product in fixed point, for formats whose precision tapers off with the exponent.

Posits, HiFloat8, flint and DyBit spend few bits on the exponents that occur often and many on the
others. All their values are multiples of the smallest one, so a sum of products is an integer of
fixed width: a decoder finds significand and shift, a small multiplier and a shifter place the
product, and an adder as wide as the range of products accumulates. Nothing is rounded and the
order does not matter. The decoders, a leading-bit counter each, are what tapering costs; the
range, two times that of the format, sets the rest.

Specials do not enter the sum but set sticky flags, as in :mod:`hwsim.units.float_mac`.

Source: Kulisch, Computer Arithmetic and Validity, 2nd ed., 2013, chapter 8.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import ClassVar, NamedTuple

import numpy as np

from hwsim.errors import InputError
from hwsim.formats.base import Bools, Codes, Format, Int64, Kind
from hwsim.units.base import Timing, UnitSpec
from hwsim.units.result import Integers, Result, RoundedResult, exact_sums

MAX_CARRY_GUARD = 64


class Products(NamedTuple):
    """Exact products ``value * 2**exponent``, 0 where a flag is set, and the flags' names."""

    value: Int64
    exponent: Int64
    flags: dict[str, Bools]


@dataclass(frozen=True, kw_only=True)
class TaperedUnit(UnitSpec):
    """Dot product, exact; a family says which formats it takes.

    Parameters
    ----------
    lanes, weight, activation
        See :class:`~hwsim.units.base.UnitSpec`.
    carry_guard
        Carry guard bits of the accumulator, 0 to 64: 2**carry_guard beats of any operands cannot
        overflow it; beyond, the sum wraps.
    """

    #: The class of both operands' formats, and what to write for an example.
    operand: ClassVar[type[Format]]
    example: ClassVar[str]

    carry_guard: int = 8

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 <= self.carry_guard <= MAX_CARRY_GUARD:
            raise InputError(f"carry_guard must be 0 to {MAX_CARRY_GUARD}, not {self.carry_guard}")
        for parameter in ("activation", "weight"):
            fmt = getattr(self, parameter)
            if not isinstance(fmt, self.operand):
                raise InputError(
                    f"{parameter}={fmt.name}: {self.family} takes formats such as {self.example}"
                )

    @property
    def largest_product(self) -> int:
        """The largest finite product, in units of the product of the smallest values."""
        return span(self.activation) * span(self.weight)

    @property
    def product_bits(self) -> int:
        """Width of the largest finite product's magnitude."""
        return self.largest_product.bit_length()

    @property
    def sum(self) -> Result:
        """The accumulator: the sum counts multiples of the product of the smallest values."""
        width = (self.lanes * self.largest_product).bit_length() + self.carry_guard + 1
        exponent = unit_exponent(self.activation) + unit_exponent(self.weight)
        return Result(width, exponent, self.flags)

    @property
    def result(self) -> Result | RoundedResult[Format]:
        return self.sum

    @property
    def flags(self) -> tuple[str, ...]:
        """The flags that the two formats can raise, lowest bit first."""
        operands = self.activation, self.weight
        if any(fmt.has_infinity for fmt in operands):
            return ("nan", "positive_infinity", "negative_infinity")
        return ("nan",) if any(fmt.has_nan for fmt in operands) else ()

    @property
    def safe_beats(self) -> int:
        return 1 << self.carry_guard

    def timing(self) -> Timing:
        return Timing(latency=1, interval=1)

    def _dot(self, activations: Codes, weights: Codes, metadata: Mapping[str, Codes]) -> Integers:
        sums, flags = self.add_up(self.products(activations, weights))
        return self.sum.pack(sums, flags)

    def products(self, activations: Codes, weights: Codes) -> Products:
        """Return the products, in the shape of the codes."""
        a, w = self.activation.unpack(activations), self.weight.unpack(weights)
        negative = (a.sign ^ w.sign).astype(bool)
        value = np.where(negative, -1, 1) * a.significand * w.significand
        zero = (a.kind == Kind.ZERO) | (w.kind == Kind.ZERO)
        infinite = (a.kind == Kind.INFINITY) | (w.kind == Kind.INFINITY)
        nan = (a.kind == Kind.NAN) | (w.kind == Kind.NAN) | (infinite & zero)
        infinite &= ~nan
        flags = {
            "nan": nan,
            "positive_infinity": infinite & ~negative,
            "negative_infinity": infinite & negative,
        }
        return Products(value, a.exponent + w.exponent, flags)

    def add_up(self, products: Products) -> tuple[Integers, dict[str, Bools]]:
        """Return the exact sums over the last axis in units of :attr:`sum`, and their flags."""
        shifts = np.where(products.value != 0, products.exponent - self.sum.exponent, 0)
        bits = int(np.abs(products.value).max(initial=0)).bit_length()
        sums = exact_sums(products.value, bits, shifts)
        return sums, {name: np.any(flag, axis=-1) for name, flag in products.flags.items()}


def unit_exponent(fmt: Format) -> int:
    """Return the exponent of the smallest value, a power of two of which all are multiples."""
    return int(np.frexp(fmt.smallest)[1]) - 1


def span(fmt: Format) -> int:
    """Return the largest magnitude in units of the smallest value."""
    largest = Fraction(max(fmt.max, -fmt.min)) / Fraction(fmt.smallest)
    return int(largest)
