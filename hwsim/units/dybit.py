"""DyBit dot product: integer multipliers, shifters, an integer accumulator.

The values are those of flint, in the order of posits without exponent bits: a DyBit magnitude of b
bits is the non-negative half of a posit(b + 1, 0). A leading-one detector gives a small integer
and a left shift, and the datapath is that of :mod:`hwsim.units.flint`.

Source: DyBit (arXiv:2302.12510), section III; code table as in :mod:`hwsim.formats.dybit`.
"""

from dataclasses import dataclass
from typing import ClassVar

from hwsim.formats.base import Format
from hwsim.formats.dybit import DyBit
from hwsim.units.configurations import Configurations, dots
from hwsim.units.exact_sum import ExactSum


@dataclass(frozen=True, kw_only=True)
class DyBitUnit(ExactSum):
    """Dot product of DyBit.

    Parameters
    ----------
    lanes, accumulator_bits
        See :class:`~hwsim.units.exact_sum.ExactSum`.
    weight, activation
        See :class:`~hwsim.units.exact_sum.ExactSum`; both formats are DyBits, signed or
        unsigned, of any widths.
    """

    family: ClassVar[str] = "dybit"
    generator: ClassVar[str] = "rtl.exact_sum:ExactSum"
    format_class: ClassVar[type[Format]] = DyBit
    takes: ClassVar[str] = "formats such as dybit4 or dybit4u"

    configurations: ClassVar[Configurations] = (
        {"lanes": 16, "weight": "dybit4", "activation": "dybit4"},
        {"lanes": 16, "weight": "dybit4", "activation": "dybit4u"},
        {"lanes": 16, "weight": "dybit8", "activation": "dybit8u"},
        {"lanes": 1, "weight": "dybit2u", "activation": "dybit3", "accumulator_bits": 6},
    )  # fmt: skip
    fitting: ClassVar[Configurations] = dots(
        (4, "dybit4", "dybit4"),
        (8, "dybit4", "dybit4u"),
        (2, "dybit6", "dybit6"),
        (1, "dybit8", "dybit8u"),
    )  # fmt: skip
