"""The fastest array within an area, against all sizes that there are."""

from dataclasses import replace

import pytest

from cost_models.accelerator import Prices, array_area_um2, evaluate
from cost_models.array_size import _along, fit
from hwsim.accelerator.simulation import Attention, simulate
from hwsim.accelerator.specification import load
from hwsim.accelerator.workload import workload
from hwsim.units import make

UNIT = {"lanes": 2, "weight": "int4", "activation": "int4"}
SMALL = replace(load("int8"), name="small", unit=make("integer", **UNIT), rows=1, cols=1)
WORKS = (
    workload("smollm2-135m", "decode", context=40),
    workload("smollm2-135m", "prefill", tokens=24),
)


@pytest.fixture(scope="module")
def prices() -> Prices:
    return Prices("sky130")


@pytest.mark.parametrize("links", ["systolic", "broadcast"])
def test_it_is_the_best_of_all_sizes_for_all_workloads(prices, links):
    one, area = replace(SMALL, links=links), 0.03

    def order(rows, cols):
        sized = replace(one, rows=rows, cols=cols)
        period = prices.period_ns(sized)
        taken = [simulate(sized, work, period).time_s for work in WORKS]
        return sum(taken), rows * cols, rows

    kept = [
        (rows, cols)
        for rows in range(1, 21)
        for cols in range(1, 21)
        if rows * cols <= 20 and array_area_um2(one, prices, rows, cols) <= area * 1e6
    ]
    assert max(rows * cols for rows, cols in kept) < 20
    found = fit(one, WORKS, prices, "area", area)
    best = min(kept, key=lambda size: order(*size))
    assert order(found.rows, found.cols) == pytest.approx(order(*best))
    assert (found.rows, found.cols) in kept


def test_few_arrays_are_composed(prices, monkeypatch):
    composed = []
    area = array_area_um2

    def counting(*size):
        composed.append(size[2:])
        return area(*size)

    monkeypatch.setattr("cost_models.array_size.array_area_um2", counting)
    found = fit(replace(SMALL, links="broadcast"), WORKS, prices, "area", 1.0)
    assert found.rows * found.cols > 100
    assert len(composed) < 150


def test_an_array_for_attention_takes_its_part(prices):
    attention = Attention(unit=SMALL.unit, rows=4, cols=4)
    both = replace(SMALL, attention=attention)
    rest = 0.1 - array_area_um2(replace(SMALL, **vars(attention)), prices, 4, 4) * 1e-6
    found = fit(both, WORKS, prices, "area", 0.1)
    area = evaluate(found, WORKS[0], prices).area_um2
    arrays = sum(part.value for part in area.parts if "SRAM" not in part.name)
    assert 0.8 * 0.1e6 < arrays <= 0.1e6
    assert array_area_um2(replace(found, attention=None), prices, found.rows, found.cols) <= (
        rest * 1e6
    )


def test_periods_are_known_where_they_change():
    asked = []

    def period(length):
        asked.append(length)
        return 2.0 if length < 700 else 2.0 + (length - 700) * 1e-3

    found = _along(period, 1000)
    assert len(asked) < 60
    assert [float(found[k - 1]) for k in asked] == [period(k) for k in [*asked]]
    assert all(abs(float(found[k - 1]) / period(k) - 1) <= 0.01 for k in range(1, 1001))
