"""What formats with a table of magnitudes share: flint, DyBit, additive powers of two.

A code is a magnitude code, below a sign bit if the format is signed: ``flint4`` has a sign and 3
bits of magnitude, ``flint4u`` has 4 bits of it.
"""

import re
from abc import abstractmethod
from dataclasses import dataclass
from typing import ClassVar, Self

from hwsim.errors import InputError
from hwsim.formats.base import Float64
from hwsim.formats.grid import GridFormat
from hwsim.formats.sign_magnitude import signed


@dataclass(frozen=True)
class MagnitudeFormat(GridFormat):
    """``width`` bits in all, 2 to 8 of them magnitude; a signed format has a code of -0. No NaN."""

    FAMILY: ClassVar[str]

    width: int
    signed: bool = True

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 2 <= self.magnitude_bits <= 8:
            raise InputError(
                f"width of {self.name} must leave 2 to 8 bits of magnitude, not "
                f"{self.magnitude_bits}"
            )

    @property
    def magnitude_bits(self) -> int:
        """Width of the magnitude code."""
        return self.width - self.signed

    @property
    def name(self) -> str:
        return f"{self.FAMILY}{self.width}{'' if self.signed else 'u'}"

    @property
    def family(self) -> str:
        return self.FAMILY

    @property
    def bits(self) -> int:
        return self.width

    @abstractmethod
    def _magnitudes(self) -> Float64:
        """Return the magnitudes by code, float64 of shape (2**magnitude_bits,)."""

    def _values(self) -> Float64:
        magnitudes = self._magnitudes()
        return signed(magnitudes) if self.signed else magnitudes

    @classmethod
    def parse(cls, name: str) -> Self | None:
        """Return the format called ``name``, or None; ``uflint4`` is ``flint4u``."""
        match = re.fullmatch(rf"(u?){cls.FAMILY}(\d+)(u?)", name)
        if match is None or (match[1] and match[3]):
            return None
        return cls(int(match[2]), signed=not (match[1] or match[3]))
