"""Every scalar format against exact arithmetic: decode, unpack, and encode at every decision."""

import math
from itertools import pairwise

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from hwsim.errors import InputError
from hwsim.formats import Format, Kind, Stochastic, parse_scalar
from tests.formats.reference import (
    LARGE,
    MINUS,
    MINUS_ZERO,
    NAN,
    PLUS,
    ROUNDINGS,
    SMALL,
    OutOfRangeError,
    Reference,
    Value,
)
from tests.formats.trials import decisions, reference_of, trial_numbers

ALL = [*SMALL, *LARGE]
SPECIAL_VALUES = {NAN: math.nan, PLUS: math.inf, MINUS: -math.inf, MINUS_ZERO: -0.0}


def as_float(value: Value) -> float:
    return SPECIAL_VALUES[value] if isinstance(value, str) else float(value)


def expected_codes(
    reference: Reference, x: np.ndarray, rounding: str, overflow: str
) -> list[int | None]:
    return [reference.encode(v, rounding, overflow) for v in x.tolist()]


def overflows(fmt: Format) -> list[str]:
    return ["saturate", "ieee"] if fmt.has_nan or fmt.has_infinity else ["saturate"]


@pytest.mark.parametrize("name", ALL)
def test_decode_table(name: str) -> None:
    expected = np.array([as_float(v) for v in reference_of(name).table])
    decoded = parse_scalar(name).decode(np.arange(expected.size))
    assert decoded.dtype == np.float64
    assert_array_equal(decoded, expected)
    real = ~np.isnan(expected)
    assert_array_equal(np.signbit(decoded[real]), np.signbit(expected[real]))


@pytest.mark.parametrize("name", ALL)
def test_unpack_is_exact(name: str) -> None:
    fmt = parse_scalar(name)
    codes = np.arange(2**fmt.bits)
    values = fmt.decode(codes)
    kind, sign, significand, exponent = fmt.unpack(codes)
    finite = np.isfinite(values)
    assert_array_equal(
        (np.where(sign, -1.0, 1.0) * np.ldexp(significand.astype(float), exponent))[finite],
        values[finite],
    )
    assert_array_equal(kind == Kind.ZERO, values == 0)
    assert_array_equal(kind == Kind.INFINITY, np.isinf(values))
    assert_array_equal(kind == Kind.NAN, np.isnan(values))
    assert_array_equal(sign[~np.isnan(values)], np.signbit(values[~np.isnan(values)]))
    assert (significand[kind != Kind.FINITE] == 0).all()
    assert (significand[kind == Kind.FINITE] > 0).all()


@pytest.mark.parametrize("name", ALL)
def test_values_and_range(name: str) -> None:
    fmt, reference = parse_scalar(name), reference_of(name)
    finite = [float(v) for v in reference.finite]
    assert fmt.values().tolist() == finite
    assert (fmt.min, fmt.max) == (finite[0], finite[-1])
    assert_array_equal(fmt.smallest, min([v for v in finite if v > 0], default=math.nan))
    assert fmt.bits == int(math.log2(len(reference.table)))
    following = [v for v in finite if v > 1]
    epsilon = following[0] - 1 if following and 1.0 in finite else math.nan
    assert_array_equal(fmt.epsilon, epsilon)


@pytest.mark.parametrize("rounding", ROUNDINGS)
@pytest.mark.parametrize("name", SMALL)
def test_encode_at_every_decision(name: str, rounding: str) -> None:
    fmt, reference = parse_scalar(name), reference_of(name)
    x = trial_numbers(reference)
    for overflow in overflows(fmt):
        expected = expected_codes(reference, x, rounding, overflow)
        assert_array_equal(fmt.encode(x, rounding, overflow), expected, err_msg=overflow)


@pytest.mark.parametrize("rounding", ROUNDINGS)
@pytest.mark.parametrize("name", LARGE)
def test_encode_at_some_decisions_of_large_formats(name: str, rounding: str) -> None:
    fmt, reference = parse_scalar(name), reference_of(name)
    x = trial_numbers(reference, count=60)
    for overflow in overflows(fmt):
        expected = expected_codes(reference, x, rounding, overflow)
        assert_array_equal(fmt.encode(x, rounding, overflow), expected, err_msg=overflow)


@pytest.mark.exhaustive
@pytest.mark.parametrize("rounding", ROUNDINGS)
@pytest.mark.parametrize("name", LARGE)
def test_encode_at_every_decision_of_large_formats(name: str, rounding: str) -> None:
    x = decisions(reference_of(name))
    expected = expected_codes(reference_of(name), x, rounding, "saturate")
    assert_array_equal(parse_scalar(name).encode(x, rounding), expected)


@pytest.mark.parametrize("name", ALL)
def test_overflow_error_raises_exactly_where_the_range_ends(name: str) -> None:
    fmt, reference = parse_scalar(name), reference_of(name)
    ends = [float(p) for p in (*reference.points[:3], *reference.points[-3:])]
    middles = [(a + b) / 2 for a, b in pairwise(ends)]
    candidates = [*ends, *middles, *np.nextafter(middles, np.inf), math.inf, -math.inf]
    raised = 0
    for x in candidates:
        try:
            expected = reference.encode(x, "nearest_even", "error")
        except OutOfRangeError:
            raised += 1
            with pytest.raises(InputError, match="out of the range"):
                fmt.encode(x, overflow="error")
        else:
            assert fmt.encode(x, overflow="error") == expected
    assert raised >= 2


@pytest.mark.parametrize("name", ALL)
def test_nan(name: str) -> None:
    fmt, reference = parse_scalar(name), reference_of(name)
    nans = np.array([0x7FC00000, 0xFFC00000, 0x7F800001, 0xFFBFFFFF], np.uint32).view(np.float32)
    if reference.nan is None:
        with pytest.raises(InputError, match="has no NaN"):
            fmt.encode(nans)
    else:
        assert fmt.encode(nans).tolist() == [reference.nan] * 4
        assert np.isnan(fmt.decode(reference.nan))


@pytest.mark.parametrize("name", ALL)
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_properties_of_encoding(name: str, data: st.DataObject) -> None:
    fmt = parse_scalar(name)
    numbers = st.floats(allow_nan=False, allow_infinity=False, width=32)
    scaled = st.floats(-2.0, 2.0).map(lambda v: v * fmt.max)
    x = np.array(data.draw(st.lists(numbers | scaled, min_size=2, max_size=8)))
    rounding = data.draw(st.sampled_from(ROUNDINGS))
    ordered = np.sort(x) + 0.0
    rounded = fmt.quantize(ordered, rounding)
    assert (np.diff(rounded) >= 0).all(), "monotone"
    assert_array_equal(fmt.quantize(rounded, rounding), rounded, err_msg="idempotent")
    values = fmt.values()
    exact = np.isin(ordered, values)
    assert_array_equal(rounded[exact], ordered[exact])
    inside = (ordered >= values[0]) & (ordered <= values[-1]) & (fmt.family != "posit")
    if rounding == "up":
        assert (rounded[inside] >= ordered[inside]).all()
    if rounding == "down":
        assert (rounded[inside] <= ordered[inside]).all()
    if np.array_equal(values, -values[::-1]) and fmt.family not in ("integer", "codebook"):
        opposite = {"up": "down", "down": "up"}.get(rounding, rounding)
        assert_array_equal(fmt.quantize(-ordered[ordered != 0], opposite),
                           -rounded[ordered != 0], err_msg="sign symmetry")  # fmt: skip


@pytest.mark.parametrize("name", [n for n in ALL if not n.startswith(("posit", "lns", "e8m0"))])
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_nearest_is_nearest(name: str, data: st.DataObject) -> None:
    fmt = parse_scalar(name)
    x = data.draw(st.floats(float(fmt.min), float(fmt.max)))
    rounding = data.draw(st.sampled_from(["nearest_even", "nearest_away"]))
    values = fmt.values()
    distance = abs(float(fmt.quantize(x, rounding)) - x)
    assert distance <= np.abs(values - x).min()


@pytest.mark.parametrize(
    "name", ["int4", "e4m3", "e2m1", "posit8_1", "nf4", "hif8", "e4m3u", "lns8_3"]
)
def test_stochastic_rounding_is_unbiased_and_reproducible(name: str) -> None:
    fmt = parse_scalar(name)
    values = fmt.values()
    lower, upper = values[values.size // 2 + 1 :][:2]
    for sign in (1, -1) if values[0] < -upper and -lower in values and -upper in values else (1,):
        x = np.full(100_000, sign * (lower + 0.3 * (upper - lower)))
        codes = fmt.encode(x, Stochastic(seed=3))
        assert_array_equal(codes, fmt.encode(x, Stochastic(seed=3)))
        assert (codes != fmt.encode(x, Stochastic(seed=4))).any()
        rounded = fmt.decode(codes)
        assert set(rounded) == {sign * lower, sign * upper}
        assert (rounded == sign * upper).mean() == pytest.approx(0.3, abs=0.01)
    assert_array_equal(fmt.quantize(values, Stochastic(seed=0)), values)


def test_stochastic_rounding_draws_one_number_an_element_in_c_order() -> None:
    x = np.random.default_rng(0).uniform(0, 7, (300, 500))
    draws = np.random.default_rng(9).random(x.shape)
    expected = np.floor(x) + (draws < x - np.floor(x))
    assert_array_equal(parse_scalar("int8").quantize(x, Stochastic(9)), expected)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, ml_dtypes.bfloat16, ">f4"])
@pytest.mark.parametrize("name", ["e4m3", "posit8_0", "nf4"])
@pytest.mark.parametrize("size", [1000, 40_000])
def test_any_float_dtype(name: str, dtype: object, size: int) -> None:
    fmt = parse_scalar(name)
    x = np.random.default_rng(0).normal(size=size).astype(dtype)
    one_by_one = fmt.encode(x[:1000].astype(np.float64))
    assert_array_equal(fmt.encode(x)[:1000], one_by_one)


@pytest.mark.parametrize("name", ["int4", "e4m3", "posit16_1", "nf4", "q8.8"])
def test_any_shape(name: str) -> None:
    fmt = parse_scalar(name)
    x = np.random.default_rng(0).normal(size=(6, 8, 10))
    codes = fmt.encode(x)
    assert codes.shape == x.shape
    assert codes.dtype == fmt.code_dtype
    assert_array_equal(fmt.encode(x[::-2, 1:, ::3]), codes[::-2, 1:, ::3])
    assert_array_equal(fmt.encode(x.T), codes.T)
    assert_array_equal(fmt.encode(np.asfortranarray(x)), codes)
    assert fmt.encode(x[0, 0, 0]) == codes[0, 0, 0]
    assert fmt.encode(float(x[0, 0, 0])).shape == ()
    assert fmt.decode(codes[0, 0, 0]).shape == ()
    assert fmt.encode(np.zeros((0, 3))).shape == (0, 3)
    assert fmt.decode(np.zeros((0, 3), np.uint8)).shape == (0, 3)
    assert fmt.encode([]).shape == (0,)
    assert_array_equal(fmt.quantize(x), fmt.decode(codes))


@pytest.mark.parametrize(
    "x", [1j, np.longdouble(1), "1", None, np.datetime64("2020"), np.zeros(2, "f4,f4"), 2**53 + 1,
          -(2**63)])  # fmt: skip
def test_what_float64_does_not_hold_is_refused(x: object) -> None:
    with pytest.raises(InputError):
        parse_scalar("e4m3").encode(x)


def test_integers_and_booleans_are_numbers() -> None:
    assert parse_scalar("int8").encode(np.array([True, False])).tolist() == [1, 0]
    assert parse_scalar("int8").encode(np.array([3, -4], np.int64)).tolist() == [3, 252]


@pytest.mark.parametrize(
    ("rounding", "overflow"), [("nearest", "saturate"), ("up", "wrap"), ("nearest_even", "IEEE")]
)
def test_unknown_rules_are_refused(rounding: str, overflow: str) -> None:
    with pytest.raises(InputError, match="unknown"):
        parse_scalar("e4m3").encode(1.0, rounding, overflow)


def test_ieee_overflow_needs_a_special() -> None:
    with pytest.raises(InputError, match="ieee"):
        parse_scalar("e2m1").encode(1.0, overflow="ieee")


@pytest.mark.parametrize("codes", [[-1], [16], [0.5]])
def test_codes_out_of_range_are_refused(codes: list[float]) -> None:
    with pytest.raises(InputError, match="codes of int4"):
        parse_scalar("int4").decode(codes)


def test_values_of_wide_formats_are_refused() -> None:
    with pytest.raises(InputError, match="enumerates"):
        parse_scalar("fp32").values()
