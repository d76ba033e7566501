"""Dot product of codebook weights; see :mod:`hwsim.units.codebook`."""

from amaranth.hdl import Array, Module, Signal, Value
from amaranth.lib import wiring

from hwsim.units.codebook import CodebookUnit, Table
from hwsim.units.fma import FmaUnit
from rtl.base import Unit
from rtl.blocks.rom import look_up
from rtl.fma import Fma
from rtl.integer import Integer


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
        m.submodules.table = table = Module()
        m.submodules.mac = mac = self.mac()
        beat = self.i.payload
        if self.spec.table is Table.CONSTANT:
            constants = self.spec.constants().tolist()
            entries = [
                look_up(table, code, constants, f"entry_{k}") for k, code in enumerate(beat.weights)
            ]
            m.d.comb += [mac.i.valid.eq(self.i.valid), self.i.ready.eq(mac.i.ready)]
        else:
            entries = self.loaded(m, table, mac)
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
        return Fma(multiplier) if isinstance(multiplier, FmaUnit) else Integer(multiplier)

    def loaded(self, m: Module, table: Module, mac: Unit) -> list[Value]:
        """Store the table in a cycle before the first beat goes on; return the lanes' entries."""
        beat = self.i.payload
        present = Signal()
        registers = []
        for field in self.spec.metadata:
            register = Signal(field.format.bits, name=f"register_{field.name}", reset_less=True)
            with table.If(~present):
                table.d.sync += register.eq(beat[field.name])
            registers.append(register)
        m.d.comb += [
            mac.i.valid.eq(self.i.valid & present),
            self.i.ready.eq(mac.i.ready & present),
        ]
        with m.If(~present):
            m.d.sync += present.eq(self.i.valid)
        with m.Elif(mac.i.valid & mac.i.ready & beat.last):
            m.d.sync += present.eq(0)
        entries = []
        for k, code in enumerate(beat.weights):
            entry = Signal(registers[0].shape(), name=f"entry_{k}")
            table.d.comb += entry.eq(Array(registers)[code])
            entries.append(entry)
        return entries
