"""BitMoD: golden model against exact arithmetic, and against the definition step by step."""

from fractions import Fraction
from math import floor

import numpy as np
import pytest

from hwsim.errors import InputError
from hwsim.units import make
from hwsim.units.bitmod import BitmodUnit, WeightType, term_pair
from hwsim.units.stimulus import random_codes

FP4 = [0, 0.5, 1, 1.5, 2, 3, 4, 6]
FP3 = [0, 1, 2, 4]


def unit(**parameters: object) -> BitmodUnit:
    made = make("bitmod", **{"lanes": 4, "activation": "fp16"} | parameters)
    assert isinstance(made, BitmodUnit)
    return made


def weight_value(code: int, kind: int, special: float) -> float:
    """The value of a weight, from the data types' tables (paper, section III)."""
    match kind:
        case WeightType.INT8:
            return code - 256 * (code >= 128)
        case WeightType.INT6:
            return code % 64 - 64 * (code % 64 >= 32)
        case _:
            table = FP4 if kind == WeightType.FP4 else FP3
            negative, magnitude = divmod(code % (2 * len(table)), len(table))
            value = table[magnitude]
            return special if negative and not magnitude else -value if negative else value


@pytest.mark.parametrize(
    ("special_values", "specials"),
    [("fp4", [5, -5, 8, -8]), ("fp3", [3, -3, 6, -6]), ("7,-7,0,3.5", [7, -7, 0, 3.5])],
)
@pytest.mark.parametrize("kind", WeightType)
def test_every_code_of_every_type(
    kind: WeightType, special_values: str, specials: list[float]
) -> None:
    spec = unit(special_values=special_values)
    codes = np.arange(256, dtype=np.uint8)[:, np.newaxis]
    for selector, special in enumerate(specials):
        rows = np.full(256, selector), np.full(256, kind)
        halves = spec.half_units(codes, rows[1], rows[0])[:, 0]
        assert halves.tolist() == [2 * weight_value(c, kind, special) for c in range(256)]


def test_term_pairs_make_their_value() -> None:
    for half in (0, 1, 2, 3, 4, 6, 8, 12, 10, 16, 7, 14, -10, -16, 40):
        first, second = term_pair(half)
        assert 4 * first.value + second.value == half
    with pytest.raises(InputError, match="11/2 is no special value"):
        term_pair(11)


def exact(spec: BitmodUnit, a: np.ndarray, w: np.ndarray, metadata: dict) -> list[Fraction]:
    """Dot products without rounding."""
    sums = []
    for k in range(len(a)):
        total = Fraction(0)
        values = spec.activation.decode(a[k])
        for i, x in enumerate(values):
            beat = i // spec.lanes
            halves = spec.half_units(
                w[k, i : i + 1][np.newaxis],
                metadata["weight_type"][k, beat : beat + 1],
                metadata["selector"][k, beat : beat + 1],
            )
            scale = int(metadata["scale"][k, beat // spec.group_beats])
            total += Fraction(x) * Fraction(int(halves[0, 0]), 2) * scale
        sums.append(total)
    return sums


def value(spec: BitmodUnit, code: int) -> Fraction:
    """The exact value of a result code."""
    result = spec.result
    exponent = result.exponent + (int(code) >> (result.bits - result.exponent_bits))
    return int(result.to_int(code)) * Fraction(2) ** exponent


@pytest.mark.parametrize(
    "parameters",
    [
        {"fraction_bits": 30, "group_size": 32},
        {"fraction_bits": 30, "group_size": 24, "rounding": "nearest_even"},
        {"activation": "e4m3", "fraction_bits": 15, "group_size": 32},
        {"activation": "e2m1", "fraction_bits": 2, "group_size": 32},
    ],
)
def test_enough_fraction_bits_make_it_exact(parameters: dict[str, object]) -> None:
    spec = unit(**parameters)
    assert spec.fraction_bits >= spec.exact_fraction_bits
    a, w, metadata = random_codes(spec, 12, 19, np.random.default_rng(0))
    finite = np.isfinite(spec.activation.decode(a)).all(axis=1)
    assert finite.sum() >= 4
    codes = spec.dot(a, w, **metadata)
    for k in np.flatnonzero(finite):
        row = {name: codes_of[k : k + 1] for name, codes_of in metadata.items()}
        assert value(spec, codes[k]) == exact(spec, a[k : k + 1], w[k : k + 1], row)[0]


def round_to(x: Fraction, rounding: str, magnitude: bool) -> int:
    low = floor(abs(x)) if magnitude and rounding == "truncate" else floor(x)
    if rounding == "truncate":
        return low if not (magnitude and x < 0) else -low
    rest = x - floor(x)
    up = rest > Fraction(1, 2) or (rest == Fraction(1, 2) and floor(x) % 2 == 1)
    return floor(x) + up


@pytest.mark.parametrize("rounding", ["truncate", "nearest_even"])
@pytest.mark.parametrize("fraction_bits", [0, 3])
def test_rounding_step_by_step(rounding: str, fraction_bits: int) -> None:
    """The definition in the module's docstring, one number at a time."""
    spec = unit(activation="e5m2", group_size=24, fraction_bits=fraction_bits, rounding=rounding)
    a, w, metadata = random_codes(spec, 6, 8, np.random.default_rng(4))
    a &= 0x7B | 0x80  # finite
    codes = spec.dot(a, w, **metadata)
    smallest = Fraction(2) ** -16
    for k in range(len(a)):
        column, column_exponent = 0, 0
        for start in range(0, 8, 6):
            total, running = 0, 0
            for beat in range(start, min(start + 6, 8)):
                lanes = range(4 * beat, 4 * beat + 4)
                # Exponent fields, subnormals as 1, counted from there.
                shifts = [max(int(a[k, i]) >> 2 & 31, 1) - 1 for i in lanes]
                raised = max(running, *shifts)
                total = round_to(Fraction(total, 2 ** (raised - running)), rounding, False)
                running = raised
                for i in lanes:
                    x = Fraction(float(spec.activation.decode(a[k, i]))) / smallest
                    aligned = round_to(x * 2**fraction_bits / 2**running, rounding, magnitude=True)
                    special = [5, -5, 8, -8][metadata["selector"][k, beat]]
                    kind = int(metadata["weight_type"][k, beat])
                    total += aligned * int(2 * weight_value(int(w[k, i]), kind, special))
            total *= int(metadata["scale"][k, start // 6])
            raised = max(column_exponent, running)
            column = round_to(
                Fraction(column, 2 ** (raised - column_exponent)), rounding, False
            ) + round_to(Fraction(total, 2 ** (raised - running)), rounding, False)
            column_exponent = raised
        expected = column * smallest / 2 / 2**fraction_bits * 2**column_exponent
        assert value(spec, codes[k]) == expected


def test_nan_and_infinity_set_the_flag() -> None:
    spec = unit(group_size=24)
    a = np.tile(spec.activation.encode([1.0, 2.0, 3.0, 4.0]), (3, 1))
    a[1, 2] = spec.activation.encode(np.inf, overflow="ieee")
    a[2, 0] = spec.activation.encode(np.nan)
    w = np.ones((3, 4), np.uint8)
    one = np.ones((3, 1), np.uint8)
    codes = spec.dot(a, w, weight_type=0 * one, selector=0 * one, program=0 * one, scale=one)
    assert spec.result.flag(codes, "nan").tolist() == [False, True, True]
    assert float(spec.result.decode(codes)[0]) == 10.0


@pytest.mark.parametrize(
    ("kind", "cycles"),
    [(WeightType.INT8, 4), (WeightType.INT6, 3), (WeightType.FP4, 2), (WeightType.FP3, 2)],
)
def test_cycles_are_terms(kind: WeightType, cycles: int) -> None:
    spec = unit()
    zeros = np.zeros((1, 4 * 64), np.uint8)
    types = np.full((1, 64), kind, np.uint8)
    none = np.zeros((1, 64), np.uint8)
    measured = spec.cycles(
        zeros, zeros, weight_type=types, selector=none, program=none, scale=np.ones((1, 2), int)
    )
    # Dequantisation of the first group is hidden behind the second.
    assert measured.tolist() == [[cycles] * 64]


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"weight": "int4"}, "weight=int4: bitmod holds all weights in int8"),
        ({"activation": "bf16"}, "activation=bf16: bitmod takes at most 5 exponent bits"),
        ({"activation": "int8"}, "activation=int8: bitmod takes minifloats"),
        ({"group_size": 20}, "group_size must be a multiple of lanes=4 from 24, not 20"),
        ({"group_size": 30}, "group_size must be a multiple of lanes=4 from 24, not 30"),
        ({"fraction_bits": 65}, "fraction_bits must be 0 to 64, not 65"),
        ({"rounding": "up"}, "unknown rounding 'up'"),
        ({"special_values": "1,2,3"}, "special_values must be fp4, fp3 or four multiples of 0.5"),
        ({"special_values": "1,2,3,5.5"}, "11/2 is no special value"),
        ({"accumulator_bits": 3}, "accumulator_bits must be 38 to 102, not 3"),
        ({"lanes": 65}, "lanes must be 1 to 64, not 65"),
    ],
)
def test_bad_parameters(parameters: dict[str, object], message: str) -> None:
    with pytest.raises(InputError) as error:
        unit(**parameters)
    assert str(error.value).startswith(message)


def test_values_are_loaded_into_units_of_formats_of_tensors():
    unit = make("bitmod", lanes=1, weight="bitmod4_g64", activation="e4m3")
    for _, golden in unit.programs(np.random.default_rng(0)):
        assert golden.special_values != unit.special_values
        assert golden.group_size == unit.group_size
