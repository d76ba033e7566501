"""Operands that a beat carries besides activations and weights: a precision, a scale, a selector.

A field either counts in every beat, or belongs to a group of beats and counts only in the last
one, where the hardware has the group's sum and nothing has to be stored until then.
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
        the last of them, or in the dot product's last beat where the group is cut short; in the
        other beats the field is ignored.
    lowest, highest
        The legal codes; by default all of the format.
    """

    name: str
    format: Format
    scope: Scope = Scope.BEAT
    lowest: int = 0
    highest: int | None = None

    @property
    def codes(self) -> range:
        """The legal codes."""
        highest = (1 << self.format.bits) - 1 if self.highest is None else self.highest
        return range(self.lowest, highest + 1)

    def check(self, codes: ArrayLike, shape: tuple[int, ...]) -> Codes:
        """Return ``codes`` as an unsigned array, or raise InputError for a code or shape."""
        array = self.format.check_codes(codes)
        if array.shape != shape:
            raise InputError(
                f"{self.name} must have one code a {self.scope}, shape {shape}, not {array.shape}"
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
    shapes: Mapping[Scope, tuple[int, ...]],
) -> dict[str, Codes]:
    """Return the codes of all ``fields``, or raise InputError for a missing or surplus one."""
    known = [field.name for field in fields]
    for name in given:
        if not known:
            raise InputError(f"{unit} takes no metadata, and {name!r} is given")
        if name not in known:
            raise unknown("metadata", name, known)
    missing = [name for name in known if name not in given]
    if missing:
        raise InputError(f"{unit} needs the metadata {', '.join(missing)}")
    return {field.name: field.check(given[field.name], shapes[field.scope]) for field in fields}


def group_ends(beats: int, group_beats: int | None) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Return the positions of the last beats of the groups in a dot product of ``beats`` beats."""
    size = group_beats or beats
    ends = np.arange(size, beats + size, size, dtype=np.int64)
    return np.minimum(ends, beats) - 1
