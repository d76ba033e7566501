"""Fused multiply-add: an exact product and an addend, rounded once."""

from dataclasses import dataclass, replace

from amaranth.hdl import C, Cat, Module, Mux, Value

from hwsim.formats.base import Format
from hwsim.formats.minifloat import Minifloat
from hwsim.units.rounding import SumRounding
from rtl.blocks.minifloat import Decoded, decode
from rtl.blocks.normalise import ZERO, flush_subnormal, raise_tiny, round_magnitude
from rtl.blocks.wire import wire


@dataclass(frozen=True)
class Operand:
    """A decoded operand with what is known of it in advance.

    Attributes
    ----------
    parts
        Its signals; the magnitude is ``significand << shift`` in units of 2**lowest. Infinity and
        NaN may have any significand.
    lowest
        Exponent of its lowest bit at shift 0.
    shifts
        The shifts that occur, of operands other than zero.
    subnormal_shift
        The largest shift at which an operand other than zero may be short; below all of them if
        none is.
    normal_bits
        Significand bits that it has at least above that shift.
    """

    parts: Decoded
    lowest: int
    shifts: range
    subnormal_shift: int
    normal_bits: int

    @property
    def least(self) -> int:
        """Exponent of the lowest bit at the least shift."""
        return self.lowest + self.shifts[0]


def operand(m: Module, fmt: Format, code: Value, name: str, flush: bool = False) -> Operand:
    """Return ``code`` taken apart: a minifloat, or an integer by sign and magnitude.

    With ``flush``, a minifloat's subnormals are zeros.
    """
    if isinstance(fmt, Minifloat):
        parts = decode(m, fmt, code, name, flush)
        # The exponent field as it is, but at least 1, needs no decrement.
        field = code[fmt.mantissa : fmt.bits - fmt.signed]
        mantissa = code[: fmt.mantissa]
        if flush:
            mantissa = mantissa & parts.normal.replicate(fmt.mantissa)
        parts = replace(
            parts,
            significand=Cat(mantissa, parts.normal),
            shift=wire(m, Cat(field[0] | ~parts.normal, field[1:]), f"{name}_exponent"),
        )
        largest = max(fmt.max_code >> fmt.mantissa, 1)
        return Operand(
            parts,
            lowest=fmt.subnormal_exponent - 1,
            shifts=range(1, largest + 1),
            subnormal_shift=1,
            normal_bits=fmt.mantissa + 1,
        )
    negative = code[-1] if code.shape().signed else ZERO
    magnitude = wire(m, Mux(negative, -code, code)[: fmt.bits], f"{name}_magnitude")
    parts = Decoded(negative, magnitude, ZERO, magnitude == 0, infinity=ZERO, nan=ZERO)
    return Operand(parts, lowest=0, shifts=range(1), subnormal_shift=0, normal_bits=1)


def short_operand(parts: Decoded, lowest: int, shifts: range) -> Operand:
    """Return an operand whose significand may have a single bit at any shift."""
    return Operand(parts, lowest, shifts, subnormal_shift=shifts[-1], normal_bits=1)


def choose(m: Module, choice: Value, one: Operand, other: Operand, name: str) -> Operand:
    """Return ``one`` if ``choice`` is set, else ``other``, on one scale."""
    lowest = min(one.least, other.least)
    a, b = one.parts, other.parts
    shift_a, shift_b = (x.parts.shift + (x.lowest - lowest) for x in (one, other))
    parts = Decoded(
        sign=Mux(choice, a.sign, b.sign),
        significand=wire(m, Mux(choice, a.significand, b.significand), f"{name}_significand"),
        shift=wire(m, Mux(choice, shift_a, shift_b).as_unsigned(), f"{name}_shift"),
        zero=Mux(choice, a.zero, b.zero),
        infinity=Mux(choice, a.infinity, b.infinity),
        nan=Mux(choice, a.nan, b.nan),
    )
    longest = max(x.lowest + x.shifts[-1] for x in (one, other)) - lowest
    return short_operand(parts, lowest, range(longest + 1))


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
    shifts = range(a.shifts[0] + w.shifts[0], a.shifts[-1] + w.shifts[-1] + 1)
    # Above the sum of their subnormal shifts, one of the two is above its own.
    normal = [x.normal_bits for x in (a, w) if x.shifts[-1] > x.subnormal_shift]
    return Operand(
        parts,
        lowest=a.lowest + w.lowest,
        shifts=shifts,
        subnormal_shift=a.subnormal_shift + w.subnormal_shift,
        normal_bits=min(normal, default=1),
    )


class FusedAdd:
    """Adds a product to an addend of a minifloat format and rounds once.

    The product stays in place in a window; the addend is shifted to its place from a highest one,
    two places above the product. An addend further up leaves the product below its half units,
    where its place does not matter. Places below the window are merged into a sticky bit.

    ====================  =========================================================
    part of the window    width
    ====================  =========================================================
    above the product     2 + addend's significand
    product               its significand
    below the product     2, and what products of few bits lack of a significand
    sticky                1
    ====================  =========================================================

    What is subtracted is inverted, without the carry into the lowest bit, and so is a sum that is
    negative. Where one of the two was, and not both, the rounding takes the carry in.

    A product whose significand is signed is in two's complement and never the most negative number;
    its sign counts where it is infinite or zero. It then is added to the addend's magnitude, or
    subtracted if the addend is negative, so that nothing negates it first.
    """

    def __init__(
        self,
        fmt: Minifloat,
        product: Operand,
        rounding: SumRounding = SumRounding.NEAREST_EVEN,
        flush: bool = False,
    ) -> None:
        self.fmt = fmt
        self.product = product
        self.rounding = rounding
        self.flush = flush
        self.significand = fmt.mantissa + 1
        # Places of the addend below a product that may have a single bit.
        subnormal = product.lowest + product.subnormal_shift - fmt.subnormal_exponent
        short = product.subnormal_shift >= product.shifts[0]
        few = min(subnormal, self.significand + 2) if short else 0
        self.below = max(2, few, self.significand + 2 - product.normal_bits)
        # The addend's lowest bit at its highest place.
        self.is_signed = product.parts.significand.shape().signed
        self.highest = self.below + len(product.parts.significand) - self.is_signed + 2
        # With the sticky bit below the window.
        self.width = self.highest + self.significand + 1
        # The least exponent of the sticky bit, above the format's smallest subnormal.
        self.least = product.least - fmt.subnormal_exponent - self.below - 1

    def sum(self, m: Module, code: Value, name: str) -> Value:
        """Return the code of the sum of the product and ``code``."""
        addend = operand(m, self.fmt, code, f"{name}_addend").parts
        product = self.product.parts
        # Exponents count from that of the smallest subnormal, which is 1 in the addend's shift.
        place = self.product.lowest - self.fmt.subnormal_exponent

        # Align. How far the addend is shifted down from the highest place:
        down = wire(m, product.shift + (place + self.highest - self.below + 1) - addend.shift,
                    f"{name}_down")  # fmt: skip
        far = wire(m, (down < 0) | product.zero, f"{name}_far")
        longest = self.highest + self.significand
        lost = wire(m, (down > longest) & ~far, f"{name}_lost")
        amount = wire(m, Mux(far, 0, down[: longest.bit_length()]), f"{name}_amount")
        placed = (addend.significand.shift_left(longest) >> amount) & (~lost).replicate(
            longest + self.significand
        )
        placed = wire(m, placed, f"{name}_placed")
        sticky = placed[: self.significand].any() | (lost & ~addend.zero)
        aligned = Cat(sticky, placed[self.significand :])
        lowest = wire(
            m,
            Mux(
                far,
                addend.shift - (self.highest + 2),
                product.shift + (place - self.below - 1),
            ),
            f"{name}_lowest",
        )

        # Add, or subtract the product and 1.
        value = product.significand
        subtract = addend.sign if self.is_signed else product.sign ^ addend.sign
        subtract = wire(m, subtract, f"{name}_subtract")
        below_zero = value[-1] if self.is_signed else ZERO
        fixed = Cat(C(0, self.below + 1), value, below_zero.replicate(self.width))[: self.width]
        total = self.add(aligned, fixed ^ subtract.replicate(self.width))
        total = wire(m, total[: self.width + 1], f"{name}_total")
        negative = wire(m, (subtract ^ below_zero) & ~total[-1], f"{name}_negative")
        fill = wire(m, subtract ^ negative, f"{name}_fill")
        magnitude = total[:-1] ^ negative.replicate(self.width)
        magnitude = wire(m, magnitude, f"{name}_magnitude")
        magnitude, lowest = raise_tiny(m, self.fmt, magnitude, lowest, self.least, name, fill)

        # Normalise and round.
        code, overflow = round_magnitude(m, self.fmt, magnitude, lowest, name, self.rounding, fill)
        if self.flush:
            code = wire(m, flush_subnormal(self.fmt, code), f"{name}_flushed")
        # What cancels to nothing is +0.
        nonzero = C(1, 1) if self.is_signed else magnitude.any()
        sign = Mux(negative, product.sign & nonzero, addend.sign)
        if not self.fmt.has_negative_zero:
            # The bits of what overflowed may all be 0.
            sign = sign & (code.any() | overflow)
        return special(self.fmt, product, addend, Cat(code, sign), overflow)

    def add(self, aligned: Value, fixed: Value) -> Value:
        """Return the sum of the addend and the product, which is inverted for a difference."""
        return aligned + fixed


def special(
    fmt: Minifloat, product: Decoded, addend: Decoded, code: Value, overflow: Value
) -> Value:
    """Return ``code``, or infinity or NaN where the terms or an overflow demand it."""
    infinite = product.infinity | addend.infinity
    nan = product.nan | addend.nan
    if not fmt.has_infinity:
        return Mux(nan | infinite | overflow, fmt.nan_code, code)
    nan = nan | (product.infinity & addend.infinity & (product.sign ^ addend.sign))
    sign = Mux(product.infinity, product.sign, Mux(addend.infinity, addend.sign, code[-1]))
    infinity = Cat(C(fmt.infinity_code, fmt.bits - 1), sign)
    return Mux(nan, fmt.nan_code, Mux(infinite | overflow, infinity, code))
