"""The units that coefficients are fitted to, and those that the fit is judged by.

Small configurations of every family (``fitting``), as synthesis of all has to be a matter of
minutes. Those of a
structure (a family, or a parameter that changes its hardware altogether) are put in an order that
nobody chose, that of a hash of their names, and go to the two sets by turns, the first to be
fitted to. None of them was looked at when the terms of the model were chosen.

Beside the units stand components (:mod:`cost_models.components`): the fit sees them all.
"""

from hashlib import sha256

import rtl
from hwsim.formats.minifloat import Minifloat
from hwsim.units import FAMILIES, UnitSpec, make
from hwsim.units.exact_sum import ExactSum
from hwsim.units.registry import OWN

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


def drawn_by(name: str) -> str:
    """Return the name that a unit called ``name`` is drawn by."""
    return DRAWN_AS.get(name, name)


def units() -> list[UnitSpec]:
    """Return all units: hwsim's own, as coefficients must not depend on what is installed."""
    return [make(name, **values) for name in OWN for values in FAMILIES[name].fitting]


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
    minifloats, and those behind the decoders of tapered formats, of which the quire is one and
    logarithms are another.
    """
    if isinstance(unit, ExactSum) and unit.format_class is not Minifloat:
        return "tapered"
    bases = rtl.generator(type(unit)).__mro__
    return bases[bases.index(rtl.Unit) - 1].__name__
