"""Bit-serial integer dot product: a digit of every weight a cycle, activations in parallel.

A cycle takes one digit of every lane's weight, so most hardware of a multiplier shrinks to one row
a lane. A beat takes as many cycles as the weight has digits: throughput falls as precision rises,
and area hardly depends on it. What a digit is, and which are worked on, are the parameters:

* ``recoding="binary"``: a digit is a bit. A lane is one AND row; the tree sums the activations
  whose bit is set, and the sum is shifted to the bit's place and negated for the sign bit.
* ``recoding="booth"``: radix-4 Booth digits, -2 to 2, halve the cycles for a conditional doubling
  and negation in each lane. A signed weight of n bits has ceil(n/2) digits; an unsigned one has
  floor(n/2) + 1, since its top digit needs a zero above the top bit.
* ``digits="essential"``: each lane skips its own zero digits. The lanes go on to the next beat
  together, so a beat takes as long as its lane with most non-zero digits, and at least one cycle.
  The price is a priority encoder, a shifter and a register of digits done in every lane.
* ``serial="both"``: one bit of both operands a cycle. A lane is one AND gate and the tree a
  population count, for weight bits x activation bits cycles.
* ``precision="beat"``: every beat says how many low bits of its weights count, the top one of
  them being the sign bit of a signed weight, and takes only their cycles. With both operands
  serial it says so for the activations too.

The beat is held on the input stream while it is worked on, so no operand is stored.

Sources: Judd et al., Stripes, MICRO 2016, section 3 (binary; there with serial activations: the
two operands change places without changing the unit); Albericio et al., Bit-Pragmatic, MICRO 2017
(essential); Sharify et al., Loom, DAC 2018 (both); MacSorley, Proc. IRE 49(1), 1961 (radix 4).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from hwsim.errors import InputError
from hwsim.formats.base import Bools, Codes, Format, Int64
from hwsim.formats.integer import Integer
from hwsim.units.base import Timing
from hwsim.units.configurations import Configurations, dots
from hwsim.units.integer import IntegerSum
from hwsim.units.metadata import Metadata, Operand
from hwsim.units.result import Integers


class Serial(StrEnum):
    """Which operands are serial."""

    WEIGHT = "weight"
    BOTH = "both"


class Recoding(StrEnum):
    """What a digit of the weight is."""

    BINARY = "binary"
    BOOTH = "booth"


class Digits(StrEnum):
    """Which digits take a cycle."""

    ALL = "all"
    ESSENTIAL = "essential"


class Precision(StrEnum):
    """Whether the bits that count are those of the format, or told in every beat."""

    FIXED = "fixed"
    BEAT = "beat"


@dataclass(frozen=True, kw_only=True)
class BitSerialUnit(IntegerSum):
    """Dot product of integers, digits serial; results are those of ``integer``.

    Parameters
    ----------
    lanes, weight, activation, accumulator_bits
        See :class:`~hwsim.units.integer.IntegerSum`.
    serial
        ``weight``, or ``both``, which goes with binary recoding and all digits only.
    recoding
        ``binary`` or ``booth``.
    digits
        ``all`` or ``essential``.
    precision
        ``fixed``, or ``beat``: the metadata ``weight_precision``, and with ``serial="both"``
        ``activation_precision``, are the low bits that count, 1 to those of the format.
    """

    family: ClassVar[str] = "bit_serial"
    generator: ClassVar[str] = "rtl.bit_serial:BitSerial"

    serial: Serial = Serial.WEIGHT
    recoding: Recoding = Recoding.BINARY
    digits: Digits = Digits.ALL
    precision: Precision = Precision.FIXED

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.serial is not Serial.BOTH:
            return
        if self.recoding is not Recoding.BINARY:
            raise InputError("serial='both' takes recoding='binary', not 'booth'")
        if self.digits is not Digits.ALL:
            raise InputError("serial='both' takes digits='all', not 'essential'")

    @property
    def metadata(self) -> tuple[Metadata, ...]:
        if self.precision is Precision.FIXED:
            return ()
        operands = {"weight": self.weight}
        if self.serial is Serial.BOTH:
            operands["activation"] = self.activation
        return tuple(
            Metadata(
                f"{name}_precision",
                Integer(fmt.bits.bit_length(), signed=False),
                lowest=1,
                highest=fmt.bits,
                operand=Operand(name),
            )
            for name, fmt in operands.items()
        )

    def _layer_field(self, field: Metadata, shape: tuple[int, ...]) -> Codes:
        return np.full(shape, field.codes[-1], field.format.code_dtype)

    @property
    def weight_digits(self) -> int:
        """Digits of a weight of full precision."""
        return int(self._digit_count(np.int64(self.weight.bits)))

    def _digit_count(self, bits: Int64 | np.int64) -> Int64 | np.int64:
        if self.recoding is Recoding.BINARY:
            return bits
        return (bits + 1) // 2 if _signed(self.weight) else bits // 2 + 1

    @property
    def most_stages(self) -> int:
        return 2

    def _timing(self) -> Timing:
        longest = self.weight_digits
        if self.serial is Serial.BOTH:
            longest *= self.activation.bits
        fixed = self.precision is Precision.FIXED and self.digits is Digits.ALL
        return Timing(latency=longest, interval=longest, min_interval=longest if fixed else 1)

    def _dot(self, activations: Codes, weights: Codes, metadata: Mapping[str, Codes]) -> Integers:
        a, w = self._used(activations, weights, metadata)
        return super()._dot(self.activation.check_codes(a), self.weight.check_codes(w), {})

    def _cycles(self, activations: Codes, weights: Codes, metadata: Mapping[str, Codes]) -> Int64:
        if self.digits is Digits.ESSENTIAL:
            _, used = self._used(activations, weights, metadata)
            bits = self._bits("weight", metadata, weights.shape)
            counts = self._nonzero(used, bits).sum(axis=-1)
            lanes = counts.reshape(*counts.shape[:-1], -1, self.lanes)
            return np.maximum(lanes.max(axis=-1), 1)
        beats = (*weights.shape[:-1], weights.shape[-1] // self.lanes, self.lanes)
        cycles = self._digit_count(self._bits("weight", metadata, weights.shape))
        if self.serial is Serial.BOTH:
            cycles = cycles * self._bits("activation", metadata, activations.shape)
        return np.asarray(cycles).reshape(beats)[..., 0]

    def _bits(self, operand: str, metadata: Mapping[str, Codes], shape: tuple[int, ...]) -> Int64:
        """Return how many bits of every element of an operand count."""
        precision = metadata.get(f"{operand}_precision")
        if precision is None:
            fmt = self.weight if operand == "weight" else self.activation
            return np.full(shape, fmt.bits, np.int64)
        return np.repeat(precision.astype(np.int64), self.lanes, axis=-1)

    def _used(
        self, activations: Codes, weights: Codes, metadata: Mapping[str, Codes]
    ) -> tuple[Int64, Int64]:
        """Return the codes that the bits that count stand for, extended to their formats."""
        return (
            _extend(activations, self._bits("activation", metadata, activations.shape),
                    self.activation),
            _extend(weights, self._bits("weight", metadata, weights.shape), self.weight),
        )  # fmt: skip

    def _nonzero(self, codes: Int64, bits: Int64) -> Bools:
        """Return which digits of extended ``codes`` are not zero, on a new last axis."""
        position = np.arange(self.weight_digits)
        # One place below the lowest bit, for Booth's overlap; the sign above the highest.
        sign = codes >> (self.weight.bits - 1) if _signed(self.weight) else 0 * codes
        wide = ((codes | (-sign << self.weight.bits)) << 1)[..., np.newaxis]
        if self.recoding is Recoding.BINARY:
            return ((wide >> (position + 1)) & 1 == 1) & (position < bits[..., np.newaxis])
        window = (wide >> (2 * position)) & 7
        return (window != 0) & (window != 7)

    def _ignore(self, masks: dict[str, NDArray[np.uint64]], metadata: Mapping[str, Codes]) -> None:
        for name, fmt in (("weight", self.weight), ("activation", self.activation)):
            precision = metadata.get(f"{name}_precision")
            if precision is not None:
                used = (np.uint64(1) << precision.astype(np.uint64)) - np.uint64(1)
                every = np.uint64((1 << fmt.bits) - 1)
                masks[f"{name}s"] |= (every ^ used)[..., np.newaxis]

    configurations: ClassVar[Configurations] = (
        {"lanes": 64, "weight": "int8", "activation": "int8"},
        {"lanes": 16, "weight": "int4", "activation": "int8"},
        {"lanes": 3, "weight": "uint3", "activation": "uint5"},
        {"lanes": 1, "weight": "int1", "activation": "int4"},
        {"lanes": 1, "weight": "uint1", "activation": "uint1"},
        {"lanes": 6, "weight": "int12", "activation": "int16"},
        {"lanes": 64, "weight": "int8", "activation": "int8", "precision": "beat"},
        {"lanes": 4, "weight": "uint5", "activation": "int4", "precision": "beat"},
        {"lanes": 64, "weight": "int8", "activation": "int8", "recoding": "booth"},
        {"lanes": 16, "weight": "uint6", "activation": "int8", "recoding": "booth"},
        {"lanes": 1, "weight": "uint1", "activation": "int1", "recoding": "booth"},
        {"lanes": 16, "weight": "int8", "activation": "uint4", "recoding": "booth",
         "precision": "beat"},
        {"lanes": 3, "weight": "uint7", "activation": "int3", "recoding": "booth",
         "precision": "beat"},
        {"lanes": 16, "weight": "int8", "activation": "int4", "digits": "essential"},
        {"lanes": 1, "weight": "uint1", "activation": "int4", "digits": "essential"},
        {"lanes": 4, "weight": "int6", "activation": "uint3", "digits": "essential",
         "precision": "beat"},
        {"lanes": 4, "weight": "uint6", "activation": "int4", "digits": "essential",
         "recoding": "booth", "precision": "beat"},
        {"lanes": 8, "weight": "int8", "activation": "int5", "digits": "essential",
         "recoding": "booth"},
        {"lanes": 16, "weight": "int6", "activation": "int5", "serial": "both"},
        {"lanes": 3, "weight": "uint4", "activation": "int5", "serial": "both"},
        {"lanes": 16, "weight": "int4", "activation": "int4", "serial": "both",
         "precision": "beat"},
        {"lanes": 1, "weight": "int1", "activation": "uint1", "serial": "both"},
    )  # fmt: skip
    fitting: ClassVar[Configurations] = (
        *dots(
            (2, "int6", "int6"),
            (6, "int3", "int8"),
            (12, "int8", "int6"),
            (16, "uint6", "int8"),
        ),
        *dots((6, "int6", "int8"), precision="beat"),
        *dots((8, "int8", "int8"), recoding="booth"),
        *dots((4, "int8", "int4"), digits="essential"),
        *dots((8, "int4", "int5"), serial="both"),
    )  # fmt: skip


def _signed(fmt: Format) -> bool:
    return isinstance(fmt, Integer) and fmt.signed


def _extend(codes: Codes, bits: Int64, fmt: Format) -> Int64:
    """Return the codes of the numbers that the low ``bits`` of ``codes`` stand for."""
    low = codes.astype(np.int64) & ((1 << bits) - 1)
    if _signed(fmt):
        low -= (low >> (bits - 1)) << bits
    return low & ((1 << fmt.bits) - 1)
