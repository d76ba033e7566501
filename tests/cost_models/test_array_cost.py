"""Arrays composed of elements against the same arrays estimated whole, and elements by hand."""

import numpy as np
import pytest

from cost_models import array_errors
from cost_models.array_cost import compare, registers
from cost_models.element import Element, Surroundings
from cost_models.estimate import PathDelays, critical_path, features
from cost_models.netlist import GATES, netlist, netlist_by_part
from cost_models.operands import default_operands
from cost_models.technology import load, names
from hwsim.units import make
from hwsim.units.array import Dataflow, Links

INTEGER = {"lanes": 2, "weight": "int4", "activation": "int4"}
BYTES = {"lanes": 4, "weight": "int8", "activation": "int8"}
TABLES = {
    "lanes": 4, "weight": "int2", "activation": "int4", "row_count": 1, "column_count": 2,
}  # fmt: skip


def element(family, **parameters):
    unit = make(family, **parameters)
    return Element.of(unit, features(unit, default_operands(unit)))


@pytest.mark.parametrize(
    ("family", "parameters", "chosen"),
    [
        ("integer", INTEGER, {"links": "systolic"}),
        ("integer", INTEGER, {"links": "broadcast"}),
        ("integer", BYTES, {"dataflow": "weight_stationary"}),
        ("integer", BYTES, {"dataflow": "input_stationary"}),
        ("lut_tensor_core", TABLES, {"links": "broadcast"}),
        ("bit_serial", INTEGER | {"digits": "essential"}, {"links": "systolic"}),
    ],
)
@pytest.mark.parametrize("size", [(1, 1), (2, 3)])
def test_a_composed_array_is_the_estimated_one(family, parameters, chosen, size):
    rows, columns = size
    array = make("array", element=family, rows=rows, columns=columns, **chosen, **parameters)
    for name in ("osu018", "sky130"):
        for quantity, found in compare(array, load(name)).items():
            assert abs(found.percent) <= array_errors.ALLOWED, (name, quantity)
            # Elements that may have to wait have a flip-flop for it.
            if size == (1, 1) and family != "bit_serial":
                assert found.percent == pytest.approx(0, abs=1e-6)


def test_stored_figures_hold_and_are_those_of_today():
    rows = array_errors.stored()
    assert {row.array for row in rows} == set(array_errors.arrays())
    beyond = {
        (row.array.element, row.array.rows, str(row.array.links), row.technology, quantity)
        for row in rows
        for quantity, found in row.found.items()
        if abs(found.percent) > array_errors.ALLOWED
    }
    # Why is not known. That of BitMoD is within in the other technologies; the parts of floating
    # point on one wire a row and a column have 7 to 12 % less energy than the whole.
    fused = {("fma", rows, "broadcast", name, "energy") for rows in (2, 4) for name in names()}
    assert beyond == fused | {("bitmod", 4, "systolic", "osu018", "energy")}
    for row in rows:
        array = row.array
        if (array.element, array.rows) != ("integer", 2) or row.technology != "sky130":
            continue
        for quantity, found in compare(array, load(row.technology)).items():
            assert row.found[quantity].whole == pytest.approx(found.whole, rel=1e-5)
            assert row.found[quantity].composed == pytest.approx(found.composed, rel=1e-5)


def test_elements_of_an_array_are_the_unit():
    """Between systolic ones nothing is shared; broadcast ones share Booth's digits."""
    booth = {"lanes": 1, "weight": "int6", "activation": "int6"}
    alone = netlist(make("integer", **booth)).counts()
    for links in Links:
        array = make("array", element="integer", rows=2, columns=3, links=links, **booth)
        gates = netlist_by_part(array)
        kinds = np.append(np.full(len(gates.data), len(GATES)), gates.types)
        counts = np.bincount(kinds[gates.parts == "element"], minlength=len(GATES) + 1)
        if links is Links.SYSTOLIC:
            np.testing.assert_array_equal(counts, 6 * alone)
        else:
            assert 5 * alone.sum() < counts.sum() < 6 * alone.sum()


def test_registers_are_those_of_the_hardware():
    unit = make("integer", **INTEGER)
    found = registers(unit, 2, 3, Links.SYSTOLIC, Dataflow.OUTPUT_STATIONARY)
    # Activations of 8 bits: two a row handed on, one delays the second row; likewise weights.
    assert (found.activations, found.weights) == (8 * (2 * 2 + 1), 8 * (3 * 1 + 3))
    assert found.control == 2 * 3
    assert found.results == 5 * (unit.result.bits + 1)
    whole = make("array", element="integer", rows=2, columns=3, **INTEGER)
    flip_flops = features(whole).netlist.data.size - 6 * len(netlist(unit).data)
    # Beside them, a counter of the steps between dot products.
    assert flip_flops - found.bits == 2
    assert registers(unit, 2, 3, Links.BROADCAST, Dataflow.OUTPUT_STATIONARY).bits == 0
    kept = registers(unit, 2, 3, Links.SYSTOLIC, Dataflow.WEIGHT_STATIONARY)
    assert (kept.activations, kept.weights) == (8 * (2 * 2 + 1), 8 * (3 * 1 + 3))
    assert kept.results == 3 * unit.result.bits


def test_an_element_alone_is_the_unit():
    one = element("lut_tensor_core", **TABLES)
    sizing = load("sky130").least_area
    gates = one.gates
    np.testing.assert_array_equal(one.fanout(Surroundings()), gates.fanout())
    path = critical_path(gates, PathDelays.of(sizing))
    assert one.delay_ns(sizing, Surroundings()) == pytest.approx(path.delay_ns)


@pytest.mark.parametrize("links", list(Links))
def test_the_delay_is_that_of_the_longest_path(links):
    one, around = element("lut_tensor_core", **TABLES), Surroundings(3, 20, links)
    for sizing in (load("sky130").least_area, load("osu018").least_delay):
        path = critical_path(one.gates, PathDelays.of(sizing), one.fanout(around))
        assert one.delay_ns(sizing, around) == pytest.approx(path.delay_ns)


def test_what_is_shared_drives_what_shares_it():
    one = element("lut_tensor_core", **TABLES)
    alone, wide = (one.fanout(Surroundings(1, cols, Links.BROADCAST)) for cols in (1, 4))
    payload = one.gates.inputs["i__payload"]
    activations, weights = payload[:16], payload[16:32]
    # Tables are between activations and elements; weights select in each.
    assert (wide[weights] == alone[weights]).all()
    assert (wide >= 4 * alone).any()
    share = one.areas_um2(load("sky130").least_area, Surroundings(1, 4, Links.BROADCAST))
    own = one.areas_um2(load("sky130").least_area, Surroundings())
    assert share[1] < 0.4 * own[1]
    assert (alone[activations] <= wide[activations]).all()
