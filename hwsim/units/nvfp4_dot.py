"""Dot products of NVFP4 blocks: 16 elements of E2M1 under a scale that is itself a minifloat.

The sum of 16 products is an integer of 13 bits in units of 1/4, as for MXFP4. The scales have
significands here: their product, 8 bits wide, multiplies the sum, and their exponents shift it. So
a block costs one 4 x 4 and one 8 x 12 bit multiplication more than one of MXFP4.

Scales are positive: ``e4m3`` has its sign bit at 0 (UE4M3), and the hardware does not look at it.
A scale of NaN or infinity (``e5m3u_ieee`` only) makes the result NaN. The scale of the whole tensor
is no part of the unit: it multiplies the result, once.

Sources: NVIDIA, cuBLAS documentation, 1D block scaling (NVFP4); PTX ISA for UE5M3.
"""

from dataclasses import dataclass
from typing import Any, ClassVar

from hwsim.errors import InputError
from hwsim.formats.base import Format
from hwsim.formats.block import BlockFormat
from hwsim.formats.minifloat import NAMED
from hwsim.formats.nvfp import SIZE, TensorBlockScale
from hwsim.units.block_dot import BlockDotUnit, Element
from hwsim.units.configurations import Configurations

ELEMENT = NAMED["e2m1"]
SCALES = ("e4m3", "e4m3u", "e5m3u", "e5m3u_ieee")


@dataclass(frozen=True, kw_only=True)
class Nvfp4DotUnit(BlockDotUnit):
    """Dot product of NVFP4 blocks.

    Parameters
    ----------
    lanes, accumulation, accumulator, accumulator_bits, fraction_bits
        See :class:`~hwsim.units.block_dot.BlockDotUnit`.
    block_size
        See :class:`~hwsim.units.block_dot.BlockDotUnit`; blocks of NVFP4 have 16 elements.
    weight, activation
        ``nvfp4``, also of another block size, or its element, ``e2m1``.
    scale
        Format of both scales: ``e4m3`` with the sign bit at 0, ``e4m3u``, which is the same
        without that bit, ``e5m3u`` or ``e5m3u_ieee``.
    """

    family: ClassVar[str] = "nvfp4_dot"
    generator: ClassVar[str] = "rtl.block_dot:BlockDot"

    weight: Format = ELEMENT
    activation: Format = ELEMENT
    block_size: int = SIZE
    scale: Format = NAMED["e4m3"]

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.scale.name not in SCALES:
            raise InputError(f"scale={self.scale.name}: nvfp4_dot takes {', '.join(SCALES)}")

    @property
    def scale_format(self) -> Format:
        return self.scale

    def _holding(self, operand: str, fmt: Format | BlockFormat) -> dict[str, Any]:
        if not isinstance(fmt, TensorBlockScale) or fmt.element != ELEMENT:
            raise InputError(f"{operand}={fmt.name}: nvfp4_dot takes nvfp4 and nvfp4_g<size>")
        return {operand: fmt.element, "block_size": fmt.size, "scale": fmt.scale}

    def _block_format(self, operand: str, element: Element) -> TensorBlockScale:
        return TensorBlockScale(size=self.block_size, scale=self.scale)

    def _check_element(self, parameter: str, fmt: Format) -> None:
        if fmt != ELEMENT:
            raise InputError(f"{parameter}={fmt.name}: nvfp4_dot takes {ELEMENT.name} only")

    configurations: ClassVar[Configurations] = (
        {"lanes": 16},
        {"lanes": 4, "scale": "e5m3u", "accumulation": "fixed"},
        {"lanes": 32, "scale": "e4m3u", "accumulator": "fp16"},
        {"lanes": 1, "scale": "e5m3u_ieee", "block_size": 1, "accumulator": "e4m3fnuz"},
    )  # fmt: skip
    fitting: ClassVar[Configurations] = (
        {"lanes": 1, "block_size": 1, "accumulator": "e5m2"},
        {"lanes": 2, "block_size": 4, "accumulation": "fixed", "accumulator_bits": 32,
         "fraction_bits": 8},
    )  # fmt: skip
