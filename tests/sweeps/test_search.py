"""Bred searches: what they find, that they repeat, and that they go on where they were stopped."""

import pytest

import sweeps.costs
from hwsim.errors import MissingToolError
from sweeps import run_sweep, search, spec
from sweeps.run import run

from .conftest import formula

SPEC = """\
name: bred
technology: [sky130]
method: estimate
clock: none
units:
  - unit: integer
    weight: &formats [int2, int3, int4, int5, int6, int7, int8]
    activation: *formats
    lanes: [1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64]
    accumulator_bits: [20, 24, 28, 32, 36, 40]
    where: weight.bits <= activation.bits
  - {unit: float, weight: [e2m1, e4m3], activation: [e2m1, e4m3], lanes: [1, 2, 4, 8, 16, 32, 64]}
objectives: [area_um2_per_mac_per_cycle, area_um2]
"""
SEARCH = "search: {method: nsga2, points: 150, population: 20, seed: 3}\n"


@pytest.fixture
def bred(tmp_path, known):
    def read(text=SEARCH, old="", new=""):
        path = tmp_path / "bred.yaml"
        path.write_text(SPEC.replace(old, new) + text)
        return spec.read(path)

    return read


def test_a_search_finds_the_front(bred, costs, tmp_path):
    """All designs of INT2, one of 28 pairs of formats, are on the front: a search makes more."""
    found = run(bred(), tmp_path / "out", workers=1)
    assert (len(found.points), found.computed, found.failures) == (150, 150, ())
    units = [point.unit for point in found.points]
    assert len(set(units)) == 150
    assert all(u.weight.bits <= u.activation.bits for u in units if u.family == "integer")
    drawn = run(bred("search: {method: random, points: 150}\n"), tmp_path / "out", workers=1)
    best = [
        sum(point.unit.weight.name == point.unit.activation.name == "int2" for point in points)
        for points in (found.points, drawn.points)
    ]
    assert best[0] > 3 * best[1]


def test_a_search_repeats_and_goes_on(bred, costs, tmp_path, monkeypatch):
    first = run(bred(), tmp_path / "out", workers=1)
    costs.clear()
    again = run(bred(), tmp_path / "out", workers=1)
    assert (again.points, again.computed, costs) == (first.points, 0, [])
    behaved, calls = sweeps.costs.estimate_each, []

    def interrupted(unit, wanted, operands=None, clock_gating=False):
        if len(calls) == 77:
            raise KeyboardInterrupt
        calls.append(unit)
        return [formula(unit, *one) for one in wanted]

    monkeypatch.setattr(sweeps.costs, "estimate_each", interrupted)
    with pytest.raises(KeyboardInterrupt, match="77 of 150 points are kept"):
        run(bred(), tmp_path / "other", workers=1)
    monkeypatch.setattr(sweeps.costs, "estimate_each", behaved)
    last = run(bred(), tmp_path / "other", workers=1)
    assert (last.points, last.computed) == (first.points, 73)
    assert run(bred(SEARCH.replace("3}", "4}")), tmp_path / "o", workers=1).points != first.points


def test_points_that_break_a_constraint_do_not_breed(bred, costs, tmp_path):
    limits = "constraints: {area_um2: {min: 4000}}\n"
    free, held = (
        run(bred(SEARCH + more), tmp_path / "out", workers=1).points for more in ("", limits)
    )
    kept = [sum(point.cost.area_um2 >= 4000 for point in points) for points in (free, held)]
    assert kept[1] > 1.5 * kept[0]


def test_failing_points_do_not_stop_a_search(bred, tmp_path, monkeypatch, capsys):
    def estimate_each(unit, wanted, operands=None, clock_gating=False):
        if unit.lanes > 16:
            raise RuntimeError("no gates")
        return [formula(unit, *one) for one in wanted]

    monkeypatch.setattr(sweeps.costs, "estimate_each", estimate_each)
    outcome = run(bred(), tmp_path / "out", workers=1)
    assert len(outcome.points) + len(outcome.failures) == 150
    assert {failure.message for failure in outcome.failures} == {"RuntimeError: no gates"}
    bred()
    assert run_sweep(tmp_path / "bred.yaml", tmp_path / "out", 1, quiet=True) == 1
    said = capsys.readouterr().err.splitlines()
    assert said
    assert all(line.startswith("FAILED: ") for line in said[-len(outcome.failures) :])


def test_a_space_that_is_smaller_than_the_search_ends_it(bred, costs, tmp_path, capsys):
    few = bred(SEARCH, SPEC[SPEC.index("    lanes: [1, 2, 3") : SPEC.index("    where")],
               "    lanes: 2\n")  # fmt: skip
    outcome = run(few, tmp_path / "out", workers=1)
    count = len(outcome.points)
    assert 40 <= count <= 28 + 28
    said = f"the search ended with {count} designs, not 150: 20 generations had no other one"
    assert said in capsys.readouterr().err.splitlines()


def test_a_missing_optimiser_is_one_error(bred, monkeypatch):
    monkeypatch.setattr(search, "find_spec", lambda name: None)
    with pytest.raises(MissingToolError, match=r"needs Optuna; pip install 'hwsim\[search\]'"):
        bred()
