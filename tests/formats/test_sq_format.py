from fractions import Fraction

import numpy as np
import pytest

from hwsim.errors import InputError
from hwsim.formats import parse


@pytest.mark.parametrize("sparsity", [0.0, 0.5, 0.75, 1.0])
def test_against_exact_arithmetic(sparsity):
    x = np.random.default_rng(4).standard_normal((40, 8)).astype(np.float32)
    x[0], x[1, 3:] = 0, 0
    x[2] = [1, -1, 1, 1, -1, 1, 1, 1]
    tensor = parse("sq_int8_int4_g8").with_options(sparsity=sparsity).quantize(x)
    kept = round(8 * (1 - sparsity))
    for row, bank in enumerate(x):
        exact = [Fraction(float(v)) for v in bank]
        high = sorted(sorted(range(8), key=lambda i: (-abs(exact[i]), i))[:kept])
        assert tensor.metadata["positions"][row, 0].tolist() == high
        expected = [Fraction(0)] * 8
        for members, top in ((high, 127), ([i for i in range(8) if i not in high], 7)):
            largest = max([abs(exact[i]) for i in members], default=Fraction(0))
            scale = Fraction(float(np.float64(largest / top).astype(np.float16)))
            for i in members:
                code = round(exact[i] / scale) if scale else 0
                expected[i] = min(max(code, -top - 1), top) * scale
        assert tensor.dequantize()[row].tolist() == [float(v) for v in expected]
        assert (tensor.codes[row, 0, high] == 0).all()


def test_bits_are_those_stored():
    fmt = parse("sq_int8_int4_g8").with_options(sparsity=0.5)
    assert fmt.bits_per_element == 4 + (4 * (8 + 3) + 2 * 16) / 8


@pytest.mark.parametrize("sparsity", [-0.1, 1.5, 0.7])
def test_sparsity(sparsity):
    with pytest.raises(InputError, match="sparsity"):
        parse("sq_int8_int4_g64").with_options(sparsity=sparsity)
