"""Mistakes in the hardware of ``product_rom`` are found, and the ROM is small."""

from collections.abc import Sequence

import pytest
from amaranth.hdl import Array, C, Cat, Module, Value, signed

import rtl
from cost_models.netlist import netlist
from hwsim.units import make
from hwsim.units.dyadic import Dyadic
from rtl.blocks.adder_tree import tree_sum
from rtl.product_rom import ProductRom
from rtl.verification import verify
from tests.rtl.mutants import (
    DroppedCarry,
    ExtraCycle,
    LateAccumulator,
    SwappedLanes,
    failure_of,
    with_accumulator,
)

UNIT = make("product_rom", lanes=4, weight="posit4_1", activation="int4")


class PositiveWeights(ProductRom):
    """Products have the sign of the activation."""

    def negative(self, m: Module, code: Value, operand: Dyadic, k: int) -> Value:
        weight = self.spec.operand_formats()[1]
        return C(0, 1) if operand == weight else super().negative(m, code, operand, k)


class LostOnes(ProductRom):
    """Negation is inversion only."""

    def add(self, terms: Sequence[tuple[Value, Value]]) -> Value:
        return tree_sum([(Cat(n, C(0, 1)) ^ s.replicate(len(n) + 1)).as_signed() for n, s in terms])


class WrongEntry(ProductRom):
    """One product of the last lane is another one's."""

    def product(self, m: Module, activation: Value, weight: Value, k: int) -> tuple[Value, Value]:
        magnitude, negative = super().product(m, activation, weight, k)
        hit = (weight == 0b0111) & (activation == 7) if k == 3 else C(0, 1)
        return magnitude ^ hit, negative


class NoFlags(ProductRom):
    """NaR is worth 0."""

    def flags(self, m: Module, activation: Value, weight: Value, k: int) -> list[Value]:
        return [C(0, 1)]


class ListedProducts(ProductRom):
    """All products in a list, right but large."""

    def product(self, m: Module, activation: Value, weight: Value, k: int) -> tuple[Value, Value]:
        a, w = (operand.integers for operand in self.spec.operand_formats())
        width = max(abs(x * y) for y in w for x in a).bit_length() + 1
        listed = Array(C(x * y, signed(width)) for y in w for x in a)
        return listed[Cat(activation, weight)], C(0, 1)


@pytest.mark.parametrize("mutant", [SwappedLanes, PositiveWeights, LostOnes, WrongEntry, NoFlags])
def test_a_wrong_product_fails(mutant: type[rtl.Unit]) -> None:
    assert "expected" in failure_of(UNIT, mutant(UNIT))


def test_a_dropped_carry_fails() -> None:
    assert "expected" in failure_of(UNIT, with_accumulator(UNIT, DroppedCarry))


def test_a_late_beat_fails() -> None:
    assert "timing" in failure_of(UNIT, ExtraCycle(UNIT))


def test_a_late_result_fails() -> None:
    assert "timing" in failure_of(UNIT, with_accumulator(UNIT, LateAccumulator))


@pytest.mark.parametrize("weight", ["int4", "posit4_1"])
def test_the_rom_is_smaller_than_a_list(weight: str, monkeypatch: pytest.MonkeyPatch) -> None:
    unit = make("product_rom", lanes=4, weight=weight, activation="int4")
    gates = len(netlist(unit).types)
    monkeypatch.setattr(type(unit), "generator", ListedProducts)
    listed = len(netlist.__wrapped__(unit).types)
    assert gates < 0.9 * listed


def test_a_list_is_right() -> None:
    assert verify(UNIT, component=ListedProducts(UNIT)).passed
