"""A block of numbers quantised, to see what a block format stores."""

from typing import Any, NamedTuple

import numpy as np

from hwsim.formats.base import Float64
from hwsim.formats.block import BlockFormat, QuantizedTensor

#: Numbers of a block where a whole row is one.
ROW = 16


class Example(NamedTuple):
    """A block of numbers and what becomes of them.

    Attributes
    ----------
    numbers
        Normally distributed, with two decimals, one block of them.
    tensor
        What is stored.
    values
        What the numbers have become.
    """

    numbers: Float64
    tensor: QuantizedTensor
    values: Float64

    def plain(self) -> dict[str, Any]:
        """Return plain values for JSON: numbers, codes and values, scales and their codes."""
        tensor = self.tensor
        return {
            "numbers": self.numbers.tolist(),
            "codes": tensor.codes.ravel().tolist(),
            "values": self.values.tolist(),
            "scale_codes": tensor.scales.ravel().tolist(),
            "scales": tensor.format.scale.decode(tensor.scales).ravel().tolist(),
            "metadata": {name: codes.ravel().tolist() for name, codes in tensor.metadata.items()},
        }


def example(fmt: BlockFormat) -> Example:
    """Return the same numbers for every format, quantised to ``fmt``."""
    size = getattr(fmt, "size", ROW)
    numbers = np.random.default_rng(0).standard_normal(size).round(2)
    tensor = fmt.quantize(numbers)
    return Example(numbers, tensor, tensor.dequantize())
