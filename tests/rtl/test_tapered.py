"""Hardware with one mistake does not pass."""

from dataclasses import replace

import pytest
from amaranth.hdl import C, Cat, Module, Value

import rtl
import rtl.posit
from hwsim.units import UnitSpec, make
from rtl.blocks.columns import Columns
from rtl.blocks.minifloat import Decoded
from rtl.blocks.posit import Parts
from rtl.exact_sum import ExactSum, Product
from rtl.verification import verify
from tests.rtl.mutants import (
    DroppedCarry,
    ExtraCycle,
    LateAccumulator,
    LostBit,
    ShortState,
    SwappedLanes,
    failure_of,
    with_accumulator,
    with_columns,
)

UNITS = {
    "posit": make("posit", lanes=2, weight="posit5_1", activation="posit6_0"),
    "rounded": make(
        "posit", lanes=2, weight="posit4_0", activation="posit6_1", accumulator="posit6_1"
    ),
    "hif8": make("hif8", lanes=4, weight="hif8", activation="hif8"),
    "flint": make("flint", lanes=2, weight="flint4", activation="flint4u"),
    "dybit": make("dybit", lanes=2, weight="dybit4", activation="dybit4u"),
}
PRODUCT = make("posit", lanes=2, weight="posit5_1", activation="posit6_0", accumulator="posit6_1",
               accumulation="none")  # fmt: skip


class PositiveWeights(rtl.posit.Posit):
    """Negative weights count as positive."""

    def operands(self, m: Module, lane: int) -> tuple[Parts, Parts]:
        a, w = super().operands(m, lane)
        return a, replace(w, significand=Cat(w.significand[:-2], C(1, 2)).as_signed())


class IgnoredNar(rtl.posit.Posit):
    """A NaR weight counts as nothing."""

    def operands(self, m: Module, lane: int) -> tuple[Parts, Parts]:
        a, w = super().operands(m, lane)
        return a, replace(w, zero=w.zero | w.nar, nar=C(0, 1))


class ShortShift(rtl.posit.Posit):
    """The highest bit of the shift is not connected."""

    def shift(self, m: Module, product: Product, lane: int) -> Value:
        return super().shift(m, replace(product, shift=product.shift[:-1]), lane)


class ActivationSign(ExactSum):
    """Products have the sign of the activation."""

    def sign(self, a: Decoded, w: Decoded) -> Value:
        return a.sign


WRONG = {
    "posit": [PositiveWeights, IgnoredNar, ShortShift],
    "rounded": [IgnoredNar],
    "hif8": [ActivationSign],
    "flint": [ActivationSign],
    "dybit": [ActivationSign],
}


def fails(unit: UnitSpec, component: rtl.Unit, message: str = "expected") -> None:
    failure = failure_of(unit, component)
    assert message in failure


@pytest.mark.parametrize("name", UNITS)
def test_a_swapped_lane_fails(name: str) -> None:
    fails(UNITS[name], SwappedLanes(UNITS[name]))


@pytest.mark.parametrize(
    ("name", "mistake"), [(name, mistake) for name, some in WRONG.items() for mistake in some]
)
def test_a_wrong_operand_fails(name: str, mistake: type[rtl.Unit]) -> None:
    fails(UNITS[name], mistake(UNITS[name]))


@pytest.mark.parametrize("name", ["posit", "hif8", "flint", "dybit"])
def test_a_dropped_carry_fails(name: str) -> None:
    fails(UNITS[name], with_accumulator(UNITS[name], DroppedCarry))


@pytest.mark.parametrize("name", ["posit", "hif8", "flint", "dybit"])
@pytest.mark.parametrize("mistake", [LostBit, ShortState])
def test_a_wrong_tree_fails(name: str, mistake: type[Columns]) -> None:
    fails(UNITS[name], with_columns(UNITS[name], mistake))


def test_a_late_result_fails() -> None:
    fails(UNITS["posit"], with_accumulator(UNITS["posit"], LateAccumulator), "timing")


@pytest.mark.parametrize("name", ["posit", "rounded"])
def test_a_wrong_cycle_count_fails(name: str) -> None:
    fails(UNITS[name], ExtraCycle(UNITS[name]), "the golden model predicts")


@pytest.mark.parametrize("mistake", [PositiveWeights, IgnoredNar, SwappedLanes, ExtraCycle])
def test_a_wrong_multiplier_fails(mistake: type[rtl.Unit]) -> None:
    assert failure_of(PRODUCT, mistake(PRODUCT))


@pytest.mark.parametrize(
    ("family", "parameters"),
    [
        ("float", {"weight": "e2m1", "activation": "e2m1", "accumulator_bits": 9}),
        ("lmul", {"weight": "e3m2", "activation": "e3m2", "accumulator_bits": 11}),
        ("flint", {"weight": "flint4", "activation": "flint4u", "accumulator_bits": 13}),
        ("posit", {"weight": "posit4_0", "activation": "posit4_0", "accumulator_bits": 11,
                   "accumulator": "posit6_1"}),
    ],
)  # fmt: skip
def test_accumulators_narrower_than_a_beat_wrap(family: str, parameters: dict[str, object]) -> None:
    unit = make(family, lanes=5, **parameters)
    assert unit.safe_beats == 0
    verdict = verify(unit)
    assert verdict.passed, verdict.failure
