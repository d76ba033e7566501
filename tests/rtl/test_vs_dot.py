"""Mistakes in the hardware of ``vs_dot`` are found."""

import pytest
from amaranth.hdl import Module, Value

import rtl
from hwsim.units import UnitSpec, make
from rtl.blocks.columns import Columns
from rtl.vs_dot import VsDot
from tests.rtl.mutants import ExtraCycle, SwappedLanes, failure_of, without_carry

SCALES = {"weight_scale_bits": 4, "activation_scale_bits": 3}
LONG = make("vs_dot", lanes=2, block_size=4, weight="int3", activation="int4", **SCALES)
SHORT = make("vs_dot", lanes=4, block_size=2, weight="int3", activation="uint3", **SCALES)
ROUNDED = make("vs_dot", lanes=2, block_size=4, weight="int3", activation="int4", **SCALES,
               scale_product_bits=3)  # fmt: skip
SATURATING = make("vs_dot", lanes=2, block_size=2, weight="int3", activation="int4",
                  weight_scale_bits=4, activation_scale_bits=4, scale_product_bits=2)  # fmt: skip
PLAIN = make("vs_dot", lanes=2, block_size=2, weight="int3", activation="int4",
             weight_scale_bits=4, activation_scale_bits=0)  # fmt: skip


class OneScale(VsDot):
    """The first vector's scales are those of the last."""

    def factor(self, m: Module, vector: int) -> Value:
        return super().factor(m, self.spec.beat_blocks - 1)


class Truncated(VsDot):
    """Products of scales are truncated."""

    def rounded(self, m: Module, product: Value, vector: int) -> Value:
        return product[self.spec.dropped_bits :]


class Wrapping(VsDot):
    """The largest products of scales wrap."""

    def rounded(self, m: Module, product: Value, vector: int) -> Value:
        dropped = self.spec.dropped_bits
        return (product[dropped:] + product[dropped - 1])[: self.spec.factor_bits]


class ShortFactor(VsDot):
    """The highest bit of a factor is not connected."""

    def factor(self, m: Module, vector: int) -> Value:
        return super().factor(m, vector)[:-1]


class IgnoredLastVector(VsDot):
    """A vector that the dot product cuts short is not added."""

    def block_end(self, m: Module) -> Value:
        super().block_end(m)
        return self.position == self.spec.group_beats - 1


class NarrowVector(VsDot):
    """The sum that a vector carries from beat to beat is one bit short."""

    def add_beat(self, columns: Columns, carried: Value | None) -> Value:
        return super().add_beat(columns, carried)[: self.spec.block_bits].as_signed()


class DroppedCarry(VsDot):
    """No carry passes from the low 7 bits of the sum to the rest."""

    def add_vectors(self, columns: Columns, state: Value) -> Value:
        return without_carry(state, columns.total(), 7)


@pytest.mark.parametrize(
    ("unit", "mutant"),
    [
        (LONG, SwappedLanes),
        (SHORT, SwappedLanes),
        (SHORT, OneScale),
        (ROUNDED, Truncated),
        (SATURATING, Wrapping),
        (LONG, ShortFactor),
        (PLAIN, ShortFactor),
        (LONG, IgnoredLastVector),
        (LONG, NarrowVector),
        (LONG, DroppedCarry),
        (SHORT, DroppedCarry),
    ],
)
def test_a_wrong_unit_fails(unit: UnitSpec, mutant: type[rtl.Unit]) -> None:
    assert "expected" in failure_of(unit, mutant(unit))


def test_a_late_cycle_fails() -> None:
    assert "timing" in failure_of(LONG, ExtraCycle(LONG))
