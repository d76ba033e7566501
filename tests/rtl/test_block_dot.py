"""Hardware for scaled blocks with one mistake does not pass."""

from dataclasses import replace

import pytest
from amaranth.hdl import C, Cat, Module, Signal, Value
from amaranth.sim import Simulator

import rtl
from hwsim.formats.base import Format
from hwsim.units import UnitSpec, make
from rtl.block_dot import BlockDot, BlockSum, ScaledBlock
from rtl.blocks.columns import Columns
from rtl.blocks.fma import FusedAdd, Operand, short_operand
from rtl.blocks.minifloat import Decoded
from rtl.blocks.place import place
from tests.rtl.mutants import ExtraCycle, SwappedLanes, failure_of, without_carry

UNITS = {
    "mx": make("mx_dot", lanes=4, block_size=8, weight="e2m1", activation="e2m3"),
    "nvfp4": make("nvfp4_dot", lanes=4, block_size=8),
    "bfp": make("bfp_dot", lanes=4, block_size=8, weight="int4", activation="q2.2"),
    "fixed": make("mx_dot", lanes=4, block_size=8, weight="e2m1", activation="e5m2",
                  accumulation="fixed", accumulator_bits=24, fraction_bits=8),
}  # fmt: skip


class PositiveBlocks(BlockDot):
    """A block's sum counts positively."""

    def scaled(self, m: Module, block: int, found: BlockSum) -> ScaledBlock:
        right = super().scaled(m, block, found)
        parts = replace(right.value.parts, sign=C(0, 1))
        return replace(right, value=replace(right.value, parts=parts))


class DroppedCarry(BlockDot):
    """No carry passes from the low 5 bits of a block's sum to the rest."""

    def add_beat(self, columns: Columns, carried: Value | None) -> Value:
        assert carried is not None
        return without_carry(carried, columns.total(), 5)


class IgnoredActivationScale(BlockDot):
    """Blocks are scaled by the weights' scale twice."""

    def scale(self, m: Module, fmt: Format, code: Value, name: str) -> Operand:
        if name.startswith("activation"):
            code = self.i.payload[name.replace("activation", "weight")]
        return super().scale(m, fmt, code, name)


class IgnoredLastBlock(BlockDot):
    """The last block of a dot product is not added."""

    def block_end(self, m: Module) -> Value:
        ends = super().block_end(m)
        return ends & ~self.i.payload.last


class NumericNan(BlockDot):
    """A scale of NaN is a number."""

    def scaled(self, m: Module, block: int, found: BlockSum) -> ScaledBlock:
        return replace(super().scaled(m, block, found), nan=C(0, 1))


@pytest.mark.parametrize(
    ("name", "mutant"),
    [
        ("mx", SwappedLanes),
        ("mx", ExtraCycle),
        ("mx", PositiveBlocks),
        ("mx", DroppedCarry),
        ("mx", IgnoredActivationScale),
        ("mx", IgnoredLastBlock),
        ("mx", NumericNan),
        ("nvfp4", SwappedLanes),
        ("nvfp4", IgnoredActivationScale),
        ("nvfp4", NumericNan),
        ("bfp", SwappedLanes),
        ("bfp", DroppedCarry),
        ("fixed", PositiveBlocks),
        ("fixed", NumericNan),
    ],
)
def test_a_wrong_unit_fails(name: str, mutant: type[rtl.Unit]) -> None:
    unit = UNITS[name]
    failure = failure_of(unit, mutant(unit))
    assert "expected" in failure or mutant is ExtraCycle


class CarrylessAdd(FusedAdd):
    """No carry passes from the low 4 bits of the block's place to the rest."""

    def add(self, fixed: Value, aligned: Value) -> Value:
        return without_carry(fixed, aligned, self.below + 1 + 4)


class CarrylessBlocks(BlockDot):
    """Blocks are added with that adder."""

    def fused_add(self, term: Operand) -> FusedAdd:
        return CarrylessAdd(self.spec.sum_format, term)


class SilentOverflow(BlockDot):
    """The flags of fixed point never rise."""

    kind = "overflow"

    def add_fixed(self, m: Module, block: ScaledBlock, total: Value, name: str) -> Value:
        right = super().add_fixed(m, block, total, name)
        result = self.spec.fixed_result
        position = result.width + result.flags.index(self.kind)
        return Cat(right[:position], total[position], right[position + 1 :])


class SilentTruncation(SilentOverflow):
    """Dropped bits are not flagged."""

    kind = "inexact"


@pytest.mark.parametrize(
    ("name", "mutant"),
    [("mx", CarrylessBlocks), ("fixed", SilentOverflow), ("fixed", SilentTruncation)],
)
def test_a_wrong_accumulator_fails(name: str, mutant: type[rtl.Unit]) -> None:
    unit: UnitSpec = UNITS[name]
    assert "expected" in failure_of(unit, mutant(unit))


@pytest.mark.parametrize("lowest", [-9, -3, 0, 4])
def test_place_is_exact_or_flagged(lowest: int) -> None:
    width, unit = 5, 0
    m = Module()
    significand, shift = Signal(3), Signal(4)
    none = C(0, 1)
    parts = Decoded(none, significand, shift, none, none, none)
    placed = place(m, short_operand(parts, lowest, range(16)), width, unit, "placed")
    got = [Signal(width), Signal(), Signal()]
    m.d.comb += [
        s.eq(v)
        for s, v in zip(got, (placed.magnitude, placed.overflow, placed.inexact), strict=True)
    ]

    async def bench(ctx: object) -> None:
        for value in range(8):
            for up in range(16):
                ctx.set(significand, value)
                ctx.set(shift, up)
                scaled = value * 2 ** (up + lowest + 16)
                units, rest = divmod(scaled, 1 << 16)
                want = (units % (1 << width), int(units >= 1 << (width - 1)), int(rest != 0))
                assert tuple(ctx.get(s) for s in got) == want, (value, up)

    simulator = Simulator(m)
    simulator.add_testbench(bench)
    simulator.run()
