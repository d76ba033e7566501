"""Multiply-accumulate in floating point, rounded after every addition.

The baseline that serial and mixed units are compared with: the sum of
:mod:`hwsim.units.rounded_sum`, to nearest even and with subnormals, as
``float accumulation=rounded`` has it, bit for bit and gate for gate.

The weight may be an integer: its product with a float is rounded only in the sum. With ``wide``
a beat can carry one weight of a second format in the place of all ``lanes`` weights; the metadata
``wide`` selects it, the product is with the activation of lane 0, and the others are ignored.

Source: Chen et al., BitMoD, HPCA 2025 (the FP16 x INT8 and the FP16 x (INT8 or 2 x FP4) baselines).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from hwsim.errors import InputError
from hwsim.formats.base import Codes, Format
from hwsim.formats.integer import Integer
from hwsim.formats.minifloat import NAMED, Minifloat
from hwsim.units import rounding
from hwsim.units.base import Timing
from hwsim.units.configurations import Configurations, dots
from hwsim.units.metadata import Metadata, Operand
from hwsim.units.result import Integers, RoundedResult
from hwsim.units.rounded_sum import RoundedSum

#: Products of more significand bits are not exact in float64, which the golden model works in.
MAX_PRODUCT_BITS = 53


@dataclass(frozen=True, kw_only=True)
class FmaUnit(RoundedSum):
    """Dot product in floating point, one rounding a product.

    Parameters
    ----------
    lanes
        Products per beat, added in lane order with a rounding each.
    weight
        A minifloat or an integer.
    activation
        A minifloat.
    accumulator
        Format that sums are rounded to: a signed minifloat that has NaN; fp32 by default.
    wide
        A second weight format as wide as all weights of a beat, or none.
    interleaved_sums
        See :class:`~hwsim.units.rounded_sum.RoundedSum`.
    """

    family: ClassVar[str] = "fma"
    generator: ClassVar[str] = "rtl.rounded_sum:RoundedSum"

    accumulator: Format = NAMED["fp32"]
    wide: Format | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        activation, _ = self.operand_formats()
        for name, fmt in self.weights.items():
            if not isinstance(fmt, Minifloat | Integer):
                raise InputError(f"{name}={fmt.name}: fma takes minifloats and integers")
            bits = significand_bits(activation) + significand_bits(fmt)
            if bits > MAX_PRODUCT_BITS:
                raise InputError(
                    f"{name}={fmt.name}: products with {activation.name} have up to {bits} "
                    f"significand bits; allowed: {MAX_PRODUCT_BITS}"
                )
        rounding.rounded_format("accumulator", self.accumulator)
        if self.wide is not None and self.wide.bits != self.lanes * self.weight.bits:
            raise InputError(
                f"wide={self.wide.name} has {self.wide.bits} bits; it must have those of "
                f"{self.lanes} x {self.weight.name}, {self.lanes * self.weight.bits}"
            )

    def operand_formats(self) -> tuple[Minifloat, Format]:
        if not isinstance(self.activation, Minifloat):
            raise InputError(
                f"activation={self.activation.name}: fma takes minifloats such as fp16"
            )
        return self.activation, self.weight

    @property
    def state_format(self) -> Minifloat:
        return self.result.format

    @property
    def metadata(self) -> tuple[Metadata, ...]:
        return (
            ()
            if self.wide is None
            else (Metadata("wide", Integer(1, signed=False), operand=Operand.WEIGHT),)
        )

    def _layer_field(self, field: Metadata, shape: tuple[int, ...]) -> Codes:
        # A layer's weights have the first format.
        return np.zeros(shape, field.format.code_dtype)

    @property
    def result(self) -> RoundedResult[Minifloat]:
        assert isinstance(self.accumulator, Minifloat)
        return RoundedResult(self.accumulator)

    @property
    def safe_beats(self) -> int:
        return int(self.holds_a_beat)

    def _timing(self) -> Timing:
        return Timing(latency=1, interval=1)

    def _dot(self, activations: Codes, weights: Codes, metadata: Mapping[str, Codes]) -> Integers:
        return self.rounded_dot(activations, weights, metadata)

    def _ignore(self, masks: dict[str, NDArray[np.uint64]], metadata: Mapping[str, Codes]) -> None:
        if self.wide is not None:
            # The wide weight is lane 0's.
            wide = metadata["wide"].astype(bool)
            masks["activations"][wide, 1:] = (1 << self.activation.bits) - 1

    configurations: ClassVar[Configurations] = (
        {"lanes": 1, "weight": "e2m3", "activation": "e4m3", "accumulator": "fp16"},
        {"lanes": 4, "weight": "e2m1", "activation": "e5m2", "accumulator": "e5m2"},
        {"lanes": 3, "weight": "e3m2", "activation": "e5m2fnuz", "accumulator": "e4m3"},
        {"lanes": 2, "weight": "e2m1", "activation": "e4m3", "accumulator": "e5m2fnuz"},
        {"lanes": 1, "weight": "fp16", "activation": "fp16", "accumulator": "fp16"},
        {"lanes": 2, "weight": "fp16", "activation": "fp16"},
        {"lanes": 1, "weight": "bf16", "activation": "bf16"},
        {"lanes": 1, "weight": "int8", "activation": "fp16", "accumulator": "fp16"},
        {"lanes": 1, "weight": "uint4", "activation": "e5m2"},
        {"lanes": 2, "weight": "e2m1", "activation": "fp16", "accumulator": "fp16",
         "wide": "int8"},
        {"lanes": 1, "weight": "e2m1", "activation": "e4m3", "accumulator": "e5m2",
         "interleaved_sums": 2},
        {"lanes": 2, "weight": "int3", "activation": "e3m2", "accumulator": "fp16",
         "interleaved_sums": 3, "stages": 4},
    )  # fmt: skip
    fitting: ClassVar[Configurations] = (
        *dots((1, "e2m1", "e5m2"), (1, "e3m2", "e3m2"), accumulator="e5m2"),
        *dots((1, "e4m3", "e4m3"), (1, "int4", "e4m3"), accumulator="fp16"),
        *dots((1, "e3m2", "e4m3"), (1, "e2m1", "e4m3"), accumulator="fp16", stages=2,
              interleaved_sums=2),
    )  # fmt: skip


def significand_bits(fmt: Minifloat | Integer) -> int:
    """Return the width of the magnitude that is multiplied."""
    return fmt.mantissa + 1 if isinstance(fmt, Minifloat) else fmt.bits
