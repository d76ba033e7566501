"""Operands of sums that are rounded, for mistakes in aligning, cancelling and rounding.

Random operands mostly meet sums that are far from any decision. Here a step, which is what one lane
or one block adds to the sum, is chosen among many by what the addition does: it ends in a tie or
next to one, all but nothing is left of it, or what is added is so much larger that a subnormal sum
is but a sticky bit.
"""

import re
from dataclasses import dataclass
from typing import Any

import numpy as np

from hwsim.formats.base import Bools, Codes, Float64, Format, Int64
from hwsim.formats.integer import Integer
from hwsim.formats.minifloat import Minifloat
from hwsim.units import rounding
from hwsim.units.base import UnitSpec
from hwsim.units.metadata import Scope
from hwsim.units.operands import Operands
from hwsim.units.result import RoundedResult
from hwsim.units.stimulus import random_field

#: Steps of a sum with directed operands, and in how many operands their kind is looked for.
_STEPS, _CANDIDATES = 4, 48
#: Steps among which those of two are chosen, and pairs of them.
_DRAWN, _PAIRS = 1 << 15, 1 << 18
#: How close to a value, or to a tie, is next to it, in units of the last place.
_CLOSE = 2.0**-5
#: Places beyond a format's mantissa within which two terms of a sum are near each other.
_NEAR = 6


def directed(unit: UnitSpec, dots: int, rng: np.random.Generator) -> Operands | None:
    """Return dot products of four steps that round in ways that random operands rarely meet.

    A step is a beat, or a group of beats whose sum is rounded. In every step one lane has a
    product, which is chosen among random ones so that the sum is a tie, next to a tie, all but
    exact (the sticky bit alone), cancels to zero or to little, rounds to zero, or is near the
    largest value. None where sums are not rounded to a minifloat, or products are not those of the
    formats.
    """
    fmt = _rounded_format(unit)
    if fmt is None:
        return None
    # What weights stand for, where beats bring a table of it.
    table = {
        field.name: random_field(field, (dots, 1), rng)[:, 0]
        for field in unit.metadata
        if field.scope is Scope.DOT
    }
    total, rows = np.zeros(dots), np.arange(dots)
    steps = []
    for step in range(_STEPS):
        *codes, values = _terms(unit, dots, table, rng)
        kinds = _kinds(fmt, total[:, np.newaxis], values)
        wanted = rng.integers(1, kinds.max() + 1, dots) if step and kinds.any() else np.zeros(dots)
        order = rng.random(kinds.shape) + 2 * (kinds == wanted[:, np.newaxis]) + (kinds > 0)
        chosen = order.argmax(axis=1)
        steps.append([one[rows, chosen] for one in codes])
        with np.errstate(invalid="ignore"):
            total = rounding.add(fmt, values[rows, chosen], total)
    activations, weights, *others = (np.stack(one, axis=1) for one in zip(*steps, strict=True))
    names = [field.name for field in unit.metadata if field.name not in table]
    lane = rng.integers(_block_lanes(unit), size=(dots, _STEPS))
    sides = []
    for drawn, of in ((activations, unit.activation), (weights, unit.weight)):
        side = np.full((dots, _STEPS, _step_lanes(unit)), of.encode(0.0), of.code_dtype)
        np.put_along_axis(side, lane[..., np.newaxis], drawn[..., np.newaxis], axis=2)
        sides.append(side.reshape(dots, -1))
    return Operands(sides[0], sides[1], {**table, **dict(zip(names, others, strict=True))})


def _rounded_format(unit: UnitSpec) -> Minifloat | None:
    """Return the format that sums are rounded to, if products are those of the operands' codes."""
    result = unit.result
    lanes = (unit.activation_lanes, unit.weight_lanes)
    if not isinstance(result, RoundedResult) or result.shape or lanes != (unit.lanes, unit.lanes):
        return None
    return result.format if isinstance(result.format, Minifloat) else None


def _step_lanes(unit: UnitSpec) -> int:
    """Return the lanes of a beat, or of a group of beats whose sum is rounded."""
    return (unit.group_beats or 1) * unit.lanes


def _block_lanes(unit: UnitSpec) -> int:
    """Return the lanes that the first scales of a beat belong to, where it has several."""
    last = max((int(n) for n in re.findall(r"_scale_(\d+)", " ".join(unit.beat_fields))), default=0)
    return _step_lanes(unit) // (last + 1)


def _terms(
    unit: UnitSpec, dots: int, table: dict[str, Codes], rng: np.random.Generator
) -> tuple[Any, ...]:
    """Return candidates for a step: codes of activations, weights and metadata, and products.

    Shape (dots, candidates). Half of the operands are of all sizes, half close to 1.
    """
    shape = (dots, _CANDIDATES)
    sides = [_codes(fmt, shape, rng) for fmt in (unit.activation, unit.weight)]
    sides[1] = _taken(unit, sides[1])
    numbers = unit.weight.decode(sides[1])
    found = []
    with np.errstate(invalid="ignore", over="ignore"):
        for k, field in enumerate(unit.metadata):
            if field.name in table:
                entry = field.format.decode(table[field.name])
                numbers = np.where(sides[1] == k, entry[:, np.newaxis], numbers)
                continue
            if isinstance(field.format, Integer):
                found.append(np.zeros(shape, field.format.code_dtype))
                continue
            found.append(random_field(field, shape, rng))
            if field.name.endswith(("_scale", "_scale_0")):
                numbers = numbers * field.format.decode(found[-1])
        values = unit.activation.decode(sides[0]) * numbers
    return *sides, *found, np.where(np.isfinite(values), values, 0.0)


def _codes(fmt: Format, shape: tuple[int, ...], rng: np.random.Generator) -> Codes:
    """Return codes, half of them of all sizes and half close to 1."""
    codes = rng.integers(0, 1 << fmt.bits, shape).astype(fmt.code_dtype)
    near = fmt.encode(rng.standard_normal(shape) * min(2.0, fmt.max))
    return np.where(rng.random(shape) < 0.5, codes, near).astype(fmt.code_dtype)


def _taken(unit: UnitSpec, weights: Codes) -> Codes:
    """Return weights, zero in place of those that the unit refuses."""
    refused = np.isin(weights, unit.refused_weights)
    return np.where(refused, unit.weight.encode(0.0), weights).astype(unit.weight.code_dtype)


def _kinds(fmt: Minifloat, total: Float64, terms: Float64) -> Int64:
    """Return how ``total`` plus each term rounds, 0 for no kind of interest.

    1: a tie; 2: next to a tie; 3: next to a value; 4: cancels to zero; 5: cancels to little;
    6: rounds to zero; 7: near the largest value.
    """
    with np.errstate(invalid="ignore"):
        exact = total + terms
    exact = np.where(np.isfinite(exact), exact, 0.0)
    parts, rest = _places(fmt, exact)
    is_term = terms != 0
    return np.select(
        [
            (exact == 0) & is_term,
            (parts <= 0.5) & (parts > 0),
            rest == 0.5,
            np.abs(rest - 0.5) < _CLOSE,
            (np.minimum(rest, 1 - rest) < _CLOSE) & (rest != 0),
            np.abs(exact) < 2.0**-3 * np.abs(total),
            np.abs(exact) > 0.9 * fmt.max,
        ],
        [4, 6, 1, 2, 3, 5, 7],
        0,
    )


def _places(fmt: Minifloat, values: Float64) -> tuple[Float64, Float64]:
    """Return magnitudes in units of the last place they would have in a format, and what is left.

    The last place of numbers beyond the format's largest is taken to go on as before.
    """
    size = np.maximum(_exponent(values), fmt.min_exponent)
    parts = np.abs(np.ldexp(values, fmt.mantissa - size))
    return parts, parts - np.floor(parts)


def _exponent(values: Float64) -> Int64:
    """Return the exponents of magnitudes, of 0 that of one half."""
    return np.frexp(values)[1].astype(np.int64) - 1


@dataclass(frozen=True)
class _Steps:
    """Steps of a sum.

    Attributes
    ----------
    activations, weights
        Codes of the lanes that are added up before anything is rounded, (steps, lanes).
    metadata
        Codes, (steps,).
    values
        What each adds to the sum, exactly.
    sizes
        Exponents of the sums of their products, before any scale.
    """

    activations: Codes
    weights: Codes
    metadata: dict[str, Codes]
    values: Float64
    sizes: Int64

    @classmethod
    def draw(cls, unit: UnitSpec, rng: np.random.Generator) -> "_Steps":
        """Return random steps whose sums are finite, of one product or of several."""
        shape = (_DRAWN, _block_lanes(unit) if unit.group_beats else 1)
        used = rng.random(shape).argsort(axis=1) < rng.integers(1, shape[1] + 1, (_DRAWN, 1))
        sides = [
            np.where(used, _codes(fmt, shape, rng), fmt.encode(0.0)).astype(fmt.code_dtype)
            for fmt in (unit.activation, unit.weight)
        ]
        sides[1] = _taken(unit, sides[1])
        with np.errstate(invalid="ignore", over="ignore"):
            sums = (unit.activation.decode(sides[0]) * unit.weight.decode(sides[1])).sum(axis=1)
            values, metadata = sums, {}
            for field in unit.metadata:
                codes = random_field(field, (_DRAWN,), rng)
                if field.name.endswith(("_scale", "_scale_0")):
                    scales = field.format.decode(codes)
                    values = values * (
                        np.exp2(scales) if isinstance(field.format, Integer) else scales
                    )
                elif isinstance(field.format, Integer):
                    codes = np.zeros_like(codes)
                metadata[field.name] = codes
        finite = np.isfinite(values)
        return cls(
            sides[0][finite],
            sides[1][finite],
            {name: codes[finite] for name, codes in metadata.items()},
            values[finite],
            _exponent(sums[finite]),
        )


def classes(unit: UnitSpec, dots: int, rng: np.random.Generator) -> Operands | None:
    """Return dot products of two steps, one of each class of additions, at most ``dots``.

    A step is a beat, or a group of beats; dot products are in random order. The first step leaves a
    rounded sum, to which the second one is added. Steps are one product, or a block's, as many as
    are added up exactly. Additions differ in how far the two are apart, what
    is left to round, what cancels, and whether the sum is one of the smallest subnormals
    (:func:`_additions`). None where :func:`directed` has none, or beats bring a table.
    """
    fmt = _rounded_format(unit)
    if fmt is None or any(field.scope is Scope.DOT for field in unit.metadata):
        return None
    steps = _Steps.draw(unit, rng)
    with np.errstate(over="ignore"):
        sums = rounding.add(fmt, steps.values, np.zeros(len(steps.values)))
    finite = np.flatnonzero(np.isfinite(sums))
    kept = sums[finite]
    parts, _ = _places(fmt, kept)
    firsts = finite[_one_each(rng, np.signbit(kept), _exponent(kept), parts % 4)]
    _, rest = _places(fmt, steps.values)
    seconds = _one_each(
        rng, np.signbit(steps.values), _exponent(steps.values), _rests(rest), steps.sizes
    )
    pairs = rng.permutation(len(firsts) * len(seconds))[:_PAIRS]
    first, second = firsts[pairs // len(seconds)], seconds[pairs % len(seconds)]
    chosen = _additions(fmt, sums[first], steps.values[second], steps.sizes[second], rng)
    chosen = rng.permutation(chosen)[:dots]
    both = np.stack([first[chosen], second[chosen]], axis=1)
    sides = []
    for drawn, of in ((steps.activations, unit.activation), (steps.weights, unit.weight)):
        side = np.full((*both.shape, _step_lanes(unit)), of.encode(0.0), of.code_dtype)
        side[..., : drawn.shape[1]] = drawn[both]
        sides.append(side.reshape(len(both), -1))
    return Operands(
        sides[0], sides[1], {name: codes[both] for name, codes in steps.metadata.items()}
    )


def _additions(
    fmt: Minifloat, totals: Float64, terms: Float64, sizes: Int64, rng: np.random.Generator
) -> Int64:
    """Return places of additions of a term to a total, one of each class."""
    exact = rounding.add_to_odd(terms, totals)
    parts, rest = _places(fmt, exact)
    state, _ = _places(fmt, totals)
    whole, left = _places(fmt, terms)
    apart = _exponent(terms) - _exponent(totals)
    difference = np.signbit(totals) != np.signbit(terms)
    lost = np.maximum(_exponent(totals), _exponent(terms)) - _exponent(exact)
    region = np.select(
        [parts == 0, parts < 1, parts < 1 << fmt.mantissa, np.abs(exact) > 0.9 * fmt.max],
        [0, 1, 2, 3],
        4,
    )
    near = np.abs(apart) <= fmt.mantissa + _NEAR
    sharp = (left == 0) | (left == 0.5)
    tiny = (state < 4) & (apart > 0) & (left == 0.5)
    return np.unique(
        np.concatenate(
            [
                _some(near, rng, apart, _rests(rest), difference, parts // 1 % 2, region),
                # However far apart they are, no bit of the total may come up in the sum.
                _some(~near & sharp, rng, apart, left, difference),
                # The total is a sticky bit, which decides a tie.
                _some(tiny, rng, state, difference, whole // 1 % 2, np.minimum(apart, 32)),
                _some((lost > 1) & (exact != 0), rng, apart, lost, sizes, difference),
            ]
        )
    )


def _rests(rest: Float64) -> Int64:
    """Return where between two numbers of a format a number lies."""
    ends = (_CLOSE, 0.5, 1 - _CLOSE)
    close = 2 * (np.abs(rest - 0.5) < _CLOSE) + (rest == 0.5) + 4 * (rest == 0)
    return np.searchsorted(ends, rest, side="right") + 8 * close


def _some(where: Bools, rng: np.random.Generator, *keys: Any) -> Int64:
    """Return one place of every class among those where a condition holds."""
    places = np.flatnonzero(where)
    return places[_one_each(rng, *(key[places] for key in keys))]


def _one_each(rng: np.random.Generator, *keys: Any) -> Int64:
    """Return the place of one member of every class: what has the same keys is of one class."""
    order = rng.permutation(len(keys[0]))
    table = np.stack([np.asarray(key, np.float64)[order] for key in keys], axis=1)
    _, first = np.unique(table, axis=0, return_index=True)
    return order[first]
