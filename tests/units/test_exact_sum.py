"""Exact sums of minifloats and tapered formats against exact fractions."""

from fractions import Fraction

import numpy as np
import pytest

from hwsim.errors import InputError
from hwsim.formats import parse_scalar
from hwsim.units import make
from hwsim.units.exact_sum import span, unit_exponent
from hwsim.units.stimulus import all_pairs, random_codes

SMALL = [
    ("hif8", "hif8", "hif8"),
    ("flint", "flint4", "flint4"),
    ("flint", "flint4", "flint8u"),
    ("flint", "flint2u", "flint3"),
    ("dybit", "dybit4u", "dybit4"),
    ("dybit", "dybit8", "dybit8u"),
    ("float", "e4m3", "e5m2"),
    ("float", "e2m1", "e2m1"),
    ("float", "e2m3", "e3m2"),
]


@pytest.mark.parametrize(("family", "weight", "activation"), [*SMALL, ("float", "bf16", "fp16")])
def test_sums_are_exact(family: str, weight: str, activation: str) -> None:
    unit = make(family, lanes=4, weight=weight, activation=activation)
    a, w, _ = random_codes(unit, 150, 3, np.random.default_rng(0))
    x, y = unit.activation.decode(a), unit.weight.decode(w)
    finite = np.isfinite(x).all(axis=1) & np.isfinite(y).all(axis=1)
    assert finite.sum() >= 40
    sums = unit.result.to_int(unit.dot(a, w))
    for row in np.flatnonzero(finite):
        exact = sum(Fraction(p) * Fraction(q) for p, q in zip(x[row], y[row], strict=True))
        assert sums[row] * Fraction(2) ** unit.result.exponent == exact


@pytest.mark.parametrize(("family", "weight", "activation"), SMALL)
def test_products_of_all_pairs(family: str, weight: str, activation: str) -> None:
    """Every product has few bits, so that float64 holds it exactly."""
    unit = make(family, lanes=1, weight=weight, activation=activation)
    a, w, _ = all_pairs(unit, np.random.default_rng(0))
    x, y = unit.activation.decode(a)[:, 0], unit.weight.decode(w)[:, 0]
    with np.errstate(invalid="ignore"):
        expected = x * y
    np.testing.assert_array_equal(unit.result.decode(unit.dot(a, w)), expected)


@pytest.mark.parametrize(
    "name",
    ["hif8", "flint4", "flint8u", "dybit4u", "dybit8", "posit8_2", "e4m3", "e5m3u_ieee", "e8m0",
     "minifloat(exponent=1,mantissa=0,bias=0,specials=none)"],
)  # fmt: skip
def test_all_values_are_multiples_of_the_smallest(name: str) -> None:
    fmt = parse_scalar(name)
    finite = fmt.decode(np.arange(1 << fmt.bits, dtype=fmt.code_dtype))
    counts = finite[np.isfinite(finite)] * 2.0 ** -unit_exponent(fmt)
    assert (counts == np.rint(counts)).all()
    assert np.abs(counts).max() == span(fmt)


@pytest.mark.parametrize(("family", "name"), [("hif8", "hif8"), ("float", "e5m2")])
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
def test_special_values_follow_ieee(
    family: str, name: str, a: list[float], w: list[float], expected: float
) -> None:
    unit = make(family, lanes=2, weight=name, activation=name)
    codes = [fmt.encode(x, overflow="ieee") for fmt, x in ((unit.activation, a), (unit.weight, w))]
    np.testing.assert_equal(float(unit.result.decode(unit.dot(*codes))), expected)


@pytest.mark.parametrize(
    ("family", "weight", "activation", "flags"),
    [
        ("flint", "flint4", "flint4u", ()),
        ("float", "e2m1", "e3m2", ()),
        ("float", "e2m1", "e4m3", ("nan",)),
        ("float", "e5m2", "e2m1", ("nan", "positive_infinity", "negative_infinity")),
        ("hif8", "hif8", "hif8", ("nan", "positive_infinity", "negative_infinity")),
    ],
)
def test_only_flags_that_can_rise(
    family: str, weight: str, activation: str, flags: tuple[str, ...]
) -> None:
    unit = make(family, lanes=1, weight=weight, activation=activation)
    assert unit.result.flags == flags


@pytest.mark.parametrize("headroom", [0, 3])
@pytest.mark.parametrize(
    ("family", "name", "width"), [("flint", "flint4u", 15), ("float", "e2m1", 10)]
)
def test_safe_beats_are_tight(family: str, name: str, width: int, headroom: int) -> None:
    """3 * 64 * 64 units have 14 bits, 3 * 12 * 12 have 9; and a sign."""
    dot = {"lanes": 3, "weight": name, "activation": name}
    assert make(family, **dot).result.width == width + 8
    unit = make(family, **dot, accumulator_bits=width + headroom)
    largest = unit.activation.max
    for beats, wraps in ((unit.safe_beats, False), (unit.safe_beats + 1, True)):
        codes = np.full(3 * beats, unit.activation.encode(largest))
        total = unit.result.decode(unit.dot(codes, codes))
        assert (total != largest**2 * 3 * beats) == wraps


def test_accumulators_may_be_narrower_than_a_beat():
    unit = make("float", lanes=3, weight="e2m1", activation="e2m1", accumulator_bits=9)
    assert unit.safe_beats == 0
    assert unit.parameters()["accumulator_bits"] == 9
    with pytest.raises(InputError) as error:
        make("float", lanes=3, weight="e2m1", activation="e2m1", accumulator_bits=8)
    assert str(error.value) == (
        "accumulator_bits=8 cannot hold a product of e2m1 and e2m1; allowed: 9 to 1024"
    )
