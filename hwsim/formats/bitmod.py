"""BitMoD: 3- or 4-bit floats whose redundant -0 is a special value per group, ``bitmod4``.

A sign-magnitude float has two zeros. BitMoD gives the code of -0 to a value that the group needs
more, and a 2-bit selector per group picks it from four:

========  ============================  ========  =========  =======
name      basic values                  ER        EA         largest
========  ============================  ========  =========  =======
bitmod3   0, 1, 2, 4 and negatives      +3 or -3  +6 or -6   4, EA 6
bitmod4   0, .5, 1, 1.5, 2, 3, 4, 6     +5 or -5  +8 or -8   6, EA 8
========  ============================  ========  =========  =======

ER (extra resolution) fills a gap, EA (extra asymmetry) widens one side. The quantiser tries all
four and keeps the one of least squared error, so the hardware pays for a four-entry register file
and a comparison with -0, and each weight is still at most two signed powers of two.

Elements are rounded to the nearest level; a tie goes to the lower level, whatever its sign, as in
the original. That rule belongs to the data type, so no other rounding can be asked for.

Source: Chen et al., BitMoD, HPCA 2025, arXiv 2411.11745, section III and table IV; selectors and
search order as in the authors' artifact.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from functools import reduce
from typing import ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from hwsim.errors import InputError, unknown
from hwsim.formats import fast
from hwsim.formats.arithmetic import (
    CHUNK,
    encode_scale,
    exact_quotient,
    largest_magnitude,
    power_scaled,
)
from hwsim.formats.base import Bools, Codes, Float64, Format, Int64, Rounding, Stochastic
from hwsim.formats.block import (
    BlockFormat,
    Blocks,
    Encoded,
    QuantizedTensor,
    encode_chunks,
)
from hwsim.formats.minifloat import NAMED, Minifloat, Specials

NAMES = ("bitmod3", "bitmod4")
#: Group size of the paper.
SIZE = 128

#: Special values by selector: ER+, ER-, EA+, EA-. This is also the search order.
SPECIALS = {3: (3.0, -3.0, 6.0, -6.0), 4: (5.0, -5.0, 8.0, -8.0)}
#: The artifact's grid is twice the one here for 4 bits. It matters where its scale is clamped.
ARTIFACT_UNIT = {3: 1.0, 4: 2.0}
ARTIFACT_SCALES = (np.float16(1e-5), np.float16(1e4))
#: The artifact takes no candidate whose error is not below this.
ARTIFACT_WORST = 1000.0

#: Errors that differ by less are compared again in exact arithmetic.
_NEAR = 1 + 1e-12


class Selection(StrEnum):
    """How the errors of the four candidates are computed; see :class:`BitMod`."""

    ERROR = "error"
    FP16 = "fp16"


class Candidates(NamedTuple):
    """The four value sets of a group, one row each, in ascending order of the values."""

    levels: Float64
    midpoints: Float64
    codes: NDArray[np.uint8]
    largest: Float64


@dataclass(frozen=True)
class BitMod(BlockFormat):
    """Groups of 3- or 4-bit floats with a special value each.

    ``metadata["selectors"]`` holds the selector of each group: 0 ER+, 1 ER-, 2 EA+, 3 EA-. Equal
    errors go to the first. NaN and infinity are refused.

    Parameters
    ----------
    bits
        3 or 4.
    size
        Group size, at least 1.
    selection
        ``error``: scale = amax / largest value, rounded to ``scale``; levels and squared errors are
        those of real arithmetic, with no rounding but the scale's. ``fp16``: the artifact's
        arithmetic bit for bit, every step rounded to fp16, scales clamped to 1e-5..1e4 (in its
        units), values rounded to fp16. There, numbers beyond fp16 become infinite, and a group
        whose errors all reach 1000 has selector 0, scale 0 and is all zeros.
    scale
        Format of the group scale; fp16 if ``selection`` is.
    partial
        ``error`` or ``pad``, as for a group scale.
    """

    OPTIONS: ClassVar[tuple[str, ...]] = ("selection", "scale", "partial")

    bits: int
    size: int = SIZE
    selection: str = Selection.ERROR
    scale: Format = NAMED["fp16"]
    partial: str = "error"

    def __post_init__(self) -> None:
        self._check_fields()
        if self.bits not in SPECIALS:
            raise InputError(f"bits of BitMoD must be 3 or 4, not {self.bits}")
        try:
            object.__setattr__(self, "selection", Selection(self.selection))
        except ValueError:
            raise unknown("selection", str(self.selection), list(Selection)) from None
        if self.selection is Selection.FP16 and self.scale != NAMED["fp16"]:
            raise InputError(f"selection='fp16' needs scale='fp16', not {self.scale.name}")

    @property
    def element(self) -> Minifloat:
        """The basic float; its code of -0 stands for the special value."""
        return Minifloat(2, self.bits - 3, 1, Specials.NONE)

    @property
    def base_name(self) -> str:
        return f"bitmod{self.bits}" if self.size == SIZE else f"bitmod{self.bits}_g{self.size}"

    @property
    def family(self) -> str:
        return "bitmod"

    @property
    def metadata_bits(self) -> dict[str, int]:
        return {"selectors": 2}

    @property
    def candidates(self) -> Candidates:
        """The value sets in ascending order, the codes of their values, and their midpoints."""
        special_code = self.element.sign_code
        codes = np.arange(2**self.bits, dtype=np.uint8)
        rows = []
        for special in SPECIALS[self.bits]:
            values = np.where(codes == special_code, special, self.element.decode(codes))
            order = np.argsort(values)
            rows.append((values[order], codes[order]))
        levels = np.array([values for values, _ in rows])
        return Candidates(
            levels=levels,
            midpoints=(levels[:, 1:] + levels[:, :-1]) / 2,
            codes=np.array([ordered for _, ordered in rows]),
            largest=np.abs(levels).max(axis=1),
        )

    def decode(self, tensor: QuantizedTensor) -> Float64:
        values = self.element.decode(tensor.codes)
        special = np.array(SPECIALS[self.bits])[tensor.metadata["selectors"]]
        is_special = tensor.codes == self.element.sign_code
        np.copyto(values, special[..., np.newaxis], where=is_special)
        values *= self.scale.decode(tensor.scales)[..., np.newaxis]
        if self.selection is Selection.FP16:
            return values.astype(np.float16).astype(np.float64)
        return values

    def _encode(self, blocks: Blocks, rounding: Rounding | Stochastic) -> Encoded:
        if rounding is not Rounding.NEAREST_EVEN:
            raise InputError(
                f"rounding of {self.name} must be 'nearest_even', which here is to the nearest "
                f"level and to the lower one of two, not {rounding!r}"
            )
        self._check_finite(blocks)
        compiled = fast.pays(blocks.size)
        if self.selection is Selection.FP16:
            encode = self._encode_fp16_compiled if compiled else self._encode_fp16
            return encode_chunks(encode, blocks, rounding)
        if compiled:
            return self._encode_compiled(blocks)
        return encode_chunks(self._encode_exact, blocks, rounding)

    def scales_of(self, largest: Float64) -> Codes:
        """Return the scale codes of the four candidates, shape (n, 4)."""
        candidates = self.candidates
        # ER+ and ER- have one largest value, and so do EA+ and EA-.
        pair = [
            encode_scale(self.scale, exact_quotient(largest, np.array(candidates.largest[row])))
            for row in (0, 2)
        ]
        return np.stack([pair[0], pair[0], pair[1], pair[1]], axis=-1)

    def _encode_exact(self, groups: Float64) -> Encoded:
        candidates = self.candidates
        scales = self.scales_of(largest_magnitude(groups))
        steps = self.scale.decode(scales)
        errors = np.empty(steps.shape)
        numbers, powers, near_steps = _near_one(groups, steps, largest_magnitude(groups))
        near_one = numbers * powers[:, np.newaxis]
        for row in range(4):
            values = candidates.levels[row][_nearest(groups, steps[:, row], candidates, row)]
            values *= near_steps[:, row, np.newaxis]
            errors[:, row] = np.square(near_one - values).sum(axis=-1)
        selectors = self.select(groups, steps, errors)
        codes = np.empty(groups.shape, np.uint8)
        for row in range(4):
            chosen = selectors == row
            index = _nearest(groups[chosen], steps[chosen, row], candidates, row)
            codes[chosen] = candidates.codes[row][index]
        chosen_scales = np.take_along_axis(scales, selectors[:, np.newaxis], axis=-1)[:, 0]
        return Encoded(codes, chosen_scales, {"selectors": selectors.astype(np.uint8)})

    def _encode_compiled(self, blocks: Blocks) -> Encoded:
        from hwsim.formats import kernels

        outer = blocks.shape[:-1]
        # numba has no float16.
        wide = np.dtype(np.float64 if blocks.dtype.itemsize == 8 else np.float32)
        groups: Blocks = np.ascontiguousarray(blocks, wide).reshape(-1, self.size)
        candidates = self.candidates
        largest = largest_magnitude(groups)
        scales = self.scales_of(largest)
        steps = self.scale.decode(scales)
        errors, used = np.empty(steps.shape), np.empty((len(steps), 2), bool)
        kernels.bitmod_errors(
            *_near_one(groups, steps, largest),
            self._magnitudes,
            np.array(SPECIALS[self.bits]),
            errors,
            used,
        )
        selectors = self.select(groups, steps, errors, used & (largest > 0)[:, np.newaxis])
        codes = np.empty(groups.shape, np.uint8)
        # Of 3 bits, there are seven midpoints.
        missing = [(0, 0), (0, 15 - candidates.midpoints.shape[1])]
        midpoints = np.pad(candidates.midpoints, missing, constant_values=np.inf)
        kernels.bitmod_codes(groups, steps, selectors, midpoints, candidates.codes, codes)
        chosen_scales = np.take_along_axis(scales, selectors[:, np.newaxis], axis=-1)[:, 0]
        return Encoded(
            codes.reshape(blocks.shape),
            chosen_scales.reshape(outer),
            {"selectors": selectors.astype(np.uint8).reshape(outer)},
        )

    @property
    def _magnitudes(self) -> Float64:
        """The basic values from 0 up; those of 3 bits, the largest repeated."""
        basic = self.element.decode(np.arange(self.element.sign_code))
        return np.pad(basic, (0, 8 - basic.size), mode="edge")

    def select(
        self, groups: Blocks, steps: Float64, errors: Float64, used: Bools | None = None
    ) -> Int64:
        """Return the first candidate of least error, in exact arithmetic where it is close.

        Two candidates of one scale that do not use their special values are equal; ``used`` says,
        shape (n, 2), in which groups and pairs they may be.
        """
        selectors = errors.argmin(axis=-1)
        least = reduce(np.minimum, errors.T)
        near = errors <= least[:, np.newaxis] * _NEAR
        first, second, third, fourth = near.T
        doubt = np.ones((2, 1), bool) if used is None else used.T
        same_scale = (first & second & doubt[0]) | (third & fourth & doubt[1])
        doubtful = same_scale | ((first | second) & (third | fourth))
        close = np.flatnonzero(doubtful)
        step = max(1, CHUNK // self.size)
        for start in range(0, len(close), step):
            part = close[start : start + step]
            selectors[part] = self._select_exactly(
                groups[part].astype(np.float64), steps[part], near[part]
            )
        return selectors

    def _select_exactly(self, groups: Float64, steps: Float64, near: Bools) -> Int64:
        values = np.empty((4, *groups.shape))
        for row in range(4):
            index = _nearest(groups, steps[:, row], self.candidates, row)
            values[row] = self.candidates.levels[row][index] * steps[:, row, np.newaxis]
        first = near.argmax(axis=-1)
        reference = values[first, np.arange(len(groups))]
        # Candidates that give the same values, as without a use for the special one, are equal.
        same = (values == reference).all(axis=-1).T | ~near
        for group in np.flatnonzero(~same.all(axis=-1)):
            rows = np.flatnonzero(near[group])
            errors = [_exact_error(groups[group], values[row, group]) for row in rows]
            first[group] = rows[errors.index(min(errors))]
        return first

    def _encode_fp16(self, groups: Float64) -> Encoded:
        """Encode with the artifact's arithmetic: numpy rounds each fp16 operation correctly."""
        unit = ARTIFACT_UNIT[self.bits]
        candidates = self.candidates
        best = np.full(len(groups), ARTIFACT_WORST)
        selectors = np.zeros(len(groups), np.uint8)
        scales = np.zeros(len(groups))
        codes = np.zeros(groups.shape, np.uint8)
        with np.errstate(over="ignore", under="ignore", invalid="ignore"):
            weights = groups.astype(np.float16)
            largest = np.abs(weights).max(axis=-1)
            for row in range(4):
                scale = largest / np.float16(candidates.largest[row] * unit)
                scale = np.clip(scale, *ARTIFACT_SCALES)
                quotients = weights / scale[:, np.newaxis]
                index = np.searchsorted(
                    candidates.midpoints[row] * unit, quotients.astype(np.float64), side="left"
                )
                levels = (candidates.levels[row] * unit).astype(np.float16)
                error = levels[index] * scale[:, np.newaxis] - weights
                # The sum of fp16 squares is exact in float64; the artifact's is fp32.
                total = np.square(error).sum(axis=-1, dtype=np.float64).astype(np.float32)
                mean = (total / np.float32(self.size)).astype(np.float16)
                better = mean.astype(np.float64) < best
                best = np.where(better, mean, best)
                selectors[better] = row
                scales[better] = scale[better] * np.float64(unit)
                codes[better] = candidates.codes[row][index[better]]
        return Encoded(codes, self.scale.encode(scales), {"selectors": selectors})

    def _encode_fp16_compiled(self, groups: Float64) -> Encoded:
        from hwsim.formats import kernels

        unit = ARTIFACT_UNIT[self.bits]
        candidates = self.candidates
        with np.errstate(over="ignore", under="ignore"):
            weights = groups.astype(np.float16).astype(np.float32)
        selectors = np.empty(len(groups), np.uint8)
        scales = np.empty(len(groups))
        codes = np.empty(groups.shape, np.uint8)
        kernels.bitmod_fp16(
            weights,
            (candidates.levels * unit).astype(np.float32),
            (candidates.midpoints * unit).astype(np.float32),
            candidates.codes,
            np.array(ARTIFACT_SCALES, np.float32),
            np.float32(ARTIFACT_WORST),
            selectors,
            scales,
            codes,
        )
        return Encoded(codes, self.scale.encode(scales * unit), {"selectors": selectors})


def _near_one(groups: Blocks, steps: Float64, largest: Float64) -> tuple[Blocks, Float64, Float64]:
    """Return groups, powers of two that bring them near 1, and their steps times these.

    So squares are in range.
    """
    exponents = np.frexp(largest)[1]
    scaled = power_scaled(steps, -exponents[:, np.newaxis])
    if np.abs(exponents).max(initial=0) < 1000:
        return groups, np.ldexp(1.0, -exponents), scaled
    near = power_scaled(groups.astype(np.float64), -exponents[:, np.newaxis])
    return near, np.ones(len(groups)), scaled


def _nearest(groups: Float64, steps: Float64, candidates: Candidates, row: int) -> Int64:
    """Return the index of the nearest level of each element, the lower one of two.

    A midpoint has at most 5 bits and a step 24, so that their product is exact.
    """
    index = np.zeros(groups.shape, np.int64)
    for midpoint in candidates.midpoints[row]:
        index += groups > (midpoint * steps)[:, np.newaxis]
    return index


def _exact_error(group: Float64, values: Float64) -> Fraction:
    return sum(
        ((Fraction(x) - Fraction(y)) ** 2 for x, y in zip(group, values, strict=True)), Fraction()
    )


def parse(name: str, parse_scalar: Callable[[str], Format]) -> BlockFormat | None:
    """Return ``bitmod3``, ``bitmod4`` or ``bitmod<bits>_g<size>``, or None."""
    match = re.fullmatch(r"bitmod(\d+)(?:_g(\d+))?", name)
    return BitMod(int(match[1]), int(match[2] or SIZE)) if match else None
