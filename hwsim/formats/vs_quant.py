"""VS-Quant: integer scales of short vectors under one scale per channel, ``int4_vs_g16``.

A real scale for every 16 elements would cost a bit per element and a wide multiplier. Here the
scales of a channel are themselves quantised to 8-bit integers under one real scale, so the
hardware multiplies each vector's dot product by a small integer and scales once per channel:

    s = amax(vector) / max element                      real, not stored
    q = x / s, rounded to the element
    channel scale  c = max(s) / max vector scale        rounded to its format
    vector scale   v = s / c, rounded to nearest even, 0..255
    value          q * v * c

Elements are coded with the unrounded s, as in the paper. A channel is the whole
extent of the quantised axis.

Sources: Dai et al., VS-Quant, MLSys 2021, arXiv 2102.04503; BitMoD (arXiv 2411.11745, section
III-C) stores its group scales the same way.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from hwsim.errors import InputError
from hwsim.formats.arithmetic import (
    encode_quotients,
    encode_scale,
    exact_product,
    exact_quotient,
    largest_magnitude,
)
from hwsim.formats.base import Float64, Format, Rounding, Stochastic
from hwsim.formats.block import BlockFormat, Blocks, Encoded, QuantizedTensor
from hwsim.formats.integer import Integer
from hwsim.formats.minifloat import NAMED

NAMES = ("int4_vs_g16", "int8_vs_g16")

UINT8 = Integer(8, signed=False)


@dataclass(frozen=True)
class VectorScale(BlockFormat):
    """Elements under unsigned integer scales under a scale per channel, ``<element>_vs_g<size>``.

    A vector whose scale rounds to 0 is lost: its values are 0. NaN and infinity are refused.
    ``metadata["channel_scales"]`` holds a code per channel, shape (...).

    Parameters
    ----------
    element
        Format of the elements; its largest value must be positive.
    size
        Vector size, at least 1.
    scale
        Format of the vector scales, an unsigned integer: uint8, or uint6, uint4 as in the paper.
    channel_scale
        Format of the channel scales.
    partial
        ``error`` or ``pad``, as for a group scale.
    """

    OPTIONS: ClassVar[tuple[str, ...]] = ("scale", "channel_scale", "partial")

    element: Format
    size: int
    scale: Format = UINT8
    channel_scale: Format = NAMED["fp32"]
    partial: str = "error"

    def __post_init__(self) -> None:
        self._check_fields()
        if not 0 < self.element.max < np.inf:
            raise InputError(f"{self.element.name} has no positive value to scale to")
        if not isinstance(self.scale, Integer) or self.scale.signed:
            raise InputError(f"scale must be an unsigned integer, not {self.scale.name}")

    @property
    def base_name(self) -> str:
        return f"{self.element.name}_vs_g{self.size}"

    @property
    def family(self) -> str:
        return "vs_quant"

    @property
    def metadata_bits(self) -> dict[str, int]:
        return {"channel_scales": self.channel_scale.bits}

    @property
    def bits_per_element(self) -> float:
        return self.element.bits + self.scale.bits / self.size

    def decode(self, tensor: QuantizedTensor) -> Float64:
        values = super().decode(tensor)
        channel = self.channel_scale.decode(tensor.metadata["channel_scales"])
        values *= channel[..., np.newaxis, np.newaxis]
        return values

    def _encode(self, blocks: Blocks, rounding: Rounding | Stochastic) -> Encoded:
        self._check_finite(blocks)
        top = self.element.max
        largest = largest_magnitude(blocks)
        unit, unit_tail = exact_product(np.array(top), np.array(self.scale.max))
        ideal = exact_quotient(largest.max(axis=-1, initial=0.0), unit, divisor_tail=unit_tail)
        channel_codes = encode_scale(self.channel_scale, ideal)
        channel = self.channel_scale.decode(channel_codes)[..., np.newaxis]
        codes = encode_quotients(self.element, blocks, largest, rounding, factor=top)
        step, step_tail = exact_product(channel, np.array(top))
        scales = self.scale.encode(exact_quotient(largest, step, divisor_tail=step_tail))
        return Encoded(codes, scales, {"channel_scales": channel_codes})


def parse(name: str, parse_scalar: Callable[[str], Format]) -> BlockFormat | None:
    """Return the format called ``<element>_vs_g<size>``, or None if the name is another."""
    match = re.fullmatch(r"(.+)_vs_g(\d+)", name)
    return VectorScale(parse_scalar(match[1]), int(match[2])) if match else None
