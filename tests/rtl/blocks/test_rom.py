import numpy as np
import pytest
from amaranth.hdl import Fragment, Module, Signal
from amaranth.sim import Simulator

from rtl.blocks.rom import look_up

RANDOM = np.random.default_rng(0).integers(0, 1 << 5, 64).tolist()


@pytest.mark.parametrize(
    ("table", "width"),
    [
        ([5], 3),
        ([0, 1], 1),
        ([3, 0], 2),
        ([0, 0, 0, 0], 1),
        ([7, 7, 7, 7], 3),
        ([a * b for a in range(4) for b in range(4)], 4),
        (RANDOM, 5),
    ],
)
def test_every_entry_is_found(table: list[int], width: int) -> None:
    m = Module()
    index = Signal((len(table) - 1).bit_length())
    found = look_up(m, index, table, "rom")
    assert len(found) == width
    out = Signal(width)
    m.d.comb += out.eq(found)

    async def bench(ctx) -> None:
        for code, entry in enumerate(table):
            ctx.set(index, code)
            await ctx.delay(1e-9)
            assert ctx.get(out) == entry

    simulator = Simulator(m)
    simulator.add_testbench(bench)
    simulator.run()


def test_a_table_fills_its_index() -> None:
    m = Module()
    with pytest.raises(ValueError, match="3 entries do not fill an index of 2 bits"):
        look_up(m, Signal(2), [1, 2, 3], "rom")
    Fragment.get(m, None)  # A module that is never used is a warning.
