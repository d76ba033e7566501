"""Posits too wide for a table of all codes, and what is special about posits."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from hwsim.errors import InputError
from hwsim.formats import Stochastic, parse_scalar
from tests.formats.reference import posit_value

WIDE = [(20, 0), (24, 3), (32, 2), (32, 5), (17, 1)]


def some_codes(width: int) -> np.ndarray:
    """Return codes all over and at the ends, NaR excluded."""
    random = np.random.default_rng(0).integers(1, 2 ** (width - 1) - 1, 500)
    ends = np.r_[1:40, 2 ** (width - 1) - 40 : 2 ** (width - 1) - 1]
    positive = np.concatenate([random, ends])
    return np.concatenate([positive, 2**width - positive])


@pytest.mark.parametrize(("width", "es"), WIDE)
def test_wide_posits_decode(width: int, es: int) -> None:
    fmt = parse_scalar(f"posit{width}_{es}")
    codes = some_codes(width)
    expected = [float(posit_value(code, width, es)) for code in codes.tolist()]
    assert_array_equal(fmt.decode(codes), expected)
    assert_array_equal(fmt.encode(expected), codes)


@pytest.mark.parametrize(("width", "es"), WIDE)
def test_wide_posits_round_at_the_string_of_one_bit_more(width: int, es: int) -> None:
    fmt = parse_scalar(f"posit{width}_{es}")
    lower = some_codes(width)
    lower = lower[lower < 2 ** (width - 1)]
    middle = np.array([float(posit_value(2 * c + 1, width + 1, es)) for c in lower.tolist()])
    even = lower + lower % 2
    assert_array_equal(fmt.encode(middle), even)
    assert_array_equal(fmt.encode(-middle), 2**width - even)
    assert_array_equal(fmt.encode(middle, "nearest_away"), lower + 1)
    assert_array_equal(fmt.encode(np.nextafter(middle, 0)), lower)
    assert_array_equal(fmt.encode(np.nextafter(middle, np.inf)), lower + 1)
    assert_array_equal(fmt.encode(middle, "toward_zero"), lower)
    assert_array_equal(fmt.encode(-middle, "up"), 2**width - lower)
    assert_array_equal(fmt.encode(middle, "to_odd"), lower + 1 - lower % 2)


@pytest.mark.parametrize("rounding", ["nearest_even", "toward_zero", "down", "up", Stochastic(1)])
@pytest.mark.parametrize("name", ["posit2_0", "posit4_1", "posit8_0", "posit16_1", "posit32_2"])
def test_never_to_zero_or_nar(name: str, rounding: str | Stochastic) -> None:
    fmt = parse_scalar(name)
    tiny, huge = np.nextafter(0, 1), np.finfo(float).max
    codes = fmt.encode([tiny, huge, -huge, -tiny], rounding)
    one, nar = 1, 2 ** (fmt.bits - 1)
    assert codes.tolist() == [one, nar - 1, nar + 1, 2**fmt.bits - 1]


@pytest.mark.parametrize("overflow", ["saturate", "ieee"])
def test_infinities_are_nar(overflow: str) -> None:
    fmt = parse_scalar("posit8_0")
    assert fmt.encode([np.inf, -np.inf, np.nan], overflow=overflow).tolist() == [0x80] * 3
    with pytest.raises(InputError, match="out of the range"):
        fmt.encode(np.inf, overflow="error")


def test_stochastic_rounding_weighs_by_value_where_exponent_bits_are_cut() -> None:
    fmt = parse_scalar("posit8_2")
    lower, upper = fmt.decode([0x7E, 0x7F])
    assert upper / lower == 16
    rounded = fmt.quantize(np.full(100_000, lower + 0.5 * (upper - lower)), Stochastic(0))
    assert (rounded == upper).mean() == pytest.approx(0.5, abs=0.01)
