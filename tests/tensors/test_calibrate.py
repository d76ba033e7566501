"""Clipping, smoothing and error feedback, against plain searches and a plain recursion."""

import numpy as np
import pytest

from hwsim.errors import InputError
from hwsim.formats import parse
from hwsim.tensors.calibrate import clipped, second_moments, smoothing, with_feedback

FORMATS = ["int4_g16", "int4_asym_g16", "mxfp4", "nvfp4", "nf4_g16", "bitmod4_g32", "int3_g16"]


def layer(seed=0, outputs=24, inputs=64, tokens=300):
    """Weights with heavy tails, inputs that go together."""
    rng = np.random.default_rng(seed)
    mixing = rng.normal(size=(inputs, inputs)) / np.sqrt(inputs) + np.diag(rng.random(inputs))
    x = rng.normal(size=(tokens, inputs)) @ mixing
    weight = rng.standard_t(4, size=(outputs, inputs)) * 0.05
    return weight.astype(np.float32), x.astype(np.float32)


def output_error(weight, tensor, x):
    return float(np.square(x.astype(np.float64) @ (weight - tensor.dequantize()).T).sum())


@pytest.mark.parametrize("name", FORMATS)
def test_feedback_lowers_the_error_of_outputs(name):
    weight, x = layer()
    fmt = parse(name)
    found = with_feedback(fmt, weight, second_moments(x))
    plain = fmt.quantize(weight)
    assert output_error(weight, found, x) < 0.7 * output_error(weight, plain, x)
    np.testing.assert_array_equal(found.scales, plain.scales)
    assert found.codes.dtype == plain.codes.dtype
    assert found.bits_per_element == plain.bits_per_element


def brain_surgeon(weight, moments, damping, grid):
    """Round inputs one by one; the inverse of the moments of those left is computed each time."""
    inputs = len(moments)
    hessian = moments + damping * np.diag(moments).mean() * np.eye(inputs)
    left, done = weight.astype(np.float64), np.empty(weight.shape)
    order = list(np.argsort(-np.diag(moments), kind="stable"))
    for step, place in enumerate(order):
        rest = order[step:]
        inverse = np.linalg.inv(hessian[np.ix_(rest, rest)])
        choices = grid(place)
        done[:, place] = np.take_along_axis(
            choices, np.abs(choices - left[:, [place]]).argmin(axis=1)[:, None], axis=1
        )[:, 0]
        error = (left[:, place] - done[:, place]) / inverse[0, 0]
        left[:, rest] -= np.outer(error, inverse[0])
    return done


@pytest.mark.parametrize("inputs", [32, 160])
def test_feedback_is_the_optimal_brain_surgeon_s(inputs):
    weight, x = layer(3, outputs=6, inputs=inputs)
    fmt, moments = parse("int4_g32"), second_moments(x)
    plain = fmt.quantize(weight)
    scales = fmt.scale.decode(plain.scales)
    steps = fmt.element.values()
    expected = brain_surgeon(
        weight, moments, 0.01, lambda place: scales[:, place // 32, None] * steps
    )
    np.testing.assert_array_equal(with_feedback(fmt, weight, moments).dequantize(), expected)


def test_independent_inputs_are_rounded_to_nearest():
    weight, _ = layer(5)
    fmt = parse("mxfp6_e2m3")
    moments = np.diag(np.arange(64.0))
    np.testing.assert_array_equal(
        with_feedback(fmt, weight, moments).dequantize(), fmt.quantize(weight).dequantize()
    )
    # No input at all: nothing to make up for.
    np.testing.assert_array_equal(
        with_feedback(fmt, weight, 0 * moments).dequantize(), fmt.quantize(weight).dequantize()
    )


def test_feedback_refuses():
    weight, x = layer()
    moments = second_moments(x)
    with pytest.raises(InputError, match="at most 8 bits"):
        with_feedback(parse("int16_g32"), weight, moments)
    with pytest.raises(InputError, match="the same at every place"):
        with_feedback(parse("sq_int8_int4_g64"), weight, moments)
    with pytest.raises(InputError, match=r"second moments of shape \(63, 63\)"):
        with_feedback(parse("mxfp4"), weight, moments[1:, 1:])
    with pytest.raises(InputError, match="damping=0"):
        with_feedback(parse("mxfp4"), weight, moments, damping=0)


@pytest.mark.parametrize("name", [name for name in FORMATS if name != "nvfp4"])
def test_clipping_is_never_worse(name):
    weight, _ = layer(1)
    fmt = parse(name)
    plain, found = fmt.quantize(weight), clipped(fmt, weight)
    errors = [
        np.square(one.dequantize() - weight).reshape(24, -1, fmt.size) for one in (plain, found)
    ]
    before, after = (error.sum(axis=-1) for error in errors)
    assert (after <= before).all()


def test_clipping_takes_the_best_of_its_factors():
    weight, _ = layer(2, outputs=5, inputs=32)
    importance = np.random.default_rng(0).random(32)
    fmt, kept = parse("int3_g16"), (1.0, 0.7, 0.5)
    found = clipped(fmt, weight, importance, kept).dequantize()
    for row in range(5):
        for part in (slice(0, 16), slice(16, 32)):
            block = weight[row, part]
            errors = [
                np.square(
                    fmt.quantize(np.clip(block, k * block.min(), k * block.max())).dequantize()
                    - block
                )
                @ importance[part]
                for k in kept
            ]
            got = np.square(found[row, part] - block) @ importance[part]
            assert got == pytest.approx(min(errors), rel=1e-6)


def test_clipping_refuses_importance_of_other_inputs():
    weight, _ = layer()
    with pytest.raises(InputError, match=r"importance of shape \(3,\)"):
        clipped(parse("mxfp4"), weight, np.ones(3))


def test_smoothing_keeps_products_and_evens_ranges_out():
    weight, x = layer(4)
    x[:, 7] *= 50
    x[:, 9] = 0
    x_max, w_max = np.abs(x).max(axis=0), np.abs(weight).max(axis=0)
    factors = smoothing(x_max, w_max, 0.5)
    assert factors[9] == 1
    np.testing.assert_allclose((x / factors) @ (weight * factors).T, x @ weight.T, atol=1e-4)
    used = np.arange(64) != 9
    np.testing.assert_allclose((x_max / factors)[used], (w_max * factors)[used], rtol=1e-6)
    np.testing.assert_allclose((x_max / smoothing(x_max, w_max, 1.0))[used], 1, rtol=1e-6)
    with pytest.raises(InputError, match=r"strength=1\.5"):
        smoothing(x_max, w_max, 1.5)
