"""``hwsim simulate``: tables, JSON, charts, and what is refused."""

import json

import pytest

from hwsim.accelerator import specification
from hwsim.cli import main

UNIT = [
    "--unit",
    *["integer", "lanes=2", "weight=int4", "activation=int4"],
    "--technology",
    "sky130",
]
DECODE = ["--model", "smollm2-135m", "--phase", "decode", "--context", "64"]

MINE = """\
unit: integer
parameters: {lanes: 2, weight: int4, activation: int4}
array: {rows: 8, cols: 4}
sram:
  table: cacti7-hp
  node: 22
  weights: {capacity: 65536, width: 64, banks: 8}
  inputs: {capacity: 65536, width: 128, banks: 4}
  outputs: {capacity: 65536, width: 64, banks: 8}
dram: {kind: lpddr5, boundary: system, bandwidth: 32}
"""


def run(*words: str) -> int:
    return main(["simulate", *words])


def test_tables_and_totals(capsys):
    assert run(*DECODE, *UNIT, "--array", "8x4", "--convention", "no_skew") == 0
    out = capsys.readouterr().out
    assert "8 x 4 integer_lanes_2" in out
    assert "cycles as no_skew" in out
    for name in ("attention_scores", "lm_head", "tokens/s", "idle units", "DRAM", "weight SRAM"):
        assert name in out


def test_json_has_what_is_printed(capsys):
    assert run(*DECODE, *UNIT, "--array", "8x4", "--bandwidth", "4", "--json") == 0
    (found,) = json.loads(capsys.readouterr().out)
    assert (found["rows"], found["cols"], found["phase"], found["context"]) == (8, 4, "decode", 64)
    assert found["items_per_s"] == pytest.approx(1 / found["time_s"])
    parts = found["energy_pj"]["parts"]
    assert sum(part["value"] for part in parts) == pytest.approx(found["energy_pj"]["value"])
    assert {group["bound"] for group in found["groups"]} <= {"array", "DRAM"}
    assert sum(group["cycles"] for group in found["groups"]) == pytest.approx(found["cycles"])


def test_a_chart_and_a_fitted_array(capsys, tmp_path):
    path = tmp_path / "chart.svg"
    assert run(*DECODE, *UNIT, "--fit", "multipliers=32", "--chart", str(path)) == 0
    assert path.read_text().startswith("<?xml")
    assert "integer_lanes_2" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("node: 22", "node: 23", "mine.yaml:6: node: node 23 nm: cacti7-hp has"),
        ("cacti7-hp", "cacti9", "mine.yaml:5: table: unknown table 'cacti9'"),
        ("capacity: 65536, width: 64", "capacity: 65537, width: 64",
         "mine.yaml:7: weights: weight SRAM: capacity 65537 bytes does not divide"),
        ("width: 128", "width: 72", "mine.yaml:8: inputs: input SRAM: width 72: the tables have"),
        ("lpddr5", "lpddr9", "mine.yaml:10: dram: unknown DRAM 'lpddr9'"),
        ("system", "rack", "mine.yaml:10: dram: boundary 'rack': lpddr5 has"),
        ("rows: 8", "rows: 0", "mine.yaml:3: rows: rows=0: allowed"),
    ],
)  # fmt: skip
def test_slips_of_a_file_are_told_with_their_place(capsys, tmp_path, old, new, message):
    path = tmp_path / "mine.yaml"
    assert old in MINE
    path.write_text(MINE.replace(old, new, 1))
    assert run(*DECODE, "--technology", "sky130", "--accelerator", str(path)) == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([*DECODE, "--technology", "sky130"], "--accelerator or --unit: name what"),
        ([*DECODE, *UNIT, "--array", "8"], "--array 8: allowed: rows and columns, such as 32x32"),
        ([*DECODE, *UNIT, "--array", "0x8"], "rows=0: allowed: whole numbers from 1"),
        ([*DECODE, *UNIT, "--array", "8x8", "--fit", "area=1"], "give one"),
        ([*DECODE, *UNIT, "--fit", "power=1"], "unknown limit 'power'"),
        ([*DECODE, *UNIT, "--fit", "area"], "allowed: area=MM2"),
        ([*DECODE, *UNIT, "--convention", "zigzag"], "unknown convention 'zigzag'"),
        ([*DECODE, *UNIT, "--kv-cache", "int8"], "needs a unit with weight=int8"),
        ([*DECODE, *UNIT, "--sram-node", "28"], "node 28 nm: cacti7-hp has"),
        ([*DECODE, *UNIT, "--bandwidth", "1e-300"], "bandwidth=1e-300: allowed: numbers from"),
        ([*DECODE, *UNIT, "--bandwidth", "5e-324"], "bandwidth=5e-324: allowed: numbers from"),
        ([*DECODE, *UNIT, "--clock", "1e308"], "clock_ns=1e+308: allowed: numbers from 0.001"),
        ([*DECODE, *UNIT, "--match", "foo"], "--match foo: goes with a file or package"),
        (
            [*DECODE, *UNIT, "--accelerator", "bitmod_lossy"],
            "--unit keeps the formats of bitmod_lossy; kv_cache int8_g128: ",
        ),
        ([*DECODE, *UNIT, "--chart", "chart.jpg"], "charts are .png, .svg, .pdf files"),
        ([*DECODE, *UNIT, "--accelerator", "olive"], "accelerator olive: no unit decodes"),
        ([*DECODE, *UNIT[-2:], "--unit", "integer", "float"], "allowed: one family"),
        ([*DECODE, *UNIT, "--unit", "integer lanes=2"], "--unit: given twice; allowed: once"),
        ([*DECODE[:-2], *UNIT], "context=None"),
        (["--model", "llama", "--phase", "decode", "--context", "8", *UNIT], "llama"),
    ],
)
def test_what_is_refused(capsys, words, message):
    try:
        status = run(*words)
    except SystemExit as exit_:
        status = exit_.code
    assert status == 2
    assert message in capsys.readouterr().err


def test_what_was_simulated_is_told(capsys):
    words = [*DECODE, "--technology", "sky130", "--accelerator", "lut_tensor_core"]
    words += ["--bandwidth", "48"]
    assert run(*words) == 0
    out = capsys.readouterr().out
    assert "attention: 16 x 16 integer_" in out
    assert "formats: weight int2, activation int8, kv_cache int8\n" in out
    assert "weights 524288 bytes in 8 banks of 128 bits; inputs" in out
    assert "DRAM: lpddr5 (system), 48 GB/s\n" in out
    assert run(*words, "--json") == 0
    (found,) = json.loads(capsys.readouterr().out)
    assert (found["dataflow"], found["links"]) == ("output_stationary", "broadcast")
    assert found["attention"]["dataflow"] == "output_stationary"
    assert (found["attention"]["links"], found["attention"]["rows"]) == ("systolic", 16)
    assert found["formats"] == {
        "weight": "int2", "activation": "int8", "kv_cache": "int8", "overrides": {}
    }  # fmt: skip
    assert found["memories"]["dram"] == {"kind": "lpddr5", "bandwidth": 48, "boundary": "system"}
    assert found["memories"]["outputs"] == {
        "capacity": 131072, "width": 64, "banks": 8, "double_buffered": True
    }  # fmt: skip


def test_a_unit_keeps_the_formats_of_the_file(capsys, tmp_path):
    text = specification.shipped("bitmod_lossy").read_text()
    assert "formats: {kv_cache: int8_g128}" in text
    path = tmp_path / "mine.yaml"
    path.write_text(
        text.replace(
            "{kv_cache: int8_g128}",
            "{kv_cache: int6_g128, overrides: {lm_head: {weight: int8_g128}}}",
        )
    )
    words = [*DECODE, "--technology", "sky130", "--accelerator", str(path)]
    words += ["--unit", "bitmod", "lanes=4", "weight=bitmod4", "activation=fp16"]
    assert run(*words, "--json") == 0
    (found,) = json.loads(capsys.readouterr().out)
    assert found["formats"] == {
        "weight": "bitmod4", "activation": "fp16", "kv_cache": "int6_g128",
        "overrides": {"lm_head": {"weight": "int8_g128"}},
    }  # fmt: skip
    path.write_text(text.replace("kv_cache: int8_g128", "overrides: {lm_head: {weight: mxfp4}}"))
    assert run(*words) == 2
    assert "formats of mine; lm_head: weight mxfp4: " in capsys.readouterr().err
