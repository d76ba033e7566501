import json
from dataclasses import fields

import pytest

from cost_models import data, published
from cost_models.cost import Cost
from hwsim import cli
from hwsim.errors import InputError

ROWS = published.load()


def test_there_are_as_many_as_the_documentation_says():
    assert len(ROWS) == 545
    assert sum(row.system == "Bit Fusion" for row in ROWS) == 420


@pytest.mark.parametrize("name", ["system", "unit", "weight", "activation", "metric", "measure"])
def test_every_row_is_complete(name):
    assert all(getattr(row, name).strip() for row in ROWS)


def test_every_row_has_a_source_and_evidence():
    for row in ROWS:
        assert len(row.source) >= len("Amove, table 7")
        assert row.evidence in data.EVIDENCE
        assert row.node in (7, 16, 28, 45, 65)
        assert row.value > 0
        assert row.kind == "published"


def test_rows_are_absolute():
    measures = {row.measure for row in ROWS}
    assert measures == {
        "um^2", "mm^2", "pJ", "uW", "mW", "GHz", "TOPS/W", "TOPS/mm^2", "TFLOPS/mm^2"
    }  # fmt: skip


def test_rows_do_not_repeat():
    keys = [(r.system, r.unit, r.weight, r.activation, r.node, r.metric) for r in ROWS]
    assert len(set(keys)) == len(keys)


def test_published_numbers_are_no_costs():
    assert not issubclass(published.Published, Cost)
    shared = {field.name for field in fields(Cost)} & {f.name for f in fields(published.Published)}
    assert shared == {"unit"}


def one(**filters):
    (row,) = published.select(filters)
    return row


def test_numbers_of_the_papers_come_back():
    assert one(unit="A100 INT8 TC", metric="area_per_sm").value == 0.312
    assert one(system="Horowitz", unit="mul", weight="INT8", metric="energy").value == 0.2
    assert one(unit="full multiplier*").value == 0.268
    assert one(unit="systolic 1x1 fixed", weight="INT8", metric="area").value == 687.6072
    assert one(system="TPUv4i", unit="mul", weight="FP16", metric="energy").value == 0.34


def test_bitmod_tiles_are_their_elements():
    """48 of the baseline's elements, and 64 of BitMoD's take 24 % less area each."""
    tiles = {row.unit: row for row in published.select({"unit": "*tile,*", "metric": "area"})}
    baseline = tiles["FP16 tile, 6 x 8 elements"].value / 48
    element = tiles["BitMoD tile, 8 x 8 elements"].value / 64
    assert element / baseline == pytest.approx(0.76, abs=0.005)


def test_derived_energy_follows_from_power():
    """Bit Fusion's energy is its power over 500 MHz."""
    arrays = [row for row in ROWS if row.system == "Bit Fusion"]
    values = {(row.unit, row.weight, row.metric): row.value for row in arrays}
    derived = [row for row in arrays if row.derived]
    assert len(derived) == 105
    for row in derived:
        powers = [values[row.unit, row.weight, f"{name}_power"] for name in ("dynamic", "leakage")]
        assert row.value == pytest.approx(sum(powers) / 500, abs=6e-5, rel=1e-3)


def test_filters_ignore_case_and_take_patterns():
    assert published.select({"weight": "int2", "node": "28"})
    units = {row.unit for row in published.select({"unit": "*full multiplier*"})}
    assert units == {"full multiplier 32x32 tile"}
    assert published.select({}) == ROWS


def test_filters_may_leave_nothing():
    assert published.select({"system": "Horowitz", "node": "28"}) == []


@pytest.mark.parametrize(
    ("filters", "message"),
    [
        ({"technology": "28"}, "unknown filter 'technology'"),
        ({"system": "Horowiz"}, "unknown system 'Horowiz'; did you mean 'Horowitz'"),
        ({"unit": "*quire*"}, "no published number has a unit like"),
    ],
)
def test_unknown_filters_are_refused(filters, message):
    with pytest.raises(InputError, match=message):
        published.select(filters)


def test_command_line_lists_rows(capsys):
    assert cli.main(["published", "system=spade"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 3
    assert "arXiv:2601.17279" in lines[1]
    assert cli.main(["published", "system=spade", "node=45"]) == 0
    assert "no published number" in capsys.readouterr().out
    assert cli.main(["published", "node=29"]) == 2
    assert "unknown node '29'" in capsys.readouterr().err


def test_command_line_prints_json(capsys):
    assert cli.main(["published", "system=dhfp*", "metric=energy*", "--json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert (row["kind"], row["derived"], row["value"]) == ("published", True, 1.098)
