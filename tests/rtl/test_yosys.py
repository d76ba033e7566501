from pathlib import Path

import pytest

from rtl import yosys

DESIGN = "module top(input a, output b); assign b = ~a; endmodule\n"


def test_answers_come_between_commands(tmp_path: Path) -> None:
    (tmp_path / "top.v").write_text(DESIGN)
    with yosys.session(tmp_path) as session:
        session.run(["read_verilog top.v", "write_rtlil first.il"])
        assert "cell $not" in (tmp_path / "first.il").read_text()
        session.run(["simplemap", "write_rtlil second.il"])
        assert "cell $_NOT_" in (tmp_path / "second.il").read_text()
    assert session.child.returncode is not None


def test_time_that_is_over_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "top.v").write_text(
        "module top(input [23:0] a, b, output wrong); assign wrong = a * b != b * a; endmodule\n"
    )
    with yosys.session(tmp_path, seconds=1) as session:
        session.run(["read_verilog top.v", "proc"])
        with pytest.raises(yosys.TimeOverError, match="all of the time"):
            session.run(["sat -prove wrong 0"])


def test_the_log_is_returned(tmp_path: Path) -> None:
    (tmp_path / "top.v").write_text(DESIGN)
    assert "=== top ===" in yosys.run(["read_verilog top.v", "stat"], tmp_path)


@pytest.mark.parametrize("commands", [["read_verilog none.v"], ["stat", "no_such_pass", "stat"]])
def test_a_failure_has_the_end_of_the_log(tmp_path: Path, commands: list[str]) -> None:
    with pytest.raises(yosys.YosysError, match=r"status 1:\n(.|\n)*(none.v|no_such_pass)"):
        yosys.run(commands, tmp_path)


@pytest.mark.parametrize("text", [None, "", '{"modules": {'])
def test_json_that_was_not_written_whole_is_an_error(tmp_path: Path, text: str | None) -> None:
    path = tmp_path / "unit.json"
    if text is not None:
        path.write_text(text)
    with pytest.raises(yosys.YosysError, match=r"Yosys did not write unit\.json: "):
        yosys.read_json(path)


def test_a_yosys_that_cannot_be_loaded_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "pyosys.py").write_text("raise ImportError('libyosys is broken')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(yosys.YosysError, match="libyosys is broken"):
        yosys.run(["stat"] * 3, tmp_path)
