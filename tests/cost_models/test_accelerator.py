"""Energy and area of accelerators: parts, totals, and arrays composed against estimated whole."""

import math
from dataclasses import replace

import pytest

from cost_models import accelerator as module
from cost_models.accelerator import Part, Prices, Total, composed, evaluate, registers
from cost_models.accelerator_chart import shown_parts, write
from cost_models.array_size import fit
from cost_models.estimate import estimate_all
from cost_models.operands import stream_beats
from hwsim.accelerator.memory import Sram
from hwsim.accelerator.simulation import layers, times
from hwsim.accelerator.specification import load
from hwsim.accelerator.traffic import ModelError
from hwsim.accelerator.workload import workload
from hwsim.errors import InputError
from hwsim.units import make

UNIT = {"lanes": 2, "weight": "int4", "activation": "int4"}
SMALL = replace(load("int8"), name="small", unit=make("integer", **UNIT), rows=8, cols=8)
DECODE = workload("smollm2-135m", "decode", context=64)


@pytest.fixture(scope="module")
def prices() -> Prices:
    return Prices("sky130")


@pytest.fixture(scope="module")
def result(prices):
    return evaluate(SMALL, DECODE, prices)


@pytest.mark.parametrize("links", ["systolic", "broadcast"])
@pytest.mark.parametrize("size", [(1, 1), (2, 3)])
def test_a_composed_array_is_the_estimated_one(prices, links, size):
    rows, cols = size
    whole = make("array", element="integer", rows=rows, columns=cols, links=links, **UNIT)
    direct = estimate_all(whole, ["sky130"])["sky130"]
    # For the least area, as the estimate of the array is.
    one = replace(SMALL, rows=rows, cols=cols, links=links, clock_ns=1000.0)
    found = composed(one, prices, stream_beats(whole))
    assert found["area_um2"] == pytest.approx(direct.area_um2, rel=0.05)
    assert found["energy_pj"] == pytest.approx(direct.energy_pj, rel=0.05)


def test_registers_are_those_of_the_hardware():
    one = replace(SMALL, rows=2, cols=3)
    found = registers(one)
    # Activations of 8 bits: two a row handed on, one delays the second row; likewise weights.
    assert (found.activations, found.weights) == (8 * (2 * 2 + 1), 8 * (3 * 1 + 3))
    assert found.control == 2 * 3
    assert found.results == 5 * (one.unit.result.bits + 1)
    assert registers(replace(one, links="broadcast")).bits == 0
    held = registers(replace(one, dataflow="weight_stationary"))
    assert (held.stationary, held.results) == (2 * 3 * 8 * 2, 0)
    assert (
        registers(replace(one, dataflow="weight_stationary", double_buffered=False)).stationary
        == 48
    )


def test_totals_are_the_sums_of_their_parts(result):
    for total in (result.energy_pj, result.area_um2):
        assert total.value == math.fsum(part.value for part in total.parts)
        assert total.low < total.value < total.high
        assert all(part.value >= 0 for part in total.parts)
    by_group = [value for parts in result.group_energy_pj.values() for value in parts.values()]
    assert math.fsum(by_group) == pytest.approx(result.energy_pj.value)


def test_parts_by_hand(result):
    parts = {part.name: part for part in result.energy_pj.parts}
    run = result.simulation
    bits = run.total(run.times.traffic.dram)
    # LPDDR5: 6.3 to 11.7 pJ a bit.
    assert (parts["DRAM"].low, parts["DRAM"].high) == pytest.approx((6.3 * bits, 11.7 * bits))
    cost = result.costs[SMALL.unit.name]
    # K is even everywhere, so beats are full.
    assert parts["units"].value == pytest.approx(cost.energy_pj_per_mac * run.macs)
    cycles = 64 * run.cycles - run.macs / 2
    assert parts["idle units"].value == pytest.approx(cost.idle_pj * cycles)
    assert result.area_um2.parts[0].value == pytest.approx(64 * cost.area_um2)
    assert result.energy_j_per_item == pytest.approx(result.energy_pj.value * 1e-12)
    assert result.power_w * run.time_s == pytest.approx(result.energy_j)


def test_known_errors_are_added_up_in_one_direction():
    total = Total((Part("a", 10, 8, 15), Part("b", 30)))
    assert (total.low, total.value, total.high) == (38, 40, 45)
    assert total.unknown_share == 0.75


def test_energy_falls_with_the_width_of_weights(prices):
    bits = []
    for name in ("int8", "int4"):
        unit = make("integer", lanes=2, weight=name, activation="int8")
        bits.append(evaluate(replace(SMALL, unit=unit), DECODE, prices))
    parts = [{part.name: part.value for part in one.energy_pj.parts} for one in bits]
    for name in ("units", "weight SRAM read", "DRAM"):
        assert parts[1][name] < parts[0][name]


def test_what_tables_do_not_have_is_refused(prices):
    def of(**changes):
        return replace(SMALL, memories=replace(SMALL.memories, **changes))

    with pytest.raises(InputError, match="weight SRAM: node 28 nm: cacti7-hp has 22, 32"):
        evaluate(of(node=28), DECODE, prices)
    with pytest.raises(InputError, match="horowitz2014: has no write and no area and no leakage"):
        evaluate(of(node=45, table="horowitz2014"), DECODE, prices)
    huge = Sram(capacity=1 << 25, width=64, banks=2)
    with pytest.raises(InputError, match=r"input SRAM: .* is outside the table"):
        evaluate(of(inputs=huge), DECODE, prices)
    with pytest.raises(InputError, match="hbm2 needs a boundary, one of io, device"):
        evaluate(of(dram=replace(SMALL.memories.dram, kind="hbm2", boundary=None)), DECODE, prices)


def test_an_sram_that_is_slower_than_the_clock_is_refused():
    fast = Prices("asap7")
    slow = Sram(capacity=1 << 20, width=64, banks=1)
    memories = replace(SMALL.memories, weights=slow, node=65)
    with pytest.raises(InputError, match=r"weight SRAM: its cycle takes 2.53 ns, and the clock is"):
        evaluate(replace(SMALL, memories=memories, clock_ns=2.0), DECODE, fast)


def test_nodes_that_differ_are_told(result):
    assert any("sky130, 130 nm, beside SRAM of 22 nm" in note for note in result.notes)


def test_a_clock_that_is_missed_is_told(prices):
    found = evaluate(replace(SMALL, clock_ns=0.5), DECODE, prices)
    assert found.simulation.period_ns > 0.5
    assert any("misses the clock of 0.5 ns" in note for note in found.notes)


def test_the_check_of_units_can_fail(prices, result):
    run = result.simulation
    fewer = replace(run, times=replace(run.times, cycles=run.times.cycles / 1e6))
    price = prices.unit(SMALL.unit, prices.technology.clock_ns)
    figures = module._srams(SMALL.memories)
    with pytest.raises(ModelError, match="more cycles than there are"):
        module._energies(fewer, {run.layers.modes[0]: price}, figures, prices)


@pytest.mark.parametrize(
    ("limit", "most", "takes"),
    [
        ("multipliers", 64, lambda rows, cols: 2 * rows * cols),
        ("bandwidth", 100, lambda rows, cols: 8 * (rows + cols)),
    ],
)
def test_the_fastest_array_within_a_limit(prices, limit, most, takes):
    prompt = workload("smollm2-135m", "prefill", tokens=10)
    found = fit(SMALL, [prompt], prices, limit, most)
    period = prices.unit(SMALL.unit, prices.technology.clock_ns).cost.period_ns

    def cycles(rows, cols):
        one = replace(SMALL, rows=rows, cols=cols)
        given = layers(one, prompt)
        return float((times(one, given, period).cycles * given.count).sum())

    best = min(
        (cycles(rows, cols), rows * cols, rows)
        for rows in range(1, 33)
        for cols in range(1, 33)
        if takes(rows, cols) <= most
    )
    assert (cycles(found.rows, found.cols), found.rows * found.cols, found.rows) == best


def test_an_area_is_kept(prices):
    found = fit(SMALL, [DECODE], prices, "area", 0.5)
    area = {part.name: part.value for part in evaluate(found, DECODE, prices).area_um2.parts}
    assert 0.2e6 < area["units"] + area["links"] <= 0.5e6


def test_limits_that_cannot_be(prices):
    with pytest.raises(InputError, match="area=1e-06: one unit takes more; allowed: more mm²"):
        fit(SMALL, [DECODE], prices, "area", 1e-6)
    with pytest.raises(InputError, match="multipliers=1e\\+07: keeps more than 2097152 sizes"):
        fit(SMALL, [DECODE], prices, "multipliers", 1e7)
    with pytest.raises(InputError, match="unknown limit 'power'"):
        fit(SMALL, [DECODE], prices, "power", 1)


@pytest.mark.parametrize("suffix", [".png", ".svg"])
def test_the_chart_is_the_same_bytes(result, tmp_path, suffix):
    first, second = tmp_path / f"a{suffix}", tmp_path / f"b{suffix}"
    write([result], first)
    write([result], second)
    assert first.read_bytes() == second.read_bytes()
    assert math.fsum(shown_parts(result).values()) == pytest.approx(result.energy_j)
