"""Units: parameters, golden model and timing. ``make("integer", lanes=4, ...)`` builds one."""

from hwsim.units.base import Timing, UnitSpec
from hwsim.units.registry import FAMILIES, make
from hwsim.units.result import Result

__all__ = ["FAMILIES", "Result", "Timing", "UnitSpec", "make"]
