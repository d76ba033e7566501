import numpy as np
import pytest

from cost_models.operands import default_operands, gaussian
from hwsim.errors import InputError
from hwsim.units import make


@pytest.mark.parametrize("fmt", ["int8", "int1", "uint4", "e4m3", "e2m1", "fp16"])
def test_every_group_reaches_the_largest_value(fmt):
    family = "float" if "e" in fmt or fmt == "fp16" else "integer"
    unit = make(family, lanes=3, weight=fmt, activation=fmt)
    for codes in gaussian(unit, 5, 50, seed=2)[:2]:
        assert codes.shape == (5, 150)
        values = np.abs(unit.weight.decode(codes))
        largest = unit.weight.max or -unit.weight.min
        assert (values[:, :128].max(axis=1) == largest).all()
        assert (values[:, 128:].max(axis=1) == largest).all()


def test_operands_are_reproducible_and_distinct():
    unit = make("integer", lanes=1, weight="int8", activation="int8")
    first, again = (gaussian(unit, 2, 30, seed=7) for _ in range(2))
    np.testing.assert_array_equal(first[:2], again[:2])
    assert (first.activations != first.weights).any()


def test_values_spread_like_a_normal_distribution():
    unit = make("integer", lanes=1, weight="int8", activation="int8")
    values = unit.weight.decode(gaussian(unit, 64, 200, seed=0).weights)
    standardised = values / values.std()
    assert 0.64 < (np.abs(standardised) < 1).mean() < 0.72


@pytest.mark.parametrize(("rows", "beats"), [(0, 1), (1, 0)])
def test_empty_streams_are_refused(rows, beats):
    unit = make("integer", lanes=1, weight="int8", activation="int8")
    with pytest.raises(InputError, match="at least 1"):
        gaussian(unit, rows, beats, seed=0)


def test_metadata_cover_two_groups():
    unit = make("bitmod", lanes=4, activation="fp16", group_size=32)
    operands = default_operands(unit)
    assert operands.activations.shape == (64, 64)
    assert operands.metadata["weight_type"].shape == (64, 16)
    assert operands.metadata["scale"].shape == (64, 2)
    assert set(operands.metadata["weight_type"].flat) == {0, 1, 2, 3}
