"""Model folders as they are distributed: prefixes, shards, tokenisers, data types."""

import json

import ml_dtypes
import numpy as np
import pytest
from safetensors.numpy import save_file

from hwsim.errors import InputError
from hwsim.tensors.load import TensorSource
from hwsim.tensors.transformer import SAMPLE, Encoder, find_model, model_files, word_pieces

HIDDEN, INNER, LENGTH = 8, 12, 600
VOCABULARY = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "un", "##aff", "##able", "a", ".", "A", "##b"]
CONFIG = {
    "model_type": "bert",
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "max_position_embeddings": LENGTH,
    "layer_norm_eps": 1e-12,
}
TOKENIZER = {
    "added_tokens": [{"id": 2, "content": "[CLS]", "special": True}],
    "normalizer": {"type": "BertNormalizer", "lowercase": True},
    "pre_tokenizer": {"type": "BertPreTokenizer"},
    "model": {
        "type": "WordPiece",
        "unk_token": "[UNK]",
        "continuing_subword_prefix": "##",
        "vocab": {token: number for number, token in enumerate(VOCABULARY)},
    },
}


def tensors():
    rng = np.random.default_rng(3)
    shapes = {
        "embeddings.word_embeddings.weight": (len(VOCABULARY), HIDDEN),
        "embeddings.position_embeddings.weight": (LENGTH, HIDDEN),
        "embeddings.token_type_embeddings.weight": (2, HIDDEN),
    }
    norms = ["embeddings.LayerNorm"]
    for i in range(2):
        layer = f"encoder.layer.{i}"
        norms += [f"{layer}.attention.output.LayerNorm", f"{layer}.output.LayerNorm"]
        for name, shape in {
            "attention.self.query": (HIDDEN, HIDDEN),
            "attention.self.key": (HIDDEN, HIDDEN),
            "attention.self.value": (HIDDEN, HIDDEN),
            "attention.output.dense": (HIDDEN, HIDDEN),
            "intermediate.dense": (INNER, HIDDEN),
            "output.dense": (HIDDEN, INNER),
        }.items():
            shapes |= {f"{layer}.{name}.weight": shape, f"{layer}.{name}.bias": shape[:1]}
    for name in norms:
        shapes |= {f"{name}.weight": (HIDDEN,), f"{name}.bias": (HIDDEN,)}
    # Values that bfloat16 has, so that its files give the same layers.
    return {
        name: rng.normal(size=shape).astype(ml_dtypes.bfloat16).astype(np.float32)
        for name, shape in shapes.items()
    }


def describe(folder, *, vocabulary=True, **config):
    folder.mkdir(exist_ok=True)
    (folder / "config.json").write_text(json.dumps(CONFIG | config))
    if vocabulary:
        (folder / "vocab.txt").write_text("\n".join(VOCABULARY) + "\n")
    return folder


def assert_same_layers(folder, reference):
    got, expected = (
        Encoder(folder).layers("A unaffable."),
        Encoder(reference).layers("A unaffable."),
    )
    assert [layer.name for layer in got] == [layer.name for layer in expected]
    for one, other in zip(got, expected, strict=True):
        np.testing.assert_array_equal(one.weight, other.weight)
        np.testing.assert_array_equal(one.activations, other.activations)


def shard(folder, arrays):
    names = sorted(arrays)
    weight_map = {}
    for number, part in enumerate((names[::2], names[1::2]), start=1):
        file = f"model-{number:05}-of-00002.safetensors"
        save_file({name: arrays[name] for name in part}, folder / file)
        weight_map |= dict.fromkeys(part, file)
    index = {"metadata": {"total_size": 0}, "weight_map": weight_map}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    return folder


@pytest.fixture
def plain(tmp_path):
    folder = describe(tmp_path / "plain")
    save_file(tensors(), folder / "model.safetensors")
    return folder


def test_encoder_within_a_larger_model(tmp_path, plain):
    folder = describe(tmp_path / "m")
    arrays = {f"bert.{name}": array for name, array in tensors().items()}
    # Only what the encoder needs is read.
    arrays |= {"cls.predictions.bias": np.full(4, np.nan), "bert.embeddings.position_ids":
               np.arange(4)}  # fmt: skip
    save_file(arrays, folder / "model.safetensors")
    assert_same_layers(folder, plain)
    for match in ("encoder.layer.1.*query.weight", "bert.encoder.layer.1.*query.weight"):
        (layer,) = Encoder(folder).layers("a", match)
        assert layer.name == "encoder.layer.1.attention.self.query.weight"


def test_norms_of_the_first_release(tmp_path, plain):
    folder = describe(tmp_path / "m")
    arrays = {
        "bert."
        + name.replace("LayerNorm.weight", "LayerNorm.gamma").replace(
            "LayerNorm.bias", "LayerNorm.beta"
        ): array
        for name, array in tensors().items()
    }
    save_file(arrays, folder / "model.safetensors")
    assert_same_layers(folder, plain)


@pytest.mark.parametrize("prefix", ["", "bert."])
def test_shards(tmp_path, plain, prefix):
    folder = describe(tmp_path / "m")
    shard(folder, {prefix + name: array for name, array in tensors().items()})
    assert_same_layers(folder, plain)


@pytest.mark.parametrize("dtype", [ml_dtypes.bfloat16, np.float64])
def test_data_types(tmp_path, plain, dtype):
    folder = describe(tmp_path / "m")
    save_file({n: a.astype(dtype) for n, a in tensors().items()}, folder / "model.safetensors")
    assert_same_layers(folder, plain)


def test_vocabulary_in_the_tokenizer_alone(tmp_path, plain):
    folder = describe(tmp_path / "m", vocabulary=False)
    save_file(tensors(), folder / "model.safetensors")
    (folder / "tokenizer.json").write_text(json.dumps(TOKENIZER))
    assert_same_layers(folder, plain)


def tokens(folder, text):
    encoder = Encoder(folder)
    return word_pieces(text, encoder.vocabulary, lower_case=encoder.tokeniser.lower_case)


@pytest.mark.parametrize(
    "files", [("vocab.txt",), ("tokenizer.json",), ("vocab.txt", "tokenizer.json")]
)
@pytest.mark.parametrize("stated", [None, True, False])
@pytest.mark.parametrize("normaliser", [True, False])
def test_lower_case(plain, files, stated, normaliser):
    """tokenizer_config.json decides, then tokenizer.json; BERT's default is lower case."""
    if "vocab.txt" not in files:
        (plain / "vocab.txt").unlink()
    if "tokenizer.json" in files:
        normal = {"type": "BertNormalizer", "lowercase": normaliser}
        (plain / "tokenizer.json").write_text(json.dumps(TOKENIZER | {"normalizer": normal}))
    if stated is not None:
        (plain / "tokenizer_config.json").write_text(json.dumps({"do_lower_case": stated}))
    lower = stated if stated is not None else normaliser or "tokenizer.json" not in files
    assert tokens(plain, "A Ab") == [2, *((7, 7, 10) if lower else (9, 9, 10)), 3]


def test_a_word_too_long_is_unknown(plain):
    assert tokens(plain, "a" + "b" * 99) == [2, 7, *[10] * 99, 3]
    assert tokens(plain, "a" + "b" * 100) == [2, 1, 3]


def changed(**fields):
    return TOKENIZER | fields


@pytest.mark.parametrize(("content", "message"), [
    (changed(model={"type": "BPE"}), "model.type must be 'WordPiece', not 'BPE'"),
    (changed(model=TOKENIZER["model"] | {"continuing_subword_prefix": "@"}), "prefix must be '##'"),
    (changed(model=TOKENIZER["model"] | {"vocab": ["a"]}), "model.vocab must have a number"),
    (changed(model=TOKENIZER["model"] | {"vocab": {"a": "b"}}), "model.vocab must have a number"),
    (changed(model=TOKENIZER["model"] | {"vocab": {"a": 1}}), r"token \[CLS\] is missing"),
    (changed(pre_tokenizer={"type": "Whitespace"}), "pre_tokenizer.type must be"),
    (changed(normalizer={"type": "Sequence"}), "normalizer.type must be 'BertNormalizer'"),
    ({"version": "1"}, "model must be an object"),
    ([], "must be a JSON object"),
])  # fmt: skip
def test_other_tokenisers_are_refused(plain, content, message):
    (plain / "vocab.txt").unlink()
    (plain / "tokenizer.json").write_text(json.dumps(content))
    with pytest.raises(InputError, match=rf"tokenizer\.json: .*{message}"):
        Encoder(plain)


def test_without_any_vocabulary(plain):
    (plain / "vocab.txt").unlink()
    with pytest.raises(InputError, match=r"vocab\.txt"):
        Encoder(plain)


@pytest.mark.parametrize(("weight_map", "message"), [
    ({"x": "../plain/model.safetensors"}, r"x must be in a file here, not '\.\./plain"),
    ({"x": "/etc/passwd"}, "must be in a file here"), ({"x": 3}, "must be in a file here"),
    ({"x": ".."}, "must be in a file here"),
    ([], "weight_map must have a file"), (None, "weight_map must have a file"),
    ({}, "'embeddings.word_embeddings.weight' is missing"),
    ({"embeddings.word_embeddings.weight": "gone.safetensors"}, r"gone\.safetensors: no such file"),
])  # fmt: skip
def test_damaged_indices(tmp_path, plain, weight_map, message):
    folder = describe(tmp_path / "m")
    index = {"weight_map": weight_map}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(InputError, match=message):
        Encoder(folder)("a")


def test_tensor_that_its_shard_does_not_have(tmp_path):
    folder = describe(tmp_path / "m")
    arrays = tensors()
    shard(folder, arrays)
    first = folder / "model-00001-of-00002.safetensors"
    save_file({"other": np.ones((1, 1), np.float32)}, first)
    with pytest.raises(InputError, match=r"00001-of-00002\.safetensors: no tensor matches"):
        Encoder(folder)("a")


@pytest.mark.parametrize(("name", "array", "message"), [
    ("embeddings.word_embeddings.weight", np.ones((4, HIDDEN), np.float32), "token 7 is beyond"),
    ("embeddings.word_embeddings.weight", np.ones(4, np.float32), r"shape \(any, any\)"),
    ("embeddings.position_embeddings.weight", np.ones((9, HIDDEN), np.float32), "600, 8"),
    ("encoder.layer.0.intermediate.dense.weight", np.ones((INNER, 9), np.float32), r"\(any, 8\)"),
    ("encoder.layer.0.intermediate.dense.bias", np.ones(2, np.float32), r"shape \(12\)"),
    ("embeddings.LayerNorm.weight", np.ones(2, np.float32), r"shape \(8\)"),
    ("embeddings.LayerNorm.bias", np.full(HIDDEN, 1e300), "finite floating-point"),
    ("embeddings.LayerNorm.bias", np.ones(HIDDEN, np.int32), "finite floating-point"),
])  # fmt: skip
def test_tensors_that_do_not_fit(plain, name, array, message):
    save_file(tensors() | {name: array}, plain / "model.safetensors")
    with pytest.raises(InputError, match=message):
        Encoder(plain)("a")


@pytest.mark.parametrize(("key", "value"), [
    ("num_hidden_layers", "2"), ("num_hidden_layers", 0), ("num_hidden_layers", 2.5),
    ("num_attention_heads", True), ("max_position_embeddings", None), ("layer_norm_eps", "x"),
    ("layer_norm_eps", -1),
])  # fmt: skip
def test_configurations_that_are_none(plain, key, value):
    describe(plain, **{key: value})
    with pytest.raises(InputError, match=rf"config\.json: {key} must be"):
        Encoder(plain)


def test_heads_must_divide_the_width(plain):
    describe(plain, num_attention_heads=3)
    with pytest.raises(InputError, match="3 attention heads do not divide 8"):
        Encoder(plain)("a")


def test_digest_follows_every_file_that_is_read(tmp_path):
    folder = shard(describe(tmp_path / "m", vocabulary=False), tensors())
    (folder / "tokenizer.json").write_text(json.dumps(TOKENIZER))
    (folder / "tokenizer_config.json").write_text("{}")
    files = model_files(folder)
    assert {file.name for file in files} == {file.name for file in folder.iterdir()}
    source = TensorSource(path=folder)
    seen = {source.digest()}
    for file in files:
        content = file.read_bytes()
        # White space at the end of JSON, or other numbers.
        file.write_bytes(content + b" " if file.suffix == ".json" else content[:-1] + b"\x01")
        seen.add(source.digest())
        file.write_bytes(content)
    assert len(seen) == 1 + len(files)
    assert len(source.load()) == 12


def test_sample_runs_through(plain):
    assert len(Encoder(plain).layers(SAMPLE.read_text("ascii"))) == 12


def test_package_of_shards(tmp_path, monkeypatch):
    package = tmp_path / "carrier_of_shards"
    shard(describe(package), tensors())
    (package / "__init__.py").write_text("")
    monkeypatch.syspath_prepend(tmp_path)
    assert find_model("carrier_of_shards") == package
