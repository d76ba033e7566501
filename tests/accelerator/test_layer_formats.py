"""Formats of the tensors of a network, for all layers and for some."""

import pytest

from hwsim.accelerator.layer_formats import LayerFormats
from hwsim.accelerator.workload import workload
from hwsim.errors import InputError
from hwsim.formats import parse

PROMPT = workload("smollm2-135m", "prefill", tokens=16).gemms


def chosen(formats, gemms=PROMPT):
    """Return the formats of activations, second operand and results by name in every layer."""
    return {
        name: (str(part.activation), str(part.stationary), str(part.result))
        for part in formats.assign(gemms)
        for name in part.gemm.names
    }


def test_one_choice_holds_for_the_whole_network():
    found = chosen(LayerFormats("int4_g128", "fp16", "int8"))
    assert found["layers.0.q_proj"] == ("fp16", "int4_g128", "fp16")
    assert found["layers.29.k_proj"] == ("fp16", "int4_g128", "int8")
    assert found["layers.29.v_proj"] == ("fp16", "int4_g128", "int8")
    assert found["layers.5.qk"] == ("fp16", "int8", "fp16")
    assert found["layers.5.av"] == ("fp16", "int8", "fp16")
    assert found["lm_head"] == ("fp16", "int4_g128", "fp16")


def test_nothing_is_split_without_need():
    formats = LayerFormats("int4_g128", "fp16", overrides={"mlp": {"weight": "mxfp4"}})
    assert tuple(part.gemm for part in formats.assign(PROMPT)) == PROMPT


def test_the_cache_is_as_activations_are_unless_it_is_said():
    found = chosen(LayerFormats("int4_g128", "fp16", overrides={"*.qk": {"activation": "e4m3"}}))
    assert found["layers.0.av"][1] == "fp16"
    assert found["layers.0.qk"] == ("e4m3", "e4m3", "e4m3")
    assert found["layers.0.k_proj"][2] == "e4m3"


def test_groups_and_patterns_replace_it():
    formats = LayerFormats(
        "int4_g128",
        "fp16",
        "int8",
        {
            "lm_head": {"weight": "int8"},
            "mlp": {"weight": "mxfp4", "activation": "mxfp8e4m3"},
            "layers.0.*": {"weight": "fp16"},
            "*.down_proj": {"activation": "fp16"},
        },
    )
    found = chosen(formats)
    assert found["lm_head"][1] == "int8"
    assert found["layers.3.up_proj"] == ("mxfp8e4m3", "mxfp4", "mxfp8e4m3")
    assert found["layers.3.down_proj"] == ("fp16", "mxfp4", "fp16")
    # The later one counts.
    assert found["layers.0.up_proj"] == ("mxfp8e4m3", "fp16", "mxfp8e4m3")
    assert found["layers.3.q_proj"][1] == "int4_g128"


def test_layers_are_split_and_none_is_lost():
    formats = LayerFormats("int4_g128", "fp16", overrides={"layers.[05].*": {"weight": "int8"}})
    parts = [part for part in formats.assign(PROMPT) if part.gemm.name.endswith("q_proj")]
    assert [(len(p.gemm.layers), p.gemm.count, str(p.stationary)) for p in parts] == [
        (2, 2, "int8"),
        (28, 28, "int4_g128"),
    ]
    assert parts[0].gemm.layers == (0, 5)
    total = sum(part.gemm.macs for part in formats.assign(PROMPT))
    assert total == sum(gemm.macs for gemm in PROMPT)


def test_keys_and_values_are_written_as_they_are_read():
    overrides = {"attention_scores": {"kv_cache": "int4"}, "layers.1.av": {"kv_cache": "int2"}}
    found = chosen(LayerFormats("int4_g128", "fp16", "int8", overrides))
    assert found["layers.7.qk"][1] == found["layers.7.k_proj"][2] == "int4"
    assert found["layers.1.av"][1] == found["layers.1.v_proj"][2] == "int2"
    assert found["layers.7.av"][1] == found["layers.7.v_proj"][2] == "int8"


def test_decoding_has_the_same_formats_at_every_length():
    gemms = workload("smollm2-135m", "decode", context=16, tokens=3).gemms
    overrides = {"layers.0.*": {"kv_cache": "int4"}}
    parts = LayerFormats("int4_g128", "fp16", "int8", overrides).assign(gemms)
    lengths = [part.gemm.n for part in parts if part.gemm.group == "attention_scores"]
    assert lengths == [16, 16, 17, 17, 18, 18]
    assert sum(part.gemm.macs for part in parts) == sum(gemm.macs for gemm in gemms)


def test_formats_are_taken_as_such_and_by_name():
    formats = LayerFormats(parse("int4_g128"), parse("fp16"), overrides={"mlp": {"weight": "int8"}})
    assert formats.weight == parse("int4_g128")
    assert formats.overrides == {"mlp": {"weight": parse("int8")}}


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"ml": {"weight": "int8"}}, "formats of 'ml': no matrix product matches; did you .*'mlp'"),
        ({"experts": {"weight": "int8"}}, "'experts': no matrix product matches"),
        ({"layers.30.*": {"weight": "int8"}}, "'layers.30.*': no matrix product matches"),
        ({"q_proj": {"weight": "int8"}}, "mean 'layers.*.q_proj'"),
        ({"qk": {"kv_cache": "int8"}}, "'qk': no matrix product matches; there are attention_proj"),
        (
            {"*.q_proj": {"kv_cache": "int8"}},
            r"\*.q_proj': kv_cache: no operand of layers.\*.q_proj is one; allowed: activ.*weight",
        ),
        ({"attention_values": {"weight": "int8"}}, "weight: no operand .* allowed: .*kv_cache"),
    ],
)
def test_overrides_that_hold_for_nothing_are_refused(overrides, message):
    formats = LayerFormats("int4_g128", "fp16", overrides=overrides)
    with pytest.raises(InputError, match=message):
        formats.assign(PROMPT)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("itn4", "fp16"), "weight: .*'itn4'.*int4"),
        (("int4", 16), "activation=16: allowed: scalar and block formats"),
        (("int4", "fp16", "ifairy"), "kv_cache='ifairy': allowed: scalar and block formats"),
        (("int4", "fp16", None, ["mlp"]), r"overrides=\['mlp'\]: allowed: a mapping"),
        (("int4", "fp16", None, {"mlp": "int8"}), "overrides of 'mlp'='int8': allowed: a mapping"),
        (("int4", "fp16", None, {"mlp": {"weights": "int8"}}), "unknown tensor of 'mlp' 'weights'"),
        (("int4", "fp16", None, {"mlp": {"weight": "itn4"}}), "mlp: weight: .*itn4"),
    ],
)
def test_unknown_formats_and_tensors_are_refused(arguments, message):
    with pytest.raises(InputError, match=message):
        LayerFormats(*arguments)
