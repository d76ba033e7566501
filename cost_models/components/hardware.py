"""Hardware of components: the blocks of :mod:`rtl.blocks`, and operators."""

from collections.abc import Callable, Sequence
from functools import reduce
from operator import xor

from amaranth.hdl import Array, C, Cat, Module, Mux, Value
from amaranth.lib import wiring

from cost_models.components.spec import Component, table
from hwsim.units.rounding import SumRounding
from rtl.base import Unit
from rtl.blocks.adder_tree import tree_sum
from rtl.blocks.booth import booth_multiply
from rtl.blocks.fold import Fold
from rtl.blocks.largest import largest
from rtl.blocks.normalise import leading_zeros
from rtl.blocks.rom import look_up
from rtl.blocks.select import lowest_one
from rtl.blocks.shift_right import shift_right
from rtl.blocks.wire import wire

Values = Sequence[Value]


class ComponentHardware(Unit):
    """The function of a component and the register for its result.

    Parameters and members are those of :class:`~rtl.base.Unit`, for a
    :class:`~cost_models.components.spec.Component`.

    Timing: latency 1, interval 1; the input stalls while a result is not taken.
    """

    def elaborate(self, platform: object) -> Module:
        m = Module()
        spec = self.spec
        assert isinstance(spec, Component)
        beat = self.i.payload
        values = [beat.activations[k] for k in range(spec.value_count)]
        arguments = [beat.weights[k] for k in range(spec.argument_count)]
        m.submodules.fold = fold = Fold(spec.result.bits)
        if spec.kind == "accumulate":
            elements = [fold.state.as_signed() + tree_sum(values)]
        else:
            elements = _ELEMENTS[spec.kind](m, values, arguments)
        width = spec.element_bits
        for k, element in enumerate(elements):
            m.d.comb += fold.i.payload.value[k * width : (k + 1) * width].eq(element)
        m.d.comb += [
            fold.i.payload.last.eq(beat.last),
            fold.i.valid.eq(self.i.valid),
            self.i.ready.eq(fold.i.ready),
        ]
        wiring.connect(m, fold.o, wiring.flipped(self.o))
        return m


def _each(
    function: Callable[[Value, Value], Value],
) -> Callable[[Module, Values, Values], list[Value]]:
    """Return the function of every value and its argument; one argument serves all values."""

    def elements(m: Module, values: Values, arguments: Values) -> list[Value]:
        served = arguments if len(arguments) == len(values) else [arguments[0]] * len(values)
        return [function(v, a) for v, a in zip(values, served, strict=True)]

    return elements


def _multiply(m: Module, values: Values, arguments: Values) -> list[Value]:
    pairs = zip(values, arguments, strict=True)
    return [tree_sum([wire(m, v * a, f"product_{k}") for k, (v, a) in enumerate(pairs)])]


def _booth(m: Module, values: Values, arguments: Values) -> list[Value]:
    return [booth_multiply(m, values[0], arguments[0], "product")]


def _sum(m: Module, values: Values, arguments: Values) -> list[Value]:
    return [tree_sum(values)]


def _magnitude(m: Module, values: Values, arguments: Values) -> list[Value]:
    return [Mux(v[-1], -v, v) for v in values]


def _round_right(m: Module, values: Values, arguments: Values) -> list[Value]:
    return [shift_right(m, values[0], arguments[0], SumRounding.NEAREST_EVEN, "rounded")]


def _select(m: Module, values: Values, arguments: Values) -> list[Value]:
    return [Array(values)[a] for a in arguments]


def _decode(m: Module, values: Values, arguments: Values) -> list[Value]:
    return [Cat(a == k for k in range(1 << len(a))) for a in arguments]


def _largest(m: Module, values: Values, arguments: Values) -> list[Value]:
    return [largest(m, values, "largest")]


def _leading_zeros(m: Module, values: Values, arguments: Values) -> list[Value]:
    return [leading_zeros(m, values[0], "zeros")]


def _normalise(m: Module, values: Values, arguments: Values) -> list[Value]:
    zeros = wire(m, leading_zeros(m, values[0], "zeros"), "zeros")
    return [(values[0] << zeros)[: len(values[0])]]


def _lowest_one(m: Module, values: Values, arguments: Values) -> list[Value]:
    return [lowest_one(values[0])]


def _parity(m: Module, values: Values, arguments: Values) -> list[Value]:
    return [reduce(xor, values)]


def _table(m: Module, values: Values, arguments: Values) -> list[Value]:
    index = Cat(*values)
    return [look_up(m, index, table(len(index)), "table")]


def _store(m: Module, values: Values, arguments: Values) -> list[Value]:
    return list(values)


def _masked(v: Value, a: Value) -> Value:
    return Mux(a, v, C(0, len(v)))


def _inverted(v: Value, a: Value) -> Value:
    return v ^ a.replicate(len(v))


_ELEMENTS: dict[str, Callable[[Module, Values, Values], list[Value]]] = {
    "add": _each(lambda v, a: v + a),
    "multiply": _multiply,
    "multiply_booth": _booth,
    "sum": _sum,
    "magnitude": _magnitude,
    "shift_left": _each(lambda v, a: v << a),
    "shift_right": _each(lambda v, a: v >> a),
    "round_right": _round_right,
    "select": _select,
    "decode": _decode,
    "compare": _each(lambda v, a: v < a),
    "largest": _largest,
    "leading_zeros": _leading_zeros,
    "normalise": _normalise,
    "lowest_one": _lowest_one,
    "parity": _parity,
    "invert": _each(_inverted),
    "gate": _each(_masked),
    "table": _table,
    "store": _store,
}
