"""What every unit is: a dot-product engine for a pair of formats, behind one stream protocol.

A unit takes beats of ``lanes`` activations and ``lanes`` weights, and after the beat marked
``last`` it delivers their accumulated sum. The specification computes what the hardware must
deliver (:meth:`UnitSpec.dot`) and declares how long it takes (:meth:`UnitSpec.timing`);
``rtl.create`` turns the same object into hardware.

A beat is one word, least significant bit first: the activations from lane 0 up, the weights from
lane 0 up, the unit's metadata fields if it has any, and ``last``.
"""

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import Field, dataclass, fields, replace
from math import prod
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hwsim.errors import InputError
from hwsim.formats.base import Codes, Float64, Format, Int64
from hwsim.formats.block import BlockFormat
from hwsim.formats.fields import KeepsRepr, convert_fields
from hwsim.registration import resolve
from hwsim.units.configurations import Configurations
from hwsim.units.layer_operands import OPERANDS, LayerOperands
from hwsim.units.metadata import Metadata, check_all, field_beats, field_shape
from hwsim.units.naming import plain, unit_name
from hwsim.units.operands import Operands
from hwsim.units.quire import QuireResult
from hwsim.units.result import Integers, Result, RoundedResult

MAX_LANES = 1024


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
class UnitSpec(KeepsRepr, LayerOperands):
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
    stages
        Pipeline stages from the beat to the result, each one more cycle of latency; 1 to 8, fewer
        where a unit works on a beat for several cycles or hands sums on. Registers are placed where
        the longest path is shortest; the sum over the beats stays in one stage.

    Raises
    ------
    InputError
        For a value that a parameter does not accept, and for what the family does not build.
    """

    family: ClassVar[str]
    #: The class of its hardware, a subclass of ``rtl.Unit``, or where it is: ``module:class``.
    generator: ClassVar[str | type]
    #: Whether the generator places the registers of all stages; else they are placed in its RTLIL.
    writes_stages: ClassVar[bool] = False
    #: Parameters of the units that verification covers, the first of which stands for the family.
    configurations: ClassVar[Configurations] = ()
    #: Parameters that are contents of registers, which beats can load: they are no hardware.
    loaded: ClassVar[tuple[str, ...]] = ()
    #: Parameters of small units that coefficients of technologies are fitted to and judged by.
    fitting: ClassVar[Configurations] = ()

    stages: int = 1

    def __post_init__(self) -> None:
        self._take_tensor_formats()
        convert_fields(self)
        if not 1 <= self.lanes <= MAX_LANES:
            raise InputError(f"lanes must be 1 to {MAX_LANES}, not {self.lanes}")
        if not 1 <= self.stages <= self.most_stages:
            allowed = "1" if self.most_stages == 1 else f"1 to {self.most_stages}"
            raise InputError(f"stages={self.stages}: {self.family} takes {allowed}")

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

    @property
    def lanes_decide(self) -> bool:
        """Whether a dot product's result depends on how many lanes a beat has.

        Not where sums are exact, or wrap, until all beats or those of a block are added up.
        """
        return True

    def timing(self) -> Timing:
        """Return the declared latency and initiation interval."""
        plain = self._timing()
        if self.stages == 1:
            return plain
        # A unit that would hold a beat on the stream takes it into the first registers.
        stores = plain.stores_beats or plain.interval > 1
        return replace(plain, latency=plain.latency + self.stages - 1, stores_beats=stores)

    @abstractmethod
    def _timing(self) -> Timing:
        """Return :meth:`timing` of the unit in one stage."""

    @property
    def turns(self) -> int:
        """Sums that beats are added to in turn, and so the stages that an addition may take."""
        return 1

    #: What :attr:`most_stages` is for units that take a beat a cycle.
    MAX_STAGES: ClassVar[int] = 8

    @property
    def most_stages(self) -> int:
        """The most stages that the unit can be given."""
        return self.MAX_STAGES

    #: Parameters that :meth:`chosen` looks at and that say which other parameters there are.
    chooses: ClassVar[frozenset[str]] = frozenset()

    @classmethod
    def chosen(cls, parameters: Mapping[str, Any]) -> type["UnitSpec"]:
        """Return the class of the units with these parameters, one of the family."""
        return cls

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

    @property
    def steady_beats(self) -> int:
        """Beats per dot product from which :meth:`cycles` holds.

        Shorter dot products may wait for the one before them.
        """
        return 1

    @property
    def parts(self) -> "tuple[UnitSpec, ...]":
        """The units that it is made of, if it is made of any."""
        return ()

    @property
    def structure(self) -> str:
        """What kind of hardware it is: the family, with a parameter that changes it altogether."""
        return self.family if self.stages == 1 else f"{self.family}, stages"

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

    def with_formats(
        self,
        weight: Format | BlockFormat | str | None = None,
        activation: Format | BlockFormat | str | None = None,
    ) -> Self:
        """Return the unit with operands of other formats, on the same hardware.

        None leaves a format as it is.

        Raises
        ------
        InputError
            For a format that the unit does not take, or takes with other hardware.
        """
        given: dict[str, Any] = {key: self._usual(key) for key in {*self.implied, *self.loaded}}
        for operand, asked in (("weight", weight), ("activation", activation)):
            present = self.tensor_format(operand) or getattr(self, operand)
            given |= {operand: present if asked is None else asked, f"{operand}_tensor": None}
        other: Self = replace(self, **given)
        for field in parameter_fields(type(self)):
            has, needs = getattr(self, field.name), getattr(other, field.name)
            if has != needs and field.name not in self.loaded:
                asked = ", ".join(
                    f"{operand}={plain(value)}"
                    for operand, value in (("weight", weight), ("activation", activation))
                    if value is not None
                )
                raise InputError(
                    f"{asked}: needs a unit with {field.name}={plain(needs)}; this one has "
                    f"{plain(has)}"
                )
        return other

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
            Codes of ``result``, shape (...); ``result.decode`` gives their values. Of operands of
            shape (length,), a scalar: of NumPy, or a Python integer where codes have over 64 bits.

        Raises
        ------
        InputError
            For codes out of range or of :attr:`refused_weights`, unequal shapes, a length that
            ``lanes`` does not divide, or missing or surplus metadata.
        """
        a, w, extra = self._check_operands(activations, weights, metadata)
        if a.ndim > 1:
            return self._dot(a, w, extra)
        # Object arrays of no dimension turn into plain integers on the way.
        codes: Integers = self._dot(
            a[np.newaxis], w[np.newaxis], {name: one[np.newaxis] for name, one in extra.items()}
        )[0]
        return codes

    def cycles(self, activations: ArrayLike, weights: ArrayLike, **metadata: ArrayLike) -> Int64:
        """Return the cycles that every beat takes while neither side stalls, shape (..., beats).

        Parameters and errors are those of :meth:`dot`.
        """
        return self._cycles(*self._check_operands(activations, weights, metadata))

    def drains(self, activations: ArrayLike, weights: ArrayLike, **metadata: ArrayLike) -> Int64:
        """Return the cycles from the end of each last beat to the one that offers the result.

        The dot products follow each other without a pause, in the order of their axes. They are
        :attr:`Timing.drain` but where what follows decides. Parameters and errors are those of
        :meth:`dot`, the shape is (...).
        """
        return self._drains(*self._check_operands(activations, weights, metadata))

    def _drains(self, activations: Codes, weights: Codes, metadata: Mapping[str, Codes]) -> Int64:
        """Compute :meth:`drains` for checked codes."""
        return np.full(activations.shape[:-1], self.timing().drain, np.int64)

    @property
    def group_interval(self) -> int:
        """Cycles from the end of a group to that of the next, at least."""
        return 0

    def _work(self, activations: Codes, weights: Codes, metadata: Mapping[str, Codes]) -> Int64:
        """Compute :meth:`cycles` of beats that wait for no other group."""
        return self._cycles(activations, weights, metadata)

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

    @property
    def words_per_beat(self) -> int:
        """Words of the input stream that make up a beat."""
        return 1

    def words(self, operands: Operands) -> list[list[int]]:
        """Return the words of the beats of every dot product, see :meth:`pack_beats`."""
        words = self._words(*self._check_operands(*operands))
        size = len(words) // operands.count
        return [words[k : k + size] for k in range(0, len(words), size)]

    def pack_beats(
        self, activations: ArrayLike, weights: ArrayLike, **metadata: ArrayLike
    ) -> list[int]:
        """Return the words of the beats of one dot product, ``last`` set in the final one.

        Operands and metadata are those of :meth:`dot` for one dot product: shape (length,),
        (beats,), (groups,) and (). Where a field is ignored, it is 0.
        """
        a, w, extra = self._check_operands(activations, weights, metadata)
        one = {name: codes[np.newaxis] for name, codes in extra.items()}
        return self._words(a[np.newaxis], w[np.newaxis], one)

    def _words(
        self, activations: Codes, weights: Codes, metadata: Mapping[str, Codes]
    ) -> list[int]:
        """Return the words of checked dot products, shape (dots, length), one after another."""
        dots = len(activations)
        beats = activations.shape[1] // self.activation_lanes
        fields = {
            "activations": activations.reshape(dots, beats, -1),
            "weights": self.store_weights(weights).reshape(dots, beats, self.stored_weights.count),
        }
        for field in self.metadata:
            column = np.zeros((dots, beats, 1), field.format.code_dtype)
            place = field_beats(field, beats, self.group_beats)
            column[:, place, 0] = metadata[field.name].reshape(dots, -1)
            fields[field.name] = column
        last = np.zeros((dots, beats, 1), np.uint8)
        last[:, -1] = 1
        return self._pack({**fields, "last": last})

    def ignored(self, operands: Operands) -> list[list[int]]:
        """Return for every word of :meth:`words` which of its bits count for nothing.

        The hardware must deliver the same results whatever they are.
        """
        a, _, extra = self._check_operands(*operands)
        dots, beats = len(a), a.shape[1] // self.activation_lanes
        counts = {"activations": self.activation_lanes, "weights": self.stored_weights.count}
        masks = {
            name: np.zeros((dots, beats, counts.get(name, 1)), np.uint64)
            for name in self.beat_fields
        }
        for field in self.metadata:
            masks[field.name] += np.uint64((1 << field.format.bits) - 1)
            masks[field.name][:, field_beats(field, beats, self.group_beats)] = 0
        self._ignore(masks, extra)
        words = self._pack(masks)
        return [words[k : k + beats] for k in range(0, len(words), beats)]

    def _ignore(self, masks: dict[str, NDArray[np.uint64]], metadata: Mapping[str, Codes]) -> None:
        """Set the bits of beats that ``metadata`` say are ignored.

        ``masks`` has the bits of every code by field, shape (dots, beats, codes of the field).
        """

    def _pack(self, fields: Mapping[str, Codes]) -> list[int]:
        """Return words from codes of every field of a beat, shape (..., codes of the field)."""
        bits = {"activations": self.activation.bits, "weights": self.stored_weights.bits}
        return pack_fields(
            [codes.reshape(prod(codes.shape[:-1]), codes.shape[-1]) for codes in fields.values()],
            [bits.get(name, self.beat_fields[name]) for name in fields],
        )

    def special_codes(self, operand: str) -> tuple[int, ...]:
        """Return codes of ``activation`` or ``weight`` where mistakes gather.

        Besides those that the format says; overridden where the metadata say what a code is.
        """
        return ()

    def programs(self, rng: np.random.Generator) -> list[tuple[list[int], "UnitSpec"]]:
        """Return words of beats that load registers, and the golden model after them, up to reset.

        Such beats are no part of a dot product; most units have none.
        """
        return []


def parameter_fields(cls: type[UnitSpec]) -> tuple["Field[Any]", ...]:
    """Return the fields of a family that are parameters."""
    internal = {f"{operand}_tensor" for operand in OPERANDS}
    return tuple(one for one in fields(cls) if one.name not in internal)


def check_unit(unit: object) -> None:
    """Refuse what is no unit with InputError."""
    if not isinstance(unit, UnitSpec):
        raise InputError(f"unit={unit!r}: allowed: a unit, as hwsim.units.make returns it")


def pack_fields(columns: Sequence[Codes], bits: Sequence[int]) -> list[int]:
    """Return words of fields, the first lowest; a field is a row of codes, the first lowest.

    Parameters
    ----------
    columns
        Of every field, codes of shape (words, count).
    bits
        Of every field, the width of a code.
    """
    rows = len(columns[0])
    size = sum(codes.shape[1] * width for codes, width in zip(columns, bits, strict=True))
    step = max(1, _CHUNK // max(size, 1))
    words: list[int] = []
    for first in range(0, rows, step):
        part = [codes[first : first + step] for codes in columns]
        flags = [_bits(codes, width) for codes, width in zip(part, bits, strict=True)]
        packed = np.packbits(np.concatenate(flags, axis=1), axis=1, bitorder="little")
        text, width = packed.tobytes(), packed.shape[1]
        words += [int.from_bytes(text[k : k + width], "little") for k in range(0, len(text), width)]
    return words


#: Bits that are packed at once.
_CHUNK = 1 << 24


def _bits(codes: Codes, width: int) -> NDArray[np.bool_]:
    """Return the bits of a row of codes, the first code's lowest bit first."""
    flags = (codes[..., np.newaxis] >> np.arange(width, dtype=codes.dtype)) & 1
    return flags.astype(bool).reshape(len(codes), -1)
