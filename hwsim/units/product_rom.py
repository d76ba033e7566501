"""Dot product of formats of up to 4 bits without multipliers: every product is in a ROM.

Two codes of 4 bits make an index of 8 bits, so a lane's product is one of at most 256 constants,
whatever the formats are: minifloats, posits, powers of two or flint cost as much as their products
are irregular, and no more. The values are integers times a power of two, so products are too, and
their sum is exact.

A ROM of constants is logic. What it costs depends on how it is written: products differ from each
other by sign and come in equal groups, and synthesis does not find that again in a list of 256
words. The magnitudes of an operand are numbered in ascending order, codes of one magnitude alike,
the ROM is indexed by the two numbers, and the sign is the exclusive or of two. The ROM itself is a
decision diagram with equal parts shared (:mod:`rtl.blocks.rom`), which takes fewer gates than a
list of all products, as a test shows. A multiplier remains smaller where the codes are integers
without sign (uint4), or share few significands, as those of e2m1 in ``float``.

Codes that are NaN, NaR or an infinity give no product but a flag, as in ``float``.

Source: Ganji et al., DeepGEMM, arXiv:2304.09049 (2-bit products in a table, in software).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from hwsim.errors import InputError
from hwsim.formats.base import Codes, Format
from hwsim.formats.codebook import Codebook
from hwsim.units.configurations import Configurations, dots
from hwsim.units.dyadic import Dyadic, dyadic
from hwsim.units.exact_sum import flag_names, product_flags, sticky
from hwsim.units.integer import IntegerSum
from hwsim.units.result import Integers, Result, exact_sums

#: Wider operands have more products than a ROM is worth.
MAX_OPERAND_BITS = 4


@dataclass(frozen=True, kw_only=True)
class ProductRomUnit(IntegerSum):
    """Dot product of two formats of up to 4 bits, exact modulo 2**accumulator_bits.

    Parameters
    ----------
    lanes
        See :class:`~hwsim.units.base.UnitSpec`.
    weight, activation
        Scalar formats of 1 to 4 bits whose values are small integers times powers of two. A
        codebook of other values is refused; it is what ``codebook`` takes.
    accumulator_bits
        See :class:`~hwsim.units.integer.IntegerSum`.
    """

    family: ClassVar[str] = "product_rom"
    generator: ClassVar[str] = "rtl.product_rom:ProductRom"

    def operand_formats(self) -> tuple[Dyadic, Dyadic]:
        """Return the values of all codes of activation and weight.

        Raises
        ------
        InputError
            If a format is too wide or its values are not dyadic.
        """
        return _values("activation", self.activation), _values("weight", self.weight)

    @property
    def largest_beat(self) -> int:
        a, w = self.operand_formats()
        return self.lanes * max(map(abs, a.integers)) * max(map(abs, w.integers))

    @property
    def result(self) -> Result:
        assert self.accumulator_bits is not None
        exponent = sum(operand.exponent for operand in self.operand_formats())
        return Result(self.accumulator_bits, exponent, flag_names((self.activation, self.weight)))

    def flag_table(self, name: str) -> list[int]:
        """Return whether products raise a flag, by activation code + 2**activation.bits * weight
        code."""
        pairs = np.arange(1 << (self.activation.bits + self.weight.bits))
        w, a = np.divmod(pairs, 1 << self.activation.bits)
        flags = product_flags(self.activation.unpack(a), self.weight.unpack(w))
        return flags[name].astype(int).tolist()

    def _dot(self, activations: Codes, weights: Codes, metadata: Mapping[str, Codes]) -> Integers:
        a, w = (np.array(operand.integers) for operand in self.operand_formats())
        sums = exact_sums(a[activations] * w[weights], self.largest_beat.bit_length())
        flags = product_flags(self.activation.unpack(activations), self.weight.unpack(weights))
        return self.result.pack(sums, sticky(flags))

    configurations: ClassVar[Configurations] = (
        {"lanes": 16, "weight": "int4", "activation": "int4"},
        {"lanes": 16, "weight": "e2m1", "activation": "e2m1"},
        {"lanes": 4, "weight": "int2", "activation": "int2"},
        {"lanes": 3, "weight": "posit4_1", "activation": "uint4"},
        {"lanes": 2, "weight": "minifloat(exponent=2,mantissa=1,bias=1,specials=ieee)",
         "activation": "flint4"},
        {"lanes": 1, "weight": "binary", "activation": "uint1"},
        {"lanes": 2, "weight": "pot4u", "activation": "pot4u"},
        {"lanes": 5, "weight": "ternary", "activation": "dybit4", "accumulator_bits": 10},
    )  # fmt: skip
    fitting: ClassVar[Configurations] = dots(
        (2, "int4", "int4"),
        (4, "e2m1", "e2m1"),
        (4, "int3", "uint3"),
        (6, "ternary", "dybit4"),
    )  # fmt: skip


def _values(parameter: str, fmt: Format) -> Dyadic:
    if fmt.bits > MAX_OPERAND_BITS:
        raise InputError(
            f"{parameter}={fmt.name} has {fmt.bits} bits; product_rom takes formats of up to "
            f"{MAX_OPERAND_BITS}"
        )
    values = dyadic(fmt)
    if values is None:
        way_out = "; the unit codebook takes it" if isinstance(fmt, Codebook) else ""
        raise InputError(
            f"{parameter}={fmt.name}: product_rom takes formats whose values are small integers "
            f"times powers of two{way_out}"
        )
    return values
