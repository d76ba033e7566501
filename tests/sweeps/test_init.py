"""The whole of a sweep as the command runs it: exit status and what it says."""

import csv
import subprocess
import sys

import pytest

import sweeps.costs
from hwsim.errors import InputError
from sweeps import run_sweep


def test_success(specification, costs, tmp_path, capsys):
    assert run_sweep(specification, tmp_path / "out", 1) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[0] == "16 points, 16 of them computed now"
    assert str(tmp_path / "out" / "pareto_sky130.svg") in said


def test_failures_are_listed(specification, tmp_path, monkeypatch, capsys):
    def estimate_each(unit, wanted, operands=None, clock_gating=False):
        raise RuntimeError("no gates")

    monkeypatch.setattr(sweeps.costs, "estimate_each", estimate_each)
    assert run_sweep(specification, tmp_path / "out", 1) == 1
    errors = capsys.readouterr().err
    assert errors.count("\nFAILED: ") == 16
    assert "FAILED: float_lanes_4_weight_e2m1_activation_e4m3 in asap7: RuntimeError: no" in errors
    with (tmp_path / "out" / "failed.csv").open(newline="") as file:
        failed = list(csv.DictReader(file))
    assert len(failed) == 16
    assert {row["reason"] for row in failed} == {"RuntimeError: no gates"}
    assert {row["technology"] for row in failed} == {"sky130", "asap7"}


def test_a_list_of_failures_goes_once_nothing_fails(specification, costs, tmp_path, monkeypatch):
    with monkeypatch.context() as patched:
        patched.setattr("sweeps.costs.estimate_each", None)
        assert run_sweep(specification, tmp_path / "out", 1) == 1
    assert (tmp_path / "out" / "failed.csv").is_file()
    assert run_sweep(specification, tmp_path / "out", 1) == 0
    assert not (tmp_path / "out" / "failed.csv").exists()


def test_a_sweep_that_fails_everywhere_has_no_report(specification, costs, tmp_path, monkeypatch,
                                                     capsys):  # fmt: skip
    folder = tmp_path / "out"
    assert run_sweep(specification, folder, 1) == 0
    monkeypatch.setattr("sweeps.sources.digest", lambda modules: "changed")

    def estimate_each(unit, wanted, operands=None, clock_gating=False):
        raise RuntimeError("no gates")

    monkeypatch.setattr(sweeps.costs, "estimate_each", estimate_each)
    capsys.readouterr()
    assert run_sweep(specification, folder, 1) == 1
    failed = folder / "failed.csv"
    assert capsys.readouterr().out == f"0 points, 0 of them computed now\n{failed}\n"
    assert [*folder.glob("*.csv"), *folder.glob("pareto*")] == [failed]


def test_a_slip_in_the_specification_is_told_at_once(tmp_path):
    """Nothing that takes seconds to import is, and no folder is made."""
    code = """
import sys
from hwsim import cli
for text in ("name: [", "name: x\\nmethd: estimate\\n"):
    open("s.yaml", "w").write(text)
    assert cli.main(["sweep", "s.yaml", "-o", "out"]) == 2
heavy = {"numpy", "amaranth", "pyosys", "numba", "scipy", "matplotlib", "pyarrow"}
sys.exit(str(heavy & set(sys.modules)) if heavy & set(sys.modules) else 0)
"""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert "s.yaml:1: not YAML" in done.stderr
    assert "s.yaml:2: methd: unknown key 'methd'; did you mean 'method'?" in done.stderr
    assert not (tmp_path / "out").exists()


def test_ctrl_c(specification, tmp_path, monkeypatch, capsys):
    def estimate_each(unit, wanted, operands=None, clock_gating=False):
        raise KeyboardInterrupt

    monkeypatch.setattr(sweeps.costs, "estimate_each", estimate_each)
    assert run_sweep(specification, tmp_path / "out", 1) == 130
    assert "interrupted: 0 of 16 points are kept in" in capsys.readouterr().err


def test_bad_specification_raises(specification, tmp_path):
    specification.write_text("name: [")
    with pytest.raises(InputError, match=r"tiny\.yaml:1: not YAML"):
        run_sweep(specification, tmp_path / "out", 1)
    assert not (tmp_path / "out").exists()
