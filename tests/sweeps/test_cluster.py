"""Sweeps on a Dask cluster of two workers on loopback: the same files as without, to the byte."""

import json
import math
import os
import re
import signal
import subprocess
import sys
import threading
from dataclasses import replace

import numpy as np
import pytest

from cost_models import technology
from hwsim.errors import InputError
from hwsim.formats import parse, parse_block
from hwsim.tensors.load import TensorSource
from hwsim.units import make
from rtl import emit
from rtl.verilog import with_verilog
from sweeps import spec
from sweeps.cluster import fingerprint, opened, work
from sweeps.costs import Costing
from sweeps.plain import dumps, loads
from sweeps.qualities import Measurement, measure
from sweeps.run import run
from sweeps.spec import Tensors
from sweeps.targets import Target
from tests.processes import wait_until
from tests.technologies import simple

SPEC = """\
name: shared
technology: [mine.yaml]
method: estimate
clock: [none, best]
tensors: {path: layers.npz, group: 8}
units:
  - {unit: integer, weight: [int2, int3], activation: [int2, int3], lanes: 1}
  - {unit: mx_dot, weight: mxfp4_g8, activation: mxfp4_g8, lanes: 1, accumulator: fp16}
objectives: [area_um2, output_sqnr_db]
"""


@pytest.fixture
def specification(tmp_path):
    rng = np.random.default_rng(0)
    arrays = {"w": rng.normal(size=(8, 16)), "w.input": rng.normal(size=(4, 16))}
    np.savez(tmp_path / "layers.npz", **arrays)
    technology.write(simple("mine"), tmp_path / "mine.yaml")
    path = tmp_path / "s.yaml"
    path.write_text(SPEC)
    return path


@pytest.fixture
def start(tmp_path):
    """Starts programs of Dask, which end with the test."""
    processes = []

    def start(*arguments):
        processes.append(
            subprocess.Popen(
                [sys.executable, "-m", "distributed.cli." + arguments[0], *arguments[1:]],
                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=tmp_path,
                env={**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
            )
        )  # fmt: skip
        return processes[-1]

    try:
        yield start
    finally:
        for process in processes:
            process.kill()
            process.communicate()


@pytest.fixture
def lonely(start):
    """The address of a scheduler without workers."""
    first = start("dask_scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard")
    for line in first.stdout:
        if found := re.search(r"Scheduler at:\s+(tcp://\S+)", line):
            break
    return found[1]


@pytest.fixture
def scheduler(start, lonely):
    """The address of a scheduler, and its two workers."""
    workers = [
        start("dask_worker", lonely, "--no-nanny", "--nthreads", "1", "--no-dashboard")
        for _ in range(2)
    ]
    return lonely, workers


def files(folder):
    return {
        path.relative_to(folder): path.read_bytes()
        for kind in ("points", "errors", "unit_errors")
        for path in sorted((folder / kind).iterdir())
    }


def test_a_cluster_that_loses_a_worker_has_the_same_results(specification, scheduler, tmp_path):
    """One of two workers is killed while it works; nothing is lost, doubled or different."""
    address, workers = scheduler
    sweep = spec.read(specification)
    points = tmp_path / "spread" / "points"
    with subprocess.Popen(
        [sys.executable, "-c",
         "import sys; from pathlib import Path; from sweeps import run_sweep\n"
         "sys.exit(run_sweep(Path(sys.argv[1]), Path(sys.argv[2]), None, sys.argv[3], True))",
         str(specification), str(tmp_path / "spread"), address],
        stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        assert wait_until(lambda: points.is_dir() or process.poll() is not None, 600)
        assert process.poll() is None
        workers[0].send_signal(signal.SIGKILL)
        said, errors = process.communicate(timeout=600)
    assert process.returncode == 0, errors
    assert "10 points, 10 of them computed now" in said
    alone = run(sweep, tmp_path / "alone", workers=2)
    assert (len(alone.points), alone.failures) == (10, ())
    assert files(tmp_path / "spread") == files(tmp_path / "alone")
    # And the one finds what the other computed.
    assert run(sweep, tmp_path / "spread", scheduler=None).computed == 0


def test_a_scheduler_gets_every_task(specification, scheduler):
    """Also those behind the first ones, which are given to it as others finish."""
    address, _ = scheduler
    tensors = spec.read(specification).tensors
    names = [f"int{bits}" for bits in range(2, 9)]
    tasks = [
        Measurement(tensors, parse_block(f"{weight}_g8"), (parse(activation),))
        for weight in names
        for activation in names
    ]
    with opened(address, None, [tensors.source]) as each:
        found = dict(each(measure, tasks))
    assert found == {task: measure(task) for task in tasks}


@pytest.mark.exhaustive
def test_a_cluster_of_its_own(specification, tmp_path):
    sweep = spec.read(specification)
    spread = run(sweep, tmp_path / "spread", workers=2, scheduler="local", quiet=True)
    assert (len(spread.points), spread.failures) == (10, ())
    assert run(sweep, tmp_path / "alone", workers=1).points == spread.points


def test_addresses(tmp_path):
    for wrong in ("loacl", "127.0.0.1:8786", "tcp://here", "tcp://a b:1", "http://a:1"):
        with (
            pytest.raises(InputError, match="allowed: local, or tcp://host:port"),
            opened(wrong, None, ()),
        ):
            pass
    with (
        pytest.raises(InputError, match="workers=2: goes with processes"),
        opened("tcp://127.0.0.1:1", 2, ()),
    ):
        pass


def test_a_scheduler_without_workers_is_an_error(lonely, monkeypatch):
    monkeypatch.setattr("sweeps.cluster._TIMEOUT", 1)
    with (
        pytest.raises(InputError, match=f"{lonely}: it has had no worker for 1 s; start some"),
        opened(lonely, None, ()),
    ):
        pass


def test_workers_that_all_died_are_missed(start, lonely, specification, monkeypatch, capsys):
    """And the sweep goes on when one comes."""
    monkeypatch.setattr("sweeps.cluster._BETWEEN", 0.1)
    worker = ("dask_worker", lonely, "--no-nanny", "--nthreads", "1", "--no-dashboard")
    first = start(*worker)
    tensors = spec.read(specification).tensors
    tasks = [
        Measurement(tensors, parse_block(f"int{bits}_g8"), (parse("int4"),)) for bits in (2, 3, 4)
    ]
    with opened(lonely, None, [tensors.source]) as each:
        monkeypatch.setattr("sweeps.cluster._TIMEOUT", 1)
        first.kill()
        said, found = "", []

        def work():
            found.extend(each(measure, tasks))

        thread = threading.Thread(target=work)
        thread.start()

        def missed():
            nonlocal said
            said += capsys.readouterr().err
            return "has had no worker for" in said

        assert wait_until(missed, 120)
        start(*worker)
        thread.join(600)
    assert dict(found) == {task: measure(task) for task in tasks}
    assert said.count("no worker") == 1


def test_tasks_and_results_cross_as_plain_text(tmp_path, specification):
    tensors = Tensors(TensorSource(path=tmp_path / "layers.npz"), 8)
    integer = make("integer", lanes=2, weight="int4_g32", activation="int8", accumulator_bits=40)
    mine = Target("mine", replace(simple("mine"), units=[]), sha256="1", clock_ns=2.5)
    own = make("integer", lanes=2, weight="int4", activation="int8")
    emit.write(own, tmp_path / "verilog")
    text = tmp_path / "verilog" / f"{own.name}.v"
    for task in (
        Costing(integer, (mine, Target("sky130", objective="density")), tensors),
        Costing(make("bitmod", lanes=4, weight="bitmod4_g64", activation="fp16"), (), None),
        Costing(with_verilog(own, [text]), (), None),
        Measurement(tensors, integer.weight_quantiser(8), (integer.activation,)),
        spec.read(specification),
        {"a": (1, 0.1, math.inf, None, True, [1.5])},
    ):  # fmt: skip
        again = loads(dumps(task))
        assert again == task
        assert dumps(again) == dumps(task)
    assert str(loads(dumps(ValueError("no")))) == "ValueError: no"
    with pytest.raises(InputError, match="does not cross to other machines"):
        dumps(object())


def test_a_worker_of_other_source_or_tensors_refuses(tmp_path, specification, monkeypatch):
    source = TensorSource(path=tmp_path / "layers.npz")
    good = [fingerprint(), [[dumps(source), source.digest()]]]
    task = dumps([2, 3])
    assert json.loads(work("builtins:sum", task, json.dumps(good))) == {"result": "5"}
    failed = json.loads(work("math:isqrt", dumps(-1), json.dumps(good)))
    assert failed["failure"].startswith("ValueError: ")
    other = [{**fingerprint(), "numpy": "0.1"}, good[1]]
    answer = json.loads(work("builtins:sum", task, json.dumps(other)))
    assert re.search(r"has numpy .*, and this process 0\.1", answer["refused"])
    answer = json.loads(work("builtins:sum", task, json.dumps([good[0], [[good[1][0][0], "0"]]])))
    assert "has other content in" in answer["refused"]
    monkeypatch.chdir(tmp_path)
    missing = dumps(TensorSource(path=tmp_path / "none.npz"))
    answer = json.loads(work("builtins:sum", task, json.dumps([good[0], [[missing, "0"]]])))
    assert "none.npz: cannot be read" in answer["refused"]
