"""Points of accelerators: a unit is estimated once, then every workload takes milliseconds.

What :mod:`cost_models.accelerator` asks of a unit depends on the technology, the clock and the
formats that it works on, hardly on the array and not on its memories. So the accelerators of a unit
are a batch, which one process evaluates with the same prices; where they are many, batches are, and
a process keeps its prices from one to the next.
"""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import lru_cache

import numpy as np

from cost_models.accelerator import Prices, Result, Total, evaluate
from cost_models.array_size import fit
from cost_models.cost import Cost
from cost_models.metrics import ratio_errors
from hwsim.accelerator.simulation import BOUNDS, Accelerator
from hwsim.accelerator.workload import Workload
from hwsim.units import UnitSpec
from hwsim.units.layers import GROUP
from sweeps.cluster import Each
from sweeps.designs import Design
from sweeps.targets import Target

#: Most accelerators of a batch, and of one in which arrays are sized.
_BATCH, _SIZED = 256, 8


@dataclass(frozen=True)
class Simulated:
    """What a workload takes on an accelerator, in plain values.

    Attributes
    ----------
    rows, cols
        Units of the array, which a limit may have decided.
    period_ns
        Clock period of the array, longer than the target's where that is missed.
    bound
        What most of the time is bound by, one of :data:`hwsim.accelerator.simulation.BOUNDS`.
    energy_j_per_item_low, energy_j_per_item_high, area_mm2_low, area_mm2_high
        What these are between as far as errors of their parts are known.
    energy_unknown_percent, area_unknown_percent
        Share of parts of whose error nothing is known.
    energy_ratio_error_percent, area_ratio_error_percent
        The part in the error of a ratio of two: that of the unit, by its share.
    energy_j_per_item_parts, area_mm2_parts
        What they are the sums of.
    notes
        What has to be known of the figures.

    The others are metrics, see :data:`sweeps.metrics.METRICS`.
    """

    rows: int
    cols: int
    period_ns: float
    bound: str
    time_s: float
    items_per_s: float
    items_per_s_per_mm2: float
    energy_j_per_item: float
    power_w: float
    energy_delay_js: float
    area_mm2: float
    utilisation: float
    dram_bytes_per_item: float
    energy_j_per_item_low: float
    energy_j_per_item_high: float
    area_mm2_low: float
    area_mm2_high: float
    energy_unknown_percent: float
    area_unknown_percent: float
    energy_ratio_error_percent: float | None
    area_ratio_error_percent: float | None
    energy_j_per_item_parts: dict[str, float]
    area_mm2_parts: dict[str, float]
    notes: list[str]

    def ratio_error_percent(self, quantity: str) -> float | None:
        """Return the part in the error of a ratio of two, of ``energy`` or ``area``."""
        found: float | None = getattr(self, f"{quantity}_ratio_error_percent")
        return found


def summary(result: Result, cost: Cost) -> Simulated:
    """Return the plain values of a result; ``cost`` is that of the unit."""
    run = result.simulation
    items = run.work.items
    known = ratio_errors(cost)
    cycles = np.bincount(run.times.bound, run.times.cycles * run.layers.count, len(BOUNDS))
    energy, area = result.energy_pj, result.area_um2
    per_item = 1e-12 / items
    return Simulated(
        rows=run.accelerator.rows,
        cols=run.accelerator.cols,
        period_ns=run.period_ns,
        bound=BOUNDS[int(cycles.argmax())],
        time_s=run.time_s,
        items_per_s=run.items_per_s,
        items_per_s_per_mm2=result.items_per_s_per_mm2,
        energy_j_per_item=result.energy_j_per_item,
        power_w=result.power_w,
        energy_delay_js=result.energy_delay_js,
        area_mm2=result.area_mm2,
        utilisation=run.utilisation,
        dram_bytes_per_item=run.dram_bytes / items,
        energy_j_per_item_low=energy.low * per_item,
        energy_j_per_item_high=energy.high * per_item,
        area_mm2_low=area.low * 1e-6,
        area_mm2_high=area.high * 1e-6,
        energy_unknown_percent=100 * energy.unknown_share,
        area_unknown_percent=100 * area.unknown_share,
        energy_ratio_error_percent=_shared(known.get("energy_pj_per_mac"), energy),
        area_ratio_error_percent=_shared(known.get("area_um2"), area),
        energy_j_per_item_parts={part.name: part.value * per_item for part in energy.parts},
        area_mm2_parts={part.name: part.value * 1e-6 for part in area.parts},
        notes=list(result.notes),
    )


def _shared(percent: float | None, total: Total) -> float | None:
    """Return an error of units by their share; DRAM's range is the same for all accelerators."""
    of_units = sum(p.value for p in total.parts if p.low is not None and p.name != "DRAM")
    return None if percent is None else percent * of_units / total.value


@dataclass(frozen=True)
class Source:
    """What the energy of units is of, as :class:`cost_models.accelerator.Prices` has it."""

    source: str = "normal"
    match: str = "*"
    group: int = GROUP


#: What was computed of a point: the cost of the unit, and what the accelerator takes.
Found = tuple[Cost, Simulated]


@dataclass(frozen=True)
class _Batch:
    """Accelerators of one unit, each in targets of one technology and clock."""

    points: tuple[tuple[Design, tuple[Target, ...]], ...]
    source: Source
    sized_by: tuple[Workload, ...]


def simulations(
    missing: Sequence[tuple[Design, Target]],
    sized_by: Sequence[Workload],
    source: Source,
    each: Each,
) -> Iterator[tuple[Design, Target, Found | Exception]]:
    """Yield what points take, or why they cannot be computed, as they finish.

    Parameters
    ----------
    missing
        The points.
    sized_by
        What arrays with a limit are to be fastest on.
    source
        Operands of units.
    each
        What runs them.
    """
    alike: dict[tuple[UnitSpec, str, float], dict[Design, list[Target]]] = {}
    for design, target in missing:
        key = design.unit, target.technology, _clock(target)
        alike.setdefault(key, {}).setdefault(design, []).append(target)
    batches = [
        _Batch(tuple(points), source, tuple(sized_by))
        for designs in alike.values()
        for points in _split([(design, tuple(targets)) for design, targets in designs.items()])
    ]
    for batch, result in each(evaluated, batches):
        if isinstance(result, Exception):
            for design, targets in batch.points:
                yield from ((design, target, result) for target in targets)
        else:
            yield from result


_Points = list[tuple[Design, tuple[Target, ...]]]


def _split(points: _Points) -> Iterator[_Points]:
    """Split what shares a unit so that a batch takes seconds; finding a size takes some of them."""
    for sized, most in ((True, _SIZED), (False, _BATCH)):
        chosen = [
            (design, targets)
            for design, targets in points
            if design.plan is not None and (design.plan.limit is not None) == sized
        ]
        yield from (chosen[at : at + most] for at in range(0, len(chosen), most))


def _clock(target: Target) -> float:
    # Specifications of accelerators have no other clocks.
    assert target.clock_ns is not None
    return target.clock_ns


@lru_cache(maxsize=16)
def _prices(target: Target, source: Source) -> Prices:
    """Return the prices of a target's technology, which this process keeps."""
    return Prices(target.coefficients or target.technology, **asdict(source))


def evaluated(batch: _Batch) -> list[tuple[Design, Target, Found | Exception]]:
    """Return what accelerators take for every workload, or why that is not known."""
    found: list[tuple[Design, Target, Found | Exception]] = []
    for design, targets in batch.points:
        prices = _prices(replace(targets[0], workload=None), batch.source)
        results: list[Found | Exception]
        # What is wrong with one accelerator or workload does not stop others.
        try:
            accelerator = _sized(design, targets[0], batch, prices)
            results = [_evaluated(accelerator, target, prices) for target in targets]
        except Exception as error:
            results = [error] * len(targets)
        found += [(design, *pair) for pair in zip(targets, results, strict=True)]
    return found


def _sized(design: Design, target: Target, batch: _Batch, prices: Prices) -> Accelerator:
    """Return an accelerator at a target's clock, its array as large as a limit allows."""
    assert design.plan is not None
    accelerator = replace(design.plan.accelerator, clock_ns=_clock(target))
    if design.plan.limit is None:
        return accelerator
    return fit(accelerator, batch.sized_by, prices, *design.plan.limit)


def _evaluated(accelerator: Accelerator, target: Target, prices: Prices) -> Found | Exception:
    assert target.workload is not None
    try:
        result = evaluate(accelerator, target.workload.work, prices)
    except Exception as error:
        return error
    cost = prices.unit(accelerator.unit, _clock(target)).cost
    return cost, summary(result, cost)
