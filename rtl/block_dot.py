"""Dot products of scaled blocks; see :mod:`hwsim.units.block_dot`."""

from dataclasses import dataclass, replace

from amaranth.hdl import C, Cat, Module, Mux, Signal, Value, signed
from amaranth.lib import wiring

from hwsim.formats.base import Format
from hwsim.formats.fixed import FixedPoint
from hwsim.formats.integer import Integer
from hwsim.formats.minifloat import Minifloat
from hwsim.units.block_dot import Accumulation, BlockDotUnit, BlockUnit
from rtl.base import Unit
from rtl.blocks.columns import PLACED, Columns
from rtl.blocks.fma import FusedAdd, Operand, multiply, operand, short_operand
from rtl.blocks.fold import Fold
from rtl.blocks.minifloat import Decoded, decode
from rtl.blocks.partial_products import add_product
from rtl.blocks.place import place
from rtl.blocks.wire import counter, wire

NONE = C(0, 1)


@dataclass(frozen=True)
class Special:
    """What is special about a product."""

    nan: Value
    plus: Value
    minus: Value


@dataclass(frozen=True)
class BlockSum:
    """The sum of a block's products before it is scaled, and what was special about them."""

    total: Value
    nan: Value
    plus: Value
    minus: Value


@dataclass(frozen=True)
class ScaledBlock:
    """A block's finite part times both scales, and what was special about it."""

    value: Operand
    nan: Value
    plus: Value
    minus: Value


def finite(m: Module, fmt: Minifloat, code: Value, name: str) -> Operand:
    """Return a minifloat taken apart; the significand of infinity and NaN is 0."""
    parts = decode(m, fmt, code, name)
    longest = max((fmt.max_code >> fmt.mantissa) - 1, 0)
    return Operand(parts, fmt.subnormal_exponent, range(longest + 1), 0, fmt.mantissa + 1)


class BlockSums(Unit):
    """What adds up products within blocks, one tree of counters a block.

    Parameters and members are those of :class:`~rtl.base.Unit`, for a
    :class:`~hwsim.units.block_dot.BlockUnit`.
    """

    spec: BlockUnit

    def block_sums(self, m: Module, products: Module, step: Value, ends: Value) -> list[BlockSum]:
        """Return the sums of a beat's blocks, of the one that it is part of up to this beat."""
        width = self.spec.lanes // self.spec.beat_blocks
        return [
            self.block_sum(m, products, range(k * width, (k + 1) * width), step, ends, f"block_{k}")
            for k in range(self.spec.beat_blocks)
        ]

    def count_beats(self, m: Module, step: Value, ends: Value) -> None:
        """Count the beats of a block, for :meth:`block_end`."""
        if self.spec.group_beats > 1:
            with m.If(step):
                m.d.sync += self.position.eq(Mux(ends, 0, self.position + 1))

    def block_end(self, m: Module) -> Value:
        """Return whether the beat ends its block."""
        if self.spec.group_beats == 1:
            return C(1, 1)
        self.position = counter(self.spec.group_beats, "position")
        full = self.position == self.spec.group_beats - 1
        return wire(m, full | self.i.payload.last, "ends")

    def element(self, m: Module, fmt: Format, code: Value, name: str) -> Operand:
        """Return an element taken apart, in units of its smallest step."""
        if isinstance(fmt, Minifloat):
            return finite(m, fmt, code, name)
        units = fmt.units if isinstance(fmt, FixedPoint) else fmt
        return operand(m, units, self.integer(fmt, code), name)

    def integer(self, fmt: Format, code: Value) -> Value:
        """Return the integer that an element of integers or fixed point is."""
        assert isinstance(fmt, FixedPoint | Integer)
        return code.as_signed() if fmt.signed else code.as_unsigned()

    def add_product(self, m: Module, columns: Columns, lane: int) -> Special:
        """Add one lane's exact product, in units of the product of the smallest steps."""
        activation, weight = self.spec.elements
        x, y = self.i.payload.activations[lane], self.i.payload.weights[lane]
        if not isinstance(activation, Minifloat) and not isinstance(weight, Minifloat):
            a, w = self.integer(activation, x), self.integer(weight, y)
            add_product(columns, a, w, f"product_{lane}")
            return Special(NONE, NONE, NONE)
        first = self.element(m, activation, x, f"activation_{lane}")
        second = self.element(m, weight, y, f"weight_{lane}")
        parts = multiply(m, first, second, f"product_{lane}").parts
        shifted = (parts.significand << parts.shift)[: self.spec.product_bits]
        magnitude = wire(m, shifted, f"magnitude_{lane}")
        columns.add_signed(magnitude, parts.sign, PLACED)
        return Special(parts.nan, parts.infinity & ~parts.sign, parts.infinity & parts.sign)

    def block_sum(
        self, m: Module, products: Module, lanes: range, step: Value, ends: Value, name: str
    ) -> BlockSum:
        """Return the sum of a block's products up to this beat, by one tree of counters."""
        # Text of a module called merge is put in order (rtl.in_order).
        m.submodules[name] = block = Module()
        block.submodules.merge = tree = Module()
        width = self.spec.block_bits + 1
        columns = Columns(tree, width)
        specials = [self.add_product(products, columns, lane) for lane in lanes]
        flags = Cat(
            Cat(getattr(special, kind) for special in specials).any()
            for kind in ("nan", "plus", "minus")
        )
        if self.spec.group_beats == 1:
            total = wire(products, self.add_beat(columns, None).as_signed(), f"{name}_sum")
        else:
            carried = Signal(signed(width), name=f"{name}_carried")
            carried_flags = Signal(3, name=f"{name}_carried_flags")
            total = wire(products, self.add_beat(columns, carried).as_signed(), f"{name}_sum")
            flags = wire(products, carried_flags | flags, f"{name}_flags")
            with m.If(step):
                m.d.sync += [
                    carried.eq(Mux(ends, 0, total)),
                    carried_flags.eq(Mux(ends, 0, flags)),
                ]
        return BlockSum(total, flags[0], flags[1], flags[2])

    def add_beat(self, columns: Columns, carried: Value | None) -> Value:
        """Return the block's sum with this beat's products."""
        return columns.total(carried)


class BlockDot(BlockSums):
    """One tree of counters a block, scale decoders, and what adds up the blocks.

    Parameters and members are those of :class:`~rtl.base.Unit`, for a
    :class:`~hwsim.units.block_dot.BlockDotUnit`.

    Timing: latency 1, interval 1; the input stalls while a result is not taken. The end of a block
    is in the path from the operands to the accumulator.

    Numerics: a block's sum is exact; blocks are added with one rounding each, or in fixed point
    with flags for what does not fit.

    Cost drivers: lanes x mantissa bits squared and, for the width of the tree, 2**exponent bits of
    the elements; the accumulator's mantissa, once for every block in a beat.
    """

    spec: BlockDotUnit

    def elaborate(self, platform: object) -> Module:
        m = Module()
        spec, beat = self.spec, self.i.payload
        m.submodules.multiply = products = Module()
        m.submodules.scale = scale = Module()
        m.submodules.accumulate = accumulate = Module()

        # Multiply, and add up within the blocks.
        step, ends = Signal(), self.block_end(m)
        sums = self.block_sums(m, products, step, ends)

        # Scale.
        terms = [self.scaled(scale, k, block) for k, block in enumerate(sums)]

        # Add up over the blocks.
        m.submodules.fold = fold = Fold(spec.result.bits)
        state = wire(m, fold.state, "accumulated")
        total: Value = state
        for k, term in enumerate(terms):
            add = self.add_fixed if spec.accumulation is Accumulation.FIXED else self.add_rounded
            total = wire(accumulate, add(accumulate, term, total, f"sum_{k}"), f"total_{k}")
        m.d.comb += [
            fold.i.payload.value.eq(Mux(ends, total, state)),
            fold.i.payload.last.eq(beat.last),
            fold.i.valid.eq(self.i.valid),
            self.i.ready.eq(fold.i.ready),
            step.eq(fold.i.valid & fold.i.ready),
        ]
        self.count_beats(m, step, ends)
        wiring.connect(m, fold.o, wiring.flipped(self.o))
        return m

    def scaled(self, m: Module, block: int, found: BlockSum) -> ScaledBlock:
        """Return a block's sum times both scales."""
        spec, beat = self.spec, self.i.payload
        names = [spec.scale_names(side)[block] for side in ("activation", "weight")]
        x, y = (self.scale(m, spec.scale_format, beat[name], name) for name in names)
        scale = multiply(m, x, y, f"scale_{block}")
        negative = wire(m, found.total[-1], f"negative_{block}")
        total = found.total
        if spec.accumulation is Accumulation.FIXED:
            # Bits below the unit are dropped of the magnitude.
            inverted = total.as_unsigned() ^ negative.replicate(len(total))
            total = wire(m, (inverted + negative)[: spec.block_bits], f"magnitude_{block}")
        significand = wire(m, total * scale.parts.significand, f"significand_{block}")
        parts = Decoded(
            sign=negative,
            significand=significand,
            shift=scale.parts.shift,
            zero=wire(m, ~significand.any(), f"zero_{block}"),
            infinity=NONE,
            nan=NONE,
        )
        value = short_operand(parts, spec.unit_exponent + scale.lowest, scale.shifts)
        nan = scale.parts.nan | scale.parts.infinity | found.nan
        nan = nan | ((found.plus | found.minus) & scale.parts.zero)
        return ScaledBlock(value, wire(m, nan, f"nan_{block}"), found.plus, found.minus)

    def scale(self, m: Module, fmt: Format, code: Value, name: str) -> Operand:
        """Return a scale taken apart: a power of two, or a positive minifloat."""
        if isinstance(fmt, Minifloat):
            # The sign bit of a signed format is not looked at.
            positive = Cat(code[:-1], C(0, 1)) if fmt.signed else code
            return finite(m, fmt, positive, name)
        shifts = range(1 << fmt.bits)
        if isinstance(fmt, Integer):
            low = fmt.low
            shift = wire(m, (code - low)[: fmt.bits], f"{name}_shift")
            parts = Decoded(NONE, C(1, 1), shift, NONE, infinity=NONE, nan=NONE)
            return short_operand(parts, low, shifts)
        nan = wire(m, code.all(), f"{name}_nan")
        bias = -int(fmt.unpack(0).exponent)
        parts = Decoded(NONE, ~nan, code, NONE, infinity=NONE, nan=nan)
        return short_operand(parts, -bias, shifts)

    def add_rounded(self, m: Module, block: ScaledBlock, total: Value, name: str) -> Value:
        """Return the code of ``total`` plus a scaled block, rounded once."""
        nan = wire(m, block.nan | (block.plus & block.minus), f"{name}_nan")
        infinity = (block.plus | block.minus) & ~nan
        sign = wire(m, Mux(infinity, block.minus, block.value.parts.sign), f"{name}_sign")
        parts = replace(block.value.parts, sign=sign, infinity=infinity, nan=nan)
        return self.fused_add(replace(block.value, parts=parts)).sum(m, total, name)

    def fused_add(self, term: Operand) -> FusedAdd:
        """Return the adder of a scaled block."""
        return FusedAdd(self.spec.sum_format, term)

    def add_fixed(self, m: Module, block: ScaledBlock, total: Value, name: str) -> Value:
        """Return ``total`` plus a scaled block in fixed point, and above it the flags."""
        result, parts = self.spec.fixed_result, block.value.parts
        width = result.width
        placed = place(m, block.value, width, result.exponent, f"{name}_place")
        # Negated: inverted, and one more by a carry into the sum.
        value = wire(m, placed.magnitude ^ parts.sign.replicate(width), f"{name}_term")
        first = Cat(C(1, 1), total[:width]).as_signed()
        exact = wire(m, (first + Cat(parts.sign, value).as_signed())[1:], f"{name}_exact")
        raised = {
            "nan": block.nan,
            "positive_infinity": block.plus,
            "negative_infinity": block.minus,
            "overflow": placed.overflow | (exact[-1] ^ exact[-2]),
            "inexact": placed.inexact,
        }
        flags = Cat(raised[flag] for flag in result.flags)
        return Cat(exact[:width], total[width:] | flags)
