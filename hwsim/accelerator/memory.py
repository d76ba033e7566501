"""The memories that feed an array: three SRAMs and DRAM.

Weights (or keys and values), inputs and outputs have an SRAM each, which DRAM fills and empties.
A double-buffered SRAM is two halves: the array works on the one while the other is filled, so
half of the capacity holds a tile and transfers overlap with computing. Without, all of it holds a
tile, and the array waits. A bank takes one access a cycle, reading or writing.
"""

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from hwsim.errors import InputError
from hwsim.numbers import whole

Floats: TypeAlias = NDArray[np.float64]

#: Bandwidths of DRAM and clock periods that are taken, far beyond those of hardware.
BANDWIDTH_GB_S = (1e-3, 1e9)
PERIOD_NS = (1e-3, 1e6)


@dataclass(frozen=True, kw_only=True)
class Sram:
    """One SRAM.

    Parameters
    ----------
    capacity
        In bytes, of all banks together.
    width
        Bits of an access of one bank.
    banks
        Parts that take one access each in a cycle.
    double_buffered
        Whether one half is filled or emptied while the array uses the other.

    Raises
    ------
    InputError
        For numbers that are not whole or below 1.
    """

    capacity: int
    width: int
    banks: int = 1
    double_buffered: bool = True

    def __post_init__(self) -> None:
        for name in ("capacity", "width", "banks"):
            object.__setattr__(self, name, whole(name, getattr(self, name), 1))
        if not isinstance(self.double_buffered, bool):
            raise InputError(f"double_buffered={self.double_buffered!r}: allowed: True or False")

    @property
    def halves(self) -> int:
        """Parts of the capacity, one of which holds a tile: 2 if double-buffered, else 1."""
        return 2 if self.double_buffered else 1

    @property
    def tile_bits(self) -> int:
        """Bits that the array can work on."""
        return 8 * self.capacity // self.halves

    @property
    def bits_per_cycle(self) -> int:
        """Bits that are read or written in a cycle at most."""
        return self.width * self.banks


@dataclass(frozen=True, kw_only=True)
class Dram:
    """The memory that holds a model.

    Parameters
    ----------
    kind
        What it is, such as ``lpddr5``; a key of the energy tables.
    bandwidth
        In GB/s, 10^9 bytes a second, of reads and writes together.
    boundary
        What its energy contains (``cost_models.memory.BOUNDARIES``); may be left out where the
        tables have one.

    Raises
    ------
    InputError
        For a bandwidth that is no number within ``BANDWIDTH_GB_S``.
    """

    kind: str
    bandwidth: float
    boundary: str | None = None

    def __post_init__(self) -> None:
        object.__setattr__(
            self, "bandwidth", number_within("bandwidth", self.bandwidth, BANDWIDTH_GB_S, "GB/s")
        )

    def bits_per_cycle(self, period_ns: float | Floats) -> float | Floats:
        """Return the bits that are transferred in a clock period, or in each of several."""
        return 8 * self.bandwidth * period_ns


def number_within(parameter: str, value: object, limits: tuple[float, float], unit: str) -> float:
    """Return a number from one limit to another; InputError for anything else."""
    if (
        isinstance(value, bool)
        or not isinstance(value, int | float)
        or not (limits[0] <= value <= limits[1])
    ):
        raise InputError(
            f"{parameter}={value!r}: allowed: numbers from {limits[0]:g} to {limits[1]:g} {unit}"
        )
    return float(value)


def clock_period(parameter: str, value: object) -> float:
    """Return a clock period in ns, within ``PERIOD_NS``; InputError for anything else."""
    return number_within(parameter, value, PERIOD_NS, "ns")


@dataclass(frozen=True, kw_only=True)
class Memories:
    """The memories of an accelerator.

    Parameters
    ----------
    weights, inputs, outputs
        SRAM of second operands (weights, keys and values), of activations, and of results.
    dram
        Where all of them come from and go to.
    table, node
        What the SRAM costs: a table and a node in nm of :func:`cost_models.memory.sram`.
    """

    weights: Sram
    inputs: Sram
    outputs: Sram
    dram: Dram
    table: str
    node: int
