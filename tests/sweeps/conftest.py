"""A small sweep whose costs come from a formula, so that only the engine is under test."""

import numpy as np
import pytest

import sweeps.costs
from cost_models.cost import Cost

SPEC = """\
name: tiny
technology: [sky130, asap7]
method: estimate
clock: [none]
tensors: {path: layers.npz, group: 8}
units:
  - {unit: integer, weight: [int2, int4, int8], activation: int8, lanes: [4, 16]}
  - {unit: float, weight: e2m1, activation: [e2m1, e4m3], lanes: 4}
objectives: [area_um2_per_mac_per_cycle, energy_pj_per_mac, output_sqnr_db]
"""
AREA = {"osu018": 20.0, "sky130": 10.0, "asap7": 0.1}
#: A library as small as one can be.
LIBERTY = """\
library (mine) {
  nom_voltage : 1.8;
  voltage_unit : "1V";
  time_unit : "1ns";
  leakage_power_unit : "1nW";
  capacitive_load_unit (1, pf);
  cell (INV) {
    area : 1;
    pin (Y) {
      function : "!A";
    }
  }
  cell (BUF) {
    pin (Y) {
      function : "A";
    }
  }
  cell (NAND) {
    pin (Y) {
      function : "!(A B)";
    }
  }
  cell (DFF) {
    ff (IQ, IQN) { clocked_on : "CK"; next_state : "D"; }
  }
}
"""


def formula(unit, technology, objective, clock_ns):
    size = unit.lanes * unit.weight.bits * unit.activation.bits + 100
    return Cost(unit.name, technology, "estimate", size * AREA[technology], 2.0, size * 0.01, 0.1,
                0.2, 5.0, unit.macs_per_cycle, clock_ns=clock_ns, idle_pj=0.05)  # fmt: skip


@pytest.fixture
def known(monkeypatch):
    monkeypatch.setattr("cost_models.technology.names", lambda: ["asap7", "osu018", "sky130"])


@pytest.fixture
def costs(monkeypatch):
    """Replace the estimator by the formula; the list holds the units it was asked for."""
    calls = []

    def estimate_each(unit, wanted, operands=None, clock_gating=False):
        calls.append(unit.name)
        return [formula(unit, *one) for one in wanted]

    monkeypatch.setattr(sweeps.costs, "estimate_each", estimate_each)
    return calls


@pytest.fixture
def specification(tmp_path, known):
    rng = np.random.default_rng(0)
    arrays = {"w": rng.normal(size=(8, 16)), "w.input": rng.normal(size=(4, 16))}
    np.savez(tmp_path / "layers.npz", **arrays)
    path = tmp_path / "tiny.yaml"
    path.write_text(SPEC)
    return path
