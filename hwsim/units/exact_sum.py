"""Products summed exactly in fixed point (Kulisch): what the units that do so share.

All values of a minifloat, posit, HiFloat8, flint or DyBit are multiples of its smallest one, so
products are multiples of the product of the two smallest, and their sum is an integer of fixed
width: the significands are multiplied, the product is shifted to its place in one wide number, and
the lanes are summed as integers. Nothing is rounded and the order does not matter. The price is
width: the sum spans every exponent that a product can have, the range of one format plus that of
the other, and that sets shifters, tree and accumulator.

NaN and infinity do not enter the sum; they set sticky flags.

Source: Kulisch, Computer Arithmetic and Validity, 2nd ed., 2013, chapter 8.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, ClassVar, NamedTuple

import numpy as np

from hwsim.errors import InputError
from hwsim.formats.base import Bools, Codes, Format, Int64, Kind, Unpacked
from hwsim.formats.minifloat import Minifloat
from hwsim.units import accumulator
from hwsim.units.adders import Adders, MergedSum
from hwsim.units.base import Timing
from hwsim.units.result import Integers, Result, RoundedResult, exact_sums

#: Most bits that the accumulator may have above what one beat needs.
MAX_HEADROOM = 64
#: What messages call minifloats.
MINIFLOATS = "minifloats such as e4m3 or fp16"


class Products(NamedTuple):
    """Exact products ``value * 2**exponent``, 0 where a flag is set, and the flags' names."""

    value: Int64
    exponent: Int64
    flags: dict[str, Bools]


@dataclass(frozen=True, kw_only=True)
class ExactSum(MergedSum):
    """Dot product, exact; a family says which formats it takes, and the formats choose decoders.

    Parameters
    ----------
    lanes, weight, activation
        See :class:`~hwsim.units.base.UnitSpec`.
    accumulator_bits
        Width of the two's complement accumulator, from what holds a product to 1024, or to 64 more
        than a beat needs. It wraps; :attr:`safe_beats` says from when, and is 0 where one beat can
        wrap. The default is what 256 beats need.
    adders, state
        See :class:`~hwsim.units.adders.MergedSum`. Products enter the tree when they are shifted.
        Sums that are not exact have ``operators`` alone.
    """

    #: The class of both operands' formats, and what messages call them.
    format_class: ClassVar[type[Format]]
    takes: ClassVar[str]

    accumulator_bits: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        self.operand_formats()
        self._set_products()
        if self.is_merged and not self.has_exact_accumulator:
            raise InputError(
                f"adders={self.adders}: only an exact sum is merged; allowed here: operators"
            )
        if self.accumulator_bits is None:
            object.__setattr__(self, "accumulator_bits", self._default("accumulator_bits"))
        elif self.has_exact_accumulator:
            accumulator.check_bits(
                self.accumulator_bits,
                self.largest_product,
                f"a product of {self.weight.name} and {self.activation.name}",
                max(accumulator.MAX_BITS, self.beat_sum_bits + MAX_HEADROOM),
            )

    def _set_products(self) -> None:
        """Set and check the parameters that products, and so the accumulator's width, depend on."""

    def _default(self, key: str) -> Any:
        if key == "accumulator_bits" and self.has_exact_accumulator:
            return self.beat_sum_bits + accumulator.HEADROOM
        if key == "adders" and not self.has_exact_accumulator:
            return Adders.OPERATORS
        return super()._default(key)

    @property
    def has_exact_accumulator(self) -> bool:
        """Whether exact sums are accumulated over the beats."""
        return True

    @property
    def beat_sum_bits(self) -> int:
        """Width of a two's complement number that holds the sum of any beat."""
        return accumulator.bits_for(self.lanes * self.largest_product)

    def operand_formats(self) -> tuple[Format, Format]:
        """Return the formats that activations and weights are read in, or raise InputError."""
        for parameter in ("activation", "weight"):
            fmt = getattr(self, parameter)
            if not isinstance(fmt, self.format_class):
                raise InputError(f"{parameter}={fmt.name}: {self.family} takes {self.takes}")
        return self.activation, self.weight

    @property
    def largest_product(self) -> int:
        """The largest finite product, in units of the product of the smallest values."""
        activation, weight = self.operand_formats()
        return span(activation) * span(weight)

    @property
    def product_bits(self) -> int:
        """Width of the largest finite product's magnitude."""
        return self.largest_product.bit_length()

    @property
    def exact_result(self) -> Result:
        """Layout of an exact sum, which counts multiples of the product of the smallest values."""
        assert self.accumulator_bits is not None
        return Result(
            self.accumulator_bits, sum(map(unit_exponent, self.operand_formats())), self.flags
        )

    @property
    def result(self) -> Result | RoundedResult[Format]:
        return self.exact_result

    @property
    def flags(self) -> tuple[str, ...]:
        """The flags that the two formats can raise, lowest bit first."""
        return flag_names(self.operand_formats())

    @property
    def safe_beats(self) -> int:
        return accumulator.safe_beats(self.exact_result.width, self.lanes * self.largest_product)

    @property
    def lanes_decide(self) -> bool:
        return not self.has_exact_accumulator

    def _timing(self) -> Timing:
        return Timing(latency=1, interval=1)

    def _dot(self, activations: Codes, weights: Codes, metadata: Mapping[str, Codes]) -> Integers:
        return self.exact_result.pack(*self.add_up(self.products(activations, weights)))

    def unpack(self, activations: Codes, weights: Codes) -> tuple[Unpacked, Unpacked]:
        """Take the operands apart."""
        activation, weight = self.operand_formats()
        return activation.unpack(activations), weight.unpack(weights)

    def products(self, activations: Codes, weights: Codes) -> Products:
        """Return the products, in the shape of the codes."""
        a, w = self.unpack(activations, weights)
        value = np.where(a.sign ^ w.sign, -1, 1) * a.significand * w.significand
        return Products(value, a.exponent + w.exponent, product_flags(a, w))

    def add_up(self, products: Products) -> tuple[Integers, dict[str, Bools]]:
        """Return the exact sums over the last axis, and the flags that any product raises."""
        exponent = self.exact_result.exponent
        shifts = np.where(products.value != 0, products.exponent - exponent, 0)
        bits = int(np.abs(products.value).max(initial=0)).bit_length()
        return exact_sums(products.value, bits, shifts), sticky(products.flags)


def require_signed_minifloat(parameter: str, fmt: Format, family: str) -> Minifloat:
    """Return ``fmt`` as a signed minifloat, or raise InputError naming the parameter."""
    if not isinstance(fmt, Minifloat):
        raise InputError(f"{parameter}={fmt.name}: {family} takes {MINIFLOATS}")
    if not fmt.signed:
        raise InputError(f"{parameter}={fmt.name}: {family} takes signed minifloats only")
    return fmt


def unit_exponent(fmt: Format) -> int:
    """Return the exponent of the smallest value, a power of two of which all are multiples."""
    return int(np.frexp(fmt.smallest)[1]) - 1


def span(fmt: Format) -> int:
    """Return the largest magnitude in units of the smallest value."""
    return int(Fraction(max(fmt.max, -fmt.min)) / Fraction(fmt.smallest))


def product_flags(a: Unpacked, w: Unpacked) -> dict[str, Bools]:
    """Return by flag which products of ``a`` and ``w`` raise it."""
    negative = (a.sign ^ w.sign).astype(bool)
    zero = (a.kind == Kind.ZERO) | (w.kind == Kind.ZERO)
    infinite = (a.kind == Kind.INFINITY) | (w.kind == Kind.INFINITY)
    nan = (a.kind == Kind.NAN) | (w.kind == Kind.NAN) | (infinite & zero)
    return {
        "nan": nan,
        "positive_infinity": infinite & ~nan & ~negative,
        "negative_infinity": infinite & ~nan & negative,
    }


def sticky(flags: Mapping[str, Bools]) -> dict[str, Bools]:
    """Return the flags or-ed over the last axis."""
    return {name: np.any(flag, axis=-1) for name, flag in flags.items()}


def flag_names(formats: Iterable[Format]) -> tuple[str, ...]:
    """Return the flags that products of ``formats`` can raise, lowest bit first."""
    operands = tuple(formats)
    if any(fmt.has_infinity for fmt in operands):
        return ("nan", "positive_infinity", "negative_infinity")
    return ("nan",) if any(fmt.has_nan for fmt in operands) else ()
