"""Operands that find mistakes: every pair where that is possible, corners and random beyond.

Codes are drawn as such: what numbers a network has is of no interest here. Each kind of operands is
there for kinds of mistakes: a pair that one lane gets wrong, a tree or an accumulator too narrow
for all lanes at their largest, a wrong bit below the rounding, a state that outlives its dot
product, a field that acts where it is to be ignored.
"""

from collections.abc import Iterator
from dataclasses import replace
from itertools import product
from math import prod

import numpy as np

from hwsim.formats.base import Codes, Float64, Format, Int64
from hwsim.formats.integer import Integer
from hwsim.formats.minifloat import Minifloat
from hwsim.units.base import UnitSpec
from hwsim.units.metadata import Metadata, Scope, field_shape
from hwsim.units.operands import Operands
from hwsim.units.result import Result

#: Operand pairs, and beats that they fill, up to which a unit is tested exhaustively.
EXHAUSTIVE_PAIRS = 1 << 20
EXHAUSTIVE_BEATS = 1 << 16
#: Pairs times lanes up to which every pair is tested in every lane: of exact and of rounded sums.
EVERY_LANE = 1 << 16
EVERY_ROUNDED_LANE = 1 << 14
#: Beats of the longest dot products: of exact sums of beats that take a cycle, and of others.
LONGEST = 1024
LONG = 260
#: Further pairs with the largest or the most negative product that are tested.
_TIES = 6
#: Beats of which the one with the largest sum is taken.
_TRIED = 1 << 13
#: Bits of operands of a longest dot product.
_LONGEST_BITS = 1 << 17
#: Cycles up to which every order of two values of metadata is tested.
_ORDERS = 1 << 11
#: Numbers that are encoded at once.
_AT_ONCE = 1 << 14


def is_exhaustive(unit: UnitSpec) -> bool:
    """Whether all pairs of operands of ``unit``, with all per-beat metadata, can be tested."""
    if unit.activation_lanes != unit.lanes or unit.weight_lanes != unit.lanes:
        return False
    pairs = 1 << (unit.activation.bits + unit.weight.bits)
    pairs *= prod(len(field.codes) for field in _per_beat(unit))
    return pairs <= min(EXHAUSTIVE_PAIRS, EXHAUSTIVE_BEATS * unit.lanes)


def meets_every_lane(unit: UnitSpec) -> bool:
    """Whether an exhaustive test has every pair in every lane."""
    pairs = 1 << (unit.activation.bits + unit.weight.bits)
    pairs *= prod(len(field.codes) for field in _per_beat(unit))
    return pairs * unit.lanes <= (EVERY_LANE if unit.is_exact else EVERY_ROUNDED_LANE)


def _per_beat(unit: UnitSpec) -> list[Metadata]:
    return [field for field in unit.metadata if field.scope is Scope.BEAT]


def all_pairs(unit: UnitSpec, rng: np.random.Generator) -> Operands:
    """Return every pair of operand codes once, in random order, one beat a dot product.

    With metadata, that is once for every combination of the per-beat fields' codes; those of
    scope ``group`` are random. Beats that are not full are filled up with pairs drawn again.
    Where :func:`meets_every_lane`, every lane gets every pair once instead.
    """
    activations, weights = unit.activation, unit.weight
    every_lane = meets_every_lane(unit)
    fields = _per_beat(unit)
    beats, choices = [], []
    for choice in product(*(field.codes for field in fields)):
        pairs = rng.permutation(1 << (activations.bits + weights.bits))
        pairs = pairs[~np.isin(pairs >> activations.bits, unit.refused_weights)]
        if every_lane:
            beats.append(np.stack([rng.permutation(pairs) for _ in range(unit.lanes)], axis=1))
        else:
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


def late(unit: UnitSpec, beats: int, quiet: int, rng: np.random.Generator) -> Operands:
    """Return a random dot product whose first ``quiet`` beats have activations of zero.

    A sum that is full or not a number after a few random beats does not show what follows.
    """
    drawn = random_codes(unit, 1, beats, rng)
    activations = drawn.activations.copy()
    activations[:, : quiet * unit.activation_lanes] = unit.activation.encode(0.0)
    return replace(drawn, activations=activations)


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
        field.name: random_field(field, field_shape(field, (dots,), beats, unit.group_beats), rng)
        for field in unit.metadata
    }


def random_field(field: Metadata, shape: tuple[int, ...], rng: np.random.Generator) -> Codes:
    """Return legal codes of a field, one for each of ``shape``; see :func:`random_metadata`."""
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
    numbers = rng.standard_normal(shape) * scale
    # In parts: compiled loops take seconds to load.
    rows = max(1, _AT_ONCE // max(shape[1], 1))
    parts = [fmt.encode(numbers[k : k + rows]) for k in range(0, len(numbers), rows)]
    normal = np.concatenate(parts) if parts else uniform
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
    pairs = list(product(*_corners_of(unit)))
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


def _corners_of(unit: UnitSpec) -> tuple[Codes, Codes]:
    """Return the corner codes of activations and of the weights that the unit takes."""
    found = [
        np.union1d(corner_codes(fmt), np.array(unit.special_codes(name), fmt.code_dtype))
        for name, fmt in (("activation", unit.activation), ("weight", unit.weight))
    ]
    return found[0], np.setdiff1d(found[1], unit.refused_weights)


def corner_mix(unit: UnitSpec, dots: int, beats: int, rng: np.random.Generator) -> Operands:
    """Return dot products with corner codes in all lanes, half of them one pair in all lanes."""
    codes = _corners_of(unit)
    sides = [
        rng.choice(one, (dots, beats * lanes))
        for one, lanes in zip(codes, (unit.activation_lanes, unit.weight_lanes), strict=True)
    ]
    for one, side in zip(codes, sides, strict=True):
        side[::2] = rng.choice(one, (len(side[::2]), 1))
    return Operands(sides[0], sides[1], random_metadata(unit, dots, beats, rng))


def edges(unit: UnitSpec, dots: int, rng: np.random.Generator) -> Operands:
    """Return dot products of one beat with activations at both ends, each lane at one of its own.

    Every fourth is a step from it. So sums and differences of activations, as tables have them,
    come to where they are clipped or just not. Weights are random, which selects among them.
    """
    drawn = random_codes(unit, dots, 1, rng)
    corner, _ = _corners_of(unit)
    values = unit.activation.decode(corner)
    found = corner[np.isfinite(values)][np.argsort(values[np.isfinite(values)])]
    ends = found[[0, 1, -2, -1] if len(found) > 3 else [0, 0, -1, -1]]
    chosen = rng.choice(ends, drawn.activations.shape, p=[3 / 8, 1 / 8, 1 / 8, 3 / 8])
    return Operands(chosen.astype(unit.activation.code_dtype), drawn.weights, drawn.metadata)


def tainted(unit: UnitSpec, dots: int, beats: int, rng: np.random.Generator) -> Operands:
    """Return corner codes with NaN or infinity in one lane of every beat, if formats have any."""
    drawn = corner_mix(unit, dots, beats, rng)
    for codes, corner, fmt, lanes in zip(
        (drawn.activations, drawn.weights),
        _corners_of(unit),
        (unit.activation, unit.weight),
        (unit.activation_lanes, unit.weight_lanes),
        strict=True,
    ):
        special = corner[~np.isfinite(fmt.decode(corner))]
        if special.size and lanes:
            lane = rng.integers(lanes, size=(dots, beats, 1))
            apart = codes.reshape(dots, beats, lanes)
            np.put_along_axis(apart, lane, rng.choice(special, lane.shape), axis=2)
    return drawn


def tainted_sums(unit: UnitSpec, dots: int, rng: np.random.Generator) -> Operands | None:
    """Return dot products of two beats, or groups of them: large sums, then infinity or NaN.

    An infinity counts whatever the sum was, be it the largest one of the other sign. Sums are large
    by their operands; metadata are random. None where neither format has NaN or infinity.
    """
    formats = unit.activation, unit.weight
    if all(np.isfinite(fmt.decode(corner_codes(fmt))).all() for fmt in formats):
        return None
    beats = unit.group_beats or 1
    large, special = (make(unit, _TRIED // beats, beats, rng) for make in (corner_mix, tainted))
    sums, ends = _sums(unit, large), _sums(unit, special)
    highest = np.abs(sums[np.isfinite(sums)]).max(initial=0.0)
    first = rng.choice(np.flatnonzero(np.isfinite(sums) & (2 * np.abs(sums) >= highest)), dots)
    infinite = np.flatnonzero(np.isinf(ends))
    last = rng.choice(infinite if infinite.size else len(ends), dots)
    parts = large.take(first), special.take(last)
    return Operands(
        np.concatenate([part.activations for part in parts], axis=1),
        np.concatenate([part.weights for part in parts], axis=1),
        random_metadata(unit, dots, 2 * beats, rng),
    )


def _sums(unit: UnitSpec, operands: Operands) -> Float64:
    """Return the values of dot products, those of arrays of results added up."""
    codes = unit.dot(operands.activations, operands.weights, **operands.metadata)
    values = np.asarray(unit.result.decode(codes), np.float64)
    with np.errstate(invalid="ignore"):
        return values.reshape(len(operands.activations), -1).sum(axis=1)


def extremes(unit: UnitSpec, rng: np.random.Generator, most: int | None = None) -> list[Operands]:
    """Return dot products that drive the sum to either end, and from one to the other.

    All lanes hold the pair with the largest or the most negative product, from one beat to as many
    as wrap the accumulator, or ``most``, by default :func:`longest`. Where several pairs have such
    a product, each of the others comes in one beat. Where exact sums depend on metadata, too, which
    are random in these, two more take what brings a sum furthest, in all their beats.
    """
    ends = _end_pairs(unit)
    length = most or longest(unit)
    if unit.safe_beats:
        length = min(length, unit.safe_beats + 2)
    group = unit.group_beats or 1
    found = []
    for beats in sorted({1, 2, min(group, length), min(2 * group, length), length}):
        for first, second in ((0, 0), (1, 1), (0, 1), (1, 0)):
            # From one end to the other, where that does not take long.
            if first != second and (beats < 2 or beats == LONG == length):
                continue
            turn = max(1, beats // 3)
            pair = np.where(np.arange(beats) < turn, first, second)
            found.append(_all_lanes(unit, ends[pair], rng))
    found += [_all_lanes(unit, ends[[k]], rng) for k in range(2, len(ends))]
    if unit.metadata and isinstance(unit.result, Result):
        found.append(_furthest(unit, length, rng))
    return found


def _furthest(unit: UnitSpec, beats: int, rng: np.random.Generator) -> Operands:
    """Return two dot products, of which every beat adds as much as any, or takes away as much.

    A beat is the one with the largest or the most negative sum of some with a pair of corner codes
    in all lanes and metadata from the ends of their ranges.
    """
    sides = [
        np.repeat(rng.choice(codes, (_TRIED, 1)), lanes, axis=1)
        for codes, lanes in zip(
            _corners_of(unit), (unit.activation_lanes, unit.weight_lanes), strict=True
        )
    ]
    chosen = {field.name: rng.choice(_ends_of(field), _TRIED) for field in unit.metadata}

    def metadata(rows: Int64, beats: int) -> dict[str, Codes]:
        found = {}
        for field in unit.metadata:
            shape = field_shape(field, (len(rows),), beats, unit.group_beats)
            codes = chosen[field.name][rows].reshape(-1, *[1] * (len(shape) - 1))
            found[field.name] = np.broadcast_to(codes, shape).astype(field.format.code_dtype)
        return found

    results = unit.dot(*sides, **metadata(np.arange(_TRIED), 1))
    sums = np.asarray(unit.result.decode(results), np.float64).reshape(_TRIED, -1).sum(axis=1)
    sums = np.nan_to_num(sums, nan=0.0, posinf=0.0, neginf=0.0)
    rows = np.array([sums.argmax(), sums.argmin()])
    activations, weights = (np.tile(side[rows], (1, beats)) for side in sides)
    return Operands(activations, weights, metadata(rows, beats))


def _ends_of(field: Metadata) -> Codes:
    """Return the first and the last legal code, and those of the largest and smallest values."""
    fmt, lowest, highest = field.format, field.codes[0], field.codes[-1]
    codes = [lowest, highest, *np.clip(fmt.encode([fmt.min, fmt.max]), lowest, highest)]
    return np.unique(np.array(codes, fmt.code_dtype))


def _all_lanes(unit: UnitSpec, pairs: Int64, rng: np.random.Generator) -> Operands:
    """Return a dot product whose beats hold a pair each in all lanes; ``pairs`` is (beats, 2)."""
    sides = ((unit.activation_lanes, unit.activation), (unit.weight_lanes, unit.weight))
    rows = [
        np.repeat(pairs[:, side], lanes)[np.newaxis].astype(fmt.code_dtype)
        for side, (lanes, fmt) in enumerate(sides)
    ]
    return Operands(rows[0], rows[1], random_metadata(unit, 1, len(pairs), rng))


def _end_pairs(unit: UnitSpec) -> Int64:
    """Return the pairs of corner codes with the largest and the most negative finite product.

    Further pairs with one of these products, such as those with both signs the other way, follow.
    """
    a, w = _corners_of(unit)
    x, y = unit.activation.decode(a), unit.weight.decode(w)
    with np.errstate(invalid="ignore", over="ignore"):
        products = x[:, np.newaxis] * y
    products[~np.isfinite(products)] = 0
    ends = [np.argwhere(products == end) for end in (products.max(), products.min())]
    firsts = [end[0] for end in ends]
    others = [place for end in ends for place in end[1:] if products[tuple(place)]]
    places = [*firsts, *others[:_TIES]]
    return np.array([(a[row], w[column]) for row, column in places], np.int64)


def longest(unit: UnitSpec) -> int:
    """Return the beats of the longest dot products to test."""
    exact = isinstance(unit.result, Result) and not unit.result.exponent_bits and unit.is_exact
    if not exact or unit.timing().interval > 1 or unit.words_per_beat > 1:
        return LONG
    return max(LONG, min(LONGEST, _LONGEST_BITS // unit.beat_bits))


def metadata_orders(unit: UnitSpec, rng: np.random.Generator) -> list[Operands]:
    """Return dot products with every value of the metadata, and every order of two.

    Values follow each other in consecutive beats or groups, of one dot product and of two: those of
    all fields of a scope together, where that takes no more than 2048 cycles, or of each alone. Of
    a field that has too many values for that, each comes once, and some in order.
    """
    found: list[Operands] = []
    for scope in Scope:
        fields = [field for field in unit.metadata if field.scope is scope]
        together = fields and _order_cycles(unit, fields) <= _ORDERS
        for some in [fields] if together else [[field] for field in fields]:
            found += _in_orders(unit, some, rng)
    return found


def _order_cycles(unit: UnitSpec, fields: list[Metadata]) -> int:
    """Return the cycles that all orders of two values of fields of one scope take."""
    beats = (unit.group_beats or 1) if fields[0].scope is Scope.GROUP else 1
    return prod(len(field.codes) for field in fields) ** 2 * beats * unit.timing().interval


def _in_orders(
    unit: UnitSpec, fields: list[Metadata], rng: np.random.Generator
) -> Iterator[Operands]:
    """Yield dot products in which values of fields of one scope follow each other."""
    counts, scope = [len(field.codes) for field in fields], fields[0].scope
    size = 1 if scope is Scope.BEAT else unit.group_beats or 1
    if _order_cycles(unit, fields) <= _ORDERS:
        walk = np.array(_orders(prod(counts)))
    else:
        walk = rng.permutation(min(prod(counts), 1 << 8))
        yield _with_values(unit, fields, walk[:, np.newaxis], 1, rng)
        walk = walk[: max(4, 128 // size)]
    for part in _parts(walk, 4 if unit.group_beats or scope is Scope.BEAT else 1):
        if scope is Scope.DOT:
            yield _with_values(unit, fields, part[:, np.newaxis], size + 1, rng)
        else:
            yield _with_values(unit, fields, part[np.newaxis], len(part) * size, rng)


def _with_values(
    unit: UnitSpec, fields: list[Metadata], values: Int64, beats: int, rng: np.random.Generator
) -> Operands:
    """Return random dot products with these values of fields, numbers of their combination."""
    # Twice as many, as every other one has operands of close sizes.
    drawn = random_codes(unit, 2 * len(values), beats, rng).take(slice(1, None, 2))
    each = np.unravel_index(values, [len(field.codes) for field in fields])
    for field, chosen in zip(fields, each, strict=True):
        codes = (chosen + field.codes[0]).astype(field.format.code_dtype)
        drawn.metadata[field.name][...] = codes.reshape(drawn.metadata[field.name].shape)
    return drawn


def _orders(count: int) -> list[int]:
    """Return a sequence with every ordered pair of 0 to count - 1 once, in consecutive places."""
    # Leaving every value by the others in turn, itself first, passes all of them.
    following = [[(value - k) % count for k in range(count)][::-1] for value in range(count)]
    walk, stack = [], [0]
    while stack:
        if following[stack[-1]]:
            stack.append(following[stack[-1]].pop())
        else:
            walk.append(stack.pop())
    return walk[::-1]


def _parts(values: Int64, longest_part: int) -> Iterator[Int64]:
    """Yield values in parts of 1 to ``longest_part``, in turn."""
    start, size = 0, 1
    while start < len(values):
        yield values[start : start + size]
        start += size
        size = size % longest_part + 1
