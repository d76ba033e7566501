"""Tasks and results as plain values, which cross to other machines as JSON text.

A process that reads them makes the same objects: classes by their places
(:class:`hwsim.registration.Place`), with the values of their fields, and units by their recipes.
Floats come back bit for bit, as JSON in Python has the shortest digits that tell each from all
others.
"""

import json
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from pathlib import Path
from typing import Any

import numpy as np

from hwsim.errors import InputError
from hwsim.registration import Place, resolve
from hwsim.units import UnitSpec
from hwsim.units.recipe import made, recipe
from rtl.verilog import HandMade

_PLAIN = (bool, int, float, str)


def dumps(value: Any) -> str:
    """Return a value as JSON text.

    Raises
    ------
    InputError
        For a value whose class another process cannot find, or that is none of its fields.
    """
    return json.dumps(_plain(value))


def loads(text: str) -> Any:
    """Return the value that :func:`dumps` made text of; InputError if its class is not there."""
    return _made(json.loads(text))


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic):
        return value.item()
    if value is None or type(value) in _PLAIN:
        return value
    if isinstance(value, Path):
        return {"path": str(value.absolute())}
    if isinstance(value, Enum):
        return {"enum": Place.of(type(value)).plain(), "name": value.name}
    if isinstance(value, list | tuple):
        return {type(value).__name__: [_plain(item) for item in value]}
    if isinstance(value, Mapping):
        return {"dict": [[_plain(key), _plain(item)] for key, item in value.items()]}
    if isinstance(value, Exception):
        return {"failure": told(value)}
    if isinstance(value, HandMade):
        function, parts = value.__reduce__()
        place = f"{function.__module__}:{function.__qualname__}"
        return {"joined": place, "parts": [_plain(part) for part in parts]}
    if isinstance(value, UnitSpec):
        return {"unit": recipe(value)}
    if is_dataclass(value):
        return {"class": Place.of(type(value)).plain(), "fields": _fields(value)}
    raise InputError(f"{value!r}: {type(value).__name__} does not cross to other machines")


def _fields(value: Any) -> dict[str, Any]:
    return {one.name: _plain(getattr(value, one.name)) for one in fields(value) if one.init}


def _made(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    match value:
        case {"path": text}:
            return Path(text)
        case {"enum": place, "name": name}:
            return Place(**place).find()[name]
        case {"list": items}:
            return [_made(item) for item in items]
        case {"tuple": items}:
            return tuple(_made(item) for item in items)
        case {"dict": items}:
            return {_made(key): _made(item) for key, item in items}
        case {"failure": message}:
            return InputError(message)
        case {"joined": place, "parts": parts}:
            return resolve(place)(*map(_made, parts))
        case {"unit": one}:
            return made(one)
        case {"class": place, "fields": parts}:
            return Place(**place).find()(**{key: _made(part) for key, part in parts.items()})
    raise InputError(f"{value}: is no task or result")


def told(error: Exception) -> str:
    """Return what is said of an error: its class, too, if it is none of the input."""
    return str(error) if isinstance(error, InputError) else f"{type(error).__name__}: {error}"
