"""Stages by minimum cuts against all assignments of stages to nodes."""

from itertools import product
from math import inf

import numpy as np
import pytest

from rtl.pipeline.graph import Graph
from rtl.pipeline.schedule import earliest, shortest_period, stages


def random_graph(rng, count):
    """Return a graph of a source, cells and up to two registers that may be in loops."""
    graph = Graph()
    graph.add(width=int(rng.integers(1, 4)), source=True)
    for node in range(1, count):
        inputs = {int(rng.integers(node)): 0.0, int(rng.integers(node)): float(rng.integers(2))}
        register = rng.random() < 0.2
        graph.add(
            delay=0 if register else float(rng.integers(1, 4)),
            inputs=inputs,
            width=int(rng.integers(1, 5)),
            register=register,
        )
    # The state of some registers goes back into a cell before them.
    for register in [node for node in range(count) if graph.registers[node]]:
        cells = [n for n in range(1, register) if not graph.registers[n]]
        if cells and rng.random() < 0.7:
            graph.inputs[int(rng.choice(cells))][register] = 0.0
    graph.add(inputs={count - 1: 0.0}, last=True)
    return graph


def period(graph, stage):
    """Return the period of an assignment, infinite where it is none."""
    there = [0.0] * len(stage)
    longest = 0.0
    labels = {node: k for k, loop in enumerate(graph.loops) for node in loop}
    for node in graph.order:
        for before, late in graph.inputs[node].items():
            together = labels[before] == labels[node]
            if stage[before] > stage[node] or (together and stage[before] != stage[node]):
                return inf
            if stage[before] == stage[node] and not graph.registers[node]:
                there[node] = max(there[node], there[before] + late)
        if not graph.registers[node]:
            there[node] += graph.delays[node]
        longest = max(longest, there[node])
    for node, is_register in enumerate(graph.registers):
        for before, late in graph.inputs[node].items() if is_register else ():
            if stage[before] == stage[node]:
                longest = max(longest, there[before] + late)
    return longest


def crossing(graph, stage):
    """Return the bits of all ranks: an output crosses as far as its last reader."""
    return sum(
        graph.widths[node] * (max((stage[a] for a in graph.outputs[node]), default=0) - stage[node])
        for node in range(len(stage))
        if graph.outputs[node]
    )


def assignments(graph, ranks):
    inner = [range(1, ranks + 2)] * (len(graph.delays) - 2)
    return [(1, *middle, ranks + 1) for middle in product(*inner)]


@pytest.mark.parametrize("seed", range(40))
def test_no_assignment_is_faster_or_takes_fewer_registers(seed):
    graph = random_graph(np.random.default_rng(seed), 8)
    ranks = 1
    periods = {one: period(graph, one) for one in assignments(graph, ranks)}
    best = min(periods.values())
    found = shortest_period(graph, ranks)
    assert best <= found <= best * 1.01 + 1e-9
    stage = tuple(stages(graph, ranks, found))
    limit = found * 1.02
    assert periods[stage] <= limit
    least = min(crossing(graph, one) for one, time in periods.items() if time <= limit)
    assert crossing(graph, stage) == least


@pytest.mark.parametrize("seed", range(20))
def test_several_ranks_meet_the_shortest_period(seed):
    graph = random_graph(np.random.default_rng(100 + seed), 7)
    best = min(period(graph, one) for one in assignments(graph, 2))
    found = shortest_period(graph, 2)
    assert best <= found <= best * 1.01 + 1e-9
    assert period(graph, stages(graph, 2, found)) <= found * 1.02


def test_a_shorter_period_cannot_be_met():
    graph = Graph()
    graph.add(width=1, source=True)
    for node in range(1, 5):
        graph.add(delay=2, inputs={node - 1: 0.0}, width=1)
    graph.add(inputs={4: 0.0}, last=True)
    assert earliest(graph, 1, 4.0) == [1, 1, 1, 2, 2, 2]
    assert earliest(graph, 1, 3.9) is None
    assert shortest_period(graph, 3) == pytest.approx(2, rel=0.01)
