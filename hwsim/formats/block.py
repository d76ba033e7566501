"""Groups of elements under one shared scale, ``int4_g128``.

A group of ``size`` neighbours along one axis is divided by its scale, which maps the largest
magnitude to the largest element value, and the quotients are encoded as elements. The scale costs
``scale.bits / size`` bits per element and, in hardware, one multiplication per group and output;
the inner product stays in the element format.

The quotient of a float32 by a scale of at most 11 significant bits is computed in float64. It can
not be rounded onto a tie of an element format by mistake: the product of a tie and a scale has at
most 35 bits, so an inexact quotient is at least 2**-35 away from it, relatively.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from hwsim.errors import InputError, suggestion
from hwsim.formats.base import Codes, Float64, Format, Overflow, Rounding, real_array
from hwsim.formats.minifloat import NAMED

NAMES = ("int4_g128", "int8_g128", "e2m1_g32", "e4m3_g128")

#: What happens to an axis that the group size does not divide.
PARTIAL = ("error", "pad")


@dataclass(frozen=True)
class QuantizedTensor:
    """Codes of elements and scales, with all that is needed to get the values back.

    Attributes
    ----------
    codes
        Element codes, shape (..., groups, size): the quantised axis moved last and split.
    scales
        Scale codes, shape (..., groups).
    metadata
        Further codes by name; empty for a plain group scale.
    format
        The block format that made it.
    shape, axis
        Shape of the array that was quantised, and the axis that the groups run along.
    """

    codes: Codes
    scales: Codes
    format: "BlockFormat"
    shape: tuple[int, ...]
    axis: int
    metadata: dict[str, Codes] = field(default_factory=dict)

    @property
    def bits_per_element(self) -> float:
        """Storage per element in bits, scales included."""
        return self.format.bits_per_element

    def dequantize(self) -> Float64:
        """Return the values as float64, of the shape of the array that was quantised."""
        values = self.format.element.decode(self.codes)
        values = values * self.format.scale.decode(self.scales)[..., np.newaxis]
        length = self.shape[self.axis]
        merged = values.reshape(*values.shape[:-2], -1)[..., :length]
        return np.moveaxis(merged, -1, self.axis)


@dataclass(frozen=True)
class BlockFormat:
    """Elements under a symmetric group scale.

    Parameters
    ----------
    element
        Format of the elements.
    size
        Group size, at least 1.
    scale
        Format of the scale; fp16 as in weight-only quantisation of language models.
    partial
        ``error`` refuses an axis that ``size`` does not divide; ``pad`` fills its last group with
        zeros, which are dropped again by ``dequantize``.
    """

    element: Format
    size: int
    scale: Format = NAMED["fp16"]
    partial: str = "error"

    def __post_init__(self) -> None:
        if self.size < 1:
            raise InputError(f"group size must be at least 1, not {self.size}")
        if self.partial not in PARTIAL:
            raise InputError(f"partial must be one of {', '.join(PARTIAL)}, not {self.partial!r}")
        if self.element.max <= 0:
            raise InputError(f"{self.element.name} has no positive value to scale to")

    @property
    def name(self) -> str:
        """The name that :func:`hwsim.formats.parse` reads back."""
        return f"{self.element.name}_g{self.size}"

    @property
    def family(self) -> str:
        """What kind of format this is, one word."""
        return "group"

    @property
    def bits_per_element(self) -> float:
        """Storage per element in bits, scales included."""
        return self.element.bits + self.scale.bits / self.size

    def with_options(self, **options: Any) -> "BlockFormat":
        """Return this format with other options: ``scale`` (a format or its name), ``partial``.

        Raises
        ------
        InputError
            For an unknown option or a value that it does not take.
        """
        known = ("scale", "partial")
        for name in options:
            if name not in known:
                hint = suggestion(name, known)
                raise InputError(f"{self.name} has no option {name!r}{hint}")
        if isinstance(options.get("scale"), str):
            from hwsim.formats.registry import parse_scalar

            options["scale"] = parse_scalar(options["scale"])
        return replace(self, **options)

    def quantize(
        self, x: ArrayLike, axis: int = -1, rounding: str | Rounding = Rounding.NEAREST_EVEN
    ) -> QuantizedTensor:
        """Quantise ``x`` in groups along ``axis``.

        Parameters
        ----------
        x
            Real numbers of any float dtype, at least one dimension.
        axis
            The axis that the groups run along.
        rounding
            Rounding of the elements; the scale is always rounded to nearest even, and an element
            that the rounded scale leaves out of range saturates.

        Returns
        -------
        QuantizedTensor
            An all-zero group has scale code 0 and element codes of zero.

        Raises
        ------
        InputError
            For NaN or infinity in ``x``, an axis that the group size does not divide (unless
            ``partial="pad"``), or a group whose scale overflows the scale's format.
        """
        numbers = real_array(x)
        if numbers.ndim == 0:
            raise InputError(f"{self.name} quantises along an axis, and the array has none")
        if not np.isfinite(numbers).all():
            raise InputError(f"cannot quantise to {self.name}: the array holds NaN or infinity")
        groups = self._split(np.moveaxis(numbers, axis, -1))
        scales = self._scales(np.abs(groups).max(axis=-1, initial=0.0))
        divisor = self.scale.decode(scales)[..., np.newaxis]
        quotients = np.divide(groups, divisor, out=np.zeros_like(groups), where=divisor != 0)
        codes = self.element.encode(quotients, rounding, Overflow.SATURATE)
        return QuantizedTensor(codes, scales, self, numbers.shape, axis)

    def _split(self, rows: Float64) -> Float64:
        missing = -rows.shape[-1] % self.size
        if missing and self.partial == "error":
            raise InputError(
                f"group size {self.size} does not divide an axis of {rows.shape[-1]}; "
                "choose another size, or partial='pad'"
            )
        padded = np.pad(rows, [(0, 0)] * (rows.ndim - 1) + [(0, missing)])
        return padded.reshape(*rows.shape[:-1], padded.shape[-1] // self.size, self.size)

    def _scales(self, largest: Float64) -> Codes:
        ideal = largest / self.element.max
        try:
            codes = self.scale.encode(ideal, overflow=Overflow.ERROR)
        except InputError as error:
            raise InputError(
                f"a group's scale overflows {self.scale.name}: {error}; "
                f"use with_options(scale='fp32')"
            ) from None
        # A scale that underflows to zero would lose the group; the smallest one keeps it.
        smallest = self.scale.encode(self.scale.smallest)
        lost = (self.scale.decode(codes) == 0) & (largest > 0)
        return np.where(lost, smallest, codes).astype(self.scale.code_dtype)


def parse(name: str, parse_scalar: Callable[[str], Format]) -> BlockFormat | None:
    """Return the block format called ``name``, ``<element>_g<size>``, or None if it is no block."""
    match = re.fullmatch(r"(.+)_g(\d+)", name)
    return BlockFormat(parse_scalar(match[1]), int(match[2])) if match else None
