from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from hwsim.errors import InputError
from hwsim.formats import BlockFormat, parse, parse_scalar
from hwsim.formats.integer import Integer
from hwsim.formats.minifloat import Minifloat
from hwsim.units import make
from hwsim.units.block_dot import BlockDotUnit
from hwsim.units.stimulus import cancelling, corners, random_codes
from rtl.verification.play import play

UNITS: list[tuple[str, dict[str, Any]]] = [
    ("mx_dot", {"lanes": 32, "weight": "e2m1", "activation": "e2m1"}),
    ("mx_dot", {"lanes": 8, "weight": "e4m3", "activation": "e4m3"}),
    ("mx_dot", {"lanes": 4, "weight": "e5m2", "activation": "e3m2", "block_size": 8}),
    ("mx_dot", {"lanes": 8, "weight": "e5m2", "activation": "e5m2", "accumulator": "bf16"}),
    ("mx_dot", {"lanes": 16, "weight": "e2m3", "activation": "q2.6", "block_size": 8}),
    ("mx_dot", {"lanes": 16, "weight": "q2.6", "activation": "q2.6", "accumulator": "fp16"}),
    ("nvfp4_dot", {"lanes": 16}),
    ("nvfp4_dot", {"lanes": 32, "scale": "e5m3u", "accumulator": "e5m2"}),
    ("nvfp4_dot", {"lanes": 4, "scale": "e5m3u_ieee", "accumulator": "fp16"}),
    ("bfp_dot", {"lanes": 8, "weight": "q2.6", "activation": "q2.4"}),
    ("bfp_dot", {"lanes": 1, "weight": "int4", "activation": "uint8", "scale": "int5",
                 "block_size": 3}),
]  # fmt: skip


def block_unit(family: str, **parameters: Any) -> BlockDotUnit:
    unit = make(family, **parameters)
    assert isinstance(unit, BlockDotUnit)
    return unit


def scale_of(unit: BlockDotUnit, code: int) -> Fraction | None:
    """Return a scale's value, None for NaN."""
    fmt = unit.scale_format
    if isinstance(fmt, Integer):
        return Fraction(2) ** int(fmt.to_int(code))
    value = float(fmt.decode(code))
    return None if np.isnan(value) or np.isinf(value) else Fraction(value)


def blocks_of(
    unit: BlockDotUnit, a: Any, w: Any, metadata: dict[str, Any]
) -> list[Fraction] | None:
    """Return the scaled blocks of one dot product in order, None if anything is not finite."""
    x, y = unit.activation.decode(a), unit.weight.decode(w)
    if not (np.isfinite(x).all() and np.isfinite(y).all()):
        return None
    blocks = []
    for k, start in enumerate(range(0, len(x), unit.block_size)):
        group, place = divmod(k, unit.beat_blocks)
        names = [unit.scale_names(side)[place] for side in ("activation", "weight")]
        scales = [scale_of(unit, int(metadata[name][group])) for name in names]
        if None in scales:
            return None
        part = slice(start, start + unit.block_size)
        total = sum(
            (Fraction(p) * Fraction(q) for p, q in zip(x[part], y[part], strict=True)), Fraction(0)
        )
        blocks.append(total * scales[0] * scales[1])
    return blocks


def nearest_even(x: Fraction, fmt: Minifloat) -> Fraction | None:
    """Round to a format; None if it overflows."""
    if not x:
        return x
    n = abs(x)
    exponent = n.numerator.bit_length() - n.denominator.bit_length()
    exponent -= n < Fraction(2) ** exponent
    unit = Fraction(2) ** (max(exponent, fmt.min_exponent) - fmt.mantissa)
    rounded = round(x / unit) * unit
    return rounded if abs(rounded) <= Fraction(fmt.max) else None


@pytest.mark.parametrize(("family", "parameters"), UNITS, ids=str)
@pytest.mark.parametrize("beats", [1, 5])
def test_blocks_are_exact_and_rounded_once(
    family: str, parameters: dict[str, Any], beats: int
) -> None:
    unit = block_unit(family, **parameters)
    fmt = unit.sum_format
    rng = np.random.default_rng(0)
    compared = 0
    for stimulus in (random_codes(unit, 60, beats, rng), cancelling(unit, 30, rng)):
        results = unit.result.decode(
            unit.dot(stimulus.activations, stimulus.weights, **stimulus.metadata)
        )
        for row, result in zip(stimulus.rows(), results, strict=True):
            blocks = blocks_of(unit, *row)
            if blocks is None:
                assert not np.isfinite(result)
                continue
            total: Fraction | None = Fraction(0)
            for block in blocks:
                if total is not None:
                    total = nearest_even(total + block, fmt)
            if total is None:
                assert not np.isfinite(result)
                continue
            assert Fraction(result) == total
            compared += 1
    assert compared >= 10


def signed_sum(unit: BlockDotUnit, row: Any) -> tuple[Fraction, bool]:
    """Return the sum of finite blocks, and whether its sign bit is set."""
    total, negative = Fraction(0), False
    x, y = unit.activation.decode(row.activations), unit.weight.decode(row.weights)
    for k, start in enumerate(range(0, len(x), unit.block_size)):
        part = slice(start, start + unit.block_size)
        block = sum(
            (Fraction(p) * Fraction(q) for p, q in zip(x[part], y[part], strict=True)), Fraction(0)
        )
        scales = [scale_of(unit, int(row.metadata[f"{side}_scale"][k]))
                  for side in ("activation", "weight")]  # fmt: skip
        assert None not in scales
        term = block * scales[0] * scales[1]
        rounded = nearest_even(total + term, unit.sum_format)
        assert rounded is not None
        both = total == term == 0
        negative = negative and block < 0 if both else total + term < 0
        total = rounded
    return total, negative


@pytest.mark.parametrize(
    ("family", "parameters", "scales"),
    [
        ("nvfp4_dot", {"lanes": 4, "block_size": 4, "scale": "e5m3u_ieee", "accumulator": "fp16"},
         [0, 1, 2, 12, 40, 133]),
        ("mx_dot", {"lanes": 2, "block_size": 4, "weight": "e2m1", "activation": "e2m1",
                    "accumulator": "fp16"}, [113, 114, 115, 127]),
        ("bfp_dot", {"lanes": 1, "weight": "int4", "activation": "int4", "scale": "int6",
                     "block_size": 2, "accumulator": "e5m2"}, [47, 50, 52, 56, 62]),
    ],
    ids=str,
)  # fmt: skip
def test_signs_of_zero(family: str, parameters: dict[str, Any], scales: list[int]) -> None:
    unit = block_unit(family, **parameters)
    rng = np.random.default_rng(0)
    stimulus = random_codes(unit, 300, 3 * unit.group_beats, rng)
    # Few elements, so that blocks are often zero.
    stimulus.activations[rng.random(stimulus.activations.shape) < 0.5] = 0
    for codes in stimulus.metadata.values():
        codes[...] = rng.choice(scales, codes.shape)
    got = unit.dot(stimulus.activations, stimulus.weights, **stimulus.metadata)
    signs = []
    for row, code in zip(stimulus.rows(), got, strict=True):
        total, negative = signed_sum(unit, row)
        assert Fraction(float(unit.result.decode(code))) == total
        assert bool(int(code) & unit.sum_format.sign_code) == negative
        signs += [negative] * (total == 0)
    assert set(signs) == {True, False}
    # The hardware says the same.
    (played,) = play(unit, [[word for words in unit.words(stimulus) for word in words]])
    assert played.results == [int(code) for code in got]


def test_a_negative_block_times_a_scale_of_zero_is_a_negative_zero() -> None:
    unit = block_unit("nvfp4_dot", lanes=4, block_size=4, accumulator="fp16", scale="e5m3u_ieee")
    code = unit.dot(
        [15, 5, 9, 0, 5, 12, 0, 9, 5, 3, 7, 13],
        [11, 9, 4, 3, 12, 8, 2, 10, 4, 3, 11, 4],
        activation_scale=[0, 1, 0],
        weight_scale=[133, 12, 0],
    )
    assert code == 0x8000


@pytest.mark.parametrize(
    ("family", "parameters"),
    [
        ("mx_dot", {"lanes": 16, "weight": "e4m3", "activation": "e5m2"}),
        ("mx_dot", {"lanes": 16, "weight": "e2m1", "activation": "q2.6", "block_size": 8,
                    "accumulator_bits": 24, "fraction_bits": 10}),
        ("nvfp4_dot", {"lanes": 8, "accumulator_bits": 20, "fraction_bits": 8}),
        ("bfp_dot", {"lanes": 4, "weight": "int5", "activation": "int8", "scale": "int4",
                     "accumulator_bits": 24, "fraction_bits": 4}),
    ],
    ids=str,
)  # fmt: skip
def test_fixed_sums_are_exact_or_flagged(family: str, parameters: dict[str, Any]) -> None:
    unit = block_unit(family, accumulation="fixed", **parameters)
    result = unit.fixed_result
    step, half = Fraction(2) ** result.exponent, 1 << (result.width - 1)
    stimulus = random_codes(unit, 300, 3, np.random.default_rng(0))
    codes = unit.dot(stimulus.activations, stimulus.weights, **stimulus.metadata)
    sums, values = result.to_int(codes), result.decode(codes)
    flags = {name: result.flag(codes, name) for name in ("overflow", "inexact")}
    special = np.zeros(len(codes), bool)
    for name in unit.special_flags:
        special |= result.flag(codes, name)
    seen = set()
    for k, row in enumerate(stimulus.rows()):
        blocks = blocks_of(unit, *row)
        assert (blocks is None) == special[k]
        if blocks is None:
            continue
        units = [int(block / step) for block in blocks]
        running = np.cumsum(np.array([0, *units], object))
        overflow = any(abs(u) >= half for u in units) or any(not -half <= s < half for s in running)
        inexact = any(u * step != block for u, block in zip(units, blocks, strict=True))
        assert (flags["overflow"][k], flags["inexact"][k]) == (overflow, inexact)
        seen.add((overflow, inexact))
        if overflow:
            assert np.isnan(values[k])
        else:
            assert sums[k] == sum(units)
    assert len(seen) >= 3


@pytest.mark.parametrize(
    ("family", "name", "element"),
    [
        ("mx_dot", "mxfp4", "e2m1"),
        ("mx_dot", "mxfp8e4m3", "e4m3"),
        ("mx_dot", "mxint8", "q2.6"),
        ("nvfp4_dot", "nvfp4", "e2m1"),
        ("bfp_dot", "bfp8_g16", "q2.6"),
    ],
)
def test_quantised_tensors_are_multiplied(family: str, name: str, element: str) -> None:
    fmt = parse(name)
    assert isinstance(fmt, BlockFormat)
    rng = np.random.default_rng(0)
    size = 128
    first, second = (fmt.quantize(rng.standard_normal((20, size))) for _ in range(2))
    unit = block_unit(family, lanes=16, weight=element, activation=element, accumulation="fixed",
                      accumulator_bits=128, fraction_bits=64)  # fmt: skip
    codes = unit.dot(
        first.codes.reshape(20, size),
        second.codes.reshape(20, size),
        activation_scale=first.scales,
        weight_scale=second.scales,
    )
    for flag in ("overflow", "inexact"):
        assert not unit.fixed_result.flag(codes, flag).any()
    # The tensor's scale, of nvfp4 only, multiplies the result.
    tensor = [
        float(parse_scalar("fp32").decode(t.metadata["tensor_scale"])) if t.metadata else 1.0
        for t in (first, second)
    ]
    expected = (fmt.decode(first) * fmt.decode(second)).sum(axis=(-2, -1))
    np.testing.assert_allclose(
        unit.result.decode(codes) * tensor[0] * tensor[1], expected, rtol=1e-12, atol=1e-12
    )


@pytest.mark.parametrize("accumulation", ["rounded", "fixed"])
def test_scales_of_nan_and_special_elements(accumulation: str) -> None:
    unit = block_unit("mx_dot", lanes=2, block_size=2, weight="e5m2", activation="e5m2",
                      accumulation=accumulation)  # fmt: skip

    def value(a: list[float], w: list[float], scale: int = 127) -> float:
        codes = [unit.activation.encode(x, overflow="ieee") for x in (a, w)]
        scales = [127] * (len(a) // 2 - 1) + [scale]
        result = unit.dot(*codes, activation_scale=scales, weight_scale=[127] * len(scales))
        return float(unit.result.decode(result))

    inf, nan = np.inf, np.nan
    assert value([1.0, 2.0], [3.0, 4.0]) == 11.0
    assert np.isnan(value([1.0, 2.0], [3.0, 4.0], 255))
    assert np.isnan(value([1.0, nan], [3.0, 4.0]))
    assert np.isnan(value([inf, 1.0], [0.0, 4.0]))
    assert value([inf, 1.0], [-2.0, 4.0]) == -inf
    assert np.isnan(value([inf, inf], [-2.0, 4.0]))
    assert np.isnan(value([inf, 0.0, inf, 0.0], [1.0, 1.0, -1.0, 1.0]))
    assert value([inf, 0.0, 1.0, 0.0], [1.0, 1.0, -1.0, 1.0]) == inf
    assert np.isnan(value([inf, 0.0, 1.0, 0.0], [1.0, 1.0, -1.0, 1.0], 255))


def test_a_scale_of_zero_makes_a_block_of_zero() -> None:
    unit = block_unit("nvfp4_dot", lanes=16)
    codes = np.full(16, 7)
    assert unit.dot(codes, codes, activation_scale=[0], weight_scale=[0x7E]) == 0
    assert (
        unit.result.decode(unit.dot(codes, codes, activation_scale=[0x7E], weight_scale=[0x7E]))
        == 36 * 16 * 448.0**2
    )


def test_a_negative_scale_is_refused() -> None:
    unit = block_unit("nvfp4_dot", lanes=16)
    zeros = np.zeros(16, int)
    with pytest.raises(InputError, match="codes of activation_scale must be 0 to 127"):
        unit.dot(zeros, zeros, activation_scale=[0x80], weight_scale=[0])


def test_blocks_longer_and_shorter_than_a_beat_give_the_same() -> None:
    wide = block_unit("mx_dot", lanes=16, block_size=4, weight="e2m3", activation="e3m2")
    narrow = block_unit("mx_dot", lanes=2, block_size=4, weight="e2m3", activation="e3m2")
    a, w, metadata = random_codes(wide, 50, 3, np.random.default_rng(0))
    scales = {
        f"{side}_scale": np.stack(
            [metadata[f"{side}_scale_{k}"] for k in range(4)], axis=-1
        ).reshape(50, -1)
        for side in ("activation", "weight")
    }
    np.testing.assert_array_equal(wide.dot(a, w, **metadata), narrow.dot(a, w, **scales))


def test_the_most_negative_code_fits() -> None:
    unit = block_unit("bfp_dot", lanes=4, block_size=8, weight="q2.6", activation="q2.6")
    lowest = np.full(8, 0x80)
    code = unit.dot(lowest, lowest, activation_scale=[127], weight_scale=[127])
    assert unit.result.decode(code) == 8 * 4.0
    assert unit.block_bits == (8 << 14).bit_length()


def test_random_scales_are_near_one_in_most_dot_products() -> None:
    unit = block_unit("mx_dot", lanes=32, weight="e2m1", activation="e2m1")
    codes = random_codes(unit, 400, 4, np.random.default_rng(0)).metadata["weight_scale"]
    near = (abs(codes.astype(int) - 127) <= 8).all(axis=1)
    assert 0.6 < near.mean() < 0.9
    assert codes.min() < 20
    assert codes.max() == 255
    assert set(corners(unit, np.random.default_rng(0)).metadata) == {
        "activation_scale", "weight_scale"
    }  # fmt: skip


@pytest.mark.parametrize(
    ("family", "parameters", "message"),
    [
        ("mx_dot", {"weight": "int8"},
         "weight=int8: mx_dot takes signed minifloats and fixed point of up to 8 bits, such as "
         "e4m3, e2m1 or q2.6"),
        ("mx_dot", {"weight": "fp16"},
         "weight=fp16: mx_dot takes signed minifloats and fixed point of up to 8 bits, such as "
         "e4m3, e2m1 or q2.6"),
        ("mx_dot", {"lanes": 24}, "lanes=24 must divide block_size=32 or be a multiple of it"),
        ("mx_dot", {"block_size": 0}, "block_size must be 1 to 65536, not 0"),
        ("mx_dot", {"accumulator": "e2m1"},
         "accumulator=e2m1: sums are rounded to signed minifloats that have NaN, such as fp16 or "
         "fp32"),
        ("mx_dot", {"accumulation": "fixed", "accumulator": "fp16"},
         "accumulator=fp16: only accumulation=rounded has any, not fixed"),
        ("mx_dot", {"accumulator_bits": 40},
         "accumulator_bits=40: only accumulation=fixed has any, not rounded"),
        ("mx_dot", {"accumulation": "fixed", "fraction_bits": -1},
         "fraction_bits must be 0 to 1024, not -1"),
        ("nvfp4_dot", {"weight": "e2m3"}, "weight=e2m3: nvfp4_dot takes e2m1 only"),
        ("nvfp4_dot", {"scale": "e8m0"},
         "scale=e8m0: nvfp4_dot takes e4m3, e4m3u, e5m3u, e5m3u_ieee"),
        ("bfp_dot", {}, "activation=e2m1: bfp_dot takes integers and fixed point, such as int8 or "
         "q2.6"),
        ("bfp_dot", {"weight": "int8", "activation": "int8", "scale": "uint8"},
         "scale=uint8: bfp_dot takes e8m0, or the exponent as int1 to int8"),
    ],
)  # fmt: skip
def test_bad_parameters(family: str, parameters: dict[str, Any], message: str) -> None:
    given = {"lanes": 8, "weight": "e2m1", "activation": "e2m1"} | parameters
    with pytest.raises(InputError) as error:
        make(family, **given)
    assert str(error.value) == message
