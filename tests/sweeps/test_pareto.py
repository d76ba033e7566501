"""The front, and what errors cannot tell from it, against brute force over all pairs."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwsim.errors import InputError
from sweeps.pareto import pareto, within_band


def dominates(p, q, maximise):
    signed = [(b - a) if m else (a - b) for a, b, m in zip(p, q, maximise, strict=True)]
    # signed > 0 where q is better than p.
    return all(s <= 0 for s in signed) and any(s < 0 for s in signed)


@st.composite
def problems(draw):
    objectives = draw(st.integers(1, 4))
    maximise = draw(st.lists(st.booleans(), min_size=objectives, max_size=objectives))
    point = st.lists(st.integers(0, 4), min_size=objectives, max_size=objectives)
    return draw(st.lists(point, max_size=30)), maximise


@given(problems())
def test_front_is_what_nothing_dominates(problem):
    points, maximise = problem
    expected = [not any(dominates(q, p, maximise) for q in points) for p in points]
    values = np.array(points, float).reshape(-1, len(maximise))
    assert pareto(values, maximise).tolist() == expected


def test_equal_points_stay_together():
    assert pareto([[1, 1], [1, 1], [2, 1]], [False, False]).tolist() == [True, True, False]


def test_infinity_is_a_value_and_nan_is_never_optimal():
    points = [[1, np.inf], [np.nan, np.inf], [0.5, 3], [1, 2]]
    assert pareto(points, [False, True]).tolist() == [True, False, True, False]


def test_no_points():
    assert pareto(np.empty((0, 2)), [True, False]).tolist() == []


def test_shape_is_checked():
    with pytest.raises(InputError, match=r"values must be \(points, 2 objectives\), not \(3,\)"):
        pareto([1, 2, 3], [True, False])


def dominates_for_certain(p, q, p_errors, q_errors, maximise):
    better = False
    for a, b, e, f, more in zip(p, q, p_errors, q_errors, maximise, strict=True):
        gain = 0 if a == b else (a - b if more else b - a)
        if not gain >= math.hypot(e, f):
            return False
        better |= gain > 0
    return better


@st.composite
def uncertain_problems(draw):
    points, maximise = draw(problems())
    values = [0.0, 1.0, 2.5, math.inf]
    error = st.lists(st.sampled_from(values), min_size=len(maximise), max_size=len(maximise))
    errors = draw(st.lists(error, min_size=len(points), max_size=len(points)))
    return points, errors, maximise


@given(uncertain_problems())
def test_within_band_is_what_nothing_dominates_for_certain(problem):
    points, errors, maximise = problem
    expected = [
        not any(
            dominates_for_certain(q, p, f, e, maximise) for q, f in zip(points, errors, strict=True)
        )
        for p, e in zip(points, errors, strict=True)
    ]
    shape = -1, len(maximise)
    values = np.array(points, float).reshape(shape)
    found = within_band(values, maximise, np.array(errors, float).reshape(shape))
    assert found.tolist() == expected
    # What is on the front may be on it.
    assert not (pareto(values, maximise) & ~found).any()


@given(problems())
def test_without_errors_the_band_is_the_front(problem):
    points, maximise = problem
    values = np.array(points, float).reshape(-1, len(maximise))
    found = within_band(values, maximise, np.zeros(values.shape))
    assert found.tolist() == pareto(values, maximise).tolist()


def test_objectives_without_error_may_be_equal():
    values, errors = [[1, 5], [2, 5], [1.2, 5], [2, 6]], [[0.3, 0]] * 4
    assert within_band(values, [False, True], errors).tolist() == [True, False, True, True]


def test_a_point_off_the_front_can_put_another_behind():
    """Where bands differ, being behind is not inherited."""
    values, errors = [[1.0], [1.1], [1.5]], [[5.0], [0.1], [0.1]]
    assert within_band(values, [False], errors).tolist() == [True, True, False]


def test_infinities_are_equal_and_nan_is_in_no_band():
    values = [[1, np.inf], [np.nan, np.inf], [9, np.inf], [1.5, 3]]
    errors = np.full((4, 2), 1.0)
    assert within_band(values, [False, True], errors).tolist() == [True, False, True, True]
    errors[:, 1] = 0
    assert within_band(values, [False, True], errors).tolist() == [True, False, False, True]


@pytest.mark.parametrize("errors", [[[1.0]], [[-1.0, 0.0]], [[np.nan, 0.0]]])
def test_errors_are_checked(errors):
    with pytest.raises(InputError, match=r"errors must be .* non-negative numbers"):
        within_band([[1, 2]], [False, True], errors)
