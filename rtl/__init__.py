"""Hardware generators for the units of :mod:`hwsim.units`: ``create(unit)`` builds one."""

from hwsim.errors import InputError
from hwsim.units import UnitSpec
from hwsim.units.base import check_unit
from hwsim.units.bfp_dot import BfpDotUnit
from hwsim.units.bit_serial import BitSerialUnit
from hwsim.units.bitmod import BitmodUnit
from hwsim.units.bitmod_tile import BitmodTileUnit
from hwsim.units.codebook import CodebookUnit
from hwsim.units.dybit import DyBitUnit
from hwsim.units.flint import FlintUnit
from hwsim.units.float_mac import FloatUnit
from hwsim.units.fma import FmaUnit
from hwsim.units.hif8 import HiFloat8Unit
from hwsim.units.integer import IntegerUnit
from hwsim.units.lmul import LmulUnit
from hwsim.units.lut_array import LutArrayUnit
from hwsim.units.lut_table import LutTableUnit
from hwsim.units.lut_tensor_core import LutTensorCoreUnit
from hwsim.units.mx_dot import MxDotUnit
from hwsim.units.nvfp4_dot import Nvfp4DotUnit
from hwsim.units.posit import PositUnit
from hwsim.units.product_rom import ProductRomUnit
from hwsim.units.rmmec import RmmecUnit
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
from rtl.block_dot import BlockDot
from rtl.codebook import Codebook
from rtl.dybit import DyBit
from rtl.flint import Flint
from rtl.float_mac import Float
from rtl.fma import Fma
from rtl.hif8 import HiFloat8
from rtl.integer import Integer
from rtl.lmul import Lmul
from rtl.lut_array import LutArray
from rtl.lut_table import LutTable
from rtl.lut_tensor_core import LutTensorCore
from rtl.posit import Posit
from rtl.product_rom import ProductRom
from rtl.rmmec import Rmmec
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
    ProductRomUnit: ProductRom,
    CodebookUnit: Codebook,
    LmulUnit: Lmul,
    MxDotUnit: BlockDot,
    Nvfp4DotUnit: BlockDot,
    BfpDotUnit: BlockDot,
    SerialAddUnit: SerialAdd,
    TernaryAddUnit: TernaryAdd,
    TernaryLutUnit: TernaryLut,
    LutTensorCoreUnit: LutTensorCore,
    LutArrayUnit: LutArray,
    LutTableUnit: LutTable,
    UnpuLutUnit: UnpuLut,
    TmacUnit: Tmac,
    RmmecUnit: Rmmec,
    PositUnit: Posit,
    HiFloat8Unit: HiFloat8,
    FlintUnit: Flint,
    DyBitUnit: DyBit,
}

__all__ = ["GENERATORS", "Unit", "create"]


def create(unit: UnitSpec) -> Unit:
    """Return the hardware of ``unit``, an Amaranth component with the streams ``i`` and ``o``.

    Raises InputError for what is no unit of hwsim.
    """
    check_unit(unit)
    if type(unit) not in GENERATORS:
        raise InputError(f"unit={unit!r}: there is no hardware for {type(unit).__name__}")
    return GENERATORS[type(unit)](unit)
