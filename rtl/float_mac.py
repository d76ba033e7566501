"""Floating-point dot products; see :mod:`hwsim.units.float_mac`."""

from amaranth.hdl import C, Cat, Module

from hwsim.units.float_mac import EXACT, FloatUnit
from hwsim.units.rounding import Subnormals
from rtl.blocks.aligned import AlignedSum, Term
from rtl.blocks.fma import FusedAdd, Operand, multiply, operand
from rtl.blocks.fold import Fold
from rtl.blocks.wire import wire
from rtl.exact_float import ExactFloat


class Float(ExactFloat):
    """Decoders, significand multipliers, and what adds up the products.

    Parameters and members are those of :class:`~rtl.base.Unit`, for a
    :class:`~hwsim.units.float_mac.FloatUnit`. By ``spec.accumulation``,

    - ``exact``: shifters, an adder tree and a Kulisch accumulator. Above the sum, the result has
      the flags ``spec.flags``, the first lowest.
    - a minifloat: a :class:`~rtl.blocks.fma.FusedAdd` a lane, one after another.
    - ``alignedF``: one :class:`~rtl.blocks.aligned.AlignedSum`.

    Timing: latency 1, interval 1, all lanes in one cycle; the input stalls while a result is not
    taken.

    Numerics: an exact sum keeps subnormals, is never rounded and wraps modulo 2**accumulator_bits;
    the others round once a lane or once a beat.

    Cost drivers: lanes x mantissa bits squared for the multipliers; 2**exponent bits of both
    formats for an exact sum, lanes x accumulator mantissa in area and delay for a rounded one,
    lanes x F for an aligned one.
    """

    spec: FloatUnit

    def elaborate(self, platform: object) -> Module:
        if self.spec.kind == EXACT:
            return super().elaborate(platform)
        m = Module()
        self.rounded(m)
        return m

    @property
    def flush(self) -> bool:
        return self.spec.subnormals is Subnormals.FLUSH

    def rounded(self, m: Module) -> None:
        """Add the sum that is rounded, once a lane or once a beat, to ``m``."""
        fmt = self.spec.state_format
        m.submodules.multiply = multiplier = Module()
        m.submodules.add = adder = Module()
        m.submodules.fold = fold = Fold(fmt.bits)
        state = wire(m, fold.state, "accumulated")
        products = [self.operand_product(multiplier, k) for k in range(self.spec.lanes)]
        if self.spec.aligned_bits is None:
            for lane, product in enumerate(products):
                total = self.fused_add(product).sum(adder, state, f"sum_{lane}")
                state = wire(adder, total, f"rounded_{lane}")
        else:
            total = self.aligned_sum(products).sum(adder, state, "sum")
            state = wire(adder, total, "rounded")
        m.d.comb += [
            fold.i.payload.value.eq(state),
            fold.i.payload.last.eq(self.i.payload.last),
            fold.i.valid.eq(self.i.valid),
            self.i.ready.eq(fold.i.ready),
            self.o.valid.eq(fold.o.valid),
            fold.o.ready.eq(self.o.ready),
            # Fraction bits that are not kept are 0.
            self.o.payload.eq(Cat(C(0, self.spec.result.bits - fmt.bits), fold.o.payload)),
        ]

    def operand_product(self, m: Module, lane: int) -> Operand:
        """Return the exact product of a lane."""
        beat = self.i.payload
        activation, weight = self.spec.operand_formats()
        a = operand(m, activation, beat.activations[lane], f"activation_{lane}", self.flush)
        w = operand(m, weight, beat.weights[lane], f"weight_{lane}", self.flush)
        return multiply(m, a, w, f"product_{lane}")

    def fused_add(self, product: Operand) -> FusedAdd:
        """Return the adder of one lane's ``product``."""
        rounding = self.spec.rounding
        assert rounding is not None
        return FusedAdd(self.spec.state_format, product, rounding, self.flush)

    def aligned_sum(self, products: list[Operand]) -> AlignedSum:
        """Return the adder of all ``products`` of a beat."""
        bits, rounding = self.spec.aligned_bits, self.spec.rounding
        assert bits is not None
        assert rounding is not None
        fraction = sum(fmt.mantissa for fmt in self.spec.operand_formats())
        terms = [Term(product, fraction) for product in products]
        return AlignedSum(self.spec.state_format, terms, bits, rounding, self.flush)
