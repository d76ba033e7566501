"""Floating-point dot product by L-Mul; see :mod:`hwsim.units.lmul`."""

from dataclasses import replace

from amaranth.hdl import C, Cat, Module, Mux, Value

from hwsim.units.lmul import LmulUnit, Reading
from rtl.blocks.minifloat import Decoded, decode
from rtl.blocks.wire import wire
from rtl.float_mac import Float


class Lmul(Float):
    """Adders of packed magnitudes, shifters, an adder tree and a Kulisch accumulator.

    Parameters and members are those of :class:`~rtl.base.Unit`, for a
    :class:`~hwsim.units.lmul.LmulUnit`. Above the sum, the result has the flags ``spec.flags``,
    the first lowest.

    Timing: latency 1, interval 1; the input stalls while a result is not taken.

    Numerics: products are approximate, subnormals count as 0, products saturate and underflow to
    0; their sum is exact and wraps after 2**carry_guard beats.

    Cost drivers: 2**exponent bits for shifters, tree and accumulator, which outweigh the adder of
    exponent + mantissa bits.
    """

    spec: LmulUnit

    def lane(
        self, m: Module, activation: Value, weight: Value, k: int
    ) -> tuple[Value, list[Value]]:
        fmt, fraction = self.spec.operand, self.spec.fraction_bits
        a = decode(m, fmt, activation, f"activation_{k}")
        w = decode(m, fmt, weight, f"weight_{k}")
        # The sum of the magnitudes, at the ends of the range.
        field = wire(m, self.field(m, activation[:-1], weight[:-1], k), f"field_{k}")
        over = field > self.spec.largest_code
        field_bits = self.spec.largest_code.bit_length()
        kept = wire(m, Mux(over, self.spec.largest_code, field)[:field_bits], f"kept_{k}")
        normal = a.significand[-1] & w.significand[-1]
        nonzero = wire(m, normal & (field >= 1 << fraction), f"nonzero_{k}")

        # Place in fixed point.
        significand = Cat(kept[:fraction], C(1, 1)) & nonzero.replicate(fraction + 1)
        exponent = kept[fraction:]
        shift = wire(m, (exponent - 1)[: len(exponent)], f"shift_{k}")
        magnitude = wire(m, (significand << shift)[: self.spec.product_bits], f"magnitude_{k}")
        product = Mux(self.sign(a, w), -magnitude, magnitude)
        return wire(m, product, f"product_{k}"), self.flags(flushed(a), flushed(w))

    def field(self, m: Module, x: Value, y: Value, k: int) -> Value:
        """Return exponent and mantissa of a product, signed, from two magnitude fields."""
        if self.spec.reading is Reading.CARRY:
            return x + y + self.spec.constant
        mantissa, bias = self.spec.operand.mantissa, self.spec.operand.bias
        # Without the hidden bit: a carry out of the mantissa makes 2 or more.
        fraction = wire(m, x[:mantissa] + y[:mantissa] + self.spec.correction, f"fraction_{k}")
        carry = fraction[mantissa:].any()
        halved = Cat(fraction[:mantissa], fraction[mantissa + 1])
        exponent = x[mantissa:] + y[mantissa:] - bias + carry
        normal = Mux(carry, halved, fraction[:mantissa].shift_left(1))
        return Cat(normal, exponent).as_signed()


def flushed(operand: Decoded) -> Decoded:
    """Return ``operand`` with subnormals as zeros."""
    zero = ~(operand.significand[-1] | operand.infinity | operand.nan)
    return replace(operand, zero=zero)
