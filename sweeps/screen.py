"""Leave out the candidates whose area, screened from words, is far from the front.

A candidate is compared with the smallest one that is at least as good: in the objectives that are
known before a cost is, or, where none of them is of quality, of the same formats. Areas are per MAC
and cycle, the cycles those of normal operands. What is left out is told from what is kept by the
screen alone, whose error (:mod:`cost_models.screen`) the factor has to cover.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from cost_models import screen
from cost_models import technology as technologies
from cost_models.operands import default_operands
from hwsim.tensors.quality import Quality
from hwsim.units import UnitSpec
from sweeps.accuracies import Measured
from sweeps.designs import Design
from sweeps.metrics import METRICS
from sweeps.targets import Target


@dataclass(frozen=True)
class Candidate:
    """A unit whose cost is not known; ``quality`` is None without tensors, ``accuracy`` without a
    network, and ``group`` without both.
    """

    unit: UnitSpec
    quality: Quality | None
    group: int | None
    accuracy: Measured | None = None


@dataclass(frozen=True)
class Pruned:
    """A candidate that was left out.

    Attributes
    ----------
    unit, target
        What it is.
    ratio
        Its screened area over that of the smallest candidate that is at least as good.
    """

    unit: UnitSpec
    target: Target
    ratio: float

    @property
    def design(self) -> Design:
        """The unit as a design."""
        return Design(self.unit)


@dataclass(frozen=True)
class Screening:
    """The task of one worker: a unit and the technologies to screen it in, each once."""

    unit: UnitSpec
    targets: tuple[Target, ...]


def screened(task: Screening) -> dict[str, float]:
    """Return the screened area of a unit per MAC and cycle, by technology."""
    unit = task.unit
    operands = default_operands(unit)
    cycles = unit.cycles(operands.activations, operands.weights, **operands.metadata)
    rate = unit.mean_macs_per_beat(operands.metadata) / float(cycles.mean())
    return {
        target.technology: screen.area(
            unit, target.coefficients or technologies.load(target.technology)
        )
        / rate
        for target in task.targets
    }


def goodness(candidate: Candidate, objectives: Sequence[str]) -> tuple[float, ...]:
    """Return the objectives that are known before a cost is, each so that more is better.

    Empty where none of them is of quality; NaN for what has no value.
    """
    known = [METRICS[name] for name in objectives if METRICS[name].needs != "cost"]
    if not any(metric.is_quality for metric in known):
        return ()
    values = np.array([metric.value(candidate) for metric in known], np.float64)
    return tuple(np.where([metric.maximise for metric in known], values, -values).tolist())


def prune(
    areas: Mapping[UnitSpec, float],
    target: Target,
    factor: float,
    good: Mapping[UnitSpec, tuple[float, ...]],
) -> list[Pruned]:
    """Return the units of one target that are left out.

    Parameters
    ----------
    areas
        Screened area per MAC and cycle of every candidate.
    factor
        At least 1: how much larger than the smallest one as good a candidate may be.
    good
        What :func:`goodness` says of every candidate. One without a value stays.
    """
    smallest: dict[Any, float] = {}
    rivals = {unit: good[unit] or (unit.weight, unit.activation) for unit in areas}
    for unit, area in areas.items():
        key = rivals[unit]
        smallest[key] = min(area, smallest.get(key, area))
    if any(good[unit] for unit in areas):
        values, least = np.array([*smallest]), np.array([*smallest.values()])
        smallest = {
            key: least[(values >= row).all(axis=1)].min(initial=np.inf)
            for key, row in zip(smallest, values, strict=True)
        }
    ratios = {unit: area / smallest[rivals[unit]] for unit, area in areas.items()}
    return [Pruned(unit, target, ratio) for unit, ratio in ratios.items() if ratio > factor]
