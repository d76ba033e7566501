"""Costs of units as papers print them, each with its source.

They are another kind of number than hwsim's own: other tools, libraries, corners and operands, and
more or less of the unit. So they have a class of their own, which nothing converts to a
:class:`~cost_models.cost.Cost`, and they keep the names of units and formats, and the units of
measure, of their sources.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from fnmatch import fnmatchcase
from typing import Literal

from cost_models import data
from hwsim.errors import InputError, unknown


@dataclass(frozen=True)
class Published:
    """One published number.

    Attributes
    ----------
    system, unit
        The work and the unit in it.
    weight, activation
        Formats of the operands, as the source names them.
    node
        In nm.
    metric, value, measure
        What was measured, the number, and its unit.
    evidence
        One of :data:`cost_models.data.EVIDENCE`.
    derived
        Whether the number follows by arithmetic from others of the source.
    source, note
        Where it is from, and under which conditions.
    """

    system: str
    unit: str
    weight: str
    activation: str
    node: int
    metric: str
    value: float
    measure: str
    evidence: str
    derived: bool
    source: str
    note: str

    @property
    def kind(self) -> Literal["published"]:
        """The kind of number, beside the methods of :class:`~cost_models.cost.Cost`."""
        return "published"


#: Attributes that rows can be chosen by.
FILTERS = ("system", "unit", "weight", "activation", "node", "metric", "evidence")


def load() -> list[Published]:
    """Return all published numbers."""
    return [
        Published(
            **{name: row[name] for name in _TEXT},
            node=int(row["node"]),
            value=float(row["value"]),
            derived=row["derived"] == "yes",
        )
        for row in data.read("published.csv")
    ]


_TEXT = [field.name for field in fields(Published) if field.type is str]


def select(filters: Mapping[str, str]) -> list[Published]:
    """Return the numbers that pass all ``filters``, none if no number passes them all.

    Parameters
    ----------
    filters
        Patterns by name out of ``FILTERS``; case does not matter, ``*`` stands for anything.

    Raises
    ------
    InputError
        For an unknown filter, or a pattern that fits no number.
    """
    if not isinstance(filters, Mapping):
        raise InputError(f"filters={filters!r}: allowed: patterns by name of the filter")
    everything = load()
    rows = everything
    for name, pattern in filters.items():
        if name not in FILTERS:
            raise unknown("filter", str(name), FILTERS)
        if not isinstance(pattern, str):
            raise InputError(f"{name}={pattern!r}: allowed: a pattern as text, such as '28'")
        values = {str(getattr(row, name)) for row in everything}
        matching = {v for v in values if fnmatchcase(v.lower(), pattern.lower())}
        if not matching:
            raise _no_match(name, pattern, sorted(values))
        rows = [row for row in rows if str(getattr(row, name)) in matching]
    return rows


def _no_match(name: str, pattern: str, values: list[str]) -> InputError:
    if "*" in pattern:
        return InputError(f"no published number has a {name} like {pattern!r}")
    return unknown(name, pattern, values)
