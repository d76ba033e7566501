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

import re
from dataclasses import dataclass

import numpy as np

from hwsim.errors import InputError
from hwsim.formats.base import Float64
from hwsim.formats.grid import GridFormat
from hwsim.formats.sign_magnitude import signed

NAMES = ("flint4", "flint4u", "flint8", "flint8u")


@dataclass(frozen=True)
class Flint(GridFormat):
    """Flint of ``width`` bits in all; a signed one has a code of -0. No NaN, no infinity."""

    width: int
    signed: bool = True

    def __post_init__(self) -> None:
        if not 2 <= self.width - self.signed <= 8:
            raise InputError(
                f"width of {self.name} must leave 2 to 8 bits of magnitude, not "
                f"{self.width - self.signed}"
            )

    @property
    def name(self) -> str:
        return f"flint{self.width}{'' if self.signed else 'u'}"

    @property
    def family(self) -> str:
        return "flint"

    @property
    def bits(self) -> int:
        return self.width

    def _values(self) -> Float64:
        width = self.width - self.signed
        magnitudes = np.array([_magnitude(code, width) for code in range(2**width)])
        return signed(magnitudes) if self.signed else magnitudes


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
    match = re.fullmatch(r"(u?)flint(\d+)(u?)", name)
    if match is None or (match[1] and match[3]):
        return None
    return Flint(int(match[2]), signed=not (match[1] or match[3]))
