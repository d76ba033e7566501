"""What a unit's own arithmetic adds to the error of its formats, on outputs of a network.

Perplexity is computed with exact sums of quantised numbers. A unit may round, align, truncate or
wrap: its golden model computes a sample of outputs of every matrix, for some tokens of a text, as
:mod:`hwsim.tensors.quality` does it for any layers.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hwsim.formats.base import Int64
from hwsim.networks.backend import Array
from hwsim.networks.decoder import Decoder
from hwsim.tensors.quality import UnitMeter, formats_of
from hwsim.tensors.quantise import ErrorMeter, to_db
from hwsim.tensors.sources import Layer
from hwsim.units import UnitSpec

#: Tokens whose activations are taken, and outputs of a matrix that the unit computes.
TOKENS, OUTPUTS = 32, 16


@dataclass(frozen=True)
class UnitAccuracy:
    """SQNR of the outputs of all matrices, in dB, noise-to-signal ratios averaged over matrices.

    Attributes
    ----------
    quantisation_sqnr_db
        Of the formats, with exact sums.
    output_sqnr_db, output_sqnr_error_db
        Of the unit, and by how much it is less if the noise is one standard error more.
    """

    quantisation_sqnr_db: float
    output_sqnr_db: float
    output_sqnr_error_db: float


def sampled_layers(decoder: Decoder, tokens: Int64, count: int = TOKENS) -> list[Layer]:
    """Return all matrices of the layers with their inputs for some tokens of a sequence."""
    rng = np.random.default_rng(0)
    rows = np.sort(rng.choice(len(tokens), min(count, len(tokens)), replace=False))
    inputs: dict[str, Array] = {}
    last: list[Array] = []

    def capture(name: str, x: Array) -> None:
        # Matrices that share an input share the sample.
        if not (last and last[0] is x):
            last[:] = [x, x[rows]]
        inputs[name] = last[1]

    decoder.hidden(tokens, capture=capture)
    return [Layer(name, decoder.tensors[f"{name}.weight"], x) for name, x in inputs.items()]


def unit_accuracy(layers: Sequence[Layer], unit: UnitSpec, group: int) -> UnitAccuracy:
    """Return how good a unit's outputs are.

    Parameters
    ----------
    layers
        All with activations.
    unit
        Its formats are those of weights and activations.
    group
        Group size of weights whose format has none.

    Raises
    ------
    InputError
        For a group size that does not divide the inputs of a matrix, a unit that computes no
        layers, and one whose outputs are not finite.
    """
    weight, activation = formats_of(unit, group)
    formats = ErrorMeter(layers, group).measure(weight, [activation])[activation]
    quality = UnitMeter(layers, group, OUTPUTS).measure(unit).quality(formats)
    assert quality.quantisation is not None
    assert quality.output is not None
    assert quality.output_error is not None
    noise = quality.output
    return UnitAccuracy(
        quantisation_sqnr_db=to_db(quality.quantisation),
        output_sqnr_db=to_db(noise),
        output_sqnr_error_db=to_db(noise) - to_db(noise + quality.output_error) if noise else 0.0,
    )
