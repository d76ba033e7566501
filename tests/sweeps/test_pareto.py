"""The front against brute force over all pairs."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwsim.errors import InputError
from sweeps.pareto import pareto


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
