"""Digits of a serial operand, combinationally."""

from dataclasses import dataclass

from amaranth.hdl import C, Cat, Module, Value

from rtl.blocks.wire import wire


@dataclass(frozen=True)
class Digit:
    """A digit 0, +-1 or +-2.

    Attributes
    ----------
    nonzero, negative, double
        ``negative`` and ``double`` mean nothing where ``nonzero`` is 0.
    """

    nonzero: Value
    negative: Value
    double: Value


@dataclass(frozen=True)
class Window:
    """Which low bits of an operand count; shared by all lanes.

    Attributes
    ----------
    used
        For every bit, whether it counts.
    top
        For every bit, whether it is the highest that counts.
    """

    used: list[Value]
    top: list[Value]


def fixed_window(bits: int) -> Window:
    """Return the window of an operand whose ``bits`` bits all count."""
    return Window([C(1, 1)] * bits, [C(int(k == bits - 1), 1) for k in range(bits)])


def window(m: Module, bits: int, precision: Value) -> Window:
    """Return the window of the low ``precision`` bits, 1 to ``bits``."""
    return Window(
        [wire(m, precision > k, f"uses_{k}") for k in range(bits)],
        [wire(m, precision == k + 1, f"top_{k}") for k in range(bits)],
    )


def binary_digits(value: Value, signed: bool, bits: Window) -> list[Digit]:
    """Return the bits of ``value`` as digits; the top one of a signed value is negative."""
    return [
        Digit(value[k] & bits.used[k], bits.top[k] & signed, C(0, 1)) for k in range(len(value))
    ]


def booth_word(m: Module, value: Value, signed: bool, bits: Window, name: str) -> Value:
    """Return ``value`` with a zero below it, extended above the bits that count.

    Bits 2k to 2k + 2 of it make digit k; see :func:`booth_digit`. There are ceil(n/2) digits of n
    signed bits and floor(n/2) + 1 of unsigned ones.
    """
    width = len(value)
    sign: Value = C(0, 1)
    if signed:
        sign = wire(m, Cat(value[k] & bits.top[k] for k in range(width)).any(), f"{name}_sign")
    digits = (width + 1) // 2 if signed else width // 2 + 1
    extended = [(value[k] & bits.used[k]) | (sign & ~bits.used[k]) for k in range(width)]
    above = [sign] * (2 * digits - width)
    return wire(m, Cat(C(0, 1), *extended, *above), f"{name}_extended")


def booth_digit(three: Value) -> Digit:
    """Return the radix-4 Booth digit of three neighbouring bits, -2, 1 and 1 from the top.

    Source: MacSorley, Proc. IRE 49(1), 1961.
    """
    return Digit(
        nonzero=three.any() & ~three.all(),
        negative=three[2],
        double=three[0] == three[1],
    )
