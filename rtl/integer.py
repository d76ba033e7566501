"""Bit-parallel integer dot product; see :mod:`hwsim.units.integer`."""

from amaranth.hdl import Module, Value
from amaranth.lib import wiring

from rtl.base import Unit
from rtl.blocks.adder_tree import tree_sum
from rtl.blocks.wire import wire


class Integer(Unit):
    """``lanes`` multipliers, an adder tree and an accumulator.

    Parameters and members are those of :class:`~rtl.base.Unit`, for an
    :class:`~hwsim.units.integer.IntegerUnit`.

    Timing: latency 1, interval 1; the input stalls while a result is not taken.

    Cost drivers: lanes x weight bits x activation bits for the multipliers, accumulator_bits.
    """

    def elaborate(self, platform: object) -> Module:
        m = Module()
        beat = self.i.payload

        # Multiply, and add up over the lanes.
        products = [
            wire(m, self.multiply(beat.activations[k], beat.weights[k]), f"product_{k}")
            for k in range(self.spec.lanes)
        ]
        total = tree_sum(products)

        # Add up over the beats.
        accumulator = self.accumulate(m, total)
        wiring.connect(m, accumulator.o, wiring.flipped(self.o))
        return m

    def multiply(self, activation: Value, weight: Value) -> Value:
        """Return the exact product."""
        return activation * weight
