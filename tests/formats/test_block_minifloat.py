from fractions import Fraction

import numpy as np
import pytest

from hwsim.errors import InputError
from hwsim.formats import parse
from tests.formats.block_reference import floor_log2, minifloat_magnitudes, nearest_code


@pytest.mark.parametrize(("exponent", "mantissa"), [(2, 1), (2, 5), (3, 2), (4, 3), (5, 2), (3, 0)])
def test_against_exact_arithmetic(exponent, mantissa):
    size = 6
    fmt = parse(f"bm_e{exponent}m{mantissa}_g{size}")
    bias = 2 ** (exponent - 1) - 1
    magnitudes = minifloat_magnitudes(exponent, mantissa, bias, 2 ** (exponent + mantissa))
    x = np.random.default_rng(exponent).standard_normal((40, size)).astype(np.float32)
    tensor = fmt.quantize(x)
    for block, codes, scale in zip(x, tensor.codes[:, 0], tensor.scales[:, 0], strict=True):
        exact = [Fraction(float(v)) for v in block]
        shared = floor_log2(max(map(abs, exact))) - floor_log2(magnitudes[-1])
        expected = [
            nearest_code(abs(v) / Fraction(2) ** shared, magnitudes)
            + (v < 0) * 2 ** (exponent + mantissa)
            for v in exact
        ]
        assert (int(scale), codes.tolist()) == (shared + 127, expected)


def test_every_code_is_a_number():
    assert np.isfinite(parse("bm_e5m2_g16").element.decode(np.arange(256))).all()


def test_exponent_out_of_range():
    with pytest.raises(InputError, match="1 to 8 bits"):
        parse("bm_e9m2_g16")
