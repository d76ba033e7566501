"""The results of a sweep as a data frame."""

from pathlib import Path

import pandas as pd

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
        table = pd.read_parquet(path)
    except (OSError, ValueError) as error:
        raise InputError(f"{path} is no table of a sweep: {reason(error)}") from None
    # Nothing is known of a column without any value, nor that one with some is of integers.
    numbers = [metric.column for metric in METRICS.values() if metric.column in table]
    table[numbers] = table[numbers].astype("float64")
    return table.astype({"group": "Int64"})
