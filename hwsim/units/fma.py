"""Multiply-accumulate in floating point, rounded after every addition.

The baseline that serial and mixed units are compared with. The significands are multiplied
exactly, the accumulator is aligned to the product over a window wide enough for one correct
rounding, and the sum is normalised and rounded to the accumulator's format: a fused multiply-add
a lane, one after another in lane order, so the order of the operands matters. Cost: the alignment
and normalisation shifters, some three significands wide, outweigh a narrow multiplier.

Every step is ``accumulator = round(activation * weight + accumulator)``: nearest even, subnormals
kept, one rounding, starting from +0. NaN comes from a NaN operand, from 0 x infinity and from
infinity - infinity, and is always delivered as the format's one quiet NaN. What overflows becomes
infinity, or NaN in a format without infinity. The sign of zero is that of IEEE 754 (section 6.3).

The weight may be an integer: its product with a float is rounded only in the sum. With ``wide``
a beat can carry one weight of a second format in the place of all ``lanes`` weights; the metadata
``wide`` selects it, the product is with the activation of lane 0, and the others are ignored.

Sources: IEEE 754-2019 section 5.4.1 (fusedMultiplyAdd); Chen et al., BitMoD, HPCA 2025 (the FP16 x
INT8 and the FP16 x (INT8 or 2 x FP4) baselines).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from hwsim.errors import InputError
from hwsim.formats.base import Codes, Float64, Format
from hwsim.formats.integer import Integer
from hwsim.formats.minifloat import NAMED, Minifloat
from hwsim.units import rounding
from hwsim.units.base import Timing, UnitSpec
from hwsim.units.configurations import Configurations, dots
from hwsim.units.metadata import Metadata
from hwsim.units.result import Integers, RoundedResult

#: Products of more significand bits are not exact in float64, which the golden model works in.
MAX_PRODUCT_BITS = 53


@dataclass(frozen=True, kw_only=True)
class FmaUnit(UnitSpec):
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
        The minifloat that sums are rounded to; it must have infinity or NaN to overflow to.
    wide
        A second weight format as wide as all weights of a beat, or none.
    """

    family: ClassVar[str] = "fma"
    generator: ClassVar[str] = "rtl.fma:Fma"

    accumulator: Format = NAMED["fp32"]
    wide: Format | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if not isinstance(self.activation, Minifloat):
            raise InputError(
                f"activation={self.activation.name}: fma takes minifloats such as fp16"
            )
        if not isinstance(self.accumulator, Minifloat) or not self.accumulator.has_nan:
            raise InputError(
                f"accumulator={self.accumulator.name}: fma takes minifloats that have NaN, "
                "such as fp16 or fp32"
            )
        for name, fmt in self.weights.items():
            bits = significand_bits(self.activation) + significand_bits(fmt, name)
            if bits > MAX_PRODUCT_BITS:
                raise InputError(
                    f"{name}={fmt.name}: products with {self.activation.name} have up to {bits} "
                    f"significand bits; allowed: {MAX_PRODUCT_BITS}"
                )
        if self.wide is not None and self.wide.bits != self.lanes * self.weight.bits:
            raise InputError(
                f"wide={self.wide.name} has {self.wide.bits} bits; it must have those of "
                f"{self.lanes} x {self.weight.name}, {self.lanes * self.weight.bits}"
            )

    @property
    def weights(self) -> dict[str, Format]:
        """The formats of a weight by parameter: ``weight``, and ``wide`` if there is one."""
        return {"weight": self.weight} | ({} if self.wide is None else {"wide": self.wide})

    @property
    def metadata(self) -> tuple[Metadata, ...]:
        return () if self.wide is None else (Metadata("wide", Integer(1, signed=False)),)

    def _layer_field(self, field: Metadata, shape: tuple[int, ...]) -> Codes:
        # A layer's weights have the first format.
        return np.zeros(shape, field.format.code_dtype)

    @property
    def result(self) -> RoundedResult[Minifloat]:
        assert isinstance(self.accumulator, Minifloat)
        return RoundedResult(self.accumulator)

    @property
    def safe_beats(self) -> int:
        products = [self.activation.max * max(f.max, -f.min) for f in self.weights.values()]
        return int(max(products) * self.lanes <= self.result.format.max)

    def timing(self) -> Timing:
        return Timing(latency=1, interval=1)

    def _dot(self, activations: Codes, weights: Codes, metadata: Mapping[str, Codes]) -> Integers:
        beats = (*activations.shape[:-1], -1, self.lanes)
        a = self.activation.decode(activations).reshape(beats)
        w = self.weight.decode(weights).reshape(beats)
        accumulated = np.zeros(a.shape[:-2])
        for beat in range(a.shape[-2]):
            total = accumulated
            for lane in range(self.lanes):
                total = self.step(a[..., beat, lane], w[..., beat, lane], total)
            if self.wide is not None:
                words = _join(weights.reshape(beats)[..., beat, :], self.weight.bits)
                alone = self.step(a[..., beat, 0], self.wide.decode(words), accumulated)
                total = np.where(metadata["wide"][..., beat], alone, total)
            accumulated = total
        return rounding.encode(self.result.format, accumulated)

    def step(self, a: Float64, w: Float64, accumulated: Float64) -> Float64:
        """Return ``a * w + accumulated`` rounded once to the accumulator's format."""
        with np.errstate(invalid="ignore"):
            product = a * w
        return rounding.add(self.result.format, product, accumulated)

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
    )  # fmt: skip
    fitting: ClassVar[Configurations] = (
        *dots((1, "e2m1", "e5m2"), (1, "e3m2", "e3m2"), accumulator="e5m2"),
        *dots((1, "e4m3", "e4m3"), (1, "int4", "e4m3"), accumulator="fp16"),
    )  # fmt: skip


def significand_bits(fmt: Format, parameter: str = "weight") -> int:
    """Return the width of the magnitude that is multiplied, or raise InputError."""
    if isinstance(fmt, Minifloat):
        return fmt.mantissa + 1
    if isinstance(fmt, Integer):
        return fmt.bits
    raise InputError(f"{parameter}={fmt.name}: fma takes minifloats and integers")


def _join(codes: Codes, bits: int) -> Codes:
    """Return the codes of the last axis side by side, the first lowest."""
    places = np.arange(codes.shape[-1]) * bits
    return (codes.astype(np.int64) << places).sum(axis=-1)
