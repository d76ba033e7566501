"""What quantising a network's matrix products costs in accuracy, and the codes they run on.

Weights are quantised in groups along the inputs, with one fp16 scale a group (``int4_g128``), or an
fp32 one for formats that are finer than it or have a far larger range, such as int16 and bf16;
activations with one fp32 scale a token. The scales are chosen by each format's own rule
(:mod:`hwsim.formats.scaling`). They factor out of the inner products, so a unit sees element codes
alone. Before, every matrix is scaled by a power of two that brings its largest magnitude into
[1, 2): the codes are the same, but no scale leaves its format and no square overflows.

Two figures, as noise-to-signal power ratios (SQNR in dB is -10 log10 of them). *Weight*: all
squared errors of all matrices over all squared weights. *Output*: Y = X W^T with both operands
quantised against the unquantised product, one ratio a matrix, averaged, so that no matrix drowns
the others. Products are summed in float64: what is measured is the formats, not the summation.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hwsim.errors import InputError
from hwsim.formats.base import Codes, Float64, Format
from hwsim.formats.block import BlockFormat
from hwsim.formats.group import GroupScale
from hwsim.formats.minifloat import NAMED
from hwsim.formats.scaling import ScaleRule, is_finer_than
from hwsim.tensors.sources import Floats, Layer

#: Bits of an fp16 significand, and the least exponent with as many.
_FP16_BITS, _FP16_EXPONENT = 11, -14
#: Octaves that the largest number of a group may be below the largest of its matrix.
_SPREAD = 6


@dataclass(frozen=True)
class QuantisationError:
    """Noise-to-signal power ratios; ``output`` is None where the activations are not known."""

    weight: float
    output: float | None


def to_db(noise_to_signal: float) -> float:
    """Return the SQNR in dB of a noise-to-signal power ratio; infinite for 0."""
    return float("inf") if noise_to_signal == 0 else -10 * float(np.log10(noise_to_signal))


def per_token(fmt: Format, inputs: int) -> BlockFormat:
    """Return the block format of activations: one fp32 scale for the ``inputs`` of a token."""
    return GroupScale(fmt, inputs, scale=NAMED["fp32"], scale_rule=fmt.scale_rule)


def per_group(fmt: Format, group: int) -> BlockFormat:
    """Return the block format of weights: one scale for ``group`` inputs of an output.

    fp16, but fp32 for a format in which rounding an fp16 scale, which may be subnormal, moves the
    largest value by a step.
    """
    fp16 = _FP16_BITS - max(0, _FP16_EXPONENT + _SPREAD + _octave(fmt))
    scale = NAMED["fp32" if fp16 < 1 or is_finer_than(fmt, fp16) else "fp16"]
    return GroupScale(fmt, group, scale=scale, scale_rule=fmt.scale_rule)


def _octave(fmt: Format) -> int:
    """Return how many octaves below the numbers, near 1, the scales of a format are."""
    if fmt.scale_rule is ScaleRule.LEAST_ERROR:
        return 0
    return int(np.frexp(max(fmt.max, -fmt.min))[1])


def near_one(matrix: Floats, octave: int) -> Floats:
    """Return a matrix over 2**octave as float32, or as float64 if it is float64."""
    return np.ldexp(matrix.astype(np.promote_types(matrix.dtype, np.float32)), -octave)


class ErrorMeter:
    """Measures the error of many formats on the same layers.

    Products without quantisation, and activations once quantised, are kept between calls; a
    weight format is quantised once a call, matrix by matrix.

    Parameters
    ----------
    layers
        At least one.
    group
        Group size of the weights.

    Raises
    ------
    InputError
        If the group size does not divide the inputs of a layer.
    """

    def __init__(self, layers: Sequence[Layer], group: int) -> None:
        check_group(layers, group)
        self.layers, self.group = _near_one(layers), group
        octaves = [layer.weight_octave for layer in layers]
        #: What a square counts for where those of all matrices are added up.
        self._powers = [float(np.ldexp(1.0, 2 * (one - max(octaves)))) for one in octaves]
        self._outputs: list[Float64 | None] = [
            None if layer.activations is None else _product(layer.activations, layer.weight)
            for layer in self.layers
        ]
        self._activations: dict[Format, list[NDArray[np.float32] | None]] = {}

    def measure(
        self, weight: Format, activations: Iterable[Format]
    ) -> dict[Format, QuantisationError]:
        """Return the error of one weight format with each of the activation formats.

        The output error is None unless every layer has activations.
        """
        formats = list(dict.fromkeys(activations))
        noise = signal = 0.0
        ratios: dict[Format, list[float]] = {fmt: [] for fmt in formats}
        for index, layer in enumerate(self.layers):
            quantised = per_group(weight, self.group).quantize(layer.weight).dequantize()
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

    def _quantised(self, fmt: Format) -> list[NDArray[np.float32] | None]:
        """The activations of every layer in ``fmt``; layers that share an input share the array."""
        if fmt not in self._activations:
            done: dict[int, NDArray[np.float32]] = {}
            for layer in self.layers:
                x = layer.activations
                if x is not None and id(x) not in done:
                    values = per_token(fmt, x.shape[1]).quantize(x).dequantize()
                    done[id(x)] = values.astype(np.float32)
            self._activations[fmt] = [done.get(id(layer.activations)) for layer in self.layers]
        return self._activations[fmt]


def _near_one(layers: Sequence[Layer]) -> tuple[Layer, ...]:
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
    for layer in layers:
        if group < 1 or layer.weight.shape[1] % group:
            raise InputError(
                f"group size {group} does not divide the {layer.weight.shape[1]} inputs of "
                f"{layer.name!r}"
            )


def operand_streams(
    layers: Sequence[Layer],
    weight: Format,
    activation: Format,
    group: int,
    *,
    streams: int,
    length: int,
    seed: int = 0,
    room: tuple[float, float] = (1.0, 1.0),
) -> tuple[Codes, Codes]:
    """Return operands as a unit meets them in these layers, to simulate its switching with.

    A stream is a dot product of a random weight row and a random token of one layer, the layers
    in turn, cut or continued with further rows and tokens of that layer to ``length``. Rows and
    tokens are quantised as :class:`ErrorMeter` does it, before they are cut.

    Parameters
    ----------
    layers
        All with activations.
    weight, activation
        Element formats.
    group
        Group size of the weights; the last group of a row may be short.
    streams, length
        Number and length of the dot products.
    seed
        Seed of the choice of rows and tokens.
    room
        What activations and weights are multiplied with once scaled, for an accumulator that would
        overflow.

    Returns
    -------
    tuple of numpy.ndarray
        Activation codes and weight codes, each of shape (streams, length).

    Raises
    ------
    InputError
        If a layer has no activations.
    """
    rows_a, rows_w = [], []
    for tokens, matrix in _picks(layers, streams, length, seed):
        blocks = per_token(activation, tokens.shape[1])
        rows_a.append(_codes(blocks, tokens, room[0])[:length])
        blocks = per_group(weight, group).with_options(partial="pad")
        rows_w.append(_codes(blocks, matrix, room[1])[:length])
    return np.stack(rows_a), np.stack(rows_w)


def _codes(fmt: BlockFormat, matrix: Floats, room: float) -> Codes:
    """Return the codes of a matrix in one row; those of a format's own scales if ``room`` is 1."""
    tensor = fmt.quantize(matrix)
    codes = tensor.codes.reshape(len(matrix), -1)[:, : matrix.shape[1]]
    if room != 1.0:
        scales = np.repeat(fmt.scale.decode(tensor.scales), fmt.size, axis=-1)
        scales = np.where(scales == 0, 1.0, scales)[:, : matrix.shape[1]]
        codes = fmt.element.encode(matrix * (room / scales))
    return codes.reshape(-1)


def value_streams(
    layers: Sequence[Layer], *, streams: int, length: int, seed: int = 0
) -> tuple[Float64, Float64]:
    """Return what :func:`operand_streams` quantises: activations and weights, (streams, length)."""
    rows = [
        [part.reshape(-1)[:length].astype(np.float64) for part in pair]
        for pair in _picks(layers, streams, length, seed)
    ]
    return np.stack([a for a, _ in rows]), np.stack([w for _, w in rows])


def _picks(
    layers: Sequence[Layer], streams: int, length: int, seed: int
) -> Iterator[tuple[Floats, Floats]]:
    """Yield tokens and weight rows of one layer a stream, enough for ``length`` products."""
    rng = np.random.default_rng(seed)
    for stream in range(streams):
        layer = layers[stream % len(layers)]
        if layer.activations is None:
            raise InputError(f"layer {layer.name!r} has no activations to make operands from")
        picks = -(-length // layer.weight.shape[1])
        tokens = layer.activations[rng.integers(len(layer.activations), size=picks)]
        rows = layer.weight[rng.integers(len(layer.weight), size=picks)]
        yield near_one(tokens, layer.activation_octave), near_one(rows, layer.weight_octave)
