"""Work in parallel that can be stopped at any moment.

Workers are started fresh (spawn), so that none inherits half a library. They ignore Ctrl-C, from
their first instruction, because an ignored signal stays ignored in a new program: the parent alone
hears it, and ends them. What they work on then is lost, what they delivered is not.
"""

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from types import FrameType
from typing import TypeVar

#: What the libraries behind NumPy's matrix product read their number of threads from.
BLAS_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")

Task = TypeVar("Task")
Done = TypeVar("Done")


class WorkerDiedError(RuntimeError):
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
    executor = ProcessPoolExecutor(count, multiprocessing.get_context("spawn"))
    with handling(signal.SIGINT, signal.SIG_IGN), _one_thread_each():
        futures = {executor.submit(_attempt, function, task): task for task in tasks}
    try:
        for future in as_completed(futures):
            yield futures[future], future.result()
        executor.shutdown()
    except BrokenProcessPool:
        raise WorkerDiedError(
            "a worker process died, killed or out of memory; fewer workers need less of it"
        ) from None
    finally:
        executor.shutdown(wait=False, cancel_futures=True)
        for child in set(multiprocessing.active_children()) - before:
            child.terminate()


@contextmanager
def handling(
    number: signal.Signals, handler: Callable[[int, FrameType | None], object] | signal.Handlers
) -> Iterator[None]:
    """Handle a signal in another way for a while; only the main thread can, or hears it."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(number, handler)
    try:
        yield
    finally:
        signal.signal(number, before)


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
