"""Two's complement and unsigned integers of 1 to 32 bits, ``intN`` and ``uintN``.

The cheapest arithmetic there is: an n x m product is n rows of m AND gates and their adders, and
sums are exact in a wider integer. All scaling is left to a group scale (see
:mod:`hwsim.formats.block`).
"""

import re
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from hwsim.errors import InputError
from hwsim.formats.base import (
    Codes,
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

NAMES = ("int2", "int3", "int4", "int5", "int6", "int8", "int16", "int32",
         "uint1", "uint2", "uint4", "uint8", "uint16")  # fmt: skip


@dataclass(frozen=True)
class Integer(Format):
    """Integers of ``width`` bits, 1 to 32; two's complement if ``signed``.

    Out-of-range numbers saturate to the nearest end, or raise with ``overflow="error"``. The
    range is the whole of two's complement: int4 is -8 to 7.
    """

    width: int
    signed: bool = True

    def __post_init__(self) -> None:
        if not 1 <= self.width <= 32:
            raise InputError(f"width of an integer must be 1 to 32 bits, not {self.width}")

    @property
    def name(self) -> str:
        return f"{'int' if self.signed else 'uint'}{self.width}"

    @property
    def family(self) -> str:
        return "integer"

    @property
    def bits(self) -> int:
        return self.width

    @property
    def has_nan(self) -> bool:
        return False

    @property
    def has_infinity(self) -> bool:
        return False

    @property
    def low(self) -> int:
        """The smallest value."""
        return -(1 << (self.width - 1)) if self.signed else 0

    @property
    def high(self) -> int:
        """The largest value."""
        return (1 << (self.width - self.signed)) - 1

    def to_int(self, codes: ArrayLike) -> Int64:
        """Return the values of ``codes`` as int64, of the same shape."""
        values = self.check_codes(codes).astype(np.int64)
        return values - ((values > self.high) * (1 << self.width)) if self.signed else values

    def unpack(self, codes: ArrayLike) -> Unpacked:
        values = self.to_int(codes)
        return Unpacked(
            kind=np.where(values == 0, Kind.ZERO, Kind.FINITE).astype(np.uint8),
            sign=(values < 0).astype(np.uint8),
            significand=np.abs(values),
            exponent=np.zeros(values.shape, np.int64),
        )

    def _decode(self, codes: Codes) -> Float64:
        return self.to_int(codes).astype(np.float64)

    def _encode(self, x: Float64, rounding: Rounding | Stochastic, overflow: Overflow) -> Int64:
        # Beyond the range only the side matters; clipping keeps the conversion to int64 exact.
        magnitude = np.abs(np.clip(x, self.low - 2.0, self.high + 2.0))
        lower = np.floor(magnitude)
        up = round_up(magnitude - lower, lower % 2 == 1, x < 0, rounding)
        rounded = np.where(x < 0, -(lower + up), lower + up).astype(np.int64)
        clipped = np.clip(rounded, self.low, self.high)
        if overflow is Overflow.ERROR and (clipped != rounded).any():
            worst = x.flat[int(np.argmax(clipped != rounded))]
            raise InputError(f"{worst} is out of the range of {self.name}, {self.low}..{self.high}")
        return clipped & ((1 << self.width) - 1)


def parse(name: str) -> Integer | None:
    """Return the integer format called ``name``, or None if the name is of another family."""
    match = re.fullmatch(r"(u?)int(\d+)", name)
    return Integer(int(match[2]), signed=not match[1]) if match else None
