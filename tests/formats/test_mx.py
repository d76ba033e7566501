import numpy as np
import pytest
from gfloat.block import compute_scale_amax, quantize_block
from gfloat.formats import (
    format_info_mxfp4_e2m1,
    format_info_mxfp6_e2m3,
    format_info_mxfp6_e3m2,
    format_info_mxfp8_e4m3,
    format_info_mxfp8_e5m2,
    format_info_mxint8,
)

from hwsim.errors import InputError
from hwsim.formats import parse
from hwsim.formats.fixed import FixedPoint
from hwsim.formats.mx import Microscaling

GFLOAT = {
    "mxfp8e4m3": format_info_mxfp8_e4m3,
    "mxfp8e5m2": format_info_mxfp8_e5m2,
    "mxfp6e2m3": format_info_mxfp6_e2m3,
    "mxfp6e3m2": format_info_mxfp6_e3m2,
    "mxfp4": format_info_mxfp4_e2m1,
}


@pytest.mark.parametrize("name", GFLOAT)
@pytest.mark.parametrize("power", [-126, -20, 0, 9, 100])
def test_against_gfloat(name, power):
    x = np.random.default_rng(power + 200).standard_normal((4, 32)) * 2.0**power
    x = x.astype(np.float32).astype(np.float64)
    expected = [quantize_block(GFLOAT[name], row, compute_scale_amax) for row in x]
    np.testing.assert_array_equal(parse(name).quantize(x).dequantize(), expected)


def test_mxint8_against_gfloat():
    fmt = parse("mxint8").with_options(symmetric=False)
    x = np.random.default_rng(6).uniform(-2, 2, (20, 32)).astype(np.float32).astype(np.float64)
    expected = [quantize_block(format_info_mxint8, row, compute_scale_amax) for row in x]
    np.testing.assert_array_equal(fmt.quantize(x).dequantize(), expected)


def test_mxint8_most_negative_code_is_an_option():
    x = np.full((1, 32), -1.999)
    assert parse("mxint8").quantize(x).codes[0, 0, 0] == 0x81
    free = parse("mxint8").with_options(symmetric=False)
    assert free.quantize(x).codes[0, 0, 0] == 0x80
    assert free.quantize(x).dequantize()[0, 0] == -2.0
    assert free.quantize(-x).codes[0, 0, 0] == 0x7F
    assert free.name == "mxint8[symmetric=False]"


@pytest.mark.parametrize("symmetric", [True, False])
def test_compiled_mxint8_clips_the_same(symmetric):
    fmt = parse("mxint8").with_options(symmetric=symmetric)
    x = np.random.default_rng(0).uniform(-2, 2, (2000, 32)).astype(np.float32)
    np.testing.assert_array_equal(fmt.quantize(x).codes, fmt.quantize(x.astype(np.float64)).codes)


def test_mxint4_rounds_its_scale_up():
    assert parse("mxint4").scale_rule == "rceil"
    x = np.full((1, 32), 1.76)
    np.testing.assert_array_equal(parse("mxint4").quantize(x).dequantize(), 2.0)
    floored = parse("mxint4").with_options(scale_rule="floor")
    np.testing.assert_array_equal(floored.quantize(x).dequantize(), 1.75)


def test_symmetric_is_for_integers():
    with pytest.raises(InputError, match="integer element"):
        parse("mxfp4").with_options(symmetric=False)
    with pytest.raises(InputError, match="True or False"):
        parse("mxint8").with_options(symmetric="no")


def test_only_mx_elements():
    with pytest.raises(InputError, match="not an MX element"):
        Microscaling(FixedPoint(2, 5, symmetric=True), 32)


def test_e5m2_saturates_below_infinity():
    x = np.full((1, 32), 65535.0)
    tensor = parse("mxfp8e5m2").quantize(x)
    np.testing.assert_array_equal(tensor.codes, 0x7B)
    np.testing.assert_array_equal(tensor.dequantize(), 57344.0)
