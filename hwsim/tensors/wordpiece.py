"""WordPiece, the tokeniser of BERT, for ASCII text.

For ASCII WordPiece needs no Unicode tables: lower-casing (unless the model is cased), splitting
off punctuation and taking the longest piece that the vocabulary has is the whole of it, and no
tokeniser library is needed.

The vocabulary is ``vocab.txt``, one token a line, or in ``tokenizer.json``, which newer folders
have alone. Whether text is lower-cased says ``tokenizer_config.json``, else ``tokenizer.json``;
where neither does, it is.

Source: Wu et al., Google's neural machine translation system, 2016, section 4.1.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hwsim.errors import InputError
from hwsim.files import read_json, reason

VOCABULARY, TOKENIZER, OPTIONS = "vocab.txt", "tokenizer.json", "tokenizer_config.json"
_SPECIAL = ("[CLS]", "[SEP]", "[UNK]")
#: A longer word is unknown as a whole.
MAX_WORD = 100


@dataclass(frozen=True)
class WordPiece:
    """The vocabulary of a model folder, and whether text is lower-cased before.

    Raises
    ------
    InputError
        If a special token has no number.
    """

    path: Path
    vocabulary: Mapping[str, int]
    lower_case: bool = True

    def __post_init__(self) -> None:
        for token in _SPECIAL:
            if token not in self.vocabulary:
                raise InputError(f"{self.path}: the token {token} is missing")


def word_pieces(text: str, vocabulary: Mapping[str, int], *, lower_case: bool = True) -> list[int]:
    """Return the token numbers of ASCII text, between ``[CLS]`` and ``[SEP]``.

    A word that cannot be made of pieces is one ``[UNK]``.

    Raises
    ------
    InputError
        For text that is not ASCII.
    """
    if not text.isascii():
        raise InputError("the text to tokenise must be ASCII")
    tokens = [vocabulary["[CLS]"]]
    for word in re.findall(r"[A-Za-z0-9]+|[^A-Za-z0-9\s]", text.lower() if lower_case else text):
        pieces, start = [], 0
        while start < len(word):
            prefix = "##" if start else ""
            ends = range(len(word), start, -1) if len(word) <= MAX_WORD else ()
            end = next((e for e in ends if prefix + word[start:e] in vocabulary), None)
            if end is None:
                pieces = [vocabulary["[UNK]"]]
                break
            pieces.append(vocabulary[prefix + word[start:end]])
            start = end
        tokens += pieces
    return [*tokens, vocabulary["[SEP]"]]


def tokeniser_files(folder: Path) -> list[Path]:
    """Return the files of a model folder that the tokeniser is made from."""
    present = [path for name in (TOKENIZER, OPTIONS) if (path := folder / name).is_file()]
    vocabulary = folder / VOCABULARY
    return (
        present
        if folder / TOKENIZER in present and not vocabulary.is_file()
        else [vocabulary, *present]
    )


def read_tokeniser(folder: Path) -> WordPiece:
    """Read the tokeniser of a model folder.

    Raises
    ------
    InputError
        Naming the file: one that is missing or cannot be read, or a tokeniser of another kind.
    """
    files = tokeniser_files(folder)
    described = read_json(folder / TOKENIZER) if folder / TOKENIZER in files else {}
    options = read_json(folder / OPTIONS) if folder / OPTIONS in files else {}
    lower_case = options.get("do_lower_case")
    if lower_case is None:
        lower_case = _lower_case(folder / TOKENIZER, described)
    if not isinstance(lower_case, bool):
        raise InputError(
            f"{folder / OPTIONS}: do_lower_case must be true or false, not {lower_case!r}"
        )
    if files[0].name == VOCABULARY:
        return WordPiece(files[0], _read_lines(files[0]), lower_case)
    return WordPiece(files[0], _vocabulary(files[0], described), lower_case)


def _lower_case(path: Path, described: Mapping[str, Any]) -> object:
    """Return what the normaliser in ``tokenizer.json`` does; True without that file."""
    if not described:
        return True
    normaliser = described.get("normalizer") or {"type": "BertNormalizer", "lowercase": False}
    _expect(path, "normalizer", normaliser, {"type": "BertNormalizer"})
    return normaliser.get("lowercase", True)


def _vocabulary(path: Path, described: Mapping[str, Any]) -> dict[str, int]:
    """Return the vocabulary in ``tokenizer.json``, which must be WordPiece as BERT has it."""
    model = described.get("model")
    allowed = {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##"}
    _expect(path, "model", model, allowed)
    if described.get("pre_tokenizer") is not None:
        _expect(path, "pre_tokenizer", described["pre_tokenizer"], {"type": "BertPreTokenizer"})
    vocabulary = model.get("vocab") if isinstance(model, dict) else None
    if not isinstance(vocabulary, dict) or any(
        type(number) is not int or number < 0 for number in vocabulary.values()
    ):
        raise InputError(f"{path}: model.vocab must have a number for every token")
    return vocabulary


def _expect(path: Path, key: str, value: object, allowed: Mapping[str, str]) -> None:
    """Refuse an object one of whose fields is there and is not as BERT has it."""
    if not isinstance(value, dict):
        raise InputError(f"{path}: {key} must be an object, not {value!r}")
    for field, expected in allowed.items():
        if value.get(field, expected) != expected:
            raise InputError(f"{path}: {key}.{field} must be {expected!r}, not {value[field]!r}")


def _read_lines(path: Path) -> dict[str, int]:
    try:
        lines = path.read_text("utf-8").split("\n")
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read: {reason(error)}") from None
    return {line: number for number, line in enumerate(lines)}
