"""Bands hold what they promise, on data that are made to the assumptions, and no more."""

import math
from itertools import combinations

import numpy as np
import pytest

from cost_models import bands, conformal, fit
from cost_models.conformal import Scales, ratio_score, within
from cost_models.fit import FIGURES


@pytest.mark.parametrize(
    ("count", "level", "rank"), [(57, 68, 40), (57, 95, 56), (19, 95, 19), (2, 68, None)]
)
def test_rank_leaves_room_for_a_further_unit(count, level, rank):
    expected = np.inf if rank is None else rank
    assert within(np.random.default_rng(0).permutation(count) + 1.0, level) == expected


def test_a_further_unit_is_within_with_the_probability_stated():
    """The weakest promise that holds for any distribution; medians would fail it."""
    rng = np.random.default_rng(0)
    draws = rng.lognormal(sigma=2, size=(4000, 58))
    for level in (68, 95):
        covered = np.mean([within(row[:-1], level) >= row[-1] for row in draws])
        assert level / 100 - 0.01 < covered < level / 100 + 0.03


def rows_of(families, errors, held_out):
    """Rows as technology files have them, with these errors of estimates, as logarithms."""
    return [
        {
            "family": family,
            "held_out": held_out,
            "synthesis": dict.fromkeys(FIGURES, 1.0),
            "estimate": dict.fromkeys(FIGURES, math.exp(error)),
            "unseen_families": dict.fromkeys(FIGURES, math.exp(error)),
        }
        for family, error in zip(families, errors, strict=True)
    ]


#: Families by the scale of their errors.
SIZES = np.geomspace(0.05, 0.25, 24)
NAMES = [f"family{k}" for k in range(len(SIZES))]


def draw(rng, each):
    """Families and errors of ``each`` units of every family, tails heavier than normal ones."""
    sizes = np.repeat(SIZES, each)
    return np.repeat(NAMES, each).tolist(), sizes * rng.standard_t(6, len(sizes))


def coverage(trials):
    """Shares of further units that are within the 95 % band of their family, by family."""
    rng = np.random.default_rng(1)
    held = np.zeros((trials, len(NAMES)))
    for trial in range(trials):
        fitted, held_out = rows_of(*draw(rng, 8), False), rows_of(*draw(rng, 2), True)
        _, errors = draw(rng, 1)
        found = fit.all_bands(fitted + held_out)["area"]["families"]
        percents = np.array([found[name]["error_95_percent"] for name in NAMES])
        held[trial] = 100 * np.expm1(np.abs(errors)) <= percents
    return held.mean(axis=0)


@pytest.fixture
def area_alone(monkeypatch):
    monkeypatch.setattr(fit, "QUANTITIES", {"area": bands.QUANTITIES["area"]})


def test_families_of_different_scales_have_bands_that_hold(area_alone):
    held = coverage(100)
    assert 0.94 < held.mean() < 0.975
    steady, wild = held[:8].mean(), held[-8:].mean()
    assert steady - wild < 0.055


def test_scales_of_held_out_units_would_break_the_promise(area_alone, monkeypatch):
    def leaking(rows, quantity):
        return original([row | {"held_out": not row["held_out"]} for row in rows], quantity)

    original = fit.scales
    monkeypatch.setattr(fit, "scales", leaking)
    assert coverage(100).mean() < 0.94


def test_one_scale_would_hold_for_steady_families_alone(area_alone, monkeypatch):
    monkeypatch.setattr(conformal, "PULLS", (math.inf,))
    held = coverage(100)
    assert 0.94 < held.mean() < 0.975
    assert held[:8].mean() - held[-8:].mean() > 0.075


def test_bands_follow_the_scales_of_families():
    rng = np.random.default_rng(2)
    rows = rows_of(*draw(rng, 30), False) + rows_of(*draw(rng, 3), True)
    found = fit.all_bands(rows)["delay"]["families"]
    logs = np.log1p([found[name]["error_95_percent"] / 100 for name in NAMES])
    assert np.corrcoef(np.log(logs), np.log(SIZES))[0, 1] > 0.9
    assert logs[-1] / logs[0] == pytest.approx(5, rel=0.2)


def test_scales_are_pulled_by_hand():
    errors = np.array([0.1, -0.1, 0.3, 0.3])
    scales = Scales(["a", "a", "b", "b"], errors)
    mean = (0.01 + 0.01 + 0.09 + 0.09) / 4
    own = np.array([0.02, 0.18])
    expected = np.sqrt((own + scales.pull * mean) / (2 + scales.pull))
    assert scales.pull == 1
    np.testing.assert_allclose(scales.of(["a", "b"]), expected)
    # Nothing is known of another family but what all are.
    np.testing.assert_allclose(scales.of(["c"]), np.sqrt(mean))


def test_families_that_differ_are_pulled_less():
    pulls = []
    for seed in range(40):
        rng = np.random.default_rng(seed)
        names, errors = draw(rng, 3)
        alike = rng.normal(size=len(errors))
        pulls.append([Scales(names, values).pull for values in (errors, alike)])
    differing, same = np.median(pulls, axis=0)
    assert differing <= 2
    assert same >= 16


def test_exact_estimates_leave_a_scale():
    scales = Scales(["a", "a", "b"], np.zeros(3)).of(["a", "b"])
    assert scales.min() > 0


def test_scales_do_not_depend_on_held_out_units():
    rng = np.random.default_rng(3)
    fitted = rows_of(*draw(rng, 2), False)
    first, second = (rows_of(*draw(rng, 2), True) for _ in range(2))
    scales = [fit.scales(fitted + more, "area").of(NAMES) for more in (first, second)]
    np.testing.assert_array_equal(*scales)


def test_ratios_of_further_units_are_within_with_the_probability_stated():
    """Pairs that share units are not independent, and errors have a bias: the promise holds."""
    rng = np.random.default_rng(4)
    scales = np.exp(rng.normal(size=60))
    held, favoured = [], []
    for _ in range(1500):
        order = rng.permutation(60)
        errors = 0.5 + scales[order] * rng.standard_t(4, 60)
        given, further = slice(0, 58), slice(58, 60)
        score = ratio_score(errors[given], scales[order][given], 90)
        between = np.subtract(*errors[further]) / np.hypot(*scales[order][further])
        held.append(abs(between) <= score)
        favoured.append(between > score)
    assert 0.9 - 0.01 < np.mean(held) < 0.98
    assert np.mean(favoured) < 0.05


def test_ratio_score_is_that_of_a_pair():
    rng = np.random.default_rng(5)
    errors, scales = rng.normal(size=57), rng.uniform(1, 2, 57)
    pairs = sorted(
        abs(errors[i] - errors[k]) / math.hypot(scales[i], scales[k])
        for i, k in combinations(range(57), 2)
    )
    # Of 59 units there are 1711 pairs.
    assert ratio_score(errors, scales, 90) == pytest.approx(pairs[1540 - 1])
    assert ratio_score(errors, scales, 95) == math.inf
    # A bias that all have in common cancels.
    assert ratio_score(errors + 7, scales, 90) == pytest.approx(pairs[1540 - 1])


def test_too_few_units_have_no_band():
    rows = rows_of(["a", "b", "a"], [0.1, 0.2, 0.1], False)
    rows += rows_of(["a", "b"], [0.1, 0.2], True)
    band = fit.all_bands(rows)["energy"]
    assert set(band["families"]) == {"a", "b"}
    assert band["families"]["a"] == band["unseen_families"] == dict.fromkeys(bands.BAND)


def test_bounds_are_rounded_up():
    assert conformal.rounded_up(3.0000000001) == 3.0
    assert conformal.rounded_up(3.001) == 3.01
    assert conformal.rounded_up(math.inf) is None
