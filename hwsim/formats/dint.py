"""dINT: two's complement integers with two codes given to +-1/2, ``dint4``. A proposal.

Small activations that an integer grid rounds to zero survive as +-1/2. The paper (W4A8, see below)
describes the idea, integers with denormals, but no code set was found in it; this one is ours:
the codes of the two ends, 100..0 and 011..1, stand for -1/2 and +1/2, and all others are two's
complement, so ``dint4`` is -7..6 and +-1/2. A unit multiplies 2*value, one bit wider, and folds
the 1/2 into the group scale.

Ties go to the even integer, between 0 and 1/2 to 0, and between 1/2 and 1 to 1.

Source: arXiv:2311.05161 for the idea.
"""

import re
from dataclasses import dataclass

import numpy as np

from hwsim.errors import InputError
from hwsim.formats.base import Bools, Float64, Int64
from hwsim.formats.grid import GridFormat

NAMES = ("dint4", "dint8")


@dataclass(frozen=True)
class DenormalInteger(GridFormat):
    """dINT of ``width`` bits, 3 to 16. Out-of-range numbers saturate or raise; no NaN."""

    width: int

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 3 <= self.width <= 16:
            raise InputError(f"width of a dINT must be 3 to 16 bits, not {self.width}")

    @property
    def name(self) -> str:
        return f"dint{self.width}"

    @property
    def family(self) -> str:
        return "dint"

    @property
    def bits(self) -> int:
        return self.width

    def _values(self) -> Float64:
        half = 1 << (self.width - 1)
        codes = np.arange(2 * half)
        values = np.where(codes < half, codes, codes - 2 * half).astype(np.float64)
        values[half - 1], values[half] = 0.5, -0.5
        return values

    def _outside(self) -> tuple[float, float]:
        half = 1 << (self.width - 1)
        return -float(half), float(half - 1)

    def _odd(self, values: Float64, codes: Int64) -> Bools:
        return (np.abs(values) == 0.5) | (values % 2 == 1)


def parse(name: str) -> DenormalInteger | None:
    """Return the dINT called ``name``, or None if the name is of another family."""
    match = re.fullmatch(r"dint(\d+)", name)
    return DenormalInteger(int(match[1])) if match else None
