"""The package of ``examples/hwsim_example``, beside hwsim as an installer would leave it."""

import csv
import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest

from tests.packages import install

ROOT = Path(__file__).parents[1]
EXAMPLE = ROOT / "examples" / "hwsim_example"
UNIT = ["razer_dot", "lanes=2", "weight=razer4_5", "activation=int4"]
NAME = "razer_dot_lanes_2_weight_razer4_5_activation_int4"

SPEC = """\
name: razer
technology: [sky130]
method: estimate
tensors: {path: layers.npz, group: 8}
units:
  - {unit: razer_dot, weight: [razer4_5, razer4_8], activation: int8, lanes: 2}
  - {unit: integer, weight: int4, activation: int8, lanes: 2}
objectives: [area_um2_per_mac_per_cycle, energy_pj_per_mac, output_sqnr_db]
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site packages")
    project = tomllib.loads((EXAMPLE / "pyproject.toml").read_text())["project"]
    shutil.copytree(EXAMPLE / "hwsim_example", folder / "hwsim_example")
    install(folder, project["name"], project["entry-points"], project["version"])
    return folder


def hwsim(site: Path, folder: Path, *words: str) -> str:
    """Run the command line in a folder, with the package installed, and return what it printed."""
    done = subprocess.run(
        [sys.executable, "-m", "hwsim.cli", *words],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(site), str(ROOT)])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_lists_have_it(site: Path, tmp_path: Path) -> None:
    assert "0x8   1000  finite      5" in hwsim(site, tmp_path, "formats", "show", "razer4_5")
    assert "\nrazer4_8 " in hwsim(site, tmp_path, "formats")
    assert "\nrazer_dot " in hwsim(site, tmp_path, "units")
    described = hwsim(site, tmp_path, "units", "razer_dot")
    assert "weight: format, required\n      A format such as razer4_5." in described


def test_its_verilog_is_right(site: Path, tmp_path: Path) -> None:
    printed = hwsim(site, tmp_path, "generate", *UNIT, "-o", "pe")
    assert printed.splitlines() == [f"pe/{NAME}{end}" for end in (".v", ".json", "_tb.v")]
    sources = sorted(path.name for path in (tmp_path / "pe").glob("*.v"))
    subprocess.run(["iverilog", "-g2012", *sources], cwd=tmp_path / "pe", check=True)
    done = subprocess.run(
        ["vvp", "a.out"], cwd=tmp_path / "pe", capture_output=True, text=True, check=True
    )
    assert f"results of {NAME}" in done.stdout


def test_it_is_verified(site: Path, tmp_path: Path) -> None:
    printed = hwsim(site, tmp_path, "verify", *UNIT)
    assert printed.startswith(f"{NAME}: pass, ")
    assert "(all operand pairs), latency 1, interval 1" in printed


def test_it_is_priced(site: Path, tmp_path: Path) -> None:
    printed = hwsim(site, tmp_path, "cost", *UNIT, "--technology", "sky130")
    assert f"\n{NAME}  sky130      estimate" in printed


def test_it_is_swept(site: Path, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    layers = {"weights": rng.normal(size=(8, 32)), "activations": rng.normal(size=(16, 32))}
    np.savez(tmp_path / "layers.npz", **layers)
    (tmp_path / "razer.yaml").write_text(SPEC)
    hwsim(site, tmp_path, "sweep", "razer.yaml", "-o", "out", "--workers", "2")
    with (tmp_path / "out" / "results.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["family"] for row in rows] == ["razer_dot", "razer_dot", "integer"]
    quality = {row["weight"]: float(row["output_sqnr_db"]) for row in rows}
    assert 15 < quality["int4"] < quality["razer4_5"] + 3
    assert quality["razer4_5"] != quality["razer4_8"]


def test_a_change_of_its_source_is_another_point(site: Path, tmp_path: Path) -> None:
    copied = tmp_path / "site"
    shutil.copytree(site, copied)
    text = SPEC[: SPEC.index("tensors")] + SPEC[SPEC.index("units") :]
    text = text.replace(", output_sqnr_db", "").replace("[razer4_5, razer4_8]", "razer4_5")
    (tmp_path / "razer.yaml").write_text(text)
    words = ["sweep", "razer.yaml", "-o", "out", "--workers", "1"]
    hwsim(copied, tmp_path, *words)
    assert len([*(tmp_path / "out" / "points").iterdir()]) == 2
    hardware = copied / "hwsim_example" / "hardware.py"
    hardware.write_text(hardware.read_text() + "# A remark.\n")
    hwsim(copied, tmp_path, *words)
    assert len([*(tmp_path / "out" / "points").iterdir()]) == 3


def test_without_the_package_its_names_are_unknown(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "hwsim.cli", "units", "razer_dot"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "unknown unit 'razer_dot'" in done.stderr
