"""LUT Tensor Core; see :mod:`hwsim.units.lut_tensor_core`."""

from amaranth.hdl import C, Value

from hwsim.units.lut_tensor_core import LutTensorCoreUnit
from hwsim.units.sums import FloatSums
from rtl.bit_plane_table import BitPlaneTables, Read


class SymmetricTables(BitPlaneTables):
    """A tile whose indices are a sign, the lowest bit, and the address in half a table."""

    def correction_words(self) -> list[Value]:
        if not isinstance(self.spec.sums, FloatSums):
            return []
        # The last entry is that of all digits 1.
        bits = self.spec.table_lanes
        last = (1 << bits) - 2
        return [C(last | correction.negative, bits) for correction in self.spec.corrections]

    def read(self, word: Value) -> Read:
        return Read(word[1:], word[0])


class LutTensorCore(SymmetricTables):
    """Symmetric tables a row and an array of multiplexers with conditional negation.

    Parameters and members are those of :class:`~rtl.base.Unit`, for a
    :class:`~hwsim.units.lut_tensor_core.LutTensorCoreUnit`; timing and cost drivers are those of
    :class:`~rtl.bit_plane_table.BitPlaneTables`.
    """

    spec: LutTensorCoreUnit
