"""The suite passes, and hardware with one mistake does not."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
from amaranth.hdl import C, Cat, Module, Mux, Signal, Value
from amaranth.lib import wiring

import rtl
from hwsim.errors import MissingToolError
from hwsim.units import Timing, UnitSpec, make
from rtl.blocks.accumulator import Accumulator
from rtl.blocks.adder_tree import tree_sum
from rtl.blocks.fma import FusedAdd, Operand
from rtl.blocks.minifloat import Decoded
from rtl.verification import run as run_module
from rtl.verification import suite, verify

MUTATED = {
    "integer": make("integer", lanes=4, weight="int4", activation="int8"),
    "float": make("float", lanes=4, weight="e4m3", activation="e2m1"),
    "bit_serial": make("bit_serial", lanes=4, weight="int4", activation="int8"),
    "precision": make("bit_serial", lanes=4, weight="int4", activation="int8", precision="beat"),
    "booth": make("bit_serial", lanes=4, weight="int4", activation="int8", recoding="booth"),
    "essential": make("bit_serial", lanes=4, weight="int4", activation="int8", digits="essential"),
    "both": make("bit_serial", lanes=4, weight="int4", activation="int5", serial="both"),
    "fma": make("fma", lanes=2, weight="e3m2", activation="e4m3", accumulator="fp16"),
    "shift_add": make("shift_add", lanes=4, weight="int4", activation="int8", group_size=8),
}
FAMILIES = list(MUTATED)


@pytest.mark.parametrize("unit", suite(), ids=lambda unit: unit.name)
def test_verilog_equals_golden_model(unit: UnitSpec) -> None:
    verdict = verify(unit)
    assert verdict.passed, str(verdict)
    assert verdict.vectors > 1000
    measured = Timing(verdict.latency, verdict.interval, verdict.min_interval)
    assert measured == unit.timing()


class SwappedLanes(rtl.Unit):
    """Lanes 0 and 1 get each other's weight."""

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.inner = inner = rtl.create(self.spec)
        wiring.connect(m, inner.o, wiring.flipped(self.o))
        weights = [self.i.payload.weights[k] for k in range(self.spec.lanes)]
        weights[0], weights[1] = weights[1], weights[0]
        m.d.comb += [
            inner.i.payload.eq(self.i.payload),
            inner.i.payload.weights.eq(Cat(*weights)),
            inner.i.valid.eq(self.i.valid),
            self.i.ready.eq(inner.i.ready),
        ]
        return m


class UnsignedWeight(rtl.integer.Integer):
    """Lane products take the weight as unsigned."""

    def multiply(self, activation: Value, weight: Value) -> Value:
        return activation * weight.as_unsigned()


class IgnoredWeightSign(rtl.float_mac.Float):
    """Products have the sign of the activation."""

    def sign(self, a: Decoded, w: Decoded) -> Value:
        return a.sign


class PositiveSignBit(rtl.bit_serial.BitSerial):
    """The sign bit counts positively."""

    def signed(self, operand: str) -> bool:
        return False


class PositiveDigits(rtl.bit_serial.BitSerial):
    """All digits count positively."""

    def signed_sum(self, products: Sequence[tuple[Value, Value]]) -> Value:
        return tree_sum([product for product, _ in products])


class PositiveWeights(rtl.fma.Fma):
    """Products have the sign of the activation."""

    def weight(self, m: Module, lane: int) -> Operand:
        right = super().weight(m, lane)
        return replace(right, parts=replace(right.parts, sign=C(0, 1)))


class PositiveTopRow(rtl.shift_add.ShiftAdd):
    """The sign bit counts positively."""

    def product(self, activation: Value, weight: Value) -> Value:
        return tree_sum([Mux(bit, activation << k, 0) for k, bit in enumerate(weight)])


WRONG_SIGN = {
    "integer": UnsignedWeight,
    "float": IgnoredWeightSign,
    "bit_serial": PositiveSignBit,
    "precision": PositiveSignBit,
    "booth": PositiveDigits,
    "essential": PositiveDigits,
    "both": PositiveSignBit,
    "fma": PositiveWeights,
    "shift_add": PositiveTopRow,
}


def without_carry(total: Value, term: Value, place: int) -> Value:
    """Return the sum without the carry into the bit ``place``."""
    low = total[:place] + term[:place]
    high = (total >> place) + (term >> place)
    return Cat(low[:place], high).as_signed()


class DroppedCarry(Accumulator):
    """No carry passes from the low 7 bits of the sum to the rest."""

    def add(self, total: Value, term: Value) -> Value:
        return without_carry(total, term, 7)


class CarrylessFusedAdd(FusedAdd):
    """No carry passes from the low 4 bits of the product's place to the rest."""

    def add(self, fixed: Value, aligned: Value) -> Value:
        return without_carry(fixed, aligned, self.below + 1 + 4)


class CarrylessFma(rtl.fma.Fma):
    """An fma with that adder."""

    def fused_add(self, product: Operand) -> FusedAdd:
        return CarrylessFusedAdd(self.spec.result.format, product)


class ExtraCycle(rtl.Unit):
    """Every beat takes one cycle more than declared."""

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.inner = inner = rtl.create(self.spec)
        waited = Signal()
        taken = self.i.valid & self.i.ready
        m.d.sync += waited.eq(self.i.valid & ~taken)
        wiring.connect(m, inner.o, wiring.flipped(self.o))
        m.d.comb += [
            inner.i.payload.eq(self.i.payload),
            inner.i.valid.eq(self.i.valid & waited),
            self.i.ready.eq(inner.i.ready & waited),
        ]
        return m


class LateAccumulator(Accumulator):
    """A result waits one cycle more than declared."""

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.inner = inner = Accumulator(self.width, self.term, self.flags)
        waited = Signal()
        m.d.sync += waited.eq(inner.o.valid & ~(waited & self.o.ready))
        wiring.connect(m, wiring.flipped(self.i), inner.i)
        m.d.comb += [
            self.o.payload.eq(inner.o.payload),
            self.o.valid.eq(inner.o.valid & waited),
            inner.o.ready.eq(self.o.ready & waited),
        ]
        return m


def with_accumulator(unit: UnitSpec, accumulator: type[Accumulator]) -> rtl.Unit:
    class Mutant(rtl.GENERATORS[type(unit)]):
        def accumulator(self, term: Value) -> Accumulator:
            result = self.spec.result
            return accumulator(result.width, term.shape(), len(result.flags))

    return Mutant(unit)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_swapped_lane_fails(family: str) -> None:
    unit = MUTATED[family]
    verdict = verify(unit, component=SwappedLanes(unit))
    assert not verdict.passed
    assert "expected" in verdict.failure


@pytest.mark.parametrize("family", FAMILIES)
def test_a_wrong_sign_fails(family: str) -> None:
    unit = MUTATED[family]
    verdict = verify(unit, component=WRONG_SIGN[family](unit))
    assert not verdict.passed
    assert "expected" in verdict.failure


@pytest.mark.parametrize("family", FAMILIES)
def test_a_dropped_carry_fails(family: str) -> None:
    unit = MUTATED[family]
    exact = unit.family != "fma"
    component = with_accumulator(unit, DroppedCarry) if exact else CarrylessFma(unit)
    verdict = verify(unit, component=component)
    assert not verdict.passed
    assert "expected" in verdict.failure


@pytest.mark.parametrize("family", [name for name in FAMILIES if name != "fma"])
def test_a_late_result_fails(family: str) -> None:
    unit = MUTATED[family]
    verdict = verify(unit, component=with_accumulator(unit, LateAccumulator))
    assert not verdict.passed
    assert "timing" in verdict.failure


@pytest.mark.parametrize("family", FAMILIES)
def test_a_wrong_cycle_count_fails(family: str) -> None:
    unit = MUTATED[family]
    verdict = verify(unit, component=ExtraCycle(unit))
    assert not verdict.passed
    assert "the golden model predicts" in verdict.failure
    assert "expected" not in verdict.failure


def test_nothing_compared_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_module, "_simulate", lambda *_: "")
    verdict = verify(MUTATED["integer"])
    assert not verdict.passed
    assert verdict.failure == "no vector was compared"


def test_missing_simulator_says_how_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(MissingToolError, match="apt-get install iverilog"):
        verify(MUTATED["integer"])


def test_seed_changes_the_vectors_and_still_passes() -> None:
    assert verify(MUTATED["integer"], seed=2).passed
