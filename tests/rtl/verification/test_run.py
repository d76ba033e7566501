"""The suite passes, and hardware with one mistake does not."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from amaranth.hdl import C, Cat, Module, Mux, Signal, Value
from amaranth.lib import wiring

import rtl
import rtl.bit_serial
import rtl.bitmod
import rtl.float_mac
import rtl.integer
import rtl.rounded_sum
import rtl.shift_add
from hwsim.errors import MissingToolError
from hwsim.units import FAMILIES as UNITS
from hwsim.units import UnitSpec, make
from rtl import emit, icarus
from rtl.bitmod import ProcessingElement
from rtl.blocks.adder_tree import tree_sum
from rtl.blocks.fma import FusedAdd, Operand
from rtl.blocks.minifloat import Decoded
from rtl.blocks.partial_products import add_product
from rtl.mutation import around
from rtl.verification import run as run_module
from rtl.verification import suite, verify
from rtl.verification.run import first_failure
from tests.rtl.mutants import (
    FEW,
    DroppedCarry,
    ExtraCycle,
    LateAccumulator,
    SwappedLanes,
    failure_of,
    with_accumulator,
    without_carry,
)
from tests.rtl.test_lint import lint

MUTATED = {
    "integer": make("integer", lanes=4, weight="int4", activation="int8"),
    "operators": make("integer", lanes=4, weight="int4", activation="int8", adders="operators"),
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
#: A quarter of what `hwsim verify` takes.
RANDOM_DOTS = 1024


#: Of each family, those of `make test`; all others are for `make test-exhaustive`. So are those
#: with more bits a beat, behind a family's first such: a quarter of the time, for a few units.
FIRST, WIDE = 5, 256


def units() -> list[Any]:
    """Return the units of the suite, some of which are exhaustive tests."""
    found = []
    for family in UNITS:
        wide = 0
        for index, unit in enumerate(suite(family)):
            wide += unit.beat_bits > WIDE
            late = index >= FIRST or (wide > 1 and unit.beat_bits > WIDE)
            marks = [pytest.mark.exhaustive] if late else []
            found.append(pytest.param(unit, id=unit.name, marks=marks))
    return found


@pytest.mark.parametrize("unit", units())
def test_verilog_equals_golden_model(unit: UnitSpec, tmp_path: Path) -> None:
    source = tmp_path / f"{unit.name}.v"
    source.write_text(emit.verilog(unit))
    done = lint(source)
    assert done.returncode == 0, done.stderr
    verdict = verify(unit, random_dots=RANDOM_DOTS)
    assert verdict.passed, str(verdict)
    assert verdict.vectors > RANDOM_DOTS
    declared = unit.timing()
    assert verdict.latency == declared.latency
    assert (verdict.min_interval, verdict.interval) == (declared.min_interval, declared.interval)


def test_a_missing_library_of_python_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LIBPYTHON_LOC", raising=False)
    monkeypatch.setattr(run_module, "find_libpython", lambda: None)
    with pytest.raises(MissingToolError, match=r"libpython.*apt-get install"):
        verify(MUTATED["integer"])


def test_a_report_that_was_not_written_whole_is_an_error(tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    assert run_module._facts(report) == run_module.Report()
    report.write_text('{"vectors": ')
    with pytest.raises(icarus.IcarusError, match="the simulation's report is cut short"):
        run_module._facts(report)


class UnsignedRows(rtl.integer.Integer):
    """The tree takes rows of the weight as unsigned."""

    def elaborate(self, platform: object) -> Module:
        m = Module()
        beat, columns = self.i.payload, self.columns(m)
        for k in range(self.spec.lanes):
            weight = beat.weights[k].as_unsigned()
            add_product(columns, beat.activations[k], weight, f"product_{k}")
        wiring.connect(m, self.merge(m, columns).o, wiring.flipped(self.o))
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


class PositiveWeights(rtl.rounded_sum.RoundedSum):
    """Products have the sign of the activation."""

    def weight(self, m: Module, lane: int) -> Operand:
        right = super().weight(m, lane)
        return replace(right, parts=replace(right.parts, sign=C(0, 1)))


class PositiveTopRow(rtl.shift_add.ShiftAdd):
    """The sign bit counts positively."""

    def product(self, activation: Value, weight: Value) -> Value:
        return tree_sum([Mux(bit, activation << k, 0) for k, bit in enumerate(weight)])


WRONG_SIGN = {
    "integer": UnsignedRows,
    "operators": UnsignedWeight,
    "float": IgnoredWeightSign,
    "bit_serial": PositiveSignBit,
    "precision": PositiveSignBit,
    "booth": PositiveDigits,
    "essential": PositiveDigits,
    "both": PositiveSignBit,
    "fma": PositiveWeights,
    "shift_add": PositiveTopRow,
}


class CarrylessFusedAdd(FusedAdd):
    """No carry passes from the low 4 bits of the product's place to the rest."""

    def add(self, aligned: Value, fixed: Value) -> Value:
        return without_carry(aligned, fixed, self.below + 1 + 4)


class CarrylessFma(rtl.rounded_sum.RoundedSum):
    """An fma with that adder."""

    def fused_add(self, product: Operand) -> FusedAdd:
        return CarrylessFusedAdd(self.spec.result.format, product)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_swapped_lane_fails(family: str) -> None:
    unit = MUTATED[family]
    assert "expected" in failure_of(unit, SwappedLanes(unit))


@pytest.mark.parametrize("family", FAMILIES)
def test_a_wrong_sign_fails(family: str) -> None:
    unit = MUTATED[family]
    assert "expected" in failure_of(unit, WRONG_SIGN[family](unit))


@pytest.mark.parametrize("family", FAMILIES)
def test_a_dropped_carry_fails(family: str) -> None:
    unit = MUTATED[family]
    exact = unit.family != "fma"
    component = with_accumulator(unit, DroppedCarry) if exact else CarrylessFma(unit)
    assert "expected" in failure_of(unit, component)


@pytest.mark.parametrize("family", [name for name in FAMILIES if name != "fma"])
def test_a_late_result_fails(family: str) -> None:
    unit = MUTATED[family]
    assert "timing" in failure_of(unit, with_accumulator(unit, LateAccumulator))


@pytest.mark.parametrize("family", FAMILIES)
def test_a_wrong_cycle_count_fails(family: str) -> None:
    unit = MUTATED[family]
    failure = failure_of(unit, ExtraCycle(unit))
    assert "the golden model predicts" in failure
    assert "expected" not in failure


BITMOD = make("bitmod", lanes=4, activation="e4m3", group_size=32)


class IgnoredTermSign(ProcessingElement):
    """Products have the sign of the activation."""

    def sign(self, lane: int) -> Value:
        return self.negative[lane]


class DroppedGroupCarry(ProcessingElement):
    """No carry passes from the low 7 bits of the group's sum to the rest."""

    def add(self, group_sum: Value, beat_sum: Value) -> Value:
        low = group_sum[:7] + beat_sum[:7]
        return Cat(low[:7], (group_sum >> 7) + (beat_sum >> 7)).as_signed()


class KeptExponent(ProcessingElement):
    """The group's sum is not shifted when a beat raises the exponent."""

    def raise_exponent(self, m: Module, group_sum: Value) -> Value:
        return group_sum


@pytest.mark.parametrize("mistake", [IgnoredTermSign, DroppedGroupCarry, KeptExponent])
def test_a_wrong_processing_element_fails(mistake: type[ProcessingElement]) -> None:
    class Mutant(rtl.bitmod.Bitmod):
        def element(self) -> ProcessingElement:
            return mistake(self.spec)

    assert "expected" in failure_of(BITMOD, Mutant(BITMOD))


@pytest.mark.parametrize("mutant", [SwappedLanes, ExtraCycle])
def test_a_wrong_bitmod_unit_fails(mutant: type[rtl.Unit]) -> None:
    assert failure_of(BITMOD, mutant(BITMOD))


def test_nothing_compared_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_module, "_simulate", lambda *_: ("", run_module.Report()))
    verdict = verify(MUTATED["integer"])
    assert not verdict.passed
    assert verdict.failure == "no vector was compared"


def test_missing_simulator_says_how_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(MissingToolError, match="apt-get install iverilog"):
        verify(MUTATED["integer"])


def test_seed_changes_the_vectors_and_still_passes() -> None:
    assert verify(MUTATED["integer"], seed=2).passed


def test_the_first_failure_is_the_one_of_the_whole_verification() -> None:
    unit = MUTATED["bit_serial"]
    assert first_failure(unit, emit.verilog(unit)) == ""
    for wrong in (SwappedLanes(unit), ExtraCycle(unit), LateReady(unit)):
        found = failure_of(unit, wrong)
        assert found
        assert verify(unit, component=wrong, random_dots=FEW).failure.split("; ")[0] == found


class LateReady(rtl.Unit):
    """Beats after the 300th without a reset are not taken."""

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.inner = inner = rtl.create(self.spec)
        wiring.connect(m, inner.o, wiring.flipped(self.o))
        taken = Signal(range(301))
        with m.If(self.i.valid & self.i.ready):
            m.d.sync += taken.eq(taken + 1)
        m.d.comb += [
            inner.i.payload.eq(self.i.payload),
            inner.i.valid.eq(self.i.valid & (taken != 300)),
            self.i.ready.eq(inner.i.ready & (taken != 300)),
        ]
        return m


def test_results_without_end_are_a_failure() -> None:
    """Although something is transferred in every cycle."""
    unit = MUTATED["integer"]
    endless = emit.verilog(unit).replace(f"module {unit.name}(", "module inner(")
    fault = around.Around("", {"valid": "1'b1", "ready": "1'b0", "result": "0"})
    text = around.text(unit, unit.name, fault).replace(around.INNER, "inner") + endless
    assert first_failure(unit, text).startswith("timing: ")


def test_a_simulation_that_takes_too_long_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    unit = MUTATED["integer"]
    text = emit.verilog(unit).replace("endmodule", "initial while (1) ;\nendmodule", 1)
    said = "vvp took all of the 1 s of processor time that it had"
    assert first_failure(unit, text, seconds=0.5) == said
    monkeypatch.setattr(emit, "verilog", lambda *_: text)
    verdict = verify(unit, seconds=1)
    assert not verdict.passed
    assert verdict.failure == said


def test_a_golden_model_that_raises_an_error_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    unit = make("integer", lanes=2, weight="int2", activation="int3")
    monkeypatch.setattr(type(unit), "cycles", lambda *_, **__: 1 // 0)
    verdict = verify(unit)
    assert "timing: ZeroDivisionError: " in verdict.failure
    assert "accumulation" not in verdict.failure
