"""The units that ``hwsim verify`` covers: the configurations that every family has for it.

Wide units see all operand pairs in few cycles; one lane and one-bit formats are where widths become
zero.
"""

from hwsim.errors import check_known
from hwsim.units import FAMILIES, UnitSpec, make


def suite(family: str | None = None) -> list[UnitSpec]:
    """Return the units to verify, of one family or of all; InputError for an unknown one."""
    if family is not None:
        check_known("unit", family, FAMILIES)
    families = FAMILIES if family is None else [family]
    return [make(name, **values) for name in families for values in FAMILIES[name].configurations]
