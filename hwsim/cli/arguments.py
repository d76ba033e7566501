"""What commands share in reading their arguments: ``UNIT key=value...``."""

import argparse
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from hwsim.errors import InputError

if TYPE_CHECKING:
    from hwsim.units import UnitSpec

#: What a command's module adds its parser to.
Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"
#: Exit status where a check failed.
CHECK_FAILED = 1


def json_option(*parsers: argparse.ArgumentParser) -> None:
    """Let commands print JSON."""
    for parser in parsers:
        parser.add_argument("--json", action="store_true", help="print JSON")


def liberty_option(parser: argparse.ArgumentParser, purpose: str, required: bool = False) -> None:
    """Let a command take the files of a cell library, of which several may follow the option.

    Other words end the list, such as the units of ``--liberty FILE UNIT``.
    """
    parser.add_argument(
        "--liberty",
        action="append",
        type=Path,
        required=required,
        metavar="FILE",
        help=f"{purpose}; a library of several files: --liberty FILE FILE, or repeat the option",
    )
    parse = parser.parse_known_args

    def parse_known_args(words: Sequence[str], namespace: argparse.Namespace | None = None) -> Any:
        return parse(_one_file_each(words), namespace)

    parser.parse_known_args = parse_known_args  # type: ignore[assignment, method-assign]


def _one_file_each(words: Iterable[str]) -> list[str]:
    """Repeat ``--liberty`` before every file but the first that follows it."""
    result: list[str] = []
    inside = False
    for word in words:
        file = not word.startswith("-") and (".lib" in word or Path(word).is_file())
        first = bool(result) and result[-1] == "--liberty"
        inside = word == "--liberty" or first or (inside and file)
        if inside and file and not first:
            result.append("--liberty")
        result.append(word)
    return result


def key_values(parameters: Iterable[str]) -> dict[str, str]:
    """Return ``key=value`` words as a dictionary; other words and repeats are an InputError."""
    values: dict[str, str] = {}
    for item in parameters:
        key, equals, value = item.partition("=")
        if not equals:
            raise InputError(f"parameters are written key=value, not {item!r}")
        if key in values:
            raise InputError(f"the parameter {key!r} is given twice")
        values[key] = value
    return values


def make_unit(family: str, parameters: Iterable[str]) -> "UnitSpec":
    """Return the unit of a family with these ``key=value`` parameters."""
    from hwsim.units import make

    return make(family, **key_values(parameters))


def families(words: Sequence[str]) -> list[tuple[str, list[str]]]:
    """Group ``UNIT key=value... UNIT ...`` into families with their parameters."""
    from hwsim.units.registry import family

    groups: list[tuple[str, list[str]]] = []
    for word in words:
        if "=" not in word:
            family(word)  # Raises for an unknown one.
            groups.append((word, []))
        elif groups:
            groups[-1][1].append(word)
        else:
            raise InputError(f"name a unit before its parameter {word!r}")
    return groups
