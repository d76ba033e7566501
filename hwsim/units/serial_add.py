"""Bit-serial adder: one bit plane of the weights a cycle, activations added without a multiplier.

The unit that tables of sums are compared with. A weight of n bits is n planes of digits; in the
cycle of plane p an element adds the activations times their digits, times 2**p, to its
accumulator. A bit of a two's complement or unsigned weight is a digit 0 or 1, the sign bit 0 or -1;
a bit of a bipolar weight is a digit -1 or 1. A lane is a row of AND gates (XOR gates for bipolar
weights) and an adder; throughput falls as the weights get wider and area hardly changes.

Integers go through an adder tree and are exact: for a single element the results are those of
``bit_serial``. Minifloats are added one after another, each addition rounded once to nearest even:
planes from the lowest, in a plane the lanes from 0 up, starting from +0. A digit 0 adds nothing,
even where the activation is infinity or NaN. That costs an adder a lane that aligns, normalises
and rounds, all in a row.

Source: Mo et al., LUT Tensor Core, ISCA 2025, arXiv:2408.06003 (the ADD design that its tables are
compared with; UNPU, JSSC 2019, before it).
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from hwsim.errors import InputError
from hwsim.formats.base import Codes, Int64
from hwsim.formats.bipolar import Bipolar
from hwsim.formats.integer import Integer
from hwsim.units.adder_tile import AdderTile, signed_terms
from hwsim.units.base import Timing
from hwsim.units.configurations import Configurations, dots
from hwsim.units.sums import Values

MAX_WEIGHT_BITS = 8


@dataclass(frozen=True, kw_only=True)
class SerialAddUnit(AdderTile):
    """A tile of dot products, a bit plane of the weights a cycle.

    Parameters
    ----------
    weight
        An integer or a bipolar integer of up to 8 bits.
    lanes, activation, row_count, column_count, accumulator_bits, accumulator
        See :class:`~hwsim.units.adder_tile.AdderTile`.
    """

    family: ClassVar[str] = "serial_add"
    generator: ClassVar[str] = "rtl.serial_add:SerialAdd"

    def _check_weight(self) -> None:
        fits = self.weight.bits <= MAX_WEIGHT_BITS
        if not isinstance(self.weight, Integer | Bipolar) or not fits:
            raise InputError(
                f"weight={self.weight.name}: serial_add takes intN, uintN and bipolarN of up to "
                f"{MAX_WEIGHT_BITS} bits, and binary"
            )

    @property
    def largest_weight(self) -> int:
        signed = isinstance(self.weight, Integer) and self.weight.signed
        return 1 << (self.weight.bits - 1) if signed else (1 << self.weight.bits) - 1

    @property
    def most_stages(self) -> int:
        return 2

    def _timing(self) -> Timing:
        return Timing(latency=self.weight.bits, interval=self.weight.bits)

    def digits(self, weights: Codes, plane: int) -> Int64:
        """Return the digits of one plane: -1, 0 or 1."""
        bits = (weights >> plane & 1).astype(np.int64)
        if isinstance(self.weight, Bipolar):
            return 2 * bits - 1
        assert isinstance(self.weight, Integer)
        negative = self.weight.signed and plane == self.weight.bits - 1
        return -bits if negative else bits

    def _add_beat(self, totals: Values, activations: Values, weights: Codes) -> Values:
        for plane in range(self.weight.bits):
            terms = signed_terms(activations, self.digits(weights, plane))
            totals = self.sums.accumulate(totals, terms, plane)
        return totals

    configurations: ClassVar[Configurations] = (
        {"lanes": 16, "weight": "int4", "activation": "int8"},
        {"lanes": 8, "weight": "bipolar4", "activation": "uint5"},
        {"lanes": 1, "weight": "binary", "activation": "int1"},
        {"lanes": 3, "weight": "uint1", "activation": "uint1", "row_count": 2},
        {"lanes": 2, "weight": "int8", "activation": "int8", "row_count": 2, "column_count": 2},
        {"lanes": 5, "weight": "int3", "activation": "int4", "accumulator_bits": 9},
        {"lanes": 5, "weight": "int3", "activation": "int4", "accumulator_bits": 7},
        {"lanes": 1, "weight": "int2", "activation": "fp16", "column_count": 2},
        {"lanes": 3, "weight": "bipolar3", "activation": "e5m2", "accumulator": "fp16"},
        {"lanes": 1, "weight": "uint8", "activation": "bf16"},
    )  # fmt: skip
    fitting: ClassVar[Configurations] = (
        *dots((8, "int4", "int8"), (12, "bipolar4", "uint5"), (16, "int2", "int4")),
        *dots((4, "int3", "int6"), row_count=2),
        *dots((1, "int2", "e5m2"), (2, "bipolar3", "e4m3"), accumulator="fp16"),
    )  # fmt: skip
