"""Ternary weights by table; see :mod:`hwsim.units.ternary_lut`."""

from collections.abc import Sequence
from typing import Any

from amaranth.hdl import Array, C, Cat, Module, Value

from hwsim.units.ternary_lut import Table, TernaryLutUnit
from rtl.adder_tile import AdderTile, Column
from rtl.blocks.fma import Operand, operand
from rtl.blocks.sum_table import SumTable
from rtl.blocks.wire import wire


class TernaryLut(AdderTile):
    """A table a row and group, a multiplexer an element and group, adders and accumulators.

    Parameters and members are those of :class:`~rtl.base.Unit`, for a
    :class:`~hwsim.units.ternary_lut.TernaryLutUnit`; a beat holds the weights packed. Indices
    beyond the largest read the last entry.

    Timing: latency 1, interval 1; the input stalls while a result is not taken.

    Numerics: exact for integers; for minifloats one rounding an addition within a table, one a
    group in the accumulator, nearest even, with subnormals, infinity and NaN.

    Cost drivers: rows x groups x 3**table_lanes adders and elements x groups x 3**table_lanes
    multiplexer bits, both halved by ``symmetric``; elements x groups additions.
    """

    spec: TernaryLutUnit

    def row(self, m: Module, activations: Sequence[Value], name: str) -> list[Any]:
        size = self.spec.table_lanes
        tables = []
        for g in range(self.spec.group_count):
            table = SumTable(self.adders, self.spec.entries)
            m.submodules[f"{name}_table_{g}"] = table
            m.d.comb += table.activations.eq(Cat(activations[g * size : (g + 1) * size]))
            tables.append(Array(table.entries[k] for k in range(len(self.spec.entries))))
        return tables

    def column(self, m: Module, weights: Sequence[Value], name: str) -> Column:
        indices = [code[: self.spec.index_bits] for code in weights]
        negative = [self.negative(code) for code in weights]
        return Column(negative, indices=indices, ones=self.ones(m, negative, name))

    def negative(self, code: Value) -> Value:
        """Return whether the entry that a stored code reads is negated."""
        symmetric = self.spec.table is Table.SYMMETRIC
        return code[self.spec.index_bits] if symmetric else C(0, 1)

    def values(self, m: Module, row: Sequence[Any], column: Column, name: str) -> Sequence[Value]:
        return [
            wire(m, table[index], f"{name}_entry_{g}")
            for g, (table, index) in enumerate(zip(row, column.indices, strict=True))
        ]

    def float_terms(
        self, m: Module, row: Sequence[Any], column: Column, name: str
    ) -> Sequence[Operand]:
        fmt = self.spec.table_format
        assert fmt is not None
        entries = self.values(m, row, column, name)
        operands = [operand(m, fmt, code, f"{name}_term_{g}") for g, code in enumerate(entries)]
        return super().float_terms(m, operands, column, name)
