"""Dot products of blocks whose elements share a scale: what MX, NVFP4 and block floating point do.

Within a block the elements are integers in units of the format's smallest step, so products are
added exactly in a narrow adder tree (14 bits for 32 products of E2M1). The scales come in once a
block, as metadata: the block's sum is multiplied by both scales' significands, if these have any,
and shifted by the sum of their exponents. What it takes to add up blocks is paid once a block
instead of once a product, and that is what these formats are for.

Blocks are added up

- in a minifloat, ``accumulation=rounded``: ``sum = round(block + sum)`` to nearest even in the
  format ``accumulator``, one rounding a block, in the order of the blocks, as in
  :mod:`hwsim.units.fma`; or
- in fixed point, ``accumulation=fixed``: a two's complement sum of ``accumulator_bits`` bits in
  units of 2**-fraction_bits. A scaled block whose magnitude is 2**(accumulator_bits - 1) units or
  more, or a sum out of range, sets the sticky flag ``overflow``; the sum then wraps, and decodes
  as NaN. Bits of a scaled block below the unit are truncated toward zero in magnitude and set the
  sticky flag ``inexact``.

The result is NaN after a scale that is NaN or infinite, a NaN element, infinity x 0, infinity
times a scale of zero, and infinity - infinity. In fixed point NaN and infinities are flags, as in
:mod:`hwsim.units.float_mac`.

Signs of zero, in a rounded sum, follow IEEE 754-2019 section 6.3 as far as it applies. A block's
elements are integers, which have one zero: a block whose products add up to nothing is +0, though
all of them come from an element that is -0. Scales are positive, so a negative block times a scale
of zero is -0. Two zeros add up to -0 only if both are -0; numbers that cancel add up to +0. So a
sum becomes -0 where a negative one is rounded to zero, and stays so while it meets -0 only.
"""

import re
from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np

from hwsim.errors import InputError
from hwsim.formats.base import Bools, Codes, Format, Int64, Kind, Unpacked
from hwsim.formats.block import BlockFormat
from hwsim.formats.e8m0 import E8M0
from hwsim.formats.fixed import FixedPoint
from hwsim.formats.integer import Integer
from hwsim.formats.minifloat import NAMED, Minifloat
from hwsim.units import layers, rounding
from hwsim.units.base import Timing, UnitSpec
from hwsim.units.exact_sum import product_flags, sticky
from hwsim.units.layer_operands import OPERANDS
from hwsim.units.layers import GROUP, Matrix, Rows
from hwsim.units.metadata import Metadata, Operand, Scope
from hwsim.units.result import Integers, Result, RoundedResult, exact_sums

MAX_ACCUMULATOR_BITS = 1024
MAX_BLOCK_SIZE = 1 << 16

Element = Minifloat | FixedPoint | Integer


class Accumulation(StrEnum):
    """How blocks are added up."""

    ROUNDED = "rounded"
    FIXED = "fixed"


#: Parameters that only one kind of accumulation has, and their defaults.
DEFAULTS: dict[Accumulation, dict[str, Any]] = {
    Accumulation.ROUNDED: {"accumulator": NAMED["fp32"]},
    Accumulation.FIXED: {"accumulator_bits": 64, "fraction_bits": 32},
}


@dataclass(frozen=True, kw_only=True)
class BlockUnit(UnitSpec):
    """Dot product of blocks whose sums are exact, and are scaled before they are added up.

    Parameters
    ----------
    lanes
        See :class:`~hwsim.units.base.UnitSpec`; divides ``block_size`` or is a multiple of it.
    weight, activation
        See :class:`~hwsim.units.base.UnitSpec`; the formats are those of the elements.
    block_size
        Elements that share a scale, 1 to 65536. Scales are metadata: ``activation_scale`` and
        ``weight_scale``, read in the last beat of a block; with several blocks a beat,
        ``activation_scale_0`` and so on, the first block's in the lowest lanes. A dot product that
        is no multiple of the block size ends with a shorter block.
    """

    block_size: int

    def __post_init__(self) -> None:
        super().__post_init__()
        size, lanes = self.block_size, self.lanes
        if not 1 <= size <= MAX_BLOCK_SIZE:
            raise InputError(f"block_size must be 1 to {MAX_BLOCK_SIZE}, not {size}")
        if size % lanes and lanes % size:
            raise InputError(f"lanes={lanes} must divide block_size={size} or be a multiple of it")
        for name, fmt in (("activation", self.activation), ("weight", self.weight)):
            self._check_element(name, fmt)

    @abstractmethod
    def _check_element(self, parameter: str, fmt: Format) -> None:
        """Raise InputError if ``fmt`` is no format of this unit's elements."""

    @property
    def elements(self) -> tuple[Element, Element]:
        """The formats of the activations' and the weights' elements."""
        formats = (self.activation, self.weight)
        activation, weight = (fmt for fmt in formats if isinstance(fmt, Element))
        return activation, weight

    @property
    def beat_blocks(self) -> int:
        """Blocks in a beat; 1 where a block takes one or more beats."""
        return max(1, self.lanes // self.block_size)

    @property
    def group_beats(self) -> int:
        return max(1, self.block_size // self.lanes)

    def scale_names(self, operand: str) -> tuple[str, ...]:
        """Return the metadata that hold the scales of ``activation`` or ``weight``, in order."""
        if self.beat_blocks == 1:
            return (f"{operand}_scale",)
        return tuple(f"{operand}_scale_{k}" for k in range(self.beat_blocks))

    @property
    def product_bits(self) -> int:
        """Width of the largest product's magnitude."""
        first, second = (largest_magnitude(fmt) for fmt in self.elements)
        return (first * second).bit_length()

    @property
    def block_bits(self) -> int:
        """Width of the largest magnitude of a block's sum."""
        first, second = (largest_magnitude(fmt) for fmt in self.elements)
        return (self.block_size * first * second).bit_length()

    @property
    def lanes_decide(self) -> bool:
        return False

    def _timing(self) -> Timing:
        return Timing(latency=1, interval=1)


@dataclass(frozen=True, kw_only=True)
class BlockDotUnit(BlockUnit):
    """Dot product of scaled blocks.

    Parameters
    ----------
    lanes, weight, activation, block_size
        See :class:`BlockUnit`.
    accumulation
        ``rounded`` or ``fixed``.
    accumulator
        Format of a rounded sum, a signed minifloat that has NaN; fp32 by default.
    accumulator_bits, fraction_bits
        Of a sum in fixed point: width, and fraction bits of its unit; 64 and 32 by default.
    """

    accumulation: Accumulation = Accumulation.ROUNDED
    accumulator: Format | None = None
    accumulator_bits: int | None = None
    fraction_bits: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        self._check_accumulator()

    def _check_accumulator(self) -> None:
        for kind, defaults in DEFAULTS.items():
            for key, default in defaults.items():
                given = getattr(self, key)
                if given is None and self.accumulation is kind:
                    object.__setattr__(self, key, default)
                elif given is not None and self.accumulation is not kind:
                    raise InputError(
                        f"{key}={given}: only accumulation={kind} has any, not {self.accumulation}"
                    )
        if self.accumulation is Accumulation.ROUNDED:
            object.__setattr__(self, "accumulator", self.sum_format)
            return
        for key, lowest in (("accumulator_bits", 2), ("fraction_bits", 0)):
            if not lowest <= getattr(self, key) <= MAX_ACCUMULATOR_BITS:
                raise InputError(
                    f"{key} must be {lowest} to {MAX_ACCUMULATOR_BITS}, not {getattr(self, key)}"
                )

    def _default(self, key: str) -> Any:
        defaults = DEFAULTS[self.accumulation]
        return defaults[key] if key in defaults else super()._default(key)

    @property
    @abstractmethod
    def scale_format(self) -> Format:
        """Format of both scales: E8M0, a minifloat, or an integer, which is the exponent of 2."""

    @abstractmethod
    def _block_format(self, operand: str, element: Element) -> BlockFormat:
        """Return the block format of tensors where only their elements are given."""

    def weight_quantiser(self, group: int = GROUP) -> BlockFormat:
        return self._quantiser("weight")

    def activation_quantiser(self, inputs: int) -> BlockFormat:
        return self._quantiser("activation")

    def _quantiser(self, operand: str) -> BlockFormat:
        fmt = self.tensor_format(operand)
        if isinstance(fmt, BlockFormat):
            return fmt
        return self._block_format(operand, self.elements[OPERANDS[::-1].index(operand)])

    def bits_per_element(self, operand: str, group: int | None = None) -> float | None:
        return self._quantiser(operand).bits_per_element

    def _dot_length(self, activations: Matrix, weights: Matrix) -> int:
        return activations.blocks * activations.block

    def _activation_rows(self, matrix: Matrix, length: int) -> Rows:
        return self._scaled_rows("activation", self.activation, matrix)

    def _weight_rows(self, matrix: Matrix, length: int) -> Rows:
        return self._scaled_rows("weight", self.weight, matrix)

    def _scaled_rows(self, operand: str, fmt: Format, matrix: Matrix) -> Rows:
        """Return rows as one dot product each, with the scale of every block."""
        rows = len(matrix.codes)
        zero = layers.zero_code(fmt)
        codes = layers.split(
            matrix.codes.reshape(rows, -1), matrix.blocks * matrix.block, self.lanes, zero
        )
        missing = -matrix.blocks % self.beat_blocks
        scales = self._scale_codes(np.pad(matrix.tensor.scales, ((0, 0), (0, missing))))
        by_beat = scales.reshape(rows, 1, -1, self.beat_blocks)
        names = self.scale_names(operand)
        return Rows(
            codes,
            np.full((rows, 1), matrix.factor),
            {name: by_beat[..., k] for k, name in enumerate(names)},
        )

    def _scale_codes(self, scales: Codes) -> Codes:
        """Return the scales of tensors as the unit takes them; overridden where these differ."""
        return scales

    @property
    def sum_format(self) -> Minifloat:
        """Format of a sum of blocks that is rounded."""
        assert self.accumulator is not None
        return rounding.rounded_format("accumulator", self.accumulator)

    @property
    def metadata(self) -> tuple[Metadata, ...]:
        fmt = self.scale_format
        # Scales are positive; the sign bit of a signed format stays 0.
        highest = fmt.sign_code - 1 if isinstance(fmt, Minifloat) else None
        return tuple(
            Metadata(name, fmt, Scope.GROUP, highest=highest, operand=Operand(operand))
            for operand in ("activation", "weight")
            for name in self.scale_names(operand)
        )

    @property
    def unit_exponent(self) -> int:
        """A block's sum counts multiples of 2**unit_exponent, before it is scaled."""
        return sum(lowest_exponent(fmt) for fmt in self.elements)

    @property
    def result(self) -> Result | RoundedResult[Minifloat]:
        if self.accumulation is Accumulation.ROUNDED:
            return RoundedResult(self.sum_format)
        return self.fixed_result

    @property
    def fixed_result(self) -> Result:
        """Layout of a fixed-point sum."""
        assert self.accumulator_bits is not None
        assert self.fraction_bits is not None
        flags = (*self.special_flags, "overflow", "inexact")
        return Result(self.accumulator_bits, -self.fraction_bits, flags)

    @property
    def special_flags(self) -> tuple[str, ...]:
        """The flags for NaN and infinity that the formats can raise."""
        if any(fmt.has_infinity for fmt in self.elements):
            return ("nan", "positive_infinity", "negative_infinity")
        nan = any(fmt.has_nan for fmt in (*self.elements, self.scale_format))
        return ("nan",) if nan else ()

    @property
    def is_exact(self) -> bool:
        # Bits of a scaled block below the unit are dropped.
        return False

    @property
    def safe_beats(self) -> int:
        return 0

    def _dot(self, activations: Codes, weights: Codes, metadata: Mapping[str, Codes]) -> Integers:
        formats = self.elements
        a, w = (self._blocks(f, c) for f, c in zip(formats, (activations, weights), strict=True))
        negative = (a.sign ^ w.sign).astype(bool)
        magnitude = a.significand * w.significand
        shifts = np.where(magnitude, a.exponent + w.exponent - self.unit_exponent, 0)
        bits = sum(significand_bits(fmt) for fmt in formats)
        sums = exact_sums(np.where(negative, -magnitude, magnitude), bits, shifts)

        flags = sticky(product_flags(a, w))
        x, y = self._scales("activation", metadata), self._scales("weight", metadata)
        scale_zero = (x.kind == Kind.ZERO) | (y.kind == Kind.ZERO)
        scale_nan = (x.kind >= Kind.INFINITY) | (y.kind >= Kind.INFINITY)
        infinite = flags["positive_infinity"] | flags["negative_infinity"]
        flags["nan"] = flags["nan"] | scale_nan | (infinite & scale_zero)
        significands = sums.astype(object) * (x.significand * y.significand).astype(object)
        exponents = x.exponent + y.exponent + self.unit_exponent
        if self.accumulation is Accumulation.FIXED:
            return self._fixed(significands, exponents, flags)
        return self._rounded(significands, exponents, np.asarray(sums < 0, bool), flags)

    def _blocks(self, fmt: Format, codes: Codes) -> Unpacked:
        """Return codes taken apart, shape (..., blocks, block_size), zeros added at the end."""
        missing = -codes.shape[-1] % self.block_size
        padding = [(0, 0)] * (codes.ndim - 1) + [(0, missing)]
        zeros = np.pad(codes, padding, constant_values=int(fmt.encode(0.0)))
        return fmt.unpack(zeros.reshape(*codes.shape[:-1], -1, self.block_size))

    def _scales(self, operand: str, metadata: Mapping[str, Codes]) -> Unpacked:
        """Return the scales of all blocks taken apart, shape (..., blocks)."""
        codes = np.stack([metadata[name] for name in self.scale_names(operand)], axis=-1)
        return unpack_scale(self.scale_format, codes.reshape(*codes.shape[:-2], -1))

    def _rounded(
        self,
        significands: Integers,
        exponents: Int64,
        negative: Bools,
        flags: Mapping[str, Bools],
    ) -> Codes:
        fmt = self.sum_format
        vanished = np.asarray(significands == 0, bool)
        zeros = np.where(negative, -0.0, 0.0)
        with np.errstate(invalid="ignore"):
            special = np.where(flags["positive_infinity"], np.inf, 0.0) + np.where(
                flags["negative_infinity"], -np.inf, 0.0
            )
        special = np.where(flags["nan"], np.nan, special)
        total = np.zeros(exponents.shape[:-1])
        for k in range(exponents.shape[-1]):
            finite = rounding.add_scaled(fmt, significands[..., k], exponents[..., k], total)
            finite = np.where(vanished[..., k], zeros[..., k] + total, finite)
            with np.errstate(invalid="ignore"):
                unlimited = special[..., k] + total
            total = np.where(np.isfinite(unlimited), finite, unlimited)
            total = fmt.decode(rounding.encode(fmt, total))
        return rounding.encode(fmt, total)

    def _fixed(
        self, significands: Integers, exponents: Int64, flags: Mapping[str, Bools]
    ) -> Integers:
        result = self.fixed_result
        half = 1 << (result.width - 1)
        place = (exponents - result.exponent).astype(object)
        magnitude = np.abs(significands)
        up, down = np.maximum(place, 0), np.maximum(-place, 0)
        units = np.asarray((magnitude << up) >> down, object)
        inexact = np.asarray(units << down != magnitude << up, bool)
        overflow = np.asarray(np.asarray(units >= half, bool).any(axis=-1))
        terms = np.where(significands < 0, -units, units)
        total = np.zeros(exponents.shape[:-1], object)
        for k in range(exponents.shape[-1]):
            term = (terms[..., k] + half) % (2 * half) - half
            exact = total + term
            total = (exact + half) % (2 * half) - half
            overflow = np.asarray(overflow | np.asarray(total != exact, bool))
        every = {name: np.asarray(bits.any(axis=-1)) for name, bits in flags.items()}
        every |= {"overflow": overflow, "inexact": np.asarray(inexact.any(axis=-1))}
        return result.pack(np.asarray(total, object), every)


def unpack_scale(fmt: Format, codes: Codes) -> Unpacked:
    """Return scales taken apart; an integer is the exponent of a power of two."""
    if not isinstance(fmt, Integer):
        return fmt.unpack(codes)
    return Unpacked(
        kind=np.full(codes.shape, Kind.FINITE, np.uint8),
        sign=np.zeros(codes.shape, np.uint8),
        significand=np.ones(codes.shape, np.int64),
        exponent=fmt.to_int(codes),
    )


def lowest_exponent(fmt: Element) -> int:
    """Return the exponent of the smallest step of an element."""
    if isinstance(fmt, Minifloat):
        return fmt.subnormal_exponent
    return -fmt.fraction if isinstance(fmt, FixedPoint) else 0


def largest_magnitude(fmt: Element) -> int:
    """Return the largest magnitude of any code in units of the smallest step."""
    if isinstance(fmt, Minifloat):
        _, _, significand, exponent = fmt.unpack(fmt.max_code)
        return int(significand) << (int(exponent) - fmt.subnormal_exponent)
    # The most negative code counts, also where no encoder gives it.
    return 1 << (fmt.bits - 1) if fmt.signed else (1 << fmt.bits) - 1


def significand_bits(fmt: Element) -> int:
    """Return the width of an element's significand."""
    return fmt.mantissa + 1 if isinstance(fmt, Minifloat) else fmt.bits


def require_exponent(parameter: str, fmt: Format, family: str) -> None:
    """Raise InputError unless ``fmt`` is E8M0 or a signed integer of up to 8 bits."""
    small = isinstance(fmt, Integer) and re.fullmatch(r"int[1-8]", fmt.name) is not None
    if not (isinstance(fmt, E8M0) or small):
        raise InputError(
            f"{parameter}={fmt.name}: {family} takes e8m0, or the exponent as int1 to int8"
        )
