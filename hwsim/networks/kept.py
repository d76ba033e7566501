"""What formats cost a network, computed once: the user's cache keeps it by content.

A subject is a network and what it is measured on. The key of its figures is the network's digest,
the text, the formats, and whether NumPy or torch computes, whose sums have other orders. So a run
that was interrupted goes on where it was, and what is kept needs no network to be read, only its
files' digest.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import lru_cache
from typing import TypeAlias

from hwsim import cache
from hwsim.formats import BlockFormat, Format
from hwsim.networks.accuracy import Accuracy, PerplexityMeter, perplexity_meter
from hwsim.networks.embeddings import SENTENCES, EmbeddingAccuracy, EmbeddingMeter
from hwsim.networks.load import Source
from hwsim.networks.quantise import RoleFormats
from hwsim.networks.text import SAMPLE
from hwsim.tensors.transformer import Encoder

#: The folder of the user's cache with figures.
FIGURES = "accuracies"
#: Part of keys: raise it when the same formats have other figures.
_VERSION = "figures 1"


@dataclass(frozen=True)
class Prediction:
    """A decoder that predicts a text; the rest is as in :func:`perplexity_meter`."""

    source: Source
    text: str | None = None
    tokens: int = 2048
    window: int = 512
    rotate: int | None = None
    device: str | None = None

    def content(self) -> list[str]:
        """Return texts that say what this is."""
        text = SAMPLE.read_text("utf-8") if self.text is None else self.text
        library = "NumPy" if self.device is None else f"torch {self.device.partition(':')[0]}"
        settings = f"{self.tokens} tokens, {self.window} at a time, rotation {self.rotate}"
        return [_digest(self.source), text, settings, library]

    def meter(self) -> PerplexityMeter:
        """Return what measures formats."""
        return perplexity_meter(
            self.source, self.text, tokens=self.tokens, window=self.window, rotate=self.rotate,
            device=self.device,
        )  # fmt: skip


@dataclass(frozen=True)
class Embeddings:
    """An encoder of the sentences that ship with the package."""

    source: Source

    def content(self) -> list[str]:
        """Return texts that say what this is."""
        return [_digest(self.source), SENTENCES.read_text("ascii")]

    def meter(self) -> EmbeddingMeter:
        """Return what measures formats."""
        return EmbeddingMeter(Encoder(self.source.path))


Subject: TypeAlias = Prediction | Embeddings
Figures: TypeAlias = Accuracy | EmbeddingAccuracy


def kept(subject: Subject, formats: RoleFormats) -> Figures | None:
    """Return what the formats cost if it was computed before, else None."""
    kind = _kind(subject)
    return cache.load(
        FIGURES,
        _key(subject, formats),
        lambda arrays: kind(**{field.name: arrays[field.name].item() for field in fields(kind)}),
    )


def measured(subject: Subject, formats: RoleFormats) -> Figures:
    """Return what the formats cost, kept or computed.

    The network that was used last stays in memory.

    Raises
    ------
    HwsimError
        As the meters do.
    """
    figures = kept(subject, formats)
    if figures is None:
        figures = _meter(subject).measure(formats)
        values = {field.name: getattr(figures, field.name) for field in fields(figures)}
        cache.store(FIGURES, _key(subject, formats), values)
    return figures


def _kind(subject: Subject) -> type[Accuracy] | type[EmbeddingAccuracy]:
    return Accuracy if isinstance(subject, Prediction) else EmbeddingAccuracy


def _key(subject: Subject, formats: RoleFormats) -> str:
    figures = [field.name for field in fields(_kind(subject))]
    named = [f"{field.name}={_named(getattr(formats, field.name))}" for field in fields(formats)]
    return cache.key(_VERSION, " ".join(figures), *subject.content(), *named)


def _named(value: object) -> str:
    """Return a text that says what a field of the formats is."""
    if isinstance(value, Mapping):
        return repr([(key, _named(one)) for key, one in value.items()])
    return value.name if isinstance(value, Format | BlockFormat) else repr(value)


@lru_cache(maxsize=8)
def _digest(source: Source) -> str:
    return source.digest()


@lru_cache(maxsize=1)
def _meter(subject: Subject) -> PerplexityMeter | EmbeddingMeter:
    return subject.meter()
