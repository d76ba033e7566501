"""Number formats, bit-exact: ``parse("e4m3").encode(x)``, ``parse("int4_g128").quantize(x)``."""

from hwsim.formats.base import Format, Kind, Overflow, Rounding, Stochastic, Unpacked
from hwsim.formats.block import BlockFormat, QuantizedTensor
from hwsim.formats.registry import (
    block_names,
    complex_names,
    parse,
    parse_block,
    parse_scalar,
    register,
    scalar_names,
)

__all__ = [
    "BlockFormat",
    "Format",
    "Kind",
    "Overflow",
    "QuantizedTensor",
    "Rounding",
    "Stochastic",
    "Unpacked",
    "block_names",
    "complex_names",
    "parse",
    "parse_block",
    "parse_scalar",
    "register",
    "scalar_names",
]
