"""Mistakes in tables that verification must find."""

import pytest

import rtl
import rtl.lut_table
from hwsim.units import make
from hwsim.units.sum_table import Combination
from rtl.blocks.sum_table import SumTable
from rtl.blocks.sums import IntegerAdders
from tests.rtl.mutants import ExtraCycle, failure_of

UNIT = make("lut_table", lanes=4, table_lanes=2, activation="int4")


class SwappedEntries(rtl.lut_table.LutTable):
    """Entries 0 and 1 change places."""

    def sum_table(self) -> SumTable:
        first, second, *others = self.spec.combinations
        swapped: list[Combination] = [second, first, *others]
        return SumTable(self.adders(), swapped)


class AddersOnly(IntegerAdders):
    """Nothing is subtracted."""

    def add(self, m, entry, operand, negative, name):
        return super().add(m, entry, operand, False, name)


class NothingSubtracted(rtl.lut_table.LutTable):
    """A table without subtraction."""

    def adders(self) -> AddersOnly:
        return AddersOnly(self.spec.sums)


@pytest.mark.parametrize("mutant", [SwappedEntries, NothingSubtracted])
def test_a_wrong_table_fails(mutant: type[rtl.lut_table.LutTable]) -> None:
    assert "expected" in failure_of(UNIT, mutant(UNIT))


def test_a_wrong_cycle_count_fails() -> None:
    assert "the golden model predicts" in failure_of(UNIT, ExtraCycle(UNIT))
