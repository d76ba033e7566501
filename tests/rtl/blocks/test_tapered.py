import numpy as np
import pytest
from amaranth.hdl import C, Cat, Module, Signal
from amaranth.sim import Simulator

from hwsim.formats import Kind, parse_scalar
from hwsim.formats.base import Format
from hwsim.formats.dybit import DyBit
from hwsim.formats.flint import Flint
from hwsim.formats.posit import Posit
from hwsim.units.exact_sum import unit_exponent
from rtl.blocks import posit
from rtl.blocks.minifloat import Decoded
from rtl.blocks.tapered import HIF8_FRACTION, dybit, flint, hif8

WIDTHS = ("3", "4", "8", "2u", "4u", "8u")
NAMES = ["hif8", *(f"flint{w}" for w in WIDTHS), *(f"dybit{w}" for w in WIDTHS)]


def decoder(m: Module, fmt: Format, code: Signal) -> tuple[Decoded, int]:
    """Return the decoder's output and the exponent of its significand at shift 0."""
    if isinstance(fmt, Flint):
        return flint(m, fmt, code, "x"), unit_exponent(fmt)
    if isinstance(fmt, DyBit):
        return dybit(m, fmt, code, "x"), unit_exponent(fmt)
    return hif8(m, code, "x"), unit_exponent(fmt) - HIF8_FRACTION


@pytest.mark.parametrize("name", NAMES)
def test_decoder_agrees_with_the_format(name: str) -> None:
    fmt = parse_scalar(name)
    m = Module()
    code = Signal(fmt.bits)
    parts, lowest = decoder(m, fmt, code)
    codes = np.arange(1 << fmt.bits, dtype=fmt.code_dtype)
    values, kinds = fmt.decode(codes), fmt.unpack(codes).kind

    async def bench(ctx) -> None:
        for k, (value, kind) in enumerate(zip(values, kinds, strict=True)):
            ctx.set(code, k)
            magnitude = ctx.get(parts.significand) * 2.0 ** (ctx.get(parts.shift) + lowest)
            assert magnitude == (abs(value) if np.isfinite(value) else 0)
            if not np.isnan(value):
                assert ctx.get(parts.sign) == np.signbit(value)
            assert ctx.get(parts.zero) == (kind == Kind.ZERO)
            assert ctx.get(parts.infinity) == (kind == Kind.INFINITY)
            assert ctx.get(parts.nan) == (kind == Kind.NAN)

    simulator = Simulator(m)
    simulator.add_testbench(bench)
    simulator.run()


@pytest.mark.parametrize("name", ["dybit2u", "dybit4u", "dybit8u"])
def test_dybit_is_half_of_a_posit(name: str) -> None:
    """A posit decoder without exponent bits gives the same values."""
    fmt = parse_scalar(name)
    twin = Posit(fmt.bits + 1, 0)
    m = Module()
    code = Signal(fmt.bits)
    parts, lowest = decoder(m, fmt, code)
    other = posit.decode(m, twin, Cat(code, C(0, 1)), "y")

    async def bench(ctx) -> None:
        for k in range(1, 1 << fmt.bits):
            ctx.set(code, k)
            exponent = ctx.get(other.scale) - posit.fraction_bits(twin)
            value = ctx.get(other.significand) * 2.0**exponent
            assert ctx.get(parts.significand) * 2.0 ** (ctx.get(parts.shift) + lowest) == value

    simulator = Simulator(m)
    simulator.add_testbench(bench)
    simulator.run()
