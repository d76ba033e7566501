"""Accelerators in sweeps: what their axes expand to, what is refused, points, tables, charts."""

import csv
import json
import math
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

import sweeps.simulated
from cost_models import operands
from cost_models.accelerator import Prices, evaluate
from cost_models.array_size import fit
from hwsim.accelerator.specification import load
from hwsim.accelerator.workload import workload
from hwsim.errors import InputError
from sweeps import plots, results, run_sweep, spec, table
from sweeps.metrics import METRICS
from sweeps.run import run

from .test_plots import assert_printable

#: A small accelerator of a user, whose units are quick to estimate.
MINE = """\
unit: integer
parameters: {lanes: 2, weight: int4, activation: int4}
array: {rows: 8, cols: 4}
sram:
  table: cacti7-hp
  node: 22
  weights: {capacity: 65536, width: 64, banks: 8}
  inputs: {capacity: 65536, width: 64, banks: 8}
  outputs: {capacity: 65536, width: 64, banks: 8}
dram: {kind: lpddr5, boundary: system, bandwidth: 32}
"""
TEXT = """\
name: small
technology: [sky130]
method: estimate
accelerators:
  - {accelerator: mine.yaml, array: {size: [8x4, 16x8]}, dram: {bandwidth: [8, 32]}}
  - {accelerator: mine.yaml, array: {fit: {multipliers: 64}}}
  - {accelerator: mine.yaml, formats: {kv_cache: int8}}
workloads:
  - {model: smollm2-135m, phase: decode, context: 64}
  - {model: smollm2-135m, phase: prefill, tokens: [32]}
objectives: [energy_j_per_item, items_per_s]
"""


@pytest.fixture
def specification(tmp_path):
    (tmp_path / "mine.yaml").write_text(MINE)
    path = tmp_path / "small.yaml"
    path.write_text(TEXT)
    return path


@pytest.fixture
def priced(monkeypatch):
    """Names of the units that were priced."""
    names, create = [], operands.create

    def counting(unit, *others):
        names.append(unit.name)
        return create(unit, *others)

    monkeypatch.setattr(operands, "create", counting)
    sweeps.simulated._prices.cache_clear()
    return names


def read(tmp_path, text):
    (tmp_path / "mine.yaml").write_text(MINE)
    path = tmp_path / "s.yaml"
    path.write_text(text)
    return spec.read(path)


def message(tmp_path, text):
    with pytest.raises(InputError) as caught:
        read(tmp_path, text)
    return str(caught.value).replace(f"{tmp_path}/", "")


def test_every_key_of_an_accelerator_is_an_axis(specification):
    sweep = spec.read(specification)
    assert [design.name for design in sweep.designs] == [
        "mine size=8x4 bandwidth=8", "mine size=8x4 bandwidth=32", "mine size=16x8 bandwidth=8",
        "mine size=16x8 bandwidth=32", "mine fit.multipliers=64", "mine kv_cache=int8",
    ]  # fmt: skip
    plan = sweep.designs[2].plan
    one = plan.accelerator
    assert (one.rows, one.cols, one.memories.dram.bandwidth) == (16, 8, 8.0)
    assert one.memories.weights == load(str(specification.parent / "mine.yaml")).memories.weights
    assert sweep.designs[4].plan.limit == ("multipliers", 64.0)
    assert [target.name for target in sweep.targets] == [
        "sky130 8 ns smollm2-135m decode context 64",
        "sky130 8 ns smollm2-135m prefill tokens 32",
    ]


def test_an_accelerator_may_stand_in_the_specification(tmp_path):
    whole = TEXT.split("  - {acc")[0] + "  - name: own\n"
    lines = MINE.replace("lanes: 2", "lanes: [2, 4]").replace("rows: 8", "rows: [8]")
    whole += "".join(f"    {line}\n" for line in lines.splitlines())
    sweep = read(tmp_path, whole + TEXT[TEXT.index("workloads") :])
    assert [design.name for design in sweep.designs] == ["own lanes=2", "own lanes=4"]
    assert [unit.lanes for unit in sweep.units] == [2, 4]


def test_a_unit_of_its_own_leaves_out_parameters_and_formats_of_the_file(tmp_path):
    parameters = "{lanes: 4, weight: int8, activation: [int8]}"
    entry = f"{{accelerator: bitmod_lossy, unit: integer, parameters: {parameters}}}"
    (design,) = read(tmp_path, _with_entries(f"  - {entry}\n")).designs
    assert design.unit.name == "integer_lanes_4_weight_int8_activation_int8"
    assert design.plan.accelerator.formats is None
    assert design.plan.base == "bitmod_lossy"


def _with_entries(entries):
    head, rest = TEXT.split("accelerators:\n")
    return f"{head}accelerators:\n{entries}{rest[rest.index('workloads') :]}"


def test_shipped_specification_compares_all_that_is_shipped(known):
    path = Path(spec.__file__).parent / "specs" / "accelerators.yaml"
    sweep = spec.read(path)
    assert len(sweep.designs) == 20
    assert {design.plan.limit for design in sweep.designs} == {("area", 0.2)}
    assert len(sweep.targets) == 2


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("accelerator: mine.yaml, array", "accelerator: int9, array",
         "s.yaml:5: accelerator: unknown accelerator 'int9'; did you mean 'int8'?"),
        ("accelerator: mine.yaml, array", "accelerator: olive, array",
         "s.yaml:5: accelerator: accelerator olive: no unit decodes pairs of an outlier and its "
         "victim; the format olive4 can be measured"),
        ("accelerator: mine.yaml, array", "accelerator: your.yaml, array",
         "s.yaml:5: accelerator: your.yaml: No such file or directory"),
        ("{accelerator: mine.yaml, formats", "{accelerators: mine.yaml, formats",
         "s.yaml:7: accelerators: unknown key 'accelerators'; did you mean 'accelerator'?"),
        ("dram: {bandwidth: [8, 32]}", "dram: {bandwith: [8, 32]}",
         "s.yaml:5: bandwith: unknown key 'bandwith'; did you mean 'bandwidth'?"),
        ("dram: {bandwidth: [8, 32]}", "dram: {bandwidth: [8, -32]}",
         "s.yaml:5: dram: bandwidth=-32.0: allowed: numbers from 0.001"),
        ("dram: {bandwidth: [8, 32]}", "dram: {kind: [lpddr5, hbm9]}",
         "s.yaml:5: accelerators: unknown DRAM 'hbm9'; did you mean 'hbm2'?"),
        ("dram: {bandwidth: [8, 32]}", "sram: {weights: {capacity: [65536, 16]}}",
         "s.yaml:5: accelerators: weight SRAM: a macro of 2 bytes is outside the table"),
        ("array: {size: [8x4, 16x8]}, dram: {bandwidth: [8, 32]}",
         "sram: {weights: {capacity: [65536, 1]}}",
         "s.yaml:5: accelerators: mine.yaml:3: array: cols=4: the SRAM of weights has capacity=1"),
        ("dram: {bandwidth: [8, 32]}", "clock: [2]",
         "s.yaml:5: clock: is an axis of the sweep: give its key 'clock' beside this list"),
        ("dram: {bandwidth: [8, 32]}", "dram: 32",
         "s.yaml:5: dram: must be a mapping, not an integer"),
        ("[8x4, 16x8]", "[8x4, 16]",
         "s.yaml:5: size: must be text, and YAML reads '16' as an integer; write '16' in quotes"),
        ("[8x4, 16x8]", "[8x4, 16by8]",
         "s.yaml:5: size: must be rows and columns, such as 32x32, not '16by8'"),
        ("[8x4, 16x8]", "[8x4, 70000x8]",
         "s.yaml:5: rows: rows=70000: allowed: whole numbers from 1 to 65536"),
        ("[8x4, 16x8]}", "[8x4], rows: 2}",
         "s.yaml:5: size: says how large the array is, and so does array.rows; give rows and "
         "cols, or size, or fit"),
        ("fit: {multipliers: 64}", "fit: {multipliers: 64, area: 1}",
         "s.yaml:6: multipliers: must be one limit and its value; known: area, multipliers, "
         "bandwidth"),
        ("fit: {multipliers: 64}", "fit: {power: 64}",
         "s.yaml:6: power: unknown limit 'power'; known: area, multipliers, bandwidth"),
        ("fit: {multipliers: 64}", "fit: {multipliers: 0}",
         "s.yaml:6: multipliers: must be positive products a beat, not 0"),
        ("formats: {kv_cache: int8}", "array: {size: 8x4}, dram: {bandwidth: 8}",
         "s.yaml:7: accelerators: the accelerator 'mine size=8x4 bandwidth=8' stands twice; also "
         "at s.yaml:5; give an entry the key 'name'"),
        ("formats: {kv_cache: int8}", "parameters: {lanes: [2, 0]}",
         "s.yaml:7: parameters: lanes must be 1 to 1024, not 0"),
        ("model: smollm2-135m, phase: decode", "model: smollm2-35m, phase: decode",
         "s.yaml:9: model: unknown model 'smollm2-35m'; did you mean 'smollm2-135m'?; or a path "
         "beside this file"),
        ("phase: decode", "phase: decoding",
         "s.yaml:9: workloads: unknown phase of smollm2-135m 'decoding'"),
        ("context: 64", "tokens: 64", "s.yaml:9: workloads: context=None"),
        ("tokens: [32]", "tokens: [32, 32]",
         "s.yaml:10: workloads: 'smollm2-135m prefill tokens 32' stands twice"),
        ("method: estimate", "method: synthesis",
         "s.yaml:3: method: accelerators are composed of estimates; allowed: estimate"),
        ("method: estimate", "method: estimate\nscreen: 2", "s.yaml:4: screen: leaves units out"),
        ("method: estimate", "method: estimate\nclock: [none]",
         "s.yaml:4: clock: none: an accelerator has one clock: a period in ns, or stated"),
        ("items_per_s]", "item_per_s]",
         "s.yaml:11: objectives: unknown metric 'item_per_s'; did you mean 'items_per_s'?"),
        ("items_per_s]", "output_sqnr_db]",
         "s.yaml:11: objectives: output_sqnr_db needs the key 'tensors'"),
        ("accelerators:\n", "units: [{unit: integer}]\naccelerators:\n",
         "s.yaml:4: units: and 'accelerators' are two sweeps; give one of them"),
    ],
)  # fmt: skip
def test_errors_have_file_line_and_key(tmp_path, known, old, new, expected):
    assert old in TEXT
    assert message(tmp_path, TEXT.replace(old, new, 1)).startswith(expected)


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("rows: 8", "rows: 0", "other.yaml:3: rows: rows=0: allowed"),
        ("node: 22", "node: 23", "other.yaml:6: node: node 23 nm: cacti7-hp has"),
        ("lpddr5", "lpddr9", "other.yaml:10: dram: unknown DRAM 'lpddr9'"),
        ("unit: integer\n", "", "other.yaml:1: specification: the key 'unit' is missing"),
    ],
)
def test_errors_in_the_file_of_an_accelerator_have_its_line(tmp_path, old, new, expected):
    assert old in MINE
    (tmp_path / "other.yaml").write_text(MINE.replace(old, new, 1))
    text = _with_entries("  - {accelerator: other.yaml, array: {size: [8x4]}}\n")
    assert message(tmp_path, text).startswith(expected)


def test_what_accelerators_need_and_units_do_not(tmp_path, known):
    units = (
        "name: a\ntechnology: [sky130]\nmethod: estimate\n"
        "units: [{unit: integer, weight: int4, activation: int4, lanes: 2}]\n"
        "objectives: [area_um2, energy_pj_per_mac]\n"
    )
    assert message(tmp_path, units + "workloads: []\n") == (
        "s.yaml:6: workloads: goes with the key 'accelerators'"
    )
    assert message(tmp_path, units.replace("area_um2", "time_s")) == (
        "s.yaml:5: objectives: time_s needs the key 'accelerators'"
    )
    without = "".join(line for line in TEXT.splitlines(True) if "model" not in line)
    assert message(tmp_path, without.replace("workloads:\n", "")) == (
        "s.yaml:1: specification: the key 'workloads' is missing, which accelerators work on"
    )


def test_a_clock_of_a_file_is_not_passed_over(tmp_path):
    (tmp_path / "clocked.yaml").write_text(MINE + "clock: 10\n")
    text = _with_entries("  - {accelerator: clocked.yaml}\n")
    assert message(tmp_path, text) == (
        "s.yaml:5: accelerator: states a clock of its own, 10 ns; give the sweep's key 'clock', at "
        "which all its accelerators run"
    )
    sweep = read(tmp_path, text.replace("method:", "clock: 9\nmethod:"))
    assert [target.clock_ns for target in sweep.targets] == [9.0, 9.0]


def test_points_are_what_a_simulation_gives(specification, priced, tmp_path):
    sweep = spec.read(specification)
    outcome = run(sweep, tmp_path / "out", workers=1)
    # The unit has hardware for int4 alone, and that is no reason to stop.
    assert [failure.design.name for failure in outcome.failures] == ["mine kv_cache=int8"] * 2
    assert "needs a unit with weight=int8" in outcome.failures[0].message
    assert len(outcome.points) == outcome.computed == 10
    assert priced == ["integer_lanes_2_weight_int4_activation_int4"]
    point = outcome.points[0]
    prices = Prices("sky130")
    work = workload("smollm2-135m", "decode", context=64)
    result = evaluate(sweep.designs[0].plan.accelerator, work, prices)
    found = point.simulated
    assert found.energy_j_per_item == result.energy_j_per_item
    assert found.area_mm2 == result.area_mm2
    assert found.time_s == result.simulation.time_s
    assert found.dram_bytes_per_item == result.simulation.dram_bytes
    assert {group.bound for group in result.simulation.groups()} == {found.bound} == {"array"}
    assert point.cost == prices.unit(point.unit, 8.0).cost
    for metric in METRICS.values():
        assert metric.needs != "accelerator" or metric.value(point) > 0


def test_an_array_within_a_limit_is_one_for_all_workloads(specification, tmp_path):
    outcome = run(spec.read(specification), tmp_path / "out", workers=1)
    sized = {(p.simulated.rows, p.simulated.cols) for p in outcome.points if p.design.plan.limit}
    works = [
        workload("smollm2-135m", "decode", context=64),
        workload("smollm2-135m", "prefill", tokens=32),
    ]
    mine = load(str(specification.parent / "mine.yaml"))
    best = fit(mine, works, Prices("sky130"), "multipliers", 64)
    assert sized == {(best.rows, best.cols)}
    assert best.rows * best.cols <= 32


def test_an_array_for_attention_takes_its_part_of_a_limit(tmp_path):
    attention = (
        "attention: {unit: integer, parameters: {lanes: 2, weight: int8, activation: int4}, "
    )
    entries = "".join(
        f"  - {{accelerator: mine.yaml, array: {{fit: {{multipliers: 64}}}}{more}}}\n"
        for more in ("", f", {attention}array: {{rows: 4, cols: [2, 4]}}}}")
    )
    sweep = read(tmp_path, _with_entries(entries))
    assert [design.name for design in sweep.designs][1:] == [
        f"mine fit.multipliers=64 attention.unit=integer attention.parameters.lanes=2 "
        f"attention.parameters.weight=int8 attention.parameters.activation=int4 "
        f"attention.array.rows=4 attention.array.cols={cols}"
        for cols in (2, 4)
    ]
    outcome = run(sweep, tmp_path / "out", workers=1)
    assert not outcome.failures
    multipliers = {
        p.design.name: 2 * p.simulated.rows * p.simulated.cols for p in outcome.points
    }  # fmt: skip
    assert [*multipliers.values()] == [64, 48, 32]


def test_what_is_there_is_not_computed_again(specification, priced, tmp_path):
    sweep = spec.read(specification)
    first = run(sweep, tmp_path / "out", workers=1)
    # A failure is tried again.
    again = run(sweep, tmp_path / "out", workers=1)
    assert (again.points, again.computed, len(again.failures)) == (first.points, 0, 2)
    assert len(priced) == 1
    specification.write_text(TEXT.replace("[8, 32]", "[8, 16, 32]"))
    wider = run(spec.read(specification), tmp_path / "out", workers=1)
    assert (len(wider.points), wider.computed) == (14, 4)
    assert {p.design.name: p.simulated for p in first.points}.items() <= {
        p.design.name: p.simulated for p in wider.points
    }.items()
    # Another workload decides the size of the array that has a limit.
    specification.write_text(TEXT.replace("[32]", "[32, 64]"))
    assert run(spec.read(specification), tmp_path / "out", workers=1).computed == 5 + 2


def test_the_name_of_a_point_decides_nothing(specification, tmp_path):
    run(spec.read(specification), tmp_path / "out", workers=1)
    renamed = TEXT.replace("{accelerator: mine.yaml, array: {size", "{name: ours, "
                           "accelerator: mine.yaml, array: {size")  # fmt: skip
    specification.write_text(renamed)
    outcome = run(spec.read(specification), tmp_path / "out", workers=1)
    assert outcome.computed == 0
    assert outcome.points[0].design.name == "ours size=8x4 bandwidth=8"


def test_units_that_miss_their_clock_run_slower(specification, tmp_path):
    specification.write_text(TEXT.replace("method:", "clock: [8, 0.2]\nmethod:"))
    points = run(spec.read(specification), tmp_path / "out", workers=1).points
    assert len(points) == 20
    met, missed = points[0], points[2]
    assert (met.target.clock_ns, missed.target.clock_ns) == (8.0, 0.2)
    assert met.cost.slack_ns >= 0 > missed.cost.slack_ns
    assert met.simulated.period_ns == 8.0
    assert missed.simulated.period_ns >= missed.cost.delay_ns > 0.2
    cycles = [p.simulated.time_s / (p.simulated.period_ns * 1e-9) for p in (met, missed)]
    assert cycles[0] == pytest.approx(cycles[1], rel=1e-3)


def test_the_report_has_tables_charts_and_parts(specification, tmp_path, capsys):
    folder = tmp_path / "out"
    assert run_sweep(specification, folder, workers=1) == 1
    captured = capsys.readouterr()
    assert "10 points, 10 of them computed now" in captured.out
    assert "FAILED: mine kv_cache=int8 in sky130 8 ns smollm2-135m decode context 64" in (
        captured.err
    )
    with (folder / "results.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert pq.read_table(folder / "results.parquet").column_names == list(rows[0])
    for row in rows:
        for name in ("energy_j_per_item", "area_mm2"):
            parts = [float(v) for key, v in row.items() if key.startswith(f"{name}_of_")]
            assert math.fsum(parts) == pytest.approx(float(row[name]))
            assert float(row[f"{name}_low"]) < float(row[name]) < float(row[f"{name}_high"])
        assert float(row["energy_delay_js"]) == pytest.approx(
            float(row["power_w"]) * float(row["time_s"]) ** 2
        )
    assert {row["phase"] for row in rows if row["pareto"] == "True"} == {"decode", "prefill"}
    assert (folder / "pareto_sky130_8_ns_smollm2-135m.png").read_bytes().startswith(b"\x89PNG")
    assert (folder / "pareto_sky130_8_ns_smollm2-135m.svg").read_text().startswith("<?xml")
    assert len(list((folder / "verilog").iterdir())) == 1
    frame = results(folder)
    assert list(frame["rows"])[:4] == [8, 8, 8, 8]
    for name, metric in METRICS.items():
        if metric.needs not in ("decoder", "encoder"):
            assert frame[name].dtype == np.float64
    assert frame["energy_j_per_item_of_dram"].dtype == np.float64
    saved = [json.loads(path.read_text()) for path in (folder / "points").glob("*.json")]
    assert sum("failure" in content for content in saved) == 2


@pytest.fixture(scope="module")
def points(tmp_path_factory):
    """Points of ``TEXT``, once for all metrics."""
    folder = tmp_path_factory.mktemp("points")
    return run(read(folder, TEXT), folder / "out", workers=1).points


@pytest.mark.parametrize(
    "name", [name for name, metric in METRICS.items() if metric.needs == "accelerator"]
)
def test_every_metric_is_objective_and_constraint(tmp_path, points, name):
    text = TEXT.replace("[energy_j_per_item, items_per_s]", f"[{name}, area_um2]")
    sweep = read(tmp_path, text)
    rows = table.rows(sweep, points)
    best = max if METRICS[name].maximise else min
    for target in sweep.targets:
        mine = [row for row in rows if table.is_of(row, target)]
        value = best(row[name] for row in mine)
        assert all(row["pareto"] == (row[name] == value) for row in mine)
    middle = sorted(row[name] for row in rows)[5] * (1 + 1e-6)
    limited = table.rows(
        read(tmp_path, f"{text}constraints: {{{name}: {{max: {middle:.12f}}}}}\n"), points
    )
    assert [row["feasible"] for row in limited] == [row[name] <= middle for row in rows]


def test_tensors_give_quality_and_operands(specification, tmp_path):
    rng = np.random.default_rng(0)
    arrays = {"w": rng.normal(size=(8, 128)), "w.input": rng.normal(size=(4, 128))}
    np.savez(tmp_path / "layers.npz", **arrays)
    plain = run(spec.read(specification), tmp_path / "plain", workers=1).points[0]
    tensors = "tensors: {path: layers.npz, group: 32}\nobjectives: [output_sqnr_db, "
    specification.write_text(TEXT.replace("objectives: [", tensors))
    point = run(spec.read(specification), tmp_path / "out", workers=1).points[0]
    assert 5 < METRICS["output_sqnr_db"].value(point) < 25
    prices = Prices("sky130", str(tmp_path / "layers.npz"), group=32)
    assert point.cost == prices.unit(point.unit, 8.0).cost
    assert point.cost.energy_pj != plain.cost.energy_pj


def test_the_error_of_a_ratio_is_that_of_units_by_their_share(specification, tmp_path):
    sweep = spec.read(specification)
    (row, *_) = table.rows(sweep, run(sweep, tmp_path / "out", workers=1).points)
    of_units = ("units", "tables_and_terms", "accumulators")
    for name, metric in (("energy_j_per_item", "energy_pj_per_mac"), ("area_mm2", "area_um2")):
        share = sum(row[f"{name}_of_{part}"] for part in of_units) / row[name]
        assert row[f"{name}_ratio_error_percent"] == pytest.approx(
            share * row[f"{metric}_ratio_error_percent"]
        )


def test_fronts_are_of_one_workload(specification, tmp_path):
    sweep = spec.read(specification)
    rows = table.rows(sweep, run(sweep, tmp_path / "out", workers=1).points)
    for target in sweep.targets:
        mine = [row for row in rows if table.is_of(row, target)]
        assert len(mine) == 5
        best = min(mine, key=lambda row: row["energy_j_per_item"])
        assert best["pareto"]


def test_charts_of_accelerators_fit(specification, tmp_path):
    entries = TEXT.replace("[8, 32]", "[4, 8, 16, 32, 64]").replace(
        "[energy_j_per_item", "[energy_j_per_item, area_mm2"
    )
    specification.write_text(entries)
    sweep = spec.read(specification)
    rows = table.rows(sweep, run(sweep, tmp_path / "out", workers=1).points)
    parts = [(t, [row for row in rows if table.is_of(row, t)]) for t in sweep.targets]
    with plots.drawing.style(plots.SETTINGS):
        figure = plots._draw(sweep, parts)
        figure.draw_without_rendering()
    assert_printable(figure)
    assert len(figure.axes) == 4
    texts = {text.get_text() for axes in figure.axes for text in axes.texts}
    assert "mine · 16×8 · 64 GB/s" in texts
    assert figure.axes[0].get_xlabel() == "energy per token (J)"
    assert [axes.get_title(loc="left") for axes in figure.axes[::2]] == [
        "decode context 64", "prefill tokens 32",
    ]  # fmt: skip
