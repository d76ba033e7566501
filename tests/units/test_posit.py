from fractions import Fraction

import numpy as np
import pytest

from hwsim.errors import InputError
from hwsim.formats import parse_scalar
from hwsim.formats.posit import Posit
from hwsim.units import make
from hwsim.units.posit import PositUnit, round_to_posit
from hwsim.units.stimulus import all_pairs, corner_codes, random_codes
from tests.units import posit_oracle as oracle

#: Up to 7 bits, rounded products are compared for all pairs; 8 bits by quires, and by the RTL.
SMALL = [(2, 0), (3, 1), (4, 0), (5, 2), (6, 1), (6, 3), (7, 0), (7, 2)]


def posit(**parameters: object) -> PositUnit:
    unit = make("posit", **({"lanes": 1, "weight": "posit8_0", "activation": "posit8_0"}
                            | parameters))  # fmt: skip
    assert isinstance(unit, PositUnit)
    return unit


def multiplier(weight: str, activation: str, output: str) -> PositUnit:
    return posit(weight=weight, activation=activation, accumulator=output, accumulation="none")


def values(fmt: Posit, codes: np.ndarray) -> list[Fraction | None]:
    return [oracle.value(int(code), fmt.width, fmt.es) for code in codes]


@pytest.mark.parametrize(("width", "es"), SMALL)
def test_every_product_is_rounded_once(width: int, es: int) -> None:
    name = f"posit{width}_{es}"
    unit = multiplier(name, name, name)
    a, w, _ = all_pairs(unit, np.random.default_rng(0))
    codes = unit.dot(a, w)
    activation, weight = unit.operand_formats()
    pairs = zip(values(activation, a[:, 0]), values(weight, w[:, 0]), strict=True)
    for code, (x, y) in zip(codes, pairs, strict=True):
        assert code == oracle.rounded(oracle.dot([x], [y]), width, es), (x, y)


@pytest.mark.parametrize(
    ("weight", "activation", "output"),
    [
        ("posit16_1", "posit16_1", "posit16_1"),
        ("posit16_2", "posit16_2", "posit16_2"),
        ("posit8_1", "posit8_1", "posit8_1"),
        ("posit5_0", "posit8_2", "posit12_1"),
    ],
)
def test_products_of_corners_are_rounded_once(weight: str, activation: str, output: str) -> None:
    unit = multiplier(weight, activation, output)
    fmt = parse_scalar(output)
    corners = [corner_codes(unit.activation), corner_codes(unit.weight)]
    random = random_codes(unit, 400, 1, np.random.default_rng(1))
    a = np.concatenate([np.repeat(corners[0], len(corners[1])), random.activations[:, 0]])
    w = np.concatenate([np.tile(corners[1], len(corners[0])), random.weights[:, 0]])
    codes = unit.dot(a[:, np.newaxis], w[:, np.newaxis])
    x, y = (values(f, c) for f, c in zip(unit.operand_formats(), (a, w), strict=True))
    for k, code in enumerate(codes):
        assert code == oracle.rounded(oracle.dot([x[k]], [y[k]]), fmt.width, fmt.es)


@pytest.mark.parametrize("name", ["posit8_0", "posit8_1", "posit8_2", "posit6_3"])
def test_every_product_is_exact_in_the_quire(name: str) -> None:
    unit = posit(weight=name, activation=name)
    a, w, _ = all_pairs(unit, np.random.default_rng(0))
    codes = unit.dot(a, w)
    sums, nar = unit.exact_result.to_int(codes), unit.exact_result.flag(codes, "nan")
    fmt = unit.operand_formats()[0]
    scaled = [
        None if x is None else x * 2 ** (-unit.exact_result.exponent // 2)
        for x in values(fmt, np.arange(1 << fmt.width))
    ]
    for k in range(len(codes)):
        x, y = scaled[int(a[k, 0])], scaled[int(w[k, 0])]
        assert nar[k] == (x is None or y is None)
        if x is not None and y is not None:
            assert sums[k] == x * y


@pytest.mark.parametrize(
    ("weight", "activation", "output"),
    [
        ("posit8_0", "posit8_0", "posit8_0"),
        ("posit8_2", "posit8_2", "posit8_2"),
        ("posit16_1", "posit16_1", "posit16_1"),
        ("posit16_2", "posit16_2", "posit16_2"),
        ("posit4_1", "posit16_1", "posit10_2"),
    ],
)
def test_dot_products_are_rounded_once(weight: str, activation: str, output: str) -> None:
    unit = posit(lanes=3, weight=weight, activation=activation, accumulator=output)
    fmt = parse_scalar(output)
    a, w, _ = random_codes(unit, 120, 4, np.random.default_rng(2))
    quires = posit(lanes=3, weight=weight, activation=activation).dot(a, w)
    for row, code in enumerate(unit.dot(a, w)):
        x, y = (values(f, c[row]) for f, c in zip(unit.operand_formats(), (a, w), strict=True))
        exact = oracle.dot(x, y)
        assert code == oracle.rounded(exact, fmt.width, fmt.es)
        assert unit.exact_result.flag(quires[row], "nan") == (exact is None)
        if exact is not None:
            quire = unit.exact_result
            assert quire.to_int(quires[row]) * Fraction(2) ** quire.exponent == exact


@pytest.mark.parametrize("name", ["posit8_1", "posit16_2", "posit32_2", "posit32_5"])
def test_quires_beyond_float64_are_rounded_once(name: str) -> None:
    fmt = parse_scalar(name)
    assert isinstance(fmt, Posit)
    rng = np.random.default_rng(3)
    lower = rng.integers(1, (1 << (fmt.width - 1)) - 1, 100).tolist()
    exponent = -2 * ((fmt.width - 2) << fmt.es)
    for code in lower:
        middle = oracle.value(2 * code + 1, fmt.width + 1, fmt.es)
        assert middle is not None
        scaled = middle * 2**-exponent
        assert scaled.denominator == 1
        number = int(scaled)
        sums = np.array([number - 1, number, number + 1, 1 - number], object)
        found = round_to_posit(fmt, sums, exponent, np.zeros(4, bool)).tolist()
        even = code + code % 2
        assert found == [code, even, code + 1, (1 << fmt.width) - code]


def test_quires_have_the_usual_widths() -> None:
    # SoftPosit has 32 and 128 bits, of which these are above what a beat needs.
    assert posit().beat_sum_bits == 32 - 6
    posit16 = posit(weight="posit16_1", activation="posit16_1")
    assert posit16.beat_sum_bits == 128 - 14


@pytest.mark.parametrize("headroom", [0, 3])
def test_safe_beats_are_tight(headroom: int) -> None:
    unit = posit(lanes=3, accumulator_bits=posit(lanes=3).beat_sum_bits + headroom)
    for beats, wraps in ((unit.safe_beats, False), (unit.safe_beats + 1, True)):
        largest = np.full(3 * beats, unit.activation.encode(64.0))
        total = unit.exact_result.decode(unit.dot(largest, largest))
        assert (total != 64 * 64 * 3 * beats) == wraps


def test_without_accumulation_the_last_beat_counts() -> None:
    unit = posit(lanes=2, accumulator="posit8_0", accumulation="none")
    a = unit.activation.encode([5.0, 6.0, 0.5, 3.0])
    w = unit.weight.encode([7.0, 8.0, 0.5, -1.0])
    assert unit.result.decode(unit.dot(a, w)).tolist() == [0.25, -3.0]
    assert unit.result.bits == 16
    assert unit.safe_beats == 1


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"weight": "int4"}, "weight=int4: posit takes formats such as posit8_0 or posit16_1"),
        ({"accumulator": "fp16"},
         "accumulator=fp16: posit rounds to posits such as posit8_0 or posit16_1"),
        ({"accumulator_bits": 1025},
         "accumulator_bits=1025 is too wide; allowed: 26 to 1024"),
        ({"accumulation": "none"},
         "accumulator=None: without accumulation the products are rounded; give a posit such as "
         "posit8_0 or posit16_1"),
        ({"accumulation": "none", "accumulator": "posit8_0", "accumulator_bits": 29},
         "accumulator_bits=29: only accumulation=quire has any, not none"),
    ],
)  # fmt: skip
def test_bad_parameters(parameters: dict[str, object], message: str) -> None:
    with pytest.raises(InputError) as error:
        posit(**parameters)
    assert str(error.value) == message
