"""HiFloat8 dot product; see :mod:`hwsim.units.hif8`."""

from amaranth.hdl import Module, Value

from hwsim.formats.base import Format
from rtl.blocks import tapered
from rtl.blocks.minifloat import Decoded
from rtl.tapered_magnitude import TaperedMagnitude


class HiFloat8(TaperedMagnitude):
    """Decoders of the dot field, 4 x 4 multipliers, shifters, a wide accumulator.

    Parameters, members, timing, numerics and cost drivers are those of
    :class:`~rtl.tapered.Tapered`, for a :class:`~hwsim.units.hif8.HiFloat8Unit`.
    """

    @property
    def surplus(self) -> int:
        return 2 * tapered.HIF8_FRACTION

    def decode(self, m: Module, fmt: Format, code: Value, name: str) -> Decoded:
        return tapered.hif8(m, code, name)
