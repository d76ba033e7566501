"""What units are made of, one thing at a time: adders, multipliers, shifters, tables, registers.

The coefficients of a technology are fitted to these as well as to units, and to these alone where
it is asked how far the estimate is from units of any kind that it has never seen.

A component looks like a unit, with a golden model of its own, so it is mapped, simulated, proved
and measured like one. It takes a beat, computes, and keeps what it computes in the register at
the end of every unit; the last beat's is the result. It is no family: ``hwsim units`` does not
know it.
"""

from cost_models.components.spec import KINDS, Component

__all__ = ["COMPONENTS", "KINDS", "Component"]


def _components(*rows: tuple[str, int, str, int, str]) -> list[Component]:
    """Return components from rows of kind, values and their format, arguments and their format."""
    return [Component.of(*row) for row in rows]


#: Kind, values of a beat and their format, arguments of a beat and their format.
COMPONENTS: list[Component] = _components(
    ("add", 1, "int8", 1, "int8"),
    ("add", 1, "uint16", 1, "uint16"),
    ("add", 1, "int32", 1, "int32"),
    ("accumulate", 1, "int8", 0, "uint1"),
    ("accumulate", 1, "int24", 0, "uint1"),
    ("accumulate", 4, "int12", 0, "uint1"),
    ("multiply", 1, "uint4", 1, "uint4"),
    ("multiply", 1, "int8", 1, "int4"),
    ("multiply", 1, "int8", 1, "int8"),
    ("multiply", 1, "uint8", 1, "uint8"),
    ("multiply", 1, "uint11", 1, "uint11"),
    ("multiply", 4, "int4", 4, "int4"),
    ("multiply_booth", 1, "int8", 1, "int8"),
    ("multiply_booth", 1, "int12", 1, "int6"),
    ("sum", 4, "int8", 0, "uint1"),
    ("sum", 8, "int4", 0, "uint1"),
    ("sum", 8, "uint8", 0, "uint1"),
    ("sum", 16, "int6", 0, "uint1"),
    ("sum", 64, "uint1", 0, "uint1"),
    ("magnitude", 4, "int8", 0, "uint1"),
    ("magnitude", 1, "int24", 0, "uint1"),
    ("shift_left", 1, "uint16", 1, "uint4"),
    ("shift_left", 4, "uint8", 1, "uint3"),
    ("shift_left", 1, "uint8", 1, "uint5"),
    ("shift_right", 1, "int32", 1, "uint5"),
    ("shift_right", 1, "int12", 1, "uint4"),
    ("round_right", 1, "int16", 1, "uint3"),
    ("select", 8, "uint8", 1, "uint3"),
    ("select", 16, "uint4", 1, "uint4"),
    ("select", 16, "int8", 4, "uint4"),
    ("select", 64, "uint1", 1, "uint6"),
    ("select", 32, "uint4", 1, "uint5"),
    ("decode", 0, "uint1", 1, "uint4"),
    ("decode", 0, "uint1", 1, "uint6"),
    ("decode", 0, "uint1", 4, "uint3"),
    ("compare", 1, "uint16", 1, "uint16"),
    ("compare", 16, "uint6", 1, "uint6"),
    ("largest", 2, "int12", 0, "uint1"),
    ("largest", 8, "uint6", 0, "uint1"),
    ("leading_zeros", 1, "uint8", 0, "uint1"),
    ("leading_zeros", 1, "uint31", 0, "uint1"),
    ("normalise", 1, "uint12", 0, "uint1"),
    ("normalise", 1, "uint24", 0, "uint1"),
    ("lowest_one", 1, "uint16", 0, "uint1"),
    ("parity", 32, "uint1", 0, "uint1"),
    ("invert", 16, "uint8", 1, "uint1"),
    ("gate", 32, "uint4", 1, "uint1"),
    ("gate", 8, "uint6", 8, "uint1"),
    ("table", 1, "uint5", 0, "uint1"),
    ("table", 2, "uint3", 0, "uint1"),
    ("table", 1, "uint8", 0, "uint1"),
    ("store", 1, "uint32", 0, "uint1"),
    ("store", 16, "uint8", 0, "uint1"),
)
