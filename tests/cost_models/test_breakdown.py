from types import SimpleNamespace

import numpy as np
import pytest
from amaranth.back import rtlil
from amaranth.hdl import Module, Mux, Signal
from amaranth.lib.wiring import Component, In, Out

from cost_models import estimate, netlist
from cost_models.breakdown import breakdown, breakdown_all, price
from cost_models.cost import METRICS
from cost_models.netlist import TYPES, netlist_by_part, parse
from cost_models.network import SimulationError
from cost_models.operands import default_operands
from cost_models.technology import load
from hwsim.units import make
from hwsim.units.operands import Operands
from tests.cost_models.test_netlist import gate, module

UNITS = [
    make("integer", lanes=3, weight="int4", activation="uint5", adders="operators"),
    make("bit_serial", lanes=4, weight="int4", activation="int8"),
    make("fma", lanes=1, weight="int2", activation="e4m3", accumulator="fp16"),
]


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_parts_add_up_to_the_estimate_of_their_netlist(unit, monkeypatch):
    parts = breakdown(unit, "sky130").total
    monkeypatch.setattr(estimate, "netlist", lambda unit, *_: netlist_by_part(unit))
    # Toggles that were kept are of another netlist.
    monkeypatch.setattr(estimate, "unit_key", lambda *_, **__: None)
    whole = estimate.estimate(unit, "sky130")
    assert parts.flip_flops == whole.provenance["gates"]["DFF"]
    assert parts.gates + parts.flip_flops == sum(whole.provenance["gates"].values())
    for key in ("area_um2", "settled_pj", "clock_pj", "glitch_pj", "leakage_nw"):
        assert getattr(parts, key) == pytest.approx(getattr(whole, key), rel=1e-12)


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_borders_cost_little(unit):
    result = breakdown(unit, "sky130")
    assert result.whole == estimate.estimate(unit, "sky130")
    assert result.total.area_um2 == pytest.approx(result.whole.area_um2, rel=0.15)


def test_metrics_of_parts_add_up():
    result = breakdown(UNITS[0], "sky130")
    whole = result.metrics(result.total)
    assert {name for name, metric in METRICS.items() if metric.additive} == set(whole)
    parts = [result.metrics(part) for part in result.parts.values()]
    for name, value in whole.items():
        assert value == pytest.approx(sum(part[name] for part in parts))
    energy = result.total.settled_pj + result.total.glitch_pj
    assert whole["energy_pj_per_mac"] == pytest.approx(energy / result.whole.macs_per_cycle)
    plain = result.to_dict()
    assert plain["sum_of_parts"] == whole | {
        "gates": result.total.gates,
        "flip_flops": result.total.flip_flops,
    }
    assert plain["whole"] == result.whole.to_dict()


def test_the_accumulator_has_its_registers_and_their_clock():
    parts = breakdown(UNITS[0], "sky130").parts
    assert set(parts) == {"top", "accumulator"}
    assert parts["top"].flip_flops == 0
    # The sum, the flag of an offered result, and that of a first beat.
    assert parts["accumulator"].flip_flops == UNITS[0].result.width + 2
    clock = load("sky130").least_area.clock_fj_per_cycle * 1e-3
    assert parts["accumulator"].clock_pj == pytest.approx(clock * parts["accumulator"].flip_flops)


def test_numbered_submodules_are_one_part():
    tile = make("bitmod_tile", lanes=4, activation="fp16", row_count=1, column_count=2)
    parts = netlist_by_part(tile).parts
    assert set(parts) == {"aligner", "generator", "column", "element", "top"}


def test_a_wider_part_costs_more_and_leaves_the_others_alone():
    narrow, wide = (
        breakdown(make("integer", lanes=2, weight="int4", activation="int4",
                       adders="operators", accumulator_bits=bits), "sky130").parts
        for bits in (16, 32)
    )  # fmt: skip
    # A longer accumulator leaves fewer of the other gates on paths of nearly the longest length.
    assert wide["top"].area_um2 == pytest.approx(narrow["top"].area_um2, rel=0.05)
    assert wide["top"].settled_pj == pytest.approx(narrow["top"].settled_pj, rel=0.02)
    assert wide["accumulator"].flip_flops == narrow["accumulator"].flip_flops + 16


def test_technologies_share_the_netlist():
    results = breakdown_all(UNITS[0], ["sky130", "asap7"])
    sky, seven = (results[name].total for name in ("sky130", "asap7"))
    assert (sky.gates, sky.flip_flops) == (seven.gates, seven.flip_flops)
    assert sky.area_um2 > seven.area_um2


def test_energy_follows_the_operands():
    unit = UNITS[1]
    busy = default_operands(unit)
    idle = Operands(np.zeros_like(busy.activations), busy.weights)
    parts = breakdown(unit, "sky130", idle).parts
    clocked = parts["accumulator"]
    # What is left are the flags of first and last beats.
    assert clocked.clock_pj < clocked.settled_pj < 1.01 * clocked.clock_pj
    assert clocked.settled_pj < breakdown(unit, "sky130", busy).parts["accumulator"].settled_pj


def test_gates_of_the_parts_are_checked_against_the_golden_model(monkeypatch):
    other = make("integer", lanes=1, weight="int4", activation="int4", accumulator_bits=30)
    wrong = netlist_by_part(make("integer", lanes=1, weight="uint4", activation="int4",
                                 accumulator_bits=30))  # fmt: skip
    monkeypatch.setattr("cost_models.breakdown.netlist_by_part", lambda _: wrong)
    with pytest.raises(SimulationError, match="golden model"):
        breakdown(other, "sky130")


def test_a_pin_is_paid_where_it_is(monkeypatch):
    """A flip-flop in a table drives two gates of a column; one of them drives an output."""
    cells = {
        "$flatten\\table_0.$1": gate("DFF_P", C=2, D=3, Q=5),
        "$flatten\\column_0.$2": gate("NOT", A=5, Y=6),
        "$flatten\\column_1.$3": gate("AND", A=5, B=3, Y=7),
        "$auto$ff.cc:1:slice$4": gate("NOT", A=7, Y=8),
    }
    design = module([], inputs=[3], outputs=[6, 8])
    design["cells"] = cells
    gates = parse(design, "default", ["table_0", "column_0", "column_1"])
    assert gates.parts.tolist() == ["table", "column", "column", "top"]
    # Constants, the input, the flip-flop, NOT, AND, NOT.
    toggles = np.array([0, 0, 0.9, 0.5, 0.4, 0.3, 0.2])
    glitches = np.array([0, 0, 0, 0, 0.1, 0.6, 0.8])
    sky = load("sky130")
    sizing = sky.least_area
    monkeypatch.setattr("cost_models.breakdown.hazards_by_net", lambda *_: glitches)
    parts = price(gates, SimpleNamespace(toggles=toggles, transitions=None), sky)
    own = dict(zip(TYPES, estimate.vector(sizing.energy_fj_per_toggle, TYPES), strict=True))
    pin = sizing.energy_fj_per_toggle_and_load
    expected = {
        "table": sizing.clock_fj_per_cycle + 0.5 * own["DFF"],
        "column": 0.4 * own["NOT"] + 0.3 * own["AND"] + (0.5 + 0.5 + 0.4) * pin,
        "top": 0.2 * own["NOT"] + (0.3 + 0.2) * pin,
    }
    assert {name: part.settled_pj * 1e3 for name, part in parts.items()} == pytest.approx(expected)
    own, pin = sizing.glitch_fj_per_toggle, sizing.glitch_fj_per_toggle_and_load
    expected = {
        "table": 0.0,
        "column": 0.1 * own["NOT"] + 0.6 * own["AND"] + 0.1 * pin,
        "top": 0.8 * own["NOT"] + (0.6 + 0.8) * pin,
    }
    assert {name: part.glitch_pj * 1e3 for name, part in parts.items()} == pytest.approx(expected)
    assert list(parts) == sorted(parts, key=lambda name: -parts[name].area_um2)


class Inner(Component):
    """An output that nobody reads, one that is constant, an input that does not matter."""

    i: In(2)
    unused: In(1)
    o: Out(1)
    constant: Out(1)
    unread: Out(1)

    def elaborate(self, platform):
        m = Module()
        held = Signal()
        m.d.sync += held.eq(self.i[0] & self.i[1])
        m.d.comb += [self.o.eq(held), self.constant.eq(1), self.unread.eq(~held)]
        return m


class Outer(Component):
    """Reads one output of the inner module and gives it the same bit twice."""

    a: In(1)
    y: Out(1)

    def elaborate(self, platform):
        m = Module()
        m.submodules.inner = inner = Inner()
        m.submodules.empty = Module()
        m.d.comb += [
            inner.i.eq(self.a.replicate(2)),
            self.y.eq(Mux(inner.constant, inner.o, ~self.a)),
        ]
        return m


def test_dead_and_constant_logic_at_borders(monkeypatch):
    unit = make("integer", lanes=1, weight="int2", activation="int2")
    text = rtlil.convert(Outer(), name=unit.name, emit_src=False)
    monkeypatch.setattr(netlist, "rtlil_text", lambda _: text)
    # Else this would be kept as the unit's.
    monkeypatch.setattr(netlist, "unit_key", lambda _: None)
    gates = netlist_by_part.__wrapped__(unit)
    assert gates.parts[0] == "inner"
    assert set(gates.parts) <= {"inner", "top"}
    assert len(gates.data) == 1


def test_a_unit_without_parts_is_one_part(monkeypatch):
    unit = make("integer", lanes=1, weight="int2", activation="int2")
    text = rtlil.convert(Inner(), name=unit.name, emit_src=False)
    monkeypatch.setattr(netlist, "rtlil_text", lambda _: text)
    # Else this would be kept as the unit's.
    monkeypatch.setattr(netlist, "unit_key", lambda _: None)
    assert set(netlist_by_part.__wrapped__(unit).parts) == {"top"}
    assert netlist.netlist.__wrapped__(unit).parts is None
