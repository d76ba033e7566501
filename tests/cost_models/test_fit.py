import json
import shutil
from dataclasses import replace

import numpy as np
import pytest

from cost_models import fit as fitting
from cost_models import fitting_set, screen, screening_set, technology
from cost_models.bands import BAND, QUANTITIES
from cost_models.components import COMPONENTS
from cost_models.estimate import features, hazards, price
from cost_models.fit import (
    FIGURES,
    Sample,
    characterise,
    errors_of,
    fit,
    fit_curve,
    non_negative,
)
from cost_models.operands import gaussian
from cost_models.synthesis.liberty import OSU018, opened
from cost_models.technology import Curve
from hwsim.cli import main
from hwsim.errors import InputError
from hwsim.units import make

#: Quick units, of three generators, the last two to be held out.
UNITS = [
    make("integer", lanes=1, weight="int2", activation="int8", adders="operators"),
    make("float", lanes=1, weight="e2m1", activation="e2m1", adders="operators"),
    make("bit_serial", lanes=4, weight="int4", activation="int4"),
    make("integer", lanes=2, weight="int4", activation="int4", adders="operators"),
    make("lmul", lanes=1, weight="e2m1", activation="e2m1", adders="operators"),
]


def test_exact_data_gives_nearly_its_own_coefficients():
    rng = np.random.default_rng(0)
    matrix = rng.uniform(1, 100, (60, 4))
    truth = np.array([1.0, 2.0, 3.0, 10.0])
    solution = non_negative(matrix, matrix @ truth, np.ones(4))
    np.testing.assert_allclose(solution, truth, rtol=0.05)


def test_coefficients_do_not_go_below_zero():
    matrix = np.array([[1.0, 1.0], [1.0, 2.0], [1.0, 3.0]])
    solution = non_negative(matrix, np.array([3.0, 2.0, 1.0]), np.ones(2))
    assert solution.min() >= 0


def test_errors_may_be_relative_to_something_else():
    matrix = np.array([[1.0], [1.0]])
    target = np.array([1.0, 3.0])
    alike = non_negative(matrix, target, np.ones(1), np.ones(2))
    first = non_negative(matrix, target, np.ones(1), np.array([1e-3, 1.0]))
    assert alike == pytest.approx(2, rel=0.01)
    assert first == pytest.approx(1, rel=0.01)


def sample_of(unit, known):
    """Return a sample whose synthesis is an estimate, with the provenance of a synthesis."""
    measured = features(unit)
    small, fast = (price(unit, measured, known, objective) for objective in ("area", "speed"))
    clock_ns = (small.delay_ns + fast.delay_ns) / 2
    costs = {"area": small, "speed": fast, "clock": price(unit, measured, known, clock_ns=clock_ns)}
    for point, cost in costs.items():
        candidate = {"style": "default", "area_um2": cost.area_um2, "delay_ns": 1.1 * cost.delay_ns}
        provenance = {"style": "default", "candidates": [candidate]}
        costs[point] = replace(cost, provenance=provenance)
    return Sample(unit, measured, costs)


def test_a_technology_is_found_again_from_its_own_numbers():
    """Synthesis results made with known coefficients: the fit must reproduce them.

    Delays of hazards are sought by descent, so energy is not as near as what it is made of.
    """
    known = technology.load("sky130")
    samples = [sample_of(unit, known) for unit in [*COMPONENTS[::2], *UNITS]]
    fitted = fit("again", {}, samples[:-5], samples[-5:-2], samples[-2:])
    for kind in ("unseen_units", "unseen_families", "components_only"):
        for quantity, limit in (("area", 0.5), ("settled_energy", 2), ("energy", 4)):
            assert fitted.errors[kind][quantity]["mean_percent"] < limit
    assert fitted.errors["unseen_units"]["delay"]["mean_percent"] < 3
    assert fitted.units[0]["noise_percent"] == {"area_um2": 0.0, "delay_ns": 10.0}
    for mine, theirs in (
        (fitted.least_area, known.least_area),
        (fitted.least_delay, known.least_delay),
    ):
        assert mine.clock_fj_per_cycle == pytest.approx(theirs.clock_fj_per_cycle, rel=1e-4)
    # Errors of the delay move a clock along the curve.
    for point, limit in (("speed", 2), ("clock", 4)):
        errors = fitted.errors[f"unseen_units_{point}"]
        assert errors["area"]["mean_percent"] < limit
        assert errors["energy"]["mean_percent"] < 4


def test_a_curve_is_found_again_from_its_own_points():
    known = replace(technology.load("sky130"), curve=Curve(area=1.7, energy=0.8))
    samples = [sample_of(unit, known) for unit in UNITS]
    counted = {s.unit: hazards(s.features, known.hazards) for s in samples}
    found = fit_curve(samples, counted, replace(known, curve=Curve(area=1.0, energy=1.0)))
    assert found.area == pytest.approx(1.7, rel=1e-2)
    assert found.energy == pytest.approx(0.8, rel=1e-2)


def test_what_comes_from_one_generator_is_left_out_together(monkeypatch):
    known = technology.load("sky130")
    samples = [sample_of(unit, known) for unit in [COMPONENTS[0], *UNITS]]
    seen = []

    def spy(name, several, delays, counted, start=None):
        seen.append([sample.unit for sample in several])
        return known

    monkeypatch.setattr(fitting, "coefficients", spy)
    fit("spied", {}, samples[:1], samples[1:4], samples[4:])
    integer, small_float, serial, integers, lmul = UNITS
    assert seen == [
        [COMPONENTS[0]],
        [COMPONENTS[0], integer, small_float, serial],
        [COMPONENTS[0], small_float, serial, lmul],
        [COMPONENTS[0], integer, serial, integers],
        [COMPONENTS[0], integer, small_float, integers, lmul],
    ]


def test_errors_are_absolute_and_relative():
    rows = [
        {
            "synthesis": dict.fromkeys(FIGURES, 10.0 * k),
            "estimate": dict.fromkeys(FIGURES, 10.0 * k + step),
        }
        for k, step in ((1, 1.0), (2, -1.0))
    ]
    errors = errors_of(rows, "estimate")
    # With two units nothing can be said of 68 or 95 % of all.
    unknown = dict.fromkeys(BAND)
    assert errors["area"] == {
        "mean_percent": 7.5, "max_percent": 10.0, "rank": 1.0, "units": 2, **unknown
    }  # fmt: skip
    # (11/10)^2 and (19/20)^2: of the product, and not twice the error of a factor.
    assert errors["area_times_delay"]["max_percent"] == 21
    assert set(errors) == set(QUANTITIES)


def test_errors_hold_the_truth_of_a_share_of_units():
    ratios = [1.0, 1.1, 1 / 1.2, 1.25, 0.5, *[1.02] * 14]
    rows = [
        {"synthesis": dict.fromkeys(FIGURES, k), "estimate": dict.fromkeys(FIGURES, k * ratio)}
        for k, ratio in enumerate(ratios, 1)
    ]
    area = errors_of(rows, "estimate")["area"]
    # Of 19 units the 14th and the 19th: of half the truth, the truth is 100 % more.
    assert (area["error_68_percent"], area["error_95_percent"]) == (2.0, 100.0)
    assert area["max_percent"] == 50
    # An interval of it around the estimate holds the truth.
    estimated, error = 4.0, 1.0
    assert estimated * (1 - error) <= 8.0 <= estimated * (1 + error)


@pytest.fixture(scope="module")
def few():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fitting, "COMPONENTS", COMPONENTS[:2])
        patch.setattr(fitting_set, "split", lambda: (UNITS[:2], UNITS[3:]))
        patch.setattr(screening_set, "units", lambda count: UNITS)
        yield


@pytest.fixture(scope="module")
def done(few, tmp_path_factory):
    """What is fitted to a few units, the results that are kept, and what was said."""
    folder = tmp_path_factory.mktemp("characterise")
    said = []
    fitted = characterise([OSU018], "mine", folder, progress=said.append)
    return fitted, folder, said


def test_a_library_is_characterised(done):
    fitted, folder, said = done
    assert fitted.name == "mine"
    assert fitted.provenance["libraries_sha256_prefix"] == {OSU018.name: "86f79b2000f1ac46"}
    assert fitted.errors["unseen_units"]["area"]["mean_percent"] < 10
    assert [row["held_out"] for row in fitted.units] == [False, False, True, True]
    assert any(line.startswith("[6/6]") for line in said)
    assert any(f"screen, {UNITS[0].name}: " in line for line in said)
    assert len(list(folder.iterdir())) == 6


def test_what_is_finished_is_not_measured_again(done):
    first, folder, _ = done
    stamps = {file: file.stat().st_mtime_ns for file in folder.iterdir()}
    again = characterise([OSU018], "mine", folder, progress=lambda line: None)
    assert again == first
    assert {file: file.stat().st_mtime_ns for file in folder.iterdir()} == stamps


def test_other_operands_are_measured_anew(few, tmp_path, monkeypatch):
    unit, *_ = UNITS
    kept = tmp_path / f"{unit.name}.json"
    with opened("mine", [OSU018]) as library:
        first = fitting._sample(unit, "mine", library, tmp_path).synthesis
        written = kept.read_text()
        assert fitting._sample(unit, "mine", library, tmp_path).synthesis == first
        monkeypatch.setattr(fitting, "default_operands", lambda unit: gaussian(unit, 4, 9, seed=3))
        fitting._sample(unit, "mine", library, tmp_path)
    assert json.loads(kept.read_text())["digest"] != json.loads(written)["digest"]


def test_a_broken_result_is_named(few, tmp_path):
    (tmp_path / f"{COMPONENTS[0].name}.json").write_text("{")
    with pytest.raises(InputError, match=rf"{COMPONENTS[0].name}.json is no result of synthesis"):
        characterise([OSU018], "mine", tmp_path, progress=lambda line: None)


def test_the_command_writes_a_technology_and_prints_its_errors(done, tmp_path, capsys):
    path = tmp_path / "mine.yaml"
    # An interrupted run goes on with what was kept.
    shutil.copytree(done[1], tmp_path / "mine.yaml.samples")
    assert main(["characterise", "--liberty", str(OSU018), "-o", str(path)]) == 0
    *lines, last = capsys.readouterr().out.splitlines()
    assert last == str(path)
    assert lines[0].startswith("unseen units: area ")
    fitted = technology.read(path)
    assert fitted.name == "mine"
    *lines, units, families, corner = lines
    assert len(lines) == len(fitted.errors)
    assert corner.startswith("mine: corner ")
    assert units.startswith("screen, unseen units: area ")
    assert families.startswith("screen, unseen families: area ")
    assert screen.area(UNITS[0], fitted) > 0
    # Kept results are gone when the file is there.
    assert list(tmp_path.iterdir()) == [path]
    assert main(["characterise", "--liberty", str(OSU018), "-o", str(path)]) == 2
