"""Ternary weights by table; see :mod:`hwsim.units.ternary_lut`."""

from collections.abc import Sequence
from typing import Any

from amaranth.hdl import C, Cat, Module, Value

from hwsim.units.sum_table import Combination
from hwsim.units.ternary_lut import Table, TernaryLutUnit
from rtl.adder_tile import AdderTile, Column, flipped
from rtl.blocks.adder_tree import tree_sum
from rtl.blocks.fma import Operand, operand
from rtl.blocks.select import pick
from rtl.blocks.sum_table import SumTable
from rtl.blocks.wire import wire


class TernaryLut(AdderTile):
    """A table a row and group, a decoder a column and group, a multiplexer and adder an element.

    Parameters and members are those of :class:`~rtl.base.Unit`, for a
    :class:`~hwsim.units.ternary_lut.TernaryLutUnit`; a beat holds the weights packed. Indices
    beyond the largest read 0.

    Timing: latency 1, interval 1; the input stalls while a result is not taken.

    Numerics: exact for integers; for minifloats one rounding an addition within a table, one a
    group in the accumulator, nearest even, with subnormals, infinity and NaN.

    Cost drivers: rows x groups x 3**table_lanes adders and elements x groups x 3**table_lanes
    multiplexer bits, both halved by ``symmetric``; elements x groups additions.
    """

    spec: TernaryLutUnit

    @property
    def indices(self) -> dict[int, Combination]:
        """The entries that are not the constant 0, by index."""
        return {k: weights for k, weights in enumerate(self.spec.entries) if any(weights)}

    def row(self, m: Module, activations: Sequence[Value], name: str) -> list[Any]:
        size = self.spec.table_lanes
        tables = []
        for g in range(self.spec.group_count):
            table = SumTable(self.adders, tuple(self.indices.values()))
            m.submodules[f"{name}_table_{g}"] = table
            m.d.comb += table.activations.eq(Cat(activations[g * size : (g + 1) * size]))
            tables.append([table.entries[k] for k in range(len(self.indices))])
        return tables

    def column(self, m: Module, weights: Sequence[Value], name: str) -> Column:
        bits = self.spec.index_bits
        choice = [
            wire(m, Cat(code[:bits] == k for k in self.indices), f"{name}_choice_{g}")
            for g, code in enumerate(weights)
        ]
        negative = [self.negative(code) for code in weights]
        ones = wire(m, tree_sum(negative), f"{name}_ones")
        return Column(negative, choice=choice, ones=ones)

    def negative(self, code: Value) -> Value:
        """Return whether the entry that a stored code reads is negated."""
        symmetric = self.spec.table is Table.SYMMETRIC
        return code[self.spec.index_bits] if symmetric else C(0, 1)

    def read(self, m: Module, row: Sequence[Any], column: Column, name: str) -> list[Value]:
        """Return the entries that an element reads, as bits."""
        return [
            wire(m, pick(choice, table), f"{name}_entry_{g}")
            for g, (choice, table) in enumerate(zip(column.choice, row, strict=True))
        ]

    def exact_terms(
        self, m: Module, row: Sequence[Any], column: Column, name: str
    ) -> Sequence[Value]:
        return [entry.as_signed() for entry in self.read(m, row, column, name)]

    def float_terms(
        self, m: Module, row: Sequence[Any], column: Column, name: str
    ) -> Sequence[Operand]:
        fmt = self.spec.table_format
        assert fmt is not None
        entries = [
            operand(m, fmt, code, f"{name}_term_{g}")
            for g, code in enumerate(self.read(m, row, column, name))
        ]
        return [
            flipped(entry, negative, C(1, 1))
            for entry, negative in zip(entries, column.negative, strict=True)
        ]
