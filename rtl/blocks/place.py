"""A scaled integer brought to its place in a fixed-point number."""

from dataclasses import dataclass

from amaranth.hdl import Module, Mux, Signal, Value, signed

from rtl.blocks.fma import Operand
from rtl.blocks.wire import wire


@dataclass(frozen=True)
class Placed:
    """A magnitude in fixed point.

    Attributes
    ----------
    magnitude
        Its bits in the number's range.
    overflow
        Whether it reaches the sign bit or beyond.
    inexact
        Whether bits below the unit were dropped.
    """

    magnitude: Value
    overflow: Value
    inexact: Value


def place(m: Module, term: Operand, width: int, unit: int, name: str) -> Placed:
    """Return the magnitude of ``term`` in ``width`` bits that count multiples of 2**unit.

    Cost: a shifter as wide as the number and twice the term's significand.
    """
    parts = term.parts
    below = len(parts.significand)
    # Bit 0 is `below` places under the unit: all that a term further down leaves is inexact.
    up = Signal(signed(len(parts.shift) + abs(term.lowest - unit + below).bit_length() + 2),
                name=f"{name}_up")  # fmt: skip
    m.d.comb += up.eq(parts.shift + (term.lowest - unit + below))
    longest = below + width
    capped = Mux(up > longest, longest, Mux(up < 0, 0, up))[: longest.bit_length()]
    placed = wire(m, (parts.significand << capped)[: longest + below], name)
    return Placed(
        magnitude=placed[below:longest],
        overflow=placed[longest - 1 :].any(),
        inexact=placed[:below].any(),
    )
