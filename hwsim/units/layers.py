"""From the matrices of a layer to the codes that a unit takes: what all units share of it.

Y = X W^T, with weights of shape (outputs, inputs) and activations of shape (tokens, inputs). Both
are quantised in blocks along the inputs. A scale that the unit multiplies with is one of its
operands; one that it does not know stays outside: the result is multiplied with it afterwards, and
a dot product ends where it changes. Outside, results are added in float64.

An accumulator that rounds to a floating-point format must not overflow: it would stay infinite. So
minifloat operands of such a unit stop short of their largest value by as many octaves as keep a
sum of the largest products in range, and so do those whose products or table entries saturate: the
*room*.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hwsim.errors import InputError
from hwsim.formats.arithmetic import encode_scale
from hwsim.formats.base import Codes, Float64, Format, Int64
from hwsim.formats.block import BlockFormat, QuantizedTensor
from hwsim.formats.group import GroupScale
from hwsim.formats.minifloat import NAMED, Minifloat
from hwsim.formats.scaling import ScaleRule, is_finer_than

Floats = NDArray[np.floating]

#: Group size of weights whose format does not say.
GROUP = 128
#: Octaves above its smallest normal number that a minifloat keeps when it leaves room for sums.
_KEPT_OCTAVES = 4
#: Bits of an fp16 significand, and the least exponent with as many.
_FP16_BITS, _FP16_EXPONENT = 11, -14
#: Octaves that the largest number of a group may be below the largest of its matrix.
_SPREAD = 6


def per_token(fmt: Format, inputs: int) -> GroupScale:
    """Return the block format of activations: one fp32 scale for the ``inputs`` of a token."""
    return GroupScale(fmt, inputs, scale=NAMED["fp32"], scale_rule=fmt.scale_rule)


def per_group(fmt: Format, group: int) -> GroupScale:
    """Return the block format of weights: one scale for ``group`` inputs of an output.

    fp16, but fp32 for a format in which rounding an fp16 scale, which may be subnormal, moves the
    largest value by a step.
    """
    fp16 = _FP16_BITS - max(0, _FP16_EXPONENT + _SPREAD + _octave(fmt))
    scale = NAMED["fp32" if fp16 < 1 or is_finer_than(fmt, fp16) else "fp16"]
    return GroupScale(fmt, group, scale=scale, scale_rule=fmt.scale_rule)


def _octave(fmt: Format) -> int:
    """Return how many octaves below the numbers, near 1, the scales of a format are."""
    if fmt.scale_rule is ScaleRule.LEAST_ERROR:
        return 0
    return int(np.frexp(largest(fmt))[1])


def largest(fmt: Format) -> float:
    """Return the largest magnitude on the side of a format that numbers are scaled to."""
    return fmt.max or -fmt.min


def near_one(matrix: Floats, octave: int) -> Floats:
    """Return a matrix over 2**octave as float32, or as float64 if it is float64."""
    return np.ldexp(matrix.astype(np.promote_types(matrix.dtype, np.float32)), -octave)


def octave_of(matrix: Floats) -> int:
    """Return the power of two that brings the largest magnitude into [1, 2) if divided by."""
    return int(np.frexp(np.abs(matrix).max(initial=0))[1]) - 1


def room(activation: Format, weight: Format, excess: float) -> tuple[float, float]:
    """Return what scaled activations and weights are multiplied with, so that sums stay in range.

    1 for both, unless there is an ``excess`` of octaves of the largest sum over what the unit
    holds. Then minifloats give up octaves, in proportion to those they have to spare.
    """
    # Operands of one format leave the same room.
    spare = {fmt: _spare_octaves(fmt) for fmt in (activation, weight)}
    both = spare[activation] + spare[weight]
    if excess <= 0 or both == 0:
        return 1.0, 1.0
    share = min(1.0, excess / both)
    a, w = (float(np.exp2(-share * spare[fmt])) for fmt in (activation, weight))
    return a, w


def _spare_octaves(fmt: Format) -> float:
    if not isinstance(fmt, Minifloat):
        return 0.0
    return max(0.0, float(np.log2(fmt.max)) - fmt.min_exponent - _KEPT_OCTAVES)


@dataclass(frozen=True, eq=False)
class Matrix:
    """A quantised matrix.

    Attributes
    ----------
    tensor
        Codes of elements in blocks, shape (rows, blocks, size), with scales and metadata.
    inputs
        Elements of a row, padding excluded.
    codes
        Those of ``tensor``, or those that leave room.
    scales
        What the values of ``codes`` are multiplied with, shape (rows, blocks).
    factor
        What all of them are multiplied with besides.
    """

    tensor: QuantizedTensor
    inputs: int
    codes: Codes
    scales: Float64
    factor: float = 1.0

    @property
    def format(self) -> BlockFormat:
        """The block format."""
        return self.tensor.format

    @property
    def block(self) -> int:
        """Elements of a block; the whole row if there is one."""
        return int(self.codes.shape[-1])

    @property
    def blocks(self) -> int:
        """Blocks of a row."""
        return int(self.codes.shape[-2])

    def rows(self) -> Codes:
        """Return the codes of rows without padding, shape (rows, inputs)."""
        return self.codes.reshape(len(self.codes), -1)[:, : self.inputs]


def quantise(fmt: BlockFormat, matrix: Floats, rows: Int64, left: float = 1.0) -> Matrix:
    """Return some rows of a matrix, quantised as those of the whole are.

    Parameters
    ----------
    fmt
        The block format; a last block that it does not fill is filled with zeros.
    matrix
        Real numbers of shape (rows, inputs). The matrix is scaled by a power of two before, to be
        near 1: the codes are the same, but no scale leaves its format.
    rows
        Which rows.
    left
        What scaled numbers are multiplied with, see :func:`room`.
    """
    octave = octave_of(matrix)
    fmt = fmt.with_options(partial="pad")
    if fmt.spans_tensor:
        tensor = take(fmt.quantize(near_one(matrix, octave)), rows)
        return of_tensor(tensor, 2.0**octave)
    chosen = near_one(matrix[rows], octave)
    done = of_tensor(fmt.quantize(chosen), 2.0**octave)
    if left == 1.0:
        return done
    scales = np.where(done.scales == 0, 1.0, done.scales)
    blocks = np.zeros(done.codes.shape)
    blocks.reshape(len(chosen), -1)[:, : done.inputs] = chosen
    codes = fmt.element.encode(blocks * (left / scales)[..., np.newaxis])
    return Matrix(done.tensor, done.inputs, codes, scales / left, done.factor)


def of_tensor(tensor: QuantizedTensor, factor: float = 1.0) -> Matrix:
    """Return a quantised tensor of two dimensions, blocks along the last, as a matrix."""
    if len(tensor.shape) != 2 or tensor.axis % 2 != 1:
        raise InputError(
            f"a tensor of shape {tensor.shape} quantised along axis {tensor.axis}: allowed: "
            "matrices, (rows, inputs), quantised along the inputs"
        )
    scales = tensor.format.scale.decode(tensor.scales)
    shared = tensor.format.tensor_factor(tensor)
    return Matrix(tensor, tensor.shape[1], tensor.codes, scales, factor * shared)


def take(tensor: QuantizedTensor, rows: Int64) -> QuantizedTensor:
    """Return some rows of a quantised matrix; what belongs to the whole stays."""
    metadata = {
        name: codes[rows] if codes.ndim else codes for name, codes in tensor.metadata.items()
    }
    return QuantizedTensor(
        tensor.codes[rows],
        tensor.scales[rows],
        tensor.format,
        (len(rows), *tensor.shape[1:]),
        tensor.axis,
        metadata,
    )


class Rows(NamedTuple):
    """Rows of a matrix as dot products of a unit.

    Attributes
    ----------
    codes
        Shape (rows, dot products, beats * lanes).
    scales
        What results are multiplied with, shape (rows, dot products).
    metadata
        Codes by name, of shape (rows, dot products, beats or groups) or (rows, dot products).
    """

    codes: Codes
    scales: Float64
    metadata: Mapping[str, Codes]


def split(codes: Codes, length: int, lanes: int, zero: int | None) -> Codes:
    """Return codes of shape (rows, inputs) as (rows, dot products, beats * lanes).

    Parameters
    ----------
    codes
        Shape (rows, inputs).
    length
        Elements of a dot product; the last of a row may be shorter.
    lanes
        A dot product is filled up to a multiple of it.
    zero
        The code to fill up with; None if the format has no zero.

    Raises
    ------
    InputError
        If there is something to fill up and nothing to do so with.
    """
    count, inputs = codes.shape
    dots = -(-inputs // length)
    beats = -(-length // lanes)
    if zero is None and (dots * length != inputs or beats * lanes != length):
        raise InputError(
            f"lanes={lanes} do not divide dot products of {length} in rows of {inputs}, and "
            "neither operand has a zero to fill them up with"
        )
    filled = np.full((count, dots, beats * lanes), zero or 0, codes.dtype)
    whole = np.full((count, dots * length), zero or 0, codes.dtype)
    whole[:, :inputs] = codes
    filled[:, :, :length] = whole.reshape(count, dots, length)
    return filled


def zero_code(fmt: Format) -> int | None:
    """Return the code of 0, or None if the format has none."""
    code = int(fmt.encode(0.0))
    return code if float(fmt.decode(code)) == 0 else None


def part_scales(matrix: Matrix, length: int) -> Float64:
    """Return the scale of every dot product of ``length`` elements, shape (rows, dot products)."""
    starts = np.arange(0, matrix.inputs, length) // matrix.block
    return matrix.scales[:, starts] * matrix.factor


def whole_row(family: str, activations: Matrix, weights: Matrix) -> int:
    """Return the elements of a row whose groups of weights have scales that the unit applies.

    Raises
    ------
    InputError
        For activations in blocks, whose scales it does not.
    """
    if activations.blocks > 1:
        raise InputError(
            f"activations in blocks of {activations.block}: {family} takes one scale for all "
            "inputs of a token"
        )
    return weights.blocks * weights.block


def short_scales(fmt: Format, scales: Float64) -> tuple[Codes, Float64]:
    """Return group scales in a unit's own, short format, and the factor of every row.

    The largest scale of a row becomes the format's largest value. The others are rounded to nearest
    even, but to the smallest value where that is 0, as the group would be lost. The factor, which
    is applied outside, is that of a second level of scales, one a row.

    Parameters
    ----------
    fmt
        Format of the codes.
    scales
        Not negative, shape (rows, groups).

    Returns
    -------
    tuple of numpy.ndarray
        Codes of shape (rows, groups), float64 of shape (rows,); a scale is about their product.
    """
    factor = scales.max(axis=-1) / fmt.max
    ratios = scales / np.where(factor == 0, 1.0, factor)[:, np.newaxis]
    return encode_scale(fmt, ratios), factor
