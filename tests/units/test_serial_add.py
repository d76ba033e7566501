from itertools import product

import numpy as np
import pytest

from hwsim.errors import InputError
from hwsim.units import make
from hwsim.units.serial_add import SerialAddUnit
from hwsim.units.stimulus import random_codes
from tests.units.exact import rounded_sum


def unit(**parameters: object) -> SerialAddUnit:
    made = make("serial_add", **({"lanes": 3, "weight": "int4", "activation": "int8"} | parameters))
    assert isinstance(made, SerialAddUnit)
    return made


@pytest.mark.parametrize(
    ("weight", "activation", "accumulator_bits"),
    [("int8", "int8", None), ("uint3", "uint5", None), ("int1", "int1", None), ("int4", "int4", 9)],
)
def test_one_element_equals_bit_serial(
    weight: str, activation: str, accumulator_bits: int | None
) -> None:
    common = {"lanes": 3, "weight": weight, "activation": activation,
              "accumulator_bits": accumulator_bits}  # fmt: skip
    spec, serial = unit(**common), make("bit_serial", **common)
    a, w, _ = random_codes(spec, 100, 4, np.random.default_rng(0))
    np.testing.assert_array_equal(spec.dot(a, w), serial.dot(a, w))
    assert spec.result == serial.result
    assert spec.timing() == serial.timing()
    assert spec.safe_beats <= serial.safe_beats


@pytest.mark.parametrize("weight", ["bipolar3", "binary", "int4", "uint2", "int4_sym", "ternary"])
@pytest.mark.parametrize("activation", ["int8", "uint4"])
def test_integers_are_exact(weight: str, activation: str) -> None:
    spec = unit(weight=weight, activation=activation, row_count=2, column_count=2)
    a, w, _ = random_codes(spec, 20, 2, np.random.default_rng(1))
    x, y = spec.activation.decode(a).astype(int), spec.weight.decode(w).astype(int)
    sums = spec.result.to_int(spec.dot(a, w))
    for dot, row, column in product(range(20), range(2), range(2)):
        assert sums[dot, row, column] == sum(
            x[dot, (beat * 2 + row) * 3 + lane] * y[dot, (beat * 2 + column) * 3 + lane]
            for beat, lane in product(range(2), range(3))
        )


def digits(weight: str, code: int) -> list[int]:
    bits = [code >> k & 1 for k in range(4)]
    if weight == "bipolar4":
        return [2 * bit - 1 for bit in bits]
    return [*bits[:3], -bits[3]] if weight == "int4" else bits


@pytest.mark.parametrize("weight", ["int4", "uint4", "bipolar4"])
@pytest.mark.parametrize(
    ("activation", "accumulator"), [("fp16", "fp32"), ("fp16", "fp16"), ("e5m2", "e5m2")]
)
def test_floats_round_plane_by_plane(weight: str, activation: str, accumulator: str) -> None:
    spec = unit(weight=weight, activation=activation, accumulator=accumulator)
    a, w, _ = random_codes(spec, 40, 2, np.random.default_rng(2))
    x = spec.activation.decode(a)
    expected = []
    for dot in range(40):
        total = 0.0
        for beat, plane, lane in product(range(2), range(4), range(3)):
            k = 3 * beat + lane
            digit = digits(weight, int(w[dot, k]))[plane]
            if digit:
                term = digit * float(x[dot, k]) * 2**plane
                total = rounded_sum(spec.result.format, total, term)
        expected.append(total)
    assert np.isfinite(expected).sum() > 10
    np.testing.assert_array_equal(spec.result.decode(spec.dot(a, w)), expected)


def test_a_digit_0_takes_nothing_of_infinity() -> None:
    spec = unit(lanes=1, activation="fp16", weight="int2")
    infinity = spec.activation.encode(np.inf, overflow="ieee")
    assert spec.result.decode(spec.dot([infinity], [0])) == 0
    assert spec.result.decode(spec.dot([infinity], [1])) == np.inf
    # -1 is 1 - 2: infinity - infinity.
    assert np.isnan(spec.result.decode(spec.dot([infinity], [3])))


@pytest.mark.parametrize(
    ("parameters", "safe"),
    [
        ({"accumulator_bits": 14}, 2),
        ({"accumulator_bits": 13}, 1),
        ({"activation": "fp16"}, 1),
        ({"activation": "fp16", "accumulator": "fp16"}, 0),
        ({"activation": "e4m3", "accumulator": "fp16"}, 1),
    ],
)
def test_safe_beats(parameters: dict[str, object], safe: int) -> None:
    assert unit(**parameters).safe_beats == safe


def test_defaults_are_not_part_of_the_name() -> None:
    assert unit().name == "serial_add_lanes_3_weight_int4_activation_int8"
    assert unit(activation="fp16").name == "serial_add_lanes_3_weight_int4_activation_fp16"
    assert unit().parameters()["accumulator_bits"] == 32
    assert unit(activation="fp16").parameters()["accumulator"] == "fp32"


@pytest.mark.parametrize("weight", ["int1", "int8", "bipolar5"])
def test_a_plane_takes_a_cycle(weight: str) -> None:
    spec = unit(weight=weight)
    assert spec.timing().interval == spec.timing().latency == spec.weight.bits


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"weight": "int9"}, "weight=int9: serial_add takes intN, uintN and bipolarN of up to 8"),
        ({"weight": "e2m1"}, "weight=e2m1: serial_add takes intN, uintN and bipolarN of up to 8"),
        ({"activation": "posit8"}, "activation=posit8_2: serial_add takes integers and minifloats"),
        ({"activation": "e5m3u"}, "activation=e5m3u: serial_add takes signed minifloats only"),
        ({"accumulator": "fp32"}, "accumulator=fp32: serial_add with integer activations takes "
         "accumulator_bits instead"),
        ({"activation": "fp16", "accumulator_bits": 32}, "accumulator_bits=32: serial_add with "
         "floating-point activations takes accumulator instead"),
        ({"activation": "fp16", "accumulator": "e2m1"}, "accumulator=e2m1: sums are rounded to"),
        ({"activation": "fp16", "accumulator": "int8"}, "accumulator=int8: sums are rounded to"),
        ({"accumulator_bits": 7}, "accumulator_bits=7 cannot hold a product of"),
    ],
)  # fmt: skip
def test_bad_parameters(parameters: dict[str, object], message: str) -> None:
    with pytest.raises(InputError) as error:
        unit(**parameters)
    assert str(error.value).startswith(message)
