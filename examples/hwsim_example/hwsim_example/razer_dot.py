"""Dot product of RaZeR weights and integers: FP4's multiplier, and one value more to decode.

Twice a weight is an integer of at most 6 bits, so products are integers, too, and their sum is
exact. The hardware is in :mod:`hwsim_example.hardware`, which is not needed to compute.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from hwsim.errors import InputError
from hwsim.formats.base import Codes
from hwsim.formats.integer import Integer
from hwsim.units import Result, Timing, UnitSpec, accumulator
from hwsim.units.integer import require_integer
from hwsim.units.result import Integers, exact_sums
from hwsim_example.razer import Razer

MAX_ACTIVATION_BITS = 16


@dataclass(frozen=True, kw_only=True)
class RazerDotUnit(UnitSpec):
    """Dot product of RaZeR weights and integer activations, exact modulo 2**accumulator_bits.

    Parameters
    ----------
    lanes
        See :class:`~hwsim.units.base.UnitSpec`.
    weight
        A format such as ``razer4_5``.
    activation
        An integer of up to 16 bits.
    accumulator_bits
        Width of the accumulator, which counts halves and wraps.
    """

    family: ClassVar[str] = "razer_dot"
    generator: ClassVar[str] = "hwsim_example.hardware:RazerDot"
    configurations: ClassVar = (
        {"lanes": 16, "weight": "razer4_5", "activation": "int8"},
        {"lanes": 1, "weight": "razer4_n9", "activation": "uint1"},
        {"lanes": 3, "weight": "razer4_8", "activation": "int5", "accumulator_bits": 12},
    )

    accumulator_bits: int = 32

    def __post_init__(self) -> None:
        super().__post_init__()
        if not isinstance(self.weight, Razer):
            raise InputError(f"weight={self.weight.name}: razer_dot takes razer4_5 and its like")
        if self.integers.bits > MAX_ACTIVATION_BITS:
            raise InputError(
                f"activation={self.activation.name}: allowed: up to {MAX_ACTIVATION_BITS} bits"
            )
        product = self.largest_beat // self.lanes
        accumulator.check_bits(self.accumulator_bits, product, "a product")

    @property
    def integers(self) -> Integer:
        """The format of the activations."""
        return require_integer("activation", self.activation, self.family)

    @property
    def largest_beat(self) -> int:
        """The largest magnitude of a beat's sum, in halves."""
        weight = int(2 * max(self.weight.max, -self.weight.min))
        return self.lanes * weight * max(-self.integers.low, self.integers.high)

    @property
    def result(self) -> Result:
        return Result(self.accumulator_bits, exponent=-1)

    @property
    def safe_beats(self) -> int:
        return accumulator.safe_beats(self.accumulator_bits, self.largest_beat)

    def _timing(self) -> Timing:
        return Timing(latency=1, interval=1)

    def _dot(self, activations: Codes, weights: Codes, metadata: Mapping[str, Codes]) -> Integers:
        halves = (2 * self.weight.decode(weights)).astype(np.int64)
        products = self.integers.to_int(activations) * halves
        return self.result.pack(exact_sums(products, self.largest_beat.bit_length()))
