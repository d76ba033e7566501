"""The units that ``hwsim verify`` covers: wide ones for every pair, and the parameters' edges."""

from typing import Any

from hwsim.units import FAMILIES, UnitSpec, make

#: Parameters by family. Wide units see all operand pairs in few cycles; ``lanes=1`` and one-bit
#: formats are where widths become zero.
CONFIGURATIONS: dict[str, tuple[dict[str, Any], ...]] = {
    "integer": (
        {"lanes": 64, "weight": "int8", "activation": "int8"},
        {"lanes": 16, "weight": "int4", "activation": "int8"},
        {"lanes": 3, "weight": "int2", "activation": "uint8"},
        {"lanes": 1, "weight": "uint1", "activation": "int1"},
        {"lanes": 1, "weight": "uint5", "activation": "uint6"},
        {"lanes": 7, "weight": "int16", "activation": "int16"},
        {"lanes": 2, "weight": "int32", "activation": "uint32"},
        {"lanes": 5, "weight": "int4", "activation": "int4", "accumulator_bits": 10},
    ),
    "float": (
        {"lanes": 64, "weight": "e4m3", "activation": "e4m3"},
        {"lanes": 64, "weight": "e2m1", "activation": "e5m2"},
        {"lanes": 16, "weight": "e2m3", "activation": "e3m2"},
        {"lanes": 16, "weight": "e4m3fnuz", "activation": "e5m2fnuz"},
        {"lanes": 1, "weight": "e2m1", "activation": "e2m1"},
        {"lanes": 1, "weight": "minifloat(exponent=1,mantissa=0,bias=0,specials=none)",
         "activation": "minifloat(exponent=3,mantissa=2,bias=3,specials=p3109)"},
        {"lanes": 4, "weight": "fp16", "activation": "e4m3"},
        {"lanes": 2, "weight": "bf16", "activation": "bf16"},
        {"lanes": 3, "weight": "e3m2", "activation": "e3m2", "carry_guard": 0},
    ),
    "bit_serial": (
        {"lanes": 64, "weight": "int8", "activation": "int8"},
        {"lanes": 16, "weight": "int4", "activation": "int8"},
        {"lanes": 3, "weight": "uint3", "activation": "uint5"},
        {"lanes": 1, "weight": "int1", "activation": "int4"},
        {"lanes": 1, "weight": "uint1", "activation": "uint1"},
        {"lanes": 6, "weight": "int12", "activation": "int16"},
        {"lanes": 64, "weight": "int8", "activation": "int8", "precision": "beat"},
        {"lanes": 4, "weight": "uint5", "activation": "int4", "precision": "beat"},
        {"lanes": 64, "weight": "int8", "activation": "int8", "recoding": "booth"},
        {"lanes": 16, "weight": "uint6", "activation": "int8", "recoding": "booth"},
        {"lanes": 1, "weight": "uint1", "activation": "int1", "recoding": "booth"},
        {"lanes": 16, "weight": "int8", "activation": "uint4", "recoding": "booth",
         "precision": "beat"},
        {"lanes": 3, "weight": "uint7", "activation": "int3", "recoding": "booth",
         "precision": "beat"},
        {"lanes": 16, "weight": "int8", "activation": "int4", "digits": "essential"},
        {"lanes": 1, "weight": "uint1", "activation": "int4", "digits": "essential"},
        {"lanes": 4, "weight": "int6", "activation": "uint3", "digits": "essential",
         "precision": "beat"},
        {"lanes": 4, "weight": "uint6", "activation": "int4", "digits": "essential",
         "recoding": "booth", "precision": "beat"},
        {"lanes": 8, "weight": "int8", "activation": "int5", "digits": "essential",
         "recoding": "booth"},
        {"lanes": 16, "weight": "int6", "activation": "int5", "serial": "both"},
        {"lanes": 3, "weight": "uint4", "activation": "int5", "serial": "both"},
        {"lanes": 16, "weight": "int4", "activation": "int4", "serial": "both",
         "precision": "beat"},
        {"lanes": 1, "weight": "int1", "activation": "uint1", "serial": "both"},
    ),
    "fma": (
        {"lanes": 1, "weight": "e2m3", "activation": "e4m3", "accumulator": "fp16"},
        {"lanes": 4, "weight": "e2m1", "activation": "e5m2", "accumulator": "e5m2"},
        {"lanes": 3, "weight": "e3m2", "activation": "e5m2fnuz", "accumulator": "e4m3"},
        {"lanes": 2, "weight": "e2m1", "activation": "e4m3", "accumulator": "e5m2fnuz"},
        {"lanes": 1, "weight": "fp16", "activation": "fp16", "accumulator": "fp16"},
        {"lanes": 2, "weight": "fp16", "activation": "fp16"},
        {"lanes": 1, "weight": "bf16", "activation": "bf16"},
        {"lanes": 1, "weight": "int8", "activation": "fp16", "accumulator": "fp16"},
        {"lanes": 1, "weight": "uint4", "activation": "e5m2"},
        {"lanes": 2, "weight": "e2m1", "activation": "fp16", "accumulator": "fp16",
         "wide": "int8"},
    ),
    "shift_add": (
        {"lanes": 16, "weight": "int4", "activation": "int8"},
        {"lanes": 32, "weight": "int4", "activation": "fp16", "group_size": 32},
        {"lanes": 4, "weight": "uint4", "activation": "int8", "group_size": 16},
        {"lanes": 4, "weight": "int4", "activation": "fp16", "scale": "fp16", "group_size": 16},
        {"lanes": 2, "weight": "uint4", "activation": "fp16", "scale": "int8", "group_size": 8},
        {"lanes": 3, "weight": "int3", "activation": "uint5", "scale": "e4m3", "group_size": 3},
        {"lanes": 1, "weight": "uint1", "activation": "int1", "group_size": 1},
        {"lanes": 1, "weight": "int1", "activation": "e5m2", "group_size": 5},
        {"lanes": 2, "weight": "int4", "activation": "int4", "scale": "int4", "group_size": 4,
         "accumulator_bits": 14},
    ),
    "bitmod": (
        {"lanes": 4, "activation": "fp16"},
        {"lanes": 4, "activation": "fp16", "fraction_bits": 30, "special_values": "fp3"},
        {"lanes": 4, "activation": "fp16", "rounding": "nearest_even"},
        {"lanes": 8, "activation": "e2m1", "group_size": 48, "special_values": "7,-7,0,3.5"},
        {"lanes": 1, "activation": "fp16", "group_size": 6, "fraction_bits": 0, "column_guard": 0},
    ),
    "bitmod_tile": (
        {"lanes": 4, "activation": "fp16", "row_count": 2, "column_count": 3},
        {"lanes": 2, "activation": "e4m3", "row_count": 3, "column_count": 1, "group_size": 16},
    ),
    "posit": (
        {"lanes": 16, "weight": "posit8_0", "activation": "posit8_0"},
        {"lanes": 8, "weight": "posit4_1", "activation": "posit8_2"},
        {"lanes": 2, "weight": "posit16_1", "activation": "posit16_1", "carry_guard": 12},
        {"lanes": 1, "weight": "posit2_0", "activation": "posit3_1", "carry_guard": 0},
        {"lanes": 4, "weight": "posit6_1", "activation": "posit6_1", "output": "posit8_1"},
        {"lanes": 1, "weight": "posit16_2", "activation": "posit16_2", "output": "posit16_2"},
        {"lanes": 8, "weight": "posit8_1", "activation": "posit8_1", "output": "posit8_1",
         "accumulation": "none"},
        {"lanes": 1, "weight": "posit16_1", "activation": "posit16_1", "output": "posit16_1",
         "accumulation": "none"},
        {"lanes": 5, "weight": "posit6_0", "activation": "posit7_3", "output": "posit10_2",
         "accumulation": "none"},
    ),
    "hif8": (
        {"lanes": 16, "weight": "hif8", "activation": "hif8"},
        {"lanes": 5, "weight": "hif8", "activation": "hif8", "carry_guard": 0},
    ),
    "flint": (
        {"lanes": 16, "weight": "flint4", "activation": "flint4"},
        {"lanes": 16, "weight": "flint4", "activation": "flint4u"},
        {"lanes": 16, "weight": "flint8", "activation": "flint8u"},
        {"lanes": 1, "weight": "flint2u", "activation": "flint3", "carry_guard": 0},
    ),
    "dybit": (
        {"lanes": 16, "weight": "dybit4", "activation": "dybit4"},
        {"lanes": 16, "weight": "dybit4", "activation": "dybit4u"},
        {"lanes": 16, "weight": "dybit8", "activation": "dybit8u"},
        {"lanes": 1, "weight": "dybit2u", "activation": "dybit3", "carry_guard": 0},
    ),
}  # fmt: skip


def suite(family: str | None = None) -> list[UnitSpec]:
    """Return the units to verify, of one family or of all."""
    families = FAMILIES if family is None else [family]
    return [make(name, **values) for name in families for values in CONFIGURATIONS[name]]
