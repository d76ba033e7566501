"""The integer programme against every assignment there is."""

import itertools
import json
import os
from pathlib import Path

import numpy as np
import pytest

from hwsim.allocate import choose
from hwsim.errors import InputError

# ResNet-18's measurements of HAWQ-V3: facts from ILP.ipynb of Zhen-Dong/HAWQ.
HAWQ = json.loads((Path(__file__).parent / "data/hawq_resnet18.json").read_text())


def every(layers, choices, tied=()):
    all_of_them = np.array(list(itertools.product(range(choices), repeat=layers)))
    for first, second in tied:
        all_of_them = all_of_them[all_of_them[:, first] == all_of_them[:, second]]
    return all_of_them


def totals(table, assignments):
    return np.asarray(table)[np.arange(len(table)), assignments].sum(axis=-1)


def best_by_trying(loss, cost, budget, tied=()):
    tried = every(*np.shape(loss), tied)
    return totals(loss, tried[totals(cost, tried) <= budget * (1 + 1e-13)]).min()


@pytest.mark.parametrize("seed", range(30))
def test_is_the_best_of_all_assignments(seed):
    rng = np.random.default_rng(seed)
    layers, choices = int(rng.integers(1, 7)), int(rng.integers(1, 5))
    scale = 10.0 ** rng.integers(-9, 10, size=2)
    # Whole numbers, so that many assignments cost just what the budget is.
    loss = rng.integers(-5, 20, size=(layers, choices)) * scale[0]
    cost = rng.integers(-3, 9, size=(layers, choices)) * scale[1]
    tied = [(0, layers - 1)] if seed % 2 else []
    costs = np.unique(totals(cost, every(layers, choices, tied)))
    for budget in costs[:: max(1, len(costs) // 5)]:
        chosen = choose(loss, cost, budget, tied)
        assert totals(cost, chosen) <= budget + 1e-9 * scale[1]
        assert totals(loss, chosen) == pytest.approx(
            best_by_trying(loss, cost, budget + 1e-9 * scale[1], tied),
            rel=1e-12,
            abs=1e-9 * scale[0],
        )
        assert all(chosen[first] == chosen[second] for first, second in tied)


def hawq_costs(name):
    megabytes = np.outer(HAWQ["parameters_millions_binary"], [0.5, 1.0])
    operations = np.outer(HAWQ["macs_millions"], [1 / 64, 1 / 16])
    latency = np.transpose([HAWQ["latency_int4_ms"], HAWQ["latency_int8_ms"]])
    return {"size": megabytes, "operations": operations, "latency": latency}[name]


@pytest.mark.parametrize("share", [0.25, 0.5, 0.75])
@pytest.mark.parametrize("name", ["size", "operations", "latency"])
def test_hawq_v3(name, share):
    loss = np.transpose([HAWQ["delta4"], HAWQ["delta8"]]) * np.array(HAWQ["trace"])[:, None]
    cost = hawq_costs(name)
    least, most = cost.sum(axis=0)
    budget = least + share * (most - least)
    chosen = choose(loss, cost, budget, HAWQ["tied"])
    assert totals(cost, chosen) <= budget * (1 + 1e-12)
    # Of 2^19 assignments 2^16 hold the ties.
    assert totals(loss, chosen) == pytest.approx(
        best_by_trying(loss, cost, budget, HAWQ["tied"]), rel=1e-12
    )


def test_ties_pass_on():
    loss = [[0, 9], [9, 0], [1, 0], [9, 0]]
    np.testing.assert_array_equal(choose(loss, np.zeros((4, 2)), 0, [(2, 1), (0, 2)]), [1, 1, 1, 1])
    np.testing.assert_array_equal(choose(loss, np.zeros((4, 2)), 0, [(1, 1)]), [0, 1, 1, 1])


def test_many_layers_of_many_formats():
    rng = np.random.default_rng(0)
    bits = np.arange(3, 11)
    loss = np.outer(rng.lognormal(sigma=2, size=300), 4.0**-bits)
    cost = np.outer(rng.integers(1, 9, size=300), bits)
    budget = 0.4 * cost[:, 4].sum()
    with pytest.raises(InputError, match="least cost"):
        choose(loss, cost, budget)
    chosen = choose(loss, cost, cost[:, 4].sum())
    assert totals(cost, chosen) <= cost[:, 4].sum()
    assert totals(loss, chosen) < 0.7 * loss[:, 4].sum()


def best_by_counting(loss, cost, budget):
    """Return the least loss of whole-number costs, by dynamic programming."""
    best = np.full(budget + 1, np.inf)
    best[0] = 0.0
    for losses, costs in zip(loss, cost, strict=True):
        following = np.full(budget + 1, np.inf)
        for lost, taken in zip(losses, costs, strict=True):
            following[taken:] = np.minimum(following[taken:], best[: budget + 1 - taken] + lost)
        best = following
    return best.min()


@pytest.mark.parametrize("seed", range(6))
def test_small_losses_beside_large_ones(seed):
    rng = np.random.default_rng(seed)
    loss = 10 ** rng.uniform(-8, 1, (100, 5))
    cost = rng.integers(1, 60, (100, 5))
    budget = int(rng.uniform(cost.min(axis=1).sum(), cost.max(axis=1).sum()))
    chosen = choose(loss, cost, budget)
    assert totals(cost, chosen) <= budget
    assert totals(loss, chosen) == pytest.approx(best_by_counting(loss, cost, budget), rel=1e-10)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([1, 2], [[1, 2]], 3), r"loss has the shape \(2,\)"),
        (([[1, 2]], [[1, 2, 3]], 3), r"loss has the shape \(1, 2\), cost \(1, 3\)"),
        (([["a"]], [[1]], 3), "loss="),
        (([[1, np.nan]], [[1, 2]], 3), r"loss\[0, 1\]=nan"),
        (([[1, 1]], [[1, np.inf]], 3), r"cost\[0, 1\]=inf"),
        (([[1, 1]], [[2, 3]], 1.5), "budget=1.5: allowed: finite numbers from 2"),
        (([[1, 1]], [[2, 3]], np.nan), "budget=nan"),
        (([[1, 1]], [[2, 3]], "3"), "budget='3': allowed: numbers"),
        (([[1, 1]], [[2, 3]], None), "budget=None: allowed: numbers"),
        (([[1, 1]], [[2, 3]], 3, 5), "tied=5: allowed: pairs of layers"),
        (([[1, 1]], [[2, 3]], 3, [3]), "tied=3: allowed: pairs of layers"),
        (([[1, 1]], [[2, 3]], 3, [(0, 1)]), r"tied=\(0, 1\): allowed: pairs of layers from 0 to 0"),
        (([[1, 1]], [[2, 3]], 3, [(0,)]), "tied="),
        ((np.ones((0, 3)), np.ones((0, 3)), 1), "loss has the shape"),
    ],
)
def test_refusals(arguments, message):
    with pytest.raises(InputError, match=message):
        choose(*arguments)


def test_what_the_solver_prints_is_not_ours(monkeypatch, capfd):
    from scipy import optimize

    milp = optimize.milp

    def loud(*arguments, **options):
        os.write(1, b"a line of the solver\n")
        return milp(*arguments, **options)

    monkeypatch.setattr(optimize, "milp", loud)
    print("before")
    assert list(choose([[2.0, 1.0]], [[1.0, 2.0]], 2.0)) == [1]
    print("after")
    assert capfd.readouterr().out == "before\nafter\n"
