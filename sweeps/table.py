"""Results as a table, one row a point, units in the column names; to CSV and Parquet."""

import csv
import io
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from cost_models.bands import LEVELS, error_key
from cost_models.cost import Cost
from cost_models.metrics import percents
from hwsim.files import write_text
from hwsim.formats.base import Bools
from hwsim.formats.block import BlockFormat
from hwsim.tensors.quality import formats_of
from hwsim.units import UnitSpec
from rtl.verilog import HandMade
from sweeps.metrics import METRICS
from sweeps.pareto import pareto
from sweeps.run import Point
from sweeps.screen import Pruned
from sweeps.spec import Sweep, Tensors
from sweeps.store import versions
from sweeps.targets import Target

Row = dict[str, Any]

#: Parameters that every unit has; those of one family are together in ``parameters``.
COMMON = ("lanes", "weight", "activation")
#: Columns that say how tensors were quantised.
QUANTISERS = (
    "weight_quantiser", "activation_quantiser", "weight_scale_rule", "activation_scale_rule",
)  # fmt: skip
#: Columns of the candidates that the screen left out.
PRUNED = (
    "unit", "family", "weight", "activation", "lanes", "parameters", "verilog", "technology",
    "clock_ns", "times_smallest_as_good",
)  # fmt: skip


def rows(sweep: Sweep, points: Sequence[Point]) -> list[Row]:
    """Return one row a point, in the order of ``points``.

    ``verilog`` names the files that are a unit's hardware in place of its generator's.
    ``weight_quantiser`` and ``activation_quantiser`` say how tensors were quantised, the columns
    of scale rules by which rule (:mod:`hwsim.formats.scaling`).
    ``quantisation_sqnr_db`` is of the formats alone, with exact products and sums,
    ``output_sqnr_db`` of the unit (:mod:`hwsim.tensors.quality`); ``exact_arithmetic`` says whether
    the unit has exact ones, too.
    ``clock_ns`` is the period that the unit is mapped for and runs at; without one it is mapped for
    the least area and runs at its own fmax.
    ``violates`` says which constraints do not hold, a metric without a value among them;
    ``feasible`` whether all hold; ``pareto`` whether no other feasible point of the same technology
    and clock dominates the point in all objectives of the sweep.
    """
    table = [_row(sweep, point) for point in points]
    feasible = np.array([not row["violates"] for row in table], bool)
    optimal = np.zeros(len(table), bool)
    for target in sweep.targets:
        chosen = feasible & np.array([is_of(row, target) for row in table], bool)
        optimal[chosen] = front(
            [r for r, c in zip(table, chosen, strict=True) if c], sweep.objectives
        )
    return [
        {**row, "feasible": bool(f), "pareto": bool(o)}
        for row, f, o in zip(table, feasible, optimal, strict=True)
    ]


def is_of(row: Row, target: Target) -> bool:
    """Return whether a row is of a target."""
    return (row["technology"], row["clock_ns"]) == (target.technology, target.clock_ns)


def front(table: Sequence[Row], objectives: Sequence[str]) -> Bools:
    """Return which rows are Pareto-optimal in these objectives."""
    metrics = [METRICS[name] for name in objectives]
    values = [[row[name] for name in objectives] for row in table]
    return pareto(
        np.array(values, np.float64).reshape(-1, len(metrics)), [m.maximise for m in metrics]
    )


def pruned_row(one: Pruned) -> Row:
    """Return what is told of a candidate that the screen left out; its columns are ``PRUNED``."""
    ratio = {"times_smallest_as_good": round(one.ratio, 3)}
    return _described(one.unit) | _of(one.target) | ratio


def _of(target: Target) -> Row:
    return {"technology": target.technology, "clock_ns": target.clock_ns}


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


def _row(sweep: Sweep, point: Point) -> Row:
    unit, cost = point.unit, point.cost
    measured = {name: metric.value(point) for name, metric in METRICS.items()}
    violations = [limit.violation(measured[limit.metric]) for limit in sweep.constraints]
    return _described(unit) | {
        **_of(point.target),
        "method": cost.method,
        **measured,
        "exact_arithmetic": unit.is_exact,
        "tensors": sweep.tensors.source.label if sweep.tensors else None,
        "group": sweep.tensors.group if sweep.tensors else None,
        **_quantisers(unit, sweep.tensors),
        **_errors(cost),
        "violates": "; ".join(filter(None, violations)),
    }


def _quantisers(unit: UnitSpec, tensors: Tensors | None) -> Row:
    """Return how a unit's tensors were quantised."""
    if tensors is None:
        return dict.fromkeys(QUANTISERS)
    weight, activation = formats_of(unit, tensors.group)
    once = "" if isinstance(activation, BlockFormat) else " per token"
    rules = [str(getattr(fmt, "scale_rule", "")) or None for fmt in (weight, activation)]
    values = weight.name, f"{activation.name}{once}", *rules
    return dict(zip(QUANTISERS, values, strict=True))


def _errors(cost: Cost) -> Row:
    """Return the errors of an estimate behind the names of the columns that they are of."""
    known = percents(cost)
    return {
        f"{name}_{error_key(level)}": known.get(name, {}).get(level)
        for name, metric in METRICS.items()
        if metric.quantity
        for level in LEVELS
    }


def write_csv(path: Path, table: Sequence[Row], columns: Iterable[str]) -> None:
    """Write rows as CSV with a header line, which is all if there are none; None is empty."""
    text = io.StringIO()
    writer = csv.DictWriter(text, list(columns), lineterminator="\n")
    writer.writeheader()
    writer.writerows(table)
    write_text(path, text.getvalue())


def write_parquet(path: Path, sweep: Sweep, table: Sequence[Row]) -> None:
    """Write rows as Parquet, with the sweep's name and the versions in the file's metadata."""
    metadata = {"sweep": sweep.name, **versions()}
    columns = pa.Table.from_pylist(list(table)).replace_schema_metadata(metadata)
    pq.write_table(columns, path)
