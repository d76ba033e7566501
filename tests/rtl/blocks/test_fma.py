"""The fused adder alone: every product and addend of small formats."""

import itertools
from fractions import Fraction

import numpy as np
import pytest
from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from amaranth.sim import Simulator

from hwsim.formats import parse_scalar
from hwsim.formats.base import Format, Overflow
from hwsim.formats.minifloat import Minifloat
from rtl.blocks.fma import FusedAdd, multiply, operand


class MultiplyAdd(wiring.Component):
    """``a * w + c`` in the format of c."""

    def __init__(self, a: Format, w: Format, c: Minifloat) -> None:
        self.formats = a, w, c
        super().__init__({"a": In(a.bits), "w": In(w.bits), "c": In(c.bits), "o": Out(c.bits)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        a, w, c = self.formats
        product = multiply(m, operand(m, a, self.a, "a"), operand(m, w, self.w, "w"), "product")
        m.d.comb += self.o.eq(FusedAdd(c, product).sum(m, self.c, "sum"))
        return m


def expected(a: float, w: float, c: float, fmt: Minifloat) -> int:
    """Return the code of a * w + c, from exact fractions where all are finite."""
    if not np.isfinite([a, w, c]).all():
        with np.errstate(invalid="ignore"):
            return int(fmt.encode(np.float64(a) * w + c, overflow=Overflow.IEEE))
    exact = Fraction(a) * Fraction(w) + Fraction(c)
    if exact == 0:
        # IEEE 754 section 6.3: like signs keep theirs, an exact cancellation is +0.
        return int(fmt.encode(a * w + c))
    # These formats have few bits: what float64 cannot hold does not exist here.
    assert Fraction(float(exact)) == exact
    return int(fmt.encode(float(exact), overflow=Overflow.IEEE))


def small(exponent: int, mantissa: int, bias: int, specials: str) -> str:
    return f"minifloat(exponent={exponent},mantissa={mantissa},bias={bias},specials={specials})"


FORMATS = [
    # One format: a product has as many bits as a significand, or both factors are subnormal.
    pytest.param((small(3, 1, 3, "ieee"),) * 3, marks=pytest.mark.exhaustive),
    (small(2, 2, 1, "ieee"),) * 3,
    pytest.param(
        (small(3, 1, 4, "fnuz"), small(2, 2, 1, "fn"), small(3, 1, 3, "ieee")),
        marks=pytest.mark.exhaustive,
    ),
    # Few product bits beside a long significand, far above, around and far below it.
    pytest.param(
        (small(2, 0, 1, "none"), small(2, 1, 1, "none"), small(3, 3, 3, "ieee")),
        marks=pytest.mark.exhaustive,
    ),
    (small(2, 1, -6, "none"), small(2, 0, 1, "none"), small(3, 3, 3, "ieee")),
    (small(2, 1, 9, "none"), small(2, 0, 1, "none"), small(3, 3, 3, "ieee")),
    (small(2, 1, 5, "none"), small(2, 1, 5, "none"), small(2, 3, 1, "fn")),
]


@pytest.mark.parametrize("names", FORMATS, ids=lambda names: "-".join(names))
def test_all_products_and_addends(names: tuple[str, str, str]) -> None:
    a, w, c = (parse_scalar(name) for name in names)
    assert isinstance(c, Minifloat)
    dut = MultiplyAdd(a, w, c)
    tables = [fmt.decode(np.arange(1 << fmt.bits)).tolist() for fmt in (a, w, c)]
    wrong = []

    async def bench(context) -> None:
        for codes in itertools.product(*(range(len(table)) for table in tables)):
            for port, code in zip((dut.a, dut.w, dut.c), codes, strict=True):
                context.set(port, code)
            want = expected(*(table[k] for table, k in zip(tables, codes, strict=True)), c)
            if context.get(dut.o) != want:
                wrong.append((codes, context.get(dut.o), want))

    simulator = Simulator(dut)
    simulator.add_testbench(bench)
    simulator.run()
    assert not wrong, wrong[:5]
