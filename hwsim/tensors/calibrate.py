"""Quantising weights with regard for the activations that they meet; no training.

Rounding to nearest treats all weights alike. Three cheap ways to do better take a matrix, what is
known of its inputs, and any block format:

- *Clipping* (:func:`clipped`) draws the largest weights of a block in, where the finer steps of
  the others are worth more than what it costs: a search over a few factors a block.
- *Smoothing* (:func:`smoothing`) moves the range of outlying inputs into the weights by a factor an
  input, which a preceding norm's gain takes in for nothing (SmoothQuant: Xiao et al., ICML 2023,
  equation 4).
- *Error feedback* (:func:`with_feedback`) rounds input after input and adds what rounding did to
  the outputs to the weights still to be rounded, by the second moments of the inputs (GPTQ:
  Frantar et al., ICLR 2023; the order by falling second moments and the metadata of blocks that
  are chosen beforehand are its options ``act_order`` and ``static_groups``). Its cost is that of
  a Cholesky decomposition of a matrix of inputs x inputs, and of every weight against every value
  of its block.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cholesky, lapack

from hwsim.errors import InputError
from hwsim.formats.base import Codes, Float64
from hwsim.formats.block import BlockFormat, QuantizedTensor

Floats = NDArray[np.floating]

#: What of a block's largest magnitude clipping tries to keep.
KEPT = tuple(round(1 - 0.05 * step, 2) for step in range(11))
#: What is added to all second moments, in parts of their mean, so that their matrix has an inverse.
DAMPING = 0.01
#: Inputs between updates of all weights to come; only the order of additions depends on it.
_PANEL = 64
#: Elements of a block format that error feedback can compare a weight with.
_FEEDBACK_BITS = 8


def second_moments(activations: Floats) -> Float64:
    """Return X^T X / tokens of activations X [tokens, inputs], float64 [inputs, inputs]."""
    x = activations.astype(np.float64)
    return x.T @ x / len(x)


def clipped(
    fmt: BlockFormat,
    weight: Floats,
    importance: Floats | None = None,
    kept: Sequence[float] = KEPT,
) -> QuantizedTensor:
    """Quantise a matrix with the numbers of every block clipped where its error is least.

    Parameters
    ----------
    fmt
        The block format; blocks lie along the inputs.
    weight
        [outputs, inputs], finite.
    importance
        What the squared error of an input counts, [inputs], not negative, such as the mean square
        of its activations (the diagonal of :func:`second_moments`); 1 for all unless given.
    kept
        Factors on a block's most positive and most negative number to choose from; the first of
        equally good ones is taken.

    Returns
    -------
    QuantizedTensor
        The clipped matrix in the format. In formats whose blocks depend on the whole matrix the
        factors are chosen with the unclipped matrix around a block.
    """
    counts = np.ones(weight.shape[1]) if importance is None else _importance(importance, weight)
    blocks = _blocks(fmt, weight)
    low, high = (np.minimum(blocks.min(axis=-1), 0), np.maximum(blocks.max(axis=-1), 0))
    weights = _blocks(fmt, np.broadcast_to(counts, weight.shape))
    best = np.full(blocks.shape[:-1], np.inf)
    chosen = np.ones(blocks.shape[:-1])
    for factor in kept:
        trial = _clip(blocks, low * factor, high * factor)
        decoded = _blocks(fmt, fmt.quantize(_joined(trial, weight)).dequantize())
        error = (np.square(decoded - blocks) * weights).sum(axis=-1)
        better = error < best
        best[better], chosen[better] = error[better], factor
    return fmt.quantize(_joined(_clip(blocks, low * chosen, high * chosen), weight))


def smoothing(
    activation_max: Floats, weight_max: Floats, strength: float = 0.5
) -> NDArray[np.float64]:
    """Return what activations are divided by and weights multiplied with, one factor an input.

    Parameters
    ----------
    activation_max, weight_max
        Largest magnitude of every input, over tokens and over the outputs of all matrices that
        take these inputs; [inputs].
    strength
        0 leaves the activations as they are, 1 makes all inputs equally large.

    Returns
    -------
    numpy.ndarray
        activation_max**strength / weight_max**(1 - strength), float64 [inputs]; 1 for inputs that
        are always 0 or that no weight takes.
    """
    if not 0 <= strength <= 1:
        raise InputError(f"strength={strength!r}: allowed: 0 to 1")
    x, w = (np.asarray(one, dtype=np.float64) for one in (activation_max, weight_max))
    used = (x > 0) & (w > 0)
    factors = np.ones(x.shape)
    factors[used] = x[used] ** strength / w[used] ** (1 - strength)
    return factors


def with_feedback(
    fmt: BlockFormat, weight: Floats, moments: Float64, damping: float = DAMPING
) -> QuantizedTensor:
    """Quantise a matrix input after input, each making up for the errors of those before.

    Scales and other metadata are those of plain quantisation; the elements differ. Inputs are
    taken by falling second moments. An input that is always 0 is rounded to nearest.

    Parameters
    ----------
    fmt
        A block format with elements of at most 8 bits that mean the same at every place of a block.
    weight
        [outputs, inputs], finite.
    moments
        :func:`second_moments` of the matrix's inputs, [inputs, inputs].
    damping
        Positive; see :data:`DAMPING`.

    Raises
    ------
    InputError
        For other formats, such as those that keep outliers at their places, and for moments of
        another shape or not finite.
    """
    from hwsim.tensors.feedback import round_panel

    inputs = weight.shape[1]
    if moments.shape != (inputs, inputs) or not np.isfinite(moments).all():
        raise InputError(
            f"second moments of shape {moments.shape}: allowed: finite numbers, "
            f"[{inputs}, {inputs}], of the matrix's inputs"
        )
    plain = fmt.quantize(weight)
    values, names = _choices(plain)
    order = np.argsort(-np.diag(moments), kind="stable")
    factor = _inverse_factor(moments[np.ix_(order, order)], damping)
    codes = plain.codes.reshape(len(weight), -1).copy()
    left = weight.astype(np.float64)[:, order]
    blocks = order // plain.codes.shape[-1]
    for start in range(0, inputs, _PANEL):
        part = slice(start, start + _PANEL)
        panel = left[:, part].copy()
        picked, errors = np.empty(panel.shape, np.int64), np.empty(panel.shape)
        round_panel(panel, values, blocks[part], factor[part, part].copy(), picked, errors)
        codes[:, order[part]] = names[picked]
        left[:, part.stop :] -= errors @ factor[part, part.stop :]
    return replace(plain, codes=codes.reshape(plain.codes.shape))


def _importance(importance: Floats, weight: Floats) -> Floats:
    if importance.shape != weight.shape[1:] or not (importance >= 0).all():
        raise InputError(
            f"importance of shape {importance.shape}: allowed: numbers from 0, one for each of "
            f"{weight.shape[1]} inputs"
        )
    return importance


def _blocks(fmt: BlockFormat, matrix: Floats) -> Float64:
    """Return a matrix as float64 blocks [outputs, blocks, size], the last filled with zeros."""
    size = fmt.quantize(np.zeros((1, matrix.shape[1]), np.float32)).codes.shape[-1]
    missing = -matrix.shape[1] % size
    filled = np.pad(matrix.astype(np.float64), [(0, 0), (0, missing)])
    return filled.reshape(len(matrix), -1, size)


def _joined(blocks: Float64, like: Floats) -> Floats:
    return blocks.reshape(len(like), -1)[:, : like.shape[1]].astype(like.dtype)


def _clip(blocks: Float64, low: Float64, high: Float64) -> Float64:
    return np.clip(blocks, low[..., np.newaxis], high[..., np.newaxis])


def _choices(tensor: QuantizedTensor) -> tuple[Float64, Codes]:
    """Return the values that elements of each block can have, [outputs, blocks, codes], and codes.

    What is no number is infinite, and so never nearest.
    """
    fmt = tensor.format
    if fmt.element.bits > _FEEDBACK_BITS or fmt.places_matter:
        raise InputError(
            f"error feedback to {fmt.name}: allowed: formats with elements of at most "
            f"{_FEEDBACK_BITS} bits that mean the same at every place of a block"
        )
    names = np.arange(2**fmt.element.bits).astype(tensor.codes.dtype)
    codes = np.broadcast_to(names, (*tensor.codes.shape[:-1], names.size))
    values = fmt.decode(replace(tensor, codes=codes))
    values[~np.isfinite(values)] = np.inf
    return values, names


def _inverse_factor(moments: Float64, damping: float) -> Float64:
    """Return U, upper triangular, with U^T U the inverse of the damped moments."""
    if not damping > 0:
        raise InputError(f"damping={damping!r}: allowed: positive numbers")
    diagonal = np.diag(moments)
    damped = moments + np.diag(np.full(len(moments), damping * (diagonal.mean() or 1.0)))
    inverse, failed = lapack.dpotri(cholesky(damped), lower=0)
    assert not failed
    inverse = np.triu(inverse) + np.triu(inverse, 1).T
    return cholesky(inverse)
