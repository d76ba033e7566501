"""HiFloat8 dot product, exact.

A significand has at most four bits, so a 4 x 4 multiplier does; the decoder of the dot field
aligns it to the left. Exponents from -22 to 15 make products of 75 bits, so that the shifter and
the accumulator outweigh everything else. NaN and the infinities set sticky flags, 0 x infinity is
NaN.

Source: arXiv:2409.16626; exact accumulation is ours.
"""

from dataclasses import dataclass
from typing import ClassVar

from hwsim.formats.base import Format
from hwsim.formats.hif8 import HiFloat8
from hwsim.units.configurations import Configurations
from hwsim.units.exact_sum import ExactSum


@dataclass(frozen=True, kw_only=True)
class HiFloat8Unit(ExactSum):
    """Dot product of HiFloat8.

    Parameters
    ----------
    lanes, accumulator_bits
        See :class:`~hwsim.units.exact_sum.ExactSum`.
    weight, activation
        See :class:`~hwsim.units.exact_sum.ExactSum`; both formats are ``hif8``.
    """

    family: ClassVar[str] = "hif8"
    generator: ClassVar[str] = "rtl.exact_sum:ExactSum"
    format_class: ClassVar[type[Format]] = HiFloat8
    takes: ClassVar[str] = "formats such as hif8"

    configurations: ClassVar[Configurations] = (
        {"lanes": 16, "weight": "hif8", "activation": "hif8"},
        {"lanes": 5, "weight": "hif8", "activation": "hif8", "accumulator_bits": 78},
    )  # fmt: skip
    fitting: ClassVar[Configurations] = (
        {"lanes": 1, "weight": "hif8", "activation": "hif8"},
        {"lanes": 2, "weight": "hif8", "activation": "hif8"},
    )  # fmt: skip
