"""Look-up-table units against plain loops over exact fractions."""

from fractions import Fraction
from itertools import product

import numpy as np
import pytest

from hwsim.errors import InputError
from hwsim.formats.minifloat import Minifloat
from hwsim.units import UnitSpec, make
from hwsim.units.bit_plane_table import BitPlaneTable
from hwsim.units.stimulus import random_codes
from hwsim.units.sums import FloatSums
from tests.units.test_fma import nearest_even

INTEGER = {"lanes": 4, "weight": "int4", "activation": "int8"}


def unit_of(family: str, **parameters: object) -> BitPlaneTable:
    unit = make(family, **parameters)
    assert isinstance(unit, BitPlaneTable)
    return unit


def elements(unit: BitPlaneTable, a: np.ndarray, w: np.ndarray) -> list[list[np.ndarray]]:
    """Return the operand codes of every element of a tile for one dot product, by row, column."""
    rows = a.reshape(-1, unit.row_count, unit.lanes)
    columns = w.reshape(-1, unit.column_count, unit.lanes)
    return [
        [np.stack([rows[:, r].ravel(), columns[:, c].ravel()]) for c in range(unit.column_count)]
        for r in range(unit.row_count)
    ]


def check_exact(unit: BitPlaneTable, a: np.ndarray, w: np.ndarray) -> None:
    """Compare the values of dot products with sums of products of values."""
    found = unit.result.decode(unit.dot(a, w)).reshape(len(a), unit.row_count, -1)
    for dot in range(len(a)):
        for r, row in enumerate(elements(unit, a[dot], w[dot])):
            for c, (codes_a, codes_w) in enumerate(row):
                x, y = unit.activation.decode(codes_a), unit.weight.decode(codes_w)
                expected = sum(int(p) * int(q) for p, q in zip(x, y, strict=True))
                assert found[dot, r, c] == expected


@pytest.mark.parametrize("family", ["lut_tensor_core", "unpu_lut"])
@pytest.mark.parametrize("table_lanes", [2, 3, 4, 5, 6])
@pytest.mark.parametrize("bits", range(1, 9))
@pytest.mark.parametrize("kind", ["int", "uint", "bipolar"])
def test_integers_are_exact(family: str, table_lanes: int, bits: int, kind: str) -> None:
    if kind == "bipolar" and family == "unpu_lut":
        return
    activation = ("int8", "uint5", "int16")[bits % 3]
    weight = "binary" if (kind, bits) == ("bipolar", 1) else f"{kind}{bits}"
    unit = unit_of(
        family, lanes=2 * table_lanes, table_lanes=table_lanes, weight=weight,
        activation=activation, row_count=2, column_count=3,
    )  # fmt: skip
    a, w, _ = random_codes(unit, 6, 2, np.random.default_rng(bits))
    check_exact(unit, a, w)


@pytest.mark.parametrize("weight", ["bipolar2", "int2", "uint2", "binary", "int1"])
@pytest.mark.parametrize(("table_lanes", "activation"), [(2, "int3"), (2, "uint3"), (3, "int2")])
def test_all_operands_of_a_table(weight: str, table_lanes: int, activation: str) -> None:
    unit = unit_of(
        "lut_tensor_core", lanes=table_lanes, table_lanes=table_lanes, weight=weight,
        activation=activation,
    )  # fmt: skip
    acts = list(product(range(1 << unit.activation.bits), repeat=table_lanes))
    weights = list(product(range(1 << unit.weight.bits), repeat=table_lanes))
    a = np.repeat(np.array(acts), len(weights), axis=0)
    w = np.tile(np.array(weights), (len(acts), 1))
    check_exact(unit, a, w)


def test_integer_weights_give_what_the_integer_unit_gives() -> None:
    unit, integer = unit_of("lut_tensor_core", **INTEGER), make("integer", **INTEGER)
    a, w, _ = random_codes(unit, 100, 5, np.random.default_rng(0))
    np.testing.assert_array_equal(
        unit.result.decode(unit.dot(a, w)), integer.result.decode(integer.dot(a, w))
    )


@pytest.mark.parametrize("lanes", [1, 2, 4, 8])
def test_stored_index_is_sign_and_address(lanes: int) -> None:
    unit = unit_of("lut_tensor_core", **(INTEGER | {"lanes": lanes, "table_lanes": lanes,
                                                    "weight": "binary"}))  # fmt: skip
    for bits in product((0, 1), repeat=lanes):
        (word,) = unit.store_weights(np.array(bits))
        entry = unit.combinations[int(word) >> 1]
        sign = -1 if word & 1 else 1
        assert [sign * digit for digit in entry] == [2 * bit - 1 for bit in bits]


def test_stored_planes_of_a_table_follow_each_other() -> None:
    unit = unit_of("lut_tensor_core", lanes=4, weight="bipolar2", activation="int8",
                   column_count=2, table_lanes=2)  # fmt: skip
    # Column 0: tables (3, 1) and (0, 2); column 1: (2, 2) and (1, 1).
    words = unit.store_weights(np.array([3, 1, 0, 2, 2, 2, 1, 1]))
    # Lanes 1: plane 0 of (3, 1) is 1, 1: sign 0, address 1.
    assert words.tolist() == [2, 0, 3, 1, 3, 2, 2, 3]
    assert unit.stored_weights.count == 8
    assert unit.stored_weights.bits == 2


def exact(value: float) -> Fraction:
    return Fraction(float(value))


def rounded(x: Fraction, fmt: Minifloat) -> Fraction:
    """Return ``x`` rounded to nearest even; it must not overflow."""
    value = float(fmt.decode(nearest_even(x, fmt))) if x else 0.0
    assert np.isfinite(value)
    return Fraction(value)


def digits_of(unit: BitPlaneTable, codes: np.ndarray, plane: int) -> list[int]:
    """Return the digits -1 and 1, or 0 and 1, of a plane of weights."""
    if unit.family == "unpu_lut":
        return [int(code) >> plane & 1 for code in codes]
    top = unit.weight.name.startswith("int") and plane == unit.weight.bits - 1
    return [2 * ((int(code) >> plane & 1) ^ top) - 1 for code in codes]


def float_dot(unit: BitPlaneTable, a: np.ndarray, w: np.ndarray) -> Fraction:
    """Return the sum with one rounding an addition, in the documented order."""
    sums = unit.sums
    assert isinstance(sums, FloatSums)
    size, bits = unit.table_lanes, unit.weight.bits
    half = Fraction(1, 2) if unit.corrections else Fraction(1)

    def entry(values: np.ndarray, digits: list[int]) -> Fraction:
        total = Fraction(0)
        for value, digit in zip(values, digits, strict=True):
            total = rounded(total + digit * exact(value), sums.table_format)
        return total

    total = Fraction(0)
    for beat in range(len(a) // unit.lanes):
        at = slice(beat * unit.lanes, (beat + 1) * unit.lanes)
        values, codes = unit.activation.decode(a[at]), w[at]
        tables = [slice(k, k + size) for k in range(0, unit.lanes, size)]
        for plane in range(bits):
            negative = unit.family == "unpu_lut" and plane == bits - 1
            for table in tables:
                term = entry(values[table], digits_of(unit, codes[table], plane))
                place = half * 2**plane * (-1 if negative else 1)
                total = rounded(total + place * term, sums.accumulator)
        corrections = {"int": [-half], "uin": [-half, half * 2**bits]}
        for factor in corrections[unit.weight.name[:3]] if unit.corrections else []:
            for table in tables:
                term = factor * entry(values[table], [1] * size)
                total = rounded(total + term, sums.accumulator)
    return total


@pytest.mark.parametrize(
    ("weight", "activation", "parameters"),
    [
        ("bipolar2", "fp16", {"accumulator": "fp16"}),
        ("int3", "e4m3", {"table_format": "e5m2", "accumulator": "fp16"}),
        ("uint2", "bf16", {"accumulator": "bf16"}),
        ("int8", "e5m2", {}),
        ("binary", "e4m3", {"table_lanes": 2, "accumulator": "bf16"}),
    ],
)
def test_floats_round_in_the_documented_order(
    weight: str, activation: str, parameters: dict[str, object]
) -> None:
    unit = unit_of(
        "lut_tensor_core", **({"lanes": 8, "weight": weight, "activation": activation} | parameters)
    )
    rng = np.random.default_rng(0)
    a = unit.activation.encode(rng.standard_normal((12, 16)) * 2.0 ** rng.integers(-6, 3, (12, 1)))
    w = rng.integers(0, 1 << unit.weight.bits, (12, 16))
    found = unit.result.decode(unit.dot(a, w))
    for dot in range(12):
        assert exact(found[dot]) == float_dot(unit, a[dot], w[dot])


def test_subset_sums_of_floats_round_in_the_documented_order() -> None:
    unit = unit_of("unpu_lut", lanes=8, weight="int3", activation="e4m3", table_format="e5m2",
                   accumulator="fp16")  # fmt: skip
    rng = np.random.default_rng(0)
    a = unit.activation.encode(rng.standard_normal((12, 16)))
    w = rng.integers(0, 8, (12, 16))
    found = unit.result.decode(unit.dot(a, w))
    for dot in range(12):
        # Digits of 0 add nothing: an addition of 0 rounds nothing either.
        assert exact(found[dot]) == float_dot(unit, a[dot], w[dot])


@pytest.mark.parametrize(
    ("activations", "expected"),
    [
        ([np.inf, 1.0], np.inf),
        ([1.0, np.inf], -np.inf),
        ([np.inf, np.inf], np.nan),
        ([np.nan, 0.0], np.nan),
        ([2.0**-24, 0.0], 2.0**-24),
        ([0.0, 0.0], 0.0),
        ([65504.0, -65504.0], np.inf),
    ],
)
def test_special_values_follow_ieee(activations: list[float], expected: float) -> None:
    unit = unit_of("lut_tensor_core", lanes=2, table_lanes=2, weight="binary", activation="fp16",
                   accumulator="fp16")  # fmt: skip
    a = unit.activation.encode(activations, overflow="ieee")
    np.testing.assert_equal(float(unit.result.decode(unit.dot(a, [1, 0]))), expected)


def test_a_zero_entry_stays_zero_in_every_plane() -> None:
    unit = unit_of("lut_tensor_core", lanes=2, table_lanes=2, weight="bipolar8", activation="fp16")
    one = int(unit.activation.encode(1.5))
    # All planes of both weights are equal, the activations opposite: every entry read is 0.
    for code in range(256):
        assert unit.dot([one, one | 0x8000], [code, code]) == 0


def quantised(values: list[Fraction], bits: int, lowest: int) -> list[Fraction]:
    """Return ``values`` on the finest grid, not below 2**lowest, that the largest fits."""
    exponent = lowest
    while max(abs(v) for v in values) >= Fraction(2) ** (exponent + bits - 1):
        exponent += 1
    limit = 2 ** (bits - 1) - 1
    steps = [round(v / Fraction(2) ** exponent) for v in values]
    return [min(max(s, -limit), limit) * Fraction(2) ** exponent for s in steps]


@pytest.mark.parametrize(
    ("weight", "activation", "bits"),
    [("bipolar2", "int8", 8), ("int3", "int8", 6), ("uint2", "uint4", 3), ("int2", "fp16", 8),
     ("bipolar3", "e4m3", 5), ("uint3", "fp16", 14)],
)  # fmt: skip
def test_quantised_tables(weight: str, activation: str, bits: int) -> None:
    unit = unit_of("lut_tensor_core", lanes=8, weight=weight, activation=activation,
                   table_bits=bits)  # fmt: skip
    sums = unit.sums
    rng = np.random.default_rng(0)
    a, w, _ = random_codes(unit, 60, 1, rng)
    a[:20] = unit.activation.encode(rng.standard_normal((20, 8)) * 2.0**-12)
    lowest = 0
    if isinstance(sums, FloatSums):
        lowest = sums.table_format.min_exponent - (bits - 2)
    found = unit.result.decode(unit.dot(a, w))
    for dot in range(60):
        values = unit.activation.decode(a[dot])
        if not np.isfinite(values).all() or np.abs(values).sum() > 60000:
            continue
        total = Fraction(0)
        for first in (0, 4):
            group, codes = values[first : first + 4], w[dot, first : first + 4]
            index = list(product((-1, 1), repeat=4))
            entries = []
            for digits in index:
                entry = Fraction(0)
                for value, digit in zip(group, digits, strict=True):
                    entry += digit * exact(value)
                    if isinstance(sums, FloatSums):
                        entry = rounded(entry, sums.table_format)
                entries.append(entry)
            table = dict(zip(index, quantised(entries, bits, lowest), strict=True))
            factor = Fraction(1, 2) if unit.corrections else Fraction(1)
            for plane in range(unit.weight.bits):
                total += factor * 2**plane * table[tuple(digits_of(unit, codes, plane))]
            if weight.startswith("int"):
                total -= factor * table[(1,) * 4]
            elif weight.startswith("uint"):
                total += factor * (2**unit.weight.bits - 1) * table[(1,) * 4]
        # fp32 holds these sums.
        assert exact(found[dot]) == total


def test_a_quantised_table_with_infinity_is_nan() -> None:
    unit = unit_of("lut_tensor_core", lanes=4, table_lanes=2, weight="binary", activation="fp16",
                   table_bits=8)  # fmt: skip
    a = unit.activation.encode([1.0, 2.0, 65504.0, 65504.0])
    assert np.isnan(unit.result.decode(unit.dot(a, [1, 1, 1, 0])))


def test_given_tables_are_those_of_the_activations() -> None:
    parameters = {"lanes": 8, "weight": "int3", "row_count": 2, "column_count": 3}
    core = unit_of("lut_tensor_core", activation="int8", **parameters)
    array = unit_of("lut_array", activation="int11", **parameters)
    rng = np.random.default_rng(0)
    a, w, _ = random_codes(core, 5, 2, rng)
    groups = core.activation.decode(a).reshape(5, -1, 4)
    sums = (groups @ np.array(core.combinations).T).astype(int)
    entries = (sums & 0x7FF).reshape(5, -1)
    np.testing.assert_array_equal(
        core.result.to_int(core.dot(a, w)), array.result.to_int(array.dot(entries, w))
    )


def test_the_published_array_can_be_built() -> None:
    unit = unit_of("lut_array", lanes=4, weight="int2", activation="fp16", row_count=2,
                   column_count=64, accumulator="fp16")  # fmt: skip
    assert unit.macs_per_beat == 512
    assert unit.activation_lanes == 16
    assert unit.beat_fields == {"activations": 256, "weights": 512, "last": 1}


def tmac_dot(unit: BitPlaneTable, values: list[int], weights: list[int]) -> Fraction:
    groups = [values[k : k + 4] for k in range(0, len(values), 4)]
    index = list(product((-1, 1), repeat=4))
    every = [
        Fraction(sum(v * d for v, d in zip(g, digits, strict=True)))
        for g in groups
        for digits in index
    ]
    entries = quantised(every, 8, 0)
    total = Fraction(0)
    for k in range(len(groups)):
        table = dict(zip(index, entries[16 * k : 16 * k + 16], strict=True))
        codes = [q + 2 ** (unit.weight.bits - 1) for q in weights[4 * k : 4 * k + 4]]
        for plane in range(unit.weight.bits):
            digits = tuple(2 * (code >> plane & 1) - 1 for code in codes)
            total += Fraction(2**plane, 2) * table[digits]
        total += Fraction(1, 2) * table[(-1,) * 4]
    return total


@pytest.mark.parametrize("bits", [1, 2, 3, 4])
@pytest.mark.parametrize("activation", ["int8", "uint8", "int6", "int16"])
def test_tmac(bits: int, activation: str) -> None:
    unit = unit_of("tmac", lanes=16, weight=f"int{bits}", activation=activation)
    a, w, _ = random_codes(unit, 20, 1, np.random.default_rng(bits))
    found = unit.result.decode(unit.dot(a, w))
    for dot in range(20):
        values = [int(v) for v in unit.activation.decode(a[dot])]
        weights = [int(v) for v in unit.weight.decode(w[dot])]
        assert exact(found[dot]) == tmac_dot(unit, values, weights)


def test_tmac_is_exact_where_entries_fit() -> None:
    unit = unit_of("tmac", lanes=8, weight="int4", activation="int8")
    rng = np.random.default_rng(0)
    a = unit.activation.encode(rng.integers(-31, 32, (50, 8)).astype(float))
    w = rng.integers(0, 16, (50, 8))
    check_exact(unit, a, w)


@pytest.mark.parametrize(
    ("family", "parameters", "cycles"),
    [
        ("lut_tensor_core", {"weight": "bipolar3", "activation": "int8"}, 3),
        ("lut_tensor_core", {"weight": "int3", "activation": "int8"}, 3),
        ("lut_tensor_core", {"weight": "bipolar3", "activation": "fp16"}, 3),
        ("lut_tensor_core", {"weight": "int3", "activation": "fp16"}, 4),
        ("lut_tensor_core", {"weight": "uint3", "activation": "fp16"}, 5),
        ("unpu_lut", {"weight": "int3", "activation": "fp16"}, 3),
        ("tmac", {"weight": "int4", "activation": "int8"}, 4),
    ],
)
def test_cycles(family: str, parameters: dict[str, str], cycles: int) -> None:
    timing = make(family, lanes=4, **parameters).timing()
    assert (timing.latency, timing.interval) == (cycles, cycles)


def test_safe_beats_do_not_wrap() -> None:
    unit = unit_of("lut_tensor_core", lanes=4, weight="int2", activation="int4",
                   accumulator_bits=10)  # fmt: skip
    # The largest sums: -8 * -2.
    assert unit.largest_beat == 2 * 4 * 16
    assert unit.safe_beats == 3
    a, w = np.full(12, 8), np.full(12, 2)
    assert unit.result.decode(unit.dot(a, w)) == 3 * 64


@pytest.mark.parametrize(
    ("family", "parameters", "message"),
    [
        ("lut_tensor_core", {"lanes": 6}, "lanes=6 must be a multiple of table_lanes=4"),
        ("lut_tensor_core", {"table_lanes": 9}, "table_lanes must be 1 to 8, not 9"),
        ("lut_tensor_core", {"weight": "int9"},
         "weight=int9: lut_tensor_core takes intN, uintN, bipolarN of 1 to 8 bits"),
        ("lut_tensor_core", {"weight": "e2m1"},
         "weight=e2m1: lut_tensor_core takes intN, uintN, bipolarN of 1 to 8 bits"),
        ("unpu_lut", {"weight": "binary"},
         "weight=binary: unpu_lut takes intN, uintN of 1 to 8 bits"),
        ("lut_tensor_core", {"activation": "int17"},
         "activation=int17: lut_tensor_core takes integers of up to 16 bits and minifloats"),
        ("lut_tensor_core", {"accumulator": "fp16"},
         "accumulator=fp16: only for minifloat activations, not int8"),
        ("lut_tensor_core", {"table_format": "fp16"},
         "table_format=fp16: only for minifloat activations, not int8"),
        ("lut_tensor_core", {"activation": "fp16", "accumulator_bits": 32},
         "accumulator_bits=32: only for integer activations, not fp16"),
        ("lut_tensor_core", {"accumulator_bits": 8},
         "accumulator_bits=8 cannot hold a product of int4 and int8; allowed: 13 to 1024"),
        ("lut_tensor_core", {"table_bits": 11},
         "table_bits=11 must be 2 to 10 for entries of 4 x int8, or none for exact entries"),
        ("lut_tensor_core", {"table_bits": 1},
         "table_bits=1 must be 2 to 10 for entries of 4 x int8, or none for exact entries"),
        ("lut_array", {"activation": "e2m1"},
         "activation=e2m1: lut_array takes entries in minifloats that have NaN, such as fp16"),
        ("tmac", {"weight": "uint4"}, "weight=uint4: tmac takes intN of 1 to 4 bits"),
        ("tmac", {"weight": "int5"}, "weight=int5: tmac takes intN of 1 to 4 bits"),
        ("tmac", {"activation": "fp16"}, "activation=fp16: tmac takes integers"),
        ("tmac", {"activation": "int5"},
         "table_bits=8 must be 2 to 7 for entries of 4 x int5, or none for exact entries"),
    ],
)  # fmt: skip
def test_errors_name_the_parameter(
    family: str, parameters: dict[str, object], message: str
) -> None:
    with pytest.raises(InputError) as error:
        make(family, **(INTEGER | parameters))
    assert str(error.value) == message


def test_one_row_is_part_of_a_tile() -> None:
    parameters = {"lanes": 4, "weight": "int2", "activation": "e4m3", "accumulator": "fp16"}
    one: UnitSpec = make("lut_tensor_core", **parameters)
    tile = unit_of("lut_tensor_core", row_count=2, column_count=2, **parameters)
    a, w, _ = random_codes(tile, 10, 3, np.random.default_rng(0))
    values = tile.result.decode(tile.dot(a, w))
    for dot in range(10):
        for r, row in enumerate(elements(tile, a[dot], w[dot])):
            for c, (codes_a, codes_w) in enumerate(row):
                expected = one.result.decode(one.dot(codes_a, codes_w))
                np.testing.assert_array_equal(values[dot, r, c], expected)
