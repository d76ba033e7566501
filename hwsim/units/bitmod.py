"""BitMoD: weights of several types on one bit-serial datapath, with group scales.

A weight is a short sum of powers of two and is worked off in *terms*, one signed power of two per
lane and cycle: four cycles for INT8 (radix-4 Booth digits), three for INT6 and INT5, two for FP4
and FP3. The redundant code of -0 in FP4 and FP3 stands for a special value, one out of a register
file of four; a selector picks it. So one array of processing elements runs a model at any of
these precisions, and a 4-bit weight costs half the time of an 8-bit one.

The datapath, and what was decided where the paper leaves it open:

1. *Align*, once a beat. The significands of a beat are shifted right to the largest exponent seen
   so far in the group, with ``fraction_bits`` extra bits. (The paper aligns to the largest
   exponent of activation and term together, in every cycle. Aligning the activations alone does
   not depend on the weights, so a row of processing elements can share the shifters, and terms
   shift to the left only, exactly.)
2. *Multiply*. A term is (-1)^sign * mantissa * 2^exponent with an exponent of 0 to 3. The highest
   term comes first and the beat's sum is multiplied by four between terms, which replaces the
   shifter for the term's place. All weights count in half units, the smallest step of FP4. A FP4
   or FP3 weight of h half units is 4 * first + second: 3.0 is 6 = 4 + 2, and 1.5 is 3 = 4 - 1.
3. *Group accumulate*. The group's sum is a two's complement number at the group's running
   exponent; a beat that raises the exponent shifts the sum so far to the right. It is wide enough
   for every group, so that it needs no normalisation and never overflows.
4. *Dequantise*. The group's sum is multiplied by its unsigned 8-bit scale, one bit a cycle, hidden
   behind the next group. A group that is shorter than that waits for the one before.
5. *Column accumulate*. Dequantised sums are added at the running exponent of the dot product.

Numerics: shifts to the right are the only inexact step. ``rounding=truncate`` drops bits, toward
zero for a significand and toward minus infinity for a sum; ``nearest_even`` rounds. With
``fraction_bits`` at :attr:`BitmodUnit.exact_fraction_bits` (30 for fp16) no shift drops a bit and
the result is exact. Activations may be subnormal; NaN and infinity set the flag ``nan`` and count
as zero in the sum, though not in the exponents.

The formats have fp16 group scales, the unit 8 bits. The paper leaves open how one becomes the
other; here the largest scale of an output's weights becomes 255 and the others follow, rounded to
nearest even, under one factor an output that is applied outside. That moves a scale by 0.2 % of the
largest at most.

*Stages*. All elements work in step, so ranks of registers hold the steps of one schedule, and all
of them wait where the last one holds the end of a group that the element is not ready for. Two
stages add the terms of a cycle up before they add them to the beat's sum. Three multiply before,
and find the largest exponent of a beat before they align it; four do all three. The cycles of a
beat stay: a group takes as long as in one stage.

INT5 weights are sent sign-extended as INT6. Weight codes sit in the low bits of 8; the others are
ignored. Groups of different types may follow each other.

Source: Chen et al., BitMoD, HPCA 2025, arXiv 2411.11745, sections III-C, IV-A and IV-B.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import IntEnum
from fractions import Fraction
from functools import lru_cache
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from hwsim.errors import InputError
from hwsim.formats.base import Bools, Codes, Format, Int64, Kind
from hwsim.formats.bitmod import BitMod
from hwsim.formats.block import BlockFormat
from hwsim.formats.fields import CHOICES
from hwsim.formats.group import GroupScale
from hwsim.formats.integer import Integer
from hwsim.formats.minifloat import Minifloat
from hwsim.units import accumulator, layers
from hwsim.units.base import Timing, UnitSpec
from hwsim.units.configurations import Configurations
from hwsim.units.layers import GROUP, Matrix, Rows
from hwsim.units.metadata import Metadata, Operand, Scope, group_ends
from hwsim.units.result import Integers, Result
from hwsim.units.rounding import SumRounding

SCALE_BITS = 8
#: Cycles from a group's last term to its dequantised sum: group sum, then a scale bit a cycle.
DEQUANTISE = 1 + SCALE_BITS
#: Cycles of the column accumulator for every row: align, add.
COLUMN = 2
#: Holds the weight codes of all types.
CONTAINER = Integer(8)
_SCALE = Integer(SCALE_BITS, signed=False)
#: Terms have exponents 0 to 3.
MAX_TERM_EXPONENT = 3
MAX_FRACTION_BITS = 64
#: Ranks of registers before the running exponent, the sum of products, and the beat's sum.
MAX_STAGES = 4
#: Most bits that the column accumulator may have above what a scaled group needs.
MAX_HEADROOM = 64


class WeightType(IntEnum):
    """What the weight codes of a beat mean."""

    INT8 = 0
    INT6 = 1
    FP4 = 2
    FP3 = 3


#: Cycles per beat, which is terms per weight, by weight type.
TERMS = {WeightType.INT8: 4, WeightType.INT6: 3, WeightType.FP4: 2, WeightType.FP3: 2}

#: Bits of a weight code that count, by weight type.
CODE_BITS = {WeightType.INT8: 8, WeightType.INT6: 6, WeightType.FP4: 4, WeightType.FP3: 3}

#: Magnitudes by code, in half units. Code 0 with a sign is the special value.
MAGNITUDES = {WeightType.FP4: (0, 1, 2, 3, 4, 6, 8, 12), WeightType.FP3: (0, 2, 4, 8)}

#: A number of ``special_values``.
_DECIMAL = re.compile(r"[+-]?[0-9]{1,9}(\.[0-9]{0,9})?")

#: Special values by selector, for names of ``special_values`` (the paper's ER+, ER-, EA+, EA-).
SPECIAL_VALUES = {"fp4": "5,-5,8,-8", "fp3": "3,-3,6,-6"}


class Term(NamedTuple):
    """(-1)**negative * mantissa * 2**exponent."""

    negative: int
    exponent: int
    mantissa: int

    @property
    def value(self) -> int:
        """The value as an integer."""
        return (-1) ** self.negative * self.mantissa << self.exponent


#: All terms, no term first and positive before negative.
_TERMS = [Term(0, 0, 0)] + [
    Term(negative, exponent, 1) for negative in (0, 1) for exponent in range(MAX_TERM_EXPONENT + 1)
]


def term_pair(half_units: int) -> tuple[Term, Term]:
    """Return the terms (first, second) with 4 * first + second = ``half_units``.

    Raises
    ------
    InputError
        If there are none.
    """
    for first in _TERMS:
        for second in _TERMS:
            if 4 * first.value + second.value == half_units:
                return first, second
    raise InputError(
        f"{Fraction(half_units, 2)} is no special value: 4 * first + second half units, each "
        "0 or a signed power of two up to 8, cannot make it"
    )


#: (-1)**negative * mantissa * 2**exponent in a programming beat, the sign lowest.
TERM_BITS = 4


def term_bits(term: Term) -> int:
    """Return ``term`` as a programming beat and the registers hold it."""
    return term.negative | term.exponent << 1 | term.mantissa << 3


def pair_bits(half_units: int) -> int:
    """Return a value's two terms as 8 bits, the first term highest."""
    first, second = term_pair(half_units)
    return term_bits(first) << TERM_BITS | term_bits(second)


#: Sets of special values that tests load, all different.
_PROGRAMS = 8


def _half_units() -> set[int]:
    """Return all special values that two terms can make, in half units."""
    return {4 * first.value + second.value for first in _TERMS for second in _TERMS}


@dataclass(frozen=True, kw_only=True)
class BitmodUnit(UnitSpec):
    """Dot product of floating-point activations with INT8, INT6, FP4 or FP3 weights in groups.

    Parameters
    ----------
    lanes
        Products per beat, 1 to 64.
    weight
        A block format of weights in groups: ``bitmod4_g128``, ``bitmod3_g128``, ``e2m1_g128``, or
        signed integers of up to 8 bits, such as ``int6_g128``; or the container of a weight code,
        int8, whose type only the metadata say.
    activation
        A minifloat of at most 5 exponent bits; fp16 in the paper.
    group_size
        Weights per group scale: a multiple of ``lanes`` with at least 6 beats.
    fraction_bits
        Extra bits that significands keep when they are aligned, 0 to 64.
    rounding
        ``truncate`` or ``nearest_even``, for every shift to the right.
    special_values
        The register file after reset: ``fp4`` (+-5, +-8), ``fp3`` (+-3, +-6), or four numbers such
        as ``5,-5,7,-7``, by selector.
    accumulator_bits
        Width of the two's complement column accumulator, from what a scaled group needs to 64
        more. It wraps; :attr:`safe_beats` says from when. The default is 8 more.

    Metadata
    --------
    weight_type
        A :class:`WeightType`, in every beat.
    selector
        Which special value the code of -0 stands for, in every beat.
    program
        0. (A beat with 1 is not a part of a dot product: it loads special value ``selector`` with
        the terms in the weight of lane 0, and takes one cycle.)
    scale
        The group's scale, unsigned, in the group's last beat.
    """

    family: ClassVar[str] = "bitmod"
    generator: ClassVar[str] = "rtl.bitmod:Bitmod"
    writes_stages: ClassVar[bool] = True
    loaded: ClassVar[tuple[str, ...]] = ("special_values",)

    weight: Format = CONTAINER
    group_size: int = 128
    fraction_bits: int = 3
    rounding: SumRounding = field(
        default=SumRounding.TRUNCATE,
        metadata={CHOICES: (SumRounding.TRUNCATE, SumRounding.NEAREST_EVEN)},
    )
    special_values: str = "fp4"
    accumulator_bits: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        self._check_sides()
        if self.weight != CONTAINER:
            raise InputError(f"weight={self.weight.name}: bitmod holds all weights in int8")
        if self.lanes > 64:
            raise InputError(f"lanes must be 1 to 64, not {self.lanes}")
        if self.operand.exponent > 5:
            raise InputError(
                f"activation={self.activation.name}: bitmod takes at most 5 exponent bits, "
                "as fp16, e5m2 and e4m3 have"
            )
        if self.group_size % self.lanes or self.group_beats < self.steady_beats:
            raise InputError(
                f"group_size must be a multiple of lanes={self.lanes} from "
                f"{self.lanes * self.steady_beats}, not {self.group_size}"
            )
        if not 0 <= self.fraction_bits <= MAX_FRACTION_BITS:
            raise InputError(
                f"fraction_bits must be 0 to {MAX_FRACTION_BITS}, not {self.fraction_bits}"
            )
        if self.accumulator_bits is None:
            object.__setattr__(self, "accumulator_bits", self._default("accumulator_bits"))
        assert self.accumulator_bits is not None
        if not 0 <= self.accumulator_bits - self.scaled_group_bits <= MAX_HEADROOM:
            raise InputError(
                f"accumulator_bits must be {self.scaled_group_bits} to "
                f"{self.scaled_group_bits + MAX_HEADROOM}, not {self.accumulator_bits}"
            )
        self.special_terms()
        object.__setattr__(self, "special_values", self._canonical_values())

    def _check_sides(self) -> None:
        """Raise InputError if rows or columns are too few or too many."""

    def _default(self, key: str) -> Any:
        if key == "accumulator_bits":
            return self.scaled_group_bits + accumulator.HEADROOM
        return super()._default(key)

    @property
    def operand(self) -> Minifloat:
        """The activation format as a minifloat."""
        if not isinstance(self.activation, Minifloat):
            raise InputError(f"activation={self.activation.name}: bitmod takes minifloats")
        return self.activation

    @property
    def group_beats(self) -> int:
        return self.group_size // self.lanes

    @property
    def rows(self) -> int:
        """Rows of processing elements, which share the weights."""
        return 1

    @property
    def columns(self) -> int:
        """Columns of processing elements, which share the activations."""
        return 1

    @property
    def activation_lanes(self) -> int:
        return self.rows * self.lanes

    @property
    def weight_lanes(self) -> int:
        return self.columns * self.lanes

    @property
    def group_interval(self) -> int:
        """Cycles from the last term of a group to that of the next, at least."""
        return DEQUANTISE + COLUMN * self.rows

    def column_field(self, name: str, column: int) -> str:
        """Return the name of a column's metadata field ``name``."""
        return name if self.columns == 1 else f"{name}_{column}"

    @property
    def metadata(self) -> tuple[Metadata, ...]:
        return (
            Metadata("weight_type", Integer(2, signed=False)),
            Metadata("program", Integer(1, signed=False), highest=0),
            *(
                Metadata(
                    self.column_field("selector", column),
                    Integer(2, signed=False),
                    operand=Operand.WEIGHT,
                )
                for column in range(self.columns)
            ),
            *(
                Metadata(
                    self.column_field("scale", column),
                    Integer(SCALE_BITS, signed=False),
                    Scope.GROUP,
                    operand=Operand.WEIGHT,
                )
                for column in range(self.columns)
            ),
        )

    def _holding(self, operand: str, fmt: Format | BlockFormat) -> dict[str, Any]:
        if operand != "weight":
            return super()._holding(operand, fmt)
        held = {"weight": CONTAINER, "group_size": getattr(fmt, "size", None)}
        if isinstance(fmt, BitMod):
            return held | {"special_values": f"fp{fmt.bits}"}
        if isinstance(fmt, GroupScale) and _weight_type(fmt.element) is not None:
            return held
        raise InputError(
            f"weight={fmt.name}: bitmod takes groups of bitmod3, bitmod4, e2m1 and of signed "
            "integers of up to 8 bits, such as bitmod4_g128 or int6_g128"
        )

    def weight_quantiser(self, group: int = GROUP) -> BlockFormat:
        if isinstance(self.weight_tensor, BlockFormat):
            return self.weight_tensor
        return GroupScale(CONTAINER, self.group_size)

    def bits_per_element(self, operand: str, group: int | None = None) -> float | None:
        if operand != "weight":
            return super().bits_per_element(operand, group)
        if self.weight_tensor is None:
            return None
        fmt = self.weight_quantiser()
        # The unit's scale is shorter than the format's.
        return fmt.bits_per_element - (fmt.scale.bits - SCALE_BITS) / fmt.size

    def _dot_length(self, activations: Matrix, weights: Matrix) -> int:
        return layers.whole_row(self.family, activations, weights)

    def _weight_rows(self, matrix: Matrix, length: int) -> Rows:
        element = matrix.format.element
        kind = _weight_type(element)
        assert kind is not None
        codes = matrix.codes.reshape(len(matrix.codes), -1)
        if isinstance(element, Integer):
            codes = CONTAINER.encode(element.decode(codes))
        elif not isinstance(matrix.format, BitMod):
            # No special value stands in for -0.
            codes = np.where(codes == element.encode(-0.0), 0, codes)
        scales, factor = layers.short_scales(_SCALE, matrix.scales)
        beats = length // self.lanes
        selectors = matrix.tensor.metadata.get("selectors", np.zeros_like(scales))
        return Rows(
            layers.split(codes.astype(CONTAINER.code_dtype), length, self.lanes, 0),
            (factor * matrix.factor)[:, np.newaxis],
            {
                "weight_type": np.full((len(codes), 1, beats), kind, np.uint8),
                "selector": np.repeat(selectors, self.group_beats, axis=-1)[:, np.newaxis],
                "scale": scales[:, np.newaxis],
            },
        )

    def _layer_field(self, field: Metadata, shape: tuple[int, ...]) -> Codes:
        # No beat of a layer loads a special value.
        return np.zeros(shape, field.format.code_dtype)

    def _canonical_values(self) -> str:
        """Return the special values as the name or the shortest text that stands for them."""
        halves = self.special_half_units()
        text = ",".join(f"{half / 2:g}" for half in halves)
        names = {values: name for name, values in SPECIAL_VALUES.items()}
        return names.get(text, text)

    def special_half_units(self) -> tuple[int, ...]:
        """Return the four special values in half units."""
        words = SPECIAL_VALUES.get(self.special_values, self.special_values).split(",")
        known = all(_DECIMAL.fullmatch(word.strip(" ")) for word in words)
        halves = [Fraction(word) * 2 for word in words] if known else []
        if len(halves) != 4 or any(half.denominator != 1 for half in halves):
            raise InputError(
                f"special_values must be {', '.join(SPECIAL_VALUES)} or four multiples of 0.5, "
                f"not {self.special_values!r}"
            )
        return tuple(int(half) for half in halves)

    def special_terms(self) -> tuple[tuple[Term, Term], ...]:
        """Return the terms of the four special values.

        Raises
        ------
        InputError
            For a value that two terms cannot make.
        """
        return tuple(term_pair(half) for half in self.special_half_units())

    @property
    def exponent_range(self) -> int:
        """The largest shift between two activations; exponents are counted from the subnormals."""
        return (1 << self.operand.exponent) - 2

    @property
    def is_exact(self) -> bool:
        return self.fraction_bits >= self.exact_fraction_bits

    @property
    def exact_fraction_bits(self) -> int:
        """The ``fraction_bits`` from which on no shift drops a bit."""
        return self.exponent_range

    @property
    def significand_bits(self) -> int:
        """Width of an aligned significand."""
        return self.operand.mantissa + 1 + self.fraction_bits

    @property
    def beat_sum_bits(self) -> int:
        """Width of the sum of one beat: half units up to 256 in magnitude, and a sign."""
        return self.significand_bits + 8 + (self.lanes - 1).bit_length() + 1

    @property
    def group_sum_bits(self) -> int:
        """Width of the sum of a group."""
        return self.beat_sum_bits + (self.group_beats - 1).bit_length()

    @property
    def scaled_group_bits(self) -> int:
        """Width of the sum of a group times its scale."""
        return self.group_sum_bits + SCALE_BITS

    @property
    def result(self) -> Result:
        assert self.accumulator_bits is not None
        flags = ("nan",) if self.operand.has_nan or self.operand.has_infinity else ()
        return Result(
            width=self.accumulator_bits,
            exponent=self.operand.subnormal_exponent - self.fraction_bits - 1,
            flags=flags,
            exponent_bits=self.operand.exponent,
            shape=(self.rows, self.columns) if self.rows * self.columns > 1 else (),
        )

    @property
    def safe_beats(self) -> int:
        return self.group_beats << (self.result.width - self.scaled_group_bits)

    @property
    def most_stages(self) -> int:
        return MAX_STAGES

    def _timing(self) -> Timing:
        slowest, fastest = max(TERMS.values()), min(TERMS.values())
        return Timing(
            latency=slowest + self.group_interval + 1,
            interval=slowest,
            min_interval=fastest,
            stores_beats=True,
        )

    @property
    def steady_beats(self) -> int:
        return self.group_interval // min(TERMS.values()) + 1

    @property
    def macs_per_beat(self) -> int:
        return self.rows * self.columns * self.lanes

    def _work(self, activations: Codes, weights: Codes, metadata: Mapping[str, Codes]) -> Int64:
        return np.array([TERMS[kind] for kind in WeightType])[metadata["weight_type"]]

    def _cycles(self, activations: Codes, weights: Codes, metadata: Mapping[str, Codes]) -> Int64:
        terms = self._work(activations, weights, metadata)
        beats = terms.shape[-1]
        start = 0
        for end in group_ends(beats, self.group_beats):
            if start:
                group = terms[..., start : end + 1].sum(axis=-1)
                terms[..., end] += np.maximum(self.group_interval - group, 0)
            start = int(end) + 1
        return terms

    def half_units(self, codes: Codes, weight_type: Codes, selector: Codes) -> Int64:
        """Return the values of weight codes in half units, exactly.

        Parameters
        ----------
        codes
            Weight codes, shape (..., beats, lanes).
        weight_type, selector
            Codes of the metadata, shape (..., beats).
        """
        table = _decode_table(self.special_half_units())
        return table[weight_type[..., np.newaxis], selector[..., np.newaxis], codes]

    def _dot(self, activations: Codes, weights: Codes, metadata: Mapping[str, Codes]) -> Integers:
        outer = activations.shape[:-1]
        rows = activations.reshape(*outer, -1, self.rows, self.lanes)
        columns = weights.reshape(*outer, -1, self.columns, self.lanes)
        # One dot product a row and column: sums, NaN flags and exponents.
        grid = [
            [
                self._element_dot(
                    rows[..., row, :],
                    columns[..., column, :],
                    metadata["weight_type"],
                    metadata[self.column_field("selector", column)],
                    metadata[self.column_field("scale", column)],
                )
                for column in range(self.columns)
            ]
            for row in range(self.rows)
        ]
        sums, nan, exponents = (
            np.stack([np.stack([cell[k] for cell in line], axis=-1) for line in grid], axis=-2)
            for k in range(3)
        )
        if not self.result.shape:
            sums, nan, exponents = sums[..., 0, 0], nan[..., 0, 0], exponents[..., 0, 0]
        return self.result.pack(sums, {"nan": nan}, exponents)

    def _element_dot(
        self,
        activations: Codes,
        weights: Codes,
        weight_type: Codes,
        selector: Codes,
        scale: Codes,
    ) -> tuple[Integers, Bools, Int64]:
        """Return sum, NaN flag and exponent of one processing element's dot products.

        ``activations`` and ``weights`` have the shape (..., beats, lanes).
        """
        kind, sign, significand, exponent = self.operand.unpack(activations)
        shift = exponent - self.operand.subnormal_exponent
        wide = self.result.width > 62
        magnitude = significand.astype(object if wide else np.int64) << self.fraction_bits
        weight = self.half_units(weights, weight_type, selector)
        weight = np.where(sign, -weight, weight)

        beats = magnitude.shape[-2]
        column = np.zeros(magnitude.shape[:-2], magnitude.dtype)
        column_exponent = np.zeros(column.shape, np.int64)
        start = 0
        for group, end in enumerate(group_ends(beats, self.group_beats)):
            total, running = np.zeros_like(column), np.zeros_like(column_exponent)
            for beat in range(start, end + 1):
                raised = np.maximum(running, shift[..., beat, :].max(axis=-1))
                total = self._shift_right(total, raised - running)
                running = raised
                down = running[..., np.newaxis] - shift[..., beat, :]
                aligned = self._shift_right(magnitude[..., beat, :], down)
                total = total + (aligned * weight[..., beat, :]).sum(axis=-1)
            total = total * scale[..., group].astype(magnitude.dtype)
            raised = np.maximum(column_exponent, running)
            column = self._shift_right(column, raised - column_exponent)
            column = column + self._shift_right(total, raised - running)
            column_exponent = raised
            start = int(end) + 1
        nan = (kind == Kind.NAN) | (kind == Kind.INFINITY)
        return column, nan.any(axis=(-2, -1)), column_exponent

    def _shift_right(self, values: Integers, amount: Int64) -> Integers:
        """Divide by 2**amount, rounded as ``rounding`` says."""
        kept = values >> amount
        if self.rounding == SumRounding.TRUNCATE:
            return kept
        one = values.dtype.type(1) if values.dtype != object else 1
        rest = values - (kept << amount)
        half = (one << amount) >> 1
        up = (rest > half) | ((rest == half) & (kept & 1 == 1))
        return kept + (up & (amount > 0)).astype(values.dtype)

    def _ignore(self, masks: dict[str, NDArray[np.uint64]], metadata: Mapping[str, Codes]) -> None:
        kinds = metadata["weight_type"]
        unused = np.array([0xFF ^ ((1 << CODE_BITS[kind]) - 1) for kind in WeightType], np.uint64)
        masks["weights"] |= unused[kinds][..., np.newaxis]
        integer = (kinds == WeightType.INT8) | (kinds == WeightType.INT6)
        for column in range(self.columns):
            masks[self.column_field("selector", column)][integer] = 3

    def special_codes(self, operand: str) -> tuple[int, ...]:
        if operand != "weight":
            return ()
        # The code of -0 and both ends of every type.
        halves = [1 << (bits - 1) for bits in CODE_BITS.values()]
        return tuple(sorted({code for half in halves for code in (half - 1, half, 2 * half - 1)}))

    def programs(self, rng: np.random.Generator) -> list[tuple[list[int], UnitSpec]]:
        low, place = 0, {}
        for name, width in self.beat_fields.items():
            place[name] = low
            low += width
        found: list[tuple[list[int], UnitSpec]] = []
        for halves in rng.permutation(sorted(_half_units()))[: 4 * _PROGRAMS].reshape(-1, 4):
            words = [
                pair_bits(int(half)) << place["weights"]
                | 1 << place["program"]
                | selector << place[self.column_field("selector", 0)]
                for selector, half in enumerate(halves)
            ]
            values = ",".join(f"{half / 2:g}" for half in halves)
            # Values that are loaded are not those of a format of tensors.
            own = replace(self, special_values=values, weight_tensor=None)
            found.append((words, own))
        return found

    configurations: ClassVar[Configurations] = (
        {"lanes": 4, "activation": "fp16"},
        {"lanes": 4, "activation": "fp16", "fraction_bits": 30, "special_values": "fp3"},
        {"lanes": 4, "activation": "fp16", "rounding": "nearest_even"},
        {"lanes": 8, "activation": "e2m1", "group_size": 48, "special_values": "7,-7,0,3.5"},
        {"lanes": 1, "activation": "fp16", "group_size": 6, "fraction_bits": 0,
         "accumulator_bits": 31},
    )  # fmt: skip
    fitting: ClassVar[Configurations] = (
        {"lanes": 1, "activation": "e4m3", "group_size": 6, "fraction_bits": 0,
         "accumulator_bits": 24},
        {"lanes": 1, "activation": "e2m1", "group_size": 8},
        {"lanes": 2, "activation": "e2m1", "group_size": 16, "accumulator_bits": 26},
    )  # fmt: skip


def _weight_type(element: Format) -> WeightType | None:
    """Return how weights of a format are sent, None if they cannot be."""
    if isinstance(element, Integer) and element.signed and element.bits <= CONTAINER.bits:
        return WeightType.INT6 if element.bits <= 6 else WeightType.INT8
    floats: dict[Format, WeightType] = {
        BitMod(4).element: WeightType.FP4,
        BitMod(3).element: WeightType.FP3,
    }
    return floats.get(element)


@lru_cache(maxsize=64)
def _decode_table(special: tuple[int, ...]) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Return the half units of every weight, shape (types, selectors, 256)."""
    codes = np.arange(256)
    table = np.zeros((len(WeightType), 4, 256), np.int64)
    for kind, width in ((WeightType.INT8, 8), (WeightType.INT6, 6)):
        low = codes & ((1 << width) - 1)
        table[kind] = 2 * (low - ((low >> (width - 1)) << width))
    for kind, magnitudes in MAGNITUDES.items():
        count = len(magnitudes)
        value = np.array(magnitudes)[codes & (count - 1)]
        negative = codes & count != 0
        for selector, half in enumerate(special):
            signed = np.where(negative, -value, value)
            table[kind, selector] = np.where(negative & (value == 0), half, signed)
    table.setflags(write=False)
    return table
