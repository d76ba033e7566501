"""Placement of a mapped netlist in rows, for the length of its wires.

Cells stand on the sites of rows in a nearly square core, whose area is that of the cells by the
utilisation; the unit's ports are spread along its border, in the order of their bits. A quadratic
placement (the squares of the lengths are least, which is a linear system), spread over the core by
bisection in a few rounds (as in Kim et al., SimPL, ICCAD 2010), is made legal, and then annealed
for the least half perimeter of the boxes around nets.

A pin is taken to be in the middle of its cell. The clock is no net here: its tree is estimated by
:mod:`cost_models.synthesis.wires`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cost_models.synthesis.mapped import MappedNetlist
from hwsim.errors import InputError

Floats = NDArray[np.float64]
Int = NDArray[np.int64]

#: Moves at each temperature for each cell.
MOVES_PER_CELL = 50

#: Rounds of quadratic placement and spreading.
_ROUNDS = 8
#: Pins from which the quadratic placement has a net as a star and not as all pairs.
_STAR = 6
#: The temperature to begin with, as a share of the mean half perimeter after the quadratic start.
_START = 0.5


@dataclass(frozen=True)
class Site:
    """What rows are divided into.

    Attributes
    ----------
    width_um, height_um
        Its size; the height is that of a row.
    """

    width_um: float
    height_um: float


@dataclass(frozen=True, eq=False)
class Placement:
    """Where the cells of a netlist are.

    Attributes
    ----------
    site
        Size of a site.
    rows, sites
        Number of rows, and of sites in each.
    row, left, width
        Row, first site and number of sites of each instance, shape (instances,).
    x_um, y_um
        Middle of each instance, then of every bit of the ports, in um.
    net_numbers
        The netlist's numbers of the nets that wires are for.
    net_first, net_pins
        Wire k connects the points ``net_pins[net_first[k] : net_first[k + 1]]`` of ``x_um``; what
        drives it comes first.
    seed
        Of the annealing.
    """

    site: Site
    rows: int
    sites: int
    row: Int
    left: Int
    width: Int
    x_um: Floats
    y_um: Floats
    net_numbers: Int
    net_first: Int
    net_pins: Int
    seed: int

    @property
    def core_um(self) -> tuple[float, float]:
        """Width and height of the core."""
        return self.sites * self.site.width_um, self.rows * self.site.height_um

    @property
    def area_um2(self) -> float:
        """Area of the core, the space between cells included."""
        width, height = self.core_um
        return width * height

    @cached_property
    def half_perimeters_um(self) -> Floats:
        """Half perimeter of the box around each wire's pins."""
        return half_perimeters(self.net_first, self.net_pins, self.x_um, self.y_um)


def half_perimeters(first: Int, pins: Int, x: Floats, y: Floats) -> Floats:
    """Return the half perimeters of the boxes around the points of each net."""
    result = np.zeros(len(first) - 1)
    if len(result):
        for places in (x[pins], y[pins]):
            result += np.maximum.reduceat(places, first[:-1])
            result -= np.minimum.reduceat(places, first[:-1])
    return result


def check_utilisation(utilisation: float) -> None:
    """Refuse with InputError a share of the core that cells cannot cover."""
    number = isinstance(utilisation, int | float) and not isinstance(utilisation, bool)
    if not number or not 0 < utilisation <= 1:
        raise InputError(f"utilisation={utilisation!r}: allowed: above 0 and at most 1")


def place(
    netlist: MappedNetlist,
    site: Site,
    utilisation: float = 0.7,
    seed: int = 0,
    moves_per_cell: int = MOVES_PER_CELL,
) -> Placement:
    """Place the cells of ``netlist``; the same arguments give the same placement.

    Parameters
    ----------
    site
        Of the technology's rows. Cells are as many sites wide as their area needs.
    utilisation
        Share of the core that cells cover, above 0 and at most 1. Whole rows and sites make it a
        little less.
    seed
        Of the annealing.
    moves_per_cell
        The effort of the annealing.

    Raises
    ------
    InputError
        For a utilisation out of range, or so high that whole cells do not fit into whole rows.
    """
    check_utilisation(utilisation)
    from cost_models.synthesis import annealing

    sites_of = [_sites(instance.cell.area_um2, site) for instance in netlist.instances]
    width = np.array(sites_of, np.int64)
    rows, sites = _core(width, site, utilisation)
    count = len(width)
    ports = _border(netlist, sites * site.width_um, rows * site.height_um)
    nets = _nets(netlist, count)
    x = np.concatenate([np.zeros(count), ports[:, 0]])
    y = np.concatenate([np.zeros(count), ports[:, 1]])
    numbers = np.array(list(nets), np.int64)
    first, pins = _flat(list(nets.values()))
    _quadratic(first, pins, x, y, width, (sites * site.width_um, rows * site.height_um))
    row, left = _legal(x[:count], y[:count], width, rows, sites, site, utilisation)
    grid = np.full((rows, sites), -1, np.int64)
    for cell in range(count):
        grid[row[cell], left[cell] : left[cell] + width[cell]] = cell
    x[:count] = (left + width / 2) * site.width_um
    y[:count] = (row + 0.5) * site.height_um
    if count and len(numbers):
        of_cells: list[list[int]] = [[] for _ in range(count)]
        for net, its_pins in enumerate(nets.values()):
            for pin in its_pins:
                if pin < count:
                    of_cells[pin].append(net)
        annealing.anneal(
            grid, row, left, width, x, y, (site.width_um, site.height_um), first, pins,
            *_flat(of_cells), _START * float(half_perimeters(first, pins, x, y).mean()),
            moves_per_cell * count, np.random.default_rng(seed),
        )  # fmt: skip
    return Placement(site, rows, sites, row, left, width, x, y, numbers, first, pins, seed)


def _sites(area_um2: float, site: Site) -> int:
    """Return the sites that a cell covers; areas in libraries are rounded."""
    return max(1, int(np.ceil(area_um2 / (site.width_um * site.height_um) - 0.05)))


def _core(width: Int, site: Site, utilisation: float) -> tuple[int, int]:
    """Return the rows of a core that is nearly square, and the sites of each."""
    total = int(width.sum())
    side = np.sqrt(total / utilisation * site.width_um * site.height_um)
    rows = max(1, round(side / site.height_um))
    return rows, max(int(np.ceil(total / utilisation / rows)), int(width.max(initial=1)))


def _border(netlist: MappedNetlist, width: float, height: float) -> Floats:
    """Return the places of all bits of inputs, then of outputs, around a core, shape (bits, 2)."""
    bits = sum(map(len, [*netlist.inputs.values(), *netlist.outputs.values()]))
    along = (np.arange(bits) + 0.5) / bits * 2 * (width + height)
    corners = np.array([0, height, height + width, 2 * height + width, 2 * (height + width)])
    x = np.interp(along, corners, [0, 0, width, width, 0])
    y = np.interp(along, corners, [0, height, height, 0, 0])
    return np.stack([x, y], axis=1)


def _nets(netlist: MappedNetlist, count: int) -> dict[int, list[int]]:
    """Return the points that each wire connects, the driver first, by the number of the net.

    Points are instances, then bits of inputs, then of outputs.
    """
    drivers: dict[int, int] = {}
    loads: dict[int, dict[int, None]] = {}
    for k, instance in enumerate(netlist.instances):
        for pin, net in instance.nets.items():
            if pin in instance.cell.outputs:
                drivers[net] = k
            else:
                loads.setdefault(net, {})[k] = None
    point = count
    for ports, is_input in ((netlist.inputs, True), (netlist.outputs, False)):
        for nets in ports.values():
            for net in nets:
                if is_input:
                    drivers[net] = point
                else:
                    loads.setdefault(net, {})[point] = None
                point += 1
    return {
        net: [driver, *(load for load in loads[net] if load != driver)]
        for net, driver in sorted(drivers.items())
        if net not in (0, 1, netlist.clock) and any(load != driver for load in loads.get(net, ()))
    }


def _flat(lists: Sequence[Sequence[int]]) -> tuple[Int, Int]:
    first = np.concatenate([[0], np.cumsum([len(one) for one in lists])]).astype(np.int64)
    return first, np.array([item for one in lists for item in one], np.int64)


def _quadratic(
    first: Int, pins: Int, x: Floats, y: Floats, width: Int, core: tuple[float, float]
) -> None:
    """Set the places of cells, the first of the points, to a spread quadratic placement."""
    from scipy import sparse
    from scipy.sparse.linalg import spsolve

    count = len(width)
    stars = np.flatnonzero(np.diff(first) >= _STAR)
    centre = {int(net): len(x) + k for k, net in enumerate(stars)}
    rows, columns, weights = [], [], []
    for net in range(len(first) - 1):
        its = pins[first[net] : first[net + 1]]
        if net in centre:
            rows.append(its)
            columns.append(np.full(len(its), centre[net]))
            weights.append(np.full(len(its), len(its) / (len(its) - 1)))
        else:
            a, b = np.triu_indices(len(its), 1)
            rows.append(its[a])
            columns.append(its[b])
            weights.append(np.full(len(a), 1 / (len(its) - 1)))
    size = len(x) + len(stars)
    if not rows or not count:
        return
    pairs = (np.concatenate(weights), (np.concatenate(rows), np.concatenate(columns)))
    adjacency: Any = sparse.coo_matrix(pairs, shape=(size, size)).tocsr()
    adjacency = adjacency + adjacency.T
    laplacian = sparse.diags(np.asarray(adjacency.sum(axis=1)).ravel()) - adjacency
    free = np.concatenate([np.arange(count), np.arange(len(x), size)])
    ports = np.arange(count, len(x))
    inner = laplacian[free][:, free]
    pull = -laplacian[free][:, ports]
    target = np.zeros((len(free), 2))
    fixed = np.stack([x[ports], y[ports]], axis=1)
    anchor = np.full(len(free), 1e-6)
    target[:] = np.array(core) / 2
    for turn in range(1, _ROUNDS + 1):
        matrix = (inner + sparse.diags(anchor)).tocsc()
        solution = spsolve(matrix, pull @ fixed + anchor[:, None] * target)
        spread = _spread(solution[:count], width.astype(float), core)
        target[:count] = spread
        # Towards the spread places, more in every round, by what a cell is held with anyway.
        anchor[:count] = 0.03 * turn * inner.diagonal()[:count]
    x[:count], y[:count] = spread.T


def _spread(places: Floats, weights: Floats, core: tuple[float, float]) -> Floats:
    """Return places that fill the core evenly, in the order of the given ones, by bisection."""
    result = np.empty_like(places)
    pending = [(np.arange(len(places)), 0.0, 0.0, *core)]
    while pending:
        cells, left, low, right, high = pending.pop()
        if len(cells) == 1:
            result[cells[0]] = (left + right) / 2, (low + high) / 2
            continue
        axis = 0 if right - left >= high - low else 1
        order = cells[np.argsort(places[cells, axis], kind="stable")]
        sums = np.cumsum(weights[order])
        cut = int(np.clip(np.searchsorted(sums, sums[-1] / 2) + 1, 1, len(order) - 1))
        share = sums[cut - 1] / sums[-1]
        if axis == 0:
            middle = left + share * (right - left)
            pending += [
                (order[:cut], left, low, middle, high),
                (order[cut:], middle, low, right, high),
            ]
        else:
            middle = low + share * (high - low)
            pending += [
                (order[:cut], left, low, right, middle),
                (order[cut:], left, middle, right, high),
            ]
    return result


def _legal(
    x: Floats, y: Floats, width: Int, rows: int, sites: int, site: Site, utilisation: float
) -> tuple[Int, Int]:
    """Return the rows and first sites of cells near given places, none over another."""
    row = np.empty(len(width), np.int64)
    left = np.empty(len(width), np.int64)
    room = np.full(rows, sites)
    middles = (np.arange(rows) + 0.5) * site.height_um
    # The widest first: narrow cells find room anywhere.
    for cell in np.argsort(-width, kind="stable"):
        distance = np.where(room >= width[cell], np.abs(middles - y[cell]), np.inf)
        row[cell] = np.argmin(distance)
        if np.isinf(distance[row[cell]]):
            raise InputError(
                f"utilisation={utilisation!r}: {len(width)} cells do not fit into {rows} rows of "
                f"{sites} sites; give less"
            )
        room[row[cell]] -= width[cell]
    for number in range(rows):
        cells = np.flatnonzero(row == number)
        cells = cells[np.argsort(x[cells], kind="stable")]
        end = 0
        for cell in cells:
            wanted = round(x[cell] / site.width_um - width[cell] / 2)
            left[cell] = max(wanted, end)
            end = left[cell] + width[cell]
        end = sites
        for cell in cells[::-1]:
            left[cell] = min(left[cell], end - width[cell])
            end = left[cell]
    return row, left
