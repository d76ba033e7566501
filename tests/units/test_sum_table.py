from fractions import Fraction
from itertools import product

import ml_dtypes
import numpy as np
import pytest

from hwsim.errors import InputError
from hwsim.formats import parse_scalar
from hwsim.formats.integer import Integer
from hwsim.formats.minifloat import Minifloat
from hwsim.units.sum_table import combinations, negative, sum_table, symmetric_half
from hwsim.units.sums import FloatSums, IntegerSums, float_sums
from tests.units.test_fma import nearest_even

DIGITS = [(-1, 1), (0, 1), (-1, 0, 1)]


def minifloat(name: str) -> Minifloat:
    fmt = parse_scalar(name)
    assert isinstance(fmt, Minifloat)
    return fmt


@pytest.mark.parametrize("digits", DIGITS)
@pytest.mark.parametrize("lanes", [1, 2, 3, 4])
def test_combinations_count_up_with_the_first_lane_fastest(
    digits: tuple[int, ...], lanes: int
) -> None:
    table = combinations(lanes, digits)
    assert len(set(table)) == len(digits) ** lanes == len(table)
    base = len(digits)
    for index, combination in enumerate(table):
        for lane, digit in enumerate(combination):
            assert digit == digits[index // base**lane % base]


@pytest.mark.parametrize(("digits", "lanes", "size"), [((-1, 1), 4, 8), ((-1, 0, 1), 3, 14)])
def test_half_and_its_negatives_are_all(digits: tuple[int, ...], lanes: int, size: int) -> None:
    table = combinations(lanes, digits)
    half = symmetric_half(table)
    assert len(half) == size
    assert {*half, *map(negative, half)} == set(table)


def test_address_of_a_symmetric_entry_is_that_of_the_other_lanes() -> None:
    half = symmetric_half(combinations(4, (-1, 1)))
    assert half == tuple((1, *others) for others in combinations(3, (-1, 1)))


@pytest.mark.parametrize("digits", DIGITS)
def test_integer_tables_are_all_sums(digits: tuple[int, ...]) -> None:
    sums = IntegerSums(Integer(3), 16)
    table = combinations(3, digits)
    codes = np.array(list(product(range(8), repeat=3)))
    entries = sum_table(sums, sums.operands(codes), table)
    for row, found in zip(codes, entries, strict=True):
        values = [int(c) - 8 * (int(c) > 3) for c in row]
        expected = [sum(d * v for d, v in zip(c, values, strict=True)) for c in table]
        assert found.tolist() == expected


@pytest.mark.parametrize(
    ("activation", "table_format", "kind"),
    [
        ("fp16", "fp16", np.float16),
        ("bf16", "bf16", ml_dtypes.bfloat16),
        ("e4m3", "e4m3", ml_dtypes.float8_e4m3fn),
        ("e5m2", "fp16", np.float16),
    ],
)
def test_float_entries_round_from_left_to_right(
    activation: str, table_format: str, kind: type
) -> None:
    sums = float_sums(minifloat(activation), minifloat(table_format), None)
    rng = np.random.default_rng(0)
    codes = rng.integers(0, 1 << sums.activation.bits, (300, 4)).astype(sums.activation.code_dtype)
    values = sums.operands(codes)
    table = symmetric_half(combinations(4, (-1, 0, 1)))
    entries = sum_table(sums, values, table)
    with np.errstate(over="ignore", invalid="ignore"):
        for combination, found in zip(table, entries.T, strict=True):
            expected = np.zeros(300, kind)
            for digit, value in zip(combination, values.T, strict=True):
                if digit:
                    wide = expected.astype(np.float64) + digit * value
                    expected = wide.astype(kind)
            np.testing.assert_array_equal(found, expected.astype(np.float64))
            finite = np.isfinite(found)
            np.testing.assert_array_equal(
                np.signbit(found[finite]), np.signbit(expected.astype(np.float64)[finite])
            )


def test_accumulation_is_the_nearest_value_term_by_term() -> None:
    fmt = minifloat("e5m2")
    sums = FloatSums(fmt, minifloat("fp16"), fmt)
    rng = np.random.default_rng(1)
    terms = np.round(rng.standard_normal((200, 3)) * 64) / 16
    found = sums.pack(sums.accumulate(sums.zeros((200,)), terms, 3), ())
    for row, code in zip(terms, found, strict=True):
        total = Fraction(0)
        for term in row:
            exact = total + 8 * Fraction(float(term))
            total = Fraction(float(fmt.decode(nearest_even(exact, fmt)))) if exact else exact
        assert fmt.decode(code) == total


def test_opposite_digits_give_minus_zero_where_the_sum_cancels() -> None:
    sums = float_sums(minifloat("fp16"), None, None)
    entries = sum_table(sums, np.array([1.5, 1.5, -0.0]), [(1, -1, 0), (-1, 1, 0), (0, 0, 1)])
    assert np.signbit(entries).tolist() == [False, True, False]


@pytest.mark.parametrize(
    ("activation", "table_format"),
    [("fp16", "fp16"), ("fp32", "fp32"), ("bf16", "tf32"), ("e4m3", "fp16"), ("e5m2", "fp16"),
     ("e2m1", "fp16"), ("tf32", "tf32")],
)  # fmt: skip
def test_default_table_format_holds_every_activation(activation: str, table_format: str) -> None:
    fmt = minifloat(activation)
    sums = float_sums(fmt, None, None)
    assert sums.table_format.name == table_format
    assert sums.accumulator.name == "fp32"
    if fmt.bits <= 16:
        values = fmt.decode(np.arange(1 << fmt.bits))
        codes = sums.table_format.encode(values, overflow="ieee")
        np.testing.assert_array_equal(sums.table_format.decode(codes), values)


def test_errors_name_the_parameter() -> None:
    fp16 = minifloat("fp16")
    for arguments, message in (
        ((minifloat("e4m3u"), None, None), "activation=e4m3u: tables take signed minifloats only"),
        ((fp16, Integer(8), None), "table_format=int8: sums are rounded to signed minifloats"),
        ((fp16, None, minifloat("e2m1")), "accumulator=e2m1: sums are rounded to"),
    ):
        with pytest.raises(InputError, match=message):
            float_sums(*arguments)
