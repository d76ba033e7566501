"""Which stage every node of a graph is in, for the shortest period that a number of stages allows.

A period is met if every node can be in a stage as early as its inputs allow without passing the
last one. Given the period, the ranks are cut from the last to the first: what must be behind a rank
is what the stages before it cannot hold, what must be before it is what would be late behind it,
and between the two a minimum cut through the bits that would cross.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import breadth_first_order, maximum_flow

from rtl.pipeline.graph import Graph

#: The period is found to this part of it.
_EXACT = 0.005
#: How much longer a period may be if it takes fewer registers.
_SLACK = 1.02
#: More bits than cross any cut.
_UNCUT = 1 << 24


def shortest_period(graph: Graph, ranks: int) -> float:
    """Return the shortest period of ``ranks + 1`` stages, in the unit of the graph's delays."""
    high = max(_left(graph, [True] * len(graph.delays)), default=0.0) or 1.0
    if not ranks:
        return high
    low = 0.0
    while high - low > _EXACT * high:
        middle = (low + high) / 2
        if earliest(graph, ranks, middle) is None:
            low = middle
        else:
            high = middle
    return high


def stages(graph: Graph, ranks: int, period: float) -> list[int]:
    """Return the stage of every node, from 1 to ``ranks + 1``, for a period that can be met."""
    period *= _SLACK
    first = earliest(graph, ranks, period)
    assert first is not None, "a period that can be met"
    found = [1] * len(graph.delays)
    before = [True] * len(graph.delays)
    for rank in range(ranks, 0, -1):
        left = _left(graph, before)
        late = [left[node] > period for node in range(len(left))]
        behind = [first[node] > rank for node in range(len(left))]
        cut = _cut(graph, before, late, behind)
        for node, is_before in enumerate(before):
            if is_before and not cut[node]:
                found[node] = rank + 1
                before[node] = False
    return found


def earliest(graph: Graph, ranks: int, period: float) -> list[int] | None:
    """Return the earliest stage of every node, or None if there is none within a period."""
    stage = [1] * len(graph.delays)
    there = [0.0] * len(graph.delays)
    for loop in graph.loops:
        inside = {*loop}
        outside = [before for node in loop for before in graph.inputs[node] if before not in inside]
        at = max((stage[before] for before in outside), default=1)
        if any(graph.last[node] for node in loop):
            at = ranks + 1
        for node in loop:
            if node in graph.interleaved:
                at = max(at, ranks + 2 - graph.interleaved[node])
        for chosen in (at, at + 1):
            if chosen > ranks + 1:
                return None
            if _arrive(graph, loop, chosen, stage, there, period):
                break
        else:
            return None
    return stage


def _arrive(
    graph: Graph, loop: list[int], at: int, stage: list[int], there: list[float], period: float
) -> bool:
    """Put the nodes of a loop in a stage; return whether all are there within the period."""
    for node in loop:
        stage[node] = at
        there[node] = 0.0
    for node in loop:
        if graph.registers[node]:
            continue
        inputs = graph.inputs[node].items()
        given = max((there[b] + late for b, late in inputs if stage[b] == at), default=0.0)
        there[node] = given + graph.delays[node]
        if there[node] > period:
            return False
    return all(
        there[before] + late <= period
        for node in loop
        if graph.registers[node]
        for before, late in graph.inputs[node].items()
        if stage[before] == at
    )


def _left(graph: Graph, within: list[bool]) -> list[float]:
    """Return the longest way through each node, from its inputs to a register or the end.

    Of a loop, that of the longest through any of its nodes. Only nodes ``within`` count.
    """
    left = [0.0] * len(graph.delays)
    for node in reversed(graph.order):
        ways = (
            graph.inputs[after].get(node, 0.0) + (0.0 if graph.registers[after] else left[after])
            for after in graph.outputs[node]
            if within[after]
        )
        left[node] = graph.delays[node] + max(ways, default=0.0)
    for loop in graph.loops:
        longest = max(left[node] for node in loop)
        for node in loop:
            left[node] = longest
    return left


def _cut(
    graph: Graph, within: list[bool], late: list[bool], behind: list[bool]
) -> NDArray[np.bool_]:
    """Return which nodes are before the cut that the fewest bits cross.

    A node's output crosses once, however many nodes behind read it. Edges from a node to what must
    be on its side are endless.
    """
    count = len(graph.delays)
    source, sink, outputs = 2 * count, 2 * count + 1, count
    edges: list[tuple[int, int, int]] = []
    for node in range(count):
        if not within[node]:
            continue
        if graph.sources[node] or late[node]:
            edges.append((source, node, _UNCUT))
        if behind[node]:
            edges.append((node, sink, _UNCUT))
        edges.append((node, outputs + node, graph.widths[node]))
        for after in graph.outputs[node]:
            if within[after]:
                edges.append((outputs + node, after, _UNCUT))
                edges.append((after, node, _UNCUT))
        # What is behind already reads it, too: it crosses this rank wherever it comes from.
        if any(not within[after] for after in graph.outputs[node]):
            edges.append((outputs + node, sink, _UNCUT))
    for loop in graph.loops:
        for one, other in zip(loop, [*loop[1:], loop[0]], strict=True):
            if one != other and within[one]:
                edges.append((one, other, _UNCUT))
    rows, columns, capacities = (np.array(part, np.int32) for part in zip(*edges, strict=True))
    shape = (2 * count + 2, 2 * count + 2)
    network: Any = coo_array((capacities, (rows, columns)), shape=shape)
    capacity = network.tocsr()
    residual = capacity - maximum_flow(capacity, source, sink).flow
    residual.data = np.maximum(residual.data, 0)
    residual.eliminate_zeros()
    reached = breadth_first_order(residual, source, return_predecessors=False)
    before = np.zeros(count, bool)
    before[reached[reached < count]] = True
    return before
