"""Former names of parameters give the units that they gave, under their present names."""

import pytest

from hwsim.errors import InputError
from hwsim.units import FAMILIES, UnitSpec, make
from hwsim.units.manual import parameters
from hwsim.units.spelling import SAID, former

E4M3 = {"lanes": 2, "weight": "e4m3", "activation": "e4m3"}
POSIT = {"lanes": 1, "weight": "posit8_0", "activation": "posit8_0"}
NVFP4 = {"lanes": 4}
BITMOD = {"lanes": 4, "activation": "fp16"}


@pytest.mark.parametrize(
    ("family", "dot", "old", "new"),
    [
        ("float", E4M3, {"carry_guard": 8}, {}),
        ("float", E4M3, {"carry_guard": "3"}, {"accumulator_bits": 38 + 3}),
        ("float", E4M3, {"accumulation": "float16"},
         {"accumulation": "rounded", "accumulator": "fp16"}),
        ("float", E4M3, {"accumulation": "fp32", "accumulator": None, "carry_guard": 8},
         {"accumulator": "fp32"}),
        ("lmul", E4M3, {"carry_guard": 0}, {"accumulator_bits": 20}),
        ("posit", POSIT, {"carry_guard": 6, "output": "posit8_0"},
         {"accumulator_bits": 32, "accumulator": "posit8_0"}),
        ("posit", POSIT, {"carry_guard": 8, "output": "posit8_0", "accumulation": "none"},
         {"accumulator": "posit8_0", "accumulation": "none"}),
        ("nvfp4_dot", NVFP4, {"accumulation": "fp32"}, {}),
        ("nvfp4_dot", NVFP4, {"accumulation": "bf16", "accumulator_bits": None},
         {"accumulator": "bf16"}),
        ("bitmod", BITMOD, {"column_guard": 0}, {"accumulator_bits": 38}),
    ],
)  # fmt: skip
def test_former_names_are_understood(
    family: str, dot: dict[str, object], old: dict[str, object], new: dict[str, object]
) -> None:
    unit = make(family, **dot, **old)
    assert unit == make(family, **dot, **new)
    # What a unit says of itself has the present names, and is read back.
    assert make(family, **unit.parameters()) == unit
    gone = set(former(family)) - {"accumulation"}
    assert not gone & set(unit.parameters())


@pytest.mark.parametrize(
    ("family", "given", "message"),
    [
        ("float", E4M3 | {"carry_guard": 65}, "carry_guard must be 0 to 64, not 65"),
        ("float", E4M3 | {"carry_guard": "x"}, "carry_guard must be an integer, not 'x'"),
        ("float", E4M3 | {"carry_guard": 8, "accumulator_bits": 40},
         "carry_guard=8: the former name of accumulator_bits, which is given, too"),
        ("float", E4M3 | {"carry_guard": 3, "accumulator": "fp32"},
         "carry_guard=3: there is no exact accumulator; leave it out"),
        ("float", E4M3 | {"accumulation": "fp32", "accumulator": "fp16"},
         "accumulation=fp32: the former name of accumulator, which is given, too"),
        ("mx_dot", E4M3 | {"carry_guard": 8}, "unit mx_dot has no parameter 'carry_guard'"),
        ("float", {"carry_guard": 8}, "unit float needs the parameter 'lanes'"),
    ],
)  # fmt: skip
def test_what_is_not_certain_is_refused(
    family: str, given: dict[str, object], message: str
) -> None:
    with pytest.raises(InputError) as error:
        make(family, **given)
    assert str(error.value).startswith(message)


@pytest.mark.parametrize("family", FAMILIES)
def test_the_manual_lists_former_names(family: str) -> None:
    listed = {old: row.name for row in parameters(family) for old in row.formerly}
    assert listed == {SAID.get(old, old): new for old, new in former(family).items()}


def test_constructors_take_the_present_names_only() -> None:
    cls: type[UnitSpec] = FAMILIES["float"]
    with pytest.raises(TypeError, match="carry_guard"):
        cls(**E4M3, carry_guard=8)
