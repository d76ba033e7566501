"""Tiles: rows of activations against columns of weights, so that every operand is used often.

Whatever depends on one operand only, such as its decoder or a table of sums, is built once a row or
a column and shared; only what depends on both is paid for every element.
"""

from dataclasses import dataclass

from hwsim.errors import InputError
from hwsim.formats.base import Codes
from hwsim.units.base import UnitSpec

MAX_SIDE = 256


@dataclass(frozen=True, kw_only=True)
class TileSpec(UnitSpec):
    """``row_count`` x ``column_count`` dot products at once, output-stationary.

    Parameters
    ----------
    lanes, weight, activation
        See :class:`~hwsim.units.base.UnitSpec`.
    row_count, column_count
        Size of the tile, M and N, 1 to 256 each. A beat has ``row_count`` times ``lanes``
        activations, row by row, and ``column_count`` times ``lanes`` weights, column by column; a
        result code holds the results of all elements, row by row.
    """

    row_count: int = 1
    column_count: int = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("row_count", "column_count"):
            if not 1 <= getattr(self, name) <= MAX_SIDE:
                raise InputError(f"{name} must be 1 to {MAX_SIDE}, not {getattr(self, name)}")

    @property
    def activation_lanes(self) -> int:
        return self.row_count * self.lanes

    @property
    def weight_lanes(self) -> int:
        return self.column_count * self.lanes

    @property
    def macs_per_beat(self) -> int:
        return self.row_count * self.column_count * self.lanes

    @property
    def result_shape(self) -> tuple[int, ...]:
        """Shape of the results in one code, row by row; () for a single dot product."""
        shape = (self.row_count, self.column_count)
        return () if shape == (1, 1) else shape

    def rows(self, activations: Codes) -> Codes:
        """Return activations of shape (..., length) as (..., beats, row_count, lanes)."""
        return activations.reshape(*activations.shape[:-1], -1, self.row_count, self.lanes)

    def columns(self, weights: Codes) -> Codes:
        """Return weights of shape (..., length) as (..., beats, column_count, lanes)."""
        return weights.reshape(*weights.shape[:-1], -1, self.column_count, self.lanes)
