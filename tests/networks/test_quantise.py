"""Which tensors get which format, under which scales, against the formulas written out."""

import numpy as np
import pytest

from hwsim.errors import InputError
from hwsim.formats import parse
from hwsim.networks.quantise import (
    Operand,
    RoleFormats,
    quantised_decoder,
    quantised_matrices,
    quantised_matrix,
)

from .models import decoder

X = np.random.default_rng(0).standard_normal((3, 5, 40)).astype(np.float32)


def integers(x, bits, axis):
    """Return x as symmetric integers under one fp32 scale along some axes."""
    top = 2 ** (bits - 1) - 1
    scale = (np.abs(x).max(axis=axis, keepdims=True).astype(np.float64) / top).astype(np.float32)
    return (np.rint(x / scale.astype(np.float64)) * scale).astype(np.float32)


@pytest.mark.parametrize(
    ("granularity", "axis"), [("token", -1), ("channel", -2), ("tensor", (0, 1, 2))]
)
def test_scales_of_scalar_operands(granularity, axis):
    np.testing.assert_array_equal(
        Operand(parse("int8"), granularity)(X), integers(X, 8, axis), strict=True
    )


def test_scales_of_neighbours_with_a_short_last_group():
    found = Operand(parse("int8"), 16)(X)
    for part in (slice(0, 16), slice(16, 32), slice(32, 40)):
        np.testing.assert_array_equal(found[..., part], integers(X[..., part], 8, -1))


@pytest.mark.parametrize("name", ["mxfp4", "int4_g16", "nvfp4", "bitmod4_g16"])
def test_block_formats_keep_their_own_scales(name):
    padded = np.concatenate([X, np.zeros((3, 5, 24), np.float32)], axis=-1)
    expected = parse(name).quantize(padded).dequantize()[..., :40].astype(np.float32)
    for granularity in ("token", "channel", "tensor"):
        np.testing.assert_array_equal(Operand(parse(name), granularity)(X), expected)


@pytest.mark.parametrize(
    ("granularity", "groups"),
    [(16, [(0, 16), (16, 32), (32, 40)]), ("channel", [(0, 40)])],
)
def test_weights_have_scales_of_fp16(granularity, groups):
    w = 1e-3 * X[0]
    values, bits = quantised_matrix(parse("int4"), w, granularity)
    octave = np.frexp(np.abs(w).max())[1] - 1
    for begin, end in groups:
        part = np.ldexp(w[:, begin:end], -octave)
        scale = (np.abs(part).max(axis=1, keepdims=True).astype(np.float64) / 7).astype(np.float16)
        expected = np.rint(part / scale.astype(np.float64)).clip(-8, 7) * scale.astype(np.float64)
        np.testing.assert_array_equal(values[:, begin:end], np.ldexp(expected, octave))
    assert bits == w.size * 4 + len(w) * len(groups) * 16


def test_one_scale_for_a_matrix():
    w = X[0]
    values, bits = quantised_matrix(parse("int4"), w, "tensor")
    assert len(np.unique(values)) <= 15
    assert bits == w.size * 4 + 16
    with pytest.raises(AssertionError):
        np.testing.assert_array_equal(values, quantised_matrix(parse("int4"), w, "channel")[0])


def test_bits_of_operands():
    assert Operand(parse("int8")).bits_per_element(64) == 8.5
    assert Operand(parse("int8"), "channel").bits_per_element(64) == 8
    assert Operand(parse("int4"), 16).bits_per_element(40) == 4 + 3 * 32 / 40
    assert Operand(parse("mxfp4")).bits_per_element(64) == 4.25
    assert Operand(parse("int4_g32")).bits_per_element(40) == 4 + 2 * 16 / 40
    # A scale for the tensor is of however many tokens there are.
    assert Operand(parse("nvfp4")).bits_per_element(64) == 4.5


def test_formats_of_any_role():
    assert RoleFormats(scores="uint8").scores == parse("uint8")
    assert RoleFormats(weight="float32").weight is None
    assert RoleFormats(head="int4", weight_scale=8).weight_scale == 8
    x = np.linspace(-1, 1, 64, dtype=np.float32).reshape(2, 32)
    assert Operand(parse("llm_int8"))(x).shape == x.shape


def test_roles_have_their_formats():
    formats = RoleFormats(
        weight="int4", activation="int8", kv="mxfp8e4m3", scores="uint8", head="int6",
        weight_scale="32",
        overrides={"layers.1.*": {"weight": "int8_g16"}, "*.q_proj": {"activation": None}},
    )  # fmt: skip
    assert formats.weight_of("layers.0.q_proj") == parse("int4")
    assert formats.weight_of("layers.1.q_proj") == parse("int8_g16")
    assert formats.weight_of("lm_head") == parse("int6")
    assert formats.weight_of("embedding") is None
    assert formats.operand("layers.0.q_proj") is None
    assert formats.operand("layers.0.up_proj") == Operand(parse("int8"), "token")
    assert formats.operand("layers.0.keys").format == parse("mxfp8e4m3")
    assert formats.operand("layers.0.values").format == parse("mxfp8e4m3")
    assert formats.operand("layers.0.scores") == Operand(parse("uint8"), "token")
    assert formats.operand("lm_head").format == parse("int8")
    assert RoleFormats(activation="int8").operand("lm_head") is None
    assert (
        RoleFormats(kv="int4", kv_scale="channel").operand("layers.0.keys").granularity == "channel"
    )


def test_weights_are_the_matrices_of_layers_unless_asked():
    model = decoder("llama_grouped_tied")
    found, bits = quantised_decoder(model, RoleFormats(weight="int4_g8"))
    changed = {
        name for name, tensor in found.tensors.items()
        if not np.array_equal(tensor, model.tensors[name])
    }  # fmt: skip
    assert changed == {f"{name}.weight" for name, _, _ in model.architecture.matrices()}
    assert bits == 4 + 16 / 8
    expected = quantised_matrix(parse("int4_g8"), model.tensors["layers.1.o_proj.weight"])[0]
    np.testing.assert_array_equal(found.tensors["layers.1.o_proj.weight"], expected)


def test_head_and_embedding_part_where_one_alone_has_a_format():
    model = decoder("llama_grouped_tied")
    table = model.tensors["embedding.weight"]
    head, bits = quantised_decoder(model, RoleFormats(head="int4_g8"))
    assert head.tensors["embedding.weight"] is table
    assert not np.array_equal(head.head, table)
    inner = sum(outputs * inputs for _, outputs, inputs in model.architecture.matrices())
    assert bits == (32 * inner + 6 * table.size) / (inner + table.size)
    embedding, _ = quantised_decoder(model, RoleFormats(embedding="int4_g8"))
    assert embedding.head is table
    np.testing.assert_array_equal(embedding.tensors["embedding.weight"], head.head)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"weight": "int44x"}, "int44x"),
        ({"weight": 4}, "weight=4: allowed: a format or its name"),
        ({"activation": "ifairy"}, "activation='ifairy': complex"),
        ({"kv": "int4", "kv_scale": "row"}, "kv_scale='row': allowed: token, channel, tensor, or"),
        ({"weight": "int4", "weight_scale": 0}, "weight_scale=0: allowed: channel, tensor, or"),
        ({"weight": "int4", "weight_scale": "token"}, "weight_scale='token': allowed: channel"),
        ({"weight": "mxfp4", "weight_scale": "channel"}, "weight has no scalar format"),
        ({"activation_scale": "tensor"}, "activation has no scalar format"),
        ({"weight": "uint4"}, "weight='uint4' has no negative numbers: allowed: signed formats"),
        ({"kv": "e8m0"}, "kv='e8m0' has no negative numbers"),
        ({"overrides": {"*": {"wieght": "int4"}}}, "unknown role of '\\*' 'wieght'"),
    ],
)
def test_what_is_refused(arguments, message):
    with pytest.raises(InputError, match=message):
        RoleFormats(**arguments)


def test_an_override_for_nothing_and_a_matrix_that_cannot_be_quantised_are_named():
    matrices = {"layers.0.q_proj": X[0], "layers.0.k_proj": X[1]}
    with pytest.raises(InputError, match=r"formats of 'layers\.7\.\*': no matrix matches"):
        quantised_matrices(matrices, RoleFormats(overrides={"layers.7.*": {"weight": "int4"}}))
    matrices["layers.0.k_proj"] = np.full((2, 40), np.inf, np.float32)
    with pytest.raises(InputError, match=r"weights layers\.0\.k_proj: "):
        quantised_matrices(matrices, RoleFormats(weight="int4"))
