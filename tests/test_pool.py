"""Parallel work: results, exceptions, dead workers, and a quick end on Ctrl-C."""

import math
import multiprocessing
import os
import signal
import time

import pytest

from hwsim.pool import WorkerDiedError, each
from tests.processes import group_exists, start, wait_until


@pytest.mark.parametrize("workers", [1, 2])
def test_every_task_has_its_result_or_its_exception(workers):
    results = dict(each(math.sqrt, [4.0, -1.0, 9.0], workers))
    assert (results[4.0], results[9.0]) == (2, 3)
    assert isinstance(results[-1.0], ValueError)


def test_workers_multiply_on_one_thread(monkeypatch):
    monkeypatch.delenv("OPENBLAS_NUM_THREADS", raising=False)
    assert dict(each(os.getenv, ["OPENBLAS_NUM_THREADS", "HOME"], 2)) == {
        "OPENBLAS_NUM_THREADS": "1",
        "HOME": os.getenv("HOME"),
    }
    assert "OPENBLAS_NUM_THREADS" not in os.environ


def test_no_tasks():
    assert list(each(math.sqrt, [], 2)) == []


def test_dead_worker_is_an_error():
    with pytest.raises(WorkerDiedError, match="a worker process died"):
        list(each(os._exit, [3, 3], 2))


def test_leaving_the_loop_ends_the_workers():
    start = time.monotonic()
    for task, _ in each(time.sleep, [0.0, 60.0, 60.0], 2):
        assert task == 0
        break
    assert wait_until(lambda: not multiprocessing.active_children(), seconds=20)
    assert time.monotonic() - start < 30


def test_ctrl_c_ends_the_whole_group_quickly():
    code = (
        # A shell starts programs in the background with Ctrl-C ignored.
        "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "import time; from hwsim.pool import each\n"
        "for task, _ in each(time.sleep, [0, 60, 60], 2): print(task, flush=True)\n"
    )
    process = start(code)
    os.killpg(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=50)
    assert process.returncode == -signal.SIGINT
    assert errors.count("Traceback") == 1, errors
    assert wait_until(lambda: not group_exists(process.pid), seconds=10)
