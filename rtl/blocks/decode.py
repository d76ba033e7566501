"""Operands of formats with a sign and a magnitude taken apart, combinationally."""

from amaranth.hdl import Module, Value

from hwsim.formats.base import Format
from hwsim.formats.dybit import DyBit
from hwsim.formats.flint import Flint
from hwsim.formats.hif8 import HiFloat8
from hwsim.formats.minifloat import Minifloat
from rtl.blocks import minifloat, tapered
from rtl.blocks.minifloat import Decoded


def decode(m: Module, fmt: Format, code: Value, name: str, flush: bool = False) -> Decoded:
    """Return the parts of ``code`` by the decoder of its format.

    ``name`` is the prefix of the signals that this adds to ``m``. With ``flush``, a minifloat's
    subnormals are zeros. Costs are those of :mod:`rtl.blocks.minifloat` and
    :mod:`rtl.blocks.tapered`.
    """
    match fmt:
        case HiFloat8():
            return tapered.hif8(m, code, name)
        case Flint():
            return tapered.flint(m, fmt, code, name)
        case DyBit():
            return tapered.dybit(m, fmt, code, name)
        case _:
            assert isinstance(fmt, Minifloat)
            return minifloat.decode(m, fmt, code, name, flush)


def surplus(fmt: Format) -> int:
    """Return the places below the smallest value from which shifts of ``fmt`` count."""
    return tapered.HIF8_FRACTION if isinstance(fmt, HiFloat8) else 0
