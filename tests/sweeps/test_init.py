"""The whole of a sweep as the command runs it: exit status and what it says."""

import pytest

import sweeps.run
from hwsim.errors import InputError
from sweeps import run_sweep


def test_success(specification, costs, tmp_path, capsys):
    assert run_sweep(specification, tmp_path / "out", 1) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[0] == "16 points, 16 of them computed now"
    assert str(tmp_path / "out" / "pareto_sky130.svg") in said


def test_failures_are_listed(specification, tmp_path, monkeypatch, capsys):
    def estimate_all(unit, technologies, operands=None):
        raise RuntimeError("no gates")

    monkeypatch.setattr(sweeps.run, "estimate_all", estimate_all)
    assert run_sweep(specification, tmp_path / "out", 1) == 1
    errors = capsys.readouterr().err
    assert errors.count("\nFAILED: ") == 16
    assert "FAILED: float_lanes_4_weight_e2m1_activation_e4m3 in asap7: RuntimeError: no" in errors


def test_ctrl_c(specification, tmp_path, monkeypatch, capsys):
    def estimate_all(unit, technologies, operands=None):
        raise KeyboardInterrupt

    monkeypatch.setattr(sweeps.run, "estimate_all", estimate_all)
    assert run_sweep(specification, tmp_path / "out", 1) == 130
    assert "interrupted: 0 of 16 points are kept in" in capsys.readouterr().err


def test_bad_specification_raises(specification, tmp_path):
    specification.write_text("name: [")
    with pytest.raises(InputError, match=r"tiny\.yaml:1: not YAML"):
        run_sweep(specification, tmp_path / "out", 1)
    assert not (tmp_path / "out").exists()
