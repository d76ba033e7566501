import ml_dtypes
import numpy as np
import pytest

from hwsim.errors import InputError
from hwsim.formats import Kind
from hwsim.formats.scales import E8M0, FixedPoint


def test_e8m0_decodes_as_ml_dtypes():
    codes = np.arange(256, dtype=np.uint8)
    expected = codes.view(ml_dtypes.float8_e8m0fnu).astype(np.float64)
    np.testing.assert_array_equal(E8M0.decode(codes), expected)
    assert E8M0.unpack(255).kind == Kind.NAN


def test_e8m0_encodes_as_ml_dtypes_but_for_ties_and_zero():
    x = np.exp2(np.random.default_rng(0).uniform(-126, 127, 5000)).astype(np.float32)
    expected = x.astype(ml_dtypes.float8_e8m0fnu).view(np.uint8)
    np.testing.assert_array_equal(E8M0.encode(x), expected)


@pytest.mark.parametrize(
    ("x", "code"),
    [(0.0, 0), (2.0**-140, 0), (1.5, 128), (3.0, 128), (6.0, 130), (2.0**127, 254),
     (1e300, 254), (np.inf, 254), (np.nan, 255), (-1.0, 255)],
)  # fmt: skip
def test_e8m0_edges(x, code):
    assert E8M0.encode(x) == code


def test_e8m0_overflow():
    assert E8M0.encode(1e300, overflow="ieee") == 255
    with pytest.raises(InputError, match="out of the range"):
        E8M0.encode(1e300, overflow="error")


@pytest.mark.parametrize("symmetric", [True, False])
@pytest.mark.parametrize(("width", "fraction"), [(4, 2), (8, 6), (5, -1), (2, 0)])
def test_fixed_point_values(width, fraction, symmetric):
    fmt = FixedPoint(width, fraction, symmetric)
    codes = np.arange(2**width)
    integers = np.where(codes >= 2 ** (width - 1), codes - 2**width, codes)
    np.testing.assert_array_equal(fmt.decode(codes), integers * 2.0**-fraction)
    kept = integers[integers >= (-(2 ** (width - 1)) + symmetric)]
    np.testing.assert_array_equal(fmt.encode(kept * 2.0**-fraction), kept % 2**width)
    assert fmt.min == kept.min() * 2.0**-fraction


@pytest.mark.parametrize(
    ("rounding", "expected"),
    [("nearest_even", [2, 2, -2]), ("nearest_away", [2, 3, -3]), ("toward_zero", [1, 2, -2]),
     ("up", [2, 3, -2]), ("down", [1, 2, -3]), ("to_odd", [1, 3, -3])],
)  # fmt: skip
def test_fixed_point_rounding(rounding, expected):
    fmt = FixedPoint(8, 2)
    x = np.array([1.6, 2.5, -2.5]) / 4
    np.testing.assert_array_equal(fmt.quantize(x, rounding) * 4, expected)


def test_fixed_point_saturates_or_raises():
    fmt = FixedPoint(4, 2)
    np.testing.assert_array_equal(fmt.quantize([9.0, -9.0, np.inf, -np.inf]), [1.75, -1.75] * 2)
    with pytest.raises(InputError, match="out of the range"):
        fmt.encode(9.0, overflow="error")
