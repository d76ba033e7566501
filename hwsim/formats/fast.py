"""Encoding large arrays at the speed of memory: one table look-up a number, and a proof.

Encoding is a step function of the number, so an encoder is known when the smallest number of
each step is known. These thresholds are found by bisection on the exact encoder, over the
ordered bit patterns of float64; nothing about the format is assumed but that it is monotone.

**Jammed index.** The upper bits of a float32, with all the bits below ORed into the lowest of
them, are the number rounded to odd. An even index stands for one number, an odd one for the open
interval between its neighbours. A table over this index is therefore exact if and only if every
step lies at the number of an even index: either there or just after it. That is checked for each
table (:func:`_fits_index`). 16 bits are enough for FP8, FP6, FP4 and posit(8, 0), 23 bits for
posit(16, 1).

**Buckets.** Where thresholds have too many significant bits (NF4, logarithmic numbers), the upper
bits select a bucket in which at most one step lies (also checked), and one comparison in float64
with its threshold decides.

A format that fits neither has no table, and its exact encoder is used, unless its family has a
:class:`Loop`, as integers, minifloats and posits do. The loops are compiled by numba at their first
use and cached on disk; numba is not imported before that, and not for small arrays. They run on one
thread, so results do not depend on how many there are.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cached_property, lru_cache
from types import ModuleType
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

#: Arrays below this size are encoded exactly at once: a table would not pay.
MIN_SIZE = 1 << 15
#: Index widths that are tried; 2**23 entries of 16 bits are 16 MiB.
INDEX_BITS = range(16, 24)
BUCKET_BITS = range(16, 19)
#: Entries of the index that a table of values may have, 8 bytes each.
_DIRECT = 1 << 18
#: Bits of the float32 pattern below which a number is NaN rather than infinite.
_INFINITY = 0x7F800000

Array = NDArray[Any]
Float64 = NDArray[np.float64]
Int64 = NDArray[np.int64]
Exact = Callable[[Float64], Array]

#: Elements of the array that those at hand are a piece of, or the scales of; 0 where there is none.
_WHOLE: ContextVar[int] = ContextVar("elements", default=0)


@contextmanager
def part_of(size: int) -> Iterator[None]:
    """Within, arrays are parts of one of ``size`` elements, which decides what pays."""
    token = _WHOLE.set(max(size, _WHOLE.get()))
    try:
        yield
    finally:
        _WHOLE.reset(token)


def pays(size: int, least: int = MIN_SIZE) -> bool:
    """Whether compiled loops pay for an array of ``size`` elements, or for what it is part of."""
    return max(size, _WHOLE.get()) >= least


class Encoder(Protocol):
    """Compiled loops that give the codes of one format, rounding and overflow rule."""

    def encode(self, x: Array) -> Array:
        """Return the codes of a one-dimensional float32 or float64 array."""

    def encode_odd(self, x: Array) -> Array | None:
        """Return the codes of the numbers that were rounded to odd float32, or None if unsure."""


@dataclass(frozen=True)
class Loop:
    """A loop of :mod:`hwsim.formats.loops` by name, and its arguments between input and output."""

    name: str
    arguments: tuple[Any, ...]
    dtype: np.dtype[Any]

    def encode(self, x: Array) -> Array:
        """Return what the loop makes of a one-dimensional array."""
        out = np.empty(x.shape, self.dtype)
        getattr(_loops(), self.name)(x, *self.arguments, out)
        return out

    def encode_odd(self, x: Array) -> Array | None:
        """Return None: the formats that have loops may be as fine as float32."""
        return None


def linear_values(bits: int, signed: bool, fraction: int) -> Loop:
    """Return the decoder of integers in units of ``2**-fraction``, two's complement if signed."""
    arguments = ((1 << (bits - 1)) * signed, 2.0**-fraction)
    return Loop("linear_values", arguments, np.dtype(np.float64))


@dataclass(frozen=True)
class Linear:
    """The encoder of integers in units of ``2**-fraction``, to nearest even, saturating.

    ``low`` and ``high`` are the ends; codes are two's complement of ``bits`` bits.
    """

    bits: int
    fraction: int
    low: int
    high: int

    @property
    def _fits_float32(self) -> bool:
        # The ends, and a bit for the half, of 24.
        return self.bits <= 22

    def encode(self, x: Array) -> Array:
        """Return the codes of a one-dimensional float32 or float64 array."""
        out = np.empty(x.shape, np.min_scalar_type(2**self.bits - 1))
        kind = x.dtype.type if self._fits_float32 else np.float64
        ends = kind(2.0**self.fraction), kind(self.low), kind(self.high)
        _loops().linear(x, *ends, 2**self.bits - 1, out)
        return out

    def encode_odd(self, x: Array) -> Array | None:
        """Return the codes of the numbers that were rounded to odd float32, or None if unsure."""
        return self.encode(x) if self._fits_float32 else None


@dataclass(frozen=True, eq=False)
class Table:
    """A proved table for one format, rounding and overflow rule.

    ``index`` is over the upper bits of a float32. It holds codes if ``thresholds`` is None, and
    otherwise the rank below the only threshold in the bucket; ``codes`` are in the order of ranks,
    and the last one is that of NaN.
    """

    shift: int
    index: Array
    codes: Array
    thresholds: Float64 | None

    def encode(self, x: Array) -> Array:
        """Return the codes of a one-dimensional float32 or float64 array."""
        out = np.empty(x.shape, self.codes.dtype)
        loops = _loops()
        name = "narrow" if x.dtype == np.float32 else "wide"
        if self.thresholds is None:
            getattr(loops, f"jammed_{name}")(x, self.shift, self.index, out)
        else:
            bucket = getattr(loops, f"bucket_{name}")
            bucket(x, self.shift, self.index, self.thresholds, self.codes, out)
        return out

    def encode_odd(self, x: Array) -> Array | None:
        """Return the codes of the numbers that were rounded to odd float32, or None if unsure."""
        if self.thresholds is None:
            return self.encode(x)
        out = np.empty(x.shape, self.codes.dtype)
        arguments = (self.shift, self.index, self._odd_thresholds, self.codes)
        return out if _loops().bucket_odd(x, *arguments, out) else None

    def for_search(self, values: Float64) -> tuple[Any, ...]:
        """Return the table as :func:`hwsim.formats.searches.least_error` takes it.

        Shift; the bits below the index, if they are ORed into it; the index; thresholds, or None;
        values by the index, where there are none, or by rank. ``values`` are those of all codes.
        """
        shift, mask = np.uint32(self.shift), np.uint32((1 << self.shift) - 1)
        if self.thresholds is not None:
            return shift, np.uint32(0), self.index, self.thresholds, values[self.codes]
        if self.index.size <= _DIRECT:
            return shift, mask, self.index, None, values[self.index]
        # Nothing compares with NaN.
        return shift, mask, self.index, np.full(values.size, np.nan), values

    @cached_property
    def _odd_thresholds(self) -> Array:
        """The thresholds rounded to odd float32."""
        assert self.thresholds is not None
        with np.errstate(over="ignore", under="ignore"):
            narrow = self.thresholds.astype(np.float32)
        bits = narrow.view(np.int32) - (np.abs(narrow) > np.abs(self.thresholds))
        odd: Array = (bits | (narrow != self.thresholds)).astype(np.int32).view(np.float32)
        return odd


def build(exact: Exact, values: Float64, nan_code: int | None) -> Table | None:
    """Return the table of an exact encoder, or None if no table reproduces it.

    Parameters
    ----------
    exact
        Encoder of float64 arrays; monotone, -0 below +0.
    values
        The values of all codes.
    nan_code
        The code of NaN, which may also be what numbers beyond the range are encoded to.
    """
    codes, steps = find_steps(exact, values, nan_code)
    codes = np.append(codes, 0 if nan_code is None else nan_code).astype(
        np.min_scalar_type(values.size - 1)
    )
    for bits in INDEX_BITS:
        shift = 32 - bits
        if _fits_index(steps, shift):
            return Table(shift, codes[_index_ranks(steps, shift)], codes, None)
    if (steps == 0).any():
        return None  # A comparison does not tell +0 from -0.
    for bits in BUCKET_BITS:
        shift = 32 - bits
        below = _bucket_ranks(steps, shift)
        if below is not None:
            # Rank k is left for k + 1 at thresholds[k]; no number compares with the NaNs.
            thresholds = np.append(_number(steps), [np.nan, np.nan])
            dtype = np.min_scalar_type(codes.size)
            return Table(shift, below.astype(dtype), codes, thresholds)
    return None


def find_steps(exact: Exact, values: Float64, nan_code: int | None) -> tuple[Array, Int64]:
    """Return the codes that an encoder gives, in order, and where each begins.

    Parameters
    ----------
    exact, values, nan_code
        As for :func:`build`.

    Returns
    -------
    tuple of numpy.ndarray
        int64 codes of shape (n,), and of shape (n - 1,) the smallest number of every code but the
        first, as :func:`_ordinal` counts numbers.
    """
    codes, starts = _ranks(exact, values, nan_code)
    rank_of = np.full(values.size, -1, np.int64)
    rank_of[codes] = np.arange(codes.size)
    first = starts[codes != nan_code][0]

    def ranks(ordinals: Int64) -> Int64:
        encoded = exact(_number(ordinals)).astype(np.int64)
        outside = np.where(ordinals < first, 0, codes.size - 1)
        return np.where(encoded == nan_code, outside, rank_of[encoded])

    return codes, _bisect(ranks, starts)


def _ranks(exact: Exact, values: Float64, nan_code: int | None) -> tuple[Array, Int64]:
    """Return the codes that can result, in the order of their values, and these as ordinals.

    Overflow to NaN is represented by the NaN code at the ends, at infinity.
    """
    every = np.flatnonzero(~np.isnan(values))
    reached = every[exact(values[every]).astype(np.int64) == every]
    ordinals = _ordinal(values[reached])
    order = np.argsort(ordinals, kind="stable")
    codes, ordinals = reached[order], ordinals[order]
    ends = np.array([-np.inf, np.inf])
    if nan_code is not None:
        low, high = (int(code) == nan_code for code in exact(ends))
        codes = np.concatenate([[nan_code] * low, codes, [nan_code] * high]).astype(np.int64)
        at = _ordinal(ends)
        ordinals = np.concatenate([at[:1][:low], ordinals, at[1:][:high]])
    return codes, ordinals


def _bisect(ranks: Callable[[Int64], Int64], starts: Int64) -> Int64:
    """Return the smallest ordinal of every rank from 1 on."""
    target = np.arange(1, starts.size)
    below, reached = starts[:-1].copy(), starts[1:].copy()
    while (reached - 1 > below).any():
        middle = (below >> 1) + (reached >> 1) + (below & reached & 1)
        high = ranks(middle) >= target
        reached = np.where(high, middle, reached)
        below = np.where(high, below, middle)
    return reached


def _ordinal(x: Float64) -> Int64:
    """Return integers in the order of the numbers, neighbours one apart, -0 below +0."""
    bits = np.ascontiguousarray(x).view(np.int64)
    return np.where(bits < 0, -1 - (bits & np.int64(2**63 - 1)), bits)


def _number(ordinals: Int64) -> Float64:
    bits = np.where(ordinals < 0, (-1 - ordinals) | np.int64(-(2**63)), ordinals)
    return bits.view(np.float64)


def _fits_index(steps: Int64, shift: int) -> bool:
    """Whether every step is at the number of an even index, or just after it.

    The number of an even index is a float32 whose lowest ``shift + 1`` bits are zero. A step up
    to it starts there on the side of larger magnitudes, and is left just after it on the other.
    """
    return bool((_is_anchor(steps, shift) | _is_anchor(steps - 1, shift)).all())


def _is_anchor(ordinals: Int64, shift: int) -> NDArray[np.bool_]:
    x = _number(ordinals)
    with np.errstate(over="ignore", invalid="ignore"):
        narrow = x.astype(np.float32)
    low = narrow.view(np.uint32) & np.uint32((2 << shift) - 1)
    return (narrow == x) & (low == 0)


def _patterns(shift: int) -> NDArray[np.uint32]:
    return np.arange(2 ** (32 - shift), dtype=np.uint32) << np.uint32(shift)


def _index_ranks(steps: Int64, shift: int) -> Int64:
    """Return the rank of every index; that of the NaNs is one past the last.

    The pattern of the index alone is an inner point of the interval that an odd index stands for.
    """
    patterns = _patterns(shift)
    x = patterns.view(np.float32)
    with np.errstate(invalid="ignore"):
        found = np.searchsorted(steps, _ordinal(x.astype(np.float64)), side="right")
    found[(patterns & np.uint32(0x7FFFFFFF)) > _INFINITY] = steps.size + 1
    return found


def _bucket_ranks(steps: Int64, shift: int) -> Int64 | None:
    """Return the rank of the lowest number of every bucket, or None if one holds two steps.

    A bucket holds the float64 numbers that truncate to one pattern of upper bits.
    """
    patterns = _patterns(shift)
    magnitude = patterns & np.uint32(0x7FFFFFFF)
    nan = magnitude > _INFINITY
    first = _ordinal(np.where(nan, 0, magnitude).astype(np.uint32).view(np.float32).astype(float))
    following = np.where(nan | (magnitude == _INFINITY), 0, magnitude + np.uint32(1 << shift))
    last = _ordinal(following.astype(np.uint32).view(np.float32).astype(float)) - 1
    last = np.where(magnitude == _INFINITY, first, last)
    negative = patterns >> np.uint32(31) == 1
    lowest = np.where(negative, -1 - last, first)
    highest = np.where(negative, -1 - first, last)
    below = np.searchsorted(steps, lowest, side="right")
    above = np.searchsorted(steps, highest, side="right")
    if ((above - below > 1) & ~nan).any():
        return None
    return np.where(nan, steps.size + 1, below)


@lru_cache(maxsize=1)
def _loops() -> ModuleType:
    """Return the compiled loops. Importing numba takes 0.3 s, so not before they are needed."""
    from hwsim.formats import loops

    return loops


def look_up(codes: Array, values: Float64) -> Float64:
    """Return the values of codes of any shape, none of which is beyond the table."""
    out = np.empty(codes.size)
    _loops().look_up(codes.reshape(-1), values, out)
    return out.reshape(codes.shape)


def any_nan(x: Array) -> bool:
    """Whether a one-dimensional float32 or float64 array holds a NaN."""
    return bool(_loops().any_nan(x))
