"""Mistakes in the hardware of ``lns`` are found."""

from dataclasses import replace

import pytest
from amaranth.hdl import C, Module, Value

import rtl
from hwsim.units import UnitSpec, make
from hwsim.units.adders import Adders
from rtl.blocks.rom import look_up
from rtl.exact_sum import Product, Stages
from rtl.lns import Lns, Operand
from tests.rtl.mutants import (
    DroppedCarry,
    ExtraCycle,
    LateAccumulator,
    SwappedLanes,
    failure_of,
    with_accumulator,
)

WHOLE = make("lns", lanes=4, weight="lns6_2", activation="lns6_2")
MIXED = make("lns", lanes=2, weight="lns4_0", activation="lns6_2")
WINDOW = make("lns", lanes=4, weight="lns6_2", activation="lns6_2", window_bits=12)
SEPARATE = replace(WINDOW, adders=Adders.OPERATORS)
LARGE = make("lns", lanes=2, weight="lns12_6", activation="lns12_6")


class PositiveWeights(Lns):
    """Products have the sign of the activation."""

    def operands(self, m: Module, lane: int) -> tuple[Operand, Operand]:
        a, w = super().operands(m, lane)
        return a, replace(w, sign=w.sign & w.reserved)


class ZeroIsSmallest(Lns):
    """A weight of 0 counts as the number below the smallest."""

    def operands(self, m: Module, lane: int) -> tuple[Operand, Operand]:
        a, w = super().operands(m, lane)
        return a, replace(w, reserved=w.reserved & w.sign)


class IgnoredNan(Lns):
    """NaN counts as 0."""

    def product(self, stages: Stages, lane: int) -> Product:
        return replace(super().product(stages, lane), flags={"nan": C(0, 1)})


class WrongEntry(Lns):
    """One significand of one lane is one too large."""

    def significand(self, m: Module, fraction: Value, lane: int) -> Value:
        table = list(self.spec.table)
        table[-1] += lane == self.spec.lanes - 1
        return look_up(m, fraction, table, f"table_{lane}")


class Misaligned(Lns):
    """Logarithms of both formats are added as if they had as many fraction bits."""

    def split(self, m: Module, a: Operand, w: Operand, lane: int) -> tuple[Value, Value]:
        activation, weight = self.spec.alignments
        swapped = [
            replace(one, logarithm=one.logarithm.shift_left(places))
            for one, places in ((a, weight), (w, activation))
        ]
        return super().split(m, swapped[0], swapped[1], lane)


class ShortShift(Lns):
    """The highest bit of the shift is not connected."""

    def shift(self, m: Module, product: Product, lane: int) -> Value:
        return super().shift(m, replace(product, shift=product.shift[:-1]), lane)


class Floor(Lns):
    """Products are truncated toward minus infinity."""

    def place(self, m: Module, product: Product, lane: int) -> Value:
        assert product.negative is not None
        signed = (product.value ^ product.negative.replicate(len(product.value))) + product.negative
        value = signed[: len(product.value) + 1].as_signed()
        return super().place(m, replace(product, value=value, negative=None), lane)


@pytest.mark.parametrize(
    ("unit", "mutant"),
    [
        (WHOLE, SwappedLanes),
        (WHOLE, PositiveWeights),
        (WHOLE, ZeroIsSmallest),
        (WHOLE, IgnoredNan),
        (WHOLE, WrongEntry),
        (LARGE, WrongEntry),
        (WHOLE, ShortShift),
        (MIXED, Misaligned),
        (SEPARATE, Floor),
        (WINDOW, PositiveWeights),
    ],
)
def test_a_wrong_product_fails(unit: UnitSpec, mutant: type[rtl.Unit]) -> None:
    assert "expected" in failure_of(unit, mutant(unit))


def test_a_dropped_carry_fails() -> None:
    assert "expected" in failure_of(WHOLE, with_accumulator(WHOLE, DroppedCarry))


@pytest.mark.parametrize(
    "component",
    [ExtraCycle(WHOLE), with_accumulator(WHOLE, LateAccumulator)],
    ids=["beat", "result"],
)
def test_a_late_cycle_fails(component: rtl.Unit) -> None:
    assert "timing" in failure_of(WHOLE, component)
