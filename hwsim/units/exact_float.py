"""Floating-point products summed exactly in fixed point (Kulisch): what such units share.

The product of two operands is shifted to its place in one wide fixed-point number, and the lanes
are summed as integers. NaN and infinity do not enter the sum; they set sticky flags.

Source: Kulisch, Computer Arithmetic and Validity, 2nd ed., 2013, chapter 8.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from hwsim.errors import InputError
from hwsim.formats.base import Bools, Codes, Format, Kind, Unpacked
from hwsim.formats.minifloat import Minifloat
from hwsim.units.base import Timing, UnitSpec
from hwsim.units.result import Integers, Result, RoundedResult, exact_sums

MAX_CARRY_GUARD = 64


@dataclass(frozen=True, kw_only=True)
class ExactFloat(UnitSpec):
    """Dot product of minifloats, exact.

    Parameters
    ----------
    lanes, weight, activation
        See :class:`~hwsim.units.base.UnitSpec`; both formats are minifloats.
    carry_guard
        Carry guard bits of the accumulator, 0 to 64: 2**carry_guard beats of any operands cannot
        overflow it; beyond, the sum wraps.
    """

    carry_guard: int = 8

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 <= self.carry_guard <= MAX_CARRY_GUARD:
            raise InputError(f"carry_guard must be 0 to {MAX_CARRY_GUARD}, not {self.carry_guard}")
        self.operands()

    def operands(self) -> tuple[Minifloat, Minifloat]:
        """Return the activation and weight formats as minifloats, or raise InputError."""
        return (
            require_minifloat("activation", self.activation, self.family),
            require_minifloat("weight", self.weight, self.family),
        )

    @property
    def largest_product(self) -> int:
        """The largest finite product, in units of the product of the smallest subnormals."""
        largest = 1
        for fmt in self.operands():
            _, _, significand, exponent = fmt.unpack(fmt.max_code)
            largest *= int(significand) << (int(exponent) - fmt.subnormal_exponent)
        return largest

    @property
    def product_bits(self) -> int:
        """Width of the largest finite product's magnitude."""
        return self.largest_product.bit_length()

    @property
    def result(self) -> Result | RoundedResult[Minifloat]:
        return self.exact_result

    @property
    def exact_result(self) -> Result:
        """Layout of an exact sum."""
        width = (self.lanes * self.largest_product).bit_length() + self.carry_guard + 1
        exponent = sum(fmt.subnormal_exponent for fmt in self.operands())
        return Result(width, exponent, self.flags)

    @property
    def flags(self) -> tuple[str, ...]:
        """The flags that the two formats can raise, lowest bit first."""
        return flag_names(self.operands())

    @property
    def safe_beats(self) -> int:
        return 1 << self.carry_guard

    def timing(self) -> Timing:
        return Timing(latency=1, interval=1)

    def _dot(self, activations: Codes, weights: Codes, metadata: Mapping[str, Codes]) -> Integers:
        a, w = self._unpack(activations, weights)
        result = self.exact_result
        negative = (a.sign ^ w.sign).astype(bool)
        magnitude = a.significand * w.significand
        shifts = np.where(magnitude, a.exponent + w.exponent - result.exponent, 0)
        bits = sum(fmt.mantissa + 1 for fmt in self.operands())
        sums = exact_sums(np.where(negative, -magnitude, magnitude), bits, shifts)
        return result.pack(sums, special_flags(a, w))

    def _unpack(self, activations: Codes, weights: Codes) -> tuple[Unpacked, Unpacked]:
        """Take the operands apart."""
        activation, weight = self.operands()
        return activation.unpack(activations), weight.unpack(weights)


def special_flags(a: Unpacked, w: Unpacked) -> dict[str, Bools]:
    """Return the flags that products of ``a`` and ``w`` raise, or-ed over the last axis."""
    negative = (a.sign ^ w.sign).astype(bool)
    zero = (a.kind == Kind.ZERO) | (w.kind == Kind.ZERO)
    infinite = (a.kind == Kind.INFINITY) | (w.kind == Kind.INFINITY)
    nan = (a.kind == Kind.NAN) | (w.kind == Kind.NAN) | (infinite & zero)
    infinite &= ~nan
    return {
        "nan": nan.any(axis=-1),
        "positive_infinity": (infinite & ~negative).any(axis=-1),
        "negative_infinity": (infinite & negative).any(axis=-1),
    }


def flag_names(formats: Iterable[Format]) -> tuple[str, ...]:
    """Return the flags that products of ``formats`` can raise, lowest bit first."""
    operands = tuple(formats)
    if any(fmt.has_infinity for fmt in operands):
        return ("nan", "positive_infinity", "negative_infinity")
    return ("nan",) if any(fmt.has_nan for fmt in operands) else ()


def require_minifloat(parameter: str, fmt: Format, family: str) -> Minifloat:
    """Return ``fmt`` as a minifloat, or raise InputError naming the parameter."""
    if not isinstance(fmt, Minifloat):
        raise InputError(f"{parameter}={fmt.name}: {family} takes minifloats such as e4m3 or fp16")
    return fmt


def require_signed_minifloat(parameter: str, fmt: Format, family: str) -> Minifloat:
    """Return ``fmt`` as a signed minifloat, or raise InputError naming the parameter."""
    minifloat = require_minifloat(parameter, fmt, family)
    if not minifloat.signed:
        raise InputError(f"{parameter}={fmt.name}: {family} takes signed minifloats only")
    return minifloat
