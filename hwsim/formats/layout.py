"""What the bits of a code are: sign, exponent, mantissa, regime; from the highest bit down.

Fields have the same places in all codes of most formats. In tapered ones, such as posits, a prefix
says how long the others are, so fields are those of one code. They are for readers; decoders and
encoders have their own. A family of another package may register its own::

    @layout.register
    def _(fmt: MyFormat, code: int) -> Fields: ...

What has no entry is one field, called ``code``.
"""

from functools import singledispatch
from itertools import takewhile
from typing import NamedTuple, TypeAlias

from hwsim.errors import InputError
from hwsim.formats.abfloat import AbFloat
from hwsim.formats.apot import AdditivePowerOfTwo
from hwsim.formats.base import Format
from hwsim.formats.codebook import Codebook
from hwsim.formats.dybit import DyBit
from hwsim.formats.e8m0 import E8M0
from hwsim.formats.fixed import FixedPoint
from hwsim.formats.flint import Flint
from hwsim.formats.hif8 import HiFloat8
from hwsim.formats.integer import Integer
from hwsim.formats.khot import KHot
from hwsim.formats.lns import Logarithmic
from hwsim.formats.magnitude import MagnitudeFormat
from hwsim.formats.minifloat import Minifloat
from hwsim.formats.posit import Posit
from hwsim.formats.pot import PowerOfTwo
from hwsim.formats.sign_magnitude import SignMagnitude

#: Prefixes of HiFloat8 and how many exponent bits follow; of zeros alone none do.
_DOTS = {"11": 4, "10": 3, "01": 2, "001": 1, "0001": 0, "0000": 0}


class Field(NamedTuple):
    """A field of a code: what it is called, and its bits as text of 0 and 1."""

    name: str
    bits: str


Fields: TypeAlias = tuple[Field, ...]


def fields(fmt: Format, code: int) -> Fields:
    """Return the fields of a code from the highest bit down; their bits together are the code.

    Raises
    ------
    InputError
        For a code that the format does not have.
    """
    if not 0 <= code < 2**fmt.bits:
        raise InputError(f"code={code}: allowed: 0 to {2**fmt.bits - 1}, as {fmt.name} has")
    return tuple(field for field in layout(fmt, code) if field.bits)


@singledispatch
def layout(fmt: Format, code: int) -> Fields:
    """Return the fields of a code that the format has; some may be empty."""
    return (Field("code", _text(fmt, code)),)


def _text(fmt: Format, code: int) -> str:
    return f"{code:0{fmt.bits}b}"


def _cut(text: str, **widths: int) -> Fields:
    """Return fields of these widths one after another; the last one takes what is left."""
    found = []
    for name, width in widths.items():
        found.append(Field(name, text[:width]))
        text = text[width:]
    last = found.pop()
    return (*found, Field(last.name, last.bits + text))


@layout.register
def _(fmt: Minifloat, code: int) -> Fields:
    return _cut(_text(fmt, code), sign=fmt.signed, exponent=fmt.exponent, mantissa=fmt.mantissa)


@layout.register
def _(fmt: AbFloat, code: int) -> Fields:
    return _cut(_text(fmt, code), sign=1, exponent=fmt.exponent, mantissa=fmt.mantissa)


@layout.register
def _(fmt: Integer, code: int) -> Fields:
    return (Field("integer", _text(fmt, code)),)


@layout.register
def _(fmt: FixedPoint, code: int) -> Fields:
    return _cut(_text(fmt, code), integer=fmt.integer, fraction=fmt.fraction)


@layout.register
def _(fmt: SignMagnitude, code: int) -> Fields:
    return _cut(_text(fmt, code), sign=1, integer=fmt.bits - 1)


@layout.register
def _(fmt: PowerOfTwo, code: int) -> Fields:
    return _cut(_text(fmt, code), sign=fmt.signed, exponent=fmt.bits)


@layout.register
def _(fmt: E8M0, code: int) -> Fields:
    return (Field("exponent", _text(fmt, code)),)


@layout.register
def _(fmt: Codebook, code: int) -> Fields:
    return (Field("index", _text(fmt, code)),)


@layout.register
def _(fmt: Logarithmic, code: int) -> Fields:
    # Of the logarithm, in two's complement.
    whole = fmt.bits - 1 - fmt.fraction
    return _cut(_text(fmt, code), sign=1, integer=whole, fraction=fmt.fraction)


@layout.register
def _(fmt: KHot, code: int) -> Fields:
    return _terms(_text(fmt, code), fmt.width)


@layout.register
def _(fmt: MagnitudeFormat, code: int) -> Fields:
    return _cut(_text(fmt, code), sign=fmt.signed, magnitude=fmt.magnitude_bits)


@layout.register
def _(fmt: AdditivePowerOfTwo, code: int) -> Fields:
    text = _text(fmt, code)
    return (Field("sign", text[: fmt.signed]), *_terms(text[fmt.signed :], 2))


def _terms(text: str, width: int) -> Fields:
    return tuple(Field("term", text[k : k + width]) for k in range(0, len(text), width))


@layout.register
def _(fmt: Flint, code: int) -> Fields:
    text = _text(fmt, code)
    sign, magnitude = text[: fmt.signed], text[fmt.signed :]
    if magnitude[0] == "0":
        return Field("sign", sign), Field("prefix", "0"), Field("integer", magnitude[1:])
    zeros = len(magnitude[1:]) - len(magnitude[1:].lstrip("0"))
    prefix = min(zeros + 2, len(magnitude))
    return Field("sign", sign), *_cut(magnitude, prefix=1, exponent=prefix - 1, mantissa=0)


@layout.register
def _(fmt: DyBit, code: int) -> Fields:
    text = _text(fmt, code)
    sign, magnitude = text[: fmt.signed], text[fmt.signed :]
    if magnitude[0] == "0":
        return Field("sign", sign), Field("prefix", "0"), Field("integer", magnitude[1:])
    return Field("sign", sign), *_cut(magnitude, exponent=_run(magnitude) + 1, mantissa=0)


@layout.register
def _(fmt: Posit, code: int) -> Fields:
    # A negative code is the two's complement of its magnitude's, whose fields have its places.
    negative = code > fmt.nar_code
    body = f"{2**fmt.width - code if negative else code:0{fmt.width}b}"[1:]
    regime = min(_run(body) + 1, len(body))
    return _cut(_text(fmt, code), sign=1, regime=regime, exponent=fmt.es, fraction=0)


@layout.register
def _(fmt: HiFloat8, code: int) -> Fields:
    text = _text(fmt, code)
    dot = next(prefix for prefix in _DOTS if text[1:].startswith(prefix))
    return _cut(text, sign=1, prefix=len(dot), exponent=_DOTS[dot], mantissa=0)


def _run(text: str) -> int:
    """Return the length of the run of equal bits at the start."""
    return len(list(takewhile(text[0].__eq__, text)))
