"""What the matrices of a decoder multiply: second moments and ranges, by one pass over a text.

Second moments X^T X / tokens say which errors of weights reach the outputs: an error dW costs
tr(dW M dW^T) of squared error a token. Matrices that share an input share the arrays. A decoder has
about 4 of inputs x inputs a layer, of float32: 15 MB a layer of SmolLM2-135M, 0.7 GB a layer of
Llama-2-7B.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from hwsim.errors import InputError
from hwsim.formats.base import Float64, Int64
from hwsim.networks import backend
from hwsim.networks.backend import Array
from hwsim.networks.decoder import Decoder


class Inputs(NamedTuple):
    """What is known of the inputs of a matrix.

    Attributes
    ----------
    moments
        Second moments, float32 [inputs, inputs].
    largest
        Largest magnitude of each, [inputs].
    """

    moments: Array
    largest: Float64


def inputs_of(decoder: Decoder, sequences: Sequence[Int64]) -> dict[str, Inputs]:
    """Return what is known of the inputs of every matrix by name.

    Parameters
    ----------
    decoder
        In float32.
    sequences
        Windows of tokens, at least one.
    """
    if not sequences:
        raise InputError("second moments need at least one window of tokens")
    total = sum(map(len, sequences))
    found: dict[str, Inputs] = {}
    latest: tuple[Array, str] | None = None

    def add(name: str, x: Array) -> None:
        nonlocal latest
        if latest is not None and latest[0] is x:
            found[name] = found[latest[1]]
            return
        latest = x, name
        product = x.T @ x
        product /= total
        largest = backend.of(x).largest(x)
        if name in found:
            found[name].moments[:] += product
            np.maximum(found[name].largest, largest, out=found[name].largest)
        else:
            found[name] = Inputs(product, largest)

    for tokens in sequences:
        latest = None
        decoder.hidden(tokens, capture=add)
    return found
