"""A unit as plain values, from which a process that has imported nothing makes it again.

Workers of a cluster get the tasks of a sweep as text. A name would do for hwsim's own units only:
classes of others are found by :class:`~hwsim.registration.Place`, and so are those of formats,
whose names are read once the modules that register them are imported.
"""

from dataclasses import fields
from typing import Any

from hwsim.errors import InputError
from hwsim.registration import Place
from hwsim.units.base import UnitSpec


def recipe(unit: UnitSpec) -> dict[str, Any]:
    """Return what :func:`made` makes ``unit`` from, as values that JSON holds.

    Raises
    ------
    InputError
        For a class that no other process can find, and a format that its name does not stand for.
    """
    formats = _formats(unit)
    parts = map(type, unit.parts)
    places = [Place.of(cls) for cls in (*formats, *parts, type(unit))]
    cls: Any = type(unit)
    if cls(**unit.parameters()) != unit:
        names = ", ".join(fmt.name for fmt in formats.values())
        raise InputError(
            f"{unit.name} cannot be made again in another process from its parameters "
            f"{unit.parameters()}; register the formats {names} by their names"
        )
    return {"places": [place.plain() for place in places], "parameters": unit.parameters()}


def made(values: dict[str, Any]) -> UnitSpec:
    """Return the unit that :func:`recipe` made values of, or raise InputError."""
    # The unit's class is the last; importing those of formats registers them.
    *_, cls = [Place(**place).find() for place in values["places"]]
    unit: UnitSpec = cls(**values["parameters"])
    return unit


def _formats(unit: UnitSpec) -> dict[type, Any]:
    """Return the parameters that are neither numbers nor text, by their classes."""
    values = [getattr(unit, field.name) for field in fields(unit)]
    return {type(value): value for value in values if not isinstance(value, int | str | None)}
