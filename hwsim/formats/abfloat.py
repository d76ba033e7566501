"""OliVe's adaptive biased float, the format of its outliers: ``abfloat4``.

A sign, exponent and mantissa, and no subnormals: (-1)**s * 2**(e + bias) * (1 + m). The bias puts
the range just above that of the normal values: ``abfloat4`` is e2m1 with bias 5, +-{48, 64, 96,
128, 192, 256, 384}, above a normal range that ends at 32. The code of magnitude 0, which would be
+-2**bias, stands for zero; outliers do not use it, because with the sign it is the identifier of a
victim (:mod:`hwsim.formats.olive`). Any other is spelt ``abfloat_e2m1_b3``.

Hardware decodes to an integer of mantissa + 1 bits and a shift, as ANT's units do.

Source: OliVe (ISCA 2023, arXiv:2304.07493), section 3.3; value set as in the authors' quantiser.
"""

import re
from dataclasses import dataclass

import numpy as np

from hwsim.errors import InputError
from hwsim.formats.base import Float64
from hwsim.formats.grid import GridFormat
from hwsim.formats.sign_magnitude import signed

NAMES = ("abfloat4",)


@dataclass(frozen=True)
class AbFloat(GridFormat):
    """Adaptive biased float of ``1 + exponent + mantissa`` bits.

    ``exponent`` is 1 to 5 and ``mantissa`` 0 to 7 bits, ``bias`` -512 to 512. Out-of-range numbers
    saturate or raise; there is no NaN. -0 keeps its sign.
    """

    exponent: int
    mantissa: int
    bias: int

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 1 <= self.exponent <= 5:
            raise InputError(f"exponent of an abfloat must be 1 to 5 bits, not {self.exponent}")
        if not 0 <= self.mantissa <= 7:
            raise InputError(f"mantissa of an abfloat must be 0 to 7 bits, not {self.mantissa}")
        if abs(self.bias) > 512:
            raise InputError(f"bias of an abfloat must be -512 to 512, not {self.bias}")

    @property
    def name(self) -> str:
        if self == _OLIVE:
            return "abfloat4"
        return f"abfloat_e{self.exponent}m{self.mantissa}_b{self.bias}"

    @property
    def family(self) -> str:
        return "abfloat"

    @property
    def bits(self) -> int:
        return 1 + self.exponent + self.mantissa

    def _values(self) -> Float64:
        code = np.arange(1 << (self.exponent + self.mantissa))
        significand = (code & ((1 << self.mantissa) - 1)) + (1 << self.mantissa)
        magnitudes = np.ldexp(
            significand.astype(np.float64), (code >> self.mantissa) + self.bias - self.mantissa
        )
        magnitudes[0] = 0.0
        return signed(magnitudes)

    def _outside(self) -> tuple[float, float]:
        follows = 2.0 ** ((1 << self.exponent) + self.bias)
        return -follows, follows


_OLIVE = AbFloat(2, 1, 5)


def parse(name: str) -> AbFloat | None:
    """Return the abfloat called ``name``, or None if the name is of another family."""
    if name == "abfloat4":
        return _OLIVE
    match = re.fullmatch(r"abfloat_e(\d+)m(\d+)_b(-?\d+)", name)
    return AbFloat(int(match[1]), int(match[2]), int(match[3])) if match else None
