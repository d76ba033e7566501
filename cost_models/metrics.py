"""What a unit's cost is quoted as: metrics, each with the error that is known of it.

The error of an estimate is what 68 % and 95 % of units stay within, by units that the fit did not
see, wider for families that fits follow less (:mod:`cost_models.conformal`): of products and
quotients by themselves, not by adding the errors of factors. A reciprocal has the error of what it
is the reciprocal of. A synthesised netlist has no error, but a spread: how far the other netlists
that were made of the unit lie from it, which is the noise of the flow.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cost_models import cost as costs
from cost_models.bands import LEVELS, RATIO_ERROR, UNSEEN, error_key
from cost_models.cost import Cost
from cost_models.metric import Metric

if TYPE_CHECKING:
    from hwsim.units import UnitSpec


@dataclass(frozen=True)
class Priced:
    """A unit and its cost in one technology."""

    unit: "UnitSpec"
    cost: Cost
    #: Group size of weights whose format has none; without tensors there is none.
    group: int | None = None


def _bits(operand: str) -> Metric:
    """Return the metric of the bits that are stored for an element, metadata included."""

    def value(point: Any) -> float | None:
        bits: float | None = point.unit.bits_per_element(operand, point.group)
        return bits

    name = f"{operand}_bits_per_element"
    return Metric(name, f"bits per {operand}", value, "unit", f"{operand} bits", log=False)


#: The metrics of costs and of units by name.
METRICS: Mapping[str, Metric] = costs.METRICS | {
    metric.name: metric
    for metric in (
        _bits("weight"),
        _bits("activation"),
    )
}


#: Errors of estimates, by what units are mapped for. The densest netlist is the fastest or not far
#: from it: of the least area, the least delay and half way between, the least delay was densest for
#: 152 of 174 units and components in sky130 and for 110 in osu018, half way for 14 and 41.
_ERRORS = {
    "area": UNSEEN,
    "speed": f"{UNSEEN}_speed",
    "density": f"{UNSEEN}_speed",
    "clock": f"{UNSEEN}_clock",
}
#: Whose error metrics have at a clock that is met, as they follow from its period, which is exact.
_AT_CLOCK = {"gmacs_per_s": "", "gmacs_per_s_per_mm2": "area"}


def values(priced: Priced) -> dict[str, float | None]:
    """Return the metrics of a unit and its cost by name."""
    return {name: metric.value(priced) for name, metric in METRICS.items()}


def errors(cost: Cost) -> Mapping[str, Mapping[str, float | None]]:
    """Return the errors of an estimate's technology on unseen units mapped for the same.

    By quantity. The least area that meets a clock has none of delay, which is the clock's; one that
    meets it anyway is that without a clock, and one that misses it is mapped for the least delay.
    The least area times delay has the errors of the least delay, which it is at or near. Empty if
    they are unknown.
    """
    goal = _goal(cost)
    found = cost.provenance.get("errors", {}).get(_ERRORS[goal], {})
    if goal != "clock":
        return dict(found)
    return {name: error for name, error in found.items() if "delay" not in name}


def is_least_area(cost: Cost) -> bool:
    """Whether a unit is mapped for the least area, for which families have bands of their own."""
    return _goal(cost) == "area"


def _goal(cost: Cost) -> str:
    """Return what a unit is mapped for, given what its clock asks of it."""
    goal: str = cost.provenance.get("objective", "area")
    if goal != "clock" or cost.clock_ns is None or cost.delay_ns == cost.clock_ns:
        return goal
    return "area" if cost.delay_ns < cost.clock_ns else "speed"


def _meets_clock(cost: Cost) -> bool:
    return cost.slack_ns is not None and cost.slack_ns >= 0


def _quantity(cost: Cost, metric: Metric) -> str:
    """Return whose error a metric of a cost has; none if empty."""
    return _AT_CLOCK.get(metric.name, metric.quantity) if _meets_clock(cost) else metric.quantity


def percents(cost: Cost) -> dict[str, dict[int, float]]:
    """Return the errors of an estimate in percent, by metric and by ``LEVELS``.

    Estimate and synthesis are within it of each other, whichever of them it is taken of, for that
    percentage of units; at the least area it is wider for a family that fits follow less. Metrics
    whose error is unknown are left out.
    """
    known = _band(cost)
    found = {
        name: {
            level: percent
            for level in LEVELS
            if (percent := known.get(_quantity(cost, metric), {}).get(error_key(level))) is not None
        }
        for name, metric in METRICS.items()
    }
    return {name: levels for name, levels in found.items() if levels}


def ratio_errors(cost: Cost) -> dict[str, float]:
    """Return a cost's part in the error of its ratio to another one, in percent by metric.

    The logarithm of the ratio of two costs of one technology is uncertain by the root of the sum of
    the squares of both parts' log(1 + part): of estimates as 90 % of pairs of units
    (:func:`cost_models.conformal.ratio_score`), of synthesis its spread. Metrics of which nothing
    is known are left out.
    """
    if cost.method == "synthesis":
        return spreads(cost)
    known = _band(cost)
    return {
        name: percent
        for name, metric in METRICS.items()
        if (percent := known.get(_quantity(cost, metric), {}).get(RATIO_ERROR)) is not None
    }


def _band(cost: Cost) -> Mapping[str, Mapping[str, float | None]]:
    """Return the band of an estimate's family by quantity; synthesis has none.

    Families have bands of the least area; what is mapped for another has the errors of all.
    """
    found: Mapping[str, Mapping[str, float | None]] = cost.provenance.get("band", {})
    if cost.method != "synthesis" and not is_least_area(cost):
        found = errors(cost)
    of_interpolation = cost.provenance.get("interpolation_errors")
    return found if of_interpolation is None else _together(found, of_interpolation)


def _together(
    one: Mapping[str, Mapping[str, float | None]], other: Mapping[str, Mapping[str, float]]
) -> Mapping[str, Mapping[str, float | None]]:
    """Return the errors of what errs twice, in ways that have nothing to do with each other."""
    return {
        quantity: {
            key: None if error is None else math.hypot(error, other.get(quantity, {}).get(key, 0.0))
            for key, error in levels.items()
        }
        for quantity, levels in one.items()
    }


def spreads(cost: Cost) -> dict[str, float]:
    """Return how far other netlists lie from a synthesised one, in percent by metric, at most.

    At a clock that is met, these are the others that meet it. A single netlist says nothing.
    """
    if cost.method != "synthesis":
        return {}
    latest = cost.clock_ns if cost.clock_ns is not None and _meets_clock(cost) else math.inf
    others = [row for row in cost.provenance["candidates"] if row["delay_ns"] <= latest]
    if len(others) < 2:
        return {}
    ratios = {
        "area": [row["area_um2"] / cost.area_um2 for row in others],
        "delay": [row["delay_ns"] / cost.delay_ns for row in others],
    }
    ratios["area_times_delay"] = [
        area * delay for area, delay in zip(ratios["area"], ratios["delay"], strict=True)
    ]
    return {
        name: 100 * max(abs(ratio - 1) for ratio in ratios[quantity])
        for name, metric in METRICS.items()
        if (quantity := _quantity(cost, metric)) in ratios
    }


def plain(priced: Priced) -> dict[str, Any]:
    """Return a unit's cost with all metrics and their errors as plain values for JSON.

    ``error_percent`` of an estimate and ``spread_percent`` of synthesis have those metrics that
    something is known of.
    """
    cost = priced.cost
    error = (
        {"error_percent": percents(cost)}
        if cost.method != "synthesis"
        else {"spread_percent": spreads(cost)}
    )
    return cost.to_dict() | values(priced) | error
