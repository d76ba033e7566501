"""Cycles of a matrix product on an array of units, in closed form.

An array has ``rows`` x ``cols`` units and computes an M x K matrix of activations times a K x N one
of weights in *folds*, as many units' worth at a time. What a unit keeps in a fold is the dataflow:

- ``output_stationary``: one output. Rows are rows of activations, columns those of weights, and
  operands of all K pass by: ceil(M/R) ceil(N/C) folds of K beats.
- ``weight_stationary``: weights. Rows are along K, columns along N. M activations pass by, whose
  sums are handed on down a column: ceil(K/R) ceil(N/C) folds of M beats.
- ``input_stationary``: activations, the same with M and N exchanged.

A unit takes ``lanes`` neighbours along K in a beat of ``interval`` cycles, so K counts in beats.
What else takes time, tools count differently, and a *convention* says how:

- ``rtl``: what the array of :mod:`rtl.array` does, proved by simulation
  (:mod:`hwsim.accelerator.array_cycles`).
- ``no_overlap``: every fold fills, drains, and loads what is stationary by itself, and operands are
  handed on by one unit a beat, as SCALE-Sim v3 counts: K + R + C - 2 beats of an output-stationary
  fold, R cycles and M + R + C - 2 beats of a weight-stationary one. What SCALE-Sim 3.0.0 prints as
  "Total Cycles" is one less, the number of the last cycle, in all of 108 counts of the tool
  (``tests/accelerator/scale_sim.csv``).
- ``no_skew``: beats only, as ZigZag counts: operands reach all units at once, and loading and
  draining are hidden.

Every count is an exact int64; what does not fit is an error.
"""

from enum import StrEnum
from typing import TypeVar

import numpy as np
from numpy.typing import ArrayLike

from hwsim.accelerator.array_cycles import array_cycles
from hwsim.accelerator.integers import (
    Ints,
    ceil_div,
    positive_integers,
    product,
    total,
    whole_integers,
)
from hwsim.errors import InputError, check_known
from hwsim.units.array import Dataflow, Links


class Convention(StrEnum):
    """Which cycles count."""

    RTL = "rtl"
    NO_OVERLAP = "no_overlap"
    NO_SKEW = "no_skew"


_Choice = TypeVar("_Choice", bound=StrEnum)


def choice(kind: str, value: str, choices: type[_Choice]) -> _Choice:
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
    drain: ArrayLike = 0,
    parts: ArrayLike = 1,
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
    drain
        Cycles that a unit takes from its last beat to its result, from 0; for ``rtl``.
    parts
        Dot products of length ``k`` that an output is the sum of, where a unit does not apply the
        scales of blocks and ends with each; of ``output_stationary`` arrays.

    Returns
    -------
    numpy.ndarray
        int64 of the shape that the numbers broadcast to.

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
    given |= {"interval": interval, "parts": parts}
    numbers = {name: positive_integers(name, value) for name, value in given.items()}
    numbers["drain"] = whole_integers("drain", drain, 0)
    try:
        np.broadcast_shapes(*(array.shape for array in numbers.values()))
    except ValueError:
        shapes = ", ".join(f"{name} {array.shape}" for name, array in numbers.items())
        raise InputError(f"{shapes}: allowed: shapes that broadcast") from None
    if flow is not Dataflow.OUTPUT_STATIONARY and (numbers["parts"] > 1).any():
        raise InputError(f"parts={numbers['parts'].max()}: allowed: 1, or output_stationary")
    if counted is Convention.RTL:
        return array_cycles(
            dataflow=flow.value, links=linked.value, double_buffered=bool(double_buffered),
            **numbers,
        )  # fmt: skip
    if counted is Convention.NO_OVERLAP and linked is not Links.SYSTOLIC:
        raise InputError("links='broadcast': no_overlap counts systolic arrays; allowed: systolic")
    return _folds(flow, counted is Convention.NO_OVERLAP, numbers)


def _folds(flow: Dataflow, apart: bool, numbers: dict[str, Ints]) -> Ints:
    """Return the cycles of all folds, each filled, drained and loaded ``apart`` or not at all."""
    rows, cols, interval = numbers["rows"], numbers["cols"], numbers["interval"]
    m, n, beats = numbers["m"], numbers["n"], ceil_div(numbers["k"], numbers["lanes"])
    match flow:
        case Dataflow.OUTPUT_STATIONARY:
            along_rows, along_cols, streamed = m, n, beats
        case Dataflow.WEIGHT_STATIONARY:
            along_rows, along_cols, streamed = beats, n, m
        case Dataflow.INPUT_STATIONARY:
            along_rows, along_cols, streamed = beats, m, n
    if apart:
        streamed = total("the beats of a fold", streamed=streamed, rows=rows - 1, cols=cols - 1)
    fold = product("the cycles of a fold", beats=streamed, interval=interval)
    if apart and flow is not Dataflow.OUTPUT_STATIONARY:
        fold = total("the cycles of a fold", beats=fold, load=rows)
    return product(
        "the number of cycles", along_rows=ceil_div(along_rows, rows),
        along_cols=ceil_div(along_cols, cols), parts=numbers["parts"], fold=fold,
    )  # fmt: skip
