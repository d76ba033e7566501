"""Leave out the candidates whose area, screened from words, is far from the front.

A candidate is compared with the smallest one that is at least as good: in the metrics of quality
among the objectives, or, where there is none, of the same formats. Areas are per MAC and cycle, the
cycles those of normal operands. What is left out is told from what is kept by the screen alone,
whose error (:mod:`cost_models.screen`) the factor has to cover.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from cost_models import screen
from cost_models import technology as technologies
from cost_models.operands import default_operands
from hwsim.formats import Format
from hwsim.tensors.quantise import QuantisationError
from hwsim.units import UnitSpec
from sweeps.targets import Target

#: Metrics of quality, and where the error that they are made of is.
QUALITIES = {"weight_sqnr_db": "weight", "output_sqnr_db": "output"}

Pair = tuple[Format, Format]


@dataclass(frozen=True)
class Pruned:
    """A candidate that was left out.

    Attributes
    ----------
    unit, technology
        What it is.
    ratio
        Its screened area over that of the smallest candidate that is at least as good.
    """

    unit: UnitSpec
    technology: str
    ratio: float


@dataclass(frozen=True)
class Screening:
    """The task of one worker: a unit and the technologies to screen it in."""

    unit: UnitSpec
    targets: tuple[Target, ...]


def screened(task: Screening) -> dict[str, float]:
    """Return the screened area of a unit per MAC and cycle, by technology."""
    unit = task.unit
    operands = default_operands(unit)
    cycles = unit.cycles(operands.activations, operands.weights, **operands.metadata)
    rate = unit.mean_macs_per_beat(operands.metadata) / float(cycles.mean())
    return {
        target.name: screen.area(unit, target.coefficients or technologies.load(target.name)) / rate
        for target in task.targets
    }


def prune(
    areas: Mapping[UnitSpec, float],
    technology: str,
    factor: float,
    errors: Mapping[Pair, QuantisationError | None],
    qualities: Sequence[str],
) -> list[Pruned]:
    """Return the units of one technology that are left out.

    Parameters
    ----------
    areas
        Screened area per MAC and cycle of every candidate.
    factor
        At least 1: how much larger than the smallest one as good a candidate may be.
    errors
        Quantisation error of every pair of weight and activation, where there are ``qualities``.
    qualities
        Fields of :class:`~hwsim.tensors.quantise.QuantisationError` that are objectives.
    """
    smallest: dict[Pair, float] = {}
    for unit, area in areas.items():
        pair = unit.weight, unit.activation
        smallest[pair] = min(area, smallest.get(pair, area))
    if qualities:
        noise = np.array([[getattr(errors[pair], name) for name in qualities] for pair in smallest])
        as_good = (noise[np.newaxis] <= noise[:, np.newaxis]).all(axis=2)
        least = np.where(as_good, list(smallest.values()), np.inf).min(axis=1)
        smallest = dict(zip(smallest, least.tolist(), strict=True))
    ratios = {u: area / smallest[u.weight, u.activation] for u, area in areas.items()}
    return [Pruned(u, technology, ratio) for u, ratio in ratios.items() if ratio > factor]
