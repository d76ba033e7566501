"""Named intermediate values."""

from amaranth.hdl import Module, Signal, Value


def wire(m: Module, value: Value, name: str) -> Signal:
    """Return a signal of the shape of ``value`` that equals it combinationally.

    An expression that is used twice is emitted twice; a signal is emitted once, with a name.
    """
    signal = Signal(value.shape(), name=name)
    m.d.comb += signal.eq(value)
    return signal


def counter(count: int, name: str) -> Signal:
    """Return a register for the numbers below ``count``, at least one bit wide.

    A signal of no width, which ``range(1)`` would give, has two bits in Verilog.
    """
    return Signal(range(max(count, 2)), name=name)
