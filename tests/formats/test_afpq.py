from fractions import Fraction

import numpy as np
import pytest

from hwsim.errors import InputError
from hwsim.formats import parse
from tests.formats.block_reference import MAGNITUDES, nearest_code


def test_against_exact_arithmetic():
    x = np.random.default_rng(0).standard_normal((60, 8)).astype(np.float32)
    x *= np.where(x < 0, np.float32(3), np.float32(1))
    x[:5] = np.abs(x[:5])
    x[5:10] = -np.abs(x[5:10])
    x[10] = 0
    tensor = parse("e2m1_afpq_g8").quantize(x)
    for row, group in enumerate(x):
        exact = [Fraction(float(v)) for v in group]
        sides = (max(0, *exact), max(0, *(-v for v in exact)))
        scales = [np.float64(side / 6).astype(np.float16) for side in sides]
        assert tensor.scales[row, 0] == scales[0].view(np.uint16)
        assert tensor.metadata["negative_scales"][row, 0] == scales[1].view(np.uint16)
        values = []
        for v in exact:
            scale = Fraction(float(scales[v < 0]))
            code = nearest_code(abs(v) / scale, MAGNITUDES["e2m1"]) if scale else 0
            values.append(float(MAGNITUDES["e2m1"][code] * scale * (-1 if v < 0 else 1)))
        np.testing.assert_array_equal(tensor.dequantize()[row], values)


def test_twos_complement_uses_its_whole_range():
    tensor = parse("int4_afpq_g2").quantize(np.array([[7.0, -16.0]]))
    np.testing.assert_array_equal(tensor.codes[0, 0], [7, 8])
    np.testing.assert_array_equal(tensor.dequantize(), [[7.0, -16.0]])


def test_unsigned_elements_are_refused():
    with pytest.raises(InputError, match="both sides"):
        parse("uint4_afpq_g8")
