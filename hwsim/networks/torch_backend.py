"""What :mod:`hwsim.networks.backend` has, of torch tensors on any device; torch is imported here.

float32 throughout: products are not rounded to TF32 (torch's default), so a pass differs from
NumPy's in the order of sums only. Quantisers have the codes of arrays, bit for bit
(:mod:`hwsim.tensors.torch_blocks`).
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from hwsim.formats import BlockFormat
from hwsim.formats.base import Float64
from hwsim.formats.block import QuantizedTensor
from hwsim.tensors.torch_blocks import TorchQuantized, quantize


def array(values: ArrayLike, like: Tensor) -> Tensor:
    """Return numbers as float32 on the device of another tensor."""
    return torch.from_numpy(np.asarray(values, np.float32)).to(like.device)


def permute(x: Tensor, *axes: int) -> Tensor:
    """Return a tensor with its axes in another order."""
    return x.permute(axes)


def rms_norm(x: Tensor, gain: Tensor, epsilon: float) -> Tensor:
    """Return ``x`` over its root mean square along the last axis, times ``gain``."""
    mean = x.square().mean(dim=-1, keepdim=True)
    return x * (1 / (mean + epsilon).sqrt()) * gain


def layer_norm(x: Tensor, gain: Tensor, bias: Tensor, epsilon: float) -> Tensor:
    """Return ``x`` less its mean along the last axis, normalised as :func:`rms_norm` does."""
    return rms_norm(x - x.mean(dim=-1, keepdim=True), gain, epsilon) + bias


def rotate_pairs(x: Tensor, table: tuple[Tensor, Tensor]) -> Tensor:
    """Return vectors whose pairs (i, i + half) are turned by the angles of their position."""
    cosine, sine = table
    half = x.shape[-1] // 2
    first, second = x[..., :half], x[..., half:]
    return torch.cat([first * cosine - second * sine, second * cosine + first * sine], dim=-1)


def causal_softmax(scratch: Tensor) -> Tensor:
    """Return the softmax along the last axis of scores [..., queries, keys] up to the diagonal."""
    length = scratch.shape[-1]
    hidden = torch.ones((length, length), dtype=torch.bool, device=scratch.device).triu(1)
    return scratch.masked_fill_(hidden, -torch.inf).softmax(dim=-1)


def log_softmax(scratch: Tensor) -> Tensor:
    """Return the logarithm of the softmax along the last axis."""
    return scratch.log_softmax(dim=-1)


def divergence(plain: Tensor, scratch: Tensor) -> Tensor:
    """Return the KL divergence of distributions along the last axis, given by their logarithms."""
    return (plain.exp() * (plain - scratch)).sum(dim=-1)


def to_float64(x: Tensor) -> Float64:
    """Return a tensor as an array."""
    found: Float64 = x.to(torch.float64).cpu().numpy()
    return found


def largest(x: Tensor) -> Float64:
    """Return the largest magnitude along the first axis of two."""
    return to_float64(x.abs().amax(dim=0))


def quantised(fmt: BlockFormat, x: Tensor, axis: int = -1) -> Tensor:
    """Return the values of a tensor in blocks along an axis."""
    return quantize(fmt, x.movedim(axis, -1)).values.movedim(-1, axis)


def quantised_near_one(fmt: BlockFormat, matrix: Tensor) -> tuple[Tensor, QuantizedTensor]:
    """Return the values of a matrix in blocks, scaled to be near 1 before, and what they take."""
    octave = int(np.frexp(float(matrix.abs().amax()))[1]) - 1
    found = quantize(fmt, torch.ldexp(matrix, torch.tensor(-octave, device=matrix.device)))
    values = torch.ldexp(found.values, torch.tensor(octave, device=matrix.device))
    return values, _sizes(found)


def _sizes(found: TorchQuantized) -> QuantizedTensor:
    """Return a tensor that takes as many bits, without the codes of elements."""
    codes = np.broadcast_to(np.zeros((), np.uint8), tuple(found.codes.shape))
    return QuantizedTensor(codes, found.scales, found.format, found.shape, -1, found.metadata)


def _gelu_tanh(x: Tensor) -> Tensor:
    return torch.nn.functional.gelu(x, approximate="tanh")


#: Activation functions by name; ``gelu_tanh`` is the approximation that GPT-2 has.
ACTIVATIONS: dict[str, Callable[[Tensor], Any]] = {
    "silu": torch.nn.functional.silu, "gelu": torch.nn.functional.gelu, "gelu_tanh": _gelu_tanh,
    "relu": torch.nn.functional.relu,
}  # fmt: skip
