"""Tasks on a Dask cluster: a scheduler, and workers that come and go.

What crosses is text: the name of a function of hwsim, and its task and result as JSON
(:mod:`sweeps.plain`). Results are written by the process that was started, as they arrive. A worker
that dies loses the task it was at, which the scheduler gives to another one; a task that ends
several workers is a failed point, and the others go on. Every task says which source, versions and
tensors its results are to be of, and a worker that has others refuses, as they would be kept under
the wrong name. Tensors and networks are files that each worker finds at the same path, or in a
package that it has.

A worker does one task at a time, however many threads it has: start it with ``--nthreads 1``.
"""

import json
import logging
import platform
import re
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import cache, partial
from itertools import islice
from typing import Any, Protocol, TypeVar

from hwsim.errors import HwsimError, InputError, MissingToolError
from hwsim.pool import WorkerDiedError
from hwsim.pool import each as on_this_machine
from hwsim.progress import say
from hwsim.registration import resolve
from sweeps.plain import dumps, loads, told
from sweeps.store import source_digest, versions

#: What stands for a cluster on this machine.
LOCAL = "local"
#: Tasks that the scheduler has at a time for every worker, so that none waits for the next.
_AHEAD = 4
#: Seconds within which a scheduler answers, and has a worker.
_TIMEOUT = 20
#: Seconds between looks whether a task is done, and whether a worker is there.
_POLL, _BETWEEN = 0.01, 2.0

Task = TypeVar("Task")
Done = TypeVar("Done")

_one_at_a_time = threading.Lock()


class Each(Protocol):
    """Yields every task with its result or exception, as they finish (:func:`hwsim.pool.each`)."""

    def __call__(
        self, function: Callable[[Task], Done], tasks: Sequence[Task], /
    ) -> Iterator[tuple[Task, Done | Exception]]: ...


class Source(Protocol):
    """Files that results depend on, such as :class:`~hwsim.tensors.load.TensorSource`."""

    def digest(self) -> str:
        """Return the SHA-256 of their content."""


def check_address(text: str) -> str:
    """Return the address of a scheduler, or raise InputError."""
    if text != LOCAL and not re.fullmatch(r"(tcp|tls)://[^\s/:]+:[0-9]+", text):
        raise InputError(f"scheduler={text!r}: allowed: {LOCAL}, or tcp://host:port")
    return text


@contextmanager
def opened(scheduler: str | None, workers: int | None, sources: Sequence[Source]) -> Iterator[Each]:
    """Yield what runs tasks: processes of this machine, or the workers of a cluster.

    Parameters
    ----------
    scheduler
        ``tcp://host:port``; ``local`` starts a cluster on this machine; None needs none.
    workers
        Processes on this machine, by default one a core.
    sources
        What results depend on beside the task, which workers have to have in the same state.

    Raises
    ------
    InputError
        For an address that is none, where no scheduler answers or it has no worker, and with
        ``workers`` for a scheduler that has its own.
    MissingToolError
        If Dask is not installed.
    """
    if scheduler is None:
        yield partial(on_this_machine, workers=workers)
        return
    check_address(scheduler)
    if scheduler != LOCAL and workers is not None:
        raise InputError(f"workers={workers}: goes with processes of this machine; {scheduler} has "
                         "those that were started for it")  # fmt: skip
    try:
        import distributed
    except ImportError:
        raise MissingToolError("a scheduler needs Dask; pip install 'hwsim[cluster]'") from None
    with ExitStack() as stack:
        address: Any = scheduler
        if scheduler == LOCAL:
            address = stack.enter_context(
                distributed.LocalCluster(
                    n_workers=workers,
                    threads_per_worker=1,
                    host="127.0.0.1",
                    dashboard_address=None,
                    # Workers that are closed complain about each other.
                    silence_logs=logging.CRITICAL,
                )
            )
        stack.enter_context(_silent("distributed.client"))
        try:
            client = stack.enter_context(
                distributed.Client(address, timeout=_TIMEOUT, set_as_default=False)
            )
        except OSError as error:
            raise InputError(
                f"scheduler={scheduler}: no answer within {_TIMEOUT} s: {error}"
            ) from None
        _wait_for_workers(client, scheduler)
        yield _Cluster(client, scheduler, sources)


@contextmanager
def _silent(name: str) -> Iterator[None]:
    """Keep a logger silent: what it would say is raised as an error."""
    logger = logging.getLogger(name)
    before = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(before)


def _wait_for_workers(client: Any, scheduler: str) -> None:
    """Raise InputError where no worker comes: tasks would wait for one without a word."""
    try:
        client.wait_for_workers(1, timeout=_TIMEOUT)
    except TimeoutError:
        raise InputError(
            f"scheduler={scheduler}: it has had no worker for {_TIMEOUT} s; start some with "
            f"dask worker {scheduler} --nthreads 1"
        ) from None


class _Cluster:
    """The workers of a client."""

    def __init__(self, client: Any, name: str, sources: Sequence[Source]) -> None:
        self.client, self.name = client, name
        self.needed = [[dumps(source), source.digest()] for source in sources]

    def __call__(
        self, function: Callable[[Task], Done], tasks: Sequence[Task], /
    ) -> Iterator[tuple[Task, Done | Exception]]:
        from distributed import as_completed

        waiting = iter(tasks)
        place = f"{function.__module__}:{function.__qualname__}"
        running: dict[Any, Task] = {}
        finished = as_completed(loop=self.client.loop)

        def start(count: int) -> None:
            for task in islice(waiting, count):
                future = self._submit(place, task)
                running[future] = task
                finished.add(future)

        start(_AHEAD * max(2, self._workers()))
        try:
            while running:
                self._wait(finished)
                future = next(finished)
                task = running.pop(future)
                start(1)
                yield task, self._result(future)
        finally:
            self.client.cancel([*running])

    def _workers(self) -> int:
        return len(self.client.scheduler_info(n_workers=-1)["workers"])

    def _wait(self, finished: Any) -> None:
        """Wait until a task is done; say so, once, where no worker is left to do it."""
        asked = seen = time.monotonic()
        told = False
        while not finished.has_ready():
            time.sleep(_POLL)
            now = time.monotonic()
            if now - asked < _BETWEEN:
                continue
            asked = now
            if self._workers():
                seen, told = now, False
            elif now - seen >= _TIMEOUT and not told:
                told = True
                say(
                    f"hwsim: the scheduler {self.name} has had no worker for {now - seen:.0f} s; "
                    f"the sweep goes on when one comes: dask worker {self.name} --nthreads 1"
                )

    def _submit(self, place: str, task: Any) -> Any:
        state = json.dumps([fingerprint(), self.needed])
        return self.client.submit(work, place, dumps(task), state, pure=False)

    def _result(self, future: Any) -> Any:
        from distributed import KilledWorker

        if future.status == "error":
            error = future.exception()
            if isinstance(error, KilledWorker):
                return InputError("workers died while they were at it, or were out of memory")
            return InputError(told(error))
        if future.status != "finished":
            raise WorkerDiedError(f"the scheduler {self.name} was lost")
        answer = json.loads(future.result())
        if "refused" in answer:
            raise InputError(f"scheduler={self.name}: {answer['refused']}")
        if "failure" in answer:
            return InputError(answer["failure"])
        return loads(answer["result"])


def work(place: str, task: str, state: str) -> str:
    """Do a task in a worker, and return its result, or what went wrong, as JSON text."""
    with _one_at_a_time:
        if refused := _refusal(state):
            return json.dumps({"refused": refused})
        try:
            return json.dumps({"result": dumps(resolve(place)(loads(task)))})
        except Exception as error:
            return json.dumps({"failure": told(error)})


@cache
def _refusal(state: str) -> str:
    """Return why results of this process are not those of the one that asks; empty if they are."""
    wanted, needed = json.loads(state)
    here = fingerprint()
    name = platform.node()
    for what, value in wanted.items():
        if here[what] != value:
            return f"the worker on {name} has {what} {here[what]}, and this process {value}"
    for source, digest in needed:
        try:
            if loads(source).digest() != digest:
                return f"the worker on {name} has other content in {source}"
        except HwsimError as error:
            return f"the worker on {name}: {error}"
    return ""


@cache
def fingerprint() -> dict[str, str]:
    """Return what decides results in a process: its sources, and the versions it computes with."""
    return {
        "python": platform.python_version(),
        **versions(),
        "source of SHA-256": source_digest(),
    }
