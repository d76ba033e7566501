"""Hardware generators for the units of :mod:`hwsim.units`: ``create(unit)`` builds one."""

from hwsim.errors import InputError
from hwsim.units import UnitSpec
from hwsim.units.base import check_unit
from rtl.base import Unit

__all__ = ["Unit", "create", "generator"]


def generator(cls: type[UnitSpec]) -> type[Unit]:
    """Return the class that builds the units of a family, as the family names it.

    Raises
    ------
    InputError
        If it names none, what cannot be imported, or what is no generator.
    """
    found = cls.hardware()
    if not (isinstance(found, type) and issubclass(found, Unit)):
        raise InputError(f"generator={found!r} of {cls.__name__}: allowed: a subclass of rtl.Unit")
    return found


def create(unit: UnitSpec) -> Unit:
    """Return the hardware of ``unit``, an Amaranth component with the streams ``i`` and ``o``.

    Raises
    ------
    InputError
        For what is no unit, and as :func:`generator`.
    """
    check_unit(unit)
    if unit.stages > 1 and not unit.writes_stages:
        raise InputError(
            f"stages={unit.stages}: a component of Amaranth is in one stage, registers are placed "
            "in its RTLIL (rtl.pipeline); allowed: 1"
        )
    made = unit.create()
    if not isinstance(made, Unit):
        raise InputError(f"unit={unit!r}: its generator makes {made!r}, which is no rtl.Unit")
    return made
