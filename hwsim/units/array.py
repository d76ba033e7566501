"""An array of units, rows x columns: many dot products that share operands.

In an output-stationary array, elements of a row get the same activations, elements of a column the
same weights, and each element adds up one output. Where a tile of :mod:`hwsim.units.tile` shares
decoders and tables, an array takes any unit as it is, and wires:

- ``links=broadcast``: a row's activations and a column's weights reach all elements at once.
- ``links=systolic``: activations are handed on from column to column and weights from row to row,
  a register each, so that no wire is longer than an element. Row r gets its activations r beats
  late, column c its weights c beats, from registers at the edges: the element in row r and column c
  works r + c beats behind the first, the last one ``rows + columns - 2``, the *skew*.

The array works in steps of one beat. All elements start a beat together and go on together, with
the slowest where their cycles depend on operands: operands are handed on in step. A step without a
beat hands on a bubble, so that results come out with no further beat behind them.

A result code holds the results of all elements, as that of a tile does. In a systolic array they
wait for the last element's in a register each, while elements are on the next dot products; a
narrower memory takes them one row after the other meanwhile. As there is one register, dot products
end at least as many steps apart as the skew: the last beat of a shorter one waits at the edge.

Metadata travel with their operands: those of weights are one a column, those of activations one a
row, the others common to all elements of a step.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, make_dataclass, replace
from enum import StrEnum
from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from hwsim.errors import InputError, check_known
from hwsim.formats.base import Codes, Float64, Format, Int64
from hwsim.formats.block import BlockFormat
from hwsim.formats.fields import convert
from hwsim.registration import resolve
from hwsim.units.base import StoredWeights, Timing, UnitSpec
from hwsim.units.configurations import Configurations
from hwsim.units.layers import GROUP, Matrix, Rows
from hwsim.units.metadata import Metadata, Operand, group_ends
from hwsim.units.quire import QuireResult
from hwsim.units.registry import FAMILIES
from hwsim.units.result import MAX_WIDTH, Integers, Result, RoundedResult, join, split

MAX_SIDE = 256


class Links(StrEnum):
    """How operands reach the elements."""

    SYSTOLIC = "systolic"
    BROADCAST = "broadcast"


class Dataflow(StrEnum):
    """What an element keeps while operands pass by."""

    OUTPUT_STATIONARY = "output_stationary"
    WEIGHT_STATIONARY = "weight_stationary"
    INPUT_STATIONARY = "input_stationary"


class Buffering(StrEnum):
    """Registers of an element for the stationary operand."""

    SINGLE = "single"
    DOUBLE = "double"


@dataclass(frozen=True, kw_only=True, repr=False)
class ArrayUnit(UnitSpec):
    """``rows`` x ``columns`` units that share operands; numerics are those of the unit.

    The parameters of the unit are parameters of the array, too. Its class is one below this one,
    with those as fields; calling this class makes it.

    Parameters
    ----------
    element
        Family of the units, one that computes layers. All parameters of that family may be given:
        ``hwsim units FAMILY`` says what they are.
    rows, columns
        Size of the array, 1 to 256 each. A beat has ``rows`` times the activations and ``columns``
        times the weights of an element, and a result code the results of all elements, row by row,
        of at most 65536 bits.
    links
        ``systolic`` or ``broadcast``.
    dataflow
        ``output_stationary``; or ``weight_stationary`` or ``input_stationary``, for elements whose
        results are exact integers or fixed-point numbers and that take a beat a cycle, so that sums
        can be handed on.
    buffering
        ``double``: the next stationary operand is loaded while one is used; or ``single``.
    lanes, weight, activation
        See :class:`~hwsim.units.base.UnitSpec`. Those of an element.
    """

    family: ClassVar[str] = "array"
    generator: ClassVar[str] = "rtl.array:Array"
    chooses: ClassVar[frozenset[str]] = frozenset({"element"})

    element: str
    rows: int
    columns: int
    links: Links = Links.SYSTOLIC
    dataflow: Dataflow = Dataflow.OUTPUT_STATIONARY
    buffering: Buffering = Buffering.DOUBLE

    if TYPE_CHECKING:
        #: One element.
        processing_element: UnitSpec

    def __new__(cls, **parameters: Any) -> "ArrayUnit":
        """Return an array of the class that has the element's parameters."""
        return object.__new__(cls.chosen(parameters) if cls is ArrayUnit else cls)

    def __reduce__(self) -> tuple[Any, ...]:
        # The class is found by its elements, not by its name.
        return _again, (self._values(),)

    @classmethod
    def chosen(cls, parameters: Mapping[str, Any]) -> type["ArrayUnit"]:
        if "element" not in parameters:
            raise InputError("unit array needs the parameter 'element', the family of its units")
        name = convert("element", parameters["element"], (str,))
        families = [family for family in FAMILIES if family != cls.family]
        check_known("element", name, families)
        flow = convert("dataflow", parameters.get("dataflow", cls.dataflow), (Dataflow,))
        base = cls if flow is cls.dataflow else resolve(_STATIONARY)
        return _array_of(base, FAMILIES[name])

    def __post_init__(self) -> None:
        for key, kind in OWN.items():
            object.__setattr__(self, key, convert(key, getattr(self, key), (kind,)))
        for key in ("rows", "columns"):
            if not 1 <= getattr(self, key) <= MAX_SIDE:
                raise InputError(f"{key} must be 1 to {MAX_SIDE}, not {getattr(self, key)}")
        if self.dataflow is ArrayUnit.dataflow and self.buffering is Buffering.SINGLE:
            raise InputError(
                "buffering=single: output_stationary loads no operand; allowed: leave it out"
            )
        cls = FAMILIES[self.element]
        names = [one.name for one in fields(cls)]
        element = cls(**{name: getattr(self, name) for name in names})
        for name in names:
            object.__setattr__(self, name, getattr(element, name))
        object.__setattr__(self, "processing_element", element)
        if self.stages > 1:
            raise InputError(f"stages={self.stages}: an array's units take 1")
        try:
            element.check_layers()
        except InputError as error:
            raise InputError(
                f"element={self.element}: {error}; allowed: units that compute layers"
            ) from None
        if self.result.bits > MAX_WIDTH:
            raise InputError(
                f"rows={self.rows} columns={self.columns}: results of {self.result.bits} bits; "
                f"allowed: up to {MAX_WIDTH}, the widest vector that every Verilog tool takes"
            )

    @property
    def parts(self) -> tuple[UnitSpec, ...]:
        return (self.processing_element,)

    def _default(self, key: str) -> Any:
        if key in OWN:
            return super()._default(key)
        return self.processing_element._default(key)

    @property
    def skew(self) -> int:
        """Steps from the first element's beat to the last element's."""
        return self.rows + self.columns - 2 if self.links is Links.SYSTOLIC else 0

    # A beat.

    @property
    def activation_lanes(self) -> int:
        return self.rows * self.processing_element.activation_lanes

    @property
    def weight_lanes(self) -> int:
        return self.columns * self.processing_element.weight_lanes

    @property
    def macs_per_beat(self) -> int:
        return self.rows * self.columns * self.processing_element.macs_per_beat

    def mean_macs_per_beat(self, metadata: Mapping[str, Codes]) -> float:
        common = {one.name for one in self.processing_element.metadata if one.operand is None}
        own = {name: codes for name, codes in metadata.items() if name in common}
        return self.rows * self.columns * self.processing_element.mean_macs_per_beat(own)

    @property
    def group_beats(self) -> int | None:
        return self.processing_element.group_beats

    @property
    def refused_weights(self) -> tuple[int, ...]:
        return self.processing_element.refused_weights

    @property
    def stored_weights(self) -> StoredWeights:
        stored = self.processing_element.stored_weights
        return replace(stored, count=self.columns * stored.count)

    def store_weights(self, weights: Codes) -> Codes:
        columns = self._columns(weights)
        stored = self.processing_element.store_weights(columns)
        return _side_by_side(stored, columns.shape[-1] // self.processing_element.weight_lanes)

    @property
    def values_per_beat(self) -> tuple[int, int]:
        activations, weights = self.processing_element.values_per_beat
        return self.rows * activations, self.columns * weights

    def encode_operands(
        self,
        activations: Float64,
        weights: Float64,
        metadata: Mapping[str, Codes],
        encode: Callable[[Format, Float64], Codes],
    ) -> tuple[Codes, Codes]:
        one = self.processing_element
        beats = activations.shape[1] // self.values_per_beat[0]
        a = _apart(activations, beats, self.rows)
        w = _apart(weights, beats, self.columns)
        rows, columns = [], []
        for k in range(max(self.rows, self.columns)):
            row, column = min(k, self.rows - 1), min(k, self.columns - 1)
            own = {
                of.name: metadata[names[0 if of.operand is None else min(k, len(names) - 1)]]
                for of, names in self.element_fields()
            }
            codes = one.encode_operands(a[:, row], w[:, column], own, encode)
            rows.append(codes[0])
            columns.append(codes[1])
        return (
            _side_by_side(np.stack(rows[: self.rows], axis=1), beats),
            _side_by_side(np.stack(columns[: self.columns], axis=1), beats),
        )

    def element_fields(self) -> list[tuple[Metadata, list[str]]]:
        """Return the fields of an element and what they are called in the array.

        By row or by column where they belong to an operand. Elements that are tiles have rows and
        columns of their own, and these are counted on.
        """
        found = []
        for one in self.processing_element.metadata:
            if one.operand is None:
                found.append((one, [one.name]))
                continue
            side = one.operand is Operand.WEIGHT
            count = (self.rows, self.columns)[side]
            within = self.processing_element.tile_shape[side]
            base, _, number = one.name.rpartition("_")
            if within == 1 or not number.isdecimal():
                base, number = one.name, "0"
            names = [f"{base}_{k * within + int(number)}" for k in range(count)]
            found.append((one, names if count * within > 1 else [one.name]))
        return found

    @property
    def metadata(self) -> tuple[Metadata, ...]:
        return tuple(
            replace(one, name=name) for one, names in self.element_fields() for name in names
        )

    # Results.

    @property
    def result(self) -> Result | RoundedResult[Format] | QuireResult:
        result = self.processing_element.result
        return result if self.tile_shape == (1, 1) else replace(result, shape=self.tile_shape)

    @property
    def safe_beats(self) -> int:
        return self.processing_element.safe_beats

    @property
    def is_exact(self) -> bool:
        return self.processing_element.is_exact

    def _dot(self, activations: Codes, weights: Codes, metadata: Mapping[str, Codes]) -> Integers:
        one = self.processing_element
        codes = one._dot(*self._elements(activations, weights, metadata))
        rows, columns = one.tile_shape
        bits = one.result.bits // (rows * columns)
        if rows * columns > 1:
            codes = np.moveaxis(split(codes, bits, one.tile_shape), -3, -2)
        outputs = codes.reshape(*activations.shape[:-1], *self.tile_shape)
        if self.tile_shape == (1, 1):
            return outputs[..., 0, 0]
        return join(outputs, bits, self.tile_shape)

    def _result_values(self, codes: Integers) -> Float64:
        if self.processing_element.tile_shape != (1, 1) or self.tile_shape == (1, 1):
            return self.result.decode(codes)
        elements = split(codes, self.processing_element.result.bits, self.tile_shape)
        return self.processing_element._result_values(elements)

    def _elements(
        self, activations: Codes, weights: Codes, metadata: Mapping[str, Codes]
    ) -> tuple[Codes, Codes, dict[str, Codes]]:
        """Return the operands of every element, shape (..., rows, columns, length)."""
        outer = activations.shape[:-1]
        shape = (*outer, self.rows, self.columns)
        a = self._rows(activations)[..., :, np.newaxis, :]
        w = self._columns(weights)[..., np.newaxis, :, :]
        own = {}
        for one, names in self.element_fields():
            codes = np.stack([metadata[name] for name in names], axis=len(outer))
            rest = codes.shape[len(outer) + 1 :]
            sides = {Operand.ACTIVATION: (-1, 1), Operand.WEIGHT: (1, -1), None: (1, 1)}
            placed = codes.reshape(*outer, *sides[one.operand], *rest)
            own[one.name] = np.broadcast_to(placed, (*shape, *rest))
        return (
            np.broadcast_to(a, (*shape, a.shape[-1])),
            np.broadcast_to(w, (*shape, w.shape[-1])),
            own,
        )

    def _rows(self, activations: Codes) -> Codes:
        """Return activations of shape (..., length) as (..., rows, length of an element)."""
        return _apart(activations, activations.shape[-1] // self.activation_lanes, self.rows)

    def _columns(self, weights: Codes) -> Codes:
        return _apart(weights, weights.shape[-1] // self.weight_lanes, self.columns)

    # Time.

    def _timing(self) -> Timing:
        timing = self.processing_element.timing()
        return replace(timing, latency=timing.latency + self.skew * timing.interval)

    @property
    def steady_beats(self) -> int:
        return max(self.processing_element.steady_beats, self.skew)

    @property
    def _is_fixed(self) -> bool:
        timing = self.processing_element.timing()
        return timing.interval == timing.min_interval

    def _cycles(self, activations: Codes, weights: Codes, metadata: Mapping[str, Codes]) -> Int64:
        if self._is_fixed:
            return super()._cycles(activations, weights, metadata)
        operands = self._elements(activations, weights, metadata)
        if self.skew:
            return self._schedule(*operands)[0]
        return self.processing_element._cycles(*operands).max(axis=(-3, -2))

    def waiting(self, activations: Codes, weights: Codes, **metadata: Codes) -> float:
        """Return the share of the elements' beats that end before those of others in their step.

        Operands are those of :meth:`~hwsim.units.base.UnitSpec.dot`, a dot product by itself.
        """
        if self._is_fixed:
            return 0.0
        own = self.processing_element._cycles(*self._elements(activations, weights, metadata))
        beats = own.shape[-1]
        steps = np.zeros((*own.shape[:-1], beats + self.skew), np.int64)
        for row in range(self.rows):
            for column in range(self.columns):
                behind = row + column if self.skew else 0
                steps[..., row, column, behind : behind + beats] = own[..., row, column, :]
        slowest = steps.max(axis=(-3, -2), keepdims=True)
        return float(((steps > 0) & (steps < slowest)).sum() / own.size)

    def _drains(self, activations: Codes, weights: Codes, metadata: Mapping[str, Codes]) -> Int64:
        if self._is_fixed or not self.skew:
            return super()._drains(activations, weights, metadata)
        return self._schedule(*self._elements(activations, weights, metadata))[1]

    def _schedule(
        self, activations: Codes, weights: Codes, metadata: Mapping[str, Codes]
    ) -> tuple[Int64, Int64]:
        """Return cycles and drains of a stream of dot products, step by step, see :meth:`drains`.

        Parameters are those of elements.
        """
        one, skew = self.processing_element, self.skew
        work = np.moveaxis(one._work(activations, weights, metadata), -1, -3)
        outer, beats = work.shape[:-3], work.shape[-3]
        work = work.reshape(-1, self.rows, self.columns)
        ends = np.zeros((len(work) // beats, beats), bool)
        ends[:, group_ends(beats, one.group_beats)] = True

        # What is worked on in every step, by element.
        late = np.zeros((len(work) + skew, self.rows, self.columns), np.int64)
        late_ends = np.zeros(late.shape, bool)
        for row in range(self.rows):
            for column in range(self.columns):
                at = slice(row + column, row + column + len(work))
                late[at, row, column] = work[:, row, column]
                late_ends[at, row, column] = ends.ravel()

        # A group waits for the element's one before.
        start, starts, last_ends = 0, [0], []
        before = np.full(late.shape[1:], -one.group_interval)
        for cycles, is_end in zip(late, late_ends, strict=True):
            end = start + cycles
            end = np.where(is_end, np.maximum(end, before + one.group_interval), end)
            before = np.where(is_end, end, before)
            start = int(end.max())
            starts.append(start)
            last_ends.append(int(end[-1, -1]))
        begins = np.array(starts)
        last = np.arange(beats - 1, len(work), beats)
        results = np.array(last_ends)[last + skew] + one.timing().drain
        return (
            np.diff(begins)[: len(work)].reshape(*outer, beats),
            (results - begins[last + 1]).reshape(outer),
        )

    # Layers.

    @property
    def implied(self) -> dict[str, Any]:
        return self.processing_element.implied

    @property
    def tile_shape(self) -> tuple[int, int]:
        rows, columns = self.processing_element.tile_shape
        return self.rows * rows, self.columns * columns

    def check_layers(self) -> None:
        self.processing_element.check_layers()

    def weight_quantiser(self, group: int = GROUP) -> BlockFormat:
        return self.processing_element.weight_quantiser(group)

    def activation_quantiser(self, inputs: int) -> BlockFormat:
        return self.processing_element.activation_quantiser(inputs)

    def bits_per_element(self, operand: str, group: int | None = None) -> float | None:
        return self.processing_element.bits_per_element(operand, group)

    def room(self, activation: Format, weight: Format, beats: int) -> tuple[float, float]:
        return self.processing_element.room(activation, weight, beats)

    def _holding(self, operand: str, fmt: Format | BlockFormat) -> dict[str, Any]:
        return self.processing_element._holding(operand, fmt)

    def _dot_length(self, activations: Matrix, weights: Matrix) -> int:
        return self.processing_element._dot_length(activations, weights)

    def _activation_rows(self, matrix: Matrix, length: int) -> Rows:
        return self.processing_element._activation_rows(matrix, length)

    def _weight_rows(self, matrix: Matrix, length: int) -> Rows:
        return self.processing_element._weight_rows(matrix, length)

    def _layer_field(self, field: Metadata, shape: tuple[int, ...]) -> Codes:
        own = next(one for one, names in self.element_fields() if field.name in names)
        return self.processing_element._layer_field(own, shape)

    configurations: ClassVar[Configurations] = (
        {"element": "integer", "rows": 2, "columns": 3, "lanes": 2, "weight": "int4",
         "activation": "int8"},
        {"element": "bit_serial", "rows": 2, "columns": 2, "lanes": 4, "weight": "int4",
         "activation": "int6", "digits": "essential", "links": "broadcast"},
    )  # fmt: skip
    # Estimates of arrays follow from those of their units.
    fitting: ClassVar[Configurations] = ()


#: Parameters of the array itself.
OWN = {
    "element": str,
    "rows": int,
    "columns": int,
    "links": Links,
    "dataflow": Dataflow,
    "buffering": Buffering,
}
#: The class of the arrays of other dataflows.
_STATIONARY = "hwsim.units.stationary_array:StationaryArray"


@cache
def _array_of(base: type[ArrayUnit], cls: type[UnitSpec]) -> type[ArrayUnit]:
    """Return the class of arrays below ``base`` whose elements are of ``cls``."""
    own = fields(cls)
    taken = [one.name for one in own if one.name in OWN]
    if taken:
        raise InputError(
            f"element={cls.family}: its parameter {taken[0]!r} is one of the array, too"
        )
    made = make_dataclass(
        ArrayUnit.__name__,
        [(one.name, one.type, field(default=one.default, metadata=one.metadata)) for one in own],
        bases=(base,),
        frozen=True,
        kw_only=True,
        repr=False,
    )
    made.__module__, made.__qualname__ = ArrayUnit.__module__, ArrayUnit.__qualname__
    made.__doc__ = base.__doc__
    return made


def _again(values: dict[str, Any]) -> ArrayUnit:
    return ArrayUnit(**values)


def _apart(values: Any, beats: int, sides: int) -> Any:
    """Return values of shape (..., beats * sides * lanes) as (..., sides, beats * lanes)."""
    outer = values.shape[:-1]
    apart = values.reshape(*outer, beats, sides, -1)
    return np.moveaxis(apart, -2, -3).reshape(*outer, sides, -1)


def _side_by_side(values: Codes, beats: int) -> Codes:
    """Undo :func:`_apart`."""
    *outer, sides, _ = values.shape
    apart = values.reshape(*outer, sides, beats, -1)
    return np.moveaxis(apart, -3, -2).reshape(*outer, -1)
