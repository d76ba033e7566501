"""Bit-parallel integer dot product; see :mod:`hwsim.units.integer`."""

from amaranth.hdl import Module, Value
from amaranth.lib import wiring

from hwsim.units.integer import IntegerUnit
from rtl.base import Unit
from rtl.blocks.adder_tree import tree_sum
from rtl.blocks.partial_products import add_product
from rtl.blocks.wire import wire


class Integer(Unit):
    """``lanes`` multipliers, an adder tree and an accumulator; or one tree for all of them.

    Parameters and members are those of :class:`~rtl.base.Unit`, for an
    :class:`~hwsim.units.integer.IntegerUnit`.

    Timing: latency 1, interval 1; the input stalls while a result is not taken.

    Cost drivers: lanes x weight bits x activation bits for the multipliers, accumulator_bits.
    """

    spec: IntegerUnit

    def elaborate(self, platform: object) -> Module:
        m = Module()
        beat = self.i.payload
        if self.spec.is_merged:
            columns = self.columns(m)
            for k in range(self.spec.lanes):
                add_product(columns, beat.activations[k], beat.weights[k], f"product_{k}")
            wiring.connect(m, self.merge(m, columns).o, wiring.flipped(self.o))
            return m

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
