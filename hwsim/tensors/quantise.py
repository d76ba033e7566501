"""What quantising a network's matrix products costs in accuracy.

Weights are quantised in blocks along the inputs, activations too, or with one fp32 scale a token:
as :meth:`hwsim.units.base.UnitSpec.weight_quantiser` and ``activation_quantiser`` say. Before,
every matrix is scaled by a power of two that brings its largest magnitude into [1, 2): the codes
are the same, but no scale leaves its format and no square overflows.

Two figures, as noise-to-signal power ratios (SQNR in dB is -10 log10 of them). *Weight*: all
squared errors of all matrices over all squared weights. *Output*: Y = X W^T with both operands
quantised against the unquantised product, one ratio a matrix, averaged, so that no matrix drowns
the others. Products are summed in float64: what is measured here is the formats;
:mod:`hwsim.tensors.quality` has the units.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hwsim.errors import InputError
from hwsim.formats.base import Float64, Format
from hwsim.formats.block import BlockFormat
from hwsim.tensors.sources import Floats, Layer
from hwsim.units.layers import near_one, per_group, per_token

#: Formats of weights, and of activations: a scalar format has one fp32 scale a token.
Pair = tuple[BlockFormat, Format | BlockFormat]


@dataclass(frozen=True)
class QuantisationError:
    """Noise-to-signal power ratios; ``output`` is None where the activations are not known."""

    weight: float
    output: float | None


def to_db(noise_to_signal: float) -> float:
    """Return the SQNR in dB of a noise-to-signal power ratio; infinite for 0."""
    return float("inf") if noise_to_signal == 0 else -10 * float(np.log10(noise_to_signal))


class ErrorMeter:
    """Measures the error of many formats on the same layers.

    Products without quantisation, and activations once quantised, are kept between calls; a
    weight format is quantised once a call, matrix by matrix.

    Parameters
    ----------
    layers
        At least one.
    group
        Group size of weights in scalar formats.

    Raises
    ------
    InputError
        If the group size does not divide the inputs of a layer.
    """

    def __init__(self, layers: Sequence[Layer], group: int) -> None:
        check_group(layers, group)
        self.layers, self.group = near_one_layers(layers), group
        octaves = [layer.weight_octave for layer in layers]
        #: What a square counts for where those of all matrices are added up.
        self._powers = [float(np.ldexp(1.0, 2 * (one - max(octaves)))) for one in octaves]
        self._outputs: list[Float64 | None] = [
            None if layer.activations is None else _product(layer.activations, layer.weight)
            for layer in self.layers
        ]
        self._activations: dict[Format | BlockFormat, list[NDArray[np.float32] | None]] = {}

    def measure(
        self, weight: Format | BlockFormat, activations: Iterable[Format | BlockFormat]
    ) -> dict[Format | BlockFormat, QuantisationError]:
        """Return the error of one weight format with each of the activation formats.

        A scalar format of weights is quantised in groups, one of activations with a scale a token.
        The output error is None unless every layer has activations.
        """
        formats = list(dict.fromkeys(activations))
        blocks = weight if isinstance(weight, BlockFormat) else per_group(weight, self.group)
        noise = signal = 0.0
        ratios: dict[Format | BlockFormat, list[float]] = {fmt: [] for fmt in formats}
        for index, layer in enumerate(self.layers):
            quantised = blocks.quantize(layer.weight).dequantize()
            noise += self._powers[index] * float(np.square(layer.weight - quantised).sum())
            signal += self._powers[index] * float(np.square(layer.weight, dtype=np.float64).sum())
            exact = self._outputs[index]
            if exact is None:
                continue
            for fmt in formats:
                approximation = _product(self._quantised(fmt)[index], quantised)
                error = np.square(exact - approximation).sum()
                ratios[fmt].append(_ratio(float(error), float(np.square(exact).sum())))
        complete = all(output is not None for output in self._outputs)
        return {
            fmt: QuantisationError(
                _ratio(noise, signal), float(np.mean(ratios[fmt])) if complete else None
            )
            for fmt in formats
        }

    def _quantised(self, fmt: Format | BlockFormat) -> list[NDArray[np.float32] | None]:
        """The activations of every layer in ``fmt``; layers that share an input share the array."""
        if fmt not in self._activations:
            done: dict[int, NDArray[np.float32]] = {}
            for layer in self.layers:
                x = layer.activations
                if x is not None and id(x) not in done:
                    blocks = fmt if isinstance(fmt, BlockFormat) else per_token(fmt, x.shape[1])
                    values = blocks.quantize(x).dequantize()
                    done[id(x)] = values.astype(np.float32)
            self._activations[fmt] = [done.get(id(layer.activations)) for layer in self.layers]
        return self._activations[fmt]


def near_one_layers(layers: Sequence[Layer]) -> tuple[Layer, ...]:
    """Return layers with matrices near 1; those that share an input still do."""
    done: dict[int, Floats] = {}
    for layer in layers:
        x = layer.activations
        if x is not None and id(x) not in done:
            done[id(x)] = near_one(x, layer.activation_octave)
    return tuple(
        Layer(
            layer.name, near_one(layer.weight, layer.weight_octave), done.get(id(layer.activations))
        )
        for layer in layers
    )


def _product(x: NDArray[np.floating] | None, weight: NDArray[np.floating]) -> Float64:
    assert x is not None
    return x.astype(np.float64) @ weight.astype(np.float64).T


def _ratio(noise: float, signal: float) -> float:
    if signal == 0:
        raise InputError("the signal-to-noise ratio of a layer of zeros is undefined")
    return noise / signal


def check_group(layers: Sequence[Layer], group: int) -> None:
    """Raise InputError unless the group size divides the inputs of every layer."""
    common = math.gcd(*(layer.weight.shape[1] for layer in layers))
    for layer in layers:
        if group < 1 or layer.weight.shape[1] % group:
            sizes = (size for size in range(1, common + 1) if common % size == 0)
            nearest = min(sizes, key=lambda size: abs(size - group))
            raise InputError(
                f"group size {group} does not divide the {layer.weight.shape[1]} inputs of "
                f"{layer.name!r}; the nearest that divides those of all: {nearest}"
            )
