"""From names to units. A new family is one module here, one in ``rtl``, and a line in ``OWN``.

Packages add families by entry points of the group ``hwsim.units``, scripts by :func:`register`
(:mod:`hwsim.registration`); a class is imported when its name is first asked for.
"""

import inspect
import re
from dataclasses import MISSING
from typing import Any, TypeVar

from hwsim.errors import InputError, suggestion
from hwsim.registration import Registry
from hwsim.units import spelling
from hwsim.units.base import UnitSpec, parameter_fields
from hwsim.units.layer_operands import OPERANDS
from hwsim.units.naming import plain

#: hwsim's own families, in the order of lists and charts.
OWN = {
    "integer": "hwsim.units.integer:IntegerUnit",
    "float": "hwsim.units.float_mac:FloatUnit",
    "fma": "hwsim.units.fma:FmaUnit",
    "bit_serial": "hwsim.units.bit_serial:BitSerialUnit",
    "bitmod": "hwsim.units.bitmod:BitmodUnit",
    "bitmod_tile": "hwsim.units.bitmod_tile:BitmodTileUnit",
    "shift_add": "hwsim.units.shift_add:ShiftAddUnit",
    "product_rom": "hwsim.units.product_rom:ProductRomUnit",
    "codebook": "hwsim.units.codebook:CodebookUnit",
    "lmul": "hwsim.units.lmul:LmulUnit",
    "mx_dot": "hwsim.units.mx_dot:MxDotUnit",
    "nvfp4_dot": "hwsim.units.nvfp4_dot:Nvfp4DotUnit",
    "bfp_dot": "hwsim.units.bfp_dot:BfpDotUnit",
    "vs_dot": "hwsim.units.vs_dot:VsDotUnit",
    "serial_add": "hwsim.units.serial_add:SerialAddUnit",
    "ternary_add": "hwsim.units.ternary_add:TernaryAddUnit",
    "ternary_lut": "hwsim.units.ternary_lut:TernaryLutUnit",
    "lut_tensor_core": "hwsim.units.lut_tensor_core:LutTensorCoreUnit",
    "lut_array": "hwsim.units.lut_array:LutArrayUnit",
    "lut_table": "hwsim.units.lut_table:LutTableUnit",
    "unpu_lut": "hwsim.units.unpu_lut:UnpuLutUnit",
    "tmac": "hwsim.units.tmac:TmacUnit",
    "rmmec": "hwsim.units.rmmec:RmmecUnit",
    "posit": "hwsim.units.posit:PositUnit",
    "hif8": "hwsim.units.hif8:HiFloat8Unit",
    "flint": "hwsim.units.flint:FlintUnit",
    "dybit": "hwsim.units.dybit:DyBitUnit",
    "lns": "hwsim.units.lns:LnsUnit",
    "array": "hwsim.units.array:ArrayUnit",
}

_FAMILY = re.compile(r"[a-z][a-z0-9]*(?:_[a-z0-9]+)*")

Spec = TypeVar("Spec", bound=UnitSpec)


def _check(name: str, cls: Any) -> type[UnitSpec]:
    """Return ``cls`` if it is the class of the family ``name``, or raise InputError."""
    if not (isinstance(cls, type) and issubclass(cls, UnitSpec)):
        raise InputError(f"{cls!r} is no unit; allowed: a subclass of hwsim.units.UnitSpec")
    what = f"the unit {cls.__module__}.{cls.__qualname__}"
    if "__dataclass_fields__" not in vars(cls):
        raise InputError(f"{what} must be a @dataclass(frozen=True, kw_only=True)")
    if inspect.isabstract(cls):
        missing = ", ".join(sorted(cls.__abstractmethods__))
        raise InputError(f"{what} is not finished; it has no {missing}")
    if getattr(cls, "family", None) != name or not _FAMILY.fullmatch(name):
        raise InputError(
            f"{what}: family={getattr(cls, 'family', None)!r}: allowed: the name that it is "
            f"registered by, {name!r}, in letters of lower case and digits with a '_' between"
        )
    if not getattr(cls, "generator", None):
        raise InputError(f"{what} must name its hardware: generator = 'my_package.my_rtl:MyUnit'")
    if not vars(cls).get("configurations"):
        raise InputError(f"{what} must have configurations to verify, parameters of at least one")
    return cls


#: The class of every family, by its name.
FAMILIES: Registry[type[UnitSpec]] = Registry("unit", "hwsim.units", OWN, _check)


def register(cls: type[Spec]) -> type[Spec]:
    """Make a family known by its name, as a decorator above ``@dataclass``.

    Raises
    ------
    InputError
        If the name is taken, or the class is no unit or lacks something.
    """
    FAMILIES.register(getattr(cls, "family", ""), cls)
    return cls


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
    cls = FAMILIES[name].chosen(parameters)
    known = {field.name: field for field in parameter_fields(cls)}
    for key in parameters:
        if key not in known and key not in spelling.former(name):
            hint = suggestion(key, known) or f"; it takes {', '.join(known)}"
            raise InputError(f"unit {name} has no parameter {key!r}{hint}")
    for key, field in known.items():
        if field.default is MISSING and key not in parameters:
            raise InputError(f"unit {name} needs the parameter {key!r}")
    parameters = spelling.modern(cls, parameters)
    unit = cls(**parameters)
    for key, value in unit.implied.items():
        given = parameters.get(key, value)
        if key not in OPERANDS and str(plain(given)) != str(plain(value)):
            raise InputError(f"{key}={given}: the formats of {name} have {key}={plain(value)}")
    return unit
