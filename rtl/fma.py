"""Floating-point multiply-accumulate; see :mod:`hwsim.units.fma`."""

from amaranth.hdl import Module, Mux, Value
from amaranth.lib import wiring

from hwsim.formats.integer import Integer
from hwsim.units.fma import FmaUnit
from rtl.base import Unit
from rtl.blocks.fma import FusedAdd, Operand, choose, multiply, operand
from rtl.blocks.fold import Fold
from rtl.blocks.wire import wire


class Fma(Unit):
    """A multiplier and a fused adder a lane, one after another, and the accumulator register.

    Parameters and members are those of :class:`~rtl.base.Unit`, for an
    :class:`~hwsim.units.fma.FmaUnit`.

    Timing: latency 1, interval 1, with all lanes in one cycle; the input stalls while a result is
    not taken.

    Numerics: one rounding a lane, nearest even, with subnormals, infinity and NaN.

    Cost drivers: lanes x accumulator mantissa for the shifters, in area and delay; activation
    mantissa x weight mantissa for the multiplier.
    """

    spec: FmaUnit

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.fold = fold = Fold(self.spec.result.bits)
        state = wire(m, fold.state, "accumulated")
        for lane in range(self.spec.lanes):
            rounded = wire(m, self.step(m, lane, state), f"rounded_{lane}")
            if lane and self.spec.wide is not None:
                # The wide weight is lane 0's; the others pass on what it gave.
                rounded = wire(m, Mux(self.i.payload.wide, state, rounded), f"passed_{lane}")
            state = rounded
        m.d.comb += [
            fold.i.payload.value.eq(state),
            fold.i.payload.last.eq(self.i.payload.last),
            fold.i.valid.eq(self.i.valid),
            self.i.ready.eq(fold.i.ready),
        ]
        wiring.connect(m, fold.o, wiring.flipped(self.o))
        return m

    def step(self, m: Module, lane: int, state: Value) -> Value:
        """Return the code of ``state`` plus the product of a lane."""
        activation = operand(
            m, self.spec.activation, self.i.payload.activations[lane], f"activation_{lane}"
        )
        product = multiply(m, activation, self.weight(m, lane), f"product_{lane}")
        return self.fused_add(product).sum(m, state, f"sum_{lane}")

    def fused_add(self, product: Operand) -> FusedAdd:
        """Return the adder for ``product``."""
        return FusedAdd(self.spec.result.format, product)

    def weight(self, m: Module, lane: int) -> Operand:
        """Return the weight of a lane."""
        weights = self.i.payload.weights
        narrow = operand(m, self.spec.weight, weights[lane], f"weight_{lane}")
        if lane or self.spec.wide is None:
            return narrow
        code = weights.as_value()
        if isinstance(self.spec.wide, Integer) and self.spec.wide.signed:
            code = code.as_signed()
        wide = operand(m, self.spec.wide, code, "wide")
        return choose(m, self.i.payload.wide, wide, narrow, "chosen")
