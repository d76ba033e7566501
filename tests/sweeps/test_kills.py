"""Runs that are killed at random moments: nothing is lost, doubled or computed twice."""

import json
import os
import random
import signal
import time
from functools import partial

import pytest

import sweeps.costs
from sweeps import spec
from sweeps.run import run
from sweeps.store import KINDS

from .conftest import formula

#: Seconds that an estimate takes here, and the longest until a run is killed.
ESTIMATE, LONGEST = 0.02, 0.5

# A process of many threads is forked; the child computes on its own one.
pytestmark = pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")


def logged(log, unit, wanted, operands=None, clock_gating=False):
    """Estimate a unit by the formula, and note what was asked for once it is known."""
    time.sleep(ESTIMATE)
    with log.open("a") as file:
        file.writelines(json.dumps([unit.name, *one]) + "\n" for one in wanted)
    return [formula(unit, *one) for one in wanted]


def killed(sweep, folder, seconds):
    """Run a sweep in a child process for some seconds; return whether it was killed in time."""
    child = os.fork()
    if child == 0:
        try:
            run(sweep, folder, workers=1, quiet=True)
        finally:
            os._exit(0)
    time.sleep(seconds)
    os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    return os.WIFSIGNALED(status)


def finished(folder):
    """Return what points are of, of files that are whole."""
    found = set()
    for path in (folder / "points").glob("*.json"):
        if not path.name.startswith("."):
            cost = json.loads(path.read_text())["cost"]
            found.add((cost["unit"], cost["technology"]))
    return found


def files(folder):
    return {
        path.relative_to(folder): path.read_bytes()
        for kind in KINDS
        if (folder / kind).is_dir()
        for path in sorted((folder / kind).iterdir())
    }


@pytest.mark.parametrize("kills", [4, pytest.param(50, marks=pytest.mark.exhaustive)])
def test_killed_runs_lose_and_double_nothing(specification, tmp_path, monkeypatch, kills):
    log = tmp_path / "log"
    monkeypatch.setattr(sweeps.costs, "estimate_each", partial(logged, log))
    sweep = spec.read(specification)
    whole = run(sweep, tmp_path / "whole", workers=1, quiet=True)
    moments, hit, folders = random.Random(kills), 0, 0
    for _ in range(8 * kills):
        if hit == kills:
            break
        # All points of a folder are soon there; then another one is begun.
        if len(finished(tmp_path / f"folder {folders}")) == len(whole.points):
            folders += 1
        folder = tmp_path / f"folder {folders}"
        before = finished(folder)
        log.write_text("")
        hit += killed(sweep, folder, moments.uniform(0, LONGEST))
        computed = [tuple(json.loads(line)[:2]) for line in log.read_text().splitlines()]
        assert len(computed) == len(set(computed))
        assert not before & set(computed)
        assert before <= finished(folder)
    assert hit == kills
    for folder in tmp_path.glob("folder *"):
        before = finished(folder)
        log.write_text("")
        again = run(sweep, folder, workers=1, quiet=True)
        assert (again.points, again.failures) == (whole.points, ())
        assert again.computed == 16 - len(before)
        assert len(log.read_text().splitlines()) == again.computed
        assert files(folder) == files(tmp_path / "whole")
        assert not list(folder.rglob(".*"))
