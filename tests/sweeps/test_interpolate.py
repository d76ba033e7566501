"""Sweeps that interpolate: what is estimated, what is said of the rest, and what is kept."""

import csv
import json
import math
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

import sweeps.costs
from cost_models.estimate import CostCurve, End, price_on_curve
from cost_models.technology import load
from hwsim.errors import InputError
from hwsim.tensors.load import TensorSource
from hwsim.tensors.quality import UnitMeter, arithmetic
from hwsim.units import make
from sweeps import interpolate, run_sweep, spec
from sweeps.run import run

MINILM = Path(__file__).parents[1] / "tensors" / "data" / "minilm.npz"
SPECS = Path(spec.__file__).parent / "specs"
SPEC = """\
name: tiny
technology: [sky130]
method: estimate
clock: 8
tensors: {path: layers.npz, group: 8}
units:
  - {unit: integer, weight: [int2, int4], activation: int8,
     lanes: [1, 2, 3, 4, 5, 6, 8, 9, 12, 16, 24],
     accumulator_bits: [24, 28, 32, 36], interpolate: [lanes, accumulator_bits]}
  - {unit: float, weight: e2m1, activation: e2m1, lanes: 4}
constraints: {slack_ns: {min: 0}}
objectives: [area_um2_per_mac_per_cycle, energy_pj_per_mac, output_sqnr_db]
"""


def curve(unit, off=0.0):
    """The curve of a unit by a formula, that is off the laws by ``off`` for lanes like 5."""
    lanes, bits = unit.lanes, unit.result.bits
    size = lanes * unit.weight.bits * unit.activation.bits * (1 + off * (lanes % 3 == 2))

    def end(scale):
        return End(
            (40 * size + 60 * bits) * scale,
            (2 + 0.3 * math.ceil(math.log2(lanes)) + 0.1 * bits) / scale,
            0.01 * size + 0.05 * bits, 0.05 * bits, 0.01 * size, 0.1 * size, 0.05 * bits,
        )  # fmt: skip

    return CostCurve(end(1), end(1.3), unit.macs_per_cycle, 0.0, {})


@pytest.fixture
def costs(monkeypatch):
    """Replace the estimator by the formula; the list holds the units it was asked for."""
    calls = []

    def cost_curves(unit, names, operands=None, clock_gating=False):
        calls.append(unit.name)
        return [curve(unit, 0.1) for _ in names]

    def estimate_each(unit, wanted, operands=None, clock_gating=False):
        calls.append(unit.name)
        found = curve(unit, 0.1)
        return [price_on_curve(unit, found, load("sky130"), *one[1:]) for one in wanted]

    monkeypatch.setattr(sweeps.costs, "cost_curves", cost_curves)
    monkeypatch.setattr(sweeps.costs, "estimate_each", estimate_each)
    monkeypatch.setattr(interpolate, "SAMPLE", 10)
    return calls


@pytest.fixture
def path(tmp_path):
    rng = np.random.default_rng(0)
    arrays = {"w": rng.normal(size=(8, 16)), "w.input": rng.normal(size=(4, 16))}
    np.savez(tmp_path / "layers.npz", **arrays)
    place = tmp_path / "tiny.yaml"
    place.write_text(SPEC)
    return place


def methods(outcome):
    return {point.design: point.cost.method for point in outcome.points}


def test_few_are_estimated_and_the_front_is(path, costs, tmp_path):
    sweep = spec.read(path)
    assert [len(family.designs) for family in sweep.families] == [44, 44]
    assert [len(family.anchors) for family in sweep.families] == [7, 7]
    outcome = run(sweep, tmp_path / "out", workers=1, quiet=True)
    found = methods(outcome)
    assert (len(found), outcome.failures) == (89, ())
    assert outcome.interpolated == 89 - outcome.computed > 50
    assert len(costs) == len(set(costs)) == outcome.computed
    anchors = {one for family in sweep.families for one, _ in family.anchors}
    assert all(found[one] == "estimate" for one in anchors)
    assert len(outcome.compared) == 10
    assert not {one.design for one in outcome.compared} & anchors
    assert all(found[one.design] == "estimate" for one in outcome.compared)


def test_no_front_rests_on_interpolation(path, costs, tmp_path):
    assert run_sweep(path, tmp_path / "out", 1, quiet=True) == 0
    rows = list(csv.DictReader((tmp_path / "out" / "results.csv").read_text().splitlines()))
    assert {row["method"] for row in rows} == {"estimate", "interpolated"}
    assert {row["method"] for row in rows if row["pareto"] == "True"} == {"estimate"}


def test_anchors_have_their_own_estimates(path, costs, tmp_path):
    sweep = spec.read(path)
    found = {p.design: p.cost for p in run(sweep, tmp_path / "out", 1, quiet=True).points}
    for family in sweep.families:
        for design, _ in family.anchors:
            own = price_on_curve(design.unit, curve(design.unit, 0.1), load("sky130"), "area", 8.0)
            assert found[design] == own


def test_what_interpolation_errs_by_is_told_and_kept(path, costs, tmp_path, capsys):
    folder = tmp_path / "out"
    run_sweep(path, folder, 1, quiet=True)
    told = capsys.readouterr().out
    assert "points interpolated, from 14 anchors" in told
    assert "error of interpolation in sky130 8 ns: area " in told
    metadata = pq.read_schema(folder / "results.parquet").metadata
    errors = json.loads(metadata[b"interpolation_errors"])["sky130 8 ns"]
    rows = list(csv.DictReader((folder / "interpolation.csv").read_text().splitlines()))
    assert len(rows) == 10
    largest = max(abs(math.log1p(float(row["area_error_percent"]) / 100)) for row in rows)
    assert errors["area"]["max_percent"] == pytest.approx(100 * math.expm1(largest), abs=1e-6)
    table = list(csv.DictReader((folder / "results.csv").read_text().splitlines()))
    by_method = {
        name: {row["area_um2_ratio_error_percent"] for row in table if row["method"] == name}
        for name in ("estimate", "interpolated")
    }
    least = min(map(float, by_method["interpolated"]))
    assert least >= min(map(float, by_method["estimate"]))


def test_a_run_that_was_ended_goes_on(path, costs, tmp_path, monkeypatch):
    sweep, folder = spec.read(path), tmp_path / "out"
    whole = run(sweep, tmp_path / "other", 1, quiet=True)
    behaved, count = sweeps.costs.cost_curves, len(costs)

    def ends(unit, names, operands=None, clock_gating=False):
        if len(costs) - count >= 5:
            raise KeyboardInterrupt
        return behaved(unit, names)

    monkeypatch.setattr(sweeps.costs, "cost_curves", ends)
    with pytest.raises(KeyboardInterrupt):
        run(sweep, folder, 1, quiet=True)
    monkeypatch.setattr(sweeps.costs, "cost_curves", behaved)
    first = {*costs[count:]}
    again = len(costs)
    outcome = run(sweep, folder, 1, quiet=True)
    assert not first & {*costs[again:]}
    assert methods(outcome) == methods(whole)
    assert [point.cost for point in outcome.points] == [point.cost for point in whole.points]
    last = len(costs)
    assert run(sweep, folder, 1, quiet=True).points == outcome.points
    assert len(costs) == last


def test_units_of_an_anchor_that_fails_are_estimated(path, costs, tmp_path, monkeypatch):
    behaved = sweeps.costs.cost_curves

    def fails(unit, names, operands=None, clock_gating=False):
        if unit.weight.name == "int2" and unit.lanes == 9:
            raise InputError("no")
        return behaved(unit, names)

    monkeypatch.setattr(sweeps.costs, "cost_curves", fails)
    outcome = run(spec.read(path), tmp_path / "out", 1, quiet=True)
    assert len(outcome.points) == 89
    found = {(p.unit.weight.name, p.cost.method) for p in outcome.points}
    assert found == {("int2", "estimate"), ("int4", "estimate"), ("int4", "interpolated"),
                     ("e2m1", "estimate")}  # fmt: skip


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("[lanes, accumulator_bits]}", "[lane]}",
         "unknown parameter of integer 'lane'; did you mean 'lanes'?"),
        ("[lanes, accumulator_bits]}", "weight}",
         "weight is no number; allowed: lanes, accumulator_bits"),
        ("[lanes, accumulator_bits]}", "stages}",
         "nothing is known of how stages goes; allowed: lanes, accumulator_bits"),
        ("[lanes, accumulator_bits]}", "[lanes, lanes]}", "'lanes' stands twice"),
        ("accumulator_bits: [24, 28, 32, 36], ", "",
         "the entry has no accumulator_bits; give it, as a list of numbers"),
        ("clock: 8\n", "clock: 8\nscreen: 2\n", "leaves nothing to 'screen'; give one of them"),
        ("clock: 8\n", "clock: 8\nsearch: {method: random, points: 9}\n",
         "leaves nothing to 'search'; give one of them"),
    ],
)  # fmt: skip
def test_what_cannot_be_interpolated_is_refused(path, old, new, message):
    assert old in SPEC
    path.write_text(SPEC.replace(old, new, 1))
    with pytest.raises(InputError) as error:
        spec.read(path)
    line = 1 + path.read_text().split("interpolate")[0].count("\n")
    assert str(error.value) == f"{path}:{line}: interpolate: {message}"


def test_anchors_are_of_what_conditions_leave(path, costs, tmp_path):
    text = SPEC.replace("interpolate:", "where: lanes != 9, interpolate:")
    path.write_text(text)
    sweep = spec.read(path)
    lanes = [design.unit.lanes for design, _ in sweep.families[0].anchors]
    assert lanes == [1, 4, 6, 16, 24, 1, 4]
    assert len(run(sweep, tmp_path / "out", 1, quiet=True).points) == 81


def test_units_of_equal_arithmetic_have_one_error():
    meter = UnitMeter(TensorSource(path=MINILM).load(), 128, outputs=4)
    longest = max(layer.weight.shape[1] for layer in meter.layers)
    pairs = [
        ("integer", {"weight": "int4", "activation": "int8"}, {}, {"accumulator_bits": 40}),
        ("integer", {"weight": "int8", "activation": "int8", "accumulator_bits": 18}, {}, {}),
        ("float", {"weight": "e2m1", "activation": "e4m3", "accumulator_bits": 48}, {},
         {"stages": 2}),
        ("posit", {"weight": "posit6_0", "activation": "posit6_0", "accumulator_bits": 40}, {},
         {"accumulator_bits": 44}),
        ("lns", {"weight": "lns6_2", "activation": "lns6_2", "window_bits": 14,
                 "accumulator_bits": 32}, {}, {}),
        ("mx_dot", {"weight": "mxfp4", "activation": "mxfp4"}, {}, {}),
    ]  # fmt: skip
    for family, given, one, two in pairs:
        units = make(family, lanes=2, **(given | one)), make(family, lanes=8, **(given | two))
        keys = [arithmetic(unit, longest) for unit in units]
        assert keys[0] == keys[1], family
        assert meter.measure(units[0]) == meter.measure(units[1]), family


def test_units_whose_sums_are_rounded_have_an_error_each():
    units = [
        make("float", lanes=lanes, weight="e2m1", activation="e2m1", accumulation="aligned8")
        for lanes in (2, 8)
    ]
    assert arithmetic(units[0], 16) != arithmetic(units[1], 16)
    narrow = [
        make("integer", lanes=2, weight="int8", activation="int8", accumulator_bits=bits)
        for bits in (18, 19)
    ]
    assert arithmetic(narrow[0], 1024) != arithmetic(narrow[1], 1024)


@pytest.mark.exhaustive
def test_the_largest_space_has_as_many_units_as_it_says():
    sweep = spec.read(SPECS / "pareto_35k.yaml")
    assert len(sweep.designs) >= 35_000
    anchors = {one for family in sweep.families for one, _ in family.anchors}
    assert len(anchors) < 1000
