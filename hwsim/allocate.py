"""Which layer gets which bits: the choices of least total loss within a budget.

A layer has a few choices (formats), each with a loss (what the model's quality suffers by it) and a
cost (bits, energy, time). Losses and costs are taken to add up over layers, so the best assignment
under a budget is a multiple-choice knapsack, an integer programme that HiGHS solves to the optimum:
thousands of binary variables take a second. HAWQ-V3 (Yao et al., ICML 2021, section 3.4) and OHQ
choose bits a layer this way.
"""

import math
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hwsim.errors import InputError, ToolError

#: Relative room for costs that add up to the budget exactly, but not in float64.
_ROUNDING = 1e-12
#: HiGHS compares with absolute limits of about 1e-6; totals of this size make them negligible.
_SCALE = 1e4


def choose(
    loss: ArrayLike, cost: ArrayLike, budget: float, tied: Sequence[tuple[int, int]] = ()
) -> NDArray[np.int64]:
    """Return a choice for every layer, of least total loss with a total cost of at most the budget.

    Parameters
    ----------
    loss, cost
        Finite numbers, [layers, choices]; both add up over layers. They may be negative.
    budget
        What the costs of all layers together may reach, in their unit.
    tied
        Pairs of layers, counted from 0, that take the same choice, such as two convolutions whose
        outputs are added.

    Returns
    -------
    numpy.ndarray
        [layers], int64: the index of each layer's choice. Of assignments of equal loss any.

    Raises
    ------
    InputError
        For arrays of other shapes, numbers that are not finite, pairs of layers that are not there,
        a budget below the least cost there is.
    ToolError
        If the solver stops without an optimum.
    """
    losses, costs = _table("loss", loss), _table("cost", cost)
    if losses.shape != costs.shape:
        raise InputError(
            f"loss has the shape {losses.shape}, cost {costs.shape}: allowed: one shape"
        )
    owner = _owners(len(losses), tied)
    owners, layer = np.unique(owner, return_inverse=True)
    losses, costs = (_summed(table, layer, len(owners)) for table in (losses, costs))
    _check_budget(costs, budget)
    return _solve(losses, costs, budget)[layer]


def _table(name: str, values: ArrayLike) -> NDArray[np.float64]:
    try:
        table = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError):
        raise InputError(f"{name}={values!r}: allowed: numbers, [layers, choices]") from None
    if table.ndim != 2 or not table.size:
        raise InputError(
            f"{name} has the shape {table.shape}: allowed: [layers, choices], from 1 each"
        )
    if not np.isfinite(table).all():
        layer, choice = np.argwhere(~np.isfinite(table))[0]
        raise InputError(
            f"{name}[{layer}, {choice}]={table[layer, choice]}: allowed: finite numbers"
        )
    return table


def _owners(layers: int, tied: Sequence[tuple[int, int]]) -> NDArray[np.int64]:
    """Return for every layer the first of those that it is tied to, directly or not."""
    owner = np.arange(layers)
    if not isinstance(tied, Sequence | np.ndarray):
        raise InputError(f"tied={tied!r}: allowed: pairs of layers")
    for pair in tied:
        if (
            not isinstance(pair, Sequence | np.ndarray)
            or len(pair) != 2
            or any(
                isinstance(one, bool)
                or not isinstance(one, int | np.integer)
                or not 0 <= one < layers
                for one in pair
            )
        ):
            raise InputError(f"tied={pair!r}: allowed: pairs of layers from 0 to {layers - 1}")
        first, second = owner[pair[0]], owner[pair[1]]
        owner[owner == max(first, second)] = min(first, second)
    return owner


def _summed(table: NDArray[np.float64], row: NDArray[np.int64], rows: int) -> NDArray[np.float64]:
    total = np.zeros((rows, table.shape[1]))
    np.add.at(total, row, table)
    return total


def _check_budget(costs: NDArray[np.float64], budget: float) -> None:
    least = math.fsum(costs.min(axis=1))
    if isinstance(budget, bool) or not isinstance(budget, int | float | np.number):
        raise InputError(f"budget={budget!r}: allowed: numbers")
    if not math.isfinite(budget) or _exceeds(least, budget, costs):
        raise InputError(
            f"budget={budget!r}: allowed: finite numbers from {least:g}, the least cost"
        )


def _exceeds(total: float, budget: float, costs: NDArray[np.float64]) -> bool:
    return total > budget + _ROUNDING * math.fsum(np.abs(costs).max(axis=1))


def _above_least(table: NDArray[np.float64]) -> NDArray[np.float64]:
    """Take off what all choices of a layer have: it decides nothing, and hides what does."""
    return table - table.min(axis=1, keepdims=True)


def _solve(
    losses: NDArray[np.float64], costs: NDArray[np.float64], budget: float
) -> NDArray[np.int64]:
    """Solve the integer programme, again with losses scaled by what it found while that helps.

    The solver's limits are absolute, so a few large losses hide differences of small ones. Choices
    that lose more alone than an assignment does in all have no part in a better one.
    """
    gain = _above_least(losses)
    allowed = np.ones(losses.shape, dtype=bool)
    scale = math.fsum(gain.max(axis=1))
    best, least = None, math.inf
    while True:
        chosen = _solve_once(gain / (scale or 1.0), costs, budget, allowed)
        lost = math.fsum(gain[np.arange(len(gain)), chosen])
        if lost >= least:
            break
        best, least = chosen, lost
        if not lost:
            break
        allowed, scale = gain <= lost, lost
    assert best is not None
    return best


def _solve_once(
    gain: NDArray[np.float64],
    costs: NDArray[np.float64],
    budget: float,
    allowed: NDArray[np.bool_],
) -> NDArray[np.int64]:
    """Solve for losses near 1; what is within the solver's limits but not ours is excluded."""
    from scipy.optimize import Bounds, LinearConstraint, milp

    layers, choices = gain.shape
    spread = _above_least(costs)
    whole = math.fsum(spread.max(axis=1)) or 1.0
    room = max(budget - math.fsum(costs.min(axis=1)), 0.0) / whole
    constraints: list[Any] = [
        LinearConstraint(np.kron(np.eye(layers), np.ones(choices)), 1, 1),
        LinearConstraint(spread.reshape(1, -1) / whole * _SCALE, -np.inf, room * _SCALE),
    ]
    while True:
        with _silent():
            found = milp(
                np.where(allowed, gain, 0.0).ravel() * _SCALE,
                integrality=np.ones(gain.size, dtype=np.int64),
                bounds=Bounds(0, allowed.ravel().astype(np.float64)),
                constraints=constraints,
                options={"mip_rel_gap": 0.0},
            )
        if not found.success:
            raise ToolError(f"HiGHS found no best choice of {layers} layers: {found.message}")
        chosen = found.x.reshape(layers, choices).argmax(axis=1)
        if not _exceeds(math.fsum(costs[np.arange(layers), chosen]), budget, costs):
            return chosen
        taken = np.zeros(gain.shape)
        taken[np.arange(layers), chosen] = 1
        constraints.append(LinearConstraint(taken.reshape(1, -1), -np.inf, layers - 1))


@contextmanager
def _silent() -> Iterator[None]:
    """Keep what HiGHS prints, some releases whatever is asked, out of the standard output."""
    sys.stdout.flush()
    kept = os.dup(1)
    try:
        with Path(os.devnull).open("w") as nowhere:
            os.dup2(nowhere.fileno(), 1)
        yield
    finally:
        os.dup2(kept, 1)
        os.close(kept)
