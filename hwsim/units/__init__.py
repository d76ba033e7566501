"""Units: parameters, golden model and timing. ``make("integer", lanes=4, ...)`` builds one."""

from hwsim.units.base import Timing, UnitSpec
from hwsim.units.metadata import Metadata, Scope
from hwsim.units.registry import FAMILIES, make
from hwsim.units.result import Result

__all__ = ["FAMILIES", "Metadata", "Result", "Scope", "Timing", "UnitSpec", "make"]
