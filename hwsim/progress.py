"""What commands that take long say on the standard error: plain lines, also where it is a file."""

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

#: Seconds until a step that is not finished is mentioned first, and between mentions then.
FIRST, NEXT = 10, 60


def say(line: str) -> None:
    """Print a line to the standard error at once."""
    print(line, file=sys.stderr, flush=True)


@contextmanager
def mentioned(step: str) -> Iterator[None]:
    """Say what is being done if it takes more than 10 s, and then every minute for how long."""
    done = threading.Event()
    started = time.monotonic()

    def mention() -> None:
        wait = FIRST
        while not done.wait(wait):
            say(f"hwsim: {step}: {time.monotonic() - started:.0f} s so far")
            wait = NEXT

    thread = threading.Thread(target=mention, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


class Countdown:
    """How many of some tasks are done, and about how long the others take at the same pace."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._done = 0
        self._started = time.monotonic()

    def step(self) -> str:
        """Count one more task; return such as ``[3/12, about 4 min left]``."""
        self._done += 1
        left = (time.monotonic() - self._started) * (self._total / self._done - 1)
        if self._done == self._total:
            return f"[{self._done}/{self._total}]"
        return f"[{self._done}/{self._total}, about {duration(left)} left]"


def duration(seconds: float) -> str:
    """Return a duration in s, min or h, as exact as a guess deserves."""
    for size, unit in ((3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{max(seconds, 1):.0f} s"
