r"""Floating-point dot products, by how they accumulate: exactly, rounded, or aligned and truncated.

``exact``
    Kulisch accumulation. The significands are multiplied, the product is shifted to its place in
    one wide fixed-point number, and the lanes are summed as integers: nothing is ever rounded and
    the order does not matter. The price is width: the sum spans every exponent that a product can
    have, 2**exponent bits of each operand, so formats with few exponent bits (E2M1, E2M3) are
    cheap and bf16 is far out of reach.
``rounded``
    A fused multiply-add a lane, one after another in lane order, in the format ``accumulator``:
    :mod:`hwsim.units.rounded_sum`. Cost: a wide alignment and a normalisation shifter a lane.
``aligned13`` and other widths
    All products of a beat and the accumulator are aligned to the largest exponent among them, cut
    off some bits below it, and summed once. One narrow shifter a lane, one normaliser a beat: the
    cheap way to many lanes, and the reason why tensor cores do not add as IEEE 754 does. How:

    1. A product's exponent is the sum of its operands' exponents, and it is not normalised: its
       significand is in [0, 4). A subnormal has the exponent of the smallest normal number and a
       significand below 1. E is the largest exponent of the products and the accumulator that are
       not zero.
    2. Every product and the accumulator is truncated toward zero in magnitude (sign and
       magnitude, not two's complement) to a multiple of 2**(E - F), F = 13 for ``aligned13``.
    3. These are added exactly, with as many carry bits as that takes.
    4. The sum is rounded to ``fraction_bits`` bits of fraction below its own leading one (fewer
       if it is subnormal in the accumulator's format), toward zero by default. A sum of zero,
       also after truncation, is +0. It is the next beat's accumulator; the first one's is +0.

``product_aligned13`` and other widths
    The products of a beat are aligned among themselves, and their sum goes to the accumulator with
    one rounding. Only that addition, a fused one with its window, waits for the sum before it,
    where ``aligned13`` waits from its alignment on: registers can take all else out of the loop.
    In one stage the addition comes on top of the alignment, which is slow. How:

    1. E is the largest exponent of the products that are not zero; the accumulator does not count.
       Exponents are those of ``aligned13``.
    2. Every product is truncated toward zero in magnitude to a multiple of 2**(E - F).
    3. These are added exactly. A sum of zero is +0.
    4. This sum and the accumulator, of which nothing is cut off, are added and rounded once to
       ``fraction_bits`` bits of fraction, by default all of the accumulator's, to nearest even by
       default. Signs of zero follow IEEE 754 (section 6.3).

The aligned sum is the published model of the FP8 tensor cores of one vendor. With fp32 as
accumulator and the default of ``fraction_bits``, the products a step, F, and the result's fraction
bits are

===================================  =====  ============  =============
core, operands                       lanes  accumulation  fraction bits
===================================  =====  ============  =============
Ada (L40S, RTX 4060), FP8            16     aligned13     13
Hopper (H100 wgmma), FP8             32     aligned13     13
Ampere, Ada, fp16                    8      aligned24     23
Hopper, fp16                         16     aligned25     23
===================================  =====  ============  =============

A result "E8M13" is an fp32 code whose 10 low bits are 0. The two sources agree on this, and
differ where FP8 products, which are multiples of 2**-32, cannot lead starting from +0. The zeros'
exponent: mmaemu leaves them out and raises E to at least -132, MMA-Sim counts them with -126 plus
the other operand's exponent; here they are left out, and nothing raises E. A subnormal fp32
accumulator: mmaemu counts it with the exponent of its leading one, MMA-Sim with -126; here -126.
MMA-Sim rounds an fp16 accumulator to nearest even: ``accumulator=fp16 rounding=nearest_even``. The
vendor's NaN is 0x7FFFFFFF; here NaN is the accumulator format's canonical NaN.

Products aligned among themselves before the accumulator comes in are what MMA-Sim finds in the
matrix cores of another vendor (CDNA3). These then align both once more and round them down at the
bits that are lost, which one addition with a correct rounding does not.

NaN and infinity: an exact sum has sticky flags, ``nan`` for a NaN operand or 0 x infinity, and the
two infinities each their own, so both set means NaN too; a unit has only the flags that its
formats can raise. The others deliver NaN and infinity as codes of the accumulator's format, NaN in
the place of infinity where it has none.

Sources: Kulisch, Computer Arithmetic and Validity, 2nd ed., 2013, chapter 8 (exact). Fasi et al.,
Numerical behavior of NVIDIA tensor cores, PeerJ CS 7:e330, 2021; Khattak and Mikaitis, Accurate
Models of NVIDIA Tensor Cores, ACM TACO 23(3), 2026, arXiv:2512.07004, and the package mmaemu 0.1.0,
measured on H100 and RTX 4060; microsoft/MMA-Sim, truncated fused dot-product-add (aligned), and
truncated-rounded fused dot-product-add, ``tr_fdpa`` (products aligned among themselves).
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import partial
from typing import Any, ClassVar

import numpy as np

from hwsim.errors import InputError, check_known
from hwsim.formats.base import Codes, Format, Int64, Unpacked
from hwsim.formats.fields import CHOICES
from hwsim.formats.minifloat import NAMED, Minifloat, Specials
from hwsim.units import aligned, rounding
from hwsim.units.configurations import Configurations, dots
from hwsim.units.exact_sum import MINIFLOATS, ExactSum
from hwsim.units.result import Integers, Result, RoundedResult
from hwsim.units.rounded_sum import RoundedSum
from hwsim.units.rounding import Subnormals, SumRounding

#: Fraction bits of an aligned sum; with 1024 lanes it is still exact in float64.
MAX_ALIGNED = 40
#: Products and sums between these powers of two are exact in float64.
FLOAT64_EXPONENTS = range(-1020, 1020)

EXACT = "exact"
ROUNDED = "rounded"
ALIGNED = "aligned"
PRODUCT_ALIGNED = "product_aligned"
_ALIGNED = re.compile(r"(aligned|product_aligned)(\d+)")


class SpecialOperands(StrEnum):
    """Whether operands can be NaN or infinite.

    ``propagate``: they can, and so is the result then. ``exclude``: such codes must not occur, and
    there is no hardware for them. If one does, it counts as the finite number that it would be in
    a format without special codes: 0x7F of E4M3 as 480, 0x7C of E5M2 as 65536.
    """

    PROPAGATE = "propagate"
    EXCLUDE = "exclude"


def _listed(names: Sequence[str]) -> str:
    """Return names in words."""
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))


@dataclass(frozen=True, kw_only=True)
class FloatUnit(ExactSum, RoundedSum):
    """Dot product of minifloats.

    Parameters
    ----------
    lanes
        See :class:`~hwsim.units.base.UnitSpec`.
    weight, activation
        See :class:`~hwsim.units.base.UnitSpec`; both formats are minifloats, signed or unsigned.
    accumulator_bits
        See :class:`~hwsim.units.exact_sum.ExactSum`; only exact sums have it.
    adders, state
        See :class:`~hwsim.units.exact_sum.ExactSum`; only exact sums are merged.
    accumulation
        ``exact``, ``rounded``, or ``alignedF`` or ``product_alignedF`` with F from 0 to 40. The
        default is ``rounded`` if an ``accumulator`` is given, else ``exact``.
    accumulator
        Format that a sum that is not exact has from step to step, and its result: a signed
        minifloat that has NaN; fp32 by default.
    fraction_bits
        Fraction bits that are kept of an aligned or product-aligned sum, at least 1, at most those
        of the accumulator, the others being 0. By default F, or the most and least that is
        allowed; of a product-aligned sum, those of the accumulator.
    rounding
        Of a sum that is not exact, by default ``nearest_even``; of an aligned one ``toward_zero``.
    interleaved_sums
        See :class:`~hwsim.units.rounded_sum.RoundedSum`. Partial sums of an aligned or
        product-aligned sum are added up with a rounding each, too. An exact sum has one.
    subnormals
        See :class:`~hwsim.units.rounding.Subnormals`. An exact sum has none.
    specials
        See :class:`SpecialOperands`.
    """

    family: ClassVar[str] = "float"
    generator: ClassVar[str] = "rtl.float_mac:Float"
    format_class: ClassVar[type[Format]] = Minifloat
    takes: ClassVar[str] = MINIFLOATS

    accumulation: str | None = None
    accumulator: Format | None = None
    fraction_bits: int | None = None
    rounding: SumRounding | None = field(
        default=None, metadata={CHOICES: (SumRounding.NEAREST_EVEN, SumRounding.TOWARD_ZERO)}
    )
    subnormals: Subnormals = Subnormals.KEEP
    specials: SpecialOperands = SpecialOperands.PROPAGATE

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.accumulation is None:
            object.__setattr__(self, "accumulation", self.kind)
        self._check_unused()
        for key in ("accumulator", "fraction_bits", "rounding"):
            if getattr(self, key) is None:
                object.__setattr__(self, key, self._default(key))
        if self.kind != EXACT:
            self._check_rounded()

    @property
    def kind(self) -> str:
        """How products are added up: ``exact``, ``rounded``, ``aligned`` or ``product_aligned``.

        Raises
        ------
        InputError
            For an accumulation that is none of these.
        """
        if self.accumulation is None:
            return EXACT if self.accumulator is None else ROUNDED
        if (alignment := self._alignment) is not None:
            return alignment[0]
        known = [EXACT, ROUNDED, f"{ALIGNED}13", f"{PRODUCT_ALIGNED}13"]
        check_known("accumulation", self.accumulation, known)
        return self.accumulation

    @property
    def has_exact_accumulator(self) -> bool:
        return self.kind == EXACT

    def _check_unused(self) -> None:
        """Refuse parameters that mean nothing for this accumulation."""
        parts = {
            "accumulator_bits": (EXACT,),
            "accumulator": (ROUNDED, ALIGNED, PRODUCT_ALIGNED),
            "rounding": (ROUNDED, ALIGNED, PRODUCT_ALIGNED),
            "fraction_bits": (ALIGNED, PRODUCT_ALIGNED),
        }
        if self.interleaved_sums > 1 and self.kind == EXACT:
            raise InputError(
                f"interleaved_sums={self.interleaved_sums}: only accumulation=rounded, aligned "
                "and product_aligned have several sums, not exact"
            )
        for key, kinds in parts.items():
            value = getattr(self, key)
            if value is not None and self.kind not in kinds:
                raise InputError(
                    f"{key}={value}: only accumulation={_listed(kinds)} has any, "
                    f"not {self.accumulation}"
                )

    def _check_rounded(self) -> None:
        fmt = self.sum_format
        bits = self.fraction_bits
        if bits is not None and bits != fmt.mantissa:
            if fmt.specials is not Specials.IEEE:
                raise InputError(
                    f"fraction_bits={bits}: accumulator={fmt.name} must keep all its "
                    f"{fmt.mantissa}; fewer need a format with the special codes of IEEE 754"
                )
            if not 1 <= bits <= fmt.mantissa:
                raise InputError(f"fraction_bits must be 1 to {fmt.mantissa}, not {bits}")
        lowest = sum(f.subnormal_exponent for f in self.operand_formats())
        highest = lowest + self.product_bits + self.lanes.bit_length()
        if lowest - MAX_ALIGNED not in FLOAT64_EXPONENTS or highest not in FLOAT64_EXPONENTS:
            raise InputError(
                f"weight={self.weight.name}: products with {self.activation.name} leave the "
                "range of the golden model; allowed: 2**-980 to 2**1020"
            )

    def _default(self, key: str) -> Any:
        bits = self.aligned_bits
        if key == "accumulation":
            return EXACT
        if key == "rounding" and self.kind != EXACT:
            cut = self.kind == ALIGNED
            return SumRounding.TOWARD_ZERO if cut else SumRounding.NEAREST_EVEN
        if key == "accumulator" and self.kind != EXACT:
            return NAMED["fp32"]
        if key == "fraction_bits" and bits is not None:
            fmt = self.sum_format
            if self.kind == PRODUCT_ALIGNED:
                return fmt.mantissa
            few = max(1, min(bits, fmt.mantissa))
            return few if fmt.specials is Specials.IEEE else fmt.mantissa
        return super()._default(key)

    @property
    def aligned_bits(self) -> int | None:
        """Fraction bits of the aligned terms below the largest exponent, F; None if there is none.

        Raises
        ------
        InputError
            If there are more than 40.
        """
        return None if self._alignment is None else self._alignment[1]

    @property
    def _alignment(self) -> tuple[str, int] | None:
        """How terms are aligned and F, or None; raises InputError for more than 40 bits."""
        match = _ALIGNED.fullmatch(self.accumulation or "")
        if match is None:
            return None
        kind, bits = match[1], int(match[2])
        if bits > MAX_ALIGNED:
            raise InputError(
                f"accumulation={self.accumulation}: allowed are {kind}0 to {kind}{MAX_ALIGNED}"
            )
        return kind, bits

    def operand_formats(self) -> tuple[Minifloat, Minifloat]:
        """Return the activation and weight formats, without special codes if these are excluded."""
        activation, weight = super().operand_formats()
        assert isinstance(activation, Minifloat)
        assert isinstance(weight, Minifloat)
        if self.specials is SpecialOperands.PROPAGATE:
            return activation, weight
        plain = partial(replace, specials=Specials.NONE)
        return plain(activation), plain(weight)

    @property
    def is_exact(self) -> bool:
        return super().is_exact and self.subnormals is Subnormals.KEEP

    @property
    def result(self) -> Result | RoundedResult[Minifloat]:
        if self.kind == EXACT:
            return self.exact_result
        return RoundedResult(self.sum_format)

    @property
    def sum_format(self) -> Minifloat:
        """Format of the result of a sum that is not exact."""
        return rounding.rounded_format("accumulator", self.accumulator or NAMED["fp32"])

    @property
    def state_format(self) -> Minifloat:
        """Format of a sum that is not exact from beat to beat: the result's significant bits."""
        fmt = self.sum_format
        return fmt if self.fraction_bits is None else replace(fmt, mantissa=self.fraction_bits)

    @property
    def sum_rounding(self) -> SumRounding:
        assert self.rounding is not None
        return self.rounding

    @property
    def structure(self) -> str:
        # Products aligned among themselves are made of what the fit has of the other two.
        kind = ALIGNED if self.kind == PRODUCT_ALIGNED else self.kind
        return super().structure if kind == EXACT else f"{super().structure}, {kind}"

    @property
    def safe_beats(self) -> int:
        if self.kind == EXACT:
            return super().safe_beats
        return int(self.holds_a_beat)

    def _dot(self, activations: Codes, weights: Codes, metadata: Mapping[str, Codes]) -> Integers:
        if self.kind == EXACT:
            return super()._dot(activations, weights, metadata)
        bits = self.aligned_bits
        if bits is None:
            return self.rounded_dot(activations, weights, metadata)
        terms = aligned.products(self.operand_formats(), *self.unpack(activations, weights))
        add = self._aligned if self.kind == ALIGNED else self._product_aligned
        padding = self.sum_format.mantissa - self.state_format.mantissa
        return (add(terms, bits) << padding).astype(self.sum_format.code_dtype)

    def unpack(self, activations: Codes, weights: Codes) -> tuple[Unpacked, Unpacked]:
        a, w = super().unpack(activations, weights)
        if self.subnormals is Subnormals.KEEP:
            return a, w
        activation, weight = self.operand_formats()
        return rounding.flush_unpacked(activation, a), rounding.flush_unpacked(weight, w)

    def _aligned(self, terms: aligned.Terms, bits: int) -> Int64:
        """Return the codes of sums of products that are aligned with the accumulator."""
        fmt = self.state_format
        sums = [np.zeros(terms.exponent.shape[:-1], np.int64)] * self.interleaved_sums
        for own, beat in self._beats(terms):
            sums[own] = aligned.add(fmt, beat, sums[own], bits, self.sum_rounding, self.subnormals)
        if len(sums) == 1:
            return sums[0]
        total = self.combined([fmt.decode(one) for one in sums])
        return rounding.encode(fmt, total).astype(np.int64)

    def _product_aligned(self, terms: aligned.Terms, bits: int) -> Int64:
        """Return the codes of sums of products that are aligned among themselves."""
        fmt = self.state_format
        sums = [np.zeros(terms.exponent.shape[:-1])] * self.interleaved_sums
        for own, beat in self._beats(terms):
            total = aligned.total(beat, bits)
            sums[own] = rounding.add(fmt, total, sums[own], self.sum_rounding, self.subnormals)
        return rounding.encode(fmt, self.combined(sums)).astype(np.int64)

    def _beats(self, terms: aligned.Terms) -> Iterator[tuple[int, aligned.Terms]]:
        """Yield the terms of every beat, and the number of the partial sum that they go to."""
        for k, start in enumerate(range(0, terms.exponent.shape[-1], self.lanes)):
            yield k % self.interleaved_sums, terms.part(slice(start, start + self.lanes))

    configurations: ClassVar[Configurations] = (
        {"lanes": 64, "weight": "e4m3", "activation": "e4m3"},
        {"lanes": 64, "weight": "e2m1", "activation": "e5m2"},
        {"lanes": 16, "weight": "e2m3", "activation": "e3m2"},
        {"lanes": 16, "weight": "e4m3fnuz", "activation": "e5m2fnuz"},
        {"lanes": 1, "weight": "e2m1", "activation": "e2m1"},
        {"lanes": 1, "weight": "minifloat(exponent=1,mantissa=0,bias=0,specials=none)",
         "activation": "minifloat(exponent=3,mantissa=2,bias=3,specials=p3109)"},
        {"lanes": 4, "weight": "fp16", "activation": "e4m3"},
        {"lanes": 2, "weight": "bf16", "activation": "bf16"},
        {"lanes": 3, "weight": "e3m2", "activation": "e3m2", "accumulator_bits": 21},
        *dots((16, "e4m3", "e4m3"), (1, "e2m1", "e5m2"), adders="operators"),
        *dots((4, "e4m3", "e4m3"), (3, "e2m3", "e3m2"), state="carry_save"),
        *dots((3, "e3m2", "e3m2"), state="carry_save", accumulator_bits=21),
        {"lanes": 16, "weight": "e5m2", "activation": "e4m3u", "subnormals": "flush"},
        {"lanes": 16, "weight": "e2m3", "activation": "e5m2", "specials": "exclude"},
        {"lanes": 16, "weight": "e4m3", "activation": "e4m3", "accumulation": "aligned13"},
        {"lanes": 32, "weight": "e5m2", "activation": "e2m1", "accumulation": "aligned13"},
        {"lanes": 1, "weight": "e2m1", "activation": "e2m1", "accumulation": "aligned0",
         "accumulator": "e5m2"},
        {"lanes": 4, "weight": "fp16", "activation": "fp16", "accumulation": "aligned24"},
        {"lanes": 3, "weight": "bf16", "activation": "bf16", "accumulation": "aligned25",
         "accumulator": "fp16", "rounding": "nearest_even"},
        {"lanes": 5, "weight": "e5m2", "activation": "e3m2", "accumulation": "aligned3",
         "accumulator": "e4m3fnuz", "subnormals": "flush", "specials": "exclude"},
        {"lanes": 2, "weight": "e2m1", "activation": "e4m3", "accumulator": "fp32"},
        {"lanes": 4, "weight": "e2m1", "activation": "e5m2", "accumulator": "fp16",
         "rounding": "toward_zero"},
        {"lanes": 2, "weight": "e2m1", "activation": "e4m3u", "accumulator": "bf16",
         "subnormals": "flush", "specials": "exclude"},
        {"lanes": 3, "weight": "e3m2", "activation": "e2m1", "accumulator": "e5m2",
         "rounding": "toward_zero", "subnormals": "flush"},
        {"lanes": 3, "weight": "e2m1", "activation": "e3m2", "accumulation": "aligned9",
         "interleaved_sums": 2, "stages": 3},
        *dots((3, "e5m2", "e3m2"), accumulation="product_aligned13"),
        {"lanes": 1, "weight": "e2m1", "activation": "e2m1", "accumulation": "product_aligned0",
         "accumulator": "e5m2", "rounding": "toward_zero"},
        {"lanes": 5, "weight": "e5m2", "activation": "e3m2", "accumulation": "product_aligned3",
         "accumulator": "e4m3fnuz", "subnormals": "flush", "specials": "exclude"},
        {"lanes": 4, "weight": "e3m2", "activation": "e4m3", "accumulation": "product_aligned9",
         "accumulator": "fp16", "fraction_bits": 7, "interleaved_sums": 2, "stages": 3},
        {"lanes": 1, "weight": "e2m1", "activation": "e2m3", "accumulator": "e5m2",
         "rounding": "toward_zero", "subnormals": "flush", "interleaved_sums": 2},
    )  # fmt: skip
    fitting: ClassVar[Configurations] = (
        *dots(
            (1, "e3m2", "e4m3"),
            (1, "e4m3", "e5m2"),
            (2, "e2m1", "e2m3"),
            (3, "e2m1", "e2m1"),
            (3, "e3m2", "e3m2"),
            (8, "e2m1", "e2m3"),
        ),
        *dots((2, "e3m2", "e3m2"), (2, "e2m3", "e4m3"), state="carry_save"),
        *dots((2, "e4m3", "e4m3"), (4, "e2m1", "e3m2"), adders="operators"),
        *dots((2, "e4m3", "e3m2"), (4, "e2m3", "e2m3"), stages=3),
        *dots((2, "e2m1", "e2m3"), (1, "e4m3", "e4m3"), accumulation="aligned9"),
        *dots((2, "e2m3", "e2m3"), (1, "e4m3", "e2m1"), accumulation="aligned9", stages=2),
        *dots((1, "e2m1", "e4m3"), (1, "e3m2", "e2m1"), accumulator="e5m2"),
    )  # fmt: skip
