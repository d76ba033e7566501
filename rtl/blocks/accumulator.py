"""The last stage of every exact unit: adds up the terms of a dot product, offers the sum."""

from amaranth.hdl import Module, Shape, Value, signed, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from rtl.blocks.fold import Fold


class Accumulator(wiring.Component):
    """Two's complement accumulator with sticky flags.

    Stalls and starts are those of :class:`~rtl.blocks.fold.Fold`.

    Parameters
    ----------
    width : int
        Width of the sum, which wraps modulo 2**width.
    term : Shape
        Shape of a term. Of a term wider than the sum only the low ``width`` bits are used, as
        the others do not survive the wrap.
    flags : int
        Number of sticky flags, 0 or more.

    Members
    -------
    i : In(stream.Signature({"term": term, "flags": unsigned(flags), "last": 1}))
        One term a cycle; ``last`` ends the sum.
    o : Out(stream.Signature(unsigned(width + flags)))
        The sum, and above it the flags that were set with any of its terms.

    Timing: latency 1, interval 1.
    """

    def __init__(self, width: int, term: Shape, flags: int = 0) -> None:
        self.width = width
        self.term = term
        self.flags = flags
        term_width = min(width, term.width + (not term.signed))
        fields = {"term": signed(term_width), "last": unsigned(1)}
        if flags:
            fields["flags"] = unsigned(flags)
        super().__init__(
            {
                "i": In(stream.Signature(data.StructLayout(fields))),
                "o": Out(stream.Signature(unsigned(width + flags))),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        term = self.i.payload
        m.submodules.fold = fold = Fold(self.width + self.flags)
        total = fold.state[: self.width].as_signed()
        m.d.comb += [
            # Wraps: the carry out of the sum is dropped.
            fold.i.payload.value[: self.width].eq(self.add(total, term.term)),
            fold.i.payload.last.eq(term.last),
            fold.i.valid.eq(self.i.valid),
            self.i.ready.eq(fold.i.ready),
        ]
        if self.flags:
            flags = fold.state[self.width :]
            m.d.comb += fold.i.payload.value[self.width :].eq(flags | term.flags)
        wiring.connect(m, fold.o, wiring.flipped(self.o))
        return m

    def add(self, total: Value, term: Value) -> Value:
        """Return the sum before it wraps."""
        return total + term
