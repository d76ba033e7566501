"""Accelerators as files: those that come with the package, and what is refused of others."""

import pytest

from hwsim.accelerator import specification
from hwsim.accelerator.simulation import simulate
from hwsim.accelerator.workload import workload
from hwsim.errors import InputError

TEXT = """\
unit: bitmod
parameters: {lanes: 4, weight: bitmod4, activation: fp16}
array: {rows: 8, cols: 4, links: broadcast, double_buffered: false}
clock: 2.5
formats:
  kv_cache: int8_g128
  overrides: {lm_head: {weight: int6_g128}}
sram:
  table: cacti7-hp
  node: 22
  weights: {capacity: 65536, width: 64, banks: 8, double_buffered: false}
  inputs: {capacity: 65536, width: 128, banks: 8}
  outputs: {capacity: 65536, width: 64, banks: 8}
dram: {kind: lpddr5, boundary: system, bandwidth: 32}
"""


@pytest.mark.parametrize("name", specification.names())
def test_what_is_shipped_runs(name):
    one = specification.load(name)
    assert one.name == name
    run = simulate(one, workload("smollm2-135m", "decode", context=64), 10.0)
    assert 0 < run.utilisation <= 1


def test_names_of_what_is_shipped():
    assert {"int8", "fp16", "bitmod_lossless", "bitmod_lossy", "ant", "lut_tensor_core", "mxfp8",
            "mxfp4", "nvfp4", "ternary"} == {*specification.names()}  # fmt: skip


def test_a_file_says_everything(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text(TEXT)
    one = specification.load(str(path))
    assert (one.name, one.rows, one.cols, one.links, one.clock_ns) == (
        "mine",
        8,
        4,
        "broadcast",
        2.5,
    )
    assert (one.double_buffered, one.memories.weights.double_buffered) == (False, False)
    assert one.memories.inputs.double_buffered
    assert (one.memories.dram.boundary, one.memories.node) == ("system", 22)
    found = {row.gemm.name: row for row in one.operand_formats.assign(
        workload("llama-2-7b", "decode", context=8).gemms)}  # fmt: skip
    assert found["lm_head"].stationary.name == "int6_g128"
    assert found["layers.*.qk"].stationary.name == "int8_g128"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("unit: bitmod", "unit: bitmood", r"mine.yaml:1: unit: unknown unit 'bitmood'; did you"),
        ("lanes: 4", "lanes: x", r"mine.yaml:2: parameters: lanes must be an integer"),
        ("rows: 8", "rows: 0", r"mine.yaml:3: rows: rows=0: allowed"),
        ("links: broadcast", "links: mesh", r"mine.yaml:3: links: unknown links 'mesh'"),
        ("clock: 2.5", "clock: -1", r"mine.yaml:4: clock: clock=-1.0: allowed: numbers from 0.001"),
        ("links: broadcast", "dataflow: weight_stationary",
         r"mine.yaml:3: array: .*bitmod cannot hand its sums on"),
        ("weights: {capacity: 65536, width: 64, banks: 8, double_buffered: false}",
         "weights: {capacity: 1, width: 8, banks: 1}",
         r"mine.yaml:3: array: cols=4: the SRAM of weights has capacity=1, of which a tile has "
         r"half, and holds a beat of 0 cols; needed for 4: capacity="),
        ("double_buffered: false}\nclock", "double_buffered: 1}\nclock",
         r"mine.yaml:3: double_buffered: must be true or false"),
        ("kv_cache", "kvcache", r"mine.yaml:6: kvcache: unknown key 'kvcache'; did you mean"),
        ("weight: int6_g128", "wait: int6_g128", r"mine.yaml:7: wait: unknown key 'wait'"),
        ("int6_g128", "int6_g", r"mine.yaml:6: formats: .*int6_g"),
        ("  node: 22\n", "", r"mine.yaml:9: sram: the key 'node' is missing"),
        ("width: 128", "width: 1.5", r"mine.yaml:12: width: must be an integer"),
        ("bandwidth: 32", "bandwidth: -1", r"mine.yaml:14: dram: bandwidth=-1.0: allowed"),
        ("bandwidth: 32", "bandwidth: 1.0e-300", r"bandwidth=1e-300: allowed: .* 0.001 to 1e.09"),
        ("clock: 2.5", "clock: 1.0e+308", r"clock=1e\+308: allowed: numbers from 0.001 to 1e\+06"),
    ],
)  # fmt: skip
def test_slips_are_told_with_their_place(tmp_path, old, new, message):
    path = tmp_path / "mine.yaml"
    assert old in TEXT
    path.write_text(TEXT.replace(old, new))
    with pytest.raises(InputError, match=message):
        specification.load(str(path))


ATTENTION = """\
attention:
  unit: float
  parameters: {lanes: 4, weight: fp16, activation: fp16}
  array: {rows: 2, cols: 6, links: broadcast}
"""


def test_attention_has_a_unit_of_its_own(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text(TEXT.replace("  kv_cache: int8_g128\n", "") + ATTENTION)
    one = specification.load(str(path))
    work = workload("llama-2-7b", "decode", context=8)
    found = {row.gemm.name: row for row in one.operand_formats.assign(work.gemms)}
    # Keys and values are what its unit takes, and are written so.
    assert found["layers.*.qk"].stationary.name == "fp16"
    assert found["layers.*.k_proj"].result.name == "fp16"
    assert found["layers.*.k_proj"].stationary.name == "bitmod4"
    first, second = one.arrays
    assert (first.rows, first.cols, first.unit.family) == (8, 4, "bitmod")
    assert (second.rows, second.cols, second.unit.family) == (2, 6, "float")
    assert (second.memories, second.clock_ns) == (one.memories, 2.5)
    run = simulate(one, work, 10.0)
    apart = dict(run.parts)
    assert {row.gemm.stationary for row in apart[0].layers.gemms} == {"weights"}
    assert {row.gemm.stationary for row in apart[1].layers.gemms} == {"keys", "values"}
    assert run.cycles == pytest.approx(apart[0].cycles + apart[1].cycles)
    assert run.macs == work.macs
    assert run.times.array.shape == (len(work.gemms),)
    alone = {group.name: group.utilisation for group in apart[1].groups()}
    for group in run.groups():
        if group.name in alone:
            assert group.utilisation == pytest.approx(alone[group.name])


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("unit: float", "unit: floot", r"mine.yaml:16: unit: unknown unit 'floot'"),
        ("rows: 2, ", "", r"mine.yaml:18: array: the key 'rows' is missing"),
        ("links", "convention", r"mine.yaml:18: convention: unknown key 'convention'"),
        ("activation: fp16}\n  array: {rows: 2", "activation: bf16}\n  array: {rows: 2",
         r"mine.yaml:16: attention: the unit of attention takes activations of bf16; allowed: fp"),
        ("rows: 2", "rows: 0", r"mine.yaml:18: rows: rows=0: allowed"),
        ("broadcast", "mesh", r"mine.yaml:18: links: unknown links"),
    ],
)  # fmt: skip
def test_slips_in_attention_are_told(tmp_path, old, new, message):
    path = tmp_path / "mine.yaml"
    assert old in ATTENTION
    path.write_text(TEXT + ATTENTION.replace(old, new))
    with pytest.raises(InputError, match=message):
        specification.load(str(path))


def test_names_that_there_are_not():
    with pytest.raises(InputError, match="did you mean 'bitmod_lossy'"):
        specification.load("bitmod_los")
    for name in ("mine.yml", "folder/mine"):
        with pytest.raises(InputError, match=r"unknown accelerator .*; files end in .yaml$"):
            specification.load(name)
    with pytest.raises(InputError, match="no unit decodes pairs of an outlier"):
        specification.load("olive")
    with pytest.raises(InputError, match=r"accelerator=3: allowed: ant, .*FILE.yaml"):
        specification.load(3)  # type: ignore[arg-type]
