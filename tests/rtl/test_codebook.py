"""Mistakes in the hardware of ``codebook`` are found."""

from dataclasses import replace

import pytest
from amaranth.hdl import Value

import rtl
import rtl.integer
from hwsim.units import UnitSpec, make
from hwsim.units.adders import Adders
from rtl.codebook import Codebook
from tests.rtl.mutants import (
    DroppedCarry,
    ExtraCycle,
    LateAccumulator,
    SwappedLanes,
    failure_of,
    with_accumulator,
)

CONSTANT = make("codebook", lanes=4, weight="nf4", activation="int8")
LOADED = make("codebook", lanes=4, weight="uint3", activation="int8", table="loaded")
FLOAT = make("codebook", lanes=2, weight="nf3", activation="e4m3", accumulator="fp16")


class UnsignedEntry(rtl.integer.Integer):
    """Lane products take the entry as unsigned."""

    def multiply(self, activation: Value, weight: Value) -> Value:
        return activation * weight.as_unsigned()


class UnsignedEntries(Codebook):
    """A unit whose multipliers do."""

    def mac(self) -> rtl.Unit:
        return UnsignedEntry(replace(self.spec.multiplier, adders=Adders.OPERATORS))


class DroppedCarries(Codebook):
    """A unit whose accumulator drops a carry."""

    def mac(self) -> rtl.Unit:
        return with_accumulator(self.spec.multiplier, DroppedCarry)


class LateResults(Codebook):
    """A unit whose results come a cycle late."""

    def mac(self) -> rtl.Unit:
        return with_accumulator(self.spec.multiplier, LateAccumulator)


class SwappedEntries(Codebook):
    """The lowest bit of lane 1's weight is inverted, which selects the entry beside."""

    def code(self, k: int) -> Value:
        return super().code(k) ^ (k == 1)


class StaleTable(Codebook):
    """The table is loaded once and kept for all dot products."""

    def ends(self) -> Value:
        return super().ends() & 0


class AlwaysLoading(Codebook):
    """The table is loaded from every beat, though the fields count in the first only."""

    def ends(self) -> Value:
        return super().ends() | 1


@pytest.mark.parametrize(
    ("unit", "mutant"),
    [
        (CONSTANT, SwappedLanes),
        (CONSTANT, UnsignedEntries),
        (CONSTANT, DroppedCarries),
        (FLOAT, SwappedEntries),
        (LOADED, SwappedLanes),
        (LOADED, SwappedEntries),
    ],
)
def test_a_wrong_sum_fails(unit: UnitSpec, mutant: type[rtl.Unit]) -> None:
    assert "expected" in failure_of(unit, mutant(unit))


def test_a_stale_table_fails() -> None:
    assert "expected" in failure_of(LOADED, StaleTable(LOADED))


def test_a_table_that_is_always_loaded_fails() -> None:
    assert "expected" in failure_of(LOADED, AlwaysLoading(LOADED))


@pytest.mark.parametrize("mutant", [ExtraCycle, LateResults])
def test_a_late_cycle_fails(mutant: type[rtl.Unit]) -> None:
    assert "timing" in failure_of(LOADED, mutant(LOADED))
