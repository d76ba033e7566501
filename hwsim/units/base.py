"""What every unit is: a dot-product engine for a pair of formats, behind one stream protocol.

A unit takes beats of ``lanes`` activations and ``lanes`` weights, and after the beat marked
``last`` it delivers their accumulated sum. The specification computes what the hardware must
deliver (:meth:`UnitSpec.dot`) and declares how long it takes (:meth:`UnitSpec.timing`);
``rtl.create`` turns the same object into hardware.

A beat is one word, least significant bit first: the activations from lane 0 up, the weights from
lane 0 up, the unit's metadata fields if it has any, and ``last``.
"""

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import Field, dataclass, fields
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike

from hwsim.errors import InputError
from hwsim.formats import parse
from hwsim.formats.base import Codes, Float64, Format, Int64, check_real
from hwsim.formats.block import BlockFormat, QuantizedTensor
from hwsim.formats.fields import convert_fields
from hwsim.formats.group import GroupScale
from hwsim.registration import resolve
from hwsim.units import layers
from hwsim.units.configurations import Configurations
from hwsim.units.layers import GROUP, Matrix, Rows
from hwsim.units.metadata import Metadata, check_all, field_beats, field_shape
from hwsim.units.naming import plain, unit_name
from hwsim.units.operands import Operands
from hwsim.units.quire import QuireResult
from hwsim.units.result import Integers, Result, RoundedResult

MAX_LANES = 1024

#: The parameters that are formats of tensors, too.
OPERANDS = ("weight", "activation")
#: Codes of operands that :meth:`UnitSpec.matmul` works on at a time.
_CHUNK = 1 << 22


@dataclass(frozen=True)
class Timing:
    """Declared timing in clock cycles; verification measures it and compares.

    A unit may take longer for some beats than for others, by their operands
    (:meth:`UnitSpec.cycles`); then latency and interval are those of the slowest beat.

    Attributes
    ----------
    latency
        From the cycle in which the last beat is first offered to an idle unit to the cycle in
        which the result is offered.
    interval
        Initiation interval: cycles per beat while neither side stalls.
    min_interval
        Cycles of the fastest beat; equal to ``interval`` (the default) where all take the same.
    stores_beats
        Whether a beat is taken from the stream when work on it begins, by an idle unit at once, so
        that its cycles lie between it and the next; else it is held on the stream until they are
        over.
    """

    latency: int
    interval: int
    min_interval: int = 0
    stores_beats: bool = False

    def __post_init__(self) -> None:
        if not self.min_interval:
            object.__setattr__(self, "min_interval", self.interval)

    @property
    def drain(self) -> int:
        """Cycles from the end of the last beat to the one that offers the result."""
        return self.latency - self.interval


@dataclass(frozen=True)
class StoredWeights:
    """The weights' field of a beat: ``count`` codes of ``bits`` bits, the first lowest."""

    count: int
    bits: int


@dataclass(frozen=True, kw_only=True, repr=False)
class UnitSpec(ABC):
    """Parameters, golden model and timing of a unit.

    Formats and choices may be given by name and numbers as text, as :func:`hwsim.units.make` takes
    them; the fields hold the formats, choices and numbers (:mod:`hwsim.formats.fields`).

    Parameters
    ----------
    lanes
        Products per beat, 1 to 1024.
    weight, activation
        Formats of the operands. A block format, such as ``int4_g128`` or ``mxfp4``, stands for its
        elements and says besides how tensors are quantised; it sets the parameters of the unit that
        follow from it, such as a block size.
    weight_tensor, activation_tensor
        The block formats that were given, or None. Not given themselves.

    Raises
    ------
    InputError
        For a value that a parameter does not accept, and for what the family does not build.
    """

    family: ClassVar[str]
    #: The class of its hardware, a subclass of ``rtl.Unit``, or where it is: ``module:class``.
    generator: ClassVar[str | type]
    #: Parameters of the units that verification covers, the first of which stands for the family.
    configurations: ClassVar[Configurations] = ()
    #: Parameters of small units that coefficients of technologies are fitted to and judged by.
    fitting: ClassVar[Configurations] = ()

    lanes: int
    weight: Format
    activation: Format
    weight_tensor: Format | BlockFormat | None = dataclasses.field(default=None, repr=False)
    activation_tensor: Format | BlockFormat | None = dataclasses.field(default=None, repr=False)

    def __post_init__(self) -> None:
        self._take_tensor_formats()
        convert_fields(self)
        if not 1 <= self.lanes <= MAX_LANES:
            raise InputError(f"lanes must be 1 to {MAX_LANES}, not {self.lanes}")

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if "__repr__" not in vars(cls):
            # The decorator of dataclasses leaves one that is there.
            setattr(cls, "__repr__", UnitSpec.__repr__)  # noqa: B010 - a method, to type checkers

    def __repr__(self) -> str:
        """Return the call that makes the unit, without parameters that have their default."""
        given = "".join(f", {key}={plain(value)!r}" for key, value in self._given().items())
        return f"hwsim.make({self.family!r}{given})"

    @property
    @abstractmethod
    def result(self) -> Result | RoundedResult[Format] | QuireResult:
        """Layout of the output stream's payload."""

    @property
    @abstractmethod
    def safe_beats(self) -> int:
        """Beats per dot product up to which no operands can overflow the accumulator.

        0 where a single beat can, as in a floating-point accumulator.
        """

    @property
    def is_exact(self) -> bool:
        """Whether results are exact sums of exact products, as long as no accumulator overflows."""
        return not isinstance(self.result, RoundedResult)

    @abstractmethod
    def timing(self) -> Timing:
        """Return the declared latency and initiation interval."""

    def create(self) -> Any:
        """Return the unit's hardware, a component of Amaranth; errors are those of ``rtl.create``.

        The generator is imported now: nothing else here needs Amaranth.
        """
        return self.hardware()(self)

    @classmethod
    def hardware(cls) -> Any:
        """Return the class of the hardware; InputError if there is none or it cannot be loaded."""
        found = getattr(cls, "generator", None)
        if found is None:
            raise InputError(f"there is no hardware for {cls.__name__}; it has no 'generator'")
        if not isinstance(found, str):
            return found
        try:
            return resolve(found)
        except (ImportError, AttributeError) as error:
            raise InputError(
                f"generator={found!r} of {cls.__name__} cannot be loaded: {error}"
            ) from error

    @abstractmethod
    def _dot(self, activations: Codes, weights: Codes, metadata: Mapping[str, Codes]) -> Integers:
        """Compute :meth:`dot` for checked codes of equal shape, and metadata that fit them."""

    @property
    def metadata(self) -> tuple[Metadata, ...]:
        """Fields that a beat has between the weights and ``last``, the lowest first."""
        return ()

    @property
    def group_beats(self) -> int | None:
        """Beats of a group, whose last carries the metadata of scope ``group``.

        None means that the whole dot product is one group. A dot product that is no multiple of
        it ends with a shorter group.
        """
        return None

    @property
    def activation_lanes(self) -> int:
        """Activations per beat; more than ``lanes`` where rows share the weights."""
        return self.lanes

    @property
    def weight_lanes(self) -> int:
        """Weights per beat; more than ``lanes`` where columns share the activations, or none."""
        return self.lanes

    @property
    def refused_weights(self) -> tuple[int, ...]:
        """Codes of the weight format that the unit has no hardware for; operands have none."""
        return ()

    @property
    def stored_weights(self) -> "StoredWeights":
        """How a beat holds its weights; one code a weight unless the unit takes them recoded."""
        return StoredWeights(self.weight_lanes, self.weight.bits)

    def store_weights(self, weights: Codes) -> Codes:
        """Return ``weights`` as beats hold them, shape (..., beats * stored_weights.count).

        This is done once, offline, when the weights are written to memory.
        """
        return weights

    @property
    def values_per_beat(self) -> tuple[int, int]:
        """Activations and weights as numbers that a beat holds at most."""
        return self.activation_lanes, self.weight_lanes

    def encode_operands(
        self,
        activations: Float64,
        weights: Float64,
        metadata: Mapping[str, Codes],
        encode: Callable[[Format, Float64], Codes],
    ) -> tuple[Codes, Codes]:
        """Return the codes of numbers of shape (dot products, beats * values_per_beat).

        ``encode`` gives the codes of one format. Overridden where the metadata say what a code is.
        """
        return encode(self.activation, activations), encode(self.weight, weights)

    def tensor_format(self, operand: str) -> Format | BlockFormat | None:
        """Return the format of tensors that was given as ``weight`` or ``activation``, if any."""
        fmt: Format | BlockFormat | None = getattr(self, f"{operand}_tensor")
        return fmt

    @property
    def implied(self) -> dict[str, Any]:
        """The parameters that the formats of tensors set."""
        return {
            key: value
            for operand in OPERANDS
            if (fmt := self.tensor_format(operand))
            for key, value in self._holding(operand, fmt).items()
        }

    def _take_tensor_formats(self) -> None:
        """Set the parameters that follow from formats of tensors."""
        found: dict[str, tuple[Any, str]] = {}
        for operand in OPERANDS:
            given = _parsed(operand, getattr(self, operand))
            if self._is_tensor_format(given):
                object.__setattr__(self, f"{operand}_tensor", given)
                object.__setattr__(self, operand, None)
            tensor = self.tensor_format(operand)
            if tensor is None:
                continue
            for key, value in self._holding(operand, tensor).items():
                other, source = found.setdefault(key, (value, f"{operand}={tensor.name}"))
                present = getattr(self, key)
                usual = None if key in OPERANDS else self._usual(key)
                unlike = str(plain(present)) not in map(str, (plain(value), plain(usual)))
                if other != value or unlike:
                    has = (
                        f"{source} has {plain(other)}"
                        if other != value
                        else f"not {plain(present)}"
                    )
                    raise InputError(
                        f"{key}={plain(value)} follows from {operand}={tensor.name}; {has}"
                    )
                object.__setattr__(self, key, value)

    def _usual(self, key: str) -> Any:
        return next(f.default for f in fields(self) if f.name == key)

    def _is_tensor_format(self, fmt: object) -> bool:
        """Whether a value of ``weight`` or ``activation`` is a format of tensors, held in codes."""
        return isinstance(fmt, BlockFormat)

    def _holding(self, operand: str, fmt: Format | BlockFormat) -> dict[str, Any]:
        """Return the parameters with which the unit takes tensors of a format, or refuse it."""
        if isinstance(fmt, GroupScale):
            return {operand: fmt.element}
        raise InputError(
            f"{operand}={fmt.name}: {self.family} has no hardware for it; allowed: scalar formats "
            "and <element>_g<size>"
        )

    def check_layers(self) -> None:
        """Raise InputError if the unit computes no layers, or does not know their formats."""
        if not self.weight_lanes:
            raise InputError(f"{self.family} takes no weights, and so no layers")
        # Some have no tensors of their formats, and refuse them here.
        self.weight_quantiser()
        self.activation_quantiser(1)

    @property
    def computes_layers(self) -> bool:
        """Whether :meth:`operands` takes the tensors of a layer."""
        try:
            self.check_layers()
        except InputError:
            return False
        return True

    def weight_quantiser(self, group: int = GROUP) -> BlockFormat:
        """Return the block format that weights are quantised to.

        Without a block format as ``weight`` that is one scale for ``group`` weights of an output.
        """
        fmt = self.weight_tensor or self.weight
        return fmt if isinstance(fmt, BlockFormat) else layers.per_group(fmt, group)

    def activation_quantiser(self, inputs: int) -> BlockFormat:
        """Return the block format that activations are quantised to.

        Without a block format as ``activation`` that is one scale for the ``inputs`` of a token.
        """
        fmt = self.activation_tensor or self.activation
        return fmt if isinstance(fmt, BlockFormat) else layers.per_token(fmt, inputs)

    def bits_per_element(self, operand: str, group: int | None = None) -> float | None:
        """Return the bits that are stored for a weight or an activation, metadata included.

        ``group`` is the group size of weights whose format has none; without it, and for the
        activations' one scale a token, the bits are those of the code. None for codes that may hold
        numbers of several widths.
        """
        fmt = self.tensor_format(operand) or getattr(self, operand)
        if operand == "weight" and group is not None:
            fmt = self.weight_quantiser(group)
        return fmt.bits_per_element if isinstance(fmt, BlockFormat) else float(fmt.bits)

    @property
    def tile_shape(self) -> tuple[int, int]:
        """Rows of activations and columns of weights that a beat holds."""
        return self.activation_lanes // self.lanes, self.weight_lanes // self.lanes

    def operands(
        self,
        weights: ArrayLike | QuantizedTensor,
        activations: ArrayLike | QuantizedTensor,
        *,
        group: int = GROUP,
        tiles: tuple[Int64, Int64] | None = None,
        source: str = "",
    ) -> Operands:
        """Return what the unit is fed to compute activations times weights transposed.

        Parameters
        ----------
        weights
            Real numbers of shape (outputs, inputs), or a tensor quantised along the inputs.
        activations
            The same of shape (tokens, inputs).
        group
            Group size of weights where ``weight`` is no block format.
        tiles
            Which outputs: tokens of shape (count, rows) and outputs of shape (count, columns) of
            :attr:`tile_shape`. By default all, tokens first, the last ones again where the tile
            does not divide their number.
        source
            Where the numbers come from, for people.

        Returns
        -------
        Operands
            ``parts`` dot products a tile; :meth:`results` gives the values of their sums.

        Raises
        ------
        InputError
            For shapes that do not fit, tensors of other formats than the unit's, numbers that are
            not finite, and units that compute no layers.
        """
        self.check_layers()
        w, a = _matrix("weights", weights), _matrix("activations", activations)
        if w.shape[1] != a.shape[1]:
            raise InputError(
                f"weights {w.shape} and activations {a.shape} must have as many inputs"
            )
        tokens, outputs = self._all_tiles(_row_count(a), _row_count(w)) if tiles is None else tiles
        tokens, token_places = np.unique(tokens, return_inverse=True)
        outputs, output_places = np.unique(outputs, return_inverse=True)
        quantisers = self.activation_quantiser(a.shape[1]), self.weight_quantiser(group)
        left = self._room(w.shape[1], quantisers)
        a_rows = self._quantised("activation", a, tokens, quantisers[0], left[0])
        w_rows = self._quantised("weight", w, outputs, quantisers[1], left[1])
        length = self._dot_length(a_rows, w_rows)
        return self._assembled(
            self._activation_rows(a_rows, length),
            self._weight_rows(w_rows, length),
            token_places.reshape(-1, self.tile_shape[0]),
            output_places.reshape(-1, self.tile_shape[1]),
            source,
        )

    def results(self, operands: Operands) -> Float64:
        """Return the outputs of a layer's operands as the unit computes them.

        Returns
        -------
        numpy.ndarray
            float64 of shape (tiles, rows, columns): the decoded results times the scales that the
            unit does not apply, the parts of an output added in float64.
        """
        if operands.scales is None:
            raise InputError("operands without scales are no layer's; see UnitSpec.operands")
        codes = self.dot(operands.activations, operands.weights, **operands.metadata)
        values = self._result_values(codes).reshape(operands.scales.shape) * operands.scales
        return values.reshape(-1, operands.parts, *self.tile_shape).sum(axis=1)

    def matmul(
        self,
        weights: ArrayLike | QuantizedTensor,
        activations: ArrayLike | QuantizedTensor,
        *,
        group: int = GROUP,
    ) -> Float64:
        """Return activations times weights transposed as the unit computes it.

        Parameters and errors are those of :meth:`operands`; the result has the shape (tokens,
        outputs). It takes the golden model about a second for a few million products.
        """
        w, a = _matrix("weights", weights), _matrix("activations", activations)
        rows, columns = self.tile_shape
        tokens, outputs = self._all_tiles(_row_count(a), _row_count(w))
        step = max(1, _CHUNK // (a.shape[1] * (rows + columns)))
        parts = [
            self.results(
                self.operands(
                    w, a, group=group, tiles=(tokens[at : at + step], outputs[at : at + step])
                )
            )
            for at in range(0, len(tokens), step)
        ]
        result = np.zeros((_row_count(a), _row_count(w)))
        values = np.concatenate(parts)
        result[tokens[:, :, np.newaxis], outputs[:, np.newaxis, :]] = values
        return result

    def _all_tiles(self, tokens: int, outputs: int) -> tuple[Int64, Int64]:
        """Return the tiles of all outputs; the last rows and columns stand again to fill one."""
        sides = []
        for count, side in zip((tokens, outputs), self.tile_shape, strict=True):
            places = np.minimum(np.arange(-(-count // side) * side), count - 1)
            sides.append(places.reshape(-1, side))
        a, w = sides
        return np.repeat(a, len(w), axis=0), np.tile(w, (len(a), 1))

    def _room(
        self, inputs: int, quantisers: tuple[BlockFormat, BlockFormat]
    ) -> tuple[float, float]:
        """Return what activations and weights are multiplied with, see :func:`layers.room`."""
        if not all(isinstance(fmt, GroupScale) for fmt in quantisers):
            return 1.0, 1.0
        length = min(inputs, *(fmt.size for fmt in quantisers))
        activation, weight = (fmt.element for fmt in quantisers)
        return self.room(activation, weight, -(-length // self.lanes))

    def room(self, activation: Format, weight: Format, beats: int) -> tuple[float, float]:
        """Return what operands scaled to formats are multiplied with, see :func:`layers.room`."""
        largest = np.log2([layers.largest(activation), layers.largest(weight)])
        excess = self._excess(float(largest.sum()), beats * self.lanes)
        a, w = layers.room(activation, weight, excess)
        return min(a, 2.0 ** min(0.0, self._activation_octaves - float(largest[0]))), w

    def _excess(self, product: float, count: int) -> float:
        """Return by how many octaves ``count`` products of 2**product leave the unit's range."""
        if not isinstance(self.result, RoundedResult):
            return 0.0
        return product + float(np.log2(count)) - float(np.log2(self.result.format.max))

    @property
    def _activation_octaves(self) -> float:
        """The logarithm of the largest activation that nothing but a sum limits."""
        return float("inf")

    def _quantised(
        self,
        operand: str,
        given: "np.ndarray[Any, Any] | QuantizedTensor",
        rows: Int64,
        quantiser: BlockFormat,
        left: float,
    ) -> Matrix:
        if not isinstance(given, QuantizedTensor):
            return layers.quantise(quantiser, given, rows, left)
        for key, value in self._holding(operand, given.format).items():
            if getattr(self, key) != value:
                raise InputError(
                    f"{operand}s are a tensor of {given.format.name}, which needs "
                    f"{key}={plain(value)}; the unit has {plain(getattr(self, key))}"
                )
        return layers.of_tensor(layers.take(given, rows))

    def _dot_length(self, activations: Matrix, weights: Matrix) -> int:
        """Return the elements of a dot product: as far as no scale outside of the unit changes."""
        sizes = sorted(matrix.block for matrix in (activations, weights) if matrix.blocks > 1)
        if len(sizes) == 2 and sizes[1] % sizes[0]:
            raise InputError(
                f"weights in blocks of {weights.block} and activations in blocks of "
                f"{activations.block}: one must divide the other"
            )
        return sizes[0] if sizes else activations.inputs

    def _activation_rows(self, matrix: Matrix, length: int) -> Rows:
        """Return rows of activations as dot products; overridden where the unit takes scales."""
        return self._plain_rows(matrix, length, self.activation)

    def _weight_rows(self, matrix: Matrix, length: int) -> Rows:
        """Return rows of weights as dot products; overridden where the unit takes scales."""
        return self._plain_rows(matrix, length, self.weight)

    def _plain_rows(self, matrix: Matrix, length: int, fmt: Format) -> Rows:
        zero = layers.zero_code(fmt)
        if zero is None and all(map(layers.zero_code, (self.activation, self.weight))):
            zero = 0
        codes = layers.split(matrix.rows(), length, self.lanes, zero)
        return Rows(codes, layers.part_scales(matrix, length), {})

    def _layer_field(self, field: Metadata, shape: tuple[int, ...]) -> Codes:
        """Return the codes of a field that is the same for all of a layer."""
        raise InputError(f"{self.family} takes {field.name} with every beat, which no tensor gives")

    def _assembled(self, a: Rows, w: Rows, tokens: Int64, outputs: Int64, source: str) -> Operands:
        """Return the operands of tiles of ``tokens`` and ``outputs``, see :meth:`operands`."""
        rows, columns = self.tile_shape
        beats = a.codes.shape[-1] // (self.activation_lanes // rows)
        parts = max(a.codes.shape[1], w.codes.shape[1])
        count = len(tokens) * parts
        with np.errstate(over="ignore"):
            scales = (
                a.scales[tokens].transpose(0, 2, 1)[..., np.newaxis]
                * w.scales[outputs].transpose(0, 2, 1)[:, :, np.newaxis]
            )
        if not np.isfinite(scales).all():
            raise InputError(
                "products of weights and activations are beyond float64; divide them by a power "
                "of two: the codes stay the same"
            )
        metadata = {}
        for one in self.metadata:
            shape = field_shape(one, (count,), beats, self.group_beats)
            metadata[one.name] = self._field_codes(one, shape, a, w, tokens, outputs)
        return Operands(
            _side_by_side(a.codes[tokens], beats),
            _side_by_side(w.codes[outputs], beats),
            metadata,
            scales.reshape(count, rows, columns),
            parts,
            source,
        )

    def _field_codes(
        self,
        field: Metadata,
        shape: tuple[int, ...],
        a: Rows,
        w: Rows,
        tokens: Int64,
        outputs: Int64,
    ) -> Codes:
        name, _, number = field.name.rpartition("_")
        for side, places in ((a, tokens), (w, outputs)):
            if places.shape[1] > 1 and name in side.metadata:
                return side.metadata[name][places[:, int(number)]].reshape(shape)
            if field.name in side.metadata:
                return side.metadata[field.name][places[:, 0]].reshape(shape)
        return self._layer_field(field, shape)

    def _result_values(self, codes: Integers) -> Float64:
        """Return the values of results, one for every element of the tile."""
        return self.result.decode(codes)

    @property
    def steady_beats(self) -> int:
        """Beats per dot product from which :meth:`cycles` holds.

        Shorter dot products may wait for the one before them.
        """
        return 1

    @property
    def structure(self) -> str:
        """What kind of hardware it is: the family, with a parameter that changes it altogether."""
        return self.family

    @property
    def macs_per_beat(self) -> int:
        """Multiply-accumulates per beat."""
        return self.lanes

    def mean_macs_per_beat(self, metadata: Mapping[str, Codes]) -> float:
        """Multiply-accumulates per beat, on average over beats with these metadata."""
        return self.macs_per_beat

    @property
    def macs_per_cycle(self) -> float:
        """Multiply-accumulates per clock cycle while neither side stalls, for the slowest beats."""
        return self.macs_per_beat / self.timing().interval

    @property
    def name(self) -> str:
        """Family and every parameter that is not the default, as a Verilog identifier.

        Unequal units have unequal names, see :mod:`hwsim.units.naming`.
        """
        return unit_name(self.family, self._given())

    def _given(self) -> dict[str, Any]:
        """Return the parameters that are not the default and do not follow from others."""
        implied = self.implied.keys() - set(OPERANDS)
        return {
            key: value
            for key, value in self._values().items()
            if key not in implied and value != self._default(key)
        }

    def parameters(self) -> dict[str, int | str | None]:
        """Return the parameters as plain values that :func:`hwsim.units.make` reads back."""
        return {key: plain(value) for key, value in self._values().items()}

    def _values(self) -> dict[str, Any]:
        """Return the parameters; of the operands, the formats of tensors where these are given."""
        values = {field.name: getattr(self, field.name) for field in parameter_fields(type(self))}
        return values | {key: fmt for key in OPERANDS if (fmt := self.tensor_format(key))}

    def _default(self, key: str) -> Any:
        """The value of a parameter that need not be part of the name; None if it always is."""
        return next(f.default for f in fields(self) if f.name == key)

    def dot(self, activations: ArrayLike, weights: ArrayLike, **metadata: ArrayLike) -> Integers:
        """Return the codes that the hardware delivers for dot products, bit for bit.

        Parameters
        ----------
        activations, weights
            Codes of the two formats, both of shape (..., length), where ``length`` is a multiple
            of ``lanes``: element ``i`` is in lane ``i % lanes`` of beat ``i // lanes``.
        metadata
            Codes of every field of :attr:`metadata`, by name, of shape (..., beats) for those of
            scope ``beat``, (..., groups) for those of scope ``group`` and (...) for those of scope
            ``dot``.

        Returns
        -------
        numpy.ndarray
            Codes of ``result``, shape (...); ``result.decode`` gives their values.

        Raises
        ------
        InputError
            For codes out of range or of :attr:`refused_weights`, unequal shapes, a length that
            ``lanes`` does not divide, or missing or surplus metadata.
        """
        return self._dot(*self._check_operands(activations, weights, metadata))

    def cycles(self, activations: ArrayLike, weights: ArrayLike, **metadata: ArrayLike) -> Int64:
        """Return the cycles that every beat takes while neither side stalls, shape (..., beats).

        Parameters and errors are those of :meth:`dot`.
        """
        return self._cycles(*self._check_operands(activations, weights, metadata))

    def _cycles(self, activations: Codes, weights: Codes, metadata: Mapping[str, Codes]) -> Int64:
        """Compute :meth:`cycles` for checked codes; overridden where the operands decide."""
        shape = (*activations.shape[:-1], activations.shape[-1] // self.activation_lanes)
        return np.full(shape, self.timing().interval, np.int64)

    def _check_operands(
        self, activations: ArrayLike, weights: ArrayLike, metadata: Mapping[str, ArrayLike]
    ) -> tuple[Codes, Codes, dict[str, Codes]]:
        a, w = self.activation.check_codes(activations), self.weight.check_codes(weights)
        for name, codes, lanes in (
            ("activations", a, self.activation_lanes),
            ("weights", w, self.weight_lanes),
        ):
            length = codes.shape[-1] if codes.ndim else 0
            if not lanes and length:
                raise InputError(f"{self.family} takes no {name}, but {codes.shape} are given")
            if codes.ndim == 0 or (lanes and (length == 0 or length % lanes)):
                raise InputError(
                    f"the last axis of {name} must be a positive multiple of {lanes} lanes, "
                    f"not {codes.shape}"
                )
        refused = np.isin(w, self.refused_weights)
        if refused.any():
            raise InputError(
                f"weights have the code {w[refused][0]} of {self.weight.name}, which "
                f"{self.family} does not take"
            )
        beats = a.shape[-1] // self.activation_lanes
        if a.shape[:-1] != w.shape[:-1] or beats * self.weight_lanes != w.shape[-1]:
            raise InputError(f"activations {a.shape} and weights {w.shape} must have one shape")
        shapes = {
            field.name: field_shape(field, a.shape[:-1], beats, self.group_beats)
            for field in self.metadata
        }
        return a, w, check_all(self.family, self.metadata, metadata, shapes)

    @property
    def beat_fields(self) -> dict[str, int]:
        """Fields of a beat and their widths in bits, the lowest first; a width may be 0."""
        return {
            "activations": self.activation_lanes * self.activation.bits,
            "weights": self.stored_weights.count * self.stored_weights.bits,
            **{field.name: field.format.bits for field in self.metadata},
            "last": 1,
        }

    @property
    def beat_bits(self) -> int:
        """Width of a beat, the input stream's payload."""
        return sum(self.beat_fields.values())

    def words(self, operands: Operands) -> list[list[int]]:
        """Return the words of the beats of every dot product, see :meth:`pack_beats`."""
        return [
            self.pack_beats(row.activations, row.weights, **row.metadata) for row in operands.rows()
        ]

    def pack_beats(
        self, activations: ArrayLike, weights: ArrayLike, **metadata: ArrayLike
    ) -> list[int]:
        """Return the words of the beats of one dot product, ``last`` set in the final one.

        Operands and metadata are those of :meth:`dot` for one dot product: shape (length,),
        (beats,), (groups,) and (). Where a field is ignored, it is 0.
        """
        a, w, extra = self._check_operands(activations, weights, metadata)
        beats = len(a) // self.activation_lanes
        columns = [
            _concatenate(a.reshape(beats, -1), self.activation.bits),
            _concatenate(self.store_weights(w).reshape(beats, -1), self.stored_weights.bits),
        ]
        for field in self.metadata:
            column = np.zeros(beats, np.int64)
            column[field_beats(field, beats, self.group_beats)] = extra[field.name]
            columns.append(column.tolist())
        columns.append([0] * (beats - 1) + [1])
        words = [0] * beats
        low = 0
        for column_words, width in zip(columns, self.beat_fields.values(), strict=True):
            words = [word | (part << low) for word, part in zip(words, column_words, strict=True)]
            low += width
        return words


def parameter_fields(cls: type[UnitSpec]) -> tuple["Field[Any]", ...]:
    """Return the fields of a family that are parameters."""
    internal = {f"{operand}_tensor" for operand in OPERANDS}
    return tuple(one for one in fields(cls) if one.name not in internal)


def _parsed(operand: str, value: object) -> object:
    """Return the format that a text stands for; anything else as it is."""
    if not isinstance(value, str):
        return value
    try:
        return parse(value)
    except InputError as error:
        raise InputError(f"{operand}: {error}") from None


def _matrix(
    name: str, given: ArrayLike | QuantizedTensor
) -> "np.ndarray[Any, Any] | QuantizedTensor":
    matrix = given if isinstance(given, QuantizedTensor) else check_real(given)
    if len(matrix.shape) != 2 or 0 in matrix.shape:
        raise InputError(f"{name} must be a matrix with elements, not of shape {matrix.shape}")
    return matrix


def _row_count(matrix: "np.ndarray[Any, Any] | QuantizedTensor") -> int:
    """Return the rows of a matrix."""
    return int(matrix.shape[0])


def _side_by_side(rows: Codes, beats: int) -> Codes:
    """Return codes of shape (tiles, sides, parts, length) as (tiles * parts, sides * length).

    Beat by beat, the first row or column lowest.
    """
    tiles, sides, parts, length = rows.shape
    apart = rows.reshape(tiles, sides, parts, beats, length // beats).transpose(0, 2, 3, 1, 4)
    return apart.reshape(tiles * parts, sides * length)


def check_unit(unit: object) -> None:
    """Refuse what is no unit with InputError."""
    if not isinstance(unit, UnitSpec):
        raise InputError(f"unit={unit!r}: allowed: a unit, as hwsim.units.make returns it")


def _concatenate(codes: Codes, bits: int) -> list[int]:
    """Return one integer a row, its fields of ``bits`` bits, the first lowest."""
    flags = (codes[..., np.newaxis] >> np.arange(bits, dtype=codes.dtype)) & 1
    packed = np.packbits(flags.astype(bool).reshape(len(codes), -1), axis=-1, bitorder="little")
    return [int.from_bytes(row.tobytes(), "little") for row in packed]
