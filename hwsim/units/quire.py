"""One register that holds several narrow quires or a wide one, as the beats' formats demand.

A quire is a two's complement sum wide enough for every product of a format, so that nothing is
rounded and the order does not matter (Posit standard 2022, section 3.4; Kulisch's accumulator).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from hwsim.errors import InputError
from hwsim.formats.base import Bools, Float64, Int64
from hwsim.units.result import Integers, Result, split

NARROW_BITS = 32
WIDE_BITS = 128


@dataclass(frozen=True)
class QuireResult:
    """Quires of 32 bits or one of 128 in the same bits, with flags above them.

    A code is, from the lowest bit: the register; one flag ``nan`` a quire, set where NaR met it;
    and, for a register that can be both, the flags ``narrow`` and ``wide``, set by the beats that
    used it so. Where both are set the sums mean nothing, and all values are NaN.

    Parameters
    ----------
    count
        Narrow quires, the first lowest; 0 for a register that is always wide.
    exponent, wide_exponent
        The narrow quires count multiples of 2**exponent, the wide one of 2**wide_exponent, which
        is None for a register that is always narrow.
    nan_flags
        Quires that have the flag ``nan``, the first ones; the wide quire has that of the first.
    shape
        Of the registers of an array, which one code holds, the first lowest. Flags and values then
        have these as axes before that of a register's.
    """

    count: int
    exponent: int
    wide_exponent: int | None
    nan_flags: int
    shape: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if not self.count and self.wide_exponent is None:
            raise InputError("count=0 and wide_exponent=None: a register holds at least one quire")

    @property
    def is_shared(self) -> bool:
        """Whether the register can be both, and so has the flags ``narrow`` and ``wide``."""
        return bool(self.count) and self.wide_exponent is not None

    @property
    def elements(self) -> int:
        """Values of a code: one a narrow quire, of which the wide one takes the first."""
        return max(self.count, 1)

    @property
    def register_bits(self) -> int:
        """Width of the register."""
        wide = 0 if self.wide_exponent is None else WIDE_BITS
        return max(self.count * NARROW_BITS, wide)

    @property
    def element_bits(self) -> int:
        """Width of one register with its flags."""
        return self.register_bits + self.nan_flags + 2 * self.is_shared

    @property
    def bits(self) -> int:
        """Width of a result code."""
        return self.element_bits * prod(self.shape)

    def describe(self) -> dict[str, Any]:
        """Return the layout as plain data."""
        wide = None if self.wide_exponent is None else f"2**{self.wide_exponent}"
        return {
            "bits": self.bits,
            "register_bits": self.register_bits,
            "narrow_quires": self.count,
            "unit_of_narrow_quires": f"2**{self.exponent}" if self.count else None,
            "unit_of_wide_quire": wide,
            "flags": [f"nan_{k}" for k in range(self.nan_flags)]
            + (["narrow", "wide"] if self.is_shared else []),
            "shape": list(self.shape),
        }

    def pack(self, limbs: Int64, nan: Bools, used: Bools) -> Integers:
        """Return codes of registers, Python integers in an object array.

        Parameters
        ----------
        limbs
            The register in pieces of 32 bits, the lowest first, shape (..., register_bits / 32).
        nan
            Shape (..., nan_flags).
        used
            Whether beats used the register as narrow quires, and as the wide one; shape (..., 2).
        """
        fields = [(limbs, NARROW_BITS), (nan, 1)]
        if self.is_shared:
            fields.append((used, 1))
        outer = limbs.shape[:-1]
        codes = np.zeros((*outer, 1), object)
        low = 0
        for parts, width in fields:
            places = np.array([1 << (low + width * k) for k in range(parts.shape[-1])], object)
            weighted = parts.reshape(*outer, -1).astype(object) * places
            codes = codes + weighted.sum(axis=-1, keepdims=True, initial=0)
            low += width * parts.shape[-1]
        return np.asarray(codes[..., 0], object).reshape(outer)

    def flag(self, codes: ArrayLike, name: str) -> Bools:
        """Return whether beats used the register as ``name`` says, ``narrow`` or ``wide``."""
        array = split(codes, self.element_bits, self.shape)
        if not self.is_shared:
            return np.full(array.shape, (name == "wide") == (self.wide_exponent is not None))
        place = self.element_bits - (1 if name == "wide" else 2)
        return np.asarray((array >> place) & 1, bool)

    def nan(self, codes: ArrayLike) -> Bools:
        """Return whether each value is not a real number, shape (..., elements)."""
        array = split(codes, self.element_bits, self.shape)
        mixed = self.flag(codes, "narrow") & self.flag(codes, "wide")
        flags = [
            np.asarray((array >> (self.register_bits + k)) & 1, bool)
            if k < self.nan_flags
            else np.zeros(array.shape, bool)
            for k in range(self.elements)
        ]
        return np.stack(flags, axis=-1) | mixed[..., np.newaxis]

    def decode(self, codes: ArrayLike) -> Float64:
        """Return the values of ``codes``, shape (..., elements), rounded once to float64.

        The values of quires that the beats did not use are 0.
        """
        array = split(codes, self.element_bits, self.shape)
        narrow = [
            Result(NARROW_BITS, self.exponent).decode(_field(array, NARROW_BITS * k, NARROW_BITS))
            for k in range(self.count)
        ]
        values = np.stack(narrow or [np.zeros(array.shape)], axis=-1)
        if self.wide_exponent is not None:
            total = Result(WIDE_BITS, self.wide_exponent).decode(_field(array, 0, WIDE_BITS))
            rest = [np.zeros(array.shape)] * (self.elements - 1)
            wide = np.stack([total, *rest], axis=-1)
            values = np.where(self.flag(codes, "wide")[..., np.newaxis], wide, values)
        return np.where(self.nan(codes), np.nan, values)


def _field(codes: Integers, low: int, width: int) -> Integers:
    return np.asarray((codes >> low) & ((1 << width) - 1), object)


def add_limbs(limbs: Int64, terms: Int64) -> Int64:
    """Return the sum of two numbers in pieces of 32 bits, the lowest first, without the carry out.

    Parameters
    ----------
    limbs, terms
        Shape (..., pieces), values 0 to 2**32 - 1.
    """
    result = np.zeros_like(limbs)
    carry = np.zeros(limbs.shape[:-1], np.int64)
    for k in range(limbs.shape[-1]):
        total = limbs[..., k] + terms[..., k] + carry
        result[..., k] = total & ((1 << NARROW_BITS) - 1)
        carry = total >> NARROW_BITS
    return result


def split_limbs(values: Sequence[int] | Integers, count: int) -> Int64:
    """Return Python integers, two's complement, as ``count`` pieces of 32 bits, the lowest first.

    The pieces are the last axis of the result.
    """
    array = np.asarray(values, object)
    pieces = [_field(array, NARROW_BITS * k, NARROW_BITS).astype(np.int64) for k in range(count)]
    return np.stack(pieces, axis=-1)
