"""Posit operands taken apart, and numbers rounded to posits, combinationally.

Nothing is negated here. A negative posit is read as it stands: where a positive one has the
significand 1 + f, a negative one with the same bits after its sign has -2 + f, and its scale is
the complement of the one that its bits say. Both are one exclusive-or. A result is put together
in the same way, and rounding the two's complement string to nearest even is symmetric.

Source: Posit standard 2022, section 3 (the value of a negative posit without negation).
"""

from dataclasses import dataclass

from amaranth.hdl import C, Cat, Module, Mux, Value

from hwsim.formats.posit import Posit
from rtl.blocks.booth import booth_multiply
from rtl.blocks.normalise import leading_zeros
from rtl.blocks.wire import wire


def fraction_bits(fmt: Posit) -> int:
    """Return the width of the longest fraction, that of the posits near 1."""
    return max(fmt.width - 3 - fmt.es, 0)


@dataclass(frozen=True)
class Parts:
    """A posit as hardware signals; its value is ``significand * 2**(scale - fraction_bits)``.

    Attributes
    ----------
    sign
        Whether it is negative.
    scale
        Signed; of a negative posit one less than the exponent of its leading bit.
    significand
        Signed, ``fraction_bits + 2`` bits: 01.f, or 10.f if negative; 0 of zero and NaR.
    zero, nar
        Whether it is zero or NaR; then scale means nothing.
    """

    sign: Value
    scale: Value
    significand: Value
    zero: Value
    nar: Value


def decode(m: Module, fmt: Posit, code: Value, name: str) -> Parts:
    """Return the parts of ``code``, an unsigned value of ``fmt.width`` bits.

    ``name`` is the prefix of the signals that this adds to ``m``.

    Cost: a leading-zero counter and a left shifter of ``fmt.width`` bits.
    """
    n, es = fmt.width, fmt.es
    sign, first = code[-1], code[n - 2]
    # Where the regime ends, its neighbours differ. One that fills the word ends below it.
    changes = Cat(C(1, 1), code[: n - 2] ^ code[1 : n - 1])
    run = wire(m, leading_zeros(m, changes, f"{name}_run")[: (n - 2).bit_length()], f"{name}_run")
    tail_bits = max(n - 3, 0)
    tail = wire(m, (code[:tail_bits] << run)[:tail_bits], f"{name}_tail")
    exponent, fraction = _split(tail, es, fraction_bits(fmt))
    # Complemented once for a regime below 0, and once for a negative posit.
    small = wire(m, ~(first ^ sign), f"{name}_small")
    scale = Cat(exponent ^ sign.replicate(es), run ^ small.replicate(len(run)), small)
    none = wire(m, (run == n - 2) & ~first, f"{name}_none")
    leading = Cat(~(sign | none), sign & ~none)
    return Parts(
        sign=sign,
        scale=wire(m, scale.as_signed(), f"{name}_scale"),
        significand=wire(m, Cat(fraction, leading).as_signed(), f"{name}_significand"),
        zero=none & ~sign,
        nar=none & sign,
    )


def _split(tail: Value, es: int, fraction: int) -> tuple[Value, Value]:
    """Return exponent and fraction; missing bits of the exponent are 0."""
    exponent = tail[fraction:]
    return Cat(C(0, es - len(exponent)), exponent), tail[:fraction]


def encode(
    m: Module, fmt: Posit, sign: Value, scale: Value, fraction: Value, sticky: Value, name: str
) -> Value:
    """Return the code of a number other than 0, rounded once to nearest even.

    Beyond the range the largest or smallest posit of that sign is taken, never NaR or 0.

    Parameters
    ----------
    fmt
        Format of the result.
    sign, scale, fraction
        The number is ``(1 + f) * 2**scale``, or ``(f - 2) * 2**scale`` if negative, where f is
        ``fraction / 2**len(fraction)``. ``scale`` is signed.
    sticky
        Whether anything follows below the fraction.
    name
        Prefix of the signals that this adds to ``m``.

    Cost: one right shifter of ``fmt.width`` bits and an incrementer.
    """
    n, es = fmt.width, fmt.es
    if len(scale) < es + 2:
        scale = Cat(scale, scale[-1].replicate(es + 2 - len(scale)))
    small = scale[-1]
    first = wire(m, ~(small ^ sign), f"{name}_first")
    exponent = scale[:es] ^ sign.replicate(es)
    regime = scale[es:-1] ^ small.replicate(len(scale) - es - 1)
    # What follows the sign, before the regime is stretched: kept bits and one to round by.
    string = Cat(fraction, exponent, ~first, first)
    rest = len(string) - n
    if rest > 0:
        sticky = string[:rest].any() | sticky
        string = string[rest:]
    elif rest < 0:
        string = Cat(C(0, -rest), string)

    bits = (n - 2).bit_length()
    beyond = regime[bits:].any()
    amount = wire(m, regime[:bits] | beyond.replicate(len(regime[:bits])), f"{name}_amount")
    saturated = wire(m, amount >= n - 2, f"{name}_saturated")
    for k in reversed(range(len(amount))):
        step = min(1 << k, n)
        sticky = sticky | (string[:step].any() & amount[k])
        shifted = Cat(string[step:], first.replicate(step))
        string = wire(m, Mux(amount[k], shifted, string), f"{name}_shifted_{k}")
    up = wire(m, string[0] & (string[1] | sticky) & ~saturated, f"{name}_up")
    body = Cat(string[1] | saturated, string[2:])
    return Cat((body + up)[: n - 1], sign)


def multiply(m: Module, fmt: Posit, a: Parts, w: Parts, name: str) -> Value:
    """Return the code of the product of ``a`` and ``w``, rounded once."""
    sign = wire(m, a.sign ^ w.sign, f"{name}_sign")
    exact = wire(m, booth_multiply(m, a.significand, w.significand, name), f"{name}_product")
    fraction = len(exact) - 4
    # The product of two significands is in (-4, -1) or [1, 4]. It is 4 only if both are -2.
    twice = wire(m, exact[fraction + 1] ^ sign, f"{name}_twice")
    both = a.sign & w.sign & ~(a.significand[:-2].any() | w.significand[:-2].any())
    scale = wire(m, a.scale + w.scale + Cat(C(0, 1), both), f"{name}_scale")
    scale = wire(m, (scale + twice)[: len(scale)].as_signed(), f"{name}_scale_of_product")
    # The fraction of 4 is 0 in any place.
    normal = Mux(twice, exact[: fraction + 1], exact[:fraction].shift_left(1))
    code = encode(m, fmt, sign, scale, wire(m, normal, f"{name}_normal"), C(0, 1), name)
    nar = a.nar | w.nar
    none = wire(m, nar | a.zero | w.zero, f"{name}_none")
    return Cat(code[:-1] & (~none).replicate(fmt.width - 1), (sign & ~none) | nar)


def round_quire(m: Module, fmt: Posit, quire: Value, exponent: int, nar: Value, name: str) -> Value:
    """Return the code of ``quire * 2**exponent``, rounded once; NaR where ``nar`` is set.

    Cost: a leading-zero counter and a left shifter as wide as ``quire``, a signed value.
    """
    width = len(quire)
    sign = quire[-1]
    # The fraction follows where neighbours differ first, as if zeros came below.
    changes = Cat(quire[0], quire[:-1] ^ quire[1:])
    skipped = leading_zeros(m, changes, f"{name}_skipped")[: width.bit_length()]
    skipped = wire(m, skipped, f"{name}_skipped")
    fraction = wire(m, (quire[:-1] << skipped)[: width - 2], f"{name}_fraction")
    scale = wire(m, C(exponent + width - 2) - skipped, f"{name}_scale")
    code = encode(m, fmt, sign, scale, fraction, C(0, 1), name)
    there = wire(m, quire.any() & ~nar, f"{name}_there")
    return Cat(code[:-1] & there.replicate(fmt.width - 1), (sign & there) | nar)
