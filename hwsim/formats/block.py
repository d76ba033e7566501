"""Blocks of elements under shared metadata: the interface of every block format.

A block is ``size`` neighbours along one axis. They share a scale, and in some families more: a
zero point, a selector, the place of an outlier. That metadata costs ``bits / size`` per element,
and in hardware one operation per block; the inner product stays in the narrow element format.

Quotients by a scale are the delicate point. ``x / scale`` rounded to float64 may land on a tie of
the element format that the real quotient misses by less than a float64 can show.
:func:`exact_quotient` moves such a quotient back off the tie, so that every family here rounds
the real quotient, once.
"""

import re
from abc import abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from math import fsum, prod
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Self, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hwsim.errors import InputError, suggestion
from hwsim.formats.base import (
    Codes,
    Float64,
    Format,
    Int64,
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
#: Elements that are encoded at a time: the float64 temporaries then stay in the cache.
CHUNK = 1 << 16
#: From this many float16 or float32 elements on, compiled loops take over from NumPy.
COMPILED_FROM = 1 << 15
#: Elements that compiled loops take at a time; where that needs a float32 copy, it stays small.
SLICE = 1 << 20
#: A float64 whose lowest 12 bits are 0 has at most 41 significant bits.
_LOW_BITS = (1 << 12) - 1

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


def float32_slices(blocks: Blocks) -> Iterator[tuple[slice, NDArray[np.float32]]]:
    """Yield flat float32 elements of many blocks at a time, and which blocks they are."""
    size = blocks.shape[-1]
    flat = blocks.reshape(-1)
    step = max(1, SLICE // size)
    for first in range(0, flat.size // size, step):
        part = slice(first, first + step)
        yield part, np.ascontiguousarray(flat[first * size : (first + step) * size], np.float32)


def largest_magnitude(blocks: Blocks) -> Float64:
    """Return the largest magnitude of each block as float64; NaN where a block holds NaN."""
    # The sum makes a -0 positive, which else would be the sign of a scale.
    return np.maximum(blocks.max(axis=-1), -blocks.min(axis=-1)).astype(np.float64) + 0.0


def exact_quotient(
    x: Float64,
    divisor: Float64,
    *,
    tail: Float64 | None = None,
    divisor_tail: Float64 | None = None,
) -> Float64:
    """Return ``x / divisor``, on the right side of every number of at most 41 significant bits.

    The quotient is exact for comparing: it is equal to such a number only if the real quotient
    is, and else lies on its side. Rounding it to an element format is then rounding the real
    quotient. Where the divisor is 0, the quotient is 0.

    Parameters
    ----------
    x
        Any finite float64.
    divisor
        Not negative, shape of ``x`` or broadcast to it.
    tail, divisor_tail
        What is to be added to ``x`` and ``divisor``, and is too small for a float64 to hold the
        sum: the second results of :func:`exact_sum` and :func:`exact_product`.
    """
    quotient = np.zeros(np.broadcast_shapes(x.shape, divisor.shape))
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        np.divide(x, divisor, out=quotient, where=divisor != 0)
    # Tails and rounding move a quotient by up to two places.
    bits = quotient.view(np.int64)
    nearest = (bits + (_LOW_BITS + 1) // 2) & ~_LOW_BITS
    short = nearest.view(np.float64)
    doubtful = np.flatnonzero((np.abs(bits - nearest) <= 2) & np.isfinite(short) & (divisor != 0))
    if doubtful.size == 0:
        return quotient
    at = short.flat[doubtful]
    parts = (x, divisor, *(np.zeros(()) if t is None else t for t in (tail, divisor_tail)))
    side = _remainder_sign(
        at, *(np.broadcast_to(part, quotient.shape).flat[doubtful] for part in parts)
    )
    beside = np.nextafter(at, np.copysign(np.inf, side))
    quotient.flat[doubtful] = np.where(side == 0, at, beside)
    return quotient


def _remainder_sign(
    quotient: Float64, x: Float64, divisor: Float64, tail: Float64, divisor_tail: Float64
) -> Float64:
    """Return a number of the sign of ``x + tail - quotient * (divisor + divisor_tail)``.

    One-dimensional arrays; the quotient has at most 41 significant bits.
    """
    factor, exponent = np.frexp(quotient)
    unit, unit_exponent = np.frexp(divisor)
    # All operands near 1, where the errors of products are float64 numbers.
    shift = -(exponent.astype(np.int64) + unit_exponent)
    product, error = exact_product(factor, unit)
    low, low_error = exact_product(factor, power_scaled(divisor_tail, -unit_exponent))
    difference = power_scaled(x, shift) - product
    terms = np.stack([difference, -error, power_scaled(tail, shift), -low, -low_error])
    sign = np.where(quotient == 0, x, difference)
    several = np.flatnonzero((terms[1:] != 0).any(axis=0) & (quotient != 0))
    sign[several] = [fsum(column) for column in terms[:, several].T.tolist()]
    return sign


def exact_sum(x: Float64, y: Float64) -> tuple[Float64, Float64]:
    """Return the rounded sum of finite numbers and what rounding took from it, exactly.

    A sum beyond float64 is infinite, and its second part no number.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        total = x + y
        shadow = total - x
        return total, (x - (total - shadow)) + (y - shadow)


def exact_product(x: Float64, y: Float64) -> tuple[Float64, Float64]:
    """Return the rounded product of finite numbers and what rounding took from it.

    Both are exact where they are in the range of float64 (T. J. Dekker, 1971).
    """
    (x, x_exponent), (y, y_exponent) = np.frexp(x), np.frexp(y)
    product = x * y
    (x_high, x_low), (y_high, y_low) = _halves(x), _halves(y)
    error = ((x_high * y_high - product) + x_high * y_low + x_low * y_high) + x_low * y_low
    exponent = x_exponent + y_exponent
    with np.errstate(over="ignore", under="ignore"):
        return np.ldexp(product, exponent), np.ldexp(error, exponent)


def _halves(x: Float64) -> tuple[Float64, Float64]:
    """Split numbers into two of at most 26 significant bits."""
    large = x * (2.0**27 + 1)
    high = large - (large - x)
    return high, x - high


def power_scaled(x: Float64, exponents: Int64) -> Float64:
    """Return ``x * 2**exponents``.

    Exact but for results below the float64 range, which keep their sign and stay away from zero,
    so that directed rounding sees them.
    """
    with np.errstate(under="ignore"):
        scaled = np.ldexp(x, exponents)
    return np.where((scaled == 0) & (x != 0), np.copysign(np.nextafter(0, 1), x), scaled)


def encode_scale(scale: Format, ideal: Float64) -> Codes:
    """Round group scales to their format, to nearest even.

    A scale that underflows to zero would lose the group; the smallest one keeps it.

    Raises
    ------
    InputError
        If a scale overflows the format.
    """
    try:
        codes = scale.encode(ideal, overflow="error")
    except InputError as error:
        hint = "; a wider format of scales is an option" if scale.bits < 32 else ""
        raise InputError(f"a scale overflows {scale.name}: {error}{hint}") from None
    smallest = scale.encode(scale.smallest)
    lost = (scale.decode(codes) == 0) & (ideal > 0)
    return np.where(lost, smallest, codes).astype(scale.code_dtype)


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
