"""The compiled loop of error feedback; numba is imported with this module, and only then.

Outputs do not know of each other, so a row goes through a panel of inputs alone, in cache.
"""

from typing import Any

import numpy as np
from numba import njit


@njit(cache=True)
def round_panel(left: Any, values: Any, blocks: Any, factor: Any, picked: Any, errors: Any) -> None:
    """Round a panel of inputs one after another, what is off added to those still to come.

    Parameters
    ----------
    left
        float64 [outputs, inputs], the panel's weights; overwritten.
    values
        float64 [outputs, blocks, codes], what a weight can be; the first of equally near is taken.
    blocks
        int64 [inputs], the block of each input.
    factor
        float64 [inputs, inputs], upper triangular.
    picked, errors
        [outputs, inputs]: the indices of codes, and errors over the factor's diagonal; written.
    """
    outputs, inputs = left.shape
    for row in range(outputs):
        weights = left[row]
        for column in range(inputs):
            choices = values[row, blocks[column]]
            weight = weights[column]
            least, best = np.inf, 0
            for code in range(choices.size):
                distance = abs(choices[code] - weight)
                if distance < least:
                    least, best = distance, code
            picked[row, column] = best
            error = (weight - choices[best]) / factor[column, column]
            errors[row, column] = error
            for later in range(column + 1, inputs):
                weights[later] -= error * factor[column, later]
