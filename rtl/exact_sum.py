"""Exact dot product in fixed point; see :mod:`hwsim.units.exact_sum`."""

from dataclasses import dataclass
from typing import NamedTuple

from amaranth.hdl import Module, Mux, Value
from amaranth.lib import stream, wiring

from hwsim.formats.minifloat import Minifloat
from hwsim.units.exact_sum import ExactSum as ExactSumSpec
from hwsim.units.result import Result
from rtl.base import Unit
from rtl.blocks.adder_tree import tree_sum
from rtl.blocks.columns import PLACED
from rtl.blocks.decode import decode, surplus
from rtl.blocks.minifloat import Decoded, product_flags
from rtl.blocks.wire import wire


@dataclass(frozen=True)
class Product:
    """A lane's exact product.

    Attributes
    ----------
    value
        Product of the significands, signed; with ``negative``, its magnitude.
    shift
        The product is ``value << shift`` in units of 2**-``surplus`` of the sum's.
    flags
        By name, those that the unit has.
    negative
        Whether what is shifted is to be negated after; None where it is signed before.
    """

    value: Value
    shift: Value
    flags: dict[str, Value]
    negative: Value | None = None


class Stages(NamedTuple):
    """Modules that the stages of all lanes are in."""

    decode: Module
    multiply: Module
    align: Module
    tree: Module


class ExactSum(Unit):
    """Decoders, small multipliers, shifters, an adder tree and an exact accumulator.

    Parameters and members are those of :class:`~rtl.base.Unit`, for an
    :class:`~hwsim.units.exact_sum.ExactSum`, whose formats choose the decoders. Above the sum, the
    result has the flags ``spec.flags``, the first lowest.

    Timing: latency 1, interval 1; the input stalls while a result is not taken.

    Numerics: nothing is rounded, the sum wraps modulo 2**accumulator_bits.

    Cost drivers: the range of products, twice that of the format, for shifters, tree and
    accumulator; lanes x decoder; lanes x significand bits squared.
    """

    spec: ExactSumSpec

    @property
    def surplus(self) -> int:
        """Places by which products are shifted further than the sum's unit; they are always 0."""
        return sum(map(surplus, self.spec.operand_formats()))

    @property
    def flush(self) -> bool:
        """Whether subnormals count as zeros."""
        return False

    def elaborate(self, platform: object) -> Module:
        m = Module()
        stages = self.stages(m)
        place = self.shift if self.spec.is_merged else self.place
        products, placed = [], []
        for k in range(self.spec.lanes):
            products.append(self.product(stages, k))
            placed.append(place(stages.align, products[k], k))

        flags = [[product.flags[name] for product in products] for name in self.sum.flags]
        if self.spec.is_merged:
            columns = self.columns(m)
            for product, value in zip(products, placed, strict=True):
                if product.negative is None:
                    columns.add(value, PLACED)
                else:
                    columns.add_signed(value, product.negative, PLACED)
            self.deliver(m, self.merge(m, columns, flags).o)
        else:
            total = self.leave(stages.tree, tree_sum(placed), "total")
            self.deliver(m, self.accumulate(m, total, flags).o)
        return m

    @property
    def is_flat(self) -> bool:
        """Whether all stages are in one module, as their decoders are next to nothing."""
        return isinstance(self.spec.activation, Minifloat)

    def leave(self, m: Module, value: Value, name: str) -> Value:
        """Return ``value`` as a signal if it leaves the module of its stage."""
        return value if self.is_flat else wire(m, value, name)

    def stages(self, m: Module) -> Stages:
        """Return the modules of the stages: submodules of ``m``, or ``m`` itself."""
        if self.is_flat:
            return Stages(m, m, m, m)
        stages = Stages(Module(), Module(), Module(), Module())
        for name, stage in stages._asdict().items():
            m.submodules[name] = stage
        return stages

    @property
    def sum(self) -> Result:
        return self.spec.exact_result

    def deliver(self, m: Module, total: stream.Interface) -> None:
        """Connect the accumulator's result to the output."""
        wiring.connect(m, total, wiring.flipped(self.o))

    def product(self, stages: Stages, lane: int) -> Product:
        """Return the product of a lane."""
        activation, weight = self.spec.operand_formats()
        x, y = self.i.payload.activations[lane], self.i.payload.weights[lane]
        a = decode(stages.decode, activation, x, f"activation_{lane}", self.flush)
        w = decode(stages.decode, weight, y, f"weight_{lane}", self.flush)
        return self.multiply(stages.multiply, a, w, lane)

    def multiply(self, m: Module, a: Decoded, w: Decoded, lane: int) -> Product:
        """Return the product of a lane.

        It is negated while it is narrow: a tree would take energy for every place that a wide one
        inverts. That of minifloats is negated once it is shifted where adders follow.
        """
        negative = self.leave(m, self.sign(a, w), f"negative_{lane}")
        value = self.leave(m, a.significand * w.significand, f"magnitude_{lane}")
        late = isinstance(self.spec.activation, Minifloat) and not self.spec.is_merged
        if not late:
            value = wire(m, Mux(negative, -value, value), f"product_{lane}")
        every = product_flags(a, w, negative)
        flags = {name: self.leave(m, every[name], f"{name}_{lane}") for name in self.spec.flags}
        shift = self.leave(m, a.shift + w.shift, f"shift_{lane}")
        return Product(value, shift, flags, negative if late else None)

    def sign(self, a: Decoded, w: Decoded) -> Value:
        """Return whether the product is negative."""
        return a.sign ^ w.sign

    def place(self, m: Module, product: Product, lane: int) -> Value:
        """Return the product in units of the sum."""
        shifted = self.shift(m, product, lane)
        if product.negative is None:
            return shifted
        return wire(m, Mux(product.negative, -shifted, shifted), f"placed_{lane}")

    def shift(self, m: Module, product: Product, lane: int) -> Value:
        """Return the product in units of the sum, its magnitude if it is negated after."""
        # The shift amount's range is wider than the shifts that occur; drop what stays 0 or
        # repeats the sign.
        shifted = product.value << product.shift
        end = self.surplus + self.spec.product_bits
        if product.negative is None:
            return wire(m, shifted[self.surplus : end + 1].as_signed(), f"placed_{lane}")
        return wire(m, shifted[self.surplus : end], f"magnitude_{lane}")
