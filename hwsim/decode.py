"""A strict reader of YAML: every value is asked for by type, and every error has file and line.

The text is composed to nodes by the safe loader and never constructed into objects, so each value
still knows its place, and an alias costs nothing. YAML 1.1 reads ``on`` as a boolean, ``1e3`` as
text and ``010`` as 8; where such a value meets another type, the error says so.
"""

import math
import re
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from hwsim.errors import InputError, unknown

T = TypeVar("T")
#: Keys that lead to a value.
Keys = tuple[str, ...]

#: Bytes of the longest file that is read.
LIMIT = 1 << 20
#: Most levels of lists and mappings; a specification has four.
DEPTH = 20
#: Most values below a mapping that is taken apart.
LEAVES = 1000

_TAG = "tag:yaml.org,2002:"
_KINDS = {
    "str": "text",
    "int": "an integer",
    "float": "a number",
    "bool": "a boolean",
    "null": "nothing",
    "merge": "a merge key",
}
_INTEGER = r"-?(0|[1-9][0-9]*)"
_NUMBER = _INTEGER + r"(\.[0-9]*([eE][-+][0-9]+)?)?|-?\.[0-9]+([eE][-+][0-9]+)?"
#: Digits of the longest integer; nothing that is specified comes near.
_DIGITS = 9


class Value:
    """One YAML value: where it stands, and what it reads as.

    Parameters
    ----------
    node
        What the loader composed, which knows its file.
    key
        The key or place of the value, for messages.
    """

    def __init__(self, node: Node, key: str) -> None:
        self.node, self.key = node, key

    @property
    def path(self) -> Path:
        """The file that the value stands in."""
        return Path(self.node.start_mark.name)

    @property
    def place(self) -> str:
        """``file:line`` of the value."""
        return f"{self.path}:{self.node.start_mark.line + 1}"

    def fail(self, message: str) -> NoReturn:
        """Raise InputError with file, line and key."""
        raise InputError(f"{self.place}: {self.key}: {message}")

    def refine(self, convert: Callable[[], T]) -> T:
        """Return what ``convert`` makes; its InputError is raised with file, line and key."""
        try:
            return convert()
        except InputError as error:
            self.fail(str(error))

    @property
    def is_mapping(self) -> bool:
        """Whether it is a mapping."""
        return isinstance(self.node, MappingNode) and self._tag() == "map"

    @property
    def is_text(self) -> bool:
        """Whether it is text, as YAML reads it."""
        return isinstance(self.node, ScalarNode) and self._tag() == "str"

    def mapping(self) -> dict[str, "Value"]:
        """Return the entries of a mapping; keys are text and stand once."""
        if not self.is_mapping:
            self.fail(f"must be a mapping, not {self._kind()}")
        entries: dict[str, Value] = {}
        for key_node, value_node in self.node.value:
            key = Value(key_node, self.key)
            if key._tag() == "merge":
                key.fail("merge keys (<<) are not read; write the keys themselves")
            name = key.text()
            entry = Value(value_node, name)
            if name in entries:
                entry.fail(f"stands twice; the first is at {entries[name].place}")
            entries[name] = entry
        return entries

    def record(
        self, required: Collection[str] = (), optional: Collection[str] = ()
    ) -> dict[str, "Value"]:
        """Return the entries of a mapping that has these keys and no others."""
        entries, known = self.mapping(), [*required, *optional]
        for name, entry in entries.items():
            if name not in known:
                entry.fail(str(unknown("key", name, known)))
        for name in required:
            if name not in entries:
                self.fail(f"the key {name!r} is missing")
        return entries

    def sequence(self) -> list["Value"]:
        """Return the items of a list, at least one."""
        if not isinstance(self.node, SequenceNode) or self._tag() != "seq":
            self.fail(f"must be a list [...], not {self._kind()}")
        if not self.node.value:
            self.fail("the list is empty")
        return [Value(item, self.key) for item in self.node.value]

    def text(self) -> str:
        """Return text: printable, on one line, and not empty."""
        kind, text = self._scalar("text")
        if kind in ("null", "merge"):
            self.fail(f"must be text, not {self._kind()}")
        if kind != "str":
            self.fail(
                f"must be text, and YAML reads {text!r} as {self._kind()}; write {text!r} in quotes"
            )
        if not text.strip() or not text.isprintable():
            self.fail(f"must be printable text on one line, not {text!r}")
        return text

    def choice(self, kind: str, known: Collection[str]) -> str:
        """Return text that is one of the ``known`` names."""
        name = self.text()
        if name not in known:
            self.fail(str(unknown(kind, name, known)))
        return name

    def integer(self) -> int:
        """Return an integer in plain decimal."""
        kind, text = self._scalar("an integer")
        if kind != "int" or not re.fullmatch(_INTEGER, text, re.ASCII):
            self.fail(f"must be an integer in plain decimal, not {self._shown()}")
        if len(text) > _DIGITS:
            self.fail(f"must be an integer of at most {_DIGITS} digits, not one of {len(text)}")
        return int(text)

    def number(self, wanted: str = "a number") -> float:
        """Return a finite number; ``wanted`` is what the message of another value asks for."""
        kind, text = self._scalar(wanted)
        if kind not in ("int", "float") or not re.fullmatch(_NUMBER, text, re.ASCII):
            self.fail(f"must be {wanted}, not {self._shown()}")
        if not math.isfinite(float(text)):
            self.fail(f"must be a finite number, not {text}")
        return float(text)

    def boolean(self) -> bool:
        """Return ``true`` or ``false``."""
        kind, text = self._scalar("true or false")
        if kind != "bool" or text not in ("true", "false"):
            self.fail(f"must be true or false, not {text!r}")
        return text == "true"

    def existing_path(self) -> Path:
        """Return the path of a file or folder, which the text names relative to this file."""
        path = self.path.parent / self.text()
        try:
            path.stat()
        except OSError as error:
            self.fail(f"{path}: {error.strerror}")
        return path

    def leaves(self) -> "dict[Keys, Value]":
        """Return what stands below a mapping and is none, or empty, by the keys that lead to it.

        InputError for more than ``LEAVES``, as aliases may repeat what is there without end.
        """
        found: dict[Keys, Value] = {}
        waiting: list[tuple[Keys, Value]] = [((), self)]
        while waiting:
            keys, value = waiting.pop()
            below = value.mapping() if value.is_mapping or not keys else {}
            if not below:
                found[keys] = value
            waiting += [((*keys, key), entry) for key, entry in reversed(below.items())]
            if len(keys) > DEPTH or len(found) + len(waiting) > LEAVES:
                self.fail(f"has more than {LEAVES} values, or more than {DEPTH} levels")
        return found

    @property
    def written(self) -> str:
        """A scalar as it stands in the file; empty for what is none."""
        return str(self.node.value) if isinstance(self.node, ScalarNode) else ""

    def as_integer(self, text: str) -> "Value":
        """Return an integer, written as ``text``, that stands where this value does."""
        return Value(ScalarNode(f"{_TAG}int", text, self.node.start_mark), self.key)

    def scalars(self) -> list["Value"]:
        """Return the items of a list, or the one value that stands in place of a list."""
        return self.sequence() if isinstance(self.node, SequenceNode) else [self]

    def _scalar(self, wanted: str) -> tuple[str, str]:
        if not isinstance(self.node, ScalarNode):
            self.fail(f"must be {wanted}, not {self._kind()}")
        return self._tag(), self.node.value

    def _tag(self) -> str:
        return str(self.node.tag).removeprefix(_TAG)

    def _kind(self) -> str:
        tag = self._tag()
        if isinstance(self.node, MappingNode) and tag == "map":
            return "a mapping"
        if isinstance(self.node, SequenceNode) and tag == "seq":
            return "a list"
        return _KINDS.get(tag, f"a {tag}")

    def _shown(self) -> str:
        """What stands in place of a number, and how YAML reads it where that surprises."""
        kind, text = self._scalar("a scalar")
        if kind == "null":
            return "nothing"
        if kind == "str" and re.fullmatch(r"-?[0-9.]+[eE][0-9]+", text, re.ASCII):
            return f"{text!r} (text in YAML 1.1; write the number without an exponent)"
        if isinstance(self.node, ScalarNode) and self.node.style and kind == "str":
            return f"{text!r}, which is text in quotes"
        return f"{text!r}" + (f" ({self._kind()} in YAML 1.1)" if kind in ("bool", "str") else "")


def load(path: Path) -> Value:
    """Return the document of a YAML file.

    Raises
    ------
    InputError
        If the file cannot be read, is longer than ``LIMIT``, is not UTF-8, or is empty; with file
        and line if it is not YAML or deeper than ``DEPTH``.
    """
    text = _read(path)
    try:
        _check_depth(path, text)
        loader = yaml.SafeLoader(text)
        loader.name = str(path)
        node = loader.get_single_node()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        raise InputError(f"{path}:{line}: not YAML: {error.problem or error.context}") from None
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise InputError(
            f"{path}:{line}: not YAML: the character U+{error.character:04X} is not allowed"
        ) from None
    if node is None:
        raise InputError(f"{path}:1: the file is empty")
    return Value(node, "specification")


def joined(place: Value, leaves: Mapping[Keys, Value]) -> Value:
    """Return a mapping of the values in ``leaves``, which :meth:`Value.leaves` takes apart.

    Of a path and another one below it the later counts. The mapping stands where ``place`` does.
    """
    tree: dict[str, Any] = {}
    for path, leaf in leaves.items():
        below = tree
        for key in path[:-1]:
            if not isinstance(below.get(key), dict):
                below[key] = {}
            below = below[key]
        below[path[-1]] = leaf.node
    return Value(_mapping_node(tree, place.node), place.key)


def _mapping_node(tree: Mapping[str, Any], place: Node) -> MappingNode:
    pairs = []
    for key, below in tree.items():
        node = _mapping_node(below, _first(below)) if isinstance(below, dict) else below
        pairs.append((ScalarNode(f"{_TAG}str", key, node.start_mark), node))
    return MappingNode(f"{_TAG}map", pairs, place.start_mark)


def _first(tree: Mapping[str, Any]) -> Node:
    """Return the first node below a mapping."""
    below = next(iter(tree.values()))
    found: Node = _first(below) if isinstance(below, dict) else below
    return found


def _check_depth(path: Path, text: str) -> None:
    """Refuse what the loader, which calls itself for every level, could not compose."""
    depth = 0
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        if depth > DEPTH:
            line = event.start_mark.line + 1 if event.start_mark else 1
            raise InputError(f"{path}:{line}: lists and mappings in more than {DEPTH} levels")


def _read(path: Path) -> str:
    try:
        with path.open("rb") as file:
            raw = file.read(LIMIT + 1)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise InputError(f"{path}: cannot be read: {reason}") from None
    if len(raw) > LIMIT:
        raise InputError(f"{path}: is longer than the {LIMIT} bytes that are read")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise InputError(f"{path}: cannot be read: line {line} is not UTF-8") from None
