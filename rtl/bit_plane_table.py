"""What look-up-table units have in common; see :mod:`hwsim.units.bit_plane_table`."""

from collections.abc import Sequence
from dataclasses import dataclass

from amaranth.hdl import Array, C, Module, Mux, Signal, Value
from amaranth.lib import wiring

from hwsim.units.bit_plane_table import BitPlaneTable
from hwsim.units.sums import FloatSums
from rtl.base import Unit
from rtl.blocks.adder_tree import tree_sum
from rtl.blocks.fma import Operand
from rtl.blocks.fold import Fold
from rtl.blocks.sum_table import SumTable
from rtl.blocks.sums import Adders, IntegerAdders, adders, scaled
from rtl.blocks.table_quantiser import (
    Quantised,
    quantise_floats,
    quantise_integers,
    quantised_operand,
)
from rtl.blocks.wire import counter, wire

#: A table as it is read: exact entries, or quantised ones.
Entries = list[Value] | Quantised


@dataclass(frozen=True)
class Read:
    """What the elements of a column read from a table.

    Attributes
    ----------
    address
        Index of the entry.
    negative
        Whether the entry is negated; None if that is not read.
    """

    address: Value
    negative: Value | None = None


@dataclass(frozen=True)
class Plane:
    """What is common to all elements in a cycle.

    Attributes
    ----------
    shift
        The power of two of the plane, ``highest`` at most.
    top
        Whether the plane counts negatively.
    """

    shift: Value
    highest: int
    top: Value


class BitPlaneTables(Unit):
    """Tables of sums a row, an array of multiplexers and adders, and the accumulators.

    Parameters and members are those of :class:`~rtl.base.Unit`, for a
    :class:`~hwsim.units.bit_plane_table.BitPlaneTable`.

    Timing: a beat takes a cycle a plane of the weights, and with minifloats a cycle a correction;
    the result is offered in the cycle after. ``i.ready`` is low until the last of them, and the
    tables are combinational from the beat held on the stream.

    Numerics: integers are exact but for quantised entries; minifloats round once an entry's and
    once an accumulator's addition, to nearest even.

    Cost drivers: ``tables``: adders, row_count x lanes / table_lanes x 2**table_lanes; ``array``:
    multiplexers and adders, row_count x column_count x lanes / table_lanes, each multiplexer with
    as many inputs as a table has entries; a floating-point adder outweighs its multiplexer.
    """

    spec: BitPlaneTable

    def elaborate(self, platform: object) -> Module:
        m = Module()
        spec = self.spec
        self.adders = self.arithmetic()

        # High in a cycle whose terms the accumulators take.
        step = Signal()
        shifts = list(range(spec.weight.bits))
        if isinstance(spec.sums, FloatSums):
            shifts += [correction.plane for correction in spec.corrections]
        position, final = self.count(m, step, len(shifts))

        m.submodules.tables = tables = Module()
        row_tables = [self.row_tables(tables, row) for row in range(spec.row_count)]

        m.submodules.array = array = Module()
        shift = wire(array, Array(C(k) for k in shifts)[position], "shift")
        top = wire(array, (position == spec.weight.bits - 1) & spec.negative_top, "top")
        plane = Plane(shift, max(shifts), top)
        reads = [self.reads(array, column, position) for column in range(spec.column_count)]

        m.submodules.fold = fold = Fold(spec.result.bits)
        width = spec.result.bits // (spec.row_count * spec.column_count)
        place = 0
        for row, entries in enumerate(row_tables):
            correction = self.correction(tables, entries, row)
            now = None
            if correction is not None:
                now = wire(array, Mux(position == 0, correction, 0), f"correction_{row}_now")
            for column, column_reads in enumerate(reads):
                state = fold.state[place : place + width]
                name = f"element_{row}_{column}"
                following = self.element(array, state, entries, column_reads, plane, now, name)
                m.d.comb += fold.i.payload.value[place : place + width].eq(following)
                place += width
        m.d.comb += [
            fold.i.payload.last.eq(self.i.payload.last & final),
            fold.i.valid.eq(self.i.valid),
            self.i.ready.eq(fold.i.ready & final),
            step.eq(fold.i.valid & fold.i.ready),
        ]
        wiring.connect(m, fold.o, wiring.flipped(self.o))
        return m

    def arithmetic(self) -> Adders:
        """Return the adders of entries and accumulators."""
        return adders(self.spec.sums)

    def count(self, m: Module, step: Value, cycles: int) -> tuple[Value, Value]:
        """Count the cycles of a beat; return the count, and whether it is the last."""
        if cycles == 1:
            return C(0, 1), C(1, 1)
        position = counter(cycles, "position")
        final = wire(m, position == cycles - 1, "final")
        with m.If(step):
            m.d.sync += position.eq(Mux(final, 0, position + 1))
        return position, final

    # Tables.

    def row_tables(self, m: Module, row: int) -> Sequence[Entries]:
        """Return the tables of a row, as entries, or quantised."""
        exact = [self.sum_table(m, row, table) for table in range(self.spec.tables)]
        bits = self.spec.table_bits
        if bits is None:
            return exact
        if not self.spec.shared_scale:
            return [
                self.quantise(m, entries, bits, f"table_{row}_{k}")
                for k, entries in enumerate(exact)
            ]
        size = len(exact[0])
        every = [entry for entries in exact for entry in entries]
        shared = self.quantise(m, every, bits, f"tables_{row}")
        return [
            Quantised(shared.entries[k : k + size], shared.scale, shared.nan)
            for k in range(0, len(every), size)
        ]

    def sum_table(self, m: Module, row: int, table: int) -> list[Value]:
        """Return the exact entries of a table."""
        name = f"table_{row}_{table}"
        m.submodules[name] = sums = SumTable(self.adders, self.spec.combinations)
        first = row * self.spec.lanes + table * self.spec.table_lanes
        m.d.comb += [
            sums.activations[lane].eq(self.i.payload.activations[first + lane])
            for lane in range(self.spec.table_lanes)
        ]
        return list(sums.entries)

    def quantise(self, m: Module, entries: Sequence[Value], bits: int, name: str) -> Quantised:
        """Return entries of one scale."""
        sums = self.spec.sums
        if isinstance(sums, FloatSums):
            return quantise_floats(m, sums.table_format, entries, bits, name)
        return quantise_integers(m, entries, bits, name)

    def correction(self, m: Module, tables: Sequence[Entries], row: int) -> Value | None:
        """Return what a row of integers adds in the first cycle of a beat, or None."""
        if not self.spec.corrections or isinstance(self.spec.sums, FloatSums):
            return None
        ones = self.spec.combinations.index((1,) * self.spec.table_lanes)
        total = self.row_sum(
            [(table, Read(C(ones, range(ones + 1)))) for table in tables], self.spec.shared_scale
        )
        total = wire(m, total, f"activations_{row}")
        terms = [
            -(total << correction.plane) if correction.negative else total << correction.plane
            for correction in self.spec.corrections
        ]
        return wire(m, tree_sum(terms), f"correction_{row}")

    # Array.

    def reads(self, m: Module, column: int, position: Value) -> list[Read]:
        """Return what a column reads in this cycle, by table."""
        weights = self.i.payload.weights
        bits, reads = self.spec.weight.bits, []
        for table in range(self.spec.tables):
            first = (column * self.spec.tables + table) * bits
            words = [weights[first + plane].as_unsigned() for plane in range(bits)]
            words += self.correction_words()
            word = wire(m, Array(words)[position], f"index_{column}_{table}")
            reads.append(self.read(word))
        return reads

    def correction_words(self) -> list[Value]:
        """Return the indices in the cycles of corrections."""
        return []

    def read(self, word: Value) -> Read:
        """Return what an index says."""
        return Read(word)

    def entry(self, entries: Sequence[Value], address: Value) -> Value:
        """Return the entry at an address."""
        return Array(entries)[address] if len(entries) > 1 else entries[0]

    def element(
        self,
        m: Module,
        state: Value,
        tables: Sequence[Entries],
        reads: Sequence[Read],
        plane: Plane,
        correction: Value | None,
        name: str,
    ) -> Value:
        """Return the next state of an element."""
        pairs = list(zip(tables, reads, strict=True))
        if isinstance(self.adders, IntegerAdders):
            total = wire(m, self.row_sum(pairs, self.spec.shared_scale), f"{name}_read")
            placed = self.adders.term(m, total, plane.shift, plane.highest, f"{name}_placed")
            if self.spec.negative_top:
                placed = wire(m, Mux(plane.top, -placed, placed), f"{name}_signed")
            terms = [placed] if correction is None else [placed, correction]
            return self.adders.accumulate(m, state, terms, name)
        operands = [
            self.operand(m, table, read, plane, f"{name}_{k}")
            for k, (table, read) in enumerate(pairs)
        ]
        return self.adders.accumulate(m, state, operands, name)

    def row_sum(self, pairs: Sequence[tuple[Entries, Read]], shared_scale: bool) -> Value:
        """Return the sum of what is read from tables of integers.

        Negation is inversion plus one, and the ones are added up on their own, so that a table
        has no carry chain of its own.
        """
        terms, signs, scale = [], [], None
        for table, read in pairs:
            if isinstance(table, Quantised):
                value, scale = self.entry(table.entries, read.address), table.scale
                if not shared_scale:
                    value = value << scale
            else:
                value = self.entry(table, read.address)
            if read.negative is not None:
                inverted = value ^ read.negative.replicate(len(value))
                value = inverted[: len(value)].as_signed()
                signs.append(read.negative)
            terms.append(value)
        total = tree_sum(terms)
        if signs:
            total = total + tree_sum(signs)
        return total << scale if shared_scale else total

    def operand(self, m: Module, table: Entries, read: Read, plane: Plane, name: str) -> Operand:
        """Return what is read from a table of floats, times the plane's power of two."""
        sums = self.spec.sums
        assert isinstance(sums, FloatSums)
        negative = plane.top if read.negative is None else read.negative
        if isinstance(table, Quantised):
            assert self.spec.table_bits is not None
            entry = wire(m, self.entry(table.entries, read.address), f"{name}_entry")
            value = quantised_operand(
                sums.table_format, table, entry, negative, self.spec.table_bits
            )
            placed = scaled(m, value, plane.shift, plane.highest, name)
        else:
            exact = self.entry(table, read.address)
            entry = self.adders.negate(m, exact, negative, f"{name}_entry")
            placed = self.adders.term(m, entry, plane.shift, plane.highest, name)
        # The accumulator's unit is 2**exponent of the planes'.
        return Operand(placed.parts, placed.lowest + self.spec.exponent, placed.longest_shift)
