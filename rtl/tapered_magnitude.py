"""Exact dot product of tapered formats that have a sign and a magnitude."""

from abc import abstractmethod

from amaranth.hdl import Module, Mux, Value

from hwsim.formats.base import Format
from rtl.blocks.minifloat import Decoded, product_flags
from rtl.blocks.wire import wire
from rtl.tapered import Product, Tapered


class TaperedMagnitude(Tapered):
    """The dot product of :class:`~rtl.tapered.Tapered` behind decoders of sign and magnitude."""

    @abstractmethod
    def decode(self, m: Module, fmt: Format, code: Value, name: str) -> Decoded:
        """Return the parts of an operand."""

    def products(self, m: Module) -> list[Product]:
        """Return the products of all lanes."""
        m.submodules.decode = decoders = Module()
        m.submodules.multiply = multipliers = Module()
        beat = self.i.payload
        return [
            self.multiply(
                multipliers,
                self.decode(decoders, self.spec.activation, beat.activations[k], f"activation_{k}"),
                self.decode(decoders, self.spec.weight, beat.weights[k], f"weight_{k}"),
                k,
            )
            for k in range(self.spec.lanes)
        ]

    def multiply(self, m: Module, a: Decoded, w: Decoded, lane: int) -> Product:
        """Return the product of a lane; it is negated while it is narrow."""
        negative = wire(m, self.sign(a, w), f"negative_{lane}")
        magnitude = wire(m, a.significand * w.significand, f"magnitude_{lane}")
        value = wire(m, Mux(negative, -magnitude, magnitude), f"product_{lane}")
        every = product_flags(a, w, negative)
        flags = {name: wire(m, every[name], f"{name}_{lane}") for name in self.spec.flags}
        return Product(value, wire(m, a.shift + w.shift, f"shift_{lane}"), flags)

    def sign(self, a: Decoded, w: Decoded) -> Value:
        """Return whether the product is negative."""
        return a.sign ^ w.sign
