from fractions import Fraction

import numpy as np
import pytest

from hwsim.errors import InputError
from hwsim.formats.minifloat import Minifloat
from hwsim.units import make
from hwsim.units.lmul import LmulUnit
from hwsim.units.stimulus import all_pairs, random_codes

READINGS = ("formula", "carry")


def lmul(fmt: str = "e4m3", **parameters: object) -> LmulUnit:
    unit = make("lmul", **({"lanes": 1, "weight": fmt, "activation": fmt} | parameters))
    assert isinstance(unit, LmulUnit)
    return unit


def expected(fmt: Minifloat, x: Fraction, y: Fraction, reading: str, wide: bool) -> Fraction:
    """The product of two finite values, from the formula in rational numbers."""
    smallest = Fraction(2) ** fmt.min_exponent
    if abs(x) < smallest or abs(y) < smallest:
        return Fraction(0)
    (x_part, x_power), (y_part, y_power) = split(abs(x)), split(abs(y))
    m = fmt.mantissa
    fraction = x_part + y_part + Fraction(1, 2 ** {1: 1, 2: 2, 3: 3, 4: 3}.get(m, 4))
    power = x_power + y_power
    if reading == "carry":
        while fraction >= 1:
            fraction, power = fraction - 1, power + 1
    magnitude = (1 + fraction) * Fraction(2) ** power
    if not wide:
        magnitude = min(magnitude, Fraction(fmt.max))
        if magnitude < smallest:
            return Fraction(0)
    return -magnitude if (x < 0) != (y < 0) else magnitude


def split(x: Fraction) -> tuple[Fraction, int]:
    """Return mantissa and exponent of x = (1 + mantissa) * 2**exponent."""
    power = 0
    while x >= 2:
        x, power = x / 2, power + 1
    while x < 1:
        x, power = x * 2, power - 1
    return x - 1, power


@pytest.mark.parametrize("reading", READINGS)
@pytest.mark.parametrize(
    ("fmt", "product_range"),
    [
        ("e4m3", "packed"), ("e5m2", "packed"), ("e2m1", "packed"), ("e3m4", "packed"),
        ("e3m2", "packed"), ("e4m3fnuz", "packed"), ("fp16", "packed"), ("bf16", "packed"),
        ("e4m3", "wide"), ("e2m1", "wide"), ("e3m4", "wide"), ("fp16", "wide"),
    ],
)  # fmt: skip
def test_products_are_those_of_the_formula(fmt: str, product_range: str, reading: str) -> None:
    unit = lmul(fmt, reading=reading, product_range=product_range)
    rng = np.random.default_rng(0)
    many = unit.operand.bits > 8
    a, w, _ = random_codes(unit, 3000, 1, rng) if many else all_pairs(unit, rng)
    pick = rng.choice(len(a), min(len(a), 2000), replace=False)
    x, y = unit.operand.decode(a[pick, 0]), unit.operand.decode(w[pick, 0])
    finite = np.isfinite(x) & np.isfinite(y)
    assert finite.sum() > 100
    sums = unit.result.to_int(unit.dot(a[pick], w[pick]))
    unit_of_sum = Fraction(2) ** unit.result.exponent
    kinds, wide = set(), product_range == "wide"
    for k in np.flatnonzero(finite):
        value = expected(unit.operand, Fraction(x[k]), Fraction(y[k]), reading, wide)
        assert int(sums[k]) * unit_of_sum == value, (x[k], y[k])
        kinds.add("zero" if not value else "most" if abs(value) == unit.operand.max else "between")
    assert wide or kinds == {"zero", "most", "between"}


@pytest.mark.parametrize(
    ("fmt", "constant"),
    [("e4m3", -55), ("e5m2", -59), ("e2m1", -1), ("fp16", -15296), ("bf16", -16248)],
)
def test_constant_of_the_packed_addition(fmt: str, constant: int) -> None:
    unit = lmul(fmt)
    assert unit.constant == constant
    # 1 x 1 shows it: the magnitude field of 1 is bias << mantissa.
    one = int(unit.operand.encode(1.0))
    product = unit.result.decode(unit.dot([one], [one]))
    assert int(unit.operand.encode(product)) == 2 * one + constant


@pytest.mark.parametrize(
    ("fmt", "reading", "mean", "largest"),
    [
        ("e4m3", "formula", -0.010, 0.182),
        ("e4m3", "carry", 0.049, 0.125),
        ("e5m2", "formula", 0.086, 0.25),
        ("e5m2", "carry", 0.147, 0.25),
        ("bf16", "formula", -0.063, 0.232),
        ("bf16", "carry", 0.004, 0.073),
        ("e2m1", "formula", 0.319, 0.50),
        ("e2m1", "carry", 0.375, 0.50),
    ],
)
def test_errors_over_all_mantissas(fmt: str, reading: str, mean: float, largest: float) -> None:
    unit = lmul(fmt, reading=reading)
    one = int(unit.operand.encode(1.0))
    mantissas = one + np.arange(1 << unit.operand.mantissa)
    a, w = (codes.reshape(-1, 1) for codes in np.meshgrid(mantissas, mantissas))
    exact = unit.operand.decode(a)[:, 0] * unit.operand.decode(w)[:, 0]
    errors = unit.result.decode(unit.dot(a, w)) / exact - 1
    assert round(errors.mean(), 3) == mean
    assert round(np.abs(errors).max(), 3) == largest


@pytest.mark.parametrize("fmt", ["e4m3", "fp16"])
def test_sums_are_those_of_single_products(fmt: str) -> None:
    one, four = lmul(fmt), lmul(fmt, lanes=4)
    a, w, _ = random_codes(four, 50, 3, np.random.default_rng(1))
    flags = four.result.flag(four.dot(a, w), "nan")
    singles = one.result.to_int(one.dot(a[..., np.newaxis], w[..., np.newaxis]))
    sums = four.result.to_int(four.dot(a, w))
    np.testing.assert_array_equal(sums[~flags], singles.sum(axis=1)[~flags])


@pytest.mark.parametrize("fmt", ["e5m2", "e4m3", "fp16"])
def test_flags_are_those_of_float(fmt: str) -> None:
    unit = lmul(fmt)
    other = make("float", lanes=1, weight=fmt, activation=fmt)
    a, w, _ = random_codes(unit, 4000, 1, np.random.default_rng(2))
    # Subnormals count as 0 here, so with an infinity they are another case.
    magnitude = unit.operand.sign_code - 1
    subnormal = [(c & magnitude > 0) & (c & magnitude < 1 << unit.operand.mantissa) for c in (a, w)]
    plain = ~(subnormal[0] | subnormal[1])[:, 0]
    assert unit.result.flags == other.result.flags
    for flag in unit.result.flags:
        got = unit.result.flag(unit.dot(a, w), flag)
        want = other.result.flag(other.dot(a, w), flag)
        np.testing.assert_array_equal(got[plain], want[plain])


@pytest.mark.parametrize(
    ("a", "w", "value"),
    [
        (np.inf, 2.0, np.inf),
        (np.inf, -2.0, -np.inf),
        (np.inf, 0.0, np.nan),
        (np.inf, 2.0**-16, np.nan),
        (np.nan, 0.0, np.nan),
        (57344.0, 57344.0, 57344.0),
        (57344.0, -57344.0, -57344.0),
        (2.0**-14, 0.25, 0.0),
        (2.0**-16, 8.0, 0.0),
        (-0.0, 3.0, 0.0),
    ],
)
def test_ends_of_the_range(a: float, w: float, value: float) -> None:
    unit = lmul("e5m2")
    codes = [unit.operand.encode([x], overflow="ieee") for x in (a, w)]
    np.testing.assert_equal(float(unit.result.decode(unit.dot(*codes))), value)


def test_spans_of_the_sum() -> None:
    packed, wide = lmul("e4m3").result, lmul("e4m3", product_range="wide").result
    # From the last place of the smallest normal product to the largest: 448 or 448 * 448.
    assert (packed.exponent, packed.width) == (-6 - 3, 9 + 9 + 8 + 1)
    assert (wide.exponent, wide.width) == (-12 - 3, 15 + 18 + 8 + 1)
    exact = make("float", lanes=1, weight="e4m3", activation="e4m3").result
    assert exact.exponent + exact.width == wide.exponent + wide.width


@pytest.mark.parametrize("reading", READINGS)
@pytest.mark.parametrize("headroom", [0, 3])
def test_safe_beats_are_tight(headroom: int, reading: str) -> None:
    bits = lmul("e3m2", lanes=3, reading=reading).beat_sum_bits + headroom
    unit = lmul("e3m2", lanes=3, accumulator_bits=bits, reading=reading)
    for beats, wraps in ((unit.safe_beats, False), (unit.safe_beats + 1, True)):
        largest = np.full(3 * beats, unit.operand.max_code)
        total = unit.result.decode(unit.dot(largest, largest))
        assert (total != unit.operand.max * 3 * beats) == wraps


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"weight": "e5m2"},
         "weight=e5m2: lmul takes two operands of one format, and the activation is e4m3"),
        ({"weight": "int4"}, "weight=int4: lmul takes minifloats such as e4m3 or fp16"),
        ({"reading": "carr"}, "unknown reading 'carr'; did you mean 'carry'?"),
        ({"accumulator_bits": 17},
         "accumulator_bits=17 cannot hold a product of e4m3 and e4m3; allowed: 19 to 1024"),
        ({"fmt": "minifloat(exponent=3,mantissa=0,bias=3,specials=none)"},
         "activation=minifloat(exponent=3,mantissa=0,bias=3,specials=none): lmul takes minifloats "
         "with a mantissa"),
        ({"fmt": "minifloat(exponent=1,mantissa=2,bias=0,specials=ieee)"},
         "activation=minifloat(exponent=1,mantissa=2,bias=0,specials=ieee): lmul takes minifloats "
         "with normal values"),
    ],
)  # fmt: skip
def test_bad_parameters(parameters: dict[str, str], message: str) -> None:
    with pytest.raises(InputError) as error:
        lmul(**parameters)
    assert str(error.value) == message
