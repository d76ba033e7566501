"""What the parameters of a unit are, read from where they are documented: the docstrings.

A class documents its parameters in a section ``Parameters`` and refers to another class for those
it has in common with that one. Here the references are followed, so that a reader of a family
finds everything in one place.
"""

import inspect
import re
from dataclasses import MISSING, Field, dataclass
from enum import StrEnum
from functools import cache
from typing import Any, get_args

from hwsim.formats import Format
from hwsim.formats.fields import CHOICES
from hwsim.units.base import UnitSpec, parameter_fields
from hwsim.units.naming import plain
from hwsim.units.registry import FAMILIES
from hwsim.units.spelling import SAID, former

#: Types of parameters as a reader knows them.
_TYPES = {int: "whole number", str: "text", Format: "format"}

_SECTION = re.compile(r"^Parameters\n-+\n(.*?)(?=^\w[\w ]*\n-+\n|\Z)", re.MULTILINE | re.DOTALL)
_ENTRY = re.compile(r"^(\w[\w, ]*)\n((?:    .*\n|\n)*)", re.MULTILINE)
_ROLE = re.compile(r":\w+:`~?(?:[\w.]+\.)?(\w+)`")
_REFERENCE = re.compile(r"See :class:`~?(?:[\w.]+\.)?(\w+)`[.;]?\s*")


@dataclass(frozen=True)
class Parameter:
    """One parameter of a family.

    Attributes
    ----------
    name
        As in ``name=value``.
    type
        ``whole number``, ``format``, ``text`` or ``choice``.
    required
        Whether a unit must be given it.
    default
        As text or number; None where the unit chooses, or has none.
    choices
        The values of a choice.
    meaning
        What it does, and which values are legal.
    formerly
        What older versions called it; still understood.
    """

    name: str
    type: str
    required: bool
    default: int | str | None
    choices: tuple[str, ...]
    meaning: str
    formerly: tuple[str, ...]


def summary(name: str) -> str:
    """Return what the family ``name`` is, in a line; InputError for an unknown one."""
    return _plain_text((inspect.getdoc(FAMILIES[name]) or "").splitlines()[0])


def parameters(name: str) -> list[Parameter]:
    """Return the parameters of the family ``name``; InputError for an unknown one."""
    cls = FAMILIES[name]
    return [_parameter(cls, field) for field in parameter_fields(cls)]


def _parameter(cls: type[UnitSpec], field: "Field[Any]") -> Parameter:
    choices: tuple[str, ...] = ()
    kinds = _kinds(field)
    for kind in kinds:
        if issubclass(kind, StrEnum):
            choices = tuple(choice.value for choice in field.metadata.get(CHOICES, kind))
    required = field.default is MISSING
    return Parameter(
        name=field.name,
        type="choice" if choices else next(_TYPES[kind] for kind in kinds if kind in _TYPES),
        required=required,
        default=None if required else plain(field.default),
        choices=choices,
        meaning=_plain_text(_meaning(cls, field.name)),
        formerly=tuple(
            SAID.get(old, old) for old, new in former(cls.family).items() if new == field.name
        ),
    )


def _meaning(cls: type[UnitSpec], name: str) -> str:
    """Return what the nearest class says of a parameter, references to other classes followed."""
    for base in inspect.getmro(cls):
        text = _entries(base).get(name)
        if text is None:
            continue
        if found := _REFERENCE.match(text):
            target = _referenced()[found[1]]
            said = _meaning(target, name) if issubclass(target, UnitSpec) else _doc(target)
            return f"{said} {_capital(text[found.end() :])}".strip()
        return text
    return ""


def _entries(cls: type) -> dict[str, str]:
    """Return the text of each parameter that a class documents itself."""
    text = inspect.cleandoc(vars(cls).get("__doc__") or "")
    section = _SECTION.search(f"{text}\n")
    entries = {}
    for names, body in _ENTRY.findall(section[1] if section else ""):
        for name in names.split(", "):
            entries[name] = " ".join(body.split())
    return entries


@cache
def _referenced() -> dict[str, type]:
    """Return the classes that families are made of, and those of their choices, by name."""
    bases = [base for cls in FAMILIES.values() for base in inspect.getmro(cls)]
    units = [base for base in bases if issubclass(base, UnitSpec)]
    choices = [
        kind for cls in FAMILIES.values() for f in parameter_fields(cls) for kind in _kinds(f)
    ]
    return {cls.__name__: cls for cls in [*units, *choices]}


def _kinds(field: "Field[Any]") -> list[type]:
    """Return the types that the values of a parameter may have."""
    return [kind for kind in (field.type, *get_args(field.type)) if isinstance(kind, type)]


def _doc(cls: type) -> str:
    return " ".join(inspect.cleandoc(vars(cls).get("__doc__") or "").split())


def _plain_text(text: str) -> str:
    """Return text without reStructuredText's markup; classes of units as names of families."""
    names = {cls.__name__: name for name, cls in FAMILIES.items()}
    return _ROLE.sub(lambda found: names.get(found[1], found[1]), text).replace("``", "")


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
