"""Operands that find mistakes: every pair where that is possible, corners and random beyond.

A stimulus is a pair of code arrays (activations, weights), each of shape (dot products, length),
as :meth:`hwsim.units.base.UnitSpec.dot` takes them.
"""

from itertools import product

import numpy as np

from hwsim.formats.base import Codes, Format
from hwsim.formats.minifloat import Minifloat
from hwsim.units.base import UnitSpec

Stimulus = tuple[Codes, Codes]

#: Operand pairs up to which a unit is tested exhaustively.
EXHAUSTIVE_PAIRS = 1 << 20


def is_exhaustive(unit: UnitSpec) -> bool:
    """Whether all pairs of operands of ``unit`` are few enough to be tested."""
    return 1 << (unit.activation.bits + unit.weight.bits) <= EXHAUSTIVE_PAIRS


def all_pairs(unit: UnitSpec, rng: np.random.Generator) -> Stimulus:
    """Return every pair of operand codes once, in random order, one beat a dot product.

    The last beat is filled up with pairs drawn again.
    """
    activations, weights = unit.activation, unit.weight
    pairs = rng.permutation(1 << (activations.bits + weights.bits))
    fill = rng.choice(pairs, -len(pairs) % unit.lanes)
    beats = np.concatenate([pairs, fill]).reshape(-1, unit.lanes)
    return (
        (beats & ((1 << activations.bits) - 1)).astype(activations.code_dtype),
        (beats >> activations.bits).astype(weights.code_dtype),
    )


def random_codes(unit: UnitSpec, dots: int, beats: int, rng: np.random.Generator) -> Stimulus:
    """Return dot products of ``beats`` beats, half uniform over codes and half over values.

    Uniform codes spread over all exponents; normally distributed values, scaled to a part of the
    format's range, make sums in which the operands' sizes are close.
    """
    shape = (dots, beats * unit.lanes)
    return _random(unit.activation, shape, rng), _random(unit.weight, shape, rng)


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


def corners(unit: UnitSpec, rng: np.random.Generator) -> Stimulus:
    """Return all pairs of corner codes, each alone in one lane while the other lanes hold zero.

    A lane that is wired to another lane's operand, or that leaks into the sum, cannot hide here.
    The lanes take turns.
    """
    pairs = list(product(corner_codes(unit.activation), corner_codes(unit.weight)))
    rounds = -(-unit.lanes // len(pairs))
    pairs = pairs * rounds
    shape = (len(pairs), unit.lanes)
    activations = np.full(shape, unit.activation.encode(0.0))
    weights = np.full(shape, unit.weight.encode(0.0))
    rows = np.arange(len(pairs))
    lane = (rows + rng.integers(unit.lanes)) % unit.lanes
    activations[rows, lane] = [a for a, _ in pairs]
    weights[rows, lane] = [w for _, w in pairs]
    return activations, weights
