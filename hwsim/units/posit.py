"""Posit dot product in a quire, and posit multipliers.

``accumulation="quire"`` is the dot product of the standard: products are exact, and so is their sum
in the quire, a fixed-point number that spans all products, 4 * (n - 2) * 2**es bits and a sign
and carry guard. It is delivered as it is, or with ``accumulator`` rounded to a posit, once. Costs
are dominated by the quire: 58 bits for the products of posit8_1, 114 for those of posit16_1, 226
for posit16_2, through which every product is shifted.

``accumulation="none"`` has no quire: ``lanes`` multipliers side by side round every product once,
to the nearest posit, and deliver those of the last beat; the products of earlier beats are
computed and dropped. This is the unit to compare with posit multipliers of others; a sum of
products that are rounded each is left to whoever adds them.

A NaR operand sets the quire's flag ``nan``, or gives NaR. Rounding is nearest even on the posit's
bit string; beyond the range the result is the largest or smallest posit, never NaR or 0.

Source: Posit standard 2022, sections 3 to 5. Sizes and exponents other than those of the standard
(es = 2, n <= 32) are those of the drafts; ``accumulator_bits=32`` makes the quires of
SoftPosit for posit8_0, ``accumulator_bits=128`` those for posit16_1.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar

import numpy as np

from hwsim.errors import InputError
from hwsim.formats.base import Bools, Codes, Float64, Format, Int64
from hwsim.formats.posit import Posit
from hwsim.units.configurations import Configurations, dots
from hwsim.units.exact_sum import ExactSum
from hwsim.units.result import Integers, Result, RoundedResult
from hwsim.units.rounding import add_to_odd

#: Integers of this many bits are halved exactly for the conversion to float64.
_HALVES = 62


class Accumulation(StrEnum):
    """What happens to the products."""

    QUIRE = "quire"
    NONE = "none"


@dataclass(frozen=True, kw_only=True)
class PositUnit(ExactSum):
    """Dot product of posits, exact or rounded once; or products, each rounded once.

    Parameters
    ----------
    lanes, accumulator_bits
        See :class:`~hwsim.units.exact_sum.ExactSum`.
    weight, activation
        See :class:`~hwsim.units.exact_sum.ExactSum`; both formats are posits and may differ.
    accumulation
        ``quire``, or ``none`` for the products of the last beat, which has no accumulator_bits.
    accumulator
        The posit that the quire is rounded to at the end, or every product; by default the quire is
        delivered as it is.
    """

    family: ClassVar[str] = "posit"
    generator: ClassVar[str] = "rtl.posit:Posit"
    format_class: ClassVar[type[Format]] = Posit
    takes: ClassVar[str] = "formats such as posit8_0 or posit16_1"

    accumulation: Accumulation = Accumulation.QUIRE
    accumulator: Format | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.accumulator is not None and not isinstance(self.accumulator, Posit):
            raise InputError(
                f"accumulator={self.accumulator.name}: posit rounds to posits such as posit8_0 or "
                "posit16_1"
            )
        if self.accumulation is Accumulation.NONE:
            if self.accumulator is None:
                raise InputError(
                    "accumulator=None: without accumulation the products are rounded; give a posit "
                    "such as posit8_0 or posit16_1"
                )
            if self.accumulator_bits is not None:
                raise InputError(
                    f"accumulator_bits={self.accumulator_bits}: only accumulation=quire has any, "
                    "not none"
                )

    @property
    def has_exact_accumulator(self) -> bool:
        return self.accumulation is Accumulation.QUIRE

    def operand_formats(self) -> tuple[Posit, Posit]:
        activation, weight = super().operand_formats()
        assert isinstance(activation, Posit)
        assert isinstance(weight, Posit)
        return activation, weight

    @property
    def result(self) -> Result | RoundedResult[Format]:
        if self.accumulator is None:
            return self.exact_result
        assert isinstance(self.accumulator, Posit)
        several = self.accumulation is Accumulation.NONE and self.lanes > 1
        return RoundedResult(self.accumulator, (self.lanes,) if several else ())

    @property
    def safe_beats(self) -> int:
        return 1 if self.accumulation is Accumulation.NONE else super().safe_beats

    def _dot(self, activations: Codes, weights: Codes, metadata: Mapping[str, Codes]) -> Integers:
        if self.accumulator is None:
            return super()._dot(activations, weights, metadata)
        assert isinstance(self.accumulator, Posit)
        if self.accumulation is Accumulation.NONE:
            last = np.s_[..., -self.lanes :]
            value, exponent, flags = self.products(activations[last], weights[last])
            codes = round_to_posit(self.accumulator, value, exponent, flags["nan"])
            return self.result.pack(codes) if self.lanes > 1 else codes[..., 0]
        sums, flags = self.add_up(self.products(activations, weights))
        quire = self.exact_result
        return round_to_posit(self.accumulator, quire.wrap(sums), quire.exponent, flags["nan"])

    configurations: ClassVar[Configurations] = (
        {"lanes": 16, "weight": "posit8_0", "activation": "posit8_0"},
        {"lanes": 8, "weight": "posit4_1", "activation": "posit8_2"},
        {"lanes": 2, "weight": "posit16_1", "activation": "posit16_1", "accumulator_bits": 127},
        {"lanes": 1, "weight": "posit2_0", "activation": "posit3_1", "accumulator_bits": 6},
        *dots((16, "posit8_0", "posit8_0"), (1, "posit4_1", "posit8_2"), adders="operators"),
        *dots((3, "posit6_1", "posit6_1"), state="carry_save"),
        *dots((2, "posit6_1", "posit6_1"), state="carry_save",
              accumulator="posit8_1"),
        {"lanes": 4, "weight": "posit6_1", "activation": "posit6_1", "accumulator": "posit8_1"},
        {"lanes": 1, "weight": "posit16_2", "activation": "posit16_2", "accumulator": "posit16_2"},
        {"lanes": 8, "weight": "posit8_1", "activation": "posit8_1", "accumulator": "posit8_1",
         "accumulation": "none"},
        {"lanes": 1, "weight": "posit16_1", "activation": "posit16_1", "accumulator": "posit16_1",
         "accumulation": "none"},
        {"lanes": 5, "weight": "posit6_0", "activation": "posit7_3", "accumulator": "posit10_2",
         "accumulation": "none"},
    )  # fmt: skip
    fitting: ClassVar[Configurations] = (
        *dots((1, "posit8_0", "posit8_0"), (2, "posit6_1", "posit6_1")),
        *dots((2, "posit4_1", "posit6_0")),
        *dots((1, "posit6_1", "posit6_1"), accumulator="posit8_1"),
        *dots((1, "posit8_1", "posit8_1"), accumulator="posit8_1", accumulation="none"),
        *dots((2, "posit6_0", "posit7_1"), accumulator="posit8_1", accumulation="none"),
    )  # fmt: skip


def round_to_posit(fmt: Posit, value: Integers, exponent: Int64 | int, nar: Bools) -> Codes:
    """Return the codes of ``value * 2**exponent``, rounded once, and NaR where ``nar`` is set.

    ``value`` holds integers of any size, int64 or object. They are first rounded to odd, to
    float64, which has at least two bits more than any posit of 32 bits.
    """
    return fmt.encode(np.where(nar, np.nan, _to_float64(value, exponent)))


def _to_float64(value: Integers, exponent: Int64 | int) -> Float64:
    """Return ``value * 2**exponent`` rounded to odd; far outside all posits' range, something as
    far outside."""
    surplus = np.zeros(np.shape(value), np.int64)
    if value.dtype == object:
        length = np.asarray(np.frompyfunc(int.bit_length, 1, 1)(value), np.int64)
        surplus = np.maximum(length - _HALVES, 0)
        top = value >> surplus.astype(object)
        value = np.asarray(top | ((top << surplus.astype(object)) != value), np.int64)
    low = value & ((1 << (_HALVES // 2)) - 1)
    rounded = add_to_odd((value - low).astype(np.float64), low.astype(np.float64))
    # The largest posit is below 2**961, the smallest above 2**-961.
    return np.ldexp(rounded, np.clip(surplus + exponent, -1070, 960))
