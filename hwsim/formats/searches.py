"""The compiled search for the power-of-two scale of least error; see :mod:`hwsim.formats.scaling`.

Sums of squares depend on the order of their terms in the last places, so where two scales are that
close the search says so, and the caller compares them again in its own order.
"""

from typing import Any

import numpy as np
from numba import njit

from hwsim.formats.intrinsics import bits32, bits64, float64

#: Elements between two looks at whether a scale is worse than the best one already.
_STRIDE = 16
_CLOSE = 1e-9
#: Quotients by scales of up to so many octaves from 1 are normal float32, for numbers from here on.
_FARTHEST, _SMALLEST = 50, np.int64((1023 - 60) << 52)


@njit(cache=True, nogil=True)
def _mean_square(numbers: Any, size: Any, lanes: Any) -> Any:
    """Return the sum of the squares of numbers, which are padded with 0, by ``size``."""
    for lane in range(_STRIDE):
        lanes[lane] = 0.0
    for start in range(0, numbers.size, _STRIDE):
        for lane in range(_STRIDE):
            number = numbers[np.uint64(start + lane)]
            lanes[lane] += number * number
    total = 0.0
    for lane in range(_STRIDE):
        total += lanes[lane]
    return total / size


@njit(cache=True, nogil=True)
def _are_equal(x: Any, y: Any, size: Any) -> bool:
    """Whether the first numbers of two arrays are the same."""
    different = False
    for i in range(size):
        different |= x[i] != y[i]
    return not different


@njit(cache=True, nogil=True)
def least_error(
    groups: Any,
    powers: Any,
    normal_octave: Any,
    reach: Any,
    shift: Any,
    mask: Any,
    index: Any,
    thresholds: Any,
    values: Any,
    best: Any,
    close: Any,
) -> None:
    """Set the best octave for each group, of those up to ``reach`` from its own.

    That is ``normal_octave`` from its root mean square. Groups are multiplied with ``powers`` of
    two before. The table is that of :meth:`hwsim.formats.fast.Table.for_search`. ``close`` says
    where another octave is as good to the rounding of sums, or quotients might not be normal
    float32; of several octaves with the same errors the smallest is taken.
    """
    count, size = groups.shape
    # Whole strides, so that the loops within one have a fixed length.
    numbers = np.zeros(-(-size // _STRIDE) * _STRIDE, np.float64)
    padded = numbers.size
    at, moves = np.empty(padded, np.uint32), np.empty(padded, np.uint32)
    lanes = np.empty(_STRIDE, np.float64)
    # The squared errors of the best octave, and of the one on trial.
    kept, trial = np.empty(padded, np.float64), np.empty(padded, np.float64)
    margin = 1.0 + 1e-15 * (size + 16)
    keep_sticky = np.uint32(mask != 0)
    for group in range(count):
        for i in range(size):
            numbers[i] = np.float64(groups[group, i]) * powers[group]
        tiny = np.int64(0)
        for i in range(padded):
            number = numbers[np.uint64(i)]
            narrow = np.float32(number)
            back = np.float64(narrow)
            # Rounded to odd, or truncated.
            bits = np.uint32(bits32(narrow)) - np.uint32(abs(back) > abs(number))
            sticky = np.uint32((bits & mask) != 0) | (np.uint32(back != number) & keep_sticky)
            at[i] = np.uint32(bits >> shift) | sticky
            # A power of two is a difference of the index, but for 0.
            moves[i] = np.uint32(0xFFFFFFFF) if number != 0 else np.uint32(0)
            magnitude = bits64(number) & np.int64(2**63 - 1)
            tiny |= np.int64(magnitude < _SMALLEST) & np.int64(magnitude != 0)
        mean = _mean_square(numbers, size, lanes)
        if mean == 0:
            best[group], close[group] = 0, False
            continue
        half = np.log2(mean) / 2
        own = np.int64(np.rint(half)) + normal_octave
        # The caller's root mean square might be nearer to the next octave.
        near = abs(abs(half - np.rint(half)) - 0.5) < _CLOSE
        if near or tiny or abs(own) > _FARTHEST:
            best[group], close[group] = 0, True
            continue
        least, chosen = np.inf, np.int64(0)
        for turn in range(2 * reach + 1):
            # From the middle out: there is the best one as a rule, and others are soon worse.
            octave = own + ((turn + 1) // 2 if turn % 2 else -(turn // 2))
            scale = float64(np.int64(1023 + octave) << 52)
            inverse = float64(np.int64(1023 - octave) << 52)
            difference = np.uint32(np.uint64(octave) << np.uint64(23 - shift))
            limit = least * margin
            error = 0.0
            for start in range(0, size, _STRIDE):
                for lane in range(_STRIDE):
                    place = np.uint64(start + lane)
                    moved = np.uint32(at[place] - (difference & moves[place]))
                    if thresholds is None:
                        trial[place] = values[moved]
                    else:
                        rank = np.uint32(index[moved])
                        above = numbers[place] * inverse >= thresholds[rank]
                        trial[place] = values[rank + np.uint32(above)]
                for lane in range(_STRIDE):
                    place = np.uint64(start + lane)
                    wrong = trial[place] * scale - numbers[place]
                    trial[place] = wrong * wrong
                if start + _STRIDE > size:
                    for i in range(size, start + _STRIDE):
                        trial[i] = 0.0
                for lane in range(_STRIDE // 2):
                    place = np.uint64(start + lane)
                    lanes[lane] = trial[place] + trial[place + np.uint64(_STRIDE // 2)]
                total = 0.0
                for lane in range(_STRIDE // 4):
                    total += lanes[lane] + lanes[lane + _STRIDE // 4]
                error += total
                if error > limit:
                    break
            if error > limit:
                continue
            # Formats that are as precise in several octaves have the same errors in them.
            if error == least and _are_equal(trial, kept, size):
                chosen = min(chosen, octave)
                continue
            near = error * margin >= least
            if error < least:
                least, chosen, trial, kept = error, octave, kept, trial
        best[group], close[group] = chosen, near
