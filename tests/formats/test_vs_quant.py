from fractions import Fraction

import numpy as np
import pytest

from hwsim.errors import InputError
from hwsim.formats import parse


@pytest.mark.parametrize(("name", "top"), [("int4_vs_g4", 7), ("int8_vs_g4", 127)])
@pytest.mark.parametrize("scale_bits", [8, 4])
def test_against_exact_arithmetic(name, top, scale_bits):
    rng = np.random.default_rng(2)
    x = (rng.standard_normal((20, 8, 4)) * np.exp2(rng.integers(-6, 3, (20, 8, 1)))).astype("f4")
    x[3, 2], x[4] = 0, 0
    fmt = parse(name).with_options(scale=f"uint{scale_bits}")
    tensor = fmt.quantize(x.reshape(20, 32))
    values = tensor.dequantize().reshape(x.shape)
    top_scale = 2**scale_bits - 1
    for row, channel in enumerate(x):
        largest = [max(abs(Fraction(float(v))) for v in vector) for vector in channel]
        stored = np.float32(np.float64(max(largest)) / (top * top_scale))
        assert tensor.metadata["channel_scales"][row] == stored.view(np.uint32)
        unit = Fraction(float(stored))
        for i, vector in enumerate(channel):
            scale = min(round(largest[i] / top / unit), top_scale) if unit else 0
            assert tensor.scales[row, i] == scale
            for j, v in enumerate(vector):
                code = round(Fraction(float(v)) * top / largest[i]) if largest[i] else 0
                assert tensor.codes[row, i, j] == code % (2 * top + 2)
                assert values[row, i, j] == float(code * scale * unit)


def test_scale_must_be_unsigned():
    with pytest.raises(InputError, match="unsigned integer"):
        parse("int4_vs_g16").with_options(scale="int8")
