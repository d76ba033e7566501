"""Floating-point dot product with exact accumulation in fixed point (Kulisch).

Each operand is taken apart into sign, significand and exponent. The significands are multiplied,
the product is shifted to its place in one wide fixed-point number, and the lanes are summed as
integers: nothing is ever rounded and the order does not matter. The price is width: the sum spans
every exponent that a product can have, 2**exponent bits of each operand, so formats with few
exponent bits (E2M1, E2M3) are cheap and bf16 is far out of reach.

NaN and infinity do not enter the sum. They set sticky flags: ``nan`` for a NaN operand or
0 x infinity, and the two infinities each their own, so both set means NaN too. A unit has only
the flags that its formats can raise.

Source: Kulisch, Computer Arithmetic and Validity, 2nd ed., 2013, chapter 8.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from hwsim.errors import InputError
from hwsim.formats.base import Bools, Codes, Format, Kind, Unpacked
from hwsim.formats.minifloat import Minifloat
from hwsim.units.base import Timing, UnitSpec
from hwsim.units.result import Integers, Result, exact_sums

MAX_CARRY_GUARD = 64


@dataclass(frozen=True, kw_only=True)
class FloatUnit(UnitSpec):
    """Dot product of minifloats, exact.

    Parameters
    ----------
    lanes, weight, activation
        See :class:`~hwsim.units.base.UnitSpec`; both formats are minifloats.
    carry_guard
        Carry guard bits of the accumulator, 0 to 64: 2**carry_guard beats of any operands cannot
        overflow it; beyond, the sum wraps.
    """

    family: ClassVar[str] = "float"

    carry_guard: int = 8

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 <= self.carry_guard <= MAX_CARRY_GUARD:
            raise InputError(f"carry_guard must be 0 to {MAX_CARRY_GUARD}, not {self.carry_guard}")
        self.operands()

    def operands(self) -> tuple[Minifloat, Minifloat]:
        """Return the activation and weight formats as minifloats.

        Raises
        ------
        InputError
            If one of them is of another family.
        """
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
    def result(self) -> Result:
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
        a, w = self.activation.unpack(activations), self.weight.unpack(weights)
        negative = (a.sign ^ w.sign).astype(bool)
        magnitude = a.significand * w.significand
        shifts = np.where(magnitude, a.exponent + w.exponent - self.result.exponent, 0)
        bits = sum(fmt.mantissa + 1 for fmt in self.operands())
        sums = exact_sums(np.where(negative, -magnitude, magnitude), bits, shifts)

        return self.result.pack(sums, special_flags(a, w))


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
    """Return ``fmt`` as a signed minifloat, or raise InputError naming the parameter."""
    if not isinstance(fmt, Minifloat):
        raise InputError(f"{parameter}={fmt.name}: {family} takes minifloats such as e4m3 or fp16")
    if not fmt.signed:
        raise InputError(f"{parameter}={fmt.name}: {family} takes signed minifloats only")
    return fmt
