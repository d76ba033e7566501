"""Work in parallel that can be stopped at any moment.

Workers are started fresh (spawn), so that none inherits half a library. They are a process group of
their own, which a terminal's Ctrl-C does not reach: the parent alone hears it, and ends them. What
they work on then is lost, what they delivered is not, and their temporary files lie in a folder
that the parent removes.
"""

import multiprocessing
import os
import shutil
import signal
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import resource_tracker
from pathlib import Path
from typing import TypeVar

from hwsim import processes
from hwsim.errors import HwsimError

#: What the libraries behind NumPy's matrix product read their number of threads from.
BLAS_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")

#: What ends a command: Ctrl-C, a batch system, a terminal that is closed.
INTERRUPTIONS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
#: How often a folder is removed in which processes that were killed may still write.
_ATTEMPTS = 40

Task = TypeVar("Task")
Done = TypeVar("Done")


class WorkerDiedError(HwsimError, RuntimeError):
    """A worker process ended by itself; usually the machine was out of memory."""


def each(
    function: Callable[[Task], Done], tasks: Sequence[Task], workers: int | None = None
) -> Iterator[tuple[Task, Done | Exception]]:
    """Yield every task with its result, or the exception it raised, as they finish.

    Parameters
    ----------
    function
        Of a module, so that a worker can import it.
    tasks
        Arguments that can be sent to a worker; started in this order.
    workers
        Number of processes, by default one a core; with 1, the work is done in this process.

    Raises
    ------
    WorkerDiedError
        If a worker process ends without a result.
    """
    count = min(workers or os.cpu_count() or 1, len(tasks))
    if count <= 1:
        for task in tasks:
            yield task, _attempt(function, task)
        return
    before = set(multiprocessing.active_children())
    with _removed_folder() as folder, processes.group() as leader:
        executor = ProcessPoolExecutor(
            count,
            multiprocessing.get_context("spawn"),
            initializer=_join,
            initargs=(leader, folder),
        )
        try:
            with _held_back(), _one_thread_each():
                futures = {executor.submit(_attempt, function, task): task for task in tasks}
            for future in as_completed(futures):
                yield futures[future], future.result()
            executor.shutdown()
        except BrokenProcessPool:
            raise WorkerDiedError(
                "a worker process died, killed or out of memory; fewer workers need less of it"
            ) from None
        finally:
            executor.shutdown(wait=False, cancel_futures=True)
            # One that has just started is not in the group yet.
            for child in set(multiprocessing.active_children()) - before:
                child.kill()


def _join(leader: int, folder: str) -> None:
    """Make this process a worker: a member of the group, with temporary files in ``folder``."""
    # Of one that joins late the group may be dead already, though its number is still taken.
    threading.Thread(target=_end_with_parent, daemon=True).start()
    os.setpgid(0, leader)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, INTERRUPTIONS)
    os.environ["TMPDIR"] = tempfile.tempdir = folder


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os.kill(os.getpid(), signal.SIGKILL)


@contextmanager
def _held_back() -> Iterator[None]:
    """Let no interruption come between, and processes that are started here hear of none."""
    # It would end the hold if it were started with the first worker.
    resource_tracker.ensure_running()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, INTERRUPTIONS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def _removed_folder() -> Iterator[str]:
    """Yield a temporary folder, which is removed although killed processes may still write."""
    folder = tempfile.mkdtemp()
    try:
        yield folder
    finally:
        for _ in range(_ATTEMPTS):
            shutil.rmtree(folder, ignore_errors=True)
            if not Path(folder).exists():
                break
            time.sleep(0.05)


@contextmanager
def interruptible() -> Iterator[None]:
    """Raise KeyboardInterrupt on SIGTERM and SIGHUP, too; only the main thread can, or hears it.

    What this process was started to ignore, as ``nohup`` does, it goes on to ignore.
    """
    changed = []
    if threading.current_thread() is threading.main_thread():
        changed = [n for n in INTERRUPTIONS if signal.getsignal(n) is signal.SIG_DFL]
    for number in changed:
        signal.signal(number, signal.default_int_handler)
    try:
        yield
    finally:
        for number in changed:
            signal.signal(number, signal.SIG_DFL)


@contextmanager
def _one_thread_each() -> Iterator[None]:
    """Let processes started here multiply matrices on one thread; there is one process a core."""
    added = {name: "1" for name in BLAS_THREADS if name not in os.environ}
    os.environ.update(added)
    try:
        yield
    finally:
        for name in added:
            del os.environ[name]


def _attempt(function: Callable[[Task], Done], task: Task) -> Done | Exception:
    # Whatever goes wrong with one task is its result, and the others go on.
    try:
        return function(task)
    except Exception as error:
        return error
