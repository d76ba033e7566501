"""What every unit is: a dot-product engine for a pair of formats, behind one stream protocol.

A unit takes beats of ``lanes`` activations and ``lanes`` weights, and after the beat marked
``last`` it delivers their accumulated sum. The specification computes what the hardware must
deliver (:meth:`UnitSpec.dot`) and declares how long it takes (:meth:`UnitSpec.timing`);
``rtl.create`` turns the same object into hardware.

A beat is one word, least significant bit first: the activations from lane 0 up, the weights from
lane 0 up, and ``last``.
"""

import re
from abc import ABC, abstractmethod
from dataclasses import dataclass, fields
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike

from hwsim.errors import InputError
from hwsim.formats.base import Codes, Format
from hwsim.units.result import Integers, Result

MAX_LANES = 1024


@dataclass(frozen=True)
class Timing:
    """Declared timing in clock cycles; verification measures both and compares.

    Attributes
    ----------
    latency
        From the cycle in which the last beat is first offered to an idle unit to the cycle in
        which the result is offered.
    interval
        Initiation interval: cycles per beat while neither side stalls.
    """

    latency: int
    interval: int


@dataclass(frozen=True, kw_only=True)
class UnitSpec(ABC):
    """Parameters, golden model and timing of a unit.

    Parameters
    ----------
    lanes
        Products per beat, 1 to 1024.
    weight, activation
        Formats of the operands.
    """

    family: ClassVar[str]

    lanes: int
    weight: Format
    activation: Format

    def __post_init__(self) -> None:
        if not 1 <= self.lanes <= MAX_LANES:
            raise InputError(f"lanes must be 1 to {MAX_LANES}, not {self.lanes}")

    @property
    @abstractmethod
    def result(self) -> Result:
        """Layout of the output stream's payload."""

    @property
    @abstractmethod
    def safe_beats(self) -> int:
        """Beats per dot product up to which no operands can overflow the accumulator."""

    @abstractmethod
    def timing(self) -> Timing:
        """Return the declared latency and initiation interval."""

    @abstractmethod
    def _dot(self, activations: Codes, weights: Codes) -> Integers:
        """Compute :meth:`dot` for checked codes of equal shape."""

    @property
    def macs_per_cycle(self) -> float:
        """Multiply-accumulates per clock cycle while neither side stalls."""
        return self.lanes / self.timing().interval

    @property
    def name(self) -> str:
        """Family and every parameter that is not the default, as a Verilog identifier."""
        parts = [self.family]
        for key, value in self.parameters().items():
            if value != self._default(key):
                parts.append(f"{key}_{value}")
        return re.sub(r"\W+", "_", "_".join(parts)).strip("_")

    def parameters(self) -> dict[str, int | str]:
        """Return the parameters as plain values that :func:`hwsim.units.make` reads back."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return {k: v.name if isinstance(v, Format) else v for k, v in values.items()}

    def _default(self, key: str) -> Any:
        """The value of a parameter that need not be part of the name; None if it always is."""
        return next(f.default for f in fields(self) if f.name == key)

    def dot(self, activations: ArrayLike, weights: ArrayLike) -> Integers:
        """Return the codes that the hardware delivers for dot products, bit for bit.

        Parameters
        ----------
        activations, weights
            Codes of the two formats, both of shape (..., length), where ``length`` is a multiple
            of ``lanes``: element ``i`` is in lane ``i % lanes`` of beat ``i // lanes``.

        Returns
        -------
        numpy.ndarray
            Codes of ``result``, shape (...); ``result.decode`` gives their values.

        Raises
        ------
        InputError
            For codes out of range, unequal shapes, or a length that ``lanes`` does not divide.
        """
        a, w = self.activation.check_codes(activations), self.weight.check_codes(weights)
        if a.shape != w.shape:
            raise InputError(f"activations {a.shape} and weights {w.shape} must have one shape")
        if a.ndim == 0 or a.shape[-1] == 0 or a.shape[-1] % self.lanes:
            raise InputError(
                f"the last axis must be a positive multiple of lanes={self.lanes}, not {a.shape}"
            )
        return self._dot(a, w)

    @property
    def beat_bits(self) -> int:
        """Width of a beat, the input stream's payload."""
        return self.lanes * (self.activation.bits + self.weight.bits) + 1

    def pack_beats(self, activations: ArrayLike, weights: ArrayLike) -> list[int]:
        """Return the words of the beats of one dot product, ``last`` set in the final one.

        Both operands are codes of shape (length,), as for :meth:`dot`.
        """
        a = self.activation.check_codes(activations).reshape(-1, self.lanes)
        w = self.weight.check_codes(weights).reshape(-1, self.lanes)
        low = _concatenate(a, self.activation.bits)
        high = _concatenate(w, self.weight.bits)
        shift = self.lanes * self.activation.bits
        words = [lo | (hi << shift) for lo, hi in zip(low, high, strict=True)]
        words[-1] |= 1 << (self.beat_bits - 1)
        return words


def _concatenate(codes: Codes, bits: int) -> list[int]:
    """Return one integer a row, its fields of ``bits`` bits, the first lowest."""
    flags = (codes[..., np.newaxis] >> np.arange(bits, dtype=codes.dtype)) & 1
    packed = np.packbits(flags.astype(bool).reshape(len(codes), -1), axis=-1, bitorder="little")
    return [int.from_bytes(row.tobytes(), "little") for row in packed]
