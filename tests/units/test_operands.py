"""From the tensors of a layer to what units take, and back from their results."""

from dataclasses import replace
from fractions import Fraction

import ml_dtypes
import numpy as np
import pytest

from hwsim.errors import InputError
from hwsim.formats import parse
from hwsim.units import FAMILIES, layers, make
from hwsim.units.codebook import learnt_codebook
from hwsim.units.layer_operands import OPERANDS
from tests.units.layers import LAYER_UNITS, NO_LAYERS

RNG = np.random.default_rng(0)
WEIGHTS = RNG.standard_normal((5, 384)) * 0.03
ACTIVATIONS = RNG.standard_normal((3, 384)) * 2

#: Units whose results are not those of exact sums of their formats, and by how many dB at least the
#: difference lies below the outputs.
INEXACT = {
    "aligned13": 50, "fp16": 45, "lmul": 15, "loaded": 15, "nf4": 30, "bitmod": 45,
    "bitmod_tile": 45, "shift_add": 45, "mx_dot": 100, "nvfp4_dot": 100, "bfp_dot": 100, "tmac": 30,
    "lns16_8": 80,
}  # fmt: skip


def db(noise, signal):
    ratio = np.square(noise).sum() / np.square(signal).sum()
    return -10 * np.log10(ratio) if ratio else np.inf


def quantised(unit, weights=WEIGHTS, activations=ACTIVATIONS, group=128):
    """The exact product of quantised operands."""
    w = unit.weight_quantiser(group).with_options(partial="pad")
    a = unit.activation_quantiser(activations.shape[1]).with_options(partial="pad")
    octaves = [layers.octave_of(x) for x in (weights, activations)]
    w = w.quantize(np.ldexp(weights, -octaves[0])).dequantize()
    a = a.quantize(np.ldexp(activations, -octaves[1])).dequantize()
    return np.ldexp(a @ w.T, sum(octaves))


@pytest.mark.parametrize(("family", "parameters"), LAYER_UNITS)
def test_a_unit_computes_a_layer(family, parameters):
    unit = make(family, **parameters)
    got, want = unit.matmul(WEIGHTS, ACTIVATIONS), quantised(unit)
    assert got.shape == (3, 5)
    words = {family, *map(str, parameters.values())}
    limits = [limit for word, limit in INEXACT.items() if word in words]
    floating = "fp16" in words
    if limits and not (floating and family == "bitmod"):
        assert db(got - want, want) > min(limits)
    elif not limits:
        np.testing.assert_allclose(got, want, rtol=1e-12, atol=1e-12)


def test_every_family_computes_layers():
    assert {family for family, _ in LAYER_UNITS} | NO_LAYERS == set(FAMILIES)
    for family in NO_LAYERS:
        unit = make(family, **FAMILIES[family].configurations[0])
        assert not unit.computes_layers
        with pytest.raises(InputError, match="takes no weights"):
            unit.operands(WEIGHTS, ACTIVATIONS)


@pytest.mark.parametrize(("family", "parameters"), LAYER_UNITS)
def test_parameters_make_the_unit_again(family, parameters):
    unit = make(family, **parameters)
    assert make(family, **unit.parameters()) == unit
    assert replace(unit, lanes=unit.lanes) == unit
    assert type(unit)(**unit.parameters()) == unit


def e2m1(numbers):
    return numbers.astype(ml_dtypes.float4_e2m1fn).astype(np.float64)


def mxfp4(rows):
    """OCP MX 1.0, section 6.3, in NumPy alone."""
    blocks = rows.reshape(len(rows), -1, 32)
    exponent = np.floor(np.log2(np.abs(blocks).max(axis=-1, keepdims=True))) - 2
    scale = 2.0**exponent
    return (e2m1(np.clip(blocks / scale, -6, 6)) * scale).reshape(rows.shape)


def nvfp4(matrix):
    tensor = np.float64(np.float32(np.abs(matrix).max() / (6 * 448)))
    blocks = matrix.reshape(len(matrix), -1, 16)
    scale = np.abs(blocks).max(axis=-1, keepdims=True) / (6 * tensor)
    scale = scale.astype(ml_dtypes.float8_e4m3fn).astype(np.float64) * tensor
    return (e2m1(np.clip(blocks / scale, -6, 6)) * scale).reshape(matrix.shape)


def bitmod4(rows, size):
    """The four value sets of each group, its scale in 8 bits under one factor a row."""
    basic = np.array([0, 0.5, 1, 1.5, 2, 3, 4, 6])
    groups = rows.reshape(len(rows), -1, size)
    values, scales = np.empty(groups.shape), np.empty(groups.shape[:2])
    least = np.full(groups.shape[:2], np.inf)
    for special in (5.0, -5.0, 8.0, -8.0):
        levels = np.unique([*basic, *-basic, special])
        scale = np.float64(np.float16(np.abs(groups).max(axis=-1) / np.abs(levels).max()))
        ratios = groups / scale[..., np.newaxis]
        chosen = levels[np.abs(ratios[..., np.newaxis] - levels).argmin(axis=-1)]
        error = np.square(chosen * scale[..., np.newaxis] - groups).sum(axis=-1)
        better = error < least
        values[better], scales[better], least[better] = chosen[better], scale[better], error[better]
    factor = scales.max(axis=1, keepdims=True) / 255
    return (values * (np.rint(scales / factor) * factor)[..., np.newaxis]).reshape(rows.shape)


def test_mx_layers_are_those_of_numpy():
    unit = make("mx_dot", lanes=8, weight="mxfp4", activation="mxfp4")
    want = mxfp4(ACTIVATIONS) @ mxfp4(WEIGHTS).T
    # fp32 rounds the sum of each of 12 blocks.
    np.testing.assert_allclose(unit.matmul(WEIGHTS, ACTIVATIONS), want, rtol=0, atol=1e-5)


def test_nvfp4_layers_are_those_of_numpy():
    unit = make("nvfp4_dot", lanes=16, weight="nvfp4", activation="nvfp4")
    want = nvfp4(ACTIVATIONS) @ nvfp4(WEIGHTS).T
    np.testing.assert_allclose(unit.matmul(WEIGHTS, ACTIVATIONS), want, rtol=0, atol=1e-5)


def test_bitmod_layers_are_those_of_numpy():
    # With as many fraction bits no shift drops a bit.
    unit = make("bitmod", lanes=4, weight="bitmod4_g64", activation="fp16", fraction_bits=30)
    scale = np.abs(ACTIVATIONS).max(axis=1, keepdims=True).astype(np.float32) / np.float32(65504)
    scale = scale.astype(np.float64)
    activations = (ACTIVATIONS / scale).astype(np.float16).astype(np.float64) * scale
    # Weights of powers of two apart have equal codes.
    want = activations @ (bitmod4(WEIGHTS * 32, 64) / 32).T
    np.testing.assert_allclose(unit.matmul(WEIGHTS, ACTIVATIONS), want, rtol=1e-6)


def test_scales_in_a_units_format():
    scales = np.array([[0.5, 0.25, 0.001, 0.0], [0.0, 0.0, 0.0, 0.0]])
    codes, factors = layers.short_scales(parse("uint8"), scales)
    # 0.25 is 127.5 steps, rounded to even; 0.001 is half a step, and not lost.
    assert codes.tolist() == [[255, 128, 1, 0], [0, 0, 0, 0]]
    assert factors.tolist() == [0.5 / 255, 0.0]
    codes, factors = layers.short_scales(parse("e4m3"), scales)
    assert parse("e4m3").decode(codes)[0, 0] == 448
    assert Fraction(factors[0]) == Fraction(0.5 / 448)


@pytest.mark.parametrize(
    ("family", "parameters", "message"),
    [
        ("integer", {"weight": "mxfp4"}, "weight=mxfp4: integer has no hardware for it"),
        ("mx_dot", {"weight": "int4_g32"}, "mx_dot takes blocks under an E8M0 scale"),
        ("mx_dot", {"weight": "mxfp4", "activation": "mxfp4_g16"}, "block_size=16 follows from"),
        ("mx_dot", {"weight": "mxfp4", "activation": "mxfp4", "block_size": 16}, "block_size=32"),
        ("mx_dot", {"weight": "mxfp4_g16", "activation": "mxfp4_g16", "block_size": 32},
         "block_size=32: the formats of mx_dot have block_size=16"),
        ("bitmod", {"weight": "uint4_g128", "activation": "fp16"}, "uint4_g128: bitmod"),
        ("rmmec", {"weight": "posit8_1"}, "posit8_1"),
        ("shift_add", {"weight": "int16_g128", "activation": "int8"}, "up to 8 bits"),
        ("nvfp4_dot", {"weight": "nvint4"}, "nvfp4_dot takes nvfp4"),
        ("lut_array", {"weight": "int4", "activation": "int8_g32"}, "takes tables of entries"),
        ("integer", {"weight": "int4_h128", "activation": "int8"}, "weight: unknown format"),
    ],
)  # fmt: skip
def test_formats_without_hardware_are_refused(family, parameters, message):
    with pytest.raises(InputError, match=message):
        make(family, **{"lanes": 4, "weight": "int8", "activation": "int8"} | parameters)


def test_block_formats_set_what_follows_from_them():
    unit = make("mx_dot", lanes=4, weight="mxfp4_g16", activation="mxfp4_g16")
    assert (unit.weight.name, unit.block_size) == ("e2m1", 16)
    assert unit.name == "mx_dot_lanes_4_weight_mxfp4_g16_activation_mxfp4_g16"
    plain = make("mx_dot", lanes=4, weight="e2m1", activation="e2m1", block_size=16)
    assert plain != unit
    other = make("mx_dot", lanes=4, weight="mxfp4_g16[scale_rule=even]", activation="mxfp4_g16")
    assert len({unit, plain, other}) == len({unit.name, plain.name, other.name}) == 3
    bitmod = make("bitmod", lanes=4, weight="bitmod3_g64", activation="fp16")
    assert (bitmod.group_size, bitmod.special_values) == (64, "fp3")


def test_bits_count_metadata():
    def bits(family, group=128, operand="weight", **parameters):
        return make(family, **parameters).bits_per_element(operand, group)

    assert bits("integer", lanes=4, weight="int4", activation="int8") == 4 + 16 / 128
    assert bits("integer", None, lanes=4, weight="int4", activation="int8") == 4
    assert bits("mx_dot", lanes=4, weight="mxfp4", activation="mxint8") == 4.25
    assert (
        bits("mx_dot", operand="activation", lanes=4, weight="mxfp4", activation="mxint8") == 8.25
    )
    # 8 bits of scale and 2 of the selector; the format's own scale has 16.
    assert bits("bitmod", lanes=4, weight="bitmod4_g64", activation="fp16") == 4 + 10 / 64
    assert bits("shift_add", lanes=4, weight="int4_asym_g64", activation="int8") == 4 + 12 / 64
    assert bits("nvfp4_dot", lanes=16) == 4.5
    assert bits("codebook", lanes=4, weight="uint3", activation="int8", table="loaded") == 3.125
    assert bits("rmmec") is None
    assert bits("rmmec", weight="posit8_0", activation="posit8_0") == 8.125


def test_quantised_tensors_are_taken_as_they_are():
    unit = make("mx_dot", lanes=8, weight="mxfp4", activation="mxint8")
    w = parse("mxfp4[scale_rule=even]").quantize(WEIGHTS)
    a = parse("mxint8").quantize(ACTIVATIONS)
    want = a.dequantize() @ w.dequantize().T
    np.testing.assert_allclose(unit.matmul(w, a), want, rtol=0, atol=1e-5)
    with pytest.raises(InputError, match="needs weight=e2m3; the unit has e2m1"):
        unit.operands(parse("mxfp6e2m3").quantize(WEIGHTS), a)
    with pytest.raises(InputError, match="quantised along the inputs"):
        unit.operands(parse("mxfp4").quantize(WEIGHTS[:1].repeat(32, axis=0), axis=0), a)


def test_shapes_are_checked():
    unit = make("integer", lanes=4, weight="int8", activation="int8")
    with pytest.raises(InputError, match="as many inputs"):
        unit.operands(WEIGHTS, ACTIVATIONS[:, 1:])
    with pytest.raises(InputError, match="weights must be a matrix"):
        unit.operands(WEIGHTS[0], ACTIVATIONS)
    with pytest.raises(InputError, match="NaN or infinity"):
        unit.operands(np.where(WEIGHTS[0, 0] == WEIGHTS, np.nan, WEIGHTS), ACTIVATIONS)
    with pytest.raises(InputError, match="without scales"):
        unit.results(replace(unit.operands(WEIGHTS, ACTIVATIONS), scales=None))
    with pytest.raises(InputError, match="beyond float64; divide them by a power of two"):
        unit.operands(WEIGHTS * 1e200, ACTIVATIONS * 1e200)


@pytest.mark.parametrize(
    ("family", "parameters", "message"),
    [
        ("bfp_dot", {"weight": "int4", "activation": "uint8", "accumulation": "fixed",
                     "scale": "int5"}, "activation=uint8: block floating point has signed"),
        ("lut_array", {"weight": "binary", "activation": "int1", "table_lanes": 4},
         "activation=int1: entries of layers"),
        ("rmmec", {}, "rmmec computes layers of one of its modes"),
    ],
)  # fmt: skip
def test_units_without_tensors_of_their_formats_say_so_before(family, parameters, message):
    unit = make(family, lanes=4, **parameters)
    assert not unit.computes_layers
    for attempt in (unit.check_layers, lambda: unit.operands(WEIGHTS, ACTIVATIONS)):
        with pytest.raises(InputError, match=message):
            attempt()


def test_short_rows_and_odd_lanes():
    weights, activations = WEIGHTS[:, :50], ACTIVATIONS[:, :50]
    for family, parameters in (
        ("integer", {"lanes": 7, "weight": "int6_g16", "activation": "int8"}),
        ("mx_dot", {"lanes": 64, "weight": "mxint8", "activation": "mxint8",
                    "accumulation": "fixed"}),
        ("shift_add", {"lanes": 4, "weight": "int4_asym_g16", "activation": "int8",
                       "scale": "fp16"}),
    ):  # fmt: skip
        unit = make(family, **parameters)
        want = quantised(unit, weights, activations)
        np.testing.assert_allclose(unit.matmul(weights, activations), want, rtol=1e-9, atol=1e-12)


def test_filling_up_needs_a_zero():
    unit = make("product_rom", lanes=5, weight="bipolar2", activation="bipolar2")
    with pytest.raises(InputError, match="neither operand has a zero"):
        unit.operands(WEIGHTS, ACTIVATIONS)
    make("product_rom", lanes=4, weight="bipolar2", activation="bipolar2").operands(
        WEIGHTS, ACTIVATIONS
    )


@pytest.mark.parametrize("inputs", [66, 130])
@pytest.mark.parametrize(
    ("family", "weight"), [("lut_tensor_core", "binary"), ("serial_add", "bipolar4")]
)
def test_the_zero_of_one_operand_fills_up_both(family, weight, inputs):
    unit = make(family, lanes=4, weight=weight, activation="int8")
    weights, activations = WEIGHTS[:, :inputs], ACTIVATIONS[:, :inputs]
    want = quantised(unit, weights, activations)
    np.testing.assert_allclose(unit.matmul(weights, activations), want, rtol=1e-9, atol=1e-12)


def test_operands_leave_room_for_sums():
    # 128 products of 448 x 448 are far beyond fp16.
    unit = make("fma", lanes=4, weight="e4m3", activation="e4m3", accumulator="fp16")
    big = np.full((2, 384), 3.0)
    got = unit.matmul(big, big)
    np.testing.assert_allclose(got, np.full((2, 2), 384 * 9.0), rtol=0.1)


def test_a_tile_takes_rows_and_columns():
    unit = make("lut_tensor_core", lanes=4, weight="int4", activation="int8", row_count=2,
                column_count=4)  # fmt: skip
    operands = unit.operands(WEIGHTS, ACTIVATIONS)
    # Two tiles of tokens, two of outputs, three groups each.
    assert (operands.count, operands.parts) == (12, 3)
    assert operands.scales.shape == (12, 2, 4)
    assert unit.results(operands).shape == (4, 2, 4)


def test_a_learnt_codebook_is_the_least_error_of_two_levels():
    values = np.array([[0.0, 1.0, 10.0, 11.0], [-2.0, -2.0, 4.0, 6.0]])
    levels, codes = learnt_codebook(values, 2)
    assert levels.tolist() == [[0.5, 10.5], [-2.0, 5.0]]
    assert codes.tolist() == [[0, 0, 1, 1], [0, 0, 1, 1]]


def test_tensor_formats_are_no_parameters_of_their_own():
    with pytest.raises(InputError, match="no parameter 'weight_tensor'"):
        make("integer", lanes=4, weight="int4", activation="int8", weight_tensor="int4_g32")
    unit = make("integer", lanes=4, weight="int4_g32", activation="int8")
    assert set(OPERANDS) < set(unit.parameters())
    assert not any(key.endswith("_tensor") for key in unit.parameters())
    with pytest.raises(InputError, match="int8"):
        replace(unit, weight="int8")


def test_what_is_wrong_is_named():
    unit = make("mx_dot", lanes=8, weight="mxfp4", activation="mxint8")
    for group in (0, "a", 1.5):
        with pytest.raises(InputError, match=r"^group"):
            unit.operands(WEIGHTS, ACTIVATIONS, group=group)
    plain = make("integer", lanes=4, weight="int4", activation="int8")
    with pytest.raises(InputError, match=r"^weights: "):
        plain.operands(None, ACTIVATIONS)
    with pytest.raises(InputError, match=r"^activations: cannot quantise"):
        plain.operands(WEIGHTS, np.full(ACTIVATIONS.shape, np.inf))
    # A block of MX may be NaN, and so is what it meets.
    spoilt = WEIGHTS.copy()
    spoilt[0, 0] = np.inf
    assert np.isnan(unit.matmul(spoilt, ACTIVATIONS)).any(axis=0).tolist() == [True] + [False] * 4


def test_a_mode_that_the_unit_has_not_is_refused():
    for given in ({"activation": "posit4_1"}, {"activation": "posit8_0", "modes": "fp4"}, {}):
        with pytest.raises(InputError, match="rmmec computes layers of one of its modes"):
            make("rmmec", weight="posit8_0", **given)
