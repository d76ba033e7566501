"""A clock to meet: what an estimate takes there, and which errors it has."""

import math
from dataclasses import replace
from functools import cache
from typing import Any

import pytest

from cost_models import estimate as estimates
from cost_models import frames, metrics, technology
from cost_models.cost import Cost, Objective
from cost_models.estimate import End, between, densest, estimate, estimate_all, estimate_each
from cost_models.phrases import errors_phrase
from cost_models.synthesis import synthesize
from cost_models.technology import Curve, Technology
from hwsim.errors import InputError
from hwsim.units import UnitSpec, make
from tests.technologies import errors, simple

UNIT = make("integer", lanes=1, weight="int2", activation="int2")


@cache
def at(clock_ns: float | None = None, objective: Any = "area") -> Cost:
    return estimate(UNIT, simple(), objective=objective, clock_ns=clock_ns)


def test_the_least_area_that_meets_a_clock_is_between_the_ends() -> None:
    smallest, fastest = at(), at(objective="speed")
    assert fastest.delay_ns == pytest.approx(smallest.delay_ns / 2)
    assert fastest.area_um2 == pytest.approx(smallest.area_um2 * 2)
    half = 0.75 * smallest.delay_ns
    cost = at(half)
    assert (cost.delay_ns, cost.slack_ns, cost.period_ns) == (half, 0.0, half)
    # Half of the way in delay is a quarter in area, by the curve's exponent, and half in energy.
    assert cost.area_um2 == pytest.approx(1.25 * smallest.area_um2)
    assert cost.energy_pj == pytest.approx(1.5 * smallest.energy_pj)
    assert cost.gmacs_per_s == pytest.approx(cost.macs_per_cycle / half)
    assert cost.provenance["objective"] == "clock"


def test_a_slow_clock_leaves_slack_and_a_fast_one_is_missed() -> None:
    smallest, fastest = at(), at(objective="speed")
    slow = at(100.0)
    assert (slow.area_um2, slow.delay_ns) == (smallest.area_um2, smallest.delay_ns)
    assert slow.slack_ns == 100 - smallest.delay_ns
    assert slow.gmacs_per_s == pytest.approx(0.01 * slow.macs_per_cycle)
    assert slow.leakage_pj_per_mac > smallest.leakage_pj_per_mac
    fast = at(0.5)
    assert (fast.area_um2, fast.delay_ns) == (fastest.area_um2, fastest.delay_ns)
    assert fast.slack_ns == 0.5 - fastest.delay_ns
    assert fast.gmacs_per_s == fastest.gmacs_per_s


@pytest.mark.parametrize(
    ("area_um2", "exponent", "share"),
    [
        # At a share s, area times delay is (1 + s^2) (2 - s), and its derivative 4 s - 3 s^2 - 1.
        (2.0, 2.0, 1 / 3),
        # (1 + s / 2) (2 - s) falls, and (1 + 8 s) (2 - s) is least at an end.
        (1.5, 1.0, 1.0),
        (9.0, 1.0, 0.0),
    ],
)
def test_the_densest_is_where_area_times_delay_is_least(
    area_um2: float, exponent: float, share: float
) -> None:
    smallest, fastest = (
        End(area, delay, 1.0, 0.1, 0.1, 1.0, 0.2) for area, delay in ((1, 2), (area_um2, 1))
    )
    found = densest(smallest, fastest, Curve(area=exponent, energy=1.0))
    assert found.delay_ns == pytest.approx(2 - share, abs=1 / 128)
    assert found.area_um2 == pytest.approx(1 + (area_um2 - 1) * (2 - found.delay_ns) ** exponent)


def test_an_estimate_of_density_has_the_most_throughput_per_area() -> None:
    # At both ends area times delay is the same, and at a third of the way 50/54 of it.
    ends = at(), at(objective="speed")
    best = at(objective="density")
    for end in ends:
        gain = best.gmacs_per_s_per_mm2 / end.gmacs_per_s_per_mm2
        assert gain == pytest.approx(54 / 50, rel=1e-3)
    clocks = [ends[1].delay_ns * (1 + k / 10) for k in range(11)]
    assert best.gmacs_per_s_per_mm2 >= max(at(clock).gmacs_per_s_per_mm2 for clock in clocks)
    assert (best.clock_ns, best.slack_ns, best.period_ns) == (None, None, best.delay_ns)
    assert best.provenance["objective"] == "density"
    assert metrics.errors(best) == metrics.errors(ends[1]) == errors(10.0)


def test_rounding_does_not_miss_a_clock() -> None:
    smallest, fastest = (
        End(area, delay, 1.0, 0.1, 0.1, 1.0, 0.2) for area, delay in ((1, 3.3), (2, 1))
    )
    for k in range(1, 1000):
        clock_ns = 1 + 0.0023 * k
        assert (
            between(smallest, fastest, Curve(area=1.5, energy=1.5), clock_ns).delay_ns == clock_ns
        )


def test_targets_of_one_unit_are_simulated_once(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []
    features, hazards = estimates.features, estimates.hazards
    monkeypatch.setattr(
        estimates,
        "features",
        lambda *given, **named: calls.append("features") or features(*given, **named),
    )
    monkeypatch.setattr(
        estimates, "hazards", lambda *given: calls.append("hazards") or hazards(*given)
    )
    other = simple("other", least_area=replace(simple().least_area, setup_ns=1.0))
    wanted: list[tuple[str | Technology, Objective, float | None]] = [
        (simple(), "area", None), (other, "area", 8.0), (simple(), "area", 8.0),
        (other, "density", None),
    ]  # fmt: skip
    costs = estimate_each(UNIT, wanted)
    assert calls == ["features", "hazards", "hazards"]
    monkeypatch.undo()
    for cost, (found, objective, clock_ns) in zip(costs, wanted, strict=True):
        assert cost == estimate(UNIT, found, objective=objective, clock_ns=clock_ns)
    with pytest.raises(InputError, match=r"clock_ns=0.0: allowed: a positive period in ns"):
        estimate_each(UNIT, [(simple(), "area", 0.0)])
    unknown: Any = "dense"
    with pytest.raises(InputError, match="unknown objective 'dense'; did you mean 'density'"):
        estimate_each(UNIT, [(simple(), unknown, None)])


@pytest.mark.parametrize("objective", ["speed", "density"])
def test_a_clock_and_an_objective_exclude_each_other(objective: Objective) -> None:
    message = rf"objective='{objective}' with clock_ns=5: allowed: an objective or a clock"
    with pytest.raises(InputError, match=message):
        estimate(UNIT, simple(), objective=objective, clock_ns=5)
    with pytest.raises(InputError, match=message):
        estimate_each(UNIT, [(simple(), objective, 5)])
    with pytest.raises(InputError, match=message):
        synthesize(UNIT, "osu018", objective=objective, clock_ns=5)


@pytest.mark.parametrize("clock_ns", [0, -1.0, math.inf, math.nan, "5", True])
def test_clocks_that_are_none(clock_ns: Any) -> None:
    with pytest.raises(InputError, match=r"clock_ns=.*: allowed: a positive period in ns, or None"):
        estimate_all(UNIT, [simple()], clock_ns=clock_ns)


def test_the_stated_clock_of_a_technology_is_positive(tmp_path: Any) -> None:
    technology.write(simple(clock_ns=0.0), tmp_path / "simple.yaml")
    with pytest.raises(InputError, match=r"simple.yaml:\d+: clock_ns must be positive, not 0"):
        technology.load(str(tmp_path / "simple.yaml"))


def test_errors_are_those_of_units_mapped_for_the_same() -> None:
    area, speed, clock = errors(1.0), errors(10.0), errors(20.0)
    assert metrics.errors(at()) == area
    assert metrics.errors(at(objective="speed")) == speed
    # What no mapping makes meet the clock is mapped for the least delay.
    assert metrics.errors(at(0.5)) == speed
    timeless = {"area", "settled_energy", "energy"}
    assert metrics.errors(at(8.0)) == {name: clock[name] for name in timeless}
    known = metrics.percents(at(8.0))
    assert known["area_um2"] == {68: 20.0, 95: 40.0}
    assert known["energy_pj_per_mac"] == {68: 23.0, 95: 46.0}
    # At a clock that is met, density is exact but for the area.
    assert known["gmacs_per_s_per_mm2"] == known["area_um2"]
    assert not known.keys() & {"delay_ns", "fmax_mhz", "gmacs_per_s", "slack_ns"}
    ratios = metrics.ratio_errors(at(8.0))
    assert ratios["area_um2"] == ratios["gmacs_per_s_per_mm2"] == 30.0
    assert "delay_ns" not in ratios
    assert metrics.ratio_errors(at())["delay_ns"] == 3.0
    # Where the least area meets the clock, nothing was traded for it.
    loose = metrics.percents(at(100.0))
    assert metrics.errors(at(100.0)) == area
    assert loose["delay_ns"] == loose["fmax_mhz"] == metrics.percents(at())["delay_ns"]
    assert loose["area_um2"] == loose["gmacs_per_s_per_mm2"] == metrics.percents(at())["area_um2"]
    assert not loose.keys() & {"gmacs_per_s", "slack_ns"}
    missed = metrics.percents(at(0.5))
    assert missed["delay_ns"] == missed["gmacs_per_s"] == {68: 11.0, 95: 22.0}
    assert "slack_ns" not in missed


def test_errors_that_a_technology_does_not_have_are_unknown() -> None:
    own = simple(errors={"unseen_units": errors(1.0)})
    cost = estimate(UNIT, own, clock_ns=8.0)
    assert metrics.percents(cost) == {}
    assert errors_phrase(metrics.errors(cost)) == "error of the estimate unknown"


def synthesised(clock_ns: float | None, **changes: Any) -> Cost:
    """A netlist of 100 um^2 and 2 ns that was chosen from three."""
    found = [
        {"area_um2": area, "delay_ns": delay} for area, delay in ((100, 2.0), (110, 1.9), (90, 2.5))
    ]
    return replace(
        Cost("u", "mine", "synthesis", 100.0, 2.0, 1.0, 0.1, 0.1, 1.0, 1.0, clock_ns=clock_ns,
             provenance={"candidates": found}),
        **changes,
    )  # fmt: skip


def test_the_spread_at_a_clock_is_that_of_netlists_that_meet_it() -> None:
    assert metrics.spreads(synthesised(None)) == pytest.approx(
        dict.fromkeys(("area_um2", "area_um2_per_mac_per_cycle"), 10.0)
        | dict.fromkeys(("delay_ns", "fmax_mhz", "gmacs_per_s"), 25.0)
        | {"gmacs_per_s_per_mm2": 12.5}
    )
    assert metrics.spreads(synthesised(2.2)) == pytest.approx(
        dict.fromkeys(
            ("area_um2", "area_um2_per_mac_per_cycle", "gmacs_per_s_per_mm2"), 10.0
        )
        | dict.fromkeys(("delay_ns", "fmax_mhz"), 5.0)
    )  # fmt: skip
    # One netlist says nothing about others.
    assert metrics.spreads(synthesised(1.95, delay_ns=1.9, area_um2=110.0)) == {}
    # Where none meets it, all were candidates for the fastest.
    assert metrics.spreads(synthesised(1.0)) == metrics.spreads(synthesised(None))


def test_the_clock_is_in_json_and_tables() -> None:
    assert at(8.0).to_dict()["clock_ns"] == 8.0
    assert at().to_dict()["clock_ns"] is None
    assert at().to_dict()["macs_per_cycle_error"] == 0
    table = frames.costs([at(), at(8.0)])
    assert table["clock_ns"].fillna(0).tolist() == [0.0, 8.0]
    assert table["slack_ns"].fillna(1).tolist() == [1.0, 0.0]
    alone = frames.costs([at()])
    assert alone["slack_ns"].dtype == alone["clock_ns"].dtype == "float64"


def test_units_whose_cycles_depend_on_operands_have_a_standard_error() -> None:
    unit: UnitSpec = make(
        "bit_serial", lanes=2, weight="int4", activation="int4", digits="essential"
    )
    assert estimate(unit, simple()).to_dict()["macs_per_cycle_error"] > 0
