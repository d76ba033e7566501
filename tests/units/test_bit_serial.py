import numpy as np
import pytest

from hwsim.errors import InputError
from hwsim.units import Timing, make
from hwsim.units.stimulus import random_codes


@pytest.mark.parametrize("weight", ["int1", "int4", "uint7"])
def test_results_are_those_of_integer(weight: str) -> None:
    parameters = {"lanes": 3, "weight": weight, "activation": "int8"}
    serial, parallel = make("bit_serial", **parameters), make("integer", **parameters)
    a, w, _ = random_codes(serial, 30, 2, np.random.default_rng(0))
    np.testing.assert_array_equal(serial.dot(a, w), parallel.dot(a, w))


@pytest.mark.parametrize(("weight", "cycles"), [("int1", 1), ("int4", 4), ("uint7", 7)])
def test_a_beat_takes_the_weights_bits(weight: str, cycles: int) -> None:
    unit = make("bit_serial", lanes=8, weight=weight, activation="int8")
    assert (unit.timing().latency, unit.timing().interval) == (cycles, cycles)
    assert unit.macs_per_cycle == 8 / cycles


def booth_digits(value: int, bits: int, signed: bool) -> list[int]:
    """Return the radix-4 Booth digits of ``value``, the lowest first."""
    twice = 2 * value
    count = (bits + 1) // 2 if signed else bits // 2 + 1
    digits = [
        (twice >> 2 * k & 1) + (twice >> 2 * k + 1 & 1) - 2 * (twice >> 2 * k + 2 & 1)
        for k in range(count)
    ]
    assert sum(digit * 4**k for k, digit in enumerate(digits)) == value
    return digits


@pytest.mark.parametrize("weight", ["int6", "uint5", "int7", "uint6"])
@pytest.mark.parametrize("recoding", ["binary", "booth"])
@pytest.mark.parametrize("digits", ["all", "essential"])
def test_cycles_are_the_digits_of_the_slowest_lane(weight: str, recoding: str, digits: str) -> None:
    unit = make("bit_serial", lanes=3, weight=weight, activation="int2", recoding=recoding,
                digits=digits, precision="beat")  # fmt: skip
    a, w, metadata = random_codes(unit, 60, 2, np.random.default_rng(0))
    cycles = unit.cycles(a, w, **metadata)
    signed = weight.startswith("int")
    for (dot, beat), measured in np.ndenumerate(cycles):
        bits = int(metadata["weight_precision"][dot, beat])
        lanes = [int(code) % (1 << bits) for code in w[dot, 3 * beat : 3 * beat + 3]]
        if recoding == "binary":
            words = [[v >> k & 1 for k in range(bits)] for v in lanes]
        else:
            values = [v - (1 << bits) * (signed and v >> (bits - 1)) for v in lanes]
            words = [booth_digits(v, bits, signed) for v in values]
        counts = [sum(map(bool, word)) if digits == "essential" else len(word) for word in words]
        assert measured == max(1, *counts)


def test_precision_takes_the_low_bits() -> None:
    unit = make("bit_serial", lanes=1, weight="int8", activation="int4", precision="beat")
    # 0b1010_1101: -3 in 4 bits, -83 in 8.
    sums = unit.dot([[3], [3]], [[0xAD], [0xAD]], weight_precision=[[4], [8]])
    np.testing.assert_array_equal(unit.result.decode(sums), [-9, -249])


def test_both_operands_serial_take_the_product_of_their_bits() -> None:
    unit = make("bit_serial", lanes=2, weight="int4", activation="uint6", serial="both")
    assert unit.timing() == Timing(24, 24)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"serial": "both", "recoding": "booth"},
         "serial='both' takes recoding='binary', not 'booth'"),
        ({"serial": "both", "digits": "essential"},
         "serial='both' takes digits='all', not 'essential'"),
        ({"recoding": "boot"}, "unknown recoding 'boot'; did you mean 'booth'?"),
    ],
)  # fmt: skip
def test_bad_parameters(parameters: dict[str, str], message: str) -> None:
    with pytest.raises(InputError) as error:
        make("bit_serial", lanes=2, weight="int4", activation="int4", **parameters)
    assert str(error.value) == message
