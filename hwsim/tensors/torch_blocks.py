"""Quantising torch tensors, with the codes that arrays have, bit for bit.

What is shared by a block (scales, zero points, selectors) follows from a few numbers a block, its
largest magnitude above all. These are found on the device, which is exact; the few are taken to the
formats' own functions, and what they return back to the device, where
:mod:`hwsim.tensors.torch_rounding` makes the codes of elements. Sums of squares, which searches
compare, depend on the order of their terms in the last places: where two candidates are that close,
the block itself is taken to the formats' own search.

Rounding is to nearest even, saturating. Families of blocks are a line each in :func:`_encoded`;
others than those are refused, and can be quantised as arrays.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hwsim.errors import InputError
from hwsim.formats import BlockFormat
from hwsim.formats.arithmetic import encode_scale
from hwsim.formats.base import Codes, Float64, Format
from hwsim.formats.bitmod import BitMod, Selection
from hwsim.formats.block import QuantizedTensor
from hwsim.formats.group import GroupScale, GroupZeroPoint
from hwsim.formats.nvfp import TensorBlockScale
from hwsim.formats.scaling import REACH, ScaleRule, exact_least_error_scales, normal_octave
from hwsim.formats.shared_exponent import SharedExponent
from hwsim.tensors.torch_rounding import Encoder, exact_quotient

#: Relative difference below which sums of squares are compared again in the formats' own order.
_CLOSE = 1e-9
#: Elements that are quantised at a time: float64 temporaries of some 100 MB each.
SLICE = 1 << 24


@dataclass(frozen=True, eq=False)
class TorchQuantized:
    """A tensor in a block format; the counterpart of :class:`~hwsim.formats.block.QuantizedTensor`.

    Attributes
    ----------
    codes
        Of elements, int32 of shape [rows, groups, size], on the device.
    values
        float32 of the shape that was quantised, on the device.
    scales, metadata
        Codes as arrays.
    format, shape
        As there.
    """

    codes: Tensor
    values: Tensor
    scales: Codes
    metadata: dict[str, Codes]
    format: BlockFormat
    shape: tuple[int, ...]

    def cpu(self) -> QuantizedTensor:
        """Return the same as arrays."""
        outer = self.shape[:-1]
        dtype = self.format.element.code_dtype
        codes = self.codes.cpu().numpy().astype(dtype).reshape(*outer, *self.codes.shape[-2:])
        shaped = {
            name: values.reshape(*outer, *values.shape[1:]) if values.ndim else values
            for name, values in self.metadata.items()
        }
        scales = self.scales.reshape(*outer, -1)
        return QuantizedTensor(codes, scales, self.format, self.shape, -1, shaped)


def quantize(fmt: BlockFormat, x: Tensor) -> TorchQuantized:
    """Quantise a tensor in blocks along its last axis.

    Parameters
    ----------
    fmt
        A block format.
    x
        float16, bfloat16, float32 or float64, of any shape with at least one axis, on any device.

    Raises
    ------
    InputError
        For a family that has no path on torch tensors, with the families that have, elements wider
        than 16 bits, an axis that the block size does not divide (unless ``partial="pad"``), and
        NaN or infinity where the format refuses them.
    """
    artifact = isinstance(fmt, BitMod) and fmt.selection is Selection.FP16
    if artifact or not isinstance(fmt, FAMILIES):
        names = ", ".join(family.__name__ for family in FAMILIES)
        raise InputError(f"{fmt.name} on torch tensors: allowed: {names}")
    if x.ndim == 0:
        raise InputError(f"{fmt.name} quantises along an axis, and the tensor has none")
    rows = x.reshape(-1, x.shape[-1])
    missing = -rows.shape[1] % fmt.size
    if missing and fmt.partial == "error":
        raise InputError(
            f"block size {fmt.size} of {fmt.name} does not divide an axis of {rows.shape[1]}; "
            "choose another size, or partial='pad'"
        )
    blocks = torch.nn.functional.pad(rows, (0, missing)).reshape(len(rows), -1, fmt.size)
    found = _encoded(fmt, blocks)
    values = found.values.reshape(len(rows), -1)[:, : rows.shape[1]].reshape(x.shape)
    scales = found.scales.reshape(blocks.shape[:-1])
    metadata = {
        name: codes.reshape(blocks.shape[:-1]) if codes.ndim else codes
        for name, codes in found.metadata.items()
    }
    return TorchQuantized(
        found.codes.reshape(blocks.shape), values, scales, metadata, fmt, tuple(x.shape)
    )


@dataclass(frozen=True, eq=False)
class _Encoded:
    """Codes and float32 values of blocks on the device, codes of scales and metadata as arrays."""

    codes: Tensor
    values: Tensor
    scales: Codes
    metadata: dict[str, Codes]


def _encoded(fmt: BlockFormat, blocks: Tensor) -> _Encoded:
    """Return the codes of blocks [rows, groups, size], which are flat from here on."""
    flat = blocks.reshape(-1, fmt.size)
    largest = _array(flat.abs().amax(dim=-1))
    if not isinstance(fmt, SharedExponent | TensorBlockScale) and not np.isfinite(largest).all():
        raise InputError(f"cannot quantise to {fmt.name}: the array holds NaN or infinity")
    match fmt:
        case SharedExponent():
            scales, divisors = fmt.scales_of(largest)
            return _by_quotients(fmt, flat, scales, divisors, {})
        case TensorBlockScale():
            found = fmt.scales_of(largest)
            if found.tails.any():
                raise InputError(f"{fmt.name} on torch tensors: scales are out of range")
            return _by_quotients(fmt, flat, found.scales, found.divisors, found.metadata)
        case GroupScale():
            ideal = _ideal_scales(fmt, flat, largest)
            scales = encode_scale(fmt.scale, ideal)
            return _by_quotients(fmt, flat, scales, fmt.scale.decode(scales), {})
        case GroupZeroPoint():
            return _with_zero_points(fmt, flat)
        case BitMod():
            return _of_bitmod(fmt, flat, largest)
    raise AssertionError(fmt)


#: The families of blocks that torch tensors can be quantised to.
FAMILIES = (SharedExponent, TensorBlockScale, GroupScale, GroupZeroPoint, BitMod)


def _by_quotients(
    fmt: BlockFormat, flat: Tensor, scales: Codes, divisors: Float64, metadata: dict[str, Codes]
) -> _Encoded:
    """Encode quotients by the divisors of blocks; values are products with the scales."""
    encoder = _encoder(fmt.element, flat.device)
    factors = fmt.scale.decode(scales)
    if "tensor_scale" in metadata:
        factors = factors * fmt.tensor_factor(_only_metadata(fmt, metadata))
    codes = torch.empty(flat.shape, dtype=torch.int32, device=flat.device)
    values = torch.empty(flat.shape, dtype=torch.float32, device=flat.device)
    for part in _parts(flat):
        x = flat[part].to(torch.float64)
        by, times = (_tensor(one[part], flat) for one in (divisors, factors))
        x = torch.where(by[:, None] == 0, 0.0, x)  # Blocks that hold NaN are divided by 0.
        codes[part] = encoder.encode(exact_quotient(x, by[:, None]))
        values[part] = (encoder.decode(codes[part]) * times[:, None]).to(torch.float32)
    return _Encoded(codes, values, scales, metadata)


def _only_metadata(fmt: BlockFormat, metadata: dict[str, Codes]) -> QuantizedTensor:
    empty = np.zeros((0, fmt.size), np.uint8)
    return QuantizedTensor(empty, empty[:, 0], fmt, (0,), -1, metadata)


def _ideal_scales(fmt: GroupScale, flat: Tensor, largest: Float64) -> Float64:
    if fmt.scale_rule is ScaleRule.MAXIMUM:
        return fmt.ideal_scales(largest)
    scales = np.empty(len(flat))
    for part in _parts(flat):
        scales[part] = _least_error_scales(fmt.element, flat[part].to(torch.float64), largest[part])
    return scales


def _least_error_scales(element: Format, groups: Tensor, largest: Float64) -> Float64:
    """Return what :func:`hwsim.formats.scaling.least_error_scales` does.

    Octaves are tried upwards. One that gives the very errors of the best so far is no better; one
    whose sum is close to the best decides nothing here.
    """
    encoder = _encoder(element, groups.device)
    octave = np.frexp(largest)[1]
    powers = _tensor(np.ldexp(1.0, -octave), groups)
    near_one = groups * powers[:, None]
    mean = _array(near_one.square().mean(dim=-1))
    half = np.log2(np.where(mean == 0, 1.0, mean)) / 2
    close = torch.from_numpy(np.abs(np.abs(half - np.rint(half)) - 0.5) < _CLOSE)
    close = close.to(groups.device)
    own = np.rint(half).astype(np.int64) + normal_octave(element)
    least = torch.full(largest.shape, torch.inf, dtype=torch.float64, device=groups.device)
    best = torch.zeros(largest.shape, dtype=torch.int64, device=groups.device)
    kept = torch.full_like(near_one, torch.nan)
    for step in range(-REACH, REACH + 1):
        scale = _tensor(np.ldexp(1.0, own + step), groups)[:, None]
        codes = encoder.encode(near_one / scale)
        wrong = (encoder.decode(codes) * scale - near_one).square()
        error = wrong.sum(dim=-1)
        same = (wrong == kept).all(dim=-1)
        near = ~same & ((error - least).abs() <= _CLOSE * torch.minimum(error, least))
        better = ~same & (error < least)
        close = torch.where(better & ~near, False, close) | near
        best = torch.where(better, step, best)
        least = torch.where(better, error, least)
        kept = torch.where(better[:, None], wrong, kept)
    scales = np.where(largest == 0, 0.0, np.ldexp(1.0, octave + own + _array(best, np.int64)))
    doubtful = np.flatnonzero(close.cpu().numpy() & (largest != 0))
    if doubtful.size:
        chosen = groups[torch.from_numpy(doubtful).to(groups.device)]
        scales[doubtful] = exact_least_error_scales(element, chosen.cpu().numpy())
    return scales


def _with_zero_points(fmt: GroupZeroPoint, flat: Tensor) -> _Encoded:
    low = _array(flat.amin(dim=-1).clamp(max=0)) * -1.0 + 0.0
    high = _array(flat.amax(dim=-1).clamp(min=0)) + 0.0
    scales, divisors, zeros = fmt.scales_of(low, high)
    offsets = fmt.element.decode(zeros)
    top = float(fmt.element.max)
    codes = torch.empty(flat.shape, dtype=torch.int32, device=flat.device)
    values = torch.empty(flat.shape, dtype=torch.float32, device=flat.device)
    for part in _parts(flat):
        by, zero = (_tensor(one[part], flat)[:, None] for one in (divisors, offsets))
        quotients = exact_quotient(flat[part].to(torch.float64), by)
        # torch rounds halves to even, too.
        shifted = (quotients.round() + zero).clamp(0.0, top)
        codes[part] = shifted.to(torch.int32)
        values[part] = ((shifted - zero) * by).to(torch.float32)
    return _Encoded(codes, values, scales, {"zero_points": zeros})


class _Rows:
    """Groups on the device, of which the formats' own search takes some."""

    def __init__(self, groups: Tensor) -> None:
        self._groups = groups

    def __getitem__(self, rows: NDArray[np.int64]) -> Float64:
        index = torch.from_numpy(rows).to(self._groups.device)
        return _array(self._groups[index])


def _of_bitmod(fmt: BitMod, flat: Tensor, largest: Float64) -> _Encoded:
    candidates = fmt.candidates
    scales = fmt.scales_of(largest)
    steps = fmt.scale.decode(scales)
    selectors = np.empty(len(flat), np.int64)
    codes = torch.empty(flat.shape, dtype=torch.int32, device=flat.device)
    values = torch.empty(flat.shape, dtype=torch.float32, device=flat.device)
    special = fmt.element.sign_code
    for part in _parts(flat):
        x, by = flat[part].to(torch.float64), _tensor(steps[part], flat)
        power = _tensor(np.ldexp(1.0, -np.frexp(largest[part])[1]), flat)[:, None]
        errors, used = [], torch.zeros((len(x), 2), dtype=torch.bool, device=flat.device)
        indices = []
        for row in range(4):
            midpoints, levels = (
                _tensor(one[row], flat) for one in (candidates.midpoints, candidates.levels)
            )
            index = _above(x, midpoints, by[:, row])
            wrong = (x * power - levels[index] * (by[:, row, None] * power)).square()
            errors.append(wrong.sum(dim=-1))
            place = int(np.flatnonzero(candidates.codes[row] == special)[0])
            used[:, row // 2] |= (index == place).any(dim=-1)
            indices.append(index.to(torch.uint8))
        doubt = used.cpu().numpy() & (largest[part] > 0)[:, None]
        found: Any = _Rows(x)
        chosen = fmt.select(found, steps[part], _array(torch.stack(errors, dim=-1)), doubt)
        selectors[part] = chosen
        pick = torch.from_numpy(chosen).to(flat.device)
        index = (
            torch.stack(indices, dim=-1)
            .gather(-1, pick[:, None, None].expand(*x.shape, 1))[..., 0]
            .to(torch.int64)
        )
        of_code = torch.from_numpy(candidates.codes.astype(np.int32)).to(flat.device)
        levels = _tensor(candidates.levels, flat)
        codes[part] = of_code[pick[:, None], index]
        step = by.gather(1, pick[:, None])
        values[part] = (levels[pick[:, None], index] * step).to(torch.float32)
    chosen_scales = np.take_along_axis(scales, selectors[:, np.newaxis], axis=-1)[:, 0]
    return _Encoded(codes, values, chosen_scales, {"selectors": selectors.astype(np.uint8)})


def _above(x: Tensor, midpoints: Tensor, steps: Tensor) -> Tensor:
    """Return how many midpoints, times the step of a group, each number exceeds; exact products."""
    index = torch.zeros(x.shape, dtype=torch.int64, device=x.device)
    for midpoint in midpoints:
        index += x > (midpoint * steps)[:, None]
    return index


def _parts(flat: Tensor) -> list[slice]:
    step = max(1, SLICE // flat.shape[1])
    return [slice(first, first + step) for first in range(0, len(flat), step)]


def _array(x: Tensor, dtype: type = np.float64) -> NDArray[Any]:
    # A copy of a bfloat16 tensor has no NumPy dtype, and float64 holds all of them.
    wide = x.to(torch.float64) if x.is_floating_point() else x
    return wide.cpu().numpy().astype(dtype, copy=False)


def _tensor(values: NDArray[Any], like: Tensor) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(values)).to(like.device)


@lru_cache(maxsize=64)
def _encoder(fmt: Format, device: torch.device) -> Encoder:
    return Encoder(fmt, device)
