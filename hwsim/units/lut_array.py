"""The array of LUT Tensor Core alone: it reads tables that come from outside.

The paper computes tables once, fused with the operation before, and sends them to all arrays that
need them. This unit is what is left of :mod:`hwsim.units.lut_tensor_core` then: multiplexers,
conditional negation, shift, and accumulation. A beat carries tables in the place of activations,
2**(K-1) entries each, entry i for digit 1 in lane 0 and the bits of i in the others.

Of a layer, the activations are of as many bits fewer as leave room for the sums, or of the entries'
own minifloat, and the tables those of :mod:`hwsim.units.lut_table`.

The price is the beat: tables have 2**(K-1) / K times the words of the activations, and wider ones.

Source: Mo et al., LUT Tensor Core, ISCA 2025, arXiv:2408.06003, section 4 (tile of M2 N64 K4).
"""

from dataclasses import dataclass
from typing import Any, ClassVar

from hwsim.errors import InputError
from hwsim.formats.base import Codes, Format
from hwsim.formats.block import BlockFormat
from hwsim.formats.integer import Integer
from hwsim.formats.minifloat import Minifloat
from hwsim.units import layers
from hwsim.units.configurations import Configurations, dots
from hwsim.units.layers import Matrix, Rows
from hwsim.units.lut_tensor_core import SymmetricTable
from hwsim.units.sum_table import sum_table
from hwsim.units.sums import FloatSums, IntegerSums, Sums, Values, float_sums


@dataclass(frozen=True, kw_only=True)
class LutArrayUnit(SymmetricTable):
    """Dot products by look-up in given tables; numerics are those of ``lut_tensor_core``.

    Parameters
    ----------
    activation
        Format of the tables' entries, an integer of up to 16 bits or a signed minifloat.
    lanes, weight, row_count, column_count, table_lanes, accumulator_bits, accumulator
        See :class:`~hwsim.units.lut_tensor_core.SymmetricTable`.

    Operands
    --------
    A beat has ``row_count`` times ``lanes / table_lanes`` times 2**(table_lanes - 1) entries in
    the place of activations, by row, by table. They need not be sums of anything. ``cycles`` and
    ``dot`` take as many.
    """

    family: ClassVar[str] = "lut_array"
    generator: ClassVar[str] = "rtl.lut_array:LutArray"

    @property
    def activation_lanes(self) -> int:
        return self.row_count * self.tables * len(self.combinations)

    @property
    def tile_shape(self) -> tuple[int, int]:
        return self.row_count, self.column_count

    @property
    def table_sums(self) -> Sums:
        """The arithmetic of tables whose entries have the format ``activation``.

        Raises
        ------
        InputError
            If entries are too short for sums of ``table_lanes`` numbers, or have no sign.
        """
        fmt = self.activation
        if isinstance(fmt, Minifloat):
            return float_sums(fmt, fmt, None)
        bits = fmt.bits - (self.table_lanes - 1).bit_length()
        if not isinstance(fmt, Integer) or not fmt.signed or bits < 2:
            raise InputError(
                f"activation={fmt.name}: entries of layers are signed integers that hold sums of "
                f"{self.table_lanes} numbers of at least 2 bits, or minifloats"
            )
        return IntegerSums(Integer(bits), fmt.bits)

    def activation_quantiser(self, inputs: int) -> BlockFormat:
        # Tables are made of the numbers that their entries have room for sums of.
        return layers.per_token(self.table_sums.activation, inputs)

    def _activation_rows(self, matrix: Matrix, length: int) -> Rows:
        sums = self.table_sums
        codes = layers.split(matrix.rows(), length, self.lanes, 0)
        operands = sums.operands(codes).reshape(*codes.shape[:2], -1, self.table_lanes)
        entries = sum_table(sums, operands, self.combinations)
        fmt = self.activation
        encoded = sums.entry_codes(entries) if isinstance(sums, FloatSums) else fmt.encode(entries)
        return Rows(
            encoded.reshape(*codes.shape[:2], -1).astype(fmt.code_dtype),
            layers.part_scales(matrix, length),
            {},
        )

    def _holding(self, operand: str, fmt: Format | BlockFormat) -> dict[str, Any]:
        if operand == "activation":
            raise InputError(
                f"activation={fmt.name}: lut_array takes tables of entries in a scalar format"
            )
        return super()._holding(operand, fmt)

    def _check_weight(self) -> None:
        super()._check_weight()
        if isinstance(self.activation, Minifloat) and not self.activation.has_nan:
            raise InputError(
                f"activation={self.activation.name}: lut_array takes entries in minifloats that "
                "have NaN, such as fp16"
            )

    @property
    def table_format(self) -> Format | None:
        return self.activation if isinstance(self.activation, Minifloat) else None

    def entry_bound(self, sums: IntegerSums) -> int:
        return sums.largest

    def _tables(self, activations: Codes) -> Values:
        shape = (*activations.shape[:-1], -1, self.row_count, self.tables, len(self.combinations))
        return self.sums.operands(activations).reshape(shape)

    configurations: ClassVar[Configurations] = (
        {"lanes": 4, "weight": "int2", "activation": "int11", "row_count": 2, "column_count": 4},
        {"lanes": 4, "weight": "uint4", "activation": "int6", "table_lanes": 2},
        {"lanes": 4, "weight": "bipolar3", "activation": "fp16", "accumulator": "fp16"},
        {"lanes": 3, "weight": "int3", "activation": "e5m2", "table_lanes": 3,
         "accumulator": "e5m2"},
        {"lanes": 1, "weight": "binary", "activation": "int1", "table_lanes": 1},
    )  # fmt: skip
    fitting: ClassVar[Configurations] = (
        *dots((2, "int2", "int8"), (4, "uint3", "int6"), table_lanes=2, column_count=2),
        *dots((3, "int3", "int4"), (6, "bipolar2", "int6"), table_lanes=3),
    )  # fmt: skip
