"""The signal-to-noise ratio against rational arithmetic, in every dtype and at every magnitude."""

import math
from fractions import Fraction

import ml_dtypes
import numpy as np
import pytest

from hwsim.errors import InputError
from hwsim.tensors.error import sqnr_db


def decibels(reference, approximation):
    signal = sum(Fraction(float(x)) ** 2 for x in reference)
    noise = sum(
        (Fraction(float(x)) - Fraction(float(y))) ** 2
        for x, y in zip(reference, approximation, strict=True)
    )
    ratio = signal / noise
    return 10 * (math.log10(ratio.numerator) - math.log10(ratio.denominator))


@pytest.mark.parametrize(
    ("dtype", "x", "y"),
    [
        (np.float16, [60000, 1], [-60000, 1]),
        (np.float16, [1, 2], [1, 2.001]),
        (np.float16, [6e-8, 6e-8], [0, 6e-8]),
        (ml_dtypes.bfloat16, [3e38, 1], [-3e38, 1]),
        (np.float32, [3e38, 1], [-3e38, 1]),
        (np.float32, [1e-30, 1e-30], [1e-30, 2e-30]),
        (np.int8, [100, 1], [-100, 1]),
        (np.uint8, [1, 2], [2, 1]),
        (np.float64, [1e200, 1], [1.001e200, 1]),
        (np.float64, [1e-200, 1e-200], [1e-200, 1.5e-200]),
        (np.float64, [1.7e308, 1], [-1.7e308, 1]),
        (np.float64, [1e-300], [1e300]),
        (np.float64, [1e300], [1e300 * (1 + 2**-52)]),
        (np.float64, [5e-324, 0], [0, 5e-324]),
    ],
)
def test_every_dtype_and_magnitude(dtype, x, y):
    x, y = np.array(x).astype(dtype), np.array(y).astype(dtype)
    assert sqnr_db(x, y) == pytest.approx(decibels(x, y), abs=1e-9)


def test_dtypes_are_mixed_in_float64():
    assert sqnr_db(np.float16([1000]), np.float32([1000.25])) == pytest.approx(
        20 * math.log10(4000)
    )


def test_equal_arrays():
    assert sqnr_db(np.float32([[1, 2]]), np.array([[1.0, 2.0]])) == float("inf")


@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        ([1.0, 2.0], [1.0], r"reference \(2,\) and approximation \(1,\) must have one shape"),
        ([[1.0], [2.0]], [1.0, 2.0], "must have one shape"),
        ([], [], "empty"),
        ([0.0], [0.0], "zeros is undefined"),
        ([0.0], [1.0], "zeros is undefined"),
        ([math.nan], [1.0], "reference must be finite"),
        ([1.0], [math.inf], "approximation must be finite"),
        ([1j], [1.0], "dtype complex128"),
        (["a"], [1.0], "dtype <U1"),
        ([[1.0], [1.0, 2.0]], [1.0], "not an array"),
        (np.ma.array([1.0, 2.0], mask=[0, 1]), [1.0, 2.0], "masked"),
    ],
)
def test_what_has_no_ratio(x, y, message):
    with pytest.raises(InputError, match=message):
        sqnr_db(x, y)
