import numpy as np
import pytest

from hwsim.errors import InputError
from hwsim.formats import parse


def activations():
    x = np.random.default_rng(8).standard_normal((6, 5, 40)).astype(np.float32)
    x[2, 1, 7], x[0, 0, 30], x[1, 1, 31] = -20.0, 6.0, 5.999
    return x


def test_columns_and_values():
    x = activations()
    tensor = parse("llm_int8").quantize(x)
    np.testing.assert_array_equal(tensor.metadata["outlier_columns"], [7, 30])
    values = tensor.dequantize()
    np.testing.assert_array_equal(values[..., [7, 30]], x[..., [7, 30]].astype(np.float16))
    rest = np.delete(x, [7, 30], axis=-1).astype(np.float64)
    scale = (np.abs(rest).max(axis=-1, keepdims=True) / 127).astype(np.float32).astype(np.float64)
    np.testing.assert_array_equal(
        np.delete(values, [7, 30], axis=-1), np.clip(np.rint(rest / scale), -127, 127) * scale
    )


def test_storage():
    tensor = parse("llm_int8").quantize(activations())
    bits = 30 * (38 * 8 + 2 * 16 + 32) + 2 * 6
    assert tensor.bits_per_element * 30 * 40 == pytest.approx(bits)


def test_threshold():
    x = activations()
    none = parse("llm_int8").with_options(threshold=21.0).quantize(x)
    assert none.metadata["outlier_columns"].size == 0
    every = parse("llm_int8").with_options(threshold=1e-6).quantize(x)
    np.testing.assert_array_equal(every.dequantize(), x.astype(np.float16))
    with pytest.raises(InputError, match="threshold"):
        parse("llm_int8").with_options(threshold=0.0)


def test_outlier_beyond_fp16_is_refused():
    x = activations()
    x[0, 0, 0] = 1e6
    with pytest.raises(InputError, match="out of the range of fp16"):
        parse("llm_int8").quantize(x)
