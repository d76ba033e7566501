"""The tables of LUT Tensor Core alone; see :mod:`hwsim.units.lut_table`."""

from amaranth.hdl import Cat, Module
from amaranth.lib import wiring

from hwsim.units.lut_table import LutTableUnit
from rtl.base import Unit
from rtl.blocks.fold import Fold
from rtl.blocks.sum_table import SumTable
from rtl.blocks.sums import Adders, adders


class LutTable(Unit):
    """Trees of adders, and a register.

    Parameters and members are those of :class:`~rtl.base.Unit`, for a
    :class:`~hwsim.units.lut_table.LutTableUnit`.

    Timing: latency 1, interval 1; the input stalls while a result is not taken.

    Numerics: integers are exact, minifloats round once an addition, to nearest even.

    Cost drivers: row_count x lanes / table_lanes x 2**table_lanes adders.
    """

    spec: LutTableUnit

    def elaborate(self, platform: object) -> Module:
        m = Module()
        spec = self.spec
        m.submodules.tables = tables = Module()
        entries = []
        for table in range(spec.row_count * spec.tables):
            tables.submodules[f"table_{table}"] = sums = self.sum_table()
            first = table * spec.table_lanes
            m.d.comb += [
                sums.activations[lane].eq(self.i.payload.activations[first + lane])
                for lane in range(spec.table_lanes)
            ]
            entries.append(sums.entries.as_value())
        m.submodules.fold = fold = Fold(spec.result.bits)
        m.d.comb += [
            fold.i.payload.value.eq(Cat(entries)),
            fold.i.payload.last.eq(self.i.payload.last),
            fold.i.valid.eq(self.i.valid),
            self.i.ready.eq(fold.i.ready),
        ]
        wiring.connect(m, fold.o, wiring.flipped(self.o))
        return m

    def sum_table(self) -> SumTable:
        """Return one table."""
        return SumTable(self.adders(), self.spec.combinations)

    def adders(self) -> Adders:
        """Return the adders of entries."""
        return adders(self.spec.sums)
