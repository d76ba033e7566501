"""What a unit's hardware depends on, as texts that make a key of the cache without elaborating it.

These are the unit's class and all its parameters, the source of what builds it, and the versions of
Python and of the packages that have a part in it. They are complete for hwsim's own families and
formats alone: what others' code reads (files, other packages, variables of a class that a function
has made) is not known, so their units are told apart by their RTLIL. So is every unit where a
source was changed after hwsim was imported, for then what runs may not be what the files say.
"""

import hashlib
import platform
import sys
from collections.abc import Iterator
from dataclasses import dataclass, fields, is_dataclass
from enum import Enum
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import hwsim
from hwsim.errors import HwsimError
from hwsim.units import UnitSpec
from hwsim.units.array import OWN, ArrayUnit

_ROOT = Path(hwsim.__file__).parent.parent
#: What builds a unit, relative to ``_ROOT``.
_BUILDING = (
    "hwsim/*.py",
    "hwsim/formats/**/*",
    "hwsim/units/**/*",
    "rtl/**/*",
    "cost_models/netlist.py",
    "cost_models/enables.py",
    "cost_models/unit_key.py",
)
#: What counts its toggles, beside that.
_COUNTING = (
    "cost_models/activity.py",
    "cost_models/element.py",
    "cost_models/estimate.py",
    "cost_models/loops.py",
    "cost_models/network.py",
    "cost_models/operands.py",
)
#: Packages that have a part in it; golden models fill tables by NumPy.
_PACKAGES = ("amaranth", "numpy", "pyosys")
#: Modules whose classes are complete by their fields.
_OWN = ("hwsim.formats.", "hwsim.units.")

_State = tuple[str, int, int, int]


class _ForeignError(HwsimError):
    """A value whose class is not hwsim's."""


@dataclass(frozen=True)
class Sources:
    """The source files of a process: their states and the SHA-256 of their contents."""

    states: tuple[_State, ...]
    digest: str


def unit_key(unit: UnitSpec, counting: bool = False) -> tuple[str, ...] | None:
    """Return texts that are the same for the same hardware alone, or None if that is not sure.

    With ``counting``, they are the same for the same toggles by the same operands.
    """
    found = sources(_BUILDING + _COUNTING if counting else _BUILDING)
    generator = unit.generator
    if _changed(found.states) or not isinstance(generator, str):
        return None
    if generator.partition(":")[0].partition(".")[0] != "rtl":
        return None
    try:
        return (exact(unit), generator, found.digest, *versions())
    except _ForeignError:
        return None


def exact(value: Any) -> str:
    """Return a value of hwsim as text with the classes and fields of all that it is made of.

    Raises _ForeignError for a value of a class of others.
    """
    kind = type(value)
    if value is None or kind in (bool, int, float, str):
        return repr(value)
    if kind is tuple:
        return f"({', '.join(map(exact, value))})"
    name = f"{kind.__module__}.{kind.__qualname__}"
    if isinstance(value, ArrayUnit):
        return _array(value)
    own = getattr(sys.modules.get(kind.__module__), kind.__qualname__, None) is kind
    if own and kind.__module__.startswith(_OWN):
        if isinstance(value, Enum):
            return f"{name}.{value.name}"
        if is_dataclass(kind):
            values = (f"{f.name}={exact(getattr(value, f.name))}" for f in fields(kind))
            return f"{name}({', '.join(values)})"
    raise _ForeignError(name)


def _array(value: ArrayUnit) -> str:
    """Return an array as text: its class is made for its elements, and follows from them."""
    given = {field.name: getattr(value, field.name) for field in fields(value)}
    if ArrayUnit.chosen(given) is not type(value):
        raise _ForeignError(type(value).__qualname__)
    own = (f"{key}={exact(getattr(value, key))}" for key in OWN)
    return f"{ArrayUnit.family}({', '.join(own)}, {exact(value.processing_element)})"


@cache
def sources(patterns: tuple[str, ...] = _BUILDING) -> Sources:
    """Return source files as they are when they are first asked for."""
    paths = list(_files(patterns))
    states = tuple(map(_state, paths))
    state = hashlib.sha256()
    for path in paths:
        content = path.read_bytes()
        state.update(f"{path.relative_to(_ROOT).as_posix()} {len(content)}\n".encode())
        state.update(content)
    return Sources(states, state.hexdigest())


@cache
def versions() -> tuple[str, ...]:
    """Return the versions of Python and of the packages that have a part in a netlist."""
    return (platform.python_version(), *(f"{name} {version(name)}" for name in _PACKAGES))


def _files(patterns: tuple[str, ...]) -> Iterator[Path]:
    for pattern in patterns:
        for path in sorted(_ROOT.glob(pattern)):
            if path.is_file() and "__pycache__" not in path.parts:
                yield path


def _state(path: Path) -> _State:
    # The time of the last change of the inode is that of a file put in its place, too.
    found = path.stat()
    return str(path), found.st_size, found.st_mtime_ns, found.st_ctime_ns


def _changed(states: tuple[_State, ...]) -> bool:
    """Whether a file is newer than this process's import of hwsim, or not as it was."""
    newest = max(max(mtime, ctime) for _, _, mtime, ctime in states)
    if newest >= hwsim.IMPORTED_NS:
        return True
    try:
        return tuple(_state(Path(path)) for path, *_ in states) != states
    except OSError:
        return True
