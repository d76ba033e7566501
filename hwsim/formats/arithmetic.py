"""Exact arithmetic of blocks: largest magnitudes, quotients by a scale, and their codes.

Quotients by a scale are the delicate point. ``x / scale`` rounded to float64 may land on a tie of
the element format that the real quotient misses by less than a float64 can show.
:func:`exact_quotient` moves such a quotient back off the tie, so that every family of blocks rounds
the real quotient, once.

Arrays that are large, or part of a large one (:func:`hwsim.formats.fast.part_of`), go through the
compiled loops of :mod:`hwsim.formats.quotients`, with the same results.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from math import fsum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwsim.errors import InputError
from hwsim.formats import fast
from hwsim.formats.base import Codes, Float64, Format, Int64, Overflow, Rounding, Stochastic

#: Elements that are worked on at a time: temporaries then stay in the cache.
CHUNK = 1 << 16
#: And where there is no temporary, unless float16 has to become float32.
SLICE = 1 << 20
#: A float64 whose lowest 12 bits are 0 has at most 41 significant bits.
_LOW_BITS = (1 << 12) - 1
#: The largest divisor of the compiled quotients.
_LARGEST_DIVISOR = 2.0**400

Floats = NDArray[np.floating[Any]]


def slices(blocks: Floats, elements: int = CHUNK) -> Iterator[tuple[slice, Floats]]:
    """Yield flat float32 or float64 elements of some blocks at a time, and which blocks they are.

    Float16, which numba has not, becomes float32.
    """
    size = blocks.shape[-1]
    flat = blocks.reshape(-1)
    kind = np.float64 if blocks.dtype.itemsize == 8 else np.float32
    step = max(1, elements // size)
    for first in range(0, flat.size // size, step):
        part = slice(first, first + step)
        yield part, np.ascontiguousarray(flat[first * size : (first + step) * size], kind)


def largest_magnitude(blocks: Floats) -> Float64:
    """Return the largest magnitude of each block as float64; NaN where a block holds NaN."""
    if not fast.pays(blocks.size):
        # The sum makes a -0 positive, which else would be the sign of a scale.
        return np.maximum(blocks.max(axis=-1), -blocks.min(axis=-1)).astype(np.float64) + 0.0
    from hwsim.formats import quotients

    largest = np.empty(blocks.shape[:-1])
    for part, x in slices(blocks):
        narrow = x.dtype == np.float32
        loop = quotients.largest_narrow if narrow else quotients.largest_wide
        loop(x, blocks.shape[-1], largest.reshape(-1)[part])
    return largest


def extremes(blocks: Floats) -> tuple[Float64, Float64]:
    """Return magnitudes of each block of finite numbers: of its least, of its largest, or 0.

    The first is 0 without numbers below 0, the second without numbers above.
    """
    if not fast.pays(blocks.size):
        low = np.minimum(blocks.min(axis=-1), 0.0).astype(np.float64)
        return np.abs(low), np.abs(np.maximum(blocks.max(axis=-1), 0.0).astype(np.float64))
    from hwsim.formats import quotients

    low, high = np.empty((2, *blocks.shape[:-1]))
    for part, x in slices(blocks):
        narrow = x.dtype == np.float32
        loop = quotients.extremes_narrow if narrow else quotients.extremes_wide
        loop(x, blocks.shape[-1], low.reshape(-1)[part], high.reshape(-1)[part])
    return np.abs(low), high


def each_quotient(
    blocks: Floats,
    divisors: Float64,
    rounding: Rounding | Stochastic,
    negative: Float64 | None = None,
    divisor_tails: Float64 | None = None,
    factor: float = 1.0,
) -> "Iterator[Quotients]":
    """Yield the quotients of some blocks at a time.

    Parameters
    ----------
    blocks
        Shape (..., size), finite except where the divisor is 0.
    divisors, negative
        Not negative, shape (...); those of the negative numbers of a block, where they are others.
        Where a divisor is 0, so is the quotient.
    rounding
        Stochastic rounding draws one random number an element in order, so it gets all at once.
    divisor_tails
        What is to be added to the divisors, as for :func:`exact_quotient`.
    factor
        What numbers are multiplied with, exactly, before they are divided.
    """
    above = divisors.reshape(-1)
    below = above if negative is None else negative.reshape(-1)
    tails = None
    if divisor_tails is not None and divisor_tails.any():
        tails = divisor_tails.reshape(-1)
    shared = _Divisors(above, below, tails, blocks.shape[-1], factor)
    elements = blocks.size if isinstance(rounding, Stochastic) else CHUNK
    for part, x in slices(blocks, elements):
        yield Quotients(part, x, shared)


def encode_quotients(
    element: Format,
    blocks: Floats,
    divisors: Float64,
    rounding: Rounding | Stochastic,
    negative: Float64 | None = None,
    *,
    divisor_tails: Float64 | None = None,
    factor: float = 1.0,
) -> Codes:
    """Return the codes of the real quotients of blocks by their divisors, rounded once, saturating.

    Parameters are those of :func:`each_quotient`; the codes have the shape of ``blocks``.
    """
    codes = np.empty(blocks.shape, element.code_dtype)
    if codes.size == 0:
        return codes
    flat = codes.reshape(-1, blocks.shape[-1])
    encoder = element.encoder(blocks.size, rounding, Overflow.SATURATE)
    for quotients in each_quotient(blocks, divisors, rounding, negative, divisor_tails, factor):
        odd = None if encoder is None else quotients.odd()
        encoded = None if encoder is None or odd is None else encoder.encode_odd(odd)
        if encoded is None:
            exact = quotients.exact()
            encoded = element.encode(exact, rounding) if encoder is None else encoder.encode(exact)
        flat[quotients.part] = encoded.reshape(-1, blocks.shape[-1])
    return codes


@dataclass(frozen=True, eq=False)
class _Divisors:
    """The divisors of all blocks; see :func:`each_quotient`."""

    above: Float64
    below: Float64
    tails: Float64 | None
    size: int
    factor: float

    @cached_property
    def narrow(self) -> tuple[Floats, Floats]:
        """The divisors rounded to float32."""
        with np.errstate(over="ignore", under="ignore"):
            above = self.above.astype(np.float32)
            return above, above if self.below is self.above else self.below.astype(np.float32)

    @cached_property
    def are_narrow(self) -> bool:
        """Whether all divisors are float32."""
        above, below = self.narrow
        return bool((above == self.above).all() and (below == self.below).all())

    @cached_property
    def are_in_range(self) -> bool:
        """Whether remainders of float64 quotients by them are normal."""
        both = [self.above] if self.below is self.above else [self.above, self.below]
        return all(_are_in_range(each) for each in both)


@dataclass(frozen=True, eq=False)
class Quotients:
    """The quotients of some blocks of a large array, ``part``; see :func:`each_quotient`."""

    part: slice
    x: Floats
    divisors: _Divisors

    def odd(self) -> Floats | None:
        """Return the quotients as float32 rounded to odd, flat; None if the loops cannot."""
        divisors, size, factor = self.divisors, self.divisors.size, self.divisors.factor
        if divisors.tails is not None or not fast.pays(self.x.size):
            return None
        from hwsim.formats import quotients

        part, out = self.part, np.empty(self.x.size, np.float32)
        above, below = divisors.above[part], divisors.below[part]
        if self.x.dtype == np.float32 and factor == 1 and divisors.are_narrow:
            near = divisors.narrow[0][part], divisors.narrow[1][part]
            return out if quotients.odd(self.x, *near, size, out) else None
        # float64 holds the products of two float32, and they are never that small.
        narrow = self.x.dtype == np.float32 and factor == np.float32(factor)
        if not (factor == 1 or narrow) or not divisors.are_in_range:
            return None
        least = None if narrow else quotients.LEAST
        fits = quotients.odd_wide(self.x, factor, least, above, below, size, out)
        return out if fits else None

    def exact(self) -> Float64:
        """Return the quotients of :func:`exact_quotient`, flat."""
        divisors, part = self.divisors, self.part
        if divisors.tails is not None:
            rows = self.x.reshape(-1, divisors.size).astype(np.float64)
            shared = divisors.above[part, np.newaxis], None, divisors.tails[part, np.newaxis]
            return _exact_quotient(rows, *shared).reshape(-1)
        both = divisors.above[part], divisors.below[part]
        return _quotients(self.x, *both, divisors.size, divisors.factor)


def _are_in_range(x: Float64) -> bool:
    """Whether numbers that are not negative are 0 or in 2**-400 to 2**400."""
    small = (x < 1 / _LARGEST_DIVISOR) & (x != 0)
    return not (small.any() or x.max(initial=0.0) > _LARGEST_DIVISOR)


def _quotients(
    x: Floats, above: Float64, below: Float64, size: int, factor: float = 1.0
) -> Float64:
    if _compiled_division(x.size, above, below) and (factor == 1 or _products_are_exact(x)):
        from hwsim.formats import quotients

        out = np.empty(x.size)
        quotients.exact(x, factor, above, below, size, out)
        return out
    rows = x.reshape(-1, size).astype(np.float64)
    divisor = np.where(rows < 0, below[:, np.newaxis], above[:, np.newaxis])
    if factor == 1:
        return _exact_quotient(rows, divisor).reshape(-1)
    # Near 1, products are in range and exact.
    one, exponent = np.frexp(divisor)
    numbers, tail = exact_product(power_scaled(rows, -exponent), np.array(factor))
    return _exact_quotient(numbers, one, tail).reshape(-1)


def _products_are_exact(x: Floats) -> bool:
    """Whether no product by a number of a format needs bits beyond the range of float64."""
    if x.dtype == np.float32:
        return True
    magnitude = np.abs(x)
    large = magnitude.max(initial=0.0) > _LARGEST_DIVISOR
    return not (large or ((magnitude < 1 / _LARGEST_DIVISOR) & (x != 0)).any())


def _compiled_division(size: int, *divisors: Float64) -> bool:
    return fast.pays(size) and all(d.max(initial=0.0) <= _LARGEST_DIVISOR for d in divisors)


def exact_quotient(
    x: Float64,
    divisor: Float64,
    *,
    tail: Float64 | None = None,
    divisor_tail: Float64 | None = None,
) -> Float64:
    """Return ``x / divisor``, on the right side of every number of at most 41 significant bits.

    The quotient is exact for comparing: it is equal to such a number only if the real quotient
    is, and else lies on its side. Rounding it to an element format is then rounding the real
    quotient. Where the divisor is 0, the quotient is 0.

    Parameters
    ----------
    x
        Any finite float64.
    divisor
        Not negative, shape of ``x`` or broadcast to it.
    tail, divisor_tail
        What is to be added to ``x`` and ``divisor``, and is too small for a float64 to hold the
        sum: the second results of :func:`exact_sum` and :func:`exact_product`.
    """
    if not _compiled_division(x.size, divisor):
        return _exact_quotient(x, divisor, tail, divisor_tail)
    shape = np.broadcast_shapes(x.shape, divisor.shape)
    numbers = np.ascontiguousarray(np.broadcast_to(x, shape)).reshape(-1)
    # One divisor for all, for a row, or for every number.
    rows = divisor.shape == (*shape[:-1], 1)
    size = numbers.size if divisor.size == 1 else shape[-1] if rows else 1
    divisors = divisor if divisor.size == 1 or rows else np.broadcast_to(divisor, shape)
    divisors = divisors.reshape(-1)
    quotient = _quotients(numbers, divisors, divisors, size).reshape(shape)
    long = np.zeros(shape, bool)
    for part in (tail, divisor_tail):
        long |= part is not None and part != 0
    at = np.flatnonzero(long)
    if at.size:
        chosen = (
            None if part is None else np.broadcast_to(part, shape).flat[at]
            for part in (tail, divisor_tail)
        )
        numbers, divisors = (np.broadcast_to(part, shape).flat[at] for part in (x, divisor))
        quotient.flat[at] = _exact_quotient(numbers, divisors, *chosen)
    return quotient


def _exact_quotient(
    x: Float64, divisor: Float64, tail: Float64 | None = None, divisor_tail: Float64 | None = None
) -> Float64:
    quotient = np.zeros(np.broadcast_shapes(x.shape, divisor.shape))
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        np.divide(x, divisor, out=quotient, where=divisor != 0)
    # Tails and rounding move a quotient by up to two places.
    bits = quotient.view(np.int64)
    nearest = (bits + (_LOW_BITS + 1) // 2) & ~_LOW_BITS
    short = nearest.view(np.float64)
    doubtful = np.flatnonzero((np.abs(bits - nearest) <= 2) & np.isfinite(short) & (divisor != 0))
    if doubtful.size == 0:
        return quotient
    at = short.flat[doubtful]
    parts = (x, divisor, *(np.zeros(()) if t is None else t for t in (tail, divisor_tail)))
    side = _remainder_sign(
        at, *(np.broadcast_to(part, quotient.shape).flat[doubtful] for part in parts)
    )
    beside = np.nextafter(at, np.copysign(np.inf, side))
    quotient.flat[doubtful] = np.where(side == 0, at, beside)
    return quotient


def _remainder_sign(
    quotient: Float64, x: Float64, divisor: Float64, tail: Float64, divisor_tail: Float64
) -> Float64:
    """Return a number of the sign of ``x + tail - quotient * (divisor + divisor_tail)``.

    One-dimensional arrays; the quotient has at most 41 significant bits.
    """
    factor, exponent = np.frexp(quotient)
    unit, unit_exponent = np.frexp(divisor)
    # All operands near 1, where the errors of products are float64 numbers.
    shift = -(exponent.astype(np.int64) + unit_exponent)
    product, error = exact_product(factor, unit)
    low, low_error = exact_product(factor, power_scaled(divisor_tail, -unit_exponent))
    difference = power_scaled(x, shift) - product
    terms = np.stack([difference, -error, power_scaled(tail, shift), -low, -low_error])
    sign = np.where(quotient == 0, x, difference)
    several = np.flatnonzero((terms[1:] != 0).any(axis=0) & (quotient != 0))
    sign[several] = [fsum(column) for column in terms[:, several].T.tolist()]
    return sign


def exact_sum(x: Float64, y: Float64) -> tuple[Float64, Float64]:
    """Return the rounded sum of finite numbers and what rounding took from it, exactly.

    A sum beyond float64 is infinite, and its second part no number.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        total = x + y
        shadow = total - x
        return total, (x - (total - shadow)) + (y - shadow)


def exact_product(x: Float64, y: Float64) -> tuple[Float64, Float64]:
    """Return the rounded product of finite numbers and what rounding took from it.

    Both are exact where they are in the range of float64 (T. J. Dekker, 1971).
    """
    if fast.pays(max(x.size, y.size)) and _both_are_near_one(x, y):
        from hwsim.formats import quotients

        shape = np.broadcast_shapes(x.shape, y.shape)
        x, y = (np.broadcast_to(part, shape).reshape(-1) for part in (x, y))
        product, error = np.empty((2, x.size))
        quotients.products(x, y, product, error)
        return product.reshape(shape), error.reshape(shape)
    (x, x_exponent), (y, y_exponent) = np.frexp(x), np.frexp(y)
    product = x * y
    (x_high, x_low), (y_high, y_low) = _halves(x), _halves(y)
    error = ((x_high * y_high - product) + x_high * y_low + x_low * y_high) + x_low * y_low
    exponent = x_exponent + y_exponent
    with np.errstate(over="ignore", under="ignore"):
        return np.ldexp(product, exponent), np.ldexp(error, exponent)


def _both_are_near_one(x: Float64, y: Float64) -> bool:
    return _are_in_range(np.abs(x)) and _are_in_range(np.abs(y))


def _halves(x: Float64) -> tuple[Float64, Float64]:
    """Split numbers into two of at most 26 significant bits."""
    large = x * (2.0**27 + 1)
    high = large - (large - x)
    return high, x - high


def power_scaled(x: Float64, exponents: Int64) -> Float64:
    """Return ``x * 2**exponents``.

    Exact but for results below the float64 range, which keep their sign and stay away from zero,
    so that directed rounding sees them.
    """
    with np.errstate(under="ignore"):
        scaled = np.ldexp(x, exponents)
    return np.where((scaled == 0) & (x != 0), np.copysign(np.nextafter(0, 1), x), scaled)


def encode_scale(scale: Format, ideal: Float64) -> Codes:
    """Round group scales to their format, to nearest even.

    A scale that underflows to zero would lose the group; the smallest one keeps it.

    Raises
    ------
    InputError
        If a scale overflows the format.
    """
    try:
        codes = scale.encode(ideal, overflow="error")
    except InputError as error:
        hint = "; a wider format of scales is an option" if scale.bits < 32 else ""
        raise InputError(f"a scale overflows {scale.name}: {error}{hint}") from None
    smallest = scale.encode(scale.smallest)
    lost = (scale.decode(codes) == 0) & (ideal > 0)
    return np.where(lost, smallest, codes).astype(scale.code_dtype)
