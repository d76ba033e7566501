"""Design-space exploration: a specification in YAML to costs, Pareto set, charts and Verilog."""

import sys
from pathlib import Path


def run_sweep(specification: Path, folder: Path, workers: int | None = None) -> int:
    """Run or continue a sweep, write its report, and say on stdout what was found and where.

    Parameters
    ----------
    specification
        YAML file, see :mod:`sweeps.spec`.
    folder
        Where points and results go; a new folder, or one that this sweep was begun in.
    workers
        Number of processes, by default one a core.

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
    from hwsim.pool import WorkerDiedError
    from sweeps import report, spec
    from sweeps.run import SweepInterruptedError, run

    sweep = spec.read(as_path("specification", specification))
    folder = as_path("folder", folder)
    try:
        outcome = run(sweep, folder, workers)
        paths = report.write(sweep, outcome, folder) if outcome.points else []
    except SweepInterruptedError as error:
        print(str(error), file=sys.stderr)
        return 130
    except WorkerDiedError as error:
        print(f"{error}; finished points are kept in {folder}", file=sys.stderr)
        return 1
    print(f"{len(outcome.points)} points, {outcome.computed} of them computed now")
    if sweep.screen is not None:
        print(f"{len(outcome.pruned)} candidates left out by the screen, see pruned.csv")
    for path in paths:
        print(path)
    for failure in outcome.failures:
        place = f"{failure.unit.name} in {failure.technology}"
        print(f"FAILED: {place}: {failure.message}", file=sys.stderr)
    return 1 if outcome.failures else 0
