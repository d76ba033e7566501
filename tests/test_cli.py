import json
import shutil
from contextlib import nullcontext
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from cost_models import technology, wires
from cost_models.cost import Cost
from cost_models.netlist import netlist
from cost_models.synthesis import liberty
from hwsim import cli
from hwsim.cli import verify
from hwsim.formats import block_names, parse_block, parse_scalar
from hwsim.units import UnitSpec
from rtl import icarus
from tests.processes import group_exists, start, wait_until
from tests.technologies import simple

TINY = ["integer", "lanes=1", "weight=int2", "activation=int2"]


def test_listings_are_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["formats", "--json"]) == 0
    formats = {row["name"]: row for row in json.loads(capsys.readouterr().out)}
    assert formats["e4m3"]["max"] == 448
    assert formats["int2"]["epsilon"] is None
    assert cli.main(["units", "--json"]) == 0
    units = {row["unit"]: row for row in json.loads(capsys.readouterr().out)}
    assert units["lmul"]["optional"]["reading"] == "carry"
    assert units["mx_dot"]["optional"]["block_size"] == 32


def test_a_format_is_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    chart = tmp_path / "e2m1.png"
    assert cli.main(["formats", "show", "e2m1", "-o", str(chart)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1].split() == ["0xf", "1111", "finite", "-6"]
    assert chart.read_bytes().startswith(b"\x89PNG")
    assert cli.main(["formats", "show", "e2m1", "-o", str(chart)]) == 2
    assert "exists" in capsys.readouterr().err


def test_special_codes_are_named_in_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["formats", "show", "e5m2", "--json"]) == 0
    codes = json.loads(capsys.readouterr().out)["codes"]
    assert codes[0x7C] == {"code": 0x7C, "kind": "infinity", "value": None}
    assert codes[0x3C]["value"] == 1.0


@pytest.mark.parametrize("name", ["fp16", "fp32", "int32", "q16.16", "posit32_2", "lns16_8"])
def test_wide_formats_have_figures(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["formats", "show", name]) == 0
    out = capsys.readouterr().out
    assert out.startswith(f"name {name}, family ")
    assert ", max " in out
    assert "codes are too many to list; tables have up to 2**10" in out
    assert cli.main(["formats", "show", name, "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["codes"] is None
    assert "too many" in shown["codes_omitted"]
    assert shown["max"] == parse_scalar(name).max


@pytest.mark.parametrize("name", block_names())
def test_block_formats_are_shown(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    fmt = parse_block(name)
    assert cli.main(["formats", "show", name, "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert (shown["name"], shown["element"]) == (name, fmt.element.name)
    assert shown["bits_per_element"] == fmt.bits_per_element
    assert shown["metadata"] == fmt.metadata_bits
    assert list(shown["options"]) == list(fmt.OPTIONS)
    assert cli.main(["formats", "show", name]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert any(line.split() == ["scale", fmt.scale.name] for line in lines)


def test_a_block_format_has_an_example(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["formats", "show", "mxfp4", "--json"]) == 0
    example = json.loads(capsys.readouterr().out)["example"]
    # The largest number, 1.3, has the exponent 0; that of the largest element, 6, is 2.
    assert len(example["numbers"]) == 32
    assert (example["scale_codes"], example["scales"]) == ([127 + 1 - 2], [0.5])
    place = example["numbers"].index(0.64)
    # 0.64 / 0.5 is 1.28, and 1.5 the nearest element, whose code is 3.
    assert (example["codes"][place], example["values"][place]) == (3, 0.75)
    assert cli.main(["formats", "show", "mxfp4"]) == 0
    out = capsys.readouterr().out
    assert "For example, 32 normally distributed numbers, the first 8:" in out
    assert "scale: 0x7e, which is 0.5" in out


def test_a_block_format_too_narrow_for_the_example_says_so(
    capsys: pytest.CaptureFixture[str],
) -> None:
    name = "codebook(-1,0,0.001,1)_g16[scale=q1.7]"
    assert cli.main(["formats", "show", name]) == 0
    assert "No example: a scale overflows q1.7" in capsys.readouterr().out
    assert cli.main(["formats", "show", name, "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["example"] is None
    assert "overflows q1.7" in shown["example_omitted"]


def test_options_of_a_block_format_are_shown(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["formats", "show", "MXFP4[scale_rule=even]", "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["name"] == "mxfp4[scale_rule=even]"
    assert shown["options"]["scale_rule"] == "even"


def test_complex_formats_are_shown(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["formats", "show", "ifairy"]) == 0
    assert capsys.readouterr().out.splitlines()[-1].split() == ["0x3", "11", "0", "-1"]
    assert cli.main(["formats", "show", "ifairy", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["codes"][2] == {
        "code": 2, "real": -1.0, "imaginary": 0.0
    }  # fmt: skip


@pytest.mark.parametrize(("suffix", "start"), [
    (".png", b"\x89PNG"), (".svg", b"<?xml"), (".pdf", b"%PDF"),
])  # fmt: skip
def test_charts_are_what_their_suffix_says(tmp_path: Path, suffix: str, start: bytes) -> None:
    chart = tmp_path / f"e2m1{suffix}"
    assert cli.main(["formats", "show", "e2m1", "-o", str(chart)]) == 0
    assert chart.read_bytes().startswith(start)


@pytest.mark.parametrize(("name", "file", "message"), [
    ("e2m1", "a.jpg", "a.jpg: charts are .png, .svg, .pdf files"),
    ("e2m1", "a", "charts are .png, .svg, .pdf files"), ("e2m1", "a.SVG", ".png, .svg, .pdf"),
    ("e2m1", "none/a.png", "cannot write"), ("fp32", "a.png", "charts are drawn up to 16"),
    ("mxfp4", "a.png", "charts are drawn of scalar formats, not mxfp4; its elements are e2m1"),
    ("ifairy", "a.png", "charts are drawn of scalar formats, not ifairy"),
])  # fmt: skip
def test_charts_that_cannot_be_drawn(
    name: str, file: str, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["formats", "show", name, "-o", str(tmp_path / file)]) == 2
    assert message in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("name", "candidates"), [
    ("fp8", ["e4m3", "e5m2"]), ("fp4", ["e2m1"]), ("FP6", ["e2m3", "e3m2"]),
    ("mxfp8", ["mxfp8e4m3", "mxfp8e5m2"]), ("mxfp44", ["mxfp4"]),
])  # fmt: skip
def test_ambiguous_names_get_candidates(
    name: str, candidates: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["formats", "show", name]) == 2
    message = capsys.readouterr().err
    assert all(candidate in message for candidate in candidates)


def test_tables_have_a_line_each(capsys: pytest.CaptureFixture[str]) -> None:
    cli.main(["formats"])
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split()[:3] == ["name", "family", "bits"]
    assert any(line.split()[:3] == ["bf16", "minifloat", "16"] for line in lines)


def test_generate_writes_three_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    unit = ["generate", "integer", "lanes=2", "weight=int4", "activation=int4", "-o"]
    assert cli.main([*unit, str(tmp_path / "new")]) == 0
    written = [Path(line) for line in capsys.readouterr().out.splitlines()]
    assert [path.suffix for path in written] == [".v", ".json", ".v"]
    assert all(path.stat().st_size for path in written)
    assert cli.main([*unit, str(tmp_path / "new")]) == 0
    assert [Path(line) for line in capsys.readouterr().out.splitlines()] == written
    written[0].write_text(f"{written[0].read_text()}// edited\n")
    assert cli.main([*unit, str(tmp_path / "new")]) == 2
    assert "--force" in capsys.readouterr().err
    assert cli.main([*unit, str(tmp_path / "new"), "--force"]) == 0
    assert "edited" not in written[0].read_text()


def test_generate_takes_format_names_with_equals_signs(tmp_path: Path) -> None:
    name = "minifloat(exponent=3,mantissa=1,bias=3,specials=none)"
    unit = ["float", "lanes=1", f"weight={name}", "activation=e2m1"]
    assert cli.main(["generate", *unit, "-o", str(tmp_path / "out")]) == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["generate", "intger", "-o", "x"], "unknown unit 'intger'; did you mean 'integer'?"),
        (["generate", "integer", "lanes", "-o", "x"], "written key=value, not 'lanes'"),
        (["generate", "integer", "lanes=1", "lanes=2", "-o", "x"], "'lanes' is given twice"),
        (["verify", "lanes=2"], "name a unit before its parameter 'lanes=2'"),
        (["cost", "lanes=2"], "name a unit before its parameter 'lanes=2'"),
        (["cost", "integer"], "unit integer needs the parameter 'lanes'"),
        (["cost", *TINY, "--operands", "quite"], "operands=quite: no such file; did you mean"),
        (["cost", *TINY, "--technology", "none.yaml"], "cannot read the technology none.yaml"),
        (["cost", *TINY, "--technology", "sky13"], "did you mean 'sky130'?"),
        (["cost", *TINY, "--clock", "5", "--breakdown"], "--breakdown is of the least area"),
        (["cost", *TINY, "--objective", "speed", "--breakdown"], "--breakdown is of the least"),
        (["verify", "flaot"], "unknown unit 'flaot'; did you mean 'float'?"),
    ],
)
def test_bad_input_exits_2(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(arguments) == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("clock", "message"),
    [
        *((text, f"--clock={text!r}: allowed: positive numbers, such as 2.5")
          for text in ("0", "0.0", "-1", "inf", "nan", "1_0", "1e999", "1e-999", "5ns", "", "٣")),
        ("5 --objective area", "argument --objective: not allowed with argument --clock"),
    ],
)  # fmt: skip
def test_clocks_that_are_none(clock: str, message: str, capsys: pytest.CaptureFixture[str]) -> None:
    words = clock.split(" ")
    with pytest.raises(SystemExit) as ended:
        cli.main(["cost", *TINY, f"--clock={words[0]}", *words[1:]])
    assert ended.value.code == 2
    assert message in capsys.readouterr().err


def test_verify_prints_one_line_a_unit(capsys: pytest.CaptureFixture[str]) -> None:
    unit = ["bit_serial", "lanes=2", "weight=int2", "activation=int2"]
    assert cli.main(["verify", *unit, "--seed", "5"]) == 0
    (line,) = capsys.readouterr().out.splitlines()
    assert "pass" in line
    assert "seed 5" in line


def test_verify_exits_1_when_a_unit_fails(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Failing:
        passed = False

        def __str__(self) -> str:
            return "FAIL"

    monkeypatch.setattr(verify, "each", lambda _, units: [(unit, Failing()) for unit in units])
    assert cli.main(["verify", "integer"]) == 1


def test_missing_simulator_exits_3(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(icarus.shutil, "which", lambda _: None)
    assert cli.main(["verify", "integer"]) == 3
    assert "apt-get install iverilog" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("program", "script", "status", "message"),
    [
        ("iverilog", "echo broken; exit 3", 1, "iverilog ended with status 3:\nbroken\n"),
        ("vvp", "echo broken; exit 3", 1, "the simulation gave no results:\nbroken\n"),
        ("vvp", "kill -9 $$", 1, "the simulation gave no results:\n"),
        ("vvp", None, 3, "vvp (Icarus Verilog) is not installed"),
        (
            "vvp",
            "echo '<testsuites>' > $COCOTB_RESULTS_FILE",
            1,
            "the simulation's results are cut",
        ),
    ],
)
def test_tools_that_fail_are_messages(
    program: str,
    script: str | None,
    status: int,
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    icarus.version()  # Known from before.
    for name in ("iverilog", "vvp", "sh"):
        found = shutil.which(name)
        assert found
        (tmp_path / name).symlink_to(found)
    (tmp_path / program).unlink()
    if script is not None:
        (tmp_path / program).write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / program).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert cli.main(["verify", *TINY]) == status
    errors = capsys.readouterr().err
    assert errors.startswith("hwsim: ")
    assert message in errors


def test_doctor_names_what_is_missing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    assert cli.main(["doctor", "--json"]) == 1
    findings = {f["name"]: f for f in json.loads(capsys.readouterr().out)}
    assert findings["iverilog"]["found"] == ""
    assert findings["iverilog"]["install"] == "apt-get install iverilog"
    assert findings["amaranth"]["found"]


@pytest.mark.parametrize(
    ("text", "problem"),
    [("#!/bin/sh\nexit 3\n", "ends with status 3"), ("no program", "does not run: ")],
)
def test_doctor_names_a_program_that_does_not_run(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    text: str,
    problem: str,
) -> None:
    (tmp_path / "sta").write_text(text)
    (tmp_path / "sta").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert cli.main(["doctor", "--json"]) == 1
    findings = {f["name"]: f for f in json.loads(capsys.readouterr().out)}
    assert findings["sta (OpenSTA)"]["found"] == ""
    assert problem in findings["sta (OpenSTA)"]["problem"]


def test_breakdown_has_every_part(capsys: pytest.CaptureFixture[str]) -> None:
    unit = ["cost", "fma", "lanes=1", "weight=int2", "activation=e4m3", "accumulator=fp16"]
    unit += ["--breakdown", "--technology", "sky130"]
    assert cli.main([*unit, "--json"]) == 0
    (result,) = json.loads(capsys.readouterr().out)
    assert set(result["parts"]) == {"fold", "top"}
    areas = [part["area_um2"] for part in result["parts"].values()]
    assert result["sum_of_parts"]["area_um2"] == pytest.approx(sum(areas))
    energies = [part["energy_pj_per_mac"] for part in result["parts"].values()]
    assert result["sum_of_parts"]["energy_pj_per_mac"] == pytest.approx(sum(energies))
    assert result["whole"]["method"] == "estimate"
    assert cli.main(unit) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines[2:5]] == ["top", "fold", "sum"]
    assert "Nothing is optimised across the borders of parts" in lines[5]


def test_osu018_has_no_clock_gates(capsys: pytest.CaptureFixture[str]) -> None:
    unit = ["cost", "integer", "lanes=1", "weight=int3", "activation=int3", "--clock-gating"]
    assert cli.main([*unit, "--method", "synthesis", "--technology", "osu018"]) == 2
    assert "no clock gate for rising edges in osu018_stdcells.lib" in capsys.readouterr().err
    assert cli.main([*unit, "--breakdown"]) == 2
    assert "--clock-gating takes whole units" in capsys.readouterr().err


def test_breakdown_is_no_synthesis(capsys: pytest.CaptureFixture[str]) -> None:
    unit = ["cost", "integer", "lanes=1", "weight=int2", "activation=int2", "--breakdown"]
    assert cli.main([*unit, "--method", "synthesis"]) == 2
    assert "--breakdown is an estimate" in capsys.readouterr().err


def test_costs_of_several_units_are_one_table(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mine = tmp_path / "mine.yaml"
    technology.write(replace(technology.load("asap7"), name="mine"), mine)
    arguments = ["cost", *TINY, "bit_serial", *TINY[1:], "--operands", "quiet"]
    arguments += ["--technology", "sky130", "--technology", str(mine)]
    assert cli.main(arguments) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("quiet operands")
    assert [line.split()[:3] for line in lines[2:6]] == [
        [f"{family}_lanes_1_weight_int2_activation_int2", name, "estimate"]
        for family in ("integer", "bit_serial")
        for name in ("sky130", "mine")
    ]
    assert all("±" in line for line in lines[2:7])
    assert [line.split(":")[0] for line in lines[7:9]] == ["sky130", "mine"]


@pytest.fixture
def mine(tmp_path: Path) -> list[str]:
    """The option of a technology of one's own, whose units have half the delay for speed."""
    technology.write(simple("mine"), tmp_path / "mine.yaml")
    return ["--technology", str(tmp_path / "mine.yaml")]


@pytest.mark.parametrize(
    ("goal", "said", "slack", "errors"),
    [
        ([], "the least area, GMAC/s at each unit's own fmax", False, "area 1.0 / 2.0, delay 2.0"),
        (["--objective", "area"], "the least area, GMAC/s at each unit's own fmax", False,
         "area 1.0 / 2.0, delay 2.0 / 4.0"),
        (["--objective", "speed"], "the least delay, GMAC/s at each unit's own fmax", False,
         "area 10.0 / 20.0, delay 11.0 / 22.0"),
        (["--objective", "density"], "the least area times delay, GMAC/s at each unit's own fmax",
         False, "area 10.0 / 20.0, delay 11.0 / 22.0"),
        (["--clock", "8"], "a clock of 8 ns, GMAC/s at the clock", True,
         "area 20.0 / 40.0, settled energy 22.0 / 44.0, energy 23.0 / 46.0 (in"),
        (["--clock", "0.5"], "a clock of 0.5 ns, GMAC/s at the clock", True,
         "area 10.0 / 20.0, delay 11.0 / 22.0"),
    ],
)  # fmt: skip
def test_costs_say_what_units_were_mapped_for(
    goal: list[str], said: str, slack: bool, errors: str, mine: list[str],
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    assert cli.main(["cost", *TINY, *mine, *goal]) == 0
    first, heading, row, *notes = capsys.readouterr().out.splitlines()
    assert first == (
        f"normal operands; mapped for {said}; energy in pJ/MAC: settled is data + clock, energy is "
        "settled + glitches"
    )
    assert ("slack ns" in heading) == slack
    assert "simple" not in row
    missed = "misses the clock of 0.5 ns; GMAC/s at its own fmax, 5.2 ns"
    assert any(missed in note for note in notes) == (goal == ["--clock", "0.5"])
    assert errors in notes[-1]


def test_the_clock_is_in_json(mine: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["cost", *TINY, *mine, "--clock", "8.0", "--json"]) == 0
    (cost,) = json.loads(capsys.readouterr().out)
    assert (cost["clock_ns"], cost["slack_ns"], cost["macs_per_cycle_error"]) == (8.0, 0.0, 0.0)
    assert cost["provenance"]["objective"] == "clock"
    assert cost["gmacs_per_s"] == pytest.approx(cost["macs_per_cycle"] / 8)
    assert cost["error_percent"]["gmacs_per_s_per_mm2"] == {"68": 20.0, "95": 40.0}
    assert "delay_ns" not in cost["error_percent"]


def test_cycles_that_are_a_sample_have_a_standard_error(
    mine: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    unit = ["bit_serial", "lanes=2", "weight=int4", "activation=int4"]
    assert cli.main(["cost", *unit, *TINY, *mine]) == 0
    assert "standard error" not in capsys.readouterr().out
    assert cli.main(["cost", *unit, "digits=essential", *mine]) == 0
    assert ", mine: standard error of MAC/cycle 0.0" in capsys.readouterr().out


def test_synthesis_is_told_its_goal_and_says_what_it_violates(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = []

    def measure(unit: UnitSpec, technology: str, library: object, operands: object,
                objective: str, clock_ns: float | None, clock_gating: bool, wires: bool,
                utilisation: float) -> Cost:  # fmt: skip
        assert not clock_gating
        asked.append((objective, clock_ns))
        limits = {
            "max_capacitance": {"count": 3, "worst": 1.25, "pin": "dff_1/Q"},
            "max_transition": {"count": 0, "worst": 0.5, "pin": "inv_1/A"},
        }
        return Cost(
            unit.name, technology, "synthesis", 100.0, 2.0, 1.0, 0.1, 0.1, 1.0, 1.0,
            clock_ns=clock_ns,
            provenance={
                "objective": "clock" if clock_ns else objective, "violations": limits,
                "candidates": [{"area_um2": 100.0, "delay_ns": 2.0}], "corner": {},
            },
        )  # fmt: skip

    monkeypatch.setattr("cost_models.synthesis.measure", measure)
    monkeypatch.setattr("cost_models.synthesis.liberty.opened", lambda *_: nullcontext())
    command = ["cost", *TINY, "--method", "synthesis", "--technology", "theirs"]
    for goal in ([], ["--objective", "speed"], ["--clock", "5"]):
        assert cli.main([*command, *goal]) == 0
    assert asked == [("area", None), ("speed", None), ("area", 5.0)]
    lines = capsys.readouterr().out.splitlines()
    name = "integer_lanes_1_weight_int2_activation_int2, theirs"
    told = f"{name}: 3 pins beyond max capacitance, dff_1/Q by a factor of 1.25"
    assert lines.count(told) == 3
    assert not any("transition" in line for line in lines)
    assert lines[-1].endswith("from the chosen one, of those that meet the clock if any does")


def test_costs_in_json_have_everything(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["cost", *TINY, "--technology", "sky130", "--operands", "random", "--json"]
    assert cli.main(arguments) == 0
    (cost,) = json.loads(capsys.readouterr().out)
    assert cost["operands"] == "random"
    assert cost["method"] == "estimate"
    settled = cost["settled_energy_pj_per_mac"]
    parts = cost["data_energy_pj_per_mac"] + cost["clock_energy_pj_per_mac"]
    assert settled == pytest.approx(parts)
    energy = cost["energy_pj_per_mac"]
    assert energy == pytest.approx(settled + cost["glitch_energy_pj_per_mac"])
    assert cost["gmacs_per_j"] == pytest.approx(1e3 / energy)
    assert cost["weight_bits_per_element"] == cost["activation_bits_per_element"] == 2
    for levels in cost["error_percent"].values():
        assert 0 < levels["68"] < levels["95"]


def test_wires_of_estimates_are_a_table_of_their_own(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    errors = {"units": 3, "delay": 1.5, "data": 2.5, "clock": 3.5}
    factors = {
        "utilisation": 0.5, "areas_um2": [3.0, 27.0], "delay": 0.1, "data": 0.1, "clock": 0.1,
        "errors": {"left_out": errors, "held_out": errors}, "source": "my placements",
    }  # fmt: skip
    mine = tmp_path / "mine.yaml"
    technology.write(simple("mine", wires={"factors": factors}), mine)
    command = ["cost", *TINY, "--technology", str(mine)]
    assert cli.main([*command, "--json"]) == 0
    (plain,) = json.loads(capsys.readouterr().out)
    assert plain["wires"] is None
    assert cli.main([*command, "--wires", "--json"]) == 0
    (cost,) = json.loads(capsys.readouterr().out)
    wires = cost.pop("wires")
    assert cost == {name: value for name, value in plain.items() if name != "wires"}
    assert wires["core_area_um2"] == pytest.approx(2 * cost["area_um2"])
    assert wires["delay_with_wires_ns"] == pytest.approx(1.1 * cost["delay_ns"])
    energy = wires["energy_with_wires_pj_per_mac"]
    assert energy == pytest.approx(1.1 * cost["energy_pj_per_mac"])
    assert cli.main([*command, "--wires"]) == 0
    _, _, table = capsys.readouterr().out.partition("\n\n")
    lines = table.splitlines()
    assert "in no figure above, by factors fitted to placed netlists" in lines[0]
    assert lines[2].split()[:3] == ["integer_lanes_1_weight_int2_activation_int2", "mine", "0.5"]
    assert lines[-2] == "mine: my placements"
    assert "of 3 to 27 µm² of cells; mean error" in lines[-1]
    assert "on 3 held-out units: delay 1.5 %, data 2.5 %, clock 3.5 %" in lines[-1]
    for factor, missed in ((1.05, True), (1.15, False)):
        clock = str(factor * plain["delay_ns"])
        assert cli.main([*command, "--wires", "--clock", clock]) == 0
        assert ("mine: with wires it misses the clock of" in capsys.readouterr().out) == missed


def test_wires_of_synthesis_are_a_table_of_their_own(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """By the figures of a technology's file."""
    figures = asdict(wires.figures("osu018")) | {"source": "my wires"}
    mine = tmp_path / "mine.yaml"
    technology.write(simple("mine", wires={"figures": figures}), mine)
    command = ["cost", *TINY, "--method", "synthesis", "--technology", str(mine)]
    command += ["--liberty", str(liberty.OSU018), "--wires", "--utilisation", "0.6"]
    assert cli.main(command) == 0
    _, _, table = capsys.readouterr().out.partition("\n\n")
    lines = table.splitlines()
    assert "in no figure above, by placed netlist" in lines[0]
    assert lines[2].split()[1:3] == [str(mine), "0.6"]
    assert lines[-1] == f"{mine}: my wires"


@pytest.mark.parametrize(("arguments", "message"), [
    (["--utilisation", "0.6"], "--utilisation goes with --wires and --method synthesis"),
    (["--wires", "--utilisation", "0.6"], "--utilisation goes with --wires and --method synth"),
    (["--wires", "--breakdown"], "--wires takes whole units"),
])  # fmt: skip
def test_wires_that_are_refused(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["cost", *TINY, *arguments]) == 2
    assert message in capsys.readouterr().err


def test_breakdown_takes_operands(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["cost", *TINY, "--technology", "sky130", "--breakdown", "--operands"]
    assert cli.main([*arguments, "quiet"]) == 0
    assert cli.main([*arguments, "random"]) == 0
    lines = capsys.readouterr().out.splitlines()
    quiet, random = (float(line.split()[5]) for line in lines if line.startswith("sum of parts"))
    assert quiet < random


@pytest.mark.parametrize("arguments", [[], ["--breakdown"]])
def test_costs_say_which_units_are_large(
    arguments: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["cost", "integer", "lanes=1", "weight=int2", "activation=int3", *arguments]
    assert cli.main(command) == 0
    assert "bounded effort" not in capsys.readouterr().out
    monkeypatch.setattr("cost_models.netlist.LARGE", 1)
    netlist.cache_clear()
    assert cli.main(command) == 0
    netlist.cache_clear()
    assert "activation_int3 is large and mapped with bounded effort" in capsys.readouterr().out


#: A command whose two workers sleep for a minute.
SLEEPING = """
import sys, time
from hwsim import cli
from hwsim.pool import each

def sleep(options):
    for task, _ in each(time.sleep, [0, 60, 60], 2):
        print(task, flush=True)

cli.units.run = sleep
sys.exit(cli.main(["units"]))
"""


def test_sigterm_ends_the_workers_too() -> None:
    process = start(SLEEPING)
    process.terminate()
    _, errors = process.communicate(timeout=50)
    assert (process.returncode, errors) == (cli.INTERRUPTED, "hwsim: interrupted\n")
    assert wait_until(lambda: not group_exists(process.pid), seconds=10)
