"""Hardware of the RaZeR dot product; see :mod:`hwsim_example.razer_dot`."""

from amaranth.hdl import C, Cat, Module, Mux, Value
from amaranth.lib import wiring

from hwsim_example.razer import SPECIAL_CODE
from hwsim_example.razer_dot import RazerDotUnit
from rtl import Unit
from rtl.blocks.adder_tree import tree_sum
from rtl.blocks.wire import wire


class RazerDot(Unit):
    """A decoder and a multiplier a lane, an adder tree and an accumulator.

    Timing: latency 1, interval 1; the input stalls while a result is not taken.
    """

    spec: RazerDotUnit

    def elaborate(self, platform: object) -> Module:
        m = Module()
        beat = self.i.payload
        products = [
            wire(m, beat.activations[k] * self.halves(m, beat.weights[k], k), f"product_{k}")
            for k in range(self.spec.lanes)
        ]
        accumulator = self.accumulate(m, tree_sum(products))
        wiring.connect(m, accumulator.o, wiring.flipped(self.o))
        return m

    def halves(self, m: Module, code: Value, k: int) -> Value:
        """Return twice the weight of lane ``k``, signed."""
        mantissa, exponent, negative = code[0], code[1:3], code[3]
        significand = Cat(mantissa, exponent.any())
        magnitude = wire(m, significand << Mux(exponent.any(), exponent - 1, 0)[:2], f"size_{k}")
        special = C(2 * self.spec.weight.special)
        value = Mux(code == SPECIAL_CODE, special, Mux(negative, -magnitude, magnitude))
        return wire(m, value, f"weight_{k}")
