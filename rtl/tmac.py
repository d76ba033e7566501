"""T-MAC's look-up tables; see :mod:`hwsim.units.tmac`."""

from hwsim.units.tmac import TmacUnit
from rtl.bit_plane_table import BitPlaneTables


class Tmac(BitPlaneTables):
    """Whole tables of 8-bit entries with one scale a row, and an array of multiplexers.

    Parameters and members are those of :class:`~rtl.base.Unit`, for a
    :class:`~hwsim.units.tmac.TmacUnit`; timing and cost drivers are those of
    :class:`~rtl.bit_plane_table.BitPlaneTables`. The sum over tables is shifted by the scale once
    an element.
    """

    spec: TmacUnit
