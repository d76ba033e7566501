"""OliVe's outlier-victim pairs: an outlier takes the range, its neighbour pays with its value.

Values are taken in pairs of neighbours along the last axis. Both are normal values in a few bits,
unless one is an outlier: then its neighbour, the victim, becomes zero, and the victim's code is the
identifier 10..0, which tells the decoder that the other code is an abfloat. If both are outliers,
the second one is the victim. Every code keeps its place and width, so memory accesses stay
aligned; a decoder compares each code of a pair with the identifier.

Codes are no numbers on their own, so this is no :class:`~hwsim.formats.base.Format`: it encodes
and decodes arrays of pairs.

Source: OliVe (ISCA 2023, arXiv:2304.07493), sections 3 and 4; victim rule as in the authors'
quantiser.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from hwsim.errors import InputError
from hwsim.formats.abfloat import AbFloat
from hwsim.formats.base import Codes, Float64, Format, Rounding, real_array
from hwsim.formats.fields import convert_fields
from hwsim.formats.flint import Flint
from hwsim.formats.integer import Integer


@dataclass(frozen=True)
class OutlierVictimPairs:
    """Pairs of ``normal`` values or of an ``outlier`` and its victim, of the same width.

    The code 10..0 of ``normal`` must be free: it is in symmetric integers, and in flint, whose -0
    is encoded as 0 here.
    """

    normal: Integer | Flint
    outlier: AbFloat

    def __post_init__(self) -> None:
        convert_fields(self)
        if self.normal.bits != self.outlier.bits:
            raise InputError(
                f"outliers must have the {self.normal.bits} bits of {self.normal.name}, "
                f"not {self.outlier.bits}"
            )
        if self.normal.min != -self.normal.max:
            raise InputError(f"normal values must be symmetric, and {self.normal.name} is not")
        if self.outlier.smallest <= self.normal.max:
            raise InputError(
                f"outliers start at {self.outlier.smallest}, within the range of "
                f"{self.normal.name}, {self.normal.max}; use a larger bias"
            )

    @property
    def bits(self) -> int:
        """Width of a code."""
        return self.normal.bits

    @property
    def bits_per_element(self) -> float:
        """Storage per element in bits: pairs need no metadata."""
        return float(self.bits)

    @property
    def identifier(self) -> int:
        """The code of a victim."""
        return 1 << (self.bits - 1)

    def encode(self, x: ArrayLike, rounding: str | Rounding = Rounding.NEAREST_EVEN) -> Codes:
        """Return the codes of values in the units of the normal format.

        Parameters
        ----------
        x
            Real numbers of any float dtype; the last axis is even.
        rounding
            Rounding within the normal and within the outlier values. A number is an outlier from
            the middle between the largest normal value and the smallest outlier on; numbers beyond
            the largest outlier saturate.

        Raises
        ------
        InputError
            For NaN, or a last axis that is odd or missing.
        """
        numbers = real_array(x)
        if numbers.ndim == 0 or numbers.shape[-1] % 2:
            raise InputError(f"pairs need a last axis of even length, not shape {numbers.shape}")
        outlier = np.abs(numbers) >= (self.normal.max + self.outlier.smallest) / 2
        pairs = outlier.reshape(*outlier.shape[:-1], -1, 2)
        victim = np.stack([pairs[..., 1] & ~pairs[..., 0], pairs[..., 0]], axis=-1)
        victim = victim.reshape(outlier.shape)
        normal = self.normal.encode(np.where(outlier, 0.0, numbers), rounding)
        normal = np.where(normal == self.identifier, 0, normal)
        # Toward zero, a number just above the middle would become the identifier.
        least = np.copysign(self.outlier.smallest, numbers)
        clamped = np.where(np.abs(numbers) < self.outlier.smallest, least, numbers)
        codes = np.where(outlier, self.outlier.encode(clamped, rounding), normal)
        return np.where(victim, self.identifier, codes).astype(self.normal.code_dtype)

    def decode(self, codes: ArrayLike) -> Float64:
        """Return the values of pairs of codes as float64; two identifiers are two zeros.

        Raises
        ------
        InputError
            If codes are out of range, or their last axis is odd or missing.
        """
        checked = self.normal.check_codes(codes)
        if checked.ndim == 0 or checked.shape[-1] % 2:
            raise InputError(f"pairs need a last axis of even length, not shape {checked.shape}")
        victim = checked == self.identifier
        other = victim.reshape(*victim.shape[:-1], -1, 2)[..., ::-1].reshape(victim.shape)
        values = np.where(other, self.outlier.decode(checked), self.normal.decode(checked))
        return np.where(victim, 0.0, values)

    def quantize(self, x: ArrayLike, rounding: str | Rounding = Rounding.NEAREST_EVEN) -> Float64:
        """Return the values that ``x`` is rounded to: ``decode(encode(x))``."""
        return self.decode(self.encode(x, rounding))


def outlier_format(normal: Format) -> AbFloat:
    """Return OliVe's 4-bit outlier format above ``normal``: its bias is that of the range's end.

    For ``int4_sym`` (7, ends at 8) the outliers are +-{12, 16, 24, 32, 48, 64, 96}.
    """
    return AbFloat(2, 1, int(np.ceil(np.log2(normal.max))))


#: The two pairings of the paper.
OLIVE4_INT = OutlierVictimPairs(Integer(4, symmetric=True), AbFloat(2, 1, 3))
OLIVE4_FLINT = OutlierVictimPairs(Flint(4), AbFloat(2, 1, 2))
