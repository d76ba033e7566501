"""The combinations that the entries of a specification stand for.

An entry is a product of axes less what its conditions leave out. Combinations are numbered, entry
by entry and with the last axis fastest, so any of them can be made without making the others:
spaces may be larger than what could be listed.
"""

import hashlib
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hwsim.decode import Value
from hwsim.errors import InputError
from sweeps.conditions import Condition
from sweeps.designs import Design

#: Draws for every combination that is wanted, of which conditions leave enough.
DRAWS = 1000


@dataclass(frozen=True)
class Entry:
    """One entry of a list of units or accelerators.

    Attributes
    ----------
    place
        Where it stands.
    axes
        The choices of every axis, as the reader has them.
    conditions
        What a combination has to keep.
    make
        Returns the design of a combination, or raises InputError with file, line and key.
    plain
        Returns a choice as a number or text, for conditions.
    interpolate
        Axes along which costs are interpolated, see :mod:`sweeps.interpolate`.
    """

    place: Value
    axes: Mapping[str, Sequence[Any]]
    conditions: tuple[Condition, ...]
    make: Callable[[Mapping[str, Any]], Design]
    plain: Callable[[Any], int | float | str]
    interpolate: tuple[str, ...] = ()

    @property
    def size(self) -> int:
        """Combinations, with those that conditions leave out."""
        return math.prod(map(len, self.axes.values()))

    def choice(self, number: int) -> dict[str, Any]:
        """Return a combination by its number."""
        chosen: dict[str, Any] = {}
        for name, options in reversed([*self.axes.items()]):
            number, place = divmod(number, len(options))
            chosen[name] = options[place]
        return {name: chosen[name] for name in self.axes}

    def allows(self, choice: Mapping[str, Any]) -> bool:
        """Return whether all conditions hold; InputError as :meth:`Condition.holds`."""
        if not self.conditions:
            return True
        plain = {name: self.plain(value) for name, value in choice.items()}
        return all(condition.holds(plain) for condition in self.conditions)

    def design(self, choice: Mapping[str, Any]) -> Design | None:
        """Return the design of a combination, or None if a condition leaves it out."""
        return self.make(choice) if self.allows(choice) else None


@dataclass(frozen=True)
class Made:
    """A design, and the combination of an entry that it was made of."""

    entry: Entry
    choice: Mapping[str, Any]
    design: Design


@dataclass(frozen=True)
class Space:
    """All entries.

    Attributes
    ----------
    place
        The list.
    entries
        Its entries.
    twice
        What is said of a design that two combinations make, given where the first one stands.
    """

    place: Value
    entries: tuple[Entry, ...]
    twice: Callable[[Design, str], str]

    @property
    def size(self) -> int:
        """Combinations, with those that conditions leave out."""
        return sum(entry.size for entry in self.entries)

    def all(self) -> tuple[Made, ...]:
        """Return the designs of all combinations; InputError with file, line and key."""
        made = self._distinct(
            (entry, entry.choice(number)) for entry in self.entries for number in range(entry.size)
        )
        return self._some(tuple(made))

    def drawn(self, points: int, seed: int) -> tuple[Design, ...]:
        """Return designs drawn without replacement, all combinations being equally likely.

        Raises
        ------
        InputError
            With file, line and key: as :meth:`all`, and if there are not as many.
        """
        designs: list[Design] = []
        for made in self._distinct(self._draws(DRAWS * points, seed)):
            designs.append(made.design)
            if len(designs) == points:
                return tuple(designs)
        return self.place.fail(
            f"{len(designs)} designs were found where {points} were to be drawn; give fewer points "
            "or leave the key 'search' out"
        )

    def entry(self, number: int) -> tuple[Entry, dict[str, Any]]:
        """Return the combination of a number, with its entry."""
        for entry in self.entries:
            if number < entry.size:
                return entry, entry.choice(number)
            number -= entry.size
        raise IndexError(number)

    def _draws(self, count: int, seed: int) -> Iterator[tuple[Entry, dict[str, Any]]]:
        """Yield distinct combinations by a hash, which no version of a library changes."""
        seen: set[int] = set()
        for k in range(count):
            digits = hashlib.sha256(f"{seed} {k}".encode()).digest()
            number = int.from_bytes(digits[:16], "big") % self.size
            if number not in seen:
                seen.add(number)
                yield self.entry(number)
            if len(seen) == self.size:
                return

    def _distinct(self, choices: Iterator[tuple[Entry, dict[str, Any]]]) -> Iterator[Made]:
        places: dict[Any, str] = {}
        for entry, choice in choices:
            design = entry.design(choice)
            if design is None:
                continue
            key = design.unit if design.plan is None else design.name
            if key in places:
                entry.place.fail(self.twice(design, places[key]))
            places[key] = entry.place.place
            yield Made(entry, choice, design)

    def _some(self, made: tuple[Made, ...]) -> tuple[Made, ...]:
        if not made:
            self.place.fail("conditions leave no combination")
        return made


def plain_text(value: object) -> int | float | str:
    """Return a parameter of a unit as conditions compare it."""
    if isinstance(value, int):
        return value
    return str(getattr(value, "name", value))


def written(value: Value) -> int | float | str:
    """Return a value of a specification as conditions compare it."""
    for convert in (value.integer, value.number):
        try:
            return convert()
        except InputError:
            continue
    return value.written
