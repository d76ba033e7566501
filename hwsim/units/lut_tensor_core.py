"""LUT Tensor Core: bit planes of weights read symmetric tables of sums of activations.

Digits are -1 and 1, so a table is odd and holds half of its 2**K sums, those in which the first
lane's digit is 1; the other half is read as the negative of the entry with all digits inverted.
That inversion of the index is done offline, when weights are stored: per plane and group of K
lanes a sign bit, set where the first lane's digit is -1, and K - 1 address bits, the other lanes'
bits XOR the sign. At run time an element is a 2**(K-1):1 multiplexer, a conditional negation, a
shift by the plane, and an adder. The table and its adders are paid once a row, so the tile is best
elongated: few rows, many columns (the paper: 2 x 64, K = 4).

``bipolarN`` weights are the paper's reinterpreted weights. For ``intN`` and ``uintN`` the unit
makes the correction by the sum of the activations itself; the paper leaves it outside, in the zero
point. The paper also takes the building of tables out of the unit, ``lut_array``; here it is the
submodule ``tables``, whose cost can be told apart.

``table_bits`` quantises the tables' entries, see :mod:`hwsim.units.table_quantisation`.

Source: Mo et al., LUT Tensor Core, ISCA 2025, arXiv:2408.06003, sections 3 and 4.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from hwsim.formats.base import Bools, Format, Int64
from hwsim.units.bit_plane_table import BitPlaneTable
from hwsim.units.configurations import Configurations, dots
from hwsim.units.sum_table import Combination, combinations, symmetric_half


@dataclass(frozen=True, kw_only=True)
class SymmetricTable(BitPlaneTable):
    """A tile whose tables are the symmetric half.

    Parameters
    ----------
    table_lanes
        Activations of a table, K, 1 to 8.
    accumulator
        Minifloat activations: the format that every addition of an entry rounds to; fp32 by
        default.
    lanes, weight, activation, row_count, column_count, accumulator_bits
        See :class:`~hwsim.units.bit_plane_table.BitPlaneTable`.
    """

    table_lanes: int = 4
    accumulator: Format | None = None

    @property
    def combinations(self) -> Sequence[Combination]:
        return symmetric_half(combinations(self.table_lanes, (-1, 1)))

    def _address(self, bits: Int64) -> tuple[Int64, Bools]:
        negative = bits[..., 0] == 0
        address = sum(
            ((bits[..., lane] ^ negative) << (lane - 1) for lane in range(1, self.table_lanes)),
            start=negative * 0,
        )
        return address, negative

    def _index(self, address: Int64, negative: Bools) -> Int64:
        return address << 1 | negative


@dataclass(frozen=True, kw_only=True)
class LutTensorCoreUnit(SymmetricTable):
    """Dot products of integers by any activations, by look-up.

    Exact for integer activations without ``table_bits``; ``intN`` and ``uintN`` results then have
    the values of ``integer``. Minifloat activations: entries are rounded to ``table_format`` after
    every addition, and the accumulator once a table and plane, tables in lane order within a plane.

    Parameters
    ----------
    weight
        ``bipolarN``, ``binary``, ``intN`` or ``uintN`` of 1 to 8 bits.
    activation
        An integer of up to 16 bits or a signed minifloat.
    table_format
        Minifloat activations: the format of entries. The default is the activation's if it has 10
        mantissa bits, else fp16 if that holds all its values, else tf32.
    table_bits
        Width that entries are quantised to, or none. For integers it must be below the entries'
        own width; for minifloats 2 to 16.
    lanes, row_count, column_count, table_lanes, accumulator_bits, accumulator
        See :class:`SymmetricTable`.
    """

    family: ClassVar[str] = "lut_tensor_core"
    generator: ClassVar[str] = "rtl.lut_tensor_core:LutTensorCore"

    table_format: Format | None = None
    table_bits: int | None = None

    configurations: ClassVar[Configurations] = (
        {"lanes": 16, "weight": "bipolar2", "activation": "int6"},
        {"lanes": 4, "weight": "int4", "activation": "int8", "row_count": 2, "column_count": 2},
        {"lanes": 6, "weight": "uint3", "activation": "uint5", "table_lanes": 3},
        {"lanes": 1, "weight": "binary", "activation": "int4", "table_lanes": 1},
        {"lanes": 2, "weight": "int1", "activation": "int4", "table_lanes": 2,
         "accumulator_bits": 8},
        {"lanes": 5, "weight": "int8", "activation": "int16", "table_lanes": 5},
        {"lanes": 8, "weight": "int3", "activation": "int4", "accumulator_bits": 8},
        {"lanes": 8, "weight": "int2", "activation": "int8", "table_bits": 8},
        {"lanes": 4, "weight": "uint2", "activation": "uint4", "table_lanes": 2,
         "table_bits": 3, "row_count": 2},
        {"lanes": 3, "weight": "bipolar2", "activation": "fp16", "table_lanes": 3,
         "accumulator": "fp16"},
        {"lanes": 2, "weight": "int2", "activation": "e4m3", "table_lanes": 2},
        {"lanes": 4, "weight": "uint3", "activation": "e5m2", "table_lanes": 2,
         "table_format": "e5m2", "accumulator": "e5m2fnuz"},
        {"lanes": 2, "weight": "int2", "activation": "fp16", "table_lanes": 2, "table_bits": 8,
         "accumulator": "fp16"},
        {"lanes": 2, "weight": "bipolar3", "activation": "e4m3", "table_lanes": 2,
         "table_format": "e5m2", "table_bits": 5, "accumulator": "fp16"},
        {"lanes": 2, "table_lanes": 2, "weight": "bipolar2", "activation": "bf16"},
    )  # fmt: skip
    fitting: ClassVar[Configurations] = (
        *dots((4, "int4", "int8"), (8, "bipolar2", "int6"), (4, "uint2", "int4")),
        *dots((6, "uint3", "uint5"), table_lanes=3),
        *dots((2, "int2", "e4m3"), table_lanes=2, accumulator="fp16"),
    )  # fmt: skip
