"""Sign-magnitude integers, ``int4_sm``: a sign bit and an unsigned integer.

The multiplier is unsigned and the range symmetric, and a number that hops around zero toggles few
bits; the adder needs a subtraction. Code 100..0 is -0, which negative numbers that round to zero
are encoded to.
"""

import re
from dataclasses import dataclass

import numpy as np

from hwsim.errors import InputError
from hwsim.formats.base import Float64
from hwsim.formats.grid import GridFormat

NAMES = ("int3_sm", "int4_sm", "int8_sm")


@dataclass(frozen=True)
class SignMagnitude(GridFormat):
    """Integers of ``width`` bits, 2 to 16, of which one is the sign.

    Out-of-range numbers saturate, or raise with ``overflow="error"``. There is no NaN.
    """

    width: int

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 2 <= self.width <= 16:
            raise InputError(
                f"width of a sign-magnitude integer must be 2 to 16 bits, not {self.width}"
            )

    @property
    def name(self) -> str:
        return f"int{self.width}_sm"

    @property
    def family(self) -> str:
        return "integer"

    @property
    def bits(self) -> int:
        return self.width

    def _values(self) -> Float64:
        return signed(np.arange(2.0 ** (self.width - 1)))

    def _outside(self) -> tuple[float, float]:
        follows = 2.0 ** (self.width - 1)
        return -follows, follows


def signed(magnitudes: Float64) -> Float64:
    """Return the values of a sign bit above the codes of ``magnitudes``; zero becomes -0."""
    return np.concatenate([magnitudes, -magnitudes])


def parse(name: str) -> SignMagnitude | None:
    """Return the format called ``name``, or None if the name is of another family."""
    match = re.fullmatch(r"int(\d+)_sm", name)
    return SignMagnitude(int(match[1])) if match else None
