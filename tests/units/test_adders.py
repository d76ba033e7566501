from typing import Any

import numpy as np
import pytest

import hwsim
from hwsim.errors import InputError
from hwsim.units import UnitSpec
from hwsim.units.stimulus import random_codes

SMALL = [
    ("integer", "int3", "int5", {}),
    ("float", "e2m1", "e4m3", {}),
    ("posit", "posit6_1", "posit6_1", {}),
    ("posit", "posit6_1", "posit6_1", {"accumulator": "posit8_1"}),
    ("lmul", "e4m3", "e4m3", {}),
    ("flint", "flint4", "flint4", {}),
    ("dybit", "dybit4", "dybit4u", {}),
    ("hif8", "hif8", "hif8", {}),
]


def unit(family: str, weight: str, activation: str, **others: Any) -> UnitSpec:
    return hwsim.make(family, lanes=3, weight=weight, activation=activation, **others)


@pytest.mark.parametrize(("family", "weight", "activation", "others"), SMALL)
def test_adders_are_no_part_of_a_name_nor_of_a_result(
    family: str, weight: str, activation: str, others: dict[str, str]
) -> None:
    plain = unit(family, weight, activation, **others)
    spelled = unit(family, weight, activation, **others, adders="merged", state="carry_propagate")
    assert spelled == plain
    assert plain.is_merged
    assert "adders" not in plain.name
    operators = unit(family, weight, activation, **others, adders="operators")
    saved = unit(family, weight, activation, **others, state="carry_save")
    assert "adders_operators" in operators.name
    assert "state_carry_save" in saved.name
    operands = random_codes(plain, 20, 3, np.random.default_rng(1))
    a, w = operands.activations, operands.weights
    for other in (operators, saved):
        assert np.array_equal(plain.dot(a, w), other.dot(a, w))


@pytest.mark.parametrize(("family", "weight", "activation", "others"), SMALL)
def test_carries_are_saved_by_the_tree_alone(
    family: str, weight: str, activation: str, others: dict[str, str]
) -> None:
    message = r"^state=carry_save: allowed with adders=merged only$"
    with pytest.raises(InputError, match=message):
        unit(family, weight, activation, **others, adders="operators", state="carry_save")


@pytest.mark.parametrize(
    ("family", "fmt", "others"),
    [
        ("float", "e4m3", {"accumulation": "rounded"}),
        ("float", "e4m3", {"accumulator": "fp16"}),
        ("float", "e4m3", {"accumulation": "aligned13"}),
        ("posit", "posit8_0", {"accumulation": "none", "accumulator": "posit8_0"}),
    ],
)
def test_sums_that_are_rounded_are_not_merged(
    family: str, fmt: str, others: dict[str, str]
) -> None:
    message = r"^adders=merged: only an exact sum is merged; allowed here: operators$"
    with pytest.raises(InputError, match=message):
        unit(family, fmt, fmt, **others, adders="merged")
    assert not unit(family, fmt, fmt, **others).is_merged


@pytest.mark.parametrize("family", ["bit_serial", "product_rom", "codebook", "fma"])
def test_other_families_have_no_such_parameter(family: str) -> None:
    with pytest.raises(InputError, match="adders"):
        unit(family, "int4", "int4", adders="merged")
