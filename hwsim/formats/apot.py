"""Additive powers of two, ``apot4``: a sum of few powers of two, a product is few shifts.

The b magnitude bits are n = b // 2 fields of two bits and, if b is odd, one of one bit. A field is
0 or one of its powers. In descending order 1, 1/2, 1/4 .. are dealt to the fields: two rounds to
the n fields, one power to the one-bit field, and a third round to the n fields. For b = 4:
{0, 1, 1/4, 1/16} + {0, 1/2, 1/8, 1/32}; for b = 3: {0, 1, 1/2, 1/8} + {0, 1/4}. ``apot4`` has a
sign and b = 3, ``apot4u`` b = 4. The first field is the upper one in the code, the one-bit field
the lowest; a field's code 1 is its largest power.

Source: Additive Powers-of-Two Quantization (arXiv:1909.13144), section 2.2, with k = 2 and its
scale; the order of fields in the code is ours.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from hwsim.formats.base import Float64
from hwsim.formats.magnitude import MagnitudeFormat
from hwsim.formats.scaling import ScaleRule

NAMES = ("apot4", "apot4u", "apot5", "apot6", "apot8")


@dataclass(frozen=True)
class AdditivePowerOfTwo(MagnitudeFormat):
    """Additive powers of two of ``width`` bits in all; a signed one has a code of -0. No NaN."""

    FAMILY: ClassVar[str] = "apot"

    @property
    def scale_rule(self) -> ScaleRule:
        # Sums of three terms and more leave gaps below the largest.
        return ScaleRule.LEAST_ERROR if self.width >= 6 else super().scale_rule

    def _magnitudes(self) -> Float64:
        sums = np.zeros(1)
        for powers in _fields(self.magnitude_bits):
            terms = np.concatenate([[0.0], np.ldexp(1.0, -np.array(powers))])
            sums = np.add.outer(sums, terms).reshape(-1)
        return sums


def _fields(width: int) -> list[list[int]]:
    """Return the negated exponents of every field, the upper one first."""
    pairs, single = divmod(width, 2)
    last = 2 * pairs + single
    fields = [[i, i + pairs, i + last] for i in range(pairs)]
    return fields + [[2 * pairs]] * single


def parse(name: str) -> AdditivePowerOfTwo | None:
    """Return the APoT format called ``name``, or None if the name is of another family."""
    return AdditivePowerOfTwo.parse(name)
