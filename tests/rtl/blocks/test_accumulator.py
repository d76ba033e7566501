from amaranth.hdl import signed
from amaranth.sim import Simulator

from rtl.blocks.accumulator import Accumulator


def test_sums_wrap_and_flags_stick() -> None:
    dut = Accumulator(4, signed(4), flags=2)
    seen: list[int] = []

    async def bench(ctx) -> None:
        ctx.set(dut.o.ready, 1)
        ctx.set(dut.i.valid, 1)
        for term, flags, last in [(7, 0b01, 0), (3, 0b10, 1), (-8, 0, 1)]:
            ctx.set(dut.i.payload, {"term": term, "flags": flags, "last": last})
            await ctx.tick()
            if ctx.get(dut.o.valid):
                seen.append(ctx.get(dut.o.payload))

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    assert seen == [0b11_1010, 0b00_1000]
