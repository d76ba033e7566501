"""What a matrix product moves: between DRAM and SRAM, and between SRAM and the array.

Weights and inputs are used in *strips*: the columns of weights, or rows of inputs, that one fold of
the array works on, in full length. An SRAM keeps as many whole strips as it has room for, and what
it cannot keep is fetched again. Two loop orders are left, and the one that moves less is taken:

- ``keep_weights``: a tile of weights stays while all inputs pass by, so inputs are read once for
  every tile of weights. Inputs whose strip does not fit are read once for every strip of weights.
- ``keep_inputs``: the same with both exchanged.

Where not even one strip of either fits, both are streamed: each is read once for every strip of the
other, ``stream``. If all weights or all inputs fit, everything is moved once.

A weight-stationary array needs no whole strip of weights: it loads them fold by fold, and is done
with a fold when as many rows of inputs have passed as the output SRAM has room for their sums. So
weights whose strip does not fit are read once for so many rows, or once for every tile of inputs if
that has fewer. In an input-stationary one the same holds of inputs.

Between SRAM and the array, an output-stationary array reads weights once for every fold of rows and
inputs once for every fold of columns, and writes outputs once; where they are sums of parts, whose
scales the units do not apply, it adds up parts in the output SRAM. A weight-stationary array reads
weights once, inputs for every fold of columns, and adds up the sums of all folds along K there; so
does an input-stationary one, weights and inputs exchanged. These sums have to fit, so only as many
rows pass by at a time, and what is stationary is read from SRAM again for the next.

All results of layers go to DRAM and come from there: nothing stays on the chip in between. Bits
are float64, exact up to 2**53; blocks that an edge cuts short are not padded.
"""

from dataclasses import dataclass
from enum import IntEnum
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from hwsim.accelerator.integers import Ints, ceil_div
from hwsim.errors import HwsimError
from hwsim.units.array import Dataflow

Floats: TypeAlias = NDArray[np.float64]


class ModelError(HwsimError, AssertionError):
    """A result contradicts what no design can do; a fault of hwsim, not of the input."""


class Order(IntEnum):
    """Which operand stays in SRAM while the other is moved."""

    KEEP_WEIGHTS = 0
    KEEP_INPUTS = 1
    STREAM = 2


@dataclass(frozen=True, eq=False)
class Product:
    """A matrix product, or many of them in arrays that broadcast.

    Attributes
    ----------
    m, n, k
        Rows of inputs, columns of weights, length.
    input_bits, weight_bits, output_bits
        Bits of an element, metadata included.
    inputs, weights
        Elements that there are in memory; fewer than m * k where neighbours share them, as the
        windows of a convolution do.
    sum_bits
        Bits of a sum that is not yet an output.
    parts
        Sums that an output of an output-stationary array consists of.
    """

    m: Ints
    n: Ints
    k: Ints
    input_bits: Floats
    weight_bits: Floats
    output_bits: Floats
    inputs: Ints
    weights: Ints
    sum_bits: Ints
    parts: Ints


@dataclass(frozen=True, eq=False)
class Traffic:
    """Bits that one matrix product moves, and the loop order.

    Attributes
    ----------
    order
        Values of :class:`Order`.
    weights, inputs, outputs
        Between DRAM and SRAM.
    weight_reads, input_reads, output_reads
        Out of each SRAM.
    weight_writes, input_writes, output_writes
        Into each SRAM.
    first_weights, first_inputs, last_outputs
        Of ``weights``, ``inputs`` and ``outputs``, what is moved before the array begins and after
        it ends: one strip, or as much of it as the SRAM holds, and the outputs of one fold.
    """

    order: Ints
    weights: Floats
    inputs: Floats
    outputs: Floats
    weight_reads: Floats
    weight_writes: Floats
    input_reads: Floats
    input_writes: Floats
    output_reads: Floats
    output_writes: Floats
    first_weights: Floats
    first_inputs: Floats
    last_outputs: Floats

    @property
    def dram(self) -> Floats:
        """All bits between DRAM and SRAM."""
        return self.weights + self.inputs + self.outputs


def traffic(
    product: Product,
    rows: Ints,
    cols: Ints,
    lanes: Ints,
    dataflow: Dataflow,
    weight_room: Ints,
    input_room: Ints,
    output_room: Ints,
) -> Traffic:
    """Return what matrix products move.

    Parameters
    ----------
    rows, cols
        Outputs that a fold of an output-stationary array has, tiles of units included; of the
        others, units along K and along N or M.
    lanes
        Products along K of a unit.
    weight_room, input_room, output_room
        Bits of a tile that each SRAM holds.

    Raises
    ------
    ModelError
        If less is moved than there is.
    """
    once_w, once_i = product.weights * product.weight_bits, product.inputs * product.input_bits
    once_o = product.m * (product.n * product.output_bits)
    strip_w, strip_i = _strips(product, rows, cols, dataflow)
    # Rows of inputs and columns of weights that fit, as whole strips; 0 if not even one.
    fit_w = _whole_strips(weight_room / (once_w / product.n), product.n, strip_w)
    fit_i = _whole_strips(input_room / (once_i / product.m), product.m, strip_i)
    strips_w, strips_i = ceil_div(product.n, strip_w), ceil_div(product.m, strip_i)
    inputs_again = np.where(fit_i > 0, ceil_div(product.n, np.maximum(fit_w, 1)), strips_w)
    weights_again = np.where(fit_w > 0, ceil_div(product.m, np.maximum(fit_i, 1)), strips_i)
    streamed_w, streamed_i = strips_i, strips_w
    sums = _rows_of_sums(product, cols, output_room)
    if dataflow is Dataflow.WEIGHT_STATIONARY:
        by_folds = ceil_div(product.m, np.minimum(np.maximum(fit_i, 1), sums))
        weights_again = np.where(fit_w > 0, weights_again, by_folds)
        streamed_w = ceil_div(product.m, sums)
    if dataflow is Dataflow.INPUT_STATIONARY:
        by_folds = ceil_div(product.n, np.minimum(np.maximum(fit_w, 1), sums))
        inputs_again = np.where(fit_i > 0, inputs_again, by_folds)
        streamed_i = ceil_div(product.n, sums)
    # By order: passes over weights and over inputs.
    never = np.inf
    keep_w, keep_i = np.where(fit_w > 0, 1, never), np.where(fit_i > 0, 1, never)
    passes_w = np.stack(np.broadcast_arrays(keep_w, weights_again, streamed_w))
    passes_i = np.stack(np.broadcast_arrays(inputs_again, keep_i, streamed_i))
    moved = passes_w * once_w + passes_i * once_i
    order = moved.argmin(axis=0)
    taken = order[np.newaxis]
    weights = np.take_along_axis(passes_w, taken, axis=0)[0] * once_w
    inputs = np.take_along_axis(passes_i, taken, axis=0)[0] * once_i
    found = Traffic(
        order, weights, inputs, once_o + np.zeros_like(weights),
        **_of_sram(product, rows, cols, lanes, dataflow, output_room, once_w, once_o),
        weight_writes=weights, input_writes=inputs,
        first_weights=np.minimum(strip_w / product.n * once_w, np.minimum(weight_room, once_w)),
        first_inputs=np.minimum(strip_i / product.m * once_i, np.minimum(input_room, once_i)),
        last_outputs=np.minimum(rows * cols * product.output_bits, once_o),
    )  # fmt: skip
    _check(found, once_w, once_i)
    return found


def _strips(product: Product, rows: Ints, cols: Ints, dataflow: Dataflow) -> tuple[Ints, Ints]:
    """Return columns of weights and rows of inputs that the array takes at a time."""
    one = np.ones_like(rows)
    match dataflow:
        case Dataflow.OUTPUT_STATIONARY:
            return cols, rows
        case Dataflow.WEIGHT_STATIONARY:
            return cols, one
        case Dataflow.INPUT_STATIONARY:
            return one, cols


def _whole_strips(fit: Floats, count: Ints, strip: Ints) -> Ints:
    """Return how many of ``count`` fit, as whole strips unless all do."""
    known = np.minimum(fit, count).astype(np.int64)
    return np.where(known >= count, count, known // strip * strip)


def _of_sram(
    product: Product,
    rows: Ints,
    cols: Ints,
    lanes: Ints,
    dataflow: Dataflow,
    output_room: Ints,
    once_w: Floats,
    once_o: Floats,
) -> dict[str, Floats]:
    """Return what is read from SRAMs, and what is written into that of outputs."""
    # Every window of a convolution is read, though neighbours share elements.
    every_i = product.m * (product.k * product.input_bits)
    every_w = product.n * (product.k * product.weight_bits)
    sums = product.sum_bits.astype(np.float64) * product.m * product.n
    if dataflow is Dataflow.OUTPUT_STATIONARY:
        results = np.where(product.parts > 1, product.parts * sums, once_o)
        return {
            "weight_reads": ceil_div(product.m, rows) * every_w,
            "input_reads": ceil_div(product.n, cols) * every_i,
            "output_writes": results,
            "output_reads": results,
        }
    sums = sums * ceil_div(ceil_div(product.k, lanes), rows)
    streamed = product.m if dataflow is Dataflow.WEIGHT_STATIONARY else product.n
    again = ceil_div(streamed, _rows_of_sums(product, cols, output_room))
    if dataflow is Dataflow.WEIGHT_STATIONARY:
        reads = {
            "weight_reads": again * every_w,
            "input_reads": ceil_div(product.n, cols) * every_i,
        }
    else:
        reads = {
            "weight_reads": ceil_div(product.m, cols) * every_w,
            "input_reads": again * every_i,
        }
    return reads | {"output_writes": sums, "output_reads": sums}


def _rows_of_sums(product: Product, cols: Ints, output_room: Ints) -> Ints:
    """Return for how many rows, or columns, of what is streamed the output SRAM holds sums."""
    return np.maximum(output_room // (cols * product.sum_bits), 1)


def _check(found: Traffic, once_w: Floats, once_i: Floats) -> None:
    # Products of the same factors in another order may differ in their last bits.
    least = (once_w + once_i) * (1 - 1e-12)
    if (found.weights + found.inputs < least).any():
        raise ModelError("DRAM moves less than the size of the operands")
