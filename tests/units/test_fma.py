from fractions import Fraction

import numpy as np
import pytest

from hwsim.errors import InputError
from hwsim.formats import parse_scalar
from hwsim.units import make
from hwsim.units.fma import FmaUnit
from hwsim.units.stimulus import random_codes
from tests.units.exact import nearest_even


def fma(**parameters: object) -> FmaUnit:
    unit = make("fma", **({"lanes": 1, "weight": "fp16", "activation": "fp16"} | parameters))
    assert isinstance(unit, FmaUnit)
    return unit


@pytest.mark.parametrize(
    ("weight", "activation", "accumulator"),
    [
        ("fp16", "fp16", "fp16"),
        ("fp16", "fp16", "fp32"),
        ("bf16", "bf16", "fp32"),
        ("int8", "fp16", "fp16"),
        ("e4m3", "e5m2", "e5m2"),
    ],
)
def test_every_step_is_the_nearest_value(weight: str, activation: str, accumulator: str) -> None:
    unit = fma(weight=weight, activation=activation, accumulator=accumulator)
    fmt = unit.result.format
    rng = np.random.default_rng(0)
    a, w, _ = random_codes(unit, 600, 1, rng)
    x, y = unit.activation.decode(a)[:, 0], unit.weight.decode(w)[:, 0]
    # Addends near the product, where they cancel, and anywhere.
    with np.errstate(invalid="ignore"):
        near = np.nan_to_num(-x * y * (1 + rng.integers(-3, 4, 600) * 2.0**-fmt.mantissa))
    anywhere = fmt.decode(rng.integers(0, 1 << fmt.bits, 600))
    c = np.where(np.arange(600) % 2, fmt.quantize(near), anywhere)
    finite = np.isfinite(x) & np.isfinite(y) & np.isfinite(c)
    assert finite.sum() > 200
    codes = fmt.encode(unit.step(x, y, c), overflow="ieee")
    for k in np.flatnonzero(finite):
        total = Fraction(x[k]) * Fraction(y[k]) + Fraction(c[k])
        if total:
            assert codes[k] == nearest_even(total, fmt), (x[k], y[k], c[k])
        else:
            assert codes[k] & (fmt.sign_code - 1) == 0


@pytest.mark.parametrize(
    ("weight", "activation", "accumulator", "kind"),
    [("e4m3", "e4m3", "fp32", np.float32), ("e2m3", "e3m2", "fp16", np.float16)],
)
def test_equals_numpy_where_products_are_exact(
    weight: str, activation: str, accumulator: str, kind: type
) -> None:
    unit = fma(weight=weight, activation=activation, accumulator=accumulator)
    a, w, _ = random_codes(unit, 200, 20, np.random.default_rng(1))
    x, y = (f.decode(c).astype(kind) for f, c in ((unit.activation, a), (unit.weight, w)))
    total = np.zeros(200, kind)
    for k in range(20):
        product = x[:, k] * y[:, k]
        total = (total + product).astype(kind)
    np.testing.assert_array_equal(unit.result.decode(unit.dot(a, w)), total.astype(np.float64))


@pytest.mark.parametrize(
    ("a", "w", "expected"),
    [
        ([np.inf, 1.0], [2.0, 1.0], np.inf),
        ([np.inf, np.inf], [1.0, -1.0], np.nan),
        ([np.inf], [0.0], np.nan),
        ([np.nan, 1.0], [0.0, 1.0], np.nan),
        ([65504.0, 65504.0], [1.0, 1.0], np.inf),
        ([65504.0, 65504.0], [2.0, -2.0], np.inf),
        ([2.0**-24], [0.5], 0.0),
        ([2.0**-24], [0.75], 2.0**-24),
        ([2.0**-24, 2.0**-24], [0.5, 0.75], 2.0**-24),
    ],
)
def test_special_values_follow_ieee(a: list[float], w: list[float], expected: float) -> None:
    unit = fma(accumulator="fp16")
    codes = [unit.activation.encode(x, overflow="ieee") for x in (a, w)]
    np.testing.assert_equal(float(unit.result.decode(unit.dot(*codes))), expected)


def test_zero_starts_positive() -> None:
    unit = fma(accumulator="fp16")
    minus_zero = 0x8000
    assert unit.dot([minus_zero], [0x3C00]) == 0
    assert unit.dot([minus_zero, 0x3C00, 0x3C00], [0x3C00, 0x3C00, 0xBC00]) == 0


def test_lanes_round_one_after_another() -> None:
    one, two = fma(accumulator="fp16"), fma(lanes=2, accumulator="fp16")
    a, w, _ = random_codes(two, 100, 3, np.random.default_rng(2))
    np.testing.assert_array_equal(one.dot(a, w), two.dot(a, w))


def test_a_wide_weight_takes_the_place_of_all() -> None:
    unit = fma(lanes=2, weight="e2m1", accumulator="fp16", wide="int8")
    a = parse_scalar("fp16").encode([3.0, 5.0])
    word = -7 & 0xFF
    assert unit.result.decode(unit.dot(a, [word & 15, word >> 4], wide=[1])) == -21
    assert unit.result.decode(unit.dot(a, [2, 7], wide=[0])) == 3.0 * 1.0 + 5.0 * 6.0


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"activation": "int8"}, "activation=int8: fma takes minifloats such as fp16"),
        ({"accumulator": "e2m1"}, "accumulator=e2m1: sums are rounded to signed minifloats that "
         "have NaN, such as fp16 or fp32"),
        ({"accumulator": "e4m3u"}, "accumulator=e4m3u: sums are rounded to signed minifloats that "
         "have NaN, such as fp16 or fp32"),
        ({"weight": "posit8_0"}, "weight=posit8_0: fma takes minifloats and integers"),
        ({"activation": "fp32", "weight": "int32"},
         "weight=int32: products with fp32 have up to 56 significand bits; allowed: 53"),
        ({"wide": "int8"}, "wide=int8 has 8 bits; it must have those of 1 x fp16, 16"),
    ],
)  # fmt: skip
def test_bad_parameters(parameters: dict[str, object], message: str) -> None:
    with pytest.raises(InputError) as error:
        fma(**parameters)
    assert str(error.value) == message


@pytest.mark.parametrize("count", [2, 3, 8])
@pytest.mark.parametrize("beats", [1, 2, 7, 20])
def test_beats_go_to_interleaved_sums_in_turn(count: int, beats: int) -> None:
    formats = {"weight": "e2m3", "activation": "e3m2"}
    one = fma(lanes=2, **formats, accumulator="fp16")
    unit = fma(lanes=2, **formats, accumulator="fp16", interleaved_sums=count)
    a, w, _ = random_codes(unit, 300, beats, np.random.default_rng(2))
    apart = [codes.reshape(300, beats, 2) for codes in (a, w)]
    total = np.zeros(300, np.float16)
    for k in range(min(count, beats)):
        own = [codes[:, k::count].reshape(300, -1) for codes in apart]
        total = total + one.result.decode(one.dot(*own)).astype(np.float16)
    np.testing.assert_array_equal(unit.result.decode(unit.dot(a, w)).astype(np.float16), total)


@pytest.mark.parametrize("count", [0, 9])
def test_numbers_of_interleaved_sums_out_of_range_are_refused(count: int) -> None:
    with pytest.raises(InputError, match=f"interleaved_sums must be 1 to 8, not {count}"):
        fma(interleaved_sums=count)


def test_an_exact_sum_is_not_interleaved() -> None:
    with pytest.raises(InputError, match="interleaved_sums=2: only accumulation=rounded"):
        make("float", lanes=1, weight="e2m1", activation="e2m1", interleaved_sums=2)
