"""How large an array may be: rows and columns that are fastest on a workload within a limit.

Accelerators compare fairly at one limit: the area of the array, its multipliers, or the bits of
operands that it takes from SRAM in a cycle. All sizes within it are tried in closed form; of
equally fast ones the smallest counts. Memories stay as they are.
"""

from dataclasses import replace

import numpy as np

from cost_models.accelerator import Prices, array_area_um2
from hwsim.accelerator.integers import Ints
from hwsim.accelerator.simulation import Accelerator, layers, times
from hwsim.accelerator.traffic import Floats
from hwsim.accelerator.workload import Workload
from hwsim.errors import InputError, check_known

#: What a limit is of, and its unit.
LIMITS = {"area": "mm²", "multipliers": "products a beat", "bandwidth": "bits a cycle"}
#: Sizes that are tried at a time.
_CHUNK = 1 << 15
#: Most sizes that are tried.
LARGEST_SEARCH = 1 << 21


def fit(
    accelerator: Accelerator, work: Workload, prices: Prices, limit: str, most: float
) -> Accelerator:
    """Return the accelerator with the rows and columns that are fastest on a workload.

    Parameters
    ----------
    limit
        ``area``: of units and what links them, in mm^2. ``multipliers``: products of numbers in a
        beat. ``bandwidth``: bits of operands in a cycle, of weights and activations together, in
        the mode of the unit's own formats.
    most
        Its value.

    Raises
    ------
    InputError
        For an unknown limit, one that not even one unit keeps, one that more than 2^21 sizes keep,
        and as :func:`cost_models.accelerator.evaluate`.
    """
    check_known("limit", limit, LIMITS)
    rows, cols = _sizes(accelerator, prices, limit, most)
    given = layers(accelerator, work)
    periods = _periods(accelerator, prices, rows, cols)
    taken = np.zeros(len(rows))
    for at in range(0, len(rows), _CHUNK):
        part = slice(at, at + _CHUNK)
        r, c, period = rows[part, np.newaxis], cols[part, np.newaxis], periods[part, np.newaxis]
        found = times(accelerator, given, period, r, c).cycles
        taken[part] = (found * given.count * period).sum(axis=1)
    best = np.lexsort((rows, rows * cols, taken))[0]
    return replace(accelerator, rows=int(rows[best]), cols=int(cols[best]))


def _periods(accelerator: Accelerator, prices: Prices, rows: Ints, cols: Ints) -> Floats:
    """Return the clock period of each size in ns: the slower one of a row and of a column.

    In a broadcast array, operands of rows drive as many elements as there are columns.
    """
    sides = []
    for lines, size in ((rows, lambda k: (k, 1)), (cols, lambda k: (1, k))):
        lengths, which = np.unique(lines, return_inverse=True)
        found = [prices.period_ns(accelerator, *size(int(k))) for k in lengths]
        sides.append(np.array(found)[which])
    return np.maximum(*sides)


def _sizes(accelerator: Accelerator, prices: Prices, limit: str, most: float) -> tuple[Ints, Ints]:
    """Return the rows and columns of all arrays that keep a limit."""
    sides = accelerator.largest_sides
    known = [_most_cols(accelerator, prices, limit, most, 1, sides["cols"])]
    if not known[0]:
        raise InputError(f"{limit}={most:g}: one unit takes more; allowed: more {LIMITS[limit]}")
    for rows in range(2, sides["rows"] + 1):
        cols = _most_cols(accelerator, prices, limit, most, rows, sides["cols"])
        if not cols:
            break
        known.append(cols)
        if sum(known) > LARGEST_SEARCH:
            raise InputError(
                f"{limit}={most:g}: keeps more than {LARGEST_SEARCH} sizes; allowed: fewer "
                f"{LIMITS[limit]}"
            )
    rows_of = np.repeat(np.arange(1, len(known) + 1), known)
    cols_of = np.concatenate([np.arange(1, cols + 1) for cols in known])
    return rows_of.astype(np.int64), cols_of.astype(np.int64)


def _most_cols(
    accelerator: Accelerator, prices: Prices, limit: str, most: float, rows: int, highest: int
) -> int:
    """Return the most columns, up to ``highest``, with which so many rows keep a limit."""
    low, high = 0, highest
    while low < high:
        middle = (low + high + 1) // 2
        if _taken(accelerator, prices, limit, rows, middle) <= most:
            low = middle
        else:
            high = middle - 1
    return low


def _taken(accelerator: Accelerator, prices: Prices, limit: str, rows: int, cols: int) -> float:
    """Return what an array takes of a limit."""
    unit = accelerator.unit
    if limit == "area":
        return array_area_um2(accelerator, prices, rows, cols) * 1e-6
    if limit == "multipliers":
        return rows * cols * unit.macs_per_beat
    mode = accelerator.mode_of_unit
    tile_rows, tile_cols = unit.tile_shape
    inputs = rows * tile_rows * mode.activation_bits
    weights = cols * tile_cols * mode.weight_bits
    return (inputs + weights) * unit.lanes / mode.interval
