import numpy as np
import pytest

from cost_models import activity
from cost_models.components import COMPONENTS, KINDS, Component
from cost_models.netlist import netlist
from cost_models.network import SimulationError
from cost_models.operands import default_operands
from hwsim.errors import InputError
from hwsim.units import FAMILIES
from hwsim.units.operands import Operands


@pytest.mark.parametrize("kind", KINDS)
def test_gates_compute_what_the_golden_model_says(kind):
    """The simulation compares every result; one of each kind, the others while characterising."""
    component = next(component for component in COMPONENTS if component.kind == kind)
    toggles = activity.simulate(component, netlist(component), default_operands(component))
    assert 0.02 < toggles.mean < 0.6


def run(component, values, arguments):
    """Return the elements of the result for one beat."""
    codes = component.dot([values], [arguments])
    return component.result.to_int(codes)[0].tolist()


@pytest.mark.parametrize(
    ("row", "values", "arguments", "expected"),
    [
        (("add", 1, "int8", 1, "int8"), [0xFF], [0x01], [0]),
        (("multiply", 2, "int4", 2, "int4"), [3, 0xF], [5, 2], [13]),
        (("shift_left", 1, "uint4", 1, "uint2"), [5], [3], [40]),
        (("shift_right", 1, "int8", 1, "uint2"), [0xF9], [1], [-4]),
        (("round_right", 1, "int8", 1, "uint2"), [0x0E], [2], [4]),
        (("round_right", 1, "int8", 1, "uint2"), [0x0A], [2], [2]),
        (("select", 4, "uint4", 2, "uint2"), [1, 2, 3, 4], [2, 0], [3, 1]),
        (("decode", 0, "uint1", 1, "uint2"), [0], [2], [4]),
        (("compare", 2, "uint4", 1, "uint4"), [3, 5], [4], [-1, 0]),
        (("leading_zeros", 1, "uint8", 0, "uint1"), [5], [], [5]),
        (("normalise", 1, "uint8", 0, "uint1"), [5], [], [-96]),
        (("lowest_one", 1, "uint8", 0, "uint1"), [12], [], [4]),
        (("invert", 2, "uint4", 1, "uint1"), [5, 0], [1], [-6, -1]),
        (("largest", 4, "int4", 0, "uint1"), [1, 0xF, 3, 2], [], [3]),
    ],
)
def test_golden_models_on_numbers_worked_out_by_hand(row, values, arguments, expected):
    assert run(Component.of(*row), values, arguments) == expected


def test_only_an_accumulator_remembers():
    operands = np.array([[1, 2, 3]], np.uint8), np.zeros((1, 0), np.uint8)
    accumulator, store = (
        Component.of(kind, 1, "uint4", 0, "uint1") for kind in ("accumulate", "store")
    )
    assert accumulator.result.to_int(accumulator.dot(*operands)).tolist() == [[6]]
    assert store.result.to_int(store.dot(*operands)).tolist() == [[3]]


def test_a_wrong_golden_model_is_caught(monkeypatch):
    component = Component.of("add", 1, "uint4", 1, "uint4")
    monkeypatch.setitem(KINDS, "add", KINDS["multiply_booth"])
    with pytest.raises(SimulationError):
        activity.simulate(component, netlist(component), Operands(*default_operands(component)))


def test_components_differ_and_are_no_family():
    assert len({component.name for component in COMPONENTS}) == len(set(COMPONENTS))
    assert len(set(COMPONENTS)) == len(COMPONENTS)
    assert {component.kind for component in COMPONENTS} == set(KINDS)
    assert Component.family not in FAMILIES


def test_an_unknown_kind_gets_the_nearest():
    with pytest.raises(InputError, match="did you mean 'shift_left'"):
        Component.of("shift_lef", 1, "uint4", 1, "uint2")
