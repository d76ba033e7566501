"""Text as tokens of a model, cut into windows.

Perplexity is of *windows*: as many tokens at a time as one says, each window a sequence of its own
whose first token is given and whose others are predicted, as the field's tables have it. Nothing is
added to the text: no token for its beginning or end.

The tokeniser is ``tokenizer.json`` of a model folder, or what a GGUF file has of a byte-level BPE:
vocabulary, merges, and the name of the rule that cuts text into words before.

Sources: Sennrich et al., BPE, 2016; Radford et al., GPT-2, 2019, for bytes; llama.cpp,
``llama-vocab.cpp``, for the rules.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from hwsim.errors import InputError
from hwsim.files import check_readable, reason
from hwsim.formats.base import Int64
from hwsim.networks import gguf_file

TOKENIZER = "tokenizer.json"
#: The text that is taken where none is named: the first chapter of Moby-Dick.
SAMPLE = Path(__file__).with_name("sample.txt")

#: Returns the numbers of a text's tokens.
Tokeniser = Callable[[str], Sequence[int]]

_DIGITS = r"\p{N}{1,3}", r"\p{N}"
#: How Llama 3 cuts text into words; Qwen 2 takes every digit alone.
_WORDS = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{{L}}\p{{N}}]?\p{{L}}+|{}"
    r"| ?[^\s\p{{L}}\p{{N}}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
#: Rules for words, ``tokenizer.ggml.pre`` of GGUF files.
WORD_RULES = ("gpt-2", "smollm", "llama-bpe", "qwen2")


def folder_tokeniser(folder: Path) -> Tokeniser:
    """Return the tokeniser of a model folder.

    Raises
    ------
    InputError
        If there is no ``tokenizer.json``, or it cannot be read.
    """
    from tokenizers import Tokenizer

    path = folder / TOKENIZER
    if not path.is_file():
        raise InputError(f"{path}: no such file, and text is made tokens by it")
    check_readable(path)
    try:
        return _encoder(Tokenizer.from_file(str(path)))
    except Exception as error:  # The library has no class of its own for what is wrong.
        raise InputError(f"{path}: cannot be read: {reason(error)}") from None


def gguf_tokeniser(path: Path) -> Tokeniser:
    """Return the tokeniser of a GGUF file.

    Raises
    ------
    InputError
        For a tokeniser of another kind than byte-level BPE, and rules for words that are not known.
    """
    from tokenizers import Tokenizer
    from tokenizers.models import BPE

    config = gguf_file.metadata(path)
    config.choice("tokenizer.ggml.model", ("gpt2",))
    rule = config.choice("tokenizer.ggml.pre", WORD_RULES, "gpt-2")
    tokens, merges = (config.values[f"tokenizer.ggml.{key}"] for key in ("tokens", "merges"))
    vocabulary = {token: number for number, token in enumerate(tokens)}
    pairs = [tuple(merge.split(" ")) for merge in merges]
    # Llama 3 looks for a whole word in the vocabulary before it merges.
    whole = {"ignore_merges": rule == "llama-bpe"}
    try:
        tokeniser = Tokenizer(BPE(vocabulary, pairs, **whole))
    except Exception as error:  # The library has no class of its own for what is wrong.
        raise InputError(f"{path}: tokenizer.ggml.merges: {reason(error)}") from None
    tokeniser.pre_tokenizer = _words(rule)
    return _encoder(tokeniser)


def _encoder(tokeniser: Any) -> Tokeniser:
    def encode(text: str) -> Sequence[int]:
        numbers: Sequence[int] = tokeniser.encode(text, add_special_tokens=False).ids
        return numbers

    return encode


def _words(rule: str) -> Any:
    """Return what cuts text into words, and words into characters that stand for bytes."""
    from tokenizers import Regex
    from tokenizers.pre_tokenizers import ByteLevel, Digits, Sequence, Split

    match rule:
        case "gpt-2":
            return ByteLevel(add_prefix_space=False)
        case "smollm":
            return Sequence([Digits(individual_digits=True), ByteLevel(add_prefix_space=False)])
    pattern = _WORDS.format(_DIGITS[rule == "qwen2"])
    split = Split(Regex(pattern), "isolated")
    return Sequence([split, ByteLevel(add_prefix_space=False, use_regex=False)])


def windows(
    tokeniser: Tokeniser, text: str, tokens: int, window: int, after: int = 0
) -> list[Int64]:
    """Return the first tokens of a text, or those ``after`` so many, in windows.

    The last window may be shorter.

    Raises
    ------
    InputError
        For a text of fewer tokens, windows of fewer than two, or a last one that predicts nothing.
    """
    if window < 2:
        raise InputError(f"window={window}: allowed: whole numbers from 2")
    if tokens % window == 1:
        raise InputError(
            f"tokens={tokens}: the last window of {window} would have one token and predict none"
        )
    found = np.asarray(tokeniser(text)[after : after + tokens], np.int64)
    if len(found) < tokens:
        first = f" after the first {after}" if after else ""
        raise InputError(f"tokens={tokens}: the text has {len(found)}{first}")
    return [found[first : first + window] for first in range(0, tokens, window)]
