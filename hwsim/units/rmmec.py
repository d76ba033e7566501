"""SIMD multiply-accumulate for FP4 and posits of 4, 8 and 16 bits, after XR-NPE's RMMEC.

RMMEC is reconfigurable mantissa multiplication and exponent circuitry: one multiplier array and
one set of decoders that a ``mode`` in every beat divides into lanes. A word of 16 bits an operand
is four of E2M1 (``fp4``) or posit(4,1) (``posit4``), two of posit(8,0) or one of posit(16,1). These
es are the drafts', not the 2022 standard's 2.

1. *Decode*. A posit padded with zeros on the right is the same number, so the decoder of lane 0
   takes 16, 8 or 4 bits in its upper end; the exponent bit is the only difference. Significands
   come out with the hidden bit on top: 13, 6, 2 (E2M1) and 1 bits (posit(4,1), a power of two).
2. *Multiply*. Significands are digits of two bits. Bricks of 2 x 2 bits multiply every pair of
   digits, and the product is the sum of brick(i, j) * 4**(i + j). A multiply takes 49 bricks in
   posit16, 9 in posit8, 1 in the 4-bit modes. The lanes lie on the diagonal of the array, so that
   with the bricks between two lanes at zero one sum holds the products of all lanes, side by side,
   and no carry passes from one to the next. ``ROWS`` has the rows of every lane.
3. *Align*. The product is shifted by the sum of both scales into the lane's quire.
4. *Accumulate*. Quires are exact: 32 bits a lane, 128 for posit16, in one register whose carries
   are cut for the narrow ones.

The mode may change from beat to beat. The three narrow modes count the same units, 2**-12, so a
dot product may mix them and every quire is still the exact sum of its lane's products. The wide
quire of posit16 lies in the same bits, so a dot product is either posit16 or narrow throughout;
otherwise its result says so (flags ``narrow`` and ``wide``) and is NaN. The next dot product may
follow in any mode without a bubble. Separate registers for both would mix freely and cost another
128 flip-flops; one 128-bit quire for all lanes' sum would mix freely too, but carry every FP4
product through 128 bits, and give one sum where SIMD wants four.

NaR sets the sticky flag ``nan`` of its lane's quire and counts as zero in the sum. Quires wrap
beyond ``safe_beats``.

Published: formats, the 2 x 2 SIMD modes and the gating of idle parts ("dark silicon"); lane
counts, sub-multipliers and quires are this project's. Source: XR-NPE, arXiv:2508.13049, abstract.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from itertools import product
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from hwsim.errors import InputError, unknown
from hwsim.formats.base import Bools, Codes, Float64, Format, Int64, Kind
from hwsim.formats.block import BlockFormat
from hwsim.formats.group import GroupScale
from hwsim.formats.integer import Integer
from hwsim.formats.minifloat import Minifloat, Specials
from hwsim.formats.posit import Posit
from hwsim.units import accumulator, layers
from hwsim.units.base import Timing, UnitSpec
from hwsim.units.configurations import Configurations
from hwsim.units.layer_operands import OPERANDS
from hwsim.units.layers import Matrix, Rows
from hwsim.units.metadata import Metadata
from hwsim.units.naming import plain
from hwsim.units.quire import NARROW_BITS, WIDE_BITS, QuireResult, add_limbs, split_limbs
from hwsim.units.result import Integers
from hwsim.units.stimulus import corner_codes

#: Holds the operands of all lanes of a word.
CONTAINER = Integer(16, signed=False)
WORD = 16
#: Lanes of a word in the 4-bit modes, and narrow quires.
QUIRES = 4
MAX_WORDS = 4
#: Digits of two bits of the widest significand, and so rows and columns of the brick array.
DIGITS = 7


class Mode(StrEnum):
    """What the words of a beat mean."""

    FP4 = "fp4"
    POSIT4 = "posit4"
    POSIT8 = "posit8"
    POSIT16 = "posit16"


class Isolation(StrEnum):
    """What keeps parts that a mode does not use out of the result.

    ``operands``: their operands are 0, so that nothing in them toggles. ``results``: they compute
    something, and their results are masked.
    """

    OPERANDS = "operands"
    RESULTS = "results"


class Scales(NamedTuple):
    """Exponents of the products of a format.

    Attributes
    ----------
    unit
        All products are multiples of 2**unit.
    lowest, highest
        Of the hidden bits' product, between a smallest and a largest operand.
    magnitude_bits
        Width of the largest product in units.
    """

    unit: int
    lowest: int
    highest: int
    magnitude_bits: int


FP4 = Minifloat(exponent=2, mantissa=1, bias=1, specials=Specials.NONE)
POSITS = {Mode.POSIT4: Posit(4, 1), Mode.POSIT8: Posit(8, 0), Mode.POSIT16: Posit(16, 1)}
FORMATS: dict[Mode, Format] = {Mode.FP4: FP4, **POSITS}

#: Rows (and columns) of the brick array by lane, the lowest digit first. The top row of a lane is
#: the same in all modes, so that the hidden bit is, too.
_QUARTERS = ((6,), (2,), (4,), (0,))
ROWS: dict[Mode, tuple[tuple[int, ...], ...]] = {
    Mode.FP4: _QUARTERS,
    Mode.POSIT4: _QUARTERS,
    Mode.POSIT8: ((4, 5, 6), (0, 1, 2)),
    Mode.POSIT16: (tuple(range(DIGITS)),),
}

Brick = tuple[int, int]

#: Bricks between the two lanes of posit8, which only posit16 uses.
SPARE: tuple[Brick, ...] = tuple(
    brick
    for upper, lower in [ROWS[Mode.POSIT8]]
    for brick in (*product(upper, lower), *product(lower, upper))
)


def product_scales(mode: Mode) -> Scales:
    """Return the exponents of the products of two operands of ``mode``."""
    if mode is Mode.FP4:
        # The largest is 6 * 6; subnormals have the scale of the smallest normal value.
        return Scales(2 * FP4.subnormal_exponent, 2 * FP4.min_exponent, 4, 8)
    posit = POSITS[mode]
    top = 2 * ((posit.width - 2) << posit.es)
    return Scales(-top, -top, top, 2 * top + 1)


def known_mode(name: str) -> Mode:
    """Return the mode called ``name``, or raise InputError with the nearest."""
    try:
        return Mode(name)
    except ValueError:
        raise unknown("mode", name, list(Mode)) from None


@dataclass(frozen=True, kw_only=True)
class RmmecUnit(UnitSpec):
    """SIMD dot products of FP4, posit(4,1), posit(8,0) and posit(16,1), exact.

    Parameters
    ----------
    lanes
        Words of 16 bits an operand and beat, 1 to 4. The 4-bit modes have 4 lanes a word, and lane
        k of every word adds to quire k; posit8 and posit16 use the first word only. With 4 words
        the 4-bit modes have 16 lanes, and 16 of the 49 bricks work.
    weight, activation
        The container of a word, uint16; the mode says what is in it. Or the format of the numbers
        of one mode, ``e2m1``, ``posit4_1``, ``posit8_0`` or ``posit16_1``, also in groups, which
        says in what mode layers are computed; the hardware is the same.
    modes
        The modes that the unit has, separated by commas; one with a single mode is a fixed unit,
        with plain multipliers and nothing of the other modes.
    isolation
        An :class:`Isolation`; a unit of a single mode has nothing to isolate.

    Metadata
    --------
    mode
        In every beat, the position of its :class:`Mode` in :attr:`mode_list`; absent in a unit of
        one mode.
    """

    family: ClassVar[str] = "rmmec"
    generator: ClassVar[str] = "rtl.rmmec:Rmmec"

    lanes: int = 1
    weight: Format = CONTAINER
    activation: Format = CONTAINER
    modes: str = ",".join(Mode)
    isolation: Isolation = Isolation.OPERANDS

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 1 <= self.lanes <= MAX_WORDS:
            raise InputError(f"lanes must be 1 to {MAX_WORDS} words of 16 bits, not {self.lanes}")
        for name in ("weight", "activation"):
            fmt = getattr(self, name)
            if fmt != CONTAINER:
                raise InputError(f"{name}={fmt.name}: rmmec holds the operands of a word in uint16")
        names = [known_mode(name.strip()) for name in self.modes.split(",")]
        if len(set(names)) < len(names):
            raise InputError(f"modes={self.modes!r} names a mode twice")
        object.__setattr__(self, "modes", ",".join(mode for mode in Mode if mode in names))
        if self.lanes > 1 and not self.short_modes:
            raise InputError(
                f"lanes={self.lanes} with modes={self.modes!r}: only fp4 and posit4 use more than "
                "one word; allowed: 1"
            )
        if any(map(self.tensor_format, OPERANDS)):
            self.check_layers()

    def _is_tensor_format(self, fmt: object) -> bool:
        return super()._is_tensor_format(fmt) or (
            isinstance(fmt, Format) and fmt in FORMATS.values()
        )

    def _holding(self, operand: str, fmt: Format | BlockFormat) -> dict[str, Any]:
        element = fmt.element if isinstance(fmt, GroupScale) else fmt
        if element not in FORMATS.values():
            names = ", ".join(sorted(one.name for one in FORMATS.values()))
            raise InputError(
                f"{operand}={fmt.name}: rmmec takes numbers of {names}, in groups or without, or "
                "uint16, which is what holds them"
            )
        return {operand: CONTAINER}

    @property
    def layer_mode(self) -> Mode | None:
        """The mode of tensors, if ``weight`` and ``activation`` say what the words hold."""
        elements = [
            fmt.element if isinstance(fmt, BlockFormat) else fmt
            for fmt in (self.weight_tensor, self.activation_tensor)
        ]
        modes = [mode for mode in self.mode_list if elements == [FORMATS[mode]] * 2]
        return modes[0] if modes else None

    def check_layers(self) -> None:
        if self.layer_mode is None:
            allowed = ", ".join(FORMATS[mode].name for mode in self.mode_list)
            given = self._values()
            raise InputError(
                f"weight={plain(given['weight'])} activation={plain(given['activation'])}: rmmec "
                f"computes layers of one of its modes; allowed for both: {allowed}"
            )

    def _plain_rows(self, matrix: Matrix, length: int, fmt: Format) -> Rows:
        mode = self.layer_mode
        assert mode is not None
        codes = layers.split(matrix.rows(), length, self.lane_count(mode), 0)
        return Rows(self.pack_words(codes, mode), layers.part_scales(matrix, length), {})

    def _layer_field(self, field: Metadata, shape: tuple[int, ...]) -> Codes:
        assert self.layer_mode is not None
        position = self.mode_list.index(self.layer_mode)
        return np.full(shape, position, field.format.code_dtype)

    def _result_values(self, codes: Integers) -> Float64:
        # The lanes of a word are parts of one dot product, each in a quire of its own.
        values: Float64 = self.result.decode(codes).sum(axis=-1)
        return values

    def bits_per_element(self, operand: str, group: int | None = None) -> float | None:
        if self.tensor_format(operand) is None:
            return None
        return super().bits_per_element(operand, group)

    @property
    def mode_list(self) -> tuple[Mode, ...]:
        """The modes in the order of the codes of ``mode``."""
        return tuple(Mode(name) for name in self.modes.split(","))

    @property
    def short_modes(self) -> tuple[Mode, ...]:
        """The modes of 4 bits, whose lanes fill every word."""
        return tuple(m for m in self.mode_list if FORMATS[m].bits == WORD // QUIRES)

    @property
    def narrow_modes(self) -> tuple[Mode, ...]:
        """The modes of 32-bit quires."""
        return tuple(mode for mode in self.mode_list if mode is not Mode.POSIT16)

    @property
    def is_wide(self) -> bool:
        """Whether the unit has posit16, and so a 128-bit quire."""
        return Mode.POSIT16 in self.mode_list

    def lane_count(self, mode: Mode) -> int:
        """Products per beat in ``mode``."""
        return len(ROWS[mode]) * (self.lanes if mode in self.short_modes else 1)

    @property
    def all_lanes(self) -> int:
        """Lanes of the mode that has most."""
        return max(self.lane_count(mode) for mode in self.mode_list)

    def modes_of(self, lane: int) -> tuple[Mode, ...]:
        """The modes that have the lane ``lane``."""
        return tuple(mode for mode in self.mode_list if lane < self.lane_count(mode))

    def rows(self, mode: Mode, lane: int) -> tuple[int, ...]:
        """Rows of the brick array that a lane of the first word has, none for other words."""
        return ROWS[mode][lane] if lane < len(ROWS[mode]) else ()

    def row_bricks(self, mode: Mode) -> frozenset[Brick]:
        """The bricks, (row, column), on which ``mode`` multiplies the first word's lanes."""
        lanes = ROWS[mode] if mode in self.mode_list else ()
        return frozenset((i, j) for rows in lanes for i in rows for j in rows)

    def bricks(self, mode: Mode) -> frozenset[Brick]:
        """The bricks that ``mode`` uses."""
        extra = (self.extra_brick(lane) for lane in range(len(ROWS[mode]), self.lane_count(mode)))
        return self.row_bricks(mode).union(extra)

    def extra_brick(self, lane: int) -> Brick:
        """The brick of a lane of the words after the first.

        It is one that only posit16 uses; without posit16, one of its own beside the array.
        """
        return SPARE[lane - QUIRES] if self.is_wide else (DIGITS + lane, DIGITS + lane)

    @property
    def all_bricks(self) -> frozenset[Brick]:
        """The bricks that any mode uses."""
        return frozenset().union(*(self.bricks(mode) for mode in self.mode_list))

    @property
    def exponent(self) -> int:
        """The narrow quires count multiples of 2**exponent, in all modes; 0 if there are none."""
        return min((product_scales(mode).unit for mode in self.narrow_modes), default=0)

    def quire_exponent(self, mode: Mode) -> int:
        """The exponent of the unit of the quire of ``mode``."""
        return product_scales(mode).unit if mode is Mode.POSIT16 else self.exponent

    @property
    def quires(self) -> int:
        """Narrow quires."""
        return max((len(ROWS[mode]) for mode in self.narrow_modes), default=0)

    @property
    def nan_flags(self) -> int:
        """Quires that NaR can meet."""
        return max((len(ROWS[mode]) for mode in self.mode_list if mode in POSITS), default=0)

    @property
    def result(self) -> QuireResult:
        wide = self.quire_exponent(Mode.POSIT16) if self.is_wide else None
        return QuireResult(self.quires, self.exponent, wide, self.nan_flags)

    @property
    def safe_beats(self) -> int:
        beats = []
        for mode in self.mode_list:
            scales = product_scales(mode)
            width = WIDE_BITS if mode is Mode.POSIT16 else NARROW_BITS
            largest = 36 if mode is Mode.FP4 else 1 << scales.highest
            units = largest << -self.quire_exponent(mode)
            products = self.lane_count(mode) // len(ROWS[mode])
            beats.append(accumulator.safe_beats(width, products * units))
        return min(beats)

    def _timing(self) -> Timing:
        return Timing(latency=1, interval=1)

    @property
    def metadata(self) -> tuple[Metadata, ...]:
        count = len(self.mode_list)
        if count == 1:
            return ()
        bits = (count - 1).bit_length()
        return (Metadata("mode", Integer(bits, signed=False), highest=count - 1),)

    @property
    def macs_per_beat(self) -> int:
        """Multiply-accumulates per beat in the mode that has the fewest lanes."""
        return min(self.lane_count(mode) for mode in self.mode_list)

    def mean_macs_per_beat(self, metadata: Mapping[str, Codes]) -> float:
        lanes = np.array([self.lane_count(mode) for mode in self.mode_list])
        return float(lanes[metadata["mode"]].mean()) if len(lanes) > 1 else float(lanes[0])

    def pack_words(self, codes: ArrayLike, mode: str) -> Codes:
        """Return the words that hold operands of ``mode``, for :meth:`dot`.

        Parameters
        ----------
        codes
            Codes of the mode's format, shape (..., beats * lane_count(mode)), lane 0 first.

        Returns
        -------
        numpy.ndarray
            uint16 of shape (..., beats * lanes); words that the mode does not use are 0.
        """
        chosen = known_mode(mode)
        if chosen not in self.mode_list:
            raise InputError(f"mode={mode}: the unit has modes={self.modes!r}")
        fmt, count, per_word = FORMATS[chosen], self.lane_count(chosen), len(ROWS[chosen])
        array = fmt.check_codes(codes)
        if array.ndim == 0 or array.shape[-1] == 0 or array.shape[-1] % count:
            raise InputError(
                f"the last axis of codes must be a positive multiple of {count} lanes, "
                f"not {array.shape}"
            )
        lanes = array.astype(np.int64).reshape(*array.shape[:-1], -1, count // per_word, per_word)
        words = (lanes << (fmt.bits * np.arange(per_word))).sum(axis=-1)
        padded = np.zeros((*words.shape[:-1], self.lanes), CONTAINER.code_dtype)
        padded[..., : words.shape[-1]] = words
        return padded.reshape(*array.shape[:-1], -1)

    @property
    def values_per_beat(self) -> tuple[int, int]:
        return self.all_lanes, self.all_lanes

    def encode_operands(
        self,
        activations: Float64,
        weights: Float64,
        metadata: Mapping[str, Codes],
        encode: Callable[[Format, Float64], Codes],
    ) -> tuple[Codes, Codes]:
        modes = self._modes(metadata, (len(activations), activations.shape[1] // self.all_lanes))
        a, w = (self._encode_words(x, modes, encode) for x in (activations, weights))
        return a, w

    def _encode_words(
        self, values: Float64, modes: Codes, encode: Callable[[Format, Float64], Codes]
    ) -> Codes:
        lanes = values.reshape(*modes.shape, self.all_lanes)
        words = np.zeros((*modes.shape, self.lanes), CONTAINER.code_dtype)
        for position, mode in enumerate(self.mode_list):
            own = lanes[..., : self.lane_count(mode)].reshape(len(values), -1)
            packed = self.pack_words(encode(FORMATS[mode], own), mode).reshape(words.shape)
            words = np.where((modes == position)[..., np.newaxis], packed, words)
        return words.reshape(len(values), -1)

    def _modes(self, metadata: Mapping[str, Codes], shape: tuple[int, ...]) -> Codes:
        """Return the position of every beat's mode."""
        return metadata.get("mode", np.zeros(shape, np.uint8))

    def _dot(self, activations: Codes, weights: Codes, metadata: Mapping[str, Codes]) -> Integers:
        shape = (*activations.shape[:-1], -1, self.lanes)
        a, w = activations.reshape(shape), weights.reshape(shape)
        modes = self._modes(metadata, a.shape[:-1])
        count = self.result.register_bits // NARROW_BITS
        narrow = np.zeros((*a.shape[:-1], count), np.int64)
        wide = np.zeros((*a.shape[:-1], count), np.int64)
        nan = np.zeros((*a.shape[:-1], self.nan_flags), bool)
        for position, mode in enumerate(self.mode_list):
            chosen = modes == position
            terms, not_real = self._terms(mode, a[chosen], w[chosen])
            if mode is Mode.POSIT16:
                wide[chosen] = split_limbs(terms[..., 0], count)
            else:
                narrow[chosen, : terms.shape[-1]] = terms.astype(np.int64)
            nan[chosen, : not_real.shape[-1]] = not_real[..., : self.nan_flags]

        is_wide: Bools = np.array([mode is Mode.POSIT16 for mode in self.mode_list])[modes]
        limbs = np.zeros((*a.shape[:-2], count), np.int64)
        for beat in range(a.shape[-2]):
            cut = (limbs + narrow[..., beat, :]) & ((1 << NARROW_BITS) - 1)
            carried = add_limbs(limbs, wide[..., beat, :])
            limbs = np.where(is_wide[..., beat, np.newaxis], carried, cut)
        used = np.stack([~is_wide, is_wide], axis=-1).max(axis=-2)
        return self.result.pack(limbs, nan.max(axis=-2), used)

    def _terms(self, mode: Mode, a: Codes, w: Codes) -> tuple[Integers, Bools]:
        """Return what beats of one mode add to each quire, in its units, and whether NaR met it.

        ``a`` and ``w`` have the shape (beats, words), the results (beats, lanes of a word).
        """
        left, right = (FORMATS[mode].unpack(self._lane_codes(mode, words)) for words in (a, w))
        significand = left.significand * right.significand
        signed = np.where(left.sign ^ right.sign, -significand, significand)
        shift: Int64 = left.exponent + right.exponent - self.quire_exponent(mode)
        dtype = object if mode is Mode.POSIT16 else np.int64
        terms = signed.astype(dtype) << np.where(significand, shift, 0).astype(dtype)
        nan = (left.kind == Kind.NAN) | (right.kind == Kind.NAN)
        return terms.sum(axis=-2), nan.any(axis=-2)

    def _lane_codes(self, mode: Mode, words: Codes) -> Codes:
        """Return the codes of the lanes of all words that ``mode`` uses, (..., words, lanes)."""
        fmt, per_word = FORMATS[mode], len(ROWS[mode])
        used = words[..., : self.lane_count(mode) // per_word, np.newaxis].astype(np.int64)
        lanes = used >> (fmt.bits * np.arange(per_word)) & ((1 << fmt.bits) - 1)
        return lanes.astype(fmt.code_dtype)

    def special_codes(self, operand: str) -> tuple[int, ...]:
        found = set()
        for mode, fmt in FORMATS.items():
            lanes = len(ROWS[mode])
            every = sum(1 << (k * WORD // lanes) for k in range(lanes))
            found |= {int(code) * every for code in corner_codes(fmt)}
        return tuple(sorted(found))

    configurations: ClassVar[Configurations] = (
        {},
        {"isolation": "results"},
        {"lanes": 4, "modes": "fp4,posit16"},
        {"lanes": 2, "modes": "posit4,posit8", "isolation": "results"},
        {"lanes": 3, "modes": "fp4"},
        {"modes": "posit4,posit16"},
        {"modes": "fp4"},
        {"modes": "posit8"},
        {"modes": "posit16"},
    )  # fmt: skip
    fitting: ClassVar[Configurations] = (
        {"lanes": 1, "modes": "fp4"},
        {"lanes": 2, "modes": "fp4"},
        {"lanes": 1, "modes": "posit8"},
        {"lanes": 1, "modes": "posit4"},
        {"lanes": 2, "modes": "posit4"},
    )  # fmt: skip
