"""Tiles that add activations, or sums of them, instead of multiplying.

An element adds terms that are sign-flipped activations or entries of a table, each perhaps times a
power of two. The two arithmetics are those of :mod:`hwsim.units.sums`: exact integers in a two's
complement accumulator, or minifloats with one rounding an addition.
"""

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from hwsim.errors import InputError
from hwsim.formats.base import Codes, Format, Int64
from hwsim.formats.integer import Integer
from hwsim.formats.minifloat import NAMED, Minifloat
from hwsim.units import accumulator as accumulators
from hwsim.units.result import Integers, Result, RoundedResult
from hwsim.units.rounding import rounded_format
from hwsim.units.sums import FloatSums, IntegerSums, Values
from hwsim.units.tile import TileSpec


@dataclass(frozen=True, kw_only=True)
class AdderTile(TileSpec):
    """What the units of this kind have in common.

    Parameters
    ----------
    lanes, weight, row_count, column_count
        See :class:`~hwsim.units.tile.TileSpec`.
    activation
        See :class:`~hwsim.units.tile.TileSpec`; an integer or a signed minifloat.
    accumulator_bits
        Width of the two's complement accumulators that integers are added in, from what holds a
        product to 1024. They wrap; :attr:`safe_beats` says from when. The default is 32, or what
        256 beats need if that is more.
    accumulator
        Minifloat that sums of minifloats are rounded to, fp32 by default; it must have infinity or
        NaN to overflow to.
    """

    accumulator_bits: int | None = None
    accumulator: Format | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        self._check_weight()
        if not isinstance(self.activation, Integer | Minifloat):
            raise InputError(
                f"activation={self.activation.name}: {self.family} takes integers and minifloats"
            )
        surplus = "accumulator" if self._exact else "accumulator_bits"
        if getattr(self, surplus) is not None:
            kind = "integer" if self._exact else "floating-point"
            raise InputError(
                f"{surplus}={getattr(self, surplus)}: {self.family} with {kind} activations takes "
                f"{'accumulator_bits' if self._exact else 'accumulator'} instead"
            )
        for key in ("accumulator_bits", "accumulator"):
            if getattr(self, key) is None:
                object.__setattr__(self, key, self._default(key))
        self._make_sums()

    @abstractmethod
    def _check_weight(self) -> None:
        """Raise InputError if the unit does not take the weight's format."""

    @property
    @abstractmethod
    def largest_weight(self) -> int:
        """The largest magnitude of a weight."""

    @abstractmethod
    def _add_beat(self, totals: Values, activations: Values, weights: Codes) -> Values:
        """Return the accumulators after one beat.

        Parameters
        ----------
        totals
            The accumulators before it, shape (..., row_count, column_count).
        activations
            Values, shape (..., row_count, lanes).
        weights
            Codes, shape (..., column_count, lanes).
        """

    @property
    def _exact(self) -> bool:
        return isinstance(self.activation, Integer)

    def _default(self, key: str) -> Any:
        if key == "accumulator":
            return None if self._exact else NAMED["fp32"]
        if key != "accumulator_bits":
            return super()._default(key)
        return accumulators.default_bits(self.largest_beat) if self._exact else None

    @property
    def largest_beat(self) -> int:
        """The largest magnitude that the sum of one beat of integers can have."""
        a = self.activation
        largest = int(max(a.max, -a.min))
        if isinstance(a, Integer) and a.signed:
            # A symmetric format's code of -2**(n-1) counts as that.
            largest = 1 << (a.bits - 1)
        return self.lanes * self.largest_weight * largest

    @property
    def sums(self) -> IntegerSums | FloatSums:
        """The arithmetic of the terms and the accumulator."""
        return self._make_sums()

    def _make_sums(self) -> IntegerSums | FloatSums:
        if isinstance(self.activation, Integer):
            assert self.accumulator_bits is not None
            largest = self.largest_beat // self.lanes
            name = f"a product of {self.weight.name} and {self.activation.name}"
            accumulators.check_bits(self.accumulator_bits, largest, name)
            return IntegerSums(self.activation, self.accumulator_bits)
        assert isinstance(self.activation, Minifloat)
        if not self.activation.signed:
            raise InputError(
                f"activation={self.activation.name}: {self.family} takes signed minifloats only"
            )
        assert self.accumulator is not None
        fmt = rounded_format("accumulator", self.accumulator)
        return FloatSums(self.activation, self._table_format(self.activation), fmt)

    def _table_format(self, activation: Minifloat) -> Minifloat:
        """Return the format of a term before it is added to the accumulator."""
        return activation

    @property
    def result(self) -> Result | RoundedResult[Minifloat]:
        return self.sums.result(self.result_shape)

    @property
    def safe_beats(self) -> int:
        if isinstance(self.sums, IntegerSums):
            return accumulators.safe_beats(self.sums.accumulator_bits, self.largest_beat)
        # Rounding is monotonic: where the largest operands stay finite, so do all others.
        weights = [self.weight.encode(x) for x in (self.weight.min, self.weight.max)]
        a = np.full((2, self.activation_lanes), self.activation.encode(self.activation.max))
        w = np.repeat(np.stack(weights)[:, np.newaxis], self.weight_lanes, axis=1)
        return int(np.isfinite(self.result.decode(self.dot(a, w))).all())

    def _dot(self, activations: Codes, weights: Codes, metadata: Mapping[str, Codes]) -> Integers:
        outer = activations.shape[:-1]
        a, w = self.sums.operands(self.rows(activations)), self.columns(weights)
        totals: Values = self.sums.zeros((*outer, self.row_count, self.column_count))
        for beat in range(a.shape[-3]):
            totals = self._add_beat(totals, a[..., beat, :, :], w[..., beat, :, :])
        return self.sums.pack(totals.reshape((*outer, *self.result_shape)), self.result_shape)


def signed_terms(activations: Values, digits: Int64) -> Values:
    """Return activations times digits for every element; a digit 0 gives 0 even for infinity.

    Parameters
    ----------
    activations
        Shape (..., rows, lanes).
    digits
        -1, 0 or 1, shape (..., columns, lanes).

    Returns
    -------
    numpy.ndarray
        Shape (..., rows, columns, lanes).
    """
    rows, columns = activations[..., :, np.newaxis, :], digits[..., np.newaxis, :, :]
    with np.errstate(invalid="ignore"):
        return np.where(columns == 0, 0, rows * columns)
