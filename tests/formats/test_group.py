from fractions import Fraction

import numpy as np
import pytest

from hwsim.errors import InputError
from hwsim.formats import parse


def round_even(x):
    return round(Fraction(x))


def float_groups(count, size, seed=0):
    rng = np.random.default_rng(seed)
    return (rng.standard_normal((count, size)) * np.exp2(rng.integers(-12, 12, (count, 1)))).astype(
        np.float32
    )


@pytest.mark.parametrize(("name", "top"), [("int4_g8", 7), ("int8_g8", 127), ("int2_g8", 1)])
def test_symmetric_against_exact_arithmetic(name, top):
    x = float_groups(60, 8)
    tensor = parse(name).quantize(x)
    scales = (np.abs(x.astype(np.float64)).max(axis=1) / top).astype(np.float16)
    np.testing.assert_array_equal(tensor.scales[:, 0].view(np.float16), scales)
    for group, scale, codes in zip(x, scales, tensor.codes[:, 0], strict=True):
        exact = [round_even(Fraction(float(v)) / Fraction(float(scale))) for v in group]
        width = parse(name).element.bits
        assert codes.tolist() == [min(max(q, -top - 1), top) % 2**width for q in exact]


@pytest.mark.parametrize("bits", [2, 3, 4, 8])
def test_asymmetric_against_exact_arithmetic(bits):
    x = float_groups(80, 8, bits)
    x[:20] = np.abs(x[:20])
    x[20:40] = -np.abs(x[20:40])
    x[40] = 0
    tensor = parse(f"int{bits}_asym_g8").quantize(x)
    top = 2**bits - 1
    for row, group in enumerate(x):
        low, high = min(Fraction(float(group.min())), 0), max(Fraction(float(group.max())), 0)
        stored = np.float64((high - low) / top).astype(np.float16)
        assert tensor.scales[row, 0] == stored.view(np.uint16)
        scale = Fraction(float(stored))
        zero = round_even(-low / scale) if scale else 0
        zero = min(max(zero, 0), top)
        assert tensor.metadata["zero_points"][row, 0] == zero
        codes = [round_even(Fraction(float(v)) / scale) + zero if scale else zero for v in group]
        assert tensor.codes[row, 0].tolist() == [min(max(q, 0), top) for q in codes]
        values = [(q - zero) * scale for q in tensor.codes[row, 0].tolist()]
        assert tensor.dequantize()[row].tolist() == [float(v) for v in values]


def test_zero_is_exact_in_an_asymmetric_group():
    x = np.array([[0.0, 3.1, 5.0, 4.7]])
    assert parse("int4_asym_g4").quantize(x).dequantize()[0, 0] == 0
    assert parse("int4_asym_g4").quantize(-x).dequantize()[0, 0] == 0


def test_scale_overflow_names_the_way_out():
    with pytest.raises(InputError, match=r"overflows fp16.*wider format"):
        parse("int4_g4").quantize(np.full((1, 4), 1e30))
    wide = parse("int4_g4").with_options(scale="fp32").quantize(np.full((1, 4), 1e30))
    np.testing.assert_allclose(wide.dequantize(), 1e30, rtol=1e-7)


def test_scale_that_underflows_is_the_smallest():
    tensor = parse("int4_g4").quantize(np.full((1, 4), 1e-7))
    assert tensor.scales[0, 0] == 1


def test_false_tie_of_float64_is_not_a_tie():
    """A hair above 2.5 scales, which a rounded quotient cannot tell from the tie."""
    scale = Fraction(float(np.float16(0.1)))
    x = np.array([[float(7 * scale), np.nextafter(float(scale * 5 / 2), 1)]])
    assert Fraction(x[0, 1]) / scale > Fraction(5, 2)
    assert parse("int4_g2").quantize(x).codes[0, 0].tolist() == [7, 3]


def test_options_take_names():
    assert parse("int4_asym_g8").with_options(scale="bf16").scale == parse("bf16")
