"""The compiled loops of :mod:`hwsim.formats.fast`; importing this imports numba."""

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from hwsim.formats.intrinsics import bits32, bits64, float64

_INFINITY = np.int64(0x7FF << 52)

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
    for i in range(x.size):
        narrow = np.float32(x[i])
        rounded = np.float64(narrow)
        bits = np.uint32(bits32(narrow)) - np.uint32(abs(rounded) > abs(x[i]))
        bits |= np.uint32(rounded != x[i])
        out[i] = index[(bits >> np.uint32(shift)) | np.uint32((bits & mask) != 0)]


@njit(cache=True, nogil=True)
def bucket_narrow(
    x: Array, shift: int, index: Array, thresholds: Array, codes: Array, out: Array
) -> None:
    """Look up the bucket of float32 numbers and compare with the threshold in it."""
    nan = codes[codes.size - 1]
    for i in range(x.size):
        below = np.uint32(index[np.uint32(bits32(x[i])) >> np.uint32(shift)])
        code = codes[below + np.uint32(np.float64(x[i]) >= thresholds[below])]
        # A NaN may share the bucket of infinity.
        out[i] = code if x[i] == x[i] else nan


@njit(cache=True, nogil=True)
def bucket_wide(
    x: Array, shift: int, index: Array, thresholds: Array, codes: Array, out: Array
) -> None:
    """Look up the bucket of float64 numbers, truncated to float32, and compare."""
    nan = codes[codes.size - 1]
    for i in range(x.size):
        narrow = np.float32(x[i])
        bits = np.uint32(bits32(narrow)) - np.uint32(abs(np.float64(narrow)) > abs(x[i]))
        below = np.uint32(index[bits >> np.uint32(shift)])
        code = codes[below + np.uint32(x[i] >= thresholds[below])]
        out[i] = code if x[i] == x[i] else nan


@njit(cache=True, nogil=True)
def bucket_odd(
    x: Array, shift: int, index: Array, thresholds: Array, codes: Array, out: Array
) -> bool:
    """Look up the bucket of numbers rounded to odd float32; False if one may be on either side.

    Their upper bits are those of the numbers that were rounded. Only if a number and its threshold
    were rounded to the same odd float32 the comparison does not tell.
    """
    equal = False
    for i in range(x.size):
        threshold = np.uint32(index[np.uint32(bits32(x[i])) >> np.uint32(shift)])
        equal |= x[i] == thresholds[threshold]
        out[i] = codes[threshold + np.uint32(x[i] >= thresholds[threshold])]
    if not equal:
        return True
    for i in range(x.size):
        threshold = np.uint32(index[np.uint32(bits32(x[i])) >> np.uint32(shift)])
        if x[i] == thresholds[threshold] and bits32(x[i]) & 1 == 1:
            return False
    return True


@njit(cache=True, nogil=True)
def any_nan(x: Array) -> bool:
    """Whether an array holds a NaN."""
    found = False
    for i in range(x.size):
        found |= x[i] != x[i]
    return found


@njit(cache=True, nogil=True)
def linear(x: Array, unit: Any, low: Any, high: Any, mask: int, out: Array) -> None:
    """Encode numbers to integers in multiples of 1 / ``unit``, to nearest even, saturating.

    ``unit``, ``low`` and ``high`` are of a dtype that holds the integers and their halves.
    """
    for i in range(x.size):
        rounded = np.rint(x[i] * unit)
        rounded = low if rounded < low else rounded
        rounded = high if rounded > high else rounded
        out[i] = np.int64(rounded) & mask


@njit(cache=True, nogil=True)
def shifted_linear(x: Array, offsets: Array, size: int, high: Any, out: Array) -> None:
    """Encode quotients of blocks to nearest even and add the offsets, within 0 and ``high``."""
    for block in range(offsets.size):
        start = np.uint64(block * size)
        # Quotients may be infinite, and are clipped before they are integers.
        offset, low = offsets[block], -offsets[block]
        top = high - offset
        for i in range(size):
            rounded = np.rint(x[start + np.uint64(i)])
            rounded = low if rounded < low else rounded
            rounded = top if rounded > top else rounded
            out[start + np.uint64(i)] = np.int32(rounded + offset)


@njit(cache=True, nogil=True)
def minifloat(
    x: Array,
    mantissa: int,
    min_exponent: int,
    largest: int,
    above: int,
    largest_negative: int,
    below: int,
    sign: int,
    negative_zero: int,
    nan: int,
    out: Array,
) -> None:
    """Encode numbers to minifloats, to nearest even.

    ``largest`` and ``largest_negative`` are the largest finite codes of magnitude by sign,
    ``above`` and ``below`` what codes beyond them become.
    """
    drop = np.int64(52 - mantissa)
    half = (np.int64(1) << (drop - 1)) - 1
    offset = np.int64(1022 + min_exponent) << np.int64(mantissa)
    min_normal = float64(np.int64(1023 + min_exponent) << 52)
    magic_bits = np.int64(1023 + 52 + min_exponent - mantissa) << 52
    magic = float64(magic_bits)
    for i in range(x.size):
        bits = bits64(np.float64(x[i]))
        magnitude = bits & np.int64(2**63 - 1)
        normal = ((magnitude + half + ((magnitude >> drop) & 1)) >> drop) - offset
        subnormal = bits64(float64(magnitude) + magic) - magic_bits
        code = subnormal if float64(magnitude) < min_normal else normal
        signed = negative_zero if code == 0 else code | sign
        signed = below if code > largest_negative else signed
        code = above if code > largest else code
        code = signed if bits < 0 else code
        out[i] = nan if magnitude > _INFINITY else code


@njit(cache=True, nogil=True)
def posit(x: Array, width: int, es: int, out: Array) -> None:
    """Encode numbers to posits, to nearest even as strings of bits; infinity and NaN to NaR."""
    nar = np.int64(1) << (width - 1)
    fraction_bits = np.int64(52)
    reach = np.int64(width - 2) << es
    for i in range(x.size):
        bits = bits64(np.float64(x[i]))
        magnitude = bits & np.int64(2**63 - 1)
        scale = (magnitude >> fraction_bits) - 1023
        if magnitude == 0:
            code = np.int64(0)
        elif magnitude >= _INFINITY:
            code = nar
        else:
            if scale >= reach:
                code = nar - 1
            elif scale < -reach:
                code = np.int64(1)
            else:
                regime = scale >> es
                run = regime + 1 if regime >= 0 else -regime
                room = max(width - 2 - run, np.int64(0))
                one = np.int64(1)
                pattern = (((one << run) - 1) << 1 if regime >= 0 else one) << room
                tail = (scale & ((one << es) - 1)) << fraction_bits
                tail |= magnitude & ((one << fraction_bits) - 1)
                cut = es + fraction_bits - room
                lower = pattern | (tail >> cut)
                rest = tail & ((one << cut) - 1)
                middle = one << (cut - 1)
                code = lower + np.int64(rest > middle or (rest == middle and lower & 1 == 1))
            code = 2 * nar - code if bits < 0 else code
        out[i] = code


@njit(cache=True, nogil=True)
def posit_values(codes: Array, width: int, es: int, out: Array) -> None:
    """Decode posits; NaR is NaN."""
    nar = np.int64(1) << (width - 1)
    for i in range(codes.size):
        code = np.int64(codes[i])
        body = 2 * nar - code if code > nar else code
        if code == 0 or code == nar:
            out[i] = 0.0 if code == 0 else np.nan
            continue
        first = (body >> (width - 2)) & 1
        rest = (~body if first == 1 else body) & (nar - 1)
        # The exponent of a float is the length of an integer.
        length = (bits64(np.float64(rest)) >> 52) - 1022 if rest > 0 else np.int64(0)
        run = width - 1 - length
        room = max(width - 2 - run, np.int64(0))
        tail = body & ((np.int64(1) << room) - 1)
        kept = max(room - es, np.int64(0))
        exponent = (tail << max(es - room, np.int64(0))) >> kept
        regime = run - 1 if first == 1 else -run
        scale = (regime << es) + exponent
        pattern = ((scale + 1023) << 52) | ((tail & ((np.int64(1) << kept) - 1)) << (52 - kept))
        value = float64(pattern)
        out[i] = -value if code > nar else value


@njit(cache=True, nogil=True)
def minifloat_values(
    codes: Array,
    mantissa: int,
    min_exponent: int,
    sign: int,
    largest: int,
    infinity: int,
    nan: int,
    out: Array,
) -> None:
    """Decode minifloats; magnitudes beyond ``largest`` are ``infinity`` or NaN, and ``nan`` is."""
    step = float64(np.int64(1023 + min_exponent - mantissa) << 52)
    below = np.int64(1022 + min_exponent) << np.int64(mantissa)
    for i in range(codes.size):
        code = np.int64(codes[i])
        magnitude = code & (sign - 1)
        normal = float64((magnitude + below) << np.int64(52 - mantissa))
        value = normal if magnitude >> mantissa else np.float64(magnitude) * step
        value = np.inf if magnitude == infinity else value
        value = -value if code & sign else value
        out[i] = np.nan if (magnitude > largest and magnitude != infinity) or code == nan else value


@njit(cache=True, nogil=True)
def linear_values(codes: Array, sign: int, step: float, out: Array) -> None:
    """Decode two's complement in multiples of ``step``; ``sign`` is the bit of it, or 0."""
    for i in range(codes.size):
        out[i] = np.float64((np.int64(codes[i]) ^ sign) - sign) * step


@njit(cache=True, nogil=True)
def look_up(codes: Array, values: Array, out: Array) -> None:
    """Decode codes that are within the table."""
    for i in range(codes.size):
        out[i] = values[codes[i]]
