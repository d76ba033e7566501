"""Entries of tables to short integers with one scale; see :mod:`hwsim.units.table_quantisation`."""

from collections.abc import Sequence
from dataclasses import dataclass

from amaranth.hdl import C, Cat, Module, Mux, Value

from hwsim.formats.minifloat import Minifloat
from hwsim.units.rounding import SumRounding
from rtl.blocks.fma import Operand, short_operand
from rtl.blocks.largest import largest
from rtl.blocks.minifloat import Decoded, decode
from rtl.blocks.shift_right import shift_right
from rtl.blocks.wire import wire


@dataclass(frozen=True)
class Quantised:
    """Short integers worth ``entry * 2**scale``, in units of the lowest place.

    Attributes
    ----------
    entries
        Two's complement for integers; for floats the magnitude with the sign above it.
    scale
        Unsigned.
    nan
        Whether all entries are NaN; constant 0 for integers.
    """

    entries: list[Value]
    scale: Value
    nan: Value


def quantise_integers(m: Module, entries: Sequence[Value], bits: int, name: str) -> Quantised:
    """Return ``entries`` rounded to ``bits`` bits.

    Cost: a negation an entry to find the largest, a shifter and an incrementer an entry to round.
    """
    width = len(entries[0])
    magnitudes = [Mux(entry[-1], -entry, entry)[:width] for entry in entries]
    # The highest set bit of all is that of the largest.
    ones = magnitudes[0]
    for magnitude in magnitudes[1:]:
        ones = ones | magnitude
    ones = wire(m, ones, f"{name}_ones")
    scale: Value = C(0, 1)
    for drop in range(1, width - bits + 1):
        scale = Mux(ones[bits - 2 + drop], drop, scale)
    scale = wire(m, scale, f"{name}_scale")
    limit = (1 << (bits - 1)) - 1
    rounded = []
    for k, entry in enumerate(entries):
        value = shift_right(m, entry, scale, SumRounding.NEAREST_EVEN, f"{name}_{k}")
        clipped = Mux(value > limit, limit, Mux(value < -limit, -limit, value))
        rounded.append(wire(m, clipped[:bits].as_signed(), f"{name}_{k}_quantised"))
    return Quantised(rounded, scale, C(0, 1))


def quantise_floats(
    m: Module, fmt: Minifloat, entries: Sequence[Value], bits: int, name: str
) -> Quantised:
    """Return the minifloats ``entries`` rounded to ``bits`` bits with a shared exponent.

    Cost: a comparator an entry to find the largest exponent, a shifter and an incrementer an
    entry.
    """
    parts = [decode(m, fmt, entry, f"{name}_{k}_entry") for k, entry in enumerate(entries)]
    scale = wire(m, largest(m, [part.shift for part in parts], f"{name}_larger"), f"{name}_scale")
    nan = wire(m, Cat(part.nan | part.infinity for part in parts).any(), f"{name}_nan")
    rounded = []
    for k, part in enumerate(parts):
        magnitude = _aligned(m, fmt, part, scale, bits, f"{name}_{k}")
        rounded.append(wire(m, Cat(magnitude, part.sign), f"{name}_{k}_quantised"))
    return Quantised(rounded, scale, nan)


def _aligned(m: Module, fmt: Minifloat, part: Decoded, scale: Value, bits: int, name: str) -> Value:
    """Return the magnitude of an entry in units of the table's lowest place, rounded.

    It has ``bits`` - 1 bits.
    """
    # A significand as high as the largest has its top bit at place bits - 2.
    longer = fmt.mantissa - (bits - 2)
    padded = Cat(C(0, max(-longer, 0)), part.significand)
    most = len(padded) + 1
    down = scale - part.shift
    amount = wire(m, down + longer if longer > 0 else down, f"{name}_down")
    capped = wire(m, Mux(amount > most, most, amount)[: most.bit_length()], f"{name}_amount")
    padded = wire(m, padded, f"{name}_padded")
    rounded = shift_right(m, padded, capped, SumRounding.NEAREST_EVEN, name)
    if longer <= 0:
        return rounded
    # What is as high as the largest may round up past the last place.
    limit = (1 << (bits - 1)) - 1
    return wire(m, Mux(rounded > limit, limit, rounded)[: bits - 1], f"{name}_saturated")


def quantised_operand(
    fmt: Minifloat, table: Quantised, entry: Value, negative: Value, bits: int
) -> Operand:
    """Return an entry of a table of floats, negated if ``negative`` is set, for accumulation."""
    magnitude = entry[:-1]
    none = C(0, 1)
    parts = Decoded(
        sign=entry[-1] ^ negative,
        significand=magnitude,
        shift=table.scale,
        zero=(magnitude == 0) & ~table.nan,
        infinity=none,
        nan=table.nan,
    )
    # The scale is an exponent field of finite numbers.
    longest = max((fmt.max_code >> fmt.mantissa) - 1, 0)
    lowest = fmt.subnormal_exponent + fmt.mantissa - (bits - 2)
    return short_operand(parts, lowest, range(longest + 1))
