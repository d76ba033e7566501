"""HiFloat8, flint and DyBit operands taken apart, combinationally.

Each decoder gives the parts of :mod:`rtl.blocks.minifloat`: sign, a small significand, and a
shift. The shifts of flint and DyBit count from the format's smallest value; those of HiFloat8 from
``HIF8_FRACTION`` places below it, as its significands are aligned to the left.
"""

from amaranth.hdl import C, Cat, Module, Mux, Value

from hwsim.formats.base import Format
from hwsim.formats.dybit import DyBit
from hwsim.formats.flint import Flint
from rtl.blocks.minifloat import Decoded
from rtl.blocks.normalise import leading_zeros
from rtl.blocks.wire import wire

#: Fraction bits of a HiFloat8 significand, and the exponent of its smallest value.
HIF8_FRACTION = 3
_HIF8_SMALLEST = -22


def flint(m: Module, fmt: Flint, code: Value, name: str) -> Decoded:
    """Return the parts of a flint ``code``; cost: a leading-zero counter."""
    return _integer_and_shift(m, fmt, code, code[: fmt.magnitude_bits], fmt.signed, name)


def dybit(m: Module, fmt: DyBit, code: Value, name: str) -> Decoded:
    """Return the parts of a DyBit ``code``: those of the flint of the same value.

    Where a flint counts zeros after a leading one, DyBit counts ones, so the run and the bit that
    ends it are inverted. Cost: a chain of that, and a leading-zero counter.
    """
    bits = fmt.magnitude_bits
    inside = code[bits - 1]
    flipped = [inside]
    for k in reversed(range(bits - 1)):
        flipped.append(code[k] ^ inside)
        inside = inside & code[k]
    magnitude = wire(m, Cat(*reversed(flipped)), f"{name}_magnitude")
    return _integer_and_shift(m, fmt, code, magnitude, fmt.signed, name)


def _integer_and_shift(
    m: Module, fmt: Format, code: Value, magnitude: Value, signed: bool, name: str
) -> Decoded:
    leading, rest = magnitude[-1], magnitude[:-1]
    zeros = wire(m, leading_zeros(m, rest, f"{name}_zeros"), f"{name}_zeros")
    # Without a one to follow, it is the largest value: 1, as far up as it goes.
    largest = wire(m, leading & ~rest.any(), f"{name}_largest")
    none = C(0, 1)
    return Decoded(
        sign=code[-1] if signed else none,
        significand=wire(m, Cat(rest[0] | largest, rest[1:]), f"{name}_significand"),
        shift=wire(
            m, Cat(leading & ~largest, zeros & leading.replicate(len(zeros))), f"{name}_shift"
        ),
        zero=~magnitude.any(),
        infinity=none,
        nan=none,
    )


def hif8(m: Module, code: Value, name: str) -> Decoded:
    """Return the parts of a HiFloat8 ``code``.

    Cost: the dot field's decoder, multiplexers for significand and exponent, a six-bit adder.
    """
    body, sign = code[:7], code[7]
    nan = wire(m, sign & ~body.any(), f"{name}_nan")
    infinity = wire(m, body == 0x6F, f"{name}_infinity")
    long, short = body[6], body[5]
    four, three, two = long & short, long & ~short, ~long & short
    one = ~(long | short) & body[4]
    denormal = wire(m, ~body[3:].any(), f"{name}_denormal")

    # Exponent: a sign, and a magnitude whose leading one is implied.
    size = Mux(long, Mux(short, Cat(body[1:4], 1), Cat(body[2:4], 1)),
               Mux(short, Cat(body[3], 1), one))  # fmt: skip
    below = wire(m, Mux(one, body[3], body[4]) & (four | three | two | one), f"{name}_below")
    exponent = Mux(denormal, body[:3], size ^ below.replicate(4))
    exponent = Cat(exponent, below.replicate(2))
    # Denormals count from -23, the others from 0.
    base = Mux(denormal, C(-1, 6), C(-_HIF8_SMALLEST, 6))
    shift = (exponent + base + below)[:6]

    # Fraction, aligned to the left.
    fraction = Mux(long, Mux(short, Cat(C(0, 2), body[0]), Cat(C(0, 1), body[:2])), body[:3])
    fraction = fraction & (~denormal).replicate(HIF8_FRACTION)
    there = ~infinity & body.any()
    significand = Cat(fraction & (~infinity).replicate(HIF8_FRACTION), there)
    return Decoded(
        sign=sign,
        significand=wire(m, significand, f"{name}_significand"),
        shift=wire(m, shift, f"{name}_shift"),
        zero=code == 0,
        infinity=infinity,
        nan=nan,
    )
