"""Compiled quotients of blocks by their scales, which round to an element like the real quotient.

:func:`odd` is the real quotient rounded to odd, a float32: an inexact one has an odd last bit, so
it is neither a value nor a midpoint of a format of up to 22 significant bits, but lies on the real
quotient's side of each. :func:`exact` is :func:`hwsim.formats.arithmetic.exact_quotient`. In both
the remainder, a fused multiply-add, says on which side of a quotient near it the real one lies.

Loops are on one thread, and nothing depends on the order of a sum. Indices are unsigned: numba
would test a signed one for being negative.
"""

from typing import Any

import numpy as np
from numba import njit

from hwsim.formats.intrinsics import bits32, bits64, float32, float64, fma32, fma64

#: Below 2**-100 remainders, and by divisors beyond 2**24 quotients, might be subnormal float32.
_TINY = np.uint32((127 - 100) << 23)
_SMALLEST_DIVISOR, _LARGEST_DIVISOR = np.float32(2.0**-60), np.float32(2.0**24)
#: Float64 below this are multiplied with the power before their remainder is taken.
_SMALL, _RAISED = 2.0**-300, 2.0**600
#: Float64 products from here on have normal remainders.
LEAST = np.int64((1023 - 500) << 52)
_INFINITE = np.int64(0x7FF << 52)
#: A float64 whose lowest 12 bits are 0 has at most 41 significant bits.
_LOW_BITS = np.int64((1 << 12) - 1)
_HALF = np.int64(1 << 11)


@njit(cache=True, nogil=True, error_model="numpy")
def odd(x: Any, positive: Any, negative: Any, size: Any, out: Any) -> bool:
    """Set the quotients of finite float32 blocks, rounded to odd; False if float32 cannot.

    ``positive`` and ``negative`` are the float32 divisors of the numbers of a block by sign; where
    a divisor is 0, so is the quotient.
    """
    unsafe = False
    for block in range(positive.size):
        start = np.uint64(block * size)
        above, below = positive[block], negative[block]
        if above == 0 or below == 0:
            for i in range(size):
                value = x[start + np.uint64(i)]
                divisor = below if value < 0 else above
                unsafe |= divisor != 0
                out[start + np.uint64(i)] = np.float32(0)
            continue
        unsafe |= min(above, below) < _SMALLEST_DIVISOR or max(above, below) > _LARGEST_DIVISOR
        tiny = np.int32(0)
        for i in range(size):
            value = x[start + np.uint64(i)]
            divisor = below if value < 0 else above
            quotient = value / divisor
            remainder = fma32(-quotient, divisor, value)
            bits = bits32(quotient)
            inexact = np.int32(remainder != 0)
            too_large = np.int32((bits32(remainder) ^ bits32(value)) < 0) & inexact
            out[start + np.uint64(i)] = float32(np.int32((bits - too_large) | inexact))
            magnitude = np.uint32(bits32(value)) & np.uint32(0x7FFFFFFF)
            tiny |= np.int32(np.uint32(magnitude - np.uint32(1)) < np.uint32(_TINY - np.uint32(1)))
        unsafe |= tiny != 0
    return not unsafe


@njit(cache=True, nogil=True, error_model="numpy")
def odd_wide(
    x: Any, factor: Any, least: Any, positive: Any, negative: Any, size: Any, out: Any
) -> bool:
    """Set the quotients of ``x * factor``, which float64 holds, rounded to odd float32.

    False if numbers are below the bits ``least``, where remainders might be subnormal; None where
    they cannot be. Divisors are 0 or in 2**-400 to 2**400. Their reciprocals give quotients less
    than a place of float32 off, and remainders the side.
    """
    unsafe = False
    for block in range(positive.size):
        start = np.uint64(block * size)
        above, below = positive[block], negative[block]
        by_above, by_below = 1.0 / above, 1.0 / below
        tiny = np.int64(0)
        for i in range(size):
            value = np.float64(x[start + np.uint64(i)]) * factor
            divisor = below if value < 0 else above
            narrow = np.float32(value * (by_below if value < 0 else by_above))
            remainder = fma64(-np.float64(narrow), divisor, value)
            inexact = np.int32(remainder != 0)
            too_large = np.int32((bits64(remainder) ^ bits64(value)) < 0) & inexact
            bits = np.int32((bits32(narrow) - too_large) | inexact)
            out[start + np.uint64(i)] = float32(bits if divisor != 0 else np.int32(0))
            if least is not None:
                magnitude = bits64(value) & np.int64(2**63 - 1)
                tiny |= np.int64(magnitude < least) & np.int64(magnitude != 0)
        unsafe |= tiny != 0
    return not unsafe


@njit(cache=True, nogil=True, error_model="numpy")
def exact(x: Any, factor: Any, positive: Any, negative: Any, size: Any, out: Any) -> None:
    """Set the quotients of ``x * factor``, float64, on the right side of every 41-bit number.

    Divisors are at most 2**400; where one is 0, so is the quotient, whatever the number.
    """
    for block in range(positive.size):
        start = np.uint64(block * size)
        above, below = positive[block], negative[block]
        for i in range(size):
            wide = np.float64(x[start + np.uint64(i)])
            value = wide * factor
            tail = fma64(wide, factor, -value)
            divisor = below if value < 0 else above
            quotient = value / divisor
            bits = bits64(quotient)
            nearest = (bits + _HALF) & ~_LOW_BITS
            short = float64(nearest)
            power = _RAISED if abs(value) < _SMALL else 1.0
            remainder = fma64(-short, divisor * power, value * power) + tail * power
            step = np.int64(remainder > 0) - np.int64(remainder < 0)
            step = -step if bits < 0 else step
            doubtful = (np.int64(bits - nearest + np.int64(2)) & ~np.int64(7)) == 0
            doubtful &= np.int64(bits - nearest) <= 2
            doubtful &= (nearest & _INFINITE) != _INFINITE
            fixed = float64(np.int64(nearest + step)) if doubtful else quotient
            out[start + np.uint64(i)] = fixed if divisor != 0 else 0.0


@njit(cache=True, nogil=True)
def multiply(x: Any, positive: Any, negative: Any, size: Any) -> None:
    """Multiply the numbers of every block with one factor or the other, by sign."""
    for block in range(positive.size):
        start = np.uint64(block * size)
        above, below = positive[block], negative[block]
        for i in range(size):
            value = x[start + np.uint64(i)]
            x[start + np.uint64(i)] = value * (below if value < 0 else above)


@njit(cache=True, nogil=True)
def products(x: Any, y: Any, out: Any, errors: Any) -> None:
    """Set products of numbers in 2**-400 to 2**400, and what rounding took from them."""
    for i in range(x.size):
        product = x[i] * y[i]
        out[i] = product
        errors[i] = fma64(x[i], y[i], -product)


@njit(cache=True, nogil=True)
def largest_narrow(x: Any, size: Any, out: Any) -> None:
    """Set the largest magnitude of every block of float32 numbers; not finite if one is not."""
    for block in range(out.size):
        start = np.uint64(block * size)
        largest = np.int32(0)
        for i in range(size):
            largest = max(largest, bits32(x[start + np.uint64(i)]) & np.int32(0x7FFFFFFF))
        out[block] = float32(largest)


@njit(cache=True, nogil=True)
def largest_wide(x: Any, size: Any, out: Any) -> None:
    """Set the largest magnitude of every block of float64 numbers; not finite if one is not."""
    for block in range(out.size):
        start = np.uint64(block * size)
        largest = np.int64(0)
        for i in range(size):
            largest = max(largest, bits64(x[start + np.uint64(i)]) & np.int64(2**63 - 1))
        out[block] = float64(largest)


@njit(cache=True, nogil=True)
def extremes_narrow(x: Any, size: Any, low: Any, high: Any) -> None:
    """Set the smallest and the largest of every block of finite float32 numbers and a 0."""
    for block in range(low.size):
        start = np.uint64(block * size)
        smallest = np.int32(0)
        largest = np.int32(0)
        for i in range(size):
            bits = bits32(x[start + np.uint64(i)])
            # In the order of the numbers.
            rank = bits ^ ((bits >> 31) & np.int32(0x7FFFFFFF))
            smallest, largest = min(smallest, rank), max(largest, rank)
        low[block] = float32(np.int32(smallest ^ ((smallest >> 31) & np.int32(0x7FFFFFFF))))
        high[block] = float32(largest)


@njit(cache=True, nogil=True)
def extremes_wide(x: Any, size: Any, low: Any, high: Any) -> None:
    """Set the smallest and the largest of every block of finite float64 numbers and a 0."""
    for block in range(low.size):
        start = np.uint64(block * size)
        smallest = np.int64(0)
        largest = np.int64(0)
        for i in range(size):
            bits = bits64(x[start + np.uint64(i)])
            rank = bits ^ ((bits >> 63) & np.int64(2**63 - 1))
            smallest, largest = min(smallest, rank), max(largest, rank)
        low[block] = float64(smallest ^ ((smallest >> 63) & np.int64(2**63 - 1)))
        high[block] = float64(largest)
