"""Group-quantised dot product by shift and add; see :mod:`hwsim.units.shift_add`."""

from amaranth.hdl import C, Cat, Module, Mux, Signal, Value, signed
from amaranth.lib import wiring

from hwsim.formats.base import Format
from hwsim.formats.minifloat import Minifloat
from hwsim.units.shift_add import ShiftAddUnit
from rtl.base import Unit, code_shape
from rtl.blocks.adder_tree import tree_sum
from rtl.blocks.minifloat import decode
from rtl.blocks.wire import counter, wire


class ShiftAdd(Unit):
    """AND rows, two adder trees, a group's two sums, and one multiplication a group.

    Parameters and members are those of :class:`~rtl.base.Unit`, for a
    :class:`~hwsim.units.shift_add.ShiftAddUnit`.

    Timing: latency 1, interval 1; the input stalls while a result is not taken. The group's end
    is in the path from the operands to the accumulator: trees, then both multipliers.

    Numerics: exact; above the sum the flag ``nan`` if the formats can raise it.

    Cost drivers: lanes x weight bits x activation bits for the rows and trees; the width of a
    group's sum x scale bits for the multiplier; 2**exponent bits of minifloats in both.
    """

    spec: ShiftAddUnit

    def elaborate(self, platform: object) -> Module:
        m = Module()
        beat = self.i.payload
        lanes = range(self.spec.lanes)

        # Shift and add.
        aligned = [
            self.align(m, self.spec.activation, beat.activations[k], f"activation_{k}")
            for k in lanes
        ]
        activations = [value for value, _ in aligned]
        products = [
            wire(m, self.product(activations[k], beat.weights[k]), f"product_{k}") for k in lanes
        ]
        step, ends = Signal(), self.group_end(m)
        product_sum = self.group_sum(m, tree_sum(products), step, ends, "products")
        activation_sum = self.group_sum(m, tree_sum(activations), step, ends, "activations")

        # Zero point and scale, once a group.
        centred = wire(m, product_sum - beat.zero_point * activation_sum, "centred")
        scale, scale_special = self.align(m, self.spec.scale, beat.scale, "scale")
        scaled = wire(m, self.scaled(centred, scale), "scaled")
        term = wire(m, Mux(ends, scaled, 0), "term")

        # Add up over the groups.
        m.submodules.accumulator = accumulator = self.accumulator(term)
        m.d.comb += [
            accumulator.i.payload.term.eq(term),
            accumulator.i.payload.last.eq(beat.last),
            accumulator.i.valid.eq(self.i.valid),
            self.i.ready.eq(accumulator.i.ready),
            step.eq(accumulator.i.valid & accumulator.i.ready),
        ]
        with m.If(step):
            m.d.sync += self.position.eq(Mux(ends, 0, self.position + 1))
        if self.spec.result.flags:
            special = Cat(flag for _, flag in aligned).any() | (scale_special & ends)
            m.d.comb += accumulator.i.payload.flags.eq(special)
        wiring.connect(m, accumulator.o, wiring.flipped(self.o))
        return m

    def group_end(self, m: Module) -> Value:
        """Return whether the beat is the last of its group."""
        self.position = counter(self.spec.group_beats, "position")
        full = self.position == self.spec.group_beats - 1
        return wire(m, full | self.i.payload.last, "ends")

    def align(self, m: Module, fmt: Format, code: Value, name: str) -> tuple[Value, Value]:
        """Return an operand in fixed point, and whether it is NaN or infinite."""
        if not isinstance(fmt, Minifloat):
            return code, C(0, 1)
        parts = decode(m, fmt, code, name)
        longest = (fmt.max_code >> fmt.mantissa) - 1
        width = fmt.mantissa + 1 + max(longest, 0)
        magnitude = wire(m, (parts.significand << parts.shift)[:width], f"{name}_magnitude")
        value = Mux(parts.sign, -magnitude, magnitude)
        return wire(m, value, f"{name}_aligned"), parts.nan | parts.infinity

    def product(self, activation: Value, weight: Value) -> Value:
        """Return the sum of the activation shifted to each set bit of the weight."""
        rows = [Mux(bit, activation.shift_left(k), 0) for k, bit in enumerate(weight)]
        if not code_shape(self.spec.weight).signed:
            return tree_sum(rows)
        return tree_sum(rows[:-1]) - rows[-1] if rows[:-1] else -rows[-1]

    def group_sum(self, m: Module, term: Value, step: Value, ends: Value, name: str) -> Value:
        """Return the sum of ``term`` over the group's beats up to this one."""
        width = len(term) + (not term.shape().signed) + (self.spec.group_beats - 1).bit_length()
        register = Signal(signed(width), name=f"{name}_register")
        total = Signal(signed(width), name=f"{name}_sum")
        m.d.comb += total.eq(register + term)
        with m.If(step):
            m.d.sync += register.eq(Mux(ends, 0, total))
        return total

    def scaled(self, centred: Value, scale: Value) -> Value:
        """Return the group's sum times its scale."""
        return centred * scale
