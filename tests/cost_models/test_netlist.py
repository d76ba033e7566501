import numpy as np
import pytest

from cost_models.activity import simulate
from cost_models.netlist import (
    NAND2_EQUIVALENTS,
    TYPES,
    NetlistError,
    cell_count,
    generic_styles,
    multiplier_styles,
    netlist,
    parse,
    rtlil_text,
)
from cost_models.operands import default_operands
from hwsim.units import make


def gate(kind, **pins):
    return {"type": f"$_{kind}_", "connections": {pin: [bit] for pin, bit in pins.items()}}


def module(cells, inputs=(), outputs=()):
    ports = {"clk": {"direction": "input", "bits": [2]}}
    ports |= {f"i{bit}": {"direction": "input", "bits": [bit]} for bit in inputs}
    ports |= {f"o{bit}": {"direction": "output", "bits": [bit]} for bit in outputs}
    return {"ports": ports, "cells": {str(k): cell for k, cell in enumerate(cells)}}


def toggle_flip_flop():
    """Q <= Q xor i3, offered inverted."""
    return module(
        [
            gate("NOT", A=11, Y=12),
            gate("XOR", A=3, B=11, Y=10),
            gate("DFF_P", C=2, D=10, Q=11),
        ],
        inputs=[3],
        outputs=[12],
    )


def test_nets_are_numbered_constants_inputs_flip_flops_gates():
    gates = parse(toggle_flip_flop(), "default")
    assert (gates.first_flip_flop, gates.first_gate, gates.nets) == (3, 4, 6)
    np.testing.assert_array_equal(gates.inputs["i3"], [2])
    np.testing.assert_array_equal(gates.fanout(), [0, 0, 1, 2, 1, 1])


def test_levels_ascend_along_a_chain():
    cells = [gate("NOT", A=k, Y=k + 1) for k in (5, 3, 4)]
    gates = parse(module(cells, inputs=[3], outputs=[6]), "default")
    np.testing.assert_array_equal(gates.levels, [1, 2, 3])
    np.testing.assert_array_equal(gates.pins[:, 0], [2, 3, 4])


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        ([gate("DLATCH_P", E=3, D=3, Q=4)], "neither gate nor flip-flop"),
        ([gate("DFF_P", C=3, D=3, Q=4)], "not clocked by the port clk"),
        ([gate("AND", A=3, B=5, Y=4), gate("NOT", A=4, Y=5)], "loop"),
    ],
)
def test_what_is_not_synchronous_logic_is_refused(cells, message):
    with pytest.raises(NetlistError, match=message):
        parse(module(cells, inputs=[3]), "default")


def test_booth_is_tried_only_where_something_is_multiplied():
    serial = make("bit_serial", lanes=2, weight="int4", activation="int4")
    parallel = make("integer", lanes=2, weight="int4", activation="int4", adders="operators")
    assert multiplier_styles(rtlil_text(serial)) == ["default", "noalumacc"]
    assert multiplier_styles(rtlil_text(parallel)) == ["default", "noalumacc", "booth"]


def test_multipliers_that_yosys_recodes_are_known():
    def styles(unit):
        return generic_styles(rtlil_text(unit))

    def integer(weight, activation, lanes=1):
        return styles(
            make("integer", lanes=lanes, weight=weight, activation=activation, adders="operators")
        )

    assert integer("int6", "int6") == ["booth"]
    assert integer("int4", "int6") == integer("int5", "int5") == ["noalumacc", "booth"]
    assert integer("int4", "int8") == integer("uint4", "uint4") == ["noalumacc"]
    assert integer("uint4", "uint4", lanes=2) == ["noalumacc", "booth"]
    for weight, activation in (("int3", "int8"), ("int8", "int3")):
        unit = make("integer", lanes=1, weight=weight, activation=activation, adders="operators")
        assert styles(unit) == ["noalumacc"]
        rows, booth = netlist(unit, "noalumacc"), netlist(unit, "booth")
        np.testing.assert_array_equal(booth.counts(), rows.counts())


@pytest.mark.parametrize(
    ("lanes", "weight", "activation"),
    [(2, "int4", "int4"), (2, "int8", "int8"), (1, "int4", "int6"), (1, "uint4", "uint8")],
)
def test_the_smaller_style_is_kept(lanes, weight, activation):
    unit = make("integer", lanes=lanes, weight=weight, activation=activation)
    weights = np.array([NAND2_EQUIVALENTS[name] for name in TYPES])
    both = [netlist(unit, style) for style in ("noalumacc", "booth")]
    smaller = min(both, key=lambda gates: gates.counts() @ weights)
    chosen = netlist(unit)
    # The names of the cells decide the order within a level.
    assert chosen.style == smaller.style
    np.testing.assert_array_equal(chosen.levels, smaller.levels)
    np.testing.assert_array_equal(chosen.counts(), smaller.counts())


def test_cells_are_counted_as_often_as_their_module_is_there():
    inner = "module \\inner\n  cell $add $1\n  end\n  cell $mux $2\n  end\nend\n"
    both = "  cell \\inner \\a\n  end\n  cell \\inner \\b\n  end\n"
    top = f"module \\top\n{both}  cell $dff $3\n  end\nend\n"
    assert cell_count(inner + top, "top") == 5


def test_large_designs_are_mapped_with_bounded_effort(monkeypatch):
    unit = make("float", lanes=3, weight="e2m1", activation="e2m1", accumulator="fp16")
    full = netlist(unit)
    monkeypatch.setattr("cost_models.netlist.LARGE", cell_count(rtlil_text(unit), unit.name))
    bounded = netlist.__wrapped__(unit)
    assert (full.bounded, bounded.bounded) == (False, True)
    simulate(unit, bounded, default_operands(unit))  # Raises where they are not the golden model's.
    weights = np.array([NAND2_EQUIVALENTS[name] for name in TYPES])
    assert bounded.counts() @ weights == pytest.approx(full.counts() @ weights, rel=0.03)
