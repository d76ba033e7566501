"""Dot products of VS-Quant: integers in short vectors, each under an unsigned integer scale.

All is integer arithmetic. Products within a vector are added exactly in a narrow tree, as in an
integer unit; once a vector the sum is multiplied by the product of both vectors' scales, and added
to a two's complement accumulator. So a vector of 16 costs one 8 x 8 and one 16 x 11 bit
multiplication more than 16 products of INT4, and the accumulator is as much wider as the scales
are. The scale of a channel, a real number, is no part of the unit: it multiplies the result, once.

``scale_product_bits`` rounds the product of the scales to its highest bits, which narrows the
second multiplier and the accumulator. Of the F bits of the largest product, p are left, in units of
2**(F - p): rounded to nearest, halves up, at most 2**p - 1. Small products become 0, and so do
their vectors. How halves and the largest products are rounded is decided here, not taken from the
papers.

One operand may be without vector scales, such as per-token activations beside ``int4_vs_g16``; its
scale counts as 1.

Source: Dai et al., VS-Quant, MLSys 2021, arXiv 2102.04503 (the vector MAC unit); Keller et al., A
95.6-TOPS/W Deep Learning Inference Accelerator With Per-Vector Scaled 4-bit Quantization in 5 nm,
IEEE JSSC 58(4), 2023.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from hwsim.errors import InputError
from hwsim.formats.base import Codes, Float64, Format
from hwsim.formats.block import BlockFormat
from hwsim.formats.group import GroupScale
from hwsim.formats.integer import Integer
from hwsim.formats.vs_quant import VectorScale
from hwsim.units import accumulator, layers
from hwsim.units.block_dot import BlockUnit, largest_magnitude
from hwsim.units.configurations import Configurations, dots
from hwsim.units.integer import require_integer
from hwsim.units.layer_operands import OPERANDS
from hwsim.units.layers import GROUP, Matrix, Rows
from hwsim.units.metadata import Metadata, Operand, Scope
from hwsim.units.result import Integers, Result, exact_sums

#: Widest scale of a vector.
MAX_SCALE_BITS = 16
DEFAULT_VECTOR = 16
#: Widest numbers that NumPy multiplies and adds as they are.
_INT64_BITS = 62


@dataclass(frozen=True, kw_only=True)
class VsDotUnit(BlockUnit):
    """Dot product of integers in vectors with integer scales.

    Parameters
    ----------
    lanes, block_size
        See :class:`~hwsim.units.block_dot.BlockUnit`; 16 elements a vector by default.
    weight, activation
        ``<integer>_vs_g<size>``, such as ``int4_vs_g16``, or elements alone: integers. Of one of
        them, groups such as ``int8_g64``: without vector scales, as their scales are real.
    weight_scale_bits, activation_scale_bits
        Width of the vectors' scales, unsigned integers of 1 to 16 bits; 0 for an operand that has
        none, which one of them may be.
    scale_product_bits
        What the product of both scales is rounded to: its highest bits, from 1 to all, the default.
    accumulator_bits
        Width of the two's complement accumulator, from what holds a scaled product to 1024. It
        wraps; :attr:`safe_beats` says from when. The default is 32, or what 256 vectors, or beats
        of several, need if that is more.
    """

    family: ClassVar[str] = "vs_dot"
    generator: ClassVar[str] = "rtl.vs_dot:VsDot"

    block_size: int = DEFAULT_VECTOR
    weight_scale_bits: int = 8
    activation_scale_bits: int = 8
    scale_product_bits: int | None = None
    accumulator_bits: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        for operand in OPERANDS:
            if not 0 <= self.scale_bits(operand) <= MAX_SCALE_BITS:
                raise InputError(
                    f"{operand}_scale_bits must be 0 to {MAX_SCALE_BITS}, not "
                    f"{self.scale_bits(operand)}"
                )
        if not any(map(self.scale_bits, OPERANDS)):
            raise InputError(
                "weight_scale_bits=0 and activation_scale_bits=0: one operand of vs_dot has vector "
                "scales; integer takes operands without"
            )
        self._fill("scale_product_bits")
        if not 1 <= self.factor_bits <= self.full_factor_bits:
            raise InputError(
                f"scale_product_bits must be 1 to {self.full_factor_bits}, not {self.factor_bits}"
            )
        self._fill("accumulator_bits")
        accumulator.check_bits(
            self.result.width,
            self.largest_vector // self.block_size,
            f"a scaled product of {self.weight.name} and {self.activation.name}",
        )

    def _fill(self, key: str) -> None:
        """Give a parameter that is None its default, which follows from those before it."""
        if getattr(self, key) is None:
            object.__setattr__(self, key, self._default(key))

    def _default(self, key: str) -> Any:
        if key == "scale_product_bits":
            return self.full_factor_bits
        if key == "accumulator_bits":
            return accumulator.default_bits(self.beat_blocks * self.largest_vector)
        return super()._default(key)

    def _check_element(self, parameter: str, fmt: Format) -> None:
        require_integer(parameter, fmt, self.family)

    def _holding(self, operand: str, fmt: Format | BlockFormat) -> dict[str, Any]:
        key = f"{operand}_scale_bits"
        if isinstance(fmt, VectorScale):
            require_integer(operand, fmt.element, self.family)
            return {operand: fmt.element, "block_size": fmt.size, key: fmt.scale.bits}
        if isinstance(fmt, GroupScale):
            return {operand: fmt.element, key: 0}
        raise InputError(
            f"{operand}={fmt.name}: vs_dot takes <integer>_vs_g<size>, or <integer>_g<size> of "
            "one operand"
        )

    def scale_bits(self, operand: str) -> int:
        """Return the width of an operand's vector scales, 0 if it has none."""
        bits: int = getattr(self, f"{operand}_scale_bits")
        return bits

    @property
    def metadata(self) -> tuple[Metadata, ...]:
        return tuple(
            Metadata(name, Integer(bits, signed=False), Scope.GROUP, operand=Operand(operand))
            for operand in OPERANDS[::-1]
            if (bits := self.scale_bits(operand))
            for name in self.scale_names(operand)
        )

    @property
    def full_factor_bits(self) -> int:
        """Width of the largest product of scales."""
        return self._largest_factor.bit_length()

    @property
    def _largest_factor(self) -> int:
        # Without a scale, the factor is 1.
        first, second = ((1 << max(1, self.scale_bits(operand))) - 1 for operand in OPERANDS)
        return first * second

    @property
    def factor_bits(self) -> int:
        """Width of what a vector's sum is multiplied with."""
        assert self.scale_product_bits is not None
        return self.scale_product_bits

    @property
    def dropped_bits(self) -> int:
        """Low bits of the product of the scales that are rounded away."""
        return self.full_factor_bits - self.factor_bits

    @property
    def _top_factor(self) -> int:
        """The largest number that a vector's sum is multiplied with."""
        return min(self._rounded(self._largest_factor), (1 << self.factor_bits) - 1)

    @property
    def saturates(self) -> bool:
        """Whether the largest product of scales would be rounded to one bit more."""
        return bool(self._rounded(self._largest_factor) > self._top_factor)

    def _rounded(self, product: Any) -> Any:
        """Return products of scales to nearest, halves up, without their dropped bits."""
        return ((product << 1 >> self.dropped_bits) + 1) >> 1

    @property
    def largest_vector(self) -> int:
        """Bound on the magnitude of a scaled vector, in units of the result."""
        first, second = (largest_magnitude(fmt) for fmt in self.elements)
        return self.block_size * first * second * self._top_factor

    @property
    def result(self) -> Result:
        assert self.accumulator_bits is not None
        return Result(self.accumulator_bits, self.dropped_bits)

    @property
    def is_exact(self) -> bool:
        return not self.dropped_bits

    @property
    def safe_beats(self) -> int:
        vectors = accumulator.safe_beats(self.result.width, self.beat_blocks * self.largest_vector)
        return vectors * self.group_beats

    def weight_quantiser(self, group: int = GROUP) -> BlockFormat:
        return self._vectors("weight") or super().weight_quantiser(group)

    def activation_quantiser(self, inputs: int) -> BlockFormat:
        return self._vectors("activation") or super().activation_quantiser(inputs)

    def _vectors(self, operand: str) -> BlockFormat | None:
        """Return the format of an operand's tensors where only elements and scales are given."""
        bits = self.scale_bits(operand)
        if self.tensor_format(operand) is not None or not bits:
            return None
        scale = Integer(bits, signed=False)
        return VectorScale(getattr(self, operand), self.block_size, scale=scale)

    def bits_per_element(self, operand: str, group: int | None = None) -> float | None:
        vectors = self._vectors(operand)
        return vectors.bits_per_element if vectors else super().bits_per_element(operand, group)

    def _dot_length(self, activations: Matrix, weights: Matrix) -> int:
        for operand, matrix in zip(OPERANDS, (weights, activations), strict=True):
            if self.scale_bits(operand) or matrix.blocks == 1:
                continue
            if matrix.block % self.block_size:
                raise InputError(
                    f"{operand}s in groups of {matrix.block}: vs_dot takes groups of whole vectors "
                    f"of {self.block_size}"
                )
            return matrix.block
        return max(matrix.blocks * matrix.block for matrix in (activations, weights))

    def _activation_rows(self, matrix: Matrix, length: int) -> Rows:
        return self._rows("activation", self.activation, matrix, length)

    def _weight_rows(self, matrix: Matrix, length: int) -> Rows:
        return self._rows("weight", self.weight, matrix, length)

    def _rows(self, operand: str, fmt: Format, matrix: Matrix, length: int) -> Rows:
        """Return rows with the scale of every vector; that of the channel stays outside."""
        if not self.scale_bits(operand):
            return self._plain_rows(matrix, length, fmt)
        rows = len(matrix.codes)
        codes = layers.split(matrix.codes.reshape(rows, -1), length, self.lanes, 0)
        parts, vectors = codes.shape[1], -(-length // self.block_size)
        missing = parts * vectors - matrix.blocks
        scales = np.pad(matrix.tensor.scales, ((0, 0), (0, missing))).reshape(rows, parts, vectors)
        scales = np.pad(scales, ((0, 0), (0, 0), (0, -vectors % self.beat_blocks)))
        by_beat = scales.reshape(rows, parts, -1, self.beat_blocks)
        return Rows(
            codes,
            np.repeat(channel_scales(matrix)[:, np.newaxis], parts, axis=1),
            {name: by_beat[..., k] for k, name in enumerate(self.scale_names(operand))},
        )

    def _dot(self, activations: Codes, weights: Codes, metadata: Mapping[str, Codes]) -> Integers:
        a, w = (
            self._vector_integers(fmt, codes)
            for fmt, codes in zip(self.elements, (activations, weights), strict=True)
        )
        bits = self.activation.bits + self.weight.bits
        products = a * w if bits <= _INT64_BITS else a.astype(object) * w.astype(object)
        sums = exact_sums(products, bits)
        factors = self._factors(metadata)
        bits = self.block_bits + self.factor_bits
        if bits > _INT64_BITS:
            sums = sums.astype(object)
        return self.result.pack(exact_sums(sums * factors, bits))

    def _vector_integers(self, fmt: Format, codes: Codes) -> Integers:
        """Return integers in vectors, shape (..., vectors, block_size), zeros added at the end."""
        numbers = require_integer("element", fmt, self.family).to_int(codes)
        padding = [(0, 0)] * (codes.ndim - 1) + [(0, -codes.shape[-1] % self.block_size)]
        return np.pad(numbers, padding).reshape(*codes.shape[:-1], -1, self.block_size)

    def _factors(self, metadata: Mapping[str, Codes]) -> Integers:
        """Return what the sums of vectors are multiplied with, shape (..., vectors) or (1,)."""
        product = np.ones(1, np.int64)
        for operand in filter(self.scale_bits, OPERANDS):
            codes = np.stack([metadata[name] for name in self.scale_names(operand)], axis=-1)
            product = product * codes.reshape(*codes.shape[:-2], -1).astype(np.int64)
        return np.minimum(self._rounded(product), self._top_factor)

    configurations: ClassVar[Configurations] = (
        {"lanes": 16, "weight": "int4", "activation": "int4"},
        {"lanes": 8, "weight": "int4", "activation": "int8", "scale_product_bits": 6},
        {"lanes": 8, "weight": "int3", "activation": "uint4", "block_size": 4,
         "weight_scale_bits": 4, "activation_scale_bits": 6, "scale_product_bits": 4},
        {"lanes": 6, "weight": "int4", "activation": "int4", "block_size": 2,
         "activation_scale_bits": 0, "weight_scale_bits": 3},
        {"lanes": 4, "weight": "int4", "activation": "int8", "activation_scale_bits": 0},
        {"lanes": 3, "weight": "int8", "activation": "int6", "block_size": 9,
         "weight_scale_bits": 0, "activation_scale_bits": 6, "scale_product_bits": 3,
         "accumulator_bits": 20},
        {"lanes": 1, "weight": "int2", "activation": "uint3", "block_size": 1,
         "weight_scale_bits": 2, "activation_scale_bits": 2, "scale_product_bits": 1},
        {"lanes": 1, "weight": "int1", "activation": "uint1", "block_size": 3,
         "weight_scale_bits": 1, "activation_scale_bits": 1, "accumulator_bits": 2},
    )  # fmt: skip
    fitting: ClassVar[Configurations] = (
        *dots((2, "int4", "int4"), block_size=4, weight_scale_bits=4, activation_scale_bits=4),
        *dots((1, "int3", "int6"), block_size=4, weight_scale_bits=6, activation_scale_bits=0),
        *dots((4, "int3", "int4"), block_size=4, weight_scale_bits=4, activation_scale_bits=4,
              scale_product_bits=4),
        *dots((4, "int2", "int4"), block_size=2, weight_scale_bits=4, activation_scale_bits=0,
              accumulator_bits=16),
    )  # fmt: skip


def channel_scales(matrix: Matrix) -> Float64:
    """Return what the results of every row are multiplied with, shape (rows,)."""
    fmt = matrix.format
    assert isinstance(fmt, VectorScale)
    codes = matrix.tensor.metadata["channel_scales"]
    return fmt.channel_scale.decode(codes) * matrix.factor
