"""Ternary weights by table: all sums of a few activations once, then one read for all of them.

G activations have 3**G sums with weights -1, 0 and 1. A row of the tile computes them once a beat
and all columns read them: a read replaces G products and G - 1 additions. The weights come packed,
a group's G of them in one index, fewer bits than two a weight: with w0 the weight of the group's
first lane,

    t = w0 * 3**(G-1) + ... + w(G-1),   -(3**G - 1)/2 <= t <= (3**G - 1)/2.

==========  ================================  ===================================  ==============
table       entries                           stored index                         for example
==========  ================================  ===================================  ==============
full        3**G                              t + (3**G - 1)/2                     TL1 (G=2), TLMM
symmetric   (3**G - 1)/2, and 0 for nothing   abs(t), and above it a sign bit      TL2 (G=3)
==========  ================================  ===================================  ==============

Both take 4, 5, 7 and 8 bits for 2 to 5 weights. A symmetric table has half of the multiplexer for
a sign-flip after it. Cost: (3**G - 1)/2 - G adders a row and group, fewer where prefixes coincide,
against a multiplexer and one addition an element and group. With integers a multiplexer costs as
much as the adders that it saves; with minifloats adders are dear and tables pay.

Entries of integers are exact. Those of minifloats are sums in lane order, each addition rounded
once to ``table_format``; a weight 0 adds nothing, even where the activation is infinity or NaN.
The groups are added to the accumulator in lane order, each addition rounded once. Rounding to
nearest even is symmetric, so both kinds of table give the same results.

Sources: TL1 and TL2 of bitnet.cpp (utils/convert-hf-to-gguf-bitnet.py, utils/codegen_tl1.py,
codegen_tl2.py); TLMM of TeLLMe, arXiv:2504.16266; arXiv:2604.25183 for the comparison.
"""

from dataclasses import dataclass
from enum import StrEnum
from itertools import product
from typing import Any, ClassVar

import numpy as np

from hwsim.errors import InputError
from hwsim.formats.base import Codes, Format
from hwsim.formats.integer import Integer
from hwsim.formats.minifloat import Minifloat
from hwsim.units.adder_tile import AdderTile
from hwsim.units.base import StoredWeights, Timing
from hwsim.units.configurations import Configurations, dots
from hwsim.units.sum_table import Combination, sum_table
from hwsim.units.sums import Values, float_sums, table_octaves
from hwsim.units.ternary_add import REFUSED, require_ternary, ternary_digits

TABLE_LANES = range(2, 6)


class Table(StrEnum):
    """Which sums a table has."""

    FULL = "full"
    SYMMETRIC = "symmetric"


@dataclass(frozen=True, kw_only=True)
class TernaryLutUnit(AdderTile):
    """A tile of dot products with ternary weights read from tables, one beat a cycle.

    Parameters
    ----------
    lanes
        A multiple of ``table_lanes``.
    weight
        ``ternary``; its code of -2 is refused.
    table_lanes
        Activations of a table, G, 2 to 5.
    table
        ``full`` or ``symmetric``.
    table_format
        Minifloat that entries are rounded to; for floating-point activations only. The default is
        the activation's format if that has 10 mantissa bits or more, else fp16 if it holds all
        activations, else tf32.
    activation, row_count, column_count, accumulator_bits, accumulator
        See :class:`~hwsim.units.adder_tile.AdderTile`.
    """

    family: ClassVar[str] = "ternary_lut"
    generator: ClassVar[str] = "rtl.ternary_lut:TernaryLut"

    table_lanes: int = 3
    table: Table = Table.SYMMETRIC
    table_format: Format | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.table_lanes not in TABLE_LANES:
            raise InputError(
                f"table_lanes={self.table_lanes}: allowed: {TABLE_LANES[0]} to {TABLE_LANES[-1]}"
            )
        if self.lanes % self.table_lanes:
            raise InputError(
                f"lanes={self.lanes} must be a multiple of table_lanes={self.table_lanes}"
            )
        if self.table_format is None:
            object.__setattr__(self, "table_format", self._default("table_format"))
        elif isinstance(self.activation, Integer):
            raise InputError(
                f"table_format={self.table_format.name}: the entries of integers are exact"
            )

    def _check_weight(self) -> None:
        require_ternary(self.weight, self.family)

    def _default(self, key: str) -> Any:
        if key != "table_format":
            return super()._default(key)
        if not isinstance(self.activation, Minifloat):
            return None
        return float_sums(self.activation, None, None).table_format

    def _table_format(self, activation: Minifloat) -> Minifloat:
        return float_sums(activation, self.table_format, self.accumulator).table_format

    @property
    def _activation_octaves(self) -> float:
        return table_octaves(self.sums, self.table_lanes)

    @property
    def refused_weights(self) -> tuple[int, ...]:
        return (REFUSED,)

    @property
    def largest_weight(self) -> int:
        return 1

    @property
    def group_count(self) -> int:
        """Tables of a row."""
        return self.lanes // self.table_lanes

    @property
    def largest_index(self) -> int:
        """The largest t, (3**G - 1)/2."""
        return (3**self.table_lanes - 1) // 2

    @property
    def entries(self) -> tuple[Combination, ...]:
        """The weights that each entry of a table is the sum for, in the order of the index."""
        every = tuple(product((-1, 0, 1), repeat=self.table_lanes))
        return every if self.table is Table.FULL else every[self.largest_index :]

    @property
    def index_bits(self) -> int:
        """Width of the part of a stored index that chooses the entry."""
        return (len(self.entries) - 1).bit_length()

    @property
    def stored_weights(self) -> StoredWeights:
        sign = self.table is Table.SYMMETRIC
        return StoredWeights(self.column_count * self.group_count, self.index_bits + sign)

    def store_weights(self, weights: Codes) -> Codes:
        digits = ternary_digits(weights.reshape(*weights.shape[:-1], -1, self.table_lanes))
        t = digits @ 3 ** np.arange(self.table_lanes)[::-1]
        if self.table is Table.FULL:
            stored = t + self.largest_index
        else:
            stored = np.abs(t) | (t < 0) << self.index_bits
        return stored.astype(self.weight.code_dtype)

    def _timing(self) -> Timing:
        return Timing(latency=1, interval=1)

    def _add_beat(self, totals: Values, activations: Values, weights: Codes) -> Values:
        groups = (self.group_count, self.table_lanes)
        operands = activations.reshape(*activations.shape[:-1], *groups)
        tables = sum_table(self.sums, operands, self.entries)
        stored = self.store_weights(weights).astype(np.int64)
        index = stored & ((1 << self.index_bits) - 1)
        # Rows have tables, columns have indices.
        read = np.take_along_axis(
            tables[..., :, np.newaxis, :, :], index[..., np.newaxis, :, :, np.newaxis], axis=-1
        )[..., 0]
        negative = (stored >> self.index_bits).astype(bool)[..., np.newaxis, :, :]
        return self.sums.accumulate(totals, np.where(negative, -read, read))

    configurations: ClassVar[Configurations] = (
        {"lanes": 24, "weight": "ternary", "activation": "int8"},
        {"lanes": 16, "weight": "ternary", "activation": "int8", "table_lanes": 2,
         "table": "full"},
        {"lanes": 4, "weight": "ternary", "activation": "uint3", "table_lanes": 4},
        {"lanes": 3, "weight": "ternary", "activation": "uint1", "table": "full"},
        {"lanes": 5, "weight": "ternary", "activation": "int1", "table_lanes": 5,
         "accumulator_bits": 4},
        {"lanes": 6, "weight": "ternary", "activation": "int8", "row_count": 2, "column_count": 3},
        {"lanes": 2, "table_lanes": 2, "weight": "ternary", "activation": "fp16",
         "column_count": 2},
        {"lanes": 4, "weight": "ternary", "activation": "e5m2", "table_lanes": 2, "table": "full",
         "accumulator": "fp16"},
        {"lanes": 3, "weight": "ternary", "activation": "e4m3fnuz", "accumulator": "e5m2fnuz",
         "table_format": "e5m2fnuz", "row_count": 2},
        {"lanes": 2, "weight": "ternary", "activation": "bf16", "table_lanes": 2},
    )  # fmt: skip
    fitting: ClassVar[Configurations] = (
        *dots((6, "ternary", "int8"), (9, "ternary", "int4"), (3, "ternary", "int12")),
        *dots((4, "ternary", "int6"), table_lanes=2, table="full"),
        *dots((2, "ternary", "e4m3"), table_lanes=2, accumulator="fp16"),
    )  # fmt: skip
