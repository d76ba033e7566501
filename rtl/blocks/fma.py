"""Fused multiply-add: an exact product and an addend, rounded once."""

from dataclasses import dataclass

from amaranth.hdl import C, Cat, Module, Mux, Value

from hwsim.formats.base import Format
from hwsim.formats.minifloat import Minifloat
from rtl.blocks.minifloat import Decoded, decode
from rtl.blocks.normalise import round_magnitude
from rtl.blocks.wire import wire


@dataclass(frozen=True)
class Operand:
    """A decoded operand with what is known of it in advance.

    Attributes
    ----------
    parts
        Its signals; the magnitude is ``significand << shift`` in units of 2**lowest.
    lowest
        Exponent of its lowest bit at shift 0.
    longest_shift
        The largest shift that occurs.
    """

    parts: Decoded
    lowest: int
    longest_shift: int


def operand(m: Module, fmt: Format, code: Value, name: str) -> Operand:
    """Return ``code`` taken apart: a minifloat, or an integer by sign and magnitude."""
    if isinstance(fmt, Minifloat):
        longest = (fmt.max_code >> fmt.mantissa) - 1
        return Operand(decode(m, fmt, code, name), fmt.subnormal_exponent, max(longest, 0))
    negative = code[-1] if code.shape().signed else C(0, 1)
    magnitude = wire(m, Mux(negative, -code, code)[: fmt.bits], f"{name}_magnitude")
    none = C(0, 1)
    parts = Decoded(negative, magnitude, none, magnitude == 0, infinity=none, nan=none)
    return Operand(parts, 0, 0)


def choose(m: Module, choice: Value, one: Operand, other: Operand, name: str) -> Operand:
    """Return ``one`` if ``choice`` is set, else ``other``, on one scale."""
    lowest = min(one.lowest, other.lowest)
    a, b = one.parts, other.parts
    parts = Decoded(
        sign=Mux(choice, a.sign, b.sign),
        significand=wire(m, Mux(choice, a.significand, b.significand), f"{name}_significand"),
        shift=wire(
            m,
            Mux(choice, a.shift + (one.lowest - lowest), b.shift + (other.lowest - lowest)),
            f"{name}_shift",
        ),
        zero=Mux(choice, a.zero, b.zero),
        infinity=Mux(choice, a.infinity, b.infinity),
        nan=Mux(choice, a.nan, b.nan),
    )
    longest = max(x.longest_shift + x.lowest - lowest for x in (one, other))
    return Operand(parts, lowest, longest)


def multiply(m: Module, a: Operand, w: Operand, name: str) -> Operand:
    """Return the exact product."""
    infinity = a.parts.infinity | w.parts.infinity
    zero = a.parts.zero | w.parts.zero
    nan = a.parts.nan | w.parts.nan | (infinity & zero)
    parts = Decoded(
        sign=wire(m, a.parts.sign ^ w.parts.sign, f"{name}_sign"),
        significand=wire(m, a.parts.significand * w.parts.significand, f"{name}_significand"),
        shift=wire(m, a.parts.shift + w.parts.shift, f"{name}_shift"),
        zero=wire(m, zero, f"{name}_zero"),
        infinity=infinity & ~nan,
        nan=nan,
    )
    return Operand(parts, a.lowest + w.lowest, a.longest_shift + w.longest_shift)


class FusedAdd:
    """Adds a product to an addend of a minifloat format and rounds once, to nearest even.

    The product stays in place in a window; the addend is shifted to its place from a highest one,
    two places above the product. An addend further up leaves the product below its half units,
    where its place does not matter. Places below the window are merged into a sticky bit.

    ====================  =========================================================
    part of the window    width
    ====================  =========================================================
    above the product     2 + addend's significand
    product               its significand
    below the product     2 + addend's significand, as a product may have few bits
    sticky                1
    ====================  =========================================================
    """

    def __init__(self, fmt: Minifloat, product: Operand) -> None:
        self.fmt = fmt
        self.product = product
        self.significand = fmt.mantissa + 1
        self.below = self.significand + 2
        # The addend's lowest bit at its highest place.
        self.highest = self.below + len(product.parts.significand) + 2
        # With the sticky bit below the window.
        self.width = self.highest + self.significand + 1
        # The least exponent of the sticky bit, above the format's smallest subnormal.
        self.least = product.lowest - fmt.subnormal_exponent - self.below - 1

    def sum(self, m: Module, code: Value, name: str) -> Value:
        """Return the code of the sum of the product and ``code``."""
        addend = decode(m, self.fmt, code, f"{name}_addend")
        product = self.product.parts
        place = self.product.lowest - self.fmt.subnormal_exponent

        # Align. How far the addend is shifted down from the highest place:
        down = wire(m, product.shift + (place + self.highest - self.below) - addend.shift,
                    f"{name}_down")  # fmt: skip
        there = addend.significand.any()
        far = wire(m, ((down < 0) | product.zero) & there, f"{name}_far")
        longest = self.highest + self.significand
        amount = wire(
            m, Mux(far, 0, Mux(down > longest, longest, down)[: longest.bit_length()]),
            f"{name}_amount",
        )  # fmt: skip
        placed = addend.significand.shift_left(longest) >> amount
        placed = wire(m, placed, f"{name}_placed")
        aligned = Cat(placed[: self.significand].any(), placed[self.significand :])
        lowest = wire(
            m,
            Mux(far, addend.shift - self.highest, product.shift + (place - self.below)) - 1,
            f"{name}_lowest",
        )

        # Add. One of the two is negated if the signs differ.
        subtract = wire(m, product.sign ^ addend.sign, f"{name}_subtract")
        fixed = product.significand.shift_left(self.below + 1)
        total = wire(m, self.add(Mux(subtract, -fixed, fixed), aligned), f"{name}_total")
        negative = wire(m, total[-1] & subtract, f"{name}_negative")
        magnitude = wire(m, Mux(negative, -total, total)[: self.width], f"{name}_magnitude")
        magnitude, lowest = self.raise_tiny(m, magnitude, lowest, name)

        # Normalise and round.
        code, overflow = round_magnitude(m, self.fmt, magnitude, lowest, name)
        larger = Mux(subtract & negative, product.sign, addend.sign)
        # What cancels to nothing is +0.
        sign = larger & ~(subtract & ~magnitude.any())
        if not self.fmt.has_negative_zero:
            # The bits of what overflowed may all be 0.
            sign = sign & (code.any() | overflow)
        return self.special(product, addend, Cat(code, sign), overflow)

    def raise_tiny(
        self, m: Module, magnitude: Value, lowest: Value, name: str
    ) -> tuple[Value, Value]:
        """Return the same number with its highest place not below the highest of a subnormal.

        Only where products can be that small; there it costs a shifter, with a sticky bit.
        """
        top = self.width - 1 - self.fmt.mantissa
        if self.least + top >= 0:
            return magnitude, lowest
        room = wire(m, lowest + top, f"{name}_tiny_room")
        tiny = room[-1]
        excess = Mux(-room > self.width, self.width, -room)[: self.width.bit_length()]
        places = Cat(C(0, self.width), magnitude) >> Mux(tiny, excess, 0)
        places = wire(m, places, f"{name}_raised")
        sticky = places[: self.width + 1].any()
        raised = Cat(sticky, places[self.width + 1 :])
        return raised, wire(m, Mux(tiny, -top, lowest), f"{name}_raised_lowest")

    def add(self, fixed: Value, aligned: Value) -> Value:
        """Return the signed sum of the product and the aligned addend."""
        return fixed + aligned

    def special(self, product: Decoded, addend: Decoded, code: Value, overflow: Value) -> Value:
        """Return ``code``, or infinity or NaN where the operands or an overflow demand it."""
        fmt = self.fmt
        infinite = product.infinity | addend.infinity
        nan = product.nan | addend.nan
        if not fmt.has_infinity:
            return Mux(nan | infinite | overflow, fmt.nan_code, code)
        nan = nan | (product.infinity & addend.infinity & (product.sign ^ addend.sign))
        sign = Mux(product.infinity, product.sign, Mux(addend.infinity, addend.sign, code[-1]))
        infinity = Cat(C(fmt.infinity_code, fmt.bits - 1), sign)
        return Mux(nan, fmt.nan_code, Mux(infinite | overflow, infinity, code))
