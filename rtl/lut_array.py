"""The array of LUT Tensor Core alone; see :mod:`hwsim.units.lut_array`."""

from amaranth.hdl import Module, Value

from hwsim.units.lut_array import LutArrayUnit
from rtl.lut_tensor_core import SymmetricTables


class LutArray(SymmetricTables):
    """An array of multiplexers with conditional negation; tables come with the beat.

    Parameters and members are those of :class:`~rtl.base.Unit`, for a
    :class:`~hwsim.units.lut_array.LutArrayUnit`; timing and cost drivers are those of
    :class:`~rtl.bit_plane_table.BitPlaneTables`. Of the submodule ``tables`` only the sum of the
    activations is left, for integer weights.
    """

    spec: LutArrayUnit

    def sum_table(self, m: Module, row: int, table: int) -> list[Value]:
        size = len(self.spec.combinations)
        first = (row * self.spec.tables + table) * size
        return [self.i.payload.activations[first + k] for k in range(size)]
