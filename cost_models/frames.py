"""Costs and published numbers as data frames, a row each, units in the names of the columns."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict

import pandas as pd

from cost_models import published as papers
from cost_models.bands import error_key
from cost_models.cost import METRICS, Cost
from cost_models.metrics import percents, spreads
from hwsim.errors import InputError


def costs(costs: Sequence[Cost]) -> pd.DataFrame:
    """Return costs as a table, a row each.

    Columns are the names of unit, technology and method, the clock (NaN without one), the standard
    error of the MACs per cycle, all metrics of a cost
    (:data:`cost_models.cost.METRICS`), and what is known of their errors in percent: of estimates
    what 68 % and 95 % of units stay within, of synthesis how far its other netlists lie
    (``..._spread_percent``).

    Raises
    ------
    InputError
        For what is no sequence of costs.
    """
    if not isinstance(costs, Sequence) or not all(isinstance(cost, Cost) for cost in costs):
        raise InputError(f"costs={costs!r}: allowed: a list of costs, such as of hwsim.estimate")
    return pd.DataFrame([_row(cost) for cost in costs])


def _row(cost: Cost) -> dict[str, str | float]:
    row: dict[str, str | float] = {
        "unit": cost.unit, "technology": cost.technology, "method": cost.method
    }  # fmt: skip
    row |= {name: _number(getattr(cost, name)) for name in ("clock_ns", "macs_per_cycle_error")}
    row |= {name: _number(getattr(cost, name)) for name in METRICS}
    for name, levels in percents(cost).items():
        row |= {f"{name}_{error_key(k)}": error for k, error in levels.items()}
    return row | {f"{name}_spread_percent": error for name, error in spreads(cost).items()}


def _number(value: float | None) -> float:
    return math.nan if value is None else value


def published(filters: Mapping[str, str] | None = None) -> pd.DataFrame:
    """Return the published numbers that pass all filters, see :func:`cost_models.published.select`.

    Raises
    ------
    InputError
        For an unknown filter, or a pattern that fits no number.
    """
    return pd.DataFrame(
        [asdict(row) for row in papers.select({} if filters is None else filters)],
        columns=[*papers.Published.__dataclass_fields__],
    )
