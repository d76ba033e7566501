"""Signed powers of two, ``pot4``: a product is a shift.

A sign and a magnitude code m: 0 is zero, any other is 2**(m - 1), so ``pot4`` is 0, +-1, +-2 ..
+-64. Half of the codes are above a third of the range, which wastes resolution there; APoT
(:mod:`hwsim.formats.apot`) answers that.

Source: the PoT type of ANT (MICRO 2022); INQ (arXiv:1702.03044) for the idea.
"""

import re
from dataclasses import dataclass

import numpy as np

from hwsim.errors import InputError
from hwsim.formats.base import Float64
from hwsim.formats.grid import GridFormat
from hwsim.formats.sign_magnitude import signed

NAMES = ("pot3", "pot4", "pot4u", "pot5")


@dataclass(frozen=True)
class PowerOfTwo(GridFormat):
    """Powers of two in ``width`` bits, 2 to 8; a signed one has a code of -0. No NaN."""

    width: int
    signed: bool = True

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 2 <= self.width <= 8:
            raise InputError(f"width of a power of two must be 2 to 8 bits, not {self.width}")

    @property
    def name(self) -> str:
        return f"pot{self.width}{'' if self.signed else 'u'}"

    @property
    def family(self) -> str:
        return "pot"

    @property
    def bits(self) -> int:
        return self.width

    def _values(self) -> Float64:
        magnitudes = np.ldexp(1.0, np.arange(1 << (self.width - self.signed)) - 1)
        magnitudes[0] = 0.0
        return signed(magnitudes) if self.signed else magnitudes

    def _outside(self) -> tuple[float, float]:
        follows = 2.0 ** ((1 << (self.width - self.signed)) - 1)
        return (-follows if self.signed else -1.0), follows


def parse(name: str) -> PowerOfTwo | None:
    """Return the power-of-two format called ``name``, or None if it is of another family."""
    match = re.fullmatch(r"pot(\d+)(u?)", name)
    return PowerOfTwo(int(match[1]), signed=not match[2]) if match else None
