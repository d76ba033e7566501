from fractions import Fraction

import numpy as np
import pytest

from hwsim.errors import InputError
from hwsim.units import make
from hwsim.units.stimulus import random_codes


def wrapped(total: Fraction, bits: int) -> int:
    return int(total) % (1 << bits)


@pytest.mark.parametrize(
    ("weight", "activation", "lanes"),
    [("int8", "int8", 4), ("uint3", "int5", 1), ("int1", "uint1", 2), ("uint32", "uint32", 3)],
)
def test_dot_is_exact(weight: str, activation: str, lanes: int) -> None:
    unit = make("integer", lanes=lanes, weight=weight, activation=activation)
    a, w, _ = random_codes(unit, 20, 3, np.random.default_rng(0))
    values = zip(unit.activation.decode(a), unit.weight.decode(w), strict=True)
    expected = [
        wrapped(sum(Fraction(x) * Fraction(y) for x, y in zip(*row, strict=True)), unit.result.bits)
        for row in values
    ]
    assert [int(code) for code in unit.dot(a, w)] == expected


def test_accumulator_wraps() -> None:
    unit = make("integer", lanes=1, weight="int4", activation="int4", accumulator_bits=8)
    a, w = np.full(3, 8), np.full(3, 8)  # three times -8 * -8 = 192 = -64 modulo 256
    assert unit.result.decode(unit.dot(a, w)) == -64
    assert unit.safe_beats == 1


def test_simd_multiply_add_wraps_where_a_single_beat_can() -> None:
    # Two products of int16 in 32 bits: only (-2**15)**2 * 2 leaves the range.
    unit = make("integer", lanes=2, weight="int16", activation="int16", accumulator_bits=32)
    assert unit.safe_beats == 0
    low, high = np.array([0x8000] * 2), np.array([0x7FFF] * 2)
    assert unit.result.decode(unit.dot(low, low)) == -(2.0**31)
    assert unit.result.decode(unit.dot(low, high)) == -(2.0**15) * (2**15 - 1) * 2


@pytest.mark.parametrize(
    ("family", "parameters"),
    [
        ("integer", {"weight": "int4", "activation": "int4", "accumulator_bits": 8}),
        ("bit_serial", {"weight": "int4", "activation": "int4", "accumulator_bits": 8}),
        ("product_rom", {"weight": "int4", "activation": "int4", "accumulator_bits": 8}),
        ("codebook", {"weight": "nf4", "activation": "int8", "accumulator_bits": 16}),
        ("serial_add", {"weight": "int4", "activation": "int4", "accumulator_bits": 8}),
        ("ternary_add", {"weight": "ternary", "activation": "int4", "accumulator_bits": 5}),
        ("ternary_lut", {"weight": "ternary", "activation": "int4", "accumulator_bits": 5,
                         "table_lanes": 4}),
        ("lut_tensor_core", {"weight": "int4", "activation": "int4", "accumulator_bits": 9}),
        ("lut_array", {"weight": "int4", "activation": "int4", "accumulator_bits": 9}),
        ("unpu_lut", {"weight": "int4", "activation": "int4", "accumulator_bits": 8}),
        ("tmac", {"weight": "int4", "activation": "int8", "accumulator_bits": 13}),
        ("shift_add", {"weight": "int4", "activation": "int4", "accumulator_bits": 16,
                       "group_size": 16}),
    ],
)  # fmt: skip
def test_accumulators_of_all_families_may_be_narrower_than_a_beat(
    family: str, parameters: dict[str, object]
) -> None:
    narrow = make(family, lanes=16, **parameters)
    wide = make(family, lanes=16, **{**parameters, "accumulator_bits": 60})
    assert narrow.safe_beats == 0
    a, w, metadata = random_codes(narrow, 50, 2, np.random.default_rng(0))
    mask = (1 << narrow.result.width) - 1
    exact = [int(code) & mask for code in wide.dot(a, w, **metadata)]
    assert [int(code) & mask for code in narrow.dot(a, w, **metadata)] == exact


def test_default_accumulator_holds_256_beats() -> None:
    unit = make("integer", lanes=64, weight="int16", activation="int16")
    assert unit.result.width == 46
    assert unit.safe_beats >= 256


def test_equal_parameters_make_equal_units() -> None:
    given = make("integer", lanes=4, weight="int4", activation="int8", accumulator_bits=32)
    assert given == make("integer", lanes=4, weight="int4", activation="int8")
    assert given.name == "integer_lanes_4_weight_int4_activation_int8"


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"lanes": 0}, "lanes must be 1 to 1024, not 0"),
        ({"lanes": "four"}, "lanes must be an integer, not 'four'"),
        ({"lanes": 2.5}, "lanes must be an integer, not 2.5"),
        ({"weight": "int33"}, "weight: width of an integer must be 1 to 32 bits, not 33"),
        ({"weight": "itn4"}, "weight: unknown format 'itn4'; did you mean 'int4'?"),
        ({"weight": "e4m3"}, "weight=e4m3: integer takes integer formats, intN or uintN"),
        ({"lane": 4}, "unit integer has no parameter 'lane'; did you mean 'lanes'?"),
        (
            {"accumulator_bits": 7},
            "accumulator_bits=7 cannot hold a product of int4 and int4; allowed: 8 to 1024",
        ),
        (
            {"accumulator_bits": 1025},
            "accumulator_bits=1025 is too wide; allowed: 8 to 1024",
        ),
    ],
)
def test_bad_parameters(parameters: dict[str, object], message: str) -> None:
    given = {"lanes": 4, "weight": "int4", "activation": "int4"} | parameters
    with pytest.raises(InputError) as error:
        make("integer", **given)
    assert str(error.value) == message


def test_missing_parameter() -> None:
    with pytest.raises(InputError, match="unit integer needs the parameter 'weight'"):
        make("integer", lanes=4, activation="int4")


@pytest.mark.parametrize(
    ("a", "w", "message"),
    [
        ([1, 2, 3], [1, 2, 3], "positive multiple of 2 lanes"),
        ([1, 2], [1, 2, 3, 4], "must have one shape"),
        ([1, 16], [1, 2], r"codes of int4 must be in \[0, 2\*\*4\)"),
        ([1.5, 2], [1, 2], "must be integers"),
        ([], [], "positive multiple"),
    ],
)
def test_bad_operands(a: list[float], w: list[float], message: str) -> None:
    with pytest.raises(InputError, match=message):
        make("integer", lanes=2, weight="int4", activation="int4").dot(a, w)
