"""Floating-point products summed exactly; see :mod:`hwsim.units.exact_float`."""

from amaranth.hdl import Module, Mux, Value
from amaranth.lib import wiring

from hwsim.units.exact_float import ExactFloat as ExactFloatSpec
from rtl.base import Unit
from rtl.blocks.adder_tree import tree_sum
from rtl.blocks.minifloat import Decoded, decode, product_flags
from rtl.blocks.wire import wire


class ExactFloat(Unit):
    """Decoders, significand multipliers, shifters, an adder tree and a Kulisch accumulator.

    Parameters and members are those of :class:`~rtl.base.Unit`. Above the sum, the result has the
    flags ``spec.flags``, the first lowest.

    Timing: latency 1, interval 1; the input stalls while a result is not taken.

    Numerics: nothing is rounded, the sum wraps modulo 2**accumulator_bits.

    Cost drivers: lanes x mantissa bits squared for the multipliers; 2**exponent bits of both
    formats for shifters, tree and accumulator.
    """

    spec: ExactFloatSpec

    @property
    def flush(self) -> bool:
        """Whether subnormals count as zeros."""
        return False

    def elaborate(self, platform: object) -> Module:
        m = Module()
        beat = self.i.payload

        # Decode, multiply and align; add up over the lanes.
        lanes = [
            self.lane(m, beat.activations[k], beat.weights[k], k) for k in range(self.spec.lanes)
        ]
        total = tree_sum([product for product, _ in lanes])

        # Add up over the beats.
        flags = list(zip(*(flags for _, flags in lanes), strict=True))
        accumulator = self.accumulate(m, total, flags)
        wiring.connect(m, accumulator.o, wiring.flipped(self.o))
        return m

    def lane(
        self, m: Module, activation: Value, weight: Value, k: int
    ) -> tuple[Value, list[Value]]:
        """Return the product of lane ``k`` and its flags, in the order of ``spec.flags``."""
        a_format, w_format = self.spec.operand_formats()
        a = decode(m, a_format, activation, f"activation_{k}", self.flush)
        w = decode(m, w_format, weight, f"weight_{k}", self.flush)
        return wire(m, self.product(m, a, w, k), f"product_{k}"), self.flags(a, w)

    def product(self, m: Module, a: Decoded, w: Decoded, lane: int) -> Value:
        """Return the exact product in units of the product of the smallest subnormals."""
        shifted = (a.significand * w.significand) << (a.shift + w.shift)
        # The shift amount's range is wider than the shifts that occur; drop what stays 0.
        magnitude = wire(m, shifted[: self.spec.product_bits], f"magnitude_{lane}")
        return Mux(self.sign(a, w), -magnitude, magnitude)

    def sign(self, a: Decoded, w: Decoded) -> Value:
        """Return whether the product is negative."""
        return a.sign ^ w.sign

    def flags(self, a: Decoded, w: Decoded) -> list[Value]:
        """Return the flags of one product, in the order of ``spec.flags``."""
        bits = product_flags(a, w, self.sign(a, w))
        return [bits[name] for name in self.spec.flags]
