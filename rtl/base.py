"""The ports that all units share, built from a unit's specification."""

from collections.abc import Sequence

from amaranth.hdl import Cat, Module, Shape, Value, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from hwsim.formats.base import Format
from hwsim.formats.integer import Integer
from hwsim.units import Result, UnitSpec
from hwsim.units.adders import MergedSum, State
from rtl.blocks.accumulator import Accumulator
from rtl.blocks.columns import Columns
from rtl.blocks.fold import SumFold


def code_shape(fmt: Format) -> Shape:
    """Return the shape of an operand of format ``fmt``: signed where a code is its own value."""
    return Shape(fmt.bits, isinstance(fmt, Integer) and fmt.signed)


def beat_layout(spec: UnitSpec) -> data.StructLayout:
    """Return the layout of a beat: activations, weights, metadata, ``last``, lowest bits first."""
    stored = spec.stored_weights
    widths = spec.beat_fields
    count = widths["activations"] // spec.activation.bits
    weight = Shape(stored.bits, code_shape(spec.weight).signed)
    shapes = {
        "activations": data.ArrayLayout(code_shape(spec.activation), count),
        "weights": data.ArrayLayout(weight, stored.count),
        **{field.name: code_shape(field.format) for field in spec.metadata},
    }
    return data.StructLayout({name: shapes.get(name, width) for name, width in widths.items()})


def ports(spec: UnitSpec) -> list[tuple[str, str, int, str]]:
    """Return name, direction, bits and meaning of every port of a unit in Verilog."""
    return [
        ("clk", "input", 1, "clock, rising edge"),
        ("rst", "input", 1, "synchronous reset, active high"),
        ("i__payload", "input", spec.beat_bits, f"beat: {', '.join(spec.beat_fields)}"),
        ("i__valid", "input", 1, "a beat is offered; hold it until i__ready"),
        ("i__ready", "output", 1, "the beat is taken at this clock edge"),
        ("o__payload", "output", spec.result.bits, "result code"),
        ("o__valid", "output", 1, "a result is offered"),
        ("o__ready", "input", 1, "the result is taken at this clock edge"),
    ]


class Unit(wiring.Component):
    """A dot-product engine with one input and one output stream.

    Parameters
    ----------
    spec : UnitSpec
        What to build.

    Members
    -------
    i : In(stream.Signature(beat_layout(spec)))
        Beats: ``lanes`` activations and weights, the metadata fields by name, and ``last`` in the
        final beat of a dot product.
    o : Out(stream.Signature(unsigned(spec.result.bits)))
        Result codes, one after each ``last``.
    """

    def __init__(self, spec: UnitSpec) -> None:
        self.spec = spec
        super().__init__(
            {
                "i": In(stream.Signature(beat_layout(spec))),
                "o": Out(stream.Signature(unsigned(spec.result.bits))),
            }
        )

    @property
    def sum(self) -> Result:
        """Layout of the exact sum over the beats."""
        result = self.spec.result
        assert isinstance(result, Result), "rounded results have no exact accumulator"
        return result

    def accumulator(self, term: Value) -> Accumulator:
        """Return the accumulator for terms like ``term``, as wide as the sum."""
        return Accumulator(self.sum.width, term.shape(), len(self.sum.flags))

    def accumulate(
        self, m: Module, term: Value, flags: Sequence[Sequence[Value]] = ()
    ) -> Accumulator:
        """Add ``term`` up over the beats, one a cycle; the output is left to connect.

        ``flags`` has those of the sum, each with a bit a lane.
        """
        m.submodules.accumulator = accumulator = self.accumulator(term)
        m.d.comb += [
            accumulator.i.payload.term.eq(term),
            accumulator.i.payload.last.eq(self.i.payload.last),
            accumulator.i.valid.eq(self.i.valid),
            self.i.ready.eq(accumulator.i.ready),
        ]
        if flags:
            any_lane = [Cat(*bits).any() for bits in flags]
            m.d.comb += accumulator.i.payload.flags.eq(Cat(*any_lane))
        return accumulator

    def columns(self, m: Module) -> Columns:
        """Return columns as wide as the sum, for :meth:`merge`."""
        # Text of a module of this name is put in order (rtl.in_order).
        m.submodules.merge = tree = Module()
        return Columns(tree, self.sum.width)

    def merge(self, m: Module, columns: Columns, flags: Sequence[Sequence[Value]] = ()) -> SumFold:
        """Add all terms of ``columns`` up over the beats, one beat a cycle, in one tree.

        The output is left to connect; for ``flags`` see :meth:`accumulate`.
        """
        spec, width = self.spec, self.sum.width
        assert isinstance(spec, MergedSum)
        count = len(self.sum.flags)
        if spec.state is State.CARRY_SAVE:
            fold = SumFold(width, columns.saved, count)
            term = columns.rows(fold.state[: len(fold.state) - count])
        else:
            fold = SumFold(width, 0, count)
            term = columns.total(fold.state[:width])
        m.submodules.accumulator = fold
        sticky = fold.state[len(term) :] | Cat(*(Cat(*bits).any() for bits in flags))
        m.d.comb += [
            fold.i.payload.value.eq(Cat(term, sticky)),
            fold.i.payload.last.eq(self.i.payload.last),
            fold.i.valid.eq(self.i.valid),
            self.i.ready.eq(fold.i.ready),
        ]
        return fold
