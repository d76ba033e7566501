"""Cycles of a matrix product on an array of units, in closed form.

An array has ``rows`` x ``cols`` units and computes an M x K matrix of activations times a K x N one
of weights in *folds*, as many units' worth at a time. What a unit keeps for a fold is the dataflow:

- ``output_stationary``: one output. Rows are rows of activations, columns columns of weights, and
  operands of all K pass by: ceil(M/R) ceil(N/C) folds of K beats.
- ``weight_stationary``: weights. Rows are along K, columns along N, and M activations pass by, whose
  sums are handed on down a column: ceil(K/R) ceil(N/C) folds of M beats.
- ``input_stationary``: activations, the same with M and N exchanged.

A unit takes ``lanes`` neighbours along K in a beat of ``interval`` cycles, so K counts in beats.
What else takes time, tools count differently, and a *convention* says how:

- ``rtl``: what the array of :mod:`rtl.array` does, proved by simulation
  (:mod:`hwsim.accelerator.array_cycles`).
- ``no_overlap``: every fold fills, drains, and loads what is stationary by itself, and operands are
  handed on by one unit a beat, as SCALE-Sim v3 counts: K + R + C - 2 beats of an output-stationary
  fold, R cycles and M + R + C - 2 beats of a weight-stationary one. The tool reports one cycle less.
- ``no_skew``: beats only, as ZigZag counts: operands reach all units at once, and loading and
  draining are hidden.

Every count is an exact int64; what does not fit is an error.
"""

from enum import StrEnum
from typing import TypeVar

import numpy as np
from numpy.typing import ArrayLike

from hwsim.accelerator.integers import Ints, ceil_div, positive_integers, product, total
from hwsim.errors import InputError, check_known


class Dataflow(StrEnum):
    """What a unit of an array keeps while operands pass by."""

    OUTPUT_STATIONARY = "output_stationary"
    WEIGHT_STATIONARY = "weight_stationary"
    INPUT_STATIONARY = "input_stationary"


class Links(StrEnum):
    """How operands reach units: handed on from one to the next, or all of a line at once."""

    SYSTOLIC = "systolic"
    BROADCAST = "broadcast"


class Convention(StrEnum):
    """Which cycles count."""

    RTL = "rtl"
    NO_OVERLAP = "no_overlap"
    NO_SKEW = "no_skew"


_Choice = TypeVar("_Choice", bound=StrEnum)


def choice(kind: str, value: object, choices: type[_Choice]) -> _Choice:
    """Return the member of an enumeration that a text names; InputError for other values."""
    check_known(kind, value, [one.value for one in choices])
    return choices(value)


def gemm_cycles(
    rows: ArrayLike,
    cols: ArrayLike,
    dataflow: str,
    m: ArrayLike,
    n: ArrayLike,
    k: ArrayLike,
    convention: str = "rtl",
    lanes: ArrayLike = 1,
    interval: ArrayLike = 1,
    links: str = "systolic",
    double_buffered: bool = True,
) -> Ints:
    """Return the cycles of an M x K by K x N product, exactly.

    Parameters
    ----------
    rows, cols
        Units of the array.
    dataflow
        ``output_stationary``, ``weight_stationary`` or ``input_stationary``.
    m, n, k
        Rows of activations, columns of weights, and length of a dot product.
    convention
        ``rtl``, ``no_overlap`` or ``no_skew``; see the module.
    lanes, interval
        Products a beat, and cycles a beat, of a unit.
    links
        ``systolic`` or ``broadcast``. ``no_overlap`` is of systolic arrays, and ``no_skew`` does
        not depend on it.
    double_buffered
        Whether the stationary operand is loaded while the one before it is used; for ``rtl``.

    Returns
    -------
    numpy.ndarray
        int64 of the shape that ``rows``, ``cols``, ``m``, ``n``, ``k``, ``lanes`` and ``interval``
        broadcast to.

    Raises
    ------
    InputError
        Naming parameter, value and what is allowed: for numbers that are not whole or below 1, an
        unknown dataflow, convention or kind of links, shapes that do not broadcast, and counts
        beyond int64.
    """
    flow = choice("dataflow", dataflow, Dataflow)
    counted = choice("convention", convention, Convention)
    linked = choice("links", links, Links)
    if not isinstance(double_buffered, bool | np.bool_):
        raise InputError(f"double_buffered={double_buffered!r}: allowed: True or False")
    given = {"rows": rows, "cols": cols, "m": m, "n": n, "k": k, "lanes": lanes}
    numbers = {
        name: positive_integers(name, value)
        for name, value in (given | {"interval": interval}).items()
    }
    try:
        np.broadcast_shapes(*(array.shape for array in numbers.values()))
    except ValueError:
        shapes = ", ".join(f"{name} {array.shape}" for name, array in numbers.items())
        raise InputError(f"{shapes}: allowed: shapes that broadcast") from None
    if counted is Convention.RTL:
        return _array_cycles(numbers, flow, linked, bool(double_buffered))
    if counted is Convention.NO_OVERLAP and linked is not Links.SYSTOLIC:
        raise InputError("links='broadcast': no_overlap counts systolic arrays; allowed: systolic")
    r, c, m_, n_, k_, lanes_, interval_ = numbers.values()
    beats = ceil_div(k_, lanes_)
    match flow:
        case Dataflow.OUTPUT_STATIONARY:
            folds_r, folds_c, streamed, load = ceil_div(m_, r), ceil_div(n_, c), beats, None
        case Dataflow.WEIGHT_STATIONARY:
            folds_r, folds_c, streamed, load = ceil_div(beats, r), ceil_div(n_, c), m_, r
        case Dataflow.INPUT_STATIONARY:
            folds_r, folds_c, streamed, load = ceil_div(beats, r), ceil_div(m_, c), n_, r
    if counted is Convention.NO_OVERLAP:
        streamed = total("the beats of a fold", streamed=streamed, rows=r - 1, cols=c - 1)
    fold = product("the cycles of a fold", beats=streamed, interval=interval_)
    if counted is Convention.NO_OVERLAP and load is not None:
        fold = total("the cycles of a fold", beats=fold, load=load)
    return product("the number of cycles", row_folds=folds_r, col_folds=folds_c, fold=fold)


def _array_cycles(numbers: dict[str, Ints], flow: Dataflow, links: Links, double: bool) -> Ints:
    try:
        from hwsim.accelerator.array_cycles import array_cycles
    except ImportError:
        raise InputError(
            "convention='rtl': this version has no closed form of the array in hardware; "
            "allowed: no_overlap, no_skew"
        ) from None
    r, c, m, n, k, lanes, interval = numbers.values()
    return array_cycles(r, c, flow.value, m, n, k, lanes, interval, links.value, double)
