"""Dot product of codebook weights: a table of values, then a multiplier.

A weight of up to 4 bits selects one of up to 16 entries, which can be anything, and a multiplier
takes the entry. So a lane costs the table and a multiplier as wide as the entries, whatever the
width of the weights; what the codebook saves is memory. The table comes in two kinds:

* ``table="constant"``: the values of the weight's format (NF4, NF3, a learnt codebook), rounded to
  the format ``entry``: some gates a lane.
* ``table="loaded"`` (any4, any3: a codebook for every row of a weight matrix): registers, shared
  by the lanes, and a multiplexer of all entries in every lane. The first beat of a dot product
  brings the entries and takes one cycle more to store them.

With integer activations the entries are integers or fixed point, products and sums are exact, and
the sum wraps. With minifloat activations the entries are minifloats or integers, and every product
is added to the floating-point accumulator with one rounding, as in ``fma``.

Constant integers and fixed point are rounded from the values times 2**``entry_scale``, the largest
power of two for which all of them are in range, so that a few bits are used well. The result of
integer activations counts in units that take account of that. A floating-point result is that much
too large, and the group scale that follows absorbs it. Minifloat entries are not scaled.

Of a layer, a loaded table is learnt from each output's weights, once their groups are scaled to the
range of the entries (:func:`learnt_codebook`). What that loses counts as the unit's error, as the
entries' format loses next to nothing. The bits of a weight leave out the tables, 2**bits entries an
output, which depend on the shape of a matrix.

A group's scale and zero point (any4) are applied outside, to the sum.

Sources: QLoRA (arXiv:2305.14314), appendix E, for NF4; any4 (arXiv:2507.04610) for one
table a row; entries in fixed point are ours.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, ClassVar

import numpy as np

from hwsim.errors import InputError
from hwsim.formats.base import Codes, Float64, Format, Int64
from hwsim.formats.block import BlockFormat
from hwsim.formats.fixed import FixedPoint
from hwsim.formats.integer import Integer
from hwsim.formats.minifloat import Minifloat
from hwsim.units import layers
from hwsim.units.base import Timing, UnitSpec
from hwsim.units.configurations import Configurations, dots
from hwsim.units.exact_sum import require_signed_minifloat
from hwsim.units.fma import FmaUnit
from hwsim.units.integer import IntegerUnit
from hwsim.units.layers import GROUP, Matrix, Rows
from hwsim.units.metadata import Metadata, Operand, Scope
from hwsim.units.naming import plain
from hwsim.units.result import Integers, Result, RoundedResult

MAX_WEIGHT_BITS = 4
#: Widths of an integer or fixed-point entry.
ENTRY_BITS = range(2, 25)
DEFAULT_ENTRY = Integer(8)
_LLOYD_ROUNDS = 20


class Table(StrEnum):
    """Where the entries come from."""

    CONSTANT = "constant"
    LOADED = "loaded"


@dataclass(frozen=True, kw_only=True)
class CodebookUnit(UnitSpec):
    """Dot product of weights that are codes of a table.

    Parameters
    ----------
    lanes
        See :class:`~hwsim.units.base.UnitSpec`.
    weight
        With a constant table, a format of 1 to 4 bits without NaN and infinity; with a loaded one,
        ``uint1`` to ``uint4``, the position of the entry.
    activation
        An integer or a minifloat.
    table
        ``constant``, or ``loaded``: the metadata ``entry_0``, ``entry_1`` .. are the entries.
    entry
        Format of the entries: with integer activations an integer or fixed point of 2 to 24 bits,
        by default ``int8``; with minifloat activations a minifloat or an integer, by default the
        format of the activations.
    accumulator
        With minifloat activations, see :class:`~hwsim.units.fma.FmaUnit`; else none.
    accumulator_bits
        With integer activations, see :class:`~hwsim.units.integer.IntegerUnit`; else none.
    """

    family: ClassVar[str] = "codebook"
    generator: ClassVar[str] = "rtl.codebook:Codebook"

    table: Table = Table.CONSTANT
    entry: Format | None = None
    accumulator: Format | None = None
    accumulator_bits: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        self._check_activation()
        self._check_weight()
        if self.entry is None:
            object.__setattr__(self, "entry", self._default("entry"))
        if self.table is Table.CONSTANT:
            self._check_range()
        key = self._accumulator_parameter
        object.__setattr__(self, key, getattr(self.multiplier, key))

    @property
    def _accumulator_parameter(self) -> str:
        """The parameter that sizes the accumulator; the other is None."""
        return "accumulator" if isinstance(self.activation, Minifloat) else "accumulator_bits"

    def _check_activation(self) -> None:
        if isinstance(self.activation, Minifloat):
            require_signed_minifloat("activation", self.activation, self.family)
        elif not isinstance(self.activation, Integer):
            raise InputError(
                f"activation={self.activation.name}: codebook takes integers and minifloats"
            )
        used = self._accumulator_parameter
        for key in ("accumulator", "accumulator_bits"):
            value = plain(getattr(self, key))
            if key != used and value is not None:
                raise InputError(
                    f"{key}={value}: codebook with {self.activation.name} activations takes {used}"
                )

    def _check_weight(self) -> None:
        fmt = self.weight
        if self.table is Table.LOADED:
            if not isinstance(fmt, Integer) or fmt.signed or fmt.bits > MAX_WEIGHT_BITS:
                raise InputError(
                    f"weight={fmt.name}: with table='loaded' a weight is the position of an entry, "
                    f"uint1 to uint{MAX_WEIGHT_BITS}"
                )
        elif fmt.bits > MAX_WEIGHT_BITS or fmt.has_nan or fmt.has_infinity:
            raise InputError(
                f"weight={fmt.name}: codebook takes formats of up to {MAX_WEIGHT_BITS} bits "
                "without NaN and infinity, such as nf4"
            )

    def _check_range(self) -> None:
        """Refuse an entry format that does not hold the values of a constant table."""
        fmt, values = self.entries, self.values
        negative_too = fmt.min < 0 or values.min() >= 0
        scaled = not isinstance(fmt, Minifloat)
        if not negative_too or not (scaled or np.abs(values).max() <= fmt.max):
            raise InputError(
                f"entry={fmt.name} holds {fmt.min} to {fmt.max}, and the values of "
                f"{self.weight.name} are {values.min()} to {values.max()}"
            )

    @property
    def entries(self) -> Integer | FixedPoint | Minifloat:
        """The format of the entries.

        Raises
        ------
        InputError
            If it does not go with the activations.
        """
        fmt = self.entry
        assert fmt is not None
        floating = isinstance(self.activation, Minifloat)
        if isinstance(fmt, Minifloat) and floating:
            return require_signed_minifloat("entry", fmt, self.family)
        if isinstance(fmt, Integer) or (isinstance(fmt, FixedPoint) and not floating):
            if fmt.bits not in ENTRY_BITS:
                raise InputError(
                    f"entry={fmt.name} must have {ENTRY_BITS[0]} to {ENTRY_BITS[-1]} bits"
                )
            return fmt
        raise InputError(
            f"entry={fmt.name}: with {self.activation.name} activations codebook takes integers "
            f"and {'minifloats' if floating else 'fixed point'}"
        )

    @property
    def multiplier(self) -> FmaUnit | IntegerUnit:
        """The unit behind the table, whose weights are the entries."""
        fmt = self.entries
        weight = fmt.units if isinstance(fmt, FixedPoint) else fmt
        if isinstance(self.activation, Minifloat):
            given: dict[str, Any] = {"accumulator": self.accumulator} if self.accumulator else {}
            return FmaUnit(lanes=self.lanes, weight=weight, activation=self.activation, **given)
        return IntegerUnit(
            lanes=self.lanes,
            weight=weight,
            activation=self.activation,
            accumulator_bits=self.accumulator_bits,
        )

    def _default(self, key: str) -> Any:
        match key:
            case "entry":
                return DEFAULT_ENTRY if isinstance(self.activation, Integer) else self.activation
            case self._accumulator_parameter:
                return self.multiplier._default(key)
        return super()._default(key)

    @property
    def values(self) -> Float64:
        """The values of the weight's format, by code."""
        return self.weight.decode(np.arange(1 << self.weight.bits))

    @property
    def entry_scale(self) -> int:
        """A constant table has its values times 2**entry_scale."""
        fmt = self.entries
        if self.table is Table.LOADED or isinstance(fmt, Minifloat):
            return 0
        fraction = fmt.fraction if isinstance(fmt, FixedPoint) else 0
        units = fmt.units if isinstance(fmt, FixedPoint) else fmt
        scale = int(np.frexp((units.high + 1) / np.abs(self.values).max())[1])
        while not _holds(units, np.ldexp(self.values, scale)):
            scale -= 1
        return scale - fraction

    def constants(self) -> Codes:
        """Return the codes of the entries of a constant table, by weight code."""
        return self.entries.encode(np.ldexp(self.values, self.entry_scale))

    def weight_quantiser(self, group: int = GROUP) -> BlockFormat:
        if self.table is Table.CONSTANT:
            return super().weight_quantiser(group)
        # Groups are scaled to the entries' range before a row's table is learnt.
        return layers.per_group(self.entries, group)

    def bits_per_element(self, operand: str, group: int | None = None) -> float | None:
        bits = super().bits_per_element(operand, group)
        if operand == "weight" and self.table is Table.LOADED and group is not None:
            # Positions are stored, not entries.
            return (bits or 0) + self.weight.bits - self.entries.bits
        return bits

    def _weight_rows(self, matrix: Matrix, length: int) -> Rows:
        if self.table is Table.CONSTANT:
            return super()._weight_rows(matrix, length)
        fmt = self.entries
        levels, codes = learnt_codebook(fmt.decode(matrix.rows()), 1 << self.weight.bits)
        # Entries are rounded, and every weight takes the nearest: itself, mostly.
        entries = fmt.encode(levels)
        indices = layers.split(codes.astype(self.weight.code_dtype), length, self.lanes, 0)
        dots = indices.shape[1]
        return Rows(
            indices,
            layers.part_scales(matrix, length),
            {
                f"entry_{k}": np.repeat(entries[:, k : k + 1], dots, axis=1)
                for k in range(entries.shape[1])
            },
        )

    @property
    def metadata(self) -> tuple[Metadata, ...]:
        if self.table is Table.CONSTANT:
            return ()
        count = 1 << self.weight.bits
        return tuple(
            Metadata(f"entry_{k}", self.entries, Scope.DOT, operand=Operand.WEIGHT)
            for k in range(count)
        )

    @property
    def result(self) -> Result | RoundedResult[Minifloat]:
        result, fmt = self.multiplier.result, self.entries
        if isinstance(result, RoundedResult):
            return result
        fraction = fmt.fraction if isinstance(fmt, FixedPoint) else 0
        return Result(result.width, -fraction - self.entry_scale)

    @property
    def is_exact(self) -> bool:
        if self.table is Table.LOADED:
            return self.multiplier.is_exact
        kept = np.ldexp(self.entries.decode(self.constants()), -self.entry_scale)
        return self.multiplier.is_exact and bool((kept == self.values).all())

    @property
    def safe_beats(self) -> int:
        return self.multiplier.safe_beats

    @property
    def most_stages(self) -> int:
        return self.MAX_STAGES if self.table is Table.CONSTANT else 2

    def _timing(self) -> Timing:
        if self.table is Table.CONSTANT:
            return Timing(latency=1, interval=1)
        # The first beat takes a cycle to store the entries.
        return Timing(latency=2, interval=2, min_interval=1)

    def _cycles(self, activations: Codes, weights: Codes, metadata: Mapping[str, Codes]) -> Int64:
        cycles = np.ones((*weights.shape[:-1], weights.shape[-1] // self.lanes), np.int64)
        if self.table is Table.LOADED:
            cycles[..., 0] = 2
        return cycles

    def _dot(self, activations: Codes, weights: Codes, metadata: Mapping[str, Codes]) -> Integers:
        if self.table is Table.CONSTANT:
            return self.multiplier.dot(activations, self.constants()[weights])
        table = np.stack([metadata[field.name] for field in self.metadata], axis=-1)
        chosen = np.take_along_axis(table, weights.astype(np.int64), axis=-1)
        return self.multiplier.dot(activations, chosen)

    configurations: ClassVar[Configurations] = (
        {"lanes": 16, "weight": "nf4", "activation": "int8"},
        {"lanes": 3, "weight": "nf3", "activation": "uint5", "entry": "q1.9"},
        {"lanes": 1, "weight": "codebook(-1.0,1.0)", "activation": "int1", "entry": "int2"},
        {"lanes": 1, "weight": "nf4", "activation": "fp16"},
        {"lanes": 2, "weight": "nf4", "activation": "e4m3", "accumulator": "fp16"},
        {"lanes": 1, "weight": "nf4", "activation": "e5m2", "entry": "int6",
         "accumulator": "fp16"},
        {"lanes": 4, "weight": "uint4", "activation": "int8", "table": "loaded"},
        {"lanes": 2, "weight": "uint1", "activation": "int4", "table": "loaded", "entry": "q2.4"},
        {"lanes": 1, "weight": "uint3", "activation": "fp16", "table": "loaded", "entry": "bf16"},
    )  # fmt: skip
    fitting: ClassVar[Configurations] = (
        *dots((2, "nf4", "int8"), (4, "nf3", "int6"), (1, "nf4", "int12")),
        *dots((1, "nf4", "e5m2"), entry="int6", accumulator="fp16"),
        *dots((1, "uint3", "int6"), (2, "uint2", "int8"), table="loaded"),
    )  # fmt: skip


def learnt_codebook(values: Float64, count: int) -> tuple[Float64, Codes]:
    """Return the levels that quantise each row with the least squared error, as far as found.

    Lloyd's iteration from evenly spaced quantiles, 20 rounds; a level that no value is nearest to
    stays where it is.

    Parameters
    ----------
    values
        Shape (rows, length).
    count
        Levels of a row.

    Returns
    -------
    tuple of numpy.ndarray
        Levels in ascending order, (rows, count), and the index of each value's, (rows, length).
    """
    shares = (np.arange(count) + 0.5) / count
    levels = np.quantile(values, shares, axis=1).T
    rows = np.arange(len(values))[:, np.newaxis]
    for _ in range(_LLOYD_ROUNDS):
        codes = _nearest(values, levels)
        sums, sizes = np.zeros(levels.shape), np.zeros(levels.shape)
        np.add.at(sums, (rows, codes), values)
        np.add.at(sizes, (rows, codes), 1.0)
        levels = np.where(sizes > 0, sums / np.maximum(sizes, 1), levels)
    return levels, _nearest(values, levels).astype(np.uint8)


def _nearest(values: Float64, levels: Float64) -> Int64:
    """Return the index of the nearest level of each row's values, levels ascending."""
    middles = (levels[:, 1:] + levels[:, :-1]) / 2
    return (values[:, :, np.newaxis] > middles[:, np.newaxis]).sum(axis=-1)


def _holds(fmt: Integer, values: Float64) -> bool:
    """Whether rounding ``values`` to ``fmt`` does not saturate."""
    rounded = np.rint(values)
    return bool((rounded >= fmt.low).all() and (rounded <= fmt.high).all())
