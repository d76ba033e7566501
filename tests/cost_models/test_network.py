import numpy as np
import pytest

from cost_models import network
from cost_models.netlist import GATES
from cost_models.network import Delays, Network, SimulationError, Transitions
from tests.cost_models.plain_simulator import play, play_all

TRUTH = {
    "NOT": lambda a, b, s: not a,
    "AND": lambda a, b, s: a and b,
    "NAND": lambda a, b, s: not (a and b),
    "OR": lambda a, b, s: a or b,
    "NOR": lambda a, b, s: not (a or b),
    "XOR": lambda a, b, s: a != b,
    "XNOR": lambda a, b, s: a == b,
    "ANDNOT": lambda a, b, s: a and not b,
    "ORNOT": lambda a, b, s: a or not b,
    "MUX": lambda a, b, s: b if s else a,
}
SOURCES = 6


@pytest.mark.parametrize("kind", GATES)
def test_gate_has_its_truth_table(kind):
    rows = [(k & 1, k >> 1 & 1, k >> 2 & 1) for k in range(8)]
    assert network.gate_table(kind) == [int(TRUTH[kind](*row)) for row in rows]


def settled(cells, sources):
    """Return all nets of a network whose elements come in order."""
    values = [0, 1, *sources]
    for net, pins, table in zip(cells.outputs, cells.pins, cells.tables, strict=True):
        assert net == len(values)
        values.append(table[sum(values[pin] << j for j, pin in enumerate(pins))])
    return values


def transition(cells, before, after):
    """Return the transition from one to other values of the sources."""
    words = (np.array(settled(cells, s), np.uint64)[:, np.newaxis] for s in (before, after))
    return Transitions(*words, np.array([0]), np.array([0]))


def random_network(rng, elements=40):
    """Elements of one to four inputs, constants and the same net twice among them."""
    first = 2 + SOURCES
    sizes = rng.integers(1, 5, elements)
    return Network(
        nets=first + elements,
        sources=np.arange(2, first),
        outputs=np.arange(first, first + elements),
        pins=[rng.integers(max(0, first + k - 12), first + k, n).tolist()
              for k, n in enumerate(sizes)],
        tables=[rng.integers(0, 2, 1 << n).tolist() for n in sizes],
    )  # fmt: skip


def random_case(seed):
    """A network, whole delays of which one is that of ``TICKS`` ticks, and transitions."""
    rng = np.random.default_rng(seed)
    cells = random_network(rng)
    # Few values, so that many times are equal; sources later than any element.
    elements = rng.choice([1, 2, 3, 5, 8, 300, network.TICKS], (sum(map(len, cells.pins)), 2))
    elements[0, 0] = network.TICKS
    delays = Delays(rng.choice([0, 1, 2, 7, 1300], (SOURCES, 2)).astype(float), elements * 1.0)
    states = np.array([settled(cells, row) for row in rng.integers(0, 2, (129, SOURCES))])
    before, after = (
        np.ascontiguousarray(np.packbits(part.T, axis=1, bitorder="little")).view("<u8")
        for part in (states[:-1], states[1:])
    )
    drawn = rng.permutation(128)[:20]
    return cells, Transitions(before, after, drawn // 64, drawn % 64), delays


@pytest.mark.parametrize("seed", range(12))
def test_toggles_are_those_of_the_definition(seed):
    cells, transitions, delays = random_case(seed)
    expected, arrived = play_all(cells, transitions, delays)
    assert arrived
    found = network.toggles(cells, transitions, delays) * len(transitions.words)
    np.testing.assert_allclose(found, expected)
    assert (found >= transitions.settled()).all()


@pytest.mark.parametrize("rule", ["transport", "longest", "late", "singly", "icarus"])
def test_other_rules_give_other_toggles(rule):
    """So the test above sees each part of the rule."""
    cases = [random_case(seed) for seed in range(12)]
    found = [network.toggles(*case) * len(case[1].words) for case in cases]
    others = [play_all(*case, rule)[0] for case in cases]
    assert any((a != b).any() for a, b in zip(found, others, strict=True))


def test_settled_toggles_are_of_the_drawn_transitions():
    _, transitions, _ = random_case(0)
    differs = transitions.before ^ transitions.after
    expected = sum(
        (differs[:, word] >> np.uint64(bit)) & np.uint64(1)
        for word, bit in zip(transitions.words, transitions.bits, strict=True)
    )
    np.testing.assert_array_equal(transitions.settled(), expected)
    some = np.array([5, 3])
    np.testing.assert_array_equal(transitions.of(some).settled(), expected[some])


#: y = a and b, in a buffer's delay: z = y.
PULSE = Network(
    nets=6,
    sources=np.array([2, 3]),
    outputs=np.array([4, 5]),
    pins=[[2, 3], [4]],
    tables=[[0, 0, 0, 1], [0, 1]],
)


@pytest.mark.parametrize(
    ("width", "rise", "fall", "pulses"),
    [
        (10, 10, 10, 1),  # As long as the delay: the output rises before it is told to fall.
        (9, 10, 10, 0),
        (9, 9, 30, 1),
        (9, 10, 1, 0),  # The delay to the rise decides whether it begins.
    ],
)
def test_a_pulse_shorter_than_the_delay_is_swallowed(width, rise, fall, pulses):
    """Input a rises at 50 and b falls ``width`` later; the first element is faster than that.

    The longest delay, and so a tick, differs from case to case.
    """
    delays = Delays(
        np.array([[50.0, 0], [0, 50 + width]]),
        np.array([[1.0, 1], [1, 1], [rise, fall]]),
    )
    change = transition(PULSE, (0, 1), (1, 0))
    found = network.toggles(PULSE, change, delays)
    assert found.tolist() == [0, 0, 1, 1, 2, 2 * pulses]
    assert (
        play(PULSE, *(s[:, 0] for s in (change.before, change.after)), delays)[0] == found.tolist()
    )


def test_delays_of_rise_and_fall_stretch_a_pulse():
    """Through y, that falls late, a pulse of 10 becomes one of 19 and passes an element of 15."""
    passes = Delays(np.array([[50.0, 0], [0, 60]]), np.array([[1.0, 10], [1, 10], [15, 15]]))
    swallowed = Delays(passes.sources, np.array([[10.0, 1], [10, 1], [15, 15]]))
    change = transition(PULSE, (0, 1), (1, 0))
    assert network.toggles(PULSE, change, passes).tolist() == [0, 0, 1, 1, 2, 2]
    assert network.toggles(PULSE, change, swallowed).tolist() == [0, 0, 1, 1, 2, 0]


def test_the_fastest_of_inputs_that_change_together_counts():
    """z = a or b follows a in 20 and b in 3: with both, a pulse of 5 passes."""
    both = Network(5, np.array([2, 3]), np.array([4]), [[2, 3]], [[0, 1, 1, 1]])
    delays = Delays(np.array([[7.0, 9], [7, 9]]), np.array([[20.0, 20], [3, 3]]))
    up = transition(both, (0, 0), (1, 1))
    assert network.toggles(both, up, delays)[4] == 1


@pytest.mark.parametrize("delay", [0.125, 3.0])
def test_sources_arrive_when_they_do_even_if_elements_are_alike(delay):
    """All elements have one delay; sources that differ by less are not the same."""
    alike = Delays(
        np.array([[0.4 * delay, 0.4 * delay], [0.6 * delay, 0.6 * delay]]),
        np.full((3, 2), delay),
    )
    late = Delays(alike.sources * [[1], [10]], alike.elements)
    change = transition(PULSE, (0, 1), (1, 0))
    assert network.toggles(PULSE, change, alike)[4] == 0
    assert network.toggles(PULSE, change, late)[4] == 2


def test_elements_that_settle_elsewhere_are_caught():
    cells, transitions, delays = random_case(1)
    last = int(cells.outputs[-1])
    wrong = transitions.after.copy()
    wrong[last] ^= np.uint64(1) << transitions.bits[0].astype(np.uint64)
    broken = Transitions(transitions.before, wrong, transitions.words, transitions.bits)
    with pytest.raises(SimulationError, match="do not settle"):
        network.toggles(cells, broken, delays)
