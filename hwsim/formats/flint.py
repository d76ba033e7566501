"""ANT's flint: an integer near zero that turns into a float, ``flint4`` and ``flint4u``.

The magnitude has b bits (``flint4`` has a sign and b = 3, ``flint4u`` b = 4). With a leading 0 it
is an integer, in steps of 2**(1 - b). With a leading 1, the number z of zeros that follow is the
exponent and what comes after the next one is the mantissa: 2**z * (1 + m). All zeros stand for
the largest value, 2**(b - 1). Precision is best where weights are dense, at a cost near that of
integers: a leading-zero detector and a shifter around a small multiplier.

The values are those of a posit with es = 0 and one bit more, but the codes are not in order. They
are given in ANT's own scale, largest value 2**(b - 1); hardware holds them times 2**(b - 1), as
integers (0..7, 8, 10, 12, 14, 16, 24, 32, 64 for ``flint4u``).

Source: ANT (MICRO 2022), section 4; value set as in the authors' quantiser.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from hwsim.formats.base import Float64
from hwsim.formats.magnitude import MagnitudeFormat
from hwsim.formats.scaling import ScaleRule

NAMES = ("flint4", "flint4u", "flint8", "flint8u")


@dataclass(frozen=True)
class Flint(MagnitudeFormat):
    """Flint of ``width`` bits in all; a signed one has a code of -0. No NaN, no infinity."""

    FAMILY: ClassVar[str] = "flint"

    @property
    def scale_rule(self) -> ScaleRule:
        return ScaleRule.LEAST_ERROR

    def _magnitudes(self) -> Float64:
        bits = self.magnitude_bits
        return np.array([_magnitude(code, bits) for code in range(2**bits)])


def _magnitude(code: int, width: int) -> float:
    leading = 1 << (width - 1)
    rest = code & (leading - 1)
    if code < leading:
        return code / leading
    if rest == 0:
        return float(leading)
    zeros = width - 1 - rest.bit_length()
    return rest * 2.0 ** (zeros + 1 - rest.bit_length())


def parse(name: str) -> Flint | None:
    """Return the flint format called ``name``, or None; ``uflint4`` is ``flint4u``."""
    return Flint.parse(name)
