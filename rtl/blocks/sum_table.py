"""All sums of few activations, combinationally; see :mod:`hwsim.units.sum_table`."""

from collections.abc import Sequence

from amaranth.hdl import C, Module, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from hwsim.units.sum_table import Combination, first_digit, negative
from rtl.base import code_shape
from rtl.blocks.sums import Adders


class SumTable(wiring.Component):
    """One adder a combination of digits, in a tree, so that every prefix is shared.

    Parameters
    ----------
    adders : Adders
        The arithmetic.
    combinations : Sequence[Combination]
        The digits, -1, 0 or 1, of every entry; all of as many lanes.

    Members
    -------
    activations : In(ArrayLayout(activation, lanes))
        Codes of the activations.
    entries : Out(ArrayLayout(entry, combinations))
        The sums, in the order of ``combinations``.

    Cost drivers: one adder an entry and one an inner node of the tree; for a combination whose
    first digit is negative a negation instead.
    """

    def __init__(self, adders: Adders, combinations: Sequence[Combination]) -> None:
        self.adders = adders
        self.combinations = combinations
        lanes = len(combinations[0])
        activation = code_shape(adders.sums.activation)
        super().__init__(
            {
                "activations": In(data.ArrayLayout(activation, lanes)),
                "entries": Out(data.ArrayLayout(adders.entry_shape(lanes), len(combinations))),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        lanes = len(self.combinations[0])
        self.operands = [
            self.adders.operand(m, self.activations[k], f"activation_{k}") for k in range(lanes)
        ]
        self.known: dict[Combination, Value] = {}
        m.d.comb += [
            self.entries[k].eq(self.entry(m, combination))
            for k, combination in enumerate(self.combinations)
        ]
        return m

    def entry(self, m: Module, combination: Combination) -> Value:
        """Return the sum of the first lanes by ``combination``."""
        if combination not in self.known:
            self.known[combination] = self.compute(m, combination)
        return self.known[combination]

    def compute(self, m: Module, combination: Combination) -> Value:
        name = "sum_" + "".join("m0p"[digit + 1] for digit in combination)
        if first_digit(combination) < 0:
            # In the shape of all entries, which holds the negative of each.
            opposite = Signal(self.entries.shape().elem_shape, name=f"opposite_of_{name}")
            m.d.comb += opposite.eq(self.entry(m, negative(combination)))
            return self.adders.negate(m, opposite, C(1, 1), name)
        if not any(combination):
            return self.adders.zero()
        *prefix, digit = combination
        if not digit:
            return self.entry(m, tuple(prefix))
        lane = len(prefix)
        if not any(prefix):
            return self.adders.start(m, self.activations[lane], self.operands[lane], name)
        return self.adders.add(
            m, self.entry(m, tuple(prefix)), self.operands[lane], digit < 0, name
        )
