"""Which source decides a result: the modules that compute it, and all that these import.

A result is kept under a hash that has the source of what computed it. That of everything would
throw away a day's points for an edited chart; so imports are followed from the modules of a
computation, of a unit, its generator and its formats, also those inside functions. What is loaded
by a name in a text, as families and generators are, is given as a start by who has the object.

A module counts by its syntax tree without docstrings: comments and layout decide nothing. A test
runs computations under a tracer and compares the modules that were in them with those found here.
"""

import ast
import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import fields, is_dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

import hwsim
from hwsim.registration import OWN_PACKAGES
from hwsim.units import UnitSpec

_ROOT = Path(hwsim.__file__).parent.parent
#: Modules that only say what went wrong or how far it is, and the package that runs everything.
_TELLING = frozenset({"hwsim.errors", "hwsim.progress", "hwsim.tables", "sweeps"})


def digest(modules: Iterable[str]) -> str:
    """Return the SHA-256 of modules and of all that they import, as hexadecimal text."""
    return _digest(frozenset(modules))


@lru_cache(maxsize=1024)
def _digest(modules: frozenset[str]) -> str:
    state = hashlib.sha256()
    for name in sorted(closure(name for name in modules if _file(name) is not None)):
        state.update(f"{name} {_module(name)[0]}\n".encode())
    return state.hexdigest()


def closure(modules: Iterable[str]) -> set[str]:
    """Return modules with their packages and all of hwsim's that they import, of these too."""
    found: set[str] = set()
    waiting = [*modules]
    while waiting:
        name = waiting.pop()
        if name and name not in found and name not in _TELLING:
            found.add(name)
            waiting += [*_module(name)[1], name.rpartition(".")[0]]
    return found


@cache
def of_class(cls: type) -> frozenset[str]:
    """Return hwsim's modules that a class and its bases are of."""
    return frozenset(base.__module__ for base in cls.__mro__ if _is_own(base.__module__))


def of_unit(unit: UnitSpec) -> frozenset[str]:
    """Return the modules that a unit, its generator, its parts and its formats are of."""
    found: set[str] = set()
    for one in (unit, getattr(unit, "processing_element", unit)):
        found |= _of_value(one)
        found |= _of_value(one.result)
        for part in (*one.parts, *one.metadata):
            found |= _of_value(part)
        if isinstance(one.generator, str):
            found.add(one.generator.partition(":")[0])
    return frozenset(filter(_is_own, found))


def of_format(fmt: Any) -> frozenset[str]:
    """Return the modules that a format and its elements are of."""
    return frozenset(filter(_is_own, _of_value(fmt)))


@lru_cache(maxsize=1 << 16)
def _of_value(value: Any) -> frozenset[str]:
    """Return the modules of a value's class, and of all that it is made of."""
    cls: Any = type(value)
    found = set(of_class(cls))
    if is_dataclass(value):
        for field in fields(value):
            part = getattr(value, field.name)
            if part is not None and not isinstance(part, bool | int | float | str):
                for one in part if isinstance(part, tuple) else (part,):
                    found |= _of_value(one)
    for name in ("element", "scale"):
        part_class: Any = type(getattr(value, name, None))
        if _is_own(part_class.__module__):
            found |= of_class(part_class)
    return frozenset(found)


def _is_own(module: str) -> bool:
    return module.partition(".")[0] in OWN_PACKAGES


def _file(module: str) -> Path | None:
    place = _ROOT.joinpath(*module.split("."))
    for path in (place / "__init__.py", place.with_suffix(".py")):
        if path.is_file():
            return path
    return None


@cache
def _module(name: str) -> tuple[str, frozenset[str]]:
    """Return a hash of a module's syntax tree, and hwsim's modules that it imports."""
    path = _file(name)
    assert path is not None, name
    tree = ast.parse(path.read_bytes())
    found = frozenset(_known(imported) for imported in _imports(tree) if _is_own(imported))
    for node in ast.walk(tree):
        _drop_docstring(node)
    return hashlib.sha256(ast.dump(tree).encode()).hexdigest(), found


def _imports(tree: ast.AST) -> Iterator[str]:
    """Yield the names that a module imports, but for those of types alone."""
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            waiting += node.orelse
        else:
            waiting += ast.iter_child_nodes(node)


def _known(name: str) -> str:
    """Return the module that a name is, or is of."""
    while _file(name) is None:
        name = name.rpartition(".")[0]
    return name


def _drop_docstring(node: ast.AST) -> None:
    if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
        first = node.body[0] if node.body else None
        if (
            isinstance(first, ast.Expr)
            and isinstance(first.value, ast.Constant)
            and isinstance(first.value.value, str)
        ):
            del node.body[0]
