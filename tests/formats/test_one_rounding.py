"""Quotients with a sum or a product in them, near ties, against rational arithmetic."""

import random
from fractions import Fraction

import numpy as np
import pytest

from hwsim.errors import InputError
from hwsim.formats import parse
from hwsim.formats.arithmetic import exact_product, exact_quotient, exact_sum
from hwsim.formats.codebook import learn
from hwsim.formats.ifairy import scales


def odd(rng, bits):
    return rng.getrandbits(bits) | 1


def round_float(x, mantissa, least_exponent):
    """Round a rational number to a minifloat, to nearest even, without an upper end."""
    if x == 0:
        return x
    exponent = x.numerator.bit_length() - x.denominator.bit_length()
    exponent -= abs(x) < Fraction(2) ** exponent
    step = Fraction(2) ** (max(exponent, least_exponent) - mantissa)
    return round(x / step) * step


#: Mantissa bits and least exponent of the formats of scales.
FLOATS = {"fp16": (10, -14), "fp32": (23, -126), "bf16": (7, -126), "e4m3": (3, -6)}


def midpoint(rng, mantissa):
    """A number half way between two floats."""
    return Fraction(2 * (2**mantissa + rng.getrandbits(mantissa)) + 1) * Fraction(2) ** -mantissa


def nudged(rng, x):
    return float(np.nextafter(x, rng.choice([-np.inf, np.inf, x])))


@pytest.mark.parametrize(("low", "scale"), [
    (-(2.0**-100), 1 + 2.0**-10), (-5e-324, 1 + 2.0**-10), (0.0, 1.0),
])  # fmt: skip
def test_scale_of_an_asymmetric_group_above_a_tie(low, scale):
    x = np.array([[15 * (1 + 2**-11), low]])
    tensor = parse("int4_asym_g2").quantize(x)
    assert tensor.format.scale.decode(tensor.scales)[0, 0] == scale


@pytest.mark.parametrize("scale", ["fp16", "fp32", "bf16"])
@pytest.mark.parametrize("bits", [2, 4, 8, 16])
def test_asymmetric_groups_are_rounded_once(bits, scale):
    rng = random.Random(bits)
    top = 2**bits - 1
    mantissa, least = FLOATS[scale]
    rows = []
    for _ in range(400):
        span = top * midpoint(rng, mantissa)
        low = -float(span * rng.choice([0, 2**-60, 2**-30, Fraction(1, 3), Fraction(rng.random())]))
        low = rng.choice([low, -(2.0 ** rng.randint(-1070, 0))])
        high = nudged(rng, float(span + Fraction(low)))
        step = round_float(Fraction(high) / top, mantissa, least)
        tie = nudged(rng, float((rng.randrange(top) + Fraction(1, 2)) * step))
        rows.append([high, min(low, 0.0), min(tie, high)])
    x = np.array(rows)
    tensor = parse(f"int{bits}_asym_g3").with_options(scale=scale).quantize(x)
    stored = tensor.format.scale.decode(tensor.scales)[:, 0]
    for row, group in enumerate(x.tolist()):
        high, low = max(map(Fraction, group)), min(map(Fraction, [*group, 0]))
        step = round_float((high - low) / top, mantissa, least)
        assert Fraction(stored[row]) == step
        zero = min(max(round(-low / step), 0), top)
        assert tensor.metadata["zero_points"][row, 0] == zero
        codes = [min(max(round(Fraction(v) / step) + zero, 0), top) for v in group]
        assert tensor.codes[row, 0].tolist() == codes


def test_ranges_beyond_float64_are_refused():
    for name in ("int4_asym_g2", "int8_asym_g2"):
        with pytest.raises(InputError, match="overflows"):
            parse(name).quantize([[1.7e308, -1.7e308]])


@pytest.mark.parametrize("element", ["int4", "int8", "int16", "int32"])
@pytest.mark.parametrize("wide", [False, True])
def test_elements_of_vs_quant_are_rounded_once(element, wide):
    """q = x * top / amax, of any float64 amax."""
    rng = random.Random(1)
    top = 2 ** (int(element[3:]) - 1) - 1
    rows = []
    for _ in range(400):
        amax = float(odd(rng, 53 if wide else 24)) * 2.0 ** rng.randint(-60, 40)
        half = rng.randrange(-top, top) + Fraction(1, 2)
        rows.append([amax, nudged(rng, float(half * Fraction(amax) / top))])
    fmt = parse(f"{element}_vs_g2").with_options(scale="uint16")
    tensor = fmt.quantize(np.array(rows).reshape(400, 2))
    for codes, (amax, x) in zip(tensor.codes[:, 0], rows, strict=True):
        assert fmt.element.to_int(codes).tolist() == [
            top,
            round(Fraction(x) * top / Fraction(amax)),
        ]


@pytest.mark.parametrize(
    ("element", "scale"), [("int8", "uint8"), ("int32", "uint16"), ("int16", "uint32")]
)
def test_scales_of_vs_quant_are_rounded_once(element, scale):
    rng = random.Random(2)
    fmt = parse(f"{element}_vs_g1").with_options(scale=scale)
    top, most = Fraction(fmt.element.max), Fraction(fmt.scale.max)
    rows = []
    for _ in range(300):
        largest = float(top * most * midpoint(rng, 23))
        unit = round_float(Fraction(largest) / (top * most), 23, -126)
        half = rng.randrange(int(most)) + Fraction(1, 2)
        rows.append([largest, min(nudged(rng, float(half * unit * top)), largest)])
    tensor = fmt.quantize(np.array(rows))
    for row, (largest, x) in enumerate(rows):
        unit = round_float(Fraction(largest) / (top * most), 23, -126)
        channel = fmt.channel_scale.decode(tensor.metadata["channel_scales"])[row]
        assert Fraction(channel) == unit
        assert tensor.scales[row, 1] == min(round(Fraction(x) / (unit * top)), most)


@pytest.mark.parametrize("scale", ["e4m3", "fp16"])
def test_nvint4_is_rounded_once(scale):
    rng = random.Random(3)
    fmt = parse("nvint4_g2").with_options(scale=scale)
    mantissa, least = FLOATS[scale]
    most = Fraction(fmt.scale.max)
    for _ in range(150):
        largest = float(7 * midpoint(rng, 23) * min(most, Fraction(2) ** 40))
        whole = round_float(Fraction(largest) / (7 * most), 23, -126) or Fraction(2) ** -149
        amax = nudged(rng, float(7 * whole * midpoint(rng, mantissa) / 2))
        block = round_float(Fraction(amax) / (7 * whole), mantissa, least)
        tie = nudged(rng, float((rng.randrange(7) + Fraction(1, 2)) * block * whole))
        x = np.array([[largest, 0.0, amax, min(tie, amax)]])
        tensor = fmt.quantize(x)
        amax = max(map(Fraction, x[0, 2:].tolist()))
        block = round_float(amax / (7 * whole), mantissa, least)
        assert Fraction(fmt.scale.decode(tensor.scales)[0, 1]) == block
        expected = [min(round(Fraction(v) / (block * whole)), 7) for v in x[0, 2:].tolist()]
        assert fmt.element.units.to_int(tensor.codes[0, 1]).tolist() == expected


@pytest.mark.parametrize("scale", ["int32", "posit32_0", "q16.16", "lns16_8", "nf4"])
def test_scales_of_many_bits(scale):
    """Divisors of up to 53 bits: elements of a group near ties."""
    rng = random.Random(4)
    fmt = parse("int8_g2").with_options(scale=scale)
    for _ in range(300):
        amax = 127 * nudged(rng, rng.uniform(0.1, 1.0)) * (1 if scale == "nf4" else 1000.0)
        step = Fraction(float(fmt.scale.quantize(amax / 127)))
        tie = nudged(rng, float((rng.randrange(-127, 127) + Fraction(1, 2)) * step))
        tensor = fmt.quantize(np.array([[amax, min(max(tie, -amax), amax)]]))
        step = Fraction(float(fmt.scale.decode(tensor.scales)[0, 0]))
        expected = [min(max(round(Fraction(v) / step), -128), 127) for v in (amax, tie)]
        if abs(tie) < amax:
            assert fmt.element.to_int(tensor.codes[0, 0]).tolist() == expected


@pytest.mark.parametrize("seed", range(4))
def test_quotients_of_tails(seed):
    """Numerator and divisor that no float64 holds, at a short number and beside it."""
    rng = random.Random(seed)
    x, tails, divisors, divisor_tails, shorts = [], [], [], [], []
    while len(x) < 2000:
        divisor, low = exact_product(
            np.array(float(odd(rng, 53))), np.array(float(odd(rng, rng.randint(1, 53))))
        )
        low = rng.choice([0.0, float(low)])
        short = Fraction(odd(rng, rng.randint(1, 41))) * Fraction(2) ** rng.randint(-60, 60)
        real = short * (Fraction(float(divisor)) + Fraction(low))
        number = float(real)
        tail = float(real - Fraction(number)) * rng.choice([0, 1, 1 + 2.0**-52, 1 - 2.0**-53])
        x.append(number), tails.append(tail), shorts.append(float(short))
        divisors.append(float(divisor)), divisor_tails.append(low)
    quotients = exact_quotient(
        np.array(x), np.array(divisors), tail=np.array(tails),
        divisor_tail=np.array(divisor_tails),
    )  # fmt: skip
    for quotient, *parts, short in zip(
        quotients, x, tails, divisors, divisor_tails, shorts, strict=True
    ):
        number, tail, divisor, low = map(Fraction, parts)
        real = number + tail - Fraction(short) * (divisor + low)
        assert np.sign(quotient - short) == (real > 0) - (real < 0)


def test_exact_sums_and_products():
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((2, 500)) * np.exp2(rng.integers(-60, 60, (2, 500)))
    for parts, exact in ((exact_sum(x, y), Fraction.__add__), (exact_product(x, y),
                                                               Fraction.__mul__)):  # fmt: skip
        for a, b, high, low in zip(x, y, *parts, strict=True):
            assert Fraction(high) + Fraction(low) == exact(Fraction(a), Fraction(b))


@pytest.mark.parametrize("size", [128, 1 << 17])
@pytest.mark.parametrize("power", [-900, -500, 0, 500, 900])
def test_bitmod_selects_alike_at_every_magnitude(power, size):
    """Squares of errors neither overflow nor vanish."""
    fmt = parse("bitmod4").with_options(scale="posit32_5")
    x = np.random.default_rng(5).standard_normal((size // 128, 128)) * 2.0**9
    scaled = fmt.quantize(np.ldexp(x, power))
    for row in (0, size // 128 - 1):
        group = np.ldexp(x[row], power)
        values = scaled.dequantize()[row]
        chosen = sum((Fraction(a) - Fraction(b)) ** 2 for a, b in zip(group, values, strict=True))
        for selector in range(4):
            scale_code = fmt.scales_of(np.abs(group).max(keepdims=True))[0, selector]
            step = fmt.scale.decode(scale_code)
            levels = [Fraction(float(v)) * Fraction(float(step))
                      for v in fmt.candidates.levels[selector]]  # fmt: skip
            error = sum(min((Fraction(v) - level) ** 2 for level in levels) for v in group)
            assert chosen <= error


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_the_threshold_of_outliers_is_not_rounded(dtype):
    x = np.array([[0.7, 0.25]], dtype)
    outliers = parse("llm_int8").with_options(threshold=0.7).quantize(x).metadata["outlier_columns"]
    assert outliers.tolist() == ([0] if float(x[0, 0]) >= 0.7 else [])
    huge = parse("llm_int8").with_options(threshold=1e30).quantize(x).metadata["outlier_columns"]
    assert huge.size == 0


@pytest.mark.parametrize("power", [-800, 0, 800])
def test_codebooks_are_learnt_alike_at_every_magnitude(power):
    rows = np.random.default_rng(0).standard_normal((3, 100))
    scaled = learn(np.ldexp(rows, power), 3)
    for one, other in zip(learn(rows, 3), scaled, strict=True):
        np.testing.assert_array_equal(np.ldexp(one.entries, power), other.entries)


def test_scales_of_large_complex_numbers():
    assert scales(np.full(4, 1.5e308 + 0j)) == (1.5e308, 0.0)
