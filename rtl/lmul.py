"""Floating-point dot product by L-Mul; see :mod:`hwsim.units.lmul`."""

from dataclasses import replace

from amaranth.hdl import C, Cat, Module, Mux, Value

from hwsim.units.lmul import LmulUnit, ProductRange, Reading
from rtl.blocks.minifloat import Decoded, product_flags
from rtl.blocks.wire import wire
from rtl.exact_sum import ExactSum, Product


class Lmul(ExactSum):
    """Adders of packed magnitudes, shifters, an adder tree and a Kulisch accumulator.

    Parameters and members are those of :class:`~rtl.base.Unit`, for a
    :class:`~hwsim.units.lmul.LmulUnit`. Above the sum, the result has the flags ``spec.flags``,
    the first lowest.

    Timing: latency 1, interval 1; the input stalls while a result is not taken.

    Numerics: products are approximate, subnormals count as 0, packed products saturate and
    underflow to 0; their sum is exact and wraps modulo 2**accumulator_bits.

    Cost drivers: 2**exponent bits for shifters, tree and accumulator, which outweigh the adder of
    exponent + mantissa bits.
    """

    spec: LmulUnit

    def multiply(self, m: Module, a: Decoded, w: Decoded, lane: int) -> Product:
        fraction, beat = self.spec.fraction_bits, self.i.payload
        # Add the magnitudes; of a packed product, mind the ends of the range.
        x, y = beat.activations[lane][:-1], beat.weights[lane][:-1]
        field = wire(m, self.field(m, x, y, lane), f"field_{lane}")
        nonzero = a.significand[-1] & w.significand[-1]
        if self.spec.product_range is ProductRange.PACKED:
            nonzero = nonzero & (field >= 1 << fraction)
            over = field > self.spec.largest_code
            field = Mux(over, self.spec.largest_code, field)
        nonzero = wire(m, nonzero, f"nonzero_{lane}")
        kept = wire(m, field[: self.spec.largest_code.bit_length()], f"kept_{lane}")

        significand = Cat(kept[:fraction], C(1, 1)) & nonzero.replicate(fraction + 1)
        exponent = kept[fraction:]
        shift = wire(m, (exponent - 1)[: len(exponent)], f"shift_{lane}")
        negative = self.sign(a, w)
        flags = product_flags(flushed(a), flushed(w), negative)
        return Product(significand, shift, flags, negative)

    def field(self, m: Module, x: Value, y: Value, k: int) -> Value:
        """Return exponent and mantissa of a product, signed, from two magnitude fields."""
        if self.spec.reading is Reading.CARRY:
            return x + y + self.spec.constant
        mantissa = self.spec.operand.mantissa
        # Without the hidden bit: a carry out of the mantissa makes 2 or more.
        fraction = wire(m, x[:mantissa] + y[:mantissa] + self.spec.correction, f"fraction_{k}")
        carry = fraction[mantissa:].any()
        halved = Cat(fraction[:mantissa], fraction[mantissa + 1])
        exponent = x[mantissa:] + y[mantissa:] - self.spec.offset + carry
        normal = Mux(carry, halved, fraction[:mantissa].shift_left(1))
        return Cat(normal, exponent).as_signed()


def flushed(operand: Decoded) -> Decoded:
    """Return ``operand`` with subnormals as zeros."""
    zero = ~(operand.significand[-1] | operand.infinity | operand.nan)
    return replace(operand, zero=zero)
