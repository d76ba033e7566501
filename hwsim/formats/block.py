"""Blocks of elements under shared metadata: the interface of every block format.

A block is ``size`` neighbours along one axis. They share a scale, and in some families more: a
zero point, a selector, the place of an outlier. That metadata costs ``bits / size`` per element,
and in hardware one operation per block; the inner product stays in the narrow element format.

Scales and codes come from :mod:`hwsim.formats.arithmetic`, which rounds the real quotient by a
scale, once, and has compiled loops for large arrays.
"""

import re
from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from math import prod
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Self, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hwsim.errors import InputError, suggestion
from hwsim.formats import fast
from hwsim.formats.arithmetic import CHUNK
from hwsim.formats.base import (
    Codes,
    Float64,
    Format,
    Rounding,
    Stochastic,
    check_real,
    parse_rounding,
    to_float64,
)
from hwsim.formats.fields import Named, convert_fields
from hwsim.formats.registry import parse_block, parse_scalar

#: What happens to an axis that the block size does not divide.
PARTIAL = ("error", "pad")
#: Blocks to encode: float16, float32 or float64, shape (..., groups, size).
Blocks = NDArray[np.floating[Any]]


class Encoded(NamedTuple):
    """What a block format stores: element codes, scale codes, and further codes by name."""

    codes: Codes
    scales: Codes
    metadata: dict[str, Codes]


@dataclass(frozen=True, eq=False, repr=False)
class QuantizedTensor:
    """Codes of elements and scales, with all that is needed to get the values back.

    Two are equal if format, shape, axis and all codes are.

    Attributes
    ----------
    codes
        Element codes, shape (..., groups, size): the quantised axis moved last and split.
    scales
        Scale codes, shape (..., groups).
    format
        The block format that made it.
    shape, axis
        Shape of the array that was quantised, and the axis that the blocks run along.
    metadata
        Further codes by name; empty where a scale is all that the elements share.
    """

    codes: Codes
    scales: Codes
    format: "BlockFormat"
    shape: tuple[int, ...]
    axis: int
    metadata: dict[str, Codes] = field(default_factory=dict)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, QuantizedTensor):
            return NotImplemented
        arrays, others = ({"": t.codes, " ": t.scales, **t.metadata} for t in (self, other))
        return (
            self._layout == other._layout
            and arrays.keys() == others.keys()
            and all(np.array_equal(array, others[name]) for name, array in arrays.items())
        )

    def __hash__(self) -> int:
        # Codes may change, so they are no part of it.
        return hash(self._layout)

    def __repr__(self) -> str:
        return f"QuantizedTensor({self.format}, shape={self.shape}, axis={self.axis})"

    @property
    def _layout(self) -> tuple["BlockFormat", tuple[int, ...], int]:
        return self.format, self.shape, self.axis % len(self.shape)

    @property
    def bits_per_element(self) -> float:
        """Bits stored per element of the array: codes, scales, metadata, and padding.

        An empty array takes the figure of its format.
        """
        elements = prod(self.shape)
        if elements == 0:
            return self.format.bits_per_element
        return self.format.storage_bits(self) / elements

    def dequantize(self) -> Float64:
        """Return the values as float64, of the shape of the array that was quantised."""
        with fast.part_of(self.codes.size):
            values = self.format.decode(self)
        length = self.shape[self.axis]
        merged = values.reshape(*values.shape[:-2], values.shape[-2] * values.shape[-1])
        return np.moveaxis(merged[..., :length], -1, self.axis)


class BlockFormat(Named):
    """Elements that share metadata over blocks along one axis.

    Subclasses are frozen dataclasses; the fields named in ``OPTIONS`` are the ones that
    :meth:`with_options` changes, the others are part of :attr:`base_name`.
    """

    OPTIONS: ClassVar[tuple[str, ...]] = ("partial",)

    size: int
    partial: str

    if TYPE_CHECKING:
        # Fields in some subclasses, computed in others; at run time either defines them.
        @property
        def element(self) -> Format:
            """Format of the elements."""

        @property
        def scale(self) -> Format:
            """Format of the scales."""

    @classmethod
    def named(cls, name: str) -> "BlockFormat":
        return parse_block(name)

    @property
    @abstractmethod
    def base_name(self) -> str:
        """The name with all options at their default, as :func:`hwsim.formats.parse` reads it."""

    @property
    def name(self) -> str:
        """The name that :func:`hwsim.formats.parse` reads back, ``mxfp4[scale_rule=even]``.

        Options that are not the default of the base name stand in brackets, in the order of
        :attr:`OPTIONS`, so that equal formats have one name and others another.
        """
        options = ",".join(f"{key}={value}" for key, value in self._changed_options().items())
        return f"{self.base_name}[{options}]" if options else self.base_name

    def _changed_options(self) -> dict[str, str]:
        default = parse_block(self.base_name)
        changed = {}
        for key in self.OPTIONS:
            usual, value = getattr(default, key), getattr(self, key)
            if value != usual:
                # A float option may be given as an integer, and is the same.
                changed[key] = repr(float(value)) if isinstance(usual, float) else str(value)
        return changed

    @property
    @abstractmethod
    def family(self) -> str:
        """What kind of format this is, one word."""

    @abstractmethod
    def _encode(self, blocks: Blocks, rounding: Rounding | Stochastic) -> Encoded:
        """Encode blocks of shape (..., groups, size), which may hold NaN and infinity."""

    @property
    def metadata_bits(self) -> dict[str, int]:
        """Width of each kind of metadata code, by its name in ``QuantizedTensor.metadata``."""
        return {}

    @property
    def bits_per_element(self) -> float:
        """Bits per element of a full block, with all metadata that belongs to the block.

        What belongs to a whole channel or tensor depends on the array's shape and is counted by
        :attr:`QuantizedTensor.bits_per_element`.
        """
        return self.element.bits + (self.scale.bits + sum(self.metadata_bits.values())) / self.size

    @property
    def spans_tensor(self) -> bool:
        """Whether the codes of a block depend on the whole tensor."""
        return False

    @property
    def places_matter(self) -> bool:
        """Whether what a code stands for depends on the element's place in its block."""
        return False

    def tensor_factor(self, tensor: QuantizedTensor) -> float:
        """Return what all values of a tensor are multiplied with besides their scales."""
        return 1.0

    def storage_bits(self, tensor: QuantizedTensor) -> int:
        """Return the bits that a quantised tensor takes, metadata and padding included."""
        metadata = sum(
            tensor.metadata[name].size * bits for name, bits in self.metadata_bits.items()
        )
        return (
            tensor.codes.size * self.element.bits + tensor.scales.size * self.scale.bits + metadata
        )

    def decode(self, tensor: QuantizedTensor) -> Float64:
        """Return the values of a tensor as float64, shape (..., groups, size)."""
        values = self.element.decode(tensor.codes)
        values *= self.scale.decode(tensor.scales)[..., np.newaxis]
        return values

    def with_options(self, **options: Any) -> Self:
        """Return this format with other options; :attr:`OPTIONS` names them.

        A format is given as such or by its name.

        Raises
        ------
        InputError
            For an unknown option or a value that it does not take.
        """
        checked = {name: self._option(name, value) for name, value in options.items()}
        changed: Self = replace(cast(Any, self), **checked)
        return changed

    def _option(self, name: str, value: Any) -> Any:
        """Return the value of an option, of the type of the present one."""
        if name not in self.OPTIONS:
            hint = suggestion(name, self.OPTIONS) or f"; known: {', '.join(self.OPTIONS)}"
            raise InputError(f"{self.base_name} has no option {name!r}{hint}")
        present = getattr(self, name)
        if isinstance(present, Format) and isinstance(value, str):
            return parse_scalar(value)
        kinds = {
            Format: ("a format or its name", Format),
            bool: ("True or False", bool),
            int: ("an integer", int | np.integer),
            float: ("a number", int | float | np.integer | np.floating),
            str: ("a text", str),
        }
        kind = next(kind for kind in kinds if isinstance(present, kind))
        allowed, types = kinds[kind]
        if not isinstance(value, types) or (isinstance(value, bool) and kind is not bool):
            raise InputError(f"{name} of {self.base_name} must be {allowed}, not {value!r}")
        return value if kind in (Format, str) else kind(value)

    def read_options(self, text: str) -> Self:
        """Return this format with options as they stand in a name, ``scale_rule=even,partial=pad``.

        Raises
        ------
        InputError
            As :meth:`with_options` does, and for text that is no ``option=value``.
        """
        options: dict[str, Any] = {}
        # No comma within the parentheses of a format's name.
        for item in re.split(r",(?![^()]*\))", text):
            name, equals, value = (part.strip() for part in item.partition("="))
            if not (name and equals and value) or name in options:
                raise InputError(
                    f"{self.base_name}[{text}]: options stand once, as option=value, not {item!r}"
                )
            present = getattr(self, name) if name in self.OPTIONS else ""
            options[name] = _value(value, present)
        return self.with_options(**options)

    def quantize(
        self,
        x: ArrayLike,
        axis: int = -1,
        rounding: str | Rounding | Stochastic = Rounding.NEAREST_EVEN,
    ) -> QuantizedTensor:
        """Quantise ``x`` in blocks along ``axis``.

        Parameters
        ----------
        x
            Real numbers of any shape of at least one dimension and of any float dtype.
        axis
            The axis that the blocks run along.
        rounding
            Rounding of the elements. Scales are rounded as the format defines, and an element
            that the rounded scale leaves out of range saturates.

        Raises
        ------
        InputError
            For an array without dimensions, an axis that it does not have, one that the block
            size does not divide (unless ``partial="pad"``), and for NaN, infinity or a scale out
            of range in formats that cannot express them.
        """
        numbers = _floats(x)
        rule = parse_rounding(rounding)
        if numbers.ndim == 0:
            raise InputError(f"{self.name} quantises along an axis, and the array has none")
        if not -numbers.ndim <= axis < numbers.ndim:
            raise InputError(
                f"axis must be {-numbers.ndim} to {numbers.ndim - 1} for an array of "
                f"{numbers.ndim} dimensions, not {axis}"
            )
        with fast.part_of(numbers.size):
            encoded = self._encode(self._split(np.moveaxis(numbers, axis, -1)), rule)
        return QuantizedTensor(
            encoded.codes, encoded.scales, self, numbers.shape, axis, encoded.metadata
        )

    def __str__(self) -> str:
        return self.name

    def _block_size(self, length: int) -> int:
        """Return how many elements of an axis of ``length`` make a block."""
        return self.size

    def _split(self, rows: Blocks) -> Blocks:
        length = rows.shape[-1]
        size = self._block_size(length)
        missing = -length % size
        if missing and self.partial == "error":
            raise InputError(
                f"block size {size} of {self.name} does not divide an axis of {length}; "
                "choose another size, or partial='pad'"
            )
        if missing:
            rows = np.pad(rows, [(0, 0)] * (rows.ndim - 1) + [(0, missing)])
        return rows.reshape(*rows.shape[:-1], (length + missing) // size, size)

    def _check_finite(self, blocks: Blocks) -> None:
        if not np.isfinite(blocks).all():
            raise InputError(f"cannot quantise to {self.name}: the array holds NaN or infinity")

    def _check_fields(self) -> None:
        convert_fields(self)
        if self.size < 1:
            raise InputError(f"group size must be at least 1, not {self.size}")
        if self.partial not in PARTIAL:
            raise InputError(f"partial must be one of {', '.join(PARTIAL)}, not {self.partial!r}")


def _value(text: str, present: object) -> object:
    """Return the number or truth value that a text stands for, where the present one is such."""
    try:
        if isinstance(present, bool):
            return {"true": True, "false": False}.get(text.lower(), text)
        return type(present)(text) if isinstance(present, int | float) else text
    except ValueError:
        return text


def _floats(x: ArrayLike) -> Blocks:
    """Return ``x`` as floats of 2, 4 or 8 bytes that hold it exactly, without a copy if it is."""
    array = check_real(x)
    if array.dtype in (np.float16, np.float32, np.float64):
        return array
    # Short integers, and the dtypes of ml_dtypes.
    return array.astype(np.float32) if array.dtype.itemsize <= 2 else to_float64(array)


def map_chunks(function: Callable[[Blocks], Float64], blocks: Blocks) -> Float64:
    """Return a function of each block, shape (..., groups), a cacheful at a time."""
    outer, size = blocks.shape[:-1], blocks.shape[-1]
    flat = blocks.reshape(prod(outer), size)
    result = np.empty(len(flat))
    step = max(1, CHUNK // size)
    for start in range(0, len(flat), step):
        result[start : start + step] = function(flat[start : start + step])
    return result.reshape(outer)


def encode_chunks(
    encode: Callable[..., Encoded],
    blocks: Blocks,
    rounding: Rounding | Stochastic,
    *shared: Float64,
) -> Encoded:
    """Encode blocks that do not depend on each other, a cacheful at a time.

    Parameters
    ----------
    encode
        Called with float64 blocks of shape (n, size) and the matching parts of ``shared``.
    blocks
        Shape (..., groups, size).
    rounding
        Stochastic rounding draws one random number per element in order, so it is not cut.
    shared
        Values per block, shape (..., groups).
    """
    outer, size = blocks.shape[:-1], blocks.shape[-1]
    flat = blocks.reshape(prod(outer), size)
    flat_shared = [values.reshape(prod(outer)) for values in shared]
    step = len(flat) if isinstance(rounding, Stochastic) else max(1, CHUNK // size)
    parts = []
    for start in range(0, max(len(flat), 1), max(step, 1)):
        part = slice(start, start + step)
        values = [values[part] for values in flat_shared]
        parts.append(encode(flat[part].astype(np.float64), *values))
    return Encoded(
        _joined([part.codes for part in parts], outer),
        _joined([part.scales for part in parts], outer),
        {
            name: _joined([part.metadata[name] for part in parts], outer)
            for name in parts[0].metadata
        },
    )


def _joined(parts: list[Codes], outer: tuple[int, ...]) -> Codes:
    joined = np.concatenate(parts) if len(parts) > 1 else parts[0]
    return joined.reshape(*outer, *joined.shape[1:])
