"""Losses of single matrices, against passes of the whole model."""

import numpy as np
import pytest

from hwsim.allocate import choose
from hwsim.errors import InputError
from hwsim.networks.accuracy import PerplexityMeter
from hwsim.networks.moments import inputs_of
from hwsim.networks.quantise import RoleFormats, quantised_matrix
from hwsim.networks.sensitivity import SensitivityMeter

from .models import decoder, stored

FORMATS = ("int2_g8", "int4_g8", "mxfp8e4m3")


def meter(name="llama_grouped_tied", digest=None):
    tokens, _ = stored(name)
    return PerplexityMeter(decoder(name), [tokens[:14], tokens[14:]], digest)


@pytest.fixture(scope="module")
def found():
    return SensitivityMeter(meter(), FORMATS).measure()


def test_moments_are_those_of_all_inputs():
    model, seen = meter().decoder, {}
    for window in meter().sequences:
        model.hidden(window, capture=lambda name, x: seen.setdefault(name, []).append(x))
    inputs = inputs_of(model, meter().sequences)
    assert inputs.keys() == seen.keys()
    for name, parts in seen.items():
        x = np.concatenate(parts).astype(np.float64)
        moments, largest = inputs[name]
        np.testing.assert_allclose(moments, x.T @ x / len(x), rtol=1e-4, atol=1e-6)
        np.testing.assert_array_equal(largest, np.abs(x).max(axis=0))
    assert inputs["layers.0.q_proj"] is inputs["layers.0.v_proj"]
    with pytest.raises(InputError, match="at least one window"):
        inputs_of(model, [])


def test_errors_are_those_of_outputs(found):
    model, wrong = meter().decoder, np.zeros(found.error.shape)

    def add(name, x):
        matrix = model.tensors[f"{name}.weight"]
        for column, fmt in enumerate(FORMATS):
            values, _ = quantised_matrix(RoleFormats(weight=fmt).weight, matrix)
            wrong[found.matrices.index(name), column] += np.square(x @ (matrix - values).T).sum()

    for window in meter().sequences:
        model.hidden(window, capture=add)
    np.testing.assert_allclose(found.error, wrong / sum(map(len, meter().sequences)), rtol=1e-3)


def test_a_matrix_alone_costs_what_its_override_does(found):
    assert found.reference == "int2_g8"
    for row in (0, 4, len(found.matrices) - 1):
        alone = RoleFormats(overrides={found.matrices[row]: {"weight": "int2_g8"}})
        assert found.measured[row] == pytest.approx(meter().measure(alone).kl, rel=1e-3, abs=1e-7)
    np.testing.assert_array_equal(found.loss[:, 0], found.measured)
    assert (found.loss[:, 0] > found.loss[:, 1]).all()
    assert -1 <= found.rank_correlation <= 1


def test_a_choice_of_bits_by_loss_is_better_than_its_reverse(found):
    budget = found.bits[:, :2].sum(axis=0).mean()
    good = choose(found.loss[:, :2], found.bits[:, :2], budget)
    bad = choose(-found.loss[:, :2], found.bits[:, :2], budget)

    def kl(choice):
        overrides = {
            matrix: {"weight": FORMATS[one]}
            for matrix, one in zip(found.matrices, choice, strict=True)
        }
        return meter().measure(RoleFormats(overrides=overrides)).kl

    assert kl(good) < kl(bad)


def test_what_was_measured_is_kept(monkeypatch, tmp_path):
    monkeypatch.setenv("HWSIM_CACHE", str(tmp_path))
    first = SensitivityMeter(meter(digest="a"), FORMATS).measure()
    again = SensitivityMeter(meter(digest="a"), FORMATS)
    monkeypatch.setattr(again, "_divergence", lambda name, fmt: pytest.fail("measured again"))
    np.testing.assert_array_equal(again.measure().measured, first.measured)
    other = SensitivityMeter(meter(digest="b"), FORMATS)
    monkeypatch.setattr(other, "_divergence", lambda name, fmt: -1.0)
    assert (other.measure().measured == -1).all()


@pytest.mark.parametrize("formats", [[], ["int4_g8", "int4_g8"]])
def test_refuses(formats):
    with pytest.raises(InputError, match="formats="):
        SensitivityMeter(meter(), formats)
