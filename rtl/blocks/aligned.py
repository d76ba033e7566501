"""Many terms aligned to the largest exponent, cut off below it, and summed once."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce

from amaranth.hdl import C, Cat, Module, Mux, Signal, Value, signed

from hwsim.formats.minifloat import Minifloat
from hwsim.units.rounding import SumRounding
from rtl.blocks.adder_tree import tree_sum
from rtl.blocks.fma import Operand, operand, special
from rtl.blocks.largest import largest
from rtl.blocks.minifloat import Decoded
from rtl.blocks.normalise import flush_subnormal, leading_zeros, raise_tiny, round_magnitude
from rtl.blocks.wire import wire


@dataclass(frozen=True)
class Term:
    """A term of an aligned sum.

    Attributes
    ----------
    operand
        The term taken apart.
    fraction
        Fraction bits of its significand; the exponent counts for the bit above them.
    """

    operand: Operand
    fraction: int

    @property
    def lowest(self) -> int:
        """Exponent at shift 0."""
        return self.operand.lowest + self.fraction

    @property
    def least(self) -> int:
        """The least exponent."""
        return self.operand.least + self.fraction

    @property
    def integer_bits(self) -> int:
        """Bits of the significand above its fraction."""
        return len(self.operand.parts.significand) - self.fraction


class Aligned:
    """What sums of aligned products share.

    A tree of comparisons finds the largest exponent, every term is shifted right from there by its
    distance and truncated, and one tree adds them.

    Parameters
    ----------
    products
        What is added up.
    bits
        Fraction bits below the largest exponent.

    Cost: a shifter of ``bits`` plus 2 a term, whatever the range of the exponents.
    """

    def __init__(self, products: Sequence[Term], bits: int) -> None:
        self.products = products
        self.bits = bits

    def added(
        self, m: Module, terms: Sequence[Term], base: int, name: str
    ) -> tuple[Value, Value, Value]:
        """Return the largest exponent above ``base``, and the sum's sign and magnitude."""
        places = [
            wire(m, self.place(term, base), f"{name}_place_{k}") for k, term in enumerate(terms)
        ]
        top = self.top(m, places, name)
        aligned = [
            wire(m, self.align(m, term, top - place, f"{name}_term_{k}"), f"{name}_aligned_{k}")
            for k, (term, place) in enumerate(zip(terms, places, strict=True))
        ]

        # Add, and take the magnitude.
        signs = [term.operand.parts.sign for term in terms]
        inverted = tree_sum(aligned)
        # The ones that negation adds to what is inverted make the sum no wider.
        total = (inverted + tree_sum(signs))[: len(inverted)].as_signed()
        total = wire(m, total, f"{name}_total")
        negative = wire(m, total[-1], f"{name}_negative")
        magnitude = wire(m, Mux(negative, -total, total)[: len(total) - 1], f"{name}_magnitude")
        return top, negative, magnitude

    def place(self, term: Term, base: int) -> Value:
        """Return the exponent of a term above ``base``; that of zero is 0, above no other."""
        parts, above = term.operand.parts, term.lowest - base
        return Mux(parts.zero, 0, (parts.shift + above)[: max(highest(term, base), 1).bit_length()])

    def top(self, m: Module, places: Sequence[Value], name: str) -> Value:
        """Return the largest of the exponents of all terms, an addend's last."""
        return largest(m, places, f"{name}_largest")

    def align(self, m: Module, term: Term, down: Value, name: str) -> Value:
        """Return a term shifted down and truncated in magnitude, inverted if it is negative."""
        parts = term.operand.parts
        excess = max(0, term.fraction - self.bits)
        wide = parts.significand.shift_left(max(0, self.bits - term.fraction))
        # Never below 0: no term that counts lies above the largest.
        amount = wire(m, down.as_unsigned()[:-1] + excess, f"{name}_down")
        magnitude = (wide >> amount)[: term.integer_bits + self.bits]
        magnitude = wire(m, magnitude, f"{name}_cut")
        return Cat(magnitude ^ parts.sign.replicate(len(magnitude)), parts.sign).as_signed()

    def all_products(self) -> Decoded:
        """Return what is special about the sum of the products."""
        parts = [term.operand.parts for term in self.products]
        plus = reduce(Value.__or__, [p.infinity & ~p.sign for p in parts])
        minus = reduce(Value.__or__, [p.infinity & p.sign for p in parts])
        nan = reduce(Value.__or__, [p.nan for p in parts])
        return Decoded(
            sign=minus,
            significand=C(0, 1),
            shift=C(0, 1),
            zero=C(0, 1),
            infinity=plus | minus,
            nan=nan | (plus & minus),
        )


def highest(term: Term, base: int) -> int:
    """Return the largest exponent of a term above ``base``."""
    return term.operand.shifts[-1] + term.lowest - base


class AlignedProducts(Aligned):
    """Adds products that are aligned among themselves; see :mod:`hwsim.units.float_mac`.

    Parameters are those of :class:`Aligned`. Numerics: the sum is normalised, and exact but for the
    bits of products that are cut off.

    Cost: what aligned products take, and a count of leading zeros and a shifter of the sum's width.
    """

    def operand(self, m: Module, name: str) -> Operand:
        """Return the sum of the products, as one term of an addition."""
        base = min(term.least for term in self.products)
        top, negative, magnitude = self.added(m, self.products, base, name)
        every = self.all_products()
        # Normalised before the addition, which is narrower then, as that waits for the last sum.
        width = len(magnitude)
        zeros = wire(m, leading_zeros(m, magnitude, f"{name}_zeros"), f"{name}_zeros")
        normal = wire(m, (magnitude << zeros)[:width], f"{name}_normal")
        longest = max(highest(term, base) for term in self.products) + width - 1
        # Below 0 for zero alone, whose shift does not matter.
        shift = (top + (width - 1) - zeros)[: max(longest, 1).bit_length()]
        parts = Decoded(
            sign=wire(m, Mux(every.infinity, every.sign, negative), f"{name}_sign"),
            significand=normal,
            shift=wire(m, shift, f"{name}_shift"),
            zero=wire(m, ~magnitude.any(), f"{name}_zero"),
            infinity=wire(m, every.infinity, f"{name}_infinity"),
            nan=wire(m, every.nan, f"{name}_nan"),
        )
        lowest = base - self.bits - (width - 1)
        return Operand(parts, lowest, range(longest + 1), subnormal_shift=-1, normal_bits=width)


class AlignedSum(Aligned):
    """Adds products and an addend of a minifloat format; see :mod:`hwsim.units.float_mac`.

    The addend is aligned as the products are, and one normaliser rounds.

    Parameters
    ----------
    fmt
        Format of the addend and the sum.
    products
        The other terms.
    bits
        Fraction bits below the largest exponent.
    rounding
        How the sum is rounded to ``fmt``.
    flush
        Whether sums that are subnormal once rounded become zero.

    Cost: what products take, and a shifter more and the normaliser.
    """

    def __init__(
        self,
        fmt: Minifloat,
        products: Sequence[Term],
        bits: int,
        rounding: SumRounding,
        flush: bool = False,
    ) -> None:
        super().__init__(products, bits)
        self.fmt = fmt
        self.rounding = rounding
        self.flush = flush

    def sum(self, m: Module, code: Value, name: str) -> Value:
        """Return the code of the sum of the products and ``code``."""
        addend = Term(operand(m, self.fmt, code, f"{name}_addend"), self.fmt.mantissa)
        terms = [*self.products, addend]
        base = min(term.least for term in terms)

        top, negative, magnitude = self.added(m, terms, base, name)

        # Normalise and round, in at least the width that rounding takes.
        padding = max(0, self.fmt.mantissa + 3 - len(magnitude))
        least = base - self.bits - padding - self.fmt.subnormal_exponent
        padded = Cat(C(0, padding), magnitude)
        width = max(len(top), abs(least).bit_length(), len(padded).bit_length()) + 2
        lowest = Signal(signed(width), name=f"{name}_lowest")
        m.d.comb += lowest.eq(top + least)
        padded, raised = raise_tiny(m, self.fmt, padded, lowest, least, name)
        rounded, overflow = round_magnitude(m, self.fmt, padded, raised, name, self.rounding)
        if self.flush:
            rounded = wire(m, flush_subnormal(self.fmt, rounded), f"{name}_flushed")
        # A sum of zero is +0, but what overflows keeps its sign.
        sign = negative & (rounded.any() | overflow)
        every = self.all_products()
        return special(self.fmt, every, addend.operand.parts, Cat(rounded, sign), overflow)
