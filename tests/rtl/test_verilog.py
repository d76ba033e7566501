"""Hand-written Verilog: what is right passes and is priced, and what is wrong is named."""

import pickle
import re
import subprocess
from pathlib import Path

import pytest

from cost_models.breakdown import breakdown
from cost_models.estimate import estimate
from cost_models.network import SimulationError
from hwsim import cli
from hwsim.errors import InputError
from hwsim.units import UnitSpec, make
from rtl import create, emit
from rtl.icarus import IcarusError
from rtl.verification import verify
from rtl.verilog import HandMade, with_verilog

UNIT = make("integer", lanes=2, weight="int3", activation="int4")
MAC = """\
// Two lanes of int3 x int4. `include "comment.vh"
`include "widths.vh"  // BEAT
module mac (
  input clk, input rst,
  input [`BEAT-1:0] i__payload, input i__valid, output i__ready,
  output reg [31:0] o__payload, output reg o__valid, input o__ready
);
  wire last = i__payload[`BEAT-1];
  wire signed [31:0] p0, p1;
  product m0 (i__payload[3:0], i__payload[10:8], p0);
  product m1 (i__payload[7:4], i__payload[13:11], p1);
  reg signed [31:0] acc;
  wire signed [31:0] sum = acc + (p0 + p1);
  assign i__ready = !o__valid || o__ready;
  always @(posedge clk) begin
    if (rst) begin
      acc <= 0;
      o__valid <= 0;
    end else begin
      if (o__ready) o__valid <= 0;
      if (i__valid && i__ready) begin
        acc <= last ? 0 : sum;
        if (last) begin
          o__payload <= sum;
          o__valid <= 1;
        end
      end
    end
  end
  initial $display("a /* \\" text");
endmodule
"""
PRODUCT = """\
module product (input signed [3:0] a, input signed [2:0] w, output signed [31:0] p);
  assign p = a * w;
endmodule
"""
WIDTHS = "`define BEAT 15\n"


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    """Files with spaces and quotes in their names."""
    paths = [tmp_path / name for name in ("my 'mac'.v", "product.v", "widths.vh")]
    for path, text in zip(paths, (MAC, PRODUCT, WIDTHS), strict=True):
        path.write_text(text)
    return paths


def changed(files: list[Path], which: int, old: str, new: str) -> list[Path]:
    text = files[which].read_text()
    assert old in text
    files[which].write_text(text.replace(old, new))
    return files


def own(files: list[Path], top: str | None = "mac") -> UnitSpec:
    return with_verilog(UNIT, files, top)


def refusal(files: list[Path], top: str | None = "mac") -> str:
    with pytest.raises(InputError) as error:
        own(files, top)
    return str(error.value)


def test_a_right_one_passes_and_is_priced(files: list[Path]) -> None:
    unit = own(files)
    verdict = verify(unit, random_dots=64)
    assert verdict.passed, str(verdict)
    assert (verdict.latency, verdict.interval) == (1, 1)
    assert verdict.unit == unit.name
    cost = estimate(unit, "sky130")
    assert cost.unit == unit.name
    assert cost.provenance["verilog"]["files"] == ["my 'mac'.v", "product.v", "widths.vh"]
    # A register for the result beside the sum's, where the generator has one for both.
    assert 1.2 < cost.area_um2 / estimate(UNIT, "sky130").area_um2 < 1.8


@pytest.mark.parametrize("family", ["integer", "bitmod", "lut_tensor_core"])
def test_emitted_verilog_costs_what_its_unit_costs(family: str, tmp_path: Path) -> None:
    unit = {
        "integer": UNIT,
        "bitmod": make("bitmod", lanes=1, activation="e2m1", group_size=8),
        "lut_tensor_core": make("lut_tensor_core", lanes=4, weight="int2", activation="int4"),
    }[family]
    path = tmp_path / "unit.v"
    path.write_text(emit.verilog(unit))
    again = estimate(with_verilog(unit, [path]), "sky130")
    generated = estimate(unit, "sky130")
    assert again.area_um2 == pytest.approx(generated.area_um2, rel=0.03)
    assert again.settled_pj == pytest.approx(generated.settled_pj, rel=0.05)
    assert again.clock_pj == generated.clock_pj


def test_it_is_a_unit_of_its_own(files: list[Path]) -> None:
    unit = own(files)
    assert isinstance(unit, HandMade)
    assert unit != UNIT
    assert unit.plain == UNIT
    assert unit.parameters() == UNIT.parameters()
    pattern = UNIT.name + r"_my_mac_v_product_v_widths_vh_x[0-9a-f]{12}"
    assert re.fullmatch(pattern, unit.name)
    assert pickle.loads(pickle.dumps(unit)) == unit
    assert own(files) == unit
    other = own(changed(files, 1, "a * w", "w * a"))
    assert other != unit
    assert other.name != unit.name
    with pytest.raises(InputError, match="no component"):
        create(unit)
    with pytest.raises(InputError, match="has Verilog of its own already"):
        with_verilog(unit, files)
    with pytest.raises(InputError, match="whose parts are not told apart"):
        breakdown(unit, "sky130")


def test_it_is_emitted_with_a_testbench(files: list[Path], tmp_path: Path) -> None:
    unit = own(files)
    written = emit.write(unit, tmp_path / "out")
    folder = tmp_path / "out"
    sources = [path.name for path in written if path.suffix == ".v"]
    subprocess.run(["iverilog", "-g2012", *sources], cwd=folder, check=True)
    done = subprocess.run(["vvp", "a.out"], cwd=folder, capture_output=True, text=True, check=True)
    assert "PASS" in done.stdout
    assert "--verilog 'my '\"'\"'mac'\"'\"'.v' product.v widths.vh --top mac" in (
        written[0].read_text()
    )


WRONG = {
    "product": (1, "a * w", "a * w + 1"),
    "sign": (1, "input signed [2:0] w", "input [2:0] w"),
    "sum kept": (0, "last ? 0 : sum", "sum"),
}


@pytest.mark.parametrize("mistake", WRONG)
def test_a_wrong_result_fails(files: list[Path], mistake: str) -> None:
    unit = own(changed(files, *WRONG[mistake]))
    verdict = verify(unit, random_dots=64)
    assert not verdict.passed
    assert "a dot product is" in verdict.failure
    if mistake != "sum kept":  # Which a stream of one dot product does not show.
        with pytest.raises(SimulationError, match=r"the gates deliver 0x.* the golden model 0x"):
            estimate(unit, "sky130")


HANGS = {
    "no result": ("o__valid <= 1", "o__valid <= 0"),
    "no beat": ("assign i__ready = !o__valid || o__ready", "assign i__ready = 0"),
}


@pytest.mark.parametrize("mistake", HANGS)
def test_one_that_hangs_fails(files: list[Path], mistake: str) -> None:
    unit = own(changed(files, 0, *HANGS[mistake]))
    verdict = verify(unit, random_dots=8)
    assert not verdict.passed
    assert "no transfer in" in verdict.failure
    with pytest.raises(SimulationError, match="delivers no result in time"):
        estimate(unit, "sky130")


def test_a_late_one_fails(files: list[Path]) -> None:
    unit = own(changed(files, 0, "!o__valid || o__ready", "!o__valid"))
    verdict = verify(unit, random_dots=8)
    assert not verdict.passed
    assert "a beat takes 2 cycles, the golden model predicts 1" in verdict.failure


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("output reg o__valid, ", "", "the output o__valid of 1 bits is missing"),
        ("[`BEAT-1:0] i__payload", "[`BEAT:0] i__payload",
         "i__payload is an input of 16 bits, not an input of 15"),
        ("output reg [31:0]", "output reg [30:0]",
         "o__payload is an output of 31 bits, not an output of 32"),
        ("output i__ready", "input i__ready", "i__ready is an input of 1 bits, not an output"),
        ("input rst,", "input rst, input enable,", "enable is no port of a unit"),
    ],
)  # fmt: skip
def test_wrong_ports_are_named_before_anything_runs(
    files: list[Path], old: str, new: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")  # No simulator.
    if "o__valid" in old:
        changed(files, 0, "  reg signed [31:0] acc;", "  reg o__valid; reg signed [31:0] acc;")
    if old == "output i__ready":
        changed(files, 0, "assign i__ready =", "wire ready =")
    message = refusal(changed(files, 0, old, new))
    assert "ports of the module mac: " in message
    assert said in message


@pytest.mark.parametrize(
    ("which", "old", "new", "said"),
    [
        (1, "a * w", "a * * w", "product.v:2: ERROR: syntax error"),
        (1, "endmodule", "initial while (1) ; endmodule", "product.v:3: ERROR:While loops are"),
        (0, "acc <= 0;", "acc <= 0", "my 'mac'.v:18: ERROR: syntax error"),
        (0, "product m1", "nothing m1", "`\\nothing' referenced in module `\\mac'"),
        (0, "!o__valid || o__ready", "!i__ready && o__ready", "has a combinational loop"),
        (0, '"widths.vh"', '"lost.vh"', "my 'mac'.v:2: lost.vh is included; give that file, too"),
        (0, '`include "widths.vh"', "`include `HEADER", "`include `HEADER  // BEAT: allowed:"),
        (0, '`include "widths.vh"', 'wire x; `include "widths.vh"', "in a line of its own"),
        (2, "`define", '`include "widths.vh"\n`define', "widths.vh includes itself"),
        (0, 'initial $display("a', 'initial $readmemh("a', "my 'mac'.v:30: $readmemh reads"),
    ],
)
def test_what_cannot_be_read_is_named(
    files: list[Path], which: int, old: str, new: str, said: str
) -> None:
    assert said in refusal(changed(files, which, old, new))


def test_the_top_module(files: list[Path], tmp_path: Path) -> None:
    assert f"there is no module {UNIT.name}, only mac, product; choose one with --top" in refusal(
        files, None
    )
    assert "there is no module mca, only mac, product" in refusal(files, "mca")
    assert "top='a b'" in refusal(files, "a b")
    alone = tmp_path / "alone.v"
    text = MAC.replace('`include "widths.vh"', "`define BEAT 15")
    alone.write_text(re.sub(r"product m\d \((.*), (.*), (.*)\);", r"assign \3 = \1 * \2;", text))
    assert own([alone], None).name.startswith(f"{UNIT.name}_alone_v_x")


def test_files_that_are_none(tmp_path: Path, files: list[Path]) -> None:
    assert "verilog=[]: allowed: a list of at least one file" in refusal([])
    assert "cannot read the Verilog file" in refusal([tmp_path / "lost.v"])
    (tmp_path / "other").mkdir()
    assert "allowed: printable names of files" in refusal([tmp_path / "a\nb.v"])
    twice = tmp_path / "other" / "product.v"
    twice.write_text(PRODUCT)
    assert "another file is called product.v, too" in refusal([*files, twice])


def test_what_the_simulator_says_names_the_files(files: list[Path]) -> None:
    unit = own(changed(files, 1, "endmodule", "reg x; always #0 x <= x; endmodule"))
    with pytest.raises(IcarusError, match=r"(?m)^product.v:3: error: always process does not"):
        verify(unit)


def test_an_asynchronous_reset_is_verified_and_not_priced(files: list[Path]) -> None:
    unit = own(changed(files, 0, "@(posedge clk)", "@(posedge clk or posedge rst)"))
    assert verify(unit, random_dots=8).passed
    with pytest.raises(InputError, match=r"has a adff.*whose reset is synchronous"):
        estimate(unit, "sky130")


def test_another_clock_is_not_priced(files: list[Path]) -> None:
    unit = own(changed(files, 0, "@(posedge clk)", "@(negedge clk)"))
    with pytest.raises(Exception, match="not clocked by the port clk"):
        estimate(unit, "sky130")


WORDS = ["integer", "lanes=2", "weight=int3", "activation=int4"]


def test_commands(files: list[Path], capsys: pytest.CaptureFixture[str]) -> None:
    names = [str(path) for path in files]
    assert cli.main(["verify", *WORDS, "--verilog", *names, "--top", "mac"]) == 0
    assert "my_mac_v_product_v_widths_vh" in capsys.readouterr().out
    assert cli.main(["cost", "--verilog", *names, "--top", "mac", "--technology", "sky130",
                     "--json", *WORDS]) == 0  # fmt: skip
    assert "\"my 'mac'.v\"" in capsys.readouterr().out
    for words, said in (
        (["cost", *WORDS, "--top", "mac"], "--top goes with --verilog"),
        (["verify", "integer", "--verilog", *names], "--verilog is the hardware of one unit"),
        (["verify", *WORDS, *WORDS[:3], "activation=int5", "--verilog", *names], "2 are given"),
    ):
        assert cli.main(words) == 2
        assert said in capsys.readouterr().err


def test_a_wrong_one_fails_its_command(
    files: list[Path], capsys: pytest.CaptureFixture[str]
) -> None:
    names = [str(path) for path in changed(files, *WRONG["product"])]
    assert cli.main(["verify", *WORDS, "--verilog", *names, "--top", "mac"]) == 1
    assert "FAIL" in capsys.readouterr().out
    assert cli.main(["cost", *WORDS, "--verilog", *names, "--top", "mac"]) == 1
    assert "the golden model" in capsys.readouterr().err


def test_the_example_is_right_and_as_large_as_the_generated_one() -> None:
    unit = make("integer", lanes=4, weight="int4", activation="int8", adders="operators")
    example = Path(__file__).parents[2] / "examples" / "mac.v"
    own = with_verilog(unit, [example])
    assert verify(own, random_dots=64).passed
    areas = [estimate(one, "sky130").area_um2 for one in (own, unit)]
    assert areas[0] == pytest.approx(areas[1], rel=0.02)


def test_a_unit_of_a_tensor_format(tmp_path: Path) -> None:
    unit = make("integer", lanes=2, weight="int4_g32", activation="int4")
    path = tmp_path / "unit.v"
    path.write_text(emit.verilog(unit))
    own = with_verilog(unit, [path], unit.name)
    assert isinstance(own, HandMade)
    assert own.plain == unit
    assert pickle.loads(pickle.dumps(own)) == own
    assert own.parameters()["weight"] == "int4_g32"
