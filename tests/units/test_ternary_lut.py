from itertools import product

import numpy as np
import pytest

from hwsim.errors import InputError
from hwsim.units import make
from hwsim.units.stimulus import random_codes
from hwsim.units.ternary_lut import TernaryLutUnit
from tests.units.exact import rounded_sum


def unit(**parameters: object) -> TernaryLutUnit:
    made = make("ternary_lut", **({"lanes": 6, "weight": "ternary", "activation": "int8",
                                   "table_lanes": 3} | parameters))  # fmt: skip
    assert isinstance(made, TernaryLutUnit)
    return made


def code_of(weight: int) -> int:
    return weight & 3


#: What bitnet.cpp's TL1 stores for the weights (w0, w1).
TL1 = {
    (-1, -1): 0, (-1, 0): 1, (-1, 1): 2, (0, -1): 3, (0, 0): 4, (0, 1): 5, (1, -1): 6, (1, 0): 7,
    (1, 1): 8,
}  # fmt: skip

#: The entries of bitnet.cpp's TL2 table of the activations (a, b, c), as weights of them.
TL2 = (
    (0, 0, 0), (0, 0, 1), (0, 1, -1), (0, 1, 0), (0, 1, 1), (1, -1, -1), (1, -1, 0), (1, -1, 1),
    (1, 0, -1), (1, 0, 0), (1, 0, 1), (1, 1, -1), (1, 1, 0), (1, 1, 1),
)  # fmt: skip


def test_pairs_are_stored_as_in_tl1() -> None:
    spec = unit(lanes=2, table_lanes=2, table="full")
    assert (spec.stored_weights.count, spec.stored_weights.bits) == (1, 4)
    for weights, stored in TL1.items():
        assert spec.store_weights(np.array([code_of(w) for w in weights], np.uint8)) == stored


def test_triples_are_stored_as_in_tl2() -> None:
    spec = unit(lanes=3, table_lanes=3, table="symmetric")
    assert (spec.stored_weights.count, spec.stored_weights.bits) == (1, 5)
    for index, entry in enumerate(TL2):
        plus = np.array([code_of(w) for w in entry], np.uint8)
        minus = np.array([code_of(-w) for w in entry], np.uint8)
        assert spec.store_weights(plus) == index
        assert spec.store_weights(minus) == (index | 16 if index else 0)


@pytest.mark.parametrize(("table_lanes", "bits"), [(2, 4), (3, 5), (4, 7), (5, 8)])
@pytest.mark.parametrize("table", ["full", "symmetric"])
def test_groups_have_one_code_each(table_lanes: int, bits: int, table: str) -> None:
    spec = unit(lanes=table_lanes, table_lanes=table_lanes, table=table)
    assert spec.stored_weights.bits == bits
    groups = np.array(list(product((0, 1, 3), repeat=table_lanes)), np.uint8)
    stored = spec.store_weights(groups)
    assert stored.shape == (3**table_lanes, 1)
    assert len(np.unique(stored)) == 3**table_lanes
    assert stored.max() < 1 << bits


def test_full_codes_count_in_base_3() -> None:
    spec = unit(lanes=8, table_lanes=4, table="full")
    weights = [-1, -1, -1, 0, 1, 0, -1, 1]
    stored = spec.store_weights(np.array([code_of(w) for w in weights], np.uint8))
    assert stored.tolist() == [1, 2 * 27 + 1 * 9 + 0 * 3 + 2]


def test_columns_are_stored_one_after_another() -> None:
    spec = unit(lanes=4, table_lanes=2, table="full", column_count=2)
    weights = [(-1, -1), (1, 1), (0, 1), (1, 0)]
    codes = [code_of(w) for pair in weights for w in pair]
    assert spec.stored_weights.count == 4
    (word,) = spec.pack_beats([0] * 4, codes)
    assert [word >> (32 + 4 * k) & 15 for k in range(4)] == [TL1[pair] for pair in weights]


@pytest.mark.parametrize("table", ["full", "symmetric"])
@pytest.mark.parametrize("table_lanes", [2, 3, 4, 5])
def test_integers_are_exact(table_lanes: int, table: str) -> None:
    spec = unit(lanes=2 * table_lanes, table_lanes=table_lanes, table=table, row_count=2,
                column_count=3)  # fmt: skip
    a, w, _ = random_codes(spec, 5, 3, np.random.default_rng(0))
    sums = spec.result.to_int(spec.dot(a, w))
    lanes = spec.lanes
    for dot, row, column in product(range(5), range(2), range(3)):
        total = 0
        for beat, lane in product(range(3), range(lanes)):
            x = int(a[dot, (beat * 2 + row) * lanes + lane])
            y = int(w[dot, (beat * 3 + column) * lanes + lane])
            total += (x - 256 * (x >= 128)) * (y - 4 * (y == 3))
        assert sums[dot, row, column] == total


@pytest.mark.parametrize("accumulator_bits", [None, 13])
def test_the_three_ternary_units_agree(accumulator_bits: int | None) -> None:
    spec = unit(lanes=12, accumulator_bits=accumulator_bits)
    a, w, _ = random_codes(spec, 200, 4, np.random.default_rng(1))
    common = {"lanes": 12, "activation": "int8", "accumulator_bits": accumulator_bits}
    expected = make("integer", weight="int2", **common).dot(a, w)
    np.testing.assert_array_equal(spec.dot(a, w), expected)
    np.testing.assert_array_equal(unit(**common, table="full").dot(a, w), expected)
    np.testing.assert_array_equal(
        make("ternary_add", weight="ternary", **common).dot(a, w), expected
    )


def chained(spec: TernaryLutUnit, activations: list[float], weights: list[int]) -> float:
    """One dot product, an addition at a time."""
    total = 0.0
    for start in range(0, len(weights), spec.table_lanes):
        entry = 0.0
        for k in range(start, start + spec.table_lanes):
            if weights[k]:
                entry = rounded_sum(spec.sums.table_format, entry, weights[k] * activations[k])
        total = rounded_sum(spec.result.format, total, entry)
    return total


@pytest.mark.parametrize("table", ["full", "symmetric"])
@pytest.mark.parametrize(
    ("activation", "accumulator", "table_format"),
    [("fp16", "fp32", "fp16"), ("fp16", "fp16", "fp16"), ("e5m2", "fp16", "e5m2"),
     ("e4m3", "fp32", "fp16"), ("bf16", "fp32", "tf32")],
)  # fmt: skip
def test_floats_round_once_an_addition(
    activation: str, accumulator: str, table_format: str, table: str
) -> None:
    spec = unit(activation=activation, accumulator=accumulator, table_format=table_format,
                table=table)  # fmt: skip
    a, w, _ = random_codes(spec, 60, 2, np.random.default_rng(2))
    x = spec.activation.decode(a)
    y = spec.weight.decode(w).astype(int)
    with np.errstate(invalid="ignore"):
        expected = [chained(spec, x[k].tolist(), y[k].tolist()) for k in range(60)]
    assert np.isfinite(expected).sum() > 20
    np.testing.assert_array_equal(spec.result.decode(spec.dot(a, w)), expected)


def test_the_table_rounds_before_the_accumulator() -> None:
    spec = unit(lanes=3, activation="fp16", table_format="fp16")
    a = spec.activation.encode([2048.0, 1.0, 1.0])
    assert spec.result.decode(spec.dot(a, [1, 1, 1])) == 2048
    wide = unit(lanes=3, activation="fp16", table_format="fp32")
    assert wide.result.decode(wide.dot(a, [1, 1, 1])) == 2050


@pytest.mark.parametrize(
    ("a", "w", "expected"),
    [
        ([np.inf, 1.0, 1.0], [1, 1, 0], np.inf),
        ([np.inf, 1.0, 1.0], [-1, 1, 0], -np.inf),
        ([np.inf, np.inf, 1.0], [-1, 1, 0], np.nan),
        ([np.inf, np.nan, 1.0], [0, 0, 1], 1.0),
        ([np.nan, 1.0, 1.0], [1, 1, 1], np.nan),
        ([65504.0, 65504.0, -65504.0], [1, 1, 1], np.inf),
        ([65504.0, -65504.0, 65504.0], [1, 1, 1], 65504.0),
    ],
)
def test_special_values(a: list[float], w: list[int], expected: float) -> None:
    for table in ("full", "symmetric"):
        spec = unit(lanes=3, activation="fp16", table=table)
        codes = spec.activation.encode(a, overflow="ieee")
        result = spec.result.decode(spec.dot(codes, [code_of(x) for x in w]))
        np.testing.assert_equal(float(result), expected)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"weight": "int2"}, "weight=int2: ternary_lut takes ternary"),
        ({"table_lanes": 6}, "table_lanes=6: allowed: 2 to 5"),
        ({"table_lanes": 1}, "table_lanes=1: allowed: 2 to 5"),
        ({"lanes": 7}, "lanes=7 must be a multiple of table_lanes=3"),
        ({"table": "half"}, "unknown table 'half'; known: full, symmetric"),
    ],
)
def test_bad_parameters(parameters: dict[str, object], message: str) -> None:
    with pytest.raises(InputError) as error:
        unit(**parameters)
    assert str(error.value).startswith(message)


def test_the_code_that_is_no_ternary_number_is_refused() -> None:
    with pytest.raises(InputError, match="weights have the code 2 of ternary, which ternary_lut"):
        unit(lanes=3).dot([0, 0, 0], [0, 2, 1])
