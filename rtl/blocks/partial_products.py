"""Partial products of a multiplication, for a sum that several share.

Rows of AND gates, one a bit of one operand, or radix-4 Booth rows, one a digit of -2 to 2: half as
many adders for a multiplexer and an exclusive-or a bit. Which of the two, and of which operand, is
chosen by the number of gates, where the operand that is recoded has few bits by rows of AND gates.

Source: MacSorley, Proc. IRE 49(1), 1961; Baugh and Wooley, IEEE TC C-22(12), 1973.
"""

from amaranth.hdl import C, Cat, Value

from rtl.blocks.columns import AND_ROW, BOOTH_ROW, Columns
from rtl.blocks.wire import wire

#: About the area of a full adder, of a bit of either row, and of a digit's decoder, in NAND gates.
_ADDER, _AND, _BOOTH, _DIGIT = 7, 2, 5, 8


def add_product(columns: Columns, a: Value, b: Value, name: str) -> None:
    """Add the exact product of two numbers, signed or unsigned, to ``columns``."""
    least = min(_booth_cost(a, b), _booth_cost(b, a))
    if len(a) * len(b) * (_AND + _ADDER) <= least:
        add_and_rows(columns, a, b)
    elif _booth_cost(a, b) == least:
        add_booth_rows(columns, a, b, name)
    else:
        add_booth_rows(columns, b, a, name)


def _booth_cost(a: Value, b: Value) -> int:
    digits = len(a) // 2 + 1 if not a.shape().signed else (len(a) + 1) // 2
    return digits * ((len(b) + 1) * _BOOTH + (len(b) + 3) * _ADDER + _DIGIT)


def add_and_rows(columns: Columns, a: Value, b: Value) -> None:
    """Add one row a bit of ``a``; products with one sign bit have negative weights."""
    top = 1 << (len(b) - 1) if b.shape().signed else 0
    everything = (1 << len(b)) - 1
    for k in range(len(a)):
        signs = everything if a.shape().signed and k == len(a) - 1 else 0
        row = b.as_unsigned() & a[k].replicate(len(b))
        columns.add(row, AND_ROW, k, top ^ signs)


def add_booth_rows(columns: Columns, a: Value, b: Value, name: str) -> None:
    """Add one row a digit of ``a``."""
    signed = a.shape().signed
    digits = (len(a) + 1) // 2 if signed else len(a) // 2 + 1
    extended = Cat(C(0, 1), a, *[a[-1] if signed else C(0, 1)] * (2 * digits - len(a)))
    for k in range(digits):
        three = extended[2 * k : 2 * k + 3]
        if 2 * k >= len(a):
            # The carry out of an unsigned operand.
            columns.add(_like(b.as_unsigned() & three[0].replicate(len(b)), b), AND_ROW, 2 * k)
            continue
        m = columns.m
        one = wire(m, three[0] ^ three[1], f"{name}_one_{k}")
        two = wire(m, (three[1] ^ three[2]) & ~one, f"{name}_two_{k}")
        once, twice = Cat(b, b[-1] if b.shape().signed else C(0, 1)), Cat(C(0, 1), b)
        row = (once & one.replicate(len(once))) | (twice & two.replicate(len(once)))
        if not signed and 2 * k + 1 == len(a):
            # The top digit of an unsigned operand is positive.
            columns.add(_like(row, b), BOOTH_ROW, 2 * k)
            continue
        # Inverted, and one more; of 0 too, where the row is -1 then.
        negative = three[2]
        row = row ^ negative.replicate(len(once))
        if not b.shape().signed:
            row = Cat(row, negative)
        columns.add(row.as_signed(), BOOTH_ROW, 2 * k)
        columns.add(negative, 0.0, 2 * k)


def _like(value: Value, other: Value) -> Value:
    """Return ``value`` as a number that is signed if ``other`` is."""
    return value.as_signed() if other.shape().signed else value
