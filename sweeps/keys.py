"""The keys of mappings in a specification: which there are, and what each may hold.

A reader asks for the entries of a mapping by such a list (:func:`record`), and
:mod:`sweeps.schema` makes the JSON Schema from the same list, so a key that one knows the other
does, too. What a value means is the reader's alone.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

from hwsim.decode import Value

#: A JSON Schema, or a part of one.
Schema = dict[str, Any]

TEXT: Schema = {"type": "string", "minLength": 1}
NUMBER: Schema = {"type": "number"}
POSITIVE: Schema = {"type": "number", "exclusiveMinimum": 0}
#: What is read by other definitions, of files of accelerators.
ANYTHING: Schema = {}


@dataclass(frozen=True)
class Key:
    """What a key stands for.

    Attributes
    ----------
    says
        What it is, in a few words for editors.
    schema
        What values it takes; a function where that has to be imported first.
    required
        Whether it has to be there.
    """

    says: str
    schema: Schema | Callable[[], Schema]
    required: bool = False


Keys = Mapping[str, Key]


def record(value: Value, keys: Keys) -> dict[str, Value]:
    """Return the entries of a mapping that has these keys; InputError as :meth:`Value.record`."""
    required = [name for name, key in keys.items() if key.required]
    return value.record(required, [name for name in keys if name not in required])


def mapping(keys: Keys) -> Schema:
    """Return the schema of a mapping that has these keys and no others."""
    return {
        "type": "object",
        "properties": {name: described(key) for name, key in keys.items()},
        "required": [name for name, key in keys.items() if key.required],
        "additionalProperties": False,
    }


def described(key: Key) -> Schema:
    """Return the schema of a key's values, with its description."""
    return {"description": key.says, **(key.schema() if callable(key.schema) else key.schema)}


def whole(least: int | None = None) -> Schema:
    """Return the schema of integers."""
    return {"type": "integer"} if least is None else {"type": "integer", "minimum": least}


def one_of(names: Collection[str]) -> Schema:
    """Return the schema of names."""
    return {"enum": [*names]}


def listed(item: Schema) -> Schema:
    """Return the schema of a list, which is not empty."""
    return {"type": "array", "items": item, "minItems": 1}


def axis(item: Schema) -> Schema:
    """Return the schema of one value or a list of them."""
    return {"anyOf": [item, listed(item)]}
