"""Two's complement and unsigned integers of 1 to 32 bits, ``int4``, ``uint4``, ``int4_sym``.

The cheapest arithmetic there is: an n x m product is n rows of m AND gates and their adders, and
sums are exact in a wider integer. All scaling is left to a group scale (see
:mod:`hwsim.formats.block`).

The symmetric range leaves out -2**(n-1), whose magnitude needs a bit more: ``int4_sym`` is -7..7.
``int2_sym`` is ``ternary``, -1, 0 and 1. The code left out is never given by an encoder; decoded
it is worth -2**(n-1) all the same, as a two's complement multiplier takes it.
"""

import re
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from hwsim.errors import InputError
from hwsim.formats import fast
from hwsim.formats.base import (
    Codes,
    Float64,
    Format,
    Int64,
    Kind,
    Overflow,
    Rounding,
    Rule,
    Unpacked,
    round_up,
)

NAMES = ("int2", "int3", "int4", "int5", "int6", "int8", "int16", "int32",
         "uint1", "uint2", "uint4", "uint8", "uint16",
         "ternary", "int4_sym", "int8_sym")  # fmt: skip


@dataclass(frozen=True)
class Integer(Format):
    """Integers of ``width`` bits, 1 to 32; two's complement if ``signed``.

    Out-of-range numbers saturate to the nearest end, or raise with ``overflow="error"``; a number
    is in range if it rounds to an integer that is. There is no NaN: encoding one raises. The
    range is the whole of two's complement, int4 is -8 to 7, unless it is ``symmetric``.
    """

    width: int
    signed: bool = True
    symmetric: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 1 <= self.width <= 32:
            raise InputError(f"width of an integer must be 1 to 32 bits, not {self.width}")
        if self.symmetric and not (self.signed and self.width >= 2):
            raise InputError("symmetric=True needs a signed integer of at least 2 bits")

    @property
    def name(self) -> str:
        if self.symmetric:
            return "ternary" if self.width == 2 else f"int{self.width}_sym"
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
        return self.symmetric - (1 << (self.width - 1)) if self.signed else 0

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

    def _encode(self, x: Float64, rounding: Rule, overflow: Overflow) -> Int64:
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

    def _loop(self, rounding: Rounding, overflow: Overflow) -> fast.Encoder | None:
        if rounding is not Rounding.NEAREST_EVEN:
            return None
        return fast.Linear(self.width, 0, self.low, self.high)

    def _value_loop(self) -> fast.Loop | None:
        return fast.linear_values(self.width, self.signed, 0)


def parse(name: str) -> Integer | None:
    """Return the integer format called ``name``, or None if the name is of another family."""
    if name == "ternary":
        return Integer(2, symmetric=True)
    match = re.fullmatch(r"(?:(u?)int(\d+)|int(\d+)_sym)", name)
    if match is None:
        return None
    if match[3]:
        return Integer(int(match[3]), symmetric=True)
    return Integer(int(match[2]), signed=not match[1])
