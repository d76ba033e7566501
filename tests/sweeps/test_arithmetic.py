"""The page of arithmetic at equal SQNR: what it picks, and that its units still cost the same."""

import re
from pathlib import Path

import pyarrow as pa
import pytest

from cost_models.estimate import estimate
from hwsim.cli import main
from hwsim.errors import InputError
from hwsim.tables import number
from hwsim.units import make
from sweeps.studies import arithmetic

from .pages import tables

DOCS = Path(__file__).parents[2] / "docs"


def row(family, fmt, sqnr, energy, **others):
    return {
        "family": family, "weight": fmt, "activation": fmt, "lanes": 4, "parameters": "",
        "technology": "sky130", "clock_ns": 8.0, "method": "estimate", "feasible": True,
        "slack_ns": 0.0,
        arithmetic.SQNR: sqnr, arithmetic.ENERGY: energy, arithmetic.AREA: 100 * energy,
        f"{arithmetic.ENERGY}_ratio_error_percent": 10.0,
        f"{arithmetic.AREA}_ratio_error_percent": 5.0,
        **others,
    }  # fmt: skip


ROWS = [
    row("integer", "int4", 18.0, 1.0),
    row("integer", "int8", 36.0, 4.0),
    row("integer", "int8", 36.0, 0.1, method="interpolated"),
    row("integer", "int8", 36.0, 0.1, feasible=False),
    row("integer", "int8", None, 0.1),
    row("float", "e2m1", 16.0, 1.05),
    row("float", "e4m3", 30.0, 6.0),
    row(
        "float",
        "e2m1",
        16.0,
        3.0,
        parameters="accumulation=rounded accumulator=fp16",
        feasible=False,
    ),
    row("vs_dot", "int4_vs_g16", 18.5, 0.5),
]


@pytest.fixture
def page(monkeypatch):
    monkeypatch.setattr(arithmetic, "read_parquet", lambda folder: pa.Table.from_pylist(ROWS))
    return arithmetic.page(Path("anywhere"))


def test_the_least_of_enough_sqnr_is_picked(page):
    energy, best, area, *_ = page.tables()
    assert energy.header[1:] == [f"{level} dB" for level in arithmetic.LEVELS]
    assert {row[0]: row[1:] for row in energy.rows} == {
        "integer": ["1.00", "1.00", "4.00", "4.00", "4.00", "4.00", "-"],
        "float": ["1.05", "1.05", "6.00", "6.00", "6.00", "-", "-"],
        "vs_dot": ["0.500", "0.500", "-", "-", "-", "-", "-"],
    }
    assert [row[1:3] for row in best.rows] == [["vs_dot", "int4_vs_g16"]] * 2 + [
        ["integer", "int8"]
    ] * 4
    assert area.rows[0][1] == "100"


def test_families_within_the_error_of_a_ratio_are_as_good():
    table = [one for one in ROWS[:6] if one["feasible"] and one["method"] == "estimate"]
    table = [one for one in table if one[arithmetic.SQNR] is not None]
    best = arithmetic.least(table, arithmetic.ENERGY, 15)
    assert best["weight"] == "int4"
    assert arithmetic._as_good(table, arithmetic.ENERGY, 15, best) == ["float"]


def test_pairs_that_a_sweep_has_stand_beside_published_ratios(page):
    pairs, units = page.tables()[-2:]
    assert [row[:4] for row in pairs.rows] == [
        ["VSQINT4 over FP4", "1.90", "2.10 (+-10 %)", "6.00 (+-10 %)"]
    ]
    assert [row[1] for row in units.rows] == ["int4_vs_g16", "e2m1", "e2m1"]
    assert [row[4] for row in units.rows] == ["-", "-", "accumulation=rounded accumulator=fp16"]
    said = page.text("hwsim")
    assert "VSQINT4 over FP4: the published ratio lies outside of both, by more" in said


def test_the_command_takes_the_folder_of_a_sweep(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(arithmetic, "read_parquet", lambda folder: pa.Table.from_pylist(ROWS))
    assert main(["study", "arithmetic", "--results", str(tmp_path)]) == 0
    said = capsys.readouterr().out
    assert f"hwsim study arithmetic --results {tmp_path}" in said
    assert "The sweep has 9 units at 8.00 ns in sky130. 8 are estimated, of which 5 meet" in said


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([*ROWS, row("float", "e2m1", 16.0, 1.0, clock_ns=4.0)], "one technology at one clock"),
        ([*ROWS, row("float", "e2m1", 16.0, 1.0, technology="asap7")], "one technology"),
        ([{"technology": "sky130", "clock_ns": 8.0}], "the results of units on tensors"),
        (ROWS[2:5], "no unit was estimated"),
    ],
)
def test_other_results_are_refused(monkeypatch, rows, message):
    monkeypatch.setattr(arithmetic, "read_parquet", lambda folder: pa.Table.from_pylist(rows))
    with pytest.raises(InputError, match=message):
        arithmetic.page(Path("anywhere"))


def test_a_folder_without_its_chart_is_refused(page, tmp_path):
    (write,) = page.beside.values()
    with pytest.raises(InputError, match="0 charts"):
        write(tmp_path / "arithmetic.png")


def test_a_folder_without_results_is_refused(tmp_path, capsys):
    assert main(["study", "arithmetic", "--results", str(tmp_path)]) == 2
    assert str(tmp_path) in capsys.readouterr().err


def read(value):
    return int(value) if value.isdigit() else {"None": None}.get(value, value)


def test_the_units_of_the_page_cost_the_same_today():
    text = (DOCS / "arithmetic.md").read_text()
    (clock,) = re.findall(r"units at ([\d.]+) ns in sky130", text)
    header, *rows = tables(text)[-1]
    assert rows
    for line in rows[-2:]:
        one = dict(zip(header, line, strict=True))
        others = dict(re.findall(r"(\w+)=(\S+)", one["other parameters"]))
        unit = make(
            one["family"],
            lanes=int(one["lanes"]),
            weight=one["weight"],
            activation=one["activation"],
            **{name: read(value) for name, value in others.items()},
        )
        # The energy is that of the sweep's tensors, which tests do without.
        cost = estimate(unit, "sky130", clock_ns=float(clock))
        assert number(cost.area_um2_per_mac_per_cycle) == one["um^2 for a MAC a cycle"]
