"""What formats cost an encoder in its embeddings of sentences.

An embedding is the mean of the last hidden states over all tokens, of length 1, as MiniLM's are
used. Two figures: the cosine between a sentence's embedding in the formats and in float32, and the
rank correlation (Spearman's) of the similarities of all pairs of sentences, which is what a search
is made of.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import spearmanr

from hwsim.errors import InputError
from hwsim.formats.base import Float64
from hwsim.networks.decoder import Quantiser
from hwsim.networks.quantise import RoleFormats, mean_bits, quantised_matrices
from hwsim.tensors.transformer import MATRICES, Encoder

#: The sentences that are taken where none are given: pairs about one thing, and other things.
SENTENCES = Path(__file__).with_name("sentences.txt")

#: Our names of a layer's matrices.
_NAMES = dict(
    zip(MATRICES, ("q_proj", "k_proj", "v_proj", "o_proj", "up_proj", "down_proj"), strict=True)
)


@dataclass(frozen=True)
class EmbeddingAccuracy:
    """Embeddings of an encoder in some formats, against those in float32.

    Attributes
    ----------
    embedding_cosine, embedding_cosine_min
        Mean and smallest cosine between the two embeddings of a sentence.
    rank_correlation
        Of the similarities of all pairs.
    sentences
        How many there are.
    weight_bits_per_element, activation_bits_per_element, kv_bits_per_element
        As for :class:`hwsim.networks.accuracy.Accuracy`.
    """

    embedding_cosine: float
    embedding_cosine_min: float
    rank_correlation: float
    sentences: int
    weight_bits_per_element: float
    activation_bits_per_element: float
    kv_bits_per_element: float

    def to_dict(self) -> dict[str, Any]:
        """Return the figures by name."""
        return asdict(self)


def lines(text: str) -> list[str]:
    """Return the sentences of a text that has one a line; empty lines are none."""
    return [line for line in text.splitlines() if line.strip()]


class EmbeddingMeter:
    """Measures what many formats cost one encoder on the same sentences.

    Parameters
    ----------
    encoder
        The encoder in float32.
    sentences
        At least three, in ASCII; None takes those that ship with the package.
    """

    def __init__(self, encoder: Encoder, sentences: Sequence[str] | None = None) -> None:
        if sentences is None:
            sentences = SENTENCES.read_text("ascii").splitlines()
        if len(sentences) < 3:
            raise InputError(f"{len(sentences)} sentences: a rank correlation needs three")
        self.encoder, self.sentences = encoder, list(sentences)

    @cached_property
    def reference(self) -> Float64:
        """The embeddings in float32, shape [sentences, hidden]."""
        return self._embeddings(self.encoder, lambda name: None)

    def measure(
        self, formats: RoleFormats, progress: Callable[[str], None] = lambda step: None
    ) -> EmbeddingAccuracy:
        """Return what the formats cost; matrices have the names of a decoder's.

        Raises
        ------
        InputError
            For a format of a head or embedding, and where a tensor cannot be quantised.
        """
        for role in ("head", "embedding"):
            if getattr(formats, role) is not None:
                raise InputError(f"{role}={getattr(formats, role)}: no role of an encoder")
        theirs = {_name(name): name for name in self.encoder.matrices()}
        matrices = {ours: self.encoder.matrices()[name] for ours, name in theirs.items()}
        progress("float32")
        expected = self.reference
        progress("weights")
        done, weight_bits = quantised_matrices(matrices, formats)
        network = self.encoder.replaced({theirs[ours]: matrix for ours, matrix in done.items()})
        progress("embeddings")
        found = self._embeddings(network, lambda name: formats.operand(_name(name)))
        cosines = (found * expected).sum(axis=1)
        heads = self.encoder.config["num_attention_heads"]
        inputs = [(formats.operand(name), matrix.shape[1]) for name, matrix in matrices.items()]
        held = [(formats.operand("layers.0.keys"), expected.shape[1] // heads)]
        return EmbeddingAccuracy(
            embedding_cosine=float(cosines.mean()),
            embedding_cosine_min=float(cosines.min()),
            rank_correlation=_rank_correlation(expected, found),
            sentences=len(self.sentences),
            weight_bits_per_element=weight_bits,
            activation_bits_per_element=mean_bits(inputs),
            kv_bits_per_element=mean_bits(held),
        )

    def _embeddings(self, encoder: Encoder, operands: Callable[[str], Quantiser | None]) -> Float64:
        means = np.array(
            [encoder(text, operands).mean(axis=0, dtype=np.float64) for text in self.sentences]
        )
        return np.asarray(means / np.linalg.norm(means, axis=1, keepdims=True))


def _rank_correlation(one: Float64, other: Float64) -> float:
    pairs = np.triu_indices(len(one), 1)
    return float(spearmanr((one @ one.T)[pairs], (other @ other.T)[pairs]).statistic)


def _name(name: str) -> str:
    """Return our name of an encoder's matrix or operand."""
    found = re.fullmatch(r"encoder\.layer\.(\d+)\.(.+)", name)
    assert found is not None
    return f"layers.{found[1]}.{_NAMES.get(found[2], found[2])}"
