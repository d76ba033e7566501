"""Operands that a beat carries besides activations and weights: a precision, a scale, a selector.

A field counts in every beat, or only in the last beat of a group, where the hardware has the
group's sum and nothing has to be stored until then, or only in the first beat of a dot product,
for what the unit stores and uses in all beats.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import ArrayLike

from hwsim.errors import InputError, unknown
from hwsim.formats.base import Codes, Format


class Scope(StrEnum):
    """In which beats a field counts."""

    BEAT = "beat"
    GROUP = "group"
    DOT = "dot"


class Operand(StrEnum):
    """Which operand a field belongs to."""

    ACTIVATION = "activation"
    WEIGHT = "weight"


@dataclass(frozen=True)
class Metadata:
    """One field of a beat, between the weights and ``last``.

    Parameters
    ----------
    name
        What it is called in ``dot``, in the beat's layout, and in the description of the Verilog.
    format
        What its bits mean.
    scope
        ``beat``: one code a beat. ``group``: one code for ``UnitSpec.group_beats`` beats, read in
        the last of them, or in the dot product's last beat where the group is cut short. ``dot``:
        one code a dot product, read in its first beat. In the other beats the field is ignored.
    lowest, highest
        The legal codes; by default all of the format.
    operand
        ``activation`` or ``weight``: an array has one of the field a row, or a column. None: it is
        the same for both.
    """

    name: str
    format: Format
    scope: Scope = Scope.BEAT
    lowest: int = 0
    highest: int | None = None
    operand: Operand | None = None

    @property
    def codes(self) -> range:
        """The legal codes."""
        highest = (1 << self.format.bits) - 1 if self.highest is None else self.highest
        return range(self.lowest, highest + 1)

    def check(self, codes: ArrayLike, shape: tuple[int, ...]) -> Codes:
        """Return ``codes`` as an unsigned array, or raise InputError for a code or shape."""
        array = self.format.check_codes(codes)
        if array.shape != shape:
            scope = "dot product" if self.scope is Scope.DOT else self.scope
            raise InputError(
                f"{self.name} must have one code a {scope}, shape {shape}, not {array.shape}"
            )
        legal = self.codes
        if array.size and (array.min() < legal[0] or array.max() > legal[-1]):
            raise InputError(
                f"codes of {self.name} must be {legal[0]} to {legal[-1]}, "
                f"not {array.min()} to {array.max()}"
            )
        return array


def check_all(
    unit: str,
    fields: tuple[Metadata, ...],
    given: Mapping[str, ArrayLike],
    shapes: Mapping[str, tuple[int, ...]],
) -> dict[str, Codes]:
    """Return the codes of all ``fields``, or raise InputError for a missing or surplus one.

    ``shapes`` are those of :func:`field_shape`, by name.
    """
    known = [field.name for field in fields]
    for name in given:
        if not known:
            raise InputError(f"{unit} takes no metadata, and {name!r} is given")
        if name not in known:
            raise unknown("metadata", name, known)
    missing = [name for name in known if name not in given]
    if missing:
        raise InputError(f"{unit} needs the metadata {', '.join(missing)}")
    return {field.name: field.check(given[field.name], shapes[field.name]) for field in fields}


def field_shape(
    field: Metadata, outer: tuple[int, ...], beats: int, group_beats: int | None
) -> tuple[int, ...]:
    """Return the shape of a field's codes for dot products of ``beats`` beats, shape ``outer``."""
    match field.scope:
        case Scope.BEAT:
            return (*outer, beats)
        case Scope.GROUP:
            return (*outer, len(group_ends(beats, group_beats)))
        case Scope.DOT:
            return outer


def field_beats(
    field: Metadata, beats: int, group_beats: int | None
) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Return the positions of the beats of a dot product in which a field counts."""
    match field.scope:
        case Scope.BEAT:
            return np.arange(beats, dtype=np.int64)
        case Scope.GROUP:
            return group_ends(beats, group_beats)
        case Scope.DOT:
            return np.zeros(1, np.int64)


def group_ends(beats: int, group_beats: int | None) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Return the positions of the last beats of the groups in a dot product of ``beats`` beats."""
    size = group_beats or beats
    ends = np.arange(size, beats + size, size, dtype=np.int64)
    return np.minimum(ends, beats) - 1
