"""Operand streams: the data that the energy of a unit is measured with.

Energy follows toggles, and toggles follow data: zeros, narrow distributions and sign bits matter.
A stream is arrays of codes, one dot product a row, so codes of a real model's weights and
activations can take the place of the ones made here.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

import numpy as np

from hwsim.errors import InputError
from hwsim.formats.base import Codes, Float64, Format
from hwsim.formats.posit import Posit
from hwsim.units import UnitSpec
from hwsim.units.stimulus import random_metadata

#: Default size of a stream: dot products in parallel, and clock cycles that each of them takes.
STREAMS = 64
CYCLES = 64
#: Neighbours that share a scale.
GROUP = 128


class Operands(NamedTuple):
    """What :meth:`hwsim.units.base.UnitSpec.dot` takes, for many streams.

    Attributes
    ----------
    activations, weights
        Codes of shape (streams, length).
    metadata
        Codes by name, of shape (streams, beats) or (streams, groups).
    """

    activations: Codes
    weights: Codes
    metadata: Mapping[str, Codes] = MappingProxyType({})


def gaussian(unit: UnitSpec, dot_products: int, beats: int, seed: int) -> Operands:
    """Return standard-normal operands in the formats of ``unit``.

    Groups of 128 neighbours in a row are scaled so that their largest magnitude maps to the
    largest value of the format, as group quantisation does, and rounded to nearest even. A scale
    for the whole tensor would leave formats of 2 or 3 bits with hardly anything but zeros. Posits,
    which are most precise near 1, take the numbers as they are. Formats without negative values get
    magnitudes. Metadata are uniform over their legal codes.

    Parameters
    ----------
    dot_products
        Rows of the result.
    beats
        Beats per dot product.
    seed
        Seed of ``numpy.random.default_rng``.
    """
    if dot_products < 1 or beats < 1:
        raise InputError(f"dot_products={dot_products} and beats={beats} must be at least 1")
    rng = np.random.default_rng(seed)
    activations, weights = (
        rng.standard_normal((dot_products, beats * count)) for count in unit.values_per_beat
    )
    metadata = random_metadata(unit, dot_products, beats, rng)
    return Operands(*unit.encode_operands(activations, weights, metadata, _encode), metadata)


def default_operands(unit: UnitSpec) -> Operands:
    """Return the operands that costs are quoted for unless others are given.

    64 normal dot products of 64 cycles each, but of at least 16 beats and two groups; seed 0.
    """
    beats = max(16, CYCLES // unit.timing().interval, 2 * (unit.group_beats or 0))
    return gaussian(unit, STREAMS, beats, seed=0)


def _encode(fmt: Format, x: Float64) -> Codes:
    if isinstance(fmt, Posit):
        return fmt.encode(x)
    if fmt.min >= 0:
        x = np.abs(x)
    starts = np.arange(0, x.shape[1], GROUP)
    largest = np.maximum.reduceat(np.abs(x), starts, axis=1)
    scale = (fmt.max or -fmt.min) / np.repeat(largest, GROUP, axis=1)[:, : x.shape[1]]
    return fmt.encode(x * scale)
