"""Exact dot product of tapered formats; see :mod:`hwsim.units.tapered`."""

from abc import abstractmethod
from dataclasses import dataclass

from amaranth.hdl import Module, Value
from amaranth.lib import wiring

from hwsim.units.result import Result
from hwsim.units.tapered import TaperedUnit
from rtl.base import Unit
from rtl.blocks.accumulator import Accumulator
from rtl.blocks.adder_tree import tree_sum
from rtl.blocks.wire import wire


@dataclass(frozen=True)
class Product:
    """A lane's exact product.

    Attributes
    ----------
    value
        Signed product of the significands.
    shift
        The product is ``value << shift`` in units of 2**-``surplus`` of the sum's.
    flags
        By name, those that the unit has.
    """

    value: Value
    shift: Value
    flags: dict[str, Value]


class Tapered(Unit):
    """Decoders, small multipliers, shifters, an adder tree and an exact accumulator.

    Parameters and members are those of :class:`~rtl.base.Unit`, for a
    :class:`~hwsim.units.tapered.TaperedUnit`. Above the sum, the result has the flags
    ``spec.flags``, the first lowest.

    Timing: latency 1, interval 1; the input stalls while a result is not taken.

    Numerics: nothing is rounded, the sum wraps modulo 2**accumulator_bits.

    Cost drivers: the range of products, twice that of the format, for shifters, tree and
    accumulator; lanes x decoder; lanes x significand bits squared.
    """

    spec: TaperedUnit

    @property
    def surplus(self) -> int:
        """Places by which products are shifted further than the sum's unit; they are always 0."""
        return 0

    def elaborate(self, platform: object) -> Module:
        m = Module()
        products = self.products(m)
        m.submodules.align = align = Module()
        placed = [
            wire(align, self.place(product), f"placed_{k}") for k, product in enumerate(products)
        ]
        m.submodules.tree = tree = Module()
        total = wire(tree, tree_sum(placed), "total")

        flags = [[product.flags[name] for product in products] for name in self.sum.flags]
        self.deliver(m, self.accumulate(m, total, flags))
        return m

    @property
    def sum(self) -> Result:
        return self.spec.exact_result

    def deliver(self, m: Module, accumulator: Accumulator) -> None:
        """Connect the accumulator to the output."""
        wiring.connect(m, accumulator.o, wiring.flipped(self.o))

    @abstractmethod
    def products(self, m: Module) -> list[Product]:
        """Return the products of all lanes."""

    def place(self, product: Product) -> Value:
        """Return the product in units of the sum."""
        shifted = product.value << product.shift
        # The shift amount's range is wider than the shifts that occur; drop what repeats the sign.
        return shifted[self.surplus : self.surplus + self.spec.product_bits + 1].as_signed()
