from fractions import Fraction

import numpy as np
import pytest

from hwsim.errors import InputError
from hwsim.units import make
from hwsim.units.stimulus import random_codes


@pytest.mark.parametrize(
    ("weight", "activation", "scale"),
    [("int4", "int8", "uint8"), ("uint4", "fp16", "fp16"), ("int3", "e4m3", "int8")],
)
@pytest.mark.parametrize("beats", [1, 4, 9])
def test_sums_are_exact(weight: str, activation: str, scale: str, beats: int) -> None:
    unit = make("shift_add", lanes=2, weight=weight, activation=activation, scale=scale,
                group_size=8)  # fmt: skip
    a, w, metadata = random_codes(unit, 30, beats, np.random.default_rng(0))
    x, q = unit.activation.decode(a), unit.weight.decode(w)
    z = unit.weight.decode(metadata["zero_point"])
    s = unit.metadata[1].format.decode(metadata["scale"])
    codes = unit.dot(a, w, **metadata)
    nan = ~(np.isfinite(x).all(axis=1) & np.isfinite(s).all(axis=1))
    np.testing.assert_array_equal(unit.result.flag(codes, "nan"), nan)
    for row in np.flatnonzero(~nan):
        total = sum(
            Fraction(s[row, k // 8]) * Fraction(x[row, k]) * Fraction(q[row, k] - z[row, k // 8])
            for k in range(2 * beats)
        )
        unit_of_sum = Fraction(2) ** unit.result.exponent
        assert unit.result.to_int(codes)[row] * unit_of_sum == total


def test_default_accumulator_is_32_bits_where_that_is_enough() -> None:
    unit = make("shift_add", lanes=4, weight="int4", activation="int4", group_size=16, scale="int4")
    assert unit.result.width == 32
    assert unit.safe_beats >= 256


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"weight": "e2m1"}, "weight=e2m1: shift_add takes integer formats, intN or uintN"),
        ({"weight": "int9"}, "weight=int9: shift_add takes integers of up to 8 bits"),
        ({"group_size": 6}, "group_size=6 must be a positive multiple of lanes=4"),
        ({"group_size": 4, "accumulator_bits": 8},
         "accumulator_bits=8 cannot hold a scaled product; allowed: 20 to 1024"),
    ],
)  # fmt: skip
def test_bad_parameters(parameters: dict[str, object], message: str) -> None:
    given = {"lanes": 4, "weight": "int4", "activation": "int8"} | parameters
    with pytest.raises(InputError) as error:
        make("shift_add", **given)
    assert str(error.value) == message
