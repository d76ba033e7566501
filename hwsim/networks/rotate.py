"""A rotation of a decoder's hidden states, folded into its weights.

A root-mean-square norm without gains does not see an orthogonal matrix: norm(x Q) = norm(x) Q. So
what writes hidden states may write x Q, and what reads them multiply with Q^T, and the function
stays the same. The gains of norms go into the matrices behind them first. A norm with mean and bias
becomes one without: what writes hidden states writes them less their mean, and the bias goes into
those of the matrices behind.

What changes is what is quantised. A hidden state's few large numbers are spread over all of them,
and weights that lie on the grid of a 4-bit format, as those of a quantised file do, leave it. The
inputs of ``o_proj`` and ``down_proj`` are no hidden states, and stay as they are. It costs where
gains are small for channels that are large: what silenced them is in weights of few bits then.

Sources: Ashkboos et al., SliceGPT, 2024, section 3; QuaRot, 2024, stage 1.
"""

from dataclasses import replace

import numpy as np

from hwsim.formats.base import Float64
from hwsim.networks.backend import array
from hwsim.networks.decoder import EMBEDDING, HEAD, POSITIONS, READ_NORMS, Decoder
from hwsim.numbers import whole


def orthogonal(size: int, seed: int) -> Float64:
    """Return a random orthogonal matrix, uniform over all of them.

    The Q of a QR decomposition of ``numpy.random.default_rng(seed).standard_normal((size, size))``,
    with the signs that make the diagonal of R positive.
    """
    q, r = np.linalg.qr(np.random.default_rng(seed).standard_normal((size, size)))
    return q * np.sign(np.diagonal(r))


def rotated(decoder: Decoder, seed: int) -> Decoder:
    """Return a decoder of the same function with hidden states turned by :func:`orthogonal`.

    Its norms have no gains, and its head is none of its embedding's.

    Raises
    ------
    InputError
        For a seed that is no whole number from 0.
    """
    sizes = decoder.architecture
    q = orthogonal(sizes.hidden_size, whole("rotate", seed, 0))
    done = dict(decoder.tensors)

    def wide(name: str) -> Float64:
        return decoder.tensors[name].astype(np.float64)

    head = decoder.head.astype(np.float64)
    centred = q
    if sizes.norm == "layer":
        centred = q - q.mean(axis=0)
        done[f"{HEAD}.bias"] = array(head @ wide("norm.bias"))
    done[f"{HEAD}.weight"] = array((head * wide("norm.weight")) @ q)
    for name in (EMBEDDING, POSITIONS):
        if f"{name}.weight" in done:
            done[f"{name}.weight"] = array(wide(f"{name}.weight") @ centred)
    for name, outputs, _ in sizes.matrices():
        layer, _, part = name.rpartition(".")
        weight = wide(f"{name}.weight")
        bias = wide(f"{name}.bias") if f"{name}.bias" in done else None
        if part not in READ_NORMS:
            done[f"{name}.weight"] = array(centred.T @ weight)
            if bias is not None:
                done[f"{name}.bias"] = array(bias @ centred)
            continue
        norm = f"{layer}.{READ_NORMS[part]}"
        if sizes.norm == "layer":
            taken = np.zeros(outputs) if bias is None else bias
            done[f"{name}.bias"] = array(taken + weight @ wide(f"{norm}.bias"))
        done[f"{name}.weight"] = array((weight * wide(f"{norm}.weight")) @ q)
    for norm in sizes.norms():
        done[f"{norm}.weight"] = array(np.ones(sizes.hidden_size))
        done.pop(f"{norm}.bias", None)
    return Decoder(replace(sizes, norm="rms"), done, decoder.name)
