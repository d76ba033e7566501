"""Energy and area of accelerators: parts, totals, and arrays composed against estimated whole."""

import math
from dataclasses import replace

import pytest

from cost_models import accelerator as module
from cost_models.accelerator import Part, Prices, Total, evaluate
from cost_models.accelerator_chart import shown_parts, write
from cost_models.array_size import fit
from cost_models.element import PARTS
from hwsim.accelerator.memory import Sram
from hwsim.accelerator.simulation import layers, times
from hwsim.accelerator.specification import load, names
from hwsim.accelerator.traffic import ModelError
from hwsim.accelerator.workload import workload
from hwsim.errors import InputError
from hwsim.units import make
from hwsim.units.metadata import Operand

UNIT = {"lanes": 2, "weight": "int4", "activation": "int4"}
SMALL = replace(load("int8"), name="small", unit=make("integer", **UNIT), rows=8, cols=8)
DECODE = workload("smollm2-135m", "decode", context=64)
NO_ATTENTION = workload("resnet-50", "forward")


@pytest.fixture(scope="module")
def prices() -> Prices:
    return Prices("sky130")


@pytest.fixture(scope="module")
def result(prices):
    return evaluate(SMALL, DECODE, prices)


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
    # K is even everywhere, so beats are full. Operands that are handed on drive more than alone,
    # which changes hazards a little, and gates on long paths.
    busy = sum(parts[name].value for name in PARTS)
    assert busy == pytest.approx(cost.energy_pj_per_mac * run.macs, rel=0.02)
    cycles = 64 * run.cycles - run.macs / 2
    assert parts["idle units"].value == pytest.approx(cost.idle_pj * cycles)
    area = sum(part.value for part in result.area_um2.parts if part.name in PARTS)
    assert area == pytest.approx(64 * cost.area_um2, rel=0.02)
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
    price = prices.element(SMALL)
    whole = module._Whole(SMALL, price, prices.array(SMALL, price))
    figures = module._srams(SMALL.memories)
    with pytest.raises(ModelError, match="more cycles than there are"):
        module._energies(fewer, [whole], 0, figures, prices)


def test_the_clock_is_that_of_the_array(prices):
    unit = make("integer", lanes=2, weight="int4", activation="int4")
    wide = replace(SMALL, unit=unit, links="broadcast", cols=256, clock_ns=0.5)
    period = evaluate(wide, DECODE, prices).simulation.period_ns
    alone = prices.unit(unit, 0.5).cost.delay_ns
    assert period == prices.period_ns(wide) > 1.05 * alone
    assert prices.period_ns(replace(wide, rows=1, cols=2)) < period


def test_parts_of_units():
    def shares(family, **parameters):
        accelerator = replace(SMALL, unit=make(family, **parameters))
        parts = evaluate(accelerator, DECODE, Prices("sky130")).area_um2.parts
        total = sum(part.value for part in parts if part.name in PARTS)
        return {part.name: part.value / total for part in parts if part.name in PARTS}

    plain = shares("integer", **UNIT)
    assert plain["tables and terms"] < 0.05
    tables = {"lanes": 4, "weight": "int2", "activation": "int8", "row_count": 1}
    few, many = (shares("lut_tensor_core", **tables, column_count=k) for k in (1, 8))
    # More columns share a table, and each has its accumulator.
    assert few["tables and terms"] > 2 * many["tables and terms"] > 0.1
    assert many["accumulators"] > few["accumulators"] > 0.1


def test_stationary_arrays_are_priced(prices):
    flows = ("output_stationary", "weight_stationary", "input_stationary")
    found = [evaluate(replace(SMALL, dataflow=flow), DECODE, prices) for flow in flows]
    for one in found:
        assert all(part.value >= 0 for part in (*one.energy_pj.parts, *one.area_um2.parts))
    single = replace(SMALL, dataflow="weight_stationary", double_buffered=False)
    assert evaluate(single, DECODE, prices).area_mm2 < found[1].area_mm2
    # Held weights toggle fewer gates, most of all of a multiplier.
    for adders, most in (("operators", 0.9), ("merged", 1.0)):
        unit = replace(SMALL.unit, adders=adders)
        held, moved = (prices.unit(unit, 8.0, side).cost for side in (Operand.WEIGHT, None))
        assert held.energy_pj < most * moved.energy_pj
        assert held.area_um2 == moved.area_um2


#: Whose tile takes long to map.
SLOW = ("bitmod_lossless", "bitmod_lossy")


@pytest.mark.parametrize(
    "name",
    [pytest.param(one, marks=pytest.mark.exhaustive) if one in SLOW else one for one in names()],
)
def test_accelerators_that_come_with_the_package_have_a_price(prices, name):
    for work in (DECODE, workload("smollm2-135m", "prefill", tokens=16)):
        found = evaluate(load(name), work, prices)
        assert found.energy_pj.low < found.energy_pj.value < found.energy_pj.high
        assert 0.1 < found.area_mm2 < 100


def test_attention_has_an_array_of_its_own(prices):
    two = load("ternary")
    found = evaluate(two, DECODE, prices)
    first, second = two.arrays
    assert [index for index, _ in found.simulation.parts] == [0, 1]
    groups = {group.name: group for group in found.simulation.groups()}
    plain = evaluate(replace(second, name="plain", formats=None), DECODE, prices)
    alone = {group.name: group for group in plain.simulation.groups()}
    for name in ("attention_scores", "attention_values"):
        assert groups[name].cycles == alone[name].cycles
    assert groups["mlp"].cycles != alone["mlp"].cycles
    areas = [
        sum(
            p.value
            for p in evaluate(one, NO_ATTENTION, prices).area_um2.parts
            if "SRAM" not in p.name
        )
        for one in (first, replace(second, formats=None))
    ]
    both = sum(p.value for p in found.area_um2.parts if "SRAM" not in p.name)
    assert both == pytest.approx(sum(areas))
    assert any("attention is computed by 8 x 8 integer" in note for note in found.notes)


def test_an_array_for_attention_takes_the_same_activations():
    two = load("ternary")
    other = replace(two.attention, unit=make("integer", lanes=4, weight="int8", activation="int4"))
    with pytest.raises(
        InputError, match="the unit of attention takes activations of int4; allowed"
    ):
        replace(two, attention=other)


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
    period = prices.period_ns(SMALL)

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
    assert 0.2e6 < sum(area[name] for name in (*PARTS, "array registers")) <= 0.5e6


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
