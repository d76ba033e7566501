"""Products added one after another, each addition rounded: what ``fma`` and ``float`` share.

The significands are multiplied exactly, the accumulator is aligned to the product over a window
wide enough for one correct rounding, and the sum is normalised and rounded to the accumulator's
format: a fused multiply-add a lane, one after another in lane order, so the order of the operands
matters. Cost: the alignment and normalisation shifters, some three significands wide, outweigh a
narrow multiplier.

Every step is ``accumulator = round(activation * weight + accumulator)``, with one rounding,
starting from +0. NaN comes from a NaN operand, from 0 x infinity and from infinity - infinity, and
is always delivered as the format's one quiet NaN. What overflows becomes infinity, or NaN in a
format without infinity, unless the rounding says otherwise. The sign of zero is that of IEEE 754
(section 6.3).

An addition needs the sum before it, so its whole way, to align, add, normalise and round, is one
cycle. With ``interleaved_sums=K`` beat i is added to partial sum i mod K, and each has K cycles for
an addition that is spread over as many stages. The K sums are added up in order after the last
beat, with a rounding each, by K - 1 more adders behind the registers.

Source: IEEE 754-2019 section 5.4.1 (fusedMultiplyAdd).
"""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from hwsim.errors import InputError
from hwsim.formats.base import Codes, Float64, Format
from hwsim.formats.minifloat import Minifloat
from hwsim.units import rounding
from hwsim.units.base import UnitSpec
from hwsim.units.rounding import Subnormals, SumRounding

#: The most partial sums.
MAX_SUMS = 8


@dataclass(frozen=True, kw_only=True, repr=False)
class RoundedSum(UnitSpec):
    """Dot product in floating point, one rounding a product; a family says what it takes.

    Parameters
    ----------
    lanes, weight, activation
        See :class:`~hwsim.units.base.UnitSpec`.
    interleaved_sums
        Partial sums that beats are added to in turn, 1 to 8, each starting from +0. They are added
        up at the end, in order and with a rounding each. So many ``stages`` may share the addition.
    """

    interleaved_sums: int = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 1 <= self.interleaved_sums <= MAX_SUMS:
            raise InputError(
                f"interleaved_sums must be 1 to {MAX_SUMS}, not {self.interleaved_sums}"
            )

    @abstractmethod
    def operand_formats(self) -> tuple[Minifloat, Format]:
        """Return the formats that activations and weights are read in, or raise InputError."""

    @property
    @abstractmethod
    def state_format(self) -> Minifloat:
        """Format of the sum from step to step."""

    @property
    def turns(self) -> int:
        return self.interleaved_sums

    @property
    def wide(self) -> Format | None:
        """A second weight format as wide as all weights of a beat; a beat says which it has."""
        return None

    @property
    def subnormals(self) -> Subnormals:
        """What becomes of subnormal operands and sums."""
        return Subnormals.KEEP

    @property
    def sum_rounding(self) -> SumRounding:
        """How sums are rounded."""
        return SumRounding.NEAREST_EVEN

    @property
    def weights(self) -> dict[str, Format]:
        """The formats of a weight by parameter: ``weight``, and ``wide`` if there is one."""
        _, weight = self.operand_formats()
        return {"weight": weight} | ({} if self.wide is None else {"wide": self.wide})

    @property
    def holds_a_beat(self) -> bool:
        """Whether the products of no beat can overflow the accumulator from 0."""
        activation, _ = self.operand_formats()
        largest = max(max(fmt.max, -fmt.min) for fmt in self.weights.values())
        return bool(activation.max * largest * self.lanes <= self.state_format.max)

    def rounded_dot(
        self, activations: Codes, weights: Codes, metadata: Mapping[str, Codes]
    ) -> Codes:
        """Return the codes of the sums, of ``state_format``."""
        activation, weight = self.operand_formats()
        beats = (*activations.shape[:-1], -1, self.lanes)
        a = self._read(activation, activations).reshape(beats)
        w = self._read(weight, weights).reshape(beats)
        sums = [np.zeros(a.shape[:-2])] * self.interleaved_sums
        for beat in range(a.shape[-2]):
            total = accumulated = sums[beat % self.interleaved_sums]
            for lane in range(self.lanes):
                total = self.step(a[..., beat, lane], w[..., beat, lane], total)
            if self.wide is not None:
                words = _join(weights.reshape(beats)[..., beat, :], weight.bits)
                wide = self._read(self.wide, words)
                alone = self.step(a[..., beat, 0], wide, accumulated)
                total = np.where(metadata["wide"][..., beat], alone, total)
            sums[beat % self.interleaved_sums] = total
        return rounding.encode(self.state_format, self.combined(sums))

    def combined(self, sums: Sequence[Float64]) -> Float64:
        """Return the sum of partial sums, added up in order."""
        total = sums[0]
        for one in sums[1:]:
            total = rounding.add(self.state_format, total, one, self.sum_rounding, self.subnormals)
        return total

    def step(self, a: Float64, w: Float64, accumulated: Float64) -> Float64:
        """Return ``a * w + accumulated`` rounded once to ``state_format``."""
        with np.errstate(invalid="ignore"):
            product = a * w
        fmt = self.state_format
        return rounding.add(fmt, product, accumulated, self.sum_rounding, self.subnormals)

    def _read(self, fmt: Format, codes: Codes) -> Float64:
        """Return the values of operands, subnormals flushed if they are."""
        values = fmt.decode(codes)
        if self.subnormals is Subnormals.KEEP or not isinstance(fmt, Minifloat):
            return values
        return rounding.flush(fmt, values)


def _join(codes: Codes, bits: int) -> Codes:
    """Return the codes of the last axis side by side, the first lowest."""
    places = np.arange(codes.shape[-1]) * bits
    return (codes.astype(np.int64) << places).sum(axis=-1)
