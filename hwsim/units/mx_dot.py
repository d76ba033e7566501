"""Dot products of OCP Microscaling (MX) blocks: MXFP8, MXFP6, MXFP4, MXINT8, in any combination.

An E8M0 scale is a power of two, so scaling a block's sum is adding two exponents. What elements
cost within a block is the width of their sum:

==========================  =====================  ========================
elements                    product                sum of 32, with sign
==========================  =====================  ========================
e2m1 (MXFP4)                144 units of 1/4       14 bits
e2m3 (MXFP6)                3600 units of 1/64     18 bits
q2.6 (MXINT8)               16384 units of 2**-12  21 bits
e3m2 (MXFP6)                200704 of 2**-8        24 bits
e4m3 (MXFP8)                2**35.6 of 2**-18      42 bits
e5m2 (MXFP8)                2**63.6 of 2**-32      70 bits
==========================  =====================  ========================

A scale of 0xFF is NaN, and so is the result then. A NaN element gives NaN, an infinite one
infinity. MX leaves these to the implementation, as well as the precision in which blocks are
added up; within a block the sum is exact here.

Source: OCP Microscaling Formats (MX) 1.0, sections 5 (formats) and 6 (dot product).
"""

from dataclasses import dataclass
from typing import Any, ClassVar

from hwsim.errors import InputError
from hwsim.formats.base import Format
from hwsim.formats.block import BlockFormat
from hwsim.formats.e8m0 import E8M0
from hwsim.formats.fixed import FixedPoint
from hwsim.formats.integer import Integer
from hwsim.formats.minifloat import Minifloat
from hwsim.formats.mx import SIZE, Microscaling
from hwsim.formats.shared_exponent import SharedExponent
from hwsim.units.block_dot import BlockDotUnit, Element
from hwsim.units.configurations import Configurations, dots

#: The widest element of MX.
MAX_ELEMENT_BITS = 8


@dataclass(frozen=True, kw_only=True)
class MxDotUnit(BlockDotUnit):
    """Dot product of MX blocks.

    Parameters
    ----------
    lanes, accumulation, accumulator, accumulator_bits, fraction_bits
        See :class:`~hwsim.units.block_dot.BlockDotUnit`.
    block_size
        See :class:`~hwsim.units.block_dot.BlockDotUnit`; blocks of MX 1.0 have 32 elements.
    weight, activation
        Block formats under an E8M0 scale, such as ``mxfp4`` or ``bm_e2m3_g48``, or their elements:
        signed minifloats or fixed point of up to 8 bits, such as ``e2m1`` or ``q2.6``.
    """

    family: ClassVar[str] = "mx_dot"
    generator: ClassVar[str] = "rtl.block_dot:BlockDot"

    block_size: int = SIZE

    @property
    def scale_format(self) -> E8M0:
        return E8M0()

    def _holding(self, operand: str, fmt: Format | BlockFormat) -> dict[str, Any]:
        if not isinstance(fmt, SharedExponent):
            raise InputError(
                f"{operand}={fmt.name}: mx_dot takes blocks under an E8M0 scale, such as mxfp4"
            )
        return {operand: fmt.element, "block_size": fmt.size}

    def _block_format(self, operand: str, element: Element) -> Microscaling:
        assert not isinstance(element, Integer)
        try:
            return Microscaling(element, self.block_size)
        except InputError:
            raise InputError(
                f"{operand}={element.name} does not say how tensors are quantised; give a block "
                "format, such as mxfp4"
            ) from None

    def _check_element(self, parameter: str, fmt: Format) -> None:
        known = isinstance(fmt, Minifloat | FixedPoint) and fmt.signed
        if not known or fmt.bits > MAX_ELEMENT_BITS:
            raise InputError(
                f"{parameter}={fmt.name}: mx_dot takes signed minifloats and fixed point of up to "
                f"{MAX_ELEMENT_BITS} bits, such as e4m3, e2m1 or q2.6"
            )

    configurations: ClassVar[Configurations] = (
        {"lanes": 32, "weight": "e2m1", "activation": "e2m1"},
        {"lanes": 32, "weight": "e4m3", "activation": "e4m3"},
        {"lanes": 8, "weight": "e5m2", "activation": "e3m2", "accumulator": "bf16"},
        {"lanes": 16, "weight": "e5m2", "activation": "e5m2", "accumulation": "fixed"},
        {"lanes": 16, "weight": "e2m3", "activation": "q2.6", "block_size": 8},
        {"lanes": 32, "weight": "q2.6", "activation": "q2.6", "accumulation": "fixed",
         "accumulator_bits": 40, "fraction_bits": 10},
        {"lanes": 1, "weight": "e3m2", "activation": "e2m1", "block_size": 3,
         "accumulator": "e5m2"},
    )  # fmt: skip
    fitting: ClassVar[Configurations] = (
        *dots((2, "e2m1", "e2m1"), (1, "e3m2", "e2m1"), block_size=4, accumulator="e5m2"),
        {"lanes": 4, "weight": "e2m1", "activation": "e2m1", "block_size": 8,
         "accumulation": "fixed", "accumulator_bits": 24, "fraction_bits": 8},
    )  # fmt: skip
