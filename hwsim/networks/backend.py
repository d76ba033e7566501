"""What the forward pass needs of an array library, here NumPy's in float32.

Everything else in :mod:`hwsim.networks.decoder` is indexing, ``reshape``, ``@`` and arithmetic
operators, so a decoder whose tensors are torch's runs on their device: :func:`of` has the functions
for them. Functions may overwrite the arrays that their parameters call scratch.
"""

import sys
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import erf

from hwsim.errors import InputError, MissingToolError
from hwsim.formats import BlockFormat
from hwsim.formats.base import Float64
from hwsim.formats.block import QuantizedTensor
from hwsim.units.layers import near_one, octave_of

#: Real numbers of any shape, float32.
Array = NDArray[np.float32]


def of(x: Any) -> Any:
    """Return the module with these functions for an array, or for a torch tensor."""
    if isinstance(x, np.ndarray):
        return sys.modules[__name__]
    from hwsim.networks import torch_backend

    return torch_backend


def on(device: str, tensors: Mapping[str, Array]) -> dict[str, Any]:
    """Return arrays as torch tensors on a device.

    Raises
    ------
    MissingToolError
        If torch is not installed.
    InputError
        For a device that torch does not know or does not see.
    """
    try:
        import torch
    except ImportError:
        raise MissingToolError(
            f"device={device!r} needs torch: pip install 'hwsim[torch]'"
        ) from None
    try:
        place = torch.empty(0, device=device).device
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise InputError(f"device={device!r}: {reason}; allowed: cpu, cuda, cuda:N") from None
    return {name: torch.from_numpy(tensor).to(place) for name, tensor in tensors.items()}


def array(values: ArrayLike, like: Array | None = None) -> Array:
    """Return numbers as float32."""
    return np.asarray(values, np.float32)


def permute(x: Array, *axes: int) -> Array:
    """Return an array with its axes in another order."""
    return x.transpose(axes)


def rms_norm(x: Array, gain: Array, epsilon: float) -> Array:
    """Return ``x`` over its root mean square along the last axis, times ``gain``."""
    mean = np.einsum("ti,ti->t", x, x)[:, np.newaxis] / np.float32(x.shape[-1])
    return x * (1 / np.sqrt(mean + np.float32(epsilon))) * gain


def layer_norm(x: Array, gain: Array, bias: Array, epsilon: float) -> Array:
    """Return ``x`` less its mean along the last axis, normalised as :func:`rms_norm` does."""
    return rms_norm(x - x.mean(axis=-1, keepdims=True), gain, epsilon) + bias


def rotate_pairs(x: Array, table: tuple[Array, Array]) -> Array:
    """Return vectors whose pairs (i, i + half) are turned by the angles of their position.

    ``x`` has the shape [..., positions, 2 * half].
    """
    cosine, sine = table
    half = x.shape[-1] // 2
    first, second = x[..., :half], x[..., half:]
    turned = np.empty_like(x)
    turned[..., :half] = first * cosine - second * sine
    turned[..., half:] = second * cosine + first * sine
    return turned


def causal_softmax(scratch: Array) -> Array:
    """Return the softmax along the last axis of scores [..., queries, keys] up to the diagonal."""
    length = scratch.shape[-1]
    scratch += np.triu(np.full((length, length), -np.inf, np.float32), 1)
    scratch -= scratch.max(axis=-1, keepdims=True)
    np.exp(scratch, out=scratch)
    scratch /= scratch.sum(axis=-1, keepdims=True)
    return scratch


def log_softmax(scratch: Array) -> Array:
    """Return the logarithm of the softmax along the last axis."""
    scratch -= scratch.max(axis=-1, keepdims=True)
    scratch -= np.log(np.exp(scratch).sum(axis=-1, keepdims=True))
    return scratch


def divergence(plain: Array, scratch: Array) -> Array:
    """Return the KL divergence of distributions along the last axis, given by their logarithms.

    ``plain`` has those of the distribution that the mean is over, ``scratch`` the others.
    """
    np.subtract(plain, scratch, out=scratch)
    return np.einsum("tv,tv->t", np.exp(plain), scratch)


def to_float64(x: Array) -> Float64:
    """Return an array as float64."""
    return x.astype(np.float64)


def largest(x: Array) -> Float64:
    """Return the largest magnitude along the first axis of two."""
    return np.abs(x).max(axis=0).astype(np.float64)


def quantised(fmt: BlockFormat, x: Array, axis: int = -1) -> Array:
    """Return the values of an array in blocks along an axis."""
    return fmt.quantize(x, axis=axis).dequantize().astype(np.float32)


def quantised_near_one(fmt: BlockFormat, matrix: Array) -> tuple[Array, QuantizedTensor]:
    """Return the values of a matrix in blocks, scaled to be near 1 before, and what they take."""
    octave = octave_of(matrix)
    tensor = fmt.quantize(near_one(matrix, octave))
    return np.ldexp(tensor.dequantize(), octave).astype(np.float32), tensor


def _silu(x: Array) -> Array:
    with np.errstate(over="ignore"):
        return x / (1 + np.exp(-x))


def _gelu(x: Array) -> Array:
    return np.float32(0.5) * x * (1 + erf(x * np.float32(np.sqrt(0.5))))


def _gelu_tanh(x: Array) -> Array:
    inner = np.float32(np.sqrt(2 / np.pi)) * (x + np.float32(0.044715) * (x * x * x))
    return np.float32(0.5) * x * (1 + np.tanh(inner))


def _relu(x: Array) -> Array:
    return np.maximum(x, np.float32(0))


#: Activation functions by name; ``gelu_tanh`` is the approximation that GPT-2 has.
ACTIVATIONS: dict[str, Callable[[Array], Any]] = {
    "silu": _silu, "gelu": _gelu, "gelu_tanh": _gelu_tanh, "relu": _relu,
}  # fmt: skip
