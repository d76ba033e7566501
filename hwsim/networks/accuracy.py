"""What formats cost a decoder in the text that it predicts.

A pass in float32 and one in the formats see the same windows of a text, and every token but the
first of a window is a prediction. *Perplexity* is exp of the mean negative log-likelihood (NLL) of
the right token, in nats. Of two passes over one text the difference of NLL a token says more than
two perplexities do: what is hard to predict is so for both, and falls out. Its standard error is
that of independent predictions; a mean within two of them of zero is no finding. *KL divergence*,
of the formats' distribution from the one in float32, and *top-1 agreement*, how often both have the
same most likely token, need no right token, and see what the right one is indifferent to.

The hidden states of the pass in float32 are kept in the user's cache (:mod:`hwsim.cache`), so that
only the head's product is computed again.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from os import PathLike
from typing import Any

import numpy as np

from hwsim import cache
from hwsim.errors import InputError
from hwsim.formats.base import Float64, Int64
from hwsim.networks import TOKENS, WINDOW, backend
from hwsim.networks.backend import Array
from hwsim.networks.decoder import Decoder
from hwsim.networks.load import Source, find
from hwsim.networks.moments import Inputs, inputs_of
from hwsim.networks.quantise import FLOAT32, RoleFormats, mean_bits, quantised_decoder
from hwsim.networks.rotate import rotated
from hwsim.networks.smooth import smoothed
from hwsim.networks.text import SAMPLE, windows

#: The folder of the user's cache with hidden states.
STATES = "hidden_states"
#: Numbers of hidden states that are kept at most, 64 MiB.
LARGEST_KEPT = 1 << 24
#: Part of the cache's key: raise it when the forward pass gives other numbers.
_PASS = "forward pass 1"
#: Predictions whose distributions are in memory at a time.
_ROWS = 128


@dataclass(frozen=True)
class Accuracy:
    """What a decoder in some formats predicts, against the same in float32.

    Attributes
    ----------
    perplexity, perplexity_float32
        Over the same predictions.
    nll_difference, nll_difference_error
        Mean of NLL in the formats less that in float32, in nats a token, and its standard error.
    kl
        Mean KL divergence in nats.
    top1_agreement
        Share of predictions with the same most likely token.
    predictions
        How many there are.
    weight_bits_per_element
        Of the matrices, metadata included; 32 is float32.
    activation_bits_per_element, kv_bits_per_element
        Of the inputs of matrices, and of keys and values, scales included.
    """

    perplexity: float
    perplexity_float32: float
    nll_difference: float
    nll_difference_error: float
    kl: float
    top1_agreement: float
    predictions: int
    weight_bits_per_element: float
    activation_bits_per_element: float
    kv_bits_per_element: float

    @property
    def is_within_noise(self) -> bool:
        """Whether the difference of NLL is no more than two of its standard errors."""
        return abs(self.nll_difference) <= 2 * self.nll_difference_error

    def to_dict(self) -> dict[str, Any]:
        """Return the figures by name."""
        return {**asdict(self), "is_within_noise": self.is_within_noise}


class PerplexityMeter:
    """Measures what many formats cost one decoder on one text.

    Parameters
    ----------
    decoder
        The decoder in float32.
    sequences
        Windows of tokens, each with at least two.
    digest
        A text that says which decoder this is, for the cache; None keeps nothing.
    calibration
        Windows of tokens of another text, from which calibration knows the inputs of matrices.

    Raises
    ------
    InputError
        For no windows, ones that predict nothing, and a single prediction.
    """

    def __init__(
        self,
        decoder: Decoder,
        sequences: Sequence[Int64],
        digest: str | None = None,
        calibration: Sequence[Int64] | None = None,
    ) -> None:
        if not sequences or min(map(len, sequences)) < 2:
            raise InputError("perplexity needs windows of at least two tokens")
        if sum(map(len, sequences)) - len(sequences) < 2:
            raise InputError("a standard error needs at least two predictions: take more tokens")
        self.decoder, self.sequences, self.digest = decoder, list(sequences), digest
        self.calibration = calibration

    @property
    def predictions(self) -> int:
        """Tokens that are predicted."""
        return sum(len(tokens) - 1 for tokens in self.sequences)

    @cached_property
    def inputs(self) -> dict[str, Inputs] | None:
        """What the text of the calibration shows of the inputs of matrices, if there is one."""
        return None if self.calibration is None else inputs_of(self.decoder, self.calibration)

    def states(self) -> Iterable[Array]:
        """Return what the head multiplies in float32, by window, where something is predicted.

        Kept, or computed one after another where that would be too much.
        """
        size = self.predictions * self.decoder.architecture.hidden_size
        return self._kept if size <= LARGEST_KEPT else self._computed()

    @cached_property
    def _kept(self) -> list[Array]:
        if self.digest is None or not isinstance(self.decoder.head, np.ndarray):
            return list(self._computed())
        tokens = [",".join(map(str, tokens.tolist())) for tokens in self.sequences]
        name = cache.key(_PASS, self.digest, *tokens)
        found = cache.load(STATES, name, lambda arrays: arrays["states"])
        if found is None:
            found = np.concatenate(list(self._computed()))
            cache.store(STATES, name, {"states": found})
        ends = np.cumsum([len(tokens) - 1 for tokens in self.sequences])
        return np.split(found, ends[:-1])

    def _computed(self) -> Iterator[Array]:
        return (self.decoder.hidden(tokens)[:-1] for tokens in self.sequences)

    def measure(
        self, formats: RoleFormats, progress: Callable[[str], None] = lambda step: None
    ) -> Accuracy:
        """Return what the formats cost.

        ``progress`` is told what is being done.

        Raises
        ------
        InputError
            Where a tensor cannot be quantised, naming it, for calibration without a text, and for
            predictions that are not finite.
        """
        progress("float32")
        states = self.states()
        if formats.calibrate is not None:
            progress("calibration")
        inputs = None if formats.calibrate is None else self.inputs
        progress("weights")
        network, weight_bits = quantised_decoder(self.decoder, formats, inputs)
        figures = []
        for number, (tokens, expected) in enumerate(
            zip(self.sequences, states, strict=True), start=1
        ):
            progress(f"window {number} of {len(self.sequences)}")
            found = network.hidden(tokens, formats.operand)[:-1]
            for first in range(0, len(found), _ROWS):
                rows = slice(first, first + _ROWS)
                figures.append(
                    _compared(
                        self.decoder.logits(expected[rows]),
                        network.logits(found[rows], formats.operand),
                        tokens[1:][rows],
                    )
                )
        return self._accuracy(np.concatenate(figures, axis=1), formats, weight_bits)

    def _accuracy(self, figures: Float64, formats: RoleFormats, weight_bits: float) -> Accuracy:
        plain, quantised, divergence, same = figures
        for place, losses in ((FLOAT32, plain), ("the formats", quantised)):
            if not np.isfinite(losses).all():
                raise InputError(
                    f"{self.decoder.name}: predictions in {place} are no numbers: its numbers or "
                    "those of a format are too large"
                )
        difference = quantised - plain
        sizes = self.decoder.architecture
        matrices = [(formats.operand(name), inputs) for name, _, inputs in sizes.matrices()]
        return Accuracy(
            perplexity=float(np.exp(quantised.mean())),
            perplexity_float32=float(np.exp(plain.mean())),
            nll_difference=float(difference.mean()),
            nll_difference_error=_standard_error(difference),
            kl=float(divergence.mean()),
            top1_agreement=float(same.mean()),
            predictions=self.predictions,
            weight_bits_per_element=weight_bits,
            activation_bits_per_element=mean_bits(matrices),
            kv_bits_per_element=mean_bits([(formats.operand("layers.0.keys"), sizes.head_dim)]),
        )


def _compared(plain: Array, quantised: Array, tokens: Int64) -> Float64:
    """Return NLL of the tokens by two rows of logits, KL divergence and agreement, by row."""
    arrays = backend.of(plain)
    same = plain.argmax(axis=-1) == quantised.argmax(axis=-1)
    one, other = arrays.log_softmax(plain), arrays.log_softmax(quantised)
    places = np.arange(len(tokens)), tokens
    nll = -one[places], -other[places]
    figures = [arrays.to_float64(x) for x in (*nll, arrays.divergence(one, other), same)]
    return np.stack(figures)


def _standard_error(values: Float64) -> float:
    return float(values.std(ddof=1) / np.sqrt(values.size))


def perplexity_meter(
    model: str | PathLike[str] | Source,
    text: str | None = None,
    *,
    tokens: int = TOKENS,
    window: int = WINDOW,
    rotate: int | None = None,
    device: str | None = None,
    smooth: float | None = None,
    calibration: str | None = None,
    calibration_tokens: int | None = None,
) -> PerplexityMeter:
    """Return the meter of a decoder on the first tokens of a text.

    Parameters
    ----------
    model
        As :func:`hwsim.networks.load.find` takes it.
    text
        Any text; None is the sample that ships with the package.
    tokens, window
        How many tokens, and how many at a time.
    rotate
        Seed of a rotation that is folded into the weights, see :mod:`hwsim.networks.rotate`.
    device
        Where torch computes, such as ``cuda``; None is NumPy.
    smooth
        Strength of the smoothing that is folded into the weights, see
        :mod:`hwsim.networks.smooth`; after the rotation, if there is one.
    calibration
        Another text, that inputs of matrices are known from, for smoothing and for
        ``RoleFormats(calibrate=...)``; None is the sample. Of one text for both, calibration takes
        the tokens behind those that are predicted.
    calibration_tokens
        How many of its first tokens are taken; None knows no inputs.

    Raises
    ------
    MissingToolError
        For a device without torch.
    InputError
        For a model that is no decoder, a text that is too short, smoothing without tokens for
        calibration, and as :func:`find`, :func:`hwsim.networks.rotate.rotated` and
        :func:`hwsim.networks.smooth.smoothed` do.
    """
    source = model if isinstance(model, Source) else find(model)
    sequences = text_windows(source, text, tokens, window)
    others = None
    if calibration_tokens is not None:
        shown, other = (SAMPLE.read_text("utf-8") if t is None else t for t in (text, calibration))
        after = tokens if other == shown else 0
        try:
            others = text_windows(source, calibration, calibration_tokens, window, after)
        except InputError as error:
            raise InputError(f"calibration: {error}") from None
    decoder = source.decoder()
    digest = source.digest()
    if rotate is not None:
        decoder, digest = rotated(decoder, rotate), f"{digest} rotated {rotate}"
    if device is not None:
        decoder = decoder.on(device)
    if smooth is not None:
        if others is None:
            raise InputError(f"smooth={smooth}: needs calibration_tokens")
        decoder = smoothed(decoder, inputs_of(decoder, others), smooth)
        seen = cache.key(*(",".join(map(str, one.tolist())) for one in others))
        digest = f"{digest} smoothed {smooth} {seen}"
    return PerplexityMeter(decoder, sequences, digest, others)


def text_windows(
    source: Source, text: str | None, tokens: int, window: int, after: int = 0
) -> list[Int64]:
    """Return the first tokens of a text, or those after some, as a decoder has them.

    Raises
    ------
    InputError
        For a model that is no decoder, and as :func:`hwsim.networks.text.windows` does.
    """
    if not source.is_decoder:
        raise InputError(f"model={source.name!r}: allowed: decoders, whose text has a perplexity")
    sample = SAMPLE.read_text("utf-8") if text is None else text
    found = windows(source.tokeniser(), sample, tokens, window, after)
    longest = source.positions()
    if len(found[0]) > longest:
        raise InputError(
            f"window={window}: allowed: up to {longest}, the positions of {source.name}"
        )
    return found
