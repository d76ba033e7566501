from decimal import ROUND_HALF_EVEN, Decimal, localcontext
from fractions import Fraction
from functools import cache

import numpy as np
import pytest

from hwsim.errors import InputError
from hwsim.units import make
from hwsim.units.lns import LnsUnit, significands
from hwsim.units.stimulus import all_pairs, corner_mix, random_codes


def lns(weight: str = "lns8_3", activation: str | None = None, **parameters: object) -> LnsUnit:
    given = {"lanes": 1, "weight": weight, "activation": activation or weight}
    unit = make("lns", **(given | parameters))
    assert isinstance(unit, LnsUnit)
    return unit


@cache
def significand(logarithm: Fraction, table_bits: int) -> Fraction:
    """2**logarithm, rounded to ``table_bits`` fraction bits, for a logarithm in [0, 1)."""
    with localcontext() as context:
        context.prec = 80
        exponent = Decimal(logarithm.numerator) / Decimal(logarithm.denominator)
        power = Decimal(2) ** exponent * 2**table_bits
        return Fraction(int(power.to_integral_value(ROUND_HALF_EVEN)), 2**table_bits)


def number(fmt: str, code: int) -> tuple[int, Fraction] | str:
    """Sign and logarithm of a code, or what else it is, from bits as text."""
    width, fraction = map(int, fmt.removeprefix("lns").split("_"))
    bits = f"{code:0{width}b}"
    sign, first, rest = bits[0], bits[1], bits[2:]
    if first == "1" and "1" not in rest:
        return "nan" if sign == "1" else "zero"
    logarithm = int(rest, 2) - (2 ** (width - 2) if first == "1" else 0)
    return (-1 if sign == "1" else 1), Fraction(logarithm, 2**fraction)


def expected(unit: LnsUnit, activations: list[int], weights: list[int]) -> Fraction | str:
    """The sum of a dot product, one product after another, before it wraps."""
    total, nan = Fraction(0), False
    assert unit.table_bits is not None
    place = Fraction(2) ** unit.result.exponent
    for a, w in zip(activations, weights, strict=True):
        x, y = number(unit.activation.name, a), number(unit.weight.name, w)
        if isinstance(x, str) or isinstance(y, str):
            nan |= "nan" in (x, y)
            continue
        logarithm = x[1] + y[1]
        whole = logarithm.numerator // logarithm.denominator
        product = significand(logarithm - whole, unit.table_bits) * Fraction(2) ** whole
        total += x[0] * y[0] * (product // place) * place
    return "nan" if nan else total


UNITS = [
    {"weight": "lns8_3"},
    {"weight": "lns8_3", "window_bits": 23},
    {"weight": "lns4_1"},
    {"weight": "lns6_2", "activation": "lns8_4"},
    {"weight": "lns7_4", "activation": "lns5_1", "window_bits": 5},
    {"weight": "lns4_3", "activation": "lns4_3"},
    {"weight": "lns3_0", "activation": "lns5_0"},
    {"weight": "lns4_0", "activation": "lns6_2", "window_bits": 1},
    {"weight": "lns8_2", "table_bits": 0},
    {"weight": "lns12_6"},
    {"weight": "lns16_8", "table_bits": 24},
    {"weight": "lns16_10", "window_bits": 31},
    {"weight": "lns16_7", "activation": "lns10_5", "window_bits": 60},
]


@pytest.mark.parametrize("parameters", UNITS)
def test_sums_are_those_of_rational_numbers(parameters: dict[str, object]) -> None:
    rng = np.random.default_rng(0)
    one = lns(**parameters)
    many = one.activation.bits + one.weight.bits > 14
    three = lns(**parameters, lanes=3)
    stimulus = [
        (one, random_codes(one, 1000, 1, rng) if many else all_pairs(one, rng)),
        (one, corner_mix(one, 300, 1, rng)),
        (three, random_codes(three, 100, 2, rng)),
    ]
    kinds = set()
    for unit, (a, w, _) in stimulus:
        codes = unit.dot(a, w)
        sums, flags = unit.result.to_int(codes), unit.result.flag(codes, "nan")
        for k in range(len(a)):
            value = expected(unit, a[k].tolist(), w[k].tolist())
            assert flags[k] == (value == "nan")
            if not isinstance(value, str):
                assert int(sums[k]) * Fraction(2) ** unit.result.exponent == value, (a[k], w[k])
            kinds.add(value if isinstance(value, str) else (value > 0) - (value < 0))
    assert kinds == {"nan", -1, 0, 1}


@pytest.mark.parametrize("table_bits", [0, 1, 5, 24])
@pytest.mark.parametrize("fraction", [0, 1, 3, 10])
def test_significands_are_rounded_to_nearest(fraction: int, table_bits: int) -> None:
    table = significands(fraction, table_bits)
    count = 2**fraction
    assert len(table) == count
    for f, entry in enumerate(table):
        # Of both numbers half way to the next, to the power that makes 2**f of the entry.
        assert Fraction(2 * entry - 1, 2 ** (table_bits + 1)) ** count < 2**f
        assert 2**f < Fraction(2 * entry + 1, 2 ** (table_bits + 1)) ** count
        assert Fraction(entry, 2**table_bits) == significand(Fraction(f, count), table_bits)


@pytest.mark.parametrize(
    ("parameters", "exact"),
    [
        ({"weight": "lns5_0"}, True),
        ({"weight": "lns3_0", "activation": "lns5_0"}, True),
        ({"weight": "lns5_0", "window_bits": 28}, False),
        ({"weight": "lns5_0", "activation": "lns5_1"}, False),
        ({"weight": "lns8_3", "table_bits": 24}, False),
    ],
)
def test_a_unit_says_whether_it_is_exact(parameters: dict[str, object], exact: bool) -> None:
    unit = lns(**parameters)
    a, w, _ = all_pairs(unit, np.random.default_rng(0))
    values = unit.activation.decode(a) * unit.weight.decode(w)
    got = unit.result.decode(unit.dot(a, w))
    finite = np.isfinite(values[:, 0])
    assert unit.is_exact == exact
    assert bool((got[finite] == values[finite, 0]).all()) == exact


@pytest.mark.parametrize(("fmt", "table_bits"), [("lns8_3", 7), ("lns8_3", 2), ("lns12_6", 10)])
def test_a_product_is_off_by_no_more_than_its_table(fmt: str, table_bits: int) -> None:
    unit = lns(fmt, table_bits=table_bits)
    one = int(unit.activation.encode(1.0))
    codes = one + np.arange(1 << unit.fraction_bits)[:, np.newaxis]
    got = unit.result.decode(unit.dot(codes, np.full_like(codes, one)))
    errors = np.abs(got / unit.activation.decode(codes)[:, 0] - 1)
    assert 0 < errors.max() <= 2.0 ** -(table_bits + 1)
    if table_bits == unit.fraction_bits + 4:
        assert lns(fmt) == unit
        # A tenth of half a step of the format.
        assert errors.max() < 0.1 * (2 ** (0.5 / (1 << unit.fraction_bits)) - 1)


def test_truncation_is_toward_zero() -> None:
    unit = lns("lns8_3", window_bits=23)
    assert unit.result.exponent == -7
    # 2**-7.125 is under the last place, with either sign.
    tiny, one, minus = (int(c) for c in unit.activation.encode([2.0**-7.125, 1.0, -1.0]))
    for sign in (one, minus):
        assert unit.result.decode(unit.dot([tiny], [sign])) == 0.0
    above = int(unit.activation.encode(2.0**-6.5))
    for sign, value in ((one, 2.0**-7), (minus, -(2.0**-7))):
        assert unit.result.decode(unit.dot([above], [sign])) == value


@pytest.mark.parametrize(
    ("a", "w", "value"),
    [
        (0.0, 4.0, 0.0),
        (0.0, -4.0, 0.0),
        (np.nan, 0.0, np.nan),
        (1.0, np.nan, np.nan),
        (-2.0, -4.0, 8.0),
        (-2.0, 4.0, -8.0),
        (2.0**-7.875, 2.0**-7.875, 2.0**-15.75),
    ],
)
def test_products_of_single_numbers(a: float, w: float, value: float) -> None:
    unit = lns("lns8_3")
    codes = [unit.activation.encode([x], overflow="ieee") for x in (a, w)]
    got = float(unit.result.decode(unit.dot(*codes)))
    np.testing.assert_allclose(got, value, rtol=2.0**-8)


def test_widths_of_sums() -> None:
    # From 2**-16, the integer part of the least logarithm, with 7 fraction bits, up to 2**15.75.
    unit = lns("lns8_3", lanes=16)
    assert (unit.result.exponent, unit.product_bits) == (-16 - 7, 16 + 16 + 7)
    assert unit.result.width == 39 + 1 + 4 + 8
    # An entry of 1 and its neighbour below 2 that is rounded to it.
    assert significands(2, 0) == (1, 1, 1, 2)


@pytest.mark.parametrize("window", [None, 12])
@pytest.mark.parametrize("headroom", [0, 3])
def test_safe_beats_are_tight(headroom: int, window: int | None) -> None:
    bits = lns("lns6_2", lanes=3, window_bits=window).beat_sum_bits + headroom
    unit = lns("lns6_2", lanes=3, window_bits=window, accumulator_bits=bits)
    largest = int(unit.activation.encode(unit.activation.max))
    one = lns("lns6_2", window_bits=window)
    product = one.result.decode(one.dot([largest], [largest]))
    for beats, wraps in ((unit.safe_beats, False), (unit.safe_beats + 1, True)):
        codes = np.full(3 * beats, largest)
        assert (unit.result.decode(unit.dot(codes, codes)) != product * 3 * beats) == wraps


def test_layers_have_the_error_of_the_conversion() -> None:
    rng = np.random.default_rng(3)
    weights, activations = rng.standard_normal((8, 128)), rng.standard_normal((9, 128))
    errors = []
    for table_bits in (2, 7, 20):
        unit = lns("lns8_3", lanes=4, table_bits=table_bits)
        w = unit.weight_quantiser().quantize(weights)
        a = unit.activation_quantiser(128).quantize(activations)
        exact = a.dequantize() @ w.dequantize().T
        errors.append(float(np.abs(unit.matmul(w, a) - exact).max()))
    assert errors[0] > 4 * errors[1] > 400 * errors[2] > 0


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"weight": "int4"}, "weight=int4: lns takes formats such as lns8_3 or lns16_8"),
        ({"activation": "lns8_3_base1.5"},
         "activation=lns8_3_base1.5: lns takes logarithms to base 2 only"),
        ({"weight": "lns16_11"},
         "weight=lns16_11 has 11 fraction bits; lns takes formats of up to 10"),
        ({"table_bits": 25},
         "table_bits=25: allowed for products of lns8_3 and lns8_3: 0 to 24"),
        ({"weight": "lns4_0", "activation": "lns5_0", "table_bits": 1},
         "table_bits=1: allowed for products of lns4_0 and lns5_0: 0 to 0"),
        ({"window_bits": 0},
         "window_bits=0: allowed for products of lns8_3 and lns8_3: 1 to 39"),
        ({"window_bits": 40},
         "window_bits=40: allowed for products of lns8_3 and lns8_3: 1 to 39"),
        ({"accumulator_bits": 39},
         "accumulator_bits=39 cannot hold a product of lns8_3 and lns8_3; allowed: 40 to 1024"),
        ({"window_bits": 23, "accumulator_bits": 23},
         "accumulator_bits=23 cannot hold a product of lns8_3 and lns8_3; allowed: 24 to 1024"),
    ],
)  # fmt: skip
def test_bad_parameters(parameters: dict[str, object], message: str) -> None:
    with pytest.raises(InputError) as error:
        lns(**({"weight": "lns8_3", "activation": "lns8_3"} | parameters))
    assert str(error.value) == message
