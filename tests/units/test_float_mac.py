from fractions import Fraction

import numpy as np
import pytest

from hwsim.errors import InputError
from hwsim.units import make
from hwsim.units.stimulus import random_codes

PAIRS = [("e4m3", "e5m2", 4), ("e2m1", "e2m1", 1), ("e2m3", "e3m2", 2), ("bf16", "fp16", 2)]


@pytest.mark.parametrize(("weight", "activation", "lanes"), PAIRS)
def test_finite_sums_are_exact(weight: str, activation: str, lanes: int) -> None:
    unit = make("float", lanes=lanes, weight=weight, activation=activation)
    a, w, _ = random_codes(unit, 40, 3, np.random.default_rng(0))
    x, y = unit.activation.decode(a), unit.weight.decode(w)
    finite = np.isfinite(x).all(axis=1) & np.isfinite(y).all(axis=1)
    assert finite.sum() >= 10
    sums = unit.result.to_int(unit.dot(a, w))
    for row in np.flatnonzero(finite):
        exact = sum(Fraction(p) * Fraction(q) for p, q in zip(x[row], y[row], strict=True))
        assert sums[row] * Fraction(2) ** unit.result.exponent == exact


@pytest.mark.parametrize(
    ("a", "w", "expected"),
    [
        ([np.inf, 1.0], [2.0, 1.0], np.inf),
        ([np.inf, 1.0], [-2.0, 1.0], -np.inf),
        ([np.inf, np.inf], [1.0, -1.0], np.nan),
        ([np.inf, 1.0], [0.0, 1.0], np.nan),
        ([np.nan, 1.0], [0.0, 1.0], np.nan),
        ([1.0, 3.0], [2.0, -0.5], 0.5),
    ],
)
def test_special_values_follow_ieee(a: list[float], w: list[float], expected: float) -> None:
    unit = make("float", lanes=2, weight="e5m2", activation="e5m2")
    codes = [fmt.encode(x, overflow="ieee") for fmt, x in ((unit.activation, a), (unit.weight, w))]
    np.testing.assert_equal(float(unit.result.decode(unit.dot(*codes))), expected)


def test_only_flags_that_can_rise() -> None:
    def flags(weight: str, activation: str) -> tuple[str, ...]:
        return make("float", lanes=1, weight=weight, activation=activation).result.flags

    assert flags("e2m1", "e3m2") == ()
    assert flags("e2m1", "e4m3") == ("nan",)
    assert flags("e5m2", "e2m1") == ("nan", "positive_infinity", "negative_infinity")


@pytest.mark.parametrize("guard", [0, 3])
def test_carry_guard_is_tight(guard: int) -> None:
    unit = make("float", lanes=3, weight="e2m1", activation="e2m1", carry_guard=guard)
    beats = unit.safe_beats
    largest = unit.activation.encode(np.full(3 * beats, 6.0))
    assert unit.result.decode(unit.dot(largest, largest)) == 36 * 3 * beats


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"weight": "int4"}, "weight=int4: float takes minifloats such as e4m3 or fp16"),
        ({"weight": "e4m3u"}, "weight=e4m3u: float takes signed minifloats only"),
        ({"carry_guard": 65}, "carry_guard must be 0 to 64, not 65"),
    ],
)
def test_bad_parameters(parameters: dict[str, object], message: str) -> None:
    given = {"lanes": 4, "weight": "e4m3", "activation": "e4m3"} | parameters
    with pytest.raises(InputError) as error:
        make("float", **given)
    assert str(error.value) == message
