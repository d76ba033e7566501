"""How large an array may be: rows and columns that are fastest on workloads within a limit.

Accelerators compare fairly at one limit: the area of the array, its multipliers, or the bits of
operands that it takes from SRAM in a cycle. All sizes within it are tried in closed form; of
equally fast ones the smallest counts. Memories stay as they are, and so does an array for
attention, which takes its part of an area and of multipliers.
"""

import math
from collections.abc import Callable, Sequence
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
#: Relative difference of periods that are interpolated between.
_ALIKE = 0.01
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
    within = Within(accelerator, prices, limit, most)
    rows, cols = within.sizes()
    periods = _periods(accelerator, prices, rows, cols)
    taken = np.zeros(len(rows))
    for given in (layers(accelerator, work) for work in works):
        for at in range(0, len(rows), _CHUNK):
            part = slice(at, at + _CHUNK)
            r, c, period = rows[part, np.newaxis], cols[part, np.newaxis], periods[part, np.newaxis]
            found = times(accelerator, given, period, r, c).cycles
            taken[part] += (found * given.count * period).sum(axis=1)
    best_first = np.lexsort((rows, rows * cols, taken))
    best = next(k for k in best_first if within.keeps(int(rows[k]), int(cols[k])))
    return replace(accelerator, rows=int(rows[best]), cols=int(cols[best]))


def _periods(accelerator: Accelerator, prices: Prices, rows: Ints, cols: Ints) -> Floats:
    """Return the clock period of each size in ns: the slower one of a row and of a column.

    In a broadcast array, operands of rows drive as many elements as there are columns.
    """
    of_rows = _along(lambda k: prices.period_ns(accelerator, k, 1), int(rows.max()))
    of_cols = _along(lambda k: prices.period_ns(accelerator, 1, k), int(cols.max()))
    return np.maximum(of_rows[rows - 1], of_cols[cols - 1])


def _along(period_ns: Callable[[int], float], longest: int) -> Floats:
    """Return the periods of lines of 1 to ``longest`` elements, which grow with their length.

    Between lengths whose periods differ by no more than ``_ALIKE`` they are interpolated.
    """
    known = {length: period_ns(length) for length in (1, longest)}
    waiting = [(1, longest)]
    while waiting:
        low, high = waiting.pop()
        if high - low > 1 and abs(known[high] / known[low] - 1) > _ALIKE:
            middle = (low + high) // 2
            known[middle] = period_ns(middle)
            waiting += [(low, middle), (middle, high)]
    lengths = sorted(known)
    return np.interp(np.arange(1, longest + 1), lengths, [known[k] for k in lengths])


class Within:
    """Which sizes keep a limit, found out for as few of them as it takes.

    What an array takes grows with its rows and columns, and is slow to compose where operands are
    broadcast. So the most columns are known of some rows only, and those of others lie between.
    """

    def __init__(self, accelerator: Accelerator, prices: Prices, limit: str, most: float) -> None:
        self.accelerator, self.prices, self.limit, self.most = accelerator, prices, limit, most
        self.room = most
        if limit != "bandwidth":  # Arrays take operands one after another.
            others = accelerator.arrays[1:]
            self.room -= math.fsum(_taken(one, prices, limit, one.rows, one.cols) for one in others)
        #: The most columns by rows, none after the last.
        self.known: dict[int, int] = {}

    def sizes(self) -> tuple[Ints, Ints]:
        """Return the rows and columns of all arrays that keep the limit, and some that do not."""
        sides = self.accelerator.largest_sides
        rows, cols = 1, self._most_cols(1, 0, sides["cols"])
        if not cols:
            raise InputError(
                f"{self.limit}={self.most:g}: one unit takes more; allowed: more "
                f"{LIMITS[self.limit]}"
            )
        counts: list[int] = []
        kept = 0
        while cols and rows <= sides["rows"]:
            fewer = self._most_cols(2 * rows, 0, cols)
            counts += [cols] * (min(2 * rows - 1, sides["rows"]) - rows + 1)
            kept += rows * fewer
            if kept > LARGEST_SEARCH:
                raise InputError(
                    f"{self.limit}={self.most:g}: keeps more than {LARGEST_SEARCH} sizes; allowed: "
                    f"fewer {LIMITS[self.limit]}"
                )
            rows, cols = 2 * rows, fewer
        rows_of = np.repeat(np.arange(1, len(counts) + 1), counts)
        cols_of = np.concatenate([np.arange(1, count + 1) for count in counts])
        return rows_of.astype(np.int64), cols_of.astype(np.int64)

    def keeps(self, rows: int, cols: int) -> bool:
        """Whether an array keeps the limit, of at most as many columns as fewer rows may have."""
        most = min(found for known, found in self.known.items() if known <= rows)
        least = max((found for known, found in self.known.items() if known >= rows), default=0)
        if not least < cols <= most:
            return cols <= least
        return cols <= self._most_cols(rows, least, most)

    def _most_cols(self, rows: int, low: int, high: int) -> int:
        """Return the most columns, from ``low`` to ``high``, of so many rows."""
        guess, tries = None, 0
        while low < high:
            middle = (low + high + 1) // 2
            # What an array takes is nearly proportional, and a bisection ends in any case.
            if guess is not None and tries % 3:
                middle = min(max(guess, low + 1), high)
            taken = _taken(self.accelerator, self.prices, self.limit, rows, middle)
            if taken <= self.room:
                low = middle
            else:
                high = middle - 1
            guess, tries = int(middle * self.room / taken), tries + 1
        self.known[rows] = low
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
