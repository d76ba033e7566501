"""Entries of tables as short integers times a power of two that they share.

Entries of few bits make a table, and the multiplexers that read it, smaller. It is the lossy step
of a table unit. The power of two is the least with which the largest entry has no more than
``bits`` - 1 magnitude bits; entries are rounded to nearest even, and what rounds up to
2**(bits - 1) saturates, so that the range is symmetric and reading can negate.

The publications scale by any number: LUT Tensor Core gives no format for it, T-MAC has the float
max(sum of |a|) / 127. The power of two is this project's choice: scaling is a shift then, and the
integers' sums are exact. It can cost up to one bit of an entry's precision.

Entries in floating point share an exponent, that of the largest entry; subnormals count as having
that of the smallest normal number. A table with an entry that is infinite or NaN is NaN
throughout.
"""

import numpy as np

from hwsim.units.sums import FloatSums, Sums, Values


def quantise(sums: Sums, entries: Values, bits: int) -> Values:
    """Return the values that ``entries`` are rounded to; those on the last axis share a scale.

    Parameters
    ----------
    sums
        The arithmetic that the entries come from.
    entries
        Shape (..., entries).
    bits
        Width of the integers, with the sign.
    """
    if isinstance(sums, FloatSums):
        return _quantise_floats(sums, entries, bits)
    largest = np.abs(entries).max(axis=-1, keepdims=True)
    # frexp gives the bit length of an integer.
    drop = np.maximum(np.frexp(largest.astype(np.float64))[1] - (bits - 1), 0)
    return _round(np.ldexp(entries.astype(np.float64), -drop), bits).astype(np.int64) << drop


def _quantise_floats(sums: FloatSums, entries: Values, bits: int) -> Values:
    fmt = sums.table_format
    finite = np.isfinite(entries)
    largest = np.where(finite, np.abs(entries), 0.0).max(axis=-1, keepdims=True)
    exponent = np.maximum(np.frexp(largest)[1] - 1, fmt.min_exponent) - (bits - 2)
    known = np.where(finite, entries, 0.0)
    values = np.ldexp(_round(np.ldexp(known, -exponent), bits), exponent)
    return np.where(finite.all(axis=-1, keepdims=True), values, np.nan)


def _round(x: Values, bits: int) -> Values:
    """Return ``x`` rounded to nearest even and saturated; there is no negative zero."""
    limit = (1 << (bits - 1)) - 1
    return np.clip(np.rint(x), -limit, limit) + 0.0
