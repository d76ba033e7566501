"""Operands of every kind hold what they are there for."""

from itertools import pairwise, product

import numpy as np
import pytest

from hwsim.units import make
from hwsim.units.operands import Operands
from hwsim.units.stimulus import (
    _orders,
    all_pairs,
    corner_mix,
    edges,
    extremes,
    meets_every_lane,
    metadata_orders,
    tainted,
    tainted_sums,
)

INTEGER = make("integer", lanes=4, weight="int4", activation="int8")


def generator() -> np.random.Generator:
    return np.random.default_rng(0)


def test_every_pair_meets_every_lane() -> None:
    assert meets_every_lane(INTEGER)
    stimulus = all_pairs(INTEGER, generator())
    for lane in range(4):
        pairs = zip(stimulus.activations[:, lane], stimulus.weights[:, lane], strict=True)
        assert len(set(pairs)) == 1 << 12


def test_corners_fill_all_lanes_with_one_pair() -> None:
    stimulus = corner_mix(INTEGER, 200, 1, generator())
    a, w = stimulus.activations, stimulus.weights
    alike = (a == a[:, :1]).all(axis=1) & (w == w[:, :1]).all(axis=1)
    assert (alike & (a[:, 0] == 0x80) & (w[:, 0] == 8)).any()
    assert 0.4 < alike.mean() < 0.6


def test_edges_hold_both_ends_and_a_step_from_them_in_any_lane() -> None:
    unit = make("integer", lanes=3, weight="int4", activation="int8")
    stimulus = edges(unit, 2000, generator())
    values = unit.activation.decode(stimulus.activations)
    patterns = {tuple(row) for row in values}
    assert {*values.ravel()} == {-128, -127, 126, 127}
    assert len(patterns) == 4**3
    assert len(np.unique(stimulus.weights)) == 16


def test_tainted_beats_hold_nan_or_infinity() -> None:
    unit = make("float", lanes=4, weight="e4m3", activation="e2m1")
    stimulus = tainted(unit, 5, 3, generator())
    special = ~np.isfinite(unit.weight.decode(stimulus.weights))
    assert special.reshape(15, 4).any(axis=1).all()


def test_infinities_meet_large_sums_of_either_sign() -> None:
    unit = make("fma", lanes=1, weight="e2m1", activation="e5m2", accumulator="e5m2")
    stimulus = tainted_sums(unit, 400, generator())
    assert stimulus is not None
    a, w = unit.activation.decode(stimulus.activations), unit.weight.decode(stimulus.weights)
    first, last = (a * w).T
    assert (np.abs(first) >= 2**14).all()
    assert np.isinf(last).all()
    assert {*zip(np.sign(first), np.sign(last), strict=True)} == {*product((-1, 1), repeat=2)}
    assert tainted_sums(INTEGER, 4, generator()) is None


def values(stimulus: Operands) -> np.ndarray:
    codes = INTEGER.dot(stimulus.activations, stimulus.weights)
    return np.asarray(INTEGER.result.decode(codes))


def test_extremes_reach_both_ends() -> None:
    sums = np.concatenate([values(one) for one in extremes(INTEGER, generator())])
    assert sums.max() == 1024 * 4 * 8 * 128
    assert sums.min() == -1024 * 4 * 8 * 127


def test_extremes_reach_both_ends_where_metadata_decide() -> None:
    """In as many beats as any operands and metadata take, of which all are tried here."""
    given = {"lanes": 1, "weight": "int4", "activation": "int4", "scale": "int4", "group_size": 4}
    unit = make("shift_add", **given, accumulator_bits=40)
    codes = np.arange(1 << 16)
    sides = [(codes >> low & 15).astype(np.uint8)[:, np.newaxis] for low in (0, 4, 8, 12)]
    metadata = {"zero_point": sides[2], "scale": sides[3]}
    ends = unit.result.decode(unit.dot(sides[0], sides[1], **metadata))
    furthest = extremes(unit, generator(), 20)[-1]
    found = unit.result.decode(
        unit.dot(furthest.activations, furthest.weights, **furthest.metadata)
    )
    assert found.tolist() == [20 * ends.max(), 20 * ends.min()]


def test_extremes_wrap_a_narrow_accumulator() -> None:
    unit = make("integer", lanes=4, weight="int4", activation="int8", accumulator_bits=16)
    most = max(one.activations.shape[1] // 4 for one in extremes(unit, generator()))
    assert most == unit.safe_beats + 2 == 9


@pytest.mark.parametrize("count", [1, 2, 5])
def test_orders_hold_every_order_of_two_once(count: int) -> None:
    assert sorted(pairwise(_orders(count))) == list(product(range(count), repeat=2))


def test_types_of_weights_follow_each_other_in_every_order() -> None:
    unit = make("bitmod", lanes=2, activation="e2m1", group_size=12)
    stimuli = metadata_orders(unit, generator())
    kinds = np.concatenate([one.metadata["weight_type"][0] for one in stimuli]).tolist()
    assert set(pairwise(kinds)) == set(product(range(4), repeat=2))
    scales = np.concatenate([one.metadata["scale"].ravel() for one in stimuli]).tolist()
    assert set(scales) == set(range(256))
