"""Placements are legal, reproducible and short."""

import re
from dataclasses import replace
from itertools import permutations

import numpy as np
import pytest

from cost_models.synthesis.mapped import Instance, MappedNetlist
from cost_models.synthesis.placement import MOVES_PER_CELL, Site, half_perimeters, place
from hwsim.errors import InputError

SITE = Site(0.8, 10.0)


@pytest.fixture(scope="module")
def placed(mapped):
    return place(mapped.netlist, SITE)


def covered(placed):
    """How many cells are on each site."""
    grid = np.zeros((placed.rows, placed.sites), int)
    for row, left, width in zip(placed.row, placed.left, placed.width, strict=True):
        assert 0 <= row < placed.rows
        assert 0 <= left <= left + width <= placed.sites
        grid[row, left : left + width] += 1
    return grid


@pytest.mark.parametrize("utilisation", [0.4, 0.7, 0.95])
def test_no_cell_is_over_another_or_outside_the_core(mapped, utilisation):
    placed = place(mapped.netlist, SITE, utilisation, moves_per_cell=20)
    grid = covered(placed)
    assert grid.max() == 1
    width, height = placed.core_um
    assert placed.area_um2 == pytest.approx(width * height)
    assert 0.8 < width / height < 1.25
    # Whole rows and sites make the core a little larger than asked for.
    assert 0.98 * utilisation < grid.mean() <= utilisation


def test_cells_cover_their_area(mapped, placed):
    """All osu018 cells but one are whole sites wide."""
    for instance, width in zip(mapped.netlist.instances, placed.width, strict=True):
        sites = instance.cell.area_um2 / (SITE.width_um * SITE.height_um)
        assert sites - 0.05 <= width < sites + 1
    assert sum(i.cell.area_um2 for i in mapped.netlist.instances) == pytest.approx(mapped.area_um2)


def test_middles_are_those_of_the_sites(placed):
    count = len(placed.row)
    assert placed.x_um[:count] == pytest.approx((placed.left + placed.width / 2) * SITE.width_um)
    assert placed.y_um[:count] == pytest.approx((placed.row + 0.5) * SITE.height_um)


def test_ports_are_on_the_border(mapped, placed):
    width, height = placed.core_um
    x, y = placed.x_um[len(placed.row) :], placed.y_um[len(placed.row) :]
    assert len(x) == sum(
        map(len, [*mapped.netlist.inputs.values(), *mapped.netlist.outputs.values()])
    )
    on_side = np.isclose(x, 0) | np.isclose(x, width) | np.isclose(y, 0) | np.isclose(y, height)
    assert on_side.all()
    assert len(set(zip(x, y, strict=True))) == len(x)


def test_placement_is_that_of_its_seed(mapped, placed):
    again = place(mapped.netlist, SITE)
    assert np.array_equal(placed.left, again.left)
    assert np.array_equal(placed.row, again.row)
    other = place(mapped.netlist, SITE, seed=1)
    assert not np.array_equal(placed.left, other.left)
    ratio = other.half_perimeters_um.sum() / placed.half_perimeters_um.sum()
    assert 0.95 < ratio < 1.05


def test_half_perimeters_are_those_of_the_boxes(mapped, placed):
    """From the netlist anew: a set of places for every net, without the placer's lists."""
    netlist = mapped.netlist
    places = {}
    for k, instance in enumerate(netlist.instances):
        for net in instance.nets.values():
            places.setdefault(net, []).append((placed.x_um[k], placed.y_um[k]))
    port = len(netlist.instances)
    for nets in [*netlist.inputs.values(), *netlist.outputs.values()]:
        for net in nets:
            places.setdefault(net, []).append((placed.x_um[port], placed.y_um[port]))
            port += 1
    for constant in (0, 1, netlist.clock):
        places.pop(constant, None)
    expected = {
        net: np.ptp([x for x, _ in points]) + np.ptp([y for _, y in points])
        for net, points in places.items()
    }
    found = dict(zip(placed.net_numbers.tolist(), placed.half_perimeters_um, strict=True))
    assert set(found) <= set(expected)
    for net, length in expected.items():
        assert found.get(net, 0) == pytest.approx(length)


def test_annealing_shortens(mapped, placed):
    """Much below a random placement, little above that of ten times the effort."""
    total = placed.half_perimeters_um.sum()
    random = np.random.default_rng(0)
    width, height = placed.core_um
    x, y = placed.x_um.copy(), placed.y_um.copy()
    count = len(placed.row)
    x[:count] = random.uniform(0, width, count)
    y[:count] = random.uniform(0, height, count)
    assert total < 0.4 * half_perimeters(placed.net_first, placed.net_pins, x, y).sum()
    longer = place(mapped.netlist, SITE, moves_per_cell=10 * MOVES_PER_CELL)
    assert 0.98 < total / longer.half_perimeters_um.sum() < 1.06


def test_least_length_of_all_placements(library):
    """Five cells in one row, in all orders and with all gaps."""
    cell = library.cell("NAND2X1")
    inputs = [(3, 4), (5, 4), (6, 7), (7, 3), (9, 8)]
    netlist = MappedNetlist(
        [
            Instance(str(k), replace(cell, area_um2=8.0), {"A": a, "B": b, "Y": 6 + k})
            for k, (a, b) in enumerate(inputs)
        ],
        {"clk": [2], "a": [3, 4, 5]},
        {"y": [10, 7]},
        11,
    )
    # Rows so high that there is one.
    placed = place(netlist, Site(0.8, 10.0), 5 / 7, moves_per_cell=500)
    assert (placed.rows, placed.sites) == (1, 7)
    least = np.inf
    x, y = placed.x_um.copy(), placed.y_um.copy()
    for lefts in permutations(range(7), 5):
        x[:5] = (np.array(lefts) + 0.5) * 0.8
        lengths = half_perimeters(placed.net_first, placed.net_pins, x, y)
        least = min(least, lengths.sum())
    assert placed.half_perimeters_um.sum() == pytest.approx(least)


def test_two_pins_of_a_cell_are_one(library):
    cell = library.cell("NAND2X1")
    netlist = MappedNetlist(
        [
            Instance("a", cell, {"A": 3, "B": 3, "Y": 4}),
            Instance("b", cell, {"A": 4, "B": 4, "Y": 5}),
        ],
        {"clk": [2], "i": [3]},
        {"o": [5]},
        6,
    )
    placed = place(netlist, SITE)
    assert placed.net_numbers.tolist() == [3, 4, 5]
    assert np.diff(placed.net_first).tolist() == [2, 2, 2]
    # What drives a wire comes first: port i, the cells a and b.
    assert placed.net_pins[placed.net_first[:-1]].tolist() == [3, 0, 1]


@pytest.mark.parametrize("utilisation", [0, -1, 1.1, float("nan")])
def test_utilisation_out_of_range(mapped, utilisation):
    with pytest.raises(InputError, match=r"utilisation=.*: allowed: above 0 and at most 1"):
        place(mapped.netlist, SITE, utilisation)


def test_cells_that_do_not_fit_into_rows(library):
    """Three cells of equal width into two rows without a gap."""
    cell = replace(library.cell("INVX1"), area_um2=80.0)
    netlist = MappedNetlist(
        [Instance(str(k), cell, {"A": 3 + k, "Y": 4 + k}) for k in range(3)],
        {"clk": [2], "a": [3]},
        {"y": [6]},
        7,
    )
    message = re.escape("utilisation=1.0: 3 cells do not fit into 2 rows of 15 sites; give less")
    with pytest.raises(InputError, match=message):
        place(netlist, SITE, 1.0)
