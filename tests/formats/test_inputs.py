"""What is no array of real numbers is refused wherever arrays come in, and named."""

import datetime

import ml_dtypes
import numpy as np
import pytest

from hwsim.errors import InputError
from hwsim.formats import parse
from hwsim.formats.codebook import codebook, learn
from hwsim.formats.ifairy import scales
from hwsim.formats.olive import OLIVE4_INT
from hwsim.units import make

NO_NUMBERS = {
    "structured": np.zeros((2, 4), [("a", "u1"), ("b", "u1")]),
    "structured wide": np.zeros((2, 4), [("a", "f4"), ("b", "f4")]),
    "void of a byte": np.zeros((2, 4), "V1"),
    "void of two bytes": np.zeros((2, 4), "V2"),
    "ragged": [[1.0, 2.0], [3.0]],
    "ragged arrays": [np.ones(2), np.ones(3)],
    "objects": np.array([[None, 1.0]], object),
    "none": None,
    "text": "abcd",
    "texts": [["1", "2"]],
    "bytes": np.array([b"a", b"b"]),
    "dates": np.zeros((2, 4), "M8[s]"),
    "durations": np.zeros((2, 4), "m8[s]"),
    "a date": [datetime.date(2000, 1, 1)],
    "long integers": [2**70, 1],
    "integers beyond float64": np.array([[2**60 + 1, 1]]),
    "masked": np.ma.array([[1.0, 2.0]], mask=[[0, 1]]),
    "masked without a mask": np.ma.array([[1.0, 2.0]]),
    "masked integers": np.ma.array([[1, 2]], mask=[[0, 1]]),
    "list of masked": [np.ma.array([1.0, 2.0], mask=[0, 1])],
    "masked element": [[1.0, np.ma.masked]],
}
COMPLEX = {"complex": np.ones((2, 4), complex), "long floats": np.ones((2, 4), np.longdouble)}
TAKERS = {
    "encode": parse("e4m3").encode,
    "encode int": parse("int4").encode,
    "quantize": parse("posit8_0").quantize,
    "mx": parse("mxfp4_g2").quantize,
    "group": parse("int4_g2").quantize,
    "asymmetric": parse("int4_asym_g2").quantize,
    "outliers": parse("llm_int8").quantize,
    "olive": OLIVE4_INT.encode,
    "codebook": codebook,
    "learn": learn,
}


@pytest.mark.parametrize("taker", TAKERS)
@pytest.mark.parametrize("case", [*NO_NUMBERS, *COMPLEX])
def test_arrays_of_no_real_numbers(taker, case):
    with pytest.raises(InputError):
        TAKERS[taker]((NO_NUMBERS | COMPLEX)[case])


@pytest.mark.parametrize("case", [c for c in NO_NUMBERS if c != "integers beyond float64"])
def test_arrays_of_no_complex_numbers(case):
    for take in (parse("ifairy").encode, scales):
        with pytest.raises(InputError):
            take(NO_NUMBERS[case])


CODES = ["ragged", "objects", "none", "texts", "masked integers", "structured", "masked"]


@pytest.mark.parametrize("case", CODES)
@pytest.mark.parametrize("name", ["e4m3", "int8", "posit16_1", "ifairy"])
def test_codes_are_integers(case, name):
    with pytest.raises(InputError):
        parse(name).decode(NO_NUMBERS[case])


@pytest.mark.parametrize("case", CODES)
def test_operands_of_units_are_codes(case):
    unit = make("integer", lanes=2, weight="int4", activation="int8")
    with pytest.raises(InputError):
        unit.dot(NO_NUMBERS[case], [1, 2])
    with pytest.raises(InputError):
        unit.dot([1, 2], NO_NUMBERS[case])


def test_masks_are_named():
    with pytest.raises(InputError, match=r"masked arrays are not taken; fill them first"):
        parse("int4_g2").quantize(NO_NUMBERS["masked"])


@pytest.mark.parametrize("name", ["bfloat16", "float8_e4m3fn", "float8_e5m2", "float4_e2m1fn",
                                  "float6_e2m3fn", "int4", "uint4"])  # fmt: skip
def test_dtypes_of_ml_dtypes_are_taken(name):
    x = np.array([[1, 2, 0, 1]]).astype(getattr(ml_dtypes, name))
    assert parse("e4m3").quantize(x).tolist() == [[1.0, 2.0, 0.0, 1.0]]
    assert parse("bfp8_g4").quantize(x).dequantize().tolist() == [[1.0, 2.0, 0.0, 1.0]]
