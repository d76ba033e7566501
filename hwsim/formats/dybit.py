"""DyBit: exponent as a run of ones, mantissa in the bits left over, ``dybit4`` and ``dybit4u``.

The magnitude has b bits (``dybit4`` has a sign and b = 3, ``dybit4u`` b = 4). With a leading 0 it
is an integer in steps of 2**(1 - b). A run of k ones ended by a 0 has the exponent k - 1, and the
bits after it are the mantissa: 2**(k - 1) * (1 + m). All ones are the largest value, 2**(b - 1).
The codes are in the order of the values, which are those of flint of the same width; the decoder
is a leading-one detector and a shifter.

Source: DyBit (arXiv:2302.12510). The code table was reconstructed from the description (4 bits:
0, 1/8..7/8, 1, 1.25, 1.5, 1.75, 2, 3, 4, 8), not compared with one published by the authors.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from hwsim.formats.base import Float64
from hwsim.formats.magnitude import MagnitudeFormat
from hwsim.formats.scaling import ScaleRule

NAMES = ("dybit4", "dybit4u", "dybit8", "dybit8u")


@dataclass(frozen=True)
class DyBit(MagnitudeFormat):
    """DyBit of ``width`` bits in all; a signed one has a code of -0. No NaN, no infinity."""

    FAMILY: ClassVar[str] = "dybit"

    @property
    def scale_rule(self) -> ScaleRule:
        return ScaleRule.LEAST_ERROR

    def _magnitudes(self) -> Float64:
        bits = self.magnitude_bits
        return np.array([_magnitude(code, bits) for code in range(2**bits)])


def _magnitude(code: int, width: int) -> float:
    leading = 1 << (width - 1)
    if code < leading:
        return code / leading
    run = width - (2**width - 1 - code).bit_length()
    if run == width:
        return float(leading)
    mantissa_bits = width - run - 1
    fraction = (code & ((1 << mantissa_bits) - 1)) / (1 << mantissa_bits)
    return float(2.0 ** (run - 1) * (1 + fraction))


def parse(name: str) -> DyBit | None:
    """Return the DyBit format called ``name``, or None; ``udybit4`` is ``dybit4u``."""
    return DyBit.parse(name)
