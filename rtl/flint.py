"""ANT's flint dot product; see :mod:`hwsim.units.flint`."""

from amaranth.hdl import Module, Value

from hwsim.formats.base import Format
from hwsim.formats.flint import Flint as FlintFormat
from rtl.blocks import tapered
from rtl.blocks.minifloat import Decoded
from rtl.tapered_magnitude import TaperedMagnitude


class Flint(TaperedMagnitude):
    """Leading-zero counters, integer multipliers, shifters, an integer accumulator.

    Parameters, members, timing, numerics and cost drivers are those of
    :class:`~rtl.tapered.Tapered`, for a :class:`~hwsim.units.flint.FlintUnit`.
    """

    def decode(self, m: Module, fmt: Format, code: Value, name: str) -> Decoded:
        assert isinstance(fmt, FlintFormat)
        return tapered.flint(m, fmt, code, name)
