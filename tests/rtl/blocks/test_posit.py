import numpy as np
import pytest
from amaranth.hdl import Module, Signal
from amaranth.sim import Simulator

from hwsim.formats.posit import Posit
from rtl.blocks.posit import decode, encode, fraction_bits, multiply, round_quire

ALL = [(width, es) for width in range(2, 9) for es in range(4)]


def run(m: Module, bench) -> None:
    simulator = Simulator(m)
    simulator.add_testbench(bench)
    simulator.run()


@pytest.mark.parametrize(("width", "es"), ALL)
def test_decoder_agrees_with_the_format(width: int, es: int) -> None:
    fmt = Posit(width, es)
    m = Module()
    code = Signal(width)
    parts = decode(m, fmt, code, "x")
    values = fmt.decode(np.arange(1 << width))

    async def bench(ctx) -> None:
        for value in range(1 << width):
            ctx.set(code, value)
            assert ctx.get(parts.zero) == (value == 0)
            assert ctx.get(parts.nar) == (value == fmt.nar_code)
            assert ctx.get(parts.sign) == value >> (width - 1)
            if value not in (0, fmt.nar_code):
                exponent = ctx.get(parts.scale) - fraction_bits(fmt)
                assert ctx.get(parts.significand) * 2.0**exponent == values[value]

    run(m, bench)


@pytest.mark.parametrize(("width", "es"), ALL)
def test_encoder_agrees_with_the_format(width: int, es: int) -> None:
    """Every scale in the range and beyond, with fractions at and around all ties."""
    fmt = Posit(width, es)
    bits = width
    m = Module()
    sign, scale, fraction, sticky = Signal(), Signal(signed_range(fmt)), Signal(bits), Signal()
    code = Signal(width)
    m.d.comb += code.eq(encode(m, fmt, sign, scale, fraction, sticky, "x"))
    reach = ((width - 2) << es) + (2 << es)
    fractions = sorted({f & ((1 << bits) - 1) for k in range(bits) for f in
                        (0, 1 << k, (1 << k) - 1, -1 << k, (3 << k) >> 1, -1)})  # fmt: skip
    cases = [
        (negative, exponent, f, below)
        for negative in (0, 1)
        for exponent in range(-reach, reach + 1)
        for f in fractions
        for below in (0, 1)
    ]
    # What is below the fraction is anything up to its last place: take half of that.
    s, t, f, b = np.array(cases).T
    significand = np.where(s, -2.0, 1.0) + (f + b / 2) * 2.0**-bits
    expected = fmt.encode(np.ldexp(significand, t))

    async def bench(ctx) -> None:
        for case, right in zip(cases, expected, strict=True):
            for signal, value in zip((sign, scale, fraction, sticky), case, strict=True):
                ctx.set(signal, value)
            assert ctx.get(code) == right, case

    run(m, bench)


def signed_range(fmt: Posit) -> range:
    reach = 2 * ((fmt.width << fmt.es) + 4)
    return range(-reach, reach)


@pytest.mark.parametrize(
    ("weight", "activation", "output"),
    [
        ((5, 0), (5, 0), (5, 0)),
        ((5, 1), (5, 1), (5, 1)),
        ((5, 2), (6, 0), (4, 1)),
        ((2, 0), (4, 3), (6, 3)),
        ((2, 0), (2, 0), (3, 3)),
    ],
)
def test_every_product_is_rounded_once(
    weight: tuple[int, int], activation: tuple[int, int], output: tuple[int, int]
) -> None:
    formats = Posit(*weight), Posit(*activation)
    fmt = Posit(*output)
    m = Module()
    codes = [Signal(f.width) for f in formats]
    parts = [decode(m, f, c, n) for f, c, n in zip(formats, codes, "ab", strict=True)]
    product = Signal(fmt.width)
    m.d.comb += product.eq(multiply(m, fmt, *parts, "p"))
    x, y = (f.decode(np.arange(1 << f.width)) for f in formats)
    expected = fmt.encode(np.outer(x, y))

    async def bench(ctx) -> None:
        for w in range(1 << formats[0].width):
            for a in range(1 << formats[1].width):
                ctx.set(codes[0], w)
                ctx.set(codes[1], a)
                assert ctx.get(product) == expected[w, a]

    run(m, bench)


@pytest.mark.parametrize(("width", "es"), [(5, 0), (5, 1), (6, 2), (2, 0)])
@pytest.mark.parametrize("exponent", [-12, -5, 0])
def test_every_quire_is_rounded_once(width: int, es: int, exponent: int) -> None:
    fmt = Posit(width, es)
    m = Module()
    quire, nar = Signal(11), Signal()
    code = Signal(width)
    m.d.comb += code.eq(round_quire(m, fmt, quire.as_signed(), exponent, nar, "x"))
    number = np.arange(-1024, 1024)
    expected = fmt.encode(np.ldexp(number.astype(float), exponent))

    async def bench(ctx) -> None:
        for value, right in zip(number.tolist(), expected, strict=True):
            ctx.set(quire, value & 2047)
            assert ctx.get(code) == right
        ctx.set(nar, 1)
        assert ctx.get(code) == fmt.nar_code

    run(m, bench)
