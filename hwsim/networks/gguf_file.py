"""Decoders and their tokenisers from GGUF files, as llama.cpp has them.

One file has the sizes, the vocabulary and the tensors, in formats of its own (``Q4_1``: groups of
32 under a scale and a minimum), all of which the library ``gguf`` makes float32 of.

llama.cpp turns neighbouring numbers of queries and keys of the architecture ``llama`` where
Hugging Face turns number i with number i + half. So the rows of its matrices lie in another order
in these files; here they are put back.

Source: the GGUF specification and ``convert_hf_to_gguf.py`` of llama.cpp.
"""

from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from hwsim.accelerator.models import LARGEST_DEPTH, LARGEST_POSITION, Config
from hwsim.errors import InputError
from hwsim.files import reason
from hwsim.networks.backend import Array
from hwsim.networks.decoder import EMBEDDING, HEAD, POSITIONS, Architecture, Decoder

SUFFIX = ".gguf"
#: Values of ``general.architecture`` that are read.
ARCHITECTURES = ("gpt2", "llama", "qwen2")

_REST = {
    "token_embd": EMBEDDING, "position_embd": POSITIONS, "output_norm": "norm", "output": HEAD,
}  # fmt: skip
_PARTS = {
    "attn_q": "q_proj", "attn_k": "k_proj", "attn_v": "v_proj", "attn_output": "o_proj",
    "ffn_gate": "gate_proj", "ffn_up": "up_proj", "ffn_down": "down_proj",
    "attn_norm": "attention_norm", "ffn_norm": "mlp_norm",
}  # fmt: skip
#: Queries, keys and values in one; divisors of rotary frequencies.
_JOINT, _DIVISORS = "attn_qkv", "rope_freqs.weight"


def read(path: Path) -> Decoder:
    """Return the decoder of a file.

    Raises
    ------
    InputError
        Naming file and key or tensor: what is missing, cannot be read, or is another function.
    """
    reader = _open(path)
    config = Config(path, _Metadata(reader))
    kind = config.choice("general.architecture", ARCHITECTURES)
    found = {tensor.name: tensor for tensor in reader.tensors}
    divisors = _dequantised(path, found.pop(_DIVISORS)) if _DIVISORS in found else None
    architecture = _architecture(config, kind, found, divisors)
    tensors: dict[str, Array] = {}
    for name, tensor in found.items():
        for ours, change in _places(name, architecture):
            tensors[ours] = change(_dequantised(path, tensor))
    _check_biases(path, architecture, tensors)
    return Decoder(architecture, tensors, str(path))


def _check_biases(path: Path, sizes: Architecture, tensors: Mapping[str, Array]) -> None:
    """Refuse biases that are missing: Qwen's and GPT-2's are known, Llama's are all or none."""
    always = {
        "qwen2": {"q_proj", "k_proj", "v_proj"},
        "gpt2": {"q_proj", "k_proj", "v_proj", "o_proj", "up_proj", "down_proj"},
    }.get(sizes.model_type, set())
    names = [name for name, _, _ in sizes.matrices()]
    biased = always | {name.split(".")[2] for name in names if f"{name}.bias" in tensors}
    for name in names:
        _, layer, part = name.split(".")
        if part in biased and f"{name}.bias" not in tensors:
            theirs = next(key for key, ours in _PARTS.items() if ours == part)
            raise InputError(f"{path}: the tensor 'blk.{layer}.{theirs}.bias' is missing")


def positions(path: Path) -> int:
    """Return the tokens of the longest sequence; raises as :func:`read` does."""
    config = metadata(path)
    kind = config.choice("general.architecture", ARCHITECTURES)
    return config.size(f"{kind}.context_length", most=LARGEST_POSITION)


def metadata(path: Path) -> Config:
    """Return the metadata of a file; raises as :func:`read` does."""
    return Config(path, _Metadata(_open(path)))


class _Metadata(Mapping[str, Any]):
    """Metadata by key, each taken from the file when it is asked for."""

    def __init__(self, reader: Any) -> None:
        self._fields = reader.fields

    def __getitem__(self, key: str) -> Any:
        return self._fields[key].contents()

    def __iter__(self) -> Iterator[str]:
        return iter(self._fields)

    def __len__(self) -> int:
        return len(self._fields)


def _open(path: Path) -> Any:
    """Return the reader of a file, which decoder and tokeniser share."""
    try:
        status = path.stat()
        return _reader(path, status.st_mtime_ns, status.st_size)
    # Whatever a damaged file makes of lengths and offsets.
    except Exception as error:
        raise InputError(
            f"{path}: cannot be read as GGUF, and may be cut off: {reason(error)}"
        ) from None


@lru_cache(maxsize=1)
def _reader(path: Path, changed: int, size: int) -> Any:
    from gguf import GGUFReader

    return GGUFReader(path)


def _dequantised(path: Path, tensor: Any) -> Array:
    from gguf import dequantize

    try:
        array = np.asarray(dequantize(tensor.data, tensor.tensor_type), np.float32)
    except (NotImplementedError, ValueError) as error:
        raise InputError(f"{path}: tensor {tensor.name!r}: {reason(error)}") from None
    if not np.isfinite(array).all():
        raise InputError(f"{path}: tensor {tensor.name!r} must be finite numbers")
    return array


def _architecture(
    config: Config, kind: str, tensors: dict[str, Any], divisors: Array | None
) -> Architecture:
    def size(key: str, default: int | None = None, most: int = 1 << 22) -> int:
        return config.size(f"{kind}.{key}", default, most)

    if "token_embd.weight" not in tensors:
        raise InputError(f"{config.path}: the tensor 'token_embd.weight' is missing")
    if size("expert_count", 1) > 1:
        raise config.wrong(f"{kind}.expert_count", "no experts")
    hidden, heads = size("embedding_length"), size("attention.head_count")
    if hidden % heads:
        raise config.wrong(f"{kind}.attention.head_count", f"divisors of {hidden}")
    head_dim = size("attention.key_length", hidden // heads)
    shared = size("attention.head_count_kv", heads)
    if heads % shared:
        raise config.wrong(f"{kind}.attention.head_count_kv", f"divisors of {heads}")
    rotary = kind != "gpt2"
    epsilon = "layer_norm_rms_epsilon" if rotary else "layer_norm_epsilon"
    return Architecture(
        model_type=kind,
        hidden_size=hidden,
        intermediate_size=size("feed_forward_length"),
        num_hidden_layers=size("block_count", most=LARGEST_DEPTH),
        num_attention_heads=heads,
        num_key_value_heads=shared,
        head_dim=head_dim,
        vocab_size=int(tensors["token_embd.weight"].shape[-1]),
        max_position_embeddings=size("context_length", most=LARGEST_POSITION),
        norm="rms" if rotary else "layer",
        norm_epsilon=config.number(f"{kind}.attention.{epsilon}"),
        frequencies=_frequencies(config, kind, head_dim, divisors) if rotary else None,
        activation="silu" if rotary else "gelu_tanh",
        gated=rotary,
    )


def _frequencies(
    config: Config, kind: str, head_dim: int, divisors: Array | None
) -> tuple[float, ...]:
    if config.size(f"{kind}.rope.dimension_count", head_dim) != head_dim or head_dim % 2:
        raise config.wrong(f"{kind}.rope.dimension_count", f"{head_dim}, all of a head, and even")
    base = config.number(f"{kind}.rope.freq_base", 10000.0)
    plain = base ** (-np.arange(0, head_dim, 2) / head_dim)
    scaling = f"{kind}.rope.scaling"
    if config.choice(f"{scaling}.type", ("none", "linear"), "none") == "linear":
        plain = plain / config.number(f"{scaling}.factor")
    if divisors is not None:
        if divisors.shape != plain.shape or not (divisors > 0).all():
            raise InputError(
                f"{config.path}: tensor {_DIVISORS!r}: allowed: {len(plain)} positive numbers"
            )
        plain = plain / divisors
    return tuple(plain.tolist())


def _places(name: str, sizes: Architecture) -> Iterator[tuple[str, Callable[[Array], Array]]]:
    """Yield which tensors of a decoder one of a file is, and what makes them of it."""
    module, _, part = name.rpartition(".")
    block, _, module_of_layer = module.rpartition(".")
    if module in _REST:
        yield f"{_REST[module]}.{part}", np.array
        return
    layer = block.removeprefix("blk.")
    if module_of_layer == _JOINT:
        size = sizes.num_attention_heads * sizes.head_dim
        for index, ours in enumerate(("q_proj", "k_proj", "v_proj")):
            yield f"layers.{layer}.{ours}.{part}", _rows(index * size, size)
    elif module_of_layer in _PARTS:
        ours = _PARTS[module_of_layer]
        yield f"layers.{layer}.{ours}.{part}", _halved(sizes, module_of_layer)
    else:
        yield name, np.array  # The decoder refuses it by the name that it has in the file.


def _rows(first: int, count: int) -> Callable[[Array], Array]:
    return lambda x: np.array(x[first : first + count])


def _halved(sizes: Architecture, module: str) -> Callable[[Array], Array]:
    """Return what puts the rows of rotated heads into the order of halves."""
    heads = {"attn_q": sizes.num_attention_heads, "attn_k": sizes.num_key_value_heads}.get(module)
    if heads is None or sizes.model_type != "llama":
        return np.array

    def change(x: Array) -> Array:
        pairs = x.reshape(heads, sizes.head_dim // 2, 2, *x.shape[1:])
        return np.ascontiguousarray(pairs.swapaxes(1, 2)).reshape(x.shape)

    return change
