from fractions import Fraction

import numpy as np
import pytest

from hwsim.errors import InputError
from hwsim.formats.minifloat import Minifloat
from hwsim.units import make
from hwsim.units.float_mac import FloatUnit
from hwsim.units.stimulus import cancelling, random_codes


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"weight": "int4"}, "weight=int4: float takes minifloats such as e4m3 or fp16"),
        ({"accumulator_bits": 1025}, "accumulator_bits=1025 is too wide; allowed: 37 to 1024"),
        ({"accumulation": "fp31"},
         "unknown accumulation 'fp31'; known: exact, rounded, aligned13, product_aligned13"),
        ({"accumulator": "e2m1"},
         "accumulator=e2m1: sums are rounded to signed minifloats that have NaN, such as fp16 or "
         "fp32"),
        ({"accumulation": "aligned41"},
         "accumulation=aligned41: allowed are aligned0 to aligned40"),
        ({"accumulation": "product_aligned41", "accumulator": "fp32", "fraction_bits": 13,
          "rounding": "nearest_even"},
         "accumulation=product_aligned41: allowed are product_aligned0 to product_aligned40"),
        ({"accumulation": "product_aligned"},
         "unknown accumulation 'product_aligned'; did you mean 'product_aligned13'?"),
        ({"accumulation": "product_aligned13", "fraction_bits": 24},
         "fraction_bits must be 1 to 23, not 24"),
        ({"accumulation": "product_aligned13", "accumulator_bits": 40},
         "accumulator_bits=40: only accumulation=exact has any, not product_aligned13"),
        ({"accumulation": "exact", "interleaved_sums": 2},
         "interleaved_sums=2: only accumulation=rounded, aligned and product_aligned have several "
         "sums, not exact"),
        ({"accumulation": "aligned13", "accumulator": "e4m3u"},
         "accumulator=e4m3u: sums are rounded to signed minifloats that have NaN, such as fp16 or "
         "fp32"),
        ({"accumulation": "aligned13", "fraction_bits": 24},
         "fraction_bits must be 1 to 23, not 24"),
        ({"accumulation": "aligned13", "accumulator": "e4m3", "fraction_bits": 2},
         "fraction_bits=2: accumulator=e4m3 must keep all its 3; fewer need a format with the "
         "special codes of IEEE 754"),
        ({"accumulation": "aligned13", "accumulator_bits": 40},
         "accumulator_bits=40: only accumulation=exact has any, not aligned13"),
        ({"accumulation": "exact", "accumulator": "fp32"},
         "accumulator=fp32: only accumulation=rounded, aligned and product_aligned has any, "
         "not exact"),
        ({"accumulator": "fp32", "fraction_bits": 13},
         "fraction_bits=13: only accumulation=aligned and product_aligned has any, not "
         "rounded"),
        ({"rounding": "toward_zero"},
         "rounding=toward_zero: only accumulation=rounded, aligned and product_aligned has any, "
         "not exact"),
        ({"accumulator": "fp32", "rounding": "truncate"},
         "unknown rounding 'truncate'; known: nearest_even, toward_zero"),
        ({"accumulator": "fp32", "weight": "minifloat(exponent=8,mantissa=3,bias=512)",
          "activation": "minifloat(exponent=8,mantissa=3,bias=480)"},
         "weight=minifloat(exponent=8,mantissa=3,bias=512,specials=ieee): products with "
         "minifloat(exponent=8,mantissa=3,bias=480,specials=ieee) leave the range of the golden "
         "model; allowed: 2**-980 to 2**1020"),
    ],
)  # fmt: skip
def test_bad_parameters(parameters: dict[str, object], message: str) -> None:
    given = {"lanes": 4, "weight": "e4m3", "activation": "e4m3"} | parameters
    with pytest.raises(InputError) as error:
        make("float", **given)
    assert str(error.value) == message


def float_unit(**parameters: object) -> FloatUnit:
    unit = make("float", **({"weight": "e4m3", "activation": "e4m3"} | parameters))
    assert isinstance(unit, FloatUnit)
    return unit


def leading(x: Fraction) -> int:
    """Return floor(log2(abs(x)))."""
    n = abs(x)
    e = n.numerator.bit_length() - n.denominator.bit_length()
    return e if n >= Fraction(2) ** e else e - 1


def cut(x: Fraction, place: int) -> Fraction:
    """Truncate toward zero to a multiple of 2**place."""
    unit = Fraction(2) ** place
    return int(x / unit) * unit


def round_to(x: Fraction, fmt: Minifloat, mantissa: int, to_even: bool) -> Fraction:
    """Round a number in range to ``mantissa`` fraction bits, or fewer where it is subnormal."""
    if not x:
        return x
    place = max(leading(x), fmt.min_exponent) - mantissa
    unit = Fraction(2) ** place
    return round(x / unit) * unit if to_even else cut(x, place)


def exponent(fmt: Minifloat, x: Fraction) -> int:
    return max(leading(x), fmt.min_exponent)


def flushed(fmt: Minifloat, x: Fraction, unit: FloatUnit) -> Fraction:
    tiny = abs(x) < Fraction(2) ** fmt.min_exponent
    return Fraction(0) if tiny and unit.subnormals == "flush" else x


def slow_dot(unit: FloatUnit, a: list[float], w: list[float]) -> Fraction:
    """Return the sum of finite operands as the definition says it, in fractions."""
    x, y = unit.activation, unit.weight
    fmt, bits = unit.sum_format, unit.aligned_bits
    to_even = unit.rounding == "nearest_even"
    among_products = str(unit.accumulation).startswith("product")
    total = Fraction(0)
    pairs = [
        (flushed(x, Fraction(p), unit), flushed(y, Fraction(q), unit))
        for p, q in zip(a, w, strict=True)
    ]
    if bits is None:
        for p, q in pairs:
            total = flushed(fmt, round_to(p * q + total, fmt, fmt.mantissa, to_even), unit)
        return total
    for start in range(0, len(pairs), unit.lanes):
        terms = [
            (p * q, exponent(x, p) + exponent(y, q))
            for p, q in pairs[start : start + unit.lanes]
            if p * q
        ]
        if total and not among_products:
            terms.append((total, exponent(fmt, total)))
        if terms:
            lowest = max(e for _, e in terms) - bits
            exact = sum(
                (cut(t, lowest) for t, _ in terms), total if among_products else Fraction(0)
            )
            total = flushed(fmt, round_to(exact, fmt, unit.fraction_bits, to_even), unit)
    return total


@pytest.mark.parametrize(
    "parameters",
    [
        {"lanes": 16, "accumulation": "aligned13"},
        {"lanes": 32, "accumulation": "aligned13", "weight": "e5m2"},
        {"lanes": 3, "accumulation": "aligned0", "activation": "e2m1"},
        {"lanes": 8, "accumulation": "aligned24", "weight": "fp16", "activation": "fp16"},
        {"lanes": 4, "accumulation": "aligned40", "weight": "bf16", "activation": "fp16"},
        {"lanes": 2, "accumulation": "aligned5", "fraction_bits": 23, "weight": "e4m3u"},
        {"lanes": 4, "accumulation": "aligned13", "accumulator": "fp16", "weight": "e3m2",
         "activation": "e5m2", "rounding": "nearest_even"},
        {"lanes": 2, "accumulation": "aligned20", "accumulator": "bf16", "weight": "e5m2",
         "rounding": "nearest_even", "subnormals": "flush"},
        {"lanes": 16, "accumulation": "product_aligned13"},
        {"lanes": 32, "accumulation": "product_aligned13", "weight": "e5m2", "fraction_bits": 13,
         "rounding": "toward_zero"},
        {"lanes": 3, "accumulation": "product_aligned0", "activation": "e2m1"},
        {"lanes": 8, "accumulation": "product_aligned24", "weight": "fp16", "activation": "fp16"},
        {"lanes": 4, "accumulation": "product_aligned40", "weight": "bf16", "activation": "fp16"},
        {"lanes": 2, "accumulation": "product_aligned5", "weight": "e4m3u", "fraction_bits": 5},
        {"lanes": 4, "accumulation": "product_aligned3", "accumulator": "fp16", "weight": "e3m2",
         "activation": "e3m2", "rounding": "toward_zero"},
        {"lanes": 2, "accumulation": "product_aligned20", "accumulator": "bf16", "weight": "e5m2",
         "subnormals": "flush"},
        {"lanes": 1, "accumulation": "product_aligned6", "accumulator": "e5m2", "weight": "e2m1",
         "activation": "e3m2", "rounding": "toward_zero", "subnormals": "flush"},
        {"lanes": 1, "accumulator": "fp32", "rounding": "toward_zero"},
        {"lanes": 3, "accumulator": "bf16", "rounding": "toward_zero", "weight": "e5m2"},
        {"lanes": 2, "accumulator": "fp16", "weight": "e2m1", "subnormals": "flush"},
        {"lanes": 2, "accumulator": "e5m2", "weight": "e2m1", "activation": "e3m2",
         "rounding": "toward_zero", "subnormals": "flush"},
    ],
    ids=str,
)  # fmt: skip
def test_rounded_sums_follow_their_definition(parameters: dict[str, object]) -> None:
    unit = float_unit(**parameters)
    rng = np.random.default_rng(3)
    compared = 0
    for a, w, _ in (random_codes(unit, 60, 5, rng), cancelling(unit, 60, rng)):
        x, y = unit.activation.decode(a), unit.weight.decode(w)
        results = unit.result.decode(unit.dot(a, w))
        finite = np.isfinite(x).all(axis=1) & np.isfinite(y).all(axis=1)
        for row in np.flatnonzero(finite & (abs(results) < unit.state_format.max)):
            want = slow_dot(unit, x[row].tolist(), y[row].tolist())
            assert Fraction(results[row]) == want, (x[row], y[row])
            compared += 1
    assert compared >= 25


@pytest.mark.parametrize(
    ("a", "w", "expected"),
    [
        # A bit 13 places below the largest exponent counts, one 14 below does not.
        ([1.0, 2.0**-7], [1.0, 2.0**-6], 1 + 2.0**-13),
        ([1.0, 2.0**-8], [1.0, 2.0**-6], 1.0),
        # In magnitude: minus a little is not minus one unit.
        ([1.0, -(2.0**-8)], [1.0, 2.0**-6], 1.0),
        # The exponent of 1.875 * 1.875 = 3.52 is 0, since products are not normalised.
        ([1.875, 2.0**-7], [1.875, 2.0**-6], 3.515625),
        ([1.875, 2.0**-7, 2.0**-7], [1.875, 2.0**-6, 2.0**-6], 3.515625 + 2.0**-12),
        # 2**-9 has the exponent of 2**-6, so 2**-9 * 32 hides what lies 14 places below 2**-1.
        ([2.0**-9, 2.0**-9], [32.0, 2.0**-5], 2.0**-4 + 2.0**-14),
        ([2.0**-9, 2.0**-9], [32.0, 2.0**-6], 2.0**-4),
        # Zeros have no exponent.
        ([0.0, 2.0**-9], [448.0, 2.0**-9], 2.0**-18),
        # What cancels is +0.
        ([1.0, -1.0], [1.0, 1.0], 0.0),
        ([-0.0], [1.0], 0.0),
    ],
)
def test_aligned_sums(a: list[float], w: list[float], expected: float) -> None:
    unit = float_unit(lanes=16, accumulation="aligned13")
    codes = [
        fmt.encode(np.pad(x, (0, 16 - len(x))))
        for fmt, x in ((unit.activation, a), (unit.weight, w))
    ]
    result = float(unit.result.decode(unit.dot(*codes)))
    assert result == expected
    assert not np.signbit(result)


def test_the_accumulator_is_aligned_too() -> None:
    unit = float_unit(lanes=1, accumulation="aligned13")
    codes = unit.activation.encode([1.0, 2.0**-6, 448.0])
    weights = unit.weight.encode([1.0, 2.0**-7, 448.0])
    # 1 + 2**-13 against 448**2 = 1.53125 * 2**17: the unit is 2**(16 - 13), nothing is left.
    assert unit.result.decode(unit.dot(codes[:2], weights[:2])) == 1 + 2.0**-13
    assert unit.result.decode(unit.dot(codes, weights)) == 448.0**2


def test_the_accumulator_is_not_aligned_with_products_aligned_among_themselves() -> None:
    unit = float_unit(lanes=1, accumulation="product_aligned13")
    codes = unit.activation.encode([1.0, 2.0**-6, 448.0])
    weights = unit.weight.encode([1.0, 2.0**-6, 448.0])
    # 1 + 2**-12 + 448**2 takes 30 bits; one rounding to 24 leaves a multiple of 2**-6.
    assert unit.result.decode(unit.dot(codes[:2], weights[:2])) == 1 + 2.0**-12
    assert unit.result.decode(unit.dot(codes, weights)) == 448.0**2 + 1
    # Among themselves, the products are cut off 13 bits below 2**16.
    together = float_unit(lanes=3, accumulation="product_aligned13")
    assert together.result.decode(together.dot(codes, weights)) == 448.0**2
    assert (
        together.result.decode(together.dot(codes[[0, 2, 2]], weights[[0, 2, 2]])) == 2 * 448.0**2
    )


def test_product_aligned_sums_round_to_negative_zero() -> None:
    """A negative sum that rounds to zero is -0, and +0 once products that cancel are added."""
    unit = float_unit(
        lanes=2, accumulation="product_aligned13", accumulator="e4m3", rounding="toward_zero"
    )
    a = unit.activation.encode([2.0**-9, 0.0, 1.0, 1.0])
    w = unit.weight.encode([-(2.0**-9), 0.0, 1.0, -1.0])
    assert unit.dot(a[:2], w[:2]) == unit.sum_format.sign_code
    assert unit.dot(a, w) == 0


@pytest.mark.parametrize("sums", [1, 3])
def test_one_lane_aligned_to_itself_is_a_fused_multiply_add(sums: int) -> None:
    both = {"lanes": 1, "weight": "e5m2", "interleaved_sums": sums, "accumulator": "fp16"}
    unit = float_unit(**both, accumulation="product_aligned5")
    other = float_unit(**both, accumulation="rounded")
    a, w, _ = random_codes(unit, 500, 5, np.random.default_rng(1))
    got, want = (one.result.decode(one.dot(a, w)) for one in (unit, other))
    np.testing.assert_array_equal(got, want)


def test_results_of_13_fraction_bits_are_fp32_codes() -> None:
    unit = float_unit(lanes=16, accumulation="aligned13")
    assert (unit.result.format.name, unit.state_format.mantissa) == ("fp32", 13)
    a, w, _ = random_codes(unit, 200, 3, np.random.default_rng(0))
    assert not (unit.dot(a, w) & 0x3FF).any()


@pytest.mark.parametrize(
    "sums",
    [
        {"accumulator": "fp16"},
        {"accumulation": "aligned13"},
        {"accumulation": "product_aligned13"},
    ],
)
@pytest.mark.parametrize(
    ("a", "w", "expected"),
    [
        ([np.inf, 1.0], [2.0, 1.0], np.inf),
        ([np.inf, 1.0], [-2.0, 1.0], -np.inf),
        ([np.inf, np.inf], [1.0, -1.0], np.nan),
        ([np.inf, 1.0], [0.0, 1.0], np.nan),
        ([np.nan, 1.0], [0.0, 1.0], np.nan),
    ],
)
def test_rounded_special_values_follow_ieee(
    sums: dict[str, str], a: list[float], w: list[float], expected: float
) -> None:
    unit = float_unit(lanes=1, **sums, weight="e5m2", activation="e5m2")
    codes = [fmt.encode(x, overflow="ieee") for fmt, x in ((unit.activation, a), (unit.weight, w))]
    np.testing.assert_equal(float(unit.result.decode(unit.dot(*codes))), expected)


@pytest.mark.parametrize(("rule", "expected"), [("nearest_even", np.inf), ("toward_zero", 65504.0)])
@pytest.mark.parametrize("kind", ["rounded", "aligned13", "product_aligned13"])
def test_overflow_depends_on_the_rounding(kind: str, rule: str, expected: float) -> None:
    more = {"fraction_bits": 10} if kind == "aligned13" else {}
    unit = float_unit(lanes=1, accumulation=kind, accumulator="fp16", rounding=rule, **more)
    codes = unit.activation.encode([448.0])
    assert unit.result.decode(unit.dot(codes, codes)) == expected


def test_rounded_sums_are_those_of_fma() -> None:
    unit = float_unit(lanes=4, accumulator="fp16", weight="e5m2")
    other = make("fma", lanes=4, accumulator="fp16", weight="e5m2", activation="e4m3")
    a, w, _ = random_codes(unit, 300, 3, np.random.default_rng(0))
    np.testing.assert_array_equal(unit.dot(a, w), other.dot(a, w))


@pytest.mark.parametrize("accumulation", ["exact", "rounded", "aligned13", "product_aligned13"])
def test_excluded_codes_count_as_numbers(accumulation: str) -> None:
    unit = float_unit(lanes=1, accumulation=accumulation, weight="e5m2", specials="exclude")
    assert unit.result.decode(unit.dot([0x7F], [0x3C])) == 480.0
    assert unit.result.decode(unit.dot([0x38], [0x7C])) == 65536.0


@pytest.mark.parametrize("accumulation", ["exact", "rounded", "aligned13", "product_aligned13"])
def test_flushed_operands_are_zeros(accumulation: str) -> None:
    unit = float_unit(lanes=2, accumulation=accumulation, subnormals="flush")
    subnormal, smallest = unit.activation.encode([7 * 2.0**-9, 2.0**-6])
    one = unit.activation.encode(1.0)
    assert unit.result.decode(unit.dot([subnormal, smallest], [one, one])) == 2.0**-6
    assert unit.result.decode(unit.dot([one, one], [subnormal, smallest])) == 2.0**-6


def test_names_show_the_accumulation() -> None:
    plain = "float_lanes_16_weight_e4m3_activation_e4m3"
    assert float_unit(lanes=16).name == plain
    rounded = float_unit(lanes=16, accumulator="float32")
    assert rounded.name == f"{plain}_accumulation_rounded"
    assert rounded == float_unit(lanes=16, accumulation="rounded")
    half = float_unit(lanes=16, accumulator="fp16")
    assert half.name == f"{plain}_accumulation_rounded_accumulator_fp16"
    unit = float_unit(lanes=16, accumulation="aligned13", rounding="toward_zero")
    assert unit.name == f"{plain}_accumulation_aligned13"
    assert make("float", **unit.parameters()) == unit
    among = float_unit(lanes=16, accumulation="product_aligned13", fraction_bits=23)
    assert among.name == f"{plain}_accumulation_product_aligned13"
    assert (among.rounding, among.sum_format.name) == ("nearest_even", "fp32")
    assert make("float", **among.parameters()) == among
