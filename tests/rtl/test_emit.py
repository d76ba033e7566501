import hashlib
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from amaranth.back import rtlil

import rtl
from hwsim.errors import InputError
from hwsim.units import UnitSpec, make
from rtl import emit, verilator
from rtl.once import once
from tests.rtl.faults import ANYWHERE, Around

UNITS = [
    make("integer", lanes=4, weight="int4", activation="int8"),
    make("bit_serial", lanes=2, weight="int5", activation="uint4"),
    make("float", lanes=2, weight="e4m3", activation="e5m2"),
]
SMALL = UNITS[0]


def simulate(folder: Path, *sources: Path) -> subprocess.CompletedProcess[str]:
    program = folder / "program"
    build = ["iverilog", "-g2012", "-o", str(program), *map(str, sources)]
    subprocess.run(build, check=True)
    return subprocess.run(["vvp", "-n", str(program)], capture_output=True, text=True, check=False)


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_testbench_passes_without_python(unit: UnitSpec, tmp_path: Path) -> None:
    source, _, bench = emit.write(unit, tmp_path / "out")
    done = simulate(tmp_path, source, bench)
    assert done.returncode == 0, done.stdout
    assert re.match(r"PASS: [1-9]\d* results of " + unit.name, done.stdout)


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("= \\$1  | o__ready", "= 1'h1"),  # takes beats while a result waits
        ("first ? 32'd0 : ", ""),  # never starts a new sum
        ("i__payload[7:0]", "i__payload[15:8]"),  # reads another lane
    ],
)
def test_testbench_fails_on_broken_verilog(right: str, wrong: str, tmp_path: Path) -> None:
    source, _, bench = emit.write(SMALL, tmp_path / "out")
    text = source.read_text()
    assert right in text
    source.write_text(text.replace(right, wrong))
    done = simulate(tmp_path, source, bench)
    assert done.returncode != 0
    assert "FAIL" in done.stdout


@pytest.mark.exhaustive
@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_testbench_passes_in_verilator(unit: UnitSpec, tmp_path: Path) -> None:
    source, _, bench = emit.write(unit, tmp_path)
    said = verilator.simulate(f"{unit.name}_tb", [source.name, bench.name], tmp_path)
    assert said.startswith("PASS: ")


@pytest.mark.parametrize("fault", ANYWHERE)
def test_testbench_fails_on_planted_faults(fault: type[Around], tmp_path: Path) -> None:
    source, bench = tmp_path / "unit.v", tmp_path / "bench.v"
    source.write_text(emit.verilog(SMALL, fault(SMALL)))
    bench.write_text(emit.self_checking_testbench(SMALL))
    done = simulate(tmp_path, source, bench)
    assert done.returncode != 0
    assert "FAIL" in done.stdout


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_text_does_not_depend_on_the_run(unit: UnitSpec) -> None:
    script = (
        "from hwsim.units import make; from rtl import emit; import sys; "
        f"sys.stdout.write(emit.verilog(make({unit.family!r}, **{unit.parameters()!r})))"
    )
    for seed in ("1", "2"):
        child = subprocess.run(
            [sys.executable, "-c", script],
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": ":".join(sys.path)},
            capture_output=True,
            text=True,
            check=True,
        )
        assert child.stdout == emit.verilog(unit)


def test_outputs_are_defined_from_time_0(tmp_path: Path) -> None:
    unit = make("bit_serial", lanes=2, weight="int5", activation="uint4")
    source = tmp_path / "unit.v"
    source.write_text(emit.verilog(unit))
    probe = tmp_path / "probe.v"
    probe.write_text(
        f"""
module probe;
  wire ready, valid; wire [{unit.result.bits - 1}:0] result;
  {unit.name} dut (.clk(1'b0), .rst(1'b0), .i__payload({unit.beat_bits}'d0), .i__valid(1'b0),
    .i__ready(ready), .o__payload(result), .o__valid(valid), .o__ready(1'b0));
  initial begin #1 $display("%b %b %b", ready, valid, result); $finish; end
endmodule
"""
    )
    done = simulate(tmp_path, source, probe)
    assert done.stdout.split() == ["0", "0", "0" * unit.result.bits]


def test_description_matches_the_verilog(tmp_path: Path) -> None:
    source, description, _ = emit.write(SMALL, tmp_path / "out")
    facts = json.loads(description.read_text())
    text = source.read_text()
    assert facts["sha256"] == hashlib.sha256(text.encode()).hexdigest()
    assert (facts["latency_cycles"], facts["interval_cycles"]) == (1, 1)
    assert make(facts["unit"], **facts["parameters"]) == SMALL
    for port in facts["ports"]:
        width = "" if port["bits"] == 1 else f"[{port['bits'] - 1}:0] "
        assert f"  {port['direction']} {width}{port['name']};" in text
    assert [f["field"] for f in facts["beat"]] == ["activations", "weights", "last"]
    assert facts["beat"][-1]["high"] == SMALL.beat_bits - 1


def made_of(text: str) -> list[str]:
    """The modules that a Verilog text defines."""
    return re.findall(r"^module (\w+)", text, re.MULTILINE)


def test_units_of_one_project_have_modules_of_their_own(tmp_path: Path) -> None:
    weights = ("codebook(-1,-0.5,1,2)", "codebook(-1,0.5,1,2)")
    common = {"lanes": 1, "weight": "int4", "activation": "int4"}
    units = [
        *(make("codebook", lanes=1, weight=weight, activation="int4") for weight in weights),
        *(make("bitmod", lanes=8, activation="e2m1", group_size=48, special_values=values)
          for values in ("7,-7,0,3.5", "7,-7,0,-3.5")),
        make("integer", **common),
        # Names that begin as those of the other's submodules do.
        *(make("integer", **common, accumulator_bits=bits) for bits in (24, 25)),
        *(make("codebook", lanes=1, weight="uint2", activation="int4", table=table)
          for table in ("constant", "loaded")),
        *(make("ternary_add", lanes=1, weight="ternary", activation="fp16", accumulator=fmt)
          for fmt in ("fp16", "fp32")),
        make("rmmec", modes="fp4"),
        make("rmmec", lanes=2, modes="fp4"),
        make("float", lanes=1, weight="e2m1",
             activation="minifloat(exponent=2,mantissa=1,bias=5,specials=none)"),
        make("float", lanes=1, weight="e2m1",
             activation="minifloat(exponent=2,mantissa=1,bias=-5,specials=none)"),
        make("float", lanes=1, weight="e2m1",
             activation="minifloat(exponent=2,mantissa=1,bias=5,specials=none)",
             accumulator="e5m2"),
    ]  # fmt: skip
    files = [path for unit in units for path in emit.write(unit, tmp_path / unit.name)]
    sources = [path for path in files if path.suffix == ".v"]
    modules = [name for path in sources for name in made_of(path.read_text())]
    assert len({name.lower() for name in modules}) == len(modules)
    assert len({path.name.lower() for path in sources}) == len(sources)
    for unit in units:
        for name in made_of((tmp_path / unit.name / f"{unit.name}.v").read_text()):
            assert name == unit.name or name.startswith(f"{unit.name}___")
    # One compilation of all; the testbench that ends first ends the simulation.
    done = simulate(tmp_path, *sources)
    assert done.returncode == 0, done.stdout
    assert done.stdout.startswith("PASS")


def test_no_path_and_no_tool_line_in_the_text() -> None:
    text = emit.verilog(SMALL)
    assert str(Path.home()) not in text
    assert "verilog_backend" not in text
    assert "src =" not in text


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_units_share_a_folder_with_other_files(tmp_path: Path) -> None:
    (tmp_path / "keep").write_text("mine")
    first = emit.write(SMALL, tmp_path)
    second = emit.write(make("integer", lanes=1, weight="int2", activation="int3"), tmp_path)
    assert {path.name for path in [*first, *second]} | {"keep"} == set(contents(tmp_path))
    assert (tmp_path / "keep").read_text() == "mine"


def test_the_same_again_changes_nothing(tmp_path: Path) -> None:
    paths = emit.write(SMALL, tmp_path)
    before = [path.stat().st_mtime_ns for path in paths]
    assert emit.write(SMALL, tmp_path) == paths
    assert [path.stat().st_mtime_ns for path in paths] == before


def test_what_differs_is_replaced_with_force_only(tmp_path: Path) -> None:
    paths = emit.write(SMALL, tmp_path)
    whole = contents(tmp_path)
    for path in paths:
        path.write_bytes(path.read_bytes()[:-20])
        damaged = contents(tmp_path)
        with pytest.raises(InputError, match=rf"{path.name} exists and differs .* --force"):
            emit.write(SMALL, tmp_path)
        assert contents(tmp_path) == damaged
        emit.write(SMALL, tmp_path, force=True)
        assert contents(tmp_path) == whole


@pytest.mark.parametrize("number", [0, 1, 2])
@pytest.mark.parametrize("kind", ["text", "empty", "link", "folder"])
def test_what_hwsim_did_not_write_is_never_replaced(tmp_path: Path, number: int, kind: str) -> None:
    folder = tmp_path / "pe"
    other = emit.write(SMALL, tmp_path / "other")[number]
    other.write_text(other.read_text() + "\n")
    foreign = emit.write(SMALL, folder)[number]
    foreign.unlink()
    match kind:
        case "folder":
            foreign.mkdir()
        case "link":
            foreign.symlink_to(other)
        case _:
            foreign.write_text({"text": "module mine;\n", "empty": ""}[kind])
    before = other.read_bytes()
    with pytest.raises(InputError, match=rf"{foreign.name} exists and was not written by hwsim"):
        emit.write(SMALL, folder, force=True)
    assert foreign.is_dir() if kind == "folder" else foreign.exists()
    assert other.read_bytes() == before


def test_modules_that_are_the_same_stand_once() -> None:
    unit = make("array", element="integer", rows=3, columns=3, lanes=1, weight="int2",
                activation="int2")  # fmt: skip
    text = emit.verilog(unit)
    assert len(re.findall(r"(?m)^  \w+___element_0_0 +element_\d_\d \(", text)) == 8
    # The last element's result leaves without a register, and its ports in another order.
    elements = re.findall(r"(?m)^module \w+___(element_\d_\d) \(", text)
    assert elements == ["element_0_0", "element_2_2"]
    alone = make("integer", lanes=2, weight="int4", activation="int4")
    written = rtlil.convert(rtl.create(alone), name=alone.name, emit_src=False)
    assert once(written) == written
