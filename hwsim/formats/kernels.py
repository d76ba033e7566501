"""Compiled loops of the block formats; numba is imported with this module, and only then.

One pass over float32 memory: the largest magnitude of a block, its scale, its element codes. Each
loop has a plain exact counterpart in its format's module and must equal it bit for bit. The loops
are free of branches and table look-ups so that they vectorise: rounding to nearest even is an
integer addition on the float's bits, or the addition of a power of two large enough that its last
place is the element's step.
"""

from typing import Any

import numpy as np
from numba import njit, types
from numba.extending import intrinsic

_MAGNITUDE = np.int32(0x7FFFFFFF)
_INFINITY = np.int32(0x7F800000)
_MANTISSA = np.int32(0x007FFFFF)


@intrinsic
def _bits(typing_context: Any, value: Any) -> Any:
    """Reinterpret a float32 as int32."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.bitcast(arguments[0], context.get_value_type(types.int32))

    return types.int32(types.float32), generate


@intrinsic
def _float(typing_context: Any, value: Any) -> Any:
    """Reinterpret an int32 as float32."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.bitcast(arguments[0], context.get_value_type(types.float32))

    return types.float32(types.int32), generate


@njit(cache=True, inline="always")
def _largest_bits(bits: Any, start: Any, size: Any) -> Any:
    largest = np.int32(0)
    for i in range(size):
        largest = max(largest, bits[start + i] & _MAGNITUDE)
    return largest


@njit(cache=True, inline="always")
def _scale_code(largest: Any, largest_exponent: Any, first_raising: Any) -> Any:
    """Return the E8M0 code, for the bits of a finite largest magnitude."""
    exponent = largest >> 23
    mantissa = largest & _MANTISSA
    if exponent == 0:
        # Subnormal. Only 2**-127 and above can reach a scale beyond the smallest.
        if mantissa < 0x400000:
            return 0
        mantissa = (mantissa << 1) & _MANTISSA
    raised = 1 if mantissa >= first_raising else 0
    return min(max(exponent - largest_exponent + raised, 0), 254)


@njit(cache=True, inline="always")
def _reciprocal(code: Any) -> Any:
    """Return 1 / (value of an E8M0 code below 255) as float32; exact, subnormal for code 254."""
    return _float(np.int32((254 - code) << 23 if code < 254 else 0x400000))


@njit(cache=True)
def minifloat_blocks(
    x: Any,
    codes: Any,
    scales: Any,
    size: Any,
    largest_exponent: Any,
    first_raising: Any,
    mantissa: Any,
    min_exponent: Any,
    max_code: Any,
    sign_code: Any,
) -> None:
    """Encode float32 blocks to minifloats under E8M0 scales, to nearest even, saturating."""
    bits = x.view(np.int32)
    drop = np.int32(23 - mantissa)
    half = np.int32((1 << (23 - mantissa - 1)) - 1)
    offset = np.int32((126 + min_exponent) << mantissa)
    min_normal = np.int32((127 + min_exponent) << 23)
    magic_bits = np.int32((127 + 23 + min_exponent - mantissa) << 23)
    magic = _float(magic_bits)
    top = np.int32(max_code)
    sign = np.int32(sign_code)
    for block in range(scales.size):
        start = block * size
        largest = _largest_bits(bits, start, size)
        if largest >= _INFINITY:
            scales[block] = 255
            codes[start : start + size] = 0
            continue
        scale = _scale_code(largest, largest_exponent, first_raising)
        scales[block] = scale
        factor = _reciprocal(scale)
        for i in range(size):
            scaled = _bits(x[start + i] * factor)
            magnitude = scaled & _MAGNITUDE
            normal = ((magnitude + half + ((magnitude >> drop) & 1)) >> drop) - offset
            subnormal = _bits(_float(magnitude) + magic) - magic_bits
            code = min(subnormal if magnitude < min_normal else normal, top)
            codes[start + i] = code | ((scaled >> 31) & sign)


@njit(cache=True)
def fixed_point_blocks(
    x: Any,
    codes: Any,
    scales: Any,
    size: Any,
    largest_exponent: Any,
    first_raising: Any,
    fraction: Any,
    width: Any,
    symmetric: Any,
) -> None:
    """Encode float32 blocks to fixed point under E8M0 scales, to nearest even, saturating."""
    bits = x.view(np.int32)
    magic_bits = np.int32((127 + 23 - fraction) << 23)
    magic = _float(magic_bits)
    top = np.int32((1 << (width - 1)) - 1)
    extra = np.int32(0 if symmetric else 1)
    mask = np.int32((1 << width) - 1)
    for block in range(scales.size):
        start = block * size
        largest = _largest_bits(bits, start, size)
        if largest >= _INFINITY:
            scales[block] = 255
            codes[start : start + size] = 0
            continue
        scale = _scale_code(largest, largest_exponent, first_raising)
        scales[block] = scale
        factor = _reciprocal(scale)
        for i in range(size):
            scaled = _bits(x[start + i] * factor)
            sign = scaled >> 31
            rounded = _bits(_float(scaled & _MAGNITUDE) + magic) - magic_bits
            rounded = min(rounded, top - sign * extra)
            codes[start + i] = ((rounded ^ sign) - sign) & mask


@intrinsic
def _bits64(typing_context: Any, value: Any) -> Any:
    """Reinterpret a float64 as int64."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.bitcast(arguments[0], context.get_value_type(types.int64))

    return types.int64(types.float64), generate


@njit(cache=True)
def largest_finite(x: Any, size: Any) -> Any:
    """Return the largest magnitude among the blocks that hold neither NaN nor infinity."""
    bits = x.view(np.int32)
    largest = np.int32(0)
    for block in range(bits.size // size):
        own = _largest_bits(bits, block * size, size)
        if own < _INFINITY:
            largest = max(largest, own)
    return np.float64(_float(largest))


@njit(cache=True, inline="always")
def _e4m3_code(value: Any) -> Any:
    """Round a float64 of at least 0 to an E4M3 code, to nearest even, saturating."""
    if value < 0.015625:
        magic = np.float64(2.0**43)
        return _bits64(value + magic) - _bits64(magic)
    bits = _bits64(min(value, np.float64(512.0)))
    half = (np.int64(1) << 48) - 1
    code = ((bits + half + ((bits >> 49) & 1)) >> 49) - (np.int64(1016) << 3)
    return min(code, 126)


@njit(cache=True, inline="always")
def _first_above(threshold: Any, ties_up: Any) -> Any:
    """Return the bits of the first float32 beyond a positive float64 threshold, or on it."""
    nearest = np.float32(threshold)
    bits = _bits(nearest)
    back = np.float64(nearest)
    if back < threshold or (back == threshold and not ties_up):
        return bits + np.int32(1)
    return bits


@njit(cache=True)
def nvfp4_blocks(
    x: Any,
    codes: Any,
    scales: Any,
    size: Any,
    tensor_scale: Any,
    smallest_scale: Any,
    scale_values: Any,
) -> None:
    """Encode float32 blocks to E2M1 under E4M3 scales, to nearest even, saturating.

    The quotient by the scale is not computed: magnitudes are compared with the seven midpoints
    times the scale, which float64 holds exactly.
    """
    bits = x.view(np.int32)
    unit = 6.0 * tensor_scale
    for block in range(scales.size):
        start = block * size
        largest = _largest_bits(bits, start, size)
        if largest >= _INFINITY:
            scales[block] = 127
            codes[start : start + size] = 0
            continue
        scale = _e4m3_code(max(np.float64(_float(largest)) / unit, smallest_scale))
        scales[block] = scale
        if scale == 0:
            codes[start : start + size] = 0
            continue
        step = scale_values[scale] * tensor_scale
        first_1 = _first_above(0.25 * step, False)
        first_2 = _first_above(0.75 * step, True)
        first_3 = _first_above(1.25 * step, False)
        first_4 = _first_above(1.75 * step, True)
        first_5 = _first_above(2.5 * step, False)
        first_6 = _first_above(3.5 * step, True)
        first_7 = _first_above(5.0 * step, False)
        for i in range(size):
            value = bits[start + i]
            magnitude = value & _MAGNITUDE
            code = np.int32(magnitude >= first_1) + np.int32(magnitude >= first_2)
            code += np.int32(magnitude >= first_3) + np.int32(magnitude >= first_4)
            code += np.int32(magnitude >= first_5) + np.int32(magnitude >= first_6)
            code += np.int32(magnitude >= first_7)
            codes[start + i] = code | ((value >> 31) & np.int32(8))
