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
from cost_models.figures import FIGURES, percents
from hwsim.files import write_text
from hwsim.formats.base import Bools
from hwsim.tensors.quantise import to_db
from hwsim.units import UnitSpec
from rtl.verilog import HandMade
from sweeps.metrics import METRICS
from sweeps.pareto import pareto
from sweeps.run import Point
from sweeps.screen import Pruned
from sweeps.spec import Sweep
from sweeps.store import versions

Row = dict[str, Any]

#: Parameters that every unit has; those of one family are together in ``parameters``.
COMMON = ("lanes", "weight", "activation")
#: Columns of the candidates that the screen left out.
PRUNED = (
    "unit", "family", "weight", "activation", "lanes", "parameters", "verilog", "technology",
    "times_smallest_as_good",
)  # fmt: skip


def rows(sweep: Sweep, points: Sequence[Point]) -> list[Row]:
    """Return one row a point, in the order of ``points``.

    ``verilog`` names the files that are a unit's hardware in place of its generator's.
    ``weight_scale_rule`` and ``activation_scale_rule`` say how tensors were scaled, see
    :mod:`hwsim.formats.scaling`. The SQNR columns are of the formats alone, with exact products and
    sums; ``exact_arithmetic`` says whether the unit has these, too.
    ``feasible`` says whether the constraints hold, ``pareto`` whether no other feasible point of
    the same technology dominates the point in all objectives of the sweep.
    """
    table = [_row(sweep, point) for point in points]
    feasible = np.array([_is_feasible(sweep, row) for row in table], bool)
    optimal = np.zeros(len(table), bool)
    for technology in sweep.technologies:
        chosen = feasible & np.array([row["technology"] == technology for row in table], bool)
        optimal[chosen] = front(
            [r for r, c in zip(table, chosen, strict=True) if c], sweep.objectives
        )
    return [
        {**row, "feasible": bool(f), "pareto": bool(o)}
        for row, f, o in zip(table, feasible, optimal, strict=True)
    ]


def front(table: Sequence[Row], objectives: Sequence[str]) -> Bools:
    """Return which rows are Pareto-optimal in these objectives."""
    metrics = [METRICS[name] for name in objectives]
    values = [[row[metric.column] for metric in metrics] for row in table]
    return pareto(
        np.array(values, np.float64).reshape(-1, len(metrics)), [m.maximise for m in metrics]
    )


def pruned_row(one: Pruned) -> Row:
    """Return what is told of a candidate that the screen left out; its columns are ``PRUNED``."""
    ratio = {"technology": one.technology, "times_smallest_as_good": round(one.ratio, 3)}
    return _described(one.unit) | ratio


def _described(unit: UnitSpec) -> Row:
    own = {key: value for key, value in unit.parameters().items() if key not in COMMON}
    return {
        "unit": unit.name,
        "family": unit.family,
        "weight": unit.weight.name,
        "activation": unit.activation.name,
        "lanes": unit.lanes,
        "parameters": " ".join(f"{key}={value}" for key, value in own.items()),
        "verilog": unit.verilog.label if isinstance(unit, HandMade) else None,
    }


def _row(sweep: Sweep, point: Point) -> Row:
    unit, cost, error = point.unit, point.cost, point.error
    return _described(unit) | {
        "technology": point.technology,
        "method": cost.method,
        **{figure.column: figure.value(cost) for figure in FIGURES.values()},
        "exact_arithmetic": unit.is_exact,
        "tensors": sweep.tensors.source.label if sweep.tensors else None,
        "group": sweep.tensors.group if sweep.tensors else None,
        "weight_scale_rule": str(unit.weight.scale_rule) if sweep.tensors else None,
        "activation_scale_rule": str(unit.activation.scale_rule) if sweep.tensors else None,
        "weight_sqnr_db": None if error is None else to_db(error.weight),
        "output_sqnr_db": None if error is None or error.output is None else to_db(error.output),
        **_errors(cost),
    }


def _errors(cost: Cost) -> Row:
    """Return the errors of an estimate behind the names of the columns that they are of."""
    known = percents(cost)
    return {
        f"{figure.column}_{error_key(level)}": known.get(name, {}).get(level)
        for name, figure in FIGURES.items()
        if figure.quantity
        for level in LEVELS
    }


def _is_feasible(sweep: Sweep, row: Row) -> bool:
    return all(
        (limit.minimum is None or row[METRICS[limit.metric].column] >= limit.minimum)
        and (limit.maximum is None or row[METRICS[limit.metric].column] <= limit.maximum)
        for limit in sweep.constraints
    )


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
