"""K-hot numbers, ``khot2_4``: the sum of K signed powers of two, so a product is K shifts.

A code is K fields of ``width`` bits, each a power of two of :mod:`hwsim.formats.pot`: a sign and
0 for no term, or m for 2**(m - 1). ``khot2_4`` is the sum of two of 0, +-1, +-2 .. +-64. Many
numbers have several codes; the smallest one is used, in which the smaller field is the upper one.

Source: canonical signed digits with at most K of them; the code layout is ours.
"""

import re
from dataclasses import dataclass

import numpy as np

from hwsim.errors import InputError
from hwsim.formats.base import Float64
from hwsim.formats.grid import GridFormat
from hwsim.formats.pot import PowerOfTwo
from hwsim.formats.scaling import ScaleRule

NAMES = ("khot2_4", "khot3_4", "khot4_4")


@dataclass(frozen=True)
class KHot(GridFormat):
    """Sums of ``terms`` powers of two of ``width`` bits each, at most 16 bits in all.

    Numbers beyond the largest sum saturate or raise. There is one zero and no NaN.
    """

    terms: int
    width: int

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.terms < 1 or not 2 <= self.width <= 6 or self.bits > 16:
            raise InputError(
                f"K-hot numbers have 1 term or more of 2 to 6 bits, 16 bits in all, not "
                f"{self.terms} of {self.width}"
            )

    @property
    def name(self) -> str:
        return f"khot{self.terms}_{self.width}"

    @property
    def family(self) -> str:
        return "khot"

    @property
    def scale_rule(self) -> ScaleRule:
        return ScaleRule.LEAST_ERROR

    @property
    def bits(self) -> int:
        return self.terms * self.width

    def _values(self) -> Float64:
        field = PowerOfTwo(self.width)._values()
        sums = np.zeros(1)
        for _ in range(self.terms):
            sums = np.add.outer(sums, field).reshape(-1)
        # Two fields of -0 are no negative zero.
        return sums + 0.0


def parse(name: str) -> KHot | None:
    """Return the K-hot format called ``name``, or None if the name is of another family."""
    match = re.fullmatch(r"khot(\d+)_(\d+)", name)
    return KHot(int(match[1]), int(match[2])) if match else None
