"""HiFloat8: eight bits whose exponent takes the place it needs, ``hif8``.

After the sign comes a prefix code, the dot field, which says how many exponent bits follow; the
rest is mantissa, so precision tapers from three bits near 1 to one bit at the ends:

======  =============  =============  ===================
dot     exponent bits  mantissa bits  exponent
======  =============  =============  ===================
11      4              1              -15..-8, 8..15
10      3              2              -7..-4, 4..7
01      2              3              -3..-2, 2..3
001     1              3              -1, 1
0001    0              3              0
0000    0              3              denormal
======  =============  =============  ===================

The exponent is a sign and a magnitude whose leading one is implied. A denormal with field M = 1..7
is the power of two 2**(M - 23). 0x00 is the only zero, 0x80 NaN, 0x6F and 0xEF the infinities,
which take the codes of +-1.5 * 2**15. The significand has at most four bits, so a multiplier is
4 x 4 with a six-bit exponent adder, behind two decoders.

The paper rounds half away from zero (``nearest_away``); with ``overflow="ieee"`` magnitudes from
1.25 * 2**15 = 40,960 become infinite.

Source: arXiv:2409.16626, section 2.
"""

from dataclasses import dataclass

import numpy as np

from hwsim.formats.base import Float64
from hwsim.formats.grid import GridFormat
from hwsim.formats.scaling import ScaleRule

NAMES = ("hif8",)

#: Dot code, its width, and the width of the exponent field.
_DOTS = ((0b11, 2, 4), (0b10, 2, 3), (0b01, 2, 2), (0b001, 3, 1), (0b0001, 4, 0))
_INFINITY, _NAN = 0x6F, 0x80


@dataclass(frozen=True)
class HiFloat8(GridFormat):
    """HiFloat8. NaN and infinities are as in the module's docstring; -0 is encoded as 0."""

    @property
    def name(self) -> str:
        return "hif8"

    @property
    def family(self) -> str:
        return "hifloat"

    @property
    def scale_rule(self) -> ScaleRule:
        return ScaleRule.LEAST_ERROR

    @property
    def bits(self) -> int:
        return 8

    def _values(self) -> Float64:
        positive = np.array([_magnitude(code) for code in range(128)])
        positive[_INFINITY] = np.inf
        values = np.concatenate([positive, -positive])
        values[_NAN] = np.nan
        return values

    def _outside(self) -> tuple[float, float]:
        return -1.5 * 2.0**15, 1.5 * 2.0**15


def _magnitude(code: int) -> float:
    """Return the value of the seven bits after the sign."""
    for dot, width, exponent_bits in _DOTS:
        rest = 7 - width
        if code >> rest == dot:
            mantissa_bits = rest - exponent_bits
            fraction = (code & ((1 << mantissa_bits) - 1)) / (1 << mantissa_bits)
            field = (code >> mantissa_bits) & ((1 << exponent_bits) - 1)
            return float((1 + fraction) * 2.0 ** _exponent(field, exponent_bits))
    return 0.0 if code == 0 else float(2.0 ** (code - 23))


def _exponent(field: int, width: int) -> int:
    if width == 0:
        return 0
    leading = 1 << (width - 1)
    magnitude = leading | (field & (leading - 1))
    return -magnitude if field & leading else magnitude


def parse(name: str) -> HiFloat8 | None:
    """Return HiFloat8 if it is called ``name``, or None if the name is of another family."""
    return HiFloat8() if name == "hif8" else None
