from itertools import pairwise

import numpy as np
import pytest

from hwsim.errors import InputError
from hwsim.formats import Rounding, parse
from hwsim.formats.block_floating_point import BlockFloatingPoint
from hwsim.formats.fixed import FixedPoint
from hwsim.formats.shared_exponent import ScaleRule
from tests.formats.block_reference import MAGNITUDES, mx_block

NAMES = {
    "mxfp8e4m3": ("e4m3", 8),
    "mxfp8e5m2": ("e5m2", 8),
    "mxfp6e2m3": ("e2m3", 6),
    "mxfp6e3m2": ("e3m2", 6),
    "mxfp4": ("e2m1", 4),
    "mxint8": ("fixed8", 8),
    "mxint4": ("fixed4", 4),
}
RULES = list(ScaleRule)
MAX32 = float(np.finfo(np.float32).max)
TINY32 = float(np.finfo(np.float32).smallest_subnormal)


def edge_blocks(element):
    """Return blocks of 8 whose largest magnitude is where libraries go wrong."""
    magnitudes = [float(value) for value in MAGNITUDES[element]]
    rng = np.random.default_rng(7)
    largest = [0.0, TINY32, 3 * TINY32, MAX32, 2.0**127, float(np.float32(2.0**-126)), 2.0**-127]
    for exponent in (-149, -140, -128, -127, -126, -125, -20, -1, 0, 1, 7, 20, 100, 126):
        power = np.float32(2.0**exponent)
        below, above = np.nextafter(power, np.float32(0)), np.nextafter(power, np.float32(np.inf))
        largest += [float(power), float(below), float(above)]
        for significand in (1.25, 1.5, 1.75, 1.875, 1.9375, 1.96875, 1.984375, 1.9921875):
            number = np.float32(significand * float(power))
            around = (np.nextafter(number, np.float32(0)), np.nextafter(number, np.float32(np.inf)))
            largest += [float(number), *map(float, around)]
    blocks = []
    for amax in largest:
        with np.errstate(under="ignore"):
            rest = (amax * rng.uniform(-1, 1, 5)).astype(np.float32)
            mid = rng.integers(1, len(magnitudes))
            # A tie of the elements if the scale is the one of the floor rule.
            tie = amax / 4 * (magnitudes[mid] + magnitudes[mid - 1]) / 2 / magnitudes[-1]
            block = [amax, *rest.tolist(), float(np.float32(tie)), -0.0]
        blocks.append(block if len(blocks) % 2 else [-x for x in block])
    return np.array(blocks, np.float32)


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("name", NAMES)
def test_against_exact_arithmetic(name, rule):
    element, bits = NAMES[name]
    blocks = edge_blocks(element)
    fmt = parse(f"{name}_g8").with_options(scale_rule=rule)
    tensor = fmt.quantize(blocks)
    for block, codes, scale in zip(blocks, tensor.codes[:, 0], tensor.scales[:, 0], strict=True):
        assert (int(scale), codes.tolist()) == mx_block(block, element, bits, rule), block


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("name", NAMES)
def test_ties_of_elements_against_exact_arithmetic(name, rule):
    """Every midpoint of neighbouring magnitudes, under a scale of 1, with both float neighbours."""
    element, bits = NAMES[name]
    exact = MAGNITUDES[element]
    top = float(exact[-1])
    middle = np.array([float((a + b) / 2) for a, b in pairwise(exact)], "f4")
    numbers = np.concatenate(
        [middle, np.nextafter(middle, np.float32(0)), np.nextafter(middle, np.float32(9e9))]
    )
    blocks = np.stack([np.full_like(numbers, top), numbers, -numbers, 0 * numbers], axis=1)
    tensor = parse(f"{name}_g4").with_options(scale_rule=rule).quantize(blocks)
    for block, codes, scale in zip(blocks, tensor.codes[:, 0], tensor.scales[:, 0], strict=True):
        assert (int(scale), codes.tolist()) == mx_block(block, element, bits, rule), block


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("name", NAMES)
def test_compiled_equals_exact(name, rule):
    rng = np.random.default_rng(3)
    blocks = rng.standard_normal((4000, 8)).astype(np.float32)
    blocks *= np.exp2(rng.integers(-149, 125, (4000, 1))).astype(np.float32)
    blocks = np.concatenate([blocks, edge_blocks(NAMES[name][0])])
    blocks[5, 3], blocks[6, 0], blocks[7, 7] = np.nan, np.inf, -np.inf
    fmt = parse(f"{name}_g8").with_options(scale_rule=rule)
    exact = fmt._encode_exact(blocks, Rounding.NEAREST_EVEN)
    compiled = fmt._encode_compiled(blocks)
    np.testing.assert_array_equal(compiled.codes, exact.codes)
    np.testing.assert_array_equal(compiled.scales, exact.scales)


def test_amax_one_ulp_below_every_power_of_two():
    exponents = np.arange(-125, 128)
    amax = np.nextafter(np.exp2(exponents).astype(np.float32), np.float32(0))
    tensor = parse("mxfp4_g1").quantize(amax[:, np.newaxis])
    expected = np.maximum(exponents - 1 - 2, -127) + 127
    np.testing.assert_array_equal(tensor.scales[:, 0], expected)


def test_float64_beyond_float32():
    x = np.array([[1e300, 1.0], [1e-300, 0.0], [2.0**128, -(2.0**128)]])
    tensor = parse("mxfp4_g2").quantize(x)
    np.testing.assert_array_equal(tensor.scales[:, 0], [254, 0, 253])
    np.testing.assert_array_equal(tensor.codes[:, 0], [[7, 0], [0, 0], [6, 14]])


def test_float64_that_vanishes_in_scaling_is_still_rounded_up():
    x = np.array([[2.0**1000, 5e-324]])
    tensor = parse("mxfp4_g2").quantize(x, rounding="up")
    np.testing.assert_array_equal(tensor.codes[0, 0], [7, 1])


def test_zero_block_keeps_signs():
    tensor = parse("mxfp4_g4").quantize(np.array([[0.0, -0.0, 0.0, -0.0]]))
    assert tensor.scales[0, 0] == 0
    np.testing.assert_array_equal(tensor.codes[0, 0], [0, 8, 0, 8])
    assert np.signbit(tensor.dequantize()[0]).tolist() == [False, True, False, True]


def test_scale_rules_at_the_example_of_the_table():
    """957 under E4M3: floor saturates it to 896, the others leave room."""
    x = np.full((1, 32), 957.0)
    values = {
        rule: parse("mxfp8e4m3").with_options(scale_rule=rule).quantize(x).dequantize()[0, 0]
        for rule in RULES
    }
    assert values == {"floor": 896.0, "ceil": 960.0, "rceil": 960.0, "even": 896.0}


def test_unknown_scale_rule():
    with pytest.raises(InputError, match="did you mean 'ceil'"):
        parse("mxfp4").with_options(scale_rule="ceiling")


def test_element_must_reach_one():
    with pytest.raises(InputError, match="largest value"):
        BlockFloatingPoint(FixedPoint(0, 8, symmetric=True), 4)
