import pytest
from amaranth.hdl import Module, Signal
from amaranth.sim import Simulator

from hwsim.formats import Kind, parse_scalar
from hwsim.formats.minifloat import Minifloat
from hwsim.units.rounding import flush_unpacked
from rtl.blocks.minifloat import decode

FORMATS = ["e4m3", "e5m2", "e2m1", "e4m3fnuz", "e3m4",
           "minifloat(exponent=3,mantissa=0,bias=3,specials=none)",
           "minifloat(exponent=3,mantissa=2,bias=3,specials=p3109)",
           "e4m3u", "e5m3u_ieee", "binary8p3ue"]  # fmt: skip


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("flush", [False, True])
def test_decoder_agrees_with_the_format(name: str, flush: bool) -> None:
    fmt = parse_scalar(name)
    assert isinstance(fmt, Minifloat)
    m = Module()
    code = Signal(fmt.bits)
    parts = decode(m, fmt, code, "x", flush)
    kinds = {Kind.ZERO: parts.zero, Kind.INFINITY: parts.infinity, Kind.NAN: parts.nan}

    async def bench(ctx) -> None:
        for value in range(1 << fmt.bits):
            ctx.set(code, value)
            taken = fmt.unpack(value)
            if flush:
                taken = flush_unpacked(fmt, taken)
            kind, sign, significand, exponent = (int(part) for part in taken)
            assert ctx.get(parts.sign) == sign
            assert ctx.get(parts.significand) == significand
            if kind == Kind.FINITE:
                assert ctx.get(parts.shift) == exponent - fmt.subnormal_exponent
            for other, signal in kinds.items():
                assert ctx.get(signal) == (kind == other)

    simulator = Simulator(m)
    simulator.add_testbench(bench)
    simulator.run()
