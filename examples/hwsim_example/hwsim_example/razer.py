"""FP4 (e2m1) whose code of -0 is a further value, ``razer4_5``; ``razer4_n5`` has -5.

The values of FP4 are 0, 0.5, 1, 1.5, 2, 3, 4, 6 with a sign, so two of 16 codes are zeros. One of
them is worth more as a value in a gap, such as 5 between 4 and 6, or beyond the end, such as 8.

Source: Chen et al., RaZeR, arXiv:2501.04052 (redundant zero remapping), for one special value.
"""

import re
from dataclasses import dataclass

import numpy as np

from hwsim.errors import InputError
from hwsim.formats.base import Float64
from hwsim.formats.grid import GridFormat

#: Formats that lists show; others are read, too.
NAMES = ("razer4_5", "razer4_n5", "razer4_8")

MAGNITUDES = (0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0)
#: The code of -0 in FP4.
SPECIAL_CODE = 8
LARGEST = 15


@dataclass(frozen=True)
class Razer(GridFormat):
    """FP4 with ``special``, a whole number up to 15 that FP4 does not have, as code 8. No NaN."""

    special: int

    def __post_init__(self) -> None:
        super().__post_init__()
        if abs(self.special) in MAGNITUDES or abs(self.special) > LARGEST:
            raise InputError(
                f"special={self.special}: allowed: whole numbers from -{LARGEST} to {LARGEST} that "
                "FP4 does not have"
            )

    @property
    def name(self) -> str:
        return f"razer4_{'n' if self.special < 0 else ''}{abs(self.special)}"

    @property
    def family(self) -> str:
        return "razer"

    @property
    def bits(self) -> int:
        return 4

    def _values(self) -> Float64:
        values = np.array([*MAGNITUDES, *(-magnitude for magnitude in MAGNITUDES)])
        values[SPECIAL_CODE] = self.special
        return values


def parse(name: str) -> Razer | None:
    """Return the format called ``name``, or None if the name is of another family."""
    found = re.fullmatch(r"razer4_(n?)([1-9]\d?)", name)
    return Razer(int(f"{'-' if found[1] else ''}{found[2]}")) if found else None
