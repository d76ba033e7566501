from dataclasses import replace

import pytest

from cost_models import figures
from cost_models.cost import Cost

ERRORS = {
    "area": {"mean_percent": 2.0, "max_percent": 6.0, "rank": 1.0},
    "delay": {"mean_percent": 8.0, "max_percent": 16.0, "rank": 0.9},
    "energy": {"mean_percent": 3.0, "max_percent": 9.0, "rank": 1.0},
}
COST = Cost(
    unit="u",
    technology="t",
    method="estimate",
    area_um2=2000.0,
    delay_ns=4.0,
    energy_pj=8.0,
    clock_pj=2.0,
    glitch_pj=6.0,
    leakage_nw=5.0,
    macs_per_cycle=2.0,
    provenance={"errors": {figures.UNSEEN: ERRORS}},
)


def test_figures_are_in_their_units():
    values = {name: figure.value for name, figure in figures.figures(COST).items()}
    assert values["fmax_mhz"] == 250
    assert values["energy_per_mac"] == 4
    assert (values["data_per_mac"], values["clock_per_mac"], values["glitch_per_mac"]) == (3, 1, 3)
    assert values["energy_with_glitches_per_mac"] == 7
    # 2 MAC at 250 MHz are 0.5 GMAC/s, on 0.002 mm^2; 4 pJ/MAC are 250 GMAC/J.
    assert values["gmacs_per_s_per_mm2"] == pytest.approx(250)
    assert values["gmacs_per_j"] == 250


def test_errors_of_quotients_add():
    percents = {name: figure.percent for name, figure in figures.figures(COST).items()}
    assert percents["area_um2"] == 2
    assert percents["fmax_mhz"] == percents["delay_ns"] == 8
    assert percents["gmacs_per_s_per_mm2"] == 10
    assert percents["gmacs_per_j"] == percents["energy_per_mac"] == 3
    assert percents["energy_with_glitches_per_mac"] is None
    assert percents["macs_per_cycle"] is None


def test_synthesis_has_the_spread_of_its_netlists():
    candidates = [{"area_um2": 2000.0, "delay_ns": 4.0}, {"area_um2": 1900.0, "delay_ns": 4.4}]
    cost = replace(COST, method="synthesis", provenance={"candidates": candidates})
    known = figures.figures(cost)
    assert known["area_um2"].percent == pytest.approx(5)
    assert known["delay_ns"].percent == pytest.approx(10)
    assert known["energy_per_mac"].percent is None


def test_plain_values_name_the_kind_of_error():
    plain = figures.plain(COST)
    assert plain["mean_error_percent"]["area_um2"] == 2
    assert plain["area_um2"] == 2000
    assert "leakage_nw" not in plain["mean_error_percent"]
    candidates = [{"area_um2": 2000.0, "delay_ns": 4.0}]
    cost = replace(COST, method="synthesis", provenance={"candidates": candidates})
    assert figures.plain(cost)["spread_percent"]["delay_ns"] == 0
    assert "mean_error_percent" not in figures.plain(cost)
