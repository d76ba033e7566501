"""Mistakes that any unit can have; verification must find every one of them."""

from dataclasses import replace

from amaranth.hdl import C, Cat, Module, Signal, Value
from amaranth.lib import wiring

import rtl
from hwsim.units import UnitSpec
from hwsim.units.adders import Adders, MergedSum
from rtl import emit
from rtl.blocks.accumulator import Accumulator
from rtl.blocks.columns import Columns
from rtl.verification.run import first_failure

#: Random operands that mistakes are looked for with.
FEW = 256


def failure_of(unit: UnitSpec, component: rtl.Unit) -> str:
    """Return the first thing that is wrong with a unit, which fewer random operands have to find.

    It is that of the whole verification (``tests/rtl/verification/test_run.py``), and takes less.
    """
    return first_failure(unit, emit.verilog(unit, component), random_dots=FEW)


class SwappedLanes(rtl.Unit):
    """The first two stored weights, lanes 0 and 1 or the first of two columns, are swapped."""

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.inner = inner = rtl.create(self.spec)
        wiring.connect(m, inner.o, wiring.flipped(self.o))
        weights = [self.i.payload.weights[k] for k in range(self.spec.stored_weights.count)]
        weights[0], weights[1] = weights[1], weights[0]
        m.d.comb += [
            inner.i.payload.eq(self.i.payload),
            inner.i.payload.weights.eq(Cat(*weights)),
            inner.i.valid.eq(self.i.valid),
            self.i.ready.eq(inner.i.ready),
        ]
        return m


def without_carry(total: Value, term: Value, place: int) -> Value:
    """Return the sum without the carry into the bit ``place``."""
    low = total[:place] + term[:place]
    high = (total >> place) + (term >> place)
    return Cat(low[:place], high).as_signed()


class DroppedCarry(Accumulator):
    """No carry passes from the low 7 bits of the sum to the rest."""

    def add(self, total: Value, term: Value) -> Value:
        return without_carry(total, term, 7)


class ExtraCycle(rtl.Unit):
    """Every beat takes one cycle more than declared."""

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.inner = inner = rtl.create(self.spec)
        waited = Signal()
        taken = self.i.valid & self.i.ready
        m.d.sync += waited.eq(self.i.valid & ~taken)
        wiring.connect(m, inner.o, wiring.flipped(self.o))
        m.d.comb += [
            inner.i.payload.eq(self.i.payload),
            inner.i.valid.eq(self.i.valid & waited),
            self.i.ready.eq(inner.i.ready & waited),
        ]
        return m


class LateAccumulator(Accumulator):
    """A result waits one cycle more than declared."""

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.inner = inner = Accumulator(self.width, self.term, self.flags)
        waited = Signal()
        m.d.sync += waited.eq(inner.o.valid & ~(waited & self.o.ready))
        wiring.connect(m, wiring.flipped(self.i), inner.i)
        m.d.comb += [
            self.o.payload.eq(inner.o.payload),
            self.o.valid.eq(inner.o.valid & waited),
            inner.o.ready.eq(self.o.ready & waited),
        ]
        return m


def with_accumulator(unit: UnitSpec, accumulator: type[Accumulator]) -> rtl.Unit:
    """Return the unit with another accumulator; one that is merged has none of its own."""
    if isinstance(unit, MergedSum):
        unit = replace(unit, adders=Adders.OPERATORS)

    class Mutant(rtl.generator(type(unit))):
        def accumulator(self, term: Value) -> Accumulator:
            return accumulator(self.sum.width, term.shape(), len(self.sum.flags))

    return Mutant(unit)


class LostBit(Columns):
    """The lowest bit of the first term is not connected."""

    def add(self, value: Value, arrival: float, place: int = 0, negative: int = 0) -> None:
        if not self._terms:
            value = Cat(C(0, 1), value[1:]).as_signed() if value.shape().signed else value[1:] << 1
        super().add(value, arrival, place, negative)


class ShortState(Columns):
    """The highest bit of the running sum is not connected."""

    def total(self, state: Value) -> Value:
        return super().total(Cat(state[:-1], C(0, 1)))


def with_columns(unit: UnitSpec, columns: type[Columns]) -> rtl.Unit:
    """Return the unit with another tree."""

    class Mutant(rtl.generator(type(unit))):
        def columns(self, m: Module) -> Columns:
            m.submodules.merge = tree = Module()
            return columns(tree, self.sum.width)

    return Mutant(unit)
