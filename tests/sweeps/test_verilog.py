"""Points of sweeps whose hardware is somebody's Verilog."""

import csv
from pathlib import Path

import pytest

from cost_models import technology
from hwsim.errors import InputError
from rtl.verilog import HandMade
from sweeps import labels, report, run, run_sweep, spec
from tests.rtl.test_verilog import MAC, PRODUCT, WIDTHS

SPEC = """\
name: mine
technology: [sky130]
method: estimate
units:
  - {unit: integer, weight: int3, activation: int4, lanes: 2}
  - {unit: integer, weight: int3, activation: int4, lanes: 2,
     verilog: [my mac.v, product.v, widths.vh], top: mac}
objectives: [area_per_mac, energy_per_mac]
"""


@pytest.fixture
def specification(tmp_path: Path) -> Path:
    for name, text in (("my mac.v", MAC), ("product.v", PRODUCT), ("widths.vh", WIDTHS)):
        (tmp_path / name).write_text(text)
    path = tmp_path / "mine.yaml"
    path.write_text(SPEC)
    return path


def rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "results.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_a_point_is_somebodys_verilog(specification: Path, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    assert run_sweep(specification, folder, workers=2) == 0
    generated, own = rows(folder)
    assert generated["verilog"] == ""
    assert own["verilog"] == "my mac.v, product.v, widths.vh"
    assert own["family"] == "integer"
    assert own["unit"].startswith(f"{generated['unit']}_my_mac_v_product_v_widths_vh_x")
    assert own["area_um2"] != generated["area_um2"]
    assert own["parameters"] == generated["parameters"]
    table = [{**row, "lanes": int(row["lanes"])} for row in (generated, own)]
    assert labels.texts(table, [False, False]) == [
        "int3 × int4 · 2",
        "int3 × int4 · 2 · my mac.v, produ… widths.vh",
    ]
    # It stays as long as its text does.
    sweep = spec.read(specification)
    assert run.run(sweep, folder, workers=1).computed == 0
    (tmp_path / "product.v").write_text(PRODUCT.replace("a * w", "w * a"))
    outcome = run.run(spec.read(specification), folder, workers=1)
    assert (outcome.computed, len(outcome.points)) == (1, 2)
    # The emitted Verilog of the front is somebody's, too, if it is on it.
    written = report.write(sweep, outcome, folder)
    assert {path.name for path in written} >= {"results.csv"}


def test_a_wrong_one_fails_alone(specification: Path, tmp_path: Path) -> None:
    (tmp_path / "product.v").write_text(PRODUCT.replace("a * w", "a * w + 1"))
    outcome = run.run(spec.read(specification), tmp_path / "out", workers=1)
    (failure,) = outcome.failures
    assert isinstance(failure.unit, HandMade)
    assert "the golden model" in failure.message
    assert len(outcome.points) == 1


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("[my mac.v, product.v, widths.vh]", "lost.v", r"mine.yaml:7: verilog: .*lost.v: No such"),
        ("[my mac.v, product.v, widths.vh]", "[my mac.v]",
         r"mine.yaml:7: verilog: .*widths.vh is included; give that file, too"),
        ("[my mac.v, product.v, widths.vh]", "[]", r"mine.yaml:7: verilog: the list is empty"),
        ("[my mac.v, product.v, widths.vh]", "{a: b}", r"mine.yaml:7: verilog: must be"),
        ("top: mac", "top: mca", r"mine.yaml:7: verilog: .*no module mca, only mac, product"),
        ("top: mac", "tops: mac", r"unknown parameter of integer 'tops'"),
        ("lanes: 2,\n", "lanes: [2, 4],\n",
         r"mine.yaml:7: verilog: is the hardware of one unit, and the entry has 2"),
        ("lanes: 2,\n", "lanes: 4,\n", r"mine.yaml:7: verilog: .*i__payload is an input"),
        ("verilog: [my mac.v, product.v, widths.vh], ", "", r"mine.yaml:7: top: goes with"),
    ],
)  # fmt: skip
def test_bad_entries_are_named(specification: Path, old: str, new: str, said: str) -> None:
    assert old in SPEC
    specification.write_text(SPEC.replace(old, new))
    with pytest.raises(InputError, match=said):
        spec.read(specification)


def test_files_of_one_name_are_told_apart(specification: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    for name, text in (("my mac.v", MAC), ("product.v", PRODUCT), ("widths.vh", WIDTHS)):
        (other / name).write_text(f"{text}\n")
    entry = SPEC[SPEC.index("  - {unit", SPEC.index("lanes: 2}")) : SPEC.index("objectives")]
    again = entry
    for name in ("my mac.v", "product.v", "widths.vh"):
        again = again.replace(name, f"other/{name}")
    specification.write_text(SPEC.replace(entry, entry + again))
    with pytest.raises(InputError, match=r"files of these names are a point at .*mine.yaml:6"):
        spec.read(specification)


def test_a_registered_technology_is_swept(specification: Path, tmp_path: Path) -> None:
    technology._registry.cache_clear()
    mine = technology.load("sky130")
    try:
        technology.register(technology.Technology(**{**vars(mine), "name": "registered"}))
        specification.write_text(SPEC.replace("[sky130]", "[sky130, registered]"))
        sweep = spec.read(specification)
        outcome = run.run(sweep, tmp_path / "out", workers=2)
    finally:
        technology._registry.cache_clear()
    assert [target.technology for target in sweep.targets] == ["sky130", "registered"]
    assert [point.target for point in outcome.points] == [*sweep.targets] * 2
    first, second = outcome.points[:2]
    assert first.cost.area_um2 == second.cost.area_um2
