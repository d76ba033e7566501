"""A thousand units of all families, by a rule: a design space as a sweep has one.

Every family has a product of axes. The units are put in the order of a hash of their names, so the
first n of them are a fair sample of all.
"""

import itertools
from collections.abc import Sequence
from hashlib import sha256
from typing import Any

from hwsim.units import UnitSpec, make

Axes = dict[str, Sequence[Any]]

INTEGERS = ("int2", "int3", "int4", "int5", "int6", "int8")
MINIFLOATS = ("e2m1", "e2m3", "e3m2", "e4m3", "e5m2")
SMALL = ("int2", "int3", "int4", "uint4", "e2m1", "posit4_1")
POSITS = ("posit4_1", "posit5_1", "posit6_1", "posit8_1", "posit8_2")

SPACE: dict[str, Axes] = {
    "integer": {
        "weight": INTEGERS, "activation": ("int3", "int4", "int5", "int6", "int8", "uint8"),
        "lanes": (1, 2, 3, 4),
    },
    "float": {
        "weight": MINIFLOATS, "activation": MINIFLOATS, "lanes": (1, 2),
        "accumulator": (None, "fp16"),
    },
    "fma": {
        "weight": MINIFLOATS, "activation": MINIFLOATS, "lanes": (1,),
        "accumulator": ("fp16", "fp32"),
    },
    "bit_serial": {
        "weight": INTEGERS, "activation": ("int4", "int6", "int8"), "lanes": (2, 4, 8),
        "recoding": ("binary", "booth"),
    },
    "bitmod": {"activation": ("e2m1", "e4m3", "fp16"), "lanes": (1, 2, 4)},
    "bitmod_tile": {
        "activation": ("e2m1", "e4m3"), "lanes": (1, 2), "row_count": (1, 2),
        "column_count": (1, 2),
    },
    "shift_add": {
        "weight": ("int2", "int3", "int4"), "activation": ("int4", "int6", "int8"),
        "lanes": (1, 2, 4, 8), "group_size": (16,),
    },
    "product_rom": {"weight": SMALL, "activation": SMALL, "lanes": (1, 2, 4)},
    "codebook": {
        "weight": ("nf3", "nf4"), "activation": ("int4", "int5", "uint5", "int6", "int8", "uint8"),
        "lanes": (1, 2, 4),
    },
    "mx_dot": {
        "weight": MINIFLOATS[:4], "activation": MINIFLOATS[:4], "lanes": (1, 2, 4),
    },
    "nvfp4_dot": {"lanes": (1, 2, 4, 8), "scale": ("e4m3", "e4m3u", "e5m3u")},
    "bfp_dot": {
        "weight": ("int4", "int6", "int8"), "activation": ("int4", "int6", "int8"),
        "lanes": (1, 2, 4),
    },
    "serial_add": {
        "weight": ("int2", "int3", "int4", "bipolar2"), "activation": ("int4", "int6", "int8"),
        "lanes": (2, 4, 8),
    },
    "ternary_add": {
        "weight": ("ternary",), "activation": ("int4", "int6", "int8", "uint8", "e4m3"),
        "lanes": (2, 4, 8, 16),
    },
    "ternary_lut": {
        "weight": ("ternary",), "activation": ("int4", "int6", "int8", "uint8"),
        "lanes": (3, 6), "table": ("symmetric", "full"),
    },
    "lut_tensor_core": {
        "weight": ("int2", "int3", "int4"), "activation": ("int4", "int6", "int8"),
        "lanes": (4, 8), "table_lanes": (2, 4),
    },
    "lut_array": {
        "weight": ("int2", "int3", "int4"), "activation": ("int6", "int8", "int10"),
        "lanes": (4, 8),
    },
    "lut_table": {"activation": ("int4", "int6", "int8", "e4m3"), "lanes": (4, 8)},
    "unpu_lut": {
        "weight": ("int2", "int3", "int4"), "activation": ("int4", "int6", "int8"),
        "lanes": (4, 8),
    },
    "tmac": {
        "weight": ("int2", "int3", "int4"), "activation": ("int7", "int8"), "lanes": (4, 8),
    },
    "lmul": {
        "weight": MINIFLOATS, "lanes": (1, 2, 4), "reading": ("carry", "formula"),
    },
    "rmmec": {"modes": ("fp4", "posit4", "posit8", "fp4,posit4", "fp4,posit8"),
              "isolation": ("operands", "results")},
    "posit": {"weight": POSITS, "activation": POSITS, "lanes": (1, 2)},
    "hif8": {"weight": ("hif8",), "activation": ("hif8",), "lanes": (1, 2, 4)},
    "flint": {
        "weight": ("flint3", "flint4", "flint6"), "activation": ("flint3", "flint4u", "flint6"),
        "lanes": (1, 2, 4),
    },
    "dybit": {
        "weight": ("dybit3", "dybit4", "dybit6"), "activation": ("dybit3", "dybit4u", "dybit6"),
        "lanes": (1, 2, 4),
    },
}  # fmt: skip


def units(count: int | None = None) -> list[UnitSpec]:
    """Return the first ``count`` units of the space, or all of them."""
    every = [unit for family, axes in SPACE.items() for unit in _product(family, axes)]
    every.sort(key=lambda unit: sha256(unit.name.encode()).digest())
    return every[:count]


def _product(family: str, axes: Axes) -> list[UnitSpec]:
    choices = (dict(zip(axes, values, strict=True)) for values in itertools.product(*axes.values()))
    if family == "lmul":
        # Both operands have one format.
        choices = (choice | {"activation": choice["weight"]} for choice in choices)
    return [make(family, **choice) for choice in choices]
