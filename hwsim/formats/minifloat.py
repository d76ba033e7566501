"""Binary floating point with any exponent and mantissa width, bias and special values.

A code is sign, biased exponent, mantissa. Exponent field 0 holds zero and the subnormals, which
share the exponent of field 1. The magnitude codes are in the order of their values, so rounding
up is adding 1 to the code, and overflow is a code past the largest finite one.

What differs between the formats in use is only which codes are special:

=========  ==================================================  ============================
specials   infinity and NaN                                    examples
=========  ==================================================  ============================
ieee       top exponent field reserved: infinity, then NaN     fp16, bf16, e5m2, e3m4
fn         NaN only where exponent and mantissa are all ones   e4m3 (OCP)
fnuz       NaN in the place of -0, no infinity                 e4m3fnuz, e5m2fnuz
p3109      NaN in the place of -0, infinity the largest code   IEEE P3109 extended
none       none, every code is a finite number                 e2m1, e2m3, e3m2 (OCP)
=========  ==================================================  ============================

A multiplier grows with the square of the mantissa, an exact accumulator with 2**exponent.

Sources: OCP OFP8 1.0 and MX 1.0 (element tables), IEEE 754-2019 section 3.4, IEEE P3109 interim
report, ml_dtypes for the fnuz variants.
"""

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import cast

import numpy as np
from numpy.typing import ArrayLike

from hwsim.errors import InputError, suggestion
from hwsim.formats.base import (
    Bools,
    Float64,
    Format,
    Int64,
    Kind,
    Overflow,
    Rounding,
    Stochastic,
    Unpacked,
    round_up,
)


class Specials(StrEnum):
    """Which codes are infinity or NaN; the table is in the module's docstring."""

    IEEE = "ieee"
    FN = "fn"
    FNUZ = "fnuz"
    P3109 = "p3109"
    NONE = "none"


@dataclass(frozen=True)
class Minifloat(Format):
    """Binary floating point of ``1 + exponent + mantissa`` bits, at most 32.

    Parameters
    ----------
    exponent
        Width of the exponent field, 1 to 8 bits.
    mantissa
        Width of the mantissa field, 0 to 23 bits.
    bias
        Exponent bias: field value e stands for 2**(e - bias).
    specials
        Which codes are infinity or NaN.
    """

    exponent: int
    mantissa: int
    bias: int
    specials: Specials = Specials.IEEE

    def __post_init__(self) -> None:
        if self.specials not in list(Specials):
            allowed = ", ".join(Specials)
            raise InputError(f"specials must be one of {allowed}, not {self.specials!r}")
        object.__setattr__(self, "specials", Specials(self.specials))
        if not 1 <= self.exponent <= 8:
            raise InputError(f"exponent of a minifloat must be 1 to 8 bits, not {self.exponent}")
        if not 0 <= self.mantissa <= 23:
            raise InputError(f"mantissa of a minifloat must be 0 to 23 bits, not {self.mantissa}")
        if abs(self.bias) > 512:
            raise InputError(f"bias of a minifloat must be -512 to 512, not {self.bias}")
        if self.specials is Specials.IEEE and self.mantissa == 0:
            raise InputError("specials='ieee' needs a mantissa of at least 1 bit to hold NaN")
        if self.max_code < 1:
            raise InputError(f"{self.name} has no finite value but zero")

    @property
    def name(self) -> str:
        named = _NAME_OF.get(self)
        return named or (
            f"minifloat(exponent={self.exponent},mantissa={self.mantissa},"
            f"bias={self.bias},specials={self.specials})"
        )

    @property
    def family(self) -> str:
        return "minifloat"

    @property
    def bits(self) -> int:
        return 1 + self.exponent + self.mantissa

    @property
    def has_nan(self) -> bool:
        return self.specials is not Specials.NONE

    @property
    def has_infinity(self) -> bool:
        return self.specials in (Specials.IEEE, Specials.P3109)

    @property
    def has_negative_zero(self) -> bool:
        """Whether the code with only the sign set is -0 rather than NaN."""
        return self.specials not in (Specials.FNUZ, Specials.P3109)

    @property
    def sign_code(self) -> int:
        """The code with only the sign bit set."""
        return 1 << (self.bits - 1)

    @property
    def max_code(self) -> int:
        """The code of the largest finite value."""
        match self.specials:
            case Specials.IEEE:
                return (((1 << self.exponent) - 1) << self.mantissa) - 1
            case Specials.FN | Specials.P3109:
                return self.sign_code - 2
            case Specials.FNUZ | Specials.NONE:
                return self.sign_code - 1

    @property
    def nan_code(self) -> int:
        """The code that NaN is encoded to: positive and quiet where the format has a choice."""
        match self.specials:
            case Specials.IEEE:
                return self.infinity_code | (1 << (self.mantissa - 1))
            case Specials.FN:
                return self.max_code + 1
            case _:
                return self.sign_code

    @property
    def infinity_code(self) -> int:
        """The code of positive infinity."""
        return self.max_code + 1

    @property
    def min_exponent(self) -> int:
        """The exponent of the smallest normal value, which the subnormals share."""
        return 1 - self.bias

    @property
    def subnormal_exponent(self) -> int:
        """The smallest subnormal is 2**subnormal_exponent."""
        return self.min_exponent - self.mantissa

    def unpack(self, codes: ArrayLike) -> Unpacked:
        code = self.check_codes(codes).astype(np.int64)
        sign = (code >> (self.bits - 1)).astype(np.uint8)
        magnitude = code & (self.sign_code - 1)
        field = magnitude >> self.mantissa
        significand = magnitude & ((1 << self.mantissa) - 1)
        significand += (field > 0).astype(np.int64) << self.mantissa
        kind = np.where(magnitude == 0, Kind.ZERO, Kind.FINITE)
        if self.has_infinity:
            kind = np.where(magnitude == self.infinity_code, Kind.INFINITY, kind)
        kind = np.where(self._is_nan(code), Kind.NAN, kind).astype(np.uint8)
        return Unpacked(
            kind=kind,
            sign=sign,
            significand=np.where(kind == Kind.FINITE, significand, 0),
            exponent=np.maximum(field, 1) - self.bias - self.mantissa,
        )

    def _is_nan(self, code: Int64) -> Bools:
        match self.specials:
            case Specials.IEEE | Specials.FN:
                above_all = self.max_code + self.has_infinity
                return (code & (self.sign_code - 1)) > above_all
            case Specials.FNUZ | Specials.P3109:
                return code == self.sign_code
            case Specials.NONE:
                return np.zeros(code.shape, bool)

    def _encode(self, x: Float64, rounding: Rounding | Stochastic, overflow: Overflow) -> Int64:
        negative = np.signbit(x)
        # A value 4x the largest is as far out as infinity, and keeps the arithmetic finite.
        beyond = np.ldexp(4.0, self._max_exponent)
        magnitude = np.minimum(np.abs(np.nan_to_num(x, nan=0.0, posinf=beyond)), beyond)
        code = self._round_magnitude(magnitude, negative, rounding)
        over = code > self.max_code
        code = np.minimum(code, self.max_code)
        if overflow is Overflow.ERROR and over.any():
            worst = x.flat[int(np.argmax(over))]
            raise InputError(f"{worst} is out of the range of {self.name}, +-{self.max}")
        code = code | np.where(negative, self.sign_code, 0)
        if not self.has_negative_zero:
            code = np.where(code == self.sign_code, 0, code)
        if overflow is Overflow.IEEE:
            leaves = over & (_leaves_range(negative, rounding) | np.isinf(x))
            code = np.where(leaves, self._overflow_codes(negative), code)
        return np.where(np.isnan(x), self.nan_code, code)

    @property
    def _max_exponent(self) -> int:
        return (self.max_code >> self.mantissa) - self.bias

    def _round_magnitude(
        self,
        magnitude: Float64,
        negative: Bools,
        rounding: Rounding | Stochastic,
    ) -> Int64:
        """Round as if the exponent had no upper end; codes past ``max_code`` have overflowed."""
        exponent = np.maximum(np.frexp(magnitude)[1].astype(np.int64) - 1, self.min_exponent)
        exponent = np.where(magnitude == 0, self.min_exponent, exponent)
        scaled = np.ldexp(magnitude, self.mantissa - exponent)
        lower = np.floor(scaled)
        code = ((exponent - self.min_exponent) << self.mantissa) + lower.astype(np.int64)
        return code + round_up(scaled - lower, code % 2 == 1, negative, rounding)

    def _overflow_codes(self, negative: Bools) -> Int64:
        if not self.has_infinity:
            return np.full(negative.shape, self.nan_code, np.int64)
        return self.infinity_code | np.where(negative, self.sign_code, 0)


def _leaves_range(negative: Bools, rounding: Rounding | Stochastic) -> Bools:
    """Whether a finite number past the largest value rounds out of range rather than back to it.

    IEEE 754-2019 section 7.4: the roundings toward zero, and toward the other side, give the
    largest finite value.
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


NAMED = {
    "fp32": Minifloat(8, 23, 127, Specials.IEEE),
    "tf32": Minifloat(8, 10, 127, Specials.IEEE),
    "fp16": Minifloat(5, 10, 15, Specials.IEEE),
    "bf16": Minifloat(8, 7, 127, Specials.IEEE),
    "e5m2": Minifloat(5, 2, 15, Specials.IEEE),
    "e4m3": Minifloat(4, 3, 7, Specials.FN),
    "e3m4": Minifloat(3, 4, 3, Specials.IEEE),
    "e4m3fnuz": Minifloat(4, 3, 8, Specials.FNUZ),
    "e5m2fnuz": Minifloat(5, 2, 16, Specials.FNUZ),
    "e4m3b11fnuz": Minifloat(4, 3, 11, Specials.FNUZ),
    "e3m2": Minifloat(3, 2, 3, Specials.NONE),
    "e2m3": Minifloat(2, 3, 1, Specials.NONE),
    "e2m1": Minifloat(2, 1, 1, Specials.NONE),
}
NAMES = tuple(NAMED)
_NAME_OF = {fmt: name for name, fmt in NAMED.items()}

_GENERIC = re.compile(r"minifloat\((.*)\)")
_FIELDS = ("exponent", "mantissa", "bias", "specials")


def parse(name: str) -> Minifloat | None:
    """Return the minifloat called ``name``, or None if the name is of another family.

    Besides the names in ``NAMES``, ``minifloat(exponent=3,mantissa=4,bias=5,specials=none)``
    spells any other; ``bias`` defaults to 2**(exponent-1) - 1 and ``specials`` to ``ieee``.
    """
    if name in NAMED:
        return NAMED[name]
    match = _GENERIC.fullmatch(name)
    return _parse_fields(name, match[1]) if match else None


def _parse_fields(name: str, text: str) -> Minifloat:
    fields: dict[str, str] = {}
    for item in text.split(","):
        key, _, value = (part.strip() for part in item.partition("="))
        if key not in _FIELDS:
            raise InputError(f"{name}: unknown field {key!r}{suggestion(key, _FIELDS)}")
        fields[key] = value
    try:
        exponent, mantissa = int(fields["exponent"]), int(fields["mantissa"])
        bias = int(fields.get("bias", (1 << (exponent - 1)) - 1))
    except KeyError as missing:
        raise InputError(f"{name}: field {missing} is missing") from None
    except ValueError:
        raise InputError(f"{name}: exponent, mantissa and bias must be integers") from None
    # The class checks the name of the specials, like every other field.
    return Minifloat(exponent, mantissa, bias, cast(Specials, fields.get("specials", "ieee")))
