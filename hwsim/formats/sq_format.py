"""SQ-format: a few elements of a bank in high precision, the rest low, ``sq_int8_int4_g64``.

Of each bank the elements of largest magnitude, a fixed number, go to a sparse high-precision
part; the others are the dense low-precision part, which has zeros in their places. A dot product
is a dense narrow one plus a sparse wide one that skips what is not stored. Each part has its own
scale, so the outliers do not coarsen the rest.

Storage per bank: ``size`` low elements (the zeros are stored, to keep the low part dense), the
high elements with a position each, and two scales.

Source: Huang et al., SQ-format, arXiv 2512.05409. Importance is the magnitude here; the paper also
weighs it with activations, which is not part of a number format.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from hwsim.errors import InputError
from hwsim.formats import fast
from hwsim.formats.arithmetic import (
    Floats,
    encode_quotients,
    encode_scale,
    exact_quotient,
    largest_magnitude,
    slices,
)
from hwsim.formats.base import Codes, Float64, Format, Rounding, Stochastic
from hwsim.formats.block import BlockFormat, Blocks, Encoded, QuantizedTensor
from hwsim.formats.minifloat import NAMED

NAMES = ("sq_int8_int4_g64",)


@dataclass(frozen=True)
class SparseQuantized(BlockFormat):
    """Sparse high-precision and dense low-precision elements, ``sq_<high>_<low>_g<size>``.

    ``codes`` and ``scales`` are those of the dense part. ``metadata`` holds, per bank, the
    ``high_codes`` and their ascending ``positions``, shape (..., groups, high elements), and the
    ``high_scales``. Of equal magnitudes the one with the lower position is kept. NaN and infinity
    are refused.

    Parameters
    ----------
    high, element
        Formats of the high- and the low-precision elements.
    size
        Bank size, at least 1.
    sparsity
        The part of a bank that is not in high precision, 0 to 1; ``size * (1 - sparsity)`` must
        be an integer.
    scale
        Format of both scales, which map the largest magnitude of a part to the largest element.
    partial
        ``error`` or ``pad``, as for a group scale.
    """

    OPTIONS: ClassVar[tuple[str, ...]] = ("sparsity", "scale", "partial")

    high: Format
    element: Format
    size: int
    sparsity: float = 0.75
    scale: Format = NAMED["fp16"]
    partial: str = "error"

    def __post_init__(self) -> None:
        self._check_fields()
        for part in (self.high, self.element):
            if not 0 < part.max < np.inf:
                raise InputError(f"{part.name} has no positive value to scale to")
        kept = self.size * (1 - self.sparsity)
        if not 0 <= self.sparsity <= 1 or kept != round(kept):
            raise InputError(
                f"sparsity must be 0 to 1 and make size * (1 - sparsity) an integer, "
                f"not {self.sparsity!r} of {self.size}"
            )

    @property
    def base_name(self) -> str:
        return f"sq_{self.high.name}_{self.element.name}_g{self.size}"

    @property
    def family(self) -> str:
        return "sq_format"

    @property
    def high_elements(self) -> int:
        """How many elements of a bank are in high precision."""
        return round(self.size * (1 - self.sparsity))

    @property
    def metadata_bits(self) -> dict[str, int]:
        return {
            "high_codes": self.high.bits,
            "positions": (self.size - 1).bit_length(),
            "high_scales": self.scale.bits,
        }

    @property
    def places_matter(self) -> bool:
        return True

    @property
    def bits_per_element(self) -> float:
        bits = self.metadata_bits
        sparse = self.high_elements * (bits["high_codes"] + bits["positions"])
        return self.element.bits + (sparse + 2 * self.scale.bits) / self.size

    def decode(self, tensor: QuantizedTensor) -> Float64:
        values = super().decode(tensor)
        metadata = tensor.metadata
        high = self.high.decode(metadata["high_codes"])
        high *= self.scale.decode(metadata["high_scales"])[..., np.newaxis]
        if fast.pays(values.size):
            from hwsim.formats import kernels

            banks, kept = values.size // self.size, self.high_elements
            places = metadata["positions"].reshape(banks, kept)
            kernels.put(values.reshape(banks, self.size), places, high.reshape(banks, kept))
            return values
        np.put_along_axis(values, metadata["positions"].astype(np.intp), high, axis=-1)
        return values

    def _encode(self, blocks: Blocks, rounding: Rounding | Stochastic) -> Encoded:
        self._check_finite(blocks)
        positions, high, rest = self._split_banks(blocks)
        high_codes, high_scales = self._part(high, self.high, rounding)
        codes, scales = self._part(rest, self.element, rounding)
        metadata = {"high_codes": high_codes, "positions": positions, "high_scales": high_scales}
        return Encoded(codes, scales, metadata)

    def _part(
        self, numbers: Floats, fmt: Format, rounding: Rounding | Stochastic
    ) -> tuple[Codes, Codes]:
        largest = np.zeros(numbers.shape[:-1]) if numbers.size == 0 else largest_magnitude(numbers)
        scales = encode_scale(self.scale, exact_quotient(largest, np.array(fmt.max)))
        return encode_quotients(fmt, numbers, self.scale.decode(scales), rounding), scales

    def _split_banks(self, blocks: Blocks) -> tuple[Codes, Floats, Floats]:
        """Return the positions of the elements in high precision, these, and the others."""
        dtype = np.min_scalar_type(self.size - 1)
        if fast.pays(blocks.size):
            return self._split_compiled(blocks, dtype)
        order = np.argsort(-np.abs(blocks), axis=-1, kind="stable")
        positions = np.sort(order[..., : self.high_elements], axis=-1)
        rest = blocks.copy()
        np.put_along_axis(rest, positions, 0.0, axis=-1)
        return positions.astype(dtype), np.take_along_axis(blocks, positions, -1), rest

    def _split_compiled(self, blocks: Blocks, dtype: np.dtype[Any]) -> tuple[Codes, Floats, Floats]:
        from hwsim.formats import kernels

        shape = (*blocks.shape[:-1], self.high_elements)
        wide = blocks.dtype.itemsize == 8
        kind = np.dtype(np.float64 if wide else np.float32)
        magnitude_kind = np.dtype(np.int64 if wide else np.int32)
        octave = magnitude_kind.type(1 << (52 if wide else 23))
        positions, high = np.empty(shape, dtype), np.empty(shape, kind)
        rest = np.empty(blocks.shape, kind)
        parts = (
            array.reshape(blocks.size // self.size, array.shape[-1])
            for array in (positions, high, rest)
        )
        flat_positions, flat_high, flat_rest = parts
        for part, x in slices(blocks):
            magnitudes = np.abs(x).view(magnitude_kind)
            kernels.largest_few(
                x, magnitudes, octave, flat_positions[part], flat_high[part], flat_rest[part]
            )
        return positions, high, rest


def parse(name: str, parse_scalar: Callable[[str], Format]) -> BlockFormat | None:
    """Return the format called ``sq_<high>_<low>_g<size>``, or None if the name is another."""
    match = re.fullmatch(r"sq_(.+)_g(\d+)", name)
    if not match:
        return None
    parts = match[1].split("_")
    # Names may have an underscore themselves: the one split that gives two formats counts.
    for end in range(1, len(parts)):
        try:
            high, low = (parse_scalar("_".join(half)) for half in (parts[:end], parts[end:]))
        except InputError:
            continue
        return SparseQuantized(high, low, int(match[2]))
    raise InputError(f"{name}: two scalar formats must stand between sq_ and _g, not {match[1]!r}")
