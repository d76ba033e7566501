"""Figures of networks are computed once, and everything that they depend on is in their key."""

import json
from dataclasses import replace

import pytest
from safetensors.numpy import save_file

from hwsim import cache
from hwsim.networks import kept
from hwsim.networks.accuracy import perplexity_meter
from hwsim.networks.kept import Embeddings, Prediction, measured
from hwsim.networks.load import find
from hwsim.networks.quantise import RoleFormats

from ..tensors.test_transformer import CONFIG, VOCABULARY, random_tensors
from .test_accuracy import byte_folder

TEXT = "the rain stopped before noon, so we walked along the river.\n" * 2
MXFP4 = RoleFormats(weight="mxfp4", activation="int8")


@pytest.fixture
def empty(monkeypatch, tmp_path):
    """Count what is measured, with an empty cache."""
    monkeypatch.setenv(cache.VARIABLE, str(tmp_path / "cache"))
    made = []
    real = kept._meter.__wrapped__
    monkeypatch.setattr(kept, "_meter", lambda subject: made.append(subject) or real(subject))
    return made


@pytest.fixture
def prediction(tmp_path):
    return Prediction(find(byte_folder(tmp_path)), TEXT, tokens=100, window=40, rotate=3)


@pytest.fixture
def embeddings(tmp_path):
    folder = tmp_path / "encoder"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(CONFIG))
    (folder / "vocab.txt").write_text("\n".join(VOCABULARY) + "\n")
    save_file(random_tensors(), folder / "model.safetensors")
    return Embeddings(find(folder))


def test_figures_are_those_of_the_meter_and_computed_once(empty, prediction):
    assert kept.kept(prediction, MXFP4) is None
    found = measured(prediction, MXFP4)
    meter = perplexity_meter(prediction.source, TEXT, tokens=100, window=40, rotate=3)
    assert found == meter.measure(MXFP4)
    same = RoleFormats(weight="mxfp4", activation="int8", activation_scale="token")
    assert measured(prediction, same) == kept.kept(prediction, same) == found
    assert type(found.predictions) is int
    assert len(empty) == 1


@pytest.mark.parametrize(
    "change",
    [
        {"text": TEXT.replace("rain", "snow")},
        {"tokens": 99},
        {"window": 50},
        {"rotate": None},
        {"rotate": 4},
        {"device": "cpu"},
    ],
)
def test_another_subject_is_not_kept(empty, prediction, change):
    measured(prediction, MXFP4)
    assert kept.kept(replace(prediction, **change), MXFP4) is None


@pytest.mark.parametrize(
    "formats",
    [
        {"weight": "mxfp4"},
        {"weight": "mxfp4", "activation": "int8", "kv": "int8"},
        {"weight": "mxfp4[scale_rule=even]", "activation": "int8"},
        {"weight": "mxfp4", "activation": "int8", "activation_scale": "tensor"},
        {
            "weight": "mxfp4",
            "activation": "int8",
            "overrides": {"layers.0.*": {"weight": "mxfp6e2m3"}},
        },
    ],
)
def test_other_formats_are_not_kept(empty, prediction, formats):
    measured(prediction, MXFP4)
    assert kept.kept(prediction, RoleFormats(**formats)) is None


def test_another_network_is_not_kept(empty, prediction):
    measured(prediction, MXFP4)
    kept._digest.cache_clear()
    config = prediction.source.path / "config.json"
    config.write_text(config.read_text().replace("1e-06", "1e-05"))
    assert kept.kept(prediction, MXFP4) is None


def test_devices_of_one_kind_share_figures(empty, prediction):
    keys = {
        kept._key(replace(prediction, device=device), MXFP4)
        for device in ("cuda", "cuda:0", "cuda:1", "cpu", None)
    }
    assert len(keys) == 3


def test_embeddings_are_kept(empty, embeddings):
    found = measured(embeddings, MXFP4)
    assert found.sentences == 32
    assert measured(embeddings, MXFP4) == found
    assert len(empty) == 1
