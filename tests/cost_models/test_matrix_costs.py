"""Costs of single matrices, against whole networks."""

from dataclasses import replace

import numpy as np
import pytest

from cost_models.accelerator import Prices, evaluate
from cost_models.matrix_costs import matrix_costs
from hwsim.accelerator.specification import load
from hwsim.accelerator.workload import workload
from hwsim.errors import InputError
from hwsim.formats import parse
from hwsim.units import make

PARTS = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
MATRICES = [f"layers.{layer}.{part}" for layer in range(30) for part in PARTS]
#: Units that take all of the formats, smaller than those of a tile.
ACCELERATOR = replace(
    load("bitmod_lossy"), unit=make("bitmod", lanes=2, weight="bitmod4", activation="fp16")
)
FORMATS = [parse(name) for name in ("bitmod3", "bitmod4", "int6_g128", "int8_g128")]


@pytest.fixture(scope="module")
def work():
    return workload("smollm2-135m", "decode", context=256)


@pytest.fixture(scope="module")
def prices():
    return Prices("asap7")


@pytest.fixture(scope="module")
def costs(work, prices):
    return matrix_costs(ACCELERATOR, work, prices, MATRICES, FORMATS)


def test_any_assignment_costs_the_sum(work, prices, costs):
    chosen = np.random.default_rng(0).integers(len(FORMATS), size=len(MATRICES))
    overrides = {name: {"weight": FORMATS[one]} for name, one in zip(MATRICES, chosen, strict=True)}
    formats = replace(ACCELERATOR.operand_formats, overrides=overrides)
    whole = evaluate(replace(ACCELERATOR, formats=formats), work, prices)
    rows = np.arange(len(MATRICES))
    energy = costs.energy_j[rows, chosen].sum() + costs.other_energy_j
    time = costs.time_s[rows, chosen].sum() + costs.other_time_s
    assert energy == pytest.approx(whole.energy_j_per_item, rel=1e-9)
    assert time == pytest.approx(whole.simulation.time_s, rel=1e-9)
    assert costs.area_mm2 == pytest.approx(whole.area_mm2)


def test_more_bits_cost_more(costs):
    assert (np.diff(costs.energy_j, axis=1) > 0).all()
    assert costs.other_energy_j > 0
    assert costs.notes


def test_refuses(work, prices):
    with pytest.raises(InputError, match=r"has no 'layers\.30\.q_proj'"):
        matrix_costs(ACCELERATOR, work, prices, [*MATRICES, "layers.30.q_proj"], FORMATS[:1])
    with pytest.raises(InputError, match="of some layers only"):
        matrix_costs(ACCELERATOR, work, prices, MATRICES[:3], FORMATS[:1])
    with pytest.raises(InputError, match="nf4"):
        matrix_costs(ACCELERATOR, work, prices, MATRICES, [parse("nf4_g128")])
