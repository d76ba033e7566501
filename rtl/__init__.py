"""Hardware generators for the units of :mod:`hwsim.units`: ``create(unit)`` builds one."""

from hwsim.units import UnitSpec
from hwsim.units.bit_serial import BitSerialUnit
from hwsim.units.bitmod import BitmodUnit
from hwsim.units.bitmod_tile import BitmodTileUnit
from hwsim.units.dybit import DyBitUnit
from hwsim.units.flint import FlintUnit
from hwsim.units.float_mac import FloatUnit
from hwsim.units.fma import FmaUnit
from hwsim.units.hif8 import HiFloat8Unit
from hwsim.units.integer import IntegerUnit
from hwsim.units.posit import PositUnit
from hwsim.units.shift_add import ShiftAddUnit
from rtl.base import Unit
from rtl.bit_serial import BitSerial
from rtl.bitmod import Bitmod
from rtl.bitmod_tile import BitmodTile
from rtl.dybit import DyBit
from rtl.flint import Flint
from rtl.float_mac import Float
from rtl.fma import Fma
from rtl.hif8 import HiFloat8
from rtl.integer import Integer
from rtl.posit import Posit
from rtl.shift_add import ShiftAdd

GENERATORS: dict[type[UnitSpec], type[Unit]] = {
    IntegerUnit: Integer,
    FloatUnit: Float,
    BitSerialUnit: BitSerial,
    BitmodUnit: Bitmod,
    BitmodTileUnit: BitmodTile,
    FmaUnit: Fma,
    ShiftAddUnit: ShiftAdd,
    PositUnit: Posit,
    HiFloat8Unit: HiFloat8,
    FlintUnit: Flint,
    DyBitUnit: DyBit,
}

__all__ = ["GENERATORS", "Unit", "create"]


def create(unit: UnitSpec) -> Unit:
    """Return the hardware of ``unit``, an Amaranth component with the streams ``i`` and ``o``."""
    return GENERATORS[type(unit)](unit)
