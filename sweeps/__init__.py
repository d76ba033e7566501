"""Design-space exploration: a specification in YAML to costs, Pareto set, charts and Verilog."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd


def results(folder: Path) -> "pd.DataFrame":
    """Return the points of a finished sweep, a row each, with the columns of ``results.csv``.

    Names of columns end in their units. Figures are float64, NaN where unknown, whole numbers
    Int64, and ``feasible``, ``pareto`` and ``pareto_within_band`` truth values.

    Raises
    ------
    InputError
        If ``folder`` holds no results of a sweep.
    """
    from sweeps import frame

    return frame.read(folder)


def run_sweep(
    specification: Path,
    folder: Path,
    workers: int | None = None,
    scheduler: str | None = None,
    quiet: bool = False,
) -> int:
    """Run or continue a sweep, write its report, and say on stdout what was found and where.

    Parameters
    ----------
    specification
        YAML file, see :mod:`sweeps.spec`.
    folder
        Where points and results go; a new folder, or one of a sweep. What its points have in common
        with this specification is not computed again.
    workers
        Number of processes, by default one a core.
    scheduler
        ``tcp://host:port`` of a Dask scheduler whose workers compute the points, or ``local``,
        which starts a cluster on this machine.
    quiet
        Say nothing on stderr but what went wrong.

    Returns
    -------
    int
        Exit status: 0; 1 if a point failed or a worker died, which stderr lists; 130 on Ctrl-C.

    Raises
    ------
    InputError, MissingToolError
        As :func:`sweeps.spec.read` and :func:`sweeps.run.run` do.
    """
    # Every worker process imports this package, and needs neither charts nor tables.
    from hwsim.files import as_path
    from sweeps import spec

    # An error of the specification need not wait for what a sweep imports.
    sweep = spec.read(as_path("specification", specification))
    folder = as_path("folder", folder)

    from hwsim.pool import WorkerDiedError
    from hwsim.tables import counted
    from sweeps import interpolate, report, table
    from sweeps.run import SweepInterruptedError, check, run
    from sweeps.store import locked

    check(sweep, workers)
    try:
        # Nobody else may write between the run and its report.
        with locked(folder):
            outcome = run(sweep, folder, workers, scheduler, quiet)
            rows = table.rows(sweep, outcome.points)
            paths = report.write(sweep, outcome, folder, rows)
    except SweepInterruptedError as error:
        print(str(error), file=sys.stderr)
        return 130
    except WorkerDiedError as error:
        print(f"{error}; finished points are kept in {folder}", file=sys.stderr)
        return 1
    print(f"{counted(len(outcome.points), 'point')}, {outcome.computed} of them computed now")
    if sweep.families:
        anchors = {one for family in sweep.families for one, _ in family.anchors}
        from_anchors = counted(len(anchors), "anchor")
        print(f"{counted(outcome.interpolated, 'point')} interpolated, from {from_anchors}")
        for line in interpolate.said(outcome.compared):
            print(line)
    if sweep.screen is not None:
        left_out = counted(len(outcome.pruned), "candidate")
        print(f"{left_out} left out by the screen, see pruned.csv")
    if sweep.constraints:
        print(f"{sum(row['feasible'] for row in rows)} of {counted(len(rows), 'point')} feasible")
    if missed := sum((row["slack_ns"] or 0) < 0 for row in rows):
        print(f"{missed} of {counted(len(rows), 'point')} miss their clock and run slower")
    if rows:
        optimal = sum(row["pareto"] for row in rows)
        more = sum(row["pareto_within_band"] for row in rows) - optimal
        found = counted(optimal, "point")
        print(f"{found} Pareto-optimal, {more} more that errors cannot tell from these")
    for path in paths:
        print(path)
    for failure in outcome.failures:
        place = f"{failure.design.name} in {failure.target.name}"
        print(f"FAILED: {place}: {failure.message}", file=sys.stderr)
    return 1 if outcome.failures else 0
