"""A tile of BitMoD processing elements, rows x columns, output-stationary.

Rows differ in their activations and share the weights; columns differ in their weights and share
the activations. So a tile has one aligner a row, one term generator a column and one register file
of special values, and only multiplication, group accumulation and dequantisation are paid for
every element. One column accumulator a column serves its rows one after the other, while the
next group is under way.

Source: Chen et al., BitMoD, HPCA 2025, arXiv 2411.11745, section IV-B (tiles of 8 x 8 elements).
"""

from dataclasses import dataclass
from typing import ClassVar

from hwsim.errors import InputError
from hwsim.units.bitmod import BitmodUnit
from hwsim.units.configurations import Configurations

MAX_SIDE = 64


@dataclass(frozen=True, kw_only=True)
class BitmodTileUnit(BitmodUnit):
    """``rows`` x ``columns`` dot products at once; numerics are those of ``bitmod``.

    Parameters
    ----------
    row_count, column_count
        Size of the tile, 1 to 64 each.
    lanes, weight, activation, group_size, fraction_bits, rounding, special_values
        See :class:`~hwsim.units.bitmod.BitmodUnit`.
    accumulator_bits
        See :class:`~hwsim.units.bitmod.BitmodUnit`.

    Operands
    --------
    A beat has ``row_count`` times ``lanes`` activations, row by row, and ``column_count`` times
    ``lanes`` weights, column by column. Columns have their own ``selector_<column>`` and
    ``scale_<column>``; the weight type is common to all. A result code holds the results of all
    elements, row by row.
    """

    family: ClassVar[str] = "bitmod_tile"
    generator: ClassVar[str] = "rtl.bitmod_tile:BitmodTile"

    row_count: int
    column_count: int

    def _check_sides(self) -> None:
        # Before the group size, whose least value depends on the rows.
        for name in ("row_count", "column_count"):
            if not 1 <= getattr(self, name) <= MAX_SIDE:
                raise InputError(f"{name} must be 1 to {MAX_SIDE}, not {getattr(self, name)}")

    @property
    def rows(self) -> int:
        return self.row_count

    @property
    def columns(self) -> int:
        return self.column_count

    configurations: ClassVar[Configurations] = (
        {"lanes": 4, "activation": "fp16", "row_count": 2, "column_count": 3},
        {"lanes": 2, "activation": "e4m3", "row_count": 3, "column_count": 1, "group_size": 16},
    )  # fmt: skip
    fitting: ClassVar[Configurations] = (
        {"lanes": 1, "activation": "e2m1", "row_count": 2, "column_count": 1, "group_size": 8},
        {"lanes": 1, "activation": "e2m1", "row_count": 1, "column_count": 2, "group_size": 8},
    )  # fmt: skip
