"""Groups of elements under one real scale, ``int4_g128``, or a scale and a zero point.

``<element>_g<size>`` is symmetric. Its scale is chosen by the element's rule
(:mod:`hwsim.formats.scaling`): as a rule it maps the largest magnitude of the group to the largest
element value, and is the power of two with the least error for tapered and for very narrow
elements. ``intN_gM`` always takes the maximum, as the practice has it; the other rule is an
option. ``int<n>_asym_g<size>`` is asymmetric: the range from the smallest to the
largest value, widened to hold 0, is cut into 2**n - 1 steps, and an integer zero point of n bits
says which code stands for 0.

In hardware a scale is one multiplication per group and output. A zero point is the sum of the
group's activations besides, subtracted once: sum a*(q - z) = sum a*q - z * sum a.

Source: the practice of weight-only quantisation (GPTQ, arXiv 2210.17323; AWQ, arXiv 2306.00978).
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from hwsim.errors import InputError
from hwsim.formats import fast
from hwsim.formats.arithmetic import (
    Floats,
    each_quotient,
    encode_quotients,
    encode_scale,
    exact_quotient,
    exact_sum,
    extremes,
    largest_magnitude,
)
from hwsim.formats.base import Codes, Float64, Format, Rounding, Stochastic
from hwsim.formats.block import BlockFormat, Blocks, Encoded, QuantizedTensor, map_chunks
from hwsim.formats.integer import Integer
from hwsim.formats.minifloat import NAMED
from hwsim.formats.scaling import ScaleRule, least_error_scales, parse_scale_rule

NAMES = ("int4_g128", "int8_g128", "e2m1_g32", "e4m3_g128", "int4_asym_g128")


@dataclass(frozen=True)
class GroupScale(BlockFormat):
    """Elements under a symmetric group scale, ``<element>_g<size>``.

    An all-zero group has scale code 0 and element codes of zero. NaN and infinity are refused.

    Parameters
    ----------
    element
        Format of the elements.
    size
        Group size, at least 1.
    scale
        Format of the scale; fp16 as in weight-only quantisation of language models. Rounded to
        nearest even; one that overflows is refused, one that underflows becomes the smallest.
    partial
        ``error`` refuses an axis that ``size`` does not divide; ``pad`` fills its last group with
        zeros, which are dropped again by ``dequantize``.
    scale_rule
        ``maximum`` or ``least_error``. By default ``maximum`` for intN and uintN, and for other
        elements their own, :attr:`hwsim.formats.base.Format.scale_rule`.
    """

    OPTIONS: ClassVar[tuple[str, ...]] = ("scale", "partial", "scale_rule")

    element: Format
    size: int
    scale: Format = NAMED["fp16"]
    partial: str = "error"
    scale_rule: ScaleRule | None = None

    def __post_init__(self) -> None:
        self._check_fields()
        if not 0 < self._top < np.inf:
            raise InputError(f"{self.element.name} has no value to scale to")
        rule = self.scale_rule or self.default_scale_rule
        object.__setattr__(self, "scale_rule", parse_scale_rule(rule))

    @property
    def _top(self) -> float:
        """What the largest magnitude is mapped to; int1 has no positive value."""
        return self.element.max or -self.element.min

    @property
    def default_scale_rule(self) -> ScaleRule:
        """The rule that is no part of the name."""
        if isinstance(self.element, Integer) and not self.element.symmetric:
            return ScaleRule.MAXIMUM
        return self.element.scale_rule

    @property
    def base_name(self) -> str:
        return f"{self.element.name}_g{self.size}"

    @property
    def family(self) -> str:
        return "group"

    def _encode(self, blocks: Blocks, rounding: Rounding | Stochastic) -> Encoded:
        self._check_finite(blocks)
        if self.scale_rule is ScaleRule.LEAST_ERROR:
            ideal = map_chunks(self._least_error_scales, blocks)
        else:
            ideal = self.ideal_scales(largest_magnitude(blocks))
        scales = encode_scale(self.scale, ideal)
        divisors = self.scale.decode(scales)
        return Encoded(encode_quotients(self.element, blocks, divisors, rounding), scales, {})

    def ideal_scales(self, largest: Float64) -> Float64:
        """Return the scales of groups with these largest magnitudes, by the rule ``maximum``."""
        return exact_quotient(largest, np.array(self._top))

    def _least_error_scales(self, blocks: Blocks) -> Float64:
        # numba has no float16.
        kind = np.promote_types(blocks.dtype, np.float32)
        return least_error_scales(self.element, np.ascontiguousarray(blocks, kind))


@dataclass(frozen=True)
class GroupZeroPoint(BlockFormat):
    """Unsigned codes under a group scale and an integer zero point, ``int<n>_asym_g<size>``.

    With low = min(group, 0) and high = max(group, 0): scale = (high - low) / (2**n - 1), rounded
    to its format; zero point z = round(-low / scale); code = clip(round(x / scale) + z, 0,
    2**n - 1); value = (code - z) * scale. The quotient -low / scale is rounded to nearest even,
    x / scale as asked; all three are rounded once, from the real quotients.
    ``metadata["zero_points"]`` holds z, ``element.bits`` each.

    Parameters
    ----------
    element
        An unsigned integer format.
    size, scale, partial
        As for :class:`GroupScale`.
    """

    OPTIONS: ClassVar[tuple[str, ...]] = ("scale", "partial")

    element: Integer
    size: int
    scale: Format = NAMED["fp16"]
    partial: str = "error"

    def __post_init__(self) -> None:
        self._check_fields()
        if self.element.signed or self.element.width > 16:
            raise InputError(f"element must be uint1 to uint16, not {self.element.name}")

    @property
    def base_name(self) -> str:
        return f"int{self.element.bits}_asym_g{self.size}"

    @property
    def family(self) -> str:
        return "group"

    @property
    def metadata_bits(self) -> dict[str, int]:
        return {"zero_points": self.element.bits}

    def decode(self, tensor: QuantizedTensor) -> Float64:
        values = self.element.decode(tensor.codes)
        values -= self.element.decode(tensor.metadata["zero_points"])[..., np.newaxis]
        values *= self.scale.decode(tensor.scales)[..., np.newaxis]
        return values

    def _encode(self, blocks: Blocks, rounding: Rounding | Stochastic) -> Encoded:
        self._check_finite(blocks)
        scales, divisors, zeros = self.scales_of(*extremes(blocks))
        codes = np.empty(blocks.shape, self.element.code_dtype)
        flat, offsets = codes.reshape(-1, self.size), zeros.reshape(-1)
        compiled = rounding is Rounding.NEAREST_EVEN and fast.pays(blocks.size)
        for quotients in each_quotient(blocks, divisors, rounding):
            # Of rounded to odd, 24 bits are kept, and the half of 18 is looked at.
            odd = quotients.odd() if compiled else None
            x = quotients.exact() if odd is None else odd
            zeros_of = offsets[quotients.part]
            shifted = (
                self._shift_compiled(x, zeros_of)
                if compiled
                else self._shift(x, zeros_of, rounding)
            )
            flat[quotients.part] = shifted.reshape(-1, self.size)
        return Encoded(codes, scales, {"zero_points": zeros})

    def scales_of(self, low: Float64, high: Float64) -> tuple[Codes, Float64, Codes]:
        """Return scale codes, scales and zero points of blocks from -low to high."""
        span, tail = exact_sum(high, low)
        top = np.array(self.element.max)
        scales = encode_scale(self.scale, exact_quotient(span, top, tail=tail))
        divisors = self.scale.decode(scales)
        return scales, divisors, self.element.encode(exact_quotient(low, divisors))

    def _shift(self, x: Floats, zeros: Codes, rounding: Rounding | Stochastic) -> Codes:
        """Return the codes of flat quotients of blocks with these zero points."""
        steps = Integer(self.element.width + 2)
        rounded = steps.quantize(x.reshape(-1, self.size), rounding)
        return self.element.encode(rounded + zeros[:, np.newaxis])

    def _shift_compiled(self, x: Floats, zeros: Codes) -> Codes:
        kind = x.dtype.type
        shift = fast.Loop(
            "shifted_linear",
            (zeros.astype(kind), self.size, kind(self.element.max)),
            self.element.code_dtype,
        )
        return shift.encode(x)


def parse(name: str, parse_scalar: Callable[[str], Format]) -> BlockFormat | None:
    """Return the format called ``<element>_g<size>`` or ``int<n>_asym_g<size>``, else None."""
    asymmetric = re.fullmatch(r"int(\d+)_asym_g(\d+)", name)
    if asymmetric:
        return GroupZeroPoint(Integer(int(asymmetric[1]), signed=False), int(asymmetric[2]))
    match = re.fullmatch(r"(.+)_g(\d+)", name)
    return GroupScale(parse_scalar(match[1]), int(match[2])) if match else None
