"""Weights calibrated to their inputs, and smoothing, on small decoders."""

import json

import numpy as np
import pytest

from hwsim.cli import main
from hwsim.errors import InputError
from hwsim.formats import parse
from hwsim.networks.accuracy import PerplexityMeter, perplexity_meter
from hwsim.networks.allocation import allocate
from hwsim.networks.decoder import Decoder
from hwsim.networks.embeddings import EmbeddingMeter
from hwsim.networks.load import find
from hwsim.networks.moments import inputs_of
from hwsim.networks.quantise import (
    FEEDBACK_DAMPING,
    RoleFormats,
    quantised_decoder,
    quantised_matrix,
)
from hwsim.networks.rotate import rotated
from hwsim.networks.sensitivity import SensitivityMeter
from hwsim.networks.smooth import smoothed
from hwsim.networks.text import SAMPLE, windows
from hwsim.tensors.calibrate import smoothing, with_feedback

from .models import NAMES, decoder, stored
from .test_accuracy import Bags, byte_folder


def calibration(model, count=12):
    """Return windows of random tokens, other than those that are predicted."""
    rng = np.random.default_rng(0)
    return [rng.integers(0, model.architecture.vocab_size, 24) for _ in range(count)]


def meter(name, model=None):
    model = decoder(name) if model is None else model
    return PerplexityMeter(model, [stored(name)[0]], None, calibration(model))


def with_outliers(name):
    """Return a decoder of the same function with a large number in what each layer's norms give."""
    model = decoder(name)
    done = {}
    for key, tensor in model.tensors.items():
        part = key.split(".")[-2]
        factors = np.ones(model.architecture.hidden_size, np.float32)
        factors[5] = 64
        if part in ("attention_norm", "mlp_norm"):
            done[key] = tensor * factors
        elif key.endswith("proj.weight") and part not in ("o_proj", "down_proj"):
            done[key] = tensor / factors
    return model.replaced(done)


@pytest.mark.parametrize("method", ["clipping", "feedback"])
def test_calibration_lowers_the_divergence_of_predictions(method):
    kl = {None: 0.0, method: 0.0}
    for name in NAMES:
        measured = meter(name)
        for calibrate in kl:
            formats = RoleFormats(weight="int3_g8", calibrate=calibrate)
            kl[calibrate] += measured.measure(formats).kl
    assert kl[method] < 0.87 * kl[None]


@pytest.mark.parametrize("method", ["clipping", "feedback"])
def test_calibration_lowers_the_error_that_it_sees(method):
    model = decoder("llama_grouped_tied")
    inputs = inputs_of(model, calibration(model))
    networks = [
        quantised_decoder(model, RoleFormats(weight="int3_g8", calibrate=one), inputs)
        for one in (None, method)
    ]
    assert networks[0][1] == networks[1][1] == 3 + 16 / 8
    for name, _, _ in model.architecture.matrices():
        moments = inputs[name].moments
        if method == "clipping":
            moments = np.diag(np.diagonal(moments))
        matrix = model.tensors[f"{name}.weight"]
        plain, found = (
            float(np.trace(wrong @ moments @ wrong.T))
            for wrong in (matrix - one.tensors[f"{name}.weight"] for one, _ in networks)
        )
        assert found < plain


def test_a_matrix_is_calibrated_near_one_and_others_are_not():
    model = decoder("llama_grouped_tied")
    name = "layers.1.down_proj"
    tiny = np.ldexp(model.tensors[f"{name}.weight"], -30)
    model = model.replaced({f"{name}.weight": tiny})
    inputs = inputs_of(model, calibration(model))
    formats = RoleFormats(
        weight="int4", weight_scale="channel", head="int4_g8", calibrate="feedback",
        overrides={"layers.0.*": {"weight": None}},
    )  # fmt: skip
    found, _ = quantised_decoder(model, formats, inputs)
    # Its scales would be below fp16's.
    octave = np.frexp(np.abs(tiny).max())[1] - 1
    fmt = parse(f"int4_g{tiny.shape[1]}")
    moments = inputs[name].moments.astype(np.float64)
    near = np.ldexp(tiny, -octave)
    expected = with_feedback(fmt, near, moments, FEEDBACK_DAMPING).dequantize()
    np.testing.assert_array_equal(found.tensors[f"{name}.weight"], np.ldexp(expected, octave))
    assert found.tensors["layers.0.q_proj.weight"] is model.tensors["layers.0.q_proj.weight"]
    expected, _ = quantised_matrix(parse("int4_g8"), model.head)
    np.testing.assert_array_equal(found.head, expected)


def test_a_last_group_that_inputs_do_not_fill_is_calibrated():
    model = decoder("llama")
    inputs = inputs_of(model, calibration(model))
    for method in ("clipping", "feedback"):
        formats = RoleFormats(weight="int3_g12", calibrate=method)
        found, bits = quantised_decoder(model, formats, inputs)
        assert found.tensors["layers.0.q_proj.weight"].shape == (16, 16)
        assert bits > 3 + 16 / 12


@pytest.mark.parametrize("name", NAMES)
def test_smoothing_keeps_the_function(name):
    model = decoder(name)
    found = smoothed(model, inputs_of(model, calibration(model)), 0.5)
    tokens, expected = stored(name)
    np.testing.assert_allclose(found.logits(found.hidden(tokens)), expected, rtol=0, atol=3e-5)
    changed = {key for key in model.tensors if found.tensors[key] is not model.tensors[key]}
    assert {key.split(".")[-2] for key in changed} == {
        "attention_norm", "mlp_norm", "q_proj", "k_proj", "v_proj", "up_proj",
        *(["gate_proj"] if model.architecture.gated else []),
    }  # fmt: skip
    assert ("layers.0.attention_norm.bias" in changed) == (model.architecture.norm == "layer")


def test_smoothing_takes_the_largest_weight_of_all_matrices_behind_a_norm():
    model = decoder("llama_grouped_tied")
    inputs = inputs_of(model, calibration(model))
    found = smoothed(model, inputs, 0.7)
    weights = [model.tensors[f"layers.0.{part}_proj.weight"] for part in "qkv"]
    largest = np.abs(np.concatenate(weights)).max(axis=0)
    factors = smoothing(inputs["layers.0.q_proj"].largest, largest, 0.7)
    gains = (one.tensors["layers.0.attention_norm.weight"] for one in (model, found))
    np.testing.assert_allclose(np.divide(*gains), factors, rtol=1e-5)
    again = inputs_of(found, calibration(model))
    for name in ("layers.0.q_proj", "layers.1.up_proj"):
        scale = np.sqrt(np.diagonal(inputs[name].moments) / np.diagonal(again[name].moments))
        expected = inputs[name].largest / again[name].largest
        np.testing.assert_allclose(scale, expected, rtol=1e-3)


@pytest.mark.parametrize("name", NAMES)
def test_smoothing_lowers_the_error_of_activations_with_outliers(name):
    model = with_outliers(name)
    even = smoothed(model, inputs_of(model, calibration(model)), 0.5)
    formats = RoleFormats(activation="int8")
    before, after = (meter(name, one).measure(formats).kl for one in (model, even))
    assert after < 0.3 * before


def test_smoothing_goes_with_rotation_and_calibration():
    model = rotated(decoder("llama_scaled"), 3)
    even = smoothed(model, inputs_of(model, calibration(model)), 0.5)
    tokens, expected = stored("llama_scaled")
    np.testing.assert_allclose(even.logits(even.hidden(tokens)), expected, rtol=0, atol=5e-5)
    measured = meter("llama_scaled", even)
    kl = [
        measured.measure(RoleFormats(weight="int3_g8", activation="int8", calibrate=one)).kl
        for one in (None, "feedback")
    ]
    assert kl[1] < kl[0]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"weight": "int4", "calibrate": "gptq"}, "unknown calibrate 'gptq'"),
        ({"activation": "int8", "calibrate": "feedback"}, "weights have no format"),
        ({"weight": "int4", "weight_scale": "tensor", "calibrate": "clipping"},
         "with weight_scale='tensor': allowed: channel"),
    ],
)  # fmt: skip
def test_formats_that_are_not_calibrated(arguments, message):
    with pytest.raises(InputError, match=message):
        RoleFormats(**arguments)


def test_what_calibration_needs():
    model, formats = decoder("llama"), RoleFormats(weight="int4_g8", calibrate="feedback")
    with pytest.raises(InputError, match="decoders with a text for calibration"):
        PerplexityMeter(model, [stored("llama")[0]]).measure(formats)
    with pytest.raises(InputError, match="decoders with a text for calibration"):
        EmbeddingMeter(Bags(np.ones((12, 16), np.float32)), ["a", "b", "c"]).measure(formats)
    wide = RoleFormats(overrides={"*.o_proj": {"weight": "int16_g8"}}, calibrate="feedback")
    with pytest.raises(InputError, match=r"weights layers\.0\.o_proj: error feedback to int16_g8"):
        meter("llama").measure(wide)
    with pytest.raises(InputError, match=r"strength=2"):
        smoothed(model, inputs_of(model, calibration(model)), 2)


def test_sensitivities_are_of_calibrated_weights(tmp_path, monkeypatch):
    monkeypatch.setenv("HWSIM_CACHE", str(tmp_path))
    model, formats = decoder("llama_grouped_tied"), ("int2_g8", "int4_g8")
    measured = PerplexityMeter(model, calibration(model, 3), "a decoder")
    plain, found = (
        SensitivityMeter(measured, formats, calibrate=one).measure() for one in (None, "feedback")
    )
    assert (found.error[:, 0] < plain.error[:, 0]).all()
    assert found.measured.sum() < plain.measured.sum()
    mixed = allocate(found, found.bits, found.bits.mean(axis=1).sum())
    roles = mixed.role_formats("int8", calibrate="feedback")
    assert (roles.calibrate, roles.activation) == ("feedback", parse("int8"))
    # The loss of one matrix is that of an override with the same calibration.
    last = found.matrices[-1]
    alone = RoleFormats(overrides={last: {"weight": "int2_g8"}}, calibrate="feedback")
    whole = PerplexityMeter(model, measured.sequences, None, measured.sequences)
    assert found.measured[-1] == pytest.approx(whole.measure(alone).kl, rel=1e-3)


def test_calibration_takes_tokens_that_are_not_predicted(tmp_path):
    source = find(byte_folder(tmp_path))
    other = "the rain stopped before noon, so we walked along the river. " * 3
    tokeniser = source.tokeniser()
    sample = SAMPLE.read_text("utf-8")
    for text, given, expected in (
        (None, None, windows(tokeniser, sample, 50, 40, 100)),
        (sample, None, windows(tokeniser, sample, 50, 40, 100)),
        (other, None, windows(tokeniser, sample, 50, 40)),
        (other, other, windows(tokeniser, other, 50, 40, 100)),
        (None, other, windows(tokeniser, other, 50, 40)),
    ):
        found = perplexity_meter(
            source, text, tokens=100, window=40, calibration=given, calibration_tokens=50
        )
        for one, tokens in zip(found.calibration, expected, strict=True):
            np.testing.assert_array_equal(one, tokens)
    with pytest.raises(InputError, match="calibration: tokens=99: the text has 80 after the first"):
        perplexity_meter(
            source, other, tokens=100, window=40, calibration=other, calibration_tokens=99
        )
    with pytest.raises(InputError, match=r"smooth=0\.5: needs calibration_tokens"):
        perplexity_meter(source, other, tokens=100, window=40, smooth=0.5)


def test_smoothed_decoders_are_told_apart_by_the_cache(tmp_path):
    source = find(byte_folder(tmp_path))

    def digest(**options):
        found = perplexity_meter(source, tokens=60, window=40, **options)
        assert isinstance(found.decoder, Decoder)
        return found.digest

    digests = {
        digest(),
        digest(smooth=0.5, calibration_tokens=40),
        digest(smooth=0.6, calibration_tokens=40),
        digest(smooth=0.5, calibration_tokens=60),
        digest(smooth=0.5, calibration_tokens=40, rotate=1),
    }
    assert len(digests) == 5
    assert digest(calibration_tokens=40) == digest()


def test_the_command_calibrates(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("HWSIM_CACHE", str(tmp_path / "cache"))
    given = ["accuracy", str(byte_folder(tmp_path)), "--tokens", "80", "--window", "40"]
    given += ["--weight", "int3_g8"]
    found = []
    for extra in ([], ["--calibrate", "clipping"], ["--calibrate", "feedback", "--smooth", "0.5"]):
        assert main([*given, *extra, "--json"]) == 0
        found.append(json.loads(capsys.readouterr().out))
    keys = ("calibrate", "smooth", "calibration", "calibration_tokens")
    assert [[one[key] for key in keys] for one in found] == [
        [None, None, None, None],
        ["clipping", None, None, 256],
        ["feedback", 0.5, None, 256],
    ]
    assert len({one["kl"] for one in found}) == 3
    text = tmp_path / "other.txt"
    text.write_text("the rain stopped before noon, so we walked along the river. ")
    extra = ["--calibrate", "feedback", "--smooth", "0.5", "--calibration", str(text)]
    assert main([*given, *extra, "--calibration-tokens", "48"]) == 0
    printed = capsys.readouterr().out
    assert "as it is, smoothed by 0.5: weight int3_g8" in printed
    assert f"calibrated by feedback, on 48 tokens of {text}" in printed


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        (["--calibration-tokens", "20"], "--calibration-tokens goes with --calibrate or --smooth"),
        (["--calibration", str(SAMPLE)], "--calibration goes with --calibrate or --smooth"),
        (["--smooth", "1.5"], "--smooth='1.5': allowed: above 0 and at most 1"),
        (["--calibrate", "feedback"], "weights have no format"),
        (["--unit", "lmul", "lanes=4", "weight=e4m3", "activation=e4m3", "--calibrate", "feedback"],
         "--calibrate goes without --unit"),
    ],
)  # fmt: skip
def test_options_that_do_not_go_together(tmp_path, capsys, extra, message):
    given = ["accuracy", str(byte_folder(tmp_path)), "--tokens", "80", "--window", "40"]
    try:
        code = main([*given, *extra])
    except SystemExit as stop:
        code = stop.code
    assert code == 2
    assert message in capsys.readouterr().err


def test_formats_are_given_out_to_calibrated_weights(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("HWSIM_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("hwsim.cli.allocate.WINDOW", 40)
    given = ["allocate", str(byte_folder(tmp_path)), "--format", "int2_g8", "--format", "int4_g8"]
    given += ["--budget", "bits=5", "--tokens", "80", "--calibration-tokens", "80", "--json"]
    assert main(given) == 0
    plain = json.loads(capsys.readouterr().out)
    assert main([*given, "--calibrate", "feedback", "--smooth", "0.5"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["calibrate"], found["smooth"]) == ("feedback", 0.5)
    assert (found["calibration"], found["calibration_tokens"]) == (None, 80)
    assert found["results"].keys() == plain["results"].keys()
    for name, row in found["results"].items():
        assert row["cost"] == pytest.approx(plain["results"][name]["cost"], rel=0.05)
        assert row["kl"] != plain["results"][name]["kl"]
    assert found["sensitivity"]["measured"] != plain["sensitivity"]["measured"]
