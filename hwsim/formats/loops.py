"""The compiled loops of :mod:`hwsim.formats.fast`; importing this imports numba."""

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

Array = NDArray[Any]


@njit(cache=True, nogil=True)
def jammed_narrow(x: Array, shift: int, index: Array, out: Array) -> None:
    """Look up the jammed index of float32 numbers."""
    patterns = x.view(np.uint32)
    mask = np.uint32((1 << shift) - 1)
    for i in range(patterns.size):
        bits = patterns[i]
        out[i] = index[(bits >> np.uint32(shift)) | np.uint32((bits & mask) != 0)]


@njit(cache=True, nogil=True)
def jammed_wide(x: Array, shift: int, index: Array, out: Array) -> None:
    """Look up the jammed index of float64 numbers, rounding them to odd float32 first."""
    mask = np.uint32((1 << shift) - 1)
    narrow = np.empty(1, np.float32)
    pattern = narrow.view(np.uint32)
    for i in range(x.size):
        narrow[0] = x[i]
        rounded = np.float64(narrow[0])
        bits = pattern[0] - np.uint32(abs(rounded) > abs(x[i]))
        bits |= np.uint32(rounded != x[i])
        out[i] = index[(bits >> np.uint32(shift)) | np.uint32((bits & mask) != 0)]


@njit(cache=True, nogil=True)
def bucket_narrow(
    x: Array, shift: int, index: Array, thresholds: Array, codes: Array, out: Array
) -> None:
    """Look up the bucket of float32 numbers and compare with the threshold in it."""
    patterns = x.view(np.uint32)
    for i in range(patterns.size):
        # A NaN may share the bucket of infinity.
        if x[i] != x[i]:
            out[i] = codes[codes.size - 1]
        else:
            below = np.uint32(index[patterns[i] >> np.uint32(shift)])
            out[i] = codes[below + np.uint32(np.float64(x[i]) >= thresholds[below])]


@njit(cache=True, nogil=True)
def bucket_wide(
    x: Array, shift: int, index: Array, thresholds: Array, codes: Array, out: Array
) -> None:
    """Look up the bucket of float64 numbers, truncated to float32, and compare."""
    narrow = np.empty(1, np.float32)
    pattern = narrow.view(np.uint32)
    for i in range(x.size):
        if x[i] != x[i]:
            out[i] = codes[codes.size - 1]
        else:
            narrow[0] = x[i]
            bits = pattern[0] - np.uint32(abs(np.float64(narrow[0])) > abs(x[i]))
            below = np.uint32(index[bits >> np.uint32(shift)])
            out[i] = codes[below + np.uint32(x[i] >= thresholds[below])]


@njit(cache=True, nogil=True)
def any_nan(x: Array) -> bool:
    """Whether an array holds a NaN."""
    found = False
    for i in range(x.size):
        found |= x[i] != x[i]
    return found
