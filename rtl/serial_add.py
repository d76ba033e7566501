"""Bit-serial adder; see :mod:`hwsim.units.serial_add`."""

from collections.abc import Sequence
from typing import Any

from amaranth.hdl import Array, C, Module, Mux, Value

from hwsim.formats.bipolar import Bipolar
from hwsim.formats.integer import Integer
from hwsim.units.serial_add import SerialAddUnit
from rtl.adder_tile import AdderTile, Column, inverted
from rtl.blocks.adder_tree import tree_sum
from rtl.blocks.sums import FloatAdders, scaled
from rtl.blocks.wire import counter, wire


class SerialAdd(AdderTile):
    """Gates and adders for one bit plane, a shifter, and the accumulators.

    Parameters and members are those of :class:`~rtl.base.Unit`, for a
    :class:`~hwsim.units.serial_add.SerialAddUnit`.

    Timing: latency and interval are the weight's bits. ``i.ready`` is low until the cycle of the
    top plane, and the beat must be held until then, as the stream protocol demands anyway.

    Numerics: exact for integers; for minifloats one rounding a lane and plane, nearest even, with
    subnormals, infinity and NaN.

    Cost drivers: lanes x activation bits for an element's tree, and its shifter; for minifloats
    lanes x accumulator mantissa, in area and delay.
    """

    spec: SerialAddUnit

    @property
    def bipolar(self) -> bool:
        """Whether a weight's bit counts -1 or 1."""
        return isinstance(self.spec.weight, Bipolar)

    def control(self, m: Module, step: Value) -> Value:
        planes = self.spec.weight.bits
        self.plane = counter(planes, "plane")
        self.final = wire(m, self.plane == planes - 1, "final")
        with m.If(step):
            m.d.sync += self.plane.eq(Mux(self.final, 0, self.plane + 1))
        return self.final

    def negative_plane(self) -> Value:
        """Return whether the digits of this plane are 0 and -1."""
        weight = self.spec.weight
        return self.final if isinstance(weight, Integer) and weight.signed else C(0, 1)

    def row(self, m: Module, activations: Sequence[Value], name: str) -> list[Any]:
        if not isinstance(self.adders, FloatAdders):
            return list(activations)
        row = []
        for k, code in enumerate(activations):
            operand = self.adders.operand(m, code, f"{name}_{k}")
            row.append(scaled(m, operand, self.plane, self.spec.weight.bits - 1, f"{name}_{k}"))
        return row

    def column(self, m: Module, weights: Sequence[Value], name: str) -> Column:
        bits = [
            wire(m, weight.bit_select(self.plane, 1), f"{name}_digit_{k}")
            for k, weight in enumerate(weights)
        ]
        if not self.bipolar:
            return Column(negative=[self.negative_plane()] * len(bits), keep=bits)
        negative = [~bit for bit in bits]
        return Column(negative, ones=self.ones(m, negative, name))

    def exact_total(self, m: Module, row: Sequence[Any], column: Column, name: str) -> Value:
        if self.bipolar:
            total = super().exact_total(m, row, column, name)
        else:
            total = tree_sum(self.values(m, row, column, name))
        total = wire(m, total, f"{name}_partial")
        places = Array(total.shift_left(plane) for plane in range(self.spec.weight.bits))
        placed = wire(m, places[self.plane], f"{name}_placed")
        # Negation once a plane, after the tree, not in every lane.
        negative = self.negative_plane()
        return placed if isinstance(negative, C) else inverted(placed, negative) + negative
