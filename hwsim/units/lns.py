"""Dot product of logarithmic numbers: adders and a table in the place of multipliers.

The logarithm of a product is the sum of two logarithms. Its integer part is an exponent; its
fraction f, of F bits (those of the format that has more), goes through a table of 2**F significands
2**(f / 2**F), each rounded to nearest in ``table_bits`` fraction bits. So a product is a
significand to be shifted, as in floating point, and is added as such: exactly, in one fixed-point
number.

The table is all that is approximate. An entry is off by 2**-(table_bits + 1) of its product at
most: by default, with F + 4 bits, a tenth of what rounding a number to the format takes. Without
fraction bits (``lns5_0``) there is no table, and sums are exact. A bin for each fraction, and the
bins times these constants at the end, as LNS-Madam has it, make the same sums.

The sum spans the exponents of both formats: 39 bits for the products of lns8_3, 268 for lns16_8.
``window_bits`` keeps the highest places of the largest product only, as designs with accumulators
of 24 or 32 bits do. What a product has below is truncated, toward zero.

A product with the code of 0 is 0, one with NaN sets the sticky flag ``nan``, whatever the other is.

Sources: Johnson, Rethinking floating point for deep learning, arXiv:1811.01721 (the table and the
fixed-point sum); Zhao et al., LNS-Madam, IEEE TC 71(12), 2022, arXiv:2106.13914 (formats, bins).
"""

from dataclasses import dataclass
from functools import lru_cache
from math import isqrt
from typing import Any, ClassVar

import numpy as np

from hwsim.errors import InputError
from hwsim.formats.base import Codes, Format, Kind
from hwsim.formats.lns import Logarithmic
from hwsim.units.configurations import Configurations, dots
from hwsim.units.exact_sum import ExactSum, Products, product_flags
from hwsim.units.result import Result

#: Most fraction bits of a format: a lane has 2**fraction significands.
MAX_FRACTION = 10
MAX_TABLE_BITS = 24
#: Bits by which significands are finer than logarithms, by default.
_FINER = 4
#: What shifts every significand out.
_OUT = 62


@dataclass(frozen=True, kw_only=True)
class LnsUnit(ExactSum):
    """Dot product of logarithmic numbers, added in fixed point.

    Parameters
    ----------
    lanes, accumulator_bits
        See :class:`~hwsim.units.exact_sum.ExactSum`.
    weight, activation
        See :class:`~hwsim.units.exact_sum.ExactSum`; both formats are logarithmic, of base 2 and
        up to 10 fraction bits, and may differ.
    table_bits
        Fraction bits of the significands, up to 24, rounded to nearest; by default 4 more than the
        finer format's logarithm. Without fraction bits there is no table, and 0 is all it can be.
    window_bits
        Places of a product that are kept, from the highest of the largest product down; by default
        all. Those below are truncated toward zero.
    """

    family: ClassVar[str] = "lns"
    generator: ClassVar[str] = "rtl.lns:Lns"
    format_class: ClassVar[type[Format]] = Logarithmic
    takes: ClassVar[str] = "formats such as lns8_3 or lns16_8"

    table_bits: int | None = None
    window_bits: int | None = None

    def operand_formats(self) -> tuple[Logarithmic, Logarithmic]:
        activation, weight = super().operand_formats()
        assert isinstance(activation, Logarithmic)
        assert isinstance(weight, Logarithmic)
        for parameter, fmt in (("activation", activation), ("weight", weight)):
            if fmt.base != 2:
                raise InputError(f"{parameter}={fmt.name}: lns takes logarithms to base 2 only")
            if fmt.fraction > MAX_FRACTION:
                raise InputError(
                    f"{parameter}={fmt.name} has {fmt.fraction} fraction bits; lns takes formats "
                    f"of up to {MAX_FRACTION}"
                )
        return activation, weight

    def _set_products(self) -> None:
        self._set_bits("table_bits", 0, MAX_TABLE_BITS if self.fraction_bits else 0)
        self._set_bits("window_bits", 1, self._default("window_bits"))

    def _set_bits(self, key: str, lowest: int, highest: int) -> None:
        given = getattr(self, key)
        if given is None:
            object.__setattr__(self, key, self._default(key))
        elif not lowest <= given <= highest:
            raise InputError(
                f"{key}={given}: allowed for products of {self.weight.name} and "
                f"{self.activation.name}: {lowest} to {highest}"
            )

    def _default(self, key: str) -> Any:
        if key == "table_bits":
            return self.fraction_bits + _FINER if self.fraction_bits else 0
        if key == "window_bits":
            return self._whole_product.bit_length()
        return super()._default(key)

    @property
    def is_exact(self) -> bool:
        return not self.fraction_bits and not self.dropped_bits

    @property
    def fraction_bits(self) -> int:
        """Fraction bits of a product's logarithm."""
        return max(fmt.fraction for fmt in self.operand_formats())

    @property
    def alignments(self) -> tuple[int, int]:
        """Places by which the logarithms of activation and weight are shifted to the left."""
        activation, weight = self.operand_formats()
        return self.fraction_bits - activation.fraction, self.fraction_bits - weight.fraction

    @property
    def largest_logarithm(self) -> int:
        """The largest logarithm of a product, in its last place; the least is its negative."""
        aligned = zip(self.operand_formats(), self.alignments, strict=True)
        return sum(fmt.largest_logarithm << places for fmt, places in aligned)

    @property
    def lowest_exponent(self) -> int:
        """The integer part of the least logarithm of a product."""
        return -self.largest_logarithm >> self.fraction_bits

    @property
    def table(self) -> tuple[int, ...]:
        """The significand of every fraction of a logarithm, in units of 2**-table_bits."""
        assert self.table_bits is not None
        return significands(self.fraction_bits, self.table_bits)

    @property
    def _whole_product(self) -> int:
        """The largest product, in units of the last place of the smallest."""
        exponent, fraction = divmod(self.largest_logarithm, 1 << self.fraction_bits)
        return self.table[fraction] << (exponent - self.lowest_exponent)

    @property
    def dropped_bits(self) -> int:
        """Places of products below the window."""
        assert self.window_bits is not None
        return self._whole_product.bit_length() - self.window_bits

    @property
    def largest_product(self) -> int:
        return self._whole_product >> self.dropped_bits

    @property
    def exact_result(self) -> Result:
        assert self.accumulator_bits is not None
        assert self.table_bits is not None
        unit = self.lowest_exponent - self.table_bits + self.dropped_bits
        return Result(self.accumulator_bits, unit, self.flags)

    def products(self, activations: Codes, weights: Codes) -> Products:
        """Return the products as the table and the window leave them, in the shape of the codes."""
        logarithm = sum(
            fmt.logarithms(codes) << places
            for fmt, codes, places in zip(
                self.operand_formats(), (activations, weights), self.alignments, strict=True
            )
        )
        assert self.table_bits is not None
        whole, fraction = np.divmod(logarithm, 1 << self.fraction_bits)
        exponent = whole - self.table_bits
        below = np.maximum(self.exact_result.exponent - exponent, 0)
        magnitude = np.array(self.table)[fraction] >> np.minimum(below, _OUT)
        a, w = self.unpack(activations, weights)
        there = (a.kind == Kind.FINITE) & (w.kind == Kind.FINITE)
        value = np.where(there, np.where(a.sign != w.sign, -magnitude, magnitude), 0)
        return Products(value, exponent + below, product_flags(a, w))

    def special_codes(self, operand: str) -> tuple[int, ...]:
        fmt = getattr(self, operand)
        # Every fraction of one operand, which with a whole other one is that of the product.
        activation, weight = self.operand_formats()
        finer = "weight" if weight.fraction > activation.fraction else "activation"
        count = min(1 << fmt.fraction, fmt.largest_logarithm + 1) if operand == finer else 0
        # The least negative number lies beside NaN.
        sign = 1 << (fmt.bits - 1)
        return (*range(count), sign + fmt.largest_logarithm + 2)

    configurations: ClassVar[Configurations] = (
        {"lanes": 16, "weight": "lns8_3", "activation": "lns8_3"},
        {"lanes": 8, "weight": "lns8_3", "activation": "lns8_3", "window_bits": 23,
         "accumulator_bits": 24},
        {"lanes": 4, "weight": "lns4_1", "activation": "lns4_1"},
        {"lanes": 3, "weight": "lns6_2", "activation": "lns8_4"},
        {"lanes": 1, "weight": "lns3_0", "activation": "lns5_0", "accumulator_bits": 18},
        {"lanes": 2, "weight": "lns4_0", "activation": "lns6_2", "window_bits": 12},
        {"lanes": 1, "weight": "lns4_3", "activation": "lns4_3"},
        {"lanes": 5, "weight": "lns5_2", "activation": "lns4_3", "table_bits": 2},
        {"lanes": 2, "weight": "lns8_2", "activation": "lns8_2", "table_bits": 0},
        {"lanes": 2, "weight": "lns12_6", "activation": "lns12_6"},
        {"lanes": 2, "weight": "lns7_1", "activation": "lns10_5", "table_bits": 16},
        {"lanes": 1, "weight": "lns16_8", "activation": "lns16_8"},
        {"lanes": 2, "weight": "lns16_10", "activation": "lns16_10", "window_bits": 31,
         "accumulator_bits": 32},
    )  # fmt: skip
    fitting: ClassVar[Configurations] = (
        *dots((2, "lns6_2", "lns6_2"), (1, "lns8_3", "lns8_3"), (4, "lns4_1", "lns5_2")),
        *dots((2, "lns8_3", "lns8_3"), window_bits=16),
    )  # fmt: skip


@lru_cache(maxsize=64)
def significands(fraction_bits: int, table_bits: int) -> tuple[int, ...]:
    """Return 2**(f / 2**fraction_bits) for every f, in units of 2**-table_bits.

    They are rounded to nearest; there are no ties, as all but the first are irrational.
    """
    count = 1 << fraction_bits
    found = []
    for f in range(count):
        # Floors of square roots, one after another, are the floor of the root of all.
        halves = 1 << ((table_bits + 1) * count + f)
        for _ in range(fraction_bits):
            halves = isqrt(halves)
        found.append((halves + 1) >> 1)
    return tuple(found)
