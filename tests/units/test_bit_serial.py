import numpy as np
import pytest

from hwsim.units import make
from hwsim.units.stimulus import random_codes


@pytest.mark.parametrize("weight", ["int1", "int4", "uint7"])
def test_results_are_those_of_integer(weight: str) -> None:
    parameters = {"lanes": 3, "weight": weight, "activation": "int8"}
    serial, parallel = make("bit_serial", **parameters), make("integer", **parameters)
    operands = random_codes(serial, 30, 2, np.random.default_rng(0))
    np.testing.assert_array_equal(serial.dot(*operands), parallel.dot(*operands))


@pytest.mark.parametrize(("weight", "cycles"), [("int1", 1), ("int4", 4), ("uint7", 7)])
def test_a_beat_takes_the_weights_bits(weight: str, cycles: int) -> None:
    unit = make("bit_serial", lanes=8, weight=weight, activation="int8")
    assert (unit.timing().latency, unit.timing().interval) == (cycles, cycles)
    assert unit.macs_per_cycle == 8 / cycles
