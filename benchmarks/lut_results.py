"""What `lut.py` measured, and what follows: crossovers, best table sizes, needed shares."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from lut_designs import (
    TABLE_LANES,
    WEIGHT_BITS,
    Amount,
    Design,
    Shares,
    Tile,
    adder_design,
    multiplier_design,
    table_design,
)

from cost_models.cost import Cost

#: Shares that tables quote, and the one without a table.
QUOTED = (1, 16, 256)
ALONE = math.inf

Metric = Callable[[Shares, float], float]
METRICS: dict[str, Metric] = {"area": Shares.area, "energy": Shares.energy}
UNITS = {"area": "um^2/(MAC/cycle)", "energy": "pJ/MAC"}


@dataclass(frozen=True)
class Check:
    """A tile as predicted from a smaller one, and as estimated whole."""

    design: Design
    lanes: int
    columns: int
    predicted: Amount
    whole: Amount


@dataclass(frozen=True)
class Results:
    """Everything that was measured in one technology."""

    technology: str
    shares: dict[Design, Shares]
    tiles: dict[Design, Tile]
    by_lanes: dict[tuple[Design, int], Tile]
    checks: list[Check]

    def cost(self, design: Design, metric: str, share: float = ALONE) -> float:
        """Return area or settled energy with ``share`` columns to a row's table."""
        return METRICS[metric](self.shares[design], share)


@dataclass(frozen=True)
class Synthesised:
    """A synthesised design: um^2/(MAC/cycle) and pJ/MAC of its table and of its column."""

    design: Design
    table: Amount
    column: Amount

    @classmethod
    def of(cls, design: Design, costs: Sequence[Cost], columns: tuple[int, int]) -> "Synthesised":
        """Return the design from one column without a table, or from tiles of two widths."""
        amounts = [Amount(cost.area_um2, cost.settled_pj) for cost in costs]
        macs = costs[0].macs_per_cycle
        if len(amounts) == 1:
            return cls(design, Amount(), (1 / macs) * amounts[0])
        narrow, wide = amounts
        column = (1 / (columns[1] - columns[0])) * (wide - narrow)
        per_column = columns[0] / macs
        return cls(design, per_column * (narrow - float(columns[0]) * column), per_column * column)


def wins_up_to(
    results: Results,
    metric: str,
    share: float,
    activation: str,
    make: Callable[..., Design] = table_design,
    rival: Callable[..., Design] = multiplier_design,
) -> int:
    """Return the widest measured weight up to which ``make``'s units are cheaper, or 0."""
    bits = 0
    for width in WEIGHT_BITS:
        ours, theirs = make(width, activation), rival(width, activation)
        if ours not in results.shares:
            break
        if results.cost(ours, metric, share) > results.cost(theirs, metric, share):
            break
        bits = width
    return bits


def adder_wins(results: Results, metric: str, share: float, activation: str) -> list[int]:
    """Return the weight bits at which the serial adder is the cheapest of the three kinds."""
    widths = []
    for bits in WEIGHT_BITS:
        adder = results.cost(adder_design(bits, activation), metric, share)
        table = results.cost(table_design(bits, activation), metric, share)
        if adder < min(table, results.cost(multiplier_design(bits, activation), metric)):
            widths.append(bits)
    return widths


def best_size(results: Results, metric: str, share: float, activation: str, bits: int) -> int:
    """Return the table size of the lowest cost."""
    return min(
        TABLE_LANES,
        key=lambda size: results.cost(table_design(bits, activation, size), metric, share),
    )


def needed_share(results: Results, metric: str, table: Design, other: Design) -> float:
    """Return the fewest columns to a table that make it no dearer than ``other``, or infinity."""
    saved = results.cost(other, metric) - results.cost(table, metric)
    if saved <= 0:
        return math.inf
    costs = (results.cost(design, metric, 1) - results.cost(design, metric)
             for design in (table, other))  # fmt: skip
    own, others = costs
    return max(1, math.ceil((own - others) / saved))
