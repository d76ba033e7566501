"""Sums of products by one tree of counters over all their bits: merged arithmetic.

A sum of products is a heap of bits, each with a weight. A full adder takes three bits of one
weight, whatever operand they are of, and leaves one of it and one of the next, until two rows are
left. Only these two are added with carries that propagate. So a dot product has one such adder,
where multipliers, the adders of a tree and the accumulator would have one each.

No bit is repeated for its sign: a bit b that weighs -2**k counts as ~b at 2**k, and the -2**k of
all bits together are one constant (Baugh-Wooley).

Cost: as many full adders as there are bits more than two a column. Where a carry would be late the
two rows are left as they are; elsewhere half adders join them, as every pair that is left makes the
last adder longer, or is one more flip-flop where the rows are what a register holds.

Source: Swartzlander, Merged Arithmetic, IEEE TC C-29(10), 1980; Dadda, Some Schemes for Parallel
Multipliers, Alta Frequenza 34, 1965; Oklobdzija, Villeger and Liu, IEEE TC 45(3), 1996 (the
earliest bits first); Baugh and Wooley, IEEE TC C-22(12), 1973.
"""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from amaranth.hdl import C, Cat, Module, Value

from rtl.blocks.wire import wire

#: When bits of these are there, in delays of an exclusive-or after operands and registers.
STATE, AND_ROW, BOOTH_ROW, PLACED = 1.0, 0.5, 2.0, 8.0
#: Constants are there before anything.
_CONSTANT = -5.0


class Columns:
    """Bits to be added up modulo 2**width.

    Parameters
    ----------
    m : Module
        Where terms and adders are.
    width : int
        Width of the sum.
    """

    def __init__(self, m: Module, width: int) -> None:
        self.m = m
        self.width = width
        self._constant = 0
        self._terms: list[_Term] = []

    def add(self, value: Value, arrival: float, place: int = 0, negative: int = 0) -> None:
        """Add ``value << place``, where the bits of the mask ``negative`` have negative weights.

        So has the top bit of a signed value.
        """
        if value.shape().signed:
            negative |= 1 << (len(value) - 1)
        self._constant -= negative << place
        if place >= self.width:
            return
        name = f"term_{len(self._terms)}"
        term = wire(self.m, value.as_unsigned()[: self.width - place], name)
        inverted = wire(self.m, ~term, f"{name}_not") if negative else term
        bits = [(inverted if negative >> k & 1 else term)[k] for k in range(len(term))]
        self._terms.append(_Term(bits, arrival, place))

    def add_signed(self, magnitude: Value, negative: Value, arrival: float) -> None:
        """Add ``magnitude``, negated if ``negative`` is set: inverted, and one more."""
        flipped = magnitude.as_unsigned() ^ negative.replicate(len(magnitude))
        self.add(Cat(flipped, negative).as_signed(), arrival)
        self.add(negative, arrival)

    def total(self, state: Value) -> Value:
        """Return the sum of all terms and ``state``."""
        plan = self._plan(0, _SHORT)
        first, second = self._build(plan, [state, C(0, self.width)])
        return wire(self.m, Cat(*first) + Cat(*second), "total")[: self.width]

    @cached_property
    def saved(self) -> int:
        """Mask of the places at which :meth:`rows` has a second bit; there are no terms to come."""
        saved = 0
        while (pairs := self._plan(saved, _SAVED).pairs) != saved:
            saved = pairs
        return saved

    def rows(self, state: Value) -> Value:
        """Return two numbers whose sum is that of all terms and those of ``state``.

        Both are a number of all bits and above it the second number's bits at the places
        :attr:`saved`, the others being 0.
        """
        plan = self._plan(self.saved, _SAVED)
        numbers = [state[: self.width], spread(state[self.width :], self.saved, self.width)]
        first, second = self._build(plan, numbers)
        return Cat(*first, *(bit for k, bit in enumerate(second) if self.saved >> k & 1))

    def _plan(self, saved: int, slack: float) -> "_Plan":
        """Plan the sum of all terms, the constant, and a state whose second number is ``saved``."""
        masks = ((1 << self.width) - 1, STATE), (saved, STATE), (self._constant, _CONSTANT)
        columns: list[list[_Bit]] = [[] for _ in range(self.width)]
        number = 0
        for term in self._terms:
            for k in range(len(term.bits)):
                columns[term.place + k].append(_Bit(term.arrival, number + k))
            number += len(term.bits)
        for mask, arrival in masks:
            for place, column in enumerate(columns):
                if mask >> place & 1:
                    column.append(_Bit(arrival, number + place))
            number += self.width
        shortest = _reduce(columns, number, 0.0)
        return _reduce(columns, number, shortest.latest + slack, saved)

    def _build(self, plan: "_Plan", states: Sequence[Value]) -> tuple[list[Value], list[Value]]:
        """Return the two rows of a plan."""
        constant = C(self._constant % (1 << self.width), self.width)
        values = [bit for term in self._terms for bit in term.bits]
        values += [number[k] for number in (*states, constant) for k in range(self.width)]
        return _build(self.m, plan, values)


#: By how much more than it takes to two full rows a tree may take, to shorten the second row: for
#: an adder behind it, and for registers behind it.
_SHORT, _SAVED = 0.0, 3.0


class _Term(NamedTuple):
    """Bits to be added, the first of which weighs 2**place."""

    bits: list[Value]
    arrival: float
    place: int


class _Bit(NamedTuple):
    """A bit by its number, when it is there, and how many adders it went through."""

    arrival: float
    number: int
    level: int = 0


class _Adder(NamedTuple):
    """An adder of two or three bits, whose sum has the number ``made`` and whose carry the next."""

    place: int
    level: int
    taken: tuple[int, ...]
    made: int


@dataclass(frozen=True)
class _Plan:
    """Adders, and what they leave of every column."""

    adders: list[_Adder]
    left: list[list[_Bit]]
    latest: float

    @property
    def pairs(self) -> int:
        """Mask of the columns of which two bits are left."""
        return sum(1 << place for place, bits in enumerate(self.left) if len(bits) == 2)


def spread(bits: Value, mask: int, width: int) -> Value:
    """Return a number with ``bits`` at the places of a mask, and 0 at the others."""
    rest = iter(bits)
    return Cat(*(next(rest) if mask >> k & 1 else C(0, 1) for k in range(width)))


def _reduce(columns: Sequence[Sequence[_Bit]], number: int, budget: float, pairs: int = 0) -> _Plan:
    """Plan adders that leave one bit of a column where that is there by ``budget``, else two.

    Two are left of the columns of the mask ``pairs``, which have two at least.
    """
    plan = _Plan([], [], 0.0)
    latest = 0.0
    carries: list[_Bit] = []
    for place, column in enumerate(columns):
        made = number + 2 * len(plan.adders)
        waiting = [*column, *carries]
        adders, left, carries = _reduce_column(waiting, place, made, 1)
        if pairs >> place & 1 or _latest(left, carries) > budget:
            adders, left, carries = _reduce_column(waiting, place, made, 2)
        latest = max(latest, _latest(left, carries))
        plan.adders.extend(adders)
        plan.left.append(left)
    return _Plan(plan.adders, plan.left, latest)


def _latest(*bits: Sequence[_Bit]) -> float:
    return max((bit.arrival for some in bits for bit in some), default=0.0)


def _reduce_column(
    column: Sequence[_Bit], place: int, made: int, goal: int
) -> tuple[list[_Adder], list[_Bit], list[_Bit]]:
    """Return adders that leave ``goal`` bits at most of a column, what is left, and the carries."""
    bits = sorted(column)
    adders: list[_Adder] = []
    carries: list[_Bit] = []
    while len(bits) > goal:
        # A full adder takes two bits away, so one of two numbers of bits needs a half adder: at
        # once if two bits are to be left, so that a late carry is one of them, else at the end.
        half = len(bits) == 2 or (goal == 2 and len(bits) % 2 == 1)
        taken, bits = bits[: 3 - half], bits[3 - half :]
        level = max(bit.level for bit in taken)
        adders.append(_Adder(place, level, tuple(bit.number for bit in taken), made))
        second, last = taken[1].arrival, taken[-1].arrival
        total, carry = (second + 1, second + 0.7) if half else (max(second + 2, last + 1), last + 1)
        bits = sorted([*bits, _Bit(total, made, level + 1)])
        carries.append(_Bit(max(carry, second + 0.7), made + 1, level + 1))
        made += 2
    return adders, bits, carries


def _rows(adders: Sequence[_Adder]) -> list[_Adder]:
    """Return adders such that those of neighbouring columns are neighbours: the first of every
    column, then the second. So many of their bits are neighbours in one signal, too.
    """
    before: Counter[int] = Counter()
    ranks = {}
    for adder in adders:
        ranks[adder] = before[adder.place]
        before[adder.place] += 1
    return sorted(adders, key=lambda adder: (ranks[adder], adder.place))


def _build(m: Module, plan: _Plan, values: list[Value]) -> tuple[list[Value], list[Value]]:
    """Return the two rows of a plan whose bits are ``values``.

    Adders of a level are vectors: simulators take one operation of many bits for one.
    """
    made = dict(enumerate(values))
    groups: dict[tuple[int, int], list[_Adder]] = defaultdict(list)
    for adder in plan.adders:
        groups[adder.level, len(adder.taken)].append(adder)
    for (level, inputs), group in sorted(groups.items()):
        adders = _rows(group)
        stem = f"{'half' if inputs == 2 else 'full'}_{level}"
        a, b, *more = (
            wire(m, Cat(*(made[adder.taken[k]] for adder in adders)), f"{stem}_{'abc'[k]}")
            for k in range(inputs)
        )
        total = wire(m, a ^ b, f"{stem}_xor")
        carry = a & b
        if more:
            carry |= total & more[0]
            total = wire(m, total ^ more[0], f"{stem}_sum")
        carry = wire(m, carry, f"{stem}_carry")
        for k, adder in enumerate(adders):
            made[adder.made], made[adder.made + 1] = total[k], carry[k]
    first, second = (
        [made[bits[row].number] if len(bits) > row else C(0, 1) for bits in plan.left]
        for row in (0, 1)
    )
    return first, second
