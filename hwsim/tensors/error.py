"""How far a quantised tensor is from its original."""

from typing import Any

import numpy as np
from numpy.typing import NDArray


def sqnr_db(
    reference: NDArray[np.floating[Any]], approximation: NDArray[np.floating[Any]]
) -> float:
    """Return the signal-to-quantisation-noise ratio in dB, over all elements of two arrays.

    Infinite where the two are equal. Both are summed in float64.
    """
    signal = float(np.square(reference, dtype=np.float64).sum())
    noise = float(np.square(reference - approximation, dtype=np.float64).sum())
    return float("inf") if noise == 0 else 10 * float(np.log10(signal / noise))
