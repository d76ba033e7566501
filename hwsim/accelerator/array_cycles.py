"""Cycles of a matrix product on the array of :mod:`rtl.array`, in closed form.

The array works in steps of one beat, which takes every unit ``interval`` cycles. In a systolic
array the unit in row r and column c is r + c steps behind the first one, so the last one is
S = R + C - 2 steps behind; in a broadcast array S = 0. Beats follow each other without a gap, and
what fills at the begin and drains at the end is paid once a product, S steps and the cycles
``drain`` that a unit takes from its last beat to its result.

- ``output_stationary``: a tile of outputs is ceil(K / lanes) beats, and results of a tile wait for
  the last unit's in a register a unit. A tile of fewer than S beats waits for the registers, so
  that tiles end at least S steps apart.
- ``weight_stationary``: a fold is M beats, before which R beats load C x lanes weights each. With
  double buffering they come in beats that carry activations, too, but for those of the first fold
  and what M beats have no room for. Partial sums of folds along K leave the array one by one.
  Units take a beat a cycle.
- ``input_stationary``: the same with M and N exchanged.

``tests/rtl/test_array_cycles.py`` proves every count with the hardware.
"""

import numpy as np

from hwsim.accelerator.integers import Ints, ceil_div, product, total
from hwsim.errors import InputError


def array_cycles(
    rows: Ints,
    cols: Ints,
    dataflow: str,
    m: Ints,
    n: Ints,
    k: Ints,
    lanes: Ints,
    interval: Ints,
    links: str,
    double_buffered: bool,
    *,
    drain: int | Ints = 0,
    parts: int | Ints = 1,
) -> Ints:
    """Return the cycles of an M x K by K x N product, neither side stalling.

    They are counted from the cycle in which the first beat is offered to the one in which the last
    result is taken, both included.

    Parameters
    ----------
    rows, cols
        Units of the array.
    dataflow
        ``output_stationary``, ``weight_stationary`` or ``input_stationary``.
    m, n, k
        Rows of activations, columns of weights, and length of a dot product. Tiles that they do
        not fill are filled up with zeros.
    lanes, interval
        Products a beat, and cycles a beat, of a unit; ``Timing.interval`` of beats that are alike.
    links
        ``systolic`` or ``broadcast``.
    double_buffered
        Whether the next stationary operand is loaded while one is used; there is none to load in
        ``output_stationary``.
    drain
        ``Timing.drain`` of a unit.
    parts
        Dot products that an output is the sum of, all of length ``k``: where scales that the unit
        does not apply change, a dot product ends. Of ``output_stationary`` only; elsewhere
        partial sums leave the array anyway.

    Returns
    -------
    numpy.ndarray
        int64 of the shape that the arguments broadcast to, which are checked by
        :func:`hwsim.accelerator.cycles.gemm_cycles`: int64 from 1, ``drain`` from 0.

    Raises
    ------
    InputError
        For counts beyond int64, and for other than ``output_stationary`` of an ``interval`` that is
        not 1.
    """
    zero = np.int64(0)
    drain, parts = np.asarray(drain, np.int64), np.asarray(parts, np.int64)
    skew = zero * rows
    if links == "systolic":
        skew = total("the number of steps", rows=rows - 1, cols=cols - 1)
    beats = ceil_div(k, lanes)
    if dataflow == "output_stationary":
        tiles = product(
            "the number of tiles", rows=ceil_div(m, rows), cols=ceil_div(n, cols), parts=parts
        )
        apart = product(
            "the number of beats", tiles=tiles, beats=np.maximum(beats, np.maximum(skew, 1))
        )
        # The first tile ends after its own beats, however few.
        steps = total("the number of beats", apart=apart, skew=skew)
        steps = steps - np.maximum(skew - beats, 0)
        return total("the number of cycles", steps=_times(steps, interval), drain=drain + 1)
    if (interval > 1).any():
        raise InputError(
            f"interval={interval.max()}: sums are handed on by units that take a beat a cycle; "
            "allowed: 1, or output_stationary"
        )
    streamed, outer = (m, n) if dataflow == "weight_stationary" else (n, m)
    folds = product(
        "the number of folds", along_k=ceil_div(beats, rows), cols=ceil_div(outer, cols)
    )
    steps = total(
        "the number of beats",
        folds=product("the number of beats", folds=folds, beats=streamed),
        skew=skew,
    )
    load = np.maximum(rows - streamed, 0) if double_buffered else rows
    gaps = product("the number of cycles", folds=folds - 1, load=load)
    # A column's sum takes a cycle more.
    return total("the number of cycles", first=rows, gaps=gaps, steps=steps, drain=drain + 2)


def _times(number: Ints, cycles: Ints) -> Ints:
    return product("the number of cycles", number=number, cycles=cycles)
