from fractions import Fraction

import numpy as np
import pytest

from hwsim.errors import InputError
from hwsim.formats import parse_scalar
from hwsim.units import make
from hwsim.units.dyadic import dyadic
from hwsim.units.product_rom import ProductRomUnit
from hwsim.units.stimulus import all_pairs, random_codes

E2M1_IEEE = "minifloat(exponent=2,mantissa=1,bias=1,specials=ieee)"
FORMATS = (
    "int4", "uint4", "int1", "ternary", "int4_sym", "int4_sm", "binary", "bipolar3", "e2m1",
    "minifloat(exponent=3,mantissa=0,bias=3,specials=none)", "posit4_0", "posit4_1", "posit4_2",
    "pot4", "pot4u", "flint4", "flint4u", "dybit4", "dybit4u", "dint4", "abfloat4", "apot4", "q2.2",
    "binary4p2sf", "codebook(-1,0,0.5,1)",
)  # fmt: skip


def rom(**parameters: object) -> ProductRomUnit:
    unit = make(
        "product_rom", **({"lanes": 1, "weight": "int4", "activation": "int4"} | parameters)
    )
    assert isinstance(unit, ProductRomUnit)
    return unit


@pytest.mark.parametrize("weight", FORMATS)
@pytest.mark.parametrize("activation", ["int4", "posit4_1", "pot4u"])
def test_every_product_is_exact(weight: str, activation: str) -> None:
    unit = rom(weight=weight, activation=activation)
    a, w, _ = all_pairs(unit, np.random.default_rng(0))
    codes = unit.dot(a, w)
    sums, nan = unit.result.to_int(codes), unit.result.flag(codes, "nan")
    unit_of_sum = Fraction(2) ** unit.result.exponent
    for k, (x, y) in enumerate(zip(unit.activation.decode(a), unit.weight.decode(w), strict=True)):
        assert nan[k] == np.isnan(x[0] * y[0])
        if not nan[k]:
            assert int(sums[k]) * unit_of_sum == Fraction(x[0]) * Fraction(y[0])


@pytest.mark.parametrize("weight", ["flint4", "posit4_1", "int2"])
def test_sums_are_exact(weight: str) -> None:
    unit = rom(lanes=3, weight=weight, activation="dybit4")
    a, w, _ = random_codes(unit, 30, 4, np.random.default_rng(0))
    codes = unit.dot(a, w)
    for row in range(30):
        pairs = zip(unit.activation.decode(a[row]), unit.weight.decode(w[row]), strict=True)
        products = [(float(x), float(y)) for x, y in pairs]
        nan = any(np.isnan(y) for _, y in products)
        assert unit.result.flag(codes[row], "nan") == nan
        exact = sum(Fraction(x) * Fraction(y) for x, y in products if not np.isnan(y))
        assert int(unit.result.to_int(codes[row])) * Fraction(2) ** unit.result.exponent == exact


@pytest.mark.parametrize(
    ("family", "weight", "activation"),
    [
        ("integer", "int4", "uint4"),
        ("float", "e2m1", "e2m1"),
        ("float", E2M1_IEEE, "e2m1"),
        ("float", E2M1_IEEE, "binary4p2sf"),
    ],
)
def test_equals_units_that_multiply(family: str, weight: str, activation: str) -> None:
    unit = rom(weight=weight, activation=activation)
    other = make(family, lanes=1, weight=weight, activation=activation)
    a, w, _ = all_pairs(unit, np.random.default_rng(0))
    assert unit.result.flags == other.result.flags
    codes, expected = unit.dot(a, w), other.dot(a, w)
    np.testing.assert_array_equal(unit.result.decode(codes), other.result.decode(expected))
    for flag in unit.result.flags:
        np.testing.assert_array_equal(
            unit.result.flag(codes, flag), other.result.flag(expected, flag)
        )


def test_the_accumulator_wraps() -> None:
    unit = rom(lanes=2, weight="e2m1", activation="e2m1", accumulator_bits=10)
    assert unit.largest_beat == 2 * 12 * 12
    assert unit.safe_beats == 511 // 288
    six = int(parse_scalar("e2m1").encode(6.0))
    code = unit.dot([six] * 4, [six] * 4)
    assert unit.result.to_int(code) == 4 * 144 - 1024


def test_timing_and_default_width() -> None:
    unit = rom(lanes=64)
    assert (unit.timing().latency, unit.timing().interval) == (1, 1)
    assert unit.result.width == 32
    assert rom(weight="pot4u", activation="pot4u").result.width == 29 + 1 + 8


@pytest.mark.parametrize(
    ("name", "integers", "exponent"),
    [
        ("dint4", (0, 2, 4, 6, 8, 10, 12, 1, -1, -14, -12, -10, -8, -6, -4, -2), -1),
        ("posit4_0", (0, 1, 2, 3, 4, 6, 8, 16, 0, -16, -8, -6, -4, -3, -2, -1), -2),
        ("bipolar2", (-3, -1, 1, 3), 0),
        ("codebook(-24,0,8,40)", (-3, 0, 1, 5), 3),
    ],
)
def test_values_are_integers_on_one_scale(
    name: str, integers: tuple[int, ...], exponent: int
) -> None:
    values = dyadic(parse_scalar(name))
    assert values is not None
    assert (values.integers, values.exponent) == (integers, exponent)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"weight": "int5"},
         "weight=int5 has 5 bits; product_rom takes formats of up to 4"),
        ({"activation": "nf4"},
         "activation=nf4: product_rom takes formats whose values are small integers times powers "
         "of two; the unit codebook takes it"),
        ({"weight": "lns4_1"},
         "weight=lns4_1: product_rom takes formats whose values are small integers times powers "
         "of two"),
        ({"weight": "codebook(1.0,1099511627776.0)"},
         "weight=codebook(1.0,1099511627776.0): product_rom takes formats whose values are small "
         "integers times powers of two; the unit codebook takes it"),
        ({"accumulator_bits": 7},
         "accumulator_bits=7 cannot hold a product of int4 and int4; allowed: 8 to 1024"),
    ],
)  # fmt: skip
def test_bad_parameters(parameters: dict[str, object], message: str) -> None:
    with pytest.raises(InputError) as error:
        rom(**parameters)
    assert str(error.value) == message
