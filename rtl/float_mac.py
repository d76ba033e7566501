"""Floating-point dot products; see :mod:`hwsim.units.float_mac`."""

from amaranth.hdl import C, Cat, Module, Value

from hwsim.units.float_mac import ALIGNED, EXACT, FloatUnit
from rtl.blocks.aligned import AlignedProducts, AlignedSum, Term
from rtl.blocks.fma import Operand
from rtl.blocks.fold import Fold, InterleavedFold
from rtl.blocks.wire import wire
from rtl.exact_sum import ExactSum
from rtl.rounded_sum import RoundedSum


class Float(RoundedSum, ExactSum):
    """Decoders, significand multipliers, and what adds up the products.

    Parameters and members are those of :class:`~rtl.base.Unit`, for a
    :class:`~hwsim.units.float_mac.FloatUnit`. By ``spec.kind``,

    - ``exact``: :class:`~rtl.exact_sum.ExactSum`.
    - ``rounded``: :class:`~rtl.rounded_sum.RoundedSum`.
    - ``aligned``: one :class:`~rtl.blocks.aligned.AlignedSum` in the place of its adders.
    - ``product_aligned``: one :class:`~rtl.blocks.aligned.AlignedProducts` before a single adder.

    Timing: latency 1, interval 1, all lanes in one cycle; the input stalls while a result is not
    taken.

    Numerics: an exact sum keeps subnormals, is never rounded and wraps modulo 2**accumulator_bits;
    the others round once a lane or once a beat.

    Cost drivers: lanes x mantissa bits squared for the multipliers; 2**exponent bits of both
    formats for an exact sum, lanes x accumulator mantissa in area and delay for a rounded one,
    lanes x F for the aligned ones.
    """

    spec: FloatUnit

    def elaborate(self, platform: object) -> Module:
        engine = ExactSum if self.spec.kind == EXACT else RoundedSum
        return engine.elaborate(self, platform)

    def parts(self, m: Module) -> tuple[Module, Module]:
        m.submodules.multiply = multiplier = Module()
        m.submodules.add = adder = Module()
        return multiplier, adder

    def deliver_state(self, m: Module, fold: Fold | InterleavedFold) -> None:
        padding = self.spec.result.bits - self.spec.state_format.bits
        m.d.comb += [
            self.o.valid.eq(fold.o.valid),
            fold.o.ready.eq(self.o.ready),
            # Fraction bits that are not kept are 0.
            self.o.payload.eq(Cat(C(0, padding), self.combined(m, fold))),
        ]

    def total(self, multiplier: Module, adder: Module, state: Value) -> Value:
        if self.spec.aligned_bits is None:
            return super().total(multiplier, adder, state)
        products = [self.operand_product(multiplier, k) for k in range(self.spec.lanes)]
        if self.spec.kind == ALIGNED:
            return wire(adder, self.aligned_sum(products).sum(adder, state, "sum"), "rounded")
        beat = self.aligned_products(products).operand(adder, "beat")
        return wire(adder, self.fused_add(beat).sum(adder, state, "sum"), "rounded")

    def aligned_sum(self, products: list[Operand]) -> AlignedSum:
        """Return the adder of all ``products`` of a beat and the sum before it."""
        spec = self.spec
        terms, bits = self.terms(products)
        return AlignedSum(spec.state_format, terms, bits, spec.sum_rounding, self.flush)

    def aligned_products(self, products: list[Operand]) -> AlignedProducts:
        """Return the adder of all ``products`` of a beat."""
        return AlignedProducts(*self.terms(products))

    def terms(self, products: list[Operand]) -> tuple[list[Term], int]:
        """Return products as terms, and the bits below the largest exponent."""
        bits = self.spec.aligned_bits
        assert bits is not None
        fraction = sum(fmt.mantissa for fmt in self.spec.operand_formats())
        return [Term(product, fraction) for product in products], bits
