"""What the fields of formats and units accept: one conversion, by the type of a dataclass's field.

A format or a unit is a key of caches and is compared with others, so its fields hold one
representation of every value: 4, never ``"4"`` or a NumPy integer. Constructors call
:func:`convert_fields` first; text is taken as a command line or a YAML file has it.
"""

import re
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import fields
from enum import StrEnum
from functools import cache
from types import NoneType
from typing import Any, get_args, get_origin, get_type_hints

import numpy as np

from hwsim.errors import InputError, unknown

_DECIMAL = re.compile(r"-?[0-9]+")
#: No integer of a format or a unit is anywhere near.
_INTEGER_BITS = 64
#: The key of a field's metadata under which it names those members of its enum that it takes.
CHOICES = "choices"
#: Characters of a refused value that a message shows.
_SHOWN = 80


class KeepsRepr:
    """Subclasses that are dataclasses keep the ``__repr__`` that they inherit."""

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        # The decorator of dataclasses leaves one that is there.
        setattr(cls, "__repr__", cls.__repr__)  # noqa: B010 - a method, to type checkers


class Named(KeepsRepr, ABC):
    """What fields take by its name, too."""

    @property
    @abstractmethod
    def name(self) -> str:
        """The name that :meth:`named` reads back."""

    def __repr__(self) -> str:
        """Return what makes it: its name where that is enough, else all its fields."""
        try:
            known = self.named(self.name) == self
        except InputError:
            known = False
        if known:
            return f"hwsim.parse({self.name!r})"
        values = vars(self).items()
        return f"{type(self).__qualname__}({', '.join(f'{k}={v!r}' for k, v in values)})"

    @classmethod
    @abstractmethod
    def named(cls, name: str) -> "Named":
        """Return what is called ``name``, of this class or a related one, or raise InputError."""


def convert_fields(instance: Any) -> None:
    """Replace the fields of a frozen dataclass by what their types make of them.

    Raises
    ------
    InputError
        For a value that a field does not accept; the message names the field.
    """
    cls: type = type(instance)
    for key, kinds in _kinds(cls).items():
        object.__setattr__(instance, key, convert(key, getattr(instance, key), kinds))
    for key, allowed in _choices(cls).items():
        value = getattr(instance, key)
        if value is not None and value not in allowed:
            raise unknown(key, str(value), allowed)


@cache
def _choices(cls: type) -> dict[str, tuple[StrEnum, ...]]:
    """Return the members that fields take which do not take all of their enum."""
    return {f.name: f.metadata[CHOICES] for f in fields(cls) if CHOICES in f.metadata}


@cache
def _kinds(cls: type) -> dict[str, tuple[Any, ...]]:
    """Return the types that every field may have."""
    types = {field.name: field.type for field in fields(cls)}
    if any(isinstance(kind, str) for kind in types.values()):
        hints = get_type_hints(cls)
        types = {key: hints[key] for key in types}
    # A union has its members as arguments, a tuple those of its elements.
    return {
        key: (kind,) if get_origin(kind) is tuple else get_args(kind) or (kind,)
        for key, kind in types.items()
    }


def convert(key: str, value: Any, kinds: tuple[Any, ...]) -> Any:
    """Return ``value`` as one of ``kinds``.

    Parameters
    ----------
    key
        The parameter that messages name.
    kinds
        One of ``int``, ``float``, ``bool``, ``str``, a ``StrEnum``, ``tuple[float, ...]``, or
        classes of formats; and ``NoneType`` where None is allowed. Values of other types pass as
        they are.

    Raises
    ------
    InputError
        For a value that is none of them.
    """
    if value is None and NoneType in kinds:
        return None
    classes = tuple(kind for kind in kinds if kind is not NoneType)
    if classes == (tuple[float, ...],):
        return _numbers(key, value)
    for kind in classes:
        if not isinstance(kind, type):
            return value
        if issubclass(kind, Named):
            return _named(key, value, classes, kind.named)
        if issubclass(kind, StrEnum):
            return _choice(key, value, kind)
        if kind in _CONVERSIONS:
            return _CONVERSIONS[kind](key, value)
    return value


def _boolean(key: str, value: Any) -> bool:
    if not isinstance(value, bool | np.bool_):
        raise InputError(f"{key} must be True or False, not {_shown(value)}")
    return bool(value)


def _integer(key: str, value: Any) -> int:
    if isinstance(value, str) and _DECIMAL.fullmatch(value) and len(value) <= _INTEGER_BITS:
        value = int(value)
    if not isinstance(value, int | np.integer) or isinstance(value, bool):
        raise InputError(f"{key} must be an integer, not {_shown(value)}")
    number = int(value)
    if number.bit_length() > _INTEGER_BITS:
        raise InputError(
            f"{key} must be an integer of at most {_INTEGER_BITS} bits, not one of "
            f"{number.bit_length()}"
        )
    return number


def _number(key: str, value: Any) -> float:
    real = isinstance(value, int | float | np.integer | np.floating)
    if not real or isinstance(value, bool):
        raise InputError(f"{key} must be a number, not {_shown(value)}")
    try:
        return float(value)
    except OverflowError:
        raise InputError(f"{key} must be a number that a float64 holds") from None


def _numbers(key: str, value: Any) -> tuple[float, ...]:
    if not isinstance(value, tuple | list | np.ndarray):
        raise InputError(f"{key} must be a sequence of numbers, not {_shown(value)}")
    return tuple(_number(key, item) for item in value)


def _text(key: str, value: Any) -> str:
    # A format stands for its name.
    if not isinstance(value, str | Named):
        raise InputError(f"{key} must be text, not {_shown(value)}")
    return str(value)


_CONVERSIONS = {bool: _boolean, int: _integer, float: _number, str: _text}


def _choice(key: str, value: Any, choices: type[StrEnum]) -> StrEnum:
    try:
        return choices(value)
    except ValueError:
        shown = value if isinstance(value, str) else _shown(value)
        raise unknown(key, shown, [choice.value for choice in choices]) from None


def _named(key: str, value: Any, classes: tuple[type, ...], named: Callable[[str], Named]) -> Any:
    try:
        fmt = named(value) if isinstance(value, str) else value
    except InputError as error:
        raise InputError(f"{key}: {error}") from None
    if not isinstance(fmt, classes):
        names = " or ".join(cls.__name__ for cls in classes)
        kinds = "scalar format" if names == "Format" else f"format of the class {names}"
        raise InputError(f"{key} must be a {kinds} or the name of one, not {_shown(value)}")
    return fmt


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."
