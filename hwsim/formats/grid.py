"""Formats given by the list of their values, up to 16 bits.

A subclass says what each code is worth; encoding is a binary search among the finite values. The
decision point between two neighbours is their exact midpoint. It is kept as the smallest float64
on its upper side, so that no rounding error of the midpoint can change a decision, and a tie is
recognised only where the midpoint is a float64.

"Even" needs an order. Tapered and redundant formats have neighbours whose codes both end in 0 or
both in 1, so by default a value is even if an even number of smaller magnitudes comes before it;
where the codes are in the order of the magnitudes that is the code whose last bit is 0. If both
neighbours are even or both odd, the tie goes to the larger magnitude, and from a tie at 0 to the
side of the sign.
"""

from abc import abstractmethod
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike

from hwsim.errors import InputError
from hwsim.formats.base import (
    Bools,
    Codes,
    Float64,
    Format,
    Int64,
    Kind,
    Overflow,
    Rounding,
    Rule,
    Unpacked,
    leaves_range,
)


@dataclass(frozen=True, eq=False)
class Grid:
    """The finite values of a format in ascending order, and how they are decided.

    Attributes
    ----------
    table
        The values of all codes.
    values, codes
        Distinct finite values and the codes they are encoded to. With ``open_ends`` the first
        and the last one are the values that would follow, outside the format.
    odd
        Whether a value counts as odd in ``nearest_even`` and ``to_odd``.
    split, tie
        Between values i and i + 1: the smallest float64 that is not nearer to value i, and
        whether it is equally near to both.
    negative_zero, nan
        Codes of -0 and NaN, -1 where there is none.
    beyond
        Codes of negative and positive infinity, where there is none of NaN.
    """

    table: Float64
    values: Float64
    codes: Int64
    open_ends: bool
    odd: Bools
    split: Float64
    tie: Bools
    negative_zero: int
    nan: int
    beyond: tuple[int, int]


class GridFormat(Format):
    """A format whose subclass lists the values of its codes in :meth:`_values`."""

    @abstractmethod
    def _values(self) -> Float64:
        """Return the values of all codes: float64 of shape (2**bits,), NaN and infinity too.

        If several codes have the same value, numbers are encoded to the smallest of them;
        negative ones that round to zero are encoded to -0 if there is one.
        """

    def _outside(self) -> tuple[float, float] | None:
        """Return the values that would follow below and above the finite ones.

        They decide which numbers beyond the last value still round to it. None, where nothing
        follows naturally: then every number beyond the last value is out of range.
        """
        return None

    def _odd(self, values: Float64, codes: Int64) -> Bools:
        """Return which of the ascending ``values`` count as odd; ``codes`` are theirs."""
        _, rank = np.unique(np.abs(values), return_inverse=True)
        return rank.reshape(values.shape) % 2 == 1

    def _split(self, lower: Float64, upper: Float64) -> tuple[Float64, Bools]:
        """Return ``split`` and ``tie`` of :class:`Grid` for neighbours."""
        return midpoints(lower, upper)

    @property
    def has_nan(self) -> bool:
        return grid_of(self).nan >= 0

    @property
    def has_infinity(self) -> bool:
        return bool(np.isinf(grid_of(self).table).any())

    def unpack(self, codes: ArrayLike) -> Unpacked:
        """Take codes apart into kind, sign, significand and exponent.

        The significand is odd, unless it is 0. A value that is no dyadic rational (logarithmic
        numbers) is represented by the float64 nearest to it, as in :meth:`decode`.
        """
        return unpack_float64(self._decode(self.check_codes(codes)))

    def _decode(self, codes: Codes) -> Float64:
        return grid_of(self).table[codes]

    def _encode(self, x: Float64, rounding: Rule, overflow: Overflow) -> Int64:
        grid = grid_of(self)
        nan = np.isnan(x)
        number = np.where(nan, 0.0, x)
        low, high = grid.values[0], grid.values[-1]
        rank = _round(grid, np.clip(number, low, high), rounding)
        over = (number < low) | (number > high)
        if grid.open_ends:
            over = over | (rank == 0) | (rank == grid.values.size - 1)
            rank = np.clip(rank, 1, grid.values.size - 2)
        if overflow is Overflow.ERROR and over.any():
            worst = x.flat[int(np.argmax(over))]
            raise InputError(
                f"{worst} is out of the range of {self.name}, {self.min} to {self.max}"
            )
        codes = grid.codes[rank]
        negative = np.signbit(number)
        if grid.negative_zero >= 0:
            codes = np.where(negative & (grid.table[codes] == 0), grid.negative_zero, codes)
        if overflow is Overflow.IEEE:
            leaves = over & (leaves_range(negative, rounding) | np.isinf(number))
            codes = np.where(leaves, np.where(negative, *grid.beyond), codes)
        return np.where(nan, grid.nan, codes)


def unpack_float64(values: Float64) -> Unpacked:
    """Take float64 numbers apart; the significand is odd, unless it is 0."""
    finite = np.isfinite(values) & (values != 0)
    mantissa, exponent = np.frexp(np.where(finite, np.abs(values), 0.0))
    significand = np.ldexp(mantissa, 53).astype(np.int64)
    lowest = (significand & -significand).astype(np.float64)
    trailing = np.where(finite, np.frexp(lowest)[1].astype(np.int64) - 1, 0)
    kind = np.where(values == 0, Kind.ZERO, Kind.FINITE)
    kind = np.where(np.isinf(values), Kind.INFINITY, kind)
    return Unpacked(
        kind=np.where(np.isnan(values), Kind.NAN, kind).astype(np.uint8),
        sign=np.signbit(values).astype(np.uint8),
        significand=significand >> trailing,
        exponent=np.where(finite, exponent.astype(np.int64) - 53 + trailing, 0),
    )


def midpoints(lower: Float64, upper: Float64) -> tuple[Float64, Bools]:
    """Return the smallest float64 not nearer to ``lower`` than to ``upper``, and if it is a tie.

    Exact for magnitudes below 2**1000: the sum is rounded, and its error is known exactly.
    """
    total = lower + upper
    shadow = total - lower
    error = (lower - (total - shadow)) + (upper - shadow)
    middle = total / 2
    return np.where(error > 0, np.nextafter(middle, np.inf), middle), error == 0


@lru_cache(maxsize=256)
def grid_of(fmt: GridFormat) -> Grid:
    """Return the grid of a format."""
    table = fmt._values()
    table.setflags(write=False)
    every = np.arange(table.size)
    minus_zero = (table == 0) & np.signbit(table)
    usable = np.isfinite(table) & ~(minus_zero & ((table == 0) & ~minus_zero).any())
    values, first = np.unique(table[usable] + 0.0, return_index=True)
    codes = every[usable][first]
    outside = fmt._outside()
    if outside is not None:
        values = np.concatenate([[outside[0]], values, [outside[1]]])
        codes = np.concatenate([[-1], codes, [-1]])
    split, tie = fmt._split(values[:-1], values[1:])
    nan = _first(np.isnan(table))
    return Grid(
        table=table,
        values=values,
        codes=codes,
        open_ends=outside is not None,
        odd=fmt._odd(values, codes),
        split=split,
        tie=tie,
        negative_zero=_first(minus_zero),
        nan=nan,
        beyond=(_first(np.isneginf(table), nan), _first(np.isposinf(table), nan)),
    )


def _first(present: Bools, default: int = -1) -> int:
    found = np.flatnonzero(present)
    return int(found[0]) if found.size else default


def _round(grid: Grid, x: Float64, rounding: Rule) -> Int64:
    """Return the rank of the value that each number within the grid is rounded to."""
    rank = np.searchsorted(grid.values, x, side="right") - 1
    rank = np.minimum(rank, grid.values.size - 2)
    lower, upper = grid.values[rank], grid.values[rank + 1]
    up = _round_up(grid, x, rank, lower, upper, rounding)
    return rank + (((x > lower) & up) | (x == upper))


def _round_up(
    grid: Grid, x: Float64, rank: Int64, lower: Float64, upper: Float64, rounding: Rule
) -> Bools:
    """Decide for numbers between two neighbours whether the upper one is taken."""
    negative = np.signbit(x)
    # The neighbour of smaller magnitude, but never one of the other sign.
    inward = np.where(negative, upper <= 0, lower < 0)
    outward = np.where(np.abs(lower) == np.abs(upper), ~negative, np.abs(upper) > np.abs(lower))
    odd, next_odd = grid.odd[rank], grid.odd[rank + 1]
    match rounding:
        case np.random.Generator():
            part = (x / 2 - lower / 2) / (upper / 2 - lower / 2)
            draw = rounding.random(x.shape)
            return np.where(upper <= 0, draw >= 1 - part, draw < part)
        case Rounding.NEAREST_EVEN | Rounding.NEAREST_AWAY:
            even = np.where(odd == next_odd, outward, odd)
            chosen = outward if rounding is Rounding.NEAREST_AWAY else even
            split = grid.split[rank]
            return np.where((x == split) & grid.tie[rank], chosen, x >= split)
        case Rounding.TOWARD_ZERO:
            return inward
        case Rounding.UP:
            return np.ones(x.shape, bool)
        case Rounding.DOWN:
            return np.zeros(x.shape, bool)
        case Rounding.TO_ODD:
            return np.where(odd == next_odd, inward, next_odd)
