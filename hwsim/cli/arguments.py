"""What commands share in reading their arguments: ``UNIT key=value...``, paths, refusals."""

import argparse
import shlex
import sys
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TypeAlias, TypeVar

from hwsim.cli.output import one_line
from hwsim.errors import InputError, check_known, suggestion
from hwsim.files import check_readable
from hwsim.numbers import positive, whole

if TYPE_CHECKING:
    from hwsim.units import UnitSpec

#: Exit status where a check failed, and for input that cannot be used.
CHECK_FAILED, BAD_INPUT = 1, 2

Parsed = TypeVar("Parsed")


class _Store(argparse.Action):
    """Keeps an argument's value, and refuses another one: the last would win without a word."""

    given = False

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Any,
        option_string: str | None = None,
    ) -> None:
        if self.given:
            raise argparse.ArgumentError(self, "given twice; allowed: once")
        self.given = True
        setattr(namespace, self.dest, values)


class Parser(argparse.ArgumentParser):
    """A parser whose errors are one line that says what is allowed, without the usage."""

    def __init__(self, *args: Any, **keywords: Any) -> None:
        super().__init__(*args, **keywords)
        for name in (None, "store"):
            self.register("action", name, _Store)

    def error(self, message: str) -> NoReturn:
        print(f"{self.prog}: {one_line(message)} (see {self.prog} --help)", file=sys.stderr)
        sys.exit(BAD_INPUT)

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        words = _one_file_each(sys.argv[1:] if args is None else args)
        # Here rather than in the parser of all commands, which does not know their options.
        options, unknown = super().parse_known_args(words, namespace)
        if unknown:
            known = list(self._option_string_actions)
            hint = suggestion(unknown[0].partition("=")[0], known) or ";"
            self.error(f"unknown argument {unknown[0]!r}{hint} known: {', '.join(known)}")
        return options, unknown

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        if action.choices is not None and value not in action.choices:
            known = [str(choice) for choice in action.choices]
            hint = suggestion(str(value), known) or ";"
            raise argparse.ArgumentError(
                action, f"unknown {value!r}{hint} allowed: {', '.join(known)}"
            )


#: Options that several files may follow, and what their names have.
_OF_FILES = {"--liberty": ".lib", "--verilog": ".v"}

#: What a command's module adds its parser to.
Commands: TypeAlias = "argparse._SubParsersAction[Parser]"


def checked(convert: Callable[[str], Parsed]) -> Callable[[str], Parsed]:
    """Return ``convert`` for argparse, which then prints the message of an InputError."""

    def converted(text: str) -> Parsed:
        try:
            return convert(text)
        except InputError as error:
            raise argparse.ArgumentTypeError(str(error)) from None

    return converted


def whole_number(option: str, lowest: int, highest: int | None = None) -> Callable[[str], int]:
    """Return what reads the whole number of an option."""
    return checked(lambda text: whole(option, text, lowest, highest))


def positive_number(option: str) -> Callable[[str], float]:
    """Return what reads the positive number of an option."""
    return checked(lambda text: positive(option, text))


def share(option: str) -> Callable[[str], float]:
    """Return what reads the share of an option, above 0 and at most 1."""

    def read(text: str) -> float:
        with suppress(InputError):
            if (number := positive(option, text)) <= 1:
                return number
        raise InputError(f"{option}={text!r}: allowed: above 0 and at most 1")

    return checked(read)


@checked
def output_path(text: str) -> Path:
    """Return the path of a file or folder to write."""
    if not text or "\0" in text:
        raise InputError(f"allowed: the path of a file or folder, not {text!r}")
    return Path(text)


@checked
def input_path(text: str) -> Path:
    """Return the path of a file or folder to read, which is no device."""
    path = output_path(text)
    check_readable(path)
    return path


def json_option(*parsers: argparse.ArgumentParser) -> None:
    """Let commands print JSON."""
    for parser in parsers:
        parser.add_argument("--json", action="store_true", help="print JSON")


def device_option(parser: argparse.ArgumentParser) -> None:
    """Let a command compute networks with torch."""
    parser.add_argument(
        "--device", metavar="cuda|cpu", help="compute with torch, which is an extra (hwsim[torch])"
    )


def liberty_option(parser: argparse.ArgumentParser, purpose: str, required: bool = False) -> None:
    """Let a command take the files of a cell library, of which several may follow the option.

    Other words end the list, such as the units of ``--liberty FILE UNIT``.
    """
    parser.add_argument(
        "--liberty",
        action="append",
        type=input_path,
        required=required,
        metavar="FILE",
        help=f"{purpose}; a library of several files: --liberty FILE FILE, or repeat the option",
    )


def operands_options(parser: argparse.ArgumentParser) -> None:
    """Let a command take what the energy of units is of; :func:`operand_source` reads it."""
    parser.add_argument(
        "--operands",
        default="normal",
        metavar="normal|random|quiet|FILE",
        help="what the energy is of; FILE has weights and activations (default: normal)",
    )
    parser.add_argument(
        "--match",
        metavar="GLOB",
        help="weights of the operands' FILE by name, such as '*.dense.weight' (default: all)",
    )
    parser.add_argument(
        "--group",
        type=whole_number("--group", 1),
        metavar="N",
        help="group size of the weights of FILE (default: 128)",
    )


def operand_source(options: argparse.Namespace) -> tuple[str, str, int]:
    """Return what the energy is of: a kind or a file, which weights of it, and their group size."""
    from cost_models.operands import KINDS
    from hwsim.units.layers import GROUP

    for option, value in (("--match", options.match), ("--group", options.group)):
        if value is not None and options.operands in KINDS:
            raise InputError(
                f"{option} {value}: goes with a file or package; --operands {options.operands} is "
                "none"
            )
    match = "*" if options.match is None else options.match
    return options.operands, match, options.group or GROUP


def verilog_option(parser: argparse.ArgumentParser) -> None:
    """Let a command take a unit's hardware from Verilog files."""
    parser.add_argument(
        "--verilog",
        action="append",
        type=input_path,
        metavar="FILE",
        help="hardware of the one unit that is named, in place of the generator's; several files: "
        "--verilog FILE FILE",
    )
    parser.add_argument(
        "--top", metavar="NAME", help="the module that is the unit (default: named as the unit)"
    )


def with_verilog(options: argparse.Namespace, units: "Sequence[UnitSpec]") -> "list[UnitSpec]":
    """Return the units, with the hardware that ``--verilog`` and ``--top`` say."""
    if not options.verilog:
        if options.top is not None:
            raise InputError("--top goes with --verilog")
        return [*units]
    if len(units) != 1:
        raise InputError(
            f"--verilog is the hardware of one unit, as UNIT key=value...; {len(units)} are given"
        )
    from rtl import verilog

    return [verilog.with_verilog(units[0], options.verilog, options.top)]


def _one_file_each(words: Iterable[str]) -> list[str]:
    """Repeat an option of several files before every file but the first that follows it."""
    result: list[str] = []
    option = ""
    for word in words:
        first = bool(result) and result[-1] in _OF_FILES
        if word in _OF_FILES:
            option = word
        elif not first and option:
            file = not word.startswith("-") and (_OF_FILES[option] in word or _is_file(word))
            option = option if file else ""
            if file:
                result.append(option)
        result.append(word)
    return result


def _is_file(word: str) -> bool:
    try:
        return Path(word).is_file()
    except (OSError, ValueError):  # Too long for a name, or with a NUL.
        return False


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


def unit_of(words: Sequence[str]) -> "UnitSpec":
    """Return the unit of an option, ``--unit FAMILY key=value ...``."""
    text = " ".join(words)
    try:
        named = families(shlex.split(text))
    except ValueError as error:
        raise InputError(f"--unit {text}: {error}") from None
    if len(named) != 1:
        raise InputError(f"--unit {text}: allowed: one family with its key=value parameters")
    return make_unit(*named[0])


def families(words: Sequence[str]) -> list[tuple[str, list[str]]]:
    """Group ``UNIT key=value... UNIT ...`` into families with their parameters."""
    from hwsim.units import FAMILIES

    groups: list[tuple[str, list[str]]] = []
    for word in words:
        if "=" not in word:
            check_known("unit", word, FAMILIES)
            groups.append((word, []))
        elif groups:
            groups[-1][1].append(word)
        else:
            raise InputError(f"name a unit before its parameter {word!r}")
    return groups
