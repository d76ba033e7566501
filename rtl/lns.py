"""Dot product of logarithmic numbers; see :mod:`hwsim.units.lns`."""

from dataclasses import dataclass

from amaranth.hdl import Cat, Module, Mux, Value

from hwsim.units.lns import LnsUnit
from rtl.blocks.rom import look_up
from rtl.blocks.wire import wire
from rtl.exact_sum import ExactSum, Product, Stages


@dataclass(frozen=True)
class Operand:
    """An operand taken apart.

    Attributes
    ----------
    sign
        Whether it is negative, or NaN.
    logarithm
        Its logarithm, from the reserved one up, which is 0.
    reserved
        Whether it is 0 or NaN.
    """

    sign: Value
    logarithm: Value
    reserved: Value


class Lns(ExactSum):
    """Adders of logarithms, tables of significands, shifters, an adder tree and an accumulator.

    Parameters and members are those of :class:`~rtl.base.Unit`, for a
    :class:`~hwsim.units.lns.LnsUnit`. Above the sum, the result has the flag ``nan``.

    Timing: latency 1, interval 1; the input stalls while a result is not taken.

    Numerics: significands are rounded to nearest, products truncated toward zero where a window
    drops places; their sum is exact and wraps modulo 2**accumulator_bits.

    Cost drivers: 2**integer bits of the logarithms, or the window, for shifters, tree and
    accumulator; lanes x 2**fraction bits x table bits for the tables.
    """

    spec: LnsUnit

    @property
    def surplus(self) -> int:
        return self.spec.dropped_bits

    def product(self, stages: Stages, lane: int) -> Product:
        a, w = self.operands(stages.decode, lane)
        m = stages.multiply
        fraction, shift = self.split(m, a, w, lane)
        there = wire(m, ~(a.reserved | w.reserved), f"there_{lane}")
        significand = self.significand(m, fraction, lane)
        value = wire(m, significand & there.replicate(len(significand)), f"significand_{lane}")
        flags = {"nan": wire(m, (a.reserved & a.sign) | (w.reserved & w.sign), f"nan_{lane}")}
        negative = wire(m, a.sign ^ w.sign, f"negative_{lane}")
        if self.spec.dropped_bits:
            # A magnitude is truncated toward zero, a negative number would not be.
            return Product(value, shift, flags, negative)
        return Product(wire(m, Mux(negative, -value, value), f"product_{lane}"), shift, flags)

    def operands(self, m: Module, lane: int) -> tuple[Operand, Operand]:
        """Return the parts of activation and weight of a lane."""
        beat = self.i.payload
        return (
            operand(m, beat.activations[lane], f"activation_{lane}"),
            operand(m, beat.weights[lane], f"weight_{lane}"),
        )

    def split(self, m: Module, a: Operand, w: Operand, lane: int) -> tuple[Value, Value]:
        """Return the fraction of the product's logarithm, and its integer part as a shift."""
        spec = self.spec
        aligned = [
            one.logarithm.shift_left(places)
            for one, places in zip((a, w), spec.alignments, strict=True)
        ]
        lowest = spec.lowest_exponent << spec.fraction_bits
        # Both logarithms count from their reserved ones. Where both formats have integer bits, and
        # two fraction bits or more, the integer part of the least sum is 0 as it should be.
        reserved = sum(
            (fmt.largest_logarithm + 1) << places
            for fmt, places in zip(spec.operand_formats(), spec.alignments, strict=True)
        )
        total = aligned[0] + aligned[1]
        if offset := -reserved - lowest:
            total = total + offset
        total = total[: (spec.largest_logarithm - lowest).bit_length()]
        total = wire(m, total, f"logarithm_{lane}")
        return total[: spec.fraction_bits], total[spec.fraction_bits :]

    def significand(self, m: Module, fraction: Value, lane: int) -> Value:
        """Return the significand of a product, from the fraction of its logarithm."""
        return look_up(m, fraction, self.spec.table, f"table_{lane}")


def operand(m: Module, code: Value, name: str) -> Operand:
    """Return the parts of ``code``; ``name`` is the prefix of the signals that this adds to ``m``.

    Cost: a comparison with 0.
    """
    # Two's complement with the first bit inverted counts from the most negative number.
    logarithm = wire(m, Cat(code[:-2], ~code[-2]), f"{name}_logarithm")
    return Operand(code[-1], logarithm, wire(m, logarithm == 0, f"{name}_reserved"))
