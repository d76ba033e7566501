"""Costs of units from those of a few others, the anchors, which differ in two numbers alone: the
lanes, and the bits of the accumulator.

A dot product is lanes side by side and a tree that adds them, whose adders are one fewer than the
lanes: area, leakage and settled energy are all but straight lines in the lanes, and a longest path
is one in the levels of the tree, log2(lanes) rounded up. Where lanes are no power of two some
operands wait for others, which hazards notice: what a unit takes on top then goes with
:func:`unevenness`, by an anchor that is uneven, too. A wider accumulator adds a straight line,
whose slope is known at the fewest lanes and a few more, and which stays as it is beyond.

So all is linear in the anchors, which are reproduced. What is interpolated are the ends of a unit's
curve (:class:`~cost_models.estimate.End`), so that clocks mean what they mean elsewhere.
"""

from collections.abc import Sequence
from dataclasses import astuple, dataclass, fields
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cost_models.estimate import CostCurve, End

Floats = NDArray[np.float64]

#: Lanes whose units are anchors, if they are among those asked for; beyond them lines go on.
EVEN, UNEVEN = (1, 4, 16, 64), 9
#: How many of the fewest even lanes have an anchor with the widest accumulator.
WIDE = 2

_FIELDS = tuple(field.name for field in fields(End))
_DELAY = _FIELDS.index("delay_ns")
_IS_DELAY = np.arange(len(_FIELDS)) == _DELAY


class Place(NamedTuple):
    """What units of a family differ in; ``accumulator_bits`` is 0 where it is no axis."""

    lanes: int
    accumulator_bits: int = 0


def anchors(places: Sequence[Place]) -> list[Place]:
    """Return the places whose units the others are interpolated from, which need not be among them.

    Each is of lanes and of a width that some of ``places`` have.
    """
    lanes = sorted({place.lanes for place in places})
    widths = sorted({place.accumulator_bits for place in places})
    even = _nearest(lanes, EVEN)
    uneven = [one for one in lanes if even[0] < one < even[-1] and one & (one - 1)]
    uneven = [one for one in uneven if one not in even]
    # The nearest, of which there may be two.
    uneven = (
        sorted(uneven, key=lambda one: (abs(one - UNEVEN), one))[:1] if len(even) > WIDE else []
    )
    found = [Place(one, widths[0]) for one in sorted([*even, *uneven])]
    if len(widths) > 1:
        found += [Place(one, widths[-1]) for one in even[:WIDE]]
    return found


def _nearest(lanes: Sequence[int], wanted: Sequence[int]) -> list[int]:
    """Return those of the lanes that are nearest to the ones wanted, each once."""
    return sorted({min(lanes, key=lambda one: (abs(np.log2(one / want)), one)) for want in wanted})


def unevenness(lanes: Floats) -> Floats:
    """Return how much a tree of ``lanes`` is uneven; 0 for powers of two."""
    logarithm = np.log2(lanes)
    return lanes * (np.ceil(logarithm) - logarithm) ** 2


@dataclass(frozen=True)
class Interpolation:
    """Units of a family between anchors.

    Attributes
    ----------
    places
        Of the anchors, as :func:`anchors` returns them.
    curves
        What the anchors take.
    """

    places: tuple[Place, ...]
    curves: tuple[CostCurve, ...]

    def curve(self, place: Place) -> CostCurve:
        """Return the curve of the unit at a place."""
        of_amounts, of_delays = (_weights(self.places, place, kind) for kind in (False, True))
        smallest, fastest = (
            # More lanes and bits take no less than the fewest of them.
            np.maximum(np.where(_IS_DELAY, of_delays @ ends, of_amounts @ ends), ends.min(axis=0))
            for ends in self._ends
        )
        fastest[_DELAY] = min(fastest[_DELAY], smallest[_DELAY])
        rate, error = (of_amounts @ self._rates).tolist()
        return CostCurve(End(*smallest.tolist()), End(*fastest.tolist()), rate, max(error, 0.0), {})

    @cached_property
    def _ends(self) -> tuple[Floats, Floats]:
        """The ends of the anchors' curves, a row each."""
        return (
            np.array([astuple(one.smallest) for one in self.curves], np.float64),
            np.array([astuple(one.fastest) for one in self.curves], np.float64),
        )

    @cached_property
    def _rates(self) -> Floats:
        """MACs per cycle of the anchors with their standard errors."""
        return np.array([(one.macs_per_cycle, one.macs_per_cycle_error) for one in self.curves])


def _weights(anchors: Sequence[Place], place: Place, of_delay: bool) -> Floats:
    """Return what the anchors count in what is found at a place."""
    narrow = min(one.accumulator_bits for one in anchors)
    found = np.zeros(len(anchors))
    row = [k for k, one in enumerate(anchors) if one.accumulator_bits == narrow]
    found[row] = _along_lanes([anchors[k].lanes for k in row], place.lanes, of_delay)
    wide = [k for k, one in enumerate(anchors) if one.accumulator_bits != narrow]
    if wide:
        width = anchors[wide[0]].accumulator_bits
        done = (place.accumulator_bits - narrow) / (width - narrow)
        # The step from narrow to wide, between the lanes where both are known.
        share = _between([np.log2(anchors[k].lanes) for k in wide], float(np.log2(place.lanes)))
        for k, part in zip(wide, share, strict=True):
            below = next(j for j in row if anchors[j].lanes == anchors[k].lanes)
            found[k] += done * part
            found[below] -= done * part
    return found


def _along_lanes(lanes: Sequence[int], wanted: int, of_delay: bool) -> Floats:
    """Return what the anchors of one width count at ``wanted`` lanes."""
    numbers = np.array([*lanes, wanted], np.float64)
    extra = (np.log2(numbers) % 1 > 0).astype(np.float64) if of_delay else unevenness(numbers)
    odd = _odd_one(lanes)
    even = [k for k in range(len(lanes)) if k != odd]
    along = np.ceil(np.log2(numbers)) if of_delay else numbers
    if (np.diff(along[even]) <= 0).any():
        # Two anchors have as many levels.
        along = np.log2(numbers)
    straight = _on_line(along[even], along[-1])
    found = np.zeros(len(lanes))
    found[even] = straight
    if odd is not None:
        # How far the uneven anchor is off the line, by as much as this place is more uneven.
        at_odd = _on_line(along[even], along[odd])
        scale = extra[odd] - at_odd @ extra[even]
        part = (
            (extra[-1] - straight @ extra[even]) / scale
            if scale > 0
            else float(wanted == lanes[odd])
        )
        found[odd] += part
        found[even] -= part * at_odd
    return found


def _odd_one(lanes: Sequence[int]) -> int | None:
    """Return which anchor was taken for its unevenness; None if none was."""
    even = _nearest(lanes, EVEN)
    others = [k for k, one in enumerate(lanes) if one not in even]
    return others[0] if others else None


def _on_line(known: Floats, wanted: float) -> Floats:
    """Return what points on lines from one to the next count; the last line goes on."""
    found = np.zeros(len(known))
    if len(known) == 1:
        found[0] = 1
        return found
    k = min(max(int(np.searchsorted(known, wanted, side="left")) - 1, 0), len(known) - 2)
    way = known[k + 1] - known[k]
    part = (wanted - known[k]) / way if way else 0.0
    found[k], found[k + 1] = 1 - part, part
    return found


def _between(known: Sequence[float], wanted: float) -> Floats:
    """Return what points on lines count, with nothing beyond the first and the last."""
    return _on_line(np.array(known), float(np.clip(wanted, known[0], known[-1])))
