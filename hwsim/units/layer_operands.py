"""What every unit does with the tensors of a layer; a unit overrides what is its own.

A block format as ``weight`` or ``activation`` says what the codes are, how tensors are quantised to
them, and often more of the hardware. :meth:`LayerOperands.operands` takes real or quantised
matrices to the beats of the unit, metadata included, and :meth:`LayerOperands.results` takes
results back to the numbers of the layer (:mod:`hwsim.units.layers` has the mechanism).
"""

import dataclasses
from abc import ABC
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike

from hwsim.errors import InputError
from hwsim.formats import parse
from hwsim.formats.base import Codes, Float64, Format, Int64, check_real
from hwsim.formats.block import BlockFormat, QuantizedTensor
from hwsim.formats.group import GroupScale
from hwsim.numbers import whole
from hwsim.units import layers
from hwsim.units.layers import GROUP, Matrix, Rows
from hwsim.units.metadata import Metadata, field_shape
from hwsim.units.naming import plain
from hwsim.units.operands import Operands
from hwsim.units.quire import QuireResult
from hwsim.units.result import Integers, Result, RoundedResult

#: The parameters that are formats of tensors, too.
OPERANDS = ("weight", "activation")
#: Codes of operands that :meth:`LayerOperands.matmul` works on at a time.
_CHUNK = 1 << 22


@dataclass(frozen=True, kw_only=True, repr=False)
class LayerOperands(ABC):
    """The part of a unit that knows tensors; parameters are those of the unit."""

    family: ClassVar[str]

    lanes: int
    weight: Format
    activation: Format
    weight_tensor: Format | BlockFormat | None = dataclasses.field(default=None, repr=False)
    activation_tensor: Format | BlockFormat | None = dataclasses.field(default=None, repr=False)

    if TYPE_CHECKING:

        @property
        def metadata(self) -> tuple[Metadata, ...]: ...
        @property
        def group_beats(self) -> int | None: ...
        @property
        def activation_lanes(self) -> int: ...
        @property
        def weight_lanes(self) -> int: ...
        @property
        def result(self) -> Result | RoundedResult[Format] | QuireResult: ...
        def dot(
            self, activations: ArrayLike, weights: ArrayLike, **metadata: ArrayLike
        ) -> Integers: ...

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
    def dot_lanes(self) -> int:
        """Elements of a dot product that a beat holds."""
        return self.lanes

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
            Group size of weights where ``weight`` is no block format and the unit has none itself.
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
            For shapes that do not fit, tensors of other formats than the unit's, units that compute
            no layers, and numbers that are not finite, unless the format's blocks can be NaN, as
            those of MX and NVFP4: their outputs are NaN.
        """
        self.check_layers()
        group = whole("group", group, 1)
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
            try:
                return layers.quantise(quantiser, given, rows, left)
            except InputError as error:
                raise InputError(f"{operand}s: {error}") from None
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
        others = map(layers.zero_code, (self.activation, self.weight))
        if zero is None and any(code is not None for code in others):
            # Times the zero of the other operand every code is zero.
            zero = 0
        codes = layers.split(matrix.rows(), length, self.dot_lanes, zero)
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
    try:
        matrix = given if isinstance(given, QuantizedTensor) else check_real(given)
    except InputError as error:
        raise InputError(f"{name}: {error}") from None
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
