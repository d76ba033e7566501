"""Bit-parallel integer dot product: multipliers, an adder tree, an accumulator.

The baseline of the field. Each lane has a full multiplier, an array of weight x activation AND
gates and adders; a balanced tree sums the lanes, and one adder accumulates. One beat a cycle.
Area grows with lanes x weight bits x activation bits; the accumulator is paid once for all lanes.
That is ``adders=operators``; with ``adders=merged``, the default, one tree over all partial
products takes the place of multipliers, tree and accumulator.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from hwsim.errors import InputError
from hwsim.formats.base import Codes, Format
from hwsim.formats.integer import Integer
from hwsim.units import accumulator
from hwsim.units.adders import MergedSum
from hwsim.units.base import Timing, UnitSpec
from hwsim.units.configurations import Configurations, dots
from hwsim.units.result import Integers, Result, exact_sums


def require_integer(parameter: str, fmt: Format, family: str) -> Integer:
    """Return ``fmt`` as an integer format, or raise InputError naming the parameter."""
    if not isinstance(fmt, Integer):
        raise InputError(f"{parameter}={fmt.name}: {family} takes integer formats, intN or uintN")
    return fmt


@dataclass(frozen=True, kw_only=True)
class IntegerSum(UnitSpec):
    """Dot product of integers, exact modulo 2**accumulator_bits: what all units of it share.

    Parameters
    ----------
    lanes
        See :class:`~hwsim.units.base.UnitSpec`.
    weight, activation
        See :class:`~hwsim.units.base.UnitSpec`; both formats are integers of 1 to 32 bits.
    accumulator_bits
        Width of the two's complement accumulator, from what holds a product to 1024. It wraps;
        :attr:`safe_beats` says from when, and is 0 where one beat can wrap. The default is 32, or
        what 256 beats need if that is more.
    """

    accumulator_bits: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.accumulator_bits is None:
            object.__setattr__(self, "accumulator_bits", self._default("accumulator_bits"))
        assert self.accumulator_bits is not None
        accumulator.check_bits(
            self.accumulator_bits,
            self.largest_beat // self.lanes,
            f"a product of {self.weight.name} and {self.activation.name}",
        )

    @property
    def largest_beat(self) -> int:
        """The largest magnitude that the sum of one beat can have."""
        w = require_integer("weight", self.weight, self.family)
        a = require_integer("activation", self.activation, self.family)
        return self.lanes * max(abs(p * q) for p in (w.low, w.high) for q in (a.low, a.high))

    def _default(self, key: str) -> Any:
        if key != "accumulator_bits":
            return super()._default(key)
        return accumulator.default_bits(self.largest_beat)

    @property
    def result(self) -> Result:
        assert self.accumulator_bits is not None
        return Result(self.accumulator_bits)

    @property
    def safe_beats(self) -> int:
        return accumulator.safe_beats(self.result.width, self.largest_beat)

    @property
    def lanes_decide(self) -> bool:
        return False

    def _timing(self) -> Timing:
        return Timing(latency=1, interval=1)

    def _dot(self, activations: Codes, weights: Codes, metadata: Mapping[str, Codes]) -> Integers:
        a = require_integer("activation", self.activation, self.family).to_int(activations)
        w = require_integer("weight", self.weight, self.family).to_int(weights)
        bits = self.activation.bits + self.weight.bits
        products = a * w if bits < 63 else a.astype(object) * w.astype(object)
        return self.result.pack(exact_sums(products, bits))


@dataclass(frozen=True, kw_only=True)
class IntegerUnit(IntegerSum, MergedSum):
    """Bit-parallel dot product of integers.

    Parameters
    ----------
    lanes, weight, activation, accumulator_bits
        See :class:`~hwsim.units.integer.IntegerSum`.
    adders, state
        See :class:`~hwsim.units.adders.MergedSum`. Products enter the tree as partial products.
    """

    family: ClassVar[str] = "integer"
    generator: ClassVar[str] = "rtl.integer:Integer"

    configurations: ClassVar[Configurations] = (
        {"lanes": 16, "weight": "int8", "activation": "int8"},
        {"lanes": 16, "weight": "int4", "activation": "int8"},
        {"lanes": 3, "weight": "int2", "activation": "uint8"},
        {"lanes": 1, "weight": "uint1", "activation": "int1"},
        {"lanes": 1, "weight": "uint5", "activation": "uint6"},
        {"lanes": 7, "weight": "int16", "activation": "int16"},
        {"lanes": 2, "weight": "int32", "activation": "uint32"},
        *dots((64, "int8", "int8"), (3, "uint7", "int4"), (1, "int8", "uint8"), adders="operators"),
        *dots((3, "int3", "int2"), (1, "int1", "int1"), adders="operators", accumulator_bits=6),
        *dots((16, "int8", "int8"), (3, "int2", "uint8"), (1, "uint5", "uint6"),
              state="carry_save"),
        *dots((5, "int4", "int4"), state="carry_save", accumulator_bits=10),
        *dots((1, "int3", "uint1"), state="carry_save", accumulator_bits=90),
        {"lanes": 5, "weight": "int4", "activation": "int4", "accumulator_bits": 10},
        {"lanes": 2, "weight": "int16", "activation": "int16", "accumulator_bits": 32},
    )  # fmt: skip
    fitting: ClassVar[Configurations] = (
        *dots(
            (1, "int3", "int8"),
            (1, "int5", "int5"),
            (1, "int10", "int10"),
            (2, "int4", "uint8"),
            (3, "int8", "int8"),
            (6, "int4", "int6"),
            (8, "uint3", "uint4"),
            (12, "int3", "int3"),
            (16, "int2", "int6"),
        ),
        *dots((1, "int8", "int8"), (6, "int4", "int4"), state="carry_save"),
        *dots((1, "int8", "int4"), (4, "int4", "int8"), adders="operators"),
        *dots((2, "int8", "int8"), (8, "int4", "int4"), stages=3),
    )
