"""How far a sweep is, on the standard error: a bar on a terminal, else plain lines."""

import sys
import time
from types import TracebackType
from typing import Any, Self

from tqdm import tqdm

from hwsim.progress import duration, say

#: Seconds between plain lines; the first and the last one always come.
INTERVAL = 1.0


class Progress:
    """One step of a sweep after the other, each with a number of things to do.

    Parameters
    ----------
    quiet
        Say nothing but what went wrong.
    """

    def __init__(self, quiet: bool = False) -> None:
        self.quiet = quiet
        self.on_terminal = sys.stderr.isatty()
        self._step = ""
        self._bar: Any = None
        self._done = self._before = self._total = 0
        self._started = self._said = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._close()

    def start(self, step: str, total: int, done: int = 0) -> None:
        """Begin a step of ``total`` things, of which some are done."""
        self._close()
        self._step, self._total, self._done, self._before = step, total, done, done
        self._started = time.monotonic()
        if self.on_terminal and not self.quiet:
            self._bar = tqdm(
                total=total, initial=done, desc=step, unit=step, dynamic_ncols=True, leave=False
            )

    def finish(self, text: str, best: str = "") -> None:
        """Count one thing as done; ``text`` says what it is, ``best`` the best so far."""
        self._done += 1
        if self.quiet:
            return
        if self._bar is not None:
            self._bar.set_postfix_str(best or text, refresh=False)
            self._bar.update()
            return
        now = time.monotonic()
        if self._done in (self._before + 1, self._total) or now - self._said >= INTERVAL:
            self._said = now
            say("; ".join(filter(None, [f"{self._step} {self._count()}: {text}", best])))

    def note(self, text: str) -> None:
        """Say something that stays there."""
        if not self.quiet:
            self.warn(text)

    def warn(self, text: str) -> None:
        """Say what went wrong, also when quiet."""
        if self._bar is not None:
            self._bar.clear()
        say(text)

    def _count(self) -> str:
        count = f"{self._done}/{self._total}"
        passed = time.monotonic() - self._started
        if self._done >= self._total or passed <= 0:
            return count
        rate = (self._done - self._before) / passed
        return f"{count}, {rate:.3g}/s, about {duration((self._total - self._done) / rate)} left"

    def _close(self) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None
