"""Sums of many terms."""

from collections.abc import Sequence

from amaranth.hdl import Value


def tree_sum(terms: Sequence[Value]) -> Value:
    """Return the exact sum of ``terms`` as a balanced tree.

    The result is ``ceil(log2(len(terms)))`` bits wider than the widest term, where a chain of
    additions would be ``len(terms) - 1`` bits wider.
    """
    level = list(terms)
    while len(level) > 1:
        pairs = [a + b for a, b in zip(level[0::2], level[1::2], strict=False)]
        level = pairs + level[len(level) & ~1 :]
    return level[0]
