"""What the screen leaves out, and that nothing of it is silent."""

import csv
from dataclasses import replace

import pytest

from cost_models import screen, technology
from hwsim.tensors.quality import Quality
from hwsim.units import make
from sweeps import run_sweep, spec
from sweeps.run import run
from sweeps.screen import Candidate, Screening, goodness, prune, screened
from sweeps.targets import Target
from tests.technologies import simple


def unit(weight, activation, lanes=4):
    return make("integer", lanes=lanes, weight=weight, activation=activation)


SMALL, WIDE, GOOD, BAD = (
    unit("int4", "int4"),
    unit("int4", "int4", 16),
    unit("int8", "int8"),
    unit("int2", "int2"),
)


def quality(weight, output):
    return Quality(weight, output, output, None if output is None else 0.0)


def left_out(areas, factor, qualities, objectives):
    good = {u: goodness(Candidate(u, qualities.get(u), None), objectives) for u in areas}
    return {p.unit: p.ratio for p in prune(areas, Target("sky130"), factor, good)}


@pytest.mark.parametrize("objectives", [["area_um2"], ["weight_bits_per_element", "area_um2"]])
def test_without_quality_formats_are_compared_with_themselves(objectives):
    areas = {SMALL: 100.0, WIDE: 150.0, GOOD: 900.0}
    assert left_out(areas, 1.4, {}, objectives) == {WIDE: 1.5}
    assert left_out(areas, 1.5, {}, objectives) == {}


NOISE = {SMALL: 0.02, WIDE: 0.02, GOOD: 0.001, BAD: 0.1}
QUALITIES = {unit: quality(noise, noise) for unit, noise in NOISE.items()}
AREAS = {SMALL: 100.0, WIDE: 150.0, GOOD: 400.0, BAD: 250.0}


def test_with_quality_candidates_are_compared_with_those_as_good():
    assert left_out(AREAS, 2, QUALITIES, ["output_sqnr_db"]) == {BAD: 2.5}
    assert left_out(AREAS, 1, QUALITIES, ["output_sqnr_db"]) == {WIDE: 1.5, BAD: 2.5}


def test_fewer_bits_are_better_where_they_are_an_objective():
    objectives = ["weight_bits_per_element", "delay_ns", "output_sqnr_db"]
    assert left_out(AREAS, 1, QUALITIES, objectives) == {WIDE: 1.5}


def test_a_candidate_that_is_better_in_one_quality_stays():
    qualities = {SMALL: quality(0.1, 0.2), GOOD: quality(0.2, 0.1)}
    areas = {SMALL: 100.0, GOOD: 900.0}
    assert left_out(areas, 1, qualities, ["weight_sqnr_db", "output_sqnr_db"]) == {}
    assert left_out(areas, 1, qualities, ["weight_sqnr_db"]) == {GOOD: 9.0}


def test_a_candidate_without_a_value_stays():
    qualities = {SMALL: quality(0.1, 0.1), GOOD: quality(0.1, None)}
    assert left_out({SMALL: 1.0, GOOD: 9.0}, 1, qualities, ["output_sqnr_db"]) == {}


def test_areas_are_per_mac_and_cycle(monkeypatch):
    areas = {"sky130": 80.0, "asap7": 8.0}
    monkeypatch.setattr(screen, "area", lambda unit, technology: areas[technology.name])
    serial = make("bit_serial", lanes=4, weight="int4", activation="int8")
    assert screened(Screening(serial, (Target("sky130"), Target("asap7")))) == {
        "sky130": 80.0,
        "asap7": 8.0,
    }
    assert screened(Screening(SMALL, (Target("asap7"),))) == {"asap7": 2.0}


def test_an_own_technology_is_screened_with_its_own_coefficients():
    sky130 = technology.load("sky130")
    doubled = {word: 2 * um2 for word, um2 in sky130.screen["um2"].items()}
    mine = replace(sky130, name="mine", screen=sky130.screen | {"um2": doubled})
    found = screened(Screening(SMALL, (Target("sky130"), Target("mine", mine))))
    assert found["mine"] == pytest.approx(2 * found["sky130"])


@pytest.fixture
def by_name(monkeypatch, specification):
    """Screen units of 16 lanes as ten times too large per MAC, in sky130 alone."""

    def area(unit, technology):
        wide = unit.lanes == 16 and technology.name == "sky130"
        return unit.lanes * unit.weight.bits * (10.0 if wide else 1.0)

    monkeypatch.setattr(screen, "area", area)
    specification.write_text(specification.read_text() + "screen: 2\n")
    return specification


def test_pruned_candidates_are_not_estimated_but_told(by_name, costs, tmp_path, capsys):
    folder = tmp_path / "out"
    assert run_sweep(by_name, folder, 1) == 0
    said = capsys.readouterr()
    assert said.out.splitlines()[:2] == [
        "13 points, 13 of them computed now",
        "3 candidates left out by the screen, see pruned.csv",
    ]
    assert "point 13/13: " in said.err
    with (folder / "pruned.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert {(row["lanes"], row["technology"]) for row in rows} == {("16", "sky130")}
    assert all(float(row["times_smallest_as_good"]) == 10 for row in rows)
    assert not any("um2" in column for column in rows[0])


def test_candidates_that_are_left_out_say_what_they_are_of(by_name, costs, tmp_path):
    text = by_name.read_text().replace("group: 8", "group: [8, 16]")
    by_name.write_text(f"{text}clock_gating: true\n")
    assert run_sweep(by_name, tmp_path / "out", 1) == 0
    with (tmp_path / "out" / "pruned.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert {(row["clock_gating"], row["tensors"], row["group"]) for row in rows} == {
        ("True", "layers.npz", "8"), ("True", "layers.npz", "16")
    }  # fmt: skip


def test_every_clock_leaves_the_same_out(by_name, costs, tmp_path, monkeypatch):
    monkeypatch.setattr("cost_models.technology.load", simple)
    text = by_name.read_text()
    by_name.write_text(text.replace("[none]", "[3, best]"))
    screened = []
    area = screen.area
    monkeypatch.setattr(screen, "area", lambda *given: screened.append(given) or area(*given))
    assert run_sweep(by_name, tmp_path / "out", 1) == 0
    assert len(screened) == 8 * 2  # Once a technology.
    with (tmp_path / "out" / "pruned.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [(row["technology"], row["clock_ns"], row["objective"]) for row in rows] == [
        ("sky130", "3.0", "clock"), ("sky130", "", "density"),
    ] * 3  # fmt: skip


def test_a_second_run_leaves_the_same_out(by_name, costs, tmp_path):
    sweep = spec.read(by_name)
    first, again = (run(sweep, tmp_path / "out", workers=1) for _ in range(2))
    assert first.points == again.points
    assert first.pruned == again.pruned
    assert again.computed == 0


def test_a_unit_that_cannot_be_screened_fails(by_name, costs, tmp_path, monkeypatch):
    sweep = spec.read(by_name)

    def area(unit, technology):
        if unit == sweep.units[0]:
            raise RuntimeError("no words")
        return 1.0

    monkeypatch.setattr(screen, "area", area)
    outcome = run(sweep, tmp_path / "out", workers=1)
    assert [failure.unit for failure in outcome.failures] == [sweep.units[0]] * 2
    assert outcome.failures[0].message == "RuntimeError: no words"


def test_nothing_left_out_is_an_empty_table(by_name, costs, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(screen, "area", lambda unit, technology: unit.lanes)
    assert run_sweep(by_name, tmp_path / "out", 1) == 0
    assert "0 candidates left out" in capsys.readouterr().out
    assert (tmp_path / "out" / "pruned.csv").read_text().startswith("unit,family,")
