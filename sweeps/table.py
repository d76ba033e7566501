"""Results as a table, one row a point, units in the column names; to CSV and Parquet."""

import csv
import io
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from statistics import NormalDist
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from cost_models.bands import LEVELS, RATIO_LEVEL, error_key
from cost_models.cost import Cost
from cost_models.metric import Metric
from cost_models.metrics import percents, ratio_errors
from hwsim.errors import InputError
from hwsim.files import as_path, read_text, reason, write_text
from hwsim.formats.base import Bools
from hwsim.formats.block import BlockFormat
from hwsim.tensors.quality import arithmetic, formats_of
from hwsim.tensors.sources import have_activations
from hwsim.units import UnitSpec
from rtl.verilog import HandMade
from sweeps.accuracies import Measured
from sweeps.interpolate import Compared, bands, by_target
from sweeps.metrics import METRICS
from sweeps.networks import Network
from sweeps.pareto import pareto, within_band
from sweeps.run import Failure, Point
from sweeps.screen import Pruned
from sweeps.simulated import Simulated
from sweeps.spec import Sweep, Tensors
from sweeps.store import versions
from sweeps.targets import Target

Row = dict[str, Any]
Floats = NDArray[np.float64]

#: The table in the folder of a sweep, beside the same as CSV.
FILE = "results.parquet"
#: Parameters that every unit has; those of one family are together in ``parameters``.
COMMON = ("lanes", "weight", "activation")
#: What switches units' gates where no tensors do (:mod:`cost_models.operands`).
NORMAL = "normal"
#: Columns that say how tensors were quantised.
QUANTISERS = (
    "weight_quantiser", "activation_quantiser", "weight_scale_rule", "activation_scale_rule",
)  # fmt: skip
#: What is known of how units' tensors are quantised.
_quantised: dict[tuple[Any, ...], Row] = {}
#: Columns of a network beside its metrics.
BESIDE = {
    "decoder": ("perplexity_float32", "nll_difference", "nll_difference_error", "predictions"),
    "encoder": ("embedding_cosine_min", "rank_correlation", "sentences"),
}
#: Standard errors within which as many samples lie as ratios of costs within theirs.
STANDARD_ERRORS = NormalDist().inv_cdf((1 + RATIO_LEVEL / 100) / 2)
#: Columns of a target, those that not all sweeps have last.
OF_TARGET = (
    "technology", "clock_ns", "objective", "clock_gating", "workload", "tensors", "match", "group",
)  # fmt: skip
#: Columns of the candidates that the screen left out.
PRUNED = (
    "unit", "family", "weight", "activation", "lanes", "parameters", "verilog", *OF_TARGET,
    "times_smallest_as_good",
)  # fmt: skip
#: The points that failed, and its columns.
FAILURES = "failed.csv"
FAILED = ("design", *OF_TARGET, "reason")


def rows(sweep: Sweep, points: Sequence[Point]) -> list[Row]:
    """Return one row a point, in the order of ``points``.

    Of accelerators, ``design`` is what a point is called, ``accelerator`` that without ``changes``,
    ``bound`` what most of the time is bound by, and ``workload`` what it works on; parts of energy
    and area are columns behind them, and ``unit`` and what follows is of the unit. Ends in
    ``_low`` and ``_high`` are as far as errors of parts are known, ``_unknown_percent`` is the
    share of the others.

    ``verilog`` names the files that are a unit's hardware in place of its generator's.
    ``weight_quantiser`` and ``activation_quantiser`` say how tensors were quantised, the columns
    of scale rules by which rule (:mod:`hwsim.formats.scaling`).
    ``quantisation_sqnr_db`` is of the formats alone, with exact products and sums,
    ``output_sqnr_db`` of the unit (:mod:`hwsim.tensors.quality`); ``exact_arithmetic`` says whether
    the unit has exact ones, too.
    ``operands`` says whose operands the energy is of, as ``hwsim cost`` takes them, ``tensors``
    whose quantisation is measured, ``match`` which of these, ``group`` in groups of how many.
    ``network`` says of what network ``perplexity`` or ``embedding_cosine`` is, and on what; columns
    behind it have what :mod:`hwsim.networks` says beside these.
    ``clock_ns`` is the period that the unit is mapped for and runs at; without one it is mapped for
    ``objective``, the least ``area`` or the best ``density``, and runs at its own fmax.
    ``violates`` says which constraints do not hold, a metric without a value among them;
    ``feasible`` whether all hold; ``pareto`` whether no other feasible point of the same technology
    and clock dominates the point in all objectives of the sweep; ``pareto_within_band`` whether
    none does by more than errors allow (:func:`errors_of`). Columns that end in
    ``_ratio_error_percent`` are the point's part in the error of a ratio of two
    (:func:`cost_models.metrics.ratio_errors`).
    """
    of_tensors = {one: _of_tensors(sweep.tensors_of(one)) for one in sweep.targets}
    table = _filled([_row(sweep, of_tensors[point.target], point) for point in points])
    feasible = np.array([not row["violates"] for row in table], bool)
    optimal, within = np.zeros((2, len(table)), bool)
    for target in sweep.targets:
        chosen = feasible & np.array([is_of(row, target) for row in table], bool)
        if not chosen.any():
            continue
        together = [r for r, c in zip(table, chosen, strict=True) if c]
        optimal[chosen] = front(together, sweep.objectives)
        within[chosen] = front_within_band(together, sweep.objectives)
    return [
        {**row, "feasible": bool(f), "pareto": bool(o), "pareto_within_band": bool(w)}
        for row, f, o, w in zip(table, feasible, optimal, within, strict=True)
    ]


def _filled(table: list[Row]) -> list[Row]:
    """Return rows that all have the columns of any; accelerators differ in their parts."""
    columns = dict.fromkeys(name for row in table for name in row)
    return [{name: row.get(name) for name in columns} for row in table]


def is_of(row: Row, target: Target) -> bool:
    """Return whether a row is of a target."""
    of = _of(target)
    return {name: row[name] for name in of} == of


def front(table: Sequence[Row], objectives: Sequence[str]) -> Bools:
    """Return which rows are Pareto-optimal in these objectives."""
    return pareto(_values(table, objectives), _maximise(objectives))


def front_within_band(table: Sequence[Row], objectives: Sequence[str]) -> Bools:
    """Return which rows are Pareto-optimal in these objectives, or may be by their errors."""
    values = _values(table, objectives)
    with np.errstate(divide="ignore"):
        for column, name in enumerate(objectives):
            if METRICS[name].quantity:
                values[:, column] = np.log(values[:, column])
    errors = np.transpose([errors_of(table, name) for name in objectives])
    # Equal perplexities are one measurement, of the same formats.
    same = [name == "perplexity" for name in objectives]
    return within_band(values, _maximise(objectives), errors, same)


def errors_of(table: Sequence[Row], name: str) -> Floats:
    """Return each row's part in the error of a difference of two rows, in one metric.

    A difference is off by the root of the sum of the squares of both. For costs it is one of
    logarithms, and the part that of :func:`cost_models.metrics.ratio_errors`; for
    ``output_sqnr_db`` it is a multiple of the standard error, in dB, and for ``perplexity`` of that
    of the difference to float32, as far as both formats' do not err together. Other metrics of
    quality are exact, and metrics of which no error is known count as they are.
    """
    if METRICS[name].quantity:
        parts = [row.get(f"{name}_ratio_error_percent") or 0.0 for row in table]
        return np.log1p(np.array(parts, np.float64) / 100)
    if name == "output_sqnr_db":
        samples = [row.get("output_sqnr_error_db") or 0.0 for row in table]
        return STANDARD_ERRORS * np.array(samples, np.float64)
    if name == "perplexity":
        parts = [row[name] * (row.get("nll_difference_error") or 0.0) for row in table]
        return STANDARD_ERRORS * np.array(parts, np.float64)
    return np.zeros(len(table))


def _values(table: Sequence[Row], objectives: Sequence[str]) -> Floats:
    values = [[row[name] for name in objectives] for row in table]
    return np.array(values, np.float64).reshape(-1, len(objectives))


def _maximise(objectives: Sequence[str]) -> list[bool]:
    return [METRICS[name].maximise for name in objectives]


def pruned_row(one: Pruned) -> Row:
    """Return what is told of a candidate that the screen left out; its columns are ``PRUNED``."""
    ratio = {"times_smallest_as_good": round(one.ratio, 3)}
    return _described(one.unit) | _of(one.target) | ratio


def failed_row(one: Failure) -> Row:
    """Return what is told of a point that failed; its columns are ``FAILED``."""
    return {"design": one.design.name} | _of(one.target) | {"reason": one.message}


def _of(target: Target) -> Row:
    found = {
        "technology": target.technology,
        "clock_ns": target.clock_ns,
        "objective": target.mapped_for,
    }
    if target.clock_gating:
        found["clock_gating"] = True
    if target.workload is not None:
        found["workload"] = target.workload.name
    if target.tensors is not None:
        source = target.tensors.source
        found |= {"tensors": source.label, "match": source.match, "group": target.tensors.group}
    return found


def _described(unit: UnitSpec) -> Row:
    given = unit.parameters()
    own = {key: value for key, value in given.items() if key not in COMMON}
    return {
        "unit": unit.name,
        "family": unit.family,
        "weight": given["weight"],
        "activation": given["activation"],
        "lanes": unit.lanes,
        "parameters": " ".join(f"{key}={value}" for key, value in own.items()),
        "verilog": unit.verilog.label if isinstance(unit, HandMade) else None,
    }


def _row(sweep: Sweep, of_tensors: Row, point: Point) -> Row:
    unit, cost = point.unit, point.cost
    measured = {
        name: metric.value(point) for name, metric in METRICS.items() if has_metric(sweep, metric)
    }
    violations = [limit.violation(measured[limit.metric]) for limit in sweep.constraints]
    return (
        _accelerator(point)
        | _described(unit)
        | {
            **_of(point.target),
            "method": cost.method,
            **measured,
            "exact_arithmetic": unit.is_exact,
            **of_tensors,
            "group": point.group,
            **_quantisers(unit, point.group),
            **_network(sweep.network, point.accuracy),
            **_errors(cost),
            **_parts(point.simulated),
            "violates": "; ".join(filter(None, violations)),
        }
    )


def _of_tensors(tensors: Tensors | None) -> Row:
    """Return what all points have of a sweep's tensors, whose operands are what energy is of."""
    if tensors is None:
        return {"operands": NORMAL, "match": None, "tensors": None}
    source = tensors.source
    operands = source.label if have_activations(source.load()) else NORMAL
    return {"operands": operands, "match": source.match, "tensors": source.label}


def has_metric(sweep: Sweep, metric: Metric) -> bool:
    """Return whether the points of a sweep have a metric as a column."""
    if metric.needs == "accelerator":
        return sweep.has_accelerators
    if metric.needs in ("decoder", "encoder"):
        return sweep.network is not None and sweep.network.kind == metric.needs
    return True


def _network(network: Network | None, found: Measured | None) -> Row:
    """Return the columns of a network, but for its metrics."""
    if network is None or found is None:
        return {}
    return {"network": network.label} | {
        name: getattr(found, name) for name in BESIDE[network.kind]
    }


def _accelerator(point: Point) -> Row:
    """Return the columns of an accelerator and of what it works on; none of a unit alone."""
    plan, work, found = point.design.plan, point.target.workload, point.simulated
    if plan is None or work is None or found is None:
        return {}
    one, memories = plan.accelerator, plan.accelerator.memories
    kv_cache = one.operand_formats.kv_cache
    return {
        "design": plan.name,
        "accelerator": plan.base,
        "changes": " ".join(f"{key}={text}" for key, text in plan.changes),
        "rows": found.rows,
        "cols": found.cols,
        "period_ns": found.period_ns,
        "multipliers": found.rows * found.cols * point.unit.macs_per_beat,
        "dataflow": one.dataflow.value,
        "links": one.links.value,
        "convention": one.convention.value,
        "kv_cache": None if kv_cache is None else getattr(kv_cache, "name", str(kv_cache)),
        **{
            f"{name}_sram_bytes": getattr(memories, f"{name}s").capacity
            for name in ("weight", "input", "output")
        },
        "sram": f"{memories.table} {memories.node} nm",
        "dram": " ".join(filter(None, [memories.dram.kind, memories.dram.boundary])),
        "dram_gb_per_s": memories.dram.bandwidth,
        "model": work.model,
        "phase": work.work.phase,
        "tokens": work.work.tokens,
        "context": work.work.context,
        "batch": work.work.batch,
        "bound": found.bound,
        "notes": "; ".join(found.notes),
    }


def _parts(found: Simulated | None) -> Row:
    """Return the errors of an accelerator's figures, and what energy and area are the sums of."""
    if found is None:
        return {}
    columns: Row = {}
    for name in ("energy_j_per_item", "area_mm2"):
        quantity = name.partition("_")[0]
        columns |= {f"{name}_{end}": getattr(found, f"{name}_{end}") for end in ("low", "high")}
        columns[f"{name}_unknown_percent"] = getattr(found, f"{quantity}_unknown_percent")
        for part, value in getattr(found, f"{name}_parts").items():
            columns[f"{name}_of_{part.replace(' ', '_').lower()}"] = value
    for name, metric in METRICS.items():
        if metric.needs == "accelerator" and metric.quantity:
            error = found.ratio_error_percent(metric.quantity)
            columns[f"{name}_ratio_error_percent"] = error
    return columns


def _quantisers(unit: UnitSpec, group: int | None) -> Row:
    """Return how a unit's tensors were quantised."""
    if group is None:
        return dict.fromkeys(QUANTISERS)
    # Units that compute alike share it.
    alike = type(unit), group, *arithmetic(unit, 1).items()
    if alike not in _quantised:
        weight, activation = formats_of(unit, group)
        once = "" if isinstance(activation, BlockFormat) else " per token"
        rules = [str(getattr(fmt, "scale_rule", "")) or None for fmt in (weight, activation)]
        values = weight.name, f"{activation.name}{once}", *rules
        _quantised[alike] = dict(zip(QUANTISERS, values, strict=True))
    return _quantised[alike]


def _errors(cost: Cost) -> Row:
    """Return the errors of an estimate behind the names of the columns that they are of."""
    known, of_ratios = percents(cost), ratio_errors(cost)
    columns: Row = {}
    for name, metric in METRICS.items():
        if metric.quantity and metric.needs != "accelerator":
            of_levels = known.get(name, {})
            columns |= {f"{name}_{error_key(level)}": of_levels.get(level) for level in LEVELS}
            columns[f"{name}_ratio_error_percent"] = of_ratios.get(name)
    return columns


def write_csv(path: Path, table: Sequence[Row], columns: Iterable[str]) -> None:
    """Write rows as CSV with a header line, which is all if there are none; None is empty."""
    text = io.StringIO()
    writer = csv.DictWriter(text, list(columns), lineterminator="\n")
    writer.writeheader()
    writer.writerows(table)
    write_text(path, text.getvalue())


def compared_row(one: Compared) -> Row:
    """Return what is told of a point that was interpolated and estimated."""
    errors = {
        f"{quantity}_error_percent": 100 * np.expm1(error)
        for quantity, error in one.errors().items()
    }
    figures = {
        f"{name}_{cost.method}": getattr(cost, name)
        for name in ("area_um2", "delay_ns", "energy_pj_per_mac", "settled_energy_pj_per_mac")
        for cost in (one.interpolated, one.estimated)
    }
    return _described(one.design.unit) | _of(one.target) | figures | errors


def write_parquet(
    path: Path, sweep: Sweep, table: Sequence[Row], compared: Sequence[Compared] = ()
) -> None:
    """Write rows as Parquet.

    The file's metadata have the name of the sweep, its objectives and constraints as JSON, the
    errors of interpolation by target (:func:`sweeps.interpolate.bands`), and the versions.
    """
    metadata = {
        "sweep": sweep.name,
        "objectives": json.dumps(sweep.objectives),
        "constraints": json.dumps([asdict(limit) for limit in sweep.constraints]),
        **versions(),
    }
    if compared:
        metadata["interpolation_errors"] = json.dumps(
            {name: bands(found) for name, found in by_target(compared).items()}
        )
    columns = pa.Table.from_pylist(list(table)).replace_schema_metadata(metadata)
    pq.write_table(columns, path)


def read_parquet(folder: Path) -> pa.Table:
    """Return what :func:`write_parquet` wrote into the folder of a sweep.

    Raises
    ------
    InputError
        If there is no such file, or it is no table.
    """
    path = as_path("folder", folder) / FILE
    if not path.exists():
        if (path.parent / FAILURES).exists():
            raise InputError(f"{folder}: all of its points failed; {FAILURES} says why")
        raise InputError(f"{path} is not there; run a sweep into {folder} first")
    try:
        return pq.read_table(path)
    except (OSError, ValueError) as error:
        raise InputError(f"{path} is no table of a sweep: {reason(error)}") from None


def read_failed(folder: Path) -> list[dict[str, str]]:
    """Return the rows of the points of a sweep that failed, none if all went well.

    Raises
    ------
    InputError
        If the file of them is there and cannot be read, or is no such table.
    """
    path = folder / FAILURES
    if not path.exists():
        return []
    lines = csv.DictReader(io.StringIO(read_text(path, "failed points")))
    rows = list(lines)
    needed = ("design", "reason")
    if any(row.get(name) is None for row in rows for name in needed):
        raise InputError(f"{path} is no table of failed points, which has {' and '.join(needed)}")
    return rows
