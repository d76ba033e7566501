"""Posits of any width and exponent size up to 32 bits, ``posit8_0``, ``posit16_1``.

After the sign comes a run of equal bits, the regime, then es exponent bits and the fraction; the
longer the run, the fewer bits are left, so precision is best near 1 and tapers off. A run of k
ones has the regime R = k - 1, of k zeros R = -k, and the value is
2**(R * 2**es + e) * (1 + f). Negative numbers are the two's complement of the whole code. All
zeros are 0; a one and zeros are NaR, not a real: NaN and the infinities. A decoder needs a
leading-bit counter and a shifter; sums are exact in a quire of 4 * (n - 2) * 2**es bits and more.

The 2022 standard fixes es = 2 for every width: ``posit8`` is ``posit8_2``. Others, such as
``posit8_0`` and ``posit16_1``, are those of the drafts and of SoftPosit.

Rounding is that of the bit string: a tie is a string that ends in a one after the last bit kept,
which where exponent bits are cut off is the geometric mean of the neighbours, not the arithmetic
one. No number but 0 is rounded to 0, and no finite number to NaR, by any rounding: beyond the
range it is the largest or smallest posit, which ``overflow="error"`` refuses for the largest.
Stochastic rounding alone weighs by the distance of the values.

Sources: Posit standard 2022, sections 3 and 4; SoftPosit for the drafts' sizes.
"""

import re
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike

from hwsim.errors import InputError
from hwsim.formats import fast
from hwsim.formats.base import (
    Bools,
    Float64,
    Format,
    Int64,
    Kind,
    Overflow,
    Rounding,
    Rule,
    Stochastic,
    Unpacked,
    round_up,
)
from hwsim.formats.scaling import ScaleRule

NAMES = ("posit4_0", "posit4_1", "posit6_0", "posit8_0", "posit8_1", "posit8_2",
         "posit16_1", "posit16_2", "posit32_2")  # fmt: skip

#: Fraction bits of float64.
_FRACTION = 52


@dataclass(frozen=True)
class Posit(Format):
    """Posit of ``width`` bits, 2 to 32, with ``es`` exponent bits.

    ``es`` is at most 5, and such that the largest value, 2**((width - 2) * 2**es), is a float64.
    """

    width: int
    es: int

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 2 <= self.width <= 32:
            raise InputError(f"width of a posit must be 2 to 32 bits, not {self.width}")
        if not 0 <= self.es <= 5 or self._max_scale > 1000:
            raise InputError(
                f"es of a {self.width}-bit posit must be 0 to 5 with (width - 2) * 2**es <= 1000, "
                f"not {self.es}"
            )

    @property
    def name(self) -> str:
        return f"posit{self.width}_{self.es}"

    @property
    def family(self) -> str:
        return "posit"

    @property
    def scale_rule(self) -> ScaleRule:
        return ScaleRule.LEAST_ERROR

    @property
    def bits(self) -> int:
        return self.width

    @property
    def has_nan(self) -> bool:
        return True

    @property
    def has_infinity(self) -> bool:
        return False

    @cached_property
    def max(self) -> float:
        """The largest finite value."""
        return float(2.0**self._max_scale)

    @cached_property
    def min(self) -> float:
        """The smallest (most negative) finite value."""
        return -self.max

    @property
    def nar_code(self) -> int:
        """The code of NaR."""
        return 1 << (self.width - 1)

    @property
    def _max_scale(self) -> int:
        return (self.width - 2) << self.es

    def unpack(self, codes: ArrayLike) -> Unpacked:
        code = self.check_codes(codes).astype(np.int64)
        negative = code > self.nar_code
        body = np.where(negative, (1 << self.width) - code, code)
        finite = (code != 0) & (code != self.nar_code)
        ones = body >> (self.width - 2) == 1
        mask = (1 << (self.width - 1)) - 1
        run = self.width - 1 - _bit_length(np.where(ones, ~body, body) & mask)
        room = np.maximum(self.width - 2 - run, 0)
        tail = body & ((1 << room) - 1)
        fraction_bits = np.maximum(room - self.es, 0)
        exponent = (tail << np.maximum(self.es - room, 0)) >> fraction_bits
        fraction = tail & ((1 << fraction_bits) - 1)
        regime = np.where(ones, run - 1, -run)
        kind = np.where(code == 0, Kind.ZERO, np.where(finite, Kind.FINITE, Kind.NAN))
        return Unpacked(
            kind=kind.astype(np.uint8),
            sign=negative.astype(np.uint8),
            significand=np.where(finite, (1 << fraction_bits) | fraction, 0),
            exponent=np.where(finite, (regime << self.es) + exponent - fraction_bits, 0),
        )

    def _encode(self, x: Float64, rounding: Rule, overflow: Overflow) -> Int64:
        beyond = np.abs(x) > self.max
        if overflow is Overflow.ERROR and beyond.any():
            worst = x.flat[int(np.argmax(beyond))]
            raise InputError(f"{worst} is out of the range of {self.name}, +-{self.max}")
        negative = np.signbit(x)
        real = np.isfinite(x)
        magnitude = np.clip(np.abs(np.where(real, x, 1.0)), 1 / self.max, self.max)
        code = self._round_magnitude(magnitude, negative, rounding)
        code = np.where(negative, (1 << self.width) - code, code)
        return np.where(x == 0, 0, np.where(real, code, self.nar_code))

    def encoder(
        self, size: int, rounding: Rounding | Stochastic, overflow: Overflow
    ) -> fast.Encoder | None:
        table = super().encoder(size, rounding, overflow)
        suits = rounding is Rounding.NEAREST_EVEN and overflow is not Overflow.ERROR
        if table is not None or not suits or not fast.pays(size):
            return table
        return fast.Loop("posit", (self.width, self.es), self.code_dtype)

    def _value_loop(self) -> fast.Loop | None:
        return fast.Loop("posit_values", (self.width, self.es), np.dtype(np.float64))

    def _round_magnitude(self, magnitude: Float64, negative: Bools, rounding: Rule) -> Int64:
        """Round magnitudes in the range of the format."""
        mantissa, exponent = np.frexp(magnitude)
        scale = exponent.astype(np.int64) - 1
        fraction = np.ldexp(2 * mantissa - 1, _FRACTION).astype(np.int64)
        tail = ((scale & ((1 << self.es) - 1)) << _FRACTION) | fraction
        regime = scale >> self.es
        run = np.where(regime >= 0, regime + 1, -regime)
        # The largest posit is all run; its regime has no room for the bit that ends it.
        room = np.maximum(self.width - 2 - run, 0)
        pattern = np.where(regime >= 0, ((1 << run) - 1) << 1, 1) << room
        cut = self.es + _FRACTION - room
        lower = np.where(magnitude == self.max, self.nar_code - 1, pattern | (tail >> cut))
        rest = np.where(magnitude == self.max, 0, tail & ((1 << cut) - 1))
        if isinstance(rounding, np.random.Generator):
            below = self._decode(lower.astype(self.code_dtype))
            above = self._decode(np.minimum(lower + 1, self.nar_code - 1).astype(self.code_dtype))
            part = np.where(rest > 0, (magnitude - below) / np.where(rest > 0, above - below, 1), 0)
        else:
            # Only its order relative to 1/2 counts, and rest may have more bits than a float64.
            half = 1 << (cut - 1)
            part = (rest > 0) * 0.25 + (rest >= half) * 0.25 + (rest > half) * 0.25
        return lower + round_up(part, lower % 2 == 1, negative, rounding)


def _bit_length(x: Int64) -> Int64:
    """Return the number of bits of integers in [0, 2**53)."""
    return np.frexp(x.astype(np.float64))[1].astype(np.int64)


def parse(name: str) -> Posit | None:
    """Return the posit called ``name``, or None; ``posit8`` is that of the standard, es = 2."""
    match = re.fullmatch(r"posit(\d+)(?:_(\d+))?", name)
    return Posit(int(match[1]), int(match[2] or 2)) if match else None
