"""A strict reader of YAML: every value is asked for by type, and every error has file and line.

The text is composed to nodes by the safe loader and never constructed into objects, so each value
still knows its place. YAML 1.1 reads ``on`` as a boolean, ``1e3`` as text and ``010`` as 8; where
such a value meets another type, the error says so.
"""

import re
from collections.abc import Callable, Collection
from pathlib import Path
from typing import NoReturn, TypeVar

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from hwsim.errors import InputError, unknown

T = TypeVar("T")

_KINDS = {
    "str": "text",
    "int": "an integer",
    "float": "a number",
    "bool": "a boolean",
    "null": "nothing",
}


class Value:
    """One YAML value: where it stands, and what it reads as.

    Parameters
    ----------
    path
        The file, for messages.
    node
        What the loader composed.
    key
        The key or place of the value, for messages.
    """

    def __init__(self, path: Path, node: Node, key: str) -> None:
        self.path, self.node, self.key = path, node, key

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

    def mapping(self) -> dict[str, "Value"]:
        """Return the entries of a mapping; keys are text and stand once."""
        if not isinstance(self.node, MappingNode):
            self.fail(f"must be a mapping, not {self._kind()}")
        entries: dict[str, Value] = {}
        for key_node, value_node in self.node.value:
            name = Value(self.path, key_node, self.key).text()
            entry = Value(self.path, value_node, name)
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
        if not isinstance(self.node, SequenceNode):
            self.fail(f"must be a list [...], not {self._kind()}")
        if not self.node.value:
            self.fail("the list is empty")
        return [Value(self.path, item, self.key) for item in self.node.value]

    def text(self) -> str:
        """Return text."""
        kind, text = self._scalar("text")
        if kind != "str":
            self.fail(
                f"must be text, and YAML reads {text!r} as {self._kind()}; write {text!r} in quotes"
            )
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
        if kind != "int" or not re.fullmatch(r"-?(0|[1-9][0-9]*)", text):
            self.fail(f"must be an integer in plain decimal, not {text!r}{self._pitfall()}")
        return int(text)

    def number(self) -> float:
        """Return a finite number."""
        kind, text = self._scalar("a number")
        if kind not in ("int", "float") or not re.fullmatch(r"-?[0-9.]+([eE][-+][0-9]+)?", text):
            self.fail(f"must be a number, not {text!r}{self._pitfall()}")
        return float(text)

    def scalars(self) -> list["Value"]:
        """Return the items of a list, or the one value that stands in place of a list."""
        return self.sequence() if isinstance(self.node, SequenceNode) else [self]

    def _scalar(self, wanted: str) -> tuple[str, str]:
        if not isinstance(self.node, ScalarNode):
            self.fail(f"must be {wanted}, not {self._kind()}")
        return self.node.tag.removeprefix("tag:yaml.org,2002:"), self.node.value

    def _kind(self) -> str:
        match self.node:
            case MappingNode():
                return "a mapping"
            case SequenceNode():
                return "a list"
        tag = self.node.tag.removeprefix("tag:yaml.org,2002:")
        return _KINDS.get(tag, f"a {tag}")

    def _pitfall(self) -> str:
        kind, text = self._scalar("a scalar")
        if kind == "str" and re.fullmatch(r"-?[0-9.]+[eE][0-9]+", text):
            return " (text in YAML 1.1; write the number without an exponent)"
        return f" ({self._kind()} in YAML 1.1)" if kind in ("bool", "str") else ""


def load(path: Path) -> Value:
    """Return the document of a YAML file.

    Raises
    ------
    InputError
        If the file cannot be read, is not YAML (with file and line), or is empty.
    """
    try:
        node = yaml.compose(path.read_text("utf-8"), Loader=yaml.SafeLoader)
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read: {error}") from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        raise InputError(f"{path}:{line}: not YAML: {error.problem or error.context}") from None
    except yaml.YAMLError as error:
        raise InputError(f"{path}:1: not YAML: {error}") from None
    if node is None:
        raise InputError(f"{path}:1: the file is empty")
    return Value(path, node, "specification")
