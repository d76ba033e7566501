"""Hardware generators for the units of :mod:`hwsim.units`: ``create(unit)`` builds one."""

from hwsim.units import UnitSpec
from hwsim.units.bfp_dot import BfpDotUnit
from hwsim.units.bit_serial import BitSerialUnit
from hwsim.units.bitmod import BitmodUnit
from hwsim.units.bitmod_tile import BitmodTileUnit
from hwsim.units.codebook import CodebookUnit
from hwsim.units.float_mac import FloatUnit
from hwsim.units.fma import FmaUnit
from hwsim.units.integer import IntegerUnit
from hwsim.units.lmul import LmulUnit
from hwsim.units.mx_dot import MxDotUnit
from hwsim.units.nvfp4_dot import Nvfp4DotUnit
from hwsim.units.product_rom import ProductRomUnit
from hwsim.units.shift_add import ShiftAddUnit
from rtl.base import Unit
from rtl.bit_serial import BitSerial
from rtl.bitmod import Bitmod
from rtl.bitmod_tile import BitmodTile
from rtl.block_dot import BlockDot
from rtl.codebook import Codebook
from rtl.float_mac import Float
from rtl.fma import Fma
from rtl.integer import Integer
from rtl.lmul import Lmul
from rtl.product_rom import ProductRom
from rtl.shift_add import ShiftAdd

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
}

__all__ = ["GENERATORS", "Unit", "create"]


def create(unit: UnitSpec) -> Unit:
    """Return the hardware of ``unit``, an Amaranth component with the streams ``i`` and ``o``."""
    return GENERATORS[type(unit)](unit)
