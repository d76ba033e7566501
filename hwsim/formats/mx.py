"""OCP Microscaling (MX): 32 elements under one E8M0 scale, ``mxfp4``.

A power-of-two scale per 32 elements costs 8/32 = 0.25 bits per element and no multiplier. The
dot product of two blocks is exact in a narrow integer (14 bits for MXFP4), then shifted by the sum
of the two scales.

===========  =======  =======  ============================================================
name         element  largest  source
===========  =======  =======  ============================================================
mxfp8e4m3    e4m3     448      OCP MX 1.0
mxfp8e5m2    e5m2     57344    OCP MX 1.0; infinity and NaN codes of the element are unused
mxfp6e2m3    e2m3     7.5      OCP MX 1.0
mxfp6e3m2    e3m2     28       OCP MX 1.0
mxfp4        e2m1     6        OCP MX 1.0
mxint8       int8     127/64   OCP MX 1.0: 6 fraction bits, -2 left unused
mxint4       int4     7/4      arXiv 2510.25602: 2 fraction bits, scale rule rceil by default
===========  =======  =======  ============================================================

``mxfp4_g16`` is the same with another block size.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import ClassVar

from hwsim.errors import InputError
from hwsim.formats.base import Format
from hwsim.formats.block import BlockFormat
from hwsim.formats.fixed import FixedPoint
from hwsim.formats.minifloat import NAMED, Minifloat
from hwsim.formats.shared_exponent import ScaleRule, SharedExponent

#: Block size of the specification.
SIZE = 32

ELEMENTS: dict[str, Minifloat | FixedPoint] = {
    "mxfp8e4m3": NAMED["e4m3"],
    "mxfp8e5m2": NAMED["e5m2"],
    "mxfp6e2m3": NAMED["e2m3"],
    "mxfp6e3m2": NAMED["e3m2"],
    "mxfp4": NAMED["e2m1"],
    "mxint8": FixedPoint(2, 6, symmetric=True),
    "mxint4": FixedPoint(2, 2, symmetric=True),
}
NAMES = tuple(ELEMENTS)
_NAME_OF = {element: name for name, element in ELEMENTS.items()}


@dataclass(frozen=True)
class Microscaling(SharedExponent):
    """An MX format; parameters and behaviour are those of :class:`SharedExponent`.

    For the integer elements, the option ``symmetric=False`` allows the most negative code (-2 for
    both), which OCP MX 1.0 permits.
    """

    OPTIONS: ClassVar[tuple[str, ...]] = ("scale_rule", "symmetric", "partial")

    def __post_init__(self) -> None:
        super().__post_init__()
        if self._element_of_name not in _NAME_OF:
            raise InputError(f"{self.element.name} is not an MX element")

    @property
    def base_name(self) -> str:
        base = _NAME_OF[self._element_of_name]
        return base if self.size == SIZE else f"{base}_g{self.size}"

    @property
    def _element_of_name(self) -> Minifloat | FixedPoint:
        if isinstance(self.element, FixedPoint):
            return replace(self.element, symmetric=True)
        return self.element

    @property
    def family(self) -> str:
        return "mx"

    @property
    def symmetric(self) -> bool:
        """Whether the elements' largest and smallest value differ in sign only."""
        return not isinstance(self.element, FixedPoint) or self.element.symmetric

    def with_options(self, **options: object) -> "Microscaling":
        """Return this format with other options: ``scale_rule``, ``symmetric``, ``partial``.

        Raises
        ------
        InputError
            For an unknown option or a value that it does not take.
        """
        symmetric = self._option("symmetric", options.pop("symmetric", self.symmetric))
        changed = super().with_options(**options)
        if isinstance(changed.element, FixedPoint):
            return replace(changed, element=replace(changed.element, symmetric=symmetric))
        if not symmetric:
            raise InputError(f"symmetric=False needs an integer element, not {self.element.name}")
        return changed


def parse(name: str, parse_scalar: Callable[[str], Format]) -> BlockFormat | None:
    """Return the MX format called ``name``, or None if the name is of another family."""
    match = re.fullmatch(r"(mx[a-z0-9]+)(?:_g(\d+))?", name)
    if not match or match[1] not in ELEMENTS:
        return None
    rule = ScaleRule.RCEIL if match[1] == "mxint4" else ScaleRule.FLOOR
    return Microscaling(ELEMENTS[match[1]], int(match[2] or SIZE), rule)
