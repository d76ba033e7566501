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
def real_delays(
    before: Array,
    after: Array,
    words: Array,
    bits: Array,
    sources: Array,
    source_ticks: Array,
    outputs: Array,
    first_pin: Array,
    pins: Array,
    ticks: Array,
    first_row: Array,
    rows: Array,
    first_reader: Array,
    readers: Array,
    longest: int,
) -> Array:
    """Let elements settle with inertial delays, one transition after the other, and count toggles.

    Time goes in ticks. At one tick all nets that are due change, and then every element that one of
    them enters is evaluated once. A change that an element has announced and that is not due yet is
    taken back if the element would no longer make it: shorter pulses do not come out.

    Parameters
    ----------
    before, after
        Settled uint64 words of all nets, shape (nets, words), one bit a transition.
    words, bits
        The transitions that are played.
    sources, source_ticks
        Nets that no element drives, and when they rise and fall, shape (sources, 2).
    outputs
        Net that each element drives.
    first_pin, pins, ticks
        Inputs of element k are ``pins[first_pin[k] : first_pin[k + 1]]``; ``ticks`` has the delays
        from each to the output's rise and fall, shape (pins, 2), at least 1.
    first_row, rows
        What element k computes is ``rows[first_row[k] + state]``, bit j of ``state`` its input j.
    first_reader, readers
        Pins that net n enters are ``readers[first_reader[n] : first_reader[n + 1]]``, each an
        element and one of its inputs, shape (pins, 2).
    longest
        The largest of all ticks.

    Returns
    -------
    Toggles over all transitions, int64, shape (nets,); -1 for net 0 if one of them did not settle
    at ``after``.
    """
    nets = len(before)
    elements = len(outputs)
    wheel = longest + 1
    counts = np.zeros(nets, np.int64)
    value = np.zeros(nets, np.uint8)
    state = np.zeros(elements, np.int64)
    due = np.full(nets, -1, np.int64)
    head = np.full(wheel, -1, np.int64)
    following = np.full(nets, -1, np.int64)
    previous = np.full(nets, -1, np.int64)
    touched = np.empty(elements, np.int64)
    rise = np.full(elements, -1, np.int64)
    fall = np.full(elements, -1, np.int64)
    for k in range(len(words)):
        word, bit = words[k], np.uint64(bits[k])
        for net in range(nets):
            value[net] = (before[net, word] >> bit) & np.uint64(1)
        for element in range(elements):
            found = 0
            for place in range(first_pin[element], first_pin[element + 1]):
                found |= np.int64(value[pins[place]]) << (place - first_pin[element])
            state[element] = found
        waiting = 0
        for place in range(len(sources)):
            net = sources[place]
            wanted = np.uint8((after[net, word] >> bit) & np.uint64(1))
            if wanted != value[net]:
                time = source_ticks[place, 1 - wanted]
                due[net] = time
                slot = time % wheel
                following[net] = head[slot]
                previous[net] = -1
                if head[slot] >= 0:
                    previous[head[slot]] = net
                head[slot] = net
                waiting += 1
        now = 0
        while waiting:
            slot = now % wheel
            size = 0
            net = head[slot]
            head[slot] = -1
            while net >= 0:
                due[net] = -1
                waiting -= 1
                value[net] ^= 1
                counts[net] += 1
                for place in range(first_reader[net], first_reader[net + 1]):
                    element = readers[place, 0]
                    pin = readers[place, 1]
                    state[element] ^= np.int64(1) << pin
                    up = ticks[first_pin[element] + pin, 0]
                    down = ticks[first_pin[element] + pin, 1]
                    if rise[element] < 0:
                        touched[size] = element
                        size += 1
                        rise[element] = up
                        fall[element] = down
                    else:
                        rise[element] = min(rise[element], up)
                        fall[element] = min(fall[element], down)
                net = following[net]
            for place in range(size):
                element = touched[place]
                net = outputs[element]
                wanted = rows[first_row[element] + state[element]]
                delay = rise[element] if wanted else fall[element]
                rise[element] = -1
                time = now + delay
                if due[net] >= 0 and (wanted == value[net] or time < due[net]):
                    # Unlinked: taken back, or made earlier below.
                    old = due[net] % wheel
                    if previous[net] >= 0:
                        following[previous[net]] = following[net]
                    else:
                        head[old] = following[net]
                    if following[net] >= 0:
                        previous[following[net]] = previous[net]
                    due[net] = -1
                    waiting -= 1
                if due[net] < 0 and wanted != value[net]:
                    due[net] = time
                    new = time % wheel
                    following[net] = head[new]
                    previous[net] = -1
                    if head[new] >= 0:
                        previous[head[new]] = net
                    head[new] = net
                    waiting += 1
            now += 1
        for net in range(nets):
            if value[net] != (after[net, word] >> bit) & np.uint64(1):
                counts[0] = -1
                return counts
    return counts
