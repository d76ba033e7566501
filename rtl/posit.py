"""Posit dot product in a quire, and posit multipliers; see :mod:`hwsim.units.posit`."""

from amaranth.hdl import Cat, Module
from amaranth.lib import stream, wiring

from hwsim.formats.posit import Posit as PositFormat
from hwsim.units.posit import Accumulation, PositUnit
from rtl.blocks import posit
from rtl.blocks.booth import booth_multiply
from rtl.blocks.fold import Fold
from rtl.blocks.posit import Parts
from rtl.blocks.wire import wire
from rtl.exact_sum import ExactSum, Product, Stages


class Posit(ExactSum):
    """Decoders, signed multipliers, and a quire or rounding of every product.

    Parameters and members are those of :class:`~rtl.base.Unit`, for a
    :class:`~hwsim.units.posit.PositUnit`.

    Timing: latency 1, interval 1; the input stalls while a result is not taken. With an
    ``accumulator`` the quire is rounded between its register and the output, combinationally: that
    path is a leading-zero counter and a shifter of the whole quire.

    Numerics: nothing is negated on the way, see :mod:`rtl.blocks.posit`; one rounding at most.

    Cost drivers: 4 * (n - 2) * 2**es bits of quire, shifter and tree; lanes x fraction bits
    squared; lanes x n for the decoders.
    """

    spec: PositUnit

    @property
    def accumulator_format(self) -> PositFormat:
        """The format of rounded results."""
        assert isinstance(self.spec.accumulator, PositFormat)
        return self.spec.accumulator

    @property
    def surplus(self) -> int:
        # A negative posit's scale is one below its exponent.
        return sum(posit.fraction_bits(fmt) for fmt in self.spec.operand_formats()) + 2

    def elaborate(self, platform: object) -> Module:
        if self.spec.accumulation is Accumulation.QUIRE:
            return super().elaborate(platform)
        m = Module()
        m.submodules.round = rounding = Module()
        m.submodules.decode = decoders = Module()
        fmt, codes = self.accumulator_format, []
        for k in range(self.spec.lanes):
            a, w = self.operands(decoders, k)
            code = posit.multiply(rounding, fmt, a, w, f"rounded_{k}")
            codes.append(wire(rounding, code, f"code_{k}"))
        m.submodules.fold = fold = Fold(self.spec.result.bits)
        m.d.comb += [
            fold.i.payload.value.eq(Cat(*codes)),
            fold.i.payload.last.eq(self.i.payload.last),
            fold.i.valid.eq(self.i.valid),
            self.i.ready.eq(fold.i.ready),
        ]
        wiring.connect(m, fold.o, wiring.flipped(self.o))
        return m

    def deliver(self, m: Module, total: stream.Interface) -> None:
        if self.spec.accumulator is None:
            super().deliver(m, total)
            return
        m.submodules.round = rounding = Module()
        quire, nar = total.payload[:-1].as_signed(), total.payload[-1]
        exponent = self.sum.exponent
        code = posit.round_quire(rounding, self.accumulator_format, quire, exponent, nar, "quire")
        m.d.comb += [
            self.o.payload.eq(code),
            self.o.valid.eq(total.valid),
            total.ready.eq(self.o.ready),
        ]

    def operands(self, m: Module, lane: int) -> tuple[Parts, Parts]:
        """Return the parts of activation and weight of a lane."""
        activation, weight = self.spec.operand_formats()
        beat = self.i.payload
        return (
            posit.decode(m, activation, beat.activations[lane], f"activation_{lane}"),
            posit.decode(m, weight, beat.weights[lane], f"weight_{lane}"),
        )

    def product(self, stages: Stages, lane: int) -> Product:
        return self.signed_product(stages.multiply, *self.operands(stages.decode, lane), lane)

    def signed_product(self, m: Module, a: Parts, w: Parts, lane: int) -> Product:
        """Return the product of a lane, 0 for zero and NaR."""
        nar = wire(m, a.nar | w.nar, f"nar_{lane}")
        exact = booth_multiply(m, a.significand, w.significand, f"significand_{lane}")
        value = wire(m, exact.as_signed(), f"product_{lane}")
        # From the least sum of two scales to the largest, that of the largest products.
        shift = a.scale + w.scale - (self.sum.exponent - 2)
        shift = shift[: (self.spec.product_bits + 1).bit_length()]
        return Product(value, wire(m, shift, f"shift_{lane}"), {"nan": nar})
