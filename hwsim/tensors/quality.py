"""How good a unit's outputs are: a network's matrix products as its golden model computes them.

Two errors add up: that of quantising the operands, which :mod:`hwsim.tensors.quantise` knows of
whole layers, and that of the unit, whose products, alignment, roundings, short scales and wrapping
sums are its own. The second is measured on a sample of outputs, drawn by a seed: what the unit's
outputs differ in squared error from exact sums of the same quantised operands. Added to the first
it is the whole, without the sample's error in the first, which is most of it: for a unit that is
exact nothing is left of the sample. Where a unit errs so much that its plain mean squared error
over the sample is the surer one, that is taken. The standard error is stated; what befalls one
output in many thousands, such as a sum that seldom wraps, a sample does not see.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hwsim.errors import InputError
from hwsim.formats.base import Float64, Int64
from hwsim.formats.block import BlockFormat
from hwsim.tensors.quantise import Pair, QuantisationError, near_one_layers
from hwsim.tensors.sources import Floats, Layer
from hwsim.units import UnitSpec, layers

#: Outputs of a matrix that the unit computes.
OUTPUTS = 64


@dataclass(frozen=True)
class Quality:
    """Noise-to-signal power ratios of a unit's formats and of its outputs.

    Attributes
    ----------
    weight
        Of the weights.
    quantisation
        Of outputs with quantised operands, products and sums exact; None without activations.
    output
        Of the unit's outputs; None without activations.
    output_error
        Standard error of ``output``, from the sample of outputs.
    """

    weight: float
    quantisation: float | None
    output: float | None
    output_error: float | None


@dataclass(frozen=True)
class UnitError:
    """Noise-to-signal ratios over a sample of outputs, each with its standard error.

    Attributes
    ----------
    difference
        What the unit adds to the noise of exact sums of its operands; negative where errors cancel.
    total
        The noise of the unit's outputs.
    """

    difference: float
    difference_error: float
    total: float
    total_error: float

    def quality(self, formats: QuantisationError) -> Quality:
        """Return the quality of a unit whose formats have this error."""
        assert formats.output is not None
        together = formats.output + self.difference
        if together <= 0 or self.total_error < self.difference_error:
            return Quality(formats.weight, formats.output, self.total, self.total_error)
        return Quality(formats.weight, formats.output, together, self.difference_error)


def formats_of(unit: UnitSpec, group: int) -> Pair:
    """Return how a unit's tensors are quantised; of activations, the element if once a token."""
    one, two = (unit.activation_quantiser(inputs) for inputs in (1, 2))
    return unit.weight_quantiser(group), one if one == two else one.element


def arithmetic(unit: UnitSpec, inputs: int) -> dict[str, int | str | None]:
    """Return the parameters that a unit's outputs depend on, of dot products of up to ``inputs``.

    Units of one family and equal ones have the same outputs: registers between stages change none,
    nor do lanes whose sums are exact, nor an accumulator that is wide enough.
    """
    given = {key: value for key, value in unit.parameters().items() if key != "stages"}
    if unit.lanes_decide:
        return given
    ignored = {"lanes"}
    if unit.safe_beats >= -(-inputs // unit.lanes):
        ignored.add("accumulator_bits")
    return {key: value for key, value in given.items() if key not in ignored}


class UnitMeter:
    """Measures the error of many units on the same layers.

    Parameters
    ----------
    layers
        At least one, all with activations.
    group
        Group size of weights whose format has none.
    outputs
        Outputs of every layer that are computed, rounded up to whole tiles.
    """

    def __init__(self, layers: Sequence[Layer], group: int, outputs: int = OUTPUTS) -> None:
        self.layers, self.group, self.outputs = near_one_layers(layers), group, outputs
        self._mean_squares = [_mean_square(layer) for layer in self.layers]

    def measure(self, unit: UnitSpec) -> UnitError:
        """Return the error of a unit.

        Raises
        ------
        InputError
            For a unit that computes no layers, and one whose outputs are not finite.
        """
        rng = np.random.default_rng(0)
        samples = [
            self._sample(unit, layer, rng) / mean
            for layer, mean in zip(self.layers, self._mean_squares, strict=True)
        ]
        means = np.mean([sample.mean(axis=1) for sample in samples], axis=0)
        variances = [sample.var(axis=1, ddof=1) / sample.shape[1] for sample in samples]
        errors = np.sqrt(np.sum(variances, axis=0)) / len(samples)
        return UnitError(*map(float, (means[0], errors[0], means[1], errors[1])))

    def _sample(self, unit: UnitSpec, layer: Layer, rng: np.random.Generator) -> Float64:
        """Return squared errors of tiles, of the unit less exact sums and of the unit alone."""
        x, w = layer.activations, layer.weight
        assert x is not None
        rows, columns = unit.tile_shape
        count = max(2, -(-self.outputs // (rows * columns)))
        tokens = rng.integers(len(x), size=(count, rows))
        outputs = rng.integers(len(w), size=(count, columns))
        fed = unit.operands(w, x, group=self.group, tiles=(tokens, outputs))
        values = unit.results(fed)
        if not np.isfinite(values).all():
            raise InputError(
                f"{unit.name}: an output of the layer {layer.name!r} is not finite; its "
                "accumulator overflows"
            )
        exact = _products(x.astype(np.float64), tokens, w.astype(np.float64), outputs)
        quantised = self._quantised_products(unit, layer, tokens, outputs)
        noise = np.square(values - exact).mean(axis=(1, 2))
        return np.stack([noise - np.square(quantised - exact).mean(axis=(1, 2)), noise])

    def _quantised_products(
        self, unit: UnitSpec, layer: Layer, tokens: Int64, outputs: Int64
    ) -> Float64:
        """Return exact products of quantised operands, shape (tiles, rows, columns)."""
        x, w = layer.activations, layer.weight
        assert x is not None
        a = _quantised_rows(unit.activation_quantiser(x.shape[1]), x, tokens)
        b = _quantised_rows(unit.weight_quantiser(self.group), w, outputs)
        return np.asarray(a @ b.transpose(0, 2, 1))


def _quantised_rows(fmt: BlockFormat, matrix: Floats, places: Int64) -> Float64:
    """Return rows of a quantised matrix, shape (*places, inputs)."""
    chosen, at = np.unique(places, return_inverse=True)
    values = layers.quantise(fmt, matrix, chosen).tensor.dequantize()
    return values[at.reshape(places.shape)]


def _products(x: Float64, tokens: Int64, w: Float64, outputs: Int64) -> Float64:
    """Return the products of rows of two matrices, shape (tiles, rows, columns)."""
    return np.asarray(x[tokens] @ w[outputs].transpose(0, 2, 1))


def _mean_square(layer: Layer) -> float:
    assert layer.activations is not None
    product = layer.activations.astype(np.float64) @ layer.weight.astype(np.float64).T
    mean = float(np.square(product).mean())
    if mean == 0:
        raise InputError("the signal-to-noise ratio of a layer of zeros is undefined")
    return mean
