"""Names of units: Verilog identifiers and file names, unequal for unequal units.

A name is the family and every parameter that is not the default, with ``_`` for all that is no
letter and no digit: ``integer_lanes_4_weight_int4_activation_int8``. Where that could be the name
of another unit too (signs and decimal points are lost), or where it is long, it is cut short and
ends in a hash of the exact parameters. A name has at most two ``_`` in a row and no capitals.
"""

import json
import re
from collections.abc import Mapping
from enum import StrEnum
from hashlib import sha256
from typing import Any

from hwsim.errors import InputError
from hwsim.formats import parse_scalar
from hwsim.formats.base import Format
from hwsim.formats.block import BlockFormat

#: Longest name. File systems take 255 bytes for a name with its suffix.
MAX_NAME = 160
_DIGITS = 12
_HASHED = re.compile(rf"_x[0-9a-f]{{{_DIGITS}}}")
#: What a name looks like; capitals would not be told apart by every file system.
_NAME = re.compile(r"[a-z][a-z0-9]*(?:__?[a-z0-9]+)*")
_WORD = re.compile(r"[a-z0-9_]+")
_LIST = re.compile(r"[a-z0-9]+(?:,[a-z0-9]+)*")
#: Names of families. No list, with commas for the underlines, is a value where one of them is.
_FAMILY = re.compile(r"[a-z][a-z0-9]*(?:_[a-z0-9]+)+")
#: Format names in which nothing but signs can be lost. repr(1e-16) and repr(1e16) differ in a sign.
_READABLE = re.compile(r"(?:[a-z0-9_.,()=]|(?<!e)-)+")


def plain(value: Any) -> int | str | None:
    """Return a parameter's value as text or a number, as :func:`hwsim.units.make` reads it."""
    if isinstance(value, Format | BlockFormat):
        return value.name
    return str(value) if isinstance(value, StrEnum) else value


def unit_name(family: str, parameters: Mapping[str, Any]) -> str:
    """Return the name of the unit of ``family`` that has ``parameters``, all others the default."""
    words = "_".join([family, *(f"{key}_{plain(value)}" for key, value in parameters.items())])
    name = re.sub(r"\W+", "_", words, flags=re.ASCII).strip("_")
    unique = all(map(_is_unique, parameters.values())) and not _HASHED.search(name)
    if unique and len(name) <= MAX_NAME and _NAME.fullmatch(name):
        return name
    exact = [family, [[key, _exact(value)] for key, value in parameters.items()]]
    digest = sha256(json.dumps(exact).encode()).hexdigest()[:_DIGITS]
    legal = re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")
    stem = legal if legal[:1].isalpha() else f"unit_{legal}"
    return f"{stem[: MAX_NAME - _DIGITS - 2].rstrip('_')}_x{digest}"


def _is_unique(value: Any) -> bool:
    """Whether no other value of the parameter has the same letters and digits."""
    match value:
        case Format():
            return _is_unique_format(value)
        case StrEnum() | BlockFormat():
            return _WORD.fullmatch(str(value)) is not None
        case str():
            fmt = _named(value)
            if fmt is not None:
                return _is_unique_format(fmt)
            known = _LIST.fullmatch(value) or _FAMILY.fullmatch(value)
            return known is not None and _named(value.replace(",", "_")) is None
        case _:
            return isinstance(value, int) and value >= 0


def _is_unique_format(fmt: Format) -> bool:
    """Whether a format is one of this package's, and no other differs in the signs alone."""
    name = fmt.name
    if _named(name) != fmt or not _READABLE.fullmatch(name):
        return False
    if "-" not in name:
        return True
    # A codebook is in ascending order: it begins with its negative values.
    head, *numbers = re.split(r"(?<=[(,])(?=[0-9])", name.replace("-", ""))
    others = [
        "".join([head, *("-" * (k < negative) + number for k, number in enumerate(numbers))])
        for negative in range(len(numbers) + 1)
    ]
    return all(other == name or _named(other) is None for other in others)


def _named(name: str) -> Format | None:
    """Return the format that has this very name, or None."""
    try:
        fmt = parse_scalar(name)
    except InputError:
        return None
    return fmt if fmt.name == name else None


def _exact(value: Any) -> Any:
    """Return what tells a value from all others."""
    if isinstance(value, Format) and _named(value.name) != value:
        return f"{type(value).__module__}.{value!r}"
    return plain(value)
