import numpy as np
import pytest

from cost_models.operands import default_operands, gaussian
from hwsim.errors import InputError
from hwsim.units import make
from hwsim.units.rmmec import FORMATS, Mode


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


def test_words_of_several_lanes_hold_numbers_in_the_format_of_the_mode():
    unit = make("rmmec", lanes=2, modes="fp4,posit8")
    operands = gaussian(unit, 8, 100, seed=3)
    words = operands.weights.reshape(8, 100, 2)
    fp4, posit8 = (words[operands.metadata["mode"] == mode] for mode in (0, 1))
    nibbles = fp4[..., np.newaxis] >> np.arange(0, 16, 4) & 15
    # The largest of a group of 128 is the format's largest, 6.
    assert 8 <= (nibbles & 7 == 7).sum() < nibbles.size / 8
    assert (posit8[:, 1] == 0).all()
    values = FORMATS[Mode.POSIT8].decode(posit8[:, :1] >> np.array([0, 8]) & 255)
    assert 0.6 < (np.abs(values) < 1).mean() < 0.76


def test_a_fixed_unit_of_posits_gets_them_as_they_are():
    unit = make("rmmec", modes="posit16")
    values = FORMATS[Mode.POSIT16].decode(gaussian(unit, 4, 200, seed=3).activations)
    assert 0.9 < values.std() < 1.1
