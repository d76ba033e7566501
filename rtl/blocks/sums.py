"""The two arithmetics of tables of sums; see :mod:`hwsim.units.sums`.

Both have the same methods, so that a table or an array of elements is written once. An entry is a
signed number, or a code of the table's format; an accumulator's state is a word of the result.
"""

from collections.abc import Sequence
from dataclasses import replace

from amaranth.hdl import C, Module, Mux, Shape, Value, signed, unsigned

from hwsim.formats.minifloat import Minifloat
from hwsim.units.sums import FloatSums, IntegerSums, Sums
from rtl.blocks.adder_tree import tree_sum
from rtl.blocks.fma import FusedAdd, Operand, operand
from rtl.blocks.wire import wire


class IntegerAdders:
    """Exact adders.

    Parameters
    ----------
    sums : IntegerSums
        Format of the activations and width of the accumulator.
    """

    def __init__(self, sums: IntegerSums) -> None:
        self.sums = sums

    def entry_shape(self, lanes: int) -> Shape:
        """Return the shape of sums of up to ``lanes`` activations and of their negatives."""
        return signed((lanes * self.sums.largest).bit_length() + 1)

    def zero(self) -> Value:
        """Return the entry 0."""
        return C(0, signed(1))

    def operand(self, m: Module, code: Value, name: str) -> Value:
        """Return an activation, given its code, in the form that :meth:`add` takes."""
        return code

    def start(self, m: Module, code: Value, operand: Value, name: str) -> Value:
        """Return the entry that is one activation, given its code and its operand."""
        return code

    def add(self, m: Module, entry: Value, operand: Value, negative: bool, name: str) -> Value:
        """Return ``entry`` plus or minus an activation."""
        return wire(m, entry - operand if negative else entry + operand, name)

    def negate(self, m: Module, entry: Value, negative: Value, name: str) -> Value:
        """Return ``entry``, negated if ``negative`` is set.

        The entry's shape holds both.
        """
        inverted = entry ^ negative.replicate(len(entry))
        return wire(m, (inverted + negative)[: len(entry)].as_signed(), name)

    def term(self, m: Module, entry: Value, plane: Value, highest: int, name: str) -> Value:
        """Return ``entry * 2**plane`` for accumulation; ``plane`` is ``highest`` at most."""
        return wire(m, (entry << plane)[: len(entry) + highest].as_signed(), name)

    def accumulate(self, m: Module, state: Value, terms: Sequence[Value], name: str) -> Value:
        """Return the accumulator's next state; the carry out is dropped."""
        total = wire(m, tree_sum(terms), f"{name}_total")
        return wire(m, (state.as_signed() + total)[: self.sums.accumulator_bits], name)


class FloatAdders:
    """Adders that round once, to nearest even.

    Parameters
    ----------
    sums : FloatSums
        Formats of the activations, the entries and the accumulator.
    """

    def __init__(self, sums: FloatSums) -> None:
        self.sums = sums

    def entry_shape(self, lanes: int) -> Shape:
        """Return the shape of an entry, a code of the table's format."""
        return unsigned(self.sums.table_format.bits)

    def zero(self) -> Value:
        """Return the entry +0."""
        return C(0, self.sums.table_format.bits)

    def operand(self, m: Module, code: Value, name: str) -> Operand:
        """Return an activation, given its code, in the form that :meth:`add` takes."""
        return operand(m, self.sums.activation, code, name)

    def start(self, m: Module, code: Value, operand: Operand, name: str) -> Value:
        """Return the entry that is +0 plus one activation, given its code and its operand."""
        if self.sums.activation != self.sums.table_format:
            return self.add(m, self.zero(), operand, False, name)
        zero_or_code = Mux(operand.parts.zero, 0, code)
        return wire(m, Mux(operand.parts.nan, self.sums.table_format.nan_code, zero_or_code), name)

    def add(self, m: Module, entry: Value, operand: Operand, negative: bool, name: str) -> Value:
        """Return ``entry`` plus or minus an activation."""
        sign = ~operand.parts.sign if negative else operand.parts.sign
        addend = replace(operand, parts=replace(operand.parts, sign=sign))
        adder = FusedAdd(self.sums.table_format, addend)
        return wire(m, adder.sum(m, entry, name), f"{name}_code")

    def negate(self, m: Module, entry: Value, negative: Value, name: str) -> Value:
        """Return ``entry``, negated if ``negative`` is set."""
        fmt: Minifloat = self.sums.table_format
        # Where the sign alone means NaN, zero and NaN are their own negatives.
        flip = negative if fmt.has_negative_zero else negative & entry[:-1].any()
        return wire(m, entry ^ flip.shift_left(fmt.bits - 1), name)

    def term(self, m: Module, entry: Value, plane: Value, highest: int, name: str) -> Operand:
        """Return ``entry * 2**plane`` for accumulation; ``plane`` is ``highest`` at most."""
        return scaled(m, operand(m, self.sums.table_format, entry, name), plane, highest, name)

    def accumulate(self, m: Module, state: Value, terms: Sequence[Operand], name: str) -> Value:
        """Return the accumulator's next state, after one addition a term, in order."""
        for k, term in enumerate(terms):
            adder = self.fused_add(term)
            state = wire(m, adder.sum(m, state, f"{name}_{k}"), f"{name}_{k}")
        return state

    def fused_add(self, term: Operand) -> FusedAdd:
        """Return the accumulator's adder for ``term``."""
        return FusedAdd(self.sums.accumulator, term)


Adders = IntegerAdders | FloatAdders


def adders(sums: Sums) -> Adders:
    """Return the hardware of an arithmetic."""
    return IntegerAdders(sums) if isinstance(sums, IntegerSums) else FloatAdders(sums)


def scaled(m: Module, value: Operand, plane: Value, highest: int, name: str) -> Operand:
    """Return ``value * 2**plane``, exact; ``plane`` is ``highest`` at most."""
    shift = wire(m, value.parts.shift + plane, f"{name}_shift_scaled")
    return replace(
        value,
        parts=replace(value.parts, shift=shift),
        shifts=range(value.shifts[0], value.shifts[-1] + highest + 1),
        subnormal_shift=value.subnormal_shift + highest,
    )
