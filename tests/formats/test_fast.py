"""Tables against the exact encoders that they are made of, and their proofs."""

import tracemalloc

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from hwsim.errors import InputError
from hwsim.formats import Overflow, Rounding, fast, parse_scalar
from hwsim.formats.base import decode_table, encode_table
from tests.formats.reference import LARGE, SMALL
from tests.formats.trials import decisions, reference_of, trial_numbers

#: Formats whose decision points no 23-bit index and no bucket separates.
WITHOUT_TABLE = {"int16", "uint16", "q8.8"}
WITHOUT_TABLE_TO_ODD = {"lns10_4", "lns8_2", "lns8_3", "lns8_4", "lns6_1_base1.5", "nf4", "nf3"}


def bit_patterns(count: int) -> np.ndarray:
    patterns = np.random.default_rng(0).integers(0, 2**32, count, dtype=np.uint32)
    with np.errstate(invalid="ignore"):
        return patterns.view(np.float32).astype(np.float64)


def compare(name: str, rounding: Rounding, overflow: Overflow, x: np.ndarray) -> None:
    fmt = parse_scalar(name)
    table = encode_table(fmt, rounding, overflow)
    if table is None:
        assert name in WITHOUT_TABLE | WITHOUT_TABLE_TO_ODD
        return
    with np.errstate(invalid="ignore", over="ignore"):
        wide, narrow = x.astype(np.float64), x.astype(np.float32)
        again = narrow.astype(np.float64)
    if not fmt.has_nan:
        wide, narrow, again = (v[~np.isnan(v)] for v in (wide, narrow, again))
    assert_array_equal(table.encode(wide), fmt._encode(wide, rounding, overflow))
    assert_array_equal(table.encode(narrow), fmt._encode(again, rounding, overflow))


@pytest.mark.parametrize("rounding", list(Rounding))
@pytest.mark.parametrize("name", SMALL)
def test_table_of_small_formats(name: str, rounding: Rounding) -> None:
    fmt = parse_scalar(name)
    table = encode_table(fmt, rounding, Overflow.SATURATE)
    # There, to_odd steps on both sides of values that are no short binary fractions.
    without = rounding is Rounding.TO_ODD and name in WITHOUT_TABLE_TO_ODD
    assert (table is None) == without
    x = np.concatenate([trial_numbers(reference_of(name)), bit_patterns(5000)])
    compare(name, rounding, Overflow.SATURATE, x)
    if fmt.has_nan:
        compare(name, rounding, Overflow.IEEE, x)


@pytest.mark.parametrize("name", LARGE)
def test_table_of_large_formats(name: str) -> None:
    x = np.concatenate([trial_numbers(reference_of(name), count=300), bit_patterns(50_000)])
    compare(name, Rounding.NEAREST_EVEN, Overflow.SATURATE, x)


@pytest.mark.exhaustive
@pytest.mark.parametrize("rounding", list(Rounding))
@pytest.mark.parametrize("name", ["fp16", "bf16", "posit16_1", "posit16_2", "lns10_4"])
def test_table_of_large_formats_at_every_decision(name: str, rounding: Rounding) -> None:
    x = decisions(reference_of(name))
    compare(name, rounding, Overflow.SATURATE, x)
    compare(name, rounding, Overflow.IEEE, x)


@pytest.mark.exhaustive
@pytest.mark.parametrize("name", ["e4m3", "e2m1", "posit8_0", "posit16_1", "nf4", "lns8_3"])
def test_one_in_31_of_all_float32(name: str) -> None:
    fmt = parse_scalar(name)
    for start in range(0, 2**32, 2**26):
        patterns = np.arange(start, start + 2**26, dtype=np.uint32)[::31].copy()
        x = patterns.view(np.float32)
        x = x if fmt.has_nan else x[~np.isnan(x)]
        with np.errstate(invalid="ignore"):
            expected = fmt._encode(x.astype(np.float64), Rounding.NEAREST_EVEN, Overflow.SATURATE)
        assert_array_equal(fmt.encode(x), expected)


@pytest.mark.parametrize(
    ("name", "bits", "jammed"),
    [("e4m3", 16, True), ("e5m2", 16, True), ("e2m1", 16, True), ("posit8_0", 16, True),
     ("posit8_2", 16, True), ("posit16_1", 23, True), ("int8", 17, True), ("bf16", 18, True),
     ("nf4", 16, False), ("lns8_3", 16, False)],
)  # fmt: skip
def test_kind_of_table(name: str, bits: int, jammed: bool) -> None:
    table = encode_table(parse_scalar(name), Rounding.NEAREST_EVEN, Overflow.SATURATE)
    assert table is not None
    assert 32 - table.shift == bits
    assert (table.thresholds is None) == jammed


def grid_encoder(steps: list[float]):
    edges = np.array(steps)
    return lambda x: np.searchsorted(edges, x, side="right")


@pytest.mark.parametrize(
    ("steps", "jammed"),
    [
        ([-1.0, 0.5, 3.0], True),
        ([-1.0, 0.5, 1 + 2.0**-13], True),  # 14 significant bits: a wider index
        ([-1.0, 0.5, 1 + 2.0**-20], False),  # in no index, but alone in its bucket
        ([-1.0, np.nextafter(0.5, 1), 3.0], True),  # just after the number of an even index
        ([-1.0, np.nextafter(np.nextafter(0.5, 1), 1), 3.0], False),
    ],
)
def test_a_table_is_chosen_only_if_it_is_exact(steps: list[float], jammed: bool) -> None:
    exact, values = grid_encoder(steps), np.array([-2.0, -0.5, 1.0, 4.0])
    table = fast.build(exact, values, None)
    assert table is not None
    assert (table.thresholds is None) == jammed
    near = np.concatenate([np.nextafter(steps, -9), steps, np.nextafter(steps, 9), [0, 7, -7]])
    assert_array_equal(table.encode(near), exact(near))


def test_no_table_for_two_steps_in_one_bucket() -> None:
    steps = [-1.0, 1 + 2.0**-20, 1 + 2.0**-19]
    values = np.array([-2.0, 0.0, 1 + 2.0**-20, 4.0])
    assert fast.build(grid_encoder(steps), values, None) is None


@pytest.mark.parametrize("name", ["int8", "e2m1", "nf4"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_nan_in_a_large_array_is_refused(name: str, dtype: type) -> None:
    x = np.zeros(100_000, dtype)
    fmt = parse_scalar(name)
    assert_array_equal(fmt.encode(x), fmt.encode(0.0))
    x[77_777] = np.nan
    with pytest.raises(InputError, match="has no NaN"):
        fmt.encode(x)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.float16])
@pytest.mark.parametrize("name", ["e4m3", "posit8_0", "nf4", "int16", "q16.16"])
@pytest.mark.parametrize("contiguous", [True, False])
def test_peak_memory(name: str, dtype: type, contiguous: bool) -> None:
    x = np.random.default_rng(0).normal(size=(1000, 2000)).astype(dtype)
    x = x if contiguous else x[:, ::2]
    fmt = parse_scalar(name)
    fmt.encode(x)
    tracemalloc.start()
    codes = fmt.encode(x)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    # What is allowed is 2 * input + output; 4 MB are the chunks' intermediates.
    assert peak <= x.nbytes * (not contiguous) + codes.nbytes + 4_000_000


def test_decode_table_is_read_only() -> None:
    with pytest.raises(ValueError, match="read-only"):
        decode_table(parse_scalar("e4m3"))[0] = 1
