"""The register at the end of every unit: carries a value from beat to beat, offers the last."""

from amaranth.hdl import Array, Cat, Module, Mux, Signal, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from rtl.blocks.columns import spread

#: What the registers of interleaved states are called, with a number behind.
INTERLEAVED = "interleaved_state_"


class Fold(wiring.Component):
    """State that starts as 0, is replaced once a beat, and is the result after the last beat.

    The register that carries is also the one that offers the result, so a result that is not
    taken stalls the input. The next fold may start in the cycle in which a result is taken.

    Parameters
    ----------
    width : int
        Width of the state.

    Members
    -------
    i : In(stream.Signature({"value": unsigned(width), "last": 1}))
        The state after this beat, a combinational function of ``state``; ``last`` ends the fold.
    state : Out(width)
        The state before this beat: 0 in the first one.
    o : Out(stream.Signature(unsigned(width)))
        The state after the last beat.

    Timing: latency 1, interval 1.
    """

    def __init__(self, width: int) -> None:
        self.width = width
        super().__init__(
            {
                "i": In(stream.Signature(data.StructLayout({"value": width, "last": 1}))),
                "state": Out(width),
                "o": Out(stream.Signature(unsigned(width))),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        value = Signal(self.width, reset_less=True)
        first = Signal(init=1)
        m.d.comb += [
            self.i.ready.eq(~self.o.valid | self.o.ready),
            self.o.payload.eq(value),
            self.state.eq(Mux(first, 0, value)),
        ]
        with m.If(self.o.ready):
            m.d.sync += self.o.valid.eq(0)
        with m.If(self.i.valid & self.i.ready):
            m.d.sync += [
                value.eq(self.i.payload.value),
                first.eq(self.i.payload.last),
                self.o.valid.eq(self.i.payload.last),
            ]
        return m


class SumFold(wiring.Component):
    """A fold of a sum, with flags that stick; of two numbers where its carries are saved.

    The two are added up behind their registers: the path from these to the result is that adder,
    and the one from state to state has none.

    Parameters
    ----------
    width : int
        Width of the sum, modulo 2**width.
    saved : int
        Mask of the places at which the second number has bits, 0 for one number.
    flags : int
        Number of sticky flags, 0 or more.

    Members
    -------
    i : In(stream.Signature({"value": unsigned(bits), "last": 1}))
        The state after this beat, a combinational function of ``state``: the first number, the
        bits of the second, and the flags; ``last`` ends the fold.
    state : Out(bits)
        The state before this beat: 0 in the first one.
    o : Out(stream.Signature(unsigned(width + flags)))
        The sum after the last beat, and above it the flags.

    Timing: latency 1, interval 1.
    """

    def __init__(self, width: int, saved: int, flags: int = 0) -> None:
        self.width = width
        self.saved = saved
        self.flags = flags
        self.bits = width + saved.bit_count() + flags
        super().__init__(
            {
                "i": In(stream.Signature(data.StructLayout({"value": self.bits, "last": 1}))),
                "state": Out(self.bits),
                "o": Out(stream.Signature(unsigned(width + flags))),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.fold = fold = Fold(self.bits)
        wiring.connect(m, wiring.flipped(self.i), fold.i)
        numbers = fold.o.payload[: self.bits - self.flags]
        total = numbers[: self.width]
        if self.saved:
            second = spread(numbers[self.width :], self.saved, self.width)
            total = (total + second)[: self.width]
        m.d.comb += [
            self.state.eq(fold.state),
            self.o.payload.eq(Cat(total, fold.o.payload[len(numbers) :])),
            self.o.valid.eq(fold.o.valid),
            fold.o.ready.eq(self.o.ready),
        ]
        return m


class InterleavedFold(wiring.Component):
    """Several states, to which beats go in turn, and which are the result after the last beat.

    Beat i of a result replaces state i mod ``count``; it reads what the beat ``count`` before left.
    What is read and what is written have counters of their own, so that beats may be under way
    between the two: up to ``count`` - 1 (:mod:`rtl.pipeline`).

    Parameters
    ----------
    width : int
        Width of a state.
    count : int
        Number of states, 2 or more.

    Members
    -------
    i : In(stream.Signature({"value": unsigned(width), "last": 1}))
        The state after this beat, a combinational function of ``state``; ``last`` ends the fold.
    state : Out(width)
        The state that this beat replaces: 0 in the first ``count`` beats.
    o : Out(stream.Signature(unsigned(count * width)))
        All states after the last beat, the first lowest; 0 for those that no beat went to.

    Timing: latency 1, interval 1.
    """

    def __init__(self, width: int, count: int) -> None:
        self.width = width
        self.count = count
        super().__init__(
            {
                "i": In(stream.Signature(data.StructLayout({"value": width, "last": 1}))),
                "state": Out(width),
                "o": Out(stream.Signature(unsigned(count * width))),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        # The pipeline knows these registers by their names.
        states = [
            Signal(self.width, reset_less=True, name=f"{INTERLEAVED}{k}") for k in range(self.count)
        ]
        taken, last = Signal(), self.i.payload.last
        read, full = Signal(range(self.count)), Signal()
        write, used = Signal(range(self.count)), Signal(self.count)
        first = Signal(init=1)
        m.d.comb += [
            self.i.ready.eq(~self.o.valid | self.o.ready),
            taken.eq(self.i.valid & self.i.ready),
            self.state.eq(Mux(full, Array(states)[read], 0)),
            self.o.payload.eq(Cat(Mux(used[k], state, 0) for k, state in enumerate(states))),
        ]
        read_end, write_end = read == self.count - 1, write == self.count - 1
        with m.If(self.o.ready):
            m.d.sync += self.o.valid.eq(0)
        with m.If(taken):
            m.d.sync += [
                read.eq(Mux(last | read_end, 0, read + 1)),
                full.eq(~last & (full | read_end)),
                write.eq(Mux(last | write_end, 0, write + 1)),
                self.o.valid.eq(last),
            ]
            for k, state in enumerate(states):
                with m.If(write == k):
                    m.d.sync += state.eq(self.i.payload.value)
                m.d.sync += used[k].eq((write == k) | (used[k] & ~first))
            m.d.sync += first.eq(last)
        return m
