"""What the source of a unit is, where it is not hwsim's own: results of sweeps depend on it."""

from dataclasses import fields
from typing import Any

from hwsim.registration import sources_digest
from hwsim.units.base import UnitSpec


def source_digest(unit: UnitSpec) -> str:
    """Return the SHA-256 of the source of others that a unit is made of; empty if it is hwsim's."""
    classes = [base for cls in (type(unit), *_formats(unit)) for base in cls.__mro__]
    generator = unit.generator
    place = generator if isinstance(generator, str) else generator.__module__
    return sources_digest([*(cls.__module__ for cls in classes), place.partition(":")[0]])


def _formats(unit: UnitSpec) -> dict[type, Any]:
    """Return the parameters that are neither numbers nor text, by their classes."""
    values = [getattr(unit, field.name) for field in fields(unit)]
    return {type(value): value for value in values if not isinstance(value, int | str | None)}
