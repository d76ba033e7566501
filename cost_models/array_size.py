"""How large an array may be: rows and columns that are fastest on workloads within a limit.

Accelerators compare fairly at one limit: the area of the array, its multipliers, or the bits of
operands that it takes from SRAM in a cycle. All sizes within it are tried in closed form; of
equally fast ones the smallest counts. Memories stay as they are, and so does an array for
attention, which takes its part of an area and of multipliers.
"""

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from cost_models.accelerator import Prices, array_area_um2
from hwsim.accelerator.integers import Ints
from hwsim.accelerator.simulation import Accelerator, layers, times
from hwsim.accelerator.workload import Workload
from hwsim.errors import InputError, check_known

#: What a limit is of, and its unit.
LIMITS = {"area": "mm²", "multipliers": "products a beat", "bandwidth": "bits a cycle"}
#: Sizes that are tried at a time.
_CHUNK = 1 << 15
#: Most sizes that are tried.
LARGEST_SEARCH = 1 << 21


def fit(
    accelerator: Accelerator, works: Sequence[Workload], prices: Prices, limit: str, most: float
) -> Accelerator:
    """Return the accelerator with the rows and columns that are fastest on workloads.

    Parameters
    ----------
    works
        Which, each of them once, one after another.
    limit
        ``area``: of arrays, registers between units included, in mm^2. ``multipliers``: products
        of numbers in a beat. ``bandwidth``: bits of operands in a cycle, of weights and activations
        together, in the mode of the unit's own formats.
    most
        Its value.

    Raises
    ------
    InputError
        For an unknown limit, one that not even one unit keeps, one that more than 2^21 sizes keep,
        and as :func:`cost_models.accelerator.evaluate`.
    """
    check_known("limit", limit, LIMITS)
    rows, cols = sizes(accelerator, prices, limit, most)
    unit = prices.unit(accelerator.unit, accelerator.clock_ns or prices.technology.clock_ns)
    cycles = np.zeros(len(rows))
    for given in (layers(accelerator, work) for work in works):
        for at in range(0, len(rows), _CHUNK):
            part = slice(at, at + _CHUNK)
            r, c = rows[part, np.newaxis], cols[part, np.newaxis]
            found = times(accelerator, given, unit.cost.period_ns, r, c).cycles
            cycles[part] += (found * given.count).sum(axis=1)
    best = np.lexsort((rows, rows * cols, cycles))[0]
    return replace(accelerator, rows=int(rows[best]), cols=int(cols[best]))


def sizes(accelerator: Accelerator, prices: Prices, limit: str, most: float) -> tuple[Ints, Ints]:
    """Return the rows and columns of all arrays that keep a limit, as :func:`fit` has it."""
    sides, room = accelerator.largest_sides, most
    if limit != "bandwidth":  # Arrays take operands one after another.
        others = accelerator.arrays[1:]
        room -= math.fsum(_taken(one, prices, limit, one.rows, one.cols) for one in others)
    known = [_most_cols(accelerator, prices, limit, room, 1, sides["cols"])]
    if not known[0]:
        raise InputError(f"{limit}={most:g}: one unit takes more; allowed: more {LIMITS[limit]}")
    for rows in range(2, sides["rows"] + 1):
        cols = _most_cols(accelerator, prices, limit, room, rows, sides["cols"])
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
