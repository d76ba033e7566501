"""Bipolar integers, ``bipolar4``: every bit counts +1 or -1; ``binary`` is the one-bit case.

Code u of n bits is worth 2*u - (2**n - 1): the odd integers from -(2**n - 1) to 2**n - 1. There
is no zero, and the range is symmetric. A product of two one-bit numbers is an XNOR and a dot
product a population count; a table of partial sums needs half the entries, because inverting a
code negates it. An integer q with scale s and zero point z is the bipolar number 2*q + 1 with
scale s/2 and zero point z - s/2.

Rounding: -0 is encoded as -1 and +0 as +1, the numbers between them by sign where the rounding is
toward zero.

Source: bipolar-INT of APT-LLM (arXiv:2508.19087); reinterpreted weights of LUT Tensor Core
(arXiv:2408.06003, section 3).
"""

import re
from dataclasses import dataclass

import numpy as np

from hwsim.errors import InputError
from hwsim.formats.base import Float64
from hwsim.formats.grid import GridFormat
from hwsim.formats.scaling import ScaleRule

NAMES = ("binary", "bipolar2", "bipolar3", "bipolar4", "bipolar8")


@dataclass(frozen=True)
class Bipolar(GridFormat):
    """Odd integers of ``width`` bits, 1 to 16; out of range numbers saturate or raise."""

    width: int

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 1 <= self.width <= 16:
            raise InputError(f"width of a bipolar integer must be 1 to 16 bits, not {self.width}")

    @property
    def name(self) -> str:
        return "binary" if self.width == 1 else f"bipolar{self.width}"

    @property
    def family(self) -> str:
        return "bipolar"

    @property
    def scale_rule(self) -> ScaleRule:
        return self._scale_rule_from(bits=4)

    @property
    def bits(self) -> int:
        return self.width

    def _values(self) -> Float64:
        return 2.0 * np.arange(2**self.width) - (2**self.width - 1)

    def _outside(self) -> tuple[float, float]:
        follows = float(2**self.width + 1)
        return -follows, follows


def parse(name: str) -> Bipolar | None:
    """Return the bipolar format called ``name``, or None if the name is of another family."""
    if name == "binary":
        return Bipolar(1)
    match = re.fullmatch(r"bipolar(\d+)", name)
    return Bipolar(int(match[1])) if match else None
