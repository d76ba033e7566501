import ml_dtypes
import numpy as np
import pytest

from hwsim.errors import InputError
from hwsim.formats import (
    block_names,
    complex_names,
    parse,
    parse_block,
    parse_scalar,
    scalar_names,
)
from hwsim.formats.names import ALIASES
from tests.formats.reference import LARGE, SMALL

#: Every name of the design that is scalar.
DESIGN = (
    "int8", "uint4", "fp16", "bf16", "tf32", "e4m3", "e5m2", "e4m3fnuz", "e3m2", "e2m3", "e2m1",
    "e5m3u", "posit8_0", "posit16_1", "lns8_3", "hif8", "flint4", "dybit4", "dint4", "nf4",
    "ternary", "binary",
)  # fmt: skip


@pytest.mark.parametrize("name", [*scalar_names(), *SMALL, *LARGE])
def test_names_parse_and_print(name: str) -> None:
    fmt = parse_scalar(name)
    assert parse(fmt.name) == fmt
    assert str(fmt) == fmt.name


@pytest.mark.parametrize("name", DESIGN)
def test_names_of_the_design_are_their_own(name: str) -> None:
    assert parse(name).name == name


@pytest.mark.parametrize(
    ("alias", "name"),
    [("float8_e4m3fn", "e4m3"), ("float8_e4m3", "e4m3_ieee"), ("float8_e8m0fnu", "e8m0"),
     ("float4_e2m1fn", "e2m1"), ("FP8 E4M3", "e4m3"), ("FP6 E3M2", "e3m2"), ("E8M0", "e8m0"),
     ("MX INT8", "q2.6"), ("posit8", "posit8_2"), ("binary8p3", "binary8p3se"),
     ("binary8p4sf", "e4m3fnuz"), ("int2_sym", "ternary"), ("bipolar1", "binary"),
     ("ue5m3", "e5m3u"), ("uflint4", "flint4u"), ("bfloat16", "bf16"),
     ("minifloat(exponent=3, mantissa=4, bias=5, specials=none)",
      "minifloat(exponent=3,mantissa=4,bias=5,specials=none)"),
     ("minifloat(exponent=4,mantissa=3,specials=fn)", "e4m3"),
     ("codebook(1,-1, 0,0.5)", "codebook(-1.0,0.0,0.5,1.0)")],
)  # fmt: skip
def test_aliases(alias: str, name: str) -> None:
    assert parse(alias).name == name


@pytest.mark.parametrize(
    "name",
    ["int0", "uint33", "int1_sym", "int1_sm", "bipolar17", "q0.0", "q20.20", "posit1_0",
     "posit33_2", "posit32_6", "lns2_0", "lns8_8", "lns8_0_base1", "lns16_0", "lns8_3_base1.2.3",
     "flint2", "dybit12", "dint2", "pot9", "apot2", "khot5_4", "khot0_4", "abfloat_e6m1_b0",
     "abfloat_e2m8_b0", "abfloat_e2m1_b999", "binary8p8se", "binary2p1se", "binary16p3se",
     "codebook(1,2,3)", "codebook(1,1)", "codebook(1,nan)", "codebook(1,x)", "codebook(0,1e300)",
     "any4", "minifloat(exponent=9,mantissa=1)", "minifloat(exponent=2,mantissa=24)",
     "minifloat(exponent=4,mantissa=3,specials=fnuz,signed=0)", "minifloat(exponent=0,mantissa=3)",
     "minifloat(exponent=4,mantissa=3,signed=2)", "minifloat(mantissa=3)", "minifloat(e=3)",
     "minifloat(exponent=4,mantissa=x)", "minifloat(exponent=4,mantissa=3,specials=nan)",
     "minifloat(exponent=4,mantissa=3,bias=600)", "minifloat(exponent=2,mantissa=0)",
     "minifloat(exponent=1,mantissa=0,bias=0,specials=fn)"],
)  # fmt: skip
def test_impossible_definitions_are_refused(name: str) -> None:
    with pytest.raises(InputError):
        parse(name)


@pytest.mark.parametrize(("wrong", "near"), [("e4m4", "e4m3"), ("posit8-0", "posit8_0")])
def test_unknown_names_get_the_nearest(wrong: str, near: str) -> None:
    with pytest.raises(InputError, match=f"did you mean '{near}'"):
        parse(wrong)


@pytest.mark.parametrize(
    ("alias", "name"),
    [("INT4", "int4"), ("Uint8", "uint8"), ("INT4_SYM", "int4_sym"), ("E4M3", "e4m3"),
     ("E5M2FNUZ", "e5m2fnuz"), ("FP16", "fp16"), ("F16", "fp16"), ("half", "fp16"),
     ("float16", "fp16"), ("torch.float16", "fp16"), ("BF16", "bf16"), ("torch.bfloat16", "bf16"),
     ("TF32", "tf32"), ("single", "fp32"), ("float32", "fp32"), ("torch.int8", "int8"),
     ("float8_e4m3fn", "e4m3"), ("torch.float8_e5m2fnuz", "e5m2fnuz"), ("e4m3fn", "e4m3"),
     ("fp8_e4m3", "e4m3"), ("FP8-E5M2", "e5m2"), ("fp8e4m3fn", "e4m3"), ("f8E4M3FN", "e4m3"),
     ("f8E4M3", "e4m3_ieee"), ("FLOAT8E4M3FN", "e4m3"), ("float4_e2m1fn", "e2m1"),
     ("fp4_e2m1", "e2m1"), ("FP4 E2M1", "e2m1"), ("float6_e3m2fn", "e3m2"), ("UE8M0", "e8m0"),
     ("float8_e8m0fnu", "e8m0"), ("HiF8", "hif8"), ("hifloat8", "hif8"), ("NF4", "nf4"),
     ("POSIT8_0", "posit8_0"), ("posit<16,1>", "posit16_1"), ("MXFP4", "mxfp4"),
     ("mx-fp4", "mxfp4"), ("mxfp8_e4m3", "mxfp8e4m3"), ("MXINT8", "mxint8"), ("NVFP4", "nvfp4"),
     ("nv_fp4", "nvfp4"), ("INT4_G128", "int4_g128"), ("FP8_E4M3_G128", "e4m3_g128"),
     ("INT4_asym_G64", "int4_asym_g64"), ("BM_E2M5_G48", "bm_e2m5_g48"), ("IFAIRY", "ifairy"),
     ("sq_posit8_0_int4_sym_g64", "sq_posit8_0_int4_sym_g64")],
)  # fmt: skip
def test_spellings_of_others(alias: str, name: str) -> None:
    assert parse(alias).name == name


@pytest.mark.parametrize("alias", [*ALIASES, *(alias.upper() for alias in ALIASES)])
def test_aliases_stand_for_canonical_names(alias: str) -> None:
    assert parse(alias).name == ALIASES[alias.lower()]


@pytest.mark.parametrize(
    "name", [name for name in dir(ml_dtypes) if name.startswith(("float", "bfloat"))]
)
def test_names_of_ml_dtypes_are_the_same_codes(name: str) -> None:
    fmt = parse_scalar(name)
    dtype = np.dtype(getattr(ml_dtypes, name))
    codes = np.arange(2**fmt.bits, dtype=f"u{dtype.itemsize}")
    with np.errstate(invalid="ignore"):
        values = codes.view(dtype).astype(np.float64)
    np.testing.assert_array_equal(fmt.decode(codes), values)


@pytest.mark.parametrize(
    ("name", "candidates"),
    [("fp8", "e4m3, e5m2, "), ("FP8", "e4m3, e5m2, "), ("float8", "e4m3, e5m2, "),
     ("torch.float8", "e4m3, e5m2, "), ("fp8_g128", "e4m3, e5m2, "), ("fp6", "e2m3, e3m2"),
     ("fp4", "e2m1"), ("float4", "e2m1"), ("mxfp8", "mxfp8e4m3, mxfp8e5m2"),
     ("float", "fp16, bf16"),
     ("mxfp6", "mxfp6e2m3, mxfp6e3m2"), ("lns8", "lns8_2, lns8_3, lns8_4"),
     ("e5m3", "e5m3u, e5m3u_ieee"), ("bitmod", "bitmod3, bitmod4"), ("posit", "posit4_0")],
)  # fmt: skip
def test_names_that_are_several_formats(name: str, candidates: str) -> None:
    with pytest.raises(InputError, match=f"that is several formats; choose {candidates}"):
        parse(name)


@pytest.mark.parametrize("name", ["float64", "double", "fp64", "fp128"])
def test_names_of_wider_formats(name: str) -> None:
    with pytest.raises(InputError, match="the widest formats have 32 bits"):
        parse(name)


@pytest.mark.parametrize(
    ("wrong", "near"),
    [("fp15", "fp16"), ("bf15", "bf16"), ("bfloat", "bf16"), ("flot16", "fp16"), ("e4m33", "e4m3"),
     ("e3m5", "e3m4"), ("mxf4", "mxfp4"), ("mxpf4", "mxfp4"), ("mxfp5", "mxfp4"),
     ("nvfp8", "nvfp4"), ("int4g128", "int4_g128"), ("int4_g", "int4_g128"), ("it8", "int8"),
     ("nf5", "nf4"), ("hif9", "hif8"), ("ternery", "ternary"), ("lns16", "lns16_8"),
     ("float4_e2m1fn_x2", "e2m1"), ("ifary", "ifairy"), ("llm_int4", "llm_int8")],
)  # fmt: skip
def test_misspelt_names_get_the_nearest(wrong: str, near: str) -> None:
    with pytest.raises(InputError, match=f"did you mean '{near}'"):
        parse(wrong)


@pytest.mark.parametrize(
    "name",
    [
        " fp16",
        "fp16 ",
        "fp16\n",
        "",
        "[",
        "[]",
        "mxfp4[",
        "mxfp4]",
        "e4m3[scale=fp16]",
        "sq_int8_g64",
        "sq_int8_foo_g64",
    ],
)
def test_other_texts_are_refused(name: str) -> None:
    with pytest.raises(InputError):
        parse(name)


def test_complex_formats_are_no_scalars() -> None:
    assert complex_names() == ["ifairy"]
    with pytest.raises(InputError, match="complex"):
        parse_scalar("ifairy")


@pytest.mark.parametrize("name", block_names())
def test_block_formats_are_blocks(name: str) -> None:
    assert parse_block(name) == parse(name)


@pytest.mark.parametrize("name", ["e4m3", "ifairy", "mxfp44"])
def test_others_are_no_block_formats(name: str) -> None:
    with pytest.raises(InputError, match="block format"):
        parse_block(name)
