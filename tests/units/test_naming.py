import re
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from types import NoneType
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cost_models import fitting_set
from hwsim.errors import InputError
from hwsim.formats import parse_scalar
from hwsim.formats.base import Format
from hwsim.formats.codebook import learn
from hwsim.formats.fields import convert
from hwsim.formats.integer import Integer
from hwsim.units import FAMILIES, UnitSpec, make
from hwsim.units.integer import IntegerUnit
from hwsim.units.naming import MAX_NAME
from hwsim.units.spelling import former

LEGAL = re.compile(r"[a-z][a-z0-9]*(__?[a-z0-9]+)*")
SUITE = [make(name, **values) for name in FAMILIES for values in FAMILIES[name].configurations]
UNITS = [*SUITE, *fitting_set.units()]


def spelt(unit: UnitSpec) -> str:
    """Family and every parameter that is not the default, without a hash."""
    values = {key: value for key, value in unit._values().items() if value != unit._default(key)}
    text = "_".join([unit.family, *(f"{key}_{value}" for key, value in values.items())])
    return re.sub(r"\W+", "_", text).strip("_")


def test_names_of_known_units_are_spelt_out() -> None:
    # The held-out set is drawn by a hash of names, and kept syntheses are found by them.
    hashed = [unit.name for unit in UNITS if unit.name != spelt(unit)]
    assert hashed == [
        "bitmod_lanes_8_activation_e2m1_group_size_48_special_values_7_7_0_3_5_x4f0ad41db041"
    ]


FORMATS = st.one_of(
    st.sampled_from(
        ["int4", "uint4", "int4_sym", "ternary", "q2.2", "q4.0", "uq2.2", "q2.2_sym", "e2m1",
         "e4m3", "e4m3_ieee", "fp16", "nf4", "nf3", "posit4_1", "posit8_0", "lns4_1", "binary",
         "flint4", "flint4u", "dybit4", "hif8", "pot4", "lns4_1_base1.5", "lns4_1_base15.0",
         "bipolar4", "int4_sm", "binary4p2sf"]
    ),
    st.builds(
        "minifloat(exponent={},mantissa={},bias={},specials={}{})".format,
        st.integers(1, 4), st.integers(0, 3), st.integers(-9, 9),
        st.sampled_from(["ieee", "fn", "none", "p3109"]), st.sampled_from(["", ",signed=0"]),
    ),
    st.builds(
        "abfloat_e{}m{}_b{}".format, st.integers(1, 3), st.integers(0, 2), st.integers(-9, 9)
    ),
    st.builds(
        lambda values: f"codebook({','.join(map(str, values))})",
        st.lists(
            st.one_of(st.integers(-3, 3), st.sampled_from([0.5, -0.5, 1e-16, 1e16, -1e16, 5.5])),
            min_size=2, max_size=16,
        ),
    ),
)  # fmt: skip
HALVES = st.integers(-16, 16).map(lambda half: half / 2)
TEXT = {
    "element": st.sampled_from(["integer", "bit_serial", "float"]),
    "accumulation": st.one_of(
        st.sampled_from(["exact", "fixed", "rounded", "none", "quire"]),
        st.integers(0, 40).map("aligned{}".format),
        st.integers(0, 40).map("product_aligned{}".format), FORMATS,
    ),
    "special_values": st.one_of(
        st.sampled_from(["fp4", "fp3"]),
        st.lists(HALVES, min_size=4, max_size=4).map(lambda v: ",".join(map(str, v))),
    ),
    "modes": st.lists(
        st.sampled_from(["fp4", "posit4", "posit8", "posit16"]), min_size=1, unique=True
    ).map(",".join),
}  # fmt: skip


def values_of(key: str, kind: Any) -> st.SearchStrategy[Any]:
    if key in TEXT:
        return TEXT[key]
    if "Format" in str(kind):
        return FORMATS
    for part in getattr(kind, "__args__", (kind,)):
        if part is not NoneType and part is not int:
            return st.sampled_from(list(part))
    return st.sampled_from([1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 123456789012])


def attempt(family: str, parameters: dict[str, Any]) -> UnitSpec | None:
    try:
        return make(family, **parameters)
    except InputError:
        return None


@st.composite
def variants(draw: st.DrawFn) -> list[UnitSpec]:
    """Units of one family that differ in one to three parameters, or only in the signs of those."""
    unit = draw(st.sampled_from(SUITE))
    kinds = {field.name: field.type for field in fields(unit)}
    keys = draw(st.lists(st.sampled_from(sorted(kinds)), min_size=1, max_size=3, unique=True))
    drawn = {key: draw(values_of(key, kinds[key])) for key in keys}
    resigned = {
        key: re.sub(r"(?<=[,(=b])-?(?=[0-9])", lambda _: draw(st.sampled_from(["", "-"])), value)
        for key, value in drawn.items()
        if type(value) is str
    }
    parameters = unit.parameters()
    made = [attempt(unit.family, parameters | others) for others in ({}, drawn, drawn | resigned)]
    return [unit for unit in made if unit is not None]


SEEN = {unit.name: unit for unit in UNITS}


@settings(max_examples=1000, deadline=None)
@given(variants())
def test_unequal_units_have_unequal_legal_names(units: list[UnitSpec]) -> None:
    for unit in units:
        assert LEGAL.fullmatch(unit.name)
        assert len(unit.name) <= MAX_NAME
        assert SEEN.setdefault(unit.name, unit) == unit


def of_weight(weight: str) -> UnitSpec:
    return make("codebook", lanes=1, weight=weight, activation="int8")


def with_specials(text: str) -> UnitSpec:
    return make("bitmod", lanes=4, activation="fp16", special_values=text)


@pytest.mark.parametrize(
    ("unit", "first", "second"),
    [
        (of_weight, "codebook(-1,-0.5,1,2)", "codebook(-1,0.5,1,2)"),
        (of_weight, "codebook(1e-16,1)", "codebook(1e+16,1)"),
        (of_weight, "codebook(0,1,2,5)", "codebook(0,1,2.5,5)"),
        (of_weight, "minifloat(exponent=2,mantissa=1,bias=-5,specials=none)",
         "minifloat(exponent=2,mantissa=1,bias=5,specials=none)"),
        (of_weight, "abfloat_e2m1_b-3", "abfloat_e2m1_b3"),
        (with_specials, "7,-7,0,3.5", "7,-7,0,-3.5"),
        (with_specials, "1,2,3,4", "-1,2,3,4"),
    ],
)  # fmt: skip
def test_names_tell_signs_and_points_apart(
    unit: Callable[[str], UnitSpec], first: str, second: str
) -> None:
    assert unit(first).name != unit(second).name


def test_a_learned_codebook_has_a_short_name() -> None:
    (fmt,) = learn(np.random.default_rng(0).normal(size=(1, 256)))
    unit = replace(make("codebook", lanes=1, weight="nf4", activation="int8"), weight=fmt)
    assert len(f"{unit.name}_tb.v") < 200
    assert parse_scalar(fmt.name) == fmt
    assert make("codebook", **unit.parameters()) == unit


@dataclass(frozen=True)
class Named(Integer):
    """A format of another package: an integer under any name."""

    label: str = ""

    @property
    def name(self) -> str:
        return self.label


@pytest.mark.parametrize(
    "labels",
    [
        (("int4_activation_int8", "int8"), ("int4", "int8_activation_int8")),
        (("a b", "c"), ("a,b", "c")),
        (("A", "c"), ("a", "c")),
        (("int8", "int8"), ("é", "int8")),
        (("a_", "c"), ("_a", "c")),
        (("x" * 300, "c"), ("x" * 301, "c")),
        (("int4", "int8___accumulator"), ("int4", "int8_tb")),
        (("int4", "int8_accumulator_bits_24"), ("int4", "int8_x0123456789ab")),
    ],
)
def test_names_of_other_formats_are_told_apart(labels: tuple[tuple[str, str], ...]) -> None:
    names = set()
    for weight, activation in labels:
        unit = IntegerUnit(
            lanes=1, weight=Named(4, label=weight), activation=Named(8, label=activation)
        )
        assert LEGAL.fullmatch(unit.name)
        assert len(unit.name) <= MAX_NAME
        names.add(unit.name)
    names.add(make("integer", lanes=1, weight="int4", activation="int8").name)
    assert len(names) == 3


def test_a_name_that_looks_hashed_is_hashed() -> None:
    @dataclass(frozen=True, kw_only=True)
    class Labelled(IntegerUnit):
        label: str = ""

    common = {"lanes": 1, "weight": "int4", "activation": "int8"}
    hashed = Labelled(**common, label="a_b")
    stem, digest = hashed.name.rsplit("_", 1)
    copy = Labelled(**common, label=digest)
    assert copy.name != f"{stem}_{digest}"


BAD = (None, True, 1.5, "", "x", " 4", "4 ", "1_6", "\u0664", "+4", "4\n", b"4", [4], {}, object(),
       10**40, -1, 0, 4.0, np.nan, np.array([1, 2]), parse_scalar("int4"), int)  # fmt: skip
GOOD = (4, np.int64(4), np.uint8(4), "4", "int4", "booth", "full", "exact")


@pytest.mark.parametrize("family", FAMILIES)
def test_constructors_accept_what_make_accepts(family: str) -> None:
    cls = FAMILIES[family]
    base = make(family, **cls.configurations[0])
    for key in base.parameters():
        for value in (*BAD, *GOOD):
            if key in former(family) and str(value) == "int4":
                continue  # Only make understands the former spelling.
            parameters = base.parameters() | {key: value}
            outcomes = []
            for constructor in (cls, lambda **given: make(family, **given)):
                try:
                    unit = constructor(**parameters)
                except InputError as error:
                    outcomes.append(str(error))
                else:
                    outcomes.append(unit)
                    assert make(family, **unit.parameters()) == unit
                    assert unit.name
                    hash(unit)
            assert outcomes[0] == outcomes[1], (key, value)


@pytest.mark.parametrize("text", [" 4", "4 ", "1_6", "\u0664", "+4", "4.0", "0x4", "", "9" * 5000])
def test_integers_are_plain_decimals(text: str) -> None:
    with pytest.raises(InputError, match="lanes must be an integer"):
        make("integer", lanes=text, weight="int4", activation="int4")


def test_choices_given_as_text_are_the_choices() -> None:
    common = {"lanes": 2, "weight": "int4", "activation": "int4"}
    cls = FAMILIES["bit_serial"]
    given, made = cls(**common, recoding="booth"), make("bit_serial", **common, recoding="booth")
    assert given == made
    assert given.timing() == made.timing()
    assert type(given.recoding) is type(made.recoding)
    with pytest.raises(InputError, match="unknown rounding 'nonsense'; known: "):
        FAMILIES["float"](lanes=1, weight="e4m3", activation="e4m3", rounding="nonsense")
    assert FAMILIES["integer"](**common) == make("integer", **common)


@pytest.mark.parametrize("kind", [int, float, bool, str, Format, Integer, tuple[float, ...]])
def test_errors_name_the_field(kind: Any) -> None:
    with pytest.raises(InputError, match=r"^size must be"):
        convert("size", object(), (kind,))
    assert convert("size", None, (kind, NoneType)) is None
