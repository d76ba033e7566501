"""Constants by index, as logic."""

from collections.abc import Sequence

from amaranth.hdl import C, Cat, Module, Mux, Value

from rtl.blocks.wire import wire


def look_up(m: Module, index: Value, table: Sequence[int], name: str) -> Value:
    """Return the entry of ``table`` at ``index``, as wide as the largest.

    Every bit of the entries is a reduced ordered binary decision diagram: multiplexers steered by
    one bit of the index after another, where parts that are equal, of one bit or of several, exist
    once. Synthesis keeps most of that sharing, and does not find it in a list of the entries.

    Parameters
    ----------
    m
        Gets a signal for every multiplexer.
    index
        The order of its bits decides the size of the diagrams.
    table
        Not negative, 2**len(index) of them.
    name
        Prefix of the signals that this adds to ``m``.

    Source: Bryant, IEEE TC 35(8), 1986.
    """
    if len(table) != 1 << len(index):
        raise ValueError(f"{len(table)} entries do not fill an index of {len(index)} bits")
    nodes: dict[tuple[int, ...], Value] = {}

    def node(part: tuple[int, ...], depth: int) -> Value:
        if len(set(part)) == 1:
            return C(part[0], 1)
        if part not in nodes:
            half = len(part) // 2
            low, high = part[:half], part[half:]
            choice = node(low, depth - 1)
            if low != high:
                choice = wire(
                    m,
                    Mux(index[depth], node(high, depth - 1), choice),
                    f"{name}_{len(nodes)}",
                )
            nodes[part] = choice
        return nodes[part]

    width = max(max(table).bit_length(), 1)
    rows = [tuple(entry >> bit & 1 for entry in table) for bit in range(width)]
    return Cat(node(row, len(index) - 1) for row in rows)
