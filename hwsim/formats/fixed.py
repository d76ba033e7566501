"""Fixed point, ``q8.8`` and ``uq4.4``: integers in units of 2**-fraction.

``q8.8`` has 8 bits before the point, of which one is the sign, and 8 after it: 16 bits in all
(the convention that counts the sign, so that m + n is the width). ``uq4.4`` is unsigned. The
element of MXINT8 is ``q2.6``. Arithmetic is that of integers, with the point to keep track of.
"""

import re
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from hwsim.errors import InputError
from hwsim.formats import fast
from hwsim.formats.base import Codes, Float64, Format, Int64, Overflow, Rounding, Rule, Unpacked
from hwsim.formats.integer import Integer

NAMES = ("q2.6", "q4.4", "q8.8", "q16.16", "uq4.4", "uq8.8")


@dataclass(frozen=True)
class FixedPoint(Format):
    """Fixed point of ``integer + fraction`` bits, 1 to 32; two's complement if ``signed``.

    Out-of-range numbers saturate to the nearest end, or raise with ``overflow="error"``. There is
    no NaN: encoding one raises. With ``symmetric``, the most negative code is never given by an
    encoder (see :mod:`hwsim.formats.integer`): the elements of block formats are of this kind.
    """

    integer: int
    fraction: int
    signed: bool = True
    symmetric: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.symmetric and not (self.signed and self.bits >= 2):
            raise InputError("symmetric=True needs signed fixed point of at least 2 bits")
        if self.integer < 0 or self.fraction < 0 or not 1 <= self.bits <= 32:
            raise InputError(
                f"{self.name}: bits before and after the point must not be negative, and 1 to 32 "
                "in all"
            )

    @property
    def name(self) -> str:
        name = f"{'' if self.signed else 'u'}q{self.integer}.{self.fraction}"
        return f"{name}_sym" if self.symmetric else name

    @property
    def family(self) -> str:
        return "fixed"

    @property
    def bits(self) -> int:
        return self.integer + self.fraction

    @property
    def has_nan(self) -> bool:
        return False

    @property
    def has_infinity(self) -> bool:
        return False

    @property
    def units(self) -> Integer:
        """The integers that the codes stand for, in units of 2**-fraction."""
        return Integer(self.bits, self.signed, self.symmetric)

    def unpack(self, codes: ArrayLike) -> Unpacked:
        taken = self.units.unpack(codes)
        return taken._replace(exponent=taken.exponent - self.fraction)

    def _decode(self, codes: Codes) -> Float64:
        return np.ldexp(self.units._decode(codes), -self.fraction)

    def _encode(self, x: Float64, rounding: Rule, overflow: Overflow) -> Int64:
        # Clipped far beyond the range, where only the side matters, scaling cannot overflow.
        scaled = np.ldexp(np.clip(x, -(2.0**40), 2.0**40), self.fraction)
        try:
            return self.units._encode(scaled, rounding, overflow)
        except InputError as error:
            raise InputError(f"{self.name}, in units of 2**-{self.fraction}: {error}") from None

    def _loop(self, rounding: Rounding, overflow: Overflow) -> fast.Encoder | None:
        if rounding is not Rounding.NEAREST_EVEN:
            return None
        return fast.Linear(self.bits, self.fraction, self.units.low, self.units.high)

    def _value_loop(self) -> fast.Loop | None:
        return fast.linear_values(self.bits, self.signed, self.fraction)


def parse(name: str) -> FixedPoint | None:
    """Return the fixed-point format called ``name``, or None if it is of another family."""
    match = re.fullmatch(r"(u?)q(\d+)\.(\d+)(_sym)?", name)
    if match is None:
        return None
    return FixedPoint(int(match[2]), int(match[3]), not match[1], symmetric=bool(match[4]))
