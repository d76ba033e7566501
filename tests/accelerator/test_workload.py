"""Matrix products of networks, against counts made another way."""

import itertools
import json
from collections import Counter

import pytest

from hwsim.accelerator.models import Convolution, Transformer, load_model, model_names
from hwsim.accelerator.workload import GROUPS, Gemm, convolution, dealt, workload
from hwsim.errors import InputError

#: 2 layers, 4 heads of 8 on 2 of keys and values, in a hidden size of 24.
TINY = Transformer(
    name="tiny", causal=True, gated=True, hidden_size=24, intermediate_size=40,
    num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2, head_dim=8, vocab_size=50,
    max_position_embeddings=64,
)  # fmt: skip


def by_name(work):
    return {gemm.name.removeprefix("layers.*."): gemm for gemm in work.gemms}


def shape(gemm):
    return gemm.m, gemm.n, gemm.k, gemm.count


@pytest.mark.parametrize(
    ("model", "tokens", "macs", "error"),
    [
        # torchvision states 4.089 and 17.564 G operations for its models of these names.
        ("resnet-50", None, 4.089e9, 1e-4),
        ("vit-base-patch16-224", None, 17.564e9, 1e-4),
        # TinyBERT (Jiao et al., 2020): 22.5 G operations, two a multiplication, others included.
        ("bert-base", 128, 22.5e9 / 2, 1e-2),
    ],
)
def test_macs_of_well_known_networks(model, tokens, macs, error):
    assert workload(model, "forward", tokens=tokens).macs == pytest.approx(macs, rel=error)


def test_macs_of_resnet_18(tmp_path):
    config = {
        "model_type": "resnet", "image_size": 224, "embedding_size": 64, "num_labels": 1000,
        "hidden_sizes": [64, 128, 256, 512], "depths": [2, 2, 2, 2], "layer_type": "basic",
    }  # fmt: skip
    path = tmp_path / "resnet-18.json"
    path.write_text(json.dumps(config))
    # torchvision: 1.814 G.
    assert workload(path, "forward").macs == pytest.approx(1.814e9, rel=1e-4)


@pytest.mark.parametrize(
    ("name", "weights", "attention"),
    # Parameters in matrices, and layers x heads x size of a head, twice for scores and values.
    [("llama-2-7b", 6_607_077_376, 2 * 32 * 4096), ("llama-3-8b", 7_504_658_432, 2 * 32 * 4096)],
)
def test_a_decoded_token_takes_its_weights_and_the_context(name, weights, attention):
    for context, batch in [(1, 1), (256, 1), (2048, 7)]:
        work = workload(name, "decode", context=context, batch=batch)
        assert work.macs == batch * (weights + attention * context)


def test_shapes_of_a_prompt():
    gemms = by_name(workload(TINY, "prefill", tokens=5, batch=3))
    assert {name: shape(gemm) for name, gemm in gemms.items()} == {
        "q_proj": (15, 32, 24, 2),
        "k_proj": (15, 16, 24, 2),
        "v_proj": (15, 16, 24, 2),
        # Two heads of queries share keys; 3 sequences with 2 heads of keys in 2 layers.
        "qk": (10, 5, 8, 12),
        "av": (10, 8, 5, 12),
        "o_proj": (15, 24, 32, 2),
        "gate_proj": (15, 40, 24, 2),
        "up_proj": (15, 40, 24, 2),
        "down_proj": (15, 24, 40, 2),
        "lm_head": (3, 50, 24, 1),
    }


def test_attention_counts_what_each_head_does():
    """Every head of every sequence multiplies each query with each key, and sums up values."""
    layers, sequences, heads, tokens, size = 2, 3, 4, 5, 8
    macs = sum(size for _ in itertools.product(*map(range, (layers, sequences, heads, 5, tokens))))
    gemms = by_name(workload(TINY, "prefill", tokens=tokens, batch=sequences))
    assert gemms["qk"].macs == gemms["av"].macs == macs
    # The cache has keys once for both heads that share them.
    cached = layers * sequences * 2 * tokens * size
    for name in ("qk", "av"):
        assert gemms[name].stationary_elements * gemms[name].count == cached
    assert gemms["k_proj"].output_elements * gemms["k_proj"].count == cached
    assert (gemms["qk"].stationary, gemms["av"].stationary) == ("keys", "values")
    assert (gemms["k_proj"].result, gemms["v_proj"].result) == ("keys", "values")
    assert gemms["q_proj"].result == "activations"
    # What scores give is what values take.
    assert gemms["qk"].output_elements == gemms["av"].input_elements


def test_the_head_sees_the_last_tokens_or_all():
    last = by_name(workload(TINY, "prefill", tokens=5, batch=3))
    every = by_name(workload(TINY, "prefill", tokens=5, batch=3, lm_head="all"))
    assert shape(last.pop("lm_head")) == (3, 50, 24, 1)
    assert shape(every.pop("lm_head")) == (15, 50, 24, 1)
    assert last == every


def test_shapes_of_one_decoded_token():
    gemms = by_name(workload(TINY, "decode", context=9, batch=3))
    assert shape(gemms["q_proj"]) == (3, 32, 24, 2)
    assert shape(gemms["qk"]) == (2, 9, 8, 12)
    assert shape(gemms["av"]) == (2, 8, 9, 12)
    assert shape(gemms["lm_head"]) == (3, 50, 24, 1)


@pytest.mark.parametrize("name", ["tiny", "mixtral-8x7b", "phi-2"])
def test_decoded_tokens_are_the_sum_of_each_at_its_context(name):
    model = TINY if name == "tiny" else load_model(name)
    work = workload(model, "decode", context=9, tokens=4, batch=3)
    assert work.items == 12
    each = [workload(model, "decode", context=9 + step, batch=3) for step in range(4)]
    assert counts(work) == sum((counts(one) for one in each), Counter())
    assert work.macs == sum(one.macs for one in each) > 4 * each[0].macs


def counts(work):
    """Return how often each product of each shape is there."""
    found = Counter()
    for gemm in work.gemms:
        found[gemm.name, gemm.group, gemm.m, gemm.n, gemm.k, gemm.stationary] += gemm.count
    return found


def test_a_prompt_is_the_sum_of_decoded_tokens_but_for_the_mask():
    prompt = by_name(workload(TINY, "prefill", tokens=8, batch=3, lm_head="all"))
    tokens = workload(TINY, "decode", context=1, tokens=8, batch=3)
    for gemm in tokens.gemms:
        name = gemm.name.removeprefix("layers.*.")
        if gemm.stationary == "weights":
            assert prompt[name].macs == gemm.macs
    scores = sum(gemm.macs for gemm in tokens.gemms if gemm.group == "attention_scores")
    # The square has 64 scores, and 36 are not masked.
    assert prompt["qk"].macs * 36 == scores * 64


@pytest.mark.parametrize("experts", range(1, 10))
def test_experts_are_dealt_out_evenly(experts):
    for tokens in range(1, 30):
        for chosen in range(1, experts + 1):
            rows = Counter(place % experts for place in range(tokens * chosen))
            assert Counter(dict(dealt(tokens, chosen, experts))) == Counter(rows.values())


@pytest.mark.parametrize(
    ("tokens", "batch", "shapes"),
    [(256, 1, [(64, 8)]), (1, 1, [(1, 2)]), (5, 1, [(2, 2), (1, 6)]), (1, 3, [(1, 6)])],
)
def test_only_experts_at_work_are_there(tokens, batch, shapes):
    work = workload("mixtral-8x7b", "prefill", tokens=tokens, batch=batch)
    gates = [gemm for gemm in work.gemms if gemm.name.endswith("experts.gate_proj")]
    assert [(gemm.m, gemm.count // 32) for gemm in gates] == shapes
    router = by_name(work)["router"]
    assert shape(router) == (tokens * batch, 8, 4096, 32)
    experts = sum(gemm.macs for gemm in work.gemms if gemm.group == "experts")
    assert experts == 32 * tokens * batch * 2 * 3 * 4096 * 14336


def test_an_image_says_how_many_tokens_there_are():
    gemms = by_name(workload("vit-base-patch16-224", "forward", batch=2))
    assert shape(gemms["patch_embedding"]) == (2 * 196, 768, 3 * 256, 1)
    assert gemms["patch_embedding"].input_elements == 2 * 3 * 224 * 224
    assert shape(gemms["q_proj"]) == (2 * 197, 768, 768, 12)
    assert shape(gemms["qk"]) == (197, 197, 64, 12 * 2 * 12)
    assert shape(gemms["classifier"]) == (2, 1000, 768, 1)


def test_an_encoder_ends_in_its_pooler():
    work = workload("all-minilm-l6-v2", "forward", tokens=32, batch=2)
    assert shape(work.gemms[-1]) == (2, 384, 384, 1)
    assert work.gemms[-1].name == "pooler"
    assert (work.tokens, work.items) == (32, 64)


def test_images_count_and_not_their_pixels():
    work = workload("resnet-50", "forward", batch=4)
    assert (work.tokens, work.items) == (None, 4)
    assert work.macs == 4 * workload("resnet-50", "forward").macs


@pytest.mark.parametrize(
    ("kernel", "stride", "padding", "groups"),
    [
        (1, 1, 0, 1), (3, 1, 1, 1), (3, 2, 1, 2), (7, 2, 3, 1), (1, 2, 0, 4), (3, 4, 0, 4),
        (2, 3, 1, 1),
    ],
)  # fmt: skip
def test_convolutions_multiply_what_their_kernels_meet(kernel, stride, padding, groups):
    height, width, inputs, outputs, batch = 11, 9, 4, 8, 3
    made = convolution(
        Convolution(
            name="c", in_channels=inputs, out_channels=outputs, kernel_size=kernel, stride=stride,
            padding=padding, groups=groups, height=height, width=width,
        ),
        batch,
    )  # fmt: skip
    positions, met = 0, set()
    top = range(0, height + 2 * padding - kernel + 1, stride)
    left = range(0, width + 2 * padding - kernel + 1, stride)
    for row, column in itertools.product(top, left):
        positions += 1
        for down, right in itertools.product(range(kernel), range(kernel)):
            place = (row + down - padding, column + right - padding)
            if 0 <= place[0] < height and 0 <= place[1] < width:
                met.add(place)
    assert made.macs == batch * positions * outputs * (inputs // groups) * kernel**2
    assert made.count == groups
    assert made.input_elements * groups == batch * inputs * len(met)
    assert made.stationary_elements * groups == outputs * (inputs // groups) * kernel**2
    assert made.output_elements * groups == batch * outputs * positions


def test_depthwise_is_a_product_for_every_channel():
    conv = Convolution(
        name="c", in_channels=32, out_channels=32, kernel_size=3, padding=1, groups=32,
        height=14, width=14,
    )  # fmt: skip
    assert shape(convolution(conv)) == (196, 1, 9, 32)


def phases(name):
    if not getattr(load_model(name), "causal", False):
        text = name in ("bert-base", "all-minilm-l6-v2")
        return [workload(name, "forward", tokens=7 if text else None, batch=3)]
    return [
        workload(name, "prefill", tokens=7, batch=3),
        workload(name, "decode", context=7, tokens=2, batch=3),
    ]


@pytest.mark.parametrize("name", model_names())
def test_every_product_is_whole(name):
    for work in phases(name):
        assert work.macs == sum(gemm.m * gemm.n * gemm.k * gemm.count for gemm in work.gemms)
        for gemm in work.gemms:
            assert gemm.group in GROUPS
            # More than are multiplied cannot be read.
            assert 0 < gemm.input_elements <= gemm.m * gemm.k
            if gemm.layers:
                assert gemm.count % len(gemm.layers) == 0
                assert len(set(gemm.names)) == len(gemm.layers)
            else:
                assert gemm.names == (gemm.name,)


def test_products_of_some_layers():
    gemm = by_name(workload(TINY, "prefill", tokens=5, batch=3))["qk"]
    assert gemm.names == ("layers.0.qk", "layers.1.qk")
    last = gemm.in_layers([1])
    assert (last.names, last.count) == (("layers.1.qk",), 6)
    assert shape(gemm)[:3] == shape(last)[:3]


def test_activations_of_a_product_are_its_rows_unless_it_says_otherwise():
    assert Gemm(name="a", group="mlp", m=3, n=4, k=5).input_elements == 15
    assert Gemm(name="a", group="mlp", m=3, n=4, k=5, input_elements=9).input_elements == 9


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("llama-2-7b", "forward"), "unknown phase of llama-2-7b 'forward'; known: prefill, dec"),
        (("llama-2-7b", "prefil"), "did you mean 'prefill'"),
        (("bert-base", "decode"), "unknown phase of bert-base 'decode'; known: forward"),
        (("llama-2-7b", "prefill"), "tokens=None: prefill needs tokens, a whole number"),
        (("llama-2-7b", "prefill", {"tokens": 0}), "tokens=0: allowed"),
        (("llama-2-7b", "prefill", {"tokens": 2.5}), r"tokens=2\.5: allowed"),
        (("llama-2-7b", "prefill", {"tokens": 5000}), "tokens=5000: .*_position_embeddings=4096"),
        (("llama-2-7b", "prefill", {"tokens": 5, "context": 9}), "context=9: allowed in decode"),
        (("llama-2-7b", "prefill", {"tokens": 5, "batch": 0}), "batch=0: allowed"),
        (("llama-2-7b", "prefill", {"tokens": 5, "lm_head": "first"}), "unknown lm_head 'first'"),
        (("llama-2-7b", "decode"), "context=None: decode needs context, a whole number"),
        (("llama-2-7b", "decode", {"context": 9, "lm_head": "all"}), "lm_head='all': allowed in"),
        (
            ("llama-2-7b", "decode", {"context": 4096, "tokens": 2}),
            r"context \+ tokens - 1=4097: llama-2-7b has max_position_embeddings=4096",
        ),
        (("llama-2-7b", "prefill", {"tokens": 4096, "batch": 1 << 30}), "multiplications"),
        (("resnet-50", "forward", {"tokens": 3}), "tokens=3: the images of resnet-50 say"),
        (("vit-base-patch16-224", "forward", {"tokens": 3}), "tokens=3: the images of vit-base"),
        (("bert-base", "forward", {"tokens": 513}), "max_position_embeddings=512"),
        (("no-model", "forward"), "no such file or model"),
    ],
)
def test_what_cannot_be_is_refused(arguments, message):
    *names, options = arguments if isinstance(arguments[-1], dict) else (*arguments, {})
    with pytest.raises(InputError, match=message):
        workload(*names, **options)


def test_attention_beyond_a_window_is_refused():
    model = Transformer(**{**vars(TINY), "sliding_window": 16})
    workload(model, "prefill", tokens=16)
    workload(model, "decode", context=15, tokens=2)
    with pytest.raises(InputError, match=r"tokens=17: tiny has sliding_window=16, .* not modelled"):
        workload(model, "prefill", tokens=17)
    with pytest.raises(InputError, match="sliding_window=16"):
        workload(model, "decode", context=16, tokens=2)
