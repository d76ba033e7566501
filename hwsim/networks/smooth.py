"""Smoothing: the outliers of activations moved into weights, by factors that norms take in.

Some inputs of a matrix are large for all tokens, and a scale a token must reach them. What a norm
gives may be divided by a factor an input, which its gain (and bias) takes in, if the weights of all
matrices behind are multiplied by it: the function stays the same. Factors are those of
:func:`hwsim.tensors.calibrate.smoothing`, by the largest magnitudes that a text shows. The inputs
of ``o_proj`` and ``down_proj`` are no norm's, and stay as they are.

Source: Xiao et al., SmoothQuant, ICML 2023, equation 4.
"""

from collections.abc import Mapping

import numpy as np

from hwsim.networks import backend
from hwsim.networks.decoder import READ_NORMS, Decoder
from hwsim.networks.moments import Inputs
from hwsim.tensors.calibrate import smoothing


def smoothed(decoder: Decoder, inputs: Mapping[str, Inputs], strength: float) -> Decoder:
    """Return a decoder of the same function with smaller outliers behind its layers' norms.

    Parameters
    ----------
    decoder
        In float32.
    inputs
        Of its matrices, :func:`hwsim.networks.moments.inputs_of`.
    strength
        0 to 1, see :func:`hwsim.tensors.calibrate.smoothing`.

    Raises
    ------
    InputError
        For another strength.
    """
    arrays = backend.of(decoder.head)
    readers: dict[str, list[str]] = {}
    for name, _, _ in decoder.architecture.matrices():
        layer, _, part = name.rpartition(".")
        if part in READ_NORMS:
            readers.setdefault(f"{layer}.{READ_NORMS[part]}", []).append(name)
    done = {}
    for norm, names in readers.items():
        weights = {f"{name}.weight": decoder.tensors[f"{name}.weight"] for name in names}
        largest = np.max([arrays.largest(weight) for weight in weights.values()], axis=0)
        factors = smoothing(inputs[names[0]].largest, largest, strength)
        taken, given = (arrays.array(x, decoder.head) for x in (1 / factors, factors))
        for part in (f"{norm}.weight", f"{norm}.bias"):
            if part in decoder.tensors:
                done[part] = decoder.tensors[part] * taken
        done |= {part: weight * given for part, weight in weights.items()}
    return decoder.replaced(done)
