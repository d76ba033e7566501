"""The results of a sweep as a data frame."""

from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from hwsim.errors import InputError
from hwsim.files import as_path, reason
from sweeps.metrics import METRICS

#: Where :func:`sweeps.report.write` leaves them, beside the same as CSV.
FILE = "results.parquet"


def read(folder: Path) -> pd.DataFrame:
    """Return what :func:`sweeps.results` does."""
    path = as_path("folder", folder) / FILE
    if not path.exists():
        raise InputError(f"{path} is not there; run a sweep into {folder} first")
    try:
        stored = pq.read_table(path)
    except (OSError, ValueError) as error:
        raise InputError(f"{path} is no table of a sweep: {reason(error)}") from None
    table: pd.DataFrame = stored.to_pandas(types_mapper={pa.int64(): pd.Int64Dtype()}.get)
    # A column without any value has no type of its own.
    numbers = [name for name in table if _is_metric(str(name))]
    return table.astype(dict.fromkeys(numbers, "float64"))


def _is_metric(column: str) -> bool:
    """Whether a column is a metric, the error or a part of one, the clock, or a bandwidth."""
    return column in ("clock_ns", "period_ns", "dram_gb_per_s") or any(
        column == name or column.startswith(f"{name}_") for name in METRICS
    )
