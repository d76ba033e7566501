"""Programs that tests interrupt."""

import os
import subprocess
import sys
import time
from collections.abc import Callable


def start(code: str) -> "subprocess.Popen[str]":
    """Start Python code in a process group of its own, and return when it has printed ``0``."""
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        start_new_session=True,
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stdout.readline() == "0\n"
    return process


def wait_until(condition: Callable[[], bool], seconds: float) -> bool:
    """Return whether ``condition`` comes true within some seconds."""
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.05)
    return condition()


def group_exists(group: int) -> bool:
    """Return whether any process of the group is left."""
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True
