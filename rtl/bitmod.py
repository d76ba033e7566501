"""BitMoD's processing element and tile; see :mod:`hwsim.units.bitmod`.

Four parts, so that a tile can share them: the :class:`Aligner` depends on the activations only,
the :class:`TermGenerator` on the weights only, the :class:`ProcessingElement` joins them, and the
:class:`ColumnAccumulator` adds up what it delivers once a group.
"""

from collections.abc import Sequence
from typing import NamedTuple

from amaranth.hdl import Array, C, Cat, Module, Mux, Signal, Value, signed, unsigned
from amaranth.lib import data, wiring
from amaranth.lib.wiring import Component, In, Out

from hwsim.units.bitmod import (
    MAGNITUDES,
    SCALE_BITS,
    TERM_BITS,
    TERMS,
    BitmodUnit,
    WeightType,
    pair_bits,
    term_bits,
)
from rtl.base import Unit
from rtl.blocks.adder_tree import tree_sum
from rtl.blocks.minifloat import decode
from rtl.blocks.shift_right import shift_right
from rtl.blocks.wire import counter, wire


class Ranks(NamedTuple):
    """Where a unit has ranks of registers.

    Attributes
    ----------
    beat
        Between what a beat is by itself and the running exponent.
    products
        Between the products of terms and significands and their sum.
    sums
        Between that sum and the beat's.
    """

    beat: bool
    products: bool
    sums: bool


#: By the number of stages. One rank cuts what is cheapest; two cut the aligner's path and that of
#: the terms, which are equally long, and three cut the latter once more.
RANKS = {
    1: Ranks(beat=False, products=False, sums=False),
    2: Ranks(beat=False, products=False, sums=True),
    3: Ranks(beat=True, products=True, sums=False),
    4: Ranks(beat=True, products=True, sums=True),
}

#: (-1)**negative * mantissa * 2**exponent.
TERM = data.StructLayout({"negative": 1, "exponent": 2, "mantissa": 1})


def rank(m: Module, values: Sequence[Value], load: Value, name: str) -> list[Signal]:
    """Return registers of values, loaded together."""
    held = [
        Signal(value.shape(), name=f"{name}_{k}", reset_less=True) for k, value in enumerate(values)
    ]
    with m.If(load):
        m.d.sync += [one.eq(value) for one, value in zip(held, values, strict=True)]
    return held


class Aligner(wiring.Component):
    """Shifts the significands of a beat to the group's running exponent, and keeps them.

    Members
    -------
    activations : In(ArrayLayout(unsigned(activation.bits), lanes))
        Activation codes.
    first : In(1)
        The beat is the first of its group.
    load : In(1)
        Take the beat.
    advance : In(1)
        With a rank within: what it holds goes on.
    significands : Out(ArrayLayout(unsigned(spec.significand_bits), lanes))
        Aligned magnitudes of the beat that was taken.
    negative : Out(lanes)
        Their signs.
    exponent, raised : Out(activation.exponent)
        The running exponent, and by how much the beat raised it.
    nan : Out(1)
        Whether an activation is NaN or infinite.

    Cost drivers: lanes x significand bits for the shifters and registers, lanes comparators.
    """

    def __init__(self, spec: BitmodUnit) -> None:
        self.spec = spec
        self.ranks = RANKS[spec.stages]
        exponent = unsigned(spec.operand.exponent)
        lanes = spec.lanes
        super().__init__(
            ({"advance": In(1)} if self.ranks.beat else {})
            | {
                "activations": In(data.ArrayLayout(unsigned(spec.operand.bits), lanes)),
                "first": In(1),
                "load": In(1),
                "significands": Out(data.ArrayLayout(unsigned(spec.significand_bits), lanes)),
                "negative": Out(lanes),
                "exponent": Out(exponent),
                "raised": Out(exponent),
                "nan": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        spec = self.spec
        lanes = [
            decode(m, spec.operand, self.activations[k], f"activation_{k}")
            for k in range(spec.lanes)
        ]
        shifts = [lane.shift for lane in lanes]
        significands = [lane.significand for lane in lanes]
        negative = Cat(lane.sign for lane in lanes)
        nan = Cat(lane.nan | lane.infinity for lane in lanes).any()
        first, load, exponents = self.first, self.load, shifts
        if self.ranks.beat:
            beat = _largest(m, shifts, "largest_of_beat")
            values = [first, negative, nan, beat, *shifts, *significands]
            first, negative, nan, beat, *held = rank(m, values, load, "beat")
            shifts, significands = held[: spec.lanes], held[spec.lanes :]
            load, exponents = delayed(m, load, self.advance), [beat]

        # The largest exponent so far.
        running = wire(m, Mux(first, 0, self.exponent), "running")
        largest = _largest(m, [*exponents, running])

        # Shift down to it.
        for k, (shift, significand) in enumerate(zip(shifts, significands, strict=True)):
            down = wire(m, (largest - shift)[: spec.operand.exponent], f"down_{k}")
            magnitude = wire(m, Cat(C(0, spec.fraction_bits), significand), f"magnitude_{k}")
            aligned = shift_right(m, magnitude, down, spec.rounding, f"aligned_{k}")
            with m.If(load):
                m.d.sync += self.significands[k].eq(aligned)
        with m.If(load):
            m.d.sync += [
                self.negative.eq(negative),
                self.exponent.eq(largest),
                self.raised.eq(largest - running),
                self.nan.eq(nan),
            ]
        return m


def delayed(m: Module, load: Value, advance: Value) -> Value:
    """Return ``load`` for what a rank holds: in the next cycle that it may advance in."""
    held = Signal(name="held_load")
    with m.If(advance):
        m.d.sync += held.eq(load)
    return held & advance


def _largest(m: Module, values: Sequence[Value], name: str = "largest") -> Value:
    """Return the largest of ``values`` by a tree of comparisons."""
    level, depth = list(values), 0
    while len(level) > 1:
        pairs = list(zip(level[0::2], level[1::2], strict=False))
        chosen = [
            wire(m, Mux(a > b, a, b), f"{name}_{depth}_{k}") for k, (a, b) in enumerate(pairs)
        ]
        level = chosen + level[len(level) & ~1 :]
        depth += 1
    return level[0]


class TermGenerator(wiring.Component):
    """Takes a beat's weights and gives one term of each a cycle, the highest first.

    Integers stay as they are and give Booth digits, whose window moves down two bits a cycle by
    shifting the weight up. FP4 and FP3 are looked up when they are taken; their two terms need no
    more room than the code.

    Members
    -------
    weights : In(ArrayLayout(8, lanes)), weight_type : In(WeightType)
        Codes and what they mean.
    special : In(8)
        Terms of the special value for the code of -0.
    load : In(1)
        Take the weights.
    advance : In(1)
        With a rank within: what it holds goes on.
    step : In(1)
        Go on to the next term.
    terms : Out(ArrayLayout(TERM, lanes))
        The terms of this cycle.
    """

    def __init__(self, spec: BitmodUnit) -> None:
        self.spec = spec
        self.ranks = RANKS[spec.stages]
        super().__init__(
            ({"advance": In(1)} if self.ranks.beat else {})
            | {
                "weights": In(data.ArrayLayout(8, spec.lanes)),
                "weight_type": In(2),
                "special": In(8),
                "load": In(1),
                "step": In(1),
                "terms": Out(data.ArrayLayout(TERM, spec.lanes)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        paired = Signal()
        load, held_paired, held_codes = self.load, None, None
        if self.ranks.beat:
            with m.If(self.load):
                codes = [self.taken(m, self.weights[k], k) for k in range(self.spec.lanes)]
            held_paired, *held_codes = rank(m, [self.is_paired(), *codes], self.load, "beat")
            load = delayed(m, self.load, self.advance)
        with m.If(load):
            m.d.sync += paired.eq(self.is_paired() if held_paired is None else held_paired)
        for k in range(self.spec.lanes):
            held = Signal(8, name=f"held_{k}", reset_less=True)
            with m.If(load):
                code = held_codes[k] if held_codes else self.taken(m, self.weights[k], k)
                m.d.sync += held.eq(code)
            with m.Elif(self.step):
                m.d.sync += held.eq(Mux(paired, held << TERM_BITS, held << 2))
            m.d.comb += self.terms[k].eq(Mux(paired, held[TERM_BITS:], booth_digit(held[5:])))
        return m

    def is_paired(self) -> Value:
        """Return whether the weights being taken are pairs of terms rather than integers."""
        kind = self.weight_type
        return (kind == WeightType.FP4) | (kind == WeightType.FP3)

    def taken(self, m: Module, code: Value, lane: int) -> Value:
        """Return what is kept of a weight: an integer with its sign in bit 7, or two terms."""
        kept = Signal(8, name=f"taken_{lane}")
        with m.Switch(self.weight_type):
            with m.Case(WeightType.INT8):
                m.d.comb += kept.eq(code)
            with m.Case(WeightType.INT6):
                m.d.comb += kept.eq(code << 2)
            for kind, magnitudes in MAGNITUDES.items():
                with m.Case(kind):
                    m.d.comb += kept.eq(self.lookup(code, magnitudes))
        return kept

    def lookup(self, code: Value, magnitudes: Sequence[int]) -> Value:
        """Return the terms of a sign-magnitude code, or of the special value."""
        bits = (len(magnitudes) - 1).bit_length()
        magnitude, negative = code[:bits], code[bits]
        pair = Array(C(pair_bits(half), 8) for half in magnitudes)[magnitude]
        # A sign inverts both terms; that of an absent term does not matter.
        signs = Cat(negative, C(0, TERM_BITS - 1), negative)
        return Mux(negative & (magnitude == 0), self.special, pair ^ signs)


def booth_digit(window: Value) -> Value:
    """Return the radix-4 Booth digit of three bits as a term, in half units.

    The digit is -2 * window[2] + window[1] + window[0].
    """
    one = window[0] ^ window[1]
    two = (window[2] & ~window[1] & ~window[0]) | (~window[2] & window[1] & window[0])
    return Cat(window[2], one, two, one | two)


class ProcessingElement(wiring.Component):
    """Multiplies terms with aligned significands, sums a group, and dequantises it.

    Members
    -------
    significands, negative, raised, exponent, nan : In
        From the aligner.
    terms : In(ArrayLayout(TERM, lanes))
        From the term generator.
    load_products, load_sums : In(1)
        With a rank of products, of sums: keep those of this cycle.
    step : In(1)
        Add the terms of this cycle, or those that the ranks hold, the beat's first if
        ``first_term``.
    first_term, first_beat : In(1)
        The beat's first term; the beat is the first of its group.
    take : In(1)
        With ``step``: these are the beat's last terms.
    take_group : In(1)
        With ``take``: the beat is the last of its group. At most every ``DEQUANTISE`` cycles.
    scale : In(8)
        The group's scale, with ``take_group``.
    ready : In(1)
        The result is taken.
    valid : Out(1)
        A group has been dequantised.
    product, group_exponent, group_nan : Out
        Its sum times its scale, its running exponent, and whether an activation was NaN.
    busy : Out(1)
        A group is being dequantised, and will still be in the next cycle.

    Cost drivers: lanes x significand bits for the term shifters and adders; the group's sum three
    times over, as accumulator, multiplicand and product.
    """

    def __init__(self, spec: BitmodUnit) -> None:
        self.spec = spec
        self.ranks = RANKS[spec.stages]
        exponent = unsigned(spec.operand.exponent)
        lanes = spec.lanes
        super().__init__(
            ({"load_products": In(1)} if self.ranks.products else {})
            | ({"load_sums": In(1)} if self.ranks.sums else {})
            | {
                "significands": In(data.ArrayLayout(unsigned(spec.significand_bits), lanes)),
                "negative": In(lanes),
                "raised": In(exponent),
                "exponent": In(exponent),
                "nan": In(1),
                "terms": In(data.ArrayLayout(TERM, lanes)),
                "step": In(1),
                "first_term": In(1),
                "first_beat": In(1),
                "take": In(1),
                "take_group": In(1),
                "scale": In(SCALE_BITS),
                "ready": In(1),
                "valid": Out(1),
                "product": Out(signed(spec.group_sum_bits + SCALE_BITS)),
                "group_exponent": Out(exponent),
                "group_nan": Out(1),
                "busy": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        spec = self.spec

        # Multiply: the beat's sum, four times as much from term to term.
        beat_sum = Signal(signed(spec.beat_sum_bits), reset_less=True)
        held_sum = self.held_sum(m) if self.ranks.products or self.ranks.sums else None
        with m.If(self.step):
            shifted = Mux(self.first_term, 0, beat_sum.shift_left(2))
            added_terms = self.total(*self.products(m)) if held_sum is None else held_sum
            m.d.sync += beat_sum.eq(shifted + added_terms)

        # Group accumulate: add the beat before in the first cycle, raise the exponent in the
        # second.
        group_sum = Signal(signed(spec.group_sum_bits), reset_less=True)
        added = Signal()
        second_term = Signal()
        # Wide enough for every group: the bit that the addition is longer by is never needed.
        added_up = self.add(group_sum, beat_sum)[: spec.group_sum_bits]
        total = wire(m, added_up.as_signed(), "total")
        raised = self.raise_exponent(m, group_sum)
        m.d.sync += [added.eq(self.take), second_term.eq(self.step & self.first_term)]
        with m.If(added):
            m.d.sync += group_sum.eq(total)
        with m.If(second_term):
            m.d.sync += group_sum.eq(Mux(self.first_beat, 0, raised))

        self.dequantise(m, total)
        return m

    def held_sum(self, m: Module) -> Value:
        """Return the sum over the lanes of some cycles before, as ranks hold it."""
        load_products = self.load_products if self.ranks.products else self.load_sums
        with m.If(load_products):
            terms, corrections = self.products(m)
        if self.ranks.products:
            terms = rank(m, terms, load_products, "product")
            corrections = rank(m, corrections, load_products, "correction")
        total = self.total(terms, corrections)
        return rank(m, [total], self.load_sums, "sum_of_terms")[0] if self.ranks.sums else total

    def total(self, terms: Sequence[Value], corrections: Sequence[Value]) -> Value:
        """Return the sum of products: each inverted if negative, plus a one for each that is."""
        return tree_sum(terms) + tree_sum(corrections)

    def products(self, m: Module) -> tuple[Sequence[Value], Sequence[Value]]:
        """Return term times significand of every lane, inverted if negative, and whether it is."""
        spec = self.spec
        width = spec.significand_bits + 3
        terms, corrections = [], []
        for k in range(spec.lanes):
            term = self.terms[k]
            shifted = (self.significands[k] << term.exponent)[:width]
            magnitude = wire(m, shifted & term.mantissa.replicate(width), f"magnitude_{k}")
            negative = wire(m, self.sign(k), f"negative_{k}")
            inverted = Cat(magnitude, C(0, 1)) ^ negative.replicate(width + 1)
            terms.append(wire(m, inverted.as_signed(), f"inverted_{k}"))
            corrections.append(negative)
        return terms, corrections

    def sign(self, lane: int) -> Value:
        """Return whether a lane's product is negative."""
        return self.terms[lane].negative ^ self.negative[lane]

    def add(self, group_sum: Value, beat_sum: Value) -> Value:
        """Return the group's sum with one more beat."""
        return group_sum + beat_sum

    def raise_exponent(self, m: Module, group_sum: Value) -> Value:
        """Return the group's sum at the exponent that the beat has raised."""
        return shift_right(m, group_sum, self.raised, self.spec.rounding, "raised_sum")

    def dequantise(self, m: Module, total: Value) -> None:
        """Multiply by the scale, its lowest bit first.

        The product's low bits move into the room that the scale's used bits leave.
        """
        spec = self.spec
        multiplicand = Signal(signed(spec.group_sum_bits), reset_less=True)
        high = Signal(signed(spec.group_sum_bits + 1), reset_less=True)
        low = Signal(SCALE_BITS, reset_less=True)
        nan = Signal()
        start = Signal()
        left = Signal(range(SCALE_BITS + 1))

        take = self.take & self.take_group
        m.d.sync += start.eq(take)
        with m.If(self.take):
            m.d.sync += nan.eq(~self.take_group & (nan | self.nan))
        with m.If(self.valid & self.ready):
            m.d.sync += self.valid.eq(0)
        with m.If(left != 0):
            step = wire(m, high + Mux(low[0], multiplicand, 0), "product_step")
            m.d.sync += [
                high.eq(step >> 1),
                low.eq(Cat(low[1:], step[0])),
                left.eq(left - 1),
                self.valid.eq(left == 1),
            ]
        with m.If(start):
            m.d.sync += [multiplicand.eq(total), high.eq(0), left.eq(SCALE_BITS)]
        with m.If(take):
            m.d.sync += [
                low.eq(self.scale),
                self.group_exponent.eq(self.exponent),
                self.group_nan.eq(nan | self.nan),
            ]
        m.d.comb += [
            self.product.eq(Cat(low, high)),
            self.busy.eq(start | (left != 0) | (self.valid & ~self.ready)),
        ]


def at_row(values: Sequence[Value], row: Value) -> Value:
    """Return the value of a row; a single one needs no multiplexer."""
    return Array(values)[row] if len(values) > 1 else values[0]


class ColumnAccumulator(wiring.Component):
    """Adds up dequantised groups at the running exponent of the dot product, row by row.

    A row takes two cycles, ``align`` and ``add``, which nobody waits for: the next group is under
    way.

    Members
    -------
    sum, exponent, nan : In
        A group of the element in row ``row``.
    row : In(range(max(rows, 2)))
        Which row's sum to add to.
    first : In(1)
        The group is the first of its dot product.
    align : In(1)
        Shift the row's sum and the group to the larger exponent.
    add : In(1)
        Add them up, in a later cycle.
    results : Out(ArrayLayout(unsigned(result.element_bits), rows))
        Result codes of all rows.
    """

    def __init__(self, spec: BitmodUnit) -> None:
        self.spec = spec
        code = unsigned(spec.result.element_bits)
        super().__init__(
            {
                "sum": In(signed(spec.group_sum_bits + SCALE_BITS)),
                "exponent": In(unsigned(spec.operand.exponent)),
                "nan": In(1),
                # At least a bit: a port of no width cannot be written in Verilog.
                "row": In(range(max(spec.rows, 2))),
                "first": In(1),
                "align": In(1),
                "add": In(1),
                "results": Out(data.ArrayLayout(code, spec.rows)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        result, rows = self.spec.result, range(self.spec.rows)
        totals = [Signal(signed(result.width), name=f"total_{k}", reset_less=True) for k in rows]
        exponents = [
            Signal(result.exponent_bits, name=f"exponent_{k}", reset_less=True) for k in rows
        ]
        nans = [Signal(name=f"nan_{k}", reset_less=True) for k in rows]

        chosen = wire(m, at_row(totals, self.row), "chosen")
        running = wire(m, Mux(self.first, 0, at_row(exponents, self.row)), "running")
        largest = wire(m, Mux(running > self.exponent, running, self.exponent), "largest")
        before = wire(m, Mux(self.first, 0, chosen), "before")
        aligned = self.aligned(m, before, largest - running, "before")
        group = Signal(signed(self.spec.group_sum_bits + SCALE_BITS), reset_less=True)
        with m.If(self.align):
            m.d.sync += group.eq(self.aligned(m, self.sum, largest - self.exponent, "group"))
        total = wire(m, chosen + group, "total")
        for k in rows:
            here = self.row == k if len(rows) > 1 else C(1)
            with m.If(self.align & here):
                m.d.sync += [
                    totals[k].eq(aligned),
                    exponents[k].eq(largest),
                    nans[k].eq((nans[k] & ~self.first) | self.nan),
                ]
            with m.If(self.add & here):
                # Wraps modulo 2**accumulator_bits.
                m.d.sync += totals[k].eq(total)
            flags = [nans[k]] if result.flags else []
            m.d.comb += self.results[k].eq(Cat(totals[k], *flags, exponents[k]))
        return m

    def aligned(self, m: Module, value: Value, amount: Value, name: str) -> Value:
        """Return ``value`` at the larger exponent."""
        bits = wire(m, amount[: self.spec.result.exponent_bits], f"{name}_down")
        return shift_right(m, value, bits, self.spec.rounding, f"{name}_aligned")


class Step(NamedTuple):
    """What elements do in a cycle; see :class:`ProcessingElement`."""

    step: Value
    first_term: Value
    first_beat: Value
    take: Value
    group_end: Value


class Bitmod(Unit):
    """Aligners, term generators, processing elements and column accumulators.

    There is an aligner a row, a term generator and a column accumulator a column; a
    :class:`~hwsim.units.bitmod.BitmodUnit` has one row and one column. Parameters and members are
    those of :class:`~rtl.base.Unit`; ``program`` loads a special value.

    Timing: a beat is taken at once when the unit is idle, and takes as many cycles as its weights
    have terms. The result follows ``group_interval`` + 1 cycles after the last beat's. A group of
    fewer than ``group_interval`` cycles waits for the group before it. Every further stage is a
    cycle between a beat and its step in the elements; without stalls beats take the same cycles.
    """

    spec: BitmodUnit

    def elaborate(self, platform: object) -> Module:
        m = Module()
        spec, beat, ranks = self.spec, self.i.payload, RANKS[self.spec.stages]
        aligners = [Aligner(spec) for _ in range(spec.rows)]
        generators = [TermGenerator(spec) for _ in range(spec.columns)]
        columns = [ColumnAccumulator(spec) for _ in range(spec.columns)]
        elements = [[self.element() for _ in columns] for _ in aligners]
        parts: dict[str, Sequence[Component]] = {
            "aligner": aligners,
            "generator": generators,
            "column": columns,
            "element": [element for line in elements for element in line],
        }
        for name, members in parts.items():
            for k, member in enumerate(members):
                m.submodules[f"{name}_{k}"] = member
        # All elements work in step.
        element = elements[0][0]

        # Take a beat when the one before is in its last cycle.
        active, first_term, group_end = Signal(), Signal(), Signal()
        left = Signal(range(max(TERMS.values())))
        final = wire(m, active & (left == 0), "final")
        if spec.stages == 1:
            hold = wire(m, final & group_end & element.busy, "hold")
            m.d.comb += self.i.ready.eq(~active | (final & ~hold))
        else:
            # Elements are further on: those before them count the cycles that a group takes.
            frozen = Signal()
            wait = Signal(range(spec.group_interval))
            hold = wire(m, frozen | (final & group_end & (wait != 0)), "hold")
            m.d.comb += self.i.ready.eq(~frozen & (~active | (final & ~hold)))
        taken = wire(m, self.i.valid & self.i.ready, "taken")
        load = wire(m, taken & ~beat.program, "load")
        step = wire(m, active & ~hold, "step")
        take = wire(m, final & ~hold, "take")

        # Count terms and beats.
        index = counter(spec.group_beats, "index")
        first_beat, last, last_group = Signal(), Signal(), Signal()
        ends = wire(m, beat.last | (index == spec.group_beats - 1), "ends")
        with m.If(~hold):
            m.d.sync += [first_term.eq(0), left.eq(left - 1)]
        with m.If(self.i.ready):
            m.d.sync += [active.eq(load), left.eq(self.terms_left(beat.weight_type))]
        with m.If(load):
            m.d.sync += [
                first_term.eq(1),
                first_beat.eq(index == 0),
                index.eq(Mux(ends, 0, index + 1)),
                group_end.eq(ends),
                last.eq(beat.last),
            ]
        # What elements do, and in between what ranks before them hold.
        steps = [Step(step, first_term, first_beat, take, group_end)]
        if spec.stages == 1:
            with m.If(take & group_end):
                m.d.sync += last_group.eq(last)
        else:
            steps += self.delayed(m, steps[0], ~frozen)
            now = steps[-1]
            m.d.comb += frozen.eq(now.take & now.group_end & element.busy)
            steps[-1] = now._replace(step=now.step & ~frozen, take=now.take & ~frozen)
            last_held = Signal()
            with m.If(~frozen & (wait != 0)):
                m.d.sync += wait.eq(wait - 1)
            with m.If(take & group_end):
                m.d.sync += [wait.eq(spec.group_interval - 1), last_held.eq(last)]
            with m.If(steps[-1].take & now.group_end):
                m.d.sync += last_group.eq(last_held)
        now = steps[-1]

        # Rows: activations. Columns: weights, special value and scale.
        for row, aligner in enumerate(aligners):
            lanes = range(row * spec.lanes, (row + 1) * spec.lanes)
            m.d.comb += [
                aligner.activations.eq(Cat(beat.activations[k] for k in lanes)),
                aligner.first.eq(index == 0),
                aligner.load.eq(load),
            ]
            if ranks.beat:
                m.d.comb += aligner.advance.eq(~frozen)
        register_file = self.register_file(m, taken)
        scales = [
            Signal(SCALE_BITS, name=f"scale_{k}", reset_less=True) for k in range(len(columns))
        ]
        for column, generator in enumerate(generators):
            lanes = range(column * spec.lanes, (column + 1) * spec.lanes)
            m.d.comb += [
                generator.weights.eq(Cat(beat.weights[k] for k in lanes)),
                generator.weight_type.eq(beat.weight_type),
                generator.special.eq(register_file[beat[spec.column_field("selector", column)]]),
                generator.load.eq(load),
                generator.step.eq(steps[1].step & ~frozen if ranks.beat else step),
            ]
            if ranks.beat:
                m.d.comb += generator.advance.eq(~frozen)
            with m.If(load):
                m.d.sync += scales[column].eq(beat[spec.column_field("scale", column)])
        if spec.stages > 1:
            # An element takes the scale some cycles later than the next beat brings another.
            scales = rank(m, scales, take & group_end, "scale_of_group")

        # Elements: every row with every column.
        release = Signal()
        for row, (aligner, line) in enumerate(zip(aligners, elements, strict=True)):
            beside = [aligner.raised, aligner.exponent, aligner.nan]
            for number in range(ranks.products + ranks.sums):
                beside = rank(m, beside, ~frozen, f"beside_{row}_{number}")
            for cell, generator, scale in zip(line, generators, scales, strict=True):
                m.d.comb += [
                    cell.significands.eq(aligner.significands),
                    cell.negative.eq(aligner.negative),
                    *(
                        port.eq(value)
                        for port, value in zip(
                            (cell.raised, cell.exponent, cell.nan), beside, strict=True
                        )
                    ),
                    cell.terms.eq(generator.terms),
                    cell.step.eq(now.step),
                    cell.first_term.eq(now.first_term),
                    cell.first_beat.eq(now.first_beat),
                    cell.take.eq(now.take),
                    cell.take_group.eq(now.group_end),
                    cell.scale.eq(scale),
                    cell.ready.eq(release),
                ]
                if ranks.products:
                    load_products = steps[ranks.beat].step & ~frozen
                    m.d.comb += cell.load_products.eq(load_products)
                if ranks.sums:
                    load_sums = steps[ranks.beat + ranks.products].step & ~frozen
                    m.d.comb += cell.load_sums.eq(load_sums)

        # Columns: add up the rows one after the other, and offer the results after the last.
        row = counter(spec.rows, "row")
        first_group = Signal(init=1)
        add = Signal()
        align = wire(m, element.valid & ~add & (~self.o.valid | self.o.ready), "align")
        m.d.sync += add.eq(align)
        m.d.comb += release.eq(add & (row == spec.rows - 1))
        with m.If(self.o.ready):
            m.d.sync += self.o.valid.eq(0)
        with m.If(add):
            m.d.sync += row.eq(Mux(release, 0, row + 1))
        with m.If(release):
            m.d.sync += [first_group.eq(last_group), self.o.valid.eq(last_group)]
        for column, accumulator in enumerate(columns):
            m.d.comb += [
                accumulator.sum.eq(at_row([line[column].product for line in elements], row)),
                accumulator.exponent.eq(
                    at_row([line[column].group_exponent for line in elements], row)
                ),
                accumulator.nan.eq(at_row([line[column].group_nan for line in elements], row)),
                accumulator.row.eq(row),
                accumulator.first.eq(first_group),
                accumulator.align.eq(align),
                accumulator.add.eq(add),
            ]
        results = [column.results[row] for row in range(spec.rows) for column in columns]
        m.d.comb += self.o.payload.eq(Cat(*results))
        return m

    def delayed(self, m: Module, step: Step, advance: Value) -> list[Step]:
        """Return a step in every rank, all of which advance together."""
        found = []
        for number in range(1, self.spec.stages):
            held = Step(*(Signal(name=f"{name}_in_{number}") for name in Step._fields))
            with m.If(advance):
                m.d.sync += [one.eq(value) for one, value in zip(held, step, strict=True)]
            found.append(held)
            step = held
        return found

    def element(self) -> ProcessingElement:
        """Return one processing element."""
        return ProcessingElement(self.spec)

    def terms_left(self, weight_type: Value) -> Value:
        """Return the number of terms after the first."""
        return Array(C(TERMS[kind] - 1, 2) for kind in WeightType)[weight_type]

    def register_file(self, m: Module, taken: Value) -> Array:
        """Return the terms of the four special values; beats with ``program`` write them."""
        beat = self.i.payload
        selected = beat[self.spec.column_field("selector", 0)]
        values = []
        for k, (first, second) in enumerate(self.spec.special_terms()):
            reset = term_bits(first) << TERM_BITS | term_bits(second)
            values.append(Signal(8, name=f"special_{k}", init=reset))
            with m.If(taken & beat.program & (selected == k)):
                m.d.sync += values[k].eq(beat.weights[0])
        return Array(values)
