"""What adds up a dot product: adders that follow the expression, or one tree for all of it.

``adders="operators"``: a multiplier a lane, a tree of adders over the lanes, an accumulator, as
``*`` and ``+`` in Verilog, from which tools for FPGAs infer DSP blocks. Each has an adder whose
carries propagate.

``adders="merged"``: all bits that are to be added, of all lanes and of the running sum, are columns
of one tree of full adders, and one adder with carries that propagate comes last. Products of
integers enter as partial products, rows of AND gates or Booth rows, so there are no multipliers;
those of other formats enter when they are multiplied and shifted. This merged arithmetic makes an
INT8 dot product of 16 lanes 0.84 times as large and its cycle 0.83 times as long (sky130). It is
the default, as standard cells are what most units here are compared in.

``state="carry_save"`` keeps the running sum as two numbers, which are added up behind the register
that offers the result. The cycle is that of the tree, or of the last adder alone; the price is a
flip-flop and an adder for every bit of the second number. The result is the same code.

Source: Swartzlander, Merged Arithmetic, IEEE TC C-29(10), 1980; Oklobdzija, Villeger and Liu, IEEE
TC 45(3), 1996; MacSorley, Proc. IRE 49(1), 1961 (Booth rows).
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from hwsim.errors import InputError
from hwsim.units.base import UnitSpec


class Adders(StrEnum):
    """How a dot product is added up."""

    OPERATORS = "operators"
    MERGED = "merged"


class State(StrEnum):
    """What the running sum is from beat to beat: one number, or two that are its sum."""

    CARRY_PROPAGATE = "carry_propagate"
    CARRY_SAVE = "carry_save"


@dataclass(frozen=True, kw_only=True, repr=False)
class MergedSum(UnitSpec):
    """An exact sum that one tree can add up; neither parameter changes a result.

    Parameters
    ----------
    lanes, weight, activation
        See :class:`~hwsim.units.base.UnitSpec`.
    adders
        ``merged``, one tree of full adders over all lanes and the running sum: smaller and faster
        in cells. Or ``operators`` of Verilog, from which tools for FPGAs infer DSP blocks. The
        default is ``merged``.
    state
        ``carry_propagate``, one number, or ``carry_save``, two that are added up behind the
        register, for a shorter cycle and more flip-flops; takes ``adders=merged``.
    """

    adders: Adders | None = None
    state: State = State.CARRY_PROPAGATE

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.adders is None:
            object.__setattr__(self, "adders", self._default("adders"))
        if self.state is State.CARRY_SAVE and self.adders is not Adders.MERGED:
            raise InputError(f"state={self.state}: allowed with adders=merged only")

    def _default(self, key: str) -> Any:
        return Adders.MERGED if key == "adders" else super()._default(key)

    @property
    def structure(self) -> str:
        if self.adders is not self._default("adders"):
            return f"{super().structure}, {self.adders}"
        if self.state is State.CARRY_SAVE:
            return f"{super().structure}, {self.state}"
        return super().structure

    @property
    def is_merged(self) -> bool:
        """Whether one tree adds up all lanes and the running sum."""
        return self.adders is Adders.MERGED
