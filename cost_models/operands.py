"""Operand streams: the data that the energy of a unit is measured with.

Energy follows toggles, and toggles follow data: zeros, narrow distributions and sign bits matter.
A stream is arrays of codes, one dot product a row. Four kinds are made here:

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
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from hwsim.errors import InputError, suggestion
from hwsim.formats.base import Codes, Float64, Format
from hwsim.formats.integer import Integer
from hwsim.formats.minifloat import Minifloat
from hwsim.formats.scaling import ScaleRule, least_error_scales
from hwsim.numbers import whole
from hwsim.tensors.load import TensorSource
from hwsim.tensors.quantise import operand_streams, value_streams
from hwsim.tensors.sources import SUFFIXES, Layer
from hwsim.tensors.transformer import PACKAGES
from hwsim.units import UnitSpec
from hwsim.units.base import check_unit
from hwsim.units.block_dot import BlockDotUnit
from hwsim.units.metadata import Metadata, Scope, field_shape
from hwsim.units.result import RoundedResult

#: Default size of a stream: dot products in parallel, and clock cycles that each of them takes.
STREAMS = 64
CYCLES = 64
#: Neighbours that share a scale.
GROUP = 128
#: Correlation of a quiet activation with the one before it in its lane.
CORRELATION = 0.9
#: Octaves above its smallest normal number that a minifloat keeps when it leaves room for sums.
_KEPT_OCTAVES = 4


Scalar = TypeVar("Scalar", bound=np.generic)


class Operands(NamedTuple):
    """What :meth:`hwsim.units.base.UnitSpec.dot` takes, for many streams.

    Attributes
    ----------
    activations, weights
        Codes of shape (streams, length).
    metadata
        Codes by name, of shape (streams, beats) or (streams, groups).
    """

    activations: Codes
    weights: Codes
    metadata: Mapping[str, Codes] = MappingProxyType({})


def create(unit: UnitSpec, source: str, match: str = "*") -> Operands:
    """Return operands of a kind or from a file, as many as :func:`default_operands` has.

    Parameters
    ----------
    source
        ``normal``, ``random``, ``quiet``; a package out of
        :data:`hwsim.tensors.transformer.PACKAGES`; or the path of a tensor file or model folder,
        see :mod:`hwsim.tensors.sources`, in which every weight has activations.

    match
        Glob pattern of the names of the weights in a file or package.

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
    if not unit.takes_layer_values:
        raise InputError(
            f"operands={source}: {unit.family} takes no weights and activations of a layer; "
            f"allowed: {', '.join(KINDS)}"
        )
    place = {"package": source} if source in PACKAGES else {"path": path}
    chosen = TensorSource(**place, match=match)
    return of_layers(unit, chosen.load(), STREAMS, stream_beats(unit), seed=0)


def default_operands(unit: UnitSpec) -> Operands:
    """Return the operands that costs are quoted for unless others are given.

    64 normal dot products of 64 cycles each, but of at least 16 beats and two groups; seed 0.
    """
    return gaussian(unit, STREAMS, stream_beats(unit), seed=0)


def stream_beats(unit: UnitSpec) -> int:
    """Return the beats of a dot product that fill 64 cycles, at least 16 and two groups."""
    check_unit(unit)
    return max(16, CYCLES // unit.timing().interval, 2 * (unit.group_beats or 0))


def gaussian(unit: UnitSpec, dot_products: int, beats: int, seed: int) -> Operands:
    """Return standard-normal operands in the formats of ``unit``.

    Formats without negative values get magnitudes. Integer metadata are uniform over their legal
    codes; scales are log-normal with a standard deviation of one octave, and the entries of loaded
    tables normal.

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
    peaks = _peaks(unit, beats)
    activations, weights = (
        _uniform_codes(fmt, (dot_products, beats * lanes), peaks[fmt], refused, rng)
        for fmt, lanes, refused in (
            (unit.activation, unit.activation_lanes, ()),
            (unit.weight, unit.weight_lanes, unit.refused_weights),
        )
    )
    return Operands(activations, weights, _metadata(unit, dot_products, beats, rng))


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
    return made._replace(weights=np.tile(made.weights[:, : unit.weight_lanes], (1, beats)))


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
) -> Operands:
    """Return weights and activations of layers, in the formats of ``unit``.

    A dot product is a random weight row and a random token of one layer, the layers in turn. The
    rows of a tile get other tokens and its columns other weight rows of the same layer. Metadata
    and further parameters are those of :func:`gaussian`; ``group`` is the group size of weights.

    Raises
    ------
    InputError
        If a layer has no activations.
    """
    rng = _generator(dot_products, beats, seed)
    counts = unit.values_per_beat
    # What a beat holds beyond the lanes is rows and columns of a tile, or more lanes in a word.
    lanes = unit.lanes if counts[0] == unit.activation_lanes else counts[0]
    rows, columns = (count // lanes for count in counts)
    seeds = range(seed, seed + max(rows, columns))
    metadata = _metadata(unit, dot_products, beats, rng)
    if unit.takes_tensors or not columns:
        streams = [_layer_codes(unit, layers, dot_products, beats, one, group) for one in seeds]
        return Operands(*_tiled(streams, rows, columns, beats), metadata)
    # What a code means is in the metadata.
    values = [
        value_streams(layers, streams=dot_products, length=beats * lanes, seed=one) for one in seeds
    ]
    return _encoded(unit, *_tiled(values, rows, columns, beats), metadata)


def _layer_codes(
    unit: UnitSpec, layers: Sequence[Layer], dot_products: int, beats: int, seed: int, group: int
) -> tuple[Codes, Codes]:
    peaks = _peaks(unit, beats)
    a_room, w_room = (peaks[fmt] / _largest(fmt) for fmt in (unit.activation, unit.weight))
    return operand_streams(
        layers,
        unit.weight,
        unit.activation,
        group,
        streams=dot_products,
        length=beats * unit.lanes,
        seed=seed,
        room=(a_room, w_room),
    )


def _tiled(
    streams: Sequence[tuple[NDArray[Scalar], NDArray[Scalar]]], rows: int, columns: int, beats: int
) -> tuple[NDArray[Scalar], NDArray[Scalar]]:
    activations, weights = (np.stack(part) for part in zip(*streams, strict=True))
    return side_by_side(activations[:rows], beats), side_by_side(weights[:columns], beats)


def side_by_side(tiles: NDArray[Scalar], beats: int) -> NDArray[Scalar]:
    """Return streams of shape (tiles, dot products, length) as one, beat by beat."""
    count, dot_products, length = tiles.shape
    parts = tiles.reshape(count, dot_products, beats, length // beats).transpose(1, 2, 0, 3)
    return parts.reshape(dot_products, count * length)


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
    encode = partial(_encode, peaks=_peaks(unit, beats))
    codes = unit.encode_operands(activations, weights, metadata, encode)
    return Operands(*codes, metadata)


def _encode(fmt: Format, x: Float64, peaks: Mapping[Format, float]) -> Codes:
    if fmt.min >= 0:
        x = np.abs(x)
    length = x.shape[1]
    groups = np.pad(x, ((0, 0), (0, -length % GROUP))).reshape(len(x), -1, GROUP)
    if fmt.scale_rule is ScaleRule.LEAST_ERROR:
        scale = least_error_scales(fmt, groups)
    else:
        scale = np.abs(groups).max(axis=-1) / peaks.get(fmt, _largest(fmt))
    # A group of zeros stays one.
    scaled = groups / np.where(scale == 0, 1.0, scale)[..., np.newaxis]
    return fmt.encode(scaled.reshape(len(x), -1)[:, :length])


def _largest(fmt: Format) -> float:
    return fmt.max or -fmt.min


def _peaks(unit: UnitSpec, beats: int) -> dict[Format, float]:
    """Return the largest magnitude of the operands of each format.

    It is the format's, unless the sum of as many of the largest products as a dot product has
    overflows the format that it is rounded to. Then minifloats give up octaves, in proportion to
    those they have to spare.
    """
    formats = {unit.activation, unit.weight}
    peaks = {fmt: _largest(fmt) for fmt in formats}
    if not isinstance(unit.result, RoundedResult):
        return peaks
    products = beats * unit.lanes * _largest(unit.activation) * _largest(unit.weight)
    excess = np.log2(products / unit.result.format.max)
    spare = {fmt: _spare_octaves(fmt) for fmt in formats}
    total = spare[unit.activation] + spare[unit.weight]
    if excess <= 0 or total == 0:
        return peaks
    share = min(1.0, excess / total)
    return {fmt: peak * float(np.exp2(-share * spare[fmt])) for fmt, peak in peaks.items()}


def _spare_octaves(fmt: Format) -> float:
    if not isinstance(fmt, Minifloat):
        return 0.0
    return max(0.0, float(np.log2(fmt.max)) - fmt.min_exponent - _KEPT_OCTAVES)


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
