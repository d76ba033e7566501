import pytest
from amaranth.hdl import Module, Signal, signed
from amaranth.sim import Simulator

from rtl.blocks.booth import booth_multiply
from rtl.blocks.compress import Bit, compress, split


@pytest.mark.parametrize(("first", "second"), [(1, 1), (2, 2), (3, 5), (4, 3), (5, 5), (6, 1)])
def test_products_of_all_pairs(first: int, second: int) -> None:
    m = Module()
    a, b = Signal(signed(first)), Signal(signed(second))
    product = Signal(signed(first + second))
    m.d.comb += product.eq(booth_multiply(m, a, b, "x"))

    async def bench(ctx) -> None:
        for x in range(-1 << (first - 1), 1 << (first - 1)):
            for y in range(-1 << (second - 1), 1 << (second - 1)):
                ctx.set(a, x)
                ctx.set(b, y)
                assert ctx.get(product) == x * y

    simulator = Simulator(m)
    simulator.add_testbench(bench)
    simulator.run()


@pytest.mark.parametrize("constant", [0, 5, -3])
def test_bits_of_all_weights_are_added(constant: int) -> None:
    m = Module()
    bits = Signal(7)
    columns = split(constant, 5)
    places = [0, 0, 0, 1, 1, 3, 4]
    for k, place in enumerate(places):
        columns[place].append(Bit(k % 3, bits[k]))
    total = Signal(5)
    m.d.comb += total.eq(compress(m, columns, "x"))

    async def bench(ctx) -> None:
        for value in range(128):
            ctx.set(bits, value)
            expected = constant + sum((value >> k & 1) << place for k, place in enumerate(places))
            assert ctx.get(total) == expected % 32

    simulator = Simulator(m)
    simulator.add_testbench(bench)
    simulator.run()
