import time

import pytest

from hwsim import cli, progress


def test_only_what_takes_long_is_mentioned(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with progress.mentioned("mapping"):
        pass
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(progress, "FIRST", 0.01)
    monkeypatch.setattr(progress, "NEXT", 0.01)
    with progress.mentioned("mapping"):
        time.sleep(0.5)
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) > 1
    assert set(lines) <= {f"hwsim: mapping: {seconds} s so far" for seconds in (0, 1)}


def test_a_countdown_extrapolates(monkeypatch: pytest.MonkeyPatch) -> None:
    now = iter([0.0, 600.0, 1200.0, 1210.0])
    monkeypatch.setattr(time, "monotonic", lambda: next(now))
    countdown = progress.Countdown(3)
    steps = [countdown.step() for _ in range(3)]
    assert steps == ["[1/3, about 20 min left]", "[2/3, about 10 min left]", "[3/3]"]


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.2, "1 s"), (119, "119 s"), (150, "2 min"), (7300, "2 h")]
)
def test_durations_are_rounded(seconds: float, text: str) -> None:
    assert progress.duration(seconds) == text


def test_verify_says_how_many_are_left(capsys: pytest.CaptureFixture[str]) -> None:
    units = ["integer", "lanes=1", "weight=int2", "activation=int2"]
    units += ["integer", "lanes=1", "weight=int2", "activation=int1"]
    assert cli.main(["verify", *units]) == 0
    out, err = capsys.readouterr()
    assert out.count(": pass, ") == 2
    first, last = err.splitlines()
    assert first.startswith("[1/2, about ")
    assert last == "2 passed, 0 failed"
