"""Products added one after another, each addition rounded; see :mod:`hwsim.units.rounded_sum`."""

from amaranth.hdl import Module, Mux, Value
from amaranth.lib import wiring

from hwsim.formats.integer import Integer
from hwsim.units.rounded_sum import RoundedSum as RoundedSumSpec
from hwsim.units.rounding import Subnormals
from rtl.base import Unit
from rtl.blocks.fma import FusedAdd, Operand, choose, multiply, operand
from rtl.blocks.fold import Fold, InterleavedFold
from rtl.blocks.wire import wire


class RoundedSum(Unit):
    """A multiplier and a fused adder a lane, one after another, and the accumulator register.

    Parameters and members are those of :class:`~rtl.base.Unit`, for a
    :class:`~hwsim.units.rounded_sum.RoundedSum`.

    Timing: latency 1, interval 1, with all lanes in one cycle; the input stalls while a result is
    not taken.

    Numerics: one rounding a lane, with infinity and NaN.

    Cost drivers: lanes x accumulator mantissa for the shifters, in area and delay; activation
    mantissa x weight mantissa for the multiplier.
    """

    spec: RoundedSumSpec

    @property
    def flush(self) -> bool:
        """Whether subnormals count as zeros."""
        return self.spec.subnormals is Subnormals.FLUSH

    def elaborate(self, platform: object) -> Module:
        m = Module()
        fmt = self.spec.state_format
        multiplier, adder = self.parts(m)
        count = self.spec.interleaved_sums
        m.submodules.fold = fold = (
            Fold(fmt.bits) if count == 1 else InterleavedFold(fmt.bits, count)
        )
        state = wire(m, fold.state, "accumulated")
        total = self.total(multiplier, adder, state)
        m.d.comb += [
            fold.i.payload.value.eq(total),
            fold.i.payload.last.eq(self.i.payload.last),
            fold.i.valid.eq(self.i.valid),
            self.i.ready.eq(fold.i.ready),
        ]
        self.deliver_state(m, fold)
        return m

    def deliver_state(self, m: Module, fold: Fold | InterleavedFold) -> None:
        """Connect the accumulator to the output."""
        if isinstance(fold, Fold):
            wiring.connect(m, fold.o, wiring.flipped(self.o))
            return
        m.d.comb += [
            self.o.valid.eq(fold.o.valid),
            fold.o.ready.eq(self.o.ready),
            self.o.payload.eq(self.combined(m, fold)),
        ]

    def combined(self, m: Module, fold: Fold | InterleavedFold) -> Value:
        """Return the code of the sum: of the accumulator, or of all partial sums in order."""
        if isinstance(fold, Fold):
            return fold.o.payload
        m.submodules.combine = combine = Module()
        fmt = self.spec.state_format
        total, *others = (fold.o.payload.word_select(k, fmt.bits) for k in range(fold.count))
        for k, code in enumerate(others, 1):
            part = operand(combine, fmt, code, f"partial_{k}", self.flush)
            total = wire(
                combine, self.fused_add(part).sum(combine, total, f"combined_{k}"), f"sum_{k}"
            )
        return total

    def parts(self, m: Module) -> tuple[Module, Module]:
        """Return the modules that multiply and add."""
        return m, m

    def total(self, multiplier: Module, adder: Module, state: Value) -> Value:
        """Return the code of ``state`` plus the products of a beat."""
        for lane in range(self.spec.lanes):
            product = self.operand_product(multiplier, lane)
            total = self.fused_add(product).sum(adder, state, f"sum_{lane}")
            rounded = wire(adder, total, f"rounded_{lane}")
            if lane and self.spec.wide is not None:
                # The wide weight is lane 0's; the others pass on what it gave.
                rounded = wire(adder, Mux(self.i.payload.wide, state, rounded), f"passed_{lane}")
            state = rounded
        return state

    def operand_product(self, m: Module, lane: int) -> Operand:
        """Return the exact product of a lane."""
        activation, _ = self.spec.operand_formats()
        code = self.i.payload.activations[lane]
        a = operand(m, activation, code, f"activation_{lane}", self.flush)
        return multiply(m, a, self.weight(m, lane), f"product_{lane}")

    def weight(self, m: Module, lane: int) -> Operand:
        """Return the weight of a lane."""
        weights = self.i.payload.weights
        _, fmt = self.spec.operand_formats()
        narrow = operand(m, fmt, weights[lane], f"weight_{lane}", self.flush)
        if lane or self.spec.wide is None:
            return narrow
        code = weights.as_value()
        if isinstance(self.spec.wide, Integer) and self.spec.wide.signed:
            code = code.as_signed()
        wide = operand(m, self.spec.wide, code, "wide", self.flush)
        return choose(m, self.i.payload.wide, wide, narrow, "chosen")

    def fused_add(self, product: Operand) -> FusedAdd:
        """Return the adder of one lane's ``product``."""
        return FusedAdd(self.spec.state_format, product, self.spec.sum_rounding, self.flush)
