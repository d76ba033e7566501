"""Compiled loops of the block formats; numba is imported with this module, and only then.

One pass over float32 memory: the largest magnitude of a block, its scale, its element codes. Each
loop has a plain exact counterpart in its format's module and must equal it bit for bit. The loops
are free of branches and table look-ups so that they vectorise: rounding to nearest even is an
integer addition on the float's bits, or the addition of a power of two large enough that its last
place is the element's step. Indices are unsigned: numba would test a signed one for being negative.
"""

from typing import Any

import numpy as np
from numba import njit

from hwsim.formats.intrinsics import bits32, bits64, float32

_MAGNITUDE = np.int32(0x7FFFFFFF)
_INFINITY = np.int32(0x7F800000)
_MANTISSA = np.int32(0x007FFFFF)
#: Blocks that go through the steps of a kernel together, so that each step vectorises over them.
_TILE = 128


@njit(cache=True, inline="always")
def _largest_bits(bits: Any, start: Any, size: Any) -> Any:
    largest = np.int32(0)
    for i in range(size):
        largest = max(largest, bits[start + np.uint64(i)] & _MAGNITUDE)
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
    return float32(np.int32((254 - code) << 23 if code < 254 else 0x400000))


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
    magic = float32(magic_bits)
    top = np.int32(max_code)
    sign = np.int32(sign_code)
    for block in range(scales.size):
        start = np.uint64(block * size)
        largest = _largest_bits(bits, start, size)
        if largest >= _INFINITY:
            scales[block] = 255
            for i in range(size):
                codes[start + np.uint64(i)] = 0
            continue
        scale = _scale_code(largest, largest_exponent, first_raising)
        scales[block] = scale
        factor = _reciprocal(scale)
        for i in range(size):
            scaled = bits32(x[start + np.uint64(i)] * factor)
            magnitude = scaled & _MAGNITUDE
            normal = ((magnitude + half + ((magnitude >> drop) & 1)) >> drop) - offset
            subnormal = bits32(float32(magnitude) + magic) - magic_bits
            code = min(subnormal if magnitude < min_normal else normal, top)
            codes[start + np.uint64(i)] = code | ((scaled >> 31) & sign)


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
    magic = float32(magic_bits)
    top = np.int32((1 << (width - 1)) - 1)
    extra = np.int32(0 if symmetric else 1)
    mask = np.int32((1 << width) - 1)
    for block in range(scales.size):
        start = np.uint64(block * size)
        largest = _largest_bits(bits, start, size)
        if largest >= _INFINITY:
            scales[block] = 255
            for i in range(size):
                codes[start + np.uint64(i)] = 0
            continue
        scale = _scale_code(largest, largest_exponent, first_raising)
        scales[block] = scale
        factor = _reciprocal(scale)
        for i in range(size):
            scaled = bits32(x[start + np.uint64(i)] * factor)
            sign = scaled >> 31
            rounded = bits32(float32(scaled & _MAGNITUDE) + magic) - magic_bits
            rounded = min(rounded, top - sign * extra)
            codes[start + np.uint64(i)] = ((rounded ^ sign) - sign) & mask


@njit(cache=True)
def largest_magnitudes(x: Any, size: Any, largest: Any) -> Any:
    """Set the bits of each block's largest magnitude; return the largest of the finite ones.

    ``size`` is a multiple of 16: eight lanes, so that the maximum vectorises.
    """
    bits = x.view(np.int32)
    lanes = np.empty(8, np.int32)
    overall = np.int32(0)
    for block in range(largest.size):
        start = np.uint64(block * size)
        for i in range(8):
            first = bits[start + np.uint64(i)] & _MAGNITUDE
            lanes[i] = max(first, bits[start + np.uint64(i + 8)] & _MAGNITUDE)
        for part in range(16, size, 8):
            for i in range(8):
                lanes[i] = max(lanes[i], bits[start + np.uint64(part + i)] & _MAGNITUDE)
        for i in range(4):
            lanes[i] = max(lanes[i], lanes[i + 4])
        for i in range(2):
            lanes[i] = max(lanes[i], lanes[i + 2])
        largest[block] = max(lanes[0], lanes[1])
    for block in range(largest.size):
        overall = max(overall, largest[block] if largest[block] < _INFINITY else np.int32(0))
    return np.float64(float32(overall))


@njit(cache=True, inline="always")
def _e4m3_code(value: Any) -> Any:
    """Round a float64 of at least 0 to an E4M3 code, to nearest even, saturating."""
    value = min(value, np.float64(512.0))
    magic = np.float64(2.0**43)
    subnormal = bits64(value + magic) - bits64(magic)
    bits = bits64(value)
    half = (np.int64(1) << 48) - 1
    normal = ((bits + half + ((bits >> 49) & 1)) >> 49) - (np.int64(1016) << 3)
    return min(subnormal if value < 0.015625 else normal, 126)


@njit(cache=True)
def _first_above(firsts: Any, steps: Any, count: Any, midpoint: Any, ties_down: Any) -> None:
    """Set the bits of the first float32 beyond ``midpoint * step``, or on it if ties go up."""
    for i in range(count):
        threshold = midpoint * steps[i]
        nearest = np.float32(threshold)
        back = np.float64(nearest)
        below = np.int32(back < threshold) | (np.int32(back == threshold) & ties_down)
        firsts[i] = bits32(nearest) + below


@njit(cache=True)
def _tile_scales(
    largest: Any,
    scales: Any,
    first_block: Any,
    count: Any,
    tensor_scale: Any,
    smallest_scale: Any,
    scale_values: Any,
    steps: Any,
) -> None:
    """Set the E4M3 codes of ``count`` blocks, and the values of their scales, 0 for NaN."""
    unit = 6.0 * tensor_scale
    for block in range(count):
        bits = largest[np.uint64(first_block + block)]
        ideal = max(np.float64(float32(bits)) / unit, smallest_scale)
        code = np.int32(_e4m3_code(ideal) if bits < _INFINITY else 127)
        scales[np.uint64(first_block + block)] = code
        steps[block] = scale_values[code] * tensor_scale


@njit(cache=True)
def _tile_codes(
    bits: Any, codes: Any, first_block: Any, count: Any, size: Any, steps: Any, firsts: Any
) -> None:
    """Set the E2M1 codes of ``count`` blocks by comparing with the midpoints times the scale."""
    octave = np.int32(1 << 23)
    for block in range(count):
        start = np.uint64((first_block + block) * size)
        if not steps[block] > 0:
            for i in range(size):
                codes[start + np.uint64(i)] = 0
            continue
        first_1, first_2 = firsts[0, block], firsts[1, block]
        first_3, first_4 = firsts[2, block], firsts[3, block]
        # The midpoints 2.5, 5 and 3.5 are 1.25 and 1.75 times powers of two, with the same ties.
        first_5, first_6 = np.int32(first_3 + octave), np.int32(first_4 + octave)
        first_7 = np.int32(first_5 + octave)
        for i in range(size):
            value = bits[start + np.uint64(i)]
            magnitude = value & _MAGNITUDE
            code = np.int32(0)
            code = np.int32(1) if magnitude >= first_1 else code
            code = np.int32(2) if magnitude >= first_2 else code
            code = np.int32(3) if magnitude >= first_3 else code
            code = np.int32(4) if magnitude >= first_4 else code
            code = np.int32(5) if magnitude >= first_5 else code
            code = np.int32(6) if magnitude >= first_6 else code
            code = np.int32(7) if magnitude >= first_7 else code
            codes[start + np.uint64(i)] = np.int32(code | ((value >> 31) & np.int32(8)))


@njit(cache=True)
def nvfp4_blocks(
    x: Any,
    largest: Any,
    codes: Any,
    scales: Any,
    size: Any,
    tensor_scale: Any,
    smallest_scale: Any,
    scale_values: Any,
) -> None:
    """Encode float32 blocks to E2M1 under E4M3 scales, to nearest even, saturating.

    Quotients by the scale are not computed: magnitudes are compared with the midpoints of E2M1
    times the scale, which float64 holds exactly. ``scale_values`` has the 128 values of the scale,
    0 for NaN; ``largest`` is what :func:`largest_magnitudes` sets, and ``tensor_scale`` is at least
    2**-100, so that every threshold is a normal float32.
    """
    bits = x.view(np.int32)
    steps = np.empty(_TILE, np.float64)
    firsts = np.empty((4, _TILE), np.int32)
    for first_block in range(0, scales.size, _TILE):
        count = min(_TILE, scales.size - first_block)
        _tile_scales(
            largest, scales, first_block, count, tensor_scale, smallest_scale, scale_values, steps
        )
        _first_above(firsts[0], steps, count, 0.25, np.int32(1))
        _first_above(firsts[1], steps, count, 0.75, np.int32(0))
        _first_above(firsts[2], steps, count, 1.25, np.int32(1))
        _first_above(firsts[3], steps, count, 1.75, np.int32(0))
        _tile_codes(bits, codes, first_block, count, size, steps, firsts)


@njit(cache=True)
def _sum(terms: Any, lanes: Any) -> Any:
    """Return the sum of a few hundred terms, in eight lanes, so that it vectorises."""
    for lane in range(8):
        lanes[lane] = 0.0
    whole = terms.size // 8 * 8
    for first in range(0, whole, 8):
        for lane in range(8):
            lanes[lane] += terms[np.uint64(first + lane)]
    total = 0.0
    for lane in range(8):
        total += lanes[lane]
    for i in range(whole, terms.size):
        total += terms[i]
    return total


@njit(cache=True)
def bitmod_errors(
    groups: Any,
    powers: Any,
    steps: Any,
    magnitudes: Any,
    specials: Any,
    errors: Any,
    used: Any,
) -> None:
    """Set the squared errors of the four candidate value sets for each group, in float64.

    The error of an element is the least over the levels: the eight ``magnitudes`` of either sign
    and the special value, whose negative is that of the next candidate, with the same step. Groups
    are multiplied with ``powers``; steps are already. ``used`` says in which pair of candidates
    some element may take the special value: in the others both give the same values.
    """
    count, size = groups.shape
    plus, minus = np.empty(size, np.float64), np.empty(size, np.float64)
    lanes = np.empty(8, np.float64)
    for group in range(count):
        power = powers[group]
        for pair in range(2):
            step = steps[group, 2 * pair]
            m1, m2, m3 = magnitudes[1] * step, magnitudes[2] * step, magnitudes[3] * step
            m4, m5, m6 = magnitudes[4] * step, magnitudes[5] * step, magnitudes[6] * step
            m7 = magnitudes[7] * step
            special = specials[2 * pair] * step
            takes = np.int64(0)
            for i in range(size):
                value = np.float64(groups[group, i]) * power
                x = abs(value)
                least = min(min(x, abs(x - m1)), min(abs(x - m2), abs(x - m3)))
                least = min(least, min(min(abs(x - m4), abs(x - m5)), abs(x - m6)))
                least = min(least, abs(x - m7))
                special_error = min(abs(value - special), abs(value + special))
                takes |= np.int64(special_error <= least)
                with_plus = min(least, abs(value - special))
                with_minus = min(least, abs(value + special))
                plus[i] = with_plus * with_plus
                minus[i] = with_minus * with_minus
            used[group, pair] = takes != 0
            errors[group, 2 * pair] = _sum(plus, lanes)
            errors[group, 2 * pair + 1] = _sum(minus, lanes)


@njit(cache=True)
def bitmod_codes(
    groups: Any, steps: Any, selectors: Any, midpoints: Any, level_codes: Any, codes: Any
) -> None:
    """Set the codes of each group in the value set that was selected.

    Numbers are compared with the 15 midpoints times the scale, rounded down to their dtype, which
    changes no comparison: those above one are above the other.
    """
    count, size = groups.shape
    below = np.full(1, -np.inf, groups.dtype)
    t = np.empty(15, groups.dtype)
    for group in range(count):
        row = selectors[group]
        for j in range(15):
            threshold = midpoints[row, j] * steps[group, row]
            t[j] = threshold
            if np.float64(t[j]) > threshold:
                t[j] = np.nextafter(t[j], below[0])
        t0, t1, t2, t3, t4, t5, t6, t7 = t[0], t[1], t[2], t[3], t[4], t[5], t[6], t[7]
        t8, t9, t10, t11, t12, t13, t14 = t[8], t[9], t[10], t[11], t[12], t[13], t[14]
        for i in range(size):
            x = groups[group, i]
            first = np.int32(x > t0) + np.int32(x > t1) + np.int32(x > t2) + np.int32(x > t3)
            second = np.int32(x > t4) + np.int32(x > t5) + np.int32(x > t6) + np.int32(x > t7)
            third = np.int32(x > t8) + np.int32(x > t9) + np.int32(x > t10) + np.int32(x > t11)
            fourth = np.int32(x > t12) + np.int32(x > t13) + np.int32(x > t14)
            codes[group, i] = first + second + third + fourth
        for i in range(size):
            codes[group, i] = level_codes[row, codes[group, i]]


@njit(cache=True)
def razored(integers: Any, size: Any, bits: Any, codes: Any, flags: Any) -> None:
    """Set the salient bits of signed integers, the others dropped, and how many were."""
    mask = np.int32((1 << bits) - 1)
    for block in range(flags.size):
        start = np.uint64(block * size)
        together = np.int32(0)
        for i in range(size):
            together |= abs(np.int32(integers[start + np.uint64(i)]))
        # The exponent of a float is the length of an integer.
        length = np.int32(bits64(np.float64(together)) >> 52) - np.int32(1022)
        flag = max(np.int32(length - bits + 1), np.int32(0))
        flags[block] = flag
        for i in range(size):
            value = np.int32(integers[start + np.uint64(i)])
            sign = value >> 31
            magnitude = ((value ^ sign) - sign) >> flag
            codes[start + np.uint64(i)] = ((magnitude ^ sign) - sign) & mask


@njit(cache=True)
def put(values: Any, positions: Any, chosen: Any) -> None:
    """Set the values at some positions of every row."""
    for row in range(positions.shape[0]):
        for i in range(positions.shape[1]):
            values[row, positions[row, i]] = chosen[row, i]


@njit(cache=True)
def _count(magnitudes: Any, start: Any, size: Any, least: Any) -> Any:
    """Return how many magnitudes of a block are at least this."""
    reached = np.int32(0)
    for i in range(size):
        reached += np.int32(magnitudes[start + np.uint64(i)] >= least)
    return reached


@njit(cache=True)
def largest_few(x: Any, magnitudes: Any, octave: Any, positions: Any, high: Any, rest: Any) -> None:
    """Split every bank into its largest elements, as many as ``high`` has room for, and the others.

    ``magnitudes`` are the bits of those of ``x``, and ``octave`` is a factor of two in them. The
    least that is taken is found by bisection, from the largest down; of equal ones the first are.
    """
    count, size = rest.shape
    wanted = np.int32(high.shape[1])
    places, values = np.empty(size + 1, np.int32), np.empty(size + 1, x.dtype)
    # Of the dtype of the magnitudes, so that comparing them vectorises.
    bound = np.empty(2, magnitudes.dtype)
    for bank in range(count):
        start = np.uint64(bank * size)
        bound[0] = 0
        for i in range(size):
            bound[0] = max(bound[0], magnitudes[start + np.uint64(i)])
        least, beyond = np.int64(0), np.int64(bound[0]) + 1
        found, reach = np.int32(size), np.int64(octave)
        while beyond - least > 1 and found != wanted:
            # Octaves below the largest until enough are found.
            middle = least + (beyond - least) // 2
            if least == 0 and reach < beyond:
                middle = max(middle, beyond - reach)
                reach *= 2
            bound[0] = middle
            reached = _count(magnitudes, start, size, bound[0])
            enough = reached >= wanted
            least = middle if enough else least
            found = reached if enough else found
            beyond = beyond if enough else middle
        bound[0], bound[1] = least, least + 1
        equal = np.int32(wanted - _count(magnitudes, start, size, bound[1]))
        taken = np.int32(0)
        for i in range(size):
            value = x[start + np.uint64(i)]
            magnitude = magnitudes[start + np.uint64(i)]
            tie = np.int32(magnitude == bound[0]) & np.int32(equal > 0)
            equal -= tie
            takes = np.int32(magnitude > bound[0]) | tie
            rest[bank, i] = value - value if takes else value
            # Overwritten by the next one if this is not taken.
            places[taken], values[taken] = i, value
            taken += takes
        for i in range(wanted):
            positions[bank, i], high[bank, i] = places[i], values[i]


@njit(cache=True, inline="always")
def _half(value: Any) -> Any:
    """Round a float32 to fp16, to nearest even, and return it as float32."""
    bits = bits32(value)
    sign = bits & ~_MAGNITUDE
    magnitude = np.int32(bits & _MAGNITUDE)
    # 0.5 has the last place of the subnormals of fp16, 2**-24.
    subnormal = bits32(np.float32(float32(magnitude) + np.float32(0.5)) - np.float32(0.5))
    normal = (magnitude + np.int32(0xFFF) + ((magnitude >> 13) & 1)) & ~np.int32(0x1FFF)
    rounded = subnormal if magnitude < 0x38800000 else normal
    rounded = _INFINITY if magnitude >= 0x477FF000 and magnitude <= _INFINITY else rounded
    return float32(np.int32(rounded | sign))


@njit(cache=True, inline="always")
def _fp16_levels(weights: Any, scale: Any, midpoints: Any, quotients: Any, index: Any) -> None:
    """Set the index of the level nearest to each fp16 quotient, the lower one of two."""
    for i in range(weights.size):
        quotients[i] = _half(weights[i] / scale)
    for i in range(weights.size):
        index[i] = 0
    for midpoint in midpoints:
        for i in range(weights.size):
            index[i] += np.int32(quotients[i] > midpoint)


@njit(cache=True)
def bitmod_fp16(
    weights: Any,
    levels: Any,
    midpoints: Any,
    level_codes: Any,
    clamp: Any,
    worst: Any,
    selectors: Any,
    scales: Any,
    codes: Any,
) -> None:
    """Encode groups of fp16 numbers, held as float32, with every operation rounded to fp16.

    Sums, differences, products and quotients of fp16 numbers may be rounded to float32 first: it
    has more than twice their precision, so rounding again gives the correctly rounded fp16.
    """
    count, size = weights.shape
    quotients = np.empty(size, np.float32)
    index = np.empty(size, np.int32)
    for group in range(count):
        row_weights = weights[group]
        largest = np.float32(0)
        for i in range(size):
            largest = max(largest, abs(row_weights[i]))
        best = worst
        chosen = -1
        chosen_scale = np.float32(0)
        for row in range(4):
            top = max(levels[row, levels.shape[1] - 1], -levels[row, 0])
            scale = min(max(_half(largest / top), clamp[0]), clamp[1])
            _fp16_levels(row_weights, scale, midpoints[row], quotients, index)
            total = 0.0
            for i in range(size):
                value = _half(levels[row, index[i]] * scale)
                error = _half(value - row_weights[i])
                total += np.float64(_half(error * error))
            mean = _half(np.float32(total) / np.float32(size))
            if mean < best:
                best, chosen, chosen_scale = mean, row, scale
        selectors[group] = max(chosen, 0)
        scales[group] = chosen_scale
        if chosen < 0:
            for i in range(size):
                codes[group, i] = 0
        else:
            _fp16_levels(row_weights, chosen_scale, midpoints[chosen], quotients, index)
            for i in range(size):
                codes[group, i] = level_codes[chosen, index[i]]
