"""Make the models and logits in this folder with transformers, see README.md."""

import json
import sys
from pathlib import Path

import numpy as np
import torch
import transformers
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    GPT2Config,
    LlamaConfig,
    MistralConfig,
    OPTConfig,
    Qwen2Config,
)

HERE = Path(__file__).parent
LENGTH = 24
PROMPT = "The keel was laid in 1938, and her captain said: don't wait."
#: The text that ships, and the tokens and windows that are predicted of it.
SAMPLE = HERE.parents[2] / "hwsim" / "networks" / "sample.txt"
TOKENS, WINDOW = 200, 100
STARTS = range(0, TOKENS, WINDOW)
#: Every so many columns of SmolLM2's logits are kept.
STEP = 96

SMALL = {
    "vocab_size": 61, "hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2,
    "num_attention_heads": 4, "max_position_embeddings": 64,
}  # fmt: skip
LLAMA3 = {
    "rope_type": "llama3", "factor": 4.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
    "original_max_position_embeddings": 16, "rope_theta": 10000.0,
}  # fmt: skip
MODELS = {
    "llama": (LlamaConfig(**SMALL), torch.float32),
    "llama_grouped_tied": (
        LlamaConfig(
            **SMALL, num_key_value_heads=2, tie_word_embeddings=True,
            rope_parameters={"rope_type": "default", "rope_theta": 500.0},
        ),
        torch.bfloat16,
    ),
    "llama_scaled": (
        LlamaConfig(
            **SMALL, num_key_value_heads=1, head_dim=8, attention_bias=True, mlp_bias=True,
            rope_parameters=LLAMA3,
        ),
        torch.float32,
    ),
    "llama_linear": (
        LlamaConfig(
            **SMALL,
            rope_parameters={"rope_type": "linear", "factor": 2.0, "rope_theta": 1000.0},
        ),
        torch.float16,
    ),
    "mistral": (MistralConfig(**SMALL, num_key_value_heads=2, sliding_window=24), torch.float32),
    "qwen2": (Qwen2Config(**SMALL, num_key_value_heads=2), torch.float32),
    "gpt2": (
        GPT2Config(vocab_size=61, n_embd=16, n_layer=2, n_head=4, n_positions=32), torch.float32
    ),
    "opt": (
        OPTConfig(
            **{key: value for key, value in SMALL.items() if key != "intermediate_size"},
            ffn_dim=24, word_embed_proj_dim=16,
        ),
        torch.float16,
    ),
}  # fmt: skip


def logits(model, tokens):
    with torch.no_grad():
        return model(torch.tensor(tokens)[None]).logits[0].numpy()


def nll(model, tokens):
    """Return the negative log-likelihood of every token but the first, in nats."""
    logarithms = torch.log_softmax(torch.tensor(logits(model, tokens)).double(), -1).numpy()
    return -logarithms[np.arange(len(tokens) - 1), tokens[1:]]


def random_model(config, dtype):
    """Return a model with weights that make its logits of the order of 1, norms included."""
    model = AutoModelForCausalLM.from_config(config, attn_implementation="eager").eval()
    with torch.no_grad():
        for name, value in model.named_parameters():
            centre, spread = (0.0, 0.3) if value.ndim == 2 else (float("norm" in name), 0.2)
            if ".ln_" in name and name.endswith("weight"):
                centre = 1.0
            value.copy_(centre + spread * torch.randn(value.shape))
    return model.to(dtype)


def main(gguf: Path) -> None:
    torch.manual_seed(0)
    for name, (config, dtype) in MODELS.items():
        model = random_model(config, dtype)
        folder = HERE / name
        shard = {"max_shard_size": "6KB"} if name == "llama" else {}
        model.save_pretrained(folder, **shard)
        (folder / "generation_config.json").unlink(missing_ok=True)
        tokens = np.random.default_rng(1).integers(config.vocab_size, size=LENGTH)
        # As stored: a conversion rounds rotary frequencies, too.
        model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
        np.savez_compressed(folder / "logits.npz", tokens=tokens, logits=logits(model, tokens))
    place = {"pretrained_model_name_or_path": str(gguf.parent), "gguf_file": gguf.name}
    tokeniser = AutoTokenizer.from_pretrained(**place)
    tokens = tokeniser(PROMPT, add_special_tokens=False)["input_ids"]
    text = tokeniser(SAMPLE.read_text("utf-8"), add_special_tokens=False)["input_ids"]
    model = AutoModelForCausalLM.from_pretrained(**place, dtype=torch.float32).eval()
    np.savez_compressed(
        HERE / "smollm2.npz", tokens=tokens, logits=logits(model, tokens)[:, ::STEP],
        text=text[:TOKENS], nll=np.concatenate([nll(model, text[k : k + WINDOW]) for k in STARTS]),
    )  # fmt: skip
    made = {"torch": torch.__version__, "transformers": transformers.__version__}
    (HERE / "versions.json").write_text(json.dumps(made, indent=2) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
