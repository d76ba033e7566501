"""What every scalar number format offers, and the rounding that all of them share.

A format maps codes (unsigned bit patterns of ``bits`` bits) to real numbers. Values are float64
and exact: every format of up to 32 bits in this package has values that a float64 holds.
Encoding finds the code interval that a real number falls into, and one rule, shared by all
formats, picks its lower or upper end. Working on codes rather than on values makes "even" mean
the same thing everywhere: the code whose last bit is 0.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from functools import cached_property, lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hwsim.errors import InputError, unknown

#: Formats up to this width decode through a table.
TABLE_BITS = 16
#: ``values()`` enumerates at most 2**20 codes.
ENUMERABLE_BITS = 20

Codes = NDArray[np.unsignedinteger[Any]]
Float64 = NDArray[np.float64]
Int64 = NDArray[np.int64]
Bools = NDArray[np.bool_]


class Rounding(StrEnum):
    """How a real number between two neighbouring values is rounded."""

    NEAREST_EVEN = "nearest_even"
    NEAREST_AWAY = "nearest_away"
    TOWARD_ZERO = "toward_zero"
    UP = "up"
    DOWN = "down"
    TO_ODD = "to_odd"


@dataclass(frozen=True)
class Stochastic:
    """Round up with a probability equal to the distance from the lower neighbour.

    The random numbers come from ``numpy.random.default_rng(seed)``, one per element in C order,
    so a result can be reproduced.
    """

    seed: int


class Overflow(StrEnum):
    """What happens to a number beyond the largest finite value.

    ``saturate`` gives the largest finite value, for infinities too (OCP OFP8, saturating
    conversion). ``ieee`` gives infinity, or NaN in a format that has no infinity. ``error`` raises.
    """

    SATURATE = "saturate"
    IEEE = "ieee"
    ERROR = "error"


class Kind(IntEnum):
    """What a code stands for."""

    ZERO = 0
    FINITE = 1
    INFINITY = 2
    NAN = 3


class Unpacked(NamedTuple):
    """Codes taken apart; a finite value is ``(-1)**sign * significand * 2**exponent`` exactly."""

    kind: NDArray[np.uint8]
    sign: NDArray[np.uint8]
    significand: Int64
    exponent: Int64


def parse_rounding(rounding: "str | Rounding | Stochastic") -> "Rounding | Stochastic":
    """Return the rounding named by a string such as ``nearest_even``.

    Raises
    ------
    InputError
        For a name that is not in :class:`Rounding`.
    """
    if isinstance(rounding, Stochastic):
        return rounding
    try:
        return Rounding(rounding)
    except ValueError:
        raise unknown("rounding", str(rounding), list(Rounding)) from None


def parse_overflow(overflow: "str | Overflow") -> Overflow:
    """Return the overflow rule named by a string such as ``saturate``.

    Raises
    ------
    InputError
        For a name that is not in :class:`Overflow`.
    """
    try:
        return Overflow(overflow)
    except ValueError:
        raise unknown("overflow", str(overflow), list(Overflow)) from None


def real_array(x: ArrayLike) -> Float64:
    """Return ``x`` as float64, refusing what float64 cannot hold exactly."""
    array = np.asarray(x)
    if array.dtype.kind in "iub":
        if array.dtype.itemsize == 8 and array.size and np.abs(array).max() > 2**53:
            raise InputError(f"integers beyond 2**53 are not exact in float64: {array.dtype}")
    elif array.dtype.kind == "c" or (array.dtype.kind == "f" and array.dtype.itemsize > 8):
        raise InputError(f"cannot encode values of dtype {array.dtype}; use float64 or narrower")
    return array.astype(np.float64)


def round_up(
    fraction: Float64,
    odd: Bools,
    negative: Bools,
    rounding: Rounding | Stochastic,
) -> Bools:
    """Decide for magnitudes between two codes whether the upper one is taken.

    Parameters
    ----------
    fraction
        Distance from the lower neighbour as a part of the interval, in [0, 1).
    odd
        Whether the lower neighbour's code is odd.
    negative
        Sign of the number, for the directed roundings.
    """
    match rounding:
        case Stochastic(seed):
            return np.random.default_rng(seed).random(fraction.shape) < fraction
        case Rounding.NEAREST_EVEN:
            return (fraction > 0.5) | ((fraction == 0.5) & odd)
        case Rounding.NEAREST_AWAY:
            return fraction >= 0.5
        case Rounding.TOWARD_ZERO:
            return np.zeros(fraction.shape, bool)
        case Rounding.UP:
            return (fraction > 0) & ~negative
        case Rounding.DOWN:
            return (fraction > 0) & negative
        case Rounding.TO_ODD:
            return (fraction > 0) & ~odd


class Format(ABC):
    """A scalar number format: a set of real values and their codes.

    Subclasses are frozen dataclasses whose fields are the definition, so that equal formats
    compare equal and can be used as keys.
    """

    @property
    @abstractmethod
    def name(self) -> str:
        """The name that :func:`hwsim.formats.parse` reads back."""

    @property
    @abstractmethod
    def family(self) -> str:
        """What kind of format this is, one word."""

    @property
    @abstractmethod
    def bits(self) -> int:
        """Width of a code."""

    @property
    @abstractmethod
    def has_nan(self) -> bool:
        """Whether some code is NaN."""

    @property
    @abstractmethod
    def has_infinity(self) -> bool:
        """Whether some code is infinite."""

    @abstractmethod
    def unpack(self, codes: ArrayLike) -> Unpacked:
        """Take codes apart into kind, sign, significand and exponent.

        ``codes`` has any shape; the four results have the same. Zero, infinity and NaN have
        significand 0.

        Raises
        ------
        InputError
            If ``codes`` are not integers in [0, 2**bits).
        """

    @abstractmethod
    def _encode(self, x: Float64, rounding: Rounding | Stochastic, overflow: Overflow) -> Int64:
        """Encode float64 numbers, which may be infinite and are NaN only if the format has it."""

    @property
    def code_dtype(self) -> np.dtype[Any]:
        """The narrowest unsigned dtype that holds a code."""
        return np.min_scalar_type(2**self.bits - 1)

    def encode(
        self,
        x: ArrayLike,
        rounding: str | Rounding | Stochastic = Rounding.NEAREST_EVEN,
        overflow: str | Overflow = Overflow.SATURATE,
    ) -> Codes:
        """Return the codes of the values that ``x`` is rounded to.

        Parameters
        ----------
        x
            Real numbers of any shape and any float or integer dtype.
        rounding
            A :class:`Rounding`, its name, or :class:`Stochastic`.
        overflow
            An :class:`Overflow` or its name.

        Returns
        -------
        numpy.ndarray
            Codes of the shape of ``x`` and of dtype :attr:`code_dtype`.

        Raises
        ------
        InputError
            If ``x`` holds NaN and the format has none; if ``overflow`` is ``error`` and a number
            is out of range, or ``ieee`` and the format has neither infinity nor NaN.
        """
        numbers = real_array(x)
        rule = parse_overflow(overflow)
        if rule is Overflow.IEEE and not (self.has_infinity or self.has_nan):
            raise InputError(
                f"overflow='ieee' needs infinity or NaN, and {self.name} has neither; "
                "allowed: 'saturate', 'error'"
            )
        if not self.has_nan and np.isnan(numbers).any():
            raise InputError(f"{self.name} has no NaN, and the array to encode holds one")
        return self._encode(numbers, parse_rounding(rounding), rule).astype(self.code_dtype)

    def decode(self, codes: ArrayLike) -> Float64:
        """Return the exact values of ``codes`` as float64, of the same shape.

        Raises
        ------
        InputError
            If ``codes`` are not integers in [0, 2**bits).
        """
        checked = self.check_codes(codes)
        if self.bits <= TABLE_BITS:
            return decode_table(self)[checked]
        return self._decode(checked)

    def quantize(
        self,
        x: ArrayLike,
        rounding: str | Rounding | Stochastic = Rounding.NEAREST_EVEN,
        overflow: str | Overflow = Overflow.SATURATE,
    ) -> Float64:
        """Return the values that ``x`` is rounded to: ``decode(encode(x))``."""
        return self.decode(self.encode(x, rounding, overflow))

    def values(self) -> Float64:
        """Return all distinct finite values in ascending order, as float64.

        Raises
        ------
        InputError
            For formats of more than 20 bits.
        """
        if self.bits > ENUMERABLE_BITS:
            raise InputError(
                f"{self.name} has 2**{self.bits} codes; values() enumerates up to "
                f"2**{ENUMERABLE_BITS}"
            )
        values = self.decode(np.arange(2**self.bits))
        return np.unique(values[np.isfinite(values)]) + 0.0

    @cached_property
    def max(self) -> float:
        """The largest finite value."""
        return float(self.quantize(np.inf, overflow=Overflow.SATURATE))

    @cached_property
    def min(self) -> float:
        """The smallest (most negative) finite value."""
        return float(self.quantize(-np.inf, overflow=Overflow.SATURATE))

    @cached_property
    def smallest(self) -> float:
        """The smallest positive value."""
        return float(self.quantize(np.nextafter(0, 1), rounding=Rounding.UP))

    @cached_property
    def epsilon(self) -> float:
        """The distance from 1 to the next larger value; NaN where 1 or that value is missing."""
        if float(self.quantize(1.0)) != 1.0 or self.max <= 1.0:
            return float("nan")
        return float(self.quantize(np.nextafter(1, 2), rounding=Rounding.UP)) - 1.0

    def check_codes(self, codes: ArrayLike) -> Codes:
        """Return ``codes`` as an unsigned array, or raise InputError if any is out of range."""
        array = np.asarray(codes)
        if array.dtype.kind not in "iu" and array.size:
            raise InputError(f"codes of {self.name} must be integers, not {array.dtype}")
        if array.size and (array.min() < 0 or array.max() >= 2**self.bits):
            raise InputError(
                f"codes of {self.name} must be in [0, 2**{self.bits}), "
                f"not {array.min()} to {array.max()}"
            )
        return array.astype(self.code_dtype)

    def _decode(self, codes: Codes) -> Float64:
        kind, sign, significand, exponent = self.unpack(codes)
        magnitude = np.ldexp(significand.astype(np.float64), exponent)
        magnitude = np.where(kind == Kind.INFINITY, np.inf, magnitude)
        values: Float64 = np.where(kind == Kind.NAN, np.nan, np.where(sign, -magnitude, magnitude))
        return values

    def __str__(self) -> str:
        return self.name


@lru_cache(maxsize=64)
def decode_table(fmt: Format) -> Float64:
    """Return the values of all codes of ``fmt``, read-only float64 of shape (2**bits,)."""
    table = fmt._decode(np.arange(2**fmt.bits).astype(fmt.code_dtype))
    table.setflags(write=False)
    return table
