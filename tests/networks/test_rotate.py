"""The rotation changes what is quantised, and not what is computed."""

import numpy as np
import pytest

from hwsim.errors import InputError
from hwsim.networks.rotate import orthogonal, rotated

from .models import NAMES, decoder, stored


def test_the_matrix_is_orthogonal_and_its_seed_reproduces_it():
    q = orthogonal(48, 3)
    np.testing.assert_allclose(q @ q.T, np.eye(48), atol=1e-13)
    np.testing.assert_array_equal(q, orthogonal(48, 3))
    assert np.abs(q - orthogonal(48, 4)).max() > 0.1


@pytest.mark.parametrize("name", NAMES)
def test_the_function_stays(name):
    model = rotated(decoder(name), 7)
    tokens, expected = stored(name)
    logits = model.logits(model.hidden(tokens))
    np.testing.assert_allclose(logits, expected, rtol=0, atol=3e-5)


@pytest.mark.parametrize("name", ["llama_scaled", "opt"])
def test_every_matrix_and_what_reads_hidden_states_change(name):
    plain, turned = decoder(name), rotated(decoder(name), 7)
    for matrix, _, _ in plain.architecture.matrices():
        difference = plain.tensors[f"{matrix}.weight"] - turned.tensors[f"{matrix}.weight"]
        assert np.abs(difference).max() > 0.1
    inputs = {}, {}
    for model, found in zip((plain, turned), inputs, strict=True):
        model.hidden(stored(name)[0], capture=found.__setitem__)
    for matrix in inputs[0]:
        same = np.allclose(inputs[0][matrix], inputs[1][matrix], atol=1e-4)
        assert same == matrix.endswith(("o_proj", "down_proj"))


def test_outliers_are_spread():
    model = decoder("llama")
    table = model.tensors["embedding.weight"].copy()
    table[:, 5] *= 50
    inputs = {}
    model = rotated(model.replaced({"embedding.weight": table}), 1)
    model.hidden(stored("llama")[0], capture=inputs.__setitem__)
    x = inputs["layers.0.q_proj"]
    # One of 16 channels with all the energy would be 4 times the root mean square.
    assert (np.abs(x).max(axis=0) / np.sqrt(np.square(x).mean())).max() < 3


@pytest.mark.parametrize("seed", [-1, 1.5, "a"])
def test_seeds_that_are_refused(seed):
    with pytest.raises(InputError, match="rotate="):
        rotated(decoder("llama"), seed)
