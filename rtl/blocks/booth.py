"""Signed multiplier with radix-4 Booth recoding and saved carries."""

from amaranth.hdl import C, Cat, Module, Value

from rtl.blocks.compress import Bit, compress, split
from rtl.blocks.recode import booth_digit
from rtl.blocks.wire import wire


def booth_multiply(m: Module, a: Value, b: Value, name: str) -> Value:
    """Return the exact product of two signed values; ``a`` is recoded.

    One row for two bits of ``a``, -2 to 2 times ``b``: half the adders of an array of AND gates,
    for a multiplexer and an exclusive-or a bit. A row's sign bit s counts -s = ~s - 1, and the
    -1 of all rows are one constant.

    Source: MacSorley, Proc. IRE 49(1), 1961; sign extension as in Ercegovac and Lang, Digital
    Arithmetic, 2004, section 4.
    """
    width = len(a) + len(b)
    digits = (len(a) + 1) // 2
    tops = [2 * k + len(b) for k in range(digits)]
    columns = split(-sum(1 << top for top in tops), width)

    def put(place: int, arrival: float, value: Value) -> None:
        if place < width:
            columns[place].append(Bit(arrival, value))

    extended = Cat(C(0, 1), a, a[-1])
    for k, top in enumerate(tops):
        digit = booth_digit(extended[2 * k : 2 * k + 3])
        one = wire(m, ~digit.double, f"{name}_one_{k}")
        two = wire(m, digit.double & digit.nonzero, f"{name}_two_{k}")
        flipped = wire(m, b.as_unsigned() ^ digit.negative.replicate(len(b)), f"{name}_flipped_{k}")
        # Both start with what fills up below the lowest bit and above the highest.
        once, twice = Cat(flipped, flipped[-1]), Cat(digit.negative, flipped)
        ones, twos = one.replicate(len(once)), two.replicate(len(once))
        row = wire(m, (once & ones) | (twice & twos), f"{name}_row_{k}")
        for i, bit in enumerate(row[:-1]):
            put(2 * k + i, 1, bit)
        put(top, 1, wire(m, ~row[-1], f"{name}_sign_{k}"))
        put(2 * k, 1, wire(m, digit.negative & digit.nonzero, f"{name}_negate_{k}"))
    return compress(m, columns, name).as_signed()
