"""Hardware generators for the units of :mod:`hwsim.units`: ``create(unit)`` builds one."""

from hwsim.units import UnitSpec
from hwsim.units.bit_serial import BitSerialUnit
from hwsim.units.bitmod import BitmodUnit
from hwsim.units.bitmod_tile import BitmodTileUnit
from hwsim.units.float_mac import FloatUnit
from hwsim.units.fma import FmaUnit
from hwsim.units.integer import IntegerUnit
from hwsim.units.lut_array import LutArrayUnit
from hwsim.units.lut_tensor_core import LutTensorCoreUnit
from hwsim.units.serial_add import SerialAddUnit
from hwsim.units.shift_add import ShiftAddUnit
from hwsim.units.ternary_add import TernaryAddUnit
from hwsim.units.ternary_lut import TernaryLutUnit
from hwsim.units.tmac import TmacUnit
from hwsim.units.unpu_lut import UnpuLutUnit
from rtl.base import Unit
from rtl.bit_serial import BitSerial
from rtl.bitmod import Bitmod
from rtl.bitmod_tile import BitmodTile
from rtl.float_mac import Float
from rtl.fma import Fma
from rtl.integer import Integer
from rtl.lut_array import LutArray
from rtl.lut_tensor_core import LutTensorCore
from rtl.serial_add import SerialAdd
from rtl.shift_add import ShiftAdd
from rtl.ternary_add import TernaryAdd
from rtl.ternary_lut import TernaryLut
from rtl.tmac import Tmac
from rtl.unpu_lut import UnpuLut

GENERATORS: dict[type[UnitSpec], type[Unit]] = {
    IntegerUnit: Integer,
    FloatUnit: Float,
    BitSerialUnit: BitSerial,
    BitmodUnit: Bitmod,
    BitmodTileUnit: BitmodTile,
    FmaUnit: Fma,
    ShiftAddUnit: ShiftAdd,
    SerialAddUnit: SerialAdd,
    TernaryAddUnit: TernaryAdd,
    TernaryLutUnit: TernaryLut,
    LutTensorCoreUnit: LutTensorCore,
    LutArrayUnit: LutArray,
    UnpuLutUnit: UnpuLut,
    TmacUnit: Tmac,
}

__all__ = ["GENERATORS", "Unit", "create"]


def create(unit: UnitSpec) -> Unit:
    """Return the hardware of ``unit``, an Amaranth component with the streams ``i`` and ``o``."""
    return GENERATORS[type(unit)](unit)
