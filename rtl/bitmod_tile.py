"""A tile of BitMoD processing elements; see :mod:`hwsim.units.bitmod_tile`.

The generator of the single element counts its rows and columns; a tile has more than one.
"""

from hwsim.units.bitmod_tile import BitmodTileUnit
from rtl.bitmod import Bitmod


class BitmodTile(Bitmod):
    """``row_count`` x ``column_count`` processing elements.

    Parameters and members are those of :class:`~rtl.base.Unit`, for a
    :class:`~hwsim.units.bitmod_tile.BitmodTileUnit`; timing is that of
    :class:`~rtl.bitmod.Bitmod`.
    """

    spec: BitmodTileUnit
