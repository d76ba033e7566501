import numpy as np
import pytest

from cost_models import fitting_set, technology
from cost_models.estimate import features, price
from cost_models.fit import Sample, characterise, errors_of, fit, non_negative
from cost_models.synthesis.liberty import OSU018

#: Quick units of all three families in the fitting set.
SMALL = (0, 1, 2, 8, 17, 18, 21, 29, 30, 37)


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


def test_a_technology_is_found_again_from_its_own_numbers():
    """Synthesis results made with known coefficients: the fit must reproduce them."""
    known = technology.load("sky130")
    samples = []
    for unit in fitting_set.build([fitting_set.FITTING[k] for k in SMALL]):
        measured = features(unit)
        samples.append(Sample(unit, measured, price(unit, measured, known)))
    fitted = fit("again", {}, samples, samples)
    for quantity, limit in (("area", 1.0), ("energy", 1.0), ("delay", 6.0)):
        assert fitted.errors["held_out"][quantity]["mean_percent"] < limit
    assert fitted.clock_fj_per_cycle == pytest.approx(known.clock_fj_per_cycle, rel=1e-4)


def test_errors_are_absolute_and_relative():
    rows = [
        {
            "synthesis": dict.fromkeys(("area_um2", "delay_ns", "energy_pj"), 10.0 * k),
            "estimate": dict.fromkeys(("area_um2", "delay_ns", "energy_pj"), 10.0 * k + step),
        }
        for k, step in ((1, 1.0), (2, -1.0))
    ]
    assert errors_of(rows)["area"] == {"mean_percent": 7.5, "max_percent": 10.0, "rank": 1.0}


def test_a_library_is_characterised(monkeypatch, capsys):
    monkeypatch.setattr(fitting_set, "FITTING", fitting_set.FITTING[:2])
    monkeypatch.setattr(fitting_set, "HELD_OUT", fitting_set.HELD_OUT[:2])
    fitted = characterise([OSU018], "mine")
    assert fitted.name == "mine"
    assert fitted.provenance["libraries_sha256_prefix"] == {OSU018.name: "86f79b2000f1ac46"}
    assert fitted.errors["held_out"]["area"]["mean_percent"] < 20
    assert len(fitted.held_out_units) == 2
    assert "[4/4]" in capsys.readouterr().err
