from dataclasses import replace

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from hwsim.errors import InputError
from hwsim.formats import Stochastic, block_names, parse
from hwsim.formats.arithmetic import exact_quotient

NAMES = block_names()
#: Formats whose blocks can be NaN, and those that refuse.
NAN_FAMILIES = ("mx", "block_floating_point", "block_minifloat", "nvfp")
WITH_NAN = [n for n in NAMES if parse(n).family in NAN_FAMILIES]
WITHOUT_NAN = [n for n in NAMES if n not in WITH_NAN]
NEAREST_ONLY = ("bitmod3", "bitmod4")


def padded(name):
    fmt = parse(name)
    return fmt.with_options(partial="pad") if "partial" in fmt.OPTIONS else fmt


def sample(shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def assert_same(first, second):
    np.testing.assert_array_equal(first.codes, second.codes)
    np.testing.assert_array_equal(first.scales, second.scales)
    assert first.metadata.keys() == second.metadata.keys()
    for name, codes in first.metadata.items():
        np.testing.assert_array_equal(codes, second.metadata[name])


@pytest.mark.parametrize("name", NAMES)
def test_name_reads_back(name):
    assert parse(name).name == name
    assert parse(parse(name).name) == parse(name)


@pytest.mark.parametrize("name", NAMES)
def test_codes_fit_their_width(name):
    fmt = padded(name)
    tensor = fmt.quantize(sample((3, 256)))
    assert tensor.codes.max() < 2**fmt.element.bits
    assert tensor.scales.max() < 2**fmt.scale.bits
    for kind, bits in fmt.metadata_bits.items():
        assert tensor.metadata[kind].max() < 2**bits


@pytest.mark.parametrize("name", NAMES)
def test_axis_is_moved_and_back(name):
    x = sample((5, 256, 3))
    tensor = padded(name).quantize(x, axis=1)
    moved = padded(name).quantize(np.ascontiguousarray(np.moveaxis(x, 1, -1)))
    assert_same(tensor, moved)
    assert tensor.dequantize().shape == x.shape
    np.testing.assert_array_equal(tensor.dequantize(), np.moveaxis(moved.dequantize(), -1, 1))


@pytest.mark.parametrize("name", NAMES)
def test_not_contiguous(name):
    x = sample((6, 512))[::2, ::-2]
    assert_same(padded(name).quantize(x), padded(name).quantize(x.copy()))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("dtype", [np.float16, ml_dtypes.bfloat16, np.float64])
@pytest.mark.parametrize("rows", [2, 150])
def test_dtype_does_not_matter(name, dtype, rows):
    # 150 rows start the compiled loops.
    x = sample((rows, 256)).astype(dtype)
    assert_same(padded(name).quantize(x), padded(name).quantize(x.astype(np.float32)))


@pytest.mark.parametrize("name", NAMES)
def test_integers(name):
    x = np.arange(-128, 128).reshape(1, 256)
    assert_same(padded(name).quantize(x), padded(name).quantize(x.astype(np.float32)))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("shape", [(0, 256), (3, 0), (0,)])
def test_empty(name, shape):
    tensor = padded(name).quantize(np.zeros(shape, np.float32))
    assert tensor.dequantize().shape == shape
    assert tensor.codes.size == 0
    assert tensor.bits_per_element == parse(name).bits_per_element


@pytest.mark.parametrize("name", NAMES)
def test_no_dimensions(name):
    with pytest.raises(InputError, match="along an axis"):
        parse(name).quantize(1.0)


@pytest.mark.parametrize("axis", [2, -3])
def test_axis_out_of_range(axis):
    with pytest.raises(InputError, match="axis must be -2 to 1"):
        parse("mxfp4").quantize(np.zeros((4, 32)), axis=axis)


@pytest.mark.parametrize("name", [n for n in NAMES if "partial" in parse(n).OPTIONS])
def test_partial_block(name):
    fmt = parse(name)
    x = sample((2, fmt.size + 3))
    with pytest.raises(InputError, match="does not divide"):
        fmt.quantize(x)
    tensor = fmt.with_options(partial="pad").quantize(x)
    zeros = np.zeros((2, fmt.size - 3), np.float32)
    assert_same(tensor, fmt.quantize(np.concatenate([x, zeros], axis=1)))
    assert tensor.dequantize().shape == x.shape


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("zero", [0.0, -0.0])
def test_zeros(name, zero):
    tensor = padded(name).quantize(np.full((2, 256), zero, np.float32))
    np.testing.assert_array_equal(tensor.dequantize(), 0)
    np.testing.assert_array_equal(tensor.scales, 0)


@pytest.mark.parametrize("name", WITHOUT_NAN)
@pytest.mark.parametrize("special", [np.nan, np.inf, -np.inf])
def test_specials_are_refused(name, special):
    x = sample((2, 256))
    x[1, 7] = special
    with pytest.raises(InputError, match="NaN or infinity"):
        padded(name).quantize(x)


@pytest.mark.parametrize("name", WITH_NAN)
@pytest.mark.parametrize("special", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("rows", [2, 200])
def test_specials_make_their_block_nan(name, special, rows):
    fmt = padded(name)
    x = sample((rows, 256))
    clean = fmt.quantize(x)
    x[1, 7] = special
    if fmt.family == "nvfp":
        # The damaged block does not count for the tensor scale.
        x[1, 1] = 1e30
    tensor = fmt.quantize(x)
    values = tensor.dequantize()
    assert np.isnan(values[1, : fmt.size]).all()
    assert fmt.scale.decode(tensor.scales[1, 0]) != fmt.scale.decode(tensor.scales[1, 0])
    np.testing.assert_array_equal(tensor.codes[1, 0], 0)
    values[1, : fmt.size] = clean.dequantize()[1, : fmt.size]
    np.testing.assert_array_equal(values, clean.dequantize())


def test_unknown_option():
    with pytest.raises(InputError, match="did you mean 'scale_rule'"):
        parse("mxfp4").with_options(scale_rul="even")


def test_bad_partial():
    with pytest.raises(InputError, match="partial must be one of error, pad"):
        parse("mxfp4").with_options(partial="drop")


@pytest.mark.parametrize("name", [n for n in NAMES if "_g" in n])
def test_size_zero(name):
    with pytest.raises(InputError, match="at least 1"):
        parse(name.split("_g")[0] + "_g0")


@pytest.mark.parametrize("name", ["mxfp5", "nvfp8", "nvint8", "mxint2", "bitmid4"])
def test_unknown_name(name):
    with pytest.raises(InputError, match="did you mean"):
        parse(name)


@pytest.mark.parametrize(
    ("name", "bits"),
    [
        ("mxfp8e4m3", 8 + 8 / 32),
        ("mxfp6e2m3", 6 + 8 / 32),
        ("mxfp4", 4 + 8 / 32),
        ("mxint8", 8 + 8 / 32),
        ("bfp8_g16", 8 + 8 / 16),
        ("bm_e2m5_g48", 8 + 8 / 48),
        ("nvfp4", 4 + 8 / 16),
        ("nvint4", 4 + 8 / 16),
        ("int4_g128", 4 + 16 / 128),
        ("int4_asym_g128", 4 + (16 + 4) / 128),
        ("e2m1_afpq_g128", 4 + (16 + 16) / 128),
        ("int4_vs_g16", 4 + 8 / 16),
        ("bitmod3", 3 + (16 + 2) / 128),
        ("bitmod4", 4 + (16 + 2) / 128),
        ("qrazor4_g16", 4 + 3 / 16),
        ("sq_int8_int4_g64", 4 + (16 * (8 + 6) + 2 * 16) / 64),
        ("llm_int8", 8),
    ],
)
def test_bits_per_element(name, bits):
    assert parse(name).bits_per_element == bits


@pytest.mark.parametrize(
    ("name", "per_row", "per_tensor"),
    [("nvfp4", 0, 32), ("int4_vs_g16", 32, 0), ("qrazor4_g16", 32, 0), ("mxfp4", 0, 0),
     ("int4_asym_g128", 0, 0), ("sq_int8_int4_g64", 0, 0), ("bitmod4", 0, 0)],
)  # fmt: skip
def test_bits_of_a_tensor_count_channel_and_tensor_scales(name, per_row, per_tensor):
    fmt = parse(name)
    expected = fmt.bits_per_element * 5 * 256 + 5 * per_row + per_tensor
    assert fmt.quantize(sample((5, 256))).bits_per_element * 5 * 256 == pytest.approx(expected)


@pytest.mark.parametrize("name", [n for n in NAMES if n not in NEAREST_ONLY])
def test_stochastic_rounding_is_reproducible(name):
    x = sample((40, 4096))
    fmt = padded(name)
    assert_same(fmt.quantize(x, rounding=Stochastic(3)), fmt.quantize(x, rounding=Stochastic(3)))
    other = fmt.quantize(x, rounding=Stochastic(4))
    assert (other.codes != fmt.quantize(x, rounding=Stochastic(3)).codes).any()


# Rounding the first stage of QRazor up can move the group's leading one.
DIRECTED = [n for n in NAMES if n not in (*NEAREST_ONLY, "qrazor4_g16")]


@pytest.mark.parametrize("name", DIRECTED)
def test_nearest_is_one_of_the_directed_roundings(name):
    x = sample((4, 256))
    down, up, nearest = (
        padded(name).quantize(x, rounding=rounding).dequantize()
        for rounding in ("down", "up", "nearest_even")
    )
    assert (down <= up).all()
    assert (down < up).any()
    assert ((down == nearest) | (up == nearest)).all()


@pytest.mark.parametrize("name", NEAREST_ONLY)
def test_ties_that_belong_to_the_format(name):
    with pytest.raises(InputError, match="rounding of bitmod"):
        parse(name).quantize(sample((1, 128)), rounding="toward_zero")


@pytest.mark.parametrize("name", [n for n in NAMES if parse(n).family not in ("nvfp", "outlier")])
def test_chunks_do_not_matter(name):
    # More elements than are encoded at a time, and than start the compiled path.
    x = sample((300, 768))
    whole, rows = padded(name).quantize(x), padded(name).quantize(x[100:101])
    np.testing.assert_array_equal(whole.codes[100:101], rows.codes)
    np.testing.assert_array_equal(whole.scales[100:101], rows.scales)
    np.testing.assert_array_equal(whole.dequantize()[100:101], rows.dequantize())


FLOATS = st.floats(-(2.0**40), 2.0**40, width=32)


#: Formats whose values survive being quantised again: power-of-two scales under the floor rule.
IDEMPOTENT = ["mxfp8e4m3", "mxfp8e5m2", "mxfp6e2m3", "mxfp6e3m2", "mxfp4", "mxint8", "bfp8_g16",
              "bm_e2m3_g48"]  # fmt: skip


@pytest.mark.parametrize("name", IDEMPOTENT)
@settings(max_examples=60, deadline=None)
@given(x=arrays(np.float32, (1, 96), elements=FLOATS))
def test_idempotent(name, x):
    fmt = padded(name)
    values = fmt.quantize(x).dequantize()
    np.testing.assert_array_equal(fmt.quantize(values).dequantize(), values)


@pytest.mark.parametrize("name", [n for n in NAMES if n != "llm_int8"])
@settings(max_examples=40, deadline=None)
@given(
    x=arrays(np.float64, (1, 128), elements=st.integers(-4000, 4000).map(float)),
    power=st.integers(-4, 3),
)
def test_powers_of_two_pass_through(name, x, power):
    # 64 and above keep all fp16 scales normal.
    x[0, ::32] = 64.0
    fmt = padded(name)
    values = fmt.quantize(x / 64).dequantize()
    scaled = fmt.quantize(x / 64 * 2.0**power).dequantize()
    np.testing.assert_array_equal(scaled, values * 2.0**power)


SYMMETRIC = [n for n in NAMES if n not in ("int4_asym_g128", *NEAREST_ONLY)]


@pytest.mark.parametrize("name", SYMMETRIC)
@settings(max_examples=40, deadline=None)
@given(x=arrays(np.float32, (2, 128), elements=FLOATS.map(lambda v: np.float32(v / 2**30))))
def test_sign_symmetry(name, x):
    fmt = padded(name)
    np.testing.assert_array_equal(fmt.quantize(-x).dequantize(), -fmt.quantize(x).dequantize())


@settings(max_examples=300, deadline=None)
@given(
    midpoint=st.integers(1, 2**24),
    divisor=st.integers(1, 2**28 - 1),
    ulps=st.integers(-2, 2),
)
def test_exact_quotient_stays_on_its_side(midpoint, divisor, ulps):
    x = np.array(float(midpoint * divisor))
    for _ in range(abs(ulps)):
        x = np.nextafter(x, np.inf if ulps > 0 else -np.inf)
    quotient = exact_quotient(x, np.array(float(divisor)))
    assert np.sign(quotient - midpoint) == np.sign(ulps)


def test_exact_quotient_by_zero_and_of_tiny_numbers():
    x = np.array([1.0, -5e-324, 0.0, -0.0])
    divisor = np.array([0.0, 2.0**27, 3.0, 3.0])
    quotient = exact_quotient(x, divisor)
    np.testing.assert_array_equal(quotient, [0.0, -5e-324, 0.0, -0.0])
    assert np.signbit(quotient).tolist() == [False, True, False, True]


@pytest.mark.parametrize("name", NAMES)
def test_formats_say_whether_places_matter(name):
    fmt = padded(name)
    tensor = fmt.quantize(np.random.default_rng(0).standard_t(3, size=(8, 768)))
    order = np.random.default_rng(1).permutation(tensor.codes.shape[-1])
    moved = fmt.decode(replace(tensor, codes=tensor.codes[..., order]))
    assert np.array_equal(moved, fmt.decode(tensor)[..., order]) is not fmt.places_matter
