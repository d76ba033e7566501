"""The forward pass of a decoder in float32, with a quantiser wherever hardware has one.

Two kinds are one class. *Llama's* has root-mean-square norms, positions as rotations of queries and
keys, several heads of queries to one of keys and values, and a gated feed-forward part. *GPT-2's*
and OPT's has norms with mean and bias, a table of positions, and two matrices to a feed-forward
part. A sequence is one array [tokens, hidden]; nothing is kept from one to the next.

Tensors have names of their own, whatever file they come from: ``layers.0.q_proj.weight`` [outputs,
inputs], and so on for ``k_proj``, ``v_proj``, ``o_proj``, ``gate_proj`` (in gated parts),
``up_proj``, ``down_proj``, each with an optional ``bias``; ``layers.0.attention_norm``,
``layers.0.mlp_norm`` and ``norm``; ``embedding.weight``, ``positions.weight``, and
``lm_head.weight`` unless it is the embedding, with an optional ``bias``. Names of matrices are
those of :mod:`hwsim.accelerator.workload`.

What is multiplied has a name, too: the input of a matrix has the matrix' name,
``layers.0.q_proj`` or ``lm_head``; ``layers.0.keys`` (after the rotation) and ``layers.0.values``
are what a cache holds, ``layers.0.scores`` what the softmax gives.

Sources: Touvron et al., Llama, 2023; Su et al., RoFormer, 2021; Ainslie et al., grouped-query
attention, 2023; Radford et al., GPT-2, 2019; Zhang et al., OPT, 2022.
"""

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from hwsim.accelerator.models import Transformer
from hwsim.errors import InputError
from hwsim.networks import backend
from hwsim.networks.backend import Array

#: Returns an array as hardware holds it; the last axis is that of the sum.
Quantiser = Callable[[Array], Array]
#: Returns the quantiser of an operand by its name, or None for float32.
Operands = Callable[[str], Quantiser | None]
#: Is told the name of a matrix and its input, before it is quantised.
Capture = Callable[[str, Array], None]

HEAD, EMBEDDING, POSITIONS = "lm_head", "embedding", "positions"
#: The norm that each matrix of a layer reads from; others write hidden states.
READ_NORMS = {
    "q_proj": "attention_norm", "k_proj": "attention_norm", "v_proj": "attention_norm",
    "gate_proj": "mlp_norm", "up_proj": "mlp_norm",
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Architecture:
    """The sizes of a decoder and which functions it has.

    Attributes
    ----------
    model_type
        As configuration files name it.
    num_key_value_heads
        A divisor of ``num_attention_heads``.
    max_position_embeddings
        Tokens of the longest sequence.
    norm, norm_epsilon
        ``rms``, or ``layer`` with mean and bias; what is added to the mean square.
    frequencies
        Of rotary positions, in radians a position, one for each pair of a head's numbers; None for
        a table of positions.
    position_offset
        Row of that table for the first token.
    activation
        A name of :data:`hwsim.networks.backend.ACTIVATIONS`.
    gated
        Whether the feed-forward part has a gate.
    """

    model_type: str
    hidden_size: int
    intermediate_size: int
    num_hidden_layers: int
    num_attention_heads: int
    num_key_value_heads: int
    head_dim: int
    vocab_size: int
    max_position_embeddings: int
    norm: Literal["rms", "layer"]
    norm_epsilon: float
    frequencies: tuple[float, ...] | None
    position_offset: int = 0
    activation: str
    gated: bool

    def sizes(self, name: str) -> Transformer:
        """Return what :func:`hwsim.accelerator.workload.workload` counts products of."""
        return Transformer(
            name=name,
            causal=True,
            gated=self.gated,
            hidden_size=self.hidden_size,
            intermediate_size=self.intermediate_size,
            num_hidden_layers=self.num_hidden_layers,
            num_attention_heads=self.num_attention_heads,
            num_key_value_heads=self.num_key_value_heads,
            head_dim=self.head_dim,
            vocab_size=self.vocab_size,
            max_position_embeddings=self.max_position_embeddings,
        )

    def matrices(self) -> Iterator[tuple[str, int, int]]:
        """Yield name, outputs and inputs of every matrix of the layers, in the order of use."""
        hidden, middle = self.hidden_size, self.intermediate_size
        queries = self.num_attention_heads * self.head_dim
        shared = self.num_key_value_heads * self.head_dim
        sizes = [
            ("q_proj", queries, hidden), ("k_proj", shared, hidden), ("v_proj", shared, hidden),
            ("o_proj", hidden, queries), *([("gate_proj", middle, hidden)] if self.gated else []),
            ("up_proj", middle, hidden), ("down_proj", hidden, middle),
        ]  # fmt: skip
        for layer in range(self.num_hidden_layers):
            for name, outputs, inputs in sizes:
                yield f"layers.{layer}.{name}", outputs, inputs

    def norms(self) -> Iterator[str]:
        """Yield the name of every norm."""
        for layer in range(self.num_hidden_layers):
            yield from (f"layers.{layer}.attention_norm", f"layers.{layer}.mlp_norm")
        yield "norm"

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Return the shapes of all tensors that must be there."""
        hidden = self.hidden_size
        found: dict[str, tuple[int, ...]] = {f"{EMBEDDING}.weight": (self.vocab_size, hidden)}
        if self.frequencies is None:
            rows = self.max_position_embeddings + self.position_offset
            found[f"{POSITIONS}.weight"] = (rows, hidden)
        found |= {f"{m}.weight": (outputs, inputs) for m, outputs, inputs in self.matrices()}
        parts = ("weight",) if self.norm == "rms" else ("weight", "bias")
        return found | {f"{name}.{part}": (hidden,) for name in self.norms() for part in parts}

    def optional_shapes(self) -> dict[str, tuple[int, ...]]:
        """Return the shapes of tensors that may be there."""
        found = {f"{name}.bias": (outputs,) for name, outputs, _ in self.matrices()}
        rows = self.vocab_size
        return {**found, f"{HEAD}.weight": (rows, self.hidden_size), f"{HEAD}.bias": (rows,)}


class Decoder:
    """A decoder.

    Parameters
    ----------
    architecture
        Sizes and functions.
    tensors
        float32 arrays by name, see the module. Without ``lm_head.weight`` the head is the
        embedding.
    name
        What messages call it.

    Raises
    ------
    InputError
        For a tensor that is missing, of another shape, or not of this architecture.
    """

    def __init__(
        self, architecture: Architecture, tensors: Mapping[str, Array], name: str = "decoder"
    ) -> None:
        self.architecture, self.tensors, self.name = architecture, dict(tensors), name
        needed = architecture.shapes()
        allowed = {**needed, **architecture.optional_shapes()}
        if missing := [key for key in needed if key not in self.tensors]:
            raise InputError(f"{name}: the tensor {missing[0]!r} is missing")
        for key, tensor in self.tensors.items():
            if key not in allowed:
                raise InputError(
                    f"{name}: the tensor {key!r} has no place in {architecture.model_type!r}"
                )
            if tuple(tensor.shape) != allowed[key]:
                raise InputError(
                    f"{name}: tensor {key!r} must be of shape {allowed[key]}, "
                    f"not {tuple(tensor.shape)}"
                )

    @property
    def head(self) -> Array:
        """The weight of the language-model head, [vocabulary, hidden]."""
        return self.tensors.get(f"{HEAD}.weight", self.tensors[f"{EMBEDDING}.weight"])

    def replaced(self, tensors: Mapping[str, Array]) -> "Decoder":
        """Return this decoder with some other tensors; the rest is shared."""
        return Decoder(self.architecture, {**self.tensors, **tensors}, self.name)

    def on(self, device: str) -> "Decoder":
        """Return this decoder with torch tensors on a device, such as ``cuda``.

        Raises
        ------
        MissingToolError
            If torch is not installed.
        InputError
            For a device that is not there.
        """
        return Decoder(self.architecture, backend.on(device, self.tensors), self.name)

    def hidden(
        self,
        tokens: ArrayLike,
        operands: Operands = lambda name: None,
        capture: Capture | None = None,
        after: tuple[int, Array] | None = None,
    ) -> Array:
        """Return what the head multiplies, [tokens, hidden], of one sequence.

        Parameters
        ----------
        tokens
            Numbers of tokens, at least one.
        operands
            The quantiser of each operand, by the names that the module lists. Inputs of several
            matrices with one quantiser are quantised once.
        capture
            Is given the input of every matrix, but the head's.
        after
            A number of layers, and what :meth:`states` returned of them: these are not computed
            again.

        Raises
        ------
        InputError
            For no tokens, more than the model takes, or tokens that it does not know; and for an
            operand that cannot be quantised, by its name.
        """
        numbers = self._checked(tokens)
        done = _Pass(self, len(numbers), operands, capture)
        first, hidden = (0, done.embed(numbers)) if after is None else after
        (last,) = deque(chain([hidden], done.layers(first, hidden)), maxlen=1)
        return done.norm("norm", last)

    def states(self, tokens: ArrayLike) -> list[Array]:
        """Return what each layer adds to, [tokens, hidden], before the first and after each."""
        numbers = self._checked(tokens)
        done = _Pass(self, len(numbers), lambda name: None, None)
        first = done.embed(numbers)
        return [first, *done.layers(0, first)]

    def logits(self, hidden: Array, operands: Operands = lambda name: None) -> Array:
        """Return the head's outputs [tokens, vocabulary] of what :meth:`hidden` returned."""
        product = _quantised(HEAD, hidden, operands(HEAD)) @ self.head.T
        bias = self.tensors.get(f"{HEAD}.bias")
        return product if bias is None else product + bias

    def _checked(self, tokens: ArrayLike) -> Sequence[int]:
        numbers = np.asarray(tokens)
        most = self.architecture.max_position_embeddings
        if numbers.ndim != 1 or numbers.dtype.kind not in "iu" or not 1 <= len(numbers) <= most:
            raise InputError(
                f"{self.name}: tokens of shape {numbers.shape}: allowed: a sequence of 1 to {most} "
                "whole numbers"
            )
        vocabulary = self.architecture.vocab_size
        if numbers.min() < 0 or numbers.max() >= vocabulary:
            raise InputError(
                f"{self.name}: token {int(numbers.max())}: allowed: 0 to {vocabulary - 1}"
            )
        return [int(number) for number in numbers]


class _Pass:
    """One sequence on its way through a decoder."""

    def __init__(
        self, decoder: Decoder, length: int, operands: Operands, capture: Capture | None
    ) -> None:
        self.sizes, self.tensors = decoder.architecture, decoder.tensors
        self.operands, self.capture = operands, capture
        self.backend = backend.of(decoder.head)
        frequencies = self.sizes.frequencies
        self.table = None
        if frequencies is not None:
            angles = np.arange(length)[:, np.newaxis] * np.asarray(frequencies, np.float64)
            self.table = tuple(
                self.backend.array(one(angles), decoder.head) for one in (np.cos, np.sin)
            )
        self.activation = self.backend.ACTIVATIONS[self.sizes.activation]

    def embed(self, tokens: Sequence[int]) -> Array:
        hidden = self.tensors[f"{EMBEDDING}.weight"][tokens]
        if self.table is None:
            first = self.sizes.position_offset
            hidden = hidden + self.tensors[f"{POSITIONS}.weight"][first : first + len(tokens)]
        return hidden

    def layers(self, first: int, hidden: Array) -> Iterator[Array]:
        """Yield what each layer from the first on leaves."""
        for layer in range(first, self.sizes.num_hidden_layers):
            name = f"layers.{layer}"
            hidden = hidden + self._attention(name, self.norm(f"{name}.attention_norm", hidden))
            hidden = hidden + self._feed_forward(name, self.norm(f"{name}.mlp_norm", hidden))
            yield hidden

    def norm(self, name: str, x: Array) -> Array:
        gain, epsilon = self.tensors[f"{name}.weight"], self.sizes.norm_epsilon
        if self.sizes.norm == "rms":
            return self.backend.rms_norm(x, gain, epsilon)
        return self.backend.layer_norm(x, gain, self.tensors[f"{name}.bias"], epsilon)

    def _linear(self, layer: str, names: Sequence[str], x: Array) -> list[Array]:
        """Return the products of several matrices of a layer with the same input."""
        done: dict[Quantiser | None, Array] = {}
        products = []
        for name in (f"{layer}.{name}" for name in names):
            if self.capture is not None:
                self.capture(name, x)
            quantise = self.operands(name)
            if quantise not in done:
                done[quantise] = _quantised(name, x, quantise)
            product = done[quantise] @ self.tensors[f"{name}.weight"].T
            bias = self.tensors.get(f"{name}.bias")
            products.append(product if bias is None else product + bias)
        return products

    def _attention(self, layer: str, x: Array) -> Array:
        length, size = len(x), self.sizes.head_dim
        shared = self.sizes.num_key_value_heads
        query, key, value = self._linear(layer, ("q_proj", "k_proj", "v_proj"), x)
        # Heads of queries lie beside each other where they share a head of keys.
        query = self.backend.permute(query.reshape(length, shared, -1, size), 1, 2, 0, 3)
        key, value = (
            self.backend.permute(one.reshape(length, shared, size), 1, 0, 2) for one in (key, value)
        )
        if self.table is not None:
            query, key = (self.backend.rotate_pairs(one, self.table) for one in (query, key))
        key = self._held(f"{layer}.keys", key)
        value = self._held(f"{layer}.values", value)
        scores = query.reshape(shared, -1, size) @ self.backend.permute(key * size**-0.5, 0, 2, 1)
        weights = self.backend.causal_softmax(scores.reshape(shared, -1, length, length))
        weights = self._held(f"{layer}.scores", weights)
        mixed = (weights.reshape(shared, -1, length) @ value).reshape(shared, -1, length, size)
        return self._linear(
            layer, ("o_proj",), self.backend.permute(mixed, 2, 0, 1, 3).reshape(length, -1)
        )[0]

    def _feed_forward(self, layer: str, x: Array) -> Array:
        if self.sizes.gated:
            gate, inner = self._linear(layer, ("gate_proj", "up_proj"), x)
            inner = self.activation(gate) * inner
        else:
            inner = self.activation(self._linear(layer, ("up_proj",), x)[0])
        return self._linear(layer, ("down_proj",), inner)[0]

    def _held(self, name: str, x: Array) -> Array:
        return _quantised(name, x, self.operands(name))


def _quantised(name: str, x: Array, quantise: Quantiser | None) -> Array:
    try:
        return quantise(x) if quantise else x
    except InputError as error:
        raise InputError(f"operand {name}: {error}") from None
