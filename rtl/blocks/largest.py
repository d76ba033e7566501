"""The largest of several values."""

from collections.abc import Sequence

from amaranth.hdl import Module, Mux, Value

from rtl.blocks.wire import wire


def largest(m: Module, values: Sequence[Value], name: str) -> Value:
    """Return the largest of ``values``, at least one.

    ``name`` is the prefix of the signals that this adds to ``m``.

    Cost: a tree of len(values) - 1 comparators and multiplexers.
    """
    level, rank = list(values), 0
    while len(level) > 1:
        pairs = [
            wire(m, Mux(a > b, a, b), f"{name}_{rank}_{k}")
            for k, (a, b) in enumerate(zip(level[0::2], level[1::2], strict=False))
        ]
        level, rank = pairs + level[len(level) & ~1 :], rank + 1
    return level[0]
