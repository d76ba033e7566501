"""From names to units. A new family is one module here, one in ``rtl``, and an entry in each."""

from dataclasses import MISSING, fields
from typing import Any

from hwsim.errors import InputError, check_known, suggestion
from hwsim.units import spelling
from hwsim.units.base import UnitSpec
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

FAMILIES: dict[str, type[UnitSpec]] = {
    unit.family: unit
    for unit in (
        IntegerUnit,
        FloatUnit,
        FmaUnit,
        BitSerialUnit,
        BitmodUnit,
        BitmodTileUnit,
        ShiftAddUnit,
        ProductRomUnit,
        CodebookUnit,
        LmulUnit,
        MxDotUnit,
        Nvfp4DotUnit,
        BfpDotUnit,
        SerialAddUnit,
        TernaryAddUnit,
        TernaryLutUnit,
        LutTensorCoreUnit,
        LutArrayUnit,
        LutTableUnit,
        UnpuLutUnit,
        TmacUnit,
        RmmecUnit,
        PositUnit,
        HiFloat8Unit,
        FlintUnit,
        DyBitUnit,
    )
}


def family(name: str) -> type[UnitSpec]:
    """Return the class of the family called ``name``, or raise InputError with the nearest."""
    check_known("unit", name, FAMILIES)
    return FAMILIES[name]


def make(name: str, /, **parameters: Any) -> UnitSpec:
    """Return the unit of family ``name`` with these parameters.

    Formats may be given by name and numbers as text, so that a command line or a YAML file can
    be passed on as it is: ``make("bit_serial", lanes=16, weight="int4", activation="int8")``.
    Former names of parameters (:mod:`hwsim.units.spelling`) are understood.

    Raises
    ------
    InputError
        For an unknown family or parameter, a missing one, or a value out of range.
    """
    cls = family(name)
    known = {field.name: field for field in fields(cls)}
    for key in parameters:
        if key not in known and key not in spelling.former(name):
            hint = suggestion(key, known) or f"; it takes {', '.join(known)}"
            raise InputError(f"unit {name} has no parameter {key!r}{hint}")
    for key, field in known.items():
        if field.default is MISSING and key not in parameters:
            raise InputError(f"unit {name} needs the parameter {key!r}")
    return cls(**spelling.modern(cls, parameters))
