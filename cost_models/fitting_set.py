"""The units that coefficients are fitted to, and those that the fit is judged by.

Small configurations of every family, as synthesis of all has to be a matter of minutes. Those of a
structure (a family, or a parameter that changes its hardware altogether) are put in an order that
nobody chose, that of a hash of their names, and go to the two sets by turns, the first to be
fitted to. None of them was looked at when the terms of the model were chosen.

Beside the units stand components (:mod:`cost_models.components`): the fit sees them all.
"""

from hashlib import sha256
from typing import Any

import rtl
from hwsim.units import UnitSpec, make


def _dots(*rows: tuple[int, str, str], **others: Any) -> list[dict[str, Any]]:
    """Return parameters from rows of lanes, weight and activation."""
    return [
        {"lanes": lanes, "weight": weight, "activation": activation, **others}
        for lanes, weight, activation in rows
    ]


#: Parameters by family.
CONFIGURATIONS: dict[str, list[dict[str, Any]]] = {
    "integer": _dots(
        (1, "int3", "int8"),
        (1, "int5", "int5"),
        (1, "int10", "int10"),
        (2, "int4", "uint8"),
        (3, "int8", "int8"),
        (6, "int4", "int6"),
        (8, "uint3", "uint4"),
        (12, "int3", "int3"),
        (16, "int2", "int6"),
    ),
    "float": [
        *_dots(
            (1, "e3m2", "e4m3"),
            (1, "e4m3", "e5m2"),
            (2, "e2m1", "e2m3"),
            (3, "e2m1", "e2m1"),
            (3, "e3m2", "e3m2"),
            (8, "e2m1", "e2m3"),
        ),
        *_dots((2, "e2m1", "e2m3"), (1, "e4m3", "e4m3"), accumulation="aligned9"),
        *_dots((1, "e2m1", "e4m3"), (1, "e3m2", "e2m1"), accumulator="e5m2"),
    ],
    "fma": [
        *_dots((1, "e2m1", "e5m2"), (1, "e3m2", "e3m2"), accumulator="e5m2"),
        *_dots((1, "e4m3", "e4m3"), (1, "int4", "e4m3"), accumulator="fp16"),
    ],
    "bit_serial": [
        *_dots(
            (2, "int6", "int6"),
            (6, "int3", "int8"),
            (12, "int8", "int6"),
            (16, "uint6", "int8"),
        ),
        *_dots((6, "int6", "int8"), precision="beat"),
        *_dots((8, "int8", "int8"), recoding="booth"),
        *_dots((4, "int8", "int4"), digits="essential"),
        *_dots((8, "int4", "int5"), serial="both"),
    ],
    "bitmod": [
        {"lanes": 1, "activation": "e4m3", "group_size": 6, "fraction_bits": 0,
         "accumulator_bits": 24},
        {"lanes": 1, "activation": "e2m1", "group_size": 8},
        {"lanes": 2, "activation": "e2m1", "group_size": 16, "accumulator_bits": 26},
    ],
    "bitmod_tile": [
        {"lanes": 1, "activation": "e2m1", "row_count": 2, "column_count": 1, "group_size": 8},
        {"lanes": 1, "activation": "e2m1", "row_count": 1, "column_count": 2, "group_size": 8},
    ],
    "shift_add": [
        *_dots((1, "int4", "int4"), (2, "int3", "int4"), scale="int4", group_size=4),
        *_dots((2, "uint3", "uint5"), (4, "int2", "int4"), scale="e2m1", group_size=8),
    ],
    "product_rom": _dots(
        (2, "int4", "int4"),
        (4, "e2m1", "e2m1"),
        (4, "int3", "uint3"),
        (6, "ternary", "dybit4"),
    ),
    "codebook": [
        *_dots((2, "nf4", "int8"), (4, "nf3", "int6"), (1, "nf4", "int12")),
        *_dots((1, "nf4", "e5m2"), entry="int6", accumulator="fp16"),
        *_dots((1, "uint3", "int6"), (2, "uint2", "int8"), table="loaded"),
    ],
    "lmul": [
        *_dots((2, "e4m3", "e4m3"), (4, "e2m1", "e2m1")),
        *_dots((2, "e3m2", "e3m2"), (1, "e5m2", "e5m2"), reading="formula"),
    ],
    "mx_dot": [
        *_dots((2, "e2m1", "e2m1"), (1, "e3m2", "e2m1"), block_size=4, accumulator="e5m2"),
        {"lanes": 4, "weight": "e2m1", "activation": "e2m1", "block_size": 8,
         "accumulation": "fixed", "accumulator_bits": 24, "fraction_bits": 8},
    ],
    "nvfp4_dot": [
        {"lanes": 1, "block_size": 1, "accumulator": "e5m2"},
        {"lanes": 2, "block_size": 4, "accumulation": "fixed", "accumulator_bits": 32,
         "fraction_bits": 8},
    ],
    "bfp_dot": [
        *_dots((2, "int3", "int4"), (4, "q1.3", "q1.3"), block_size=4, accumulator="e5m2"),
        {"lanes": 4, "weight": "int4", "activation": "int4", "block_size": 8,
         "accumulation": "fixed", "accumulator_bits": 24, "fraction_bits": 8},
    ],
    "serial_add": [
        *_dots((8, "int4", "int8"), (12, "bipolar4", "uint5"), (16, "int2", "int4")),
        *_dots((4, "int3", "int6"), row_count=2),
        *_dots((1, "int2", "e5m2"), (2, "bipolar3", "e4m3"), accumulator="fp16"),
    ],
    "ternary_add": [
        *_dots((8, "ternary", "int8"), (16, "ternary", "int4"), (5, "ternary", "uint6")),
        *_dots((6, "ternary", "int6"), column_count=2),
        *_dots((2, "ternary", "e4m3"), (1, "ternary", "e5m2"), accumulator="fp16"),
    ],
    "ternary_lut": [
        *_dots((6, "ternary", "int8"), (9, "ternary", "int4"), (3, "ternary", "int12")),
        *_dots((4, "ternary", "int6"), table_lanes=2, table="full"),
        *_dots((2, "ternary", "e4m3"), table_lanes=2, accumulator="fp16"),
    ],
    "lut_tensor_core": [
        *_dots((4, "int4", "int8"), (8, "bipolar2", "int6"), (4, "uint2", "int4")),
        *_dots((6, "uint3", "uint5"), table_lanes=3),
        *_dots((2, "int2", "e4m3"), table_lanes=2, accumulator="fp16"),
    ],
    "lut_array": [
        *_dots((2, "int2", "int8"), (4, "uint3", "int6"), table_lanes=2, column_count=2),
        *_dots((3, "int3", "int4"), (6, "bipolar2", "int6"), table_lanes=3),
    ],
    "lut_table": [
        {"lanes": 4, "activation": "int8"},
        {"lanes": 3, "activation": "uint5", "table_lanes": 3, "row_count": 2},
        {"lanes": 8, "activation": "int4"},
        {"lanes": 2, "activation": "e4m3", "table_lanes": 2},
    ],
    "unpu_lut": [
        *_dots((4, "int4", "int6"), (8, "int2", "int8")),
        *_dots((3, "uint3", "uint5"), (6, "int4", "int4"), table_lanes=3),
    ],
    "tmac": _dots(
        (4, "int3", "int7"),
        (4, "int4", "int8"),
        (4, "int2", "uint6"),
        (8, "int1", "int8"),
    ),
    "rmmec": [
        {"lanes": 1, "modes": "fp4"},
        {"lanes": 2, "modes": "fp4"},
        {"lanes": 1, "modes": "posit8"},
        {"lanes": 1, "modes": "posit4"},
        {"lanes": 2, "modes": "posit4"},
    ],
    "posit": [
        *_dots((1, "posit8_0", "posit8_0"), (2, "posit6_1", "posit6_1")),
        *_dots((2, "posit4_1", "posit6_0")),
        *_dots((1, "posit6_1", "posit6_1"), accumulator="posit8_1"),
        *_dots((1, "posit8_1", "posit8_1"), accumulator="posit8_1", accumulation="none"),
        *_dots((2, "posit6_0", "posit7_1"), accumulator="posit8_1", accumulation="none"),
    ],
    "hif8": [
        {"lanes": 1, "weight": "hif8", "activation": "hif8"},
        {"lanes": 2, "weight": "hif8", "activation": "hif8"},
    ],
    "flint": _dots(
        (4, "flint4", "flint4"),
        (8, "flint4", "flint4u"),
        (2, "flint6", "flint6"),
        (1, "flint8", "flint8u"),
    ),
    "dybit": _dots(
        (4, "dybit4", "dybit4"),
        (8, "dybit4", "dybit4u"),
        (2, "dybit6", "dybit6"),
        (1, "dybit8", "dybit8u"),
    ),
}  # fmt: skip


#: The names that units were drawn by, where they have others now: a draw that has been looked at
#: is not made again.
DRAWN_AS = {
    "float_lanes_1_weight_e2m1_activation_e4m3_accumulation_rounded_accumulator_e5m2":
        "float_lanes_1_weight_e2m1_activation_e4m3_accumulation_e5m2",
    "float_lanes_1_weight_e3m2_activation_e2m1_accumulation_rounded_accumulator_e5m2":
        "float_lanes_1_weight_e3m2_activation_e2m1_accumulation_e5m2",
    "bitmod_lanes_1_activation_e4m3_group_size_6_fraction_bits_0_accumulator_bits_24":
        "bitmod_lanes_1_activation_e4m3_group_size_6_fraction_bits_0_column_guard_0",
    "bitmod_lanes_2_activation_e2m1_group_size_16_accumulator_bits_26":
        "bitmod_lanes_2_activation_e2m1_group_size_16_column_guard_0",
    "mx_dot_lanes_2_weight_e2m1_activation_e2m1_block_size_4_accumulator_e5m2":
        "mx_dot_lanes_2_weight_e2m1_activation_e2m1_block_size_4_accumulation_e5m2",
    "mx_dot_lanes_1_weight_e3m2_activation_e2m1_block_size_4_accumulator_e5m2":
        "mx_dot_lanes_1_weight_e3m2_activation_e2m1_block_size_4_accumulation_e5m2",
    "nvfp4_dot_lanes_1_block_size_1_accumulator_e5m2":
        "nvfp4_dot_lanes_1_block_size_1_accumulation_e5m2",
    "bfp_dot_lanes_2_weight_int3_activation_int4_block_size_4_accumulator_e5m2":
        "bfp_dot_lanes_2_weight_int3_activation_int4_block_size_4_accumulation_e5m2",
    "bfp_dot_lanes_4_weight_q1_3_activation_q1_3_block_size_4_accumulator_e5m2":
        "bfp_dot_lanes_4_weight_q1_3_activation_q1_3_block_size_4_accumulation_e5m2",
    "posit_lanes_1_weight_posit6_1_activation_posit6_1_accumulator_posit8_1":
        "posit_lanes_1_weight_posit6_1_activation_posit6_1_output_posit8_1",
    "posit_lanes_1_weight_posit8_1_activation_posit8_1_accumulation_none_accumulator_posit8_1":
        "posit_lanes_1_weight_posit8_1_activation_posit8_1_accumulation_none_output_posit8_1",
    "posit_lanes_2_weight_posit6_0_activation_posit7_1_accumulation_none_accumulator_posit8_1":
        "posit_lanes_2_weight_posit6_0_activation_posit7_1_accumulation_none_output_posit8_1",
}  # fmt: skip


#: Families whose hardware is an exact sum behind the decoder of a tapered format.
TAPERED = ("posit", "hif8", "flint", "dybit")


def drawn_by(name: str) -> str:
    """Return the name that a unit called ``name`` is drawn by."""
    return DRAWN_AS.get(name, name)


def units() -> list[UnitSpec]:
    """Return all units."""
    return [make(name, **values) for name, rows in CONFIGURATIONS.items() for values in rows]


def split() -> tuple[list[UnitSpec], list[UnitSpec]]:
    """Return the units to fit to, and those held out."""
    by_structure: dict[str, list[UnitSpec]] = {}
    for unit in sorted(units(), key=lambda unit: sha256(drawn_by(unit.name).encode()).digest()):
        by_structure.setdefault(unit.structure, []).append(unit)
    turns = [[unit for row in by_structure.values() for unit in row[k::2]] for k in range(2)]
    return turns[0], turns[1]


def generator(unit: UnitSpec) -> str:
    """Return the name of the generator that a unit's hardware comes from.

    Families whose generators have a common base below :class:`rtl.base.Unit` are built alike, so
    none of them is unseen if another was seen. Exact sums are two kinds of hardware: those of
    minifloats, and those behind the decoders of tapered formats, of which the quire is one.
    """
    if unit.family in TAPERED:
        return "tapered"
    bases = rtl.generator(type(unit)).__mro__
    return bases[bases.index(rtl.Unit) - 1].__name__
