"""Adder tiles and ternary tables: every index with every table, and hardware with one mistake."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np
import pytest
from amaranth.hdl import C, Module, Value
from amaranth.sim import Simulator

import rtl
import rtl.serial_add
import rtl.ternary_add
import rtl.ternary_lut
from hwsim.formats.base import Codes
from hwsim.units import UnitSpec, make
from rtl.adder_tile import AdderTile, Column
from rtl.blocks.fma import FusedAdd, Operand
from rtl.blocks.sums import FloatAdders
from tests.rtl.mutants import ExtraCycle, SwappedLanes, failure_of, without_carry


def simulate(unit: UnitSpec, activations: Codes, weights: Codes) -> list[int]:
    """Return the results of dot products of one beat, from a unit of one cycle."""
    dut = rtl.create(unit)
    words = [unit.pack_beats(*row)[0] for row in zip(activations, weights, strict=True)]
    results = []

    async def bench(ctx) -> None:
        ctx.set(dut.o.ready, 1)
        ctx.set(dut.i.valid, 1)
        for word in words:
            ctx.set(dut.i.payload.as_value(), word)
            await ctx.tick()
            results.append(ctx.get(dut.o.payload))

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    return results


@pytest.mark.parametrize("table", ["full", "symmetric"])
@pytest.mark.parametrize(
    ("table_lanes", "activation"),
    [
        (2, "int2"),
        (2, "int3"),
        (2, "uint3"),
        (3, "int2"),
        (3, "uint2"),
        (3, "int3"),
        (4, "int2"),
        (5, "int1"),
    ],
)
def test_every_index_of_every_table(table_lanes: int, activation: str, table: str) -> None:
    rows, columns = 4, 9
    unit = make("ternary_lut", lanes=table_lanes, table_lanes=table_lanes, weight="ternary",
                activation=activation, table=table, row_count=rows, column_count=columns,
                accumulator_bits=6)  # fmt: skip
    values = list(product(range(1 << unit.activation.bits), repeat=table_lanes))
    indices = list(product((0, 1, 3), repeat=table_lanes))
    tables = np.array(values, np.uint8).reshape(-1, rows * table_lanes)
    groups = np.array(indices, np.uint8).reshape(-1, columns * table_lanes)
    # Every row of tables with every row of indices.
    activations = np.repeat(tables, len(groups), axis=0)
    weights = np.tile(groups, (len(tables), 1))
    expected = unit.dot(activations, weights)
    assert simulate(unit, activations, weights) == expected.tolist()


TERNARY = {"lanes": 6, "weight": "ternary", "activation": "int8"}
FLOAT = {"lanes": 2, "weight": "ternary", "activation": "e4m3", "accumulator": "fp16"}
MUTATED = {
    "serial_add": make("serial_add", lanes=3, weight="int3", activation="int8"),
    "ternary_add": make("ternary_add", **TERNARY),
    "ternary_lut": make("ternary_lut", **TERNARY),
}
FLOATS = {
    "serial_add": make("serial_add", **(FLOAT | {"weight": "int2"})),
    "ternary_add": make("ternary_add", **FLOAT),
    "ternary_lut": make("ternary_lut", **(FLOAT | {"lanes": 4}), table_lanes=2),
}


class PositivePlanes(rtl.serial_add.SerialAdd):
    """The sign bit counts positively."""

    def negative_plane(self) -> Value:
        return C(0, 1)


class PositiveAdd(rtl.ternary_add.TernaryAdd):
    """Weights lose their sign."""

    def negative(self, weight: Value) -> Value:
        return C(0, 1)


class PositiveLut(rtl.ternary_lut.TernaryLut):
    """Stored codes lose their sign."""

    def negative(self, code: Value) -> Value:
        return C(0, 1)


WRONG_SIGN = {
    "serial_add": PositivePlanes, "ternary_add": PositiveAdd, "ternary_lut": PositiveLut
}  # fmt: skip


def with_mistake(unit: UnitSpec, mistake: type) -> AdderTile:
    """Return the unit's hardware with the methods of ``mistake`` in the place of its own."""
    return type("Mutant", (mistake, rtl.generator(type(unit))), {})(unit)


class DroppedCarry:
    """No carry passes from the low 7 bits of the sum to the rest."""

    def add(self, state: Value, total: Value) -> Value:
        return without_carry(state, total, 7)


class MissingOnes:
    """Negation is inversion, without plus one."""

    def column(self, m: Module, weights: Sequence[Value], name: str) -> Column:
        return replace(super().column(m, weights, name), ones=C(0, 1))


class ReversedOrder:
    """Floating-point terms are added from the last to the first."""

    def float_terms(
        self, m: Module, row: Sequence[Any], column: Column, name: str
    ) -> Sequence[Operand]:
        return super().float_terms(m, row, column, name)[::-1]


class InfinityTimesZero:
    """A digit 0 leaves infinity and NaN."""

    def float_terms(
        self, m: Module, row: Sequence[Any], column: Column, name: str
    ) -> Sequence[Operand]:
        terms = super().float_terms(m, row, column, name)
        return [
            replace(t, parts=replace(t.parts, nan=given.parts.nan, infinity=given.parts.infinity))
            for t, given in zip(terms, row, strict=True)
        ]


class CarrylessAdd(FusedAdd):
    """No carry passes from the low 4 bits of the term's place to the rest."""

    def add(self, fixed: Value, aligned: Value) -> Value:
        return without_carry(fixed, aligned, self.below + 1 + 2)


class CarrylessAdders(FloatAdders):
    """Accumulators with that adder."""

    def fused_add(self, term: Operand) -> FusedAdd:
        return CarrylessAdd(self.sums.accumulator, term)


class DroppedFloatCarry:
    """Floating-point accumulators drop a carry."""

    def make_adders(self) -> FloatAdders:
        return CarrylessAdders(self.spec.sums)


@pytest.mark.parametrize("family", MUTATED)
def test_a_wrong_sign_fails(family: str) -> None:
    assert "expected" in failure_of(MUTATED[family], WRONG_SIGN[family](MUTATED[family]))


@pytest.mark.parametrize("family", MUTATED)
def test_a_dropped_carry_fails(family: str) -> None:
    assert "expected" in failure_of(MUTATED[family], with_mistake(MUTATED[family], DroppedCarry))


@pytest.mark.parametrize("family", MUTATED)
def test_a_swapped_lane_fails(family: str) -> None:
    assert "expected" in failure_of(MUTATED[family], SwappedLanes(MUTATED[family]))


def test_a_swapped_column_fails() -> None:
    unit = replace(MUTATED["ternary_lut"], lanes=3, column_count=2)
    assert "expected" in failure_of(unit, SwappedLanes(unit))


@pytest.mark.parametrize("family", MUTATED)
def test_a_wrong_cycle_count_fails(family: str) -> None:
    assert "the golden model predicts" in failure_of(MUTATED[family], ExtraCycle(MUTATED[family]))


@pytest.mark.parametrize("family", ["ternary_add", "ternary_lut"])
def test_a_missing_one_fails(family: str) -> None:
    assert "expected" in failure_of(MUTATED[family], with_mistake(MUTATED[family], MissingOnes))


@pytest.mark.parametrize(
    ("family", "mistake"),
    [("serial_add", ReversedOrder), ("ternary_add", ReversedOrder),
     ("ternary_lut", ReversedOrder), ("ternary_lut", DroppedFloatCarry)],
)  # fmt: skip
def test_a_wrong_chain_of_additions_fails(family: str, mistake: type) -> None:
    assert "expected" in failure_of(FLOATS[family], with_mistake(FLOATS[family], mistake))


def test_infinity_times_zero_fails() -> None:
    unit = FLOATS["ternary_add"]
    assert "expected" in failure_of(unit, with_mistake(unit, InfinityTimesZero))
