"""Operands that find mistakes: every pair where that is possible, corners and random beyond.

Codes are drawn as such: what numbers a network has is of no interest here.
"""

from itertools import product
from math import prod

import numpy as np

from hwsim.formats.base import Codes, Format
from hwsim.formats.integer import Integer
from hwsim.formats.minifloat import Minifloat
from hwsim.units.base import UnitSpec
from hwsim.units.metadata import Metadata, Scope, field_shape
from hwsim.units.operands import Operands

#: Operand pairs, and beats that they fill, up to which a unit is tested exhaustively.
EXHAUSTIVE_PAIRS = 1 << 20
EXHAUSTIVE_BEATS = 1 << 16


def is_exhaustive(unit: UnitSpec) -> bool:
    """Whether all pairs of operands of ``unit``, with all per-beat metadata, can be tested."""
    if unit.activation_lanes != unit.lanes or unit.weight_lanes != unit.lanes:
        return False
    pairs = 1 << (unit.activation.bits + unit.weight.bits)
    pairs *= prod(len(field.codes) for field in _per_beat(unit))
    return pairs <= min(EXHAUSTIVE_PAIRS, EXHAUSTIVE_BEATS * unit.lanes)


def _per_beat(unit: UnitSpec) -> list[Metadata]:
    return [field for field in unit.metadata if field.scope is Scope.BEAT]


def all_pairs(unit: UnitSpec, rng: np.random.Generator) -> Operands:
    """Return every pair of operand codes once, in random order, one beat a dot product.

    With metadata, that is once for every combination of the per-beat fields' codes; those of
    scope ``group`` are random. Beats that are not full are filled up with pairs drawn again.
    """
    activations, weights = unit.activation, unit.weight
    fields = _per_beat(unit)
    beats, choices = [], []
    for choice in product(*(field.codes for field in fields)):
        pairs = rng.permutation(1 << (activations.bits + weights.bits))
        pairs = pairs[~np.isin(pairs >> activations.bits, unit.refused_weights)]
        fill = rng.choice(pairs, -len(pairs) % unit.lanes)
        beats.append(np.concatenate([pairs, fill]).reshape(-1, unit.lanes))
        choices.append(np.tile(np.array(choice, np.int64), (len(beats[-1]), 1)))
    order = rng.permutation(sum(map(len, beats)))
    chosen, metadata = np.concatenate(beats)[order], np.concatenate(choices)[order]
    extra = random_metadata(unit, len(order), 1, rng)
    for k, field in enumerate(fields):
        extra[field.name] = metadata[:, k : k + 1].astype(field.format.code_dtype)
    return Operands(
        (chosen & ((1 << activations.bits) - 1)).astype(activations.code_dtype),
        (chosen >> activations.bits).astype(weights.code_dtype),
        extra,
    )


def random_codes(unit: UnitSpec, dots: int, beats: int, rng: np.random.Generator) -> Operands:
    """Return dot products of ``beats`` beats, half uniform over codes and half over values.

    Uniform codes spread over all exponents; normally distributed values, scaled to a part of the
    format's range, make sums in which the operands' sizes are close.
    """
    activations = _random(unit.activation, (dots, beats * unit.activation_lanes), rng)
    weights = _random(unit.weight, (dots, beats * unit.weight_lanes), rng)
    refused = np.isin(weights, unit.refused_weights)
    weights = np.where(refused, unit.weight.encode(0.0), weights)
    return Operands(activations, weights, random_metadata(unit, dots, beats, rng))


def cancelling(unit: UnitSpec, dots: int, rng: np.random.Generator) -> Operands:
    """Return random dot products of two beats, the second taking away most of the first.

    The activations come again with the other sign and up to two codes away, so that the leading
    digits of the sums vanish.
    """
    drawn = random_codes(unit, dots, 2, rng)
    first, weights = drawn.activations, drawn.weights
    fmt = unit.activation
    first = first[:, : unit.activation_lanes]
    values = fmt.decode(first)
    second = fmt.encode(np.where(np.isnan(values), 0.0, -values)).astype(np.int64)
    second = np.clip(second + rng.integers(-2, 3, second.shape), 0, (1 << fmt.bits) - 1)
    activations = np.concatenate([first, second.astype(fmt.code_dtype)], axis=1)
    again = np.tile(weights[:, : unit.weight_lanes], (1, 2))
    return Operands(activations, again, drawn.metadata)


def random_metadata(
    unit: UnitSpec, dots: int, beats: int, rng: np.random.Generator
) -> dict[str, Codes]:
    """Return metadata for dot products of ``beats`` beats, uniform over the legal codes.

    Where a field is no integer, three of four dot products have values near 1 instead: most sums
    of numbers that are scaled by anything between 2**-127 and 2**127 are just the largest one.
    """
    return {
        field.name: _random_field(field, field_shape(field, (dots,), beats, unit.group_beats), rng)
        for field in unit.metadata
    }


def _random_field(field: Metadata, shape: tuple[int, ...], rng: np.random.Generator) -> Codes:
    lowest, highest = field.codes[0], field.codes[-1]
    uniform = rng.integers(lowest, highest, shape, endpoint=True).astype(field.format.code_dtype)
    if isinstance(field.format, Integer):
        return uniform
    near = field.format.encode(np.exp2(rng.uniform(-8, 8, shape)))
    rows = rng.random((shape[0],) + (1,) * (len(shape) - 1)) < 0.75
    return np.where(rows, np.clip(near, lowest, highest), uniform).astype(field.format.code_dtype)


def dot_lengths(unit: UnitSpec) -> tuple[int, ...]:
    """Return the beats per dot product to test: short ones, and the edges of groups."""
    group = unit.group_beats or 1
    return tuple(sorted({1, 2, 3, 8, group, group + 1, 2 * group + 1}))


def _random(fmt: Format, shape: tuple[int, int], rng: np.random.Generator) -> Codes:
    uniform = rng.integers(0, 1 << fmt.bits, shape).astype(fmt.code_dtype)
    # Squares keep the products of bf16 within float64.
    scale = np.sqrt(fmt.max) * np.exp2(rng.uniform(-4, 0, (shape[0], 1)))
    normal = fmt.encode(rng.standard_normal(shape) * scale)
    return np.where(np.arange(shape[0])[:, np.newaxis] % 2, normal, uniform)


def corner_codes(fmt: Format) -> Codes:
    """Return the codes where mistakes gather, with their neighbours.

    They are the ends of the code range and of its halves, and the codes of 1, -1, the largest,
    the smallest and the most negative value and the infinities. So they hold -1 and the ends of
    two's complement, and a minifloat's zeros, NaN and both ends of the subnormals.
    """
    half = 1 << (fmt.bits - 1)
    values = [1.0, -1.0, fmt.max, fmt.min]
    if fmt.max > 0:
        values.append(fmt.smallest)
    codes = [0, half, 2 * half - 1, *fmt.encode(values)]
    if isinstance(fmt, Minifloat):
        codes += [1 << fmt.mantissa, half + (1 << fmt.mantissa), fmt.nan_code]
    near = {int(code) + step for code in codes for step in (-1, 0, 1)}
    return np.array(sorted(c for c in near if 0 <= c < 2 * half), fmt.code_dtype)


def corners(unit: UnitSpec, rng: np.random.Generator) -> Operands:
    """Return all pairs of corner codes, each alone in one lane while the other lanes hold zero.

    A lane that is wired to another lane's operand, or that leaks into the sum, cannot hide here.
    The lanes take turns.
    """
    weight_codes = np.setdiff1d(corner_codes(unit.weight), unit.refused_weights)
    pairs = list(product(corner_codes(unit.activation), weight_codes))
    pairs *= -(-unit.lanes // len(pairs))
    activations = np.full((len(pairs), unit.activation_lanes), unit.activation.encode(0.0))
    weights = np.full((len(pairs), unit.weight_lanes), unit.weight.encode(0.0))
    rows = np.arange(len(pairs))
    lane = (rows + rng.integers(unit.lanes)) % unit.lanes
    # Where rows or columns have lanes of their own, any of them that meet in a product.
    row, column = (
        rng.integers(max(lanes // unit.lanes, 1), size=len(pairs))
        for lanes in (unit.activation_lanes, unit.weight_lanes)
    )
    activations[rows, row * unit.lanes + lane] = [a for a, _ in pairs]
    if unit.weight_lanes:
        weights[rows, column * unit.lanes + lane] = [w for _, w in pairs]
    return Operands(activations, weights, random_metadata(unit, len(pairs), 1, rng))
