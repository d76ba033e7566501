"""The two arithmetics of tables of sums: exact integers, and minifloats rounded once an addition.

A table unit adds in two places. A table's *entries* are sums of few activations; the *accumulator*
adds the entries that are read, each times a power of two. With integers both are exact, and only
the accumulator wraps. With minifloats every addition rounds once, to nearest even, so the order
counts: entries from the first lane to the last, starting from +0, and then the tables one after
another. Subnormals are kept; infinity, NaN and the sign of zero follow IEEE 754.

Cost: an integer adder is about as large as the multiplexer that reads a table, a floating-point
adder many times larger. So tables save little in integer units and much in floating-point ones.

Source of the last statement: arXiv:2604.25183 (abstract).
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwsim.errors import InputError
from hwsim.formats.base import Codes, Format
from hwsim.formats.integer import Integer
from hwsim.formats.minifloat import NAMED, Minifloat
from hwsim.units import rounding
from hwsim.units.result import Integers, Result, RoundedResult
from hwsim.units.rounding import rounded_format

#: Values that sums work on: int64 for integers, float64 for minifloats.
Values = NDArray[Any]

#: Mantissa bits from which an activation's own format is the default of a table's entries.
MANTISSA = 10


@dataclass(frozen=True)
class IntegerSums:
    """Exact two's complement sums; the accumulator wraps modulo 2**accumulator_bits.

    Attributes
    ----------
    activation
        Format of the operands.
    accumulator_bits
        Width of the accumulator.
    """

    activation: Integer
    accumulator_bits: int

    @property
    def largest(self) -> int:
        """The largest magnitude of an operand."""
        # A symmetric format's code of -2**(n-1) counts as that.
        return 1 << (self.activation.bits - 1) if self.activation.signed else self.activation.high

    def result(self, shape: tuple[int, ...], exponent: int = 0) -> Result:
        """Return the layout of accumulators of ``shape`` that count multiples of 2**exponent."""
        return Result(self.accumulator_bits, exponent, shape=shape)

    def operands(self, codes: Codes) -> Values:
        """Return the values of activations."""
        return self.activation.to_int(codes)

    def start(self, operands: Values) -> Values:
        """Return the entries that are sums of one operand each."""
        return operands

    def add(self, entries: Values, operands: Values) -> Values:
        """Return ``entries + operands`` as entries."""
        return entries + operands

    def accumulate(self, totals: Values, terms: Values, plane: int = 0) -> Values:
        """Return ``totals`` plus ``terms * 2**plane``, the terms on the last axis.

        The sums are exact; :meth:`pack` wraps them.
        """
        return totals + (terms.sum(axis=-1) << plane)

    def zeros(self, shape: tuple[int, ...]) -> Values:
        """Return accumulators before the first term."""
        return np.zeros(shape, np.int64)

    def pack(self, totals: Values, shape: tuple[int, ...]) -> Integers:
        """Return the result codes of ``totals``, whose last axes are ``shape``."""
        return self.result(shape).pack(totals)


@dataclass(frozen=True)
class FloatSums:
    """Sums of minifloats, one rounding an addition, to nearest even.

    Attributes
    ----------
    activation
        Format of the operands.
    table_format
        Format that entries are rounded to.
    accumulator
        Format that the accumulator is rounded to.
    """

    activation: Minifloat
    table_format: Minifloat
    accumulator: Minifloat

    def result(self, shape: tuple[int, ...]) -> RoundedResult[Minifloat]:
        """Return the layout of accumulators of ``shape``."""
        return RoundedResult(self.accumulator, shape)

    def operands(self, codes: Codes) -> Values:
        """Return the values of activations."""
        return self.activation.decode(codes)

    def start(self, operands: Values) -> Values:
        """Return the entries that are sums of one operand each, +0 + operand."""
        return self.add(np.zeros_like(operands), operands)

    def add(self, entries: Values, operands: Values) -> Values:
        """Return ``entries + operands`` as entries."""
        return rounding.add(self.table_format, operands, entries)

    def accumulate(self, totals: Values, terms: Values, plane: int = 0) -> Values:
        """Return ``totals`` plus ``terms * 2**plane``, one after another along the last axis."""
        for k in range(terms.shape[-1]):
            totals = rounding.add(self.accumulator, np.ldexp(terms[..., k], plane), totals)
        return totals

    def zeros(self, shape: tuple[int, ...]) -> Values:
        """Return accumulators before the first term, +0."""
        return np.zeros(shape)

    def pack(self, totals: Values, shape: tuple[int, ...]) -> Integers:
        """Return the result codes of ``totals``, whose last axes are ``shape``."""
        return self.result(shape).pack(rounding.encode(self.accumulator, totals))

    def entry_codes(self, entries: Values) -> Codes:
        """Return the codes of entries."""
        return rounding.encode(self.table_format, entries)


Sums = IntegerSums | FloatSums


def table_octaves(sums: Sums, lanes: int) -> float:
    """Return the logarithm of the largest activation of which ``lanes`` have a finite sum."""
    if isinstance(sums, IntegerSums):
        return float("inf")
    return float(np.log2(sums.table_format.max / lanes))


def float_sums(
    activation: Minifloat, table_format: Format | None, accumulator: Format | None
) -> FloatSums:
    """Return floating-point sums, with defaults for the formats that are None.

    The default accumulator is fp32. The default table format is the activation's if that has 10
    mantissa bits or more, else fp16 if it holds all of the activation's values, else tf32.

    Raises
    ------
    InputError
        For unsigned activations, and formats that are no signed minifloats with NaN.
    """
    if not activation.signed:
        raise InputError(f"activation={activation.name}: tables take signed minifloats only")
    return FloatSums(
        activation,
        rounded_format("table_format", table_format or _default_table_format(activation)),
        rounded_format("accumulator", accumulator or NAMED["fp32"]),
    )


def _default_table_format(activation: Minifloat) -> Minifloat:
    if activation.mantissa >= MANTISSA and activation.has_nan:
        return activation
    fp16 = NAMED["fp16"]
    fits = (
        activation.max <= fp16.max
        and activation.subnormal_exponent >= fp16.subnormal_exponent
        and activation.mantissa <= fp16.mantissa
    )
    return fp16 if fits else NAMED["tf32"]
