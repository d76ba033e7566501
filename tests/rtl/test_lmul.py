"""Mistakes in the hardware of ``lmul`` are found."""

import pytest
from amaranth.hdl import Module, Value

import rtl
from hwsim.units import UnitSpec, make
from rtl.blocks.minifloat import Decoded
from rtl.lmul import Lmul
from tests.rtl.mutants import (
    DroppedCarry,
    ExtraCycle,
    LateAccumulator,
    SwappedLanes,
    failure_of,
    with_accumulator,
)

CARRY = make("lmul", lanes=8, weight="e4m3", activation="e4m3")
FORMULA = make("lmul", lanes=8, weight="e4m3", activation="e4m3", reading="formula")


class PositiveWeights(Lmul):
    """Products have the sign of the activation."""

    def sign(self, a: Decoded, w: Decoded) -> Value:
        return a.sign


class NextConstant(Lmul):
    """The constant is one too large."""

    def field(self, m: Module, x: Value, y: Value, k: int) -> Value:
        return super().field(m, x, y, k) + 1


class WrappedField(Lmul):
    """A product beyond the range wraps."""

    def field(self, m: Module, x: Value, y: Value, k: int) -> Value:
        return super().field(m, x, y, k)[: self.spec.largest_code.bit_length()]


class CarryForFormula(Lmul):
    """The carry runs into the exponent, and the mantissa is not halved."""

    def field(self, m: Module, x: Value, y: Value, k: int) -> Value:
        return (x + y + self.spec.constant).shift_left(1)


@pytest.mark.parametrize(
    ("unit", "mutant"),
    [
        (CARRY, SwappedLanes),
        (CARRY, PositiveWeights),
        (CARRY, NextConstant),
        (FORMULA, WrappedField),
        (FORMULA, CarryForFormula),
    ],
)
def test_a_wrong_product_fails(unit: UnitSpec, mutant: type[rtl.Unit]) -> None:
    assert "expected" in failure_of(unit, mutant(unit))


def test_a_dropped_carry_fails() -> None:
    assert "expected" in failure_of(CARRY, with_accumulator(CARRY, DroppedCarry))


def test_a_late_beat_fails() -> None:
    assert "timing" in failure_of(CARRY, ExtraCycle(CARRY))


def test_a_late_result_fails() -> None:
    assert "timing" in failure_of(CARRY, with_accumulator(CARRY, LateAccumulator))
