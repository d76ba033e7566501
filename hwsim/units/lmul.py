"""Floating-point dot product with an adder in the place of the multiplier (L-Mul).

The product of the significands, 1 + x + y + xy for mantissas x and y in [0, 1), loses its last
term, and a constant 2**-l stands for the mean of what is missing:

    L-Mul(a, b) = (1 + x + y + 2**-l) * 2**(exponent of a + exponent of b),

with l = m for up to 3 mantissa bits m, 3 for 4, and 4 for more. Exponent and mantissa lie side by
side in a code, so that both additions are one, of m + exponent bits. Two readings of the formula
are in circulation. They differ where x + y + 2**-l is 1 or more, which makes a significand of 2 or
more:

* ``reading="formula"``: it is halved and the exponent raised. That takes the carry as the choice
  between two mantissas, and one bit more of mantissa.
* ``reading="carry"``: the carry of the packed addition runs into the exponent and what is left is
  the mantissa, so that 1 + f becomes 2f: one adder and nothing else. The sum of the two magnitude
  fields and the constant 2**(m - l) - (bias << m) is the magnitude field of the product.

Errors over all mantissas, with respect to the exact product, mean and largest: E4M3 -1.0% and 18%
(formula), +4.9% and 12.5% (carry); E5M2 +8.6% and 25%, +14.7% and 25%; BF16 -6.3% and 23%, +0.4%
and 7.3%; E2M1 +32% and 50%, +37.5% and 50%. With fewer than 3 mantissa bits the constant is too
large a part of the result for use.

The approximate products are summed exactly, and the flags are those of ``float``. Operands without
the hidden bit (zero and subnormals) count as 0, so that a subnormal times an infinity is NaN. The
paper has no rule for the ends of the range; these are ours:

* ``product_range="packed"``: a product has the operands' format, beyond whose largest value it
  saturates and below whose smallest normal value it is 0. The sum spans the exponents of one
  operand, 2**exponent bits, half of those of ``float``.
* ``product_range="wide"``: one exponent bit more, so that there are no such ends. The sum spans
  what it does in ``float``, subnormals aside, and only the multiplier differs.

Source: Luo and Sun, Addition is All You Need for Energy-efficient Language Models,
arXiv:2410.00907 (the formula).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar

import numpy as np

from hwsim.errors import InputError
from hwsim.formats.base import Codes, Format, Int64, Kind, Unpacked
from hwsim.formats.minifloat import Minifloat
from hwsim.units.configurations import Configurations, dots
from hwsim.units.exact_sum import (
    MINIFLOATS,
    ExactSum,
    product_flags,
    require_signed_minifloat,
    sticky,
)
from hwsim.units.result import Integers, Result, exact_sums


class Reading(StrEnum):
    """What becomes of a significand of 2 or more."""

    FORMULA = "formula"
    CARRY = "carry"


class ProductRange(StrEnum):
    """The range of a product."""

    PACKED = "packed"
    WIDE = "wide"


@dataclass(frozen=True, kw_only=True)
class LmulUnit(ExactSum):
    """Dot product of L-Mul's approximate products, summed exactly.

    Parameters
    ----------
    lanes, accumulator_bits
        See :class:`~hwsim.units.exact_sum.ExactSum`.
    weight, activation
        See :class:`~hwsim.units.exact_sum.ExactSum`; both operands have one format, with at
        least one mantissa bit and normal values.
    reading
        ``carry`` or ``formula``.
    product_range
        ``packed`` or ``wide``.
    """

    family: ClassVar[str] = "lmul"
    generator: ClassVar[str] = "rtl.lmul:Lmul"
    format_class: ClassVar[type[Format]] = Minifloat
    takes: ClassVar[str] = MINIFLOATS

    reading: Reading = Reading.CARRY
    product_range: ProductRange = ProductRange.PACKED

    def operand_formats(self) -> tuple[Minifloat, Minifloat]:
        super().operand_formats()
        fmt = self.operand
        if self.weight != fmt:
            raise InputError(
                f"weight={self.weight.name}: lmul takes two operands of one format, and the "
                f"activation is {fmt.name}"
            )
        if fmt.mantissa == 0:
            raise InputError(f"activation={fmt.name}: lmul takes minifloats with a mantissa")
        if fmt.max_code >> fmt.mantissa == 0:
            raise InputError(f"activation={fmt.name}: lmul takes minifloats with normal values")
        return fmt, fmt

    @property
    def is_exact(self) -> bool:
        return False

    def _excess(self, product: float, count: int) -> float:
        # Packed products saturate one by one; their sum is exact.
        if self.product_range is ProductRange.WIDE:
            return 0.0
        return product - float(np.log2(self.operand.max))

    @property
    def operand(self) -> Minifloat:
        """The format of both operands, and of packed products."""
        return require_signed_minifloat("activation", self.activation, self.family)

    @property
    def correction(self) -> int:
        """2**-l in units of the mantissa's last place."""
        m = self.operand.mantissa
        places = m if m <= 3 else 3 if m == 4 else 4
        return 1 << (m - places)

    @property
    def offset(self) -> int:
        """What is taken from the sum of two exponent fields; field 1 is the lowest of products."""
        return self.operand.bias if self.product_range is ProductRange.PACKED else 1

    @property
    def constant(self) -> int:
        """What is added to the sum of two magnitude fields to make that of the product."""
        return self.correction - (self.offset << self.operand.mantissa)

    @property
    def fraction_bits(self) -> int:
        """Mantissa bits of a product: one more than the operands' where a carry halves it."""
        return self.operand.mantissa + (self.reading is Reading.FORMULA)

    @property
    def largest_code(self) -> int:
        """The largest magnitude field of a product, with a mantissa of ``fraction_bits``."""
        most = np.array(self.operand.max_code)
        if self.product_range is ProductRange.WIDE:
            return int(self._magnitude_fields(most, most))
        return self.operand.max_code << (self.fraction_bits - self.operand.mantissa)

    @property
    def largest_product(self) -> int:
        """The largest product, in units of the last place of the smallest normal one."""
        hidden = 1 << self.fraction_bits
        shift = (self.largest_code >> self.fraction_bits) - 1
        return (hidden + self.largest_code % hidden) << shift

    @property
    def exact_result(self) -> Result:
        assert self.accumulator_bits is not None
        # Field 1 of a product has the exponent of two fields whose sum is one above the offset.
        lowest = 2 * self.operand.min_exponent + self.offset - 1
        return Result(self.accumulator_bits, lowest - self.fraction_bits, self.flags)

    def _dot(self, activations: Codes, weights: Codes, metadata: Mapping[str, Codes]) -> Integers:
        a, w = self._flushed(activations), self._flushed(weights)
        field = np.minimum(self._magnitude_fields(activations, weights), self.largest_code)
        hidden = 1 << self.fraction_bits
        nonzero = (field >= hidden) & (a.kind == Kind.FINITE) & (w.kind == Kind.FINITE)
        significand = np.where(nonzero, hidden + field % hidden, 0)
        shifts = np.where(nonzero, field // hidden - 1, 0)
        negative = a.sign != w.sign
        products = np.where(negative, -significand, significand)
        sums = exact_sums(products, self.fraction_bits + 1, shifts)
        return self.exact_result.pack(sums, sticky(product_flags(a, w)))

    def _flushed(self, codes: Codes) -> Unpacked:
        """Take ``codes`` apart, subnormals as zeros."""
        taken = self.operand.unpack(codes)
        subnormal = taken.significand < 1 << self.operand.mantissa
        kind = np.where((taken.kind == Kind.FINITE) & subnormal, Kind.ZERO, taken.kind)
        return taken._replace(kind=kind.astype(np.uint8))

    def _magnitude_fields(self, activations: Integers, weights: Integers) -> Int64:
        """Return the exponents and mantissas of the products, before the ends of the range."""
        m = self.operand.mantissa
        below_sign = self.operand.sign_code - 1
        x, y = (codes.astype(np.int64) & below_sign for codes in (activations, weights))
        if self.reading is Reading.CARRY:
            return x + y + self.constant
        hidden = 1 << m
        significand = hidden + x % hidden + y % hidden + self.correction
        exponent = x // hidden + y // hidden - self.offset
        # With one place more: of 2 or more, halved; else, doubled to the same scale.
        halved = ((exponent + 1) << (m + 1)) + significand - 2 * hidden
        doubled = (exponent << (m + 1)) + 2 * (significand - hidden)
        return np.where(significand >= 2 * hidden, halved, doubled)

    configurations: ClassVar[Configurations] = (
        {"lanes": 32, "weight": "e4m3", "activation": "e4m3"},
        {"lanes": 32, "weight": "e4m3", "activation": "e4m3", "reading": "formula"},
        {"lanes": 32, "weight": "e5m2", "activation": "e5m2"},
        {"lanes": 16, "weight": "e4m3", "activation": "e4m3", "product_range": "wide"},
        {"lanes": 3, "weight": "e3m2", "activation": "e3m2", "reading": "formula",
         "product_range": "wide"},
        {"lanes": 32, "weight": "e3m4", "activation": "e3m4", "reading": "formula"},
        {"lanes": 16, "weight": "e5m2fnuz", "activation": "e5m2fnuz", "reading": "formula"},
        {"lanes": 1, "weight": "e2m1", "activation": "e2m1"},
        {"lanes": 16, "weight": "e4m3", "activation": "e4m3", "adders": "operators"},
        *dots((3, "e3m2", "e3m2"), state="carry_save"),
        {"lanes": 3, "weight": "e3m2", "activation": "e3m2", "accumulator_bits": 12},
        {"lanes": 2, "weight": "fp16", "activation": "fp16"},
        {"lanes": 1, "weight": "bf16", "activation": "bf16", "reading": "formula"},
    )  # fmt: skip
    fitting: ClassVar[Configurations] = (
        *dots((2, "e4m3", "e4m3"), (4, "e2m1", "e2m1")),
        *dots((2, "e3m2", "e3m2"), (1, "e5m2", "e5m2"), reading="formula"),
    )  # fmt: skip
