"""Processes that end with the one that started them, however it ends.

A killed process cannot clean up, and a signal reaches only those it is sent to, not the ABC that
a shell runs for Yosys. So what is started here joins a process group of its own, with everything
that it starts in turn. A guardian leads the group: a shell that reads a pipe of which this process
alone holds the other end. The pipe closes when this process is dead, and the guardian kills the
group, itself included.
"""

import math
import os
import resource
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

_GUARDIAN = "trap '' INT TERM HUP; read -r line; kill -9 0"

#: Of the shell that becomes the program; its $0 is the limit.
_LIMITED = 'ulimit -S -t "$0" && exec "$@"'


@contextmanager
def group() -> Iterator[int]:
    """Yield the number of a new process group; it is killed with the context, or this process."""
    reading, writing = os.pipe()
    try:
        guardian = os.posix_spawn(
            "/bin/sh",
            ["sh", "-c", _GUARDIAN],
            os.environ,
            file_actions=[
                (os.POSIX_SPAWN_DUP2, reading, 0),
                (os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0),
                (os.POSIX_SPAWN_DUP2, 1, 2),
            ],
            setpgroup=0,
        )
    except BaseException:
        os.close(writing)
        raise
    finally:
        os.close(reading)
    try:
        yield guardian
    finally:
        # Some systems do not let one kill a group of which all are dead.
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(guardian, signal.SIGKILL)
        os.close(writing)
        os.waitpid(guardian, 0)


def run(
    command: Sequence[str],
    cwd: Path | None = None,
    log: IO[str] | None = None,
    environment: Mapping[str, str] | None = None,
    seconds: float = 0,
) -> "subprocess.CompletedProcess[str]":
    """Run a program to its end, in a group of its own and without input.

    Parameters
    ----------
    log
        What its standard output and error go to; without it, they are in the result.
    environment
        All of its environment variables; by default those of this process.
    seconds
        Processor time that it may take, rounded up; then SIGXCPU ends it. 0 for any.
    """
    if seconds:
        command = ["/bin/sh", "-c", _LIMITED, str(math.ceil(seconds)), *command]
    with group() as leader:
        return subprocess.run(
            command,
            cwd=cwd,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log or subprocess.PIPE,
            stderr=subprocess.STDOUT if log else subprocess.PIPE,
            text=True,
            errors="replace",
            check=False,
            process_group=leader,
        )


def processor_seconds() -> float:
    """Return the processor time of this process and of all that it started and that ended."""
    used = map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(one.ru_utime + one.ru_stime for one in used)
