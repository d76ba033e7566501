"""Formats that only scales and shared-exponent elements use: ``e8m0`` and fixed point.

E8M0 is an exponent alone, 2**(code - 127): a multiplication by it is an addition of exponents,
and it has neither sign nor zero nor infinity. Fixed point is an integer times a power of two, the
element of MXINT8 (OCP MX 1.0) and of block floating point.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from hwsim.errors import InputError
from hwsim.formats.base import (
    Float64,
    Format,
    Int64,
    Kind,
    Overflow,
    Rounding,
    Stochastic,
    Unpacked,
    round_up,
)


@dataclass(frozen=True)
class PowerOfTwo(Format):
    """E8M0 of OCP MX 1.0, section 5.4.1: 2**-127 to 2**127 and NaN (code 255).

    Zero and what is below 2**-127 become 2**-127; negative numbers become NaN, as in ml_dtypes.
    """

    #: Exponent bias, and the largest exponent.
    BIAS = 127
    NAN_CODE = 255

    @property
    def name(self) -> str:
        return "e8m0"

    @property
    def family(self) -> str:
        return "power_of_two"

    @property
    def bits(self) -> int:
        return 8

    @property
    def has_nan(self) -> bool:
        return True

    @property
    def has_infinity(self) -> bool:
        return False

    def unpack(self, codes: ArrayLike) -> Unpacked:
        code = self.check_codes(codes).astype(np.int64)
        finite = code != self.NAN_CODE
        return Unpacked(
            kind=np.where(finite, Kind.FINITE, Kind.NAN).astype(np.uint8),
            sign=np.zeros(code.shape, np.uint8),
            significand=finite.astype(np.int64),
            exponent=code - self.BIAS,
        )

    def _encode(self, x: Float64, rounding: Rounding | Stochastic, overflow: Overflow) -> Int64:
        magnitude = np.clip(np.nan_to_num(x, nan=1.0), 2.0**-self.BIAS, 2.0 ** (self.BIAS + 2))
        fraction, exponent = np.frexp(magnitude)
        code = exponent.astype(np.int64) - 1 + self.BIAS
        code += round_up(2 * fraction - 1, code % 2 == 1, np.zeros(x.shape, bool), rounding)
        over = code >= self.NAN_CODE
        if overflow is Overflow.ERROR and over.any():
            worst = x.flat[int(np.argmax(over))]
            raise InputError(f"{worst} is out of the range of {self.name}, up to {self.max}")
        code = np.where(over & (overflow is Overflow.SATURATE), self.NAN_CODE - 1, code)
        return np.where((x < 0) | np.isnan(x), self.NAN_CODE, np.minimum(code, self.NAN_CODE))


@dataclass(frozen=True)
class FixedPoint(Format):
    """Two's complement integers of ``width`` bits, times 2**-fraction.

    With ``symmetric``, encoding does not give the most negative code, whose value has no positive
    counterpart.
    """

    width: int
    fraction: int
    symmetric: bool = True

    def __post_init__(self) -> None:
        if not 2 <= self.width <= 32:
            raise InputError(f"width of fixed point must be 2 to 32 bits, not {self.width}")

    @property
    def name(self) -> str:
        return f"fixed(width={self.width},fraction={self.fraction},symmetric={self.symmetric})"

    @property
    def family(self) -> str:
        return "fixed"

    @property
    def bits(self) -> int:
        return self.width

    @property
    def has_nan(self) -> bool:
        return False

    @property
    def has_infinity(self) -> bool:
        return False

    def unpack(self, codes: ArrayLike) -> Unpacked:
        code = self.check_codes(codes).astype(np.int64)
        values = code - ((code >> (self.width - 1)) << self.width)
        return Unpacked(
            kind=np.where(values == 0, Kind.ZERO, Kind.FINITE).astype(np.uint8),
            sign=(values < 0).astype(np.uint8),
            significand=np.abs(values),
            exponent=np.full(values.shape, -self.fraction, np.int64),
        )

    def _encode(self, x: Float64, rounding: Rounding | Stochastic, overflow: Overflow) -> Int64:
        high = (1 << (self.width - 1)) - 1
        low = -high if self.symmetric else -high - 1
        # Beyond the range only the side matters; clipping keeps the conversion to int64 exact.
        limit = np.ldexp(high + 2.0, -self.fraction)
        magnitude = np.ldexp(np.minimum(np.abs(x), limit), self.fraction)
        lower = np.floor(magnitude)
        up = round_up(magnitude - lower, lower % 2 == 1, x < 0, rounding)
        rounded = np.where(x < 0, -(lower + up), lower + up).astype(np.int64)
        clipped = np.clip(rounded, low, high)
        if overflow is Overflow.ERROR and (clipped != rounded).any():
            worst = x.flat[int(np.argmax(clipped != rounded))]
            raise InputError(f"{worst} is out of the range of {self.name}")
        return clipped & ((1 << self.width) - 1)


E8M0 = PowerOfTwo()
