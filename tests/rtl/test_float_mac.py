"""Hardware with one mistake in its rounded or aligned sum does not pass."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
from amaranth.hdl import Module, Mux, Value

import rtl
import rtl.float_mac
from hwsim.units import make
from hwsim.units.rounding import SumRounding
from rtl.blocks.aligned import AlignedProducts, AlignedSum, Term
from rtl.blocks.fma import FusedAdd, Operand
from tests.rtl.mutants import ExtraCycle, SwappedLanes, failure_of, without_carry

ALIGNED = make("float", lanes=4, weight="e2m1", activation="e4m3", accumulation="aligned5",
               accumulator="fp16")  # fmt: skip
ROUNDED = make("float", lanes=2, weight="e2m1", activation="e3m2", accumulator="fp16",
               rounding="toward_zero")  # fmt: skip
AMONG = make("float", lanes=4, weight="e2m1", activation="e4m3", accumulation="product_aligned5",
             accumulator="fp16")  # fmt: skip
FLUSHED = make("float", lanes=2, weight="e2m1", activation="e4m3", accumulation="aligned5",
               accumulator="e4m3", subnormals="flush")  # fmt: skip


class IgnoredWeightSign(rtl.float_mac.Float):
    """Products have the sign of the activation."""

    def operand_product(self, m: Module, lane: int) -> Operand:
        right = super().operand_product(m, lane)
        sign = self.i.payload.activations[lane][-1]
        return replace(right, parts=replace(right.parts, sign=sign))


@pytest.mark.parametrize("mutant", [SwappedLanes, IgnoredWeightSign, ExtraCycle])
@pytest.mark.parametrize(
    "unit", [ALIGNED, ROUNDED, AMONG], ids=["aligned", "rounded", "product_aligned"]
)
def test_a_wrong_unit_fails(unit: rtl.UnitSpec, mutant: type[rtl.Unit]) -> None:
    assert failure_of(unit, mutant(unit))


class Floored(AlignedSum):
    """Terms are truncated in two's complement."""

    def align(self, m: Module, term: Term, down: Value, name: str) -> Value:
        parts = term.operand.parts
        signed = Mux(parts.sign, -parts.significand, parts.significand)
        left = max(0, self.bits - term.fraction)
        amount = down.as_unsigned()[:-1] + max(0, term.fraction - self.bits)
        # The sum adds the sign.
        return (signed.shift_left(left) >> amount) - parts.sign


class IgnoredAccumulator(AlignedSum):
    """The largest exponent is that of the products."""

    def top(self, m: Module, places: Sequence[Value], name: str) -> Value:
        return super().top(m, places[:-1], name)


class CountedZeros(AlignedSum):
    """A zero has the exponent of its operands."""

    def place(self, term: Term, base: int) -> Value:
        return term.operand.parts.shift + (term.lowest - base)


class NearestAligned(AlignedSum):
    """The sum is rounded to nearest even."""

    def __init__(self, *given: object) -> None:
        super().__init__(*given)
        self.rounding = SumRounding.NEAREST_EVEN


class KeptSubnormals(AlignedSum):
    """Subnormal sums stay what they are."""

    def __init__(self, *given: object) -> None:
        super().__init__(*given)
        self.flush = False


def with_aligned_sum(mistake: type[AlignedSum]) -> type[rtl.Unit]:
    class Mutant(rtl.float_mac.Float):
        def aligned_sum(self, products: list[Operand]) -> AlignedSum:
            right = super().aligned_sum(products)
            return mistake(right.fmt, right.products, right.bits, right.rounding, right.flush)

    return Mutant


@pytest.mark.parametrize(
    ("unit", "mistake"),
    [
        (ALIGNED, Floored),
        (ALIGNED, IgnoredAccumulator),
        (ALIGNED, CountedZeros),
        (ALIGNED, NearestAligned),
        (FLUSHED, KeptSubnormals),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_a_wrong_aligned_sum_fails(unit: rtl.UnitSpec, mistake: type[AlignedSum]) -> None:
    assert "expected" in failure_of(unit, with_aligned_sum(mistake)(unit))


class IgnoredProduct(AlignedProducts):
    """The largest exponent is that of all products but the last."""

    def top(self, m: Module, places: Sequence[Value], name: str) -> Value:
        return super().top(m, places[:-1], name)


class ShortProducts(AlignedProducts):
    """The sum of the products lacks its highest bit."""

    def operand(self, m: Module, name: str) -> Operand:
        right = super().operand(m, name)
        significand = right.parts.significand[:-1]
        return replace(right, parts=replace(right.parts, significand=significand))


@pytest.mark.parametrize("mistake", [IgnoredProduct, ShortProducts])
def test_a_wrong_sum_of_products_fails(mistake: type[AlignedProducts]) -> None:
    class Mutant(rtl.float_mac.Float):
        def aligned_products(self, products: list[Operand]) -> AlignedProducts:
            return mistake(*self.terms(products))

    assert "expected" in failure_of(AMONG, Mutant(AMONG))


class CarrylessAdd(FusedAdd):
    """No carry passes from the low 4 bits of the product's place to the rest."""

    def add(self, fixed: Value, aligned: Value) -> Value:
        return without_carry(fixed, aligned, self.below + 1 + 4)


class NearestAdd(FusedAdd):
    """Sums are rounded to nearest even."""

    def __init__(self, *given: object) -> None:
        super().__init__(*given)
        self.rounding = SumRounding.NEAREST_EVEN


class TruncatedAdd(FusedAdd):
    """Sums are truncated."""

    def __init__(self, *given: object) -> None:
        super().__init__(*given)
        self.rounding = SumRounding.TOWARD_ZERO


@pytest.mark.parametrize(
    ("unit", "mistake"),
    [
        (ROUNDED, CarrylessAdd),
        (ROUNDED, NearestAdd),
        (AMONG, CarrylessAdd),
        (AMONG, TruncatedAdd),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_a_wrong_fused_add_fails(unit: rtl.UnitSpec, mistake: type[FusedAdd]) -> None:
    class Mutant(rtl.float_mac.Float):
        def fused_add(self, product: Operand) -> FusedAdd:
            right = super().fused_add(product)
            return mistake(right.fmt, right.product, right.rounding, right.flush)

    assert "expected" in failure_of(unit, Mutant(unit))


class KeptOperands(rtl.float_mac.Float):
    """Subnormal operands stay what they are."""

    flush = False


@pytest.mark.parametrize(
    "unit",
    [make("float", lanes=4, weight="e2m1", activation="e3m2", subnormals="flush"), FLUSHED],
    ids=["exact", "aligned"],
)
def test_kept_subnormal_operands_fail(unit: rtl.UnitSpec) -> None:
    assert "expected" in failure_of(unit, KeptOperands(unit))
