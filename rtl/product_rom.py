"""Dot product with all products in a ROM; see :mod:`hwsim.units.product_rom`."""

from collections.abc import Sequence

from amaranth.hdl import Cat, Module, Value
from amaranth.lib import wiring

from hwsim.units.dyadic import Dyadic
from hwsim.units.product_rom import ProductRomUnit
from rtl.base import Unit
from rtl.blocks.adder_tree import signed_sum, tree_sum
from rtl.blocks.rom import look_up
from rtl.blocks.wire import wire


class ProductRom(Unit):
    """A ROM of magnitudes a lane, an adder tree and an accumulator.

    Parameters and members are those of :class:`~rtl.base.Unit`, for a
    :class:`~hwsim.units.product_rom.ProductRomUnit`. Above the sum, the result has the flags of
    the formats, the first lowest.

    Timing: latency 1, interval 1; the input stalls while a result is not taken.

    Numerics: exact; the sum wraps.

    Cost drivers: different magnitudes of one format x those of the other for the ROM; the span
    of the products for the tree.
    """

    spec: ProductRomUnit

    def elaborate(self, platform: object) -> Module:
        m = Module()
        beat = self.i.payload
        lanes = range(self.spec.lanes)
        m.submodules.rom = rom = Module()
        products = [self.product(rom, beat.activations[k], beat.weights[k], k) for k in lanes]
        m.submodules.tree = tree = Module()
        total = wire(tree, self.add(products), "total")
        flags = [self.flags(rom, beat.activations[k], beat.weights[k], k) for k in lanes]
        accumulator = self.accumulate(m, total, list(zip(*flags, strict=True)))
        wiring.connect(m, accumulator.o, wiring.flipped(self.o))
        return m

    def product(self, m: Module, activation: Value, weight: Value, k: int) -> tuple[Value, Value]:
        """Return magnitude and sign of the product of lane ``k``."""
        a, w = self.spec.operand_formats()
        a_rank, w_rank = (
            look_up(m, code, ranks(operand), f"{name}_rank_{k}")
            for code, operand, name in ((activation, a, "activation"), (weight, w, "weight"))
        )
        index, table = product_table(a_rank, levels(a), w_rank, levels(w))
        magnitude = wire(m, look_up(m, index, table, f"rom_{k}"), f"magnitude_{k}")
        negative = self.negative(m, activation, a, k) ^ self.negative(m, weight, w, k)
        return magnitude, wire(m, negative, f"negative_{k}")

    def flags(self, m: Module, activation: Value, weight: Value, k: int) -> list[Value]:
        """Return the flags of the product of lane ``k``."""
        return [
            look_up(m, Cat(activation, weight), self.spec.flag_table(name), f"{name}_{k}")
            for name in self.spec.result.flags
        ]

    def negative(self, m: Module, code: Value, operand: Dyadic, k: int) -> Value:
        """Return whether an operand is negative."""
        return look_up(m, code, [int(value < 0) for value in operand.integers], f"sign_{k}")

    def add(self, terms: Sequence[tuple[Value, Value]]) -> Value:
        """Return the sum of the products, given as magnitude and sign."""
        if any(value < 0 for operand in self.spec.operand_formats() for value in operand.integers):
            return signed_sum(terms)
        return tree_sum([magnitude for magnitude, _ in terms])


def levels(operand: Dyadic) -> list[int]:
    """Return the different magnitudes of an operand, ascending."""
    return sorted({abs(value) for value in operand.integers})


def ranks(operand: Dyadic) -> list[int]:
    """Return by code the position of its magnitude among the levels."""
    known = levels(operand)
    return [known.index(abs(value)) for value in operand.integers]


def product_table(
    a_rank: Value, a_levels: Sequence[int], w_rank: Value, w_levels: Sequence[int]
) -> tuple[Value, list[int]]:
    """Return an index made of two ranks, and the table of products that it belongs to.

    The index takes bits of both in turn, which makes the smallest diagrams. Entries of ranks that
    do not occur are 0.
    """
    bits = sorted(
        [(place, 0) for place in range(len(a_rank))] + [(place, 1) for place in range(len(w_rank))]
    )
    index = Cat((a_rank, w_rank)[operand][place] for place, operand in bits)
    table = []
    for entry in range(1 << len(bits)):
        chosen = [0, 0]
        for position, (place, operand) in enumerate(bits):
            chosen[operand] |= (entry >> position & 1) << place
        known = chosen[0] < len(a_levels) and chosen[1] < len(w_levels)
        table.append(a_levels[chosen[0]] * w_levels[chosen[1]] if known else 0)
    return index, table
