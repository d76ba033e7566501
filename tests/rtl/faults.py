"""Faults of kinds that hardware has, each planted into any unit that it applies to."""

from amaranth.hdl import Array, C, Module, Mux, ResetSignal, Signal, Value

import rtl
import rtl.bitmod
import rtl.block_dot
import rtl.codebook
from hwsim.units import Result, Scope
from hwsim.units.bitmod import pair_bits
from rtl.blocks.accumulator import Accumulator
from rtl.blocks.columns import Columns


class Around(rtl.Unit):
    """The unit, with something wrong at its ports; ``wire`` changes what it gets and gives."""

    inner: rtl.Unit
    taken: Value

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.inner = self.inner = inner = rtl.create(self.spec)
        m.d.comb += [
            inner.i.payload.eq(self.i.payload),
            inner.i.valid.eq(self.i.valid),
            self.i.ready.eq(inner.i.ready),
            self.o.payload.eq(inner.o.payload),
            self.o.valid.eq(inner.o.valid),
            inner.o.ready.eq(self.o.ready),
        ]
        self.taken = self.i.valid & self.i.ready
        self.wire(m)
        return m

    def wire(self, m: Module) -> None:
        raise NotImplementedError

    def beats(self, m: Module, limit: int) -> Signal:
        """Return how many beats of the dot product were taken, up to ``limit``."""
        count = Signal(range(limit + 1))
        with m.If(self.taken):
            m.d.sync += count.eq(Mux(self.i.payload.last, 0, Mux(count == limit, limit, count + 1)))
        return count

    def bend(self, m: Module, when: Value) -> None:
        """Invert the lowest bit of the first activation when ``when``."""
        code = self.i.payload.activations.as_value()
        m.d.comb += self.inner.i.payload.activations.as_value()[0].eq(code[0] ^ when)


class ValidWaitsForReady(Around):
    """A result is offered only to a sink that is ready."""

    def wire(self, m: Module) -> None:
        m.d.comb += self.o.valid.eq(self.inner.o.valid & self.o.ready)


class TakesWhileReset(Around):
    """A beat that is offered in the last cycle of a reset is taken."""

    def wire(self, m: Module) -> None:
        kept = Signal.like(self.i.payload.as_value(), reset_less=True, init=0)
        late = Signal(reset_less=True)
        m.d.sync += [kept.eq(self.i.payload), late.eq(ResetSignal() & self.i.valid)]
        with m.If(late & ~ResetSignal()):
            m.d.comb += [
                self.inner.i.payload.eq(kept),
                self.inner.i.valid.eq(1),
                self.i.ready.eq(0),
            ]


class DropsAfterStalls(Around):
    """A result that was not taken for 32 cycles is gone."""

    def wire(self, m: Module) -> None:
        stalled = Signal(range(33))
        m.d.sync += stalled.eq(Mux(self.o.valid & ~self.o.ready, stalled + 1, 0))
        with m.If(stalled == 32):
            m.d.comb += [self.inner.o.ready.eq(1), self.o.valid.eq(0)]


class SecondResult(Around):
    """After 200 idle cycles the last result comes again."""

    def wire(self, m: Module) -> None:
        idle = Signal(range(202))
        last = Signal(len(self.o.payload))
        with m.If(self.o.valid & self.o.ready):
            m.d.sync += last.eq(self.o.payload)
        m.d.sync += idle.eq(
            Mux(self.i.valid | self.inner.o.valid, 0, Mux(idle == 201, idle, idle + 1))
        )
        with m.If(idle == 200):
            m.d.comb += [self.o.valid.eq(1), self.o.payload.eq(last)]


class BentAfter16(Around):
    """Beats from the 17th on are not what they were."""

    def wire(self, m: Module) -> None:
        self.bend(m, self.beats(m, 16) == 16)


class BentAfterLong(Around):
    """A single beat right after a dot product of more than 32 beats is wrong."""

    def wire(self, m: Module) -> None:
        count = self.beats(m, 33)
        long = Signal()
        with m.If(self.taken):
            m.d.sync += long.eq(self.i.payload.last & (count == 33))
        self.bend(m, long & self.i.payload.last)


class ActsOnIdleBus(Around):
    """What is on the bus while nothing is offered changes the next beat."""

    def wire(self, m: Module) -> None:
        junk = Signal()
        bus = self.i.payload.as_value()
        with m.If(~self.i.valid):
            m.d.sync += junk.eq(bus[0] & bus[-1])
        with m.Elif(self.taken):
            m.d.sync += junk.eq(0)
        self.bend(m, junk)


class ActsOnIgnored(Around):
    """Metadata count in beats in which they are to be ignored: those of the beat before do, too."""

    def wire(self, m: Module) -> None:
        for field in self.spec.metadata:
            if field.scope is not Scope.GROUP:
                continue
            here = Value.cast(self.i.payload[field.name])
            seen = Signal(len(here), name=f"seen_{field.name}")
            with m.If(self.taken):
                m.d.sync += seen.eq(Mux(self.i.payload.last, 0, here))
            m.d.comb += self.inner.i.payload[field.name].eq(here ^ (seen & 1))


class WrongPair(Around):
    """One pair of operands is wrong, and only in the last lane."""

    def wire(self, m: Module) -> None:
        lane = self.spec.lanes - 1
        a = Value.cast(self.i.payload.activations[lane]).as_unsigned()
        w = Value.cast(self.i.payload.weights[lane]).as_unsigned()
        hit = (a == (1 << len(a)) - 2) & (w == (1 << len(w)) - 3)
        m.d.comb += self.inner.i.payload.activations[lane].eq(a ^ hit)


class KeptFlag(Around):
    """A flag of the result before is still there."""

    def wire(self, m: Module) -> None:
        result = self.spec.result
        assert isinstance(result, Result)
        flag = Signal()
        with m.If(self.o.valid & self.o.ready):
            m.d.sync += flag.eq(self.inner.o.payload[result.width])
        m.d.comb += self.o.payload[result.width].eq(self.inner.o.payload[result.width] | flag)


class ReloadedTable(rtl.codebook.Codebook):
    """Every beat brings a table, not only the first."""

    def registers(self, m: Module, present: Value) -> Array:
        return super().registers(m, C(0, 1))


class NarrowAccumulator(Accumulator):
    """The sum is extended from 13 bits."""

    bits = 13

    def add(self, total: Value, term: Value) -> Value:
        return (total + term)[: self.bits].as_signed()


class Narrow28(NarrowAccumulator):
    """The sum is extended from 28 bits."""

    bits = 28


class NarrowTerm(Accumulator):
    """The tree of a beat is one bit short."""

    def add(self, total: Value, term: Value) -> Value:
        return total + term[:-1].as_signed()


class NarrowBlockSum(rtl.block_dot.BlockDot):
    """The sum that a block carries from beat to beat is one bit short."""

    def add_beat(self, columns: Columns, carried: Value | None) -> Value:
        return super().add_beat(columns, carried)[: self.spec.block_bits].as_signed()


class UnprogrammedValue(rtl.bitmod.Bitmod):
    """The last special value cannot be loaded."""

    def register_file(self, m: Module, taken: Value) -> Array:
        values = super().register_file(m, taken)
        fixed = C(pair_bits(self.spec.special_half_units()[3]), 8)
        return Array([values[0], values[1], values[2], fixed])


class KeptValues(rtl.bitmod.Bitmod):
    """Special values outlive a reset."""

    def register_file(self, m: Module, taken: Value) -> Array:
        beat = self.i.payload
        values = []
        for k, half in enumerate(self.spec.special_half_units()):
            value = Signal(8, name=f"special_{k}", init=pair_bits(half), reset_less=True)
            with m.If(taken & beat.program & (beat.selector == k)):
                m.d.sync += value.eq(beat.weights[0])
            values.append(value)
        return Array(values)


#: Faults at the ports, which apply to any unit.
ANYWHERE: list[type[Around]] = [
    ValidWaitsForReady, TakesWhileReset, DropsAfterStalls, SecondResult, BentAfter16,
    BentAfterLong, ActsOnIdleBus,
]  # fmt: skip
