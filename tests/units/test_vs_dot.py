from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from hwsim.errors import InputError
from hwsim.formats import BlockFormat, parse
from hwsim.formats.integer import Integer
from hwsim.formats.vs_quant import VectorScale
from hwsim.units import make
from hwsim.units.stimulus import corner_mix, random_codes
from hwsim.units.vs_dot import VsDotUnit

SIDES = ("activation", "weight")


def vs_dot(**parameters: Any) -> VsDotUnit:
    unit = make("vs_dot", **({"lanes": 4, "weight": "int4", "activation": "int4"} | parameters))
    assert isinstance(unit, VsDotUnit)
    return unit


def integer(name: str, code: int) -> int:
    """A code of ``int3`` or ``uint3``, from its bits."""
    bits = int(name.strip("uint"))
    return code - (code >> (bits - 1) << bits) if name.startswith("int") else code


def nearest(product: int, dropped: int, kept: int) -> int:
    """A product of scales in units of 2**dropped, halves up, saturating."""
    return min((Fraction(product, 2**dropped) + Fraction(1, 2)).__floor__(), 2**kept - 1)


def expected(unit: VsDotUnit, row: Any) -> Fraction:
    """The sum of a dot product before it wraps, one element after another."""
    widths = {side: getattr(unit, f"{side}_scale_bits") for side in SIDES}
    largest = np.prod([2 ** (bits or 1) - 1 for bits in widths.values()])
    dropped = int(largest).bit_length() - unit.factor_bits
    total = Fraction(0)
    for k, (a, w) in enumerate(zip(row.activations, row.weights, strict=True)):
        vector, product = k // unit.block_size, 1
        for side in (side for side, bits in widths.items() if bits):
            if unit.lanes > unit.block_size:
                group, place = divmod(vector, unit.lanes // unit.block_size)
                product *= int(row.metadata[f"{side}_scale_{place}"][group])
            else:
                product *= int(row.metadata[f"{side}_scale"][vector])
        if dropped:
            product = nearest(product, dropped, unit.factor_bits) << dropped
        x, y = integer(unit.activation.name, int(a)), integer(unit.weight.name, int(w))
        total += Fraction(x * y) * product
    return total


def wrapped(total: Fraction, unit: VsDotUnit) -> int:
    width, exponent = unit.result.width, unit.result.exponent
    units = total / 2**exponent
    assert units.denominator == 1
    return (int(units) + (1 << (width - 1))) % (1 << width) - (1 << (width - 1))


#: Wider than NumPy's integers.
WIDE = {"weight": "int32", "activation": "uint32", "weight_scale_bits": 16}


@pytest.mark.parametrize("parameters", [*VsDotUnit.configurations, WIDE], ids=str)
@pytest.mark.parametrize("beats", [1, 7])
def test_results_are_those_of_fractions(parameters: dict[str, Any], beats: int) -> None:
    unit = vs_dot(**parameters)
    rng = np.random.default_rng(0)
    for operands in (random_codes(unit, 60, beats, rng), corner_mix(unit, 20, beats, rng)):
        codes = unit.dot(operands.activations, operands.weights, **operands.metadata)
        for row, got in zip(operands.rows(), unit.result.to_int(codes), strict=True):
            assert got == wrapped(expected(unit, row), unit)


@pytest.mark.parametrize("kept", range(1, 7))
def test_every_product_of_scales(kept: int) -> None:
    unit = vs_dot(lanes=1, block_size=1, weight="int2", activation="uint1", weight_scale_bits=3,
                  activation_scale_bits=3, scale_product_bits=kept)  # fmt: skip
    x, y = (grid.ravel()[:, np.newaxis] for grid in np.meshgrid(np.arange(8), np.arange(8)))
    one = np.ones((64, 1), np.uint8)
    codes = unit.dot(one, one, activation_scale=x, weight_scale=y)
    assert unit.full_factor_bits == 6
    products = (x * y).ravel()
    want = [nearest(int(p), 6 - kept, kept) if kept < 6 else int(p) for p in products]
    assert [int(sum_) for sum_ in unit.result.to_int(codes)] == want
    assert unit.result.exponent == 6 - kept
    assert unit.is_exact == (kept == 6)
    top = Fraction(49, 2 ** (6 - kept)) + Fraction(1, 2)
    assert unit.saturates == (kept < 6 and top >= 2**kept)


def test_a_product_saturates_and_small_ones_vanish() -> None:
    unit = vs_dot(lanes=1, block_size=1, scale_product_bits=4)

    def value(x: int, y: int) -> float:
        code = unit.dot([1], [1], activation_scale=[x], weight_scale=[y])
        return float(unit.result.decode(code))

    # 255 * 255 = 15.88 * 2**12
    assert value(255, 255) == 15 * 2**12
    assert value(128, 16) == 2**12
    assert value(127, 16) == 0


QUANTISED = [
    ("int4_vs_g16", "int4_vs_g16", {}),
    ("int4_vs_g16", "int8_vs_g16", {"lanes": 4}),
    ("int8_vs_g4", "int4_vs_g4", {"lanes": 16}),
    ("int4_vs_g16", "int8_g256", {}),
    ("int8_g64", "int6_vs_g16", {"lanes": 8}),
]


@pytest.mark.parametrize(("weight", "activation", "others"), QUANTISED, ids=str)
def test_quantised_tensors_are_multiplied(
    weight: str, activation: str, others: dict[str, Any]
) -> None:
    unit = vs_dot(**({"lanes": 16, "weight": weight, "activation": activation} | others))
    rng = np.random.default_rng(0)
    rows = []
    for name, count in ((weight, 3), (activation, 2)):
        fmt = parse(name)
        assert isinstance(fmt, BlockFormat)
        rows.append(fmt.quantize(rng.standard_normal((count, 256))))
    # The quantiser's values, as fractions.
    w, a = ([list(map(Fraction, map(float, row))) for row in t.dequantize()] for t in rows)
    got = unit.matmul(rows[0], rows[1])
    for i, x in enumerate(a):
        for j, y in enumerate(w):
            want = sum((p * q for p, q in zip(x, y, strict=True)), Fraction(0))
            assert got[i, j] == pytest.approx(float(want), rel=1e-12, abs=1e-12)


def test_the_result_times_the_scales_of_the_channels() -> None:
    fmt = parse("int4_vs_g16")
    assert isinstance(fmt, VectorScale)
    unit = vs_dot(lanes=16, weight=fmt, activation=fmt)
    rng = np.random.default_rng(1)
    first, second = (fmt.quantize(rng.standard_normal((20, 128))) for _ in range(2))
    sums = unit.dot(
        first.codes.reshape(20, 128),
        second.codes.reshape(20, 128),
        activation_scale=first.scales,
        weight_scale=second.scales,
    )
    channels = [fmt.channel_scale.decode(t.metadata["channel_scales"]) for t in (first, second)]
    want = (first.dequantize() * second.dequantize()).sum(axis=-1)
    got = unit.result.decode(sums) * channels[0] * channels[1]
    np.testing.assert_allclose(got, want, rtol=1e-12, atol=1e-12)


def test_formats_of_tensors_set_the_parameters() -> None:
    unit = vs_dot(lanes=8, weight="int4_vs_g32", activation="int8_vs_g32")
    assert (unit.block_size, unit.weight_scale_bits, unit.activation_scale_bits) == (32, 8, 8)
    assert unit.name == "vs_dot_lanes_8_weight_int4_vs_g32_activation_int8_vs_g32"
    assert make("vs_dot", **unit.parameters()) == unit
    fmt = VectorScale(Integer(4), 16, scale=Integer(6, signed=False))
    mixed = vs_dot(lanes=8, weight=fmt, activation="int8_g64")
    assert (mixed.weight_scale_bits, mixed.activation_scale_bits) == (6, 0)
    assert [one.name for one in mixed.metadata] == ["weight_scale"]
    assert mixed.full_factor_bits == 6
    assert mixed.bits_per_element("weight") == 4 + 6 / 16
    # Elements alone have the vectors that the parameters say.
    plain = vs_dot(weight_scale_bits=4, activation_scale_bits=0)
    quantiser = plain.weight_quantiser()
    assert isinstance(quantiser, VectorScale)
    assert (quantiser.size, quantiser.scale.bits) == (16, 4)
    assert plain.bits_per_element("activation") == 4


def test_no_operands_overflow_within_safe_beats() -> None:
    for parameters in ({"lanes": 2, "block_size": 4}, {"lanes": 4, "block_size": 2}):
        unit = vs_dot(**parameters, weight_scale_bits=2, activation_scale_bits=2,
                      accumulator_bits=14)  # fmt: skip
        beats = unit.safe_beats
        # The next vectors may leave the range: the bound is no looser than that.
        for count, fits in ((beats, True), (beats + unit.group_beats, False)):
            lowest = np.full(count * unit.lanes, 8)
            groups = -(-count // unit.group_beats)
            scales = {one.name: np.full(groups, 3) for one in unit.metadata}
            total = unit.result.to_int(unit.dot(lowest, lowest, **scales))
            assert (int(total) == 64 * 9 * count * unit.lanes) == fits


def test_vectors_longer_and_shorter_than_a_beat_give_the_same() -> None:
    wide = vs_dot(lanes=16, block_size=4, accumulator_bits=20, scale_product_bits=5)
    narrow = vs_dot(lanes=2, block_size=4, accumulator_bits=20, scale_product_bits=5)
    a, w, metadata = random_codes(wide, 50, 3, np.random.default_rng(0))
    scales = {
        f"{side}_scale": np.stack(
            [metadata[f"{side}_scale_{k}"] for k in range(4)], axis=-1
        ).reshape(50, -1)
        for side in SIDES
    }
    np.testing.assert_array_equal(wide.dot(a, w, **metadata), narrow.dot(a, w, **scales))


def test_groups_of_no_whole_vectors_are_refused() -> None:
    unit = vs_dot(lanes=16, weight="int8_g24", activation="int4_vs_g16")
    with pytest.raises(InputError, match="weights in groups of 24: vs_dot takes groups of whole"):
        unit.matmul(np.ones((1, 48)), np.ones((1, 48)))


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"weight": "e2m1"}, "weight=e2m1: vs_dot takes integer formats, intN or uintN"),
        ({"weight": "e2m1_vs_g16"}, "weight=e2m1: vs_dot takes integer formats, intN or uintN"),
        ({"weight": "mxfp4"},
         "weight=mxfp4: vs_dot takes <integer>_vs_g<size>, or <integer>_g<size> of one operand"),
        ({"weight": "int4_vs_g16", "activation": "int4_vs_g32"},
         "block_size=32 follows from activation=int4_vs_g32; weight=int4_vs_g16 has 16"),
        ({"lanes": 24}, "lanes=24 must divide block_size=16 or be a multiple of it"),
        ({"weight_scale_bits": 17}, "weight_scale_bits must be 0 to 16, not 17"),
        ({"weight_scale_bits": 0, "activation_scale_bits": 0},
         "weight_scale_bits=0 and activation_scale_bits=0: one operand of vs_dot has vector "
         "scales; integer takes operands without"),
        ({"scale_product_bits": 17}, "scale_product_bits must be 1 to 16, not 17"),
        ({"scale_product_bits": 0}, "scale_product_bits must be 1 to 16, not 0"),
        ({"accumulator_bits": 12},
         "accumulator_bits=12 cannot hold a scaled product of int4 and int4; allowed: 23 to 1024"),
    ],
    ids=str,
)  # fmt: skip
def test_bad_parameters(parameters: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError) as error:
        vs_dot(**parameters)
    assert str(error.value) == message
