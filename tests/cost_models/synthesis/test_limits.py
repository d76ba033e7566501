import re

import pytest

from cost_models.synthesis import liberty
from cost_models.synthesis.limits import violations
from cost_models.synthesis.mapped import CLOCK, Instance, MappedNetlist


def test_nothing_is_violated_where_the_library_allows_much(mapped):
    found = violations(mapped.netlist, mapped.timing.slews)
    assert found["max_capacitance"]["count"] == 0
    assert 0 < found["max_capacitance"]["worst"] < 1
    # osu018 states no limit of slews.
    assert found["max_transition"] is None


@pytest.fixture
def drivers(edited):
    """A function that returns an inverter that drives some others, of a library with limits."""

    def make(text, readers):
        with liberty.opened("osu018", [text]) as library:
            cell = library.cell("INVX1")
        first = Instance("u", cell, {"A": 3, "Y": 4})
        rest = [Instance(f"v{k}", cell, {"A": 4, "Y": 5 + k}) for k in range(readers)]
        return MappedNetlist([first, *rest], {CLOCK: [2], "i": [3]}, {}, 5 + readers)

    return make


def slews(netlist, last):
    """Slews of 0.1 ns, but of one pin."""
    found = {(i.name, pin): (0.1, 0.1) for i in netlist.instances for pin in ("A", "Y")}
    return found | {("u", "Y"): (0.1, last)}


def test_a_load_over_the_limit_is_counted(edited, drivers):
    """Limits are in pF; an INVX1 has a pin of 9.3 fF."""
    text = liberty.OSU018.read_text()
    start = text.index("cell (INVX1)")
    cell = text[start : text.index("/* -", start)]
    tiny = re.sub(r"max_capacitance : [\d.]+", "max_capacitance : 0.02", cell)
    path = edited(cell, tiny)
    pin = float(re.search(r"capacitance : ([\d.]+)", cell)[1])
    for readers, count in ((1, 0), (2, 0), (3, 1)):
        netlist = drivers(path, readers)
        found = violations(netlist, {})["max_capacitance"]
        assert found == {
            "count": count,
            "worst": round(readers * pin / 0.02, 3),
            "pin": "INVX1/Y",
        }
    assert violations(netlist, {})["max_transition"] is None


@pytest.mark.parametrize(
    ("limit", "of_pins"),
    [("default_max_transition : 0.25;", ""), ("", "max_transition : 0.25;")],
)
def test_a_slew_over_the_limit_is_counted(edited, drivers, limit, of_pins):
    """Of the library, or of pins, which are then those of outputs here."""
    path = edited("nom_voltage : 1.8;", f"nom_voltage : 1.8; {limit}")
    text = path.read_text().replace("max_capacitance :", f"{of_pins} max_capacitance :")
    path.write_text(text)
    netlist = drivers(path, 2)
    for slew, count in ((0.25, 0), (0.3, 1)):
        found = violations(netlist, slews(netlist, slew))["max_transition"]
        assert found == {"count": count, "worst": round(slew / 0.25, 3), "pin": "INVX1/Y"}


def test_a_limit_of_a_pin_precedes_that_of_the_library(edited, drivers):
    path = edited("nom_voltage : 1.8;", "nom_voltage : 1.8; default_max_capacitance : 0.001;")
    netlist = drivers(path, 1)
    assert violations(netlist, {})["max_capacitance"]["worst"] < 0.1
    path.write_text(re.sub(r"(?<!default_)max_capacitance : [\d.]+;", "", path.read_text()))
    netlist = drivers(path, 1)
    assert violations(netlist, {})["max_capacitance"]["count"] == 1
