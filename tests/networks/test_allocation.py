"""Formats under a budget: the command, its curve and its chart."""

import json

import numpy as np
import pytest

from hwsim.cli import main
from hwsim.errors import InputError
from hwsim.networks import allocation_chart
from hwsim.networks.allocation import allocate, curve, uniform
from hwsim.networks.sensitivity import Sensitivity

from .models import byte_folder

FORMATS = ("int3_g8", "int4_g8", "int8_g8")
TEXT = "the rain stopped before noon, so we walked along the river, and talked about the house. "
ACCELERATOR = """
unit: bitmod
parameters: {lanes: 2, weight: bitmod4, activation: fp16}
array: {rows: 4, cols: 4}
formats: {kv_cache: int8_g128}
sram:
  table: cacti7-hp
  node: 22
  weights: {capacity: 65536, width: 64, banks: 2}
  inputs: {capacity: 65536, width: 64, banks: 2}
  outputs: {capacity: 65536, width: 64, banks: 2}
dram: {kind: lpddr5, boundary: system, bandwidth: 32}
"""


@pytest.fixture
def sensitivity():
    rng = np.random.default_rng(0)
    matrices = tuple(
        f"layers.{layer}.{part}" for layer in range(6) for part in ("q_proj", "up_proj")
    )
    elements = rng.integers(1000, 9000, size=len(matrices))
    error = rng.lognormal(size=(len(matrices), 1)) * np.array([16.0, 4.0, 0.016])
    return Sensitivity(
        matrices=matrices, formats=FORMATS, elements=elements,
        bits_per_element=np.tile([5.0, 6.0, 10.0], (len(matrices), 1)), error=error,
        reference=FORMATS[0], measured=rng.lognormal(size=len(matrices)),
    )  # fmt: skip


def test_a_budget_is_kept_and_more_is_better(sensitivity):
    cost = sensitivity.bits
    alone = uniform(sensitivity, cost)
    assert [one.bits_per_element for one in alone] == [5.0, 6.0, 10.0]
    found = allocate(sensitivity, cost, alone[1].cost)
    assert found.cost <= alone[1].cost
    assert found.loss < alone[1].loss
    assert 5 <= found.bits_per_element <= 6
    assert {*found.formats.values()} == {*FORMATS}
    assert found.role_formats("int8").weight_of("layers.0.q_proj").name in FORMATS


def test_the_curve_falls_from_the_least_cost_to_the_least_loss(sensitivity):
    found = curve(sensitivity, sensitivity.bits, 9)
    costs, losses = ([getattr(one, key) for one in found] for key in ("cost", "loss"))
    assert costs == sorted(costs)
    assert losses == sorted(losses, reverse=True)
    alone = uniform(sensitivity, sensitivity.bits)
    assert (costs[0], losses[-1]) == pytest.approx((alone[0].cost, alone[2].loss))
    with pytest.raises(InputError, match="points=1"):
        curve(sensitivity, sensitivity.bits, 1)


@pytest.mark.parametrize("suffix", ["png", "svg"])
def test_the_chart(sensitivity, tmp_path, suffix):
    alone = uniform(sensitivity, sensitivity.bits)
    mixed = allocate(sensitivity, sensitivity.bits, alone[1].cost)
    shown = [("mixed", mixed, 0.3), *zip(FORMATS, alone, (9.0, 1.0, 1e-3), strict=True)]
    path = tmp_path / f"chart.{suffix}"
    drawn = "A <title> & $x$", "bits", curve(sensitivity, sensitivity.bits, 9), shown
    allocation_chart.write(path, *drawn)
    first = path.read_bytes()
    allocation_chart.write(path, *drawn)
    assert path.read_bytes() == first
    figure = allocation_chart.draw(*drawn)
    figure.canvas.draw()
    box = figure.bbox
    (axes,) = figure.axes
    for text in axes.texts:
        extent = text.get_window_extent()
        assert box.x0 <= extent.x0
        assert extent.x1 <= box.x1
    assert {text.get_text() for text in axes.texts} == {"mixed", *FORMATS}


@pytest.fixture
def given(tmp_path, monkeypatch):
    monkeypatch.setenv("HWSIM_CACHE", str(tmp_path / "cache"))
    text = tmp_path / "text.txt"
    text.write_text(TEXT * 3)
    files = ["--text", str(text), "--calibration", str(text)]
    tokens = ["--tokens", "80", "--calibration-tokens", "40", "--window", "40"]
    return ["allocate", str(byte_folder(tmp_path)), *files, *tokens]


def test_the_command_gives_out_bits(given, capsys, tmp_path):
    formats = [word for name in FORMATS for word in ("--format", name)]
    chart = tmp_path / "chart.png"
    assert main([*given, *formats, "--budget", "bits=int4_g8", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert {*found["formats"].values()} <= {*FORMATS}
    results = found["results"]
    assert [*results] == ["mixed", *FORMATS]
    assert results["mixed"]["cost"] <= results["int4_g8"]["cost"] == pytest.approx(6.0)
    assert results["mixed"]["predicted_kl"] <= results["int4_g8"]["predicted_kl"]
    assert results["int8_g8"]["kl"] < results["int4_g8"]["kl"] < results["int3_g8"]["kl"]
    assert main([*given, *formats, "--budget", "bits=5.5", "--chart", str(chart)]) == 0
    printed = capsys.readouterr().out
    assert "KL predicted" in printed
    assert "rank correlation" in printed
    assert chart.read_bytes().startswith(b"\x89PNG")


def test_the_command_gives_out_energy(given, capsys, tmp_path):
    path = tmp_path / "small.yaml"
    path.write_text(ACCELERATOR)
    formats = ["--format", "bitmod3", "--format", "bitmod4", "--format", "int8_g128"]
    priced = ["--accelerator", str(path), "--technology", "asap7", "--context", "32", "--json"]
    assert main([*given, *formats, *priced, "--budget", "energy=bitmod4"]) == 0
    found = json.loads(capsys.readouterr().out)
    costs = {name: result["cost"] for name, result in found["results"].items()}
    assert costs["bitmod3"] < costs["int8_g128"]
    assert costs["mixed"] <= costs["bitmod4"] * (1 + 1e-9)
    assert found["results"]["mixed"]["activation_bits_per_element"] > 16
    assert found["notes"]


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        (["--budget", "energy=3"], "--budget energy needs --accelerator and --technology"),
        (["--budget", "bits=1"], "--budget bits=1: allowed: from 6 bits, the least"),
        (["--budget", "bits=int9_g8"], "allowed: a positive number, or one of int4_g8"),
        (["--budget", "bits=5", "--accelerator", "int8"], "--accelerator and --technology go"),
        (["--budget", "bits=5", "--chart", "x.jpg"], "charts are .png, .svg, .pdf"),
        (["--budget", "bits=5", "--format", "int4_g8"], "formats="),
    ],
)
def test_the_command_refuses(given, capsys, extra, message):
    assert main([*given, "--format", "int4_g8", *extra]) == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize("budget", ["watts=3", "bits"])
def test_budgets_that_are_none(given, capsys, budget):
    with pytest.raises(SystemExit):
        main([*given, "--format", "int4_g8", "--budget", budget])
    said = f"--budget {budget}: allowed: bits=BITS, energy=mJ"
    assert said in capsys.readouterr().err
