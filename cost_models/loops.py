"""The compiled loops of :mod:`cost_models.activity`; importing this imports numba.

A net's values are words of bits that are independent of each other. With inversions as masks, one
expression covers AND, NAND, OR, NOR, ANDNOT and ORNOT, and one covers XOR, XNOR and NOT, whose pin
B is the constant 0.
"""

from typing import Any

import numpy as np
from numba import njit, types
from numba.extending import intrinsic
from numpy.typing import NDArray

from cost_models.netlist import GATES

Array = NDArray[Any]

_AND, _XOR, _MUX = range(3)
#: By gate type, the expression, and which of A, B and the output are inverted.
_GATES = {
    "NOT": (_XOR, 0, 0, 1),
    "XOR": (_XOR, 0, 0, 0),
    "XNOR": (_XOR, 0, 0, 1),
    "AND": (_AND, 0, 0, 0),
    "NAND": (_AND, 0, 0, 1),
    "OR": (_AND, 1, 1, 1),
    "NOR": (_AND, 1, 1, 0),
    "ANDNOT": (_AND, 0, 1, 0),
    "ORNOT": (_AND, 1, 0, 1),
    "MUX": (_MUX, 0, 0, 0),
}
_KINDS = np.array([_GATES[name][0] for name in GATES])
_INVERSIONS = np.array([_GATES[name][1:] for name in GATES], np.uint64) * np.uint64(2**64 - 1)


@intrinsic
def _ones(typing_context: Any, value: Any) -> Any:
    """Return the number of ones in a word."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.ctpop(arguments[0])

    return types.uint64(types.uint64), generate


@njit(cache=True)
def _output(values: Array, kind: int, pins: Array, word: int) -> Any:
    """Return a word of what a gate computes."""
    a, b = values[pins[0], word], values[pins[1], word]
    if _KINDS[kind] == _MUX:
        return a ^ ((a ^ b) & values[pins[2], word])
    invert_a, invert_b, invert = _INVERSIONS[kind]
    if _KINDS[kind] == _XOR:
        return a ^ b ^ invert
    return ((a ^ invert_a) & (b ^ invert_b)) ^ invert


@njit(cache=True)
def settle(values: Array, kinds: Array, pins: Array) -> None:
    """Evaluate gates in the order of ``kinds``; the last nets are their outputs.

    Parameters
    ----------
    values
        uint64 words of all nets, shape (nets, words), changed in place.
    kinds, pins
        ``types`` and ``pins`` of a netlist.
    """
    first = len(values) - len(kinds)
    for gate in range(len(kinds)):
        for word in range(values.shape[1]):
            values[first + gate, word] = _output(values, kinds[gate], pins[gate], word)


@njit(cache=True)
def unit_delays(values: Array, changed: Array, kinds: Array, pins: Array, mask: Array) -> Array:
    """Let the gates settle with a delay of one each, and count the toggles of every net.

    A gate is evaluated when one of its inputs has just changed, until none changes any more.

    Parameters
    ----------
    values
        uint64 words of all nets, shape (nets, words): inputs and flip-flops as after time 0, gates
        as before it; changed in place.
    changed
        Which nets change at time 0, shape (nets,); changed in place.
    kinds, pins
        ``types`` and ``pins`` of a netlist.
    mask
        The bits that count, shape (words,).

    Returns
    -------
    Toggles over all bits that count, int64, shape (nets,); 0 for inputs and flip-flops.
    """
    words = values.shape[1]
    first = len(values) - len(kinds)
    counts = np.zeros(len(values), np.int64)
    waiting = np.empty(len(kinds), np.int64)
    results = np.empty((len(kinds), words), np.uint64)
    while changed.any():
        # All gates read before any of them writes.
        size = 0
        for gate in range(len(kinds)):
            a, b, s = pins[gate]
            if changed[a] or changed[b] or changed[s]:
                for word in range(words):
                    results[size, word] = _output(values, kinds[gate], pins[gate], word)
                waiting[size] = gate
                size += 1
        changed[:] = False
        for k in range(size):
            net = first + waiting[k]
            toggles = 0
            for word in range(words):
                toggles += _ones((values[net, word] ^ results[k, word]) & mask[word])
                values[net, word] = results[k, word]
            counts[net] += toggles
            changed[net] = toggles > 0
    return counts
