"""Conventional look-up tables of subset sums; see :mod:`hwsim.units.unpu_lut`."""

from hwsim.units.unpu_lut import UnpuLutUnit
from rtl.bit_plane_table import BitPlaneTables


class UnpuLut(BitPlaneTables):
    """Whole tables a row and an array of multiplexers; the sign bit's plane is subtracted.

    Parameters and members are those of :class:`~rtl.base.Unit`, for a
    :class:`~hwsim.units.unpu_lut.UnpuLutUnit`; timing and cost drivers are those of
    :class:`~rtl.bit_plane_table.BitPlaneTables`.
    """

    spec: UnpuLutUnit
