"""Operands of rounded sums meet what they are chosen for."""

from typing import Any

import numpy as np
import pytest

from hwsim.formats.minifloat import NAMED, Minifloat
from hwsim.units import UnitSpec, make
from hwsim.units.operands import Operands
from hwsim.units.result import RoundedResult
from hwsim.units.rounded_stimulus import _kinds, _places, classes, directed


def generator() -> np.random.Generator:
    return np.random.default_rng(0)


@pytest.mark.parametrize("family", ["fma", "codebook", "mx_dot"])
def test_directed_sums_round_in_every_way(family: str) -> None:
    parameters = {
        "fma": {"lanes": 2, "weight": "e2m1", "activation": "e4m3", "accumulator": "fp16"},
        "codebook": {"lanes": 1, "weight": "uint3", "activation": "fp16", "table": "loaded",
                     "entry": "bf16"},
        "mx_dot": {"lanes": 4, "weight": "e2m1", "activation": "e2m1", "block_size": 8,
                   "accumulator": "fp16"},
    }[family]  # fmt: skip
    unit = make(family, **parameters)
    stimulus = directed(unit, 200, generator())
    assert stimulus is not None
    beats = stimulus.activations.shape[1] // unit.lanes
    assert beats % (unit.group_beats or 1) == 0
    occupied = (stimulus.activations != 0).reshape(200, -1, unit.lanes * (unit.group_beats or 1))
    assert occupied.sum(axis=2).max() == 1
    unit.dot(stimulus.activations, stimulus.weights, **stimulus.metadata)


def test_kinds_of_rounding() -> None:
    fmt = NAMED["e5m2"]
    total = np.full(8, 4.0)
    terms = np.array([0.5, 0.51, 0.001, -4.0, -3.75, 60000.0, 1.0, 0.0])
    assert _kinds(fmt, total, terms).tolist() == [1, 2, 3, 4, 5, 7, 0, 0]
    assert _kinds(fmt, np.array([0.0]), np.array([2.0**-18])).tolist() == [6]


SUMS: dict[str, dict[str, Any]] = {
    "nvfp4_dot": {"lanes": 1, "block_size": 1, "accumulator": "e5m2"},
    "mx_dot": {"lanes": 2, "weight": "e2m1", "activation": "e2m1", "block_size": 4,
               "accumulator": "e5m2"},
    "bfp_dot": {"lanes": 2, "weight": "int3", "activation": "int4", "block_size": 4,
                "accumulator": "e5m2"},
    "fma": {"lanes": 2, "weight": "e2m1", "activation": "e5m2", "accumulator": "e5m2"},
}  # fmt: skip


def steps(unit: UnitSpec, stimulus: Operands) -> tuple[Minifloat, list[np.ndarray]]:
    """Return the sum after each of two steps, and after the second one alone."""
    assert isinstance(unit.result, RoundedResult)
    size = stimulus.activations.shape[1] // 2
    found = []
    for part, steps in ((slice(size), [0]), (slice(2 * size), [0, 1]), (slice(size, None), [1])):
        metadata = {name: codes[:, steps] for name, codes in stimulus.metadata.items()}
        codes = unit.dot(stimulus.activations[:, part], stimulus.weights[:, part], **metadata)
        found.append(unit.result.format.decode(codes))
    return unit.result.format, found


@pytest.mark.parametrize("family", SUMS)
def test_additions_are_of_all_classes(family: str) -> None:
    """Terms are as far from sums as the formats go, cancel, and meet the smallest subnormals."""
    unit = make(family, **SUMS[family])
    stimulus = classes(unit, 1 << 20, generator())
    assert stimulus is not None
    fmt, (first, both, second) = steps(unit, stimulus)
    assert np.isfinite(first).all()
    smallest = np.ldexp(1.0, fmt.subnormal_exponent)
    assert {smallest, -smallest} <= set(first)
    finite = np.isfinite(second) & (first != 0) & (second != 0)
    apart = (np.frexp(second)[1] - np.frexp(first)[1])[finite]
    # The largest is 2**15 and the smallest 2**-16.
    assert set(range(-30, 31)) <= set(apart)
    # Some of what is left of a difference is smaller than both by far.
    larger = np.maximum(np.abs(first), np.abs(second))
    assert ((both != 0) & (8 * np.abs(both) <= larger)).sum() > 16
    few = classes(unit, 100, generator())
    assert few is not None
    assert len(few.activations) == 100


def test_ties_are_decided_by_the_smallest_subnormal() -> None:
    unit = make("nvfp4_dot", **SUMS["nvfp4_dot"])
    stimulus = classes(unit, 1 << 20, generator())
    assert stimulus is not None
    fmt, (first, both, second) = steps(unit, stimulus)
    deciding = (np.abs(first) == np.ldexp(1.0, fmt.subnormal_exponent)) & (both != second)
    assert (deciding & (np.abs(second) > 1.0)).sum() > 8


def test_other_units_have_no_classes() -> None:
    integer = make("integer", lanes=2, weight="int4", activation="int4")
    table = make("codebook", lanes=1, weight="uint3", activation="fp16", table="loaded",
                 entry="bf16")  # fmt: skip
    assert classes(integer, 100, generator()) is None
    assert classes(table, 100, generator()) is None


def test_places_of_a_format() -> None:
    parts, rest = _places(NAMED["e5m2"], np.array([1.0, 1.125, -(2.0**-17), 0.0]))
    assert parts.tolist() == [4.0, 4.5, 0.5, 0.0]
    assert rest.tolist() == [0.0, 0.5, 0.5, 0.0]
