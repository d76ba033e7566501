"""Group-quantised dot product without multipliers: shift and add, scale after the group's sum.

A weight of few bits times an activation is the sum of the activation shifted to each set bit of
the weight, the sign bit counting negatively: an AND row a bit, and no recoding. The group's scale
and zero point do not enter the loop over its elements. With q the weights and a the activations,

    sum over groups of  scale * (sum(a * q) - zero_point * sum(a)),

so a lane holds integers only, and one multiplication by the zero point and one by the scale serve
a whole group. They are metadata of scope ``group``, read in the group's last beat. Cost: one more
adder tree for sum(a), and a multiplier whose inputs are as wide as a group's sum.

Integer activations give an integer sum of groups. Those of a minifloat are aligned to its smallest
subnormal first, so a group's sum is exact fixed point; so is the sum of groups scaled by a
minifloat. Nothing is rounded. The price is width: 2**exponent bits of each minifloat.

NaN and infinity set sticky flags. ``nan``: a NaN among activations or scales, an infinite scale,
or an infinite activation, as infinity - zero_point * infinity is NaN. A unit has the flag only if
one of its formats can raise it.

A tensor's group scales are taken as they are if ``scale`` is their format. Otherwise the largest of
an output's weights becomes the largest value of ``scale``, and the others follow, rounded to
nearest even, under one factor an output that is applied outside.

The accumulator of a group cannot overflow. That of the groups wraps; ``safe_beats`` says when.

Source: Zhang et al., MixPE, arXiv:2411.16158 (dequantisation after the group's sum, shift and
add); the alignment of floating-point activations is ours.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from hwsim.errors import InputError
from hwsim.formats.base import Codes, Format, Kind
from hwsim.formats.block import BlockFormat
from hwsim.formats.group import GroupScale, GroupZeroPoint
from hwsim.formats.integer import Integer
from hwsim.formats.minifloat import Minifloat
from hwsim.units import accumulator, layers
from hwsim.units.base import Timing, UnitSpec
from hwsim.units.configurations import Configurations, dots
from hwsim.units.integer import require_integer
from hwsim.units.layers import GROUP, Matrix, Rows
from hwsim.units.metadata import Metadata, Operand, Scope, group_ends
from hwsim.units.result import Integers, Result

DEFAULT_SCALE = Integer(8, signed=False)

#: Weights of more bits are better served by multipliers.
MAX_WEIGHT_BITS = 8


@dataclass(frozen=True, kw_only=True)
class ShiftAddUnit(UnitSpec):
    """Dot product of low-bit weights with a zero point and a scale a group, exact.

    Parameters
    ----------
    lanes
        See :class:`~hwsim.units.base.UnitSpec`.
    weight
        Groups of integers of up to 8 bits, with a zero point or without, such as
        ``int4_asym_g128`` or ``int4_g128``, or their elements alone: ``int4`` is without a zero
        point then, ``uint4`` with one. The zero point has the format of the weights.
    activation, scale
        Integers or minifloats.
    group_size
        Elements of a group, a multiple of ``lanes``. A dot product that is no multiple of it ends
        with a shorter group.
    accumulator_bits
        Width of the sum of scaled groups, from what holds a scaled product to 1024. It wraps;
        :attr:`safe_beats` says from when. The default is 32, or what 256 groups need if that is
        more.
    """

    family: ClassVar[str] = "shift_add"
    generator: ClassVar[str] = "rtl.shift_add:ShiftAdd"

    scale: Format = DEFAULT_SCALE
    group_size: int = 128
    accumulator_bits: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if require_integer("weight", self.weight, self.family).bits > MAX_WEIGHT_BITS:
            raise InputError(
                f"weight={self.weight.name}: shift_add takes integers of up to {MAX_WEIGHT_BITS} "
                "bits"
            )
        if self.group_size < 1 or self.group_size % self.lanes:
            raise InputError(
                f"group_size={self.group_size} must be a positive multiple of lanes={self.lanes}"
            )
        for name, fmt in (("activation", self.activation), ("scale", self.scale)):
            if not isinstance(fmt, Integer | Minifloat):
                raise InputError(f"{name}={fmt.name}: shift_add takes integers and minifloats")
        if self.accumulator_bits is None:
            object.__setattr__(self, "accumulator_bits", self._default("accumulator_bits"))
        assert self.accumulator_bits is not None
        accumulator.check_bits(
            self.accumulator_bits, self.largest_group // self.group_size, "a scaled product"
        )

    @property
    def metadata(self) -> tuple[Metadata, ...]:
        return (
            Metadata("zero_point", self.weight, Scope.GROUP, operand=Operand.WEIGHT),
            Metadata("scale", self.scale, Scope.GROUP, operand=Operand.WEIGHT),
        )

    def _holding(self, operand: str, fmt: Format | BlockFormat) -> dict[str, Any]:
        if operand == "weight" and isinstance(fmt, GroupZeroPoint | GroupScale):
            require_integer("weight", fmt.element, self.family)
            return {"weight": fmt.element, "group_size": fmt.size}
        return super()._holding(operand, fmt)

    def weight_quantiser(self, group: int = GROUP) -> BlockFormat:
        if isinstance(self.weight_tensor, BlockFormat):
            return self.weight_tensor
        weight = require_integer("weight", self.weight, self.family)
        return (GroupScale if weight.signed else GroupZeroPoint)(weight, self.group_size)

    def bits_per_element(self, operand: str, group: int | None = None) -> float | None:
        if operand != "weight":
            return super().bits_per_element(operand, group)
        fmt = self.weight_quantiser()
        # The scale is the unit's, not the format's.
        return fmt.bits_per_element - (fmt.scale.bits - self.scale.bits) / fmt.size

    def _dot_length(self, activations: Matrix, weights: Matrix) -> int:
        return layers.whole_row(self.family, activations, weights)

    def _weight_rows(self, matrix: Matrix, length: int) -> Rows:
        codes = matrix.codes.reshape(len(matrix.codes), -1)
        if self.scale == matrix.format.scale:
            scales, factor = matrix.tensor.scales, np.ones(len(codes))
        else:
            scales, factor = layers.short_scales(self.scale, matrix.scales)
        zero_points = matrix.tensor.metadata.get("zero_points")
        if zero_points is None:
            zero_points = np.zeros(scales.shape, self.weight.code_dtype)
        return Rows(
            layers.split(codes, length, self.lanes, 0),
            (factor * matrix.factor)[:, np.newaxis],
            {"scale": scales[:, np.newaxis], "zero_point": zero_points[:, np.newaxis]},
        )

    @property
    def group_beats(self) -> int:
        return self.group_size // self.lanes

    @property
    def largest_group(self) -> int:
        """Bound on the magnitude of a scaled group, in units of the result."""
        w = require_integer("weight", self.weight, self.family)
        return self.group_size * (w.high - w.low) * _largest(self.activation) * _largest(self.scale)

    def _default(self, key: str) -> Any:
        if key != "accumulator_bits":
            return super()._default(key)
        return accumulator.default_bits(self.largest_group)

    @property
    def result(self) -> Result:
        assert self.accumulator_bits is not None
        exponent = lowest_exponent(self.activation) + lowest_exponent(self.scale)
        special = self.activation.has_nan or self.scale.has_nan
        return Result(self.accumulator_bits, exponent, ("nan",) if special else ())

    @property
    def safe_beats(self) -> int:
        return accumulator.safe_beats(self.result.width, self.largest_group // self.group_beats)

    def _timing(self) -> Timing:
        return Timing(latency=1, interval=1)

    def _dot(self, activations: Codes, weights: Codes, metadata: Mapping[str, Codes]) -> Integers:
        weight = require_integer("weight", self.weight, self.family)
        a = _aligned(self.activation, activations)
        w = weight.to_int(weights).astype(object)
        ends = group_ends(a.shape[-1] // self.lanes, self.group_beats)
        starts = np.concatenate([[0], (ends[:-1] + 1) * self.lanes])
        products = np.add.reduceat(a * w, starts, axis=-1)
        sums = np.add.reduceat(a, starts, axis=-1)
        zero_points = weight.to_int(metadata["zero_point"]).astype(object)
        scaled = _aligned(self.scale, metadata["scale"]) * (products - zero_points * sums)
        nan = _special(self.activation, activations) | _special(self.scale, metadata["scale"])
        return self.result.pack(
            np.asarray(scaled.sum(axis=-1), object), {"nan": nan} if self.result.flags else {}
        )

    configurations: ClassVar[Configurations] = (
        {"lanes": 16, "weight": "int4", "activation": "int8"},
        {"lanes": 4, "weight": "uint4", "activation": "int8", "group_size": 16},
        {"lanes": 4, "weight": "int4", "activation": "fp16", "scale": "fp16", "group_size": 16},
        {"lanes": 2, "weight": "uint4", "activation": "fp16", "scale": "int8", "group_size": 8},
        {"lanes": 3, "weight": "int3", "activation": "uint5", "scale": "e4m3", "group_size": 3},
        {"lanes": 1, "weight": "uint1", "activation": "int1", "group_size": 1},
        {"lanes": 1, "weight": "int1", "activation": "e5m2", "group_size": 5},
        {"lanes": 2, "weight": "int4", "activation": "int4", "scale": "int4", "group_size": 4,
         "accumulator_bits": 14},
        {"lanes": 2, "weight": "int4", "activation": "int4", "scale": "int4", "group_size": 4,
         "accumulator_bits": 11},
        {"lanes": 32, "weight": "int4", "activation": "fp16", "group_size": 32},
    )  # fmt: skip
    fitting: ClassVar[Configurations] = (
        *dots((1, "int4", "int4"), (2, "int3", "int4"), scale="int4", group_size=4),
        *dots((2, "uint3", "uint5"), (4, "int2", "int4"), scale="e2m1", group_size=8),
    )  # fmt: skip


def lowest_exponent(fmt: Format) -> int:
    """Return the exponent of an operand's lowest bit in fixed point."""
    return fmt.subnormal_exponent if isinstance(fmt, Minifloat) else 0


def _largest(fmt: Format) -> int:
    """Return the largest magnitude in units of the lowest bit."""
    if isinstance(fmt, Minifloat):
        _, _, significand, exponent = fmt.unpack(fmt.max_code)
        return int(significand) << (int(exponent) - fmt.subnormal_exponent)
    return int(max(fmt.max, -fmt.min))


def _aligned(fmt: Format, codes: Codes) -> Integers:
    """Return the values of ``codes`` as Python integers, in units of the lowest bit."""
    _, sign, significand, exponent = fmt.unpack(codes)
    shift = np.where(significand, exponent - lowest_exponent(fmt), 0)
    magnitude = significand.astype(object) << shift.astype(object)
    return np.asarray(np.where(sign, -magnitude, magnitude), object)


def _special(fmt: Format, codes: Codes) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """Return for every dot product whether a code is NaN or infinite."""
    kind = fmt.unpack(codes).kind
    return np.asarray(((kind == Kind.NAN) | (kind == Kind.INFINITY)).any(axis=-1))
