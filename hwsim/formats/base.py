"""What every scalar number format offers, and the rounding that all of them share.

A format maps codes (unsigned bit patterns of ``bits`` bits) to real numbers. Values are float64
and exact: every format of up to 32 bits in this package has values that a float64 holds.
Encoding finds the code interval that a real number falls into, and one rule, shared by all
formats, picks its lower or upper end. Working on codes rather than on values makes "even" mean
the same thing everywhere: the code whose last bit is 0.

Every format has an exact encoder that works on float64, some 50 ns a number. For large arrays
:mod:`hwsim.formats.fast` derives from it a table that gives the same codes in about 1 ns.
"""

from abc import abstractmethod
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from functools import cached_property, lru_cache, partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hwsim.errors import InputError, unknown
from hwsim.formats import fast
from hwsim.formats.fields import Named, convert_fields
from hwsim.formats.registry import parse_scalar
from hwsim.formats.scaling import FP32_BITS, ScaleRule, is_finer_than

#: Formats up to this width decode through a table.
TABLE_BITS = 16
#: ``values()`` enumerates at most 2**20 codes.
ENUMERABLE_BITS = 20

#: The exact encoders work through large arrays in pieces of this many numbers, so that their
#: float64 intermediates stay in the cache and add nothing to the peak memory.
CHUNK = 1 << 15

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
    """Round away from zero with a probability equal to the distance from the inner neighbour.

    The expected value is the number itself. The random numbers come from
    ``numpy.random.default_rng(seed)``, one per element in C order, so a result can be reproduced.
    """

    seed: int

    def __post_init__(self) -> None:
        convert_fields(self)
        if self.seed < 0:
            raise InputError(f"seed must not be negative, not {self.seed}")


#: A rounding as the encoders take it: stochastic rounding has become its generator.
Rule = Rounding | np.random.Generator


class Overflow(StrEnum):
    """What happens to a number beyond the largest finite value.

    ``saturate`` gives the largest finite value, for infinities too (OCP OFP8, saturating
    conversion). ``ieee`` gives infinity, or NaN in a format that has no infinity. ``error`` raises.
    A number is beyond the range if it rounds to more than the largest finite value, as if the
    format went on. Posits have no overflow: a finite number saturates and an infinity is NaR,
    whatever this rule says (Posit standard 2022, section 4).
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


def random_rule(rounding: Rounding | Stochastic) -> Rule:
    """Return the rounding, with :class:`Stochastic` replaced by its generator, just seeded."""
    return np.random.default_rng(rounding.seed) if isinstance(rounding, Stochastic) else rounding


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


def as_array(x: ArrayLike) -> NDArray[Any]:
    """Return ``x`` as an array, without a copy where it is one.

    Raises
    ------
    InputError
        For what has no array, such as ragged lists, and for masked arrays: a plain array would
        have the numbers under the mask.
    """
    if _is_masked(x):
        raise InputError("masked arrays are not taken; fill them first, with x.filled(0) for zeros")
    try:
        return np.asarray(x)
    except (ValueError, TypeError, OverflowError) as error:
        raise InputError(f"not an array of numbers: {error}") from None


def _is_masked(x: object) -> bool:
    if isinstance(x, list | tuple):
        return any(map(_is_masked, x))
    return isinstance(x, np.ma.MaskedArray)


def check_real(x: ArrayLike) -> NDArray[Any]:
    """Return ``x`` as an array, refusing dtypes and integers that float64 cannot hold exactly.

    Besides NumPy's own, any dtype that casts safely to float64 is accepted, such as the bfloat16
    of ml_dtypes.

    Raises
    ------
    InputError
        For complex, longer than 64-bit, structured and non-numeric dtypes, integers beyond 2**53,
        and what :func:`as_array` refuses.
    """
    array = as_array(x)
    if array.dtype.kind in "iu":
        wide = array.dtype.itemsize == 8 and array.size > 0
        if wide and max(int(array.max()), -int(array.min())) > 2**53:
            raise InputError(f"integers beyond 2**53 are not exact in float64: {array.dtype}")
    elif array.dtype.fields is not None or not np.can_cast(array.dtype, np.float64, "safe"):
        raise InputError(f"cannot encode values of dtype {array.dtype}; use float64 or narrower")
    return array


def to_float64(array: NDArray[Any]) -> Float64:
    """Return a checked array as float64; a signalling NaN becomes a quiet one without a warning."""
    with np.errstate(invalid="ignore"):
        return array.astype(np.float64)


def real_array(x: ArrayLike) -> Float64:
    """Return ``x`` as float64, refusing what float64 cannot hold exactly.

    Raises
    ------
    InputError
        See :func:`check_real`.
    """
    return to_float64(check_real(x))


def round_up(
    fraction: Float64,
    odd: Bools,
    negative: Bools,
    rounding: Rule,
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
    rounding
        A :class:`Rounding`, or the generator that :func:`random_rule` made of a
        :class:`Stochastic`.
    """
    match rounding:
        case np.random.Generator():
            return rounding.random(fraction.shape) < fraction
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


def leaves_range(negative: Bools, rounding: Rule) -> Bools:
    """Whether a finite number that rounds past the largest value stays out of range.

    IEEE 754-2019 section 7.4: the roundings toward zero, and toward the other side, give the
    largest finite value instead.
    """
    match rounding:
        case Rounding.TOWARD_ZERO | Rounding.TO_ODD:
            return np.zeros(negative.shape, bool)
        case Rounding.UP:
            return ~negative
        case Rounding.DOWN:
            return negative
        case _:
            return np.ones(negative.shape, bool)


class Format(Named):
    """A scalar number format: a set of real values and their codes.

    Subclasses are frozen dataclasses whose fields are the definition, so that equal formats
    compare equal and can be used as keys. Those that check their fields call this class's
    ``__post_init__`` first.
    """

    def __post_init__(self) -> None:
        convert_fields(self)

    @classmethod
    def named(cls, name: str) -> "Format":
        return parse_scalar(name)

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
    def _encode(self, x: Float64, rounding: Rule, overflow: Overflow) -> Int64:
        """Encode float64 numbers, which may be infinite and are NaN only if the format has it.

        Except under stochastic rounding the codes must be a monotone function of the number, -0
        below +0; the fast path is derived from that.
        """

    @property
    def scale_rule(self) -> ScaleRule:
        """How numbers are scaled before they are rounded to this format, see :mod:`.scaling`.

        ``maximum``, but ``least_error`` for at most two bits of magnitude, and for steps finer than
        those of an fp32 scale.
        """
        return self._scale_rule_from(bits=3)

    def _scale_rule_from(self, bits: int) -> ScaleRule:
        """Return ``maximum`` from this many bits of magnitude to fp32's, else ``least_error``."""
        wide = self.bits - (self.min < 0) >= bits
        suits = wide and not is_finer_than(self, FP32_BITS)
        return ScaleRule.MAXIMUM if suits else ScaleRule.LEAST_ERROR

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
            Codes of the shape of ``x`` and of dtype :attr:`code_dtype`. NaN gives the format's
            one NaN code, whatever its sign and payload.

        Raises
        ------
        InputError
            If ``x`` holds NaN and the format has none; if ``overflow`` is ``error`` and a number
            is out of range, or ``ieee`` and the format has neither infinity nor NaN; for dtypes
            that float64 does not hold (see :func:`check_real`).
        """
        array = check_real(x)
        rule = parse_overflow(overflow)
        if rule is Overflow.IEEE and not (self.has_infinity or self.has_nan):
            raise InputError(
                f"overflow='ieee' needs infinity or NaN, and {self.name} has neither; "
                "allowed: 'saturate', 'error'"
            )
        parsed = parse_rounding(rounding)
        flat = array.reshape(-1)
        if rule is Overflow.ERROR and fast.pays(flat.size) and self._holds(flat):
            rule = Overflow.SATURATE
        encoder = self.encoder(flat.size, parsed, rule)
        if encoder is not None and flat.dtype in (np.float32, np.float64):
            codes = self._encode_compiled(encoder, flat)
        else:
            random = random_rule(parsed)
            codes = np.empty(flat.size, self.code_dtype)
            for start in range(0, flat.size, CHUNK):
                chunk = to_float64(flat[start : start + CHUNK])
                codes[start : start + CHUNK] = (
                    self._encode_exactly(chunk, random, rule)
                    if encoder is None
                    else self._encode_compiled(encoder, chunk)
                )
        return codes.reshape(array.shape)

    def _holds(self, x: NDArray[Any]) -> bool:
        """Whether no number is NaN or beyond the ends of the format."""
        return x.size == 0 or bool(x.min() >= self.min and x.max() <= self.max)

    def encoder(
        self, size: int, rounding: Rounding | Stochastic, overflow: Overflow
    ) -> fast.Encoder | None:
        """Return the compiled encoder for an array of ``size`` elements, or None if none pays.

        They give the codes of :meth:`encode`, but do not look for NaN in a format without it.
        """
        if not fast.pays(size) or isinstance(rounding, Stochastic) or overflow is Overflow.ERROR:
            return None
        loop = self._loop(rounding, overflow)
        # The proof of a 16-bit format's table costs as much as encoding some million numbers.
        if loop is None and self.bits <= TABLE_BITS and fast.pays(size, 8 << self.bits):
            return encode_table(self, rounding, overflow)
        return loop

    def search_table(self, size: int) -> tuple[Any, ...] | None:
        """Return the table that a search among scales needs, or None if it does not pay.

        ``size`` is as for :meth:`encoder`; the table is that of ``nearest_even``, saturating.
        """
        pays = self.bits <= TABLE_BITS and fast.pays(size, max(fast.MIN_SIZE, 8 << self.bits))
        return _search_table(self) if pays else None

    def _loop(self, rounding: Rounding, overflow: Overflow) -> fast.Encoder | None:
        """Return the compiled encoder that needs no table, or None; ``overflow`` is no error."""
        return None

    def _value_loop(self) -> fast.Loop | None:
        """Return the compiled decoder, of formats too wide for a table, or None."""
        return None

    def _encode_compiled(self, encoder: fast.Encoder, x: NDArray[Any]) -> Codes:
        if not self.has_nan:
            self._refuse_nan(fast.any_nan(x))
        return encoder.encode(x)

    def _encode_exactly(self, x: Float64, rounding: Rule, overflow: Overflow) -> Int64:
        if not self.has_nan:
            self._refuse_nan(bool(np.isnan(x).any()))
        return self._encode(x, rounding, overflow)

    def _refuse_nan(self, present: bool) -> None:
        if present:
            raise InputError(f"{self.name} has no NaN, and the array to encode holds one")

    def decode(self, codes: ArrayLike) -> Float64:
        """Return the exact values of ``codes`` as float64, of the same shape.

        Raises
        ------
        InputError
            If ``codes`` are not integers in [0, 2**bits).
        """
        checked = self.check_codes(codes)
        if self.bits <= TABLE_BITS:
            table = decode_table(self)
            return fast.look_up(checked, table) if fast.pays(checked.size) else table[checked]
        loop = self._value_loop() if fast.pays(checked.size) else None
        if loop is None:
            return self._decode(checked)
        return loop.encode(checked.reshape(-1)).reshape(checked.shape)

    def quantize(
        self,
        x: ArrayLike,
        rounding: str | Rounding | Stochastic = Rounding.NEAREST_EVEN,
        overflow: str | Overflow = Overflow.SATURATE,
    ) -> Float64:
        """Return the values that ``x`` is rounded to: ``decode(encode(x))``."""
        return self.decode(self.encode(x, rounding, overflow))

    def values(self) -> Float64:
        """Return all distinct finite values that encoding can give, ascending, as float64.

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
        values = np.unique(values[np.isfinite(values)]) + 0.0
        return values[self.quantize(values) == values]

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
        """The smallest positive value; NaN where there is none."""
        if self.max <= 0:
            return float("nan")
        return float(self.quantize(np.nextafter(0, 1), rounding=Rounding.UP))

    @cached_property
    def epsilon(self) -> float:
        """The distance from 1 to the next larger value; NaN where 1 or that value is missing."""
        if float(self.quantize(1.0)) != 1.0 or self.max <= 1.0:
            return float("nan")
        return float(self.quantize(np.nextafter(1, 2), rounding=Rounding.UP)) - 1.0

    def check_codes(self, codes: ArrayLike) -> Codes:
        """Return ``codes`` as an unsigned array, or raise InputError if any is out of range.

        Masked arrays are refused, too.
        """
        array = as_array(codes)
        if array.dtype.kind not in "iu" and array.size:
            raise InputError(f"codes of {self.name} must be integers, not {array.dtype}")
        if array.dtype == self.code_dtype and self.bits == 8 * array.dtype.itemsize:
            return array
        if array.size and (array.min() < 0 or array.max() >= 2**self.bits):
            raise InputError(
                f"codes of {self.name} must be in [0, 2**{self.bits}), "
                f"not {array.min()} to {array.max()}"
            )
        return array.astype(self.code_dtype, copy=False)

    def _decode(self, codes: Codes) -> Float64:
        kind, sign, significand, exponent = self.unpack(codes)
        magnitude = np.ldexp(significand.astype(np.float64), exponent)
        magnitude = np.where(kind == Kind.INFINITY, np.inf, magnitude)
        values: Float64 = np.where(kind == Kind.NAN, np.nan, np.where(sign, -magnitude, magnitude))
        return values

    def __str__(self) -> str:
        return self.name


@lru_cache(maxsize=32)
def encode_table(fmt: Format, rounding: Rounding, overflow: Overflow) -> fast.Table | None:
    """Return the proved table of an encoder, or None where a table is not exact.

    ``fmt`` has at most 16 bits; ``overflow`` is ``saturate`` or ``ieee``.
    """
    nan_code = int(fmt._encode(np.array([np.nan]), rounding, overflow)[0]) if fmt.has_nan else None
    exact = partial(fmt._encode, rounding=rounding, overflow=overflow)
    return fast.build(exact, decode_table(fmt), nan_code)


@lru_cache(maxsize=16)
def _search_table(fmt: Format) -> tuple[Any, ...] | None:
    table = encode_table(fmt, Rounding.NEAREST_EVEN, Overflow.SATURATE)
    return None if table is None else table.for_search(decode_table(fmt))


@lru_cache(maxsize=64)
def decode_table(fmt: Format) -> Float64:
    """Return the values of all codes of ``fmt``, read-only float64 of shape (2**bits,)."""
    table = fmt._decode(np.arange(2**fmt.bits).astype(fmt.code_dtype))
    table.setflags(write=False)
    return table
