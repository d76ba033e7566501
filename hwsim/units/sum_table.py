"""Tables of sums: every combination of few activations by digits, computed once, read many times.

A weight's digit is one of few values, {-1, 1}, {0, 1} or {-1, 0, 1}, so ``lanes`` activations have
only ``len(digits)**lanes`` different sums. A table computes them all; after that a dot product is
one read for ``lanes`` products, and the columns of a tile share the table.

The sums form a tree: a combination of k + 1 digits is one addition to the combination of its first
k, which all that begin alike share. A digit 0 adds nothing. A sum whose first digit that is not 0
is negative is the negated sum of the opposite digits: that is exact for integers and for rounding
to nearest even. So with digits {-1, 1} a table needs half of its entries, those of
:func:`symmetric_half`, if reading can negate: 2**(lanes - 1) entries and 2**lanes - 2 adders.

Source: Mo et al., LUT Tensor Core, ISCA 2025, arXiv:2408.06003, section 3 (symmetric tables).
"""

from collections.abc import Sequence
from itertools import product

import numpy as np

from hwsim.units.sums import Sums, Values

#: The digits of all lanes, the first lane's first.
Combination = tuple[int, ...]


def combinations(lanes: int, digits: Sequence[int]) -> tuple[Combination, ...]:
    """Return all combinations of ``digits``, counting up with the first lane fastest.

    The combination at index i has in lane k the digit ``digits[i // base**k % base]``, where
    ``base`` is the number of digits.
    """
    return tuple(reversed_[::-1] for reversed_ in product(digits, repeat=lanes))


def symmetric_half(all_combinations: Sequence[Combination]) -> tuple[Combination, ...]:
    """Return those that are not the negative of another: 0, and a first digit above 0.

    The order stays. Of all combinations of {-1, 1}, those with digit 1 in lane 0 are left, so the
    index of an entry is that of its other lanes.
    """
    return tuple(c for c in all_combinations if first_digit(c) >= 0)


def first_digit(combination: Combination) -> int:
    """Return the first digit that is not 0, or 0."""
    return next((digit for digit in combination if digit), 0)


def negative(combination: Combination) -> Combination:
    """Return the combination of the opposite digits."""
    return tuple(-digit for digit in combination)


def sum_table(sums: Sums, operands: Values, entries: Sequence[Combination]) -> Values:
    """Return tables of sums.

    Parameters
    ----------
    sums
        The arithmetic.
    operands
        Values of activations, shape (..., lanes).
    entries
        The digits, -1, 0 or 1, of every entry.

    Returns
    -------
    numpy.ndarray
        Shape (..., entries).
    """
    known: dict[Combination, Values] = {}

    def entry(combination: Combination) -> Values:
        if combination not in known:
            known[combination] = compute(combination)
        return known[combination]

    def compute(combination: Combination) -> Values:
        if first_digit(combination) < 0:
            return -entry(negative(combination))
        if not any(combination):
            return sums.zeros(operands.shape[:-1])
        *prefix, digit = combination
        if not digit:
            return entry(tuple(prefix))
        operand = operands[..., len(prefix)]
        if not any(prefix):
            return sums.start(operand)
        return sums.add(entry(tuple(prefix)), digit * operand)

    return np.stack([entry(combination) for combination in entries], axis=-1)
