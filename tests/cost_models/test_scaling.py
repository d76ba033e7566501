import json
from fractions import Fraction
from itertools import pairwise

import pytest

from cost_models import data, scaling, technology
from cost_models.cost import Cost
from hwsim import cli
from hwsim.errors import InputError


def cost(name="asap7", **changes):
    values = {
        "unit": "u", "technology": name, "method": "estimate", "area_um2": 100.0, "delay_ns": 1.0,
        "settled_pj": 2.0, "clock_pj": 0.5, "glitch_pj": 0.25, "leakage_nw": 10.0,
        "macs_per_cycle": 1.0,
    }  # fmt: skip
    return Cost(**values | changes)


def test_every_technology_is_an_anchor():
    assert sorted(scaling.ANCHORS) == technology.names()
    for anchor in scaling.ANCHORS.values():
        assert bool(anchor.missing) == (set(anchor.quantities) != set(scaling.QUANTITIES))


@pytest.mark.parametrize(
    ("from_node", "to_node", "expected"),
    [(7, 45, 17), (7, 16, 3.2), (130, 45, 0.16), (130, 16, 0.030)],
)
def test_stillmaker_areas_are_those_of_the_paper(from_node, to_node, expected):
    factor = scaling.factor("stillmaker2017", "area", from_node, to_node)
    assert factor.low == factor.high == expected


def test_supply_is_the_anchors():
    supplies = {row["supply_v"] for row in data.read("scaling.csv") if row["node"] == "7"} - {""}
    corner = technology.load("asap7").provenance["corner"]
    assert {float(supply) for supply in supplies} == {corner["voltage_v"]}


# Evaluated by hand, exactly: high performance and low power at nominal supplies.
def energy(a2, a1, a0, volts):
    v = Fraction(volts)
    return Fraction(a2) * v * v + Fraction(a1) * v + Fraction(a0)


def test_stillmaker_energies_are_polynomials_in_the_supply():
    at_7 = energy("0.1776", "-0.09097", "0.02447", "0.7")
    at_45 = energy("1.018", "-0.3107", "0.1539", "1.0")
    low_power_7 = energy("0.09365", "-0.03409", "0.02043", "0.7")
    low_power_45 = energy("1.103", "-0.362", "0.2767", "1.1")
    factor = scaling.factor("stillmaker2017", "energy", 7, 45)
    assert factor.low == pytest.approx(float(at_45 / at_7), rel=1e-9)
    assert factor.high == pytest.approx(float(low_power_45 / low_power_7), rel=1e-9)


def test_stillmaker_agrees_with_the_authors_corrigendum():
    # 32 nm, high performance, 0.9 V: the corrigendum prints 0.4571.
    (row,) = (
        row for row in data.read("scaling.csv")
        if (row["quantity"], row["variant"], row["node"]) == ("energy", "high performance", "32")
    )  # fmt: skip
    a2, a1, a0 = row["coefficients"].split(";")
    assert row["supply_v"] == "0.9"
    assert round(float(energy(a2, a1, a0, "0.9")), 4) == 0.4571


@pytest.mark.parametrize(
    ("quantity", "expected"),
    [("area", 0.35 / 0.011), ("delay", 0.67 / 0.53), ("energy", 0.37 / 0.11)],
)
def test_deepscale_has_28_nm(quantity, expected):
    factor = scaling.factor("deepscale2021", quantity, 7, 28)
    assert factor.low == factor.high == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("quantity", ["area", "energy"])
@pytest.mark.parametrize("source", scaling.SOURCES)
def test_factors_fall_with_the_node(source, quantity):
    factors = [scaling.factor(source, quantity, 7, node) for node in (45, 28, 16, 7)]
    for larger, smaller in pairwise(factors):
        assert larger.low > smaller.low
        assert larger.high > smaller.high
    assert factors[-1].low == factors[-1].high == 1


@pytest.mark.parametrize("node", scaling.NODES)
@pytest.mark.parametrize("name", scaling.anchors())
def test_bands_contain_both_sources(name, node):
    found = scaling.bands(cost(name, method="synthesis"), node)
    assert [band.quantity for band in found] == list(scaling.ANCHORS[name].quantities)
    for band in found:
        value = getattr(cost(), scaling.QUANTITIES[band.quantity][0])
        assert band.low < band.high
        assert {factor.source for factor in band.factors} == {
            s for s, _ in scaling.SOURCES.values()
        }
        for factor in band.factors:
            assert band.low <= value * factor.low <= value * factor.high <= band.high
            assert factor.evidence.split(":")[0] in data.EVIDENCE
        assert (band.node, band.anchor, band.method) == (node, name, "synthesis")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            (cost("osu018"), "area", 45),
            "area cannot be scaled from osu018: only one of the sources",
        ),
        ((cost("sky130"), "energy", 45), "energy cannot be scaled from sky130: it runs at 1.8 V"),
        ((cost("mine"), "area", 45), "unknown technology to scale from 'mine'"),
        ((cost(), "leakage", 45), "unknown quantity 'leakage'"),
        ((cost(), "area", 22), "node=22: allowed: 45, 28, 16, in nm"),
    ],
)
def test_what_cannot_be_scaled_is_refused(arguments, message):
    with pytest.raises(InputError, match=message):
        scaling.scale(*arguments)


def test_osu018_has_no_bands():
    with pytest.raises(InputError, match="nothing can be scaled from osu018"):
        scaling.bands(cost("osu018"), 45)


def test_a_source_without_the_node_is_named():
    with pytest.raises(InputError, match="deepscale2021 has no area at 180 nm"):
        scaling.factor("deepscale2021", "area", 180, 45)


UNIT = ["cost", "integer", "lanes=1", "weight=int2", "activation=int2"]


def test_command_line_prints_bands(capsys):
    assert cli.main([*UNIT, "--scale-to", "45"]) == 0
    text = capsys.readouterr().out
    assert "osu018" not in text.split("Scaled")[0]
    assert text.count("pJ/cycle") == 1
    assert "Stillmaker & Baas" in text
    assert "DeepScaleTool" in text
    assert "sky130: nothing but area" in text


def test_command_line_bands_are_json(capsys):
    assert cli.main([*UNIT, "--technology", "asap7", "--scale-to", "16", "--json"]) == 0
    (made,) = json.loads(capsys.readouterr().out)
    assert [band["quantity"] for band in made["scaled"]] == ["area", "delay", "energy"]
    assert made["scaled"][0]["low"] == pytest.approx(3.2 * made["area_um2"])


def test_command_line_refuses_what_cannot_be_scaled(capsys):
    assert cli.main([*UNIT, "--technology", "osu018", "--scale-to", "16"]) == 2
    assert "a band needs two" in capsys.readouterr().err
