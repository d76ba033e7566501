from dataclasses import fields
from typing import Any

import numpy as np
import pytest

from hwsim.errors import InputError
from hwsim.formats import Stochastic, block_names, parse, parse_block, parse_scalar, scalar_names
from hwsim.formats.codebook import Codebook
from hwsim.formats.group import GroupScale
from hwsim.formats.integer import Integer
from hwsim.formats.lns import Logarithmic
from hwsim.formats.minifloat import Minifloat, Specials
from hwsim.formats.olive import OLIVE4_INT
from hwsim.formats.p3109 import parse as parse_p3109

BAD = (None, True, False, 1, 0, -1, 1.5, 4.0, np.nan, np.inf, "", "x", " 4", "1_6", "\u0664", "+4",
       b"4", [4], [], {}, object(), 10**40, np.array([1, 2]), int, Integer(4), "int4", "4",
       np.int64(4), np.bool_(True), (1.0, 2.0), ("a", "b"))  # fmt: skip
FORMATS = [*map(parse_scalar, scalar_names()), *map(parse_block, block_names()), OLIVE4_INT]


@pytest.mark.parametrize("fmt", FORMATS, ids=repr)
def test_constructors_convert_or_refuse(fmt: Any) -> None:
    known = {field.name: getattr(fmt, field.name) for field in fields(fmt)}
    for key in known:
        for value in BAD:
            try:
                made = type(fmt)(**(known | {key: value}))
            except InputError:
                continue
            hash(made)
            for field in fields(made):
                held = getattr(made, field.name)
                assert type(held).__module__ != "numpy", (key, value)
            # What is held is what is accepted, and stands for itself.
            assert type(fmt)(**{f.name: getattr(made, f.name) for f in fields(made)}) == made
            width = "bits" if hasattr(made, "bits") else "bits_per_element"
            assert getattr(made, width) > 0
            assert str(made)


def test_equal_values_make_equal_formats() -> None:
    assert Integer("4") == Integer(np.int64(4)) == Integer(4)
    assert type(Integer(np.int64(4)).width) is int
    assert Minifloat("4", 3, 7, "fn").specials is Specials.FN
    assert type(Logarithmic(8, 3, 3).base) is float
    assert GroupScale("int4", "16") == parse_block("int4_g16")
    minus, plus = Codebook((-0.0, 1)), Codebook((0.0, 1.0))
    assert minus == plus
    assert minus.name == plus.name == "codebook(0.0,1.0)"


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Integer(4.0), "width must be an integer, not 4.0"),
        (lambda: Integer("four"), "width must be an integer, not 'four'"),
        (lambda: Integer(4, signed=1), "signed must be True or False, not 1"),
        (lambda: Minifloat(4, 3, 7, "nonsense"),
         "unknown specials 'nonsense'; did you mean 'none'?"),
        (lambda: GroupScale("int4", True), "size must be an integer, not True"),
        (lambda: GroupScale(4, 16),
         "element must be a scalar format or the name of one, not 4"),
        (lambda: Codebook(("a", "b")), "entries must be a number, not 'a'"),
        (lambda: Integer(10**40), "width must be an integer of at most 64 bits, not one of 133"),
        (lambda: Stochastic(-1), "seed must not be negative, not -1"),
        (lambda: parse_scalar(4), "the name of a format must be ASCII text, not 4"),
        (lambda: parse([4]), "the name of a format must be ASCII text, not [4]"),
        (lambda: parse_block("int\u0664_g16"),
         "the name of a format must be ASCII text, not 'int\u0664_g16'"),
    ],
)  # fmt: skip
def test_errors_name_the_field(make: Any, message: str) -> None:
    with pytest.raises(InputError) as error:
        make()
    assert str(error.value) == message


def test_names_of_minifloats_are_unique_and_read_back() -> None:
    seen: dict[str, Minifloat] = {}
    for exponent in range(1, 9):
        for mantissa in range(24):
            for specials in Specials:
                for signed in (True, False):
                    for bias in {-1, 0, 1, (1 << exponent >> 1) - 1, 1 << exponent >> 1}:
                        try:
                            fmt = Minifloat(exponent, mantissa, bias, specials, signed)
                        except InputError:
                            continue
                        assert seen.setdefault(fmt.name, fmt) == fmt
                        assert parse_scalar(fmt.name) == fmt
    assert parse_p3109("binary8p3se") == seen["binary8p3se"]
