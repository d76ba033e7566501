"""Text as tokens: the rules of GGUF files for words, and windows."""

import numpy as np
import pytest
from gguf import GGUFWriter
from tokenizers import Tokenizer
from tokenizers.models import WordLevel

from hwsim.errors import InputError
from hwsim.networks.text import SAMPLE, folder_tokeniser, gguf_tokeniser, windows

#: Every byte as the character that stands for it, then what merges make of some.
BYTES = [chr(b) if 33 <= b <= 126 else chr(256 + b) for b in range(127)]
MERGES = [
    "1 2", "3 4", "12 34", "12 3", "Ġ 1", "i t", "it '", "' s", "Ġ it", "a b", ". Ċ", "Ċ Ċ", "Ġ Ġ",
]  # fmt: skip
TOKENS = [*BYTES, *(merge.replace(" ", "") for merge in MERGES), "xyx"]


def write(path, pre="smollm", model="gpt2", merges=MERGES):
    writer = GGUFWriter(path, "llama")
    writer.add_tokenizer_model(model)
    if pre:
        writer.add_tokenizer_pre(pre)
    writer.add_token_list(TOKENS)
    writer.add_token_merges(merges)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


@pytest.mark.parametrize(
    ("rule", "text", "expected"),
    [
        ("gpt-2", "1234", "1234"),
        ("smollm", "1234", "1|2|3|4"),
        ("llama-bpe", "1234", "123|4"),
        ("qwen2", "1234", "1|2|3|4"),
        ("gpt-2", "it's", "it|'s"),
        ("llama-bpe", "it's ab", "it|'s|Ġ|ab"),
        ("gpt-2", " 1", "Ġ1"),
        ("smollm", " 1", "Ġ|1"),
        ("llama-bpe", " 12", "Ġ|12"),
        ("gpt-2", "xyx", "x|y|x"),
        ("llama-bpe", "xyx", "xyx"),
        ("llama-bpe", "ab.\nab", "ab|.Ċ|ab"),
        ("gpt-2", "ab.\nab", "ab|.|Ċ|ab"),
        ("qwen2", "ab\n\nab", "ab|ĊĊ|ab"),
        ("", "1234", "1234"),
    ],
)
def test_rules_for_words(tmp_path, rule, text, expected):
    found = gguf_tokeniser(write(tmp_path / "m.gguf", rule))(text)
    assert "|".join(TOKENS[number] for number in found) == expected


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"pre": "deepseek-llm"}, "tokenizer.ggml.pre='deepseek-llm': allowed: gpt-2, smollm"),
        ({"model": "llama"}, "tokenizer.ggml.model='llama': allowed: gpt2"),
        ({"merges": ["1 x2"]}, "tokenizer.ggml.merges"),
        ({"merges": ["12"]}, "tokenizer.ggml.merges"),
    ],
)
def test_tokenisers_that_are_refused(tmp_path, changes, message):
    with pytest.raises(InputError, match=message):
        gguf_tokeniser(write(tmp_path / "m.gguf", **changes))


def test_a_folder_has_the_tokeniser_of_its_file(tmp_path):
    Tokenizer(WordLevel({"a": 3, "?": 1}, unk_token="?")).save(str(tmp_path / "tokenizer.json"))
    assert list(folder_tokeniser(tmp_path)("a")) == [3]
    (tmp_path / "tokenizer.json").write_text('{"model": 3}')
    with pytest.raises(InputError, match=r"tokenizer\.json: cannot be read"):
        folder_tokeniser(tmp_path)


def test_windows_are_cut_one_after_another():
    found = windows(lambda text: range(100), "any", 10, 4)
    assert [part.tolist() for part in found] == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]
    assert all(part.dtype == np.int64 for part in found)


@pytest.mark.parametrize(
    ("tokens", "window", "message"),
    [
        (101, 20, "the last window of 20 would have one token"),
        (100, 1, "window=1: allowed: whole numbers from 2"),
        (102, 20, "tokens=102: the text has 100"),
    ],
)
def test_windows_that_are_refused(tokens, window, message):
    with pytest.raises(InputError, match=message):
        windows(lambda text: range(100), "any", tokens, window)


def test_the_sample_is_long_enough():
    # A token is less than a word and a punctuation mark on average, in all vocabularies.
    assert len(SAMPLE.read_text("ascii").split()) > 1700
