"""What a sweep leaves behind: tables, charts, and the Verilog of every Pareto-optimal unit."""

import shutil
from pathlib import Path

from hwsim.errors import InputError
from rtl import emit
from sweeps import plots, table
from sweeps.run import Outcome
from sweeps.spec import Sweep


def write(sweep: Sweep, outcome: Outcome, folder: Path) -> list[Path]:
    """Write the results of a sweep into its folder.

    ``results.csv`` and ``results.parquet`` hold all points, ``pareto.csv`` the Pareto-optimal
    ones, ``pruned.csv`` the candidates that the screen left out, if there is one,
    ``pareto_<technology>.png`` and ``.svg`` the charts, and ``verilog/<unit>/`` the files of
    every Pareto-optimal unit. What an earlier report left there is replaced.

    Returns
    -------
    list of Path
        The tables, the charts, and the folder of every unit.

    Raises
    ------
    InputError
        If the sweep has no finished point.
    """
    if not outcome.points:
        raise InputError(f"the sweep {sweep.name} has no finished point to report")
    rows = table.rows(sweep, outcome.points)
    optimal = [row for row in rows if row["pareto"]]
    paths = [folder / name for name in ("results.csv", "results.parquet", "pareto.csv")]
    table.write_csv(paths[0], rows)
    table.write_parquet(paths[1], sweep, rows)
    table.write_csv(paths[2], optimal)
    if sweep.screen is not None:
        paths.append(folder / "pruned.csv")
        table.write_csv(paths[-1], [table.pruned_row(one) for one in outcome.pruned], table.PRUNED)
    paths += plots.write(sweep, rows, folder)
    return paths + _write_verilog(outcome, {row["unit"] for row in optimal}, folder / "verilog")


def _write_verilog(outcome: Outcome, names: set[str], folder: Path) -> list[Path]:
    if folder.exists():
        shutil.rmtree(folder)
    units = dict.fromkeys(point.unit for point in outcome.points if point.unit.name in names)
    for unit in units:
        emit.write(unit, folder / unit.name)
    return [folder / unit.name for unit in units]
