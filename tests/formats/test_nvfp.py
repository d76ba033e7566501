from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest

from hwsim.errors import InputError
from hwsim.formats import Rounding, parse
from hwsim.formats.nvfp import TensorBlockScale
from tests.formats.block_reference import MAGNITUDES, nearest_code, signed_code

MAX32 = np.finfo(np.float32).max


def reference(x, tensor_scale, element, top):
    """Return scale and element codes of float blocks in exact arithmetic."""
    scales, codes = [], []
    scale_values = MAGNITUDES["e4m3"]
    for block in x:
        exact = [Fraction(float(v)) for v in block]
        ideal = max(map(abs, exact)) / (top * tensor_scale)
        scale = nearest_code(ideal, scale_values)
        step = scale_values[scale] * tensor_scale
        scales.append(scale)
        codes.append(
            [
                signed_code(v / step, np.signbit(f), MAGNITUDES[element], 4, element == "int4")
                if step
                else 0
                for v, f in zip(exact, block, strict=True)
            ]
        )
    return scales, codes


def blocks():
    rng = np.random.default_rng(11)
    spread = np.exp2(rng.integers(-20, 15, (150, 1)))
    random = rng.standard_normal((150, 16)) * spread
    # Multiples of a quarter of a scale: every tie of E2M1.
    ties = rng.integers(-24, 25, (60, 16)) / 4 * np.exp2(rng.integers(-3, 3, (60, 1)))
    ties *= rng.choice([1.0, 1.125, 1.375, 1.875], (60, 1))
    ties[:, 0] = 6 * np.abs(ties).max(axis=1) / np.maximum(np.abs(ties).max(axis=1), 1)
    # Largest magnitudes at the ties of the E4M3 scale, and around them.
    scale_ties = [float((a + b) / 2) * 6 for a, b in pairwise(MAGNITUDES["e4m3"])]
    at_ties = np.outer(scale_ties, np.linspace(1, -1, 16)).astype(np.float32)
    above = at_ties.copy()
    above[:, 0] = np.nextafter(above[:, 0], np.float32(np.inf))
    below = at_ties.copy()
    below[:, 0] = np.nextafter(below[:, 0], np.float32(0))
    below[:, -1] = -below[:, 0]
    above[:, -1] = -above[:, 0]
    special = np.zeros((4, 16))
    special[1, ::2] = -0.0
    special[2, 3] = 2.0**-149
    special[3, 3] = -3000.0
    return np.concatenate([random, ties, at_ties, above, below, special]).astype(np.float32)


@pytest.mark.parametrize(("name", "element", "top"), [("nvfp4", "e2m1", 6), ("nvint4", "int4", 7)])
@pytest.mark.parametrize("levels", [1, 2])
@pytest.mark.parametrize("factor", [1.0, 2.0**-30, 1.1])
def test_against_exact_arithmetic(name, element, top, levels, factor):
    x = (blocks() * np.float32(factor)).astype(np.float32)
    tensor = parse(name).with_options(levels=levels).quantize(x)
    tensor_scale = Fraction(1)
    if levels == 2:
        stored = np.float32(np.float64(np.abs(x).max()) / (448 * top))
        np.testing.assert_array_equal(
            tensor.metadata["tensor_scale"].view(np.float32), stored, strict=False
        )
        tensor_scale = Fraction(float(stored))
    scales, codes = reference(x, tensor_scale, element, top)
    np.testing.assert_array_equal(tensor.scales[:, 0], scales)
    np.testing.assert_array_equal(tensor.codes[:, 0], codes)


@pytest.mark.parametrize("levels", [1, 2])
@pytest.mark.parametrize("smallest", [0.0, 2.0**-9, 2.0**-6])
@pytest.mark.parametrize("size", [16, 32])
def test_compiled_equals_exact(levels, smallest, size):
    rng = np.random.default_rng(5)
    spread = rng.standard_normal((4000, 16)) * np.exp2(rng.integers(-60, 60, (4000, 1)))
    x = np.concatenate([blocks(), spread.astype(np.float32)])
    x = x[: len(x) // 2 * 2].reshape(-1, 1, size)
    x[9, 0, 3], x[10, 0, 0], x[11, 0, 5] = np.nan, np.inf, -np.inf
    fmt = parse(f"nvfp4_g{size}").with_options(levels=levels, smallest_scale=smallest)
    exact = fmt._encode_exact(x, Rounding.NEAREST_EVEN)
    compiled = fmt._encode_compiled(x)
    np.testing.assert_array_equal(compiled.codes, exact.codes)
    np.testing.assert_array_equal(compiled.scales, exact.scales)
    assert compiled.metadata == exact.metadata


def test_compiled_equals_exact_for_tiny_tensors():
    x = np.random.default_rng(5).standard_normal((200, 16)).astype(np.float32) * np.float32(1e-36)
    fmt = parse("nvfp4")
    exact = fmt._encode_exact(x, Rounding.NEAREST_EVEN)
    compiled = fmt._encode_compiled(x)
    np.testing.assert_array_equal(compiled.codes, exact.codes)
    np.testing.assert_array_equal(compiled.scales, exact.scales)


@pytest.mark.parametrize("smallest", [0.0, 2.0**-9, 2.0**-6])
def test_scale_of_tiny_blocks(smallest):
    """0 flushes the block; universal and torchao keep a scale."""
    fmt = parse("nvfp4").with_options(levels=1, smallest_scale=smallest)
    tensor = fmt.quantize(np.full((1, 16), 2.0**-9))
    expected = {0.0: (0, 0.0), 2.0**-9: (1, 2.0**-9), 2.0**-6: (8, 0.0)}[smallest]
    assert (tensor.scales[0, 0], tensor.dequantize()[0, 0]) == expected


def test_one_level_saturates():
    tensor = parse("nvfp4").with_options(levels=1).quantize(np.full((1, 16), 1e6))
    assert tensor.scales[0, 0] == 0x7E
    np.testing.assert_array_equal(tensor.dequantize(), 6 * 448)
    assert tensor.metadata == {}


def test_zero_tensor_has_tensor_scale_one():
    tensor = parse("nvfp4").quantize(np.zeros((2, 16)))
    assert parse("fp32").decode(tensor.metadata["tensor_scale"]) == 1
    np.testing.assert_array_equal(tensor.dequantize(), 0)


def test_tensor_scale_does_not_underflow():
    tensor = parse("nvfp4").quantize(np.full((1, 16), np.float32(1e-44)))
    assert tensor.metadata["tensor_scale"] == 1
    np.testing.assert_allclose(tensor.dequantize(), 1e-44, rtol=0.1)


def test_tensor_scale_overflow_is_refused():
    with pytest.raises(InputError, match="overflows fp32"):
        parse("nvfp4").quantize(np.full((1, 16), 1e300))


def test_largest_float32():
    tensor = parse("nvfp4").quantize(np.full((1, 16), MAX32))
    assert (tensor.scales[0, 0], tensor.codes[0, 0, 0]) == (0x7E, 7)


@pytest.mark.parametrize(
    "options", [{"levels": 3}, {"smallest_scale": -1.0}, {"smallest_scale": 1e9}]
)
def test_bad_options(options):
    with pytest.raises(InputError, match=next(iter(options))):
        parse("nvfp4").with_options(**options)


def test_unknown_base():
    with pytest.raises(InputError, match="did you mean 'nvfp4'"):
        TensorBlockScale("nvfp3")
