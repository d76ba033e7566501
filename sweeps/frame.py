"""The results of a sweep as a data frame."""

from pathlib import Path

import pandas as pd
import pyarrow as pa

from sweeps.metrics import METRICS
from sweeps.table import read_parquet


def read(folder: Path) -> pd.DataFrame:
    """Return what :func:`sweeps.results` does."""
    stored = read_parquet(folder)
    table: pd.DataFrame = stored.to_pandas(types_mapper={pa.int64(): pd.Int64Dtype()}.get)
    # A column without any value has no type of its own.
    numbers = [name for name in table if _is_metric(str(name))]
    return table.astype(dict.fromkeys(numbers, "float64"))


def _is_metric(column: str) -> bool:
    """Whether a column is a metric, the error or a part of one, the clock, or a bandwidth."""
    return column in ("clock_ns", "period_ns", "dram_gb_per_s") or any(
        column == name or column.startswith(f"{name}_") for name in METRICS
    )
