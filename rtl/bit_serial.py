"""Bit-serial integer dot product; see :mod:`hwsim.units.bit_serial`."""

from amaranth.hdl import Array, Module, Mux, Signal, Value
from amaranth.lib import wiring

from rtl.base import Unit, code_shape
from rtl.blocks.adder_tree import tree_sum
from rtl.blocks.wire import wire


class BitSerial(Unit):
    """One AND row a lane, an adder tree, a shifter and an accumulator.

    Parameters and members are those of :class:`~rtl.base.Unit`, for a
    :class:`~hwsim.units.bit_serial.BitSerialUnit`.

    Timing: latency and interval are the weight's bits. ``i.ready`` is low until the cycle of the
    last weight bit, and the beat must be held until then, as the stream protocol demands anyway.

    Cost drivers: lanes x activation bits for the tree, the shifter's weight bits, and the
    accumulator; one counter.
    """

    def elaborate(self, platform: object) -> Module:
        m = Module()
        beat = self.i.payload
        weight = self.spec.weight

        # One bit of every weight a cycle, lowest first.
        position = Signal(range(weight.bits))
        final = wire(m, position == weight.bits - 1, "final")
        terms = [
            self.term(beat.activations[k], beat.weights[k].bit_select(position, 1))
            for k in range(self.spec.lanes)
        ]
        partial = wire(m, tree_sum(terms), "partial")

        places = Array(self.place(partial, bit) for bit in range(weight.bits))
        placed = wire(m, places[position], "placed")

        m.submodules.accumulator = accumulator = self.accumulator(placed)
        m.d.comb += [
            accumulator.i.payload.term.eq(placed),
            accumulator.i.payload.last.eq(beat.last & final),
            accumulator.i.valid.eq(self.i.valid),
            self.i.ready.eq(accumulator.i.ready & final),
        ]
        with m.If(accumulator.i.valid & accumulator.i.ready):
            m.d.sync += position.eq(Mux(final, 0, position + 1))
        wiring.connect(m, accumulator.o, wiring.flipped(self.o))
        return m

    def term(self, activation: Value, weight_bit: Value) -> Value:
        """Return the activation if the weight bit is set, else 0."""
        return Mux(weight_bit, activation, 0)

    def place(self, partial: Value, bit: int) -> Value:
        """Return the sum in the place of a weight bit; a sign bit counts negatively."""
        weight = code_shape(self.spec.weight)
        placed = partial.shift_left(bit)
        return -placed if weight.signed and bit == weight.width - 1 else placed
