"""What a sweep leaves behind: tables, charts, and the Verilog of every Pareto-optimal unit.

A report is made in a folder of its own and then moved to its place, file by file. The sweep keeps a
list of those files: what an earlier report wrote and this one does not is removed, and what no
report wrote is left alone.
"""

import shutil
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from hwsim.errors import InputError
from rtl import emit
from sweeps import plots, table
from sweeps.run import Outcome
from sweeps.spec import Sweep
from sweeps.store import Store, inside, locked, writing
from sweeps.table import Row

VERILOG = "verilog"
_NEW = ".sweep.report"


def write(
    sweep: Sweep, outcome: Outcome, folder: Path, rows: Sequence[Row] | None = None
) -> list[Path]:
    """Write the results of a sweep into its folder.

    ``results.csv`` and ``results.parquet`` hold all points, ``pareto.csv`` the Pareto-optimal ones
    and those that errors cannot tell from them (``pareto_within_band`` alone), ``pruned.csv`` the
    candidates that the screen left out, if there is one, ``interpolation.csv`` what was both
    interpolated and estimated, if anything was interpolated, ``failed.csv`` the points that failed,
    if any did, with the reason,
    ``pareto_<target>`` as PNG, SVG and PDF the charts, a target being a technology at a clock, and
    ``verilog/<unit>/`` the files of every Pareto-optimal unit. What an earlier report left there is
    replaced. Without a finished point there are but ``pruned.csv`` and ``failed.csv``. ``rows`` are
    those of the table, if they are known.

    Returns
    -------
    list of Path
        The tables, the charts, and the folder of every unit.

    Raises
    ------
    InputError
        If another process works in the folder, if a file cannot be written, or if one is in the
        way that no report wrote.
    """
    rows = table.rows(sweep, outcome.points) if rows is None else rows
    with locked(folder) as store:
        new = inside(folder, PurePosixPath(_NEW, "file")).parent
        with writing(folder):
            _remove(new)
            new.mkdir()
            paths = _write(sweep, outcome, rows, new)
            _install(store, new)
            _remove(new)
    return [folder / path.relative_to(new) for path in paths]


def _write(sweep: Sweep, outcome: Outcome, rows: Sequence[Row], folder: Path) -> list[Path]:
    paths: list[Path] = []
    if rows:
        paths += [folder / name for name in ("results.csv", table.FILE, "pareto.csv")]
        table.write_csv(paths[0], rows, rows[0])
        table.write_parquet(paths[1], sweep, rows, outcome.compared)
        table.write_csv(paths[2], [row for row in rows if row["pareto_within_band"]], rows[0])
    if sweep.screen is not None:
        paths.append(folder / "pruned.csv")
        table.write_csv(paths[-1], [table.pruned_row(one) for one in outcome.pruned], table.PRUNED)
    if outcome.compared:
        paths.append(folder / "interpolation.csv")
        compared = [table.compared_row(one) for one in outcome.compared]
        table.write_csv(paths[-1], compared, compared[0])
    if outcome.failures:
        paths.append(folder / table.FAILURES)
        failed = [table.failed_row(one) for one in outcome.failures]
        table.write_csv(paths[-1], failed, table.FAILED)
    paths += plots.write(sweep, rows, folder)
    optimal = {row["unit"] for row in rows if row["pareto"]}
    units = dict.fromkeys(point.unit for point in outcome.points if point.unit.name in optimal)
    for unit in units:
        paths.append(folder / VERILOG / unit.name)
        emit.write(unit, paths[-1])
    return paths


def _install(store: Store, new: Path) -> None:
    """Move the files of a new report to their places, and remove those of the last one."""
    files = [PurePosixPath(p.relative_to(new)) for p in sorted(new.rglob("*")) if p.is_file()]
    before = store.written()
    for file in files:
        place = inside(store.folder, file)
        if before is not None and file not in before and (place.exists() or place.is_symlink()):
            raise InputError(f"{place} is there and no report wrote it; move it away")
    stale = [file for file in before or [] if file not in files]
    # Whatever ends this, the list has all that is there.
    store.record([*files, *stale])
    for file in files:
        place = store.folder / file
        place.parent.mkdir(parents=True, exist_ok=True)
        (new / file).replace(place)
    for file in stale:
        inside(store.folder, file).unlink(missing_ok=True)
    for parent in sorted((store.folder / VERILOG).rglob("*"), reverse=True):
        if parent.is_dir() and not parent.is_symlink() and not any(parent.iterdir()):
            parent.rmdir()
    store.record(files)


def _remove(folder: Path) -> None:
    if folder.exists():
        shutil.rmtree(folder)
