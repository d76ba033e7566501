"""Outlier split: whole features in FP16, the rest INT8 under a scale per row, ``llm_int8``.

In large language models a few features (columns of the activations) hold magnitudes far above the
others, in almost every token. They are kept in FP16 and multiplied apart; without them the rest
fits 8-bit integers under one absmax scale per row. The FP16 product is narrow, but a second
datapath.

Source: Dettmers et al., LLM.int8(), arXiv 2208.07339, section 3.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from hwsim.errors import InputError
from hwsim.formats.arithmetic import (
    encode_quotients,
    encode_scale,
    exact_quotient,
    largest_magnitude,
)
from hwsim.formats.base import Float64, Format, Overflow, Rounding, Stochastic
from hwsim.formats.block import BlockFormat, Blocks, Encoded, QuantizedTensor
from hwsim.formats.fields import convert_fields
from hwsim.formats.integer import Integer
from hwsim.formats.minifloat import NAMED

NAMES = ("llm_int8",)

INT8 = Integer(8)


@dataclass(frozen=True)
class OutlierSplit(BlockFormat):
    """INT8 rows with FP16 outlier columns, ``llm_int8``.

    The quantised axis is the features' (the one that a matrix product sums over); a column is one
    position along it, over all other axes. A column with a magnitude of at least ``threshold``
    anywhere is an outlier. A row is one block: codes have the shape (..., 1, features), zero in
    the outlier columns. ``metadata["outlier_columns"]`` holds their indices, ascending, and
    ``metadata["outliers"]`` their values, shape (..., outlier columns). NaN and infinity are
    refused, and so are outliers beyond the range of their format.

    Parameters
    ----------
    threshold
        Smallest magnitude of an outlier, positive.
    element
        Format of the other elements.
    outlier
        Format of the outliers; rounded to nearest even.
    scale
        Format of the scale of a row.
    """

    OPTIONS: ClassVar[tuple[str, ...]] = ("threshold", "element", "outlier", "scale")

    threshold: float = 6.0
    element: Format = INT8
    outlier: Format = NAMED["fp16"]
    scale: Format = NAMED["fp32"]

    def __post_init__(self) -> None:
        convert_fields(self)
        if not self.threshold > 0:
            raise InputError(f"threshold must be positive, not {self.threshold!r}")
        if not 0 < self.element.max < np.inf:
            raise InputError(f"{self.element.name} has no positive value to scale to")

    @property
    def base_name(self) -> str:
        return "llm_int8"

    @property
    def family(self) -> str:
        return "outlier"

    @property
    def places_matter(self) -> bool:
        return True

    @property
    def bits_per_element(self) -> float:
        """Bits of an element that is no outlier; scales and outliers depend on the array.

        :attr:`QuantizedTensor.bits_per_element` counts them.
        """
        return float(self.element.bits)

    def storage_bits(self, tensor: QuantizedTensor) -> int:
        columns = tensor.metadata["outlier_columns"].size
        features = tensor.shape[tensor.axis]
        index_bits = max(features - 1, 0).bit_length()
        dense = tensor.codes.size - columns * tensor.scales.size
        return (
            dense * self.element.bits
            + tensor.scales.size * self.scale.bits
            + tensor.metadata["outliers"].size * self.outlier.bits
            + columns * index_bits
        )

    def decode(self, tensor: QuantizedTensor) -> Float64:
        values = super().decode(tensor)
        columns = tensor.metadata["outlier_columns"]
        if columns.size:
            values[..., 0, columns] = self.outlier.decode(tensor.metadata["outliers"])
        return values

    def _block_size(self, length: int) -> int:
        return max(length, 1)

    def _encode(self, blocks: Blocks, rounding: Rounding | Stochastic) -> Encoded:
        self._check_finite(blocks)
        others = tuple(range(blocks.ndim - 1))
        # The threshold must not be rounded to the dtype of the array.
        largest = np.abs(blocks).max(axis=others, initial=0.0).astype(np.float64)
        columns = np.flatnonzero(largest >= self.threshold)
        outliers = blocks[..., columns].reshape(*blocks.shape[:-2], columns.size)

        rest = blocks
        if columns.size:
            rest = blocks.copy()
            rest[..., columns] = 0.0
        ideal = exact_quotient(largest_magnitude(rest), np.array(self.element.max))
        metadata = {
            "outlier_columns": columns.astype(np.uint32),
            "outliers": self.outlier.encode(outliers, overflow=Overflow.ERROR),
        }
        scales = encode_scale(self.scale, ideal)
        codes = encode_quotients(self.element, rest, self.scale.decode(scales), rounding)
        return Encoded(codes, scales, metadata)


def parse(name: str, parse_scalar: Callable[[str], Format]) -> BlockFormat | None:
    """Return ``llm_int8``, or None if the name is another."""
    return OutlierSplit() if name == "llm_int8" else None
