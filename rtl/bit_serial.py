"""Bit-serial integer dot product; see :mod:`hwsim.units.bit_serial`."""

from collections.abc import Sequence

from amaranth.hdl import Array, C, Cat, Module, Mux, Signal, Value
from amaranth.lib import wiring

from hwsim.units.bit_serial import BitSerialUnit, Digits, Precision, Recoding, Serial
from rtl.base import Unit, code_shape
from rtl.blocks.adder_tree import signed_sum, tree_sum
from rtl.blocks.recode import (
    Digit,
    Window,
    binary_digits,
    booth_digit,
    booth_word,
    fixed_window,
    window,
)
from rtl.blocks.select import lowest_one, pick
from rtl.blocks.wire import counter, wire


class BitSerial(Unit):
    """A row of gates a lane, an adder tree, shifters and an accumulator.

    Parameters and members are those of :class:`~rtl.base.Unit`, for a
    :class:`~hwsim.units.bit_serial.BitSerialUnit`.

    Timing: a beat takes as many cycles as it has digits to work on, which ``spec.cycles``
    predicts, and the result is offered in the cycle after. ``i.ready`` is low until the cycle of
    the last digit, and the beat must be held until then, as the stream protocol demands anyway.

    Cost drivers: lanes x activation bits for the tree, the shifter's weight bits (with essential
    digits a shifter and a register of the weight's digits in every lane), and the accumulator.
    """

    spec: BitSerialUnit

    def elaborate(self, platform: object) -> Module:
        m = Module()
        # High in a cycle whose partial sum the accumulator takes.
        step = Signal()
        if self.spec.digits is Digits.ESSENTIAL:
            placed, final = self.essential(m, step)
        elif self.spec.serial is Serial.BOTH:
            placed, final = self.both(m, step)
        elif self.spec.recoding is Recoding.BOOTH:
            placed, final = self.booth(m, step)
        else:
            placed, final = self.binary(m, step)

        m.submodules.accumulator = accumulator = self.accumulator(placed)
        m.d.comb += [
            accumulator.i.payload.term.eq(placed),
            accumulator.i.payload.last.eq(self.i.payload.last & final),
            accumulator.i.valid.eq(self.i.valid),
            self.i.ready.eq(accumulator.i.ready & final),
            step.eq(accumulator.i.valid & accumulator.i.ready),
        ]
        wiring.connect(m, accumulator.o, wiring.flipped(self.o))
        return m

    def binary(self, m: Module, step: Value) -> tuple[Value, Value]:
        """Work on one bit of every weight a cycle, the lowest first."""
        beat, width = self.i.payload, self.spec.weight.bits
        position = counter(width, "position")
        final = self.count(m, step, position, self.precision("weight"))
        terms = [
            self.term(beat.activations[k], beat.weights[k].bit_select(position, 1))
            for k in range(self.spec.lanes)
        ]
        partial = wire(m, tree_sum(terms), "partial")
        places = Array(partial.shift_left(bit) for bit in range(width))
        placed = wire(m, places[position], "unsigned_placed")
        # In the final cycle the bit is the top one.
        if self.signed("weight"):
            placed = wire(m, Mux(final, -placed, placed), "placed")
        return placed, final

    def booth(self, m: Module, step: Value) -> tuple[Value, Value]:
        """Work on one Booth digit of every weight a cycle, the lowest first."""
        beat, digits = self.i.payload, self.spec.weight_digits
        position = counter(digits, "position")
        final = self.count(m, step, position, self.digit_count(self.precision("weight")))
        bits = self.window(m)
        products = []
        for k in range(self.spec.lanes):
            word = booth_word(m, beat.weights[k], self.signed("weight"), bits, f"weight_{k}")
            digit = booth_digit(wire(m, word.bit_select(Cat(C(0, 1), position), 3), f"three_{k}"))
            products.append((self.multiple(beat.activations[k], digit), digit.negative))
        partial = wire(m, self.signed_sum(products), "partial")
        places = Array(partial.shift_left(2 * k) for k in range(digits))
        return wire(m, places[position], "placed"), final

    def both(self, m: Module, step: Value) -> tuple[Value, Value]:
        """Work on one bit of every weight and of every activation a cycle."""
        beat = self.i.payload
        weight, activation = self.spec.weight, self.spec.activation
        inner, outer = counter(activation.bits, "inner"), counter(weight.bits, "outer")
        inner_final = self.count(m, step, inner, self.precision("activation"))
        outer_final = self.count(m, step & inner_final, outer, self.precision("weight"))
        terms = [
            beat.weights[k].bit_select(outer, 1) & beat.activations[k].bit_select(inner, 1)
            for k in range(self.spec.lanes)
        ]
        partial = wire(m, tree_sum(terms), "partial")
        place = wire(m, inner + outer, "place")
        places = Array(partial.shift_left(k) for k in range(activation.bits + weight.bits - 1))
        placed = wire(m, places[place], "unsigned_placed")
        top = [
            final
            for operand, final in (("activation", inner_final), ("weight", outer_final))
            if self.signed(operand)
        ]
        if top:
            # Negative is the product of a sign bit and another bit.
            placed = wire(m, Mux(Cat(top).xor(), -placed, placed), "placed")
        return placed, inner_final & outer_final

    def essential(self, m: Module, step: Value) -> tuple[Value, Value]:
        """Work on the lowest digit of every weight that is not zero and not done."""
        beat = self.i.payload
        bits = self.window(m)
        products, choices, left = [], [], []
        for k in range(self.spec.lanes):
            digits = self.digits(m, beat.weights[k], bits, f"weight_{k}")
            done = Signal(len(digits), name=f"done_{k}")
            rest = wire(m, Cat(digit.nonzero for digit in digits) & ~done, f"rest_{k}")
            choice = wire(m, lowest_one(rest), f"choice_{k}")
            digit = Digit(
                nonzero=choice.any(),
                negative=wire(m, pick(choice, [d.negative for d in digits]), f"negative_{k}"),
                double=pick(choice, [d.double for d in digits]),
            )
            place = pick(choice, [C(self.radix_bits * d) for d in range(len(digits))])
            multiple = self.multiple(beat.activations[k], digit)
            # The shift amount's range is wider than the shifts that occur.
            width = len(multiple) + self.radix_bits * (len(digits) - 1)
            shifted = (multiple << place)[:width]
            shifted = shifted.as_signed() if multiple.shape().signed else shifted
            products.append((wire(m, shifted, f"product_{k}"), digit.negative))
            choices.append((done, choice))
            left.append(rest != choice)
        final = wire(m, self.all_done(left), "final")
        with m.If(step):
            m.d.sync += [done.eq(Mux(final, 0, done | choice)) for done, choice in choices]
        return wire(m, self.signed_sum(products), "placed"), final

    def count(self, m: Module, step: Value, position: Signal, precision: Value | int) -> Value:
        """Count ``position`` from 0 to ``precision`` - 1 and again; return whether it is there."""
        final = wire(m, position == precision - 1, f"final_{position.name}")
        with m.If(step):
            m.d.sync += position.eq(Mux(final, 0, position + 1))
        return final

    def all_done(self, left: Sequence[Value]) -> Value:
        """Return whether no lane has a digit left after this cycle's."""
        return ~Cat(left).any()

    def precision(self, operand: str) -> Value | int:
        """Return how many bits of an operand count."""
        if self.spec.precision is Precision.BEAT:
            return self.i.payload[f"{operand}_precision"]
        return getattr(self.spec, operand).bits

    def signed(self, operand: str) -> bool:
        """Return whether the top bit of an operand is a sign bit."""
        return code_shape(getattr(self.spec, operand)).signed

    def digit_count(self, precision: Value | int) -> Value | int:
        """Return the Booth digits of a weight of ``precision`` bits."""
        return (precision + 1) >> 1 if self.signed("weight") else (precision >> 1) + 1

    def window(self, m: Module) -> Window:
        """Return which bits of the weights count."""
        bits = self.spec.weight.bits
        precision = self.precision("weight")
        return fixed_window(bits) if isinstance(precision, int) else window(m, bits, precision)

    @property
    def radix_bits(self) -> int:
        """Places from one digit to the next."""
        return 2 if self.spec.recoding is Recoding.BOOTH else 1

    def digits(self, m: Module, weight: Value, bits: Window, name: str) -> list[Digit]:
        """Return all digits of a weight, the lowest first."""
        signed = self.signed("weight")
        if self.spec.recoding is Recoding.BINARY:
            return binary_digits(weight, signed, bits)
        word = booth_word(m, weight, signed, bits, name)
        return [booth_digit(word[2 * d : 2 * d + 3]) for d in range(self.spec.weight_digits)]

    def term(self, activation: Value, weight_bit: Value) -> Value:
        """Return the activation if the weight bit is set, else 0."""
        return Mux(weight_bit, activation, 0)

    def multiple(self, activation: Value, digit: Digit) -> Value:
        """Return the activation times the magnitude of a digit."""
        multiple = Mux(digit.nonzero, activation, 0)
        if self.spec.recoding is Recoding.BINARY:
            return multiple
        return Mux(digit.double, multiple.shift_left(1), multiple)

    def signed_sum(self, products: Sequence[tuple[Value, Value]]) -> Value:
        """Return the sum of the products, each negated if the flag beside it is set."""
        if self.spec.recoding is Recoding.BINARY and not self.signed("weight"):
            return tree_sum([product for product, _ in products])
        return signed_sum(products)
