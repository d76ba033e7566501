"""Block floating point: integers under one shared exponent, ``bfp8_g16``.

``bfp<bits>_g<size>``: elements of ``bits`` bits, two's complement with bits - 2 fraction bits and
the most negative code unused, under an E8M0 scale. With the floor rule the largest element's
leading one is the top magnitude bit, so an element is the float's mantissa shifted right by its
distance from the largest exponent. Multipliers and adders are integer, exponents are handled once
a block. ``bfp8_g32`` has the values of ``mxint8``.

Source: Drumond et al., arXiv 1804.01526 (hybrid block floating point); Darvish Rouhani et al.,
NeurIPS 2020 (Microsoft Floating Point). The latter stores sign and magnitude, which is the same
set of values.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

from hwsim.errors import InputError
from hwsim.formats.base import Format
from hwsim.formats.block import BlockFormat
from hwsim.formats.fixed import FixedPoint
from hwsim.formats.shared_exponent import SharedExponent

NAMES = ("bfp8_g16", "bfp6_g16", "bfp4_g16")


@dataclass(frozen=True)
class BlockFloatingPoint(SharedExponent):
    """Integers under a shared exponent; parameters are those of :class:`SharedExponent`."""

    def __post_init__(self) -> None:
        super().__post_init__()
        expected = _element(self.element.bits)
        if self.element != expected:
            raise InputError(f"element must be {expected.name}, not {self.element.name}")

    @property
    def base_name(self) -> str:
        return f"bfp{self.element.bits}_g{self.size}"

    @property
    def family(self) -> str:
        return "block_floating_point"


def parse(name: str, parse_scalar: Callable[[str], Format]) -> BlockFormat | None:
    """Return the format called ``bfp<bits>_g<size>``, or None if the name is another."""
    match = re.fullmatch(r"bfp(\d+)_g(\d+)", name)
    if not match:
        return None
    width = int(match[1])
    if not 2 <= width <= 32:
        raise InputError(f"{name}: elements must have 2 to 32 bits, not {width}")
    return BlockFloatingPoint(_element(width), int(match[2]))


def _element(width: int) -> FixedPoint:
    return FixedPoint(2, width - 2, symmetric=True)
