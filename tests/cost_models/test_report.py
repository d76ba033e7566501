import json
from math import ceil, comb
from pathlib import Path

import numpy as np
import pytest

from cost_models import bands, fit, fitting_set, report, technology, wires
from hwsim.cli import main
from hwsim.units import FAMILIES, make
from hwsim.units.registry import OWN
from rtl.verification import suite

DOCS = Path(__file__).parents[2] / "docs"


def test_document_is_up_to_date():
    assert (DOCS / report.DOCUMENT).read_text() == report.document()


def test_report_is_written_with_its_chart(tmp_path, capsys):
    assert main(["cost-model", "report", "-o", str(tmp_path)]) == 0
    text, picture = tmp_path / report.DOCUMENT, tmp_path / report.CHART
    assert capsys.readouterr().out.split() == [str(text), str(picture)]
    assert text.read_text() == report.document()
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert picture.stat().st_size < 150_000


def test_what_wires_add_is_a_table():
    text = report.document()
    _, _, section = text.partition("## Wires\n")
    section, _, _ = section.partition("\n## ")
    for name in wires.fitted():
        (line,) = (line for line in section.splitlines() if line.startswith(f"| {name} "))
        factors = wires.factors(name)
        assert f"| {100 * factors.data:.1f} % (" in " ".join(line.split())
        assert f"/ {factors.errors['held_out']['data']:.1f} %)" in line
        assert f"- {name}: {wires.figures(name).source}" in section


def test_errors_are_printed_as_json(capsys):
    assert main(["cost-model", "report", "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    for kind in ("unseen_units", "unseen_families", "components_only"):
        for name in technology.names():
            assert printed[kind][name] == technology.load(name).errors[kind]
            assert printed[kind][name]["area"].keys() == {
                "mean_percent", "max_percent", "rank", "units", *bands.BAND,
            }  # fmt: skip


@pytest.mark.parametrize("name", technology.names())
@pytest.mark.parametrize("quantity", bands.QUANTITIES)
@pytest.mark.parametrize("level", bands.LEVELS)
def test_errors_hold_for_the_held_out_units(name, quantity, level):
    loaded = technology.load(name)
    rows = [row for row in loaded.units if row["held_out"]]
    truth = fit.quantities(rows, "synthesis", quantity)
    estimate = fit.quantities(rows, "estimate", quantity)
    distances = fit.distances(rows, "estimate", quantity)
    key = bands.error_key(level)
    of_families = [loaded.band(row["family"])[quantity][key] for row in rows]
    for percents in (loaded.errors["unseen_units"][quantity][key], np.array(of_families)):
        error = percents / 100
        around_estimate = np.mean(np.abs(truth - estimate) <= error * estimate)
        around_truth = np.mean(np.abs(truth - estimate) <= error * truth)
        around_reciprocal = np.mean(np.abs(1 / truth - 1 / estimate) <= error / estimate)
        assert min(around_estimate, around_truth, around_reciprocal) >= level / 100
        # Not so wide that it says nothing: the next smaller distance would not do.
        assert np.mean(distances < percents - 0.01) < (level + 2) / 100


@pytest.mark.parametrize("name", technology.names())
@pytest.mark.parametrize("quantity", bands.QUANTITIES)
def test_errors_of_ratios_hold_for_pairs_of_held_out_units(name, quantity):
    loaded = technology.load(name)
    rows = [row for row in loaded.units if row["held_out"]]
    ratios = fit.quantities(rows, "estimate", quantity) / fit.quantities(
        rows, "synthesis", quantity
    )
    parts = [loaded.band(row["family"])[quantity][bands.RATIO_ERROR] for row in rows]
    held = sum(
        max(ratios[i] / ratios[k], ratios[k] / ratios[i])
        <= np.exp(np.hypot(np.log1p(parts[i] / 100), np.log1p(parts[k] / 100)))
        for i in range(len(rows))
        for k in range(i)
    )
    # Room is left for two further units; errors of two pairs may be equal as rounded.
    needed = ceil(bands.RATIO_LEVEL / 100 * comb(len(rows) + 2, 2))
    assert needed <= held <= needed + 2


@pytest.mark.parametrize("name", technology.names())
def test_families_that_were_not_fitted_to_have_the_errors_of_unseen_ones(name):
    loaded = technology.load(name)
    band = loaded.band("of another package")
    for quantity, errors in loaded.errors["unseen_families"].items():
        for level in bands.LEVELS:
            key = bands.error_key(level)
            assert band[quantity][key] == errors[key]
    assert set(loaded.bands["area"]["families"]) == {row["family"] for row in loaded.units}


@pytest.mark.parametrize("name", technology.names())
def test_errors_of_half_of_the_units_hold_for_the_other(name):
    rows = technology.load(name).units
    for quantity in bands.QUANTITIES:
        covered = report.coverage(rows, quantity).mean(axis=0)
        assert covered == pytest.approx([0.69, 0.96], abs=0.03)


@pytest.mark.parametrize("name", technology.names())
def test_errors_are_those_of_the_rows(name):
    loaded = technology.load(name)
    assert fit.all_errors(loaded.units) == loaded.errors
    assert fit.all_bands(loaded.units) == loaded.bands


def test_the_document_has_the_errors_of_families_with_their_sign():
    loaded = technology.load("sky130")
    (row,) = (row for row in loaded.units if row["family"] == "hif8" and row["held_out"])
    error = 100 * (row["estimate"]["delay_ns"] / row["synthesis"]["delay_ns"] - 1)
    low, high = (loaded.band("hif8")["delay"][bands.error_key(k)] for k in bands.LEVELS)
    _, _, own = report.document().partition("## sky130")
    line = next(line for line in own.splitlines() if line.startswith("| hif8 "))
    assert f"{low:.1f} / {high:.1f} % ({error:+.1f} %)" in line


@pytest.mark.parametrize("name", technology.names())
def test_rows_are_the_units_of_both_sets(name):
    rows = technology.load(name).units
    fitting, held_out = fitting_set.split()
    units = [make(row["family"], **row["parameters"]) for row in rows]
    # A family that came after a technology was characterised is not in it yet, and no other is.
    known = {row["family"] for row in rows}
    assert units == [unit for unit in (*fitting, *held_out) if unit.family in known]
    assert [row["held_out"] for row in rows] == [unit in held_out for unit in units]


def test_sets_are_disjoint_and_cover_all_families():
    fitting, held_out = (set(part) for part in fitting_set.split())
    assert not fitting & held_out
    assert len(fitting) + len(held_out) == len(fitting_set.units())
    fitted = {family for family in OWN if FAMILIES[family].fitting}
    for part in (fitting, held_out):
        assert {unit.family for unit in part} == fitted


def test_the_fit_has_every_structure():
    fitting, _ = fitting_set.split()
    families = {unit.family for unit in fitting}
    verified = [unit for unit in suite() if unit.family in families]
    assert {unit.family for unit in verified} == families
    # What a structure has beside its family is fitted to in one family at least.
    assert _variants(verified) == _variants(fitting)


def _variants(units):
    return {variant for unit in units for variant in unit.structure.split(", ")[1:]}


def test_a_family_may_come_without_a_new_fit(monkeypatch):
    split = fitting_set.split()
    monkeypatch.setattr(FAMILIES["nvfp4_dot"], "fitting", ())
    fewer = fitting_set.split()
    for before, after in zip(split, fewer, strict=True):
        assert after == [unit for unit in before if unit.family != "nvfp4_dot"]


def test_families_of_one_generator_belong_together():
    by_name = {unit.family: fitting_set.generator(unit) for unit in fitting_set.units()}
    assert by_name["posit"] == by_name["hif8"] == by_name["flint"] == by_name["dybit"]
    assert by_name["lns"] == by_name["posit"]
    assert by_name["tmac"] == by_name["lut_array"] == by_name["unpu_lut"]
    assert by_name["mx_dot"] == by_name["bfp_dot"] == by_name["vs_dot"]
    assert len({by_name[name] for name in ("integer", "fma", "bit_serial", "rmmec")}) == 4


def test_error_can_be_measured_now(monkeypatch):
    fitting, held_out = fitting_set.split()
    small = [unit for unit in held_out if unit.family in ("integer", "lmul", "tmac")][::2]
    monkeypatch.setattr(fitting_set, "split", lambda: (fitting, small))
    lines: list[str] = []
    errors = report.measure("osu018", progress=lines.append)
    printed = technology.load("osu018").errors["unseen_units"]
    assert len(lines) == len(small) > 2
    for quantity in bands.QUANTITIES:
        assert 0 < errors[quantity]["max_percent"] <= printed[quantity]["max_percent"]
