"""Blocks whose scale is a power of two: the engine of MX, block floating point, block minifloat.

A power of two costs no multiplier: the scales of two blocks are added, and the sum goes to the
exponent of the block's dot product. What is lost is up to a factor of two of range, and the rule
that picks the exponent decides which end loses it. With amax = s * 2**e, 1 <= s < 2, and the
element's largest value t * 2**emax, 1 <= t < 2, the shared exponent is e - emax, plus one where

=====  =========================  ===========================================================
floor  never                      OCP MX 1.0, section 6.3; the largest elements may saturate
ceil   s > 1                      nothing saturates, up to one bit of precision is lost
rceil  s > t                      the smallest power of two under which nothing saturates
even   s >= 2 - 2**-(p + 1)       amax is first rounded to the element's p mantissa bits
=====  =========================  ===========================================================

e and s come from the float's own exponent, never from a logarithm, which is wrong just below a
power of two.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar

import numpy as np

from hwsim.errors import InputError, unknown
from hwsim.formats import fast
from hwsim.formats.arithmetic import SLICE, encode_quotients, largest_magnitude, slices
from hwsim.formats.base import Codes, Float64, Int64, Rounding, Stochastic
from hwsim.formats.block import BlockFormat, Blocks, Encoded
from hwsim.formats.e8m0 import BIAS, E8M0, NAN_CODE
from hwsim.formats.fixed import FixedPoint
from hwsim.formats.minifloat import Minifloat

#: Format of all shared scales.
SCALE = E8M0()


class ScaleRule(StrEnum):
    """How the shared exponent follows from the largest magnitude; the module has the table."""

    FLOOR = "floor"
    CEIL = "ceil"
    RCEIL = "rceil"
    EVEN = "even"


@dataclass(frozen=True)
class SharedExponent(BlockFormat):
    """Elements under a power-of-two scale, E8M0.

    The exponent is clamped to -127..127, so a block below that keeps its values as far as the
    elements reach down, and an all-zero block has scale code 0. Elements saturate, and keep the
    sign of zero. A block that holds NaN or infinity has the scale NaN (code 255) and element codes
    of 0: all of its values are NaN. Subnormal inputs are not flushed.

    Parameters
    ----------
    element
        A minifloat, or fixed point.
    size
        Block size, at least 1.
    scale_rule
        A :class:`ScaleRule` or its name.
    partial
        ``error`` or ``pad``, as for a group scale.
    """

    OPTIONS: ClassVar[tuple[str, ...]] = ("scale_rule", "partial")

    element: Minifloat | FixedPoint
    size: int
    scale_rule: str = ScaleRule.FLOOR
    partial: str = "error"
    scale: E8M0 = SCALE

    def __post_init__(self) -> None:
        self._check_fields()
        try:
            object.__setattr__(self, "scale_rule", ScaleRule(self.scale_rule))
        except ValueError:
            raise unknown("scale_rule", str(self.scale_rule), list(ScaleRule)) from None
        if not 0 <= self.largest_exponent <= 64:
            raise InputError(
                f"largest value of {self.element.name} must be 1 to 2**64, not {self.element.max}"
            )

    @property
    def largest_exponent(self) -> int:
        """The exponent of the element's largest value."""
        return int(np.frexp(self.element.max)[1]) - 1

    @property
    def exact_significand(self) -> float:
        """The largest significand of amax, in [1, 2), that does not raise the exponent."""
        match self.scale_rule:
            case ScaleRule.CEIL:
                return 1.0
            case ScaleRule.RCEIL:
                return float(np.ldexp(self.element.max, -self.largest_exponent))
            case ScaleRule.EVEN:
                return float(np.nextafter(2 - 2.0 ** -(self._mantissa + 1), 1))
            case _:
                return 2.0

    @property
    def _mantissa(self) -> int:
        if isinstance(self.element, Minifloat):
            return self.element.mantissa
        return self.element.bits - 2

    def shared_exponents(self, largest: Float64) -> Int64:
        """Return the exponents of the scales of blocks with these largest magnitudes."""
        fraction, exponent = np.frexp(largest)
        raised = 2 * fraction > self.exact_significand
        shared = exponent.astype(np.int64) - 1 - self.largest_exponent + raised
        limit = BIAS
        return np.where(largest == 0, -limit, np.clip(shared, -limit, limit))

    def _encode(self, blocks: Blocks, rounding: Rounding | Stochastic) -> Encoded:
        compiled = blocks.dtype.itemsize <= 4 and fast.pays(blocks.size)
        if compiled and rounding is Rounding.NEAREST_EVEN and self.element.bits <= 8:
            return self._encode_compiled(blocks)
        return self._encode_exact(blocks, rounding)

    def _encode_exact(self, blocks: Blocks, rounding: Rounding | Stochastic) -> Encoded:
        scales, divisors = self.scales_of(largest_magnitude(blocks))
        return Encoded(encode_quotients(self.element, blocks, divisors, rounding), scales, {})

    def scales_of(self, largest: Float64) -> tuple[Codes, Float64]:
        """Return scale codes of blocks with these largest magnitudes, and what to divide by."""
        finite = np.isfinite(largest)
        exponents = self.shared_exponents(np.where(finite, largest, 0.0))
        scales = np.where(finite, exponents + BIAS, NAN_CODE).astype(self.scale.code_dtype)
        # Divided by 0, all of a block is 0.
        return scales, np.where(finite, np.ldexp(1.0, exponents), 0.0)

    def _encode_compiled(self, blocks: Blocks) -> Encoded:
        from hwsim.formats import kernels

        codes = np.empty(blocks.shape, self.element.code_dtype)
        scales = np.empty(blocks.shape[:-1], self.scale.code_dtype)
        # The first 23-bit mantissa that raises the exponent; 2**23 is never reached.
        first_raising = int((self.exact_significand - 1) * 2**23) + 1
        flat_codes, flat_scales = codes.reshape(-1, self.size), scales.reshape(-1)
        for part, x in slices(blocks, SLICE):
            arguments = (
                x,
                flat_codes[part].reshape(-1),
                flat_scales[part],
                self.size,
                self.largest_exponent,
                first_raising,
            )
            if isinstance(self.element, Minifloat):
                kernels.minifloat_blocks(
                    *arguments,
                    self.element.mantissa,
                    self.element.min_exponent,
                    self.element.max_code,
                    self.element.sign_code,
                )
            else:
                kernels.fixed_point_blocks(
                    *arguments, self.element.fraction, self.element.bits, self.element.symmetric
                )
        return Encoded(codes, scales, {})
