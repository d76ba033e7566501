from dataclasses import replace

import pytest

from cost_models import figures, fit
from cost_models.bands import QUANTITIES
from cost_models.cost import Cost


def error(low, high):
    return {
        "mean_percent": low, "max_percent": high, "rank": 1.0, "units": 57,
        "error_68_percent": low, "error_95_percent": high,
    }  # fmt: skip


ERRORS = {
    "area": error(2.0, 6.0),
    "delay": error(8.0, 16.0),
    "settled_energy": error(3.0, 9.0),
    "energy": error(11.0, 40.0),
    "area_times_delay": error(7.0, 15.0),
}
COST = Cost(
    unit="u",
    technology="t",
    method="estimate",
    area_um2=2000.0,
    delay_ns=4.0,
    settled_pj=8.0,
    clock_pj=2.0,
    glitch_pj=6.0,
    leakage_nw=5.0,
    macs_per_cycle=2.0,
    provenance={"errors": {figures.UNSEEN: ERRORS}},
)
CANDIDATES = [{"area_um2": 2000.0, "delay_ns": 4.0}, {"area_um2": 1900.0, "delay_ns": 4.4}]
SYNTHESISED = replace(COST, method="synthesis", provenance={"candidates": CANDIDATES})


def test_figures_are_in_their_units():
    values = figures.values(COST)
    assert (values["area"], values["area_per_mac"]) == (2000, 1000)
    assert (values["delay_ns"], values["fmax_mhz"]) == (4, 250)
    assert values["energy_per_mac"] == 7
    assert values["settled_energy_per_mac"] == 4
    assert (values["data_per_mac"], values["clock_per_mac"], values["glitch_per_mac"]) == (3, 1, 3)
    assert (values["leakage_nw"], values["macs_per_cycle"]) == (5, 2)
    # 2 MAC at 250 MHz are 0.5 GMAC/s, on 0.002 mm^2; 7 pJ/MAC are 1000/7 GMAC/J.
    assert values["gmacs_per_s"] == pytest.approx(0.5)
    assert values["gmacs_per_s_per_mm2"] == pytest.approx(250)
    assert values["gmacs_per_j"] == pytest.approx(1000 / 7)


def test_more_is_better_of_rates_alone():
    best = [name for name, figure in figures.FIGURES.items() if figure.maximise]
    rates = ["fmax_mhz", "macs_per_cycle", "gmacs_per_s", "gmacs_per_s_per_mm2", "gmacs_per_j"]
    assert best == rates


def test_columns_are_unique_and_quantities_known():
    every = figures.FIGURES.values()
    assert len({figure.column for figure in every}) == len({f.label for f in every}) == len(every)
    assert {figure.quantity for figure in every} == {*QUANTITIES, ""}


def test_errors_of_products_are_their_own():
    percents = figures.percents(COST)
    assert percents["area"] == percents["area_per_mac"] == {68: 2, 95: 6}
    for name in ("delay_ns", "fmax_mhz", "gmacs_per_s"):
        assert percents[name] == {68: 8, 95: 16}
    assert percents["settled_energy_per_mac"] == {68: 3, 95: 9}
    assert percents["energy_per_mac"] == percents["gmacs_per_j"] == {68: 11, 95: 40}
    assert percents["gmacs_per_s_per_mm2"] == {68: 7, 95: 15}
    assert not {"leakage_nw", "clock_per_mac", "macs_per_cycle"} & set(percents)


def test_too_few_units_leave_errors_unknown():
    few = {"energy": ERRORS["energy"] | {"error_95_percent": None}}
    cost = replace(COST, provenance={"errors": {figures.UNSEEN: few}})
    energy = {"energy_per_mac": {68: 11}, "gmacs_per_j": {68: 11}}
    assert figures.percents(cost) == energy
    assert figures.percents(replace(COST, provenance={})) == {}


def test_synthesis_has_the_spread_of_its_netlists():
    assert figures.percents(SYNTHESISED) == {}
    spreads = figures.spreads(SYNTHESISED)
    assert spreads["area"] == pytest.approx(5)
    assert spreads["delay_ns"] == spreads["fmax_mhz"] == pytest.approx(10)
    # 0.95 times 1.1: of the product of each netlist.
    assert spreads["gmacs_per_s_per_mm2"] == pytest.approx(4.5)
    assert "energy_per_mac" not in spreads
    assert figures.spreads(COST) == {}


def test_plain_values_name_the_kind_of_error():
    plain = figures.plain(COST)
    assert plain["error_percent"]["area"] == {68: 2, 95: 6}
    assert (plain["area_um2"], plain["energy_pj"], plain["settled_pj"]) == (2000, 14, 8)
    assert plain["energy_per_mac"] == plain["settled_energy_per_mac"] + plain["glitch_per_mac"]
    assert "spread_percent" not in plain
    plain = figures.plain(SYNTHESISED)
    assert plain["spread_percent"]["delay_ns"] == pytest.approx(10)
    assert "error_percent" not in plain


def test_a_technology_keeps_what_errors_are_of():
    assert fit.figures(COST) == {
        "area_um2": 2000, "delay_ns": 4, "settled_pj": 8, "energy_pj": 14
    }  # fmt: skip
    assert {field for fields in QUANTITIES.values() for field in fields} == set(fit.FIGURES)
