"""Dot products of vectors with integer scales; see :mod:`hwsim.units.vs_dot`."""

from amaranth.hdl import C, Module, Signal, Value
from amaranth.lib import wiring

from hwsim.units.layer_operands import OPERANDS
from hwsim.units.vs_dot import VsDotUnit
from rtl.block_dot import BlockSums
from rtl.blocks.columns import Columns
from rtl.blocks.fold import Fold
from rtl.blocks.partial_products import add_product
from rtl.blocks.wire import wire


class VsDot(BlockSums):
    """One tree of counters a vector, a multiplier of scales, and one tree for all scaled vectors.

    Parameters and members are those of :class:`~rtl.base.Unit`, for a
    :class:`~hwsim.units.vs_dot.VsDotUnit`.

    Timing: latency 1, interval 1; the input stalls while a result is not taken. A vector's sum and
    its multiplication are in the path from the operands to the accumulator.

    Numerics: exact modulo 2**accumulator_bits, but for the product of scales where it is rounded.

    Cost drivers: lanes x weight bits x activation bits; for every vector of a beat the sum's bits
    x scale_product_bits; accumulator_bits.
    """

    spec: VsDotUnit

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.multiply = products = Module()
        m.submodules.scale = scale = Module()
        m.submodules.accumulate = accumulate = Module()

        # Multiply, and add up within the vectors.
        step, ends = Signal(), self.block_end(m)
        sums = self.block_sums(m, products, step, ends)

        # Scale, and add up over the vectors; one that goes on counts 0 times.
        m.submodules.fold = fold = Fold(self.spec.result.width)
        # Text of a module called merge is put in order (rtl.in_order).
        accumulate.submodules.merge = tree = Module()
        columns = Columns(tree, self.spec.result.width)
        for k, vector in enumerate(sums):
            factor = wire(scale, self.factor(scale, k), f"factor_{k}")
            counts = wire(scale, factor & ends.replicate(len(factor)), f"counts_{k}")
            add_product(columns, vector.total, counts, f"scaled_{k}")
        m.d.comb += [
            fold.i.payload.value.eq(self.add_vectors(columns, fold.state)),
            fold.i.payload.last.eq(self.i.payload.last),
            fold.i.valid.eq(self.i.valid),
            self.i.ready.eq(fold.i.ready),
            step.eq(fold.i.valid & fold.i.ready),
        ]
        self.count_beats(m, step, ends)
        wiring.connect(m, fold.o, wiring.flipped(self.o))
        return m

    def add_vectors(self, columns: Columns, state: Value) -> Value:
        """Return the sum of all vectors with this beat's."""
        return columns.total(state)

    def factor(self, m: Module, vector: int) -> Value:
        """Return what a vector's sum is multiplied with: the product of its scales, rounded."""
        spec = self.spec
        product: Value = C(1, 1)
        for operand in filter(spec.scale_bits, OPERANDS):
            product = product * self.i.payload[spec.scale_names(operand)[vector]]
        product = wire(m, product[: spec.full_factor_bits], f"product_{vector}")
        return self.rounded(m, product, vector) if spec.dropped_bits else product

    def rounded(self, m: Module, product: Value, vector: int) -> Value:
        """Return the highest bits of a product of scales, to nearest, halves up, saturating."""
        bits, dropped = self.spec.factor_bits, self.spec.dropped_bits
        nearest = wire(m, product[dropped:] + product[dropped - 1], f"nearest_{vector}")
        if not self.spec.saturates:
            return nearest[:bits]
        return nearest[:bits] | nearest[bits].replicate(bits)
