"""Logarithmic numbers of any base and fraction width, ``lns8_3``, ``lns8_3_base1.5``.

A code is a sign and the logarithm, a two's complement fixed-point number with ``fraction`` bits
after the point: (-1)**s * base**(k / 2**fraction). A product is an addition of logarithms and
exact; a sum needs a table or a conversion. The most negative logarithm is reserved: 0 with sign 0,
NaN with sign 1. The base 2**(1/8) of LNS-Madam with gamma = 8 is ``fraction=3`` with base 2.

Decoded values are the float64 nearest to the powers, of which most are irrational.

The nearest roundings round the *logarithm* to nearest, as a logarithmic converter does: the
decision point between two values is their geometric mean. Zero takes the place of the logarithm
below the smallest, so a magnitude below half a step under the smallest becomes 0. This is the rule
of the library universal. The other roundings do not depend on the place of a midpoint; stochastic
rounding weighs by the distance of the values. -0 is encoded as 0. Beyond the range ``ieee`` gives
NaN, for there is no infinity.

Sources: LNS-Madam (arXiv:2106.13914); universal, ``lns<nbits, rbits>``, for codes and rounding.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Context, Decimal
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from hwsim.errors import InputError
from hwsim.formats.base import Bools, Codes, Float64, Int64
from hwsim.formats.grid import GridFormat
from hwsim.formats.scaling import ScaleRule

NAMES = ("lns4_1", "lns6_2", "lns8_2", "lns8_3", "lns8_4", "lns12_6", "lns16_8")

_CONTEXT = Context(prec=60)
#: A power this near to a float64, relatively, is taken to be that float64.
_EQUAL = Decimal("1e-50")


class Bounds(NamedTuple):
    """The float64 next below, nearest to and next above a real number, all equal if it is one."""

    below: float
    nearest: float
    above: float


@dataclass(frozen=True)
class Logarithmic(GridFormat):
    """Logarithmic numbers of ``width`` bits, 3 to 16, with ``fraction`` bits after the point.

    ``base`` is greater than 1, and the largest value at most 2**1000.
    """

    width: int
    fraction: int
    base: float = 2.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 3 <= self.width <= 16:
            raise InputError(
                f"width of a logarithmic number must be 3 to 16 bits, not {self.width}"
            )
        if not 0 <= self.fraction <= self.width - 1:
            raise InputError(
                f"fraction of {self.width}-bit logarithmic numbers must be 0 to "
                f"{self.width - 1} bits, not {self.fraction}"
            )
        if not 1 < self.base < float("inf"):
            raise InputError(f"base of logarithmic numbers must be above 1, not {self.base}")
        if (self.largest_logarithm + 1) / 2**self.fraction * np.log2(self.base) > 1000:
            raise InputError(f"the largest value of {self.name} is beyond 2**1000")

    @property
    def name(self) -> str:
        base = "" if self.base == 2 else f"_base{self.base!r}"
        return f"lns{self.width}_{self.fraction}{base}"

    @property
    def family(self) -> str:
        return "lns"

    @property
    def scale_rule(self) -> ScaleRule:
        return self._scale_rule_from(bits=4)

    @property
    def bits(self) -> int:
        return self.width

    @property
    def largest_logarithm(self) -> int:
        """The largest logarithm, in steps of 2**-fraction; the smallest is its negative."""
        return (1 << (self.width - 2)) - 1

    def logarithms(self, codes: Codes) -> Int64:
        """Return the logarithms of ``codes`` in steps, of 0 and NaN the one below the smallest."""
        half = 1 << (self.width - 2)
        return ((codes.astype(np.int64) + half) & (2 * half - 1)) - half

    def _values(self) -> Float64:
        half = 1 << (self.width - 2)
        steps = np.arange(2 * half)
        steps = np.where(steps < half, steps, steps - 2 * half)
        powers = _powers(self.base, self.fraction, steps.tolist())
        positive = np.array([bounds.nearest for bounds in powers])
        values = np.concatenate([positive, -positive])
        values[half], values[3 * half] = 0.0, np.nan
        return values

    def _outside(self) -> tuple[float, float]:
        (follows,) = _powers(self.base, self.fraction, [self.largest_logarithm + 1])
        return -follows.nearest, follows.nearest

    def _split(self, lower: Float64, upper: Float64) -> tuple[Float64, Bools]:
        # Half steps around every positive value: (2 k + 1) / 2 for k from below the smallest on.
        halves = range(-2 * self.largest_logarithm - 1, 2 * self.largest_logarithm + 2, 2)
        powers = _powers(self.base, self.fraction + 1, halves)
        positive = np.array([bounds.above for bounds in powers])
        negative = np.array([-bounds.below for bounds in powers])
        tie = np.array([bounds.below == bounds.above for bounds in powers])
        return np.concatenate([negative[::-1], positive]), np.concatenate([tie[::-1], tie])


def _powers(base: float, fraction: int, steps: Iterable[int]) -> list[Bounds]:
    """Return base**(step / 2**fraction) for every step."""
    if base != 2:
        return [_power(base, fraction, step) for step in steps]
    # Powers of two differ from those with a logarithm in [0, 1) by an exponent only.
    split = [divmod(step, 1 << fraction) for step in steps]
    return [
        Bounds(*(float(np.ldexp(bound, whole)) for bound in _power(base, fraction, part)))
        for whole, part in split
    ]


@lru_cache(maxsize=1 << 17)
def _power(base: float, fraction: int, step: int) -> Bounds:
    logarithm = _CONTEXT.divide(Decimal(step), Decimal(1 << fraction))
    exact = _CONTEXT.exp(_CONTEXT.multiply(_CONTEXT.ln(Decimal(base)), logarithm))
    nearest = float(exact)
    difference = _CONTEXT.subtract(Decimal(nearest), exact)
    if abs(difference) <= _CONTEXT.multiply(exact, _EQUAL):
        return Bounds(nearest, nearest, nearest)
    if difference > 0:
        return Bounds(float(np.nextafter(nearest, 0)), nearest, nearest)
    return Bounds(nearest, nearest, float(np.nextafter(nearest, np.inf)))


def parse(name: str) -> Logarithmic | None:
    """Return the logarithmic format called ``name``, or None if the name is of another family."""
    match = re.fullmatch(r"lns(\d+)_(\d+)(?:_base([0-9.]+(?:e[+-]?\d+)?))?", name)
    if match is None:
        return None
    try:
        base = float(match[3] or 2)
    except ValueError:
        raise InputError(f"{name}: base must be a number, not {match[3]!r}") from None
    return Logarithmic(int(match[1]), int(match[2]), base)
