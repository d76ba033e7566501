"""SIMD multiply-accumulate with reconfigurable mantissa and exponent circuits.

See :mod:`hwsim.units.rmmec`. Five parts: a :class:`Decoder` a lane and side, the
:class:`Multiplier`, the :class:`Aligner`, the :class:`QuireAdder`, and the register.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from amaranth.hdl import C, Cat, Const, Module, Mux, Signal, Value, signed, unsigned
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from hwsim.units.quire import NARROW_BITS, WIDE_BITS
from hwsim.units.rmmec import (
    DIGITS,
    FORMATS,
    FP4,
    POSITS,
    QUIRES,
    ROWS,
    WORD,
    Brick,
    Isolation,
    Mode,
    RmmecUnit,
    product_scales,
)
from rtl.base import Unit
from rtl.blocks.adder_tree import tree_sum
from rtl.blocks.fold import Fold
from rtl.blocks.minifloat import decode
from rtl.blocks.regime import regime
from rtl.blocks.wire import wire

DIGIT = 2
#: Product bits of a brick.
BRICK = 2 * DIGIT
#: Lower bits of the wide quire's shift: within 32 bits. The others move it by whole 32 bits.
FINE_BITS = 5


class Select:
    """Which modes are active: the one-hot code that all parts get, read by mode.

    Parameters
    ----------
    spec
        The unit.
    bits
        One bit for each of ``spec.mode_list``, the first lowest.
    """

    def __init__(self, spec: RmmecUnit, bits: Value) -> None:
        self.spec = spec
        self.bits = dict(zip(spec.mode_list, bits, strict=True))

    def any(self, modes: Collection[Mode]) -> Value:
        """Return whether one of ``modes`` is active: constant where all or none of the unit's
        are meant."""
        chosen = [bit for mode, bit in self.bits.items() if mode in modes]
        if len(chosen) in (0, len(self.bits)):
            return C(int(bool(chosen)), 1)
        return Cat(chosen).any()

    def only(self, value: Value, modes: Collection[Mode]) -> Value:
        """Return ``value`` in ``modes`` and 0 in others; ``value`` itself in a unit of these."""
        active = self.any(modes)
        return value if _is_one(active) else Mux(active, value, 0)


def _is_one(value: Value) -> bool:
    return isinstance(value, Const) and value.value == 1


def digits(spec: RmmecUnit, lane: int) -> int:
    """Return how many digits a significand of a lane has in its widest mode."""
    return max([len(spec.rows(mode, lane)) for mode in spec.modes_of(lane)] + [1])


def scale_bits(spec: RmmecUnit, lane: int) -> int:
    """Return the width of an operand's signed scale."""
    top = max(product_scales(mode).highest for mode in spec.modes_of(lane)) // 2
    return (top + 1).bit_length() + 1


def place_bits(spec: RmmecUnit, lane: int) -> int:
    """Return the width of a narrow product in its quire."""
    narrow = [mode for mode in spec.modes_of(lane) if mode is not Mode.POSIT16]
    scales = [product_scales(mode) for mode in narrow]
    return max((s.magnitude_bits + s.unit - spec.exponent for s in scales), default=0)


class Decoder(wiring.Component):
    """Takes one operand of a lane apart, in any of the lane's modes.

    Members
    -------
    word : In(16)
        The operand word.
    select : In(modes)
        The mode, one-hot.
    sign : Out(1)
        Whether the operand is negative; anything for zero and NaR.
    significand : Out(2 * digits)
        The hidden bit on top; 0 for zero and NaR, and in modes that do not have the lane.
    scale : Out(signed)
        The exponent of the hidden bit; anything where the significand is 0.
    nan : Out(1)
        The operand is NaR.

    Cost drivers: a negation, a run-length counter and a shifter of the widest posit.
    """

    def __init__(self, spec: RmmecUnit, lane: int) -> None:
        self.spec = spec
        self.lane = lane
        super().__init__(
            {
                "word": In(WORD),
                "select": In(len(spec.mode_list)),
                "sign": Out(1),
                "significand": Out(DIGIT * digits(spec, lane)),
                "scale": Out(signed(scale_bits(spec, lane))),
                "nan": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        spec = self.spec
        select = Select(spec, self.select)
        own = spec.modes_of(self.lane)
        posits = [mode for mode in own if mode in POSITS]
        width = len(self.significand)
        sign, significand, scale, nan = C(0, 1), C(0, width), C(0, 1), C(0, 1)
        if posits:
            sign, significand, scale, nan = self.posit(m, select, posits)
            significand = Cat(C(0, width - len(significand)), significand)
        if Mode.FP4 in own:
            code = self.code(Mode.FP4)
            if spec.isolation is Isolation.OPERANDS:
                code = wire(m, select.only(code, [Mode.FP4]), "fp4")
            fp4 = decode(m, FP4, code, "fp4")
            is_fp4 = select.any([Mode.FP4])
            top = Cat(C(0, width - DIGIT), fp4.significand)
            if posits:
                sign = Mux(is_fp4, fp4.sign, sign)
                significand = Mux(is_fp4, top, significand)
                scale = Mux(is_fp4, fp4.shift, scale)
                nan = select.only(nan, posits)
            else:
                sign, significand, scale = fp4.sign, top, fp4.shift
        if spec.isolation is Isolation.RESULTS:
            significand, nan = select.only(significand, own), select.only(nan, own)
        m.d.comb += [
            self.sign.eq(sign),
            self.significand.eq(significand),
            self.scale.eq(scale),
            self.nan.eq(nan),
        ]
        return m

    def code(self, mode: Mode) -> Value:
        """Return the lane's code in a mode."""
        bits, place = FORMATS[mode].bits, self.lane % len(ROWS[mode])
        return self.word[bits * place : bits * (place + 1)]

    def posit(
        self, m: Module, select: Select, modes: Sequence[Mode]
    ) -> tuple[Value, Value, Value, Value]:
        """Return sign, significand, scale and NaR of a posit."""
        width = max(FORMATS[mode].bits for mode in modes)
        code = wire(m, self.posit_code(select, modes, width), "posit")
        negative = code[-1]
        real = wire(m, code[:-1].any(), "real")
        body = wire(m, Mux(negative, -code, code)[: width - 1], "body")
        run, tail = self.regime(m, body)

        # The bit after the regime is the exponent where es = 1, else the fraction's first.
        with_exponent = select.any([mode for mode in modes if POSITS[mode].es])
        if len({POSITS[mode].es for mode in modes}) == 1:
            with_exponent = C(POSITS[modes[0]].es, 1)
        fraction = Mux(with_exponent, Cat(C(0, 1), tail[:-1]), tail)
        scale = Mux(with_exponent, Cat(tail[-1], run).as_signed(), run)
        significand = Cat(fraction & real.replicate(len(fraction)), real)
        return negative, significand, scale, negative & ~real

    def regime(self, m: Module, body: Value) -> tuple[Value, Value]:
        """Return the regime and the bits after it."""
        return regime(m, body, "regime")

    def posit_code(self, select: Select, modes: Sequence[Mode], width: int) -> Value:
        """Return the posit of the active mode in the upper end of ``width`` bits."""
        codes = {mode: Cat(C(0, width - FORMATS[mode].bits), self.code(mode)) for mode in modes}
        if self.spec.isolation is Isolation.OPERANDS:
            gated = [select.only(code, [mode]) for mode, code in codes.items()]
            return Cat(Cat(code[k] for code in gated).any() for k in range(width))
        *others, (_, chosen) = codes.items()
        for mode, code in others:
            chosen = Mux(select.any([mode]), code, chosen)
        return chosen


@dataclass(frozen=True, eq=False)
class Brick2x2:
    """A multiplier of two digits.

    Attributes
    ----------
    a, w
        Digits, 2 bits each.
    product
        4 bits.
    """

    a: Signal
    w: Signal
    product: Signal

    @classmethod
    def named(cls, name: str) -> "Brick2x2":
        """Return the signals of a brick, none of them driven."""
        return cls(
            a=Signal(DIGIT, name=f"{name}_a"),
            w=Signal(DIGIT, name=f"{name}_w"),
            product=Signal(BRICK, name=f"{name}_product"),
        )


class Multiplier(wiring.Component):
    """Multiplies the significands of all lanes on one array of bricks.

    A unit of a single mode has a plain multiplier a lane.

    Members
    -------
    a_<lane>, w_<lane> : In(2 * digits)
        Significands, 0 in modes that do not have the lane.
    select : In(modes)
        The mode, one-hot.
    product_<lane> : Out(4 * digits)
        Products. With ``isolation=operands`` they are 0 in modes that do not have the lane.

    Cost drivers: 49 bricks and the compressor tree that sums them, for posit16.
    """

    def __init__(self, spec: RmmecUnit) -> None:
        self.spec = spec
        self.bricks = {(i, j): Brick2x2.named(f"brick_{i}_{j}") for i, j in sorted(spec.all_bricks)}
        lanes = range(spec.all_lanes)
        widths = [DIGIT * digits(spec, lane) for lane in lanes]
        super().__init__(
            {
                "select": In(len(spec.mode_list)),
                **{f"a_{lane}": In(widths[lane]) for lane in lanes},
                **{f"w_{lane}": In(widths[lane]) for lane in lanes},
                **{f"product_{lane}": Out(2 * widths[lane]) for lane in lanes},
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        spec = self.spec
        if len(spec.mode_list) == 1:
            for lane in range(spec.all_lanes):
                a, w = (getattr(self, f"{side}_{lane}") for side in "aw")
                m.d.comb += getattr(self, f"product_{lane}").eq(a * w)
            return m

        select = Select(spec, self.select)
        rows = {side: self.row_digits(m, side) for side in "aw"}
        extra = {spec.extra_brick(lane): lane for lane in range(QUIRES, spec.all_lanes)}
        products = {}
        for (i, j), brick in self.bricks.items():
            own = extra.get((i, j))
            digits_in = rows["a"].get(i, C(0, DIGIT)), rows["w"].get(j, C(0, DIGIT))
            a, w = self.operands(select, (i, j), digits_in, own)
            m.d.comb += [brick.a.eq(a), brick.w.eq(w), brick.product.eq(brick.a * brick.w)]
            isolated = spec.isolation is Isolation.OPERANDS and own is None
            modes = self.row_modes((i, j))
            products[i, j] = brick.product if isolated else select.only(brick.product, modes)
            if own is not None:
                result = self.mask(select, brick.product, spec.short_modes)
                m.d.comb += getattr(self, f"product_{own}").eq(result)
        total = wire(m, self.recombine(products), "total")
        for lane in range(min(QUIRES, spec.all_lanes)):
            m.d.comb += getattr(self, f"product_{lane}").eq(self.lane_product(select, total, lane))
        return m

    def operands(
        self, select: Select, brick: Brick, digits: tuple[Value, Value], lane: int | None
    ) -> tuple[Value, Value]:
        """Return the operands of a brick, given the digits of its row and column.

        ``lane`` is the lane of another word that the brick serves in the 4-bit modes, or None.
        """
        a, w = digits
        if self.spec.isolation is Isolation.OPERANDS:
            modes = self.row_modes(brick)
            a, w = self.gate(select, a, modes, brick), self.gate(select, w, modes, brick)
        if lane is not None:
            short = select.any(self.spec.short_modes)
            a = Mux(short, getattr(self, f"a_{lane}"), a)
            w = Mux(short, getattr(self, f"w_{lane}"), w)
        return a, w

    def row_modes(self, brick: Brick) -> list[Mode]:
        """Return the modes that use a brick for a lane of the first word."""
        return [mode for mode in self.spec.mode_list if brick in self.spec.row_bricks(mode)]

    def row_digits(self, m: Module, side: str) -> dict[int, Value]:
        """Return the digit of every row of the array, from the lanes' significands.

        A lane's significand is 0 in modes that do not have it, and so are the digits below those
        of the mode, so the lanes of a row are joined by OR.
        """
        found: dict[int, list[Value]] = {}
        for lane in range(min(QUIRES, self.spec.all_lanes)):
            rows = max((self.spec.rows(mode, lane) for mode in self.spec.modes_of(lane)), key=len)
            significand = getattr(self, f"{side}_{lane}")
            for k, row in enumerate(rows):
                found.setdefault(row, []).append(significand[DIGIT * k : DIGIT * (k + 1)])
        return {
            row: wire(
                m, Cat(Cat(v[k] for v in values).any() for k in range(DIGIT)), f"{side}_{row}"
            )
            for row, values in found.items()
        }

    def gate(self, select: Select, digit: Value, modes: Sequence[Mode], brick: Brick) -> Value:
        """Return the operand of a brick: ``digit`` in ``modes``, else 0."""
        return select.only(digit, modes)

    def mask(self, select: Select, product: Value, modes: Collection[Mode]) -> Value:
        """Return a lane's product as the aligner gets it."""
        if self.spec.isolation is Isolation.OPERANDS:
            return select.only(product, modes)
        return product

    def recombine(self, products: dict[Brick, Value]) -> Value:
        """Return the sum of brick(i, j) * 4**(i + j).

        Every second brick of a row lies beside the next, so a row makes two terms.
        """
        terms = []
        for i in range(DIGITS):
            for parity in range(2):
                row = [products.get((i, j), C(0, BRICK)) for j in range(parity, DIGITS, 2)]
                if any((i, j) in products for j in range(parity, DIGITS, 2)):
                    terms.append(Cat(C(0, DIGIT * (i + parity)), *row))
        return tree_sum(terms)[: BRICK * DIGITS]

    def lane_product(self, select: Select, total: Value, lane: int) -> Value:
        """Return a lane's part of the sum, without the bits of other lanes."""
        modes = self.spec.modes_of(lane)
        rows = max((self.spec.rows(mode, lane) for mode in modes), key=len)
        parts = []
        for row in rows:
            part = total[BRICK * row : BRICK * (row + 1)]
            having = [mode for mode in modes if row in self.spec.rows(mode, lane)]
            if having == list(modes):
                parts.append(self.mask(select, part, having))
            else:
                parts.append(select.only(part, having))
        return Cat(parts)


class Aligner(wiring.Component):
    """Adds the exponents, and shifts every product to its place in the register.

    Members
    -------
    product_<lane> : In, scale_a_<lane>, scale_w_<lane> : In(signed), negative : In(lanes)
        Of all lanes.
    select : In(modes)
        The mode, one-hot.
    terms : Out(ArrayLayout(term_bits(spec), segments))
        What is added to every 32 bits of the register, without the carry; signed if it is shorter.
    carries : Out(quires)
        The carry into each: two's complement negation is inversion and a carry.

    Cost drivers: for posit16 a shifter of 28 bits by up to 112, whose lower part serves lane 0 in
    the other modes; a shifter for each other lane.
    """

    def __init__(self, spec: RmmecUnit) -> None:
        self.spec = spec
        lanes = range(spec.all_lanes)
        self.segments = quire_segments(spec)
        super().__init__(
            {
                "select": In(len(spec.mode_list)),
                "negative": In(len(lanes)),
                **{f"product_{lane}": In(2 * DIGIT * digits(spec, lane)) for lane in lanes},
                **{
                    f"scale_{side}_{lane}": In(signed(scale_bits(spec, lane)))
                    for lane in lanes
                    for side in "aw"
                },
                "terms": Out(data.ArrayLayout(unsigned(term_bits(spec)), self.segments[0])),
                "carries": Out(self.segments[0]),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        spec = self.spec
        select = Select(spec, self.select)
        count, width = self.segments
        wide = self.wide(m, select) if spec.is_wide else []
        placed = [*wide[:1]]
        placed += [self.narrow(m, select, lane) for lane in range(len(placed), spec.all_lanes)]
        for k in range(count):
            # Of the two, one is 0.
            magnitude = self.join(width, [*placed[k : k + 1], *wide[max(k, 1) : k + 1]])
            negative = wire(m, self.sign(select, k), f"negative_{k}")
            term = wire(m, magnitude ^ negative.replicate(width), f"term_{k}")
            if spec.lanes > 1:
                total = self.words_sum(select, placed, k)
                short = select.any(spec.short_modes)
                term = Mux(short, total, term.as_signed())[: term_bits(spec)]
                negative = negative & ~short
            m.d.comb += [self.terms[k].eq(term), self.carries[k].eq(negative)]
        return m

    def join(self, width: int, magnitudes: Sequence[Value]) -> Value:
        """Return the OR of magnitudes, in ``width`` bits."""
        padded = [Cat(value, C(0, width - len(value))) for value in magnitudes]
        return Cat(Cat(value[k] for value in padded).any() for k in range(width))

    def sign(self, select: Select, segment: int) -> Value:
        """Return whether a segment's term is negative."""
        own = self.negative[segment] if segment < len(self.negative) else C(0, 1)
        if not self.spec.is_wide or not segment:
            return own
        return Mux(select.any([Mode.POSIT16]), self.negative[0], own)

    def words_sum(self, select: Select, placed: Sequence[Value], quire: int) -> Value:
        """Return the sum of what all words add to a quire in the 4-bit modes."""
        spec = self.spec
        width = place_bits(spec, spec.all_lanes - 1)
        terms = []
        for lane in range(quire, spec.all_lanes, QUIRES):
            magnitude = Cat(placed[lane], C(0, width))[:width]
            if spec.isolation is Isolation.OPERANDS and lane < QUIRES:
                magnitude = select.only(magnitude, spec.short_modes)
            terms.append(Mux(self.negative[lane], -magnitude, magnitude).as_signed())
        return tree_sum(terms)

    def offset(self, select: Select, lane: int) -> Value | int:
        """Return what is added to the scales, so that the shift counts from 0."""
        modes = self.spec.modes_of(lane)
        if Mode.POSIT16 not in modes:
            return -min(product_scales(mode).lowest for mode in modes)
        wide = -product_scales(Mode.POSIT16).unit
        if len(modes) == 1:
            return wide
        return Mux(select.any([Mode.POSIT16]), C(wide, 7), C(-self.spec.exponent, 7))

    def shift(self, m: Module, select: Select, lane: int) -> Value:
        """Return by how much a product is shifted."""
        modes = self.spec.modes_of(lane)
        scales = [product_scales(mode) for mode in modes]
        if Mode.POSIT16 in modes:
            most = -2 * product_scales(Mode.POSIT16).unit
        else:
            most = max(s.highest for s in scales) - min(s.lowest for s in scales)
        a, w = getattr(self, f"scale_a_{lane}"), getattr(self, f"scale_w_{lane}")
        total = (a + w) + self.offset(select, lane)
        return wire(m, total[: most.bit_length()], f"shift_{lane}")

    def narrow(self, m: Module, select: Select, lane: int) -> Value:
        """Return the magnitude that a lane adds to its narrow quire."""
        spec = self.spec
        modes = spec.modes_of(lane)
        fraction = 2 * (DIGIT * digits(spec, lane) - 1)
        product = getattr(self, f"product_{lane}")
        shift = self.shift(m, select, lane)
        shifted = product << shift
        up = min(product_scales(mode).lowest for mode in modes) - spec.exponent - fraction
        shifted = Cat(C(0, up), shifted) if up >= 0 else shifted[-up:]
        placed = wire(m, shifted[: place_bits(spec, lane)], f"placed_{lane}")
        if spec.isolation is Isolation.RESULTS:
            return wire(m, select.only(placed, modes), f"masked_{lane}")
        return placed

    def wide(self, m: Module, select: Select) -> list[Value]:
        """Return the segments of lane 0's product in the wide quire, or in the first narrow one.

        The two differ in the shift by multiples of 32 bits only, which is 0 for the narrow one.
        """
        fraction = 2 * (DIGIT * DIGITS - 1)
        shift = self.shift(m, select, 0)
        fine = wire(m, self.product_0 << shift[:FINE_BITS], "fine")
        coarse = shift[FINE_BITS:]
        # Bits below the unit of the quire are 0 unless a coarse shift lifts them over it.
        bits = []
        for place in range(WIDE_BITS):
            if place >= product_scales(Mode.POSIT16).magnitude_bits:
                bits.append(C(0, 1))
                continue
            sources = []
            for blocks in range(1 << len(coarse)):
                source = place - NARROW_BITS * blocks + fraction
                if 0 <= source < len(fine):
                    sources.append(fine[source] & (coarse == blocks))
            bits.append(Cat(sources).any())
        count, width = self.segments
        whole = wire(m, Cat(bits), "wide")
        return [whole[width * k : width * (k + 1)] for k in range(count)]


def quire_segments(spec: RmmecUnit) -> tuple[int, int]:
    """Return into how many parts the register's adder can be cut, and their width."""
    if not spec.narrow_modes:
        return 1, WIDE_BITS
    return spec.result.register_bits // NARROW_BITS, NARROW_BITS


def term_bits(spec: RmmecUnit) -> int:
    """Return the width of what is added to a segment: shorter where all of it are sums of words."""
    _, width = quire_segments(spec)
    if spec.lanes == 1 or spec.short_modes != spec.mode_list:
        return width
    return place_bits(spec, 0) + 1 + (spec.lanes - 1).bit_length()


class QuireAdder(wiring.Component):
    """Adds to narrow quires or to the wide one: one adder whose carries can be cut.

    A guard bit lies below every segment. Where the carry is to pass it is 0 + 1; else both of its
    operands are the segment's own carry.

    Members
    -------
    register, terms : In, carries : In(segments)
        As the aligner gives them.
    wide : In(1)
        Carries pass.
    total : Out
        The register after it.

    Cost drivers: the register's width.
    """

    def __init__(self, spec: RmmecUnit) -> None:
        self.spec = spec
        count, width = quire_segments(spec)
        layout = data.ArrayLayout(unsigned(width), count)
        super().__init__(
            {
                "register": In(layout),
                "terms": In(data.ArrayLayout(unsigned(term_bits(self.spec)), count)),
                "carries": In(count),
                "wide": In(1),
                "total": Out(layout),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        count, width = quire_segments(self.spec)
        if not self.spec.is_wide or count == 1:
            for k in range(count):
                carry = self.carries[k]
                total = Cat(carry, self.register[k]) + Cat(carry, self.terms[k]).as_signed()
                m.d.comb += self.total[k].eq(total[1 : width + 1])
            return m
        left, right = [], []
        for k in range(count):
            carry = self.carries[k]
            left += [self.guard(k, carry), self.register[k]]
            right += [Mux(self.wide, 0, carry) if k else carry, self.terms[k]]
        total = wire(m, Cat(left) + Cat(right), "sum")
        for k in range(count):
            low = (width + 1) * k + 1
            m.d.comb += self.total[k].eq(total[low : low + width])
        return m

    def guard(self, segment: int, carry: Value) -> Value:
        """Return the register's side of the guard bit below a segment."""
        return Mux(self.wide, 1, carry) if segment else carry


class Datapath:
    """Everything between a beat and the register; it can be put into any module.

    Parameters
    ----------
    spec : RmmecUnit
        The unit.
    """

    def __init__(self, spec: RmmecUnit) -> None:
        self.spec = spec

    def connect(self, m: Module, beat: data.View, state: Value) -> Value:
        """Add the parts to ``m`` and return the register after ``beat``; none is added."""
        spec = self.spec
        result = spec.result
        select = wire(m, self.one_hot(beat), "select")
        lanes = range(spec.all_lanes)
        m.submodules.decode_activations = left = Module()
        m.submodules.decode_weights = right = Module()
        m.submodules.multiply = multiply = self.multiplier()
        m.submodules.align = align = Aligner(spec)
        m.submodules.add = add = self.adder()

        decoded = []
        for lane in lanes:
            pair = []
            for side, part, words in (("a", left, beat.activations), ("w", right, beat.weights)):
                decoder = self.decoder(lane)
                part.submodules[f"lane_{lane}"] = decoder
                m.d.comb += [
                    decoder.word.eq(words[lane // QUIRES]),
                    decoder.select.eq(select),
                    getattr(multiply, f"{side}_{lane}").eq(decoder.significand),
                    getattr(align, f"scale_{side}_{lane}").eq(decoder.scale),
                ]
                pair.append(decoder)
            m.d.comb += getattr(align, f"product_{lane}").eq(getattr(multiply, f"product_{lane}"))
            decoded.append(pair)
        wide = Select(spec, select).any([Mode.POSIT16])
        m.d.comb += [
            multiply.select.eq(select),
            align.select.eq(select),
            align.negative.eq(Cat(a.sign ^ w.sign for a, w in decoded)),
            add.register.eq(state[: result.register_bits]),
            add.terms.eq(align.terms),
            add.carries.eq(align.carries),
            add.wide.eq(wide),
        ]
        nan = [
            Cat(part.nan for pair in decoded[k::QUIRES] for part in pair).any()
            for k in range(result.nan_flags)
        ]
        use = [~wide, wide] if result.is_shared else []
        flags = state[result.register_bits :]
        return Cat(add.total, flags | Cat(*nan, *use))

    def one_hot(self, beat: data.View) -> Value:
        """Return the mode of a beat, one bit a mode."""
        count = len(self.spec.mode_list)
        if count == 1:
            return C(1, 1)
        return Cat(beat.mode == k for k in range(count))

    def decoder(self, lane: int) -> Decoder:
        """Return the decoder of a lane."""
        return Decoder(self.spec, lane)

    def multiplier(self) -> Multiplier:
        """Return the multiplier of all lanes."""
        return Multiplier(self.spec)

    def adder(self) -> QuireAdder:
        """Return the adder of the register."""
        return QuireAdder(self.spec)


class Rmmec(Unit):
    """Decoders, the brick array, the aligner, the quire adder and the register.

    Parameters and members are those of :class:`~rtl.base.Unit`, for an
    :class:`~hwsim.units.rmmec.RmmecUnit`.

    Timing: latency 1, interval 1 in all modes and between them; the input stalls while a result is
    not taken.

    Numerics: exact; quires wrap after ``spec.safe_beats``.

    Cost drivers: posit16's 14 x 14 multiplier, its shifter and its 128-bit quire.
    """

    spec: RmmecUnit

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.register = register = Fold(self.spec.result.bits)
        m.d.comb += [
            register.i.payload.value.eq(self.datapath().connect(m, self.i.payload, register.state)),
            register.i.payload.last.eq(self.i.payload.last),
            register.i.valid.eq(self.i.valid),
            self.i.ready.eq(register.i.ready),
        ]
        wiring.connect(m, register.o, wiring.flipped(self.o))
        return m

    def datapath(self) -> Datapath:
        """Return everything but the register."""
        return Datapath(self.spec)
