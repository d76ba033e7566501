"""What a sweep leaves behind: tables that agree, charts, Verilog of the Pareto set."""

import csv
import errno
import json
from dataclasses import replace

import numpy as np
import pyarrow.parquet as pq
import pytest
from matplotlib.text import Text

from cost_models import metrics
from cost_models import technology as technologies
from cost_models.bands import QUANTITIES, RATIO_ERROR
from hwsim.errors import InputError
from hwsim.tensors.quantise import to_db
from sweeps import plots, report, results, run_sweep, spec, table
from sweeps.labels import LABEL_SIZE
from sweeps.metrics import METRICS
from sweeps.run import Outcome, run

#: Metrics that accelerators alone do not have; theirs are in another file.
OF_OTHERS = ("accelerator", "decoder", "encoder")
OF_UNITS = [name for name, metric in METRICS.items() if metric.needs not in OF_OTHERS]


@pytest.fixture
def sweep(specification):
    return spec.read(specification)


@pytest.fixture
def outcome(sweep, costs, tmp_path):
    return run(sweep, tmp_path / "out", workers=1)


@pytest.fixture
def rows(sweep, outcome):
    return table.rows(sweep, outcome.points)


def read_csv(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_report_writes_tables_charts_and_verilog(sweep, outcome, tmp_path):
    folder = tmp_path / "out"
    paths = report.write(sweep, outcome, folder)
    results, front = read_csv(folder / "results.csv"), read_csv(folder / "pareto.csv")
    assert len(results) == 16
    assert front == [row for row in results if row["pareto_within_band"] == "True"]
    parquet = pq.read_table(folder / "results.parquet")
    assert parquet.column_names == list(results[0])
    assert parquet["area_um2"].to_pylist() == [float(row["area_um2"]) for row in results]
    assert parquet.schema.metadata[b"sweep"] == b"tiny"
    for technology in ("sky130", "asap7"):
        assert (folder / f"pareto_{technology}.png").read_bytes().startswith(b"\x89PNG")
        assert (folder / f"pareto_{technology}.svg").read_text().startswith("<?xml")
    units = {row["unit"] for row in front if row["pareto"] == "True"}
    assert {path.name for path in (folder / "verilog").iterdir()} == units
    assert all((folder / "verilog" / name / f"{name}.v").is_file() for name in units)
    assert all(path.exists() for path in paths)


@pytest.mark.parametrize("tensors", [True, False])
def test_results_are_a_data_frame(specification, costs, tmp_path, tensors):
    if not tensors:
        text = specification.read_text().replace("tensors: {path: layers.npz, group: 8}\n", "")
        specification.write_text(text.replace(", output_sqnr_db", ""))
    sweep = spec.read(specification)
    folder = tmp_path / "out"
    report.write(sweep, run(sweep, folder, workers=1), folder)
    frame, rows = results(folder), read_csv(folder / "results.csv")
    assert list(frame) == list(rows[0])
    assert list(frame["unit"]) == [row["unit"] for row in rows]
    assert list(frame["area_um2"]) == [float(row["area_um2"]) for row in rows]
    assert frame["pareto"].dtype == bool
    assert frame["lanes"].dtype == "Int64"
    for name, metric in METRICS.items():
        assert (name in frame) == (metric.needs not in OF_OTHERS)
        assert name not in frame or frame[name].dtype == np.float64
    assert frame["area_um2_error_68_percent"].dtype == np.float64
    assert frame["output_sqnr_db"].isna().all() == (not tensors)


def test_report_is_the_same_again(sweep, outcome, tmp_path):
    folder = tmp_path / "out"
    report.write(sweep, outcome, folder)
    (folder / "verilog" / "stale").mkdir()
    names = ["results.csv", "pareto.csv", "pareto_sky130.svg"]
    before = [(folder / name).read_bytes() for name in names]
    report.write(sweep, outcome, folder)
    assert [(folder / name).read_bytes() for name in names] == before
    assert not (folder / "verilog" / "stale").exists()


def test_without_a_point_nothing_is_left_of_an_earlier_report(sweep, outcome, tmp_path):
    folder = tmp_path / "out"
    report.write(sweep, outcome, folder)
    assert report.write(sweep, Outcome((), (), (), 0), folder) == []
    assert {path.name for path in folder.iterdir()} == {
        "points", "errors", "unit_errors", "verilog", "sweep.json", "sweep.lock",
    }  # fmt: skip
    assert not list((folder / "verilog").iterdir())


def without_sky130(sweep, outcome):
    """The sweep in asap7 alone."""
    points = tuple(point for point in outcome.points if point.target.name == "asap7")
    smaller = replace(sweep, targets=sweep.targets[1:])
    return smaller, replace(outcome, points=points)


def test_what_an_earlier_report_wrote_is_removed_and_nothing_else(sweep, outcome, tmp_path):
    folder = tmp_path / "out"
    report.write(sweep, outcome, folder)
    stale = next(path for path in (folder / "verilog").iterdir())
    mine = [folder / "notes.txt", folder / "verilog" / "top.v", stale / "mine.v"]
    for path in mine:
        path.write_text("mine")
    one, rest = without_sky130(sweep, outcome)
    report.write(one, replace(rest, points=rest.points[-1:]), folder)
    assert all(path.read_text() == "mine" for path in mine)
    assert list(stale.iterdir()) == [stale / "mine.v"]
    assert not list(folder.glob("pareto_sky130*"))
    assert (folder / "pareto_asap7.png").is_file()
    assert len(read_csv(folder / "results.csv")) == 1


def test_a_file_that_no_report_wrote_is_not_written_over(sweep, outcome, tmp_path):
    mine = tmp_path / "out" / "pareto.csv"
    mine.write_text("mine")
    with pytest.raises(InputError, match=r"pareto\.csv is there and no report wrote it; move it"):
        report.write(sweep, outcome, tmp_path / "out")
    assert mine.read_text() == "mine"
    mine.unlink()
    report.write(sweep, outcome, tmp_path / "out")
    assert mine.is_file()


def test_a_report_stays_inside_its_folder(sweep, outcome, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "out" / "verilog").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(InputError, match="verilog is not a folder; output stays in"):
        report.write(sweep, outcome, tmp_path / "out")
    assert not list((tmp_path / "elsewhere").iterdir())


@pytest.mark.parametrize(
    "name", ["../outside.txt", "/outside.txt", "points/x", "sweep.json", ".", 3]
)
def test_a_list_of_files_leads_nowhere_else(sweep, outcome, tmp_path, name):
    (tmp_path / "outside.txt").write_text("mine")
    (tmp_path / "out" / "sweep.json").write_text(json.dumps({"written": [name]}))
    with pytest.raises(InputError, match=r"sweep\.json: is damaged; write "):
        report.write(sweep, outcome, tmp_path / "out")
    assert (tmp_path / "outside.txt").read_text() == "mine"


def test_a_full_disk_leaves_the_earlier_report(sweep, outcome, tmp_path, monkeypatch):
    folder = tmp_path / "out"
    report.write(sweep, outcome, folder)
    before = {p: p.read_bytes() for p in folder.rglob("*") if p.is_file()}

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(plots, "write", full)
    with pytest.raises(InputError, match="out: cannot be written: No space left on device"):
        report.write(*without_sky130(sweep, outcome), folder)
    monkeypatch.undo()
    after = {
        p: p.read_bytes()
        for p in folder.rglob("*")
        if p.is_file() and ".sweep.report" not in p.parts
    }
    assert after == before
    report.write(sweep, outcome, folder)
    assert not (folder / ".sweep.report").exists()


def test_folders_of_the_first_version_go_on(sweep, outcome, tmp_path):
    folder = tmp_path / "out"
    (folder / "results.csv").write_text("of an earlier report")
    (folder / "sweep.json").write_text('{"name": "tiny", "specification": "0123"}')
    report.write(sweep, outcome, folder)
    assert len(read_csv(folder / "results.csv")) == 16


def test_no_feasible_point_is_drawn_as_such(specification, costs, tmp_path, capsys):
    specification.write_text(specification.read_text() + "constraints: {area_um2: {max: 0.001}}\n")
    folder = tmp_path / "out"
    assert run_sweep(specification, folder, 1) == 0
    assert "0 of 16 points feasible" in capsys.readouterr().out.splitlines()
    assert read_csv(folder / "pareto.csv") == []
    header = (folder / "results.csv").read_text().splitlines()[0]
    assert (folder / "pareto.csv").read_text() == header + "\n"
    assert (folder / "pareto_asap7.svg").is_file()
    sweep = spec.read(specification)
    rows = table.rows(sweep, run(sweep, folder, 1).points)
    target = sweep.targets[0]
    figure = plots.draw(sweep, [row for row in rows if table.is_of(row, target)], target)
    texts = [text.get_text() for text in figure.texts]
    assert any("0 of 8 points feasible: area (µm²) ≤ 0.001." in text for text in texts)
    labels = [text.get_text() for text in figure.legends[0].get_texts()]
    assert "infeasible" in labels
    marks = [line for line in figure.axes[0].lines if line.get_linestyle() == "None"]
    assert sum(len(line.get_xdata()) for line in marks) == 8


def test_columns_are_consistent(rows):
    for row in rows:
        assert row["area_um2_per_mac_per_cycle"] == row["area_um2"] / row["macs_per_cycle"]
        assert row["fmax_mhz"] == 1e3 / row["delay_ns"]
        energy = row["settled_energy_pj_per_mac"] + row["glitch_energy_pj_per_mac"]
        assert row["energy_pj_per_mac"] == pytest.approx(energy)
        settled = row["data_energy_pj_per_mac"] + row["clock_energy_pj_per_mac"]
        assert row["settled_energy_pj_per_mac"] == pytest.approx(settled)
        assert row["gmacs_per_j"] == pytest.approx(1e3 / row["energy_pj_per_mac"])
        assert row["gmacs_per_s"] == pytest.approx(row["fmax_mhz"] * row["macs_per_cycle"] / 1e3)


def test_metrics_are_columns(rows, outcome):
    for row, point in zip(rows, outcome.points, strict=True):
        assert {name: row[name] for name in OF_UNITS} == {
            **metrics.values(point),
            "weight_sqnr_db": to_db(point.quality.weight),
            "quantisation_sqnr_db": to_db(point.quality.quantisation),
            "output_sqnr_db": to_db(point.quality.output),
            "output_sqnr_error_db": to_db(point.quality.output)
            - to_db(point.quality.output + point.quality.output_error),
        }
        # Units that are exact have no error of a sample.
        assert row["output_sqnr_error_db"] >= 0
        assert row["slack_ns"] is None
        others = {"output_sqnr_error_db", "slack_ns"}
        assert all(row[name] > 0 for name in OF_UNITS if name not in others)


def test_errors_are_columns(sweep, outcome):
    known = technologies.load("sky130").band("integer")
    points = [
        replace(point, cost=replace(point.cost, provenance={"band": known}))
        for point in outcome.points
    ]
    (row, *_), (unknown, *_) = table.rows(sweep, points), table.rows(sweep, outcome.points)
    for column, quantity in (
        ("area_um2", "area"),
        ("gmacs_per_s", "delay"),
        ("gmacs_per_s_per_mm2", "area_times_delay"),
        ("energy_pj_per_mac", "energy"),
        ("settled_energy_pj_per_mac", "settled_energy"),
    ):
        for key in ("error_68_percent", "error_95_percent"):
            assert row[f"{column}_{key}"] == known[quantity][key]
            assert unknown[f"{column}_{key}"] is None
        ratio = known[quantity]["ratio_error_90_percent"]
        assert row[f"{column}_ratio_error_percent"] == ratio
        assert unknown[f"{column}_ratio_error_percent"] is None
    assert not [
        name for name in row if name.startswith(("leakage_nw_error", "clock_energy_pj_per_mac_e"))
    ]


@pytest.mark.parametrize("name", OF_UNITS)
def test_every_metric_is_objective_and_constraint(specification, costs, tmp_path, name):
    best = max if METRICS[name].maximise else min
    text = specification.read_text().split("objectives")[0].replace("[none]", "[4]")
    others = [other for other in ("area_um2", "weight_sqnr_db") if other != name]
    objectives = f"objectives: [{', '.join([name, *others])}]\n"
    specification.write_text(text + objectives)
    sweep = spec.read(specification)
    points = run(sweep, tmp_path / "free", workers=1).points
    rows = table.rows(sweep, points)
    values = sorted({row[name] for row in rows})
    chosen = [row for row in rows if row["technology"] == "sky130"]
    value = best(row[name] for row in chosen)
    assert any(row["pareto"] and row[name] == value for row in chosen)
    middle = values[len(values) // 2]
    specification.write_text(f"{text}{objectives}constraints: {{{name}: {{max: {middle!r}}}}}\n")
    limited = table.rows(spec.read(specification), points)
    assert [row["feasible"] for row in limited] == [row[name] <= middle for row in rows]


def test_pareto_is_a_set_of_each_technology(rows):
    for technology in ("sky130", "asap7"):
        chosen = [row for row in rows if row["technology"] == technology]
        best = max(chosen, key=lambda row: row["output_sqnr_db"])
        assert any(row["pareto"] and row["output_sqnr_db"] == best["output_sqnr_db"]
                   for row in chosen)  # fmt: skip
        assert 0 < sum(row["pareto"] for row in chosen) < len(chosen)


def with_band(points, percent):
    band = {key: {RATIO_ERROR: percent} for key in QUANTITIES}
    return [replace(point, cost=replace(point.cost, provenance={"band": band})) for point in points]


def test_what_errors_cannot_tell_from_the_front_is_within_its_band(sweep, outcome):
    """By hand: every pair of points of a technology, in the sweep's three objectives."""
    rows = table.rows(sweep, with_band(outcome.points, 30.0))
    reach = np.hypot(*[np.log(1.3)] * 2)

    def puts_behind(other, row):
        costs = ("area_um2_per_mac_per_cycle", "energy_pj_per_mac")
        beyond = [np.log(row[name] / other[name]) >= reach for name in costs]
        errors = np.hypot(row["output_sqnr_error_db"], other["output_sqnr_error_db"])
        gain = other["output_sqnr_db"] - row["output_sqnr_db"]
        return all(beyond) and gain >= table.STANDARD_ERRORS * errors

    expected = [
        not any(
            puts_behind(other, row) for other in rows if other["technology"] == row["technology"]
        )
        for row in rows
    ]
    found = [row["pareto_within_band"] for row in rows]
    assert found == expected
    front = [row["pareto"] for row in rows]
    assert sum(front) < sum(found) < len(rows)
    assert all(np.array(found)[front])
    # Without errors there is nothing but the front.
    exact = [replace(p, quality=replace(p.quality, output_error=0.0)) for p in outcome.points]
    assert all(row["pareto_within_band"] == row["pareto"] for row in table.rows(sweep, exact))


def test_verilog_is_that_of_the_front_alone(sweep, outcome, tmp_path):
    uncertain = replace(outcome, points=tuple(with_band(outcome.points, 30.0)))
    report.write(sweep, uncertain, tmp_path / "out")
    listed = read_csv(tmp_path / "out" / "pareto.csv")
    assert {row["pareto"] for row in listed} == {"True", "False"}
    emitted = {path.name for path in (tmp_path / "out" / "verilog").iterdir()}
    assert emitted == {row["unit"] for row in listed if row["pareto"] == "True"}


def test_constraints_leave_the_front(specification, costs, tmp_path):
    text = specification.read_text() + "constraints: {weight_sqnr_db: {min: 15}}\n"
    specification.write_text(text)
    sweep = spec.read(specification)
    rows = table.rows(sweep, run(sweep, tmp_path / "out", workers=1).points)
    assert {row["feasible"] for row in rows} == {True, False}
    for row in rows:
        assert row["feasible"] == (row["weight_sqnr_db"] >= 15)
        assert row["violates"] == ("" if row["feasible"] else "weight_sqnr_db < 15")
        assert row["feasible"] or not (row["pareto"] or row["pareto_within_band"])


def test_a_metric_without_a_value_keeps_no_limit(specification, costs, tmp_path):
    limits = "constraints: {output_sqnr_db: {max: 1.0e+9}, delay_ns: {max: 1}}\n"
    specification.write_text(specification.read_text() + limits)
    sweep = spec.read(specification)
    first, *rest = run(sweep, tmp_path / "out", workers=1).points
    first = replace(first, quality=replace(first.quality, output=None))
    rows = table.rows(sweep, [first, *rest])
    assert rows[0]["output_sqnr_db"] is None
    assert rows[0]["violates"] == "output_sqnr_db has no value; delay_ns > 1"
    assert {row["violates"] for row in rows[1:]} == {"delay_ns > 1"}
    assert not any(row["feasible"] or row["pareto"] for row in rows)


def crowded(count):
    """Rows on one front, closer and closer together."""
    families = list(plots.styles())
    return [
        {
            "weight": "int4", "activation": "int8", "lanes": 2**i, "family": families[i % 3],
            "pareto": True, "pareto_within_band": True, "feasible": True, "technology": "sky130",
            "delay_ns": 1.0,
            "area_um2_per_mac_per_cycle": 100 * 1.05**i, "energy_pj_per_mac": 1.1**i,
            "output_sqnr_db": 40 * (1 - 0.8**i),
        }
        for i in range(count)
    ]  # fmt: skip


def front(panel):
    return [text for text in panel.texts if text.get_fontsize() == LABEL_SIZE]


def overlaps(panel):
    # An annotation's own extent would include its leader line.
    boxes = [Text.get_window_extent(text) for text in panel.texts if "×" in text.get_text()]
    return sum(a.overlaps(b) for i, a in enumerate(boxes) for b in boxes[:i])


@pytest.mark.parametrize("count", [1, 5, 25, 60])
def test_labels_do_not_overlap_and_none_is_lost_silently(sweep, count):
    figure = plots.draw(sweep, crowded(count), sweep.targets[0])
    figure.draw_without_rendering()
    for panel in figure.axes:
        assert overlaps(panel) == 0
        labels = sum("×" in text.get_text() for text in front(panel))
        notes = [text.get_text() for text in panel.texts if "left out" in text.get_text()]
        omitted = int(notes[0].split()[0]) if notes else 0
        assert labels + omitted == count
        assert labels >= min(count, 5)


def test_axes_have_units_and_one_panel_a_cost(sweep):
    figure = plots.draw(sweep, crowded(3), sweep.targets[0])
    assert [panel.get_xlabel() for panel in figure.axes] == [
        "area per MAC/cycle (µm²)",
        "energy per MAC (pJ)",
    ]
    assert figure.axes[0].get_ylabel() == "SQNR of outputs (dB)"
    assert any("estimate" in text.get_text() for text in figure.texts)


def test_line_is_the_front_of_the_panel(sweep):
    rows = crowded(4)
    rows[2] |= {"output_sqnr_db": 0.5, "pareto": False, "pareto_within_band": False}
    figure = plots.draw(sweep, rows, sweep.targets[0])
    (line,) = [line for line in figure.axes[0].lines if line.get_drawstyle() == "steps-post"]
    expected = [rows[i]["area_um2_per_mac_per_cycle"] for i in (0, 1, 3)]
    np.testing.assert_allclose(line.get_xdata(), expected)


def test_no_two_families_look_alike():
    assert len(set(plots.styles().values())) == len(plots.styles())
    for at in range(2):
        assert len({style[at] for style in list(plots.styles().values())[:7]}) == 7
