"""Progress on the standard error: plain lines, a bar on a terminal, and silence."""

import os
import pty
import sys
import termios
import time
from contextlib import suppress

import pytest

from sweeps import progress, run_sweep
from sweeps.progress import Progress


def test_plain_lines_have_rate_time_left_and_the_best(capsys, monkeypatch):
    now = [100.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    with Progress() as shown:
        shown.start("point", 5, done=1)
        for k in range(4):
            now[0] += 0.4 if k == 2 else 2
            shown.finish(f"unit {k}", "best area_um2 7")
    assert capsys.readouterr().err.splitlines() == [
        "point 2/5, 0.5/s, about 6 s left: unit 0; best area_um2 7",
        "point 3/5, 0.5/s, about 4 s left: unit 1; best area_um2 7",
        # Lines are a second apart.
        "point 5/5: unit 3; best area_um2 7",
    ]


def test_quiet(specification, costs, tmp_path, capsys):
    assert run_sweep(specification, tmp_path / "out", 1, quiet=True) == 0
    said = capsys.readouterr()
    assert said.err == ""
    assert said.out.startswith("16 points, 16 of them computed now\n")


@pytest.mark.parametrize("quiet", [False, True])
def test_a_bar_on_a_terminal(monkeypatch, quiet):
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24, 120))
    with os.fdopen(theirs, "w") as terminal, monkeypatch.context() as patch:
        patch.setattr(sys, "stderr", terminal)
        with Progress(quiet) as bar:
            bar.start("point", 2)
            for area in (7, 5):
                time.sleep(0.2)  # A bar is drawn ten times a second.
                bar.finish("unit", f"best area_um2 {area}")
            bar.warn("wrong")
    said = b""
    # Behind the last line a closed terminal is an error.
    with os.fdopen(ours, "rb", buffering=0) as shown, suppress(OSError):
        while part := shown.read(1 << 16):
            said += part
    assert (b"2/2" in said and b"best area_um2 5" in said) is not quiet
    assert b"wrong" in said
