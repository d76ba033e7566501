"""Integers and floats of more than 16 bits, whose codes NumPy itself can give."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from hwsim.formats import parse_scalar


def float32_patterns() -> np.ndarray:
    random = np.random.default_rng(0).integers(0, 2**32, 20_000, dtype=np.uint32)
    edges = np.array([0, 1, 0x7FFFFF, 0x800000, 0x7F7FFFFF, 0x7F800000], np.uint32)
    patterns = np.concatenate([random, edges, edges | np.uint32(2**31)])
    return patterns[(patterns & 0x7FFFFFFF) <= 0x7F800000]


def test_fp32_codes_are_the_bits_of_float32() -> None:
    patterns = float32_patterns()
    x = patterns.view(np.float32)
    fmt = parse_scalar("fp32")
    assert_array_equal(fmt.encode(x, overflow="ieee"), patterns)
    assert_array_equal(fmt.decode(patterns), x.astype(np.float64))


def test_fp32_rounds_float64_like_numpy() -> None:
    x = np.random.default_rng(0).normal(size=10_000) * np.logspace(-46, 39, 10_000)
    with np.errstate(over="ignore", under="ignore"):
        expected = x.astype(np.float32)
    assert_array_equal(parse_scalar("fp32").quantize(x, overflow="ieee"), expected)


def test_tf32_keeps_ten_bits_of_float32() -> None:
    patterns = float32_patterns()
    kept = patterns & ~np.uint32(0x1FFF)
    codes = parse_scalar("tf32").encode(patterns.view(np.float32), "toward_zero", "ieee")
    assert_array_equal(codes, kept >> np.uint32(13))


@pytest.mark.parametrize(("name", "scale"), [("int32", 1.0), ("q16.16", 2.0**16)])
def test_wide_integers(name: str, scale: float) -> None:
    fmt = parse_scalar(name)
    units = np.random.default_rng(0).uniform(-(2.0**31), 2.0**31 - 1, 10_000)
    assert_array_equal(fmt.quantize(units / scale) * scale, np.rint(units))
    edges = np.array([2.0**31, 1e300, np.inf, -(2.0**31) - 1, -1e300, -np.inf]) / scale
    assert_array_equal(fmt.decode(fmt.encode(edges)) * scale, [2**31 - 1] * 3 + [-(2**31)] * 3)
    assert fmt.encode(-1 / scale) == 2**32 - 1
