"""Tiles that add activations, or sums of them; see :mod:`hwsim.units.adder_tile`."""

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from amaranth.hdl import C, Cat, Module, Value
from amaranth.lib import wiring

from hwsim.units.adder_tile import AdderTile as Spec
from hwsim.units.sums import IntegerSums
from rtl.base import Unit
from rtl.blocks.adder_tree import tree_sum
from rtl.blocks.fma import Operand
from rtl.blocks.fold import Fold
from rtl.blocks.sums import FloatAdders, IntegerAdders, adders
from rtl.blocks.wire import wire


@dataclass(frozen=True)
class Column:
    """What a column's weights ask of every row.

    Attributes
    ----------
    negative
        Whether a term is negated, for every term.
    keep
        Whether a term counts at all, for every term; empty where all do.
    indices
        Which entry of its table a term is; empty where there are no tables.
    ones
        How many terms are negated: what negation by inversion leaves to be added.
    """

    negative: Sequence[Value]
    keep: Sequence[Value] = ()
    indices: Sequence[Value] = ()
    ones: Value = field(default_factory=lambda: C(0, 1))


class AdderTile(Unit):
    """Rows and columns decoded once each, an adder an element, one register of all results.

    Subclasses say what a row and a column are and what an element adds. Parameters and members are
    those of :class:`~rtl.base.Unit`, for a :class:`~hwsim.units.adder_tile.AdderTile`.
    """

    spec: Spec

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.rows = rows = Module()
        m.submodules.columns = columns = Module()
        m.submodules.elements = elements = Module()
        m.submodules.fold = fold = Fold(self.spec.result.bits)
        self.adders = self.make_adders()
        # High in a cycle whose sums the accumulators take.
        step = wire(m, self.i.valid & fold.i.ready, "step")
        final = self.control(m, step)

        lanes = range(self.spec.lanes)
        beat = self.i.payload
        row_parts = [
            self.row(rows, [beat.activations[r * len(lanes) + k] for k in lanes], f"row_{r}")
            for r in range(self.spec.row_count)
        ]
        per_column = self.spec.stored_weights.count // self.spec.column_count
        column_parts = [
            self.column(
                columns, [beat.weights[c * per_column + k] for k in range(per_column)],
                f"column_{c}",
            )
            for c in range(self.spec.column_count)
        ]  # fmt: skip

        width = self.spec.result.bits // (self.spec.row_count * self.spec.column_count)
        for r, row in enumerate(row_parts):
            for c, column in enumerate(column_parts):
                place = (r * self.spec.column_count + c) * width
                state = fold.state[place : place + width]
                value = self.element(elements, state, row, column, f"element_{r}_{c}")
                m.d.comb += fold.i.payload.value[place : place + width].eq(value)
        m.d.comb += [
            fold.i.payload.last.eq(beat.last & final),
            fold.i.valid.eq(self.i.valid),
            self.i.ready.eq(fold.i.ready & final),
        ]
        wiring.connect(m, fold.o, wiring.flipped(self.o))
        return m

    def make_adders(self) -> IntegerAdders | FloatAdders:
        """Return the adders of the arithmetic."""
        return adders(self.spec.sums)

    def control(self, m: Module, step: Value) -> Value:
        """Return whether the beat's last cycle is reached; ``step`` is high in cycles that count.

        Units of several cycles a beat override it.
        """
        return C(1, 1)

    def ones(self, m: Module, negative: Sequence[Value], name: str) -> Value:
        """Return how many integer terms of a column are negated; nothing for minifloats."""
        if isinstance(self.adders, FloatAdders):
            return C(0, 1)
        return wire(m, tree_sum(negative), f"{name}_ones")

    @abstractmethod
    def row(self, m: Module, activations: Sequence[Value], name: str) -> list[Any]:
        """Return what a row offers to all columns, one value, operand or table a term."""

    @abstractmethod
    def column(self, m: Module, weights: Sequence[Value], name: str) -> Column:
        """Return what a column's weights ask of all rows."""

    def element(
        self, m: Module, state: Value, row: Sequence[Any], column: Column, name: str
    ) -> Value:
        """Return an element's accumulator after this cycle."""
        if isinstance(self.adders, FloatAdders):
            terms = self.float_terms(m, row, column, name)
            return self.adders.accumulate(m, state, terms, name)
        total = wire(m, self.exact_total(m, row, column, name), f"{name}_total")
        assert isinstance(self.spec.sums, IntegerSums)
        # Wraps: the carry out of the sum is dropped.
        return self.add(state.as_signed(), total)[: self.spec.sums.accumulator_bits]

    def add(self, state: Value, total: Value) -> Value:
        """Return the sum of integers before it wraps."""
        return state + total

    def exact_total(self, m: Module, row: Sequence[Any], column: Column, name: str) -> Value:
        """Return the sum of an element's integer terms."""
        terms = self.values(m, row, column, name)
        return tree_sum(list(map(inverted, terms, column.negative))) + column.ones

    def values(self, m: Module, row: Sequence[Any], column: Column, name: str) -> Sequence[Value]:
        """Return an element's terms before negation, integers or codes of a table's entries."""
        return list(map(kept, row, column.keep)) if column.keep else row

    def float_terms(
        self, m: Module, row: Sequence[Any], column: Column, name: str
    ) -> Sequence[Operand]:
        """Return an element's floating-point terms, in the order of addition."""
        terms = list(map(masked, row, column.keep)) if column.keep else row
        return list(map(flipped, terms, column.negative))


def kept(value: Value, keep: Value) -> Value:
    """Return ``value`` if ``keep`` is set, else 0."""
    masked = value.as_unsigned() & keep.replicate(len(value))
    return masked.as_signed() if value.shape().signed else masked


def inverted(value: Value, negative: Value) -> Value:
    """Return ``value``, or ``-value - 1`` if ``negative`` is set."""
    wide = value.as_unsigned() if value.shape().signed else Cat(value, C(0, 1))
    return (wide ^ negative.replicate(len(wide))).as_signed()


def masked(term: Operand, keep: Value) -> Operand:
    """Return ``term`` if ``keep`` is set, else 0."""
    parts = term.parts
    left = replace(
        parts,
        significand=kept(parts.significand, keep),
        zero=parts.zero | ~keep,
        infinity=parts.infinity & keep,
        nan=parts.nan & keep,
    )
    return replace(term, parts=left)


def flipped(term: Operand, negative: Value) -> Operand:
    """Return ``term``, negated if ``negative`` is set."""
    return replace(term, parts=replace(term.parts, sign=term.parts.sign ^ negative))
