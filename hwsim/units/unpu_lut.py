"""A conventional look-up-table unit: bit planes of weights read tables of subset sums.

A plane's digits are 0 and 1, as in the weight's binary code, so an entry is the sum of the
activations whose bit is set, and the sign bit's plane is subtracted. Nothing is recoded and
nothing corrected, but a table has all 2**K entries (one of them 0): twice the multiplexers of
the symmetric table of ``lut_tensor_core``, with which it is meant to be compared.

Source: Lee et al., UNPU, JSSC 54(1), 2019 (look-up-table bit-serial unit), as the conventional
design of table 2 in arXiv:2408.06003.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from hwsim.formats.base import Bools, Format, Int64
from hwsim.formats.integer import Integer
from hwsim.units.bit_plane_table import BitPlaneTable
from hwsim.units.configurations import Configurations, dots
from hwsim.units.sum_table import Combination, combinations


@dataclass(frozen=True, kw_only=True)
class UnpuLutUnit(BitPlaneTable):
    """Dot products of integer weights by look-up in tables of subset sums.

    Exact for integer activations. Minifloat activations: entries are rounded to ``table_format``
    after every addition, and the accumulator once a table and plane, tables in lane order within a
    plane.

    Parameters
    ----------
    weight
        ``intN`` or ``uintN`` of 1 to 8 bits.
    activation
        An integer of up to 16 bits or a signed minifloat.
    table_lanes
        Activations of a table, K, 1 to 8.
    table_format, accumulator
        Minifloat activations: see :class:`~hwsim.units.lut_tensor_core.LutTensorCoreUnit`.
    lanes, row_count, column_count, accumulator_bits
        See :class:`~hwsim.units.bit_plane_table.BitPlaneTable`.
    """

    family: ClassVar[str] = "unpu_lut"
    generator: ClassVar[str] = "rtl.unpu_lut:UnpuLut"

    table_lanes: int = 4
    table_format: Format | None = None
    accumulator: Format | None = None

    @property
    def weight_formats(self) -> tuple[type[Format], ...]:
        return (Integer,)

    @property
    def signed_digits(self) -> bool:
        return False

    @property
    def combinations(self) -> Sequence[Combination]:
        return combinations(self.table_lanes, (0, 1))

    def _address(self, bits: Int64) -> tuple[Int64, Bools]:
        address = (bits << np.arange(self.table_lanes)).sum(axis=-1)
        negative = np.zeros(address.shape, bool)
        negative[..., -1] = self.negative_top
        return address, negative

    configurations: ClassVar[Configurations] = (
        {"lanes": 16, "weight": "int4", "activation": "int6"},
        {"lanes": 3, "weight": "uint3", "activation": "uint5", "table_lanes": 3,
         "row_count": 2, "column_count": 2},
        {"lanes": 1, "weight": "int1", "activation": "int4", "table_lanes": 1},
        {"lanes": 2, "weight": "int3", "activation": "e4m3", "table_lanes": 2,
         "accumulator": "fp16"},
        {"lanes": 1, "weight": "uint2", "activation": "fp16", "table_lanes": 1,
         "accumulator": "fp16"},
    )  # fmt: skip
    fitting: ClassVar[Configurations] = (
        *dots((4, "int4", "int6"), (8, "int2", "int8")),
        *dots((3, "uint3", "uint5"), (6, "int4", "int4"), table_lanes=3),
    )  # fmt: skip
