"""Decoders from folders as Hugging Face has them: ``config.json`` and ``.safetensors``.

Which tensors there are, and what is computed with them, is in the code of a ``model_type`` and not
in its file; those in :data:`MODEL_TYPES` are known here. A key that would change the function, and
has another value than the one computed, is refused, and so is a tensor that nothing uses.

GPT-2 keeps its matrices transposed, and those of queries, keys and values in one.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from math import pi
from pathlib import Path
from typing import Any

import numpy as np

from hwsim.accelerator.models import LARGEST_DEPTH, LARGEST_POSITION, Config
from hwsim.errors import InputError
from hwsim.files import read_json
from hwsim.networks.backend import Array
from hwsim.networks.decoder import EMBEDDING, HEAD, POSITIONS, Architecture, Decoder
from hwsim.tensors.folder import CONFIG, read_float32, tensor_places, weight_files

#: A tensor of a decoder: that of the file with this name, changed by the function.
_Source = tuple[str, Callable[[Array], Array]]

_ACTIVATIONS = {
    "silu": "silu", "swish": "silu", "gelu": "gelu", "gelu_new": "gelu_tanh",
    "gelu_pytorch_tanh": "gelu_tanh", "relu": "relu",
}  # fmt: skip
_LLAMA = {
    "q_proj": "self_attn.q_proj", "k_proj": "self_attn.k_proj", "v_proj": "self_attn.v_proj",
    "o_proj": "self_attn.o_proj", "gate_proj": "mlp.gate_proj", "up_proj": "mlp.up_proj",
    "down_proj": "mlp.down_proj", "attention_norm": "input_layernorm",
    "mlp_norm": "post_attention_layernorm",
}  # fmt: skip
_OPT = {
    "q_proj": "self_attn.q_proj", "k_proj": "self_attn.k_proj", "v_proj": "self_attn.v_proj",
    "o_proj": "self_attn.out_proj", "up_proj": "fc1", "down_proj": "fc2",
    "attention_norm": "self_attn_layer_norm", "mlp_norm": "final_layer_norm",
}  # fmt: skip
_GPT2 = {
    "q_proj": "attn.c_attn", "k_proj": "attn.c_attn", "v_proj": "attn.c_attn",
    "o_proj": "attn.c_proj", "up_proj": "mlp.c_fc", "down_proj": "mlp.c_proj",
    "attention_norm": "ln_1", "mlp_norm": "ln_2",
}  # fmt: skip


@dataclass(frozen=True)
class _Type:
    """How files of a ``model_type`` call things.

    Attributes
    ----------
    architecture
        Reads the sizes.
    prefixes
        What names of tensors begin with, the one that is there; the head's has none.
    layers, parts
        Where layers are, and the parts of one.
    biases
        Reads which of these parts are matrices with a bias.
    rest
        What is outside of layers.
    tied
        Whether the head is the embedding where the file does not say.
    ignored
        Patterns of tensors that are no parameters.
    """

    architecture: Callable[[Config], Architecture]
    prefixes: tuple[str, ...]
    layers: str
    parts: Mapping[str, str]
    biases: Callable[[Config], Sequence[str]]
    rest: Mapping[str, str]
    tied: bool
    ignored: tuple[str, ...] = ()


def is_decoder(folder: Path) -> bool:
    """Whether the folder's configuration has a ``model_type`` that :func:`read` takes."""
    return read_json(folder / CONFIG).get("model_type") in MODEL_TYPES


def positions(folder: Path) -> int:
    """Return the tokens of the longest sequence; raises as :func:`read` does."""
    path = folder / CONFIG
    config = Config(path, read_json(path))
    kind = MODEL_TYPES[config.choice("model_type", tuple(MODEL_TYPES))]
    return kind.architecture(config).max_position_embeddings


def files(folder: Path) -> list[Path]:
    """Return the files that :func:`read` reads."""
    return [folder / CONFIG, *weight_files(folder)]


def read(folder: Path) -> Decoder:
    """Return the decoder of a folder.

    Raises
    ------
    InputError
        Naming file and key or tensor: what is missing, cannot be read, or is another function.
    """
    path = folder / CONFIG
    config = Config(path, read_json(path))
    kind = MODEL_TYPES[config.choice("model_type", tuple(MODEL_TYPES))]
    architecture = kind.architecture(config)
    places = tensor_places(folder)
    prefix = _prefix(folder, kind, places)
    sources = dict(_sources(kind, architecture, prefix, kind.biases(config)))
    if config.flag("tie_word_embeddings", kind.tied):
        del sources[f"{HEAD}.weight"]
        places.pop(f"{HEAD}.weight", None)
    used = {name for name, _ in sources.values()}
    for name in sorted(used - places.keys()):
        raise InputError(f"{folder}: the tensor {name!r} is missing")
    ignored = [prefix + pattern for pattern in kind.ignored]
    for name in places:
        if name not in used and not any(fnmatchcase(name, pattern) for pattern in ignored):
            raise InputError(
                f"{places[name]}: the tensor {name!r} has no place in a decoder of model_type "
                f"{architecture.model_type!r} with this configuration"
            )
    read_one = {name: read_float32(places[name], name) for name in sorted(used)}
    tensors = {ours: change(read_one[name]) for ours, (name, change) in sources.items()}
    return Decoder(architecture, tensors, str(folder))


def _prefix(folder: Path, kind: _Type, places: Mapping[str, Path]) -> str:
    embedding = f"{kind.rest[EMBEDDING]}.weight"
    found = [prefix for prefix in kind.prefixes if prefix + embedding in places]
    if not found:
        raise InputError(f"{folder}: the tensor {kind.prefixes[0] + embedding!r} is missing")
    return found[0]


def _sources(
    kind: _Type, sizes: Architecture, prefix: str, biased: Sequence[str]
) -> Iterator[tuple[str, _Source]]:
    """Yield all tensors of a decoder, and what of a file they are."""
    norms = ("norm", "attention_norm", "mlp_norm") if sizes.norm == "layer" else ()
    for ours, theirs in kind.rest.items():
        for part in ("weight", "bias") if ours in norms else ("weight",):
            yield f"{ours}.{part}", (f"{prefix}{theirs}.{part}", _same)
    for layer in range(sizes.num_hidden_layers):
        for ours, theirs in kind.parts.items():
            if ours == "gate_proj" and not sizes.gated:
                continue
            change = _gpt2_part(ours) if kind.parts is _GPT2 else _same
            name = f"{prefix}{kind.layers}.{layer}.{theirs}"
            for part in ("weight", "bias") if ours in (*norms, *biased) else ("weight",):
                yield f"layers.{layer}.{ours}.{part}", (f"{name}.{part}", change)
    yield f"{HEAD}.weight", (f"{HEAD}.weight", _same)


def _same(x: Array) -> Array:
    return x


def _gpt2_part(name: str) -> Callable[[Array], Array]:
    """Return what makes our tensor of GPT-2's: transposed, and a third of a joint one."""
    third = {"q_proj": 0, "k_proj": 1, "v_proj": 2}.get(name)

    def change(x: Array) -> Array:
        x = np.ascontiguousarray(x.T)
        if third is None:
            return x
        if len(x) % 3:
            raise InputError(f"attn.c_attn: {len(x)} outputs are no queries, keys and values")
        return np.ascontiguousarray(x[third * len(x) // 3 : (third + 1) * len(x) // 3])

    return change


def _activation(config: Config, key: str, default: str | None = None) -> str:
    return _ACTIVATIONS[config.choice(key, tuple(_ACTIVATIONS), default)]


def _only(config: Config, **values: Any) -> None:
    """Refuse keys that have another value than the one that is computed."""
    for key, value in values.items():
        if key in config and config.values[key] != value:
            raise config.wrong(key, repr(value))


def _sizes(config: Config, **names: str) -> dict[str, Any]:
    """Return the sizes that all have, by keys that a type may call otherwise."""
    keys = {
        key: config.size(names.get(key, key), most=most)
        for key, most in (
            ("hidden_size", 1 << 22), ("num_hidden_layers", LARGEST_DEPTH),
            ("num_attention_heads", 1 << 22), ("vocab_size", 1 << 28),
            ("max_position_embeddings", LARGEST_POSITION),
        )
    }  # fmt: skip
    heads = keys["num_attention_heads"]
    if "head_dim" not in config and keys["hidden_size"] % heads:
        key = names.get("num_attention_heads", "num_attention_heads")
        raise config.wrong(key, f"divisors of the hidden size, {keys['hidden_size']}")
    return {
        "model_type": config.values["model_type"],
        "head_dim": config.size("head_dim", keys["hidden_size"] // heads),
        **keys,
    }


def _llama(config: Config) -> Architecture:
    _only(config, partial_rotary_factor=1.0)
    sizes = _sizes(config)
    heads = sizes["num_attention_heads"]
    shared = config.size("num_key_value_heads", heads)
    if heads % shared:
        raise config.wrong("num_key_value_heads", f"divisors of num_attention_heads={heads}")
    windowed = config.flag("use_sliding_window", config.values["model_type"] == "mistral")
    if "sliding_window" in config and windowed:
        # Sequences that the window holds know nothing of it.
        window = config.size("sliding_window", most=LARGEST_POSITION)
        sizes["max_position_embeddings"] = min(sizes["max_position_embeddings"], window)
    return Architecture(
        **sizes,
        intermediate_size=config.size("intermediate_size"),
        num_key_value_heads=shared,
        norm="rms",
        norm_epsilon=config.number("rms_norm_eps"),
        frequencies=_frequencies(config, sizes["head_dim"]),
        activation=_activation(config, "hidden_act", "silu"),
        gated=True,
    )


def _gpt2(config: Config) -> Architecture:
    _only(
        config,
        scale_attn_weights=True,
        scale_attn_by_inverse_layer_idx=False,
        add_cross_attention=False,
    )
    sizes = _sizes(
        config, hidden_size="n_embd", num_hidden_layers="n_layer", num_attention_heads="n_head",
        max_position_embeddings="n_positions",
    )  # fmt: skip
    return Architecture(
        **sizes,
        intermediate_size=config.size("n_inner", 4 * sizes["hidden_size"]),
        num_key_value_heads=sizes["num_attention_heads"],
        norm="layer",
        norm_epsilon=config.number("layer_norm_epsilon", 1e-5),
        frequencies=None,
        activation=_activation(config, "activation_function", "gelu_new"),
        gated=False,
    )


def _opt(config: Config) -> Architecture:
    _only(
        config, do_layer_norm_before=True, layer_norm_elementwise_affine=True,
        _remove_final_layer_norm=False,
    )  # fmt: skip
    sizes = _sizes(config)
    _only(config, word_embed_proj_dim=sizes["hidden_size"])
    return Architecture(
        **sizes,
        intermediate_size=config.size("ffn_dim"),
        num_key_value_heads=sizes["num_attention_heads"],
        norm="layer",
        norm_epsilon=1e-5,
        frequencies=None,
        position_offset=2,
        activation=_activation(config, "activation_function", "relu"),
        gated=False,
    )


def _frequencies(config: Config, head_dim: int) -> tuple[float, ...]:
    """Return the frequencies of rotary positions, scaled as the file says."""
    if head_dim % 2:
        raise config.wrong("head_dim", "even numbers, whose halves are pairs")
    # Newer files have all in ``rope_parameters``, older ones the base beside ``rope_scaling``.
    key = "rope_parameters" if "rope_parameters" in config else "rope_scaling"
    values = config.values.get(key) or {}
    if not isinstance(values, dict):
        raise config.wrong(key, "an object")
    scaling = Config(config.path, values)
    base = (scaling if "rope_theta" in scaling else config).number("rope_theta", 10000.0)
    plain = base ** (-np.arange(0, head_dim, 2) / head_dim)
    kinds = ("default", "linear", "llama3")
    match scaling.choice("type" if "type" in scaling else "rope_type", kinds, "default"):
        case "linear":
            plain = plain / scaling.number("factor")
        case "llama3":
            plain = _llama3(scaling, plain)
    _only(scaling, partial_rotary_factor=1.0)
    return tuple(plain.tolist())


def _llama3(scaling: Config, plain: np.ndarray[Any, np.dtype[np.float64]]) -> Any:
    """Return frequencies of which the low ones are divided, those between in part (Llama 3.1)."""
    factor, low, high = (
        scaling.number(key) for key in ("factor", "low_freq_factor", "high_freq_factor")
    )
    length = scaling.size("original_max_position_embeddings", most=LARGEST_POSITION)
    if not low < high:
        raise scaling.wrong("low_freq_factor", f"numbers below high_freq_factor={high}")
    turns = length * plain / (2 * pi)
    share = np.clip((turns - low) / (high - low), 0.0, 1.0)
    return (1 - share) * plain / factor + share * plain


def _llama_biases(config: Config) -> Sequence[str]:
    attention = ("q_proj", "k_proj", "v_proj")
    if config.values["model_type"] == "qwen2":
        return attention
    chosen = (*attention, "o_proj") if config.flag("attention_bias", False) else ()
    gated = ("gate_proj", "up_proj", "down_proj") if config.flag("mlp_bias", False) else ()
    return *chosen, *gated


def _all_biases(config: Config) -> Sequence[str]:
    """Return all matrices; OPT's have biases unless a key says otherwise."""
    return _MATRICES if config.flag("enable_bias", True) else ()


_MATRICES = ("q_proj", "k_proj", "v_proj", "o_proj", "up_proj", "down_proj")
_REST = {EMBEDDING: "embed_tokens", "norm": "norm"}
_LLAMA_TYPE = _Type(
    _llama, ("model.", ""), "layers", _LLAMA, _llama_biases, _REST, tied=False,
    ignored=("layers.*.self_attn.rotary_emb.inv_freq",),
)  # fmt: skip
#: The values of ``model_type`` that are read.
MODEL_TYPES = {
    "gpt2": _Type(
        _gpt2, ("transformer.", ""), "h", _GPT2, lambda config: _MATRICES,
        {EMBEDDING: "wte", POSITIONS: "wpe", "norm": "ln_f"}, tied=True,
        ignored=("h.*.attn.bias", "h.*.attn.masked_bias"),
    ),
    "llama": _LLAMA_TYPE,
    "mistral": _LLAMA_TYPE,
    "opt": _Type(
        _opt, ("model.decoder.", "decoder."), "layers", _OPT, _all_biases,
        {EMBEDDING: "embed_tokens", POSITIONS: "embed_positions", "norm": "final_layer_norm"},
        tied=True,
    ),
    "qwen2": _LLAMA_TYPE,
}  # fmt: skip
