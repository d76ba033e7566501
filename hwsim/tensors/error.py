"""How far a quantised tensor is from its original."""

import numpy as np
from numpy.typing import ArrayLike

from hwsim.errors import InputError
from hwsim.formats.base import Float64, real_array


def sqnr_db(reference: ArrayLike, approximation: ArrayLike) -> float:
    """Return the signal-to-quantisation-noise ratio in dB, over all elements of two arrays.

    Infinite where the two are equal. Both are taken as float64 before anything is computed, and
    scaled by a power of two, so that no square overflows or vanishes.

    Parameters
    ----------
    reference, approximation
        Real numbers of one shape, finite, and not all zero in ``reference``.

    Raises
    ------
    InputError
        For unequal shapes, empty arrays, NaN or infinity, a reference of zeros, and dtypes that
        float64 does not hold.
    """
    signal, other = real_array(reference), real_array(approximation)
    if signal.shape != other.shape:
        raise InputError(
            f"reference {signal.shape} and approximation {other.shape} must have one shape"
        )
    if not signal.size:
        raise InputError(f"the signal-to-noise ratio of an empty array {signal.shape} is undefined")
    for name, array in (("reference", signal), ("approximation", other)):
        if not np.isfinite(array).all():
            raise InputError(f"{name} must be finite, and holds NaN or infinity")
    if not signal.any():
        raise InputError("the signal-to-noise ratio of an array of zeros is undefined")
    # A difference may be beyond float64, and is not so after scaling by a quarter.
    scale = 2 if max(np.abs(signal).max(), np.abs(other).max()) > 2.0**1020 else 0
    noise = np.ldexp(signal, -scale) - np.ldexp(other, -scale)
    if not noise.any():
        return float("inf")
    (power, exponent), (error, error_exponent) = _power(signal), _power(noise)
    octaves = 2 * (exponent - error_exponent - scale)
    return 10 * float(np.log10(power / error) + octaves * np.log10(2))


def _power(x: Float64) -> tuple[float, int]:
    """Return the sum of squares of ``x`` over ``4**exponent``, and the exponent."""
    exponent = int(np.frexp(np.abs(x).max())[1])
    return float(np.square(np.ldexp(x, -exponent)).sum()), exponent
