from dataclasses import replace

import pytest

from cost_models import fit, metrics, technology
from cost_models.bands import QUANTITIES, RATIO_ERROR
from cost_models.cost import Cost
from cost_models.estimate import estimate
from cost_models.metrics import METRICS, Priced
from hwsim.units import make
from rtl import emit
from rtl.verilog import with_verilog


def error(low, high):
    return {
        "mean_percent": low, "max_percent": high, "rank": 1.0, "units": 57,
        "error_68_percent": low, "error_95_percent": high,
    }  # fmt: skip


def band(low, high, ratio):
    return {
        "error_68_percent": low, "error_95_percent": high, "ratio_error_90_percent": ratio,
    }  # fmt: skip


#: Of all families together.
ERRORS = dict.fromkeys(QUANTITIES, error(5.0, 50.0))
BAND = {
    "area": band(2.0, 6.0, 4.0),
    "delay": band(8.0, 16.0, 10.0),
    "settled_energy": band(3.0, 9.0, 5.0),
    "energy": band(11.0, 40.0, 30.0),
    "area_times_delay": band(7.0, 15.0, 9.0),
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
    provenance={"errors": {metrics.UNSEEN: ERRORS}, "band": BAND},
)
CANDIDATES = [{"area_um2": 2000.0, "delay_ns": 4.0}, {"area_um2": 1900.0, "delay_ns": 4.4}]
SYNTHESISED = replace(COST, method="synthesis", provenance={"candidates": CANDIDATES})


UNIT = make("integer", lanes=2, weight="int4", activation="int8")
PRICED = Priced(UNIT, COST)


def test_metrics_are_in_their_units():
    assert (COST.area_um2, COST.area_um2_per_mac_per_cycle) == (2000, 1000)
    assert (COST.delay_ns, COST.fmax_mhz) == (4, 250)
    assert (COST.energy_pj, COST.energy_pj_per_mac) == (14, 7)
    assert COST.settled_energy_pj_per_mac == 4
    assert COST.data_energy_pj_per_mac == 3
    assert (COST.clock_energy_pj_per_mac, COST.glitch_energy_pj_per_mac) == (1, 3)
    # 2 MAC at 250 MHz are 0.5 GMAC/s, on 0.002 mm^2; 7 pJ/MAC are 1000/7 GMAC/J.
    assert COST.gmacs_per_s == pytest.approx(0.5)
    assert COST.gmacs_per_s_per_mm2 == pytest.approx(250)
    assert COST.gmacs_per_j == pytest.approx(1000 / 7)


def test_metrics_are_attributes_of_what_they_are_of():
    assert metrics.values(PRICED) == COST.metrics() | {
        "weight_bits_per_element": 4,
        "activation_bits_per_element": 8,
    }
    for name, metric in METRICS.items():
        assert metric.name == name
        if metric.needs == "cost":
            assert metric.value(PRICED) == getattr(COST, name)
    assert {metric.needs for metric in METRICS.values()} == {"unit", "cost"}


def test_bits_are_those_stored_with_metadata():
    """Of weights in groups that is known with the size of these alone."""
    bits = METRICS["weight_bits_per_element"].value
    assert bits(PRICED) == 4
    assert bits(Priced(UNIT, COST, group=64)) == 4 + 16 / 64
    blocks = make("mx_dot", lanes=4, weight="mxfp4", activation="mxint8")
    assert bits(Priced(blocks, COST)) == bits(Priced(blocks, COST, group=64)) == 4.25
    assert METRICS["activation_bits_per_element"].value(Priced(blocks, COST)) == 8.25
    assert bits(Priced(make("rmmec"), COST)) is None


def test_more_is_better_of_rates_and_slack_alone():
    best = {name for name, metric in METRICS.items() if metric.maximise}
    assert best == {
        "fmax_mhz", "macs_per_cycle", "gmacs_per_s", "gmacs_per_s_per_mm2", "gmacs_per_j",
        "slack_ns",
    }  # fmt: skip


def test_labels_are_unique_and_quantities_known():
    every = METRICS.values()
    assert len({metric.label for metric in every}) == len(every)
    headings = [metric.heading for metric in every if metric.heading]
    assert len(set(headings)) == len(headings) == len(every) - 2
    assert {metric.quantity for metric in every} == {*QUANTITIES, ""}


def test_errors_of_products_are_their_own():
    percents = metrics.percents(COST)
    assert percents["area_um2"] == percents["area_um2_per_mac_per_cycle"] == {68: 2, 95: 6}
    for name in ("delay_ns", "fmax_mhz", "gmacs_per_s"):
        assert percents[name] == {68: 8, 95: 16}
    assert percents["settled_energy_pj_per_mac"] == {68: 3, 95: 9}
    assert percents["energy_pj_per_mac"] == percents["gmacs_per_j"] == {68: 11, 95: 40}
    assert percents["gmacs_per_s_per_mm2"] == {68: 7, 95: 15}
    assert not {"leakage_nw", "clock_energy_pj_per_mac", "macs_per_cycle"} & set(percents)


def test_too_few_units_leave_errors_unknown():
    few = {"energy": BAND["energy"] | dict.fromkeys(("error_95_percent", RATIO_ERROR))}
    cost = replace(COST, provenance={"band": few})
    energy = {"energy_pj_per_mac": {68: 11}, "gmacs_per_j": {68: 11}}
    assert metrics.percents(cost) == energy
    assert metrics.ratio_errors(cost) == {}
    assert metrics.percents(replace(COST, provenance={})) == {}


def test_errors_of_ratios_are_those_of_pairs():
    parts = metrics.ratio_errors(COST)
    assert parts["area_um2_per_mac_per_cycle"] == 4
    assert parts["gmacs_per_s"] == 10
    assert parts["energy_pj_per_mac"] == parts["gmacs_per_j"] == 30
    assert set(parts) == set(metrics.percents(COST))
    # Of synthesis the noise of the flow is all that is known.
    assert metrics.ratio_errors(SYNTHESISED) == metrics.spreads(SYNTHESISED)


@pytest.mark.parametrize("name", ["integer", "bit_serial"])
def test_estimates_have_the_errors_of_their_family(name):
    unit = make(name, lanes=2, weight="int2", activation="int2")
    known = technology.load("sky130")
    errors = metrics.percents(estimate(unit, "sky130"))
    for metric, quantity in (("delay_ns", "delay"), ("energy_pj_per_mac", "energy")):
        stated = known.bands[quantity]["families"][name]
        assert errors[metric] == {k: stated[f"error_{k}_percent"] for k in (68, 95)}


def test_hardware_of_ones_own_is_of_no_family(tmp_path):
    unit = make("integer", lanes=1, weight="int2", activation="int2")
    file = tmp_path / "unit.v"
    file.write_text(emit.verilog(unit))
    errors = metrics.percents(estimate(with_verilog(unit, [file]), "sky130"))
    stated = technology.load("sky130").errors["unseen_families"]["delay"]
    assert errors["delay_ns"] == {k: stated[f"error_{k}_percent"] for k in (68, 95)}


def test_synthesis_has_the_spread_of_its_netlists():
    assert metrics.percents(SYNTHESISED) == {}
    spreads = metrics.spreads(SYNTHESISED)
    assert spreads["area_um2"] == pytest.approx(5)
    assert spreads["delay_ns"] == spreads["fmax_mhz"] == pytest.approx(10)
    # 0.95 times 1.1: of the product of each netlist.
    assert spreads["gmacs_per_s_per_mm2"] == pytest.approx(4.5)
    assert "energy_pj_per_mac" not in spreads
    assert metrics.spreads(COST) == {}


def test_plain_values_name_the_kind_of_error():
    plain = metrics.plain(PRICED)
    assert plain["error_percent"]["area_um2"] == {68: 2, 95: 6}
    assert "spread_percent" not in plain
    plain = metrics.plain(Priced(UNIT, SYNTHESISED))
    assert plain["spread_percent"]["delay_ns"] == pytest.approx(10)
    assert "error_percent" not in plain


def test_plain_values_have_every_metric_once():
    plain = metrics.plain(PRICED)
    others = {"unit", "technology", "method", "clock_ns", "macs_per_cycle_error", "error_percent",
              "wires", "provenance"}  # fmt: skip
    assert set(plain) == {*METRICS, *others}
    assert plain == plain | metrics.values(PRICED)


def test_a_technology_keeps_what_errors_are_of():
    assert fit.figures(COST) == {
        "area_um2": 2000, "delay_ns": 4, "settled_pj": 8, "energy_pj": 14
    }  # fmt: skip
    assert {field for fields in QUANTITIES.values() for field in fields} == set(fit.FIGURES)
