"""Names of block formats with options, and quantised tensors as values."""

from itertools import combinations

import numpy as np
import pytest

from hwsim.errors import InputError
from hwsim.formats import block_names, parse, parse_block
from hwsim.formats.base import Stochastic
from hwsim.formats.block_floating_point import BlockFloatingPoint
from hwsim.formats.block_minifloat import BlockMinifloat
from hwsim.formats.fixed import FixedPoint
from hwsim.formats.minifloat import Minifloat, Specials

NAMES = [*block_names(), "mxfp4_g16", "mxint8_g8", "nvfp4_g32", "bitmod4_g64", "posit8_0_g16",
         "codebook(-1.0,0.0,0.5,1.0)_g8", "int4_sym_vs_g16",
         "sq_posit8_0_int4_sym_g64"]  # fmt: skip
#: Values of every option; which of them a format takes, it says itself.
VALUES = {
    "partial": ["error", "pad"],
    "scale_rule": ["floor", "ceil", "rceil", "even"],
    "symmetric": [True, False],
    "levels": [1, 2],
    "smallest_scale": [0, 2.0**-9, 2.0**-6, 1],
    "scale": ["fp16", "bf16", "e4m3", "fp32", "uint8", "uint4", "e8m0",
              "minifloat(exponent=3,mantissa=4,bias=5,specials=none)",
              "codebook(0.25,0.5,1.0,2.0)"],
    "channel_scale": ["fp32", "bf16", "codebook(0.25,0.5,1.0,2.0)"],
    "selection": ["error", "fp16"],
    "base": [8, 16],
    "discard": ["toward_zero", "nearest_even", "to_odd"],
    "sparsity": [0.75, 0.5, 0, 1],
    "threshold": [6.0, 6, 3, 0.1, 1e30, np.float32(0.1), float("inf")],
    "element": ["int8", "int4", "e4m3"],
    "outlier": ["fp16", "bf16"],
}  # fmt: skip


def changed(fmt, count):
    """Every way of setting ``count`` options that the format takes."""
    for options in combinations(fmt.OPTIONS, count):
        settings = [{}]
        for option in options:
            settings = [s | {option: value} for s in settings for value in VALUES[option]]
        for setting in settings:
            try:
                yield fmt.with_options(**setting)
            except InputError:
                continue


@pytest.mark.parametrize("name", NAMES)
def test_names_tell_options_and_read_back(name):
    fmt = parse_block(name)
    assert fmt.name == str(fmt) == name
    by_name = {name: fmt}
    for other in (*changed(fmt, 1), *changed(fmt, 2)):
        assert parse(other.name) == parse_block(other.name) == other
        assert parse(other.name.upper()) == other
        assert by_name.setdefault(other.name, other) == other
        assert other.base_name == name
    assert len(set(by_name.values())) == len(by_name) > 1


def test_names_of_different_formats_differ():
    formats = {one for name in NAMES for one in changed(parse_block(name), 1)}
    assert len({fmt.name for fmt in formats}) == len(formats) > 200


@pytest.mark.parametrize(("name", "options", "expected"), [
    ("mxfp4", {"scale_rule": "even"}, "mxfp4[scale_rule=even]"),
    ("mxint4", {"scale_rule": "floor"}, "mxint4[scale_rule=floor]"),
    ("mxint4", {"scale_rule": "rceil"}, "mxint4"),
    ("mxint8", {"symmetric": False}, "mxint8[symmetric=False]"),
    ("int4_g128", {"scale": "FP8 E4M3", "partial": "pad"}, "int4_g128[scale=e4m3,partial=pad]"),
    ("llm_int8", {"threshold": 5}, "llm_int8[threshold=5.0]"),
])  # fmt: skip
def test_names_with_options(name, options, expected):
    assert parse_block(name).with_options(**options).name == expected


def test_options_are_read_in_any_order():
    spelled = parse("mxfp4_g16[ partial = pad, scale_rule = ceil ]")
    assert spelled.name == "mxfp4_g16[scale_rule=ceil,partial=pad]"


@pytest.mark.parametrize(("text", "message"), [
    ("mxfp4[scale_rul=even]", "did you mean 'scale_rule'"),
    ("mxfp4[scale_rule=evn]", "did you mean 'even'"),
    ("mxfp4[]", "option=value"), ("mxfp4[partial]", "option=value"), ("mxfp4[=pad]", "option="),
    ("mxfp4[partial=]", "option=value"), ("mxfp4[partial=pad,]", "option=value"),
    ("mxfp4[partial=pad,partial=pad]", "stand once"),
    ("mxint8[symmetric=perhaps]", "symmetric of mxint8 must be True or False, not 'perhaps'"),
    ("nvfp4[levels=two]", "levels of nvfp4 must be an integer, not 'two'"),
    ("nvfp4[levels=3]", "levels must be 1 or 2"),
    ("llm_int8[threshold=nan]", "threshold must be positive"),
    ("llm_int8[threshold=x]", "threshold of llm_int8 must be a number, not 'x'"),
    ("int4_g8[scale=fp8]", "several formats"), ("int4_g8[scale=mxfp4]", "unknown format"),
    ("mxfp4[partial=pad][partial=pad]", "partial must be"), ("mxfp4[partial=pad", "unknown"),
])  # fmt: skip
def test_options_that_are_none(text, message):
    with pytest.raises(InputError, match=message):
        parse(text)


@pytest.mark.parametrize(("name", "options"), [
    ("nvfp4", {"levels": True}), ("nvfp4", {"levels": "1"}), ("nvfp4", {"levels": None}),
    ("mxint8", {"symmetric": 1}), ("int4_g8", {"scale": 3}), ("int4_g8", {"partial": None}),
    ("llm_int8", {"threshold": "6"}), ("mxfp4", {"scale_rule": ["even"]}),
    ("llm_int8", {"threshold": 1j}), ("int4_g8", {"scale": parse("mxfp4")}),
])  # fmt: skip
def test_options_of_another_type_are_refused(name, options):
    (option,) = options
    with pytest.raises(InputError, match=option):
        parse_block(name).with_options(**options)


def test_definitions_without_a_name_are_refused():
    with pytest.raises(InputError, match=r"element must be minifloat\(.*bias=1.*not .*bias=2"):
        BlockMinifloat(Minifloat(2, 5, 2, Specials.NONE), 48)
    with pytest.raises(InputError, match=r"element must be q2\.6_sym, not q4\.4"):
        BlockFloatingPoint(FixedPoint(4, 4), 16)
    with pytest.raises(InputError, match="discard must be text"):
        type(parse("qrazor4_g16"))(4, 16, discard=Stochastic(0))


@pytest.mark.parametrize("name", block_names())
def test_quantised_tensors_are_values(name):
    fmt = parse_block(name)
    x = np.random.default_rng(0).standard_normal((2, 4 * 384))
    tensor, same = fmt.quantize(x), fmt.quantize(x)
    assert (tensor == same) is True
    assert tensor == fmt.quantize(x, axis=1)
    assert hash(tensor) == hash(same) == hash(fmt.quantize(x, axis=1))
    assert len({tensor, same}) == 1
    assert (tensor == fmt.quantize(-x)) is False
    assert tensor != fmt.quantize(x[:1])
    assert tensor != parse_block("bfp8_g32").quantize(x)
    assert tensor != "a tensor"
    assert repr(tensor) == str(tensor) == f"QuantizedTensor({name}, shape=(2, 1536), axis=-1)"


def test_quantised_tensors_differ_in_every_code():
    tensor = parse_block("int4_asym_g4").quantize([[1.0, 2.0, 3.0, 4.0]])
    for field in ("codes", "scales"):
        other = parse_block("int4_asym_g4").quantize([[1.0, 2.0, 3.0, 4.0]])
        getattr(other, field)[...] ^= 1
        assert tensor != other
    other = parse_block("int4_asym_g4").quantize([[1.0, 2.0, 3.0, 4.0]])
    other.metadata["zero_points"][...] ^= 1
    assert tensor != other
