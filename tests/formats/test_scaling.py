"""Scale rules: on real matrices, no rule may lose to the best power of two by more than 1 dB."""

from functools import cache
from pathlib import Path

import numpy as np
import pytest

from hwsim.errors import InputError
from hwsim.formats import parse, parse_scalar, scalar_names
from hwsim.formats.group import GroupScale
from hwsim.formats.scaling import ScaleRule, least_error_scales
from hwsim.tensors.quantise import near_one, per_group, per_token

REAL = Path(__file__).parent.parent / "tensors" / "data" / "minilm.npz"
#: Beside the named ones: every family at other widths.
MORE = (
    "int1", "int7", "uint3", "uint5", "int2_sm", "int5_sm", "bipolar5", "q1.2", "q2.2", "uq2.2",
    "posit3_0", "posit5_1", "posit12_1", "lns5_1", "lns8_5", "flint3", "flint6", "dybit3", "dint3",
    "dint6", "apot3", "apot7", "pot3u", "khot2_3", "khot3_5", "codebook(-1,-0.5,1,2)",
    "codebook(0.001,0.002)", "int9", "int11", "int12", "int14", "int20", "int24", "uint20",
    "uint32", "q16.16", "lns16_10", "tf32", "posit32_2", "codebook(-100,-1,0,1)",
)  # fmt: skip
#: Matrices of weights get the scales of weights, those of activations theirs.
INPUT = ".input"


@cache
def real():
    with np.load(REAL) as arrays:
        return {name: arrays[name].astype(np.float64) for name in arrays.files}


def squared_errors(fmt, groups, scale):
    return np.square(fmt.quantize(groups / scale) * scale - groups).sum(axis=-1)


def powers_of_two(fmt, groups):
    """Return the least squared error of each group with any power of two, by brute force."""
    octave = np.rint(np.log2(np.sqrt(np.square(groups).mean())))
    scales = np.exp2(octave + np.arange(-40, 41))
    return np.min([squared_errors(fmt, groups, scale) for scale in scales], axis=0)


@pytest.mark.parametrize("name", [*scalar_names(), *MORE])
def test_every_rule_is_within_1_db_of_the_best_power_of_two(name):
    fmt = parse_scalar(name)
    for key, matrix in real().items():
        x = near_one(matrix if fmt.min < 0 else np.abs(matrix), int(np.log2(np.abs(matrix).max())))
        groups = x.reshape(len(x), -1, 128)[:8]
        block = per_token(fmt, 128) if key.endswith(INPUT) else per_group(fmt, 128)
        found = block.quantize(groups).dequantize()
        noise = np.square(found - groups).sum()
        assert noise <= powers_of_two(fmt, groups).sum() * 10**0.1, key


@pytest.mark.parametrize("name", ["posit8_2", "hif8", "int2", "flint8", "khot3_4", "binary"])
def test_least_error_is_the_best_of_all_powers_of_two(name):
    fmt = parse_scalar(name)
    rng = np.random.default_rng(1)
    groups = np.concatenate(
        [
            rng.standard_normal((20, 64)) * np.exp2(rng.integers(-200, 200, (20, 1))),
            rng.standard_t(2, (20, 64)),
            rng.uniform(-1, 1, (20, 64)),
            rng.standard_normal((20, 64)) * (rng.random((20, 64)) < 0.1),
        ]
    )
    scales = least_error_scales(fmt, groups)
    np.testing.assert_array_equal(np.frexp(scales)[0], 0.5)
    for group, scale in zip(groups, scales, strict=True):
        assert squared_errors(fmt, group, scale) <= powers_of_two(fmt, group) * (1 + 1e-12)


def test_a_tapered_group_of_zeros_has_no_scale():
    tensor = parse("posit8_1_g4").quantize(np.array([[0.0, 0, 0, 0, 3, 1, -1, 0.5]]))
    assert tensor.scales[0, 0] == 0
    assert tensor.codes[0, 0].tolist() == [0, 0, 0, 0]
    assert tensor.dequantize()[0].tolist() == [0, 0, 0, 0, 3, 1, -1, 0.5]


def test_numbers_far_from_1_have_the_codes_of_those_near_it():
    x = np.random.default_rng(2).standard_normal((3, 32))
    block = GroupScale(parse_scalar("posit8_1"), 32, scale=parse_scalar("bf16"))
    near, far = block.quantize(x), block.quantize(x * 2.0**100)
    np.testing.assert_array_equal(near.codes, far.codes)
    np.testing.assert_array_equal(far.dequantize(), near.dequantize() * 2.0**100)


@pytest.mark.parametrize(
    ("name", "rule"),
    [
        ("int2_g8", "maximum"), ("uint1_g8", "maximum"), ("int4_g8", "maximum"),
        ("ternary_g8", "least_error"), ("posit8_0_g8", "least_error"), ("hif8_g8", "least_error"),
        ("e4m3_g8", "maximum"), ("nf4_g8", "maximum"), ("codebook(-1,0,1,3)_g8", "least_error"),
    ],
)  # fmt: skip
def test_rules_of_named_group_formats(name, rule):
    assert parse(name).scale_rule == rule


def test_the_rule_is_an_option():
    changed = parse("int3_g16").with_options(scale_rule="least_error")
    assert changed.scale_rule is ScaleRule.LEAST_ERROR
    assert changed != parse("int3_g16")
    with pytest.raises(InputError, match="unknown scale_rule 'rms'; known: maximum, least_error"):
        parse("int3_g16").with_options(scale_rule="rms")
