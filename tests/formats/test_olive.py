import numpy as np
import pytest
from numpy.testing import assert_array_equal

from hwsim.errors import InputError
from hwsim.formats.abfloat import AbFloat
from hwsim.formats.flint import Flint
from hwsim.formats.integer import Integer
from hwsim.formats.olive import (
    OLIVE4_FLINT,
    OLIVE4_INT,
    OutlierVictimPairs,
    outlier_format,
)

OUTLIERS = [12, 16, 24, 32, 48, 64, 96]


@pytest.mark.parametrize(
    ("pair", "expected"),
    [
        ([3.2, -6.6], [3, -7]),
        ([9.4, 1.0], [7, 1]),
        ([9.5, 1.0], [12, 0]),
        ([1.0, -20.1], [0, -24]),
        ([50.0, -70.0], [48, 0]),
        ([500.0, 0.0], [96, 0]),
        ([0.0, -np.inf], [0, -96]),
        ([-0.0, -0.1], [0, 0]),
    ],
)
def test_int4_pairs(pair: list[float], expected: list[float]) -> None:
    assert OLIVE4_INT.quantize(pair).tolist() == expected


def test_codes() -> None:
    assert OLIVE4_INT.encode([50.0, 3.0]).tolist() == [0b0101, 0b1000]
    assert OLIVE4_INT.encode([-3.0, -12.0]).tolist() == [0b1000, 0b1001]
    assert OLIVE4_INT.decode([0b1000, 0b1000]).tolist() == [0, 0]
    assert (OLIVE4_INT.bits, OLIVE4_INT.bits_per_element) == (4, 4.0)


@pytest.mark.parametrize("pairs", [OLIVE4_INT, OLIVE4_FLINT])
def test_against_the_pairs_one_by_one(pairs: OutlierVictimPairs) -> None:
    x = np.random.default_rng(0).standard_t(1.5, (40, 30)) * 3
    limit = (pairs.normal.max + pairs.outlier.smallest) / 2
    values = pairs.quantize(x)
    for (a, b), rounded in zip(x.reshape(-1, 2), values.reshape(-1, 2), strict=True):
        if abs(a) >= limit:
            assert rounded.tolist() == [float(pairs.outlier.quantize(a)), 0]
        elif abs(b) >= limit:
            assert rounded.tolist() == [0, float(pairs.outlier.quantize(b))]
        else:
            assert rounded.tolist() == pairs.normal.quantize([a, b]).tolist()


@pytest.mark.parametrize("rounding", ["toward_zero", "down", "up", "to_odd"])
def test_an_outlier_never_becomes_an_identifier(rounding: str) -> None:
    values = OLIVE4_INT.quantize([[9.6, 0.0], [-9.6, 0.0]], rounding)
    assert_array_equal(np.abs(values), [[12, 0], [12, 0]])


def test_outlier_formats_of_the_paper() -> None:
    assert outlier_format(OLIVE4_INT.normal) == OLIVE4_INT.outlier
    assert outlier_format(OLIVE4_FLINT.normal) == OLIVE4_FLINT.outlier
    positive = OLIVE4_INT.outlier.values()
    assert positive[positive > 0].tolist() == OUTLIERS


@pytest.mark.parametrize("x", [[1.0], 1.0, [np.nan, 0.0]])
def test_what_cannot_be_paired_is_refused(x: object) -> None:
    with pytest.raises(InputError):
        OLIVE4_INT.encode(x)


def test_odd_codes_are_refused() -> None:
    with pytest.raises(InputError, match="even length"):
        OLIVE4_INT.decode([1, 2, 3])


@pytest.mark.parametrize(
    ("normal", "outlier"),
    [(Integer(4), AbFloat(2, 1, 3)), (Flint(8), AbFloat(2, 1, 7)), (Flint(4), AbFloat(2, 1, -1))],
)
def test_impossible_pairings_are_refused(normal: Integer | Flint, outlier: AbFloat) -> None:
    with pytest.raises(InputError):
        OutlierVictimPairs(normal, outlier)
