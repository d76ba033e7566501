"""The last stage of every exact unit: adds up the terms of a dot product, offers the sum."""

from amaranth.hdl import Module, Mux, Shape, Signal, Value, signed, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out


class Accumulator(wiring.Component):
    """Two's complement accumulator with sticky flags.

    The register that sums is also the one that offers the result, so a result that is not taken
    stalls the input. A dot product may start in the cycle in which the previous result is taken.

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
        total = Signal(signed(self.width), reset_less=True)
        first = Signal(init=1)

        m.d.comb += [
            self.i.ready.eq(~self.o.valid | self.o.ready),
            self.o.payload[: self.width].eq(total),
        ]
        with m.If(self.o.ready):
            m.d.sync += self.o.valid.eq(0)
        with m.If(self.i.valid & self.i.ready):
            m.d.sync += [
                # Wraps: the carry out of the sum is dropped.
                total.eq(self.add(Mux(first, 0, total), term.term)),
                first.eq(term.last),
                self.o.valid.eq(term.last),
            ]
        if self.flags:
            flags = Signal(self.flags, reset_less=True)
            m.d.comb += self.o.payload[self.width :].eq(flags)
            with m.If(self.i.valid & self.i.ready):
                m.d.sync += flags.eq(Mux(first, 0, flags) | term.flags)
        return m

    def add(self, total: Value, term: Value) -> Value:
        """Return the sum before it wraps."""
        return total + term
