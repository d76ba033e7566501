"""The compiled paths of all families against those of NumPy, which small arrays take."""

import subprocess
import sys
from collections.abc import Callable
from fractions import Fraction

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from hwsim.errors import InputError
from hwsim.formats import (
    BlockFormat,
    Overflow,
    QuantizedTensor,
    Rounding,
    Stochastic,
    block_names,
    fast,
    parse,
    parse_scalar,
    quotients,
    scalar_names,
)
from hwsim.formats.arithmetic import exact_product, exact_quotient
from hwsim.formats.scaling import least_error_scales
from hwsim.units.layers import per_token

#: More elements than start the compiled loops, and several slices.
SHAPE = (130, 768)

#: Sizes that divide nothing, one, and each option that changes a path.
MORE = [
    "int4_g1", "int4_g3", "e2m1_g7", "nf4_g17", "int8_g64[scale=fp32]", "int8_g64[scale=posit16_1]",
    "int8_g64[scale=e4m3]", "e4m3_g48[scale=bf16]", "int5_g64[scale=int32]", "nf4_g64", "nf3_g64",
    "ternary_g64", "binary_g32", "bipolar4_g64", "lns8_3_g64", "posit8_0_g128", "hif8_g32",
    "e8m0_g32", "e5m3u_g64", "uint4_g64", "fp16_g32", "int16_g128", "q8.8_g64", "int32_g64",
    "fp32_g64", "posit16_1_g128", "posit32_2_g64", "codebook(-1.1,-0.3333,0.123456789,1.7)_g64",
    "int4_g128[scale_rule=least_error]", "nf4_g64[scale_rule=least_error]",
    "int3_asym_g5", "int8_asym_g64", "int16_asym_g64", "int4_afpq_g32", "nf4_afpq_g64",
    "lns8_3_vs_g16", "fp16_vs_g16", "nf4_vs_g12", "int4_vs_g16[scale=uint4]",
    "nvfp4_g24", "nvfp4[levels=1]", "nvint4[scale=fp16]", "nvint4[scale=posit8_1]",
    "nvfp4[scale=int32]", "mxfp4_g5", "mxint8[symmetric=false]", "mxfp6e3m2[scale_rule=even]",
    "bfp12_g16", "bitmod4_g16", "bitmod3_g5", "bitmod4[selection=fp16]", "bitmod4[scale=fp32]",
    "qrazor4_g16[base=16]", "qrazor3_g8[discard=nearest_even]", "sq_e4m3_e2m1_g12[sparsity=0.5]",
    "sq_int8_int4_g64[sparsity=1.0]", "sq_int8_int4_g64[sparsity=0.0]",
]  # fmt: skip


def numbers(rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Return arrays that try what loops may get wrong, by what it is."""
    x = rng.standard_normal(SHAPE)
    blocks = SHAPE[0], SHAPE[1] // 128
    scales = np.repeat(rng.random(blocks).astype(np.float16).astype(float) + 0.01, 128, axis=1)
    boundaries = (rng.integers(-16, 16, SHAPE) + 0.5) * scales
    zeros = np.repeat(rng.random(blocks) < 0.6, 128, axis=1) & (rng.random(SHAPE) < 0.2)
    return {
        "normal": x,
        "weights": x * 0.02,
        "outliers": np.where(rng.random(SHAPE) < 0.01, 40 * x, x),
        "halves": rng.integers(-64, 64, SHAPE) / 2,
        "boundaries": boundaries,
        "beside boundaries": np.nextafter(boundaries, np.where(rng.random(SHAPE) < 0.5, 99, -99)),
        "equal": np.repeat(x[:, ::128], 128, axis=1),
        "zeros": np.where(zeros, x, 0.0),
        "signed zeros": np.where(rng.random(SHAPE) < 0.5, -0.0, 0.0),
        "positive": np.abs(x),
        "negative": -np.abs(x),
        "small": x * 2.0**-120,
        "subnormal": rng.integers(-60, 60, SHAPE) * 2.0**-149,
        "large": x * 2.0**60,
        "spread": x * np.exp2(rng.integers(-60, 10, SHAPE)),
    }


NUMBERS = numbers(np.random.default_rng(0))


def reference(call: Callable[[], object]) -> object:
    """Return what ``call`` gives where nothing is compiled."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fast, "pays", lambda *_: False)
        return call()


def outcome(call: Callable[[], object]) -> object:
    try:
        return call()
    except InputError as error:
        return str(error)


def padded(fmt: BlockFormat) -> BlockFormat:
    return fmt.with_options(partial="pad") if "partial" in fmt.OPTIONS else fmt


def compare(
    fmt: BlockFormat, x: np.ndarray, rounding: str | Stochastic = "nearest_even", axis: int = -1
) -> None:
    """Compare codes, scales, metadata, values and messages of both paths."""
    expected = outcome(lambda: reference(lambda: fmt.quantize(x, axis, rounding)))
    found = outcome(lambda: fmt.quantize(x, axis, rounding))
    assert found == expected
    if isinstance(found, QuantizedTensor):
        assert found.codes.dtype == expected.codes.dtype
        assert found.scales.dtype == expected.scales.dtype
        values = reference(expected.dequantize)
        assert_array_equal(found.dequantize(), values)
        assert_array_equal(np.signbit(found.dequantize()), np.signbit(values))


@pytest.mark.parametrize("name", block_names() + MORE)
def test_blocks(name: str) -> None:
    fmt = padded(parse(name))
    for x in NUMBERS.values():
        compare(fmt, x.astype(np.float32))
        compare(fmt, x)


@pytest.mark.parametrize("name", ["int8", "int16", "e4m3", "nf4", "posit8_0", "lns12_6", "ternary"])
def test_rows_of_a_token(name: str) -> None:
    fmt = per_token(parse_scalar(name), SHAPE[1])
    for x in NUMBERS.values():
        compare(fmt, x.astype(np.float32))
        compare(fmt, x)


@pytest.mark.parametrize("name", block_names())
def test_blocks_of_other_arrays(name: str) -> None:
    fmt = padded(parse(name))
    with np.errstate(over="ignore"):
        compare(fmt, NUMBERS["outliers"].astype(np.float16))
    compare(fmt, NUMBERS["normal"][::-2, ::2].astype(np.float32))
    compare(fmt, NUMBERS["normal"].astype(np.float32), axis=0)
    compare(fmt, NUMBERS["normal"].astype(">f4")[:, :-3])


@pytest.mark.parametrize("name", [n for n in block_names() if not n.startswith("bitmod")])
@pytest.mark.parametrize("rounding", ["up", "to_odd", Stochastic(3)])
def test_roundings_of_blocks(name: str, rounding: str | Stochastic) -> None:
    compare(padded(parse(name)), NUMBERS["halves"].astype(np.float32), rounding)
    compare(padded(parse(name)), NUMBERS["normal"], rounding)


@pytest.mark.parametrize("name", block_names() + MORE)
@pytest.mark.parametrize("special", [np.nan, np.inf, -np.inf, 3e38])
def test_what_is_not_finite_or_overflows(name: str, special: float) -> None:
    x = NUMBERS["normal"].astype(np.float32)
    x[7, 300:302] = special
    compare(padded(parse(name)), x)


@pytest.mark.parametrize("name", ["bf16_g32", "int8_vs_g16", "int4_g64[scale=fp32]", "mxfp8e5m2"])
def test_float64_far_beyond_float32(name: str) -> None:
    rng = np.random.default_rng(4)
    compare(padded(parse(name)), NUMBERS["normal"] * np.exp2(rng.integers(-1000, 100, SHAPE)))


def trials(fmt_bits: int) -> np.ndarray:
    rng = np.random.default_rng(fmt_bits)
    patterns = rng.integers(0, 2**64, 40_000, dtype=np.uint64).view(np.float64)
    near = [rng.standard_normal(20_000) * 10.0**e for e in (-300, -39, -8, -1, 0, 2, 4, 9, 38)]
    # Ties of integers and of fixed point, and numbers beside them.
    halves = rng.integers(-(2**20), 2**20, 20_000) / 2.0 ** rng.integers(0, 20, 20_000)
    beside = np.nextafter(halves, np.inf)
    ends = [0.0, -0.0, np.inf, -np.inf, np.nan, 5e-324, 2.0**127, 2.0**31, -(2.0**31)]
    return np.concatenate([patterns, *near, halves, beside, np.array(ends)])


#: Wide formats at the ends of what their families allow.
WIDE = [
    "minifloat(exponent=5,mantissa=10,specials=fnuz)",
    "minifloat(exponent=6,mantissa=12,bias=500,specials=p3109,signed=0)",
    "minifloat(exponent=8,mantissa=1,bias=-512,specials=none)",
    "int24", "q3.20", "posit12_2",
]  # fmt: skip


@pytest.mark.parametrize("name", [*scalar_names(), *WIDE])
def test_scalars(name: str) -> None:
    fmt = parse_scalar(name)
    with np.errstate(all="ignore"):
        x = trials(fmt.bits)
        for values in (x, x.astype(np.float32)):
            kept = values if fmt.has_nan else values[~np.isnan(values)]
            rules = [Overflow.SATURATE] + [Overflow.IEEE] * (fmt.has_nan or fmt.has_infinity)
            for rule in rules:
                exact = fmt._encode(kept.astype(np.float64), Rounding.NEAREST_EVEN, rule)
                assert_array_equal(fmt.encode(kept, overflow=rule), exact)
    codes = np.random.default_rng(0).integers(0, 2**fmt.bits, 70_000).astype(fmt.code_dtype)
    expected = reference(lambda: fmt.decode(codes))
    assert_array_equal(fmt.decode(codes), expected)
    assert_array_equal(np.signbit(fmt.decode(codes)), np.signbit(expected))


@pytest.mark.parametrize("name", ["int16", "q8.8", "fp16", "posit16_1", "e8m0", "nf4", "e4m3u"])
def test_numbers_out_of_range_are_refused_alike(name: str) -> None:
    fmt = parse_scalar(name)
    top = np.nextafter(fmt.max, np.inf)
    for last in (fmt.max, fmt.min, top, 2 * fmt.max, -2 * fmt.max, np.inf, np.nan, 0.0, -1e-30):
        x = np.append(np.full(40_000, fmt.max), last)
        found = outcome(lambda x=x: fmt.encode(x, overflow="error"))
        expected = outcome(lambda x=x: reference(lambda: fmt.encode(x, overflow="error")))
        assert isinstance(found, str) == isinstance(expected, str)
        assert_array_equal(found, expected)


def rounded_to_odd(quotient: Fraction) -> np.float32:
    """Return the float32 that is equal, or the odd one of the two around."""
    below = np.float32(float(quotient))
    while Fraction(float(below)) > quotient:
        below = np.nextafter(below, np.float32(-np.inf))
    if Fraction(float(below)) == quotient:
        return below
    above = np.nextafter(below, np.float32(np.inf))
    return below if below.view(np.int32) & 1 else above


@pytest.mark.parametrize("wide", [False, True])
def test_quotients_rounded_to_odd(wide: bool) -> None:
    rng = np.random.default_rng(5)
    divisors = rng.uniform(0.5, 1, 200).astype(np.float32) * np.exp2(rng.integers(-9, 9, 200))
    divisors = divisors.astype(np.float32)
    integers = rng.integers(1, 41, (200, 16)) / rng.choice([-2, 2], (200, 16))
    x = (integers * divisors[:, np.newaxis]).astype(np.float32)
    x[::2] = np.nextafter(x[::2], np.float32(np.inf))
    x[::3] = rng.standard_normal(x[::3].shape)
    x[::9] = 0
    out = np.empty(x.size, np.float32)
    if wide:
        long = divisors * (1 + 2.0**-40)
        assert quotients.odd_wide(x.reshape(-1), 7.0, None, long, long, 16, out)
        pairs = zip((7 * x.astype(np.float64)).flat, np.repeat(long, 16), strict=True)
    else:
        assert quotients.odd(x.reshape(-1), divisors, divisors, 16, out)
        pairs = zip(x.flat, np.repeat(divisors, 16), strict=True)
    exact = [Fraction(float(number)) / Fraction(float(divisor)) for number, divisor in pairs]
    assert_array_equal(out, [rounded_to_odd(quotient) for quotient in exact])


@pytest.mark.parametrize("x", [2.0**-110, 1e-40])
def test_operands_that_float32_cannot_divide_exactly_are_left(x: float) -> None:
    out, one = np.empty(16, np.float32), np.ones(1, np.float32)
    assert not quotients.odd(np.full(16, x, np.float32), one, one, 16, out)


@pytest.mark.parametrize("tails", [False, True])
def test_exact_quotients(tails: bool) -> None:
    rng = np.random.default_rng(6)
    divisors = np.append(rng.uniform(0.1, 9, 499), 0.0) * np.exp2(rng.integers(-99, 99, 500))
    x = rng.integers(-99, 99, (500, 80)) / 4 * divisors[:, np.newaxis]
    x[::2] = np.nextafter(x[::2], np.inf)
    x[:, 0], x[:, 1] = 5e-324, 1e308
    tail = np.where(rng.random(x.shape) < 0.1, np.spacing(x) / 8, 0.0) if tails else None
    for part in (divisors[:, np.newaxis], np.array(3.0), np.repeat(divisors, 80).reshape(500, 80)):
        found = exact_quotient(x, part, tail=tail)
        expected = reference(lambda p=part: exact_quotient(x, p, tail=tail))
        assert_array_equal(found.view(np.int64), expected.view(np.int64))


def test_exact_products() -> None:
    rng = np.random.default_rng(7)
    x = rng.standard_normal((200, 200)) * np.exp2(rng.integers(-300, 300, (200, 200)))
    x[0, :5] = 0.0
    for found, expected in zip(
        exact_product(x, x[0]), reference(lambda: exact_product(x, x[0])), strict=True
    ):
        assert_array_equal(found, expected)


@pytest.mark.parametrize("name", ["posit8_0", "nf3", "ternary", "posit16_1", "lns4_1"])
def test_scales_of_least_error(name: str) -> None:
    rng = np.random.default_rng(8)
    fmt = parse_scalar(name)
    x = np.concatenate([
        rng.standard_normal((5000, 120)) * np.exp2(rng.integers(-200, 200, (5000, 1))),
        # Several scales without error, or with the same.
        rng.choice([-1.0, 0.0, 1.0], (100, 120)),
        np.repeat(rng.choice([0.75, 1.0, 3.0], (100, 1)), 120, axis=1),
        rng.standard_normal((20, 120)) * np.exp2(rng.integers(-100, 0, (20, 120))),
    ])  # fmt: skip
    with fast.part_of(1 << 20):
        found = least_error_scales(fmt, x)
    assert_array_equal(found, reference(lambda: least_error_scales(fmt, x)))


def test_small_arrays_need_no_compiler() -> None:
    script = (
        "import sys, numpy as np\n"
        "from hwsim.formats import block_names, parse\n"
        "for name in block_names():\n"
        "    fmt = parse(name)\n"
        "    fmt.quantize(np.ones((2, 768))).dequantize()\n"
        "assert 'numba' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", script], check=True)
