"""Figures and factors of wires: what is read, what is refused, and what is fitted."""

import json
from dataclasses import asdict, replace
from importlib.resources import files

import numpy as np
import pytest
import yaml

from cost_models import technology, wires
from cost_models.cost import Cost
from cost_models.estimate import estimate
from cost_models.wires import Sample
from hwsim.errors import InputError
from hwsim.units import make
from tests.technologies import simple

DATA = yaml.safe_load((files("cost_models.data") / "wires.yaml").read_text())
FIGURES = DATA["sky130"]["figures"]
FACTORS = {
    "utilisation": 0.7,
    "delay": 0.1,
    "data": 0.2,
    "clock": 0.3,
    "areas_um2": [500.0, 2000.0],
    "errors": {
        "left_out": {"units": 5, "delay": 1.0, "data": 2.0, "clock": 3.0},
        "held_out": {"units": 4, "delay": 1.5, "data": 2.5, "clock": 3.5},
    },
    "source": "measured",
}


def test_wires_of_a_library_that_no_estimates_are_of():
    assert wires.figures("sg13g2").site_um == (0.48, 3.78)


@pytest.mark.parametrize("name", technology.shipped())
def test_wires_of_the_shipped_technologies_are_known(name):
    figures, factors = wires.figures(name), wires.factors(name)
    assert 0.1 < figures.capacitance_ff_per_um < 0.3
    assert figures.site_um[0] < figures.site_um[1]
    for share in (factors.delay, factors.data, factors.clock):
        assert 0 < share < 0.5


def test_a_technology_file_counts_before_our_figures():
    given = {"figures": FIGURES | {"capacitance_ff_per_um": 0.5}, "factors": FACTORS}
    assert wires.figures("osu018", given).capacitance_ff_per_um == 0.5
    assert wires.figures("mine", given).clock_buffer == FIGURES["clock_buffer"]
    assert wires.factors("osu018", given).delay == 0.1
    assert wires.figures("osu018", {"figures": None}) == wires.figures("osu018")


@pytest.mark.parametrize("read", [wires.figures, wires.factors])
def test_unknown_technology(read):
    message = r"nothing is known of the wires of mine; allowed: sky130, .*, or a technology file"
    with pytest.raises(InputError, match=message):
        read("mine", None)


@pytest.mark.parametrize(
    ("part", "change", "message"),
    [
        ("figures", {"site_um": [1]}, "site_um must be a width and a height"),
        ("figures", {"site_um": [0, 1]}, "site_um must be positive"),
        ("figures", {"capacitance_ff_per_um": -1}, "capacitance_ff_per_um must be positive"),
        ("figures", {"resistance_ohm_per_um": "1"}, "resistance_ohm_per_um must be a number"),
        ("figures", {"clock_fanout": 1}, "clock_fanout must be a number from 2 up"),
        ("figures", {"clock_buffer": ""}, "clock_buffer must be text"),
        ("figures", {"clock_bufer": "x"}, "unknown key .*clock_bufer"),
        ("factors", {"utilisation": 1.5}, "utilisation must be at most 1"),
        ("factors", {"delay": -0.1}, "delay must be positive"),
        ("factors", {"data": "a tenth"}, "data must be a number"),
        ("factors", {"errors": {}}, "errors must have left_out, held_out"),
        ("factors", {"errors": 1}, "errors must have left_out, held_out"),
        (
            "factors",
            {"errors": FACTORS["errors"] | {"held_out": {"units": 1}}},
            "errors.held_out must have units, delay, data, clock",
        ),
        ("factors", {"areas_um2": [1]}, "areas_um2 must be a smallest and a largest area"),
        ("factors", {"source": ""}, "source must be text"),
        ("factors", {"clock": float("nan")}, "clock must be a number"),
    ],
)
def test_what_is_no_value(part, change, message):
    data = (FIGURES if part == "figures" else FACTORS) | change
    with pytest.raises(InputError, match=rf"mine: wires.{part}.*{message}"):
        getattr(wires, part)("mine", {part: data})


@pytest.fixture
def text(tmp_path):
    """A technology's file without the key."""
    technology.write(simple(), tmp_path / "simple.yaml")
    text = (tmp_path / "simple.yaml").read_text()
    assert text.count("\nwires: null\n") == 1
    return text.replace("\nwires: null\n", "\n")


def test_key_of_a_technology_file(text):
    assert technology.parse(text, "simple.yaml").wires is None
    given = yaml.safe_dump({"wires": {"figures": FIGURES, "factors": FACTORS}})
    assert technology.parse(text + given, "mine").wires["factors"] == FACTORS
    assert technology.parse(text + "wires: null\n", "mine").wires is None
    line = len(text.splitlines()) + 1
    with pytest.raises(InputError, match=rf"mine:{line}: wires: .*figurs.*figures"):
        technology.parse(text + "wires: {figurs: 1}\n", "mine")
    with pytest.raises(InputError, match=rf"mine:{line}: wires must be a mapping or null"):
        technology.parse(text + "wires: 3\n", "mine")
    with pytest.raises(InputError, match=rf"mine:{line}: wires.figures must be a mapping"):
        technology.parse(text + "wires: {figures: 3}\n", "mine")


def test_written_technology_keeps_wires(text, tmp_path):
    given = yaml.safe_dump({"wires": {"factors": FACTORS}})
    technology.write(technology.parse(text + given, "mine"), tmp_path / "mine.yaml")
    assert technology.read(tmp_path / "mine.yaml").wires == {"factors": FACTORS}


def samples(*delays):
    return [Sample(100.0 * (k + 1), delay, 0.2, 0.3) for k, delay in enumerate(delays)]


def fit(samples, held_out=None):
    return wires.fit(samples, held_out or samples[:1], 0.7, "measured")


def test_fit_has_the_least_error_of_totals():
    found = np.array([0.05, 0.3, 0.1, 0.12])
    fitted = fit(samples(*found))
    assert (fitted.data, fitted.clock) == (0.2, 0.3)
    assert fitted.areas_um2 == (100, 400)

    def error(share):
        return (((1 + share) / (1 + found) - 1) ** 2).sum()

    assert error(fitted.delay) < min(error(fitted.delay - 1e-3), error(fitted.delay + 1e-3))
    assert [errors["units"] for errors in fitted.errors.values()] == [4, 1]
    assert wires.read_factors(asdict(fitted), "fitted") == fitted


def test_errors_are_those_of_units_left_out():
    """One unit is off what all others say, and moves the shares without others."""
    errors = fit(samples(0.1, 0.1, 0.21, 0.1)).errors["left_out"]
    others = np.average([0.1, 0.1, 0.21], weights=[1.1**-2, 1.1**-2, 1.21**-2])
    expected = np.mean([0.11 / 1.21, *3 * [(others - 0.1) / 1.1]])
    assert errors["delay"] == pytest.approx(100 * expected, abs=0.005)
    assert errors["data"] == errors["clock"] == 0


def test_errors_are_those_of_held_out_units():
    errors = fit(samples(0.1, 0.1, 0.1), samples(0.21, 0.1)).errors["held_out"]
    assert errors["delay"] == pytest.approx(100 * 0.11 / 1.21 / 2, abs=0.005)
    assert errors["data"] == 0


def test_what_cannot_be_fitted():
    with pytest.raises(InputError, match="2 units and 1 held out are too few"):
        fit(samples(0.1, 0.2))
    with pytest.raises(InputError, match="3 units and 0 held out are too few"):
        wires.fit(samples(0.1, 0.2, 0.3), [], 0.7, "measured")
    with pytest.raises(InputError, match="wires add no delay to a unit"):
        fit(samples(0.1, 0.0, 0.1))


COST = Cost(
    unit="u", technology="mine", method="estimate", area_um2=4000.0, delay_ns=2.0, settled_pj=5.0,
    clock_pj=1.0, glitch_pj=3.0, leakage_nw=1.0, macs_per_cycle=2.0,
)  # fmt: skip


def test_estimate_by_hand():
    added = wires.estimated(COST, wires.read_factors(FACTORS, "mine"))
    assert added.delay_ns == pytest.approx(0.1 * 2)
    assert added.settled_pj == pytest.approx(0.2 * 4)
    assert added.glitch_pj == pytest.approx(0.2 * 3)
    assert added.clock_pj == pytest.approx(0.3)
    assert added.core_area_um2 == pytest.approx(4000 / 0.7)
    assert added.length_um is None
    assert added.provenance["errors"] == FACTORS["errors"]
    assert added.provenance["source"] == "measured"


def test_wires_are_beside_the_figures_of_cells():
    added = wires.estimated(COST, wires.read_factors(FACTORS, "mine"))
    cost = replace(COST, wires=added)
    assert cost.metrics() == COST.metrics()
    assert cost.core_area_um2 == added.core_area_um2
    assert cost.delay_with_wires_ns == 2 + added.delay_ns
    more = added.settled_pj + added.glitch_pj + added.clock_pj
    assert cost.energy_with_wires_pj_per_mac == pytest.approx((8 + more) / 2)
    plain = cost.to_dict()["wires"]
    assert plain["energy_with_wires_pj_per_mac"] == cost.energy_with_wires_pj_per_mac
    assert plain["settled_pj"] == added.settled_pj
    assert json.loads(json.dumps(plain)) == plain
    assert COST.to_dict()["wires"] is None
    without = COST.core_area_um2, COST.delay_with_wires_ns, COST.energy_with_wires_pj_per_mac
    assert without == (None, None, None)


def test_estimates_have_wires_if_asked():
    loaded = simple(wires={"factors": FACTORS})
    unit = make("integer", lanes=1, weight="int2", activation="int2")
    plain, wired = (estimate(unit, loaded, wires=wanted) for wanted in (False, True))
    assert plain.wires is None
    assert wired == replace(
        plain, wires=wires.estimated(plain, wires.factors("simple", loaded.wires))
    )
    message = "nothing is known of the wires of simple; allowed: sky130"
    with pytest.raises(InputError, match=message):
        estimate(unit, simple(), wires=True)
