"""The compiled loops of :mod:`cost_models.synthesis.placement`; importing this imports numba.

Cells stand on the sites of rows, and every move keeps a placement legal, whatever the widths of
cells: it exchanges what is in two windows of equal width, or pushes cells of a row aside.
"""

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

Array = NDArray[Any]

#: Most cells that a move moves.
_MOST = 16
#: How far from a connected pin a move may end.
_NEAR_SITES, _NEAR_ROWS = 12, 1.5


@njit(cache=True)
def half_perimeter(net: int, first: Array, pins: Array, x: Array, y: Array) -> float:
    """Return the half perimeter of the box around the pins of a net."""
    start = pins[first[net]]
    left = right = x[start]
    low = high = y[start]
    for k in range(first[net] + 1, first[net + 1]):
        pin = pins[k]
        left = min(left, x[pin])
        right = max(right, x[pin])
        low = min(low, y[pin])
        high = max(high, y[pin])
    return right - left + high - low


@njit(cache=True)
def _cuts(grid: Array, left: Array, width: Array, row: int, start: int, size: int) -> bool:
    """Whether a window is not inside its row, or holds a part of a cell."""
    if start < 0 or start + size > grid.shape[1]:
        return True
    cell = grid[row, start]
    if cell >= 0 and left[cell] < start:
        return True
    cell = grid[row, start + size - 1]
    return cell >= 0 and left[cell] + width[cell] > start + size


@njit(cache=True)
def _collect(
    grid: Array, width: Array, row: int, start: int, size: int, cells: Array, count: int
) -> int:
    """Add the cells of a window to ``cells``, and return how many these are; -1 for too many."""
    site = start
    while site < start + size:
        cell = grid[row, site]
        if cell < 0:
            site += 1
            continue
        if count == len(cells):
            return -1
        cells[count] = cell
        count += 1
        site += width[cell]
    return count


@njit(cache=True)
def _swap(
    grid: Array,
    row: Array,
    left: Array,
    width: Array,
    cell: int,
    to_row: int,
    site: int,
    moved: Array,
    new_row: Array,
    new_left: Array,
) -> int:
    """Propose to exchange a cell with what is at a site of another row.

    Two windows as wide as the wider of both change places, if they cut no cell. Returns how many
    cells that moves, 0 if it cannot be; their numbers and new places go to ``moved``, ``new_row``
    and ``new_left``.
    """
    target = grid[to_row, site]
    from_row, origin = row[cell], left[cell]
    start, size = site, width[cell]
    if target >= 0:
        start, size = left[target], max(size, width[target])
    if _cuts(grid, left, width, from_row, origin, size):
        return 0
    if _cuts(grid, left, width, to_row, start, size):
        return 0
    middle = _collect(grid, width, from_row, origin, size, moved, 0)
    count = -1 if middle < 0 else _collect(grid, width, to_row, start, size, moved, middle)
    for k in range(count):
        there = k < middle
        new_row[k] = to_row if there else from_row
        new_left[k] = left[moved[k]] + (start - origin if there else origin - start)
    return max(count, 0)


@njit(cache=True)
def _insert(
    grid: Array,
    left: Array,
    width: Array,
    cell: int,
    to_row: int,
    site: int,
    rightwards: bool,
    moved: Array,
    new_row: Array,
    new_left: Array,
) -> int:
    """Propose to put a cell to a site of any row, and to push others aside as far as they must.

    Returns the same as :func:`_swap`.
    """
    sites = grid.shape[1]
    target = grid[to_row, site]
    edge = site if rightwards else site + 1
    if target >= 0 and target != cell:
        edge = left[target] if rightwards else left[target] + width[target]
    moved[0], new_row[0] = cell, to_row
    new_left[0] = edge if rightwards else edge - width[cell]
    limit = edge + width[cell] if rightwards else edge - width[cell]
    count = 1
    site = edge if rightwards else edge - 1
    while 0 <= limit <= sites and 0 <= site < sites:
        pushed = grid[to_row, site]
        if pushed < 0:
            if site == limit:
                return count
            site += 1 if rightwards else -1
            continue
        start, end = left[pushed], left[pushed] + width[pushed]
        if pushed != cell:
            if start >= limit if rightwards else end <= limit:
                return count
            if count == len(moved):
                return 0
            moved[count], new_row[count] = pushed, to_row
            new_left[count] = limit if rightwards else limit - width[pushed]
            limit = limit + width[pushed] if rightwards else limit - width[pushed]
            count += 1
        site = end if rightwards else start - 1
    return count if 0 <= limit <= sites else 0


@njit(cache=True)
def _exchange(
    grid: Array,
    row: Array,
    left: Array,
    width: Array,
    x: Array,
    y: Array,
    pitch: tuple[float, float],
    moved: Array,
    new_row: Array,
    new_left: Array,
    count: int,
) -> None:
    """Put cells to their new places, and keep the old ones as new: a second time undoes it."""
    for k in range(count):
        cell = moved[k]
        grid[row[cell], left[cell] : left[cell] + width[cell]] = -1
    for k in range(count):
        cell = moved[k]
        row[cell], new_row[k] = new_row[k], row[cell]
        left[cell], new_left[k] = new_left[k], left[cell]
        grid[row[cell], left[cell] : left[cell] + width[cell]] = cell
        x[cell] = (left[cell] + width[cell] / 2) * pitch[0]
        y[cell] = (row[cell] + 0.5) * pitch[1]


@njit(cache=True)
def anneal(
    grid: Array,
    row: Array,
    left: Array,
    width: Array,
    x: Array,
    y: Array,
    pitch: tuple[float, float],
    net_first: Array,
    net_pins: Array,
    cell_first: Array,
    cell_nets: Array,
    temperature: float,
    moves: int,
    random: Any,
) -> int:
    """Anneal a placement from a temperature down, until moves are worth nothing.

    The schedule is VPR's (Betz and Rose, FPL 1997): temperature and range of moves follow the share
    of moves that were accepted. Half of the moves go anywhere in range, half to a pin that the cell
    is connected to.

    Parameters
    ----------
    grid
        Cell on each site or -1, shape (rows, sites).
    row, left, width
        Row, first site and number of sites of each cell.
    x, y
        Positions of cells' centres in um, then those of ports.
    pitch
        Width and height of a site in um.
    net_first, net_pins
        Nets: that k has the pins ``net_pins[net_first[k] : net_first[k + 1]]``.
    cell_first, cell_nets
        Nets of the cells, likewise.
    temperature
        In um of half perimeter.
    moves
        Tried at each temperature.
    random
        Generator of random numbers.

    ``grid``, ``row``, ``left``, ``x`` and ``y`` are changed in place.

    Returns
    -------
    Number of moves tried.
    """
    nets = len(net_first) - 1
    rows, sites = grid.shape
    lengths = np.array([half_perimeter(k, net_first, net_pins, x, y) for k in range(nets)])
    seen = np.zeros(nets, np.int64)
    touched = np.empty(nets, np.int64)
    before = np.empty(nets)
    moved, new_row, new_left = np.empty((3, _MOST), np.int64)
    widest = max(rows * pitch[1], sites * pitch[0])
    reach = widest
    tried = 0
    while True:
        accepted = 0
        for _ in range(moves):
            tried += 1
            cell = random.integers(0, len(row))
            near, spread_x, spread_y = cell, reach, reach
            own = cell_first[cell + 1] - cell_first[cell]
            if own and random.random() < 0.5:
                net = cell_nets[cell_first[cell] + random.integers(0, own)]
                pins = net_first[net + 1] - net_first[net]
                near = net_pins[net_first[net] + random.integers(0, pins)]
                spread_x = min(reach, _NEAR_SITES * pitch[0])
                spread_y = min(reach, _NEAR_ROWS * pitch[1])
            to_x = x[near] + (2 * random.random() - 1) * spread_x
            to_y = y[near] + (2 * random.random() - 1) * spread_y
            site = min(max(int(to_x / pitch[0]), 0), sites - 1)
            to_row = min(max(int(to_y / pitch[1]), 0), rows - 1)
            count = 0
            if to_row != row[cell]:
                count = _swap(grid, row, left, width, cell, to_row, site, moved, new_row, new_left)
            if count == 0:
                rightwards = random.random() < 0.5
                count = _insert(
                    grid, left, width, cell, to_row, site, rightwards, moved, new_row, new_left
                )
            if count == 0:
                continue
            _exchange(grid, row, left, width, x, y, pitch, moved, new_row, new_left, count)
            change = 0.0
            changed = 0
            for k in range(count):
                for position in range(cell_first[moved[k]], cell_first[moved[k] + 1]):
                    net = cell_nets[position]
                    if seen[net] != tried:
                        seen[net] = tried
                        touched[changed], before[changed] = net, lengths[net]
                        lengths[net] = half_perimeter(net, net_first, net_pins, x, y)
                        change += lengths[net] - before[changed]
                        changed += 1
            if change <= 0 or random.random() < np.exp(-change / temperature):
                accepted += 1
                continue
            _exchange(grid, row, left, width, x, y, pitch, moved, new_row, new_left, count)
            for k in range(changed):
                lengths[touched[k]] = before[k]
        share = accepted / moves
        reach = min(max(reach * (0.56 + share), 2 * pitch[1]), widest)
        if share > 0.96:
            temperature *= 0.5
        elif share > 0.8:
            temperature *= 0.9
        elif share > 0.15:
            temperature *= 0.95
        else:
            temperature *= 0.8
        if temperature < 0.005 * lengths.mean():
            return tried


@njit(cache=True)
def spanning_tree(xs: Array, ys: Array) -> Array:
    """Return the parent of each point in their rectilinear minimum spanning tree from point 0.

    Prim's algorithm; the parent of point 0 is -1.
    """
    points = len(xs)
    parent = np.zeros(points, np.int64)
    parent[0] = -1
    distance = np.abs(xs - xs[0]) + np.abs(ys - ys[0])
    inside = np.zeros(points, np.bool_)
    inside[0] = True
    for _ in range(points - 1):
        nearest = -1
        for k in range(points):
            if not inside[k] and (nearest < 0 or distance[k] < distance[nearest]):
                nearest = k
        inside[nearest] = True
        for k in range(points):
            to_nearest = abs(xs[k] - xs[nearest]) + abs(ys[k] - ys[nearest])
            if not inside[k] and to_nearest < distance[k]:
                distance[k] = to_nearest
                parent[k] = nearest
    return parent
