"""Second moments of what the matrices of a decoder multiply: X^T X / tokens, one pass over a text.

They say which errors of weights reach the outputs: an error dW costs tr(dW M dW^T) of squared error
a token. Matrices that share an input share the array. A decoder has about 4 of inputs x inputs a
layer, of float32: 15 MB a layer of SmolLM2-135M, 0.7 GB a layer of Llama-2-7B.
"""

from collections.abc import Sequence

from hwsim.errors import InputError
from hwsim.formats.base import Int64
from hwsim.networks.backend import Array
from hwsim.networks.decoder import Decoder


def second_moments(decoder: Decoder, sequences: Sequence[Int64]) -> dict[str, Array]:
    """Return the second moments of the inputs of every matrix by name, float32 [inputs, inputs].

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
    found: dict[str, Array] = {}
    latest: tuple[Array, str] | None = None

    def add(name: str, x: Array) -> None:
        nonlocal latest
        if latest is not None and latest[0] is x:
            found[name] = found[latest[1]]
            return
        latest = x, name
        product = x.T @ x
        product /= total
        if name in found:
            found[name] += product
        else:
            found[name] = product

    for tokens in sequences:
        latest = None
        decoder.hidden(tokens, capture=add)
    return found
