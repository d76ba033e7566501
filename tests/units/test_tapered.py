"""HiFloat8, flint and DyBit against exact fractions."""

from fractions import Fraction

import numpy as np
import pytest

from hwsim.errors import InputError
from hwsim.formats import parse_scalar
from hwsim.units import make
from hwsim.units.stimulus import all_pairs, random_codes
from hwsim.units.tapered import span, unit_exponent

PAIRS = [
    ("hif8", "hif8", "hif8"),
    ("flint", "flint4", "flint4"),
    ("flint", "flint4", "flint8u"),
    ("flint", "flint2u", "flint3"),
    ("dybit", "dybit4u", "dybit4"),
    ("dybit", "dybit8", "dybit8u"),
]


@pytest.mark.parametrize(("family", "weight", "activation"), PAIRS)
def test_sums_are_exact(family: str, weight: str, activation: str) -> None:
    unit = make(family, lanes=4, weight=weight, activation=activation)
    a, w, _ = random_codes(unit, 150, 3, np.random.default_rng(0))
    x, y = unit.activation.decode(a), unit.weight.decode(w)
    finite = np.isfinite(x).all(axis=1) & np.isfinite(y).all(axis=1)
    assert finite.sum() >= 100
    sums = unit.result.to_int(unit.dot(a, w))
    for row in np.flatnonzero(finite):
        exact = sum(Fraction(p) * Fraction(q) for p, q in zip(x[row], y[row], strict=True))
        assert sums[row] * Fraction(2) ** unit.result.exponent == exact


@pytest.mark.parametrize(("family", "weight", "activation"), PAIRS)
def test_products_of_all_pairs(family: str, weight: str, activation: str) -> None:
    """Every product has few bits, so that float64 holds it exactly."""
    unit = make(family, lanes=1, weight=weight, activation=activation)
    a, w, _ = all_pairs(unit, np.random.default_rng(0))
    x, y = unit.activation.decode(a)[:, 0], unit.weight.decode(w)[:, 0]
    with np.errstate(invalid="ignore"):
        expected = x * y
    np.testing.assert_array_equal(unit.result.decode(unit.dot(a, w)), expected)


@pytest.mark.parametrize("name", ["hif8", "flint4", "flint8u", "dybit4u", "dybit8", "posit8_2"])
def test_all_values_are_multiples_of_the_smallest(name: str) -> None:
    fmt = parse_scalar(name)
    finite = fmt.decode(np.arange(1 << fmt.bits, dtype=fmt.code_dtype))
    counts = finite[np.isfinite(finite)] * 2.0 ** -unit_exponent(fmt)
    assert (counts == np.rint(counts)).all()
    assert np.abs(counts).max() == span(fmt)


@pytest.mark.parametrize(
    ("a", "w", "expected"),
    [
        ([np.inf, 1.0], [2.0, 1.0], np.inf),
        ([np.inf, 1.0], [-2.0, 1.0], -np.inf),
        ([np.inf, np.inf], [1.0, -1.0], np.nan),
        ([np.inf, 1.0], [0.0, 1.0], np.nan),
        ([np.nan, 1.0], [0.0, 1.0], np.nan),
        ([1.0, 3.0], [2.0, -0.5], 0.5),
    ],
)
def test_special_values_follow_ieee(a: list[float], w: list[float], expected: float) -> None:
    unit = make("hif8", lanes=2, weight="hif8", activation="hif8")
    codes = [fmt.encode(x, overflow="ieee") for fmt, x in ((unit.activation, a), (unit.weight, w))]
    np.testing.assert_equal(float(unit.result.decode(unit.dot(*codes))), expected)


def test_only_flags_that_can_rise() -> None:
    assert make("flint", lanes=1, weight="flint4", activation="flint4u").result.flags == ()
    hif8 = make("hif8", lanes=1, weight="hif8", activation="hif8")
    assert hif8.result.flags == ("nan", "positive_infinity", "negative_infinity")


@pytest.mark.parametrize("guard", [0, 3])
def test_carry_guard_is_tight(guard: int) -> None:
    unit = make("flint", lanes=3, weight="flint4u", activation="flint4u", carry_guard=guard)
    largest = np.full(3 * unit.safe_beats, unit.activation.encode(8.0))
    assert unit.result.decode(unit.dot(largest, largest)) == 64 * 3 * unit.safe_beats
    # 3 * 64 * 64 units have 14 bits, and a sign.
    assert unit.result.width == 15 + guard


@pytest.mark.parametrize(
    ("family", "weight", "message"),
    [
        ("hif8", "e4m3", "weight=e4m3: hif8 takes formats such as hif8"),
        ("flint", "dybit4", "weight=dybit4: flint takes formats such as flint4 or flint4u"),
        ("dybit", "int4", "weight=int4: dybit takes formats such as dybit4 or dybit4u"),
    ],
)
def test_bad_formats(family: str, weight: str, message: str) -> None:
    good = {"hif8": "hif8", "flint": "flint4", "dybit": "dybit4"}[family]
    with pytest.raises(InputError) as error:
        make(family, lanes=4, weight=weight, activation=good)
    assert str(error.value) == message
