"""The page of accuracies, whole, with small networks."""

import json

import numpy as np
import pytest
from safetensors.numpy import save_file

from hwsim import cache
from hwsim.cli import main
from hwsim.networks.accuracy import Accuracy, PerplexityMeter
from hwsim.networks.embeddings import EmbeddingMeter
from sweeps.studies import accuracy
from sweeps.studies.accuracy import (
    BOTH,
    CLAIMS,
    FORMATS,
    HELD,
    MODELS,
    RELEASED,
    ROTATED,
    WEIGHTS,
    Claim,
    Model,
    Points,
)
from sweeps.studies.page import value

from ..networks.test_accuracy import byte_folder
from ..tensors.test_transformer import CONFIG, VOCABULARY, random_tensors
from .pages import tables

TEXT = "the rain stopped before noon, so we walked along the river.\n" * 2
NAMES = ("INT8", "INT4", "MXFP4", "BitMoD-4")
#: Keys and values have no rotation.
COMBINATIONS = (3 + 2 + 3) * len(NAMES)


@pytest.fixture
def text(tmp_path, monkeypatch):
    """Return the path of a text, where the models of the page are small."""
    encoder = tmp_path / "encoder"
    encoder.mkdir()
    (encoder / "config.json").write_text(json.dumps(CONFIG))
    (encoder / "vocab.txt").write_text("\n".join(VOCABULARY) + "\n")
    save_file(random_tensors(), encoder / "model.safetensors")
    folder = byte_folder(tmp_path)
    small = [Model(str(folder)), Model(str(folder), rotate=0), Model(str(encoder))]
    monkeypatch.setattr(accuracy, "MODELS", dict(zip(MODELS, small, strict=True)))
    monkeypatch.setattr(accuracy, "FORMATS", {name: FORMATS[name] for name in NAMES})
    claims = (Claim("one", BOTH, "INT8", None), Claim("other", WEIGHTS, "INT4", "MXFP4"))
    monkeypatch.setattr(accuracy, "CLAIMS", claims)
    monkeypatch.setattr(accuracy, "TOKENS", 100)
    monkeypatch.setattr(accuracy, "WINDOW", 50)
    monkeypatch.setenv(cache.VARIABLE, str(tmp_path / "cache"))
    path = tmp_path / "rain.txt"
    path.write_text(TEXT)
    return path


@pytest.fixture
def made(monkeypatch):
    """Count the combinations that are measured."""
    calls = []
    for meter in (PerplexityMeter, EmbeddingMeter):

        def measure(self, formats, real=meter.measure):
            calls.append(formats)
            return real(self, formats)

        monkeypatch.setattr(meter, "measure", measure)
    return calls


def test_the_page_is_of_the_text_and_made_once(text, made, tmp_path, capsys):
    path = tmp_path / "accuracy.md"
    given = ["study", "accuracy", "--text", str(text), "--workers", "1", "-o", str(path)]
    assert main(given) == 0
    assert len(made) == COMBINATIONS
    page = path.read_text()
    assert f"`hwsim study accuracy --text rain.txt --output {path}`" in page
    assert "The text is `rain.txt` (SHA-256 " in page
    assert main(given) == 0
    assert len(made) == COMBINATIONS
    assert path.read_text() == page
    capsys.readouterr()

    summary, claims, *decoders, encoder = tables(page)
    assert [row[0] for row in summary[1:]] == ["float32", *NAMES]
    assert [row[0] for row in encoder[1:]] == list(NAMES)
    assert [row[0] for row in claims[1:]] == [
        "INT8 loses nothing (weights and activations)", "INT4 loses less than MXFP4 (weights)"
    ]  # fmt: skip
    assert [len(table) for table in decoders] == [1 + len(NAMES)] * 3

    # A figure by the command of its own.
    command = f"accuracy {accuracy.MODELS[ROTATED].package} --tokens 100 --window 50 --rotate 0"
    options = f"--weight bitmod4 --activation int8 --text {text} --json"
    assert main([*command.split(), *options.split()]) == 0
    found = json.loads(capsys.readouterr().out)
    row = next(row for row in summary if row[0] == "BitMoD-4")
    shown = row[summary[0].index(f"{ROTATED}, W+A")]
    assert float(shown.rstrip("*")) == pytest.approx(found["perplexity"], rel=1e-3)
    assert shown.endswith("*") == found["is_within_noise"]
    row = next(row for row in decoders[1] if row[0] == "BitMoD-4")
    bits = f"{found['weight_bits_per_element']:.2f}, {found['activation_bits_per_element']:.2f}"
    assert row[1] == bits
    assert f"{found['nll_difference']:+.4f} ± {found['nll_difference_error']:.4f}" in row[5]


def test_a_run_that_was_interrupted_goes_on(text, made, monkeypatch):
    def stopped(self, formats, real=PerplexityMeter.measure):
        if len(made) == 5:
            raise KeyboardInterrupt
        return real(self, formats)

    with monkeypatch.context() as patch:
        patch.setattr(PerplexityMeter, "measure", stopped)
        with pytest.raises(KeyboardInterrupt):
            Points(text, None).fill(list(MODELS), 1)
    assert len(made) == 5
    # A share that another run had, too.
    Points(text, None).fill([ROTATED], 1)
    share = len(made)
    Points(text, None).fill(list(MODELS), 1)
    assert share < len(made) == COMBINATIONS


def test_another_text_has_other_figures(text, made):
    points = Points(text, None)
    points.fill([ROTATED], 1)
    text.write_text(TEXT.replace("rain", "snow"))
    other = Points(text, None)
    other.fill([ROTATED], 1)
    assert len(made) == 2 * 2 * len(NAMES)
    for setting in (WEIGHTS, BOTH):
        one, two = (p.decoder(ROTATED, setting, "INT4") for p in (points, other))
        assert one.perplexity_float32 != two.perplexity_float32


def test_settings_have_the_formats_of_their_roles():
    for name, formats in FORMATS.items():
        alone, both, held = (formats.of(setting) for setting in (WEIGHTS, BOTH, HELD))
        assert (alone.activation, alone.kv, both.kv) == (None, None, None), name
        assert (held.weight, held.activation) == (None, None), name
        assert alone.weight == both.weight
        assert None not in (both.weight, both.activation, held.kv), name


def test_decoders_on_a_device_are_computed_one_after_another(text, monkeypatch):
    asked = []
    monkeypatch.setattr(
        Points, "measure", lambda self, tasks, workers: asked.append((len(tasks), workers))
    )
    Points(text, "cuda").fill(list(MODELS), None)
    Points(text, "cuda").fill(list(MODELS), 2)
    decoders, encoder = (3 + 2) * len(NAMES), 3 * len(NAMES)
    assert asked == [(decoders, 1), (encoder, None), (decoders, 2), (encoder, 2)]


def figures(loss, error):
    return Accuracy(
        perplexity=np.exp(3 + loss), perplexity_float32=np.exp(3), nll_difference=loss,
        nll_difference_error=error, kl=loss**2, top1_agreement=0.9, predictions=9,
        weight_bits_per_element=4.5, activation_bits_per_element=32, kv_bits_per_element=32,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("one", "other", "verdict"),
    [
        ((0.1, 0.02), (0.3, 0.02), "holds: 0.1000, 0.3000"),
        ((0.3, 0.02), (0.1, 0.02), "does not hold: 0.3000, 0.1000"),
        ((0.1, 0.08), (0.3, 0.08), "not told apart: 0.1000, 0.3000"),
        ((0.01, 0.02), None, "holds: 0.0100 ± 0.0200"),
        ((0.05, 0.02), None, "does not hold: 0.0500 ± 0.0200"),
    ],
)
def test_claims_hold_by_their_standard_errors(monkeypatch, one, other, verdict):
    claim = Claim("source", WEIGHTS, "INT4", "E2M1" if other else None)
    monkeypatch.setattr(accuracy, "CLAIMS", (claim,))
    points = Points(None, None)
    for name, values in (("INT4", one), ("E2M1", other)):
        if values:
            points[accuracy.Point(RELEASED, WEIGHTS, name)] = figures(*values)
    assert value(accuracy._claims(points).rows[0][2]) == verdict


def test_sentences_follow_the_figures():
    points = Points(None, None)
    losses = {"INT4": (0.2, 0.01), "NF4": (0.1, 0.01), "E2M1": (0.3, 0.01), "MXFP4": (0.01, 0.01)}
    for name in FORMATS:
        loss, error = losses.get(name, (0.5, 0.01))
        points[accuracy.Point(RELEASED, WEIGHTS, name)] = figures(loss, error)
        turned = loss + {"INT4": -0.1, "NF4": 0.1}.get(name, 0)
        points[accuracy.Point(ROTATED, WEIGHTS, name)] = figures(turned, error)
    assert accuracy._unnoticed(points, WEIGHTS, RELEASED).endswith("not told from float32: MXFP4.")
    order = accuracy._few_bits(points, RELEASED)
    assert "MXFP4 (0.010), NF4 (0.100), INT4 (0.200), E2M1 (0.300), INT8 (0.500)" in order
    said = " ".join(accuracy._rotation(points, WEIGHTS).split())
    assert said.startswith("W: the rotation lessens the loss of INT4; it raises that of NF4;")


def test_claims_are_of_formats_of_the_page():
    for claim in CLAIMS:
        assert {claim.better, claim.worse} <= {*FORMATS, None}


def test_a_text_that_is_not_there_is_refused(capsys, tmp_path):
    assert main(["study", "accuracy", "--text", str(tmp_path / "none.txt")]) == 2
    assert "none.txt" in capsys.readouterr().err
