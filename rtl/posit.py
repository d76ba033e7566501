"""Posit dot product in a quire, and posit multipliers; see :mod:`hwsim.units.posit`."""

from amaranth.hdl import C, Cat, Module, Mux, Value
from amaranth.lib import wiring

from hwsim.formats.posit import Posit as PositFormat
from hwsim.units.posit import Accumulation, PositUnit
from hwsim.units.tapered import unit_exponent
from rtl.blocks import posit
from rtl.blocks.accumulator import Accumulator
from rtl.blocks.fold import Fold
from rtl.blocks.normalise import leading_zeros
from rtl.blocks.posit import Parts
from rtl.blocks.wire import wire
from rtl.tapered import Product, Tapered


class Posit(Tapered):
    """Decoders, signed multipliers, and a quire or rounding of every product.

    Parameters and members are those of :class:`~rtl.base.Unit`, for a
    :class:`~hwsim.units.posit.PositUnit`.

    Timing: latency 1, interval 1; the input stalls while a result is not taken. With ``output``
    the quire is rounded between its register and the output, combinationally: that path is a
    leading-zero counter and a shifter of the whole quire.

    Numerics: nothing is negated on the way, see :mod:`rtl.blocks.posit`; one rounding at most.

    Cost drivers: 4 * (n - 2) * 2**es bits of quire, shifter and tree; lanes x fraction bits
    squared; lanes x n for the decoders.
    """

    spec: PositUnit

    def elaborate(self, platform: object) -> Module:
        if self.spec.accumulation is Accumulation.QUIRE:
            return super().elaborate(platform)
        m = Module()
        m.submodules.round = rounding = Module()
        fmt = self.spec.result.format
        codes = [
            wire(rounding, posit.multiply(rounding, fmt, a, w, f"rounded_{k}"), f"code_{k}")
            for k, (a, w) in enumerate(self.operands(m))
        ]
        m.submodules.fold = fold = Fold(self.spec.result.bits)
        m.d.comb += [
            fold.i.payload.value.eq(Cat(*codes)),
            fold.i.payload.last.eq(self.i.payload.last),
            fold.i.valid.eq(self.i.valid),
            self.i.ready.eq(fold.i.ready),
        ]
        wiring.connect(m, fold.o, wiring.flipped(self.o))
        return m
