"""What is measured, and what follows: crossovers, best table sizes, needed shares."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from cost_models import synthesis
from cost_models.cost import Cost
from cost_models.estimate import estimate
from sweeps.studies.lut.designs import (
    TABLE_LANES,
    WEIGHT_BITS,
    Amount,
    Design,
    K,
    Shares,
    Tile,
    adder_design,
    designs,
    lane_jobs,
    measure,
    multiplier_design,
    operands_of,
    shares,
    table_design,
)
from sweeps.studies.page import Measured

if TYPE_CHECKING:
    from cost_models.synthesis.liberty import Library

#: Shares that tables quote, and the one without a table.
QUOTED = (1, 16, 256)
ALONE = math.inf

Metric = Callable[[Shares, float], float]
METRICS: dict[str, Metric] = {"area": Shares.area, "energy": Shares.energy}
UNITS = {"area": "um^2/(MAC/cycle)", "energy": "pJ/MAC"}


#: A design and its lanes, and with columns.
Job = tuple[Design, int]
Built = tuple[Design, int, int]

#: Tiles that are built as they are.
CHECKED: list[Built] = [
    (table_design(2, "int8"), 12, 1),
    (table_design(2, "int8"), 12, 4),
    (table_design(2, "int8"), 12, 16),
    (table_design(2, "int8", 5), 15, 4),
    (multiplier_design(2, "int8"), 12, 1),
    (table_design(2, "fp16", 2), 4, 1),
    (table_design(2, "fp16", 2), 2, 4),
    (adder_design(2, "fp16"), 3, 1),
    (multiplier_design(2, "fp16"), 3, 1),
]
#: Columns of the tiles that are synthesised; with one, optimisation dissolves its table.
SYNTHESISED_COLUMNS = (4, 8)
SYNTHESISED_BITS = (1, 2, 4)


@dataclass(frozen=True)
class Check:
    """A tile's cost as predicted from a smaller one, and as estimated whole."""

    predicted: Amount
    whole: Amount


class Results:
    """Everything that is measured in one technology, where it is first asked for or before.

    Attributes
    ----------
    technology
        Its name.
    designs
        The designs that are compared.
    tiles
        Tiles by design and lanes.
    shares
        Costs of :data:`~sweeps.studies.lut.designs.LANES` lanes by design.
    wholes
        Tiles that are estimated as a whole, by design, lanes and columns.
    """

    def __init__(self, technology: str) -> None:
        self.technology = technology
        self.designs = designs()
        self.tiles: Measured[Job, Tile] = Measured(partial(_tile, technology))
        self.wholes: Measured[Built, Cost] = Measured(partial(_whole, technology))
        self.shares: Measured[Design, Shares] = Measured(self._shares)

    def measure(self, workers: int | None) -> None:
        """Measure every design, and the tiles that check the method."""
        needed = [job for design in self.designs for job in design.jobs]
        # The slowest first, so that no process ends alone.
        jobs = sorted(
            dict.fromkeys([*needed, *lane_jobs()]),
            key=lambda job: job[0].exact * 1000 - job[0].table_lanes,
        )
        self.tiles.measure(jobs, workers)
        self.wholes.measure(CHECKED, workers)

    def cost(self, design: Design, metric: str, share: float = ALONE) -> float:
        """Return area or settled energy with ``share`` columns to a row's table."""
        return METRICS[metric](self.shares[design], share)

    def tile(self, design: Design) -> Tile:
        """Return the tile of a design that is built as it is, of the fewest lanes."""
        return self.tiles[design.jobs[0]]

    def check(self, built: Built) -> Check:
        """Return the cost of a tile as predicted from the nearest measured one, and estimated."""
        design, lanes, columns = built
        nearest = min(
            (self.tiles[job] for job in design.jobs), key=lambda tile: abs(tile.lanes - lanes)
        )
        cost = self.wholes[built]
        return Check(nearest.at(lanes, columns), Amount(cost.area_um2, cost.settled_pj))

    def _shares(self, design: Design) -> Shares:
        return shares(design, [self.tiles[job] for job in design.jobs])


def _tile(technology: str, job: Job) -> Tile:
    return measure(*job, technology)


def _whole(technology: str, built: Built) -> Cost:
    design, lanes, columns = built
    unit = design.build(lanes, columns)
    return estimate(unit, technology, operands_of(design, unit))


@dataclass(frozen=True)
class Synthesised:
    """A synthesised design: um^2/(MAC/cycle) and pJ/MAC of its table and of its column."""

    table: Amount
    column: Amount


class Syntheses:
    """The decisive points by synthesis: tables, adders and multipliers of few weight bits."""

    def __init__(self, technology: str, library: "Library") -> None:
        self.designs = [
            make(bits, activation)
            for activation in ("int8", "fp16")
            for bits in SYNTHESISED_BITS
            for make in (table_design, adder_design, multiplier_design)
        ]
        self._costs: Measured[Built, Cost] = Measured(partial(_synthesised, technology, library))

    def measure(self, workers: int | None) -> None:
        """Synthesise all of them."""
        self._costs.measure([job for one in self.designs for job in self._jobs(one)], workers)

    def __getitem__(self, design: Design) -> Synthesised:
        """Return a design from one column without a table, or from tiles of two widths."""
        costs = [self._costs[job] for job in self._jobs(design)]
        amounts = [Amount(cost.area_um2, cost.settled_pj) for cost in costs]
        macs = costs[0].macs_per_cycle
        if len(amounts) == 1:
            return Synthesised(Amount(), (1 / macs) * amounts[0])
        narrow, wide = amounts
        few, many = SYNTHESISED_COLUMNS
        column = (1 / (many - few)) * (wide - narrow)
        per_column = few / macs
        return Synthesised(per_column * (narrow - float(few) * column), per_column * column)

    @staticmethod
    def _jobs(design: Design) -> list[Built]:
        columns = SYNTHESISED_COLUMNS if design.table_lanes > 1 else (1,)
        return [(design, K, count) for count in columns]


def _synthesised(technology: str, library: "Library", built: Built) -> Cost:
    design, lanes, columns = built
    unit = design.build(lanes, columns)
    return synthesis.measure(unit, technology, library, operands_of(design, unit))


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
        if ours not in results.designs:
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
