"""Sums of many bits of different weights, with carries saved until the end."""

from typing import NamedTuple

from amaranth.hdl import C, Cat, Module, Value

from rtl.blocks.wire import wire


class Bit(NamedTuple):
    """A bit and when it is there, in delays of an exclusive-or."""

    arrival: float
    value: Value


def compress(m: Module, columns: list[list[Bit]], name: str) -> Value:
    """Return the sum of all bits modulo 2**len(columns), those of column k weighing 2**k.

    Full adders take the three earliest bits of a column first, so that late bits pass few of them
    (Oklobdzija et al., IEEE TC 45(3), 1996), and half adders the last two. It ends in one bit a
    column: the adder of the last two rows is made of the same cells, each where its carry is due.

    Cost: as many full adders as there are bits more than columns.
    """
    total: list[Value] = []
    waiting = [list(column) for column in columns]
    for place, column in enumerate(waiting):
        above = waiting[place + 1] if place + 1 < len(waiting) else []
        while len(column) > 1:
            column.sort(key=lambda bit: bit.arrival)
            taken = [column.pop(0) for _ in range(min(3, len(column)))]
            made, carry = _add(m, taken, f"{name}_{place}_{len(column)}")
            column.append(made)
            above.append(carry)
        total.append(column[0].value if column else C(0, 1))
    return Cat(*total)


def _add(m: Module, bits: list[Bit], name: str) -> tuple[Bit, Bit]:
    """Return sum and carry of two or three bits, the earliest first."""
    (_, a), (second, b), *more = bits
    half = wire(m, a ^ b, f"{name}_half")
    if not more:
        return Bit(second + 1, half), Bit(second + 0.7, wire(m, a & b, f"{name}_carry"))
    third, c = more[0]
    return (
        Bit(max(second + 2, third + 1), wire(m, half ^ c, f"{name}_sum")),
        Bit(third + 1.5, wire(m, (a & b) | (half & c), f"{name}_carry")),
    )


def split(value: int, width: int) -> list[list[Bit]]:
    """Return the columns of a constant modulo 2**width."""
    return [[Bit(-5, C(1, 1))] if value >> place & 1 else [] for place in range(width)]
