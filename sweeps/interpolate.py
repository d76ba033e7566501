"""Spaces whose units differ in lanes and accumulator bits more than in anything else.

::

    units:
      - {unit: integer, weight: [int4, int8], activation: int8, lanes: [1, 2, 3, 4, 8, 9, 16, 32],
         accumulator_bits: [24, 28, 32, 40], interpolate: [lanes, accumulator_bits]}

For every combination of the other axes a few units, the anchors, are estimated, and the others are
interpolated from these (:mod:`cost_models.anchors`). Their points have ``interpolated`` for a
``method``. How far these are from estimates is measured: a sample of them, drawn by a seed, is
estimated, too. So is all that is on a front, over and over until nothing on it is interpolated.
What was estimated stays; no point that is interpolated is kept, as its anchors are.
"""

import hashlib
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from cost_models.anchors import Place, anchors
from cost_models.bands import LEVELS, RATIO_ERROR, RATIO_LEVEL, error_key
from cost_models.cost import Cost
from hwsim.decode import Value
from hwsim.errors import unknown
from sweeps.designs import Design
from sweeps.space import Entry, Made
from sweeps.targets import Target

#: Parameters along which costs are interpolated.
AXES = ("lanes", "accumulator_bits")
#: Interpolated designs that are estimated, too, of all there are, and the seed that draws them.
SAMPLE, SEED = 100, 0
#: What is compared, by quantity.
_COMPARED = {
    "area": "area_um2", "delay": "delay_ns", "energy": "energy_pj", "settled_energy": "settled_pj",
}  # fmt: skip


def read(
    value: Value, family: str, types: Mapping[str, Any], axes: Collection[str]
) -> tuple[str, ...]:
    """Return the axes of an entry along which costs are interpolated.

    Parameters
    ----------
    value
        A list of parameters, or one.
    family
        That of the units.
    types
        Their parameters by name.
    axes
        Those that the entry has.
    """
    known = [name for name in AXES if name in types]
    found: list[str] = []
    for item in value.scalars():
        name = item.text()
        if name not in types:
            item.fail(str(unknown(f"parameter of {family}", name, known)))
        if types[name] not in (int, int | None):
            item.fail(f"{name} is no number; allowed: {', '.join(known)}")
        if name not in AXES:
            item.fail(f"nothing is known of how {name} goes; allowed: {', '.join(known)}")
        if name not in axes:
            item.fail(f"the entry has no {name}; give it, as a list of numbers")
        if name in found:
            item.fail(f"{name!r} stands twice")
        found.append(name)
    return tuple(found)


@dataclass(frozen=True)
class Family:
    """Designs that differ in interpolated axes alone.

    Attributes
    ----------
    designs
        Each with its place.
    anchors
        Those that are estimated; conditions may have left some out of ``designs``.
    """

    designs: tuple[tuple[Design, Place], ...]
    anchors: tuple[tuple[Design, Place], ...]

    @cached_property
    def others(self) -> tuple[tuple[Design, Place], ...]:
        """The designs that are no anchors."""
        known = {design for design, _ in self.anchors}
        return tuple(one for one in self.designs if one[0] not in known)


def families(made: Iterable[Made]) -> tuple[Family, ...]:
    """Return the families of the entries that interpolate, without those of anchors alone.

    InputError with file, line and key for an anchor that cannot be made.
    """
    groups: dict[Any, list[Made]] = defaultdict(list)
    for one in made:
        if one.entry.interpolate:
            own = [value for key, value in one.choice.items() if key not in one.entry.interpolate]
            groups[id(one.entry), *map(str, map(one.entry.plain, own))].append(one)
    found = (_family(group) for group in groups.values())
    return tuple(one for one in found if one.others)


def _family(group: Sequence[Made]) -> Family:
    places = {_place(one.entry, one.choice): one for one in group}
    chosen = []
    for place in anchors([*places]):
        one = places.get(place)
        if one is None:
            entry, choice = group[0].entry, group[0].choice
            moved = {key: getattr(place, key) for key in entry.interpolate}
            chosen.append((entry.make({**choice, **moved}), place))
        else:
            chosen.append((one.design, place))
    return Family(tuple((one.design, place) for place, one in places.items()), tuple(chosen))


def _place(entry: Entry, choice: Mapping[str, Any]) -> Place:
    """Return where a combination is; what is not interpolated is the same for all of a family."""
    return Place(**{"lanes": 1} | {key: choice[key] for key in entry.interpolate})


def sample(designs: Iterable[Design]) -> list[Design]:
    """Return ``SAMPLE`` of the designs, by a hash, or all if there are fewer."""
    return sorted(designs, key=lambda one: hashlib.sha256(f"{SEED} {one.name}".encode()).digest())[
        :SAMPLE
    ]


@dataclass(frozen=True)
class Compared:
    """A point that was interpolated and estimated."""

    design: Design
    target: Target
    interpolated: Cost
    estimated: Cost

    def errors(self) -> dict[str, float]:
        """Return the logarithm of interpolated over estimated, by quantity."""
        found = {}
        for quantity, name in _COMPARED.items():
            one, two = getattr(self.interpolated, name), getattr(self.estimated, name)
            found[quantity] = float(np.log(one / two))
        return found | {"area_times_delay": found["area"] + found["delay"]}


def by_target(compared: Iterable[Compared]) -> dict[str, list[Compared]]:
    """Return what was compared by the name of its target."""
    found: dict[str, list[Compared]] = defaultdict(list)
    for one in compared:
        found[one.target.name].append(one)
    return found


def bands(compared: Sequence[Compared]) -> dict[str, dict[str, float]]:
    """Return the errors of interpolation by quantity, in percent, as those of estimates are stated.

    ``mean_percent`` and ``max_percent`` are of the absolute value.
    """
    errors = [one.errors() for one in compared]
    found = {}
    for quantity in errors[0] if errors else ():
        percents = 100 * np.expm1(np.abs([one[quantity] for one in errors]))
        found[quantity] = {
            "mean_percent": float(percents.mean()),
            **{error_key(level): float(np.percentile(percents, level)) for level in LEVELS},
            "max_percent": float(percents.max()),
            RATIO_ERROR: float(np.percentile(percents, RATIO_LEVEL)),
        }
    return found


def interpolated(cost: Cost, anchors: Sequence[str]) -> Cost:
    """Return a cost that says what it is interpolated from."""
    said = cost.provenance | {"interpolated_from": anchors}
    return replace(cost, method="interpolated", provenance=said)


def said(compared: Iterable[Compared]) -> list[str]:
    """Return a line a target about how far interpolation is from estimates."""
    lines = []
    for name, found in by_target(compared).items():
        errors = ", ".join(
            f"{quantity.replace('_', ' ')} {one['mean_percent']:.2g} / "
            f"{one[error_key(LEVELS[-1])]:.2g} / {one['max_percent']:.2g}"
            for quantity, one in bands(found).items()
        )
        lines.append(
            f"error of interpolation in {name}: {errors} (in %, mean / {LEVELS[-1]} % / largest "
            f"of {len(found)} that were estimated, too)"
        )
    return lines
