"""A format for every matrix of a decoder: the least predicted loss under a budget.

Losses are those of :mod:`hwsim.networks.sensitivity`, costs are given: bits, or what an accelerator
takes. Both add up over matrices. What was predicted is one thing, and what is measured then with
all formats at once another; :meth:`Allocation.role_formats` is what to measure.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hwsim.allocate import choose
from hwsim.errors import InputError
from hwsim.formats.base import Float64, Int64
from hwsim.networks.quantise import AnyFormat, RoleFormats
from hwsim.networks.sensitivity import Sensitivity


@dataclass(frozen=True, eq=False)
class Allocation:
    """A format for every matrix.

    Attributes
    ----------
    sensitivity
        Matrices, formats and losses.
    choice
        Index of each matrix' format, int64 [matrices].
    cost
        Of all matrices together.
    """

    sensitivity: Sensitivity
    choice: Int64
    cost: float

    @property
    def loss(self) -> float:
        """Predicted KL divergence in nats a token."""
        return float(self.sensitivity.loss[self._rows, self.choice].sum())

    @property
    def bits_per_element(self) -> float:
        """Of all matrices, metadata included."""
        taken = self.sensitivity.bits[self._rows, self.choice].sum()
        return float(taken / self.sensitivity.elements.sum())

    @property
    def formats(self) -> dict[str, str]:
        """The name of every matrix' format."""
        names = self.sensitivity.formats
        chosen = [names[one] for one in self.choice]
        return dict(zip(self.sensitivity.matrices, chosen, strict=True))

    def role_formats(
        self,
        activation: AnyFormat | str | None = None,
        kv: AnyFormat | str | None = None,
        calibrate: str | None = None,
    ) -> RoleFormats:
        """Return the formats of all roles."""
        overrides = {name: {"weight": fmt} for name, fmt in self.formats.items()}
        return RoleFormats(activation=activation, kv=kv, overrides=overrides, calibrate=calibrate)

    @property
    def _rows(self) -> Int64:
        return np.arange(len(self.choice))


def allocate(sensitivity: Sensitivity, cost: Float64, budget: float) -> Allocation:
    """Return the formats of least predicted loss whose costs reach the budget at most.

    Parameters
    ----------
    cost
        [matrices, formats].
    budget
        In the unit of the costs.

    Raises
    ------
    InputError
        As :func:`hwsim.allocate.choose`.
    """
    choice = choose(sensitivity.loss, cost, budget)
    return Allocation(sensitivity, choice, float(cost[np.arange(len(choice)), choice].sum()))


def uniform(sensitivity: Sensitivity, cost: Float64) -> list[Allocation]:
    """Return every format for all matrices."""
    matrices, formats = cost.shape
    return [
        Allocation(sensitivity, np.full(matrices, column), float(cost[:, column].sum()))
        for column in range(formats)
    ]


def curve(sensitivity: Sensitivity, cost: Float64, points: int) -> list[Allocation]:
    """Return the best formats for budgets from the least cost there is to the least of no loss.

    Budgets are spread evenly; of several with one assignment the first is returned.
    """
    if points < 2:
        raise InputError(f"points={points}: allowed: whole numbers from 2")
    least = float(cost.min(axis=1).sum())
    best = sensitivity.loss.min(axis=1, keepdims=True)
    most = float(np.where(sensitivity.loss == best, cost, np.inf).min(axis=1).sum())
    found: list[Allocation] = []
    budgets: Sequence[float] = np.linspace(least, most, points).tolist()
    for budget in budgets:
        one = allocate(sensitivity, cost, max(budget, least))
        if not found or (one.choice != found[-1].choice).any():
            found.append(one)
    return found
