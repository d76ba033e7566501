"""DyBit dot product; see :mod:`hwsim.units.dybit`."""

from amaranth.hdl import Module, Value

from hwsim.formats.base import Format
from hwsim.formats.dybit import DyBit as DyBitFormat
from rtl.blocks import tapered
from rtl.blocks.minifloat import Decoded
from rtl.tapered_magnitude import TaperedMagnitude


class DyBit(TaperedMagnitude):
    """Leading-one counters, integer multipliers, shifters, an integer accumulator.

    Parameters, members, timing, numerics and cost drivers are those of
    :class:`~rtl.tapered.Tapered`, for a :class:`~hwsim.units.dybit.DyBitUnit`.
    """

    def decode(self, m: Module, fmt: Format, code: Value, name: str) -> Decoded:
        assert isinstance(fmt, DyBitFormat)
        return tapered.dybit(m, fmt, code, name)
