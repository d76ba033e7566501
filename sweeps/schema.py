"""The JSON Schema of specifications, for editors that complete and check YAML.

It is made of the lists of keys that the readers ask for (:mod:`sweeps.keys`), and of the registries
that they ask for names: units with their parameters, metrics, networks. A specification that
validates has no misspelt key; whether its values go together only the reader knows.
"""

import types
from collections.abc import Iterator
from enum import Enum
from typing import Any, get_args

from hwsim.formats.base import Format
from hwsim.units import FAMILIES
from hwsim.units.base import parameter_fields
from hwsim.units.spelling import former
from sweeps.keys import TEXT, Key, Schema, axis, listed, mapping, one_of
from sweeps.spec import OF_DESIGNS, OF_ENTRY, OF_SWEEP

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def schema() -> Schema:
    """Return the JSON Schema (draft 2020-12) of a sweep's specification."""
    entries = {"anyOf": [_entry(family) for family in FAMILIES]}
    units = Key(OF_DESIGNS["units"].says, listed(entries), required=True)
    alone = mapping(OF_SWEEP | {"units": units})
    whole = {
        name: Key(OF_DESIGNS[name].says, OF_DESIGNS[name].schema, required=True)
        for name in ("accelerators", "workloads")
    }
    return {
        "$schema": DIALECT,
        "title": "hwsim sweep",
        "description": "A design space: units, or accelerators and workloads, and their judges.",
        "anyOf": [alone, mapping(OF_SWEEP | whole)],
    }


def _entry(family: str) -> Schema:
    """Return the schema of an entry of one family of units."""
    names = dict(_parameters(family))
    keys = {name: Key("a parameter of the unit", axis(kind)) for name, kind in names.items()}
    found = mapping(OF_ENTRY | keys)
    found["properties"] = {"unit": {"const": family}, **found["properties"]}
    found["required"] = ["unit"]
    return found


def _parameters(family: str) -> Iterator[tuple[str, Schema]]:
    """Yield the parameters of a family and of its elements, with their schemas."""
    cls = FAMILIES[family]
    own = {field.name: field.type for field in parameter_fields(cls)}
    if cls.chooses:
        for name in FAMILIES:
            own = {field.name: field.type for field in parameter_fields(FAMILIES[name])} | own
    own |= {old: own[new] for old, new in former(family).items() if old not in own}
    yield from ((name, _parameter(kind)) for name, kind in own.items())


def _parameter(kind: Any) -> Schema:
    """Return the schema of a parameter of this type, as :func:`sweeps.spec.read` reads it."""
    for one in get_args(kind) if isinstance(kind, types.UnionType) else (kind,):
        if one is int:
            return {"type": "integer"}
        if isinstance(one, type) and issubclass(one, Format):
            return {**TEXT, "description": "a format's name"}
        if isinstance(one, type) and issubclass(one, Enum):
            return one_of([member.value for member in one])
    return TEXT
