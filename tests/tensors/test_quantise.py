"""Quantisation error against formulas written out."""

import numpy as np
import pytest

from hwsim.errors import InputError
from hwsim.formats import parse, parse_scalar
from hwsim.tensors.error import sqnr_db
from hwsim.tensors.quantise import ErrorMeter, to_db
from hwsim.tensors.sources import Layer
from hwsim.units.layers import per_group

INT4, INT8, E4M3 = (parse_scalar(name) for name in ("int4", "int8", "e4m3"))


def make_layers(count=2, outputs=6, inputs=16, tokens=5):
    rng = np.random.default_rng(0)
    return [
        Layer(
            f"l{i}",
            (rng.normal(size=(outputs, inputs)) * (i + 1)).astype(np.float32),
            rng.normal(size=(tokens, inputs)).astype(np.float32),
        )
        for i in range(count)
    ]


def test_weight_error_pools_all_matrices():
    layers = make_layers()
    error = ErrorMeter(layers, 8).measure(INT4, [INT8])[INT8]
    stacked = np.concatenate([layer.weight for layer in layers])
    expected = sqnr_db(stacked, parse("int4_g8").quantize(stacked).dequantize())
    assert to_db(error.weight) == pytest.approx(expected)


@pytest.mark.parametrize(
    "name", ["int12", "int16", "uint16", "int20", "int24", "int32", "q8.8", "q16.16", "fp16"]
)
def test_scales_of_weights_cost_fine_formats_less_than_1_db(name):
    fmt = parse_scalar(name)
    weight = np.random.default_rng(0).uniform(fmt.min < 0 and -1, 1, (8, 128)) / 64
    found = ErrorMeter([Layer("w", weight)], 128).measure(fmt, [INT8])[INT8].weight
    scales = np.exp2(np.arange(-45, 0))
    errors = [np.square(fmt.quantize(weight / s) * s - weight).sum(axis=1) for s in scales]
    best = np.min(errors, axis=0).sum() / np.square(weight).sum()
    assert to_db(found) > to_db(best) - 1


def test_scales_of_weights_are_fp16_unless_the_format_is_finer():
    names = ("int8", "e4m3", "posit16_1", "bf16", "int16")
    found = {name: per_group(parse_scalar(name), 8).scale.name for name in names}
    assert found == {
        "int8": "fp16", "e4m3": "fp16", "posit16_1": "fp16", "bf16": "fp32", "int16": "fp32"
    }  # fmt: skip


@pytest.mark.parametrize("weight", [INT4, E4M3])
def test_output_error_is_the_mean_over_matrices(weight):
    layers = make_layers()
    error = ErrorMeter(layers, 8).measure(weight, [INT8])[INT8]
    ratios = []
    for layer in layers:
        w = parse(f"{weight.name}_g8").quantize(layer.weight).dequantize()
        step = np.abs(layer.activations).max(axis=1, keepdims=True).astype(np.float64) / 127
        x = np.rint(layer.activations / step.astype(np.float32)) * step.astype(np.float32)
        exact = np.einsum("ti,oi->to", layer.activations, layer.weight, dtype=np.float64)
        noise = np.einsum("ti,oi->to", x, w, dtype=np.float64) - exact
        ratios.append((noise**2).sum() / (exact**2).sum())
    assert error.output == pytest.approx(np.mean(ratios), rel=1e-4)


def test_formats_measured_together_equal_those_measured_alone():
    meter = ErrorMeter(make_layers(), 8)
    together = meter.measure(INT4, [INT8, E4M3])
    assert together[E4M3] == ErrorMeter(make_layers(), 8).measure(INT4, [E4M3])[E4M3]
    assert together[INT8].output < together[E4M3].output


def test_exact_weights_have_infinite_sqnr():
    layer = Layer("l", np.array([[7.0, -3, 2, 1]], np.float32))
    error = ErrorMeter([layer], 4).measure(INT4, [INT8])[INT8]
    assert to_db(error.weight) == float("inf")
    assert error.output is None


def test_group_must_divide_the_inputs():
    with pytest.raises(InputError, match="group size 5 does not divide the 16 inputs of 'l0'"):
        ErrorMeter(make_layers(), 5)


def test_layer_of_zeros_has_no_ratio():
    with pytest.raises(InputError, match="zeros"):
        ErrorMeter([Layer("z", np.zeros((1, 4), np.float32))], 4).measure(INT4, [INT8])
