"""Block minifloat: minifloats under a shared exponent bias, ``bm_e2m5_g48``.

``bm_e<exponent>m<mantissa>_g<size>``: IEEE-style bias 2**(exponent - 1) - 1, subnormals, and no
infinity or NaN, so that every code is a number. A narrow exponent with the shared bias replaces a
wide one, so that a block of products sums exactly in a short fixed-point register.

Source: Fox et al., Block Minifloat, ICLR 2021. The paper shares the bias over square tiles; here
blocks run along one axis, as in every other family.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

from hwsim.errors import InputError
from hwsim.formats.base import Format
from hwsim.formats.block import BlockFormat
from hwsim.formats.minifloat import Minifloat, Specials
from hwsim.formats.shared_exponent import SharedExponent

NAMES = ("bm_e2m5_g48", "bm_e4m3_g48", "bm_e2m3_g48", "bm_e2m1_g48")


@dataclass(frozen=True)
class BlockMinifloat(SharedExponent):
    """Minifloats under a shared exponent; parameters are those of :class:`SharedExponent`."""

    element: Minifloat

    def __post_init__(self) -> None:
        super().__post_init__()
        expected = _element(self.element.exponent, self.element.mantissa)
        if self.element != expected:
            raise InputError(f"element must be {expected.name}, not {self.element.name}")

    @property
    def base_name(self) -> str:
        return f"bm_e{self.element.exponent}m{self.element.mantissa}_g{self.size}"

    @property
    def family(self) -> str:
        return "block_minifloat"


def parse(name: str, parse_scalar: Callable[[str], Format]) -> BlockFormat | None:
    """Return the format called ``bm_e<n>m<n>_g<size>``, or None if the name is another."""
    match = re.fullmatch(r"bm_e(\d+)m(\d+)_g(\d+)", name)
    if not match:
        return None
    return BlockMinifloat(_element(int(match[1]), int(match[2])), int(match[3]))


def _element(exponent: int, mantissa: int) -> Minifloat:
    return Minifloat(exponent, mantissa, (1 << max(exponent - 1, 0)) - 1, Specials.NONE)
