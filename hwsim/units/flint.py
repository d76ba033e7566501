"""ANT's flint dot product: integer multipliers, shifters, an integer accumulator.

A flint is decoded to a small integer and a left shift; two of ``flint4u`` need a 3 x 3 multiplier
and a shift by 0 to 12. The sum is an exact integer that counts multiples of the product of the
smallest values.

Source: ANT (MICRO 2022), section 5.
"""

from dataclasses import dataclass
from typing import ClassVar

from hwsim.formats.base import Format
from hwsim.formats.flint import Flint
from hwsim.units.configurations import Configurations, dots
from hwsim.units.exact_sum import ExactSum


@dataclass(frozen=True, kw_only=True)
class FlintUnit(ExactSum):
    """Dot product of flint.

    Parameters
    ----------
    lanes, accumulator_bits
        See :class:`~hwsim.units.exact_sum.ExactSum`.
    weight, activation
        See :class:`~hwsim.units.exact_sum.ExactSum`; both formats are flints, signed or
        unsigned, of any widths.
    """

    family: ClassVar[str] = "flint"
    generator: ClassVar[str] = "rtl.exact_sum:ExactSum"
    format_class: ClassVar[type[Format]] = Flint
    takes: ClassVar[str] = "formats such as flint4 or flint4u"

    configurations: ClassVar[Configurations] = (
        {"lanes": 16, "weight": "flint4", "activation": "flint4"},
        {"lanes": 16, "weight": "flint4", "activation": "flint4u"},
        {"lanes": 16, "weight": "flint8", "activation": "flint8u"},
        {"lanes": 16, "weight": "flint4", "activation": "flint4u", "adders": "operators"},
        *dots((3, "flint4", "flint4"), state="carry_save"),
        {"lanes": 1, "weight": "flint2u", "activation": "flint3", "accumulator_bits": 6},
    )  # fmt: skip
    fitting: ClassVar[Configurations] = dots(
        (4, "flint4", "flint4"),
        (8, "flint4", "flint4u"),
        (2, "flint6", "flint6"),
        (1, "flint8", "flint8u"),
    )  # fmt: skip
