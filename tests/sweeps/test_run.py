"""The engine: every point once, kept through interruption, failures recorded."""

import json

import numpy as np
import pytest

import sweeps.run
from hwsim.errors import InputError
from hwsim.units import make
from sweeps import spec
from sweeps.run import SweepInterruptedError, run


@pytest.fixture
def sweep(specification):
    return spec.read(specification)


@pytest.fixture
def stop_after(monkeypatch, costs):
    """Make the estimator behave, and then raise ``error`` at its call number ``count``."""
    behaved = sweeps.run.estimate_all

    def arrange(count, error):
        def estimate_all(unit, technologies, operands=None):
            if len(costs) >= count:
                raise error
            return behaved(unit, technologies)

        monkeypatch.setattr(sweeps.run, "estimate_all", estimate_all)

    return arrange


def saved(folder):
    return [json.loads(path.read_text()) for path in (folder / "points").glob("*.json")]


def test_every_point_is_computed_and_saved(sweep, costs, tmp_path, capsys):
    outcome = run(sweep, tmp_path / "out", workers=1)
    assert (len(outcome.points), outcome.failures, outcome.computed) == (16, (), 16)
    assert [p.technology for p in outcome.points[:2]] == ["sky130", "asap7"]
    assert [p.unit for p in outcome.points[::2]] == list(sweep.units)
    assert len(costs) == 8  # one estimate serves both technologies
    content = saved(tmp_path / "out")
    assert len(content) == 16
    assert {"unit", "weight", "technology", "cost", "noise_to_signal", "made_by"} <= set(content[0])
    assert "point 16/16: " in capsys.readouterr().err


def test_points_have_the_error_of_their_formats(sweep, costs, tmp_path):
    point = run(sweep, tmp_path / "out", workers=1).points[0]
    weight = np.load(tmp_path / "layers.npz")["w"]
    groups = weight.reshape(8, 2, 8)
    scales = np.exp2(np.arange(-12, 8)).reshape(-1, 1, 1, 1)
    quantised = np.clip(np.rint(groups / scales), -2, 1) * scales
    noise = np.square(quantised - groups).sum(axis=-1).min(axis=0).sum()
    assert point.unit.weight.name == "int2"
    assert point.error.weight == pytest.approx(noise / np.square(groups).sum())


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
        if task.weight.name == "e2m1":
            raise InputError("a group's scale overflows fp16")
        return measure(task)

    monkeypatch.setattr(sweeps.run, "measure", failing)
    outcome = run(sweep, tmp_path / "out", workers=1)
    assert {f.unit.weight.name for f in outcome.failures} == {"e2m1"}
    assert {f.message for f in outcome.failures} == {"a group's scale overflows fp16"}
    assert len(outcome.points) == 12


def test_other_code_or_tensors_make_other_points(sweep, costs, tmp_path, monkeypatch):
    run(sweep, tmp_path / "out", workers=1)
    monkeypatch.setattr(sweeps.run, "source_digest", lambda: "changed")
    assert run(sweep, tmp_path / "out", workers=1).computed == 16
    arrays = dict(np.load(tmp_path / "layers.npz"))
    np.savez(tmp_path / "layers.npz", **{name: array + 1 for name, array in arrays.items()})
    assert run(sweep, tmp_path / "out", workers=1).computed == 16


def test_folder_of_another_specification(specification, sweep, costs, tmp_path):
    run(sweep, tmp_path / "out", workers=1)
    specification.write_text(specification.read_text().replace("[4, 16]", "[4, 8]"))
    with pytest.raises(InputError, match=r"belongs to another specification \('tiny'\)"):
        run(spec.read(specification), tmp_path / "out", workers=1)


def test_folder_that_is_not_a_sweeps(sweep, tmp_path):
    with pytest.raises(InputError, match="is not empty and holds no sweep"):
        run(sweep, tmp_path, workers=1)
    with pytest.raises(InputError, match="is a file"):
        run(sweep, tmp_path / "layers.npz", workers=1)


def test_damaged_point_is_named(sweep, costs, tmp_path):
    run(sweep, tmp_path / "out", workers=1)
    path = next((tmp_path / "out" / "points").glob("*.json"))
    path.write_text("{")
    with pytest.raises(InputError, match=f"{path.name}: cannot be read: .*; delete it to go on"):
        run(sweep, tmp_path / "out", workers=1)


def test_weights_alone_have_no_output_error(specification, costs, tmp_path):
    np.savez(tmp_path / "layers.npz", w=np.ones((2, 8)))
    text = specification.read_text()
    with pytest.raises(InputError, match="output_sqnr_db needs activations"):
        run(spec.read(specification), tmp_path / "out", workers=1)
    specification.write_text(text.replace("output_sqnr", "weight_sqnr"))
    outcome = run(spec.read(specification), tmp_path / "out", workers=1)
    assert outcome.points[0].error.output is None


def test_sweep_without_tensors(specification, costs, tmp_path):
    lines = [line for line in specification.read_text().splitlines() if "tensors" not in line]
    specification.write_text("\n".join(lines).replace(", output_sqnr_db", ""))
    outcome = run(spec.read(specification), tmp_path / "out", workers=1)
    assert len(outcome.points) == 16
    assert outcome.points[0].error is None


def test_synthesis_fails_one_technology_at_a_time(specification, costs, tmp_path, monkeypatch):
    def synthesize(unit, technology, operands):
        assert operands.weights.shape == (64, 64 * unit.lanes)
        if technology == "asap7":
            raise InputError("asap7 needs its library")
        return sweeps.run.estimate_all(unit, [technology])[technology]

    monkeypatch.setattr(sweeps.run, "synthesize", synthesize)
    specification.write_text(specification.read_text().replace("estimate", "synthesis"))
    outcome = run(spec.read(specification), tmp_path / "out", workers=1)
    assert {p.technology for p in outcome.points} == {"sky130"}
    assert {f.technology for f in outcome.failures} == {"asap7"}


def test_workers_must_be_positive(sweep, tmp_path):
    with pytest.raises(InputError, match="workers must be at least 1, not 0"):
        run(sweep, tmp_path / "out", workers=0)


def test_worker_processes_and_the_real_estimator(specification, tmp_path):
    specification.write_text(
        specification.read_text()
        .replace("[sky130, asap7]", "[sky130]")
        .replace("[int2, int4, int8]", "int2")
        .replace("[4, 16]", "[1, 2]")
        .replace("[e2m1, e4m3], lanes: 4", "e2m1, lanes: 1")
    )
    outcome = run(spec.read(specification), tmp_path / "out", workers=2)
    assert outcome.failures == ()
    assert [point.cost.unit for point in outcome.points] == [
        "integer_lanes_1_weight_int2_activation_int8",
        "integer_lanes_2_weight_int2_activation_int8",
        "float_lanes_1_weight_e2m1_activation_e2m1",
    ]
    assert all(point.cost.area_um2 > 0 and point.error for point in outcome.points)
    assert run(spec.read(specification), tmp_path / "out", workers=2).computed == 0


def test_a_tile_gets_rows_and_columns_of_the_layers(specification):
    tensors = spec.read(specification).tensors
    tile = make("serial_add", lanes=4, weight="int4", activation="int8", row_count=2,
                column_count=3)  # fmt: skip
    operands = sweeps.run._operands(tile, tensors)
    beats = operands.activations.shape[1] // 8
    assert operands.weights.shape == (len(operands.activations), beats * 12)
    tile.dot(*operands[:2])
    single = make("serial_add", lanes=4, weight="int4", activation="int8")
    first = sweeps.run._operands(single, tensors)
    rows = operands.activations.reshape(-1, beats, 2, 4)
    np.testing.assert_array_equal(rows[:, :, 0].reshape(len(rows), -1), first.activations)
    assert (rows[:, :, 0] != rows[:, :, 1]).any()
