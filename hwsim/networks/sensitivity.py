"""How much each matrix of a decoder suffers from a format: what bits are given out by.

*Measured* is the KL divergence of the whole model's predictions with one matrix alone in a format:
a forward pass for every matrix and format. *Second order* needs no more than one pass: the squared
error of the matrix' own outputs, tr(dW M dW^T) with M the second moments of its inputs, which is
what a quadratic loss makes of an error dW if all outputs matter alike (as in GPTQ and HAWQ-V3, with
the inputs' moments for the Hessian). How much outputs of one matrix matter more than those of
another it does not see. So both are put together: one format is measured for every matrix, and
others are that times the ratio of squared errors, as KL grows with the square of a small error.

Losses of different matrices are added up in :mod:`hwsim.allocate`, as if they were independent.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import prod
from typing import Any

import numpy as np
from scipy.stats import spearmanr

from hwsim import cache
from hwsim.errors import InputError
from hwsim.formats.base import Float64, Int64
from hwsim.networks import backend
from hwsim.networks.accuracy import PerplexityMeter
from hwsim.networks.backend import Array
from hwsim.networks.moments import Inputs, inputs_of
from hwsim.networks.quantise import AnyFormat, RoleFormats, quantised_matrix

#: The folder of the user's cache with measured losses.
LOSSES = "sensitivity"
#: Part of the cache's key: raise it when measuring gives other numbers.
_METHOD = "sensitivity 1"


@dataclass(frozen=True, eq=False)
class Sensitivity:
    """Losses of matrices in formats.

    Attributes
    ----------
    matrices, formats
        Names, of rows and columns of the tables.
    elements
        Of each matrix, int64 [matrices].
    bits_per_element
        Metadata included, [matrices, formats].
    error
        Squared error of the matrix' outputs, summed over outputs, mean over tokens,
        [matrices, formats].
    reference
        The format that was measured, the one of the largest error over all matrices.
    measured
        KL divergence, in nats a token, with a matrix alone in the reference, [matrices].
    """

    matrices: tuple[str, ...]
    formats: tuple[str, ...]
    elements: np.ndarray
    bits_per_element: Float64
    error: Float64
    reference: str
    measured: Float64

    @property
    def loss(self) -> Float64:
        """Predicted KL divergence in nats a token, [matrices, formats]; see the module."""
        reference = self.error[:, self.formats.index(self.reference)]
        ratio = np.zeros_like(self.error)
        np.divide(self.error, reference[:, np.newaxis], out=ratio, where=reference[:, None] > 0)
        return ratio * self.measured[:, np.newaxis]

    @property
    def bits(self) -> Float64:
        """Bits of every matrix, metadata included, [matrices, formats]."""
        return self.bits_per_element * self.elements[:, np.newaxis]

    @property
    def rank_correlation(self) -> float:
        """Spearman's, over matrices, of the second-order error and the measured loss."""
        reference = self.error[:, self.formats.index(self.reference)]
        return float(spearmanr(reference, self.measured).statistic)


class SensitivityMeter:
    """Measures how much matrices of a decoder suffer from formats, on one text.

    Parameters
    ----------
    meter
        Of the decoder and the text. Its predictions decide how fine a loss can be told from none.
    formats
        Formats of weights, or their names, each once.
    calibrate
        How weights are calibrated, to the inputs that the same text shows; see
        :class:`hwsim.networks.quantise.RoleFormats`.

    Raises
    ------
    InputError
        For no format, or a format twice, and an unknown calibration.
    """

    def __init__(
        self,
        meter: PerplexityMeter,
        formats: Sequence[AnyFormat | str],
        calibrate: str | None = None,
    ) -> None:
        self.meter, self.calibrate = meter, calibrate
        roles = [RoleFormats(weight=fmt, calibrate=calibrate) for fmt in formats]
        chosen = [one.weight_of("every matrix") for one in roles]
        self.formats = {fmt.name: fmt for fmt in chosen if fmt is not None}
        if len(self.formats) != len(formats) or not formats:
            raise InputError(f"formats={list(map(str, formats))}: allowed: formats, each once")

    def measure(self, progress: Callable[[str], None] = lambda step: None) -> Sensitivity:
        """Return the losses; ``progress`` is told what is being done.

        What was measured is kept in the user's cache matrix by matrix, so that a run that is
        interrupted goes on where it was.
        """
        decoder = self.meter.decoder
        names = tuple(name for name, _, _ in decoder.architecture.matrices())
        progress("second-order errors")
        error, bits = self._errors(names)
        reference = list(self.formats)[int(error.sum(axis=0).argmax())]
        measured = np.empty(len(names))
        for row, name in enumerate(names):
            progress(f"{name}, {row + 1} of {len(names)}")
            measured[row] = self._measured(name, reference)
        return Sensitivity(
            matrices=names,
            formats=tuple(self.formats),
            elements=np.array([prod(decoder.tensors[f"{name}.weight"].shape) for name in names]),
            bits_per_element=bits,
            error=error,
            reference=reference,
            measured=measured,
        )

    def _errors(self, names: Sequence[str]) -> tuple[Float64, Float64]:
        """Return squared errors and bits of an element, both [matrices, formats]."""
        decoder = self.meter.decoder
        shape = len(names), len(self.formats)
        error, bits = np.zeros(shape), np.zeros(shape)
        for row, name in enumerate(names):
            matrix = decoder.tensors[f"{name}.weight"]
            moments = self._inputs[name].moments
            for column, fmt in enumerate(self.formats.values()):
                values, taken = self._quantised(name, fmt)
                wrong = matrix - values
                error[row, column] = float(((wrong @ moments) * wrong).sum())
                bits[row, column] = taken / prod(matrix.shape)
        return error, bits

    def _measured(self, name: str, reference: str) -> float:
        parts: list[Any] = [_METHOD, str(self.meter.digest), name, reference]
        if self.calibrate is not None:
            parts.append(self.calibrate)
        parts += [",".join(map(str, tokens.tolist())) for tokens in self.meter.sequences]
        key = cache.key(*parts)
        if self.meter.digest is not None:
            found = cache.load(LOSSES, key, lambda arrays: float(arrays["kl"]))
            if found is not None:
                return found
        loss = self._divergence(name, self.formats[reference])
        if self.meter.digest is not None:
            cache.store(LOSSES, key, {"kl": np.array(loss)})
        return loss

    def _divergence(self, name: str, fmt: AnyFormat) -> float:
        """Return the mean KL divergence; layers before the matrix are not computed again."""
        values, _ = self._quantised(name, fmt)
        network = self.meter.decoder.replaced({f"{name}.weight": values})
        layer = int(name.split(".")[1])
        total = 0.0
        for tokens, states, plain in self._plain:
            hidden = network.hidden(tokens, after=(layer, states[layer]))
            arrays = backend.of(plain)
            other = arrays.log_softmax(network.logits(hidden[:-1]))
            total += float(arrays.to_float64(arrays.divergence(plain, other)).sum())
        return total / self.meter.predictions

    def _quantised(self, name: str, fmt: AnyFormat) -> tuple[Array, float]:
        matrix = self.meter.decoder.tensors[f"{name}.weight"]
        moments = self._inputs[name].moments
        try:
            return quantised_matrix(fmt, matrix, calibrate=self.calibrate, moments=moments)
        except InputError as error:
            raise InputError(f"weights {name}: {error}") from None

    @cached_property
    def _inputs(self) -> dict[str, Inputs]:
        return inputs_of(self.meter.decoder, self.meter.sequences)

    @cached_property
    def _plain(self) -> list[tuple[Int64, list[Array], Array]]:
        """Tokens of each window, states of all layers, and logarithms of probabilities."""
        decoder = self.meter.decoder
        arrays = backend.of(decoder.head)
        return [
            (tokens, decoder.states(tokens), arrays.log_softmax(decoder.logits(expected)))
            for tokens, expected in zip(self.meter.sequences, self.meter.states(), strict=True)
        ]
