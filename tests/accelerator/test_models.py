"""Configuration files: the sizes that ship, counted against public totals, and what is refused."""

import json
from pathlib import Path

import pytest

from hwsim.accelerator import models
from hwsim.accelerator.models import (
    MODEL_TYPES,
    Convolution,
    ConvolutionalNetwork,
    Transformer,
    load_model,
    model_names,
)
from hwsim.accelerator.workload import workload
from hwsim.errors import InputError

FOLDER = Path(models.__file__).parent / "models"

#: Parameters as the publishers' checkpoints have them.
PARAMETERS = {
    "opt-1.3b": 1_315_758_080,
    "phi-2": 2_779_683_840,
    "yi-6b": 6_061_035_520,
    "llama-2-7b": 6_738_415_616,
    "llama-2-13b": 13_015_864_320,
    "llama-3-8b": 8_030_261_248,
    "qwen2.5-7b": 7_615_616_512,
    "mixtral-8x7b": 46_702_792_704,
    "smollm2-135m": 134_515_008,
    "bert-base": 109_482_240,
    "all-minilm-l6-v2": 22_713_216,
    "vit-base-patch16-224": 86_567_656,
    "resnet-50": 25_557_032,
}
#: Others, of types and layouts that no file has which ships: sizes, and parameters.
OTHERS = {
    "mistral-7b": (
        {
            "model_type": "mistral", "hidden_size": 4096, "intermediate_size": 14336,
            "num_hidden_layers": 32, "num_attention_heads": 32, "num_key_value_heads": 8,
            "vocab_size": 32000, "max_position_embeddings": 32768, "sliding_window": 4096,
            "tie_word_embeddings": False,
        },
        7_241_732_096,
    ),
    "qwen3-0.6b": (
        {
            "model_type": "qwen3", "hidden_size": 1024, "intermediate_size": 3072,
            "num_hidden_layers": 28, "num_attention_heads": 16, "num_key_value_heads": 8,
            "head_dim": 128, "vocab_size": 151936, "max_position_embeddings": 40960,
            "sliding_window": None, "tie_word_embeddings": True,
        },
        596_049_920,
    ),
    "resnet-18": (
        {
            "model_type": "resnet", "image_size": 224, "embedding_size": 64,
            "hidden_sizes": [64, 128, 256, 512], "depths": [2, 2, 2, 2], "layer_type": "basic",
            "num_labels": 1000,
        },
        11_689_512,
    ),
}  # fmt: skip


def counted(config):
    """Return the parameters in matrices, and all others, by what the architectures say."""
    if config["model_type"] == "resnet":
        return resnet(config)
    h, layers = config["hidden_size"], config["num_hidden_layers"]
    heads = config["num_attention_heads"]
    size = config.get("head_dim", h // heads)
    q, kv = heads * size, config.get("num_key_value_heads", heads) * size
    middle = config.get("intermediate_size") or config["ffn_dim"]
    attention, plain = 2 * h * q + 2 * h * kv, 2 * h * middle
    vocabulary = config.get("vocab_size", 0) * h
    kind = config["model_type"]
    if kind == "opt":
        # Biases everywhere, two norms a layer; two positions more than there are; a tied head.
        other = layers * (4 * h + middle + h + 4 * h) + 2 * h
        other += vocabulary + (config["max_position_embeddings"] + 2) * h
        return layers * (attention + plain) + vocabulary, other - vocabulary
    if kind == "phi":
        # One norm a layer, as attention and MLP stand side by side; the head has a bias.
        other = layers * (4 * h + middle + h + 2 * h) + 2 * h + vocabulary + config["vocab_size"]
        return layers * (attention + plain) + vocabulary, other
    if kind == "bert":
        tables = vocabulary + (config["max_position_embeddings"] + config["type_vocab_size"]) * h
        other = tables + 2 * h + layers * (4 * h + middle + h + 4 * h) + h
        return layers * (attention + plain) + h * h, other
    if kind == "vit":
        patch = config["num_channels"] * config["patch_size"] ** 2 * h
        labels = config["num_labels"]
        tokens = (config["image_size"] // config["patch_size"]) ** 2 + 1
        other = h + h + tokens * h + layers * (4 * h + middle + h + 4 * h) + 2 * h + labels
        return layers * (attention + plain) + patch + labels * h, other
    experts = config.get("num_local_experts", 0)
    mlp = 3 * h * middle * (experts or 1) + experts * h
    other = layers * 2 * h + h
    other += layers * {"qwen2": q + 2 * kv, "qwen3": 2 * size}.get(kind, 0)
    # A tied head is the table of embeddings.
    other += 0 if config["tie_word_embeddings"] else vocabulary
    return layers * (attention + mlp) + vocabulary, other


def resnet(config):
    stem, widths = config["embedding_size"], config["hidden_sizes"]
    matrices, norms, channels = 3 * stem * 49, 2 * stem, stem
    for stage, (width, depth) in enumerate(zip(widths, config["depths"], strict=True)):
        for block in range(depth):
            if config["layer_type"] == "basic":
                matrices += 9 * channels * width + 9 * width * width
                norms += 4 * width
            else:
                narrow = width // 4
                matrices += channels * narrow + 9 * narrow * narrow + narrow * width
                norms += 4 * narrow + 2 * width
            if block == 0 and (stage or channels != width):
                matrices += channels * width
                norms += 2 * width
            channels = width
    labels = config["num_labels"]
    return matrices + channels * labels, norms + labels


def matrices(model):
    """Return the weights that the workload multiplies with, when all experts are at work."""
    if isinstance(model, ConvolutionalNetwork) or model.patches:
        work = workload(model, "forward")
    else:
        work = workload(model, "prefill" if model.causal else "forward", tokens=64)
    return sum(g.stationary_elements * g.count for g in work.gemms if g.stationary == "weights")


def test_these_models_ship():
    assert model_names() == sorted(PARAMETERS)


@pytest.mark.parametrize("name", PARAMETERS)
def test_parameters_of_models_that_ship_are_the_public_ones(name):
    in_matrices, others = counted(json.loads((FOLDER / f"{name}.json").read_text()))
    assert in_matrices + others == PARAMETERS[name]
    assert matrices(load_model(name)) == in_matrices


@pytest.mark.parametrize("name", OTHERS)
def test_parameters_of_other_models_are_the_public_ones(tmp_path, name):
    config, total = OTHERS[name]
    in_matrices, others = counted(config)
    assert in_matrices + others == total
    assert matrices(load_model(save(tmp_path / f"{name}.json", config))) == in_matrices


def test_every_type_is_counted(tmp_path):
    files = [json.loads(path.read_text()) for path in FOLDER.glob("*.json")]
    files += [config for config, _ in OTHERS.values()]
    assert {config["model_type"] for config in files} == set(MODEL_TYPES)


def test_grouped_heads_and_experts_are_read():
    llama, mixtral = load_model("llama-3-8b"), load_model("mixtral-8x7b")
    assert isinstance(llama, Transformer)
    assert isinstance(mixtral, Transformer)
    assert (llama.num_attention_heads, llama.num_key_value_heads, llama.head_dim) == (32, 8, 128)
    assert (mixtral.num_local_experts, mixtral.num_experts_per_tok) == (8, 2)
    assert llama.num_local_experts == 0


def test_a_folder_and_a_file_are_read(tmp_path):
    folder = tmp_path / "mine"
    folder.mkdir()
    save(folder / "config.json", OTHERS["mistral-7b"][0])
    model = load_model(folder)
    assert model.name == "mine"
    assert load_model(str(folder / "config.json")) == model
    assert load_model(save(tmp_path / "a.json", OTHERS["mistral-7b"][0])).name == "a"


def test_a_path_is_no_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "phi-2").mkdir()
    save(tmp_path / "phi-2" / "config.json", OTHERS["mistral-7b"][0])
    mine = load_model("./phi-2")
    assert mine == load_model(Path("phi-2")) != load_model("phi-2")
    assert mine.gated


def test_labels_are_counted_by_their_names(tmp_path):
    config = shipped("vit-base-patch16-224")
    del config["num_labels"]
    named = {**config, "id2label": {"0": "cat", "1": "dog", "2": "newt"}}
    assert load_model(save(tmp_path / "a.json", named)).num_labels == 3
    assert load_model(save(tmp_path / "a.json", config)).num_labels == 0


def test_a_null_is_a_key_that_is_not_there(tmp_path):
    config = {**shipped("llama-2-7b"), "num_key_value_heads": None, "head_dim": None}
    model = load_model(save(tmp_path / "a.json", config))
    assert (model.num_key_value_heads, model.head_dim) == (32, 128)


def test_a_window_counts_where_it_is_used(tmp_path):
    config = shipped("qwen2.5-7b")
    assert load_model("qwen2.5-7b").sliding_window is None
    used = save(tmp_path / "a.json", {**config, "use_sliding_window": True, "sliding_window": 512})
    assert load_model(used).sliding_window == 512
    # Mistral has no switch.
    assert load_model(save(tmp_path / "b.json", OTHERS["mistral-7b"][0])).sliding_window == 4096


def test_strides_of_early_bottlenecks_are_in_their_first_convolution(tmp_path):
    config = {**shipped("resnet-50"), "downsample_in_bottleneck": True}
    early = load_model(save(tmp_path / "a.json", config)).convolutions
    late = load_model("resnet-50").convolutions
    strides = [
        [conv.stride for conv in convs if conv.name.startswith("stages.1.0.conv")]
        for convs in (early, late)
    ]
    assert strides == [[2, 1, 1], [1, 2, 1]]
    assert early[-1].output_height == late[-1].output_height == 7


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("llama-2-7b", {"model_type": "lama"}, "model_type='lama': allowed: bert, .*, vit$"),
        ("llama-2-7b", {"model_type": "gpt2"}, "model_type='gpt2': allowed: bert, .*, vit$"),
        ("llama-2-7b", {"model_type": 3}, "model_type=3: allowed: bert, llama"),
        ("llama-2-7b", {"model_type": ...}, "model_type is missing; allowed: bert"),
        ("llama-2-7b", {"hidden_size": ...}, "hidden_size is missing; allowed: integers from 1"),
        ("llama-2-7b", {"hidden_size": "4096"}, "hidden_size='4096': allowed: integers"),
        ("llama-2-7b", {"hidden_size": 4096.0}, r"hidden_size=4096\.0: allowed: integers"),
        ("llama-2-7b", {"hidden_size": True}, "hidden_size=True: allowed: integers"),
        ("llama-2-7b", {"num_hidden_layers": 0}, "num_hidden_layers=0: allowed: integers from 1"),
        ("llama-2-7b", {"num_hidden_layers": 10**6}, "num_hidden_layers=1000000: allowed:.* 4096"),
        ("llama-2-7b", {"num_attention_heads": 30}, "heads=30: allowed: divisors of hidden_size"),
        ("llama-3-8b", {"num_key_value_heads": 5}, "heads=5: allowed: divisors of num_att.*=32"),
        ("qwen2.5-7b", {"num_key_value_heads": ...}, "num_key_value_heads is missing"),
        ("qwen2.5-7b", {"use_sliding_window": 1}, "use_sliding_window=1: allowed: true or false"),
        ("mixtral-8x7b", {"num_experts_per_tok": 9}, "num_experts_per_tok=9: allowed:.* 1 to 8"),
        ("mixtral-8x7b", {"num_local_experts": ...}, "num_local_experts is missing"),
        ("opt-1.3b", {"word_embed_proj_dim": 512}, "dim=512: allowed: hidden_size=2048"),
        ("opt-1.3b", {"ffn_dim": ...}, "ffn_dim is missing"),
        ("vit-base-patch16-224", {"patch_size": 256}, "patch_size=256: allowed:.*image_size=224"),
        ("vit-base-patch16-224", {"id2label": 7}, "id2label=7: allowed: an object"),
        ("vit-base-patch16-224", {"image_size": [224, 224]}, r"image_size=\[224, 224\]: allowed"),
        ("resnet-50", {"image_size": ...}, "image_size is missing; allowed: integers"),
        ("resnet-50", {"depths": [3, 4, 6]}, r"depths=\[3, 4, 6\]: allowed: as many .* 4"),
        ("resnet-50", {"depths": [3, 4, 6, 0]}, "depths=.*: allowed: a list of integers"),
        ("resnet-50", {"depths": 16}, "depths=16: allowed: a list of integers"),
        ("resnet-50", {"hidden_sizes": [256, 512, 1024, 30]}, "multiples of 4 in bottleneck"),
        ("resnet-50", {"layer_type": "bottle"}, "layer_type='bottle': .*did you mean 'bottleneck'"),
    ],
)
def test_a_wrong_file_is_told_with_key_value_and_what_is_allowed(tmp_path, name, change, message):
    config = {**shipped(name), **change}
    path = save(tmp_path / "a.json", {k: v for k, v in config.items() if v is not ...})
    with pytest.raises(InputError, match=message) as caught:
        load_model(path)
    assert str(path) in str(caught.value)


def test_what_is_no_file_of_a_model_is_told(tmp_path):
    with pytest.raises(InputError, match="no such file or model; did you mean 'llama-2-7b'"):
        load_model("lama-2-7b")
    with pytest.raises(InputError, match="no such file or model; allowed: a path, all-minilm"):
        load_model("zzzz")
    with pytest.raises(InputError, match=r"config\.json: cannot be read: No such file"):
        load_model(tmp_path)
    (tmp_path / "a.json").write_text('{"model_type": }')
    with pytest.raises(InputError, match=r"a\.json: cannot be read: .*line 1 column 16"):
        load_model(tmp_path / "a.json")
    (tmp_path / "a.json").write_text("[]")
    with pytest.raises(InputError, match=r"a\.json: must be a JSON object, not list"):
        load_model(tmp_path / "a.json")
    (tmp_path / "a.json").write_text('{"hidden_size": 1, "hidden_size": 2}')
    with pytest.raises(InputError, match=r"a\.json: .*the key 'hidden_size' is there twice"):
        load_model(tmp_path / "a.json")
    (tmp_path / "a.json").write_text('{"hidden_size": ' + "1" * 5000 + "}")
    with pytest.raises(InputError, match=r"a\.json: .*11111111\.\.\. has 5000 digits; allowed"):
        load_model(tmp_path / "a.json")
    with pytest.raises(InputError, match="model=7: allowed: a path"):
        load_model(7)
    with pytest.raises(InputError, match="/dev/zero is a device"):
        load_model("/dev/zero")
    with pytest.raises(InputError, match="File name too long"):
        load_model("a" * 5000)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"groups": 3}, "in_channels=4: allowed: multiples of groups=3"),
        ({"in_channels": 8, "groups": 4}, "out_channels=6: allowed: multiples of groups=4"),
        ({"stride": 0}, "stride=0: allowed: integers from 1"),
        ({"padding": -1}, "padding=-1: allowed: integers from 0"),
        ({"height": 2}, "height=2: allowed: integers from 3"),
    ],
)
def test_impossible_convolutions_are_refused(change, message):
    sizes = {"in_channels": 4, "out_channels": 6, "kernel_size": 3, "height": 8, "width": 8}
    with pytest.raises(InputError, match=f"convolution c: {message}"):
        Convolution(name="c", **{**sizes, **change})


def shipped(name):
    return json.loads((FOLDER / f"{name}.json").read_text())


def save(path, config):
    path.write_text(json.dumps(config))
    return path
