import subprocess
from pathlib import Path

import pytest

import hwsim
from rtl import emit, icarus
from rtl.in_order import in_order

MODULE = r"""module unit___merge (total, a);
  output [4:0] total;
  wire [4:0] total;
  input [3:0] a;
  wire [3:0] a;
  wire [3:0] \$1 ;
  wire [3:0] row;
  assign total = { 1'h0, row } + 5'h01;
  assign row[3] = ~ \$1 [3];
  assign \$1 [2:0] = row[2:0];
  assign { \$1 [3], row[2:0] } = a ^ 4'hb;
endmodule
"""

BENCH = """module bench;
  reg [3:0] a = 0;
  wire [4:0] total;
  integer k;
  unit___merge unit (.a(a), .total(total));
  initial begin
    for (k = 0; k < 16; k = k + 1) begin
      #1 if (total !== (k ^ 4'hb ^ 4'h8) + 1) $fatal;
      a = k + 1;
    end
  end
endmodule
"""


@pytest.mark.parametrize("change", [str, in_order], ids=["assigns", "statements"])
def test_statements_compute_what_assigns_do(change, tmp_path: Path) -> None:
    (tmp_path / "unit.v").write_text(change(MODULE))
    (tmp_path / "bench.v").write_text(BENCH)
    compiler, run_time = icarus.find()
    icarus.run([compiler, "-g2012", "-o", "a.out", "unit.v", "bench.v"], tmp_path)
    done = subprocess.run([run_time, "a.out"], cwd=tmp_path, capture_output=True, check=False)
    assert done.returncode == 0


def test_what_is_read_is_written_before() -> None:
    lines = [line.strip() for line in in_order(MODULE).splitlines() if " = " in line]
    assert lines.index(r"{ \$1 [3], row[2:0] } = a ^ 4'hb;") < lines.index(r"row[3] = ~ \$1 [3];")
    assert lines.index(r"row[3] = ~ \$1 [3];") < lines.index("total = { 1'h0, row } + 5'h01;")


def test_inputs_stay_wires() -> None:
    text = in_order(MODULE)
    assert "  wire [3:0] a;" in text
    assert "  reg [4:0] total;" in text
    assert "assign" not in text


def test_only_trees_are_put_in_order() -> None:
    merged = {"lanes": 2, "weight": "int4", "activation": "int4", "adders": "merged"}
    assert "assign" not in emit.verilog(hwsim.make("integer", **merged)).split("___merge (")[1]
    other = MODULE.replace("___merge", "___other")
    assert in_order(other) == other


REPEATED = r"""module unit___merge (total, a);
  output [4:0] total;
  wire [4:0] total;
  input [3:0] a;
  wire [3:0] a;
  wire [4:0] row;
  assign row = { a[0], a[3:1], 1'h1 } ^ 5'h03;
  assign total = { a[0], a[3:1], 1'h1 } + row;
endmodule
"""


def test_what_is_gathered_twice_is_a_variable() -> None:
    text = in_order(REPEATED)
    assert text.count("{ a[0], a[3:1], 1'h1 }") == 1
    assert "  reg [4:0] _shared_0;\n" in text
    lines = [line.strip() for line in text.splitlines() if " = " in line]
    assert lines[:3] == [
        "_shared_0 = { a[0], a[3:1], 1'h1 };",
        "row = _shared_0 ^ 5'h03;",
        "total = _shared_0 + row;",
    ]


def test_what_is_assigned_to_is_not_shared() -> None:
    text = in_order(MODULE.replace("total = { 1'h0, row }", r"total = { \$1 [3], row[2:0] }"))
    assert r"    { \$1 [3], row[2:0] } = a ^ 4'hb;" in text
