"""The units that coefficients are fitted to, and those that the fit is judged by.

No unit is in both sets. The held-out set has other widths, lanes and pairs of formats: nothing
about the model was chosen by looking at it.
"""

from typing import Any

from hwsim.units import UnitSpec, make

Declaration = tuple[str, dict[str, Any]]


def _units(family: str, *rows: tuple[int, str, str]) -> list[Declaration]:
    """Return declarations from rows of lanes, weight and activation."""
    return [
        (family, {"lanes": lanes, "weight": weight, "activation": activation})
        for lanes, weight, activation in rows
    ]


FITTING: list[Declaration] = [
    *_units(
        "integer",
        (1, "int2", "int8"),
        (1, "int4", "int4"),
        (1, "int6", "int6"),
        (1, "int8", "int8"),
        (1, "int12", "int12"),
        (1, "int16", "int16"),
        (2, "int8", "int8"),
        (2, "uint8", "uint8"),
        (4, "int2", "int4"),
        (4, "int4", "int4"),
        (4, "int4", "int8"),
        (4, "int8", "int8"),
        (8, "int2", "int2"),
        (8, "int4", "int8"),
        (8, "uint4", "uint4"),
        (16, "int2", "int8"),
        (16, "int4", "int4"),
    ),
    *_units(
        "bit_serial",
        (1, "int8", "int8"),
        (4, "int4", "int8"),
        (4, "int8", "int8"),
        (8, "int2", "int8"),
        (8, "int8", "int4"),
        (8, "int16", "int16"),
        (16, "int4", "int8"),
        (16, "int8", "int8"),
        (16, "uint4", "uint4"),
        (32, "int2", "int2"),
        (32, "int4", "int4"),
        (64, "int4", "int8"),
    ),
    *_units(
        "float",
        (1, "e2m1", "e2m1"),
        (1, "e2m3", "e2m3"),
        (1, "e3m2", "e3m2"),
        (1, "e4m3", "e4m3"),
        (1, "e5m2", "e5m2"),
        (1, "e5m2", "e4m3"),
        (2, "e3m2", "e3m2"),
        (2, "e4m3", "e4m3"),
        (4, "e2m1", "e2m1"),
        (4, "e2m1", "e4m3"),
        (4, "e2m3", "e2m3"),
        (8, "e2m1", "e2m1"),
        (8, "e2m1", "e3m2"),
    ),
]

HELD_OUT: list[Declaration] = [
    *_units(
        "integer",
        (1, "int3", "int8"),
        (1, "int5", "int5"),
        (1, "int10", "int10"),
        (2, "int4", "uint8"),
        (3, "int8", "int8"),
        (6, "int4", "int6"),
        (8, "int6", "int6"),
        (12, "int3", "int3"),
    ),
    *_units(
        "bit_serial",
        (2, "int6", "int6"),
        (6, "int3", "int8"),
        (12, "int8", "int6"),
        (16, "int6", "int12"),
        (24, "int4", "int8"),
    ),
    *_units(
        "float",
        (1, "e3m2", "e4m3"),
        (1, "e4m3", "e5m2"),
        (2, "e2m1", "e2m3"),
        (2, "e2m1", "e5m2"),
        (3, "e2m1", "e2m1"),
        (3, "e3m2", "e3m2"),
        (4, "e4m3", "e4m3"),
        (16, "e2m1", "e2m1"),
    ),
]


def build(declarations: list[Declaration]) -> list[UnitSpec]:
    """Return the units of a set."""
    return [make(family, **parameters) for family, parameters in declarations]
