from pathlib import Path

import pytest

from cost_models import fit, fitting_set, report, technology
from hwsim.units import make

DOCUMENT = Path(__file__).parents[2] / "docs" / "cost-model.md"


def test_document_is_up_to_date():
    assert DOCUMENT.read_text() == report.document()


@pytest.mark.parametrize("name", technology.names())
def test_errors_are_those_of_the_table(name):
    loaded = technology.load(name)
    assert fit.errors_of(loaded.held_out_units) == loaded.errors["held_out"]


@pytest.mark.parametrize("name", technology.names())
def test_table_covers_the_held_out_set(name):
    rows = technology.load(name).held_out_units
    units = fitting_set.build(fitting_set.HELD_OUT)
    assert [make(row["family"], **row["parameters"]) for row in rows] == units


def test_sets_are_disjoint():
    fitting = set(fitting_set.build(fitting_set.FITTING))
    held_out = set(fitting_set.build(fitting_set.HELD_OUT))
    assert len(fitting) == len(fitting_set.FITTING)
    assert len(held_out) == len(fitting_set.HELD_OUT)
    assert not fitting & held_out


def test_error_can_be_measured_now(monkeypatch):
    monkeypatch.setattr(fitting_set, "HELD_OUT", [fitting_set.HELD_OUT[k] for k in (0, 1, 15)])
    lines: list[str] = []
    errors = report.measure("osu018", progress=lines.append)
    printed = technology.load("osu018").errors["held_out"]
    assert len(lines) == 3
    for quantity in fit.QUANTITIES:
        assert 0 < errors[quantity]["max_percent"] <= printed[quantity]["max_percent"]
