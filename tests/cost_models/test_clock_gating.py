"""Enables in generic gates, and what clock gates add to an estimate."""

from dataclasses import replace

import numpy as np
import pytest

from cost_models import estimate as estimates
from cost_models.activity import SimulationError, simulate
from cost_models.clock_gating import gate_costs
from cost_models.cost import Cost
from cost_models.enables import SMALLEST_GROUP
from cost_models.estimate import Hazards, PathDelays, critical_path, end, estimate_all, features
from cost_models.netlist import GATES, TYPES, netlist, pack, parse, unpack
from cost_models.operands import default_operands
from cost_models.technology import Sizing
from hwsim.errors import InputError
from hwsim.units import make

#: Registers with a reset of their own and without one, both with enables.
UNIT = make("bitmod", lanes=1, activation="fp16", group_size=8)

GATES_OF_LIBRARY = [
    {"cell": "small", "flip_flops": 4, "area_um2": 10.0, "leakage_nw": 1.0,
     "closed_fj_per_cycle": 3.0, "open_fj_per_cycle": 5.0},
    {"cell": "large", "flip_flops": 8, "area_um2": 20.0, "leakage_nw": 2.0,
     "closed_fj_per_cycle": 4.0, "open_fj_per_cycle": 8.0},
]  # fmt: skip


def registers(count, enable=None):
    """Flip-flops without logic, of which the first are loaded if input 3 is 1."""
    cells = {}
    for k in range(count):
        pins = {"C": [2], "D": [4], "Q": [10 + k]}
        if enable is not None and k < enable:
            cells[str(k)] = {"type": "$_DFFE_PP_", "connections": pins | {"E": [3]}}
        else:
            cells[str(k)] = {"type": "$_DFF_P_", "connections": pins}
    ports = {name: {"direction": "input", "bits": [bit]} for name, bit in
             (("clk", 2), ("e", 3), ("d", 4))}  # fmt: skip
    ports["q"] = {"direction": "output", "bits": [10 + k for k in range(count)]}
    return parse({"ports": ports, "cells": cells}, "default")


@pytest.fixture(scope="module")
def gated():
    return netlist(UNIT, clock_gating=True)


def test_enables_are_nets():
    gates = registers(3, enable=2)
    (e,) = gates.inputs["e"]
    np.testing.assert_array_equal(gates.enables, [e, e, 1])
    assert [values.tolist() for values in gates.groups()] == [[e], [2]]
    # A group's clock gate is one load.
    assert gates.fanout()[e] == 1
    np.testing.assert_array_equal(registers(3).enables, [1, 1, 1])
    np.testing.assert_array_equal(unpack(pack(gates)).enables, gates.enables)


def test_enables_come_in_groups_and_save_multiplexers(gated):
    plain = netlist(UNIT)
    assert len(gated.data) == len(plain.data)
    assert (plain.enables == 1).all()
    nets, sizes = gated.groups()
    assert len(nets) > 2
    assert sizes.min() >= SMALLEST_GROUP
    # Those whose reset acts without their enable, too.
    assert sizes.sum() > 0.8 * len(gated.data)
    multiplexers = GATES.index("MUX")
    assert plain.counts()[multiplexers] > gated.counts()[multiplexers]


def test_gated_gates_compute_what_the_golden_model_says(gated):
    activity = simulate(UNIT, gated, default_operands(UNIT))
    nets, _ = gated.groups()
    assert activity.ones[1] == 1
    assert activity.ones[nets].min() < 0.5 < activity.ones[nets].max() <= 1
    others = np.setdiff1d(np.arange(gated.nets), [1, *nets])
    assert not activity.ones[others].any()
    # Nothing is loaded and nothing moves while no beat is offered.
    assert activity.idle.ones[1] == 1
    assert not activity.idle.ones[nets].any()
    assert not activity.idle.toggles.any()


def test_other_enables_compute_something_else(gated):
    operands = default_operands(UNIT)
    stuck = replace(gated, enables=np.where(gated.enables == 1, 1, 0))
    with pytest.raises(SimulationError):
        simulate(UNIT, stuck, operands)
    opened = replace(gated, enables=np.ones_like(gated.enables))
    with pytest.raises(SimulationError):
        simulate(UNIT, opened, operands)


def test_costs_of_gates_by_hand():
    gates = registers(7, enable=5)
    (e,) = gates.inputs["e"]
    ones = np.zeros(gates.nets)
    ones[e] = 0.25
    costs = gate_costs(gates, GATES_OF_LIBRARY, 2.0, ones)
    # Five flip-flops need the large gate; two are clocked in every cycle.
    assert (costs.area_um2, costs.leakage_nw) == (20.0, 2.0)
    assert costs.clock_fj == pytest.approx(2 * 2.0 + 0.75 * 4.0 + 0.25 * (8.0 + 5 * 2.0))
    small = gate_costs(registers(4, enable=4), GATES_OF_LIBRARY, 2.0, ones)
    assert small.area_um2 == 10.0
    free = gate_costs(registers(4), None, 2.0, ones)
    assert (free.area_um2, free.leakage_nw, free.clock_fj) == (0.0, 0.0, 8.0)


def test_a_library_without_clock_gates_is_said_so(monkeypatch):
    monkeypatch.setattr(estimates, "features", None)
    with pytest.raises(
        InputError, match=r"clock_gating=True: osu018 has no clock gate.*asap7, sky"
    ):
        estimate_all(UNIT, ["sky130", "osu018"], clock_gating=True)


def test_a_path_may_end_at_a_clock_gate():
    """Its enable has to be there a setup before the edge."""
    cells = {
        "x": {"type": "$_NOT_", "connections": {"A": [3], "Y": [5]}},
        "y": {"type": "$_NOT_", "connections": {"A": [5], "Y": [6]}},
        "q": {"type": "$_DFFE_PP_", "connections": {"C": [2], "D": [3], "E": [6], "Q": [7]}},
    }
    ports = {name: {"direction": "input", "bits": [bit]} for name, bit in (("clk", 2), ("d", 3))}
    ports["o"] = {"direction": "output", "bits": [7]}
    gates = parse({"ports": ports, "cells": cells}, "default")
    delays = PathDelays(np.array([1.0] * len(GATES) + [0.0, 10.0, 100.0]))
    assert critical_path(gates, delays).delay_ns == pytest.approx(10 + 2 + 100)


def ones_for(types):
    return dict.fromkeys(types, 1.0)


def test_an_idle_cycle_takes_the_clock_that_is_left(gated):
    """With a fJ for everything: one for each free clock pin, three for each closed gate."""
    sizing = Sizing(
        area_um2=ones_for(TYPES), area_um2_per_shared_gate=0.0, area_um2_per_critical_doubling=0.0,
        leakage_nw=ones_for(TYPES), delay_ns=ones_for(GATES), delay_ns_per_doubling=0.0,
        clock_to_output_ns=1.0, setup_ns=1.0, energy_fj_per_toggle=ones_for(TYPES),
        energy_fj_per_toggle_and_load=0.0, glitch_fj_per_toggle=ones_for(GATES),
        glitch_fj_per_toggle_and_load=0.0, clock_fj_per_cycle=1.0,
    )  # fmt: skip
    gates = [GATES_OF_LIBRARY[0] | {"flip_flops": 1000}]
    measured = features(UNIT, clock_gating=True)
    found = end(measured, Hazards(np.zeros(len(GATES)), 0.0), sizing, gates)
    nets, sizes = gated.groups()
    free = len(gated.data) - sizes.sum()
    assert found.idle_pj == pytest.approx((free + 3.0 * len(nets)) * 1e-3)
    assert found.clock_pj > found.idle_pj
    cells = len(gated.types) + len(gated.data)
    assert found.area_um2 == pytest.approx(cells + 10.0 * len(nets))
    assert found.leakage_nw == pytest.approx(cells + 1.0 * len(nets))


def test_leakage_per_mac_is_power_times_period():
    """2 mW for 4 ns are 8 pJ, for 8 MACs."""
    cost = Cost(
        "u", "t", "synthesis", area_um2=1.0, delay_ns=3.0, settled_pj=1.0, clock_pj=0.5,
        glitch_pj=0.0, leakage_nw=2e6, macs_per_cycle=8.0, clock_ns=4.0, idle_pj=0.25,
    )  # fmt: skip
    assert cost.leakage_pj_per_mac == pytest.approx(1.0)
    assert replace(cost, clock_ns=None).leakage_pj_per_mac == pytest.approx(0.75)
    assert cost.metrics()["idle_pj"] == 0.25
