from fractions import Fraction
from itertools import product

import numpy as np
import pytest

from hwsim.errors import InputError
from hwsim.units import make


def test_a_table_has_all_signed_sums_of_its_activations() -> None:
    unit = make("lut_table", lanes=6, table_lanes=3, row_count=2, activation="int4")
    rng = np.random.default_rng(0)
    codes = rng.integers(0, 16, (5, 12)).astype(np.uint8)
    found = unit.result.to_int(unit.dot(codes, np.zeros((5, 0), np.uint8)))
    values = unit.activation.decode(codes).astype(int).reshape(5, 2, 2, 3)
    assert found.shape == (5, 2, 2, 4)
    for index, (second, third) in enumerate(product((-1, 1), repeat=2)):
        # Lane 1 is the index's lowest bit.
        signs = np.array([1, third, second])
        np.testing.assert_array_equal(found[..., index], values @ signs)


def test_the_array_reads_what_the_table_delivers() -> None:
    table = make("lut_table", lanes=8, activation="int8")
    core = make("lut_tensor_core", lanes=8, weight="bipolar3", activation="int8", column_count=3)
    array = make("lut_array", lanes=8, weight="bipolar3", activation="int11", column_count=3)
    rng = np.random.default_rng(1)
    a = rng.integers(0, 256, (20, 8)).astype(np.uint8)
    w = rng.integers(0, 8, (20, 24)).astype(np.uint8)
    entries = table.result.to_int(table.dot(a, np.zeros((20, 0), np.uint8))).reshape(20, -1)
    np.testing.assert_array_equal(array.dot(entries.astype(int) & 2047, w), core.dot(a, w))


def test_floating_point_entries_are_rounded_once_an_addition() -> None:
    unit = make("lut_table", lanes=2, table_lanes=2, activation="e4m3", table_format="e5m2")
    codes = np.array([[a, b] for a in range(0, 126, 5) for b in range(0, 126, 7)], np.uint8)
    found = unit.result.decode(unit.dot(codes, np.zeros((len(codes), 0), np.uint8)))
    x = unit.activation.decode(codes)
    e5m2 = unit.result.format
    for sign, entries in ((-1, found[:, 0, 0, 0]), (1, found[:, 0, 0, 1])):
        first = e5m2.decode(e5m2.encode(x[:, 0]))
        exact = [
            float(Fraction(p) + sign * Fraction(q)) for p, q in zip(first, x[:, 1], strict=True)
        ]
        np.testing.assert_array_equal(entries, e5m2.decode(e5m2.encode(exact)))


def test_the_last_beat_counts() -> None:
    unit = make("lut_table", lanes=2, table_lanes=2, activation="int4")
    none = np.zeros(0, np.uint8)
    assert unit.dot([1, 2, 3, 4], none) == unit.dot([3, 4], none)
    assert unit.pack_beats([1, 2, 3, 4], none) == [0x21, 0x143]


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"lanes": 5}, "lanes=5 must be a multiple of table_lanes=4"),
        ({"table_lanes": 9, "lanes": 9}, "table_lanes must be 1 to 8, not 9"),
        ({"row_count": 0}, "row_count must be 1 to 256, not 0"),
        ({"weight": "int4"}, "weight=int4: lut_table has digits, allowed: binary"),
        ({"activation": "int17"}, "activation=int17: lut_table takes integers of up to 16 bits"),
        ({"table_format": "fp16"}, "table_format=fp16: only for minifloat activations, not int8"),
    ],
)
def test_bad_parameters(parameters: dict[str, object], message: str) -> None:
    with pytest.raises(InputError) as error:
        make("lut_table", **({"lanes": 4, "activation": "int8"} | parameters))
    assert message in str(error.value)


def test_weights_are_refused() -> None:
    unit = make("lut_table", lanes=2, table_lanes=2, activation="int4")
    with pytest.raises(InputError, match=r"lut_table takes no weights, but \(2,\) are given"):
        unit.dot([1, 2], [0, 1])
