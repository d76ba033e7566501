from fractions import Fraction

import ml_dtypes
import numpy as np
import pytest

from hwsim.errors import InputError
from hwsim.formats import parse_scalar
from hwsim.formats.codebook import learn
from hwsim.units import make
from hwsim.units.codebook import CodebookUnit
from hwsim.units.stimulus import random_codes


def unit_of(**parameters: object) -> CodebookUnit:
    given = {"lanes": 1, "weight": "nf4", "activation": "int8"} | parameters
    unit = make("codebook", **given)
    assert isinstance(unit, CodebookUnit)
    return unit


def loaded(**parameters: object) -> CodebookUnit:
    return unit_of(**({"weight": "uint4", "table": "loaded"} | parameters))


@pytest.mark.parametrize(
    ("weight", "entry", "places", "low", "high"),
    [
        ("nf4", "int8", 0, -128, 127),
        ("nf4", "q1.7", 7, -128, 127),
        ("nf3", "int4", 0, -8, 7),
        ("nf4", "int16_sym", 0, -32767, 32767),
        ("codebook(0,0.5,3,8.25)", "uint5", 0, 0, 31),
        ("codebook(-4,-0.5)", "int6", 0, -32, 31),
        ("pot4", "int8", 0, -128, 127),
        ("e2m1", "q4.4", 4, -128, 127),
    ],
)
def test_constants_fill_the_range(
    weight: str, entry: str, places: int, low: int, high: int
) -> None:
    """The entries are the rounded values on the largest common scale that fits."""
    unit = unit_of(weight=weight, entry=entry)
    values = [Fraction(float(v)) for v in unit.weight.decode(np.arange(1 << unit.weight.bits))]

    def rounded(scale: int) -> list[int]:
        return [round(value * Fraction(2) ** (scale + places)) for value in values]

    fits = [s for s in range(-20, 20) if all(low <= n <= high for n in rounded(s))]
    assert unit.entry_scale == max(fits)
    mask = (1 << unit.entries.bits) - 1
    assert unit.constants().tolist() == [n & mask for n in rounded(max(fits))]
    assert unit.result.exponent == -places - max(fits)


@pytest.mark.parametrize("entry", ["int8", "q1.9"])
@pytest.mark.parametrize("activation", ["int8", "uint4"])
def test_integer_sums_are_exact(entry: str, activation: str) -> None:
    unit = unit_of(lanes=3, activation=activation, entry=entry)
    a, w, _ = random_codes(unit, 40, 5, np.random.default_rng(0))
    entries = unit.entries.decode(unit.constants()) * 2.0**-unit.entry_scale
    assert np.abs(entries - unit.weight.decode(np.arange(16))).max() <= 2.0**-7
    values = unit.result.decode(unit.dot(a, w))
    for row in range(40):
        pairs = zip(unit.activation.decode(a[row]), w[row], strict=True)
        assert Fraction(values[row]) == sum(Fraction(x) * Fraction(entries[k]) for x, k in pairs)


@pytest.mark.parametrize(
    ("activation", "kind"), [("fp16", np.float16), ("bf16", ml_dtypes.bfloat16)]
)
@pytest.mark.parametrize("table", ["constant", "loaded"])
def test_float_sums_round_once_a_lane(activation: str, kind: type, table: str) -> None:
    """Products of two halves are exact in float32, so its additions are the witness."""
    weight = "nf4" if table == "constant" else "uint4"
    unit = unit_of(lanes=2, activation=activation, table=table, weight=weight)
    assert unit.entries.name == activation
    rng = np.random.default_rng(3)
    x = rng.standard_normal((30, 12)).astype(kind)
    w = rng.integers(0, 16, (30, 12)).astype(np.uint8)
    book = parse_scalar("nf4").decode(np.arange(16)).astype(kind)
    tables = np.sort(rng.standard_normal((30, 16))).astype(kind) if unit.metadata else [book] * 30
    total = np.zeros(30, np.float32)
    for k in range(12):
        entry = np.array([row[code] for row, code in zip(tables, w[:, k], strict=True)])
        total = total + x[:, k].astype(np.float32) * entry.astype(np.float32)
    metadata = {f.name: np.array(tables)[:, k].view(np.uint16) for k, f in enumerate(unit.metadata)}
    codes = unit.dot(x.view(np.uint16), w, **metadata)
    np.testing.assert_array_equal(codes.astype(np.uint32), total.view(np.uint32))


def test_every_dot_product_has_its_table() -> None:
    """any4: a learnt table for every row of a matrix, in fixed point."""
    rng = np.random.default_rng(4)
    matrix = rng.standard_normal((3, 40))
    books = learn(matrix, bits=3)
    unit = loaded(lanes=4, weight="uint3", entry="q4.8")
    codes = np.stack([book.encode(row) for book, row in zip(books, matrix, strict=True)])
    tables = unit.entries.encode(np.stack([book.decode(np.arange(8)) for book in books]))
    x = rng.integers(-128, 128, 40)
    activations = np.tile(x & 255, (3, 1))
    metadata = {f"entry_{k}": tables[:, k] for k in range(8)}
    sums = unit.result.decode(unit.dot(activations, codes, **metadata))
    for row in range(3):
        entries = unit.entries.decode(tables[row])
        assert sums[row] == sum(int(a) * entries[k] for a, k in zip(x, codes[row], strict=True))
    assert np.abs(sums - matrix @ x).max() < np.abs(x).sum() * 0.5


def test_integer_entries_with_float_activations() -> None:
    unit = unit_of(weight="codebook(-1.5,0,0.25,1)", activation="fp16", entry="int4")
    assert unit.entry_scale == 2
    assert unit.constants().tolist() == [-6 & 15, 0, 1, 4]
    x = parse_scalar("fp16").encode([3.0, 0.5])
    assert unit.result.decode(unit.dot(x, [0, 3])) == 4 * (3.0 * -1.5 + 0.5)


def test_minifloat_entries_are_the_values_rounded() -> None:
    unit = unit_of(activation="fp16", entry="e4m3")
    assert unit.entry_scale == 0
    book = parse_scalar("nf4").decode(np.arange(16))
    expected = book.astype(ml_dtypes.float8_e4m3fn).view(np.uint8)
    np.testing.assert_array_equal(unit.constants(), expected)


def test_timing() -> None:
    constant, table = unit_of(), loaded(lanes=2)
    assert (constant.timing().latency, constant.timing().interval) == (1, 1)
    timing = table.timing()
    assert (timing.latency, timing.interval, timing.min_interval) == (2, 2, 1)
    a = np.zeros((2, 6), int)
    metadata = {field.name: np.zeros(2, int) for field in table.metadata}
    np.testing.assert_array_equal(table.cycles(a, a, **metadata), [[2, 1, 1]] * 2)


def test_metadata_are_the_entries() -> None:
    assert unit_of().metadata == ()
    fields = loaded(weight="uint2", entry="q2.3").metadata
    assert [(f.name, f.format.name, str(f.scope)) for f in fields] == [
        (f"entry_{k}", "q2.3", "dot") for k in range(4)
    ]


def test_defaults() -> None:
    integer, floating = unit_of(), unit_of(activation="fp16")
    assert (plain(integer.entry), plain(floating.entry)) == ("int8", "fp16")
    assert (integer.accumulator, integer.accumulator_bits) == (None, 32)
    assert (plain(floating.accumulator), floating.accumulator_bits) == ("fp32", None)
    assert floating.name == "codebook_lanes_1_weight_nf4_activation_fp16"
    assert integer.safe_beats == (2**31 - 1) // (128 * 128)
    assert floating.safe_beats == 1


def plain(fmt: object) -> str:
    return str(getattr(fmt, "name", fmt))


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"weight": "int8"},
         "weight=int8: codebook takes formats of up to 4 bits without NaN and infinity, such as "
         "nf4"),
        ({"weight": "lns4_1"},
         "weight=lns4_1: codebook takes formats of up to 4 bits without NaN and infinity, such as "
         "nf4"),
        ({"table": "loaded"},
         "weight=nf4: with table='loaded' a weight is the position of an entry, uint1 to uint4"),
        ({"table": "loaded", "weight": "int4"},
         "weight=int4: with table='loaded' a weight is the position of an entry, uint1 to uint4"),
        ({"activation": "nf4"}, "activation=nf4: codebook takes integers and minifloats"),
        ({"activation": "e4m3u"}, "activation=e4m3u: codebook takes signed minifloats only"),
        ({"entry": "fp16"},
         "entry=fp16: with int8 activations codebook takes integers and fixed point"),
        ({"entry": "q2.6", "activation": "fp16"},
         "entry=q2.6: with fp16 activations codebook takes integers and minifloats"),
        ({"entry": "e4m3u", "activation": "fp16"}, "entry=e4m3u: codebook takes signed minifloats "
         "only"),
        ({"entry": "int1"}, "entry=int1 must have 2 to 24 bits"),
        ({"entry": "int32"}, "entry=int32 must have 2 to 24 bits"),
        ({"entry": "uint8"},
         "entry=uint8 holds 0.0 to 255.0, and the values of nf4 are -1.0 to 1.0"),
        ({"entry": "e2m1", "activation": "fp16", "weight": "codebook(-8.0,1.0)"},
         "entry=e2m1 holds -6.0 to 6.0, and the values of codebook(-8.0,1.0) are -8.0 to 1.0"),
        ({"accumulator": "fp16"},
         "accumulator=fp16: codebook with int8 activations takes accumulator_bits"),
        ({"activation": "fp16", "accumulator_bits": 32},
         "accumulator_bits=32: codebook with fp16 activations takes accumulator"),
        ({"table": "stored"},
         "unknown table 'stored'; did you mean 'loaded'?"),
        ({"accumulator_bits": 10},
         "accumulator_bits=10 cannot hold a product of int8 and int8; allowed: 16 to 1024"),
    ],
)  # fmt: skip
def test_bad_parameters(parameters: dict[str, object], message: str) -> None:
    with pytest.raises(InputError) as error:
        unit_of(**parameters)
    assert str(error.value) == message
