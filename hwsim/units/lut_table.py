"""The tables of LUT Tensor Core alone: all sums of few activations, for any number of arrays.

A table is computed once a row of activations and read by every column of every array that gets it
(:mod:`hwsim.units.lut_array`), so its cost is divided by their number: it is a unit of its own. K
activations have 2**(K-1) entries, the sums in which lane 0 counts +1 and the others +1 or -1 by
the bits of the entry's index; an array negates what it reads for the rest. Every entry is the dot
product of the activations with constant signs, so the unit takes no weights.

Cost: 2**K - 2 adders a table, and a register for what is delivered.

Source: Mo et al., LUT Tensor Core, ISCA 2025, arXiv:2408.06003, section 3 (tables computed outside
of the arrays).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

from hwsim.errors import InputError
from hwsim.formats.base import Codes, Format
from hwsim.formats.bipolar import Bipolar
from hwsim.formats.integer import Integer
from hwsim.formats.minifloat import Minifloat
from hwsim.units.base import Timing, UnitSpec
from hwsim.units.bit_plane_table import MAX_ACTIVATION_BITS, MAX_TABLE_LANES
from hwsim.units.configurations import Configurations
from hwsim.units.result import Integers, Result, RoundedResult
from hwsim.units.sum_table import Combination, combinations, sum_table, symmetric_half
from hwsim.units.sums import FloatSums, IntegerSums, Sums, float_sums
from hwsim.units.tile import MAX_SIDE

DIGITS = Bipolar(1)


@dataclass(frozen=True, kw_only=True)
class LutTableUnit(UnitSpec):
    """Symmetric tables of sums of activations, for ``lut_array``.

    Exact for integers, in the fewest bits that hold every entry. Minifloat entries are rounded to
    ``table_format`` after every addition, from the first lane to the last, to nearest even.

    Parameters
    ----------
    lanes
        Activations of a row, a multiple of ``table_lanes``.
    activation
        An integer of up to 16 bits or a signed minifloat.
    weight
        ``binary``, the digits of the entries; a beat has no weights.
    table_lanes
        Activations of a table, K, 1 to 8.
    row_count
        Rows, 1 to 256.
    table_format
        Minifloat activations: the format of entries; the default is that of ``lut_tensor_core``.

    Results
    -------
    A result code has the entries of all tables, in the order in which ``lut_array`` takes them. A
    table is that of one beat: of a dot product of several beats, the last one's.
    """

    family: ClassVar[str] = "lut_table"
    generator: ClassVar[str] = "rtl.lut_table:LutTable"

    weight: Format = DIGITS
    table_lanes: int = 4
    row_count: int = 1
    table_format: Format | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        for name, highest in (("table_lanes", MAX_TABLE_LANES), ("row_count", MAX_SIDE)):
            if not 1 <= getattr(self, name) <= highest:
                raise InputError(f"{name} must be 1 to {highest}, not {getattr(self, name)}")
        if self.lanes % self.table_lanes:
            raise InputError(
                f"lanes={self.lanes} must be a multiple of table_lanes={self.table_lanes}"
            )
        if self.weight != DIGITS:
            raise InputError(f"weight={self.weight.name}: lut_table has digits, allowed: binary")
        if isinstance(self.sums, IntegerSums) and self.table_format is not None:
            raise InputError(
                f"table_format={self.table_format.name}: only for minifloat activations, not "
                f"{self.activation.name}"
            )

    @property
    def tables(self) -> int:
        """Tables of a row."""
        return self.lanes // self.table_lanes

    @property
    def combinations(self) -> Sequence[Combination]:
        """The digits of a table's entries."""
        return symmetric_half(combinations(self.table_lanes, (-1, 1)))

    @cached_property
    def sums(self) -> Sums:
        """The arithmetic of the entries."""
        fmt = self.activation
        if isinstance(fmt, Minifloat):
            return float_sums(fmt, self.table_format, None)
        if not isinstance(fmt, Integer) or fmt.bits > MAX_ACTIVATION_BITS:
            raise InputError(
                f"activation={fmt.name}: lut_table takes integers of up to "
                f"{MAX_ACTIVATION_BITS} bits and minifloats"
            )
        largest = self.table_lanes * IntegerSums(fmt, 1).largest
        return IntegerSums(fmt, largest.bit_length() + 1)

    @property
    def activation_lanes(self) -> int:
        return self.row_count * self.lanes

    @property
    def weight_lanes(self) -> int:
        return 0

    @property
    def macs_per_beat(self) -> int:
        return self.row_count * self.lanes * len(self.combinations)

    @property
    def result(self) -> Result | RoundedResult[Minifloat]:
        shape = (self.row_count, self.tables, len(self.combinations))
        if isinstance(self.sums, FloatSums):
            return RoundedResult(self.sums.table_format, shape)
        return Result(self.sums.accumulator_bits, shape=shape)

    @property
    def safe_beats(self) -> int:
        if isinstance(self.sums, FloatSums):
            return int(self.table_lanes * self.activation.max <= self.sums.table_format.max)
        return 1

    def _timing(self) -> Timing:
        return Timing(latency=1, interval=1)

    def _dot(self, activations: Codes, weights: Codes, metadata: Mapping[str, Codes]) -> Integers:
        last = activations[..., -self.activation_lanes :]
        shape = (*last.shape[:-1], self.row_count, self.tables, self.table_lanes)
        entries = sum_table(self.sums, self.sums.operands(last).reshape(shape), self.combinations)
        if isinstance(self.sums, FloatSums):
            result = RoundedResult(self.sums.table_format, entries.shape[-3:])
            return result.pack(self.sums.entry_codes(entries))
        return Result(self.sums.accumulator_bits, shape=entries.shape[-3:]).pack(entries)

    configurations: ClassVar[Configurations] = (
        {"lanes": 8, "activation": "int8"},
        {"lanes": 3, "activation": "uint5", "table_lanes": 3, "row_count": 2},
        {"lanes": 6, "activation": "int1", "table_lanes": 6},
        {"lanes": 1, "activation": "int4", "table_lanes": 1},
        {"lanes": 3, "activation": "fp16", "table_lanes": 3},
        {"lanes": 4, "activation": "e4m3", "table_lanes": 2},
    )  # fmt: skip
    fitting: ClassVar[Configurations] = (
        {"lanes": 4, "activation": "int8"},
        {"lanes": 3, "activation": "uint5", "table_lanes": 3, "row_count": 2},
        {"lanes": 8, "activation": "int4"},
        {"lanes": 2, "activation": "e4m3", "table_lanes": 2},
    )  # fmt: skip
