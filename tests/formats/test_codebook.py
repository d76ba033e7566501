import numpy as np
import pytest
from numpy.testing import assert_array_equal

from hwsim.errors import InputError
from hwsim.formats import parse_scalar
from hwsim.formats.codebook import codebook, learn


def squared_error(row: np.ndarray, values: np.ndarray, weights: np.ndarray) -> float:
    return float((weights * np.square(codebook(values).quantize(row) - row)).sum())


def test_values_are_sorted() -> None:
    assert codebook([3.0, -1.0, 0.0, 2.0]).values().tolist() == [-1, 0, 2, 3]


def test_nf4_holds_float32_values() -> None:
    values = parse_scalar("nf4").values()
    assert_array_equal(values, values.astype(np.float32))


def test_learning_finds_two_clusters() -> None:
    low, high = np.random.default_rng(0).uniform([[-1], [99]], [[1], [101]], (2, 50))
    (learnt,) = learn(np.concatenate([low, high])[np.newaxis], bits=1)
    assert learnt.values() == pytest.approx([low.mean(), high.mean()])


def test_learnt_values_are_the_weighted_means_of_their_numbers() -> None:
    rows = np.random.default_rng(0).normal(size=(4, 500))
    weights = np.random.default_rng(1).exponential(size=500)
    for row, learnt in zip(rows, learn(rows, 3, weights, seed=1), strict=True):
        codes = learnt.encode(row)
        for code, value in enumerate(learnt.values()):
            near = codes == code
            assert value == pytest.approx(np.average(row[near], weights=weights[near]))


def test_learning_beats_a_uniform_grid_and_is_reproducible() -> None:
    rows = np.random.default_rng(0).normal(size=(2, 2000))
    first, again, other = (learn(rows, seed=s) for s in (7, 7, 8))
    assert first == again
    assert first != other
    for row, learnt in zip(rows, first, strict=True):
        uniform = np.linspace(row.min(), row.max(), 16)
        ones = np.ones(row.size)
        assert squared_error(row, learnt.values(), ones) < squared_error(row, uniform, ones)


def test_columns_without_weight_do_not_count() -> None:
    row = np.array([[0.0, 1.0, 100.0, 2.0, 3.0]])
    (learnt,) = learn(row, 2, [1, 1, 0, 1, 1])
    assert learnt.values().tolist() == [0, 1, 2, 3]


def test_few_values_are_all_kept() -> None:
    (learnt,) = learn([[1.0, 2.0, 1.0, 4.0]], bits=3)
    assert learnt.bits == 3
    assert learnt.values().tolist() == [1, 2, 4]
    assert_array_equal(learnt.quantize([1.0, 2.0, 4.0, 9.0]), [1, 2, 4, 4])


@pytest.mark.parametrize(
    "arguments",
    [([1.0, 2.0],), ([[np.nan, 1.0]],), ([[1.0, 1.0]],), ([[1.0, 2.0]], 9), ([[1.0, 2.0]], 0),
     ([[1.0, 2.0]], 2, [1.0]), ([[1.0, 2.0]], 2, [1.0, -1.0]), ([[1.0, 2.0]], 2, [0.0, 0.0])],
)  # fmt: skip
def test_what_cannot_be_learnt_is_refused(arguments: tuple) -> None:
    with pytest.raises(InputError):
        learn(*arguments)
