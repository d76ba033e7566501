"""Former names of parameters, which :func:`hwsim.units.make` still understands.

Commands, sweeps and results of older versions have them. What a unit says of itself, its name
included, has the present names only.

============  ==============================================  =========================
former name   meaning                                         now
============  ==============================================  =========================
carry_guard   bits above what any beat of an exact sum needs  accumulator_bits, in all
column_guard  bits above what any scaled group needs          accumulator_bits, in all
output        format of rounded posits                        accumulator
accumulation  a format: sums are rounded to it                accumulation=rounded, with
                                                              the format as accumulator
============  ==============================================  =========================
"""

from collections.abc import Mapping
from typing import Any

from hwsim.errors import InputError
from hwsim.formats import parse_scalar
from hwsim.formats.base import Format
from hwsim.formats.fields import convert
from hwsim.units.base import UnitSpec

#: Former parameters that are now ``accumulator_bits``, by family.
GUARDS = {
    **dict.fromkeys(("float", "lmul", "posit", "hif8", "flint", "dybit"), "carry_guard"),
    **dict.fromkeys(("bitmod", "bitmod_tile"), "column_guard"),
}
#: Former parameters that are now ``accumulator``, by family.
FORMATS = {
    "posit": "output",
    **dict.fromkeys(("float", "mx_dot", "nvfp4_dot", "bfp_dot"), "accumulation"),
}

#: What the manual says of former names.
SAID = {
    "carry_guard": "carry_guard, the bits above what a beat needs",
    "column_guard": "column_guard, the bits above what a scaled group needs",
    "accumulation": "accumulation=FORMAT",
}

#: Bits above the need that were the default, and the most.
_DEFAULT, _MOST = 8, 64


def former(family: str) -> dict[str, str]:
    """Return the former names of a family's parameters, and the present ones."""
    present = ((GUARDS, "accumulator_bits"), (FORMATS, "accumulator"))
    return {names[family]: new for names, new in present if family in names}


def modern(cls: type[UnitSpec], parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Return parameters of a unit of ``cls`` with former names replaced by the present ones.

    Raises
    ------
    InputError
        Where the former and the present name of one parameter are given.
    """
    return _with_bits(cls, _with_accumulator(cls, dict(parameters)))


def _with_accumulator(cls: type[UnitSpec], given: dict[str, Any]) -> dict[str, Any]:
    old = FORMATS.get(cls.family)
    if old is None or given.get(old) is None:
        return given
    if old == "accumulation":
        if not _is_format(given[old]):
            return given
        return _replaced(given, old, "accumulator", given[old]) | {"accumulation": "rounded"}
    return _replaced(given, old, "accumulator", given[old])


def _with_bits(cls: type[UnitSpec], given: dict[str, Any]) -> dict[str, Any]:
    old = GUARDS.get(cls.family)
    if old is None or old not in given:
        return given
    guard = convert(old, given[old], (int,))
    if not 0 <= guard <= _MOST:
        raise InputError(f"{old} must be 0 to {_MOST}, not {guard}")
    rest = {key: value for key, value in given.items() if key != old}
    # What the unit needs is known to the unit, and its default is 8 bits more.
    default = getattr(cls(**rest | {"accumulator_bits": None}), "accumulator_bits", None)
    if guard == _DEFAULT:
        return _replaced(given, old, "accumulator_bits", None)
    if default is None:
        raise InputError(f"{old}={guard}: there is no exact accumulator; leave it out")
    return _replaced(given, old, "accumulator_bits", default - _DEFAULT + guard)


def _replaced(given: dict[str, Any], old: str, new: str, value: Any) -> dict[str, Any]:
    if given.get(new) is not None:
        raise InputError(f"{old}={given[old]}: the former name of {new}, which is given, too")
    return {key: item for key, item in given.items() if key != old} | {new: value}


def _is_format(value: Any) -> bool:
    try:
        return isinstance(value, Format) or isinstance(parse_scalar(value), Format)
    except InputError:
        return False
