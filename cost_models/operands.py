"""Operand streams: the data that the energy of a unit is measured with.

Energy follows toggles, and toggles follow data: zeros, narrow distributions and sign bits matter.
Four kinds of :class:`~hwsim.units.operands.Operands` are made here, one dot product a stream:

- *normal*: independent normal numbers, what costs are quoted for unless another kind is named;
- *random*: codes drawn uniformly, which toggles most bits half of the time;
- *quiet*: the weights of a dot product are held in all its beats, as in a weight-stationary array,
  and each lane's activations are a rectified first-order autoregressive process. Half of the
  activations are zero, in runs. With int8 operands an activation's bit toggles 0.21 times a beat
  and a weight's never, with normal and random ones both 0.50 times;
- rows of weight matrices with tokens of the activations that meet them, from a file.

Numbers become codes by the scale rule of their format (:mod:`hwsim.formats.scaling`), in groups of
128 neighbours of a stream, and are rounded to nearest even. Weights and activations of a file get
the codes whose error a sweep measures (:mod:`hwsim.tensors.quantise`): weights in groups, with one
scale each, and one scale a token.

An accumulator that rounds to a floating-point format must not overflow: it would stay infinite,
and toggle no more. So its unit's minifloat operands stop short of their largest value by as many
octaves as keep a sum of the largest products in range.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from hwsim.errors import InputError, suggestion
from hwsim.formats.base import Codes, Float64, Format
from hwsim.formats.group import GroupScale
from hwsim.formats.integer import Integer
from hwsim.formats.minifloat import NAMED
from hwsim.numbers import whole
from hwsim.tensors.load import TensorSource
from hwsim.tensors.quantise import near_one_layers
from hwsim.tensors.sources import SUFFIXES, Layer
from hwsim.tensors.transformer import PACKAGES
from hwsim.units import UnitSpec, layers
from hwsim.units.base import check_unit
from hwsim.units.block_dot import BlockDotUnit
from hwsim.units.layer_operands import OPERANDS
from hwsim.units.layers import GROUP
from hwsim.units.metadata import Metadata, Scope, field_shape
from hwsim.units.operands import Operands

#: Default size of a stream: dot products in parallel, and clock cycles that each of them takes.
STREAMS = 64
CYCLES = 64
#: Correlation of a quiet activation with the one before it in its lane.
CORRELATION = 0.9


def create(unit: UnitSpec, source: str, match: str = "*", group: int = GROUP) -> Operands:
    """Return operands of a kind or from a file, as many as :func:`default_operands` has.

    Parameters
    ----------
    source
        ``normal``, ``random``, ``quiet``; a package out of
        :data:`hwsim.tensors.transformer.PACKAGES`; or the path of a tensor file or model folder,
        see :mod:`hwsim.tensors.sources`, in which every weight has activations.

    match
        Glob pattern of the names of the weights in a file or package.
    group
        Group size of such weights where the unit's format has none.

    Raises
    ------
    InputError
        For another source, for one that cannot be read, and for tensors where the unit takes none.
    MissingToolError
        If the package is not installed.
    """
    if not isinstance(source, str):
        raise InputError(f"operands={source!r}: allowed: {', '.join(KINDS)}, or a path as text")
    if source in KINDS:
        return KINDS[source](unit, STREAMS, stream_beats(unit), 0)
    known = [*KINDS, *PACKAGES]
    path = Path(source)
    if source not in PACKAGES and not path.exists():
        hint = suggestion(source, known)
        raise InputError(
            f"operands={source}: no such file{hint}; allowed: {', '.join(known)}, a model folder, "
            f"or a tensor file ({', '.join(SUFFIXES)})"
        )
    try:
        unit.check_layers()
    except InputError as error:
        raise InputError(
            f"operands={source}: {error}; operands of any unit: {', '.join(KINDS)}"
        ) from None
    place = {"package": source} if source in PACKAGES else {"path": path}
    chosen = TensorSource(**place, match=match)
    return of_layers(unit, chosen.load(), STREAMS, stream_beats(unit), seed=0, group=group)


def default_operands(unit: UnitSpec) -> Operands:
    """Return the operands that costs are quoted for unless others are given.

    64 normal dot products of 64 cycles each, but of at least 16 beats and two groups; seed 0.
    """
    return gaussian(unit, STREAMS, stream_beats(unit), seed=0)


def stream_beats(unit: UnitSpec) -> int:
    """Return the beats of a dot product that fill 64 cycles, at least 16 and two groups.

    Those of a unit of many stages are at least twice its latency.
    """
    check_unit(unit)
    timing = unit.timing()
    filled = 2 * (timing.latency // timing.interval + 1)
    return max(16, CYCLES // timing.interval, 2 * (unit.group_beats or 0), filled)


def gaussian(unit: UnitSpec, dot_products: int, beats: int, seed: int) -> Operands:
    """Return standard-normal operands in the formats of ``unit``.

    Formats without negative values get magnitudes. For a unit whose parameters have block formats,
    the numbers are the rows of matrices, quantised to them. Otherwise integer metadata are uniform
    over their legal codes; scales are log-normal with a standard deviation of one octave, and the
    entries of loaded tables normal.

    Parameters
    ----------
    dot_products
        Rows of the result.
    beats
        Beats per dot product.
    seed
        Seed of ``numpy.random.default_rng``.

    Raises
    ------
    InputError
        If ``dot_products`` or ``beats`` is less than 1, or ``seed`` negative.
    """
    rng = _generator(dot_products, beats, seed)
    if any(map(unit.tensor_format, OPERANDS)):
        layer = _normal_layer(unit, dot_products, beats, rng)
        return of_layers(unit, [layer], dot_products, beats, seed, source="normal")
    activations, weights = (
        rng.standard_normal((dot_products, beats * count)) for count in unit.values_per_beat
    )
    return _encoded(unit, activations, weights, _metadata(unit, dot_products, beats, rng))


def uniform(unit: UnitSpec, dot_products: int, beats: int, seed: int) -> Operands:
    """Return operands that are uniform over the codes of ``unit``'s formats.

    Left out are NaN and infinities, which a rounded accumulator would never lose again, values that
    leave no room for the sum, and weights that the unit refuses. Metadata and parameters are those
    of :func:`gaussian`.
    """
    rng = _generator(dot_products, beats, seed)
    activations, weights = (
        _uniform_codes(fmt, (dot_products, beats * lanes), left * layers.largest(fmt), refused, rng)
        for fmt, lanes, left, refused in zip(
            (unit.activation, unit.weight),
            (unit.activation_lanes, unit.weight_lanes),
            unit.room(unit.activation, unit.weight, beats),
            ((), unit.refused_weights),
            strict=True,
        )
    )
    return Operands(
        activations, weights, _metadata(unit, dot_products, beats, rng), source="random"
    )


def quiet(unit: UnitSpec, dot_products: int, beats: int, seed: int) -> Operands:
    """Return operands that toggle little: held weights and slowly varying activations.

    The weights are normal, and those of the first beat stay for the whole dot product, and so do
    the metadata of each beat and group. The activations of a lane are max(0, x[t]) with
    x[t] = 0.9 x[t-1] + sqrt(1 - 0.81) n[t] for standard-normal n. Parameters are those of
    :func:`gaussian`.
    """
    rng = _generator(dot_products, beats, seed)
    a_lanes, w_lanes = unit.values_per_beat
    activations = np.maximum(_autoregressive(dot_products, beats, a_lanes, rng), 0.0)
    if unit.activation.max <= 0:
        activations = -activations
    weights = rng.standard_normal((dot_products, beats * w_lanes))
    metadata = {
        name: codes if codes.ndim == 1 else np.repeat(codes[:, :1], codes.shape[1], axis=1)
        for name, codes in _metadata(unit, dot_products, beats, rng).items()
    }
    made = _encoded(unit, activations, weights, metadata)
    held = np.tile(made.weights[:, : unit.weight_lanes], (1, beats))
    return replace(made, weights=held, source="quiet")


#: The kinds of operands that need no file, by name.
KINDS: dict[str, Callable[[UnitSpec, int, int, int], Operands]] = {
    "normal": gaussian,
    "random": uniform,
    "quiet": quiet,
}


def of_layers(
    unit: UnitSpec,
    layers: Sequence[Layer],
    dot_products: int,
    beats: int,
    seed: int,
    group: int = GROUP,
    source: str = "tensors",
) -> Operands:
    """Return weights and activations of layers as :meth:`UnitSpec.operands` has them.

    A dot product is a random weight row and a random token of one layer, the layers in turn, cut or
    continued with further rows and tokens of that layer to ``beats``. The rows of a tile get other
    tokens and its columns other weight rows of the same layer.

    Parameters
    ----------
    layers
        All with activations.
    dot_products, beats, seed
        See :func:`gaussian`.
    group
        Group size of the weights where the unit's format has none.
    source
        Where the layers come from, for people.

    Raises
    ------
    InputError
        If a layer has no activations, and for units that compute no layers.
    """
    rng = _generator(dot_products, beats, seed)
    unit.check_layers()
    rows, columns = unit.tile_shape
    streams: list[Operands | None] = [None] * dot_products
    # What results are multiplied with, which is left out, might leave float64.
    for index, layer in enumerate(near_one_layers(layers)):
        mine = range(index, dot_products, len(layers))
        if not mine:
            continue
        if layer.activations is None:
            raise InputError(f"layer {layer.name!r} has no activations to make operands from")
        picks = _tiles_of(unit, layer, beats, group)
        tokens = rng.integers(len(layer.activations), size=(len(mine) * picks, rows))
        outputs = rng.integers(len(layer.weight), size=(len(mine) * picks, columns))
        made = unit.operands(
            layer.weight, layer.activations, group=group, tiles=(tokens, outputs), source=source
        )
        step = made.count // len(mine)
        for k, stream in enumerate(mine):
            streams[stream] = _joined(unit, made.take(slice(k * step, (k + 1) * step)), beats)
    return _stacked([one for one in streams if one is not None], source)


def _tiles_of(unit: UnitSpec, layer: Layer, beats: int, group: int) -> int:
    """Return how many outputs of a layer have ``beats`` beats together."""
    assert layer.activations is not None
    rows, columns = (np.zeros((1, side), np.int64) for side in unit.tile_shape)
    one = unit.operands(layer.weight[:1], layer.activations[:1], group=group, tiles=(rows, columns))
    return -(-beats // (one.activations.size // unit.activation_lanes))


def _joined(unit: UnitSpec, parts: Operands, beats: int) -> Operands:
    """Return dot products one after another as one of ``beats`` beats."""
    metadata = {}
    for field in unit.metadata:
        codes = parts.metadata[field.name].reshape(-1)
        (wanted,) = field_shape(field, (), beats, unit.group_beats) or (0,)
        metadata[field.name] = codes[0] if field.scope is Scope.DOT else codes[:wanted]
    return Operands(
        parts.activations.reshape(-1)[: beats * unit.activation_lanes],
        parts.weights.reshape(-1)[: beats * unit.weight_lanes],
        metadata,
    )


def _stacked(streams: Sequence[Operands], source: str) -> Operands:
    return Operands(
        np.stack([one.activations for one in streams]),
        np.stack([one.weights for one in streams]),
        {name: np.stack([one.metadata[name] for one in streams]) for name in streams[0].metadata},
        source=source,
    )


def _normal_layer(unit: UnitSpec, dot_products: int, beats: int, rng: np.random.Generator) -> Layer:
    """Return standard-normal matrices of as many rows as streams, of whole blocks."""
    length = beats * max(unit.values_per_beat)
    blocks = [unit.weight_quantiser().size, unit.activation_quantiser(length).size, GROUP]
    length = -(-length // max(blocks)) * max(blocks)
    weights, activations = (rng.standard_normal((dot_products, length)) for _ in range(2))
    if unit.activation_quantiser(length).element.min >= 0:
        activations = np.abs(activations)
    return Layer("normal", weights, activations)


def _generator(dot_products: int, beats: int, seed: int) -> np.random.Generator:
    whole("dot_products", dot_products, 1)
    whole("beats", beats, 1)
    whole("seed", seed, 0)
    return np.random.default_rng(seed)


def _autoregressive(dot_products: int, beats: int, lanes: int, rng: np.random.Generator) -> Float64:
    """Return standard-normal processes, one a lane, of shape (dot products, beats * lanes)."""
    values = rng.standard_normal((dot_products, beats, lanes))
    values[:, 1:] *= np.sqrt(1 - CORRELATION**2)
    for beat in range(1, beats):
        values[:, beat] += CORRELATION * values[:, beat - 1]
    return values.reshape(dot_products, -1)


def _encoded(
    unit: UnitSpec, activations: Float64, weights: Float64, metadata: Mapping[str, Codes]
) -> Operands:
    beats = activations.shape[1] // unit.values_per_beat[0]
    left = dict(
        zip(
            (unit.weight, unit.activation),
            unit.room(unit.activation, unit.weight, beats)[::-1],
            strict=True,
        )
    )
    codes = unit.encode_operands(activations, weights, metadata, partial(_encode, left=left))
    return Operands(*codes, metadata, source="normal")


def _encode(fmt: Format, x: Float64, left: Mapping[Format, float]) -> Codes:
    if fmt.min >= 0:
        x = np.abs(x)
    blocks = GroupScale(fmt, GROUP, scale=NAMED["fp32"], scale_rule=fmt.scale_rule)
    return layers.quantise(blocks, x, np.arange(len(x)), left.get(fmt, 1.0)).rows()


def _uniform_codes(
    fmt: Format,
    shape: tuple[int, int],
    peak: float,
    refused: tuple[int, ...],
    rng: np.random.Generator,
) -> Codes:
    codes = rng.integers(0, 1 << fmt.bits, shape).astype(fmt.code_dtype)
    while (unfit := ~(np.abs(fmt.decode(codes)) <= peak) | np.isin(codes, refused)).any():
        codes[unfit] = rng.integers(0, 1 << fmt.bits, unfit.sum())
    return codes


def _metadata(
    unit: UnitSpec, dot_products: int, beats: int, rng: np.random.Generator
) -> dict[str, Codes]:
    shapes = {
        field.name: field_shape(field, (dot_products,), beats, unit.group_beats)
        for field in unit.metadata
    }
    is_exponent = isinstance(unit, BlockDotUnit)
    return {f.name: _field(f, shapes[f.name], is_exponent, rng) for f in unit.metadata}


def _field(
    field: Metadata, shape: tuple[int, ...], is_exponent: bool, rng: np.random.Generator
) -> Codes:
    """Return codes of one field; ``is_exponent`` says that an integer is the exponent of 2."""
    fmt, lowest, highest = field.format, field.codes[0], field.codes[-1]
    if isinstance(fmt, Integer) and not is_exponent:
        return rng.integers(lowest, highest, shape, endpoint=True).astype(fmt.code_dtype)
    octaves = rng.standard_normal(shape)
    if isinstance(fmt, Integer) or field.scope is Scope.DOT:
        return fmt.encode(octaves)
    return np.clip(fmt.encode(np.exp2(octaves)), lowest, highest).astype(fmt.code_dtype)
