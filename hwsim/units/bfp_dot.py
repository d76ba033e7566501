"""Dot products in block floating point: integer mantissas under a shared exponent.

Multipliers and the adder tree are those of an integer unit; exponents are added once a block, and
the block's sum is normalised once instead of every product. Mantissas are two's complement with
bits - 2 fraction bits, as in ``bfp8_g16`` (``q2.6``), or plain integers.

Source: Drumond et al., arXiv 1804.01526; Darvish Rouhani et al., NeurIPS 2020 (Microsoft Floating
Point).
"""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from hwsim.errors import InputError
from hwsim.formats.base import Codes, Format
from hwsim.formats.block import BlockFormat
from hwsim.formats.block_floating_point import BlockFloatingPoint
from hwsim.formats.e8m0 import BIAS, E8M0
from hwsim.formats.fixed import FixedPoint
from hwsim.formats.integer import Integer
from hwsim.formats.minifloat import Minifloat
from hwsim.formats.shared_exponent import SharedExponent
from hwsim.units.block_dot import BlockDotUnit, Element, require_exponent
from hwsim.units.configurations import Configurations, dots
from hwsim.units.layers import Matrix, Rows

DEFAULT_BLOCK_SIZE = 16
#: Fewest bits of a mantissa of block floating point.
MIN_MANTISSA = 2
DEFAULT_SCALE = E8M0()


@dataclass(frozen=True, kw_only=True)
class BfpDotUnit(BlockDotUnit):
    """Dot product of blocks of integers, each with one exponent.

    Parameters
    ----------
    lanes, accumulation, accumulator, accumulator_bits, fraction_bits
        See :class:`~hwsim.units.block_dot.BlockDotUnit`.
    block_size
        See :class:`~hwsim.units.block_dot.BlockDotUnit`; 16 by default.
    weight, activation
        Block formats such as ``bfp8_g16``, or mantissas alone: integers or fixed point, such as
        ``int8`` or ``q2.6``.
    scale
        The shared exponent: ``e8m0``, biased by 127 and with NaN, or ``int1`` to ``int8``, in two's
        complement.
    """

    family: ClassVar[str] = "bfp_dot"
    generator: ClassVar[str] = "rtl.block_dot:BlockDot"

    block_size: int = DEFAULT_BLOCK_SIZE
    scale: Format = DEFAULT_SCALE

    def __post_init__(self) -> None:
        super().__post_init__()
        require_exponent("scale", self.scale, self.family)

    @property
    def scale_format(self) -> Format:
        return self.scale

    def _holding(self, operand: str, fmt: Format | BlockFormat) -> dict[str, Any]:
        if not isinstance(fmt, SharedExponent) or not isinstance(fmt.element, FixedPoint):
            raise InputError(
                f"{operand}={fmt.name}: bfp_dot takes fixed point under a shared exponent, such as "
                "bfp8_g16"
            )
        return {operand: fmt.element, "block_size": fmt.size}

    def _block_format(self, operand: str, element: Element) -> BlockFloatingPoint:
        if isinstance(element, Minifloat) or not element.signed or element.bits < MIN_MANTISSA:
            raise InputError(
                f"{operand}={element.name}: block floating point has signed mantissas of at least "
                f"{MIN_MANTISSA} bits"
            )
        return BlockFloatingPoint(FixedPoint(2, element.bits - 2, symmetric=True), self.block_size)

    def _scaled_rows(self, operand: str, fmt: Format, matrix: Matrix) -> Rows:
        rows = super()._scaled_rows(operand, fmt, matrix)
        # The codes are those of other places of the point.
        own = fmt.fraction if isinstance(fmt, FixedPoint) else 0
        element = matrix.format.element
        theirs = element.fraction if isinstance(element, FixedPoint) else 0
        return rows._replace(scales=np.ldexp(rows.scales, own - theirs))

    def _scale_codes(self, scales: Codes) -> Codes:
        if not isinstance(self.scale, Integer):
            return scales
        exponents = scales.astype(np.int64) - BIAS
        # The scale of a block of zeros is of no account.
        exponents = np.where(scales == 0, 0, exponents)
        outside = (exponents < self.scale.low) | (exponents > self.scale.high)
        if outside.any():
            raise InputError(
                f"scale={self.scale.name}: the exponent {exponents[outside][0]} of a block is not "
                "in its range; allowed: e8m0, or more bits"
            )
        return self.scale.encode(exponents)

    def _check_element(self, parameter: str, fmt: Format) -> None:
        if not isinstance(fmt, Integer | FixedPoint):
            raise InputError(
                f"{parameter}={fmt.name}: bfp_dot takes integers and fixed point, such as int8 or "
                "q2.6"
            )

    configurations: ClassVar[Configurations] = (
        {"lanes": 16, "weight": "q2.6", "activation": "q2.6"},
        {"lanes": 3, "weight": "int12", "activation": "q2.8", "block_size": 6,
         "accumulator": "fp16"},
        {"lanes": 4, "weight": "int4", "activation": "uint8", "scale": "int5",
         "accumulation": "fixed", "accumulator_bits": 50, "fraction_bits": 8},
        {"lanes": 1, "weight": "int1", "activation": "uint1", "scale": "int1", "block_size": 2,
         "accumulation": "fixed", "accumulator_bits": 2, "fraction_bits": 0},
    )  # fmt: skip
    fitting: ClassVar[Configurations] = (
        *dots((2, "int3", "int4"), (4, "q1.3", "q1.3"), block_size=4, accumulator="e5m2"),
        {"lanes": 4, "weight": "int4", "activation": "int4", "block_size": 8,
         "accumulation": "fixed", "accumulator_bits": 24, "fraction_bits": 8},
    )  # fmt: skip
