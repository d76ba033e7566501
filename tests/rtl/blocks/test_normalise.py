import pytest
from amaranth.hdl import C, Cat, Module, Signal
from amaranth.sim import Simulator

from hwsim.formats import parse_scalar
from hwsim.formats.minifloat import Minifloat
from hwsim.units.rounding import SumRounding
from rtl.blocks.normalise import leading_zeros, round_magnitude


@pytest.mark.parametrize("width", [1, 2, 5, 8])
def test_leading_zeros(width: int) -> None:
    m = Module()
    value = Signal(width)
    zeros = leading_zeros(m, value, "zeros")

    async def bench(ctx) -> None:
        for number in range(1 << width):
            ctx.set(value, number)
            assert ctx.get(zeros) == width - number.bit_length()

    simulator = Simulator(m)
    simulator.add_testbench(bench)
    simulator.run()


@pytest.mark.parametrize("name", ["e4m3", "e5m2", "e3m4", "e5m2fnuz"])
@pytest.mark.parametrize("lowest", [-5, 0, 3, 9])
@pytest.mark.parametrize("rule", [SumRounding.NEAREST_EVEN, SumRounding.TOWARD_ZERO])
def test_rounding_agrees_with_the_format(name: str, lowest: int, rule: SumRounding) -> None:
    fmt = parse_scalar(name)
    assert isinstance(fmt, Minifloat)
    m = Module()
    value = Signal(10)
    code, overflow = round_magnitude(m, fmt, value, C(lowest, 6).as_signed(), "x", rule)
    both = Signal(fmt.bits)
    m.d.comb += both.eq(Cat(code, overflow))

    async def bench(ctx) -> None:
        for number in range(1 << 10):
            ctx.set(value, number)
            x = number * 2.0 ** (lowest + fmt.subnormal_exponent)
            saturated, ieee = (int(fmt.encode(x, rule, o)) for o in ("saturate", "ieee"))
            found = ctx.get(both)
            assert found >> (fmt.bits - 1) == (saturated != ieee)
            if saturated == ieee:
                assert found == saturated

    simulator = Simulator(m)
    simulator.add_testbench(bench)
    simulator.run()
