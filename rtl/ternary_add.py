"""Sign-flip adder for ternary weights; see :mod:`hwsim.units.ternary_add`."""

from collections.abc import Sequence
from typing import Any

from amaranth.hdl import Module, Value

from hwsim.units.ternary_add import TernaryAddUnit
from rtl.adder_tile import AdderTile, Column
from rtl.blocks.sums import FloatAdders


class TernaryAdd(AdderTile):
    """An AND row and an XOR row a lane, adders, and the accumulators.

    Parameters and members are those of :class:`~rtl.base.Unit`, for a
    :class:`~hwsim.units.ternary_add.TernaryAddUnit`.

    Timing: latency 1, interval 1; the input stalls while a result is not taken.

    Numerics: exact for integers; for minifloats one rounding a lane, nearest even, with subnormals,
    infinity and NaN.

    Cost drivers: elements x lanes x activation bits; for minifloats elements x lanes x accumulator
    mantissa, in area and delay.
    """

    spec: TernaryAddUnit

    def row(self, m: Module, activations: Sequence[Value], name: str) -> list[Any]:
        if not isinstance(self.adders, FloatAdders):
            return list(activations)
        return [self.adders.operand(m, a, f"{name}_{k}") for k, a in enumerate(activations)]

    def column(self, m: Module, weights: Sequence[Value], name: str) -> Column:
        negative = [self.negative(weight) for weight in weights]
        return Column(
            negative, [weight[0] for weight in weights], ones=self.ones(m, negative, name)
        )

    def negative(self, weight: Value) -> Value:
        """Return whether a weight is -1."""
        return weight[1]
