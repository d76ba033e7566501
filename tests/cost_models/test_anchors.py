"""Interpolation between anchors: laws are kept, anchors reproduced, bounds kept."""

import math

import pytest

from cost_models.anchors import Interpolation, Place, anchors, unevenness
from cost_models.estimate import CostCurve, End, cost_curves
from hwsim.units import make

LANES = (1, 2, 3, 4, 5, 7, 8, 9, 12, 16, 17, 32, 64)
WIDTHS = (20, 24, 32)
PLACES = [Place(one, two) for one in LANES for two in WIDTHS]


def curve(place, glitch=1.0):
    """A unit as the laws have it: straight lines, levels of a tree, and hazards of uneven ones."""
    lanes, bits = place
    levels = math.ceil(math.log2(lanes))

    def end(scale):
        return End(
            area_um2=scale * (600 * lanes + 66 * bits),
            delay_ns=(4 + 0.3 * levels + 0.14 * bits) / scale,
            settled_pj=0.6 * lanes + 0.08 * bits,
            clock_pj=0.05 * bits,
            glitch_pj=glitch * (lanes + 0.4 * float(unevenness(lanes))),
            leakage_nw=0.3 * lanes + 0.03 * bits,
            idle_pj=0.05 * bits,
        )

    return CostCurve(end(1), end(1.3), lanes, 0.0, {})


def interpolation(places, of=curve):
    chosen = anchors(places)
    return chosen, Interpolation(tuple(chosen), tuple(map(of, chosen)))


def test_anchors_are_few_and_cheap():
    narrow = [(1, 20), (4, 20), (9, 20), (16, 20), (64, 20)]
    assert anchors(PLACES) == [*narrow, (1, 32), (4, 32)]
    powers = [Place(one) for one in (1, 2, 4, 8, 16, 32)]
    assert anchors(powers) == [(1, 0), (4, 0), (16, 0), (32, 0)]
    assert anchors([Place(4, one) for one in WIDTHS]) == [(4, 20), (4, 32)]
    assert anchors([Place(3), Place(64)]) == [(3, 0), (64, 0)]
    assert anchors([Place(7)]) == [(7, 0)]


@pytest.mark.parametrize("place", PLACES)
def test_what_follows_the_laws_is_found_exactly(place):
    found = interpolation(PLACES)[1].curve(place)
    for name in ("smallest", "fastest"):
        assert vars(getattr(found, name)) == pytest.approx(vars(getattr(curve(place), name)))
    assert found.macs_per_cycle == pytest.approx(place.lanes)


@pytest.mark.parametrize(
    "lanes", [LANES, (3, 4, 5), (3, 5, 6, 7), (2, 6, 10, 14, 30), (1, 2, 4, 8, 16), (5, 6), (11,)]
)
def test_anchors_are_reproduced_whatever_the_lanes(lanes):
    places = [Place(one, two) for one in lanes for two in WIDTHS]

    def rough(place):
        return curve(place, 1 + hash(place) % 7 / 10)

    chosen, found = interpolation(places, rough)
    for place in chosen:
        for name in ("smallest", "fastest"):
            got = vars(getattr(found.curve(place), name))
            assert got == pytest.approx(vars(getattr(rough(place), name)))


def test_nothing_falls_below_the_least_anchor():
    def falling(place):
        return curve(place, 5.0 if place.lanes == 1 else 0.1)

    _, found = interpolation(PLACES, falling)
    least = min(falling(place).smallest.glitch_pj for place in anchors(PLACES))
    assert all(found.curve(place).smallest.glitch_pj >= least for place in PLACES)
    ends = [found.curve(place) for place in PLACES]
    assert all(one.fastest.delay_ns <= one.smallest.delay_ns for one in ends)


def test_units_are_near_their_estimates():
    """Of integers of 3 bits, in sky130: far from the anchors, and within the bounds of docs."""

    def estimated(place):
        unit = make(
            "integer", lanes=place.lanes, weight="int3", activation="int3",
            accumulator_bits=place.accumulator_bits,
        )  # fmt: skip
        return cost_curves(unit, ["sky130"])[0]

    _, found = interpolation([Place(one, two) for one in (1, 2, 4, 9, 16) for two in (16, 18, 20)],
                             estimated)  # fmt: skip
    for place in (Place(2, 18), Place(8, 20), Place(12, 18)):
        got, want = found.curve(place).smallest, estimated(place).smallest
        assert got.area_um2 == pytest.approx(want.area_um2, rel=0.02)
        assert got.delay_ns == pytest.approx(want.delay_ns, rel=0.08)
        assert got.settled_pj == pytest.approx(want.settled_pj, rel=0.03)
        energies = [one.settled_pj + one.glitch_pj for one in (got, want)]
        assert energies[0] == pytest.approx(energies[1], rel=0.1)
