"""Sign-flip adder for ternary weights: every lane adds its activation, its negative, or nothing.

A weight of -1, 0 or 1 needs no multiplier: an AND row and an XOR row a lane, and adders. The unit
that tables of ternary sums are compared with.

Integers go through an adder tree; negation is inversion plus one, and the ones of all lanes are
counted once a column, so no lane has a carry chain of its own. Minifloats are added one after
another in lane order, each addition rounded once to nearest even, starting from +0; negation is
free then, and the adders are everything. A weight 0 adds nothing, even where the activation is
infinity or NaN.

Source: the sign-flip adder of arXiv:2604.25183.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from hwsim.errors import InputError
from hwsim.formats.base import Codes, Format, Int64
from hwsim.formats.integer import Integer
from hwsim.units.adder_tile import AdderTile, signed_terms
from hwsim.units.base import Timing
from hwsim.units.configurations import Configurations, dots
from hwsim.units.sums import Values

#: The code of -2, which ternary weights never have.
REFUSED = 2


def require_ternary(weight: Format, family: str) -> None:
    """Raise InputError for any other weight format."""
    if weight != Integer(2, symmetric=True):
        raise InputError(f"weight={weight.name}: {family} takes ternary")


def ternary_digits(weights: Codes) -> Int64:
    """Return the values -1, 0 and 1 of ternary codes."""
    return (weights & 1).astype(np.int64) * np.where(weights >> 1, -1, 1)


@dataclass(frozen=True, kw_only=True)
class TernaryAddUnit(AdderTile):
    """A tile of dot products with ternary weights, one beat a cycle.

    Parameters
    ----------
    weight
        ``ternary``; its code of -2 is refused.
    lanes, activation, row_count, column_count, accumulator_bits, accumulator
        See :class:`~hwsim.units.adder_tile.AdderTile`.
    """

    family: ClassVar[str] = "ternary_add"
    generator: ClassVar[str] = "rtl.ternary_add:TernaryAdd"

    def _check_weight(self) -> None:
        require_ternary(self.weight, self.family)

    @property
    def refused_weights(self) -> tuple[int, ...]:
        return (REFUSED,)

    @property
    def largest_weight(self) -> int:
        return 1

    def _timing(self) -> Timing:
        return Timing(latency=1, interval=1)

    def _add_beat(self, totals: Values, activations: Values, weights: Codes) -> Values:
        terms = signed_terms(activations, ternary_digits(weights))
        return self.sums.accumulate(totals, terms)

    configurations: ClassVar[Configurations] = (
        {"lanes": 32, "weight": "ternary", "activation": "int8"},
        {"lanes": 16, "weight": "ternary", "activation": "uint8"},
        {"lanes": 1, "weight": "ternary", "activation": "uint1"},
        {"lanes": 5, "weight": "ternary", "activation": "int1", "accumulator_bits": 4},
        {"lanes": 6, "weight": "ternary", "activation": "int8", "row_count": 3, "column_count": 2},
        {"lanes": 4, "weight": "ternary", "activation": "e4m3fnuz", "accumulator": "e5m2fnuz"},
        {"lanes": 4, "weight": "ternary", "activation": "e4m3"},
        {"lanes": 2, "weight": "ternary", "activation": "fp16", "row_count": 2},
    )  # fmt: skip
    fitting: ClassVar[Configurations] = (
        *dots((8, "ternary", "int8"), (16, "ternary", "int4"), (5, "ternary", "uint6")),
        *dots((6, "ternary", "int6"), column_count=2),
        *dots((2, "ternary", "e4m3"), (1, "ternary", "e5m2"), accumulator="fp16"),
    )  # fmt: skip
