"""AFPQ: one scale for the positive and one for the negative elements, ``e2m1_afpq_g128``.

Where a group's values lean to one side, a symmetric scale wastes codes on the other. A zero point
would move a floating-point grid's dense part away from 0; two scales stretch its halves instead.
In hardware the products of positive and negative weights are accumulated apart, and scaled by a
multiplication each.

Source: Zhang et al., AFPQ, arXiv 2311.01792.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from hwsim.errors import InputError
from hwsim.formats import fast
from hwsim.formats.arithmetic import (
    encode_quotients,
    encode_scale,
    exact_quotient,
    extremes,
)
from hwsim.formats.base import Float64, Format, Rounding, Stochastic
from hwsim.formats.block import BlockFormat, Blocks, Encoded, QuantizedTensor
from hwsim.formats.minifloat import NAMED

NAMES = ("e2m1_afpq_g128",)


@dataclass(frozen=True)
class TwoScales(BlockFormat):
    """Elements under separate scales of the positive and the negative numbers of a group.

    The positive scale maps the largest number to the element's largest value, the negative scale
    the smallest number to its smallest value; a side without numbers has scale code 0. ``scales``
    are the positive ones, ``metadata["negative_scales"]`` the others. NaN and infinity are
    refused.

    Parameters
    ----------
    element
        Format of the elements, with values on both sides of 0 and 0 itself.
    size, scale, partial
        As for a group scale.
    """

    OPTIONS: ClassVar[tuple[str, ...]] = ("scale", "partial")

    element: Format
    size: int
    scale: Format = NAMED["fp16"]
    partial: str = "error"

    def __post_init__(self) -> None:
        self._check_fields()
        if not self.element.min < self.element.quantize(0.0) == 0 < self.element.max:
            raise InputError(f"{self.element.name} needs 0 and values on both sides of it")

    @property
    def base_name(self) -> str:
        return f"{self.element.name}_afpq_g{self.size}"

    @property
    def family(self) -> str:
        return "afpq"

    @property
    def metadata_bits(self) -> dict[str, int]:
        return {"negative_scales": self.scale.bits}

    def decode(self, tensor: QuantizedTensor) -> Float64:
        values = self.element.decode(tensor.codes)
        positive = self.scale.decode(tensor.scales)[..., np.newaxis]
        negative = self.scale.decode(tensor.metadata["negative_scales"])[..., np.newaxis]
        if not fast.pays(values.size):
            values *= np.where(values < 0, negative, positive)
            return values
        from hwsim.formats import quotients

        flat = values.reshape(-1)
        quotients.multiply(flat, positive.reshape(-1), negative.reshape(-1), values.shape[-1])
        return values

    def _encode(self, blocks: Blocks, rounding: Rounding | Stochastic) -> Encoded:
        self._check_finite(blocks)
        low, high = extremes(blocks)
        scales = encode_scale(self.scale, exact_quotient(high, np.array(self.element.max)))
        negative = encode_scale(self.scale, exact_quotient(low, np.array(-self.element.min)))
        codes = encode_quotients(
            self.element,
            blocks,
            self.scale.decode(scales),
            rounding,
            self.scale.decode(negative),
        )
        return Encoded(codes, scales, {"negative_scales": negative})


def parse(name: str, parse_scalar: Callable[[str], Format]) -> BlockFormat | None:
    """Return the format called ``<element>_afpq_g<size>``, or None if the name is another."""
    match = re.fullmatch(r"(.+)_afpq_g(\d+)", name)
    return TwoScales(parse_scalar(match[1]), int(match[2])) if match else None
