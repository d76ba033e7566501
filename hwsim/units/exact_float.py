"""Minifloats summed exactly: what such units share; see :mod:`hwsim.units.exact_sum`."""

from dataclasses import dataclass

from hwsim.errors import InputError
from hwsim.formats.base import Format
from hwsim.formats.minifloat import Minifloat
from hwsim.units.exact_sum import ExactSum


@dataclass(frozen=True, kw_only=True)
class ExactFloat(ExactSum):
    """Dot product of minifloats, exact.

    Parameters
    ----------
    lanes, weight, activation, accumulator_bits
        See :class:`~hwsim.units.exact_sum.ExactSum`; both formats are minifloats.
    """

    def operand_formats(self) -> tuple[Minifloat, Minifloat]:
        return (
            require_minifloat("activation", self.activation, self.family),
            require_minifloat("weight", self.weight, self.family),
        )


def require_minifloat(parameter: str, fmt: Format, family: str) -> Minifloat:
    """Return ``fmt`` as a minifloat, or raise InputError naming the parameter."""
    if not isinstance(fmt, Minifloat):
        raise InputError(f"{parameter}={fmt.name}: {family} takes minifloats such as e4m3 or fp16")
    return fmt


def require_signed_minifloat(parameter: str, fmt: Format, family: str) -> Minifloat:
    """Return ``fmt`` as a signed minifloat, or raise InputError naming the parameter."""
    minifloat = require_minifloat(parameter, fmt, family)
    if not minifloat.signed:
        raise InputError(f"{parameter}={fmt.name}: {family} takes signed minifloats only")
    return minifloat
