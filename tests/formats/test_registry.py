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
