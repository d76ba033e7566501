"""An event simulator in plain Python, by the definition of inertial delays and by other rules."""

import heapq

import numpy as np


def play(network, before, after, delays, rule="inertial"):
    """Play one transition, and return how often each net toggles and at what value it ends.

    Parameters
    ----------
    before, after
        Settled bits of every net; of the latter only those of sources are looked at.
    delays
        :class:`cost_models.network.Delays`, of whole numbers, so that times can be equal.
    rule
        ``inertial``, the definition: at one time, all nets that are due change; then every element
        one of whose inputs changed is evaluated once. It changes after the shortest delay of those
        inputs, unless it would before, and a change that is not due yet is dropped if the element
        would not make it any more. Other rules:

        - ``transport``: nothing is dropped; each change follows the one before.
        - ``longest``: the longest delay of the inputs counts.
        - ``late``: a change that is under way is not made earlier.
        - ``singly``: elements are evaluated after every net, not after all that change at one time.
        - ``icarus``: what was announced stays; when it is due, the output takes what the element
          makes of its inputs by then.
    """
    assert all(delay == round(delay) for delay in delays.elements.ravel())
    values = list(map(int, before))
    counts = [0] * len(values)
    readers = {}
    rows = iter(delays.elements.tolist())
    for element, pins in enumerate(network.pins):
        for net in pins:
            readers.setdefault(net, []).append((element, next(rows)))
    # The change of each net that counts, and what its element last made of its inputs.
    pending = {}
    computed = {net: values[net] for net in network.outputs.tolist()}
    events = []

    def announce(time, net, value):
        pending[net] = (time, value)
        heapq.heappush(events, (time, net, value))

    def change(now, net, value):
        """Let a net change, if it does, and return the elements that see it, with delays."""
        if rule == "icarus":
            value = computed.get(net, value)
        elif rule != "transport" and pending.get(net) != (now, value):
            return []
        pending.pop(net, None)
        if values[net] == value:
            return []
        values[net] = value
        counts[net] += 1
        return readers.get(net, [])

    def evaluate(now, element, times):
        net = int(network.outputs[element])
        state = sum(values[pin] << j for j, pin in enumerate(network.pins[element]))
        wanted = int(network.tables[element][state])
        choose = max if rule == "longest" else min
        due = now + choose(rise if wanted else fall for rise, fall in times)
        if rule in ("icarus", "transport"):
            if wanted != computed[net]:
                computed[net] = wanted
                announce(due, net, wanted)
        elif wanted == values[net]:
            pending.pop(net, None)
        elif net not in pending or (due < pending[net][0] and rule != "late"):
            announce(due, net, wanted)

    for net, (rise, fall) in zip(network.sources.tolist(), delays.sources.tolist(), strict=True):
        if after[net] != values[net]:
            announce(rise if after[net] else fall, net, int(after[net]))
    while events:
        now = events[0][0]
        touched = {}
        while events and events[0][0] == now:
            for element, times in change(*heapq.heappop(events)):
                touched.setdefault(element, []).append(times)
            if rule == "singly":
                break
        for element, times in touched.items():
            evaluate(now, element, times)
    return counts, values


def play_all(network, transitions, delays, rule="inertial"):
    """Return the toggles of all nets over transitions, and whether all ended where they must."""
    counts = np.zeros(network.nets, np.int64)
    settled = True
    for word, bit in zip(transitions.words, transitions.bits, strict=True):
        before, after = (
            ((words[:, word] >> np.uint64(bit)) & np.uint64(1)).astype(int).tolist()
            for words in (transitions.before, transitions.after)
        )
        found, values = play(network, before, after, delays, rule)
        counts += found
        settled &= values == after
    return counts, settled
