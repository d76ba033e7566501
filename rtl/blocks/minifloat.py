"""Minifloat operands taken apart, combinationally."""

from dataclasses import dataclass, field

from amaranth.hdl import C, Cat, Module, Value

from hwsim.formats.minifloat import Minifloat, Specials
from rtl.blocks.wire import wire


@dataclass(frozen=True)
class Decoded:
    """An operand as hardware signals.

    Attributes
    ----------
    sign, significand
        ``significand`` has the hidden bit and is 0 for zero, infinity and NaN.
    shift
        Exponent above that of the subnormals, so that the magnitude of a finite operand is
        ``significand << shift`` in units of the smallest subnormal.
    zero, infinity, nan
        What the operand is; constant 0 where the format has no such code.
    normal
        Whether the hidden bit is 1; constant 0 where it is none of a minifloat.
    """

    sign: Value
    significand: Value
    shift: Value
    zero: Value
    infinity: Value
    nan: Value
    normal: Value = field(default_factory=lambda: C(0, 1))


def decode(m: Module, fmt: Minifloat, code: Value, name: str, flush: bool = False) -> Decoded:
    """Return the parts of ``code``, an unsigned value of ``fmt.bits`` bits.

    ``name`` is the prefix of the signals that this adds to ``m``. With ``flush``, subnormals are
    zeros.

    Cost: an OR over the exponent field, a decrement of it, and comparisons for special codes.
    """
    if not fmt.signed:
        code = Cat(code, C(0, 1))
    mantissa = code[: fmt.mantissa]
    field = code[fmt.mantissa : -1]
    magnitude = code[:-1]
    normal = wire(m, field.any(), f"{name}_normal")
    infinity, nan = (
        wire(m, value, f"{name}_{kind}")
        for kind, value in zip(("infinity", "nan"), _specials(fmt, code), strict=True)
    )
    finite = ~(infinity | nan)
    zero = magnitude == 0 if fmt.has_negative_zero else code == 0
    if flush:
        finite, zero = finite & normal, ~normal & ~nan
    significand = Cat(mantissa, normal) & finite.replicate(fmt.mantissa + 1)
    return Decoded(
        sign=code[-1],
        significand=wire(m, significand, f"{name}_significand"),
        # Field 1 is as high as field 0, the subnormals.
        shift=wire(m, (field - normal)[: fmt.exponent], f"{name}_shift"),
        normal=normal,
        zero=zero,
        infinity=infinity,
        nan=nan,
    )


def product_flags(a: Decoded, w: Decoded, negative: Value) -> dict[str, Value]:
    """Return the flags of a product by name; ``negative`` is its sign."""
    infinity = a.infinity | w.infinity
    nan = a.nan | w.nan | (infinity & (a.zero | w.zero))
    return {
        "nan": nan,
        "positive_infinity": infinity & ~nan & ~negative,
        "negative_infinity": infinity & ~nan & negative,
    }


def _specials(fmt: Minifloat, code: Value) -> tuple[Value, Value]:
    magnitude = code[:-1]
    infinity = magnitude == fmt.infinity_code if fmt.has_infinity else C(0, 1)
    match fmt.specials:
        case Specials.IEEE:
            nan = code[fmt.mantissa : -1].all() & code[: fmt.mantissa].any()
        case Specials.FN:
            nan = magnitude.all()
        case Specials.P3109 if not fmt.signed:
            nan = magnitude.all()
        case Specials.FNUZ | Specials.P3109:
            nan = code == fmt.sign_code
        case Specials.NONE:
            nan = C(0, 1)
    return infinity, nan
