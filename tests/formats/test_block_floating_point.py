import numpy as np
import pytest

from hwsim.errors import InputError
from hwsim.formats import parse


@pytest.mark.parametrize("bits", [2, 3, 4, 8, 12, 16, 24])
def test_values_are_shifted_integers(bits):
    """The definition again: integers of the exponent of the block's largest magnitude."""
    x = np.random.default_rng(bits).standard_normal((200, 5)) * 1000
    step = 2.0 ** (np.floor(np.log2(np.abs(x).max(axis=1, keepdims=True))) - (bits - 2))
    limit = 2 ** (bits - 1) - 1
    expected = np.clip(np.rint(x / step), -limit, limit) * step
    np.testing.assert_array_equal(parse(f"bfp{bits}_g5").quantize(x).dequantize(), expected)


def test_bfp8_has_the_values_of_mxint8():
    x = np.random.default_rng(1).standard_normal((30, 64)).astype(np.float32)
    np.testing.assert_array_equal(
        parse("bfp8_g32").quantize(x).dequantize(), parse("mxint8").quantize(x).dequantize()
    )


@pytest.mark.parametrize("name", ["bfp1_g4", "bfp33_g4"])
def test_width(name):
    with pytest.raises(InputError, match="elements must have 2 to 32 bits"):
        parse(name)
