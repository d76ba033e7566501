"""NVFP4 and NVINT4: 16 elements under an FP8 scale, all under one FP32 scale, ``nvfp4``.

A scale with a mantissa fits a block better than a power of two, at 8/16 = 0.5 bits per element
and one multiplication of two 4-bit significands per pair of blocks. E4M3 reaches from 2**-9 to
448 only, so the tensor has a scale of its own, which maps its largest magnitude to the largest
scale times the largest element:

    tensor scale  g = amax(tensor) / (max element * max scale), rounded to FP32
    block scale   s = amax(block) / (max element * g), rounded to E4M3, saturating
    element       q = x / (s * g), rounded to the element, saturating
    value         q * s * g

Every quotient is rounded once, from its real value; multiplying by a rounded reciprocal instead
moves ties. With ``levels=1``, g is 1 and not stored.

``nvint4`` has integers -7..7 in the place of E2M1 (arXiv 2510.25602).

Sources: NVIDIA cuBLAS documentation, 1D block scaling; arXiv 2509.25149 (NVFP4 training).
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np

from hwsim.errors import InputError, unknown
from hwsim.formats import fast
from hwsim.formats.arithmetic import (
    SLICE,
    encode_quotients,
    encode_scale,
    exact_product,
    exact_quotient,
    largest_magnitude,
    slices,
)
from hwsim.formats.base import Codes, Float64, Format, Rounding, Stochastic
from hwsim.formats.block import (
    BlockFormat,
    Blocks,
    Encoded,
    QuantizedTensor,
)
from hwsim.formats.fixed import FixedPoint
from hwsim.formats.minifloat import NAMED, Minifloat

#: Block size of both formats.
SIZE = 16
ELEMENTS: dict[str, Minifloat | FixedPoint] = {
    "nvfp4": NAMED["e2m1"],
    "nvint4": FixedPoint(4, 0, symmetric=True),
}
NAMES = tuple(ELEMENTS)

FP32 = NAMED["fp32"]
#: Under smaller tensor scales, midpoints times the scale reach the subnormal float32.
_SMALLEST_COMPILED = 2.0**-100


class Scales(NamedTuple):
    """Scale codes of blocks, what their elements are divided by (a sum of two), and metadata."""

    scales: Codes
    divisors: Float64
    tails: Float64
    metadata: dict[str, Codes]


@dataclass(frozen=True)
class TensorBlockScale(BlockFormat):
    """Elements under an FP8 block scale and an FP32 tensor scale.

    A block whose scale rounds to 0 has element codes of 0. A block that holds NaN or infinity has
    the scale NaN and element codes of 0, and does not count for the tensor scale. The tensor
    scale of zeros is 1; one that would underflow is the smallest subnormal. It is stored in
    ``metadata["tensor_scale"]``, an FP32 code of shape ().

    Parameters
    ----------
    base
        ``nvfp4`` or ``nvint4``.
    size
        Block size, at least 1.
    levels
        2, or 1 to leave out the tensor scale: block scales then saturate at the largest one.
    smallest_scale
        Block scales are raised to at least this, all-zero blocks included, before they are
        rounded; 0 raises none. Libraries differ: universal has 2**-9, torchao
        2**-6.
    scale
        Format of the block scale; it must have NaN if blocks hold any.
    partial
        ``error`` or ``pad``, as for a group scale.
    """

    OPTIONS: ClassVar[tuple[str, ...]] = ("levels", "smallest_scale", "scale", "partial")

    base: str = "nvfp4"
    size: int = SIZE
    levels: int = 2
    smallest_scale: float = 0.0
    scale: Format = NAMED["e4m3"]
    partial: str = "error"

    def __post_init__(self) -> None:
        self._check_fields()
        if self.base not in ELEMENTS:
            raise unknown("base", self.base, NAMES)
        if self.levels not in (1, 2):
            raise InputError(f"levels must be 1 or 2, not {self.levels!r}")
        if not 0 <= self.smallest_scale <= self.scale.max:
            raise InputError(
                f"smallest_scale must be 0 to {self.scale.max}, not {self.smallest_scale!r}"
            )

    @property
    def element(self) -> Minifloat | FixedPoint:
        """Format of the elements."""
        return ELEMENTS[self.base]

    @property
    def base_name(self) -> str:
        return self.base if self.size == SIZE else f"{self.base}_g{self.size}"

    @property
    def family(self) -> str:
        return "nvfp"

    @property
    def metadata_bits(self) -> dict[str, int]:
        return {"tensor_scale": FP32.bits} if self.levels == 2 else {}

    @property
    def bits_per_element(self) -> float:
        return self.element.bits + self.scale.bits / self.size

    @property
    def spans_tensor(self) -> bool:
        return self.levels == 2

    def tensor_factor(self, tensor: QuantizedTensor) -> float:
        if not self.spans_tensor:
            return 1.0
        return float(FP32.decode(tensor.metadata["tensor_scale"]))

    def decode(self, tensor: QuantizedTensor) -> Float64:
        values = super().decode(tensor)
        values *= self.tensor_factor(tensor)
        return values

    def _encode(self, blocks: Blocks, rounding: Rounding | Stochastic) -> Encoded:
        compiled = (
            blocks.dtype.itemsize <= 4
            and fast.pays(blocks.size)
            and rounding is Rounding.NEAREST_EVEN
            and self.element == NAMED["e2m1"]
            and self.scale == NAMED["e4m3"]
            and self.size % 16 == 0
        )
        return self._encode_compiled(blocks) if compiled else self._encode_exact(blocks, rounding)

    def _encode_exact(self, blocks: Blocks, rounding: Rounding | Stochastic) -> Encoded:
        found = self.scales_of(largest_magnitude(blocks))
        codes = encode_quotients(
            self.element, blocks, found.divisors, rounding, divisor_tails=found.tails
        )
        return Encoded(codes, found.scales, found.metadata)

    def scales_of(self, largest: Float64) -> Scales:
        """Return the scales of a tensor whose blocks have these largest magnitudes."""
        finite = np.isfinite(largest)
        metadata, tensor_scale = self._tensor_scale(largest[finite].max(initial=0.0))
        unit, tail = exact_product(np.array(self.element.max), tensor_scale)
        ideal = exact_quotient(np.where(finite, largest, 0.0), unit, divisor_tail=tail)
        ideal = np.maximum(ideal, self.smallest_scale)
        scales = self.scale.encode(np.where(finite, ideal, np.nan))
        divisors, tails = exact_product(
            np.where(finite, self.scale.decode(scales), 0.0), tensor_scale
        )
        return Scales(scales, divisors, tails, metadata)

    def _encode_compiled(self, blocks: Blocks) -> Encoded:
        from hwsim.formats import kernels

        codes = np.empty(blocks.shape, self.element.code_dtype)
        scales = np.empty(blocks.shape[:-1], self.scale.code_dtype)
        flat_codes, flat_scales = codes.reshape(-1, self.size), scales.reshape(-1)
        largest = np.empty(flat_scales.shape, np.int32)
        overall = [
            kernels.largest_magnitudes(x, self.size, largest[part])
            for part, x in slices(blocks, SLICE)
        ]
        metadata, tensor_scale = self._tensor_scale(max(overall))
        if tensor_scale < _SMALLEST_COMPILED:
            return self._encode_exact(blocks, Rounding.NEAREST_EVEN)
        for part, x in slices(blocks, SLICE):
            kernels.nvfp4_blocks(
                x,
                largest[part],
                flat_codes[part].reshape(-1),
                flat_scales[part],
                self.size,
                float(tensor_scale),
                float(self.smallest_scale),
                np.nan_to_num(self.scale.decode(np.arange(128)), nan=0.0),
            )
        return Encoded(codes, scales, metadata)

    def _tensor_scale(self, largest: float) -> tuple[dict[str, np.ndarray], Float64]:
        """Return the metadata and the value of the scale of a tensor of this magnitude."""
        if self.levels == 1:
            return {}, np.array(1.0)
        unit, tail = exact_product(np.array(self.element.max), np.array(self.scale.max))
        amax = np.array(float(largest))
        ideal = exact_quotient(amax, unit, divisor_tail=tail) if largest else np.array(1.0)
        code = encode_scale(FP32, ideal)
        return {"tensor_scale": code}, FP32.decode(code)


def parse(name: str, parse_scalar: Callable[[str], Format]) -> BlockFormat | None:
    """Return the format called ``nvfp4`` or ``nvint4``, or None if the name is another."""
    match = re.fullmatch(r"(nv[a-z0-9]+)(?:_g(\d+))?", name)
    if not match or match[1] not in ELEMENTS:
        return None
    return TensorBlockScale(match[1], int(match[2] or SIZE))
