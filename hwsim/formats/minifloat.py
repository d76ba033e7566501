"""Binary floating point with any exponent and mantissa width, bias and special values.

A code is sign, biased exponent, mantissa. Exponent field 0 holds zero and the subnormals, which
share the exponent of field 1. The magnitude codes are in the order of their values, so rounding
up is adding 1 to the code, and overflow is a code past the largest finite one.

What differs between the formats in use is only which codes are special:

=========  ==================================================  ============================
specials   infinity and NaN                                    examples
=========  ==================================================  ============================
ieee       top exponent field reserved: infinity, then NaN     fp16, bf16, e5m2, e3m4
fn         NaN only where exponent and mantissa are all ones   e4m3 (OCP), e4m3u, e5m3u
fnuz       NaN in the place of -0, no infinity                 e4m3fnuz, e5m2fnuz
p3109      NaN in the place of -0, infinity the largest code   IEEE P3109 extended
none       none, every code is a finite number                 e2m1, e2m3, e3m2 (OCP)
=========  ==================================================  ============================

An unsigned format has no sign bit. There is no -0 then to give to NaN, so ``p3109`` has NaN at
all ones and infinity below it, and ``fnuz`` does not exist. A negative number that does not round
to zero is out of range: ``saturate`` gives 0, ``ieee`` NaN. UE5M3 has two definitions in use:
``e5m3u`` is that of PTX (only all ones is NaN, largest value 114,688), ``e5m3u_ieee`` that of
arXiv:2609.02846 eq. 3 (top exponent reserved, 61,440).

NaN is encoded to one code, whatever its sign and payload: hardware needs a canonical NaN, and the
sign of a NaN that NumPy computes differs between processors. ml_dtypes keeps the sign.

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
from hwsim.formats import fast
from hwsim.formats.base import (
    Bools,
    Float64,
    Format,
    Int64,
    Kind,
    Overflow,
    Rounding,
    Rule,
    Unpacked,
    leaves_range,
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
    """Binary floating point of ``signed + exponent + mantissa`` bits, at most 32.

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
    signed
        Whether there is a sign bit.
    """

    exponent: int
    mantissa: int
    bias: int
    specials: Specials = Specials.IEEE
    signed: bool = True

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 1 <= self.exponent <= 8:
            raise InputError(f"exponent of a minifloat must be 1 to 8 bits, not {self.exponent}")
        if not 0 <= self.mantissa <= 23:
            raise InputError(f"mantissa of a minifloat must be 0 to 23 bits, not {self.mantissa}")
        if abs(self.bias) > 512:
            raise InputError(f"bias of a minifloat must be -512 to 512, not {self.bias}")
        if self.specials is Specials.IEEE and self.mantissa == 0:
            raise InputError("specials='ieee' needs a mantissa of at least 1 bit to hold NaN")
        if self.specials is Specials.FNUZ and not self.signed:
            raise InputError("specials='fnuz' needs a sign bit; allowed: ieee, fn, p3109, none")
        if self.max_code < 1:
            raise InputError(f"{self.name} has no finite value but zero")

    @property
    def name(self) -> str:
        named = _NAME_OF.get(self)
        if named is not None:
            return named
        if self._is_p3109:
            suffix = ("s" if self.signed else "u") + ("e" if self.has_infinity else "f")
            return f"binary{self.bits}p{self.mantissa + 1}{suffix}"
        return (
            f"minifloat(exponent={self.exponent},mantissa={self.mantissa},"
            f"bias={self.bias},specials={self.specials}{'' if self.signed else ',signed=0'})"
        )

    @property
    def _is_p3109(self) -> bool:
        """Whether :mod:`hwsim.formats.p3109` has a name for this format."""
        finite = Specials.FNUZ if self.signed else Specials.FN
        if self.bits not in P3109_BITS:
            return False
        return self.specials in (Specials.P3109, finite) and self.bias == 1 << (self.exponent - 1)

    @property
    def family(self) -> str:
        return "minifloat"

    @property
    def bits(self) -> int:
        return self.signed + self.exponent + self.mantissa

    @property
    def has_nan(self) -> bool:
        return self.specials is not Specials.NONE

    @property
    def has_infinity(self) -> bool:
        return self.specials in (Specials.IEEE, Specials.P3109)

    @property
    def has_negative_zero(self) -> bool:
        """Whether the code with only the sign set is -0 rather than NaN."""
        return self.signed and self.specials not in (Specials.FNUZ, Specials.P3109)

    @property
    def sign_code(self) -> int:
        """The code with only the sign bit set; unsigned formats end before it."""
        return 1 << (self.exponent + self.mantissa)

    @property
    def max_code(self) -> int:
        """The code of the largest finite value."""
        match self.specials:
            case Specials.IEEE:
                return (((1 << self.exponent) - 1) << self.mantissa) - 1
            case Specials.P3109 if not self.signed:
                return self.sign_code - 3
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
                return self.sign_code if self.signed else self.sign_code - 1

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
        sign = (code >> (self.exponent + self.mantissa)).astype(np.uint8)
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
                return code == self.nan_code
            case Specials.NONE:
                return np.zeros(code.shape, bool)

    def _encode(self, x: Float64, rounding: Rule, overflow: Overflow) -> Int64:
        negative = np.signbit(x)
        # A value 4x the largest is as far out as infinity, and keeps the arithmetic finite.
        beyond = np.ldexp(4.0, self._max_exponent)
        magnitude = np.minimum(np.abs(np.where(np.isnan(x), 0.0, x)), beyond)
        code = self._round_magnitude(magnitude, negative, rounding)
        over = code > self.max_code
        code = np.minimum(code, self.max_code)
        if not self.signed:
            over = over | (negative & (code > 0))
            code = np.where(negative, 0, code)
        if overflow is Overflow.ERROR and over.any():
            worst = x.flat[int(np.argmax(over))]
            raise InputError(
                f"{worst} is out of the range of {self.name}, {self.min} to {self.max}"
            )
        if self.signed:
            code = code | np.where(negative, self.sign_code, 0)
        if not self.has_negative_zero:
            code = np.where(code == self.sign_code, 0, code)
        if overflow is Overflow.IEEE:
            leaves = over & (leaves_range(negative, rounding) | np.isinf(x))
            code = np.where(leaves, self._overflow_codes(negative), code)
        return np.where(np.isnan(x), self.nan_code, code)

    @property
    def _max_exponent(self) -> int:
        return (self.max_code >> self.mantissa) - self.bias

    def _round_magnitude(
        self,
        magnitude: Float64,
        negative: Bools,
        rounding: Rule,
    ) -> Int64:
        """Round as if the exponent had no upper end; codes past ``max_code`` have overflowed."""
        exponent = np.maximum(np.frexp(magnitude)[1].astype(np.int64) - 1, self.min_exponent)
        exponent = np.where(magnitude == 0, self.min_exponent, exponent)
        scaled = np.ldexp(magnitude, self.mantissa - exponent)
        # In units above 1 float64's own subnormals vanish, and would not be rounded up.
        scaled = np.maximum(scaled, np.where(magnitude > 0, np.nextafter(0, 1), 0))
        lower = np.floor(scaled)
        code = ((exponent - self.min_exponent) << self.mantissa) + lower.astype(np.int64)
        return code + round_up(scaled - lower, code % 2 == 1, negative, rounding)

    def _loop(self, rounding: Rounding, overflow: Overflow) -> fast.Encoder | None:
        # Looking up a narrow format's codes is faster.
        if rounding is not Rounding.NEAREST_EVEN or self.bits <= 8:
            return None
        sign = self.sign_code if self.signed else 0
        above, below = self.max_code, self.max_code | sign if self.signed else 0
        if overflow is Overflow.IEEE:
            above, below = (int(code) for code in self._overflow_codes(np.array([False, True])))
        return fast.Loop(
            "minifloat",
            (
                self.mantissa,
                self.min_exponent,
                self.max_code,
                above,
                self.max_code if self.signed else 0,
                below,
                sign,
                sign if self.has_negative_zero else 0,
                self.nan_code if self.has_nan else 0,
            ),
            self.code_dtype,
        )

    def _value_loop(self) -> fast.Loop | None:
        infinity = self.infinity_code if self.has_infinity else -1
        nan = self.nan_code if self.has_nan else -1
        return fast.Loop(
            "minifloat_values",
            (self.mantissa, self.min_exponent, self.sign_code, self.max_code, infinity, nan),
            np.dtype(np.float64),
        )

    def _overflow_codes(self, negative: Bools) -> Int64:
        if not self.has_infinity:
            return np.full(negative.shape, self.nan_code, np.int64)
        below = self.infinity_code | self.sign_code if self.signed else self.nan_code
        return np.where(negative, below, self.infinity_code)


NAMED = {
    "fp32": Minifloat(8, 23, 127, Specials.IEEE),
    "tf32": Minifloat(8, 10, 127, Specials.IEEE),
    "fp16": Minifloat(5, 10, 15, Specials.IEEE),
    "bf16": Minifloat(8, 7, 127, Specials.IEEE),
    "e5m2": Minifloat(5, 2, 15, Specials.IEEE),
    "e4m3": Minifloat(4, 3, 7, Specials.FN),
    "e4m3_ieee": Minifloat(4, 3, 7, Specials.IEEE),
    "e3m4": Minifloat(3, 4, 3, Specials.IEEE),
    "e4m3fnuz": Minifloat(4, 3, 8, Specials.FNUZ),
    "e5m2fnuz": Minifloat(5, 2, 16, Specials.FNUZ),
    "e4m3b11fnuz": Minifloat(4, 3, 11, Specials.FNUZ),
    "e4m3u": Minifloat(4, 3, 7, Specials.FN, signed=False),
    "e5m3u": Minifloat(5, 3, 15, Specials.FN, signed=False),
    "e5m3u_ieee": Minifloat(5, 3, 15, Specials.IEEE, signed=False),
    "e3m2": Minifloat(3, 2, 3, Specials.NONE),
    "e2m3": Minifloat(2, 3, 1, Specials.NONE),
    "e2m1": Minifloat(2, 1, 1, Specials.NONE),
}
NAMES = tuple(NAMED)
_NAME_OF = {fmt: name for name, fmt in NAMED.items()}

#: Widths of the formats that have a name of P3109.
P3109_BITS = range(3, 17)

_GENERIC = re.compile(r"minifloat\((.*)\)")
_FIELDS = ("exponent", "mantissa", "bias", "specials", "signed")


def parse(name: str) -> Minifloat | None:
    """Return the minifloat called ``name``, or None if the name is of another family.

    Besides the names in ``NAMES``,
    ``minifloat(exponent=3,mantissa=4,bias=5,specials=none,signed=1)`` spells any other; ``bias``
    defaults to 2**(exponent-1) - 1, ``specials`` to ``ieee`` and ``signed`` to 1.
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
        bias = int(fields["bias"]) if "bias" in fields else (1 << max(exponent - 1, 0)) - 1
        signed = int(fields.get("signed", "1"))
    except KeyError as missing:
        raise InputError(f"{name}: field {missing} is missing") from None
    except ValueError:
        raise InputError(f"{name}: exponent, mantissa, bias and signed must be integers") from None
    if signed not in (0, 1):
        raise InputError(f"{name}: signed must be 0 or 1, not {signed}")
    # The class checks the name of the specials, like every other field.
    specials = cast(Specials, fields.get("specials", "ieee"))
    return Minifloat(exponent, mantissa, bias, specials, bool(signed))
