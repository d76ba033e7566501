"""T-MAC in hardware: bit planes of weights read whole tables of 16 entries of 8 bits.

T-MAC is a CPU kernel: a table of the sums of 4 activations by digits -1 and 1 fills a vector
register, and one byte shuffle reads it for many columns. As hardware it is the unit with the
cheapest read: 16 entries, no sign, 8 bits, one scale for all tables of a beat, so that the sum
over tables needs no alignment. Weights are ``intN``: with b the bits of q + 2**(N-1),

    q = 1/2 * sum of 2**i * (2*b_i - 1) - 1/2,

and the sum of -1/2 * a is entry 0, which stands for all digits -1 (T-MAC's table bias).

Entries are quantised, which is lossy, see :mod:`hwsim.units.table_quantisation`. T-MAC's scale is
the float max(sum of |a|) / 127 over the activation group; here it is a power of two. The group is
a beat. T-MAC's optional averaging additions (fast aggregation), lossy too, are left out.

Source: Wei et al., T-MAC, EuroSys 2025, arXiv:2407.00088, and its public code generators.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from hwsim.errors import InputError
from hwsim.formats.base import Bools, Int64
from hwsim.formats.integer import Integer
from hwsim.units.bit_plane_table import BitPlaneTable
from hwsim.units.configurations import Configurations, dots
from hwsim.units.sum_table import Combination, combinations
from hwsim.units.sums import Values

MAX_WEIGHT_BITS = 4


@dataclass(frozen=True, kw_only=True)
class TmacUnit(BitPlaneTable):
    """Dot products of low-bit integers by integers, by look-up in tables quantised to 8 bits.

    Parameters
    ----------
    lanes
        The group of activations whose tables share a scale, a multiple of 4.
    weight
        ``intN`` of 1 to 4 bits.
    activation
        An integer of 6 to 16 bits; sums of 4 narrower ones fit entries without quantisation.
    row_count, column_count, accumulator_bits
        See :class:`~hwsim.units.bit_plane_table.BitPlaneTable`.
    """

    family: ClassVar[str] = "tmac"
    generator: ClassVar[str] = "rtl.tmac:Tmac"

    @property
    def table_lanes(self) -> int:
        return 4

    @property
    def table_bits(self) -> int:
        return 8

    @property
    def shared_scale(self) -> bool:
        return True

    @property
    def combinations(self) -> Sequence[Combination]:
        return combinations(self.table_lanes, (-1, 1))

    def _check_weight(self) -> None:
        signed = isinstance(self.weight, Integer) and self.weight.signed
        if not signed or self.weight.bits > MAX_WEIGHT_BITS:
            raise InputError(
                f"weight={self.weight.name}: tmac takes intN of 1 to {MAX_WEIGHT_BITS} bits"
            )
        if not isinstance(self.activation, Integer):
            raise InputError(f"activation={self.activation.name}: tmac takes integers")

    def _address(self, bits: Int64) -> tuple[Int64, Bools]:
        address = (bits << np.arange(self.table_lanes)).sum(axis=-1)
        return address, np.zeros(address.shape, bool)

    def _sum_entry(self, entries: Values) -> Values:
        # The entry of all digits -1 is as good: quantisation is symmetric.
        return -entries[..., 0]

    configurations: ClassVar[Configurations] = (
        {"lanes": 8, "weight": "int3", "activation": "int7"},
        {"lanes": 4, "weight": "int4", "activation": "int8"},
        {"lanes": 4, "weight": "int2", "activation": "uint6", "row_count": 2, "column_count": 2},
        {"lanes": 4, "weight": "int1", "activation": "int9"},
    )  # fmt: skip
    fitting: ClassVar[Configurations] = dots(
        (4, "int3", "int7"),
        (4, "int4", "int8"),
        (4, "int2", "uint6"),
        (8, "int1", "int8"),
    )  # fmt: skip
