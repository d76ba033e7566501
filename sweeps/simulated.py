"""Points of accelerators: units are estimated once each, then every workload takes milliseconds.

What :mod:`cost_models.accelerator` asks of a unit depends on the technology, the clock and the
formats that it works on, and not on the array or its memories. So the units of all points are
priced first, one task each, and every accelerator is evaluated with these prices.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace

import numpy as np

from cost_models.accelerator import Prices, Result, Total, UnitPrice, evaluate
from cost_models.array_size import fit
from cost_models.cost import Cost
from cost_models.metrics import ratio_errors
from hwsim.accelerator.simulation import BOUNDS, Accelerator, layers
from hwsim.accelerator.workload import Workload
from hwsim.errors import InputError
from hwsim.pool import each
from hwsim.units import UnitSpec
from hwsim.units.layers import GROUP
from sweeps.designs import Design
from sweeps.targets import Target


@dataclass(frozen=True)
class Simulated:
    """What a workload takes on an accelerator, in plain values.

    Attributes
    ----------
    rows, cols
        Units of the array, which a limit may have decided.
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
#: A unit in a technology at a clock.
_Priced = tuple[UnitSpec, str, float]
#: An accelerator in a technology at a clock.
_Array = tuple[Design, str, float]


@dataclass(frozen=True)
class _Pricing:
    unit: UnitSpec
    target: Target
    source: Source


@dataclass(frozen=True)
class _Evaluation:
    """An accelerator in targets of one technology and clock."""

    design: Design
    targets: tuple[Target, ...]
    prices: dict[UnitSpec, UnitPrice]
    source: Source
    sized_by: tuple[Workload, ...]


def simulations(
    missing: Sequence[tuple[Design, Target]],
    sized_by: Sequence[Workload],
    source: Source,
    workers: int | None,
    say: Callable[[str], None],
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
    workers
        Number of processes, see :func:`hwsim.pool.each`.
    say
        Is told which unit was priced.
    """
    wanted: dict[tuple[Design, Target], list[UnitSpec]] = {}
    for design, target in missing:
        try:
            wanted[design, target] = _units(design, target)
        except InputError as error:
            yield design, target, error
    prices = _priced(wanted, source, workers, say)
    batches: dict[_Array, tuple[dict[UnitSpec, UnitPrice], list[Target]]] = {}
    for (design, target), units in wanted.items():
        found: dict[UnitSpec, UnitPrice] = {}
        failed = None
        for unit in units:
            one = prices[_key(unit, target)]
            if isinstance(one, Exception):
                failed = one
            else:
                found[unit] = one
        if failed is not None:
            yield design, target, failed
            continue
        known, targets = batches.setdefault((design, target.technology, _clock(target)), ({}, []))
        known |= found
        targets.append(target)
    tasks = [
        _Evaluation(design, tuple(targets), known, source, tuple(sized_by))
        for (design, *_), (known, targets) in batches.items()
    ]
    for task, result in each(evaluated, tasks, workers):
        for k, target in enumerate(task.targets):
            yield task.design, target, result if isinstance(result, Exception) else result[k]


def _units(design: Design, target: Target) -> list[UnitSpec]:
    """Return what has to be priced: the unit, and the unit on the formats of every product."""
    assert design.plan is not None
    assert target.workload is not None
    modes = layers(design.plan.accelerator, target.workload.work).modes
    return list(dict.fromkeys([design.unit, *(mode.unit for mode in modes)]))


def _priced(
    wanted: Mapping[tuple[Design, Target], Sequence[UnitSpec]],
    source: Source,
    workers: int | None,
    say: Callable[[str], None],
) -> dict[_Priced, UnitPrice | Exception]:
    """Return the price of every unit that is wanted, each estimated once."""
    tasks: dict[_Priced, _Pricing] = {}
    for (_, target), units in wanted.items():
        for unit in units:
            tasks.setdefault(_key(unit, target), _Pricing(unit, target, source))
    largest_first = sorted(tasks.values(), key=lambda t: -t.unit.beat_bits * t.unit.result.bits)
    found: dict[_Priced, UnitPrice | Exception] = {}
    for task, result in each(price, largest_first, workers):
        found[_key(task.unit, task.target)] = result
        say(f"unit {len(found)}/{len(tasks)}: {task.unit.name}")
    return found


def _key(unit: UnitSpec, target: Target) -> _Priced:
    return unit, target.technology, _clock(target)


def _clock(target: Target) -> float:
    # Specifications of accelerators have no other clocks.
    assert target.clock_ns is not None
    return target.clock_ns


def _prices(target: Target, source: Source) -> Prices:
    return Prices(target.coefficients or target.technology, **asdict(source))


def price(task: _Pricing) -> UnitPrice:
    """Return what a unit takes in a technology at a clock."""
    return _prices(task.target, task.source).unit(task.unit, _clock(task.target))


def evaluated(task: _Evaluation) -> list[Found | InputError]:
    """Return what every workload takes on an accelerator, or why that is not known."""
    plan, clock = task.design.plan, _clock(task.targets[0])
    assert plan is not None
    prices = _prices(task.targets[0], task.source)
    for unit, known in task.prices.items():
        prices.keep(unit, clock, known)
    accelerator = replace(plan.accelerator, clock_ns=clock)
    if plan.limit is not None:
        accelerator = fit(accelerator, task.sized_by, prices, *plan.limit)
    cost = prices.unit(accelerator.unit, clock).cost
    return [_evaluated(accelerator, target, prices, cost) for target in task.targets]


def _evaluated(
    accelerator: Accelerator, target: Target, prices: Prices, cost: Cost
) -> Found | InputError:
    assert target.workload is not None
    try:
        return cost, summary(evaluate(accelerator, target.workload.work, prices), cost)
    except InputError as error:
        return error
