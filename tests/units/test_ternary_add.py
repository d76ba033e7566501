from itertools import product

import numpy as np
import pytest

from hwsim.errors import InputError
from hwsim.units import make
from hwsim.units.stimulus import all_pairs, corners, random_codes
from hwsim.units.ternary_add import TernaryAddUnit
from tests.units.exact import rounded_sum


def unit(**parameters: object) -> TernaryAddUnit:
    made = make(
        "ternary_add", **({"lanes": 3, "weight": "ternary", "activation": "int8"} | parameters)
    )
    assert isinstance(made, TernaryAddUnit)
    return made


def test_integers_are_exact() -> None:
    spec = unit(row_count=3, column_count=2)
    a, w, _ = random_codes(spec, 20, 3, np.random.default_rng(0))
    x, y = spec.activation.decode(a).astype(int), spec.weight.decode(w).astype(int)
    sums = spec.result.to_int(spec.dot(a, w))
    for dot, row, column in product(range(20), range(3), range(2)):
        assert sums[dot, row, column] == sum(
            x[dot, (beat * 3 + row) * 3 + lane] * y[dot, (beat * 2 + column) * 3 + lane]
            for beat, lane in product(range(3), range(3))
        )


@pytest.mark.parametrize(
    ("activation", "accumulator"),
    [("fp16", "fp32"), ("fp16", "fp16"), ("bf16", "fp32"), ("e4m3", "fp16"), ("e5m2", "e5m2")],
)
def test_floats_round_lane_by_lane(activation: str, accumulator: str) -> None:
    spec = unit(activation=activation, accumulator=accumulator)
    a, w, _ = random_codes(spec, 60, 2, np.random.default_rng(1))
    x, y = spec.activation.decode(a), spec.weight.decode(w)
    expected = []
    for dot in range(60):
        total = 0.0
        for k in range(6):
            if y[dot, k]:
                term = float(x[dot, k] * y[dot, k])
                total = rounded_sum(spec.result.format, total, term)
        expected.append(total)
    assert np.isfinite(expected).sum() > 20
    np.testing.assert_array_equal(spec.result.decode(spec.dot(a, w)), expected)


@pytest.mark.parametrize(
    ("a", "w", "expected"),
    [
        ([np.inf, 1.0], [3, 1], -np.inf),
        ([np.inf, np.inf], [1, 3], np.nan),
        ([np.nan, np.inf], [0, 0], 0.0),
        ([np.nan, 2.0], [1, 1], np.nan),
        ([65504.0, 65504.0], [1, 1], np.inf),
    ],
)
def test_special_values(a: list[float], w: list[int], expected: float) -> None:
    spec = unit(lanes=2, activation="fp16", accumulator="fp16")
    result = spec.result.decode(spec.dot(spec.activation.encode(a, overflow="ieee"), w))
    np.testing.assert_equal(float(result), expected)


def test_no_sum_is_minus_zero() -> None:
    spec = unit(lanes=2, activation="fp16", accumulator="fp16")
    assert spec.dot([0x8000, 0x0000], [1, 3]) == 0


def test_the_code_of_minus_2_is_refused_and_never_drawn() -> None:
    spec = unit()
    with pytest.raises(InputError) as error:
        spec.dot([0, 0, 0], [0, 2, 1])
    assert str(error.value) == "weights have the code 2 of ternary, which ternary_add does not take"
    rng = np.random.default_rng(0)
    every = all_pairs(spec, rng)
    pairs = set(zip(every.activations.flat, every.weights.flat, strict=True))
    assert pairs == set(product(range(256), (0, 1, 3)))
    for stimulus in (random_codes(spec, 50, 2, rng), corners(spec, rng)):
        assert set(stimulus.weights.flat) == {0, 1, 3}


def test_other_weights_are_refused() -> None:
    with pytest.raises(InputError, match="weight=int2: ternary_add takes ternary"):
        unit(weight="int2")
