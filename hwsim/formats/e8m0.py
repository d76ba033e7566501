"""A power of two in a byte, ``e8m0``: the scale of the MX block formats.

Code c is worth 2**(c - 127), 0xFF is NaN; there is no sign, no zero and no infinity. Scaling by it
is an addition of exponents.

Rounding chooses between the two powers around a number by its distance from them. Ties of
``nearest_even`` go to the even code, as in gfloat; ml_dtypes takes the upper one, which is
``nearest_away`` here. A positive number below 2**-127 is encoded as 2**-127, whatever the rounding.
Zero and negative numbers are out of range: ``saturate`` gives 2**-127, ``ieee`` NaN, as ml_dtypes.

Source: OCP Microscaling Formats (MX) 1.0, section 5.4.
"""

from dataclasses import dataclass

import numpy as np

from hwsim.errors import InputError
from hwsim.formats.base import Bools, Float64, Int64, Overflow, Rule
from hwsim.formats.grid import GridFormat

NAMES = ("e8m0",)
#: Exponent bias, and the largest exponent.
BIAS = 127
NAN_CODE = 255


@dataclass(frozen=True)
class E8M0(GridFormat):
    """Powers of two from 2**-127 to 2**127, and NaN."""

    @property
    def name(self) -> str:
        return "e8m0"

    @property
    def family(self) -> str:
        return "power"

    @property
    def bits(self) -> int:
        return 8

    def _values(self) -> Float64:
        values = np.ldexp(1.0, np.arange(256) - BIAS)
        values[NAN_CODE] = np.nan
        return values

    def _outside(self) -> tuple[float, float]:
        return 0.0, 2.0 ** (BIAS + 1)

    def _odd(self, values: Float64, codes: Int64) -> Bools:
        # The value that would follow has the code of NaN, an odd one.
        return codes % 2 == 1

    def _encode(self, x: Float64, rounding: Rule, overflow: Overflow) -> Int64:
        unsuited = x <= 0
        if overflow is Overflow.ERROR and unsuited.any():
            raise InputError(f"{x[unsuited].flat[0]} is out of the range of e8m0: not positive")
        # NaN stays what it is.
        raised = np.where(x < np.ldexp(1.0, -BIAS), np.ldexp(1.0, -BIAS), x)
        codes = super()._encode(raised, rounding, overflow)
        return np.where(unsuited, NAN_CODE, codes) if overflow is Overflow.IEEE else codes


def parse(name: str) -> E8M0 | None:
    """Return E8M0 if it is called ``name``, or None if the name is of another family."""
    return E8M0() if name in NAMES else None
