"""Exact dot product in fixed point, for formats whose precision tapers off with the exponent.

Posits, HiFloat8, flint and DyBit spend few bits on the exponents that occur often and many on the
others. A decoder, a leading-bit counter an operand, finds significand and shift; from there on the
sum is that of :mod:`hwsim.units.exact_sum`. The decoders are what tapering costs; the range, two
times that of the format, sets the rest.
"""

from dataclasses import dataclass
from typing import ClassVar

from hwsim.errors import InputError
from hwsim.formats.base import Format
from hwsim.units.exact_sum import ExactSum


@dataclass(frozen=True, kw_only=True)
class TaperedUnit(ExactSum):
    """Dot product of one kind of tapered formats.

    Parameters
    ----------
    lanes, weight, activation, accumulator_bits
        See :class:`~hwsim.units.exact_sum.ExactSum`.
    """

    #: The class of both operands' formats, and what to write for an example.
    operand: ClassVar[type[Format]]
    example: ClassVar[str]

    def operand_formats(self) -> tuple[Format, Format]:
        for parameter in ("activation", "weight"):
            fmt = getattr(self, parameter)
            if not isinstance(fmt, self.operand):
                raise InputError(
                    f"{parameter}={fmt.name}: {self.family} takes formats such as {self.example}"
                )
        return super().operand_formats()
