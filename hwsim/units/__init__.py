"""Units: parameters, golden model and timing. ``make("integer", lanes=4, ...)`` builds one."""

from hwsim.units.base import Timing, UnitSpec
from hwsim.units.metadata import Metadata, Scope
from hwsim.units.registry import FAMILIES, make, register
from hwsim.units.result import Result, RoundedResult

__all__ = [
    "FAMILIES",
    "Metadata",
    "Result",
    "RoundedResult",
    "Scope",
    "Timing",
    "UnitSpec",
    "make",
    "register",
]
