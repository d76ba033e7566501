"""What look-up-table units have in common: bit planes of weights that index tables of sums.

A weight of W bits is W planes, the sum of 2**b times a digit of plane b. The digits of
``table_lanes`` weights in one plane are the index of an entry of a table, which holds the sums of
as many activations by all digits. So a beat takes W cycles, the lowest plane first, and a cycle
costs one read for ``table_lanes`` products. The tables of a row are built combinationally from the
beat held on the stream, and serve all columns of the tile.

With digits -1 and 1 an integer weight becomes q' = 2*q + 1 (signed) or 2*q - (2**W - 1)
(unsigned), as in ``bipolarW``, whose bits are those of q, the sign bit inverted. Then

    sum(a * q) = (sum(a * q') - sum(a)) / 2,    or + (2**W - 1) * sum(a) for unsigned ones.

The sum of the activations is the entry of all digits 1. Integers take it into account in the cycle
of the lowest plane, by one more adder a row and an input of each element's adder tree. In floating
point that would need one more rounded addition each, so it takes its own cycle: one for signed
weights, two for unsigned ones. The factor 1/2 costs nothing: the accumulator counts halves.
"""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from hwsim.errors import InputError
from hwsim.formats.base import Bools, Codes, Format, Int64
from hwsim.formats.bipolar import Bipolar
from hwsim.formats.integer import Integer
from hwsim.formats.minifloat import Minifloat
from hwsim.units import accumulator as accumulators
from hwsim.units.base import StoredWeights, Timing
from hwsim.units.result import Integers, Result, RoundedResult
from hwsim.units.sum_table import Combination, sum_table
from hwsim.units.sums import FloatSums, IntegerSums, Sums, Values, float_sums, table_octaves
from hwsim.units.table_quantisation import quantise
from hwsim.units.tile import TileSpec

MAX_WEIGHT_BITS = 8
MAX_ACTIVATION_BITS = 16
MAX_TABLE_LANES = 8


class Correction(NamedTuple):
    """The sum of the activations, times a power of two, that is added once a beat.

    Attributes
    ----------
    negative
        Whether it is subtracted.
    plane
        The exponent of the power of two, where plane b counts 2**b.
    """

    negative: bool
    plane: int


@dataclass(frozen=True, kw_only=True)
class BitPlaneTable(TileSpec):
    """A tile whose rows have tables of sums, and whose columns read them by weight planes.

    Parameters
    ----------
    lanes
        Products per beat and element, a multiple of ``table_lanes``: ``lanes / table_lanes``
        tables a row.
    accumulator_bits
        Integer activations: width of the two's complement accumulator, from what holds a product
        to 1024. It wraps; :attr:`safe_beats` says from when. The default is 32, or what 256 beats
        need if that is more.
    weight, activation, row_count, column_count
        See :class:`~hwsim.units.tile.TileSpec`.
    """

    accumulator_bits: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 1 <= self.table_lanes <= MAX_TABLE_LANES:
            raise InputError(f"table_lanes must be 1 to {MAX_TABLE_LANES}, not {self.table_lanes}")
        if self.lanes % self.table_lanes:
            raise InputError(
                f"lanes={self.lanes} must be a multiple of table_lanes={self.table_lanes}"
            )
        self._check_weight()
        self._check_table_bits(self.sums)

    @property
    @abstractmethod
    def table_lanes(self) -> int:
        """Activations of a table, K."""

    @property
    @abstractmethod
    def combinations(self) -> Sequence[Combination]:
        """The digits of a table's entries."""

    @abstractmethod
    def _address(self, bits: Int64) -> tuple[Int64, Bools]:
        """Return the entry to read, and whether to negate it, for a plane's ``bits``.

        ``bits`` has the lanes on its last axis, which goes.
        """

    @property
    def table_bits(self) -> int | None:
        """Width that entries are quantised to, or None."""
        return None

    @property
    def shared_scale(self) -> bool:
        """Whether all tables of a row share the scale of quantised entries."""
        return False

    @property
    def table_format(self) -> Format | None:
        """The format of entries as given, None for the default."""
        return None

    @property
    def accumulator(self) -> Format | None:
        """The format of a floating-point accumulator as given, None for the default."""
        return None

    @property
    def weight_formats(self) -> tuple[type[Format], ...]:
        """Families of weights that planes exist for."""
        return (Integer, Bipolar)

    @property
    def signed_digits(self) -> bool:
        """Whether a bit of a plane counts -1 or 1, rather than 0 or 1."""
        return True

    def _check_weight(self) -> None:
        fmt = self.weight
        if not isinstance(fmt, self.weight_formats) or fmt.bits > MAX_WEIGHT_BITS:
            kinds = ", bipolarN" if Bipolar in self.weight_formats else ""
            raise InputError(
                f"weight={fmt.name}: {self.family} takes intN, uintN{kinds} of 1 to "
                f"{MAX_WEIGHT_BITS} bits"
            )

    @property
    def is_exact(self) -> bool:
        return super().is_exact and self.table_bits is None

    def _check_table_bits(self, sums: Sums) -> None:
        """Raise InputError unless quantisation drops bits."""
        if self.table_bits is None:
            return
        highest = MAX_ACTIVATION_BITS
        if isinstance(sums, IntegerSums):
            highest = self.entry_bound(sums).bit_length()
        if not 2 <= self.table_bits <= highest:
            raise InputError(
                f"table_bits={self.table_bits} must be 2 to {highest} for entries of "
                f"{self.table_lanes} x {self.activation.name}, or none for exact entries"
            )

    @property
    def tables(self) -> int:
        """Tables of a row."""
        return self.lanes // self.table_lanes

    @cached_property
    def sums(self) -> Sums:
        """The arithmetic of entries and accumulators."""
        fmt = self.activation
        if isinstance(fmt, Minifloat):
            if self.accumulator_bits is not None:
                raise InputError(
                    f"accumulator_bits={self.accumulator_bits}: only for integer activations, "
                    f"not {fmt.name}"
                )
            return float_sums(fmt, self.table_format, self.accumulator)
        for name, given in (("table_format", self.table_format), ("accumulator", self.accumulator)):
            if given is not None:
                raise InputError(
                    f"{name}={given.name}: only for minifloat activations, not {fmt.name}"
                )
        if not isinstance(fmt, Integer) or fmt.bits > MAX_ACTIVATION_BITS:
            raise InputError(
                f"activation={fmt.name}: {self.family} takes integers of up to "
                f"{MAX_ACTIVATION_BITS} bits and minifloats"
            )
        bits = self.accumulator_bits
        if bits is None:
            bits = accumulators.default_bits(self.largest_beat)
        largest = IntegerSums(fmt, 1).largest * self.largest_weight
        name = f"a product of {self.weight.name} and {fmt.name}"
        accumulators.check_bits(bits, largest, name)
        return IntegerSums(fmt, bits)

    @property
    def _activation_octaves(self) -> float:
        return table_octaves(self.sums, self.table_lanes)

    def entry_bound(self, sums: IntegerSums) -> int:
        """Return the largest magnitude of an exact entry."""
        return self.table_lanes * sums.largest

    @property
    def largest_beat(self) -> int:
        """Bound on the magnitude of a beat's sum of integers, in units of the result."""
        assert isinstance(self.activation, Integer)
        entry = self.entry_bound(IntegerSums(self.activation, 1))
        if self.table_bits is not None:
            # Rounding may raise it to the next power of two.
            entry = 1 << entry.bit_length()
        return self.tables * entry * self.largest_weight

    @property
    def largest_weight(self) -> int:
        """The largest magnitude of a weight, in units of 2**exponent."""
        bits = self.weight.bits
        two_complement = isinstance(self.weight, Integer) and self.weight.signed
        largest = 1 << (bits - 1) if two_complement else (1 << bits) - 1
        return largest << -self.exponent

    @property
    def corrections(self) -> tuple[Correction, ...]:
        """What is added besides the planes where digits of -1 and 1 make an integer."""
        if not self.signed_digits or not isinstance(self.weight, Integer):
            return ()
        if self.weight.signed:
            return (Correction(negative=True, plane=0),)
        return (Correction(True, 0), Correction(False, self.weight.bits))

    @property
    def exponent(self) -> int:
        """The sum of all planes and corrections counts multiples of 2**exponent."""
        return -1 if self.corrections else 0

    @property
    def correction_cycles(self) -> int:
        """Cycles a beat that corrections take."""
        return len(self.corrections) if isinstance(self.sums, FloatSums) else 0

    @property
    def negative_top(self) -> bool:
        """Whether the top plane counts negatively."""
        return not self.signed_digits and isinstance(self.weight, Integer) and self.weight.signed

    @property
    def result(self) -> Result | RoundedResult[Minifloat]:
        if isinstance(self.sums, IntegerSums):
            return self.sums.result(self.result_shape, self.exponent)
        return self.sums.result(self.result_shape)

    @property
    def safe_beats(self) -> int:
        if isinstance(self.sums, IntegerSums):
            return accumulators.safe_beats(self.sums.accumulator_bits, self.largest_beat)
        # Generous: entries may be rounded up, and corrections are as large as the planes.
        sums, entry = self.sums, 2.0 * self.table_lanes * self.activation.max
        beat = self.tables * entry * 2.0 ** (self.weight.bits + 1)
        return int(entry <= sums.table_format.max and beat <= sums.accumulator.max)

    @property
    def most_stages(self) -> int:
        return 2

    def _timing(self) -> Timing:
        cycles = self.weight.bits + self.correction_cycles
        return Timing(latency=cycles, interval=cycles)

    @property
    def stored_weights(self) -> StoredWeights:
        """One index a plane of a table's weights: by column, by table, by plane."""
        return StoredWeights(self.column_count * self.tables * self.weight.bits, self.table_lanes)

    def store_weights(self, weights: Codes) -> Codes:
        address, negative = self._reads(weights)
        return self._index(address, negative).reshape(*weights.shape[:-1], -1).astype(np.uint8)

    def _index(self, address: Int64, negative: Bools) -> Int64:
        """Return what the hardware takes to read ``address`` and to negate."""
        return address

    def _reads(self, weights: Codes) -> tuple[Int64, Bools]:
        """Return the address and negation of every read, (..., beats, columns, tables, planes)."""
        codes = self.columns(weights).astype(np.int64)
        if self.signed_digits and isinstance(self.weight, Integer) and self.weight.signed:
            codes = codes ^ (1 << (self.weight.bits - 1))
        groups = codes.reshape(*codes.shape[:-1], self.tables, self.table_lanes)
        planes = np.arange(self.weight.bits)
        bits = groups[..., np.newaxis, :] >> planes[:, np.newaxis] & 1
        return self._address(bits)

    def _tables(self, activations: Codes) -> Values:
        """Return the entries as they are read, (..., beats, rows, tables, entries)."""
        operands = self.sums.operands(self.rows(activations))
        groups = operands.reshape(*operands.shape[:-1], self.tables, self.table_lanes)
        entries = sum_table(self.sums, groups, self.combinations)
        if self.table_bits is None:
            return entries
        sharing = entries.reshape(*entries.shape[:-2], -1) if self.shared_scale else entries
        return quantise(self.sums, sharing, self.table_bits).reshape(entries.shape)

    def _sum_entry(self, entries: Values) -> Values:
        """Return the entries of all digits 1, without the last axis of ``entries``."""
        return entries[..., self.combinations.index((1,) * self.table_lanes)]

    def _dot(self, activations: Codes, weights: Codes, metadata: Mapping[str, Codes]) -> Integers:
        entries, (address, negative) = self._tables(activations), self._reads(weights)
        outer, beats = activations.shape[:-1], address.shape[-4]
        totals = self.sums.zeros((*outer, self.row_count, self.column_count))
        scale = self.exponent if isinstance(self.sums, FloatSums) else 0
        for beat in range(beats):
            rows = entries[..., beat, :, np.newaxis, :, :]
            for plane in range(self.weight.bits):
                index = address[..., beat, np.newaxis, :, :, plane, np.newaxis]
                terms = np.take_along_axis(rows, index, axis=-1)[..., 0]
                minus = negative[..., beat, np.newaxis, :, :, plane]
                terms = np.where(minus, -terms, terms)
                totals = self.sums.accumulate(totals, terms, plane + scale)
            sums = self._sum_entry(rows)
            for subtract, plane in self.corrections:
                terms = -sums if subtract else sums
                totals = self.sums.accumulate(totals, terms, plane + scale)
        return self.sums.pack(totals.reshape((*outer, *self.result_shape)), self.result_shape)
