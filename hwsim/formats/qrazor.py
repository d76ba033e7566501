"""QRazor: 8- or 16-bit integers of which a group keeps the four salient bits, ``qrazor4_g16``.

Stage 1 rounds a channel to integers under one real scale. Stage 2, significant data razoring: the
OR of a group's magnitudes has its leading one at bit p; each element keeps its sign and the bits
from p downwards that fit, and the group stores the flag, the number of bits dropped below them.
The multiplier works on the short codes, and one shift by the sum of two flags follows a group's
dot product.

Source: Lee et al., QRazor, arXiv 2501.13331. The abstract gives the two stages and that the other
bits are discarded; the group, the flag's width and the choice of rounding are stated here.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from hwsim.errors import InputError
from hwsim.formats import fast
from hwsim.formats.arithmetic import (
    encode_quotients,
    encode_scale,
    exact_quotient,
    largest_magnitude,
)
from hwsim.formats.base import Codes, Float64, Format, Rounding, Stochastic, parse_rounding
from hwsim.formats.block import BlockFormat, Blocks, Encoded, QuantizedTensor
from hwsim.formats.fixed import FixedPoint
from hwsim.formats.integer import Integer
from hwsim.formats.minifloat import NAMED

NAMES = ("qrazor4_g16",)


@dataclass(frozen=True)
class SignificantData(BlockFormat):
    """Integers cut to ``bits`` bits per group, ``qrazor<bits>_g<size>``.

    ``scales`` are the flags: an element is its code times 2**flag times the channel's scale, which
    is in ``metadata["channel_scales"]``, a code per channel, shape (...). The ``rounding`` of
    ``quantize`` is that of stage 1. NaN and infinity are refused.

    Parameters
    ----------
    bits
        Width of an element, sign included, 2 to 8; two's complement, the most negative unused.
    size
        Group size, at least 1.
    base
        Width of the integers of stage 1: 8 for weights and KV cache, 16 for activations.
    discard
        Rounding of stage 2: ``toward_zero`` drops the bits, the roundings to nearest look at them
        (and saturate).
    channel_scale
        Format of the channel scale, which maps the largest magnitude to 2**(base - 1) - 1.
    partial
        ``error`` or ``pad``, as for a group scale.
    """

    OPTIONS: ClassVar[tuple[str, ...]] = ("base", "discard", "channel_scale", "partial")

    bits: int
    size: int
    base: int = 8
    discard: str = Rounding.TOWARD_ZERO
    channel_scale: Format = NAMED["fp32"]
    partial: str = "error"

    def __post_init__(self) -> None:
        self._check_fields()
        if not 2 <= self.bits <= 8:
            raise InputError(f"bits must be 2 to 8, not {self.bits}")
        if self.base not in (8, 16):
            raise InputError(f"base must be 8 or 16, not {self.base!r}")
        object.__setattr__(self, "discard", parse_rounding(self.discard))
        if isinstance(self.discard, Stochastic):
            raise InputError(f"discard must be one of {', '.join(Rounding)}, not {self.discard}")

    @property
    def element(self) -> Format:
        """Format of the elements."""
        return FixedPoint(self.bits, 0, symmetric=True)

    @property
    def scale(self) -> Format:
        """Format of the flags, 0 to base - bits."""
        return Integer(max(1, (self.base - self.bits).bit_length()), signed=False)

    @property
    def base_name(self) -> str:
        return f"qrazor{self.bits}_g{self.size}"

    @property
    def family(self) -> str:
        return "qrazor"

    @property
    def metadata_bits(self) -> dict[str, int]:
        return {"channel_scales": self.channel_scale.bits}

    @property
    def bits_per_element(self) -> float:
        return self.bits + self.scale.bits / self.size

    def decode(self, tensor: QuantizedTensor) -> Float64:
        values = self.element.decode(tensor.codes)
        values *= np.exp2(self.scale.decode(tensor.scales))[..., np.newaxis]
        channel = self.channel_scale.decode(tensor.metadata["channel_scales"])
        values *= channel[..., np.newaxis, np.newaxis]
        return values

    def _encode(self, blocks: Blocks, rounding: Rounding | Stochastic) -> Encoded:
        self._check_finite(blocks)
        wide = FixedPoint(self.base, 0, symmetric=True)
        largest = largest_magnitude(blocks)
        ideal = exact_quotient(largest.max(axis=-1, initial=0.0), np.array(wide.max))
        channel_codes = encode_scale(self.channel_scale, ideal)
        channel = np.broadcast_to(
            self.channel_scale.decode(channel_codes)[..., np.newaxis], largest.shape
        )
        integers = encode_quotients(wide, blocks, channel, rounding)
        cut = self._cut_compiled if self._is_compiled(blocks.size) else self._cut
        return cut(integers)._replace(metadata={"channel_scales": channel_codes})

    def _cut(self, integers: Codes) -> Encoded:
        """Return the codes and the flags of the integers of stage 1, given as codes."""
        values = FixedPoint(self.base, 0, symmetric=True).decode(integers)
        # The leading one of the OR is that of the largest magnitude.
        length = np.frexp(np.abs(values).max(axis=-1))[1].astype(np.int64)
        flags = np.maximum(length - (self.bits - 1), 0)
        kept = np.ldexp(values, -flags[..., np.newaxis])
        return Encoded(self.element.encode(kept, self.discard), self.scale.encode(flags), {})

    def _is_compiled(self, size: int) -> bool:
        return self.discard == Rounding.TOWARD_ZERO and fast.pays(size)

    def _cut_compiled(self, integers: Codes) -> Encoded:
        from hwsim.formats import kernels

        codes = np.empty(integers.shape, self.element.code_dtype)
        flags = np.empty(integers.shape[:-1], self.scale.code_dtype)
        signed = integers.view(f"int{self.base}").reshape(-1)
        kernels.razored(signed, self.size, self.bits, codes.reshape(-1), flags.reshape(-1))
        return Encoded(codes, flags, {})


def parse(name: str, parse_scalar: Callable[[str], Format]) -> BlockFormat | None:
    """Return the format called ``qrazor<bits>_g<size>``, or None if the name is another."""
    match = re.fullmatch(r"qrazor(\d+)_g(\d+)", name)
    return SignificantData(int(match[1]), int(match[2])) if match else None
