"""Bit-serial integer dot product: one weight bit a cycle, activations in parallel.

A cycle takes one bit of every lane's weight, most hardware of a multiplier shrinks to one AND row
a lane: the tree sums the activations whose weight bit is set, the sum is shifted to the bit's
place, negated for the sign bit, and accumulated. A beat takes as many cycles as the weight has
bits, so throughput falls as precision rises, and area hardly depends on it.

The beat is held on the input stream while it is worked on, so no operand is stored.

Source: Judd et al., Stripes, MICRO 2016, section 3 (there with serial activations; the two
operands change places without changing the unit).
"""

from dataclasses import dataclass
from typing import ClassVar

from hwsim.units.base import Timing
from hwsim.units.integer import IntegerUnit


@dataclass(frozen=True, kw_only=True)
class BitSerialUnit(IntegerUnit):
    """Dot product of integers, weight bits serial; results are those of ``integer``.

    Parameters
    ----------
    lanes, weight, activation, accumulator_bits
        See :class:`~hwsim.units.integer.IntegerUnit`.
    """

    family: ClassVar[str] = "bit_serial"

    def timing(self) -> Timing:
        return Timing(latency=self.weight.bits, interval=self.weight.bits)
