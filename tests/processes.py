"""Programs that tests interrupt."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path


def start(code: str) -> "subprocess.Popen[str]":
    """Start Python code in a process group of its own, and return when it has printed ``0``."""
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        start_new_session=True, preexec_fn=_heed_signals,
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stdout.readline() == "0\n"
    return process


def hwsim(arguments: Sequence[str], environment: Mapping[str, str]) -> "subprocess.Popen[str]":
    """Start the command in a process group of its own, with more environment variables."""
    return subprocess.Popen(
        [sys.executable, "-m", "hwsim.cli", *arguments],
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=_heed_signals,
    )


def _heed_signals() -> None:
    # Ignored ones are inherited, as from nohup or a shell's background job.
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


def marked(variable: str, value: str) -> list[str]:
    """Return the command lines of all processes with an environment variable of this value."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            environment = (process / "environ").read_bytes().split(b"\0")
            # That of a zombie is empty.
            if f"{variable}={value}".encode() in environment:
                found.append((process / "cmdline").read_bytes().replace(b"\0", b" ").decode())
        except OSError:
            continue
    return found


def wait_until(condition: Callable[[], bool], seconds: float) -> bool:
    """Return whether ``condition`` comes true within some seconds."""
    deadline = time.monotonic() + seconds
    # Asked once each time: what was true may not be so any more.
    while not (met := condition()) and time.monotonic() < deadline:
        time.sleep(0.05)
    return met


def group_exists(group: int) -> bool:
    """Return whether any process of the group is left."""
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True
