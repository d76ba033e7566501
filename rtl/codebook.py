"""Dot product of codebook weights; see :mod:`hwsim.units.codebook`."""

from amaranth.hdl import Array, Module, Signal, Value
from amaranth.lib import wiring

from hwsim.units.codebook import CodebookUnit, Table
from hwsim.units.fma import FmaUnit
from rtl.base import Unit
from rtl.blocks.rom import look_up
from rtl.blocks.wire import wire
from rtl.integer import Integer
from rtl.rounded_sum import RoundedSum


class Codebook(Unit):
    """A table, and the unit ``spec.multiplier`` that takes its entries as weights.

    Parameters and members are those of :class:`~rtl.base.Unit`, for a
    :class:`~hwsim.units.codebook.CodebookUnit`.

    Timing: a beat takes one cycle, and one more if it is the first of a dot product and brings the
    table; the result is offered in the cycle after. ``i.ready`` is low until the last of them, and
    the beat must be held until then.

    Numerics: those of ``integer`` or ``fma``.

    Cost drivers: lanes x entry bits x activation bits for the multipliers; a loaded table's
    2**weight bits x entry bits in registers once, and in a multiplexer in every lane.
    """

    spec: CodebookUnit

    def elaborate(self, platform: object) -> Module:
        m = Module()
        beat, lanes = self.i.payload, range(self.spec.lanes)
        m.submodules.mac = mac = self.mac()
        m.submodules.table = table = Module()
        if self.spec.table is Table.CONSTANT:
            constants = self.spec.constants().tolist()
            entries = [look_up(table, self.code(k), constants, f"entry_{k}") for k in lanes]
            m.d.comb += [mac.i.valid.eq(self.i.valid), self.i.ready.eq(mac.i.ready)]
        else:
            # A cycle to store the table, before the first beat goes on.
            present = Signal()
            registers = self.registers(table, present)
            entries = [wire(table, registers[self.code(k)], f"entry_{k}") for k in lanes]
            m.d.comb += [
                mac.i.valid.eq(self.i.valid & present),
                self.i.ready.eq(mac.i.ready & present),
            ]
            with m.If(~present):
                m.d.sync += present.eq(self.i.valid)
            with m.Elif(self.i.valid & self.i.ready):
                m.d.sync += present.eq(~self.ends())
        m.d.comb += [
            mac.i.payload.activations.eq(beat.activations),
            *(mac.i.payload.weights[k].eq(entry) for k, entry in enumerate(entries)),
            mac.i.payload.last.eq(beat.last),
        ]
        wiring.connect(m, mac.o, wiring.flipped(self.o))
        return m

    def mac(self) -> Unit:
        """Return the unit behind the table."""
        multiplier = self.spec.multiplier
        return RoundedSum(multiplier) if isinstance(multiplier, FmaUnit) else Integer(multiplier)

    def code(self, k: int) -> Value:
        """Return the weight of a lane."""
        return self.i.payload.weights[k]

    def registers(self, m: Module, present: Value) -> Array:
        """Return the entries, stored with a beat unless they are ``present``.

        Without a beat they keep what they hold, so that a gate can stop their clock.
        """
        stored = self.i.valid & ~present
        entries = []
        for field in self.spec.metadata:
            entry = Signal(field.format.bits, name=f"register_{field.name}", reset_less=True)
            with m.If(stored):
                m.d.sync += entry.eq(self.i.payload[field.name])
            entries.append(entry)
        return Array(entries)

    def ends(self) -> Value:
        """Return whether the beat is the last one to use the table."""
        return self.i.payload.last
