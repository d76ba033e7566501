"""How far arrays composed of their parts are from the same arrays estimated whole.

Both are estimates, by :func:`cost_models.array_cost.compare`. The figures are kept in
``cost_models/data/arrays.csv``, which ``hwsim cost-model arrays`` makes, as the largest arrays take
minutes; a test makes a sample of them again.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from cost_models import data, technology
from cost_models.array_cost import Comparison, compare
from hwsim import tables
from hwsim.pool import each
from hwsim.units import make
from hwsim.units.array import ArrayUnit

FILE = "arrays.csv"
QUANTITIES = ("area", "delay", "energy")
#: The difference that composed figures are meant to keep, in percent.
ALLOWED = 5.0

_ELEMENTS: dict[str, dict[str, Any]] = {
    "integer": {"lanes": 4, "weight": "int8", "activation": "int8"},
    "bitmod": {"lanes": 4, "weight": "bitmod4", "activation": "fp16"},
    "fma": {"lanes": 1, "weight": "fp16", "activation": "fp16"},
    "mx_dot": {"lanes": 4, "weight": "mxfp4", "activation": "mxfp4", "accumulation": "fixed"},
    "lut_tensor_core": {
        "lanes": 4, "weight": "int2", "activation": "int8", "row_count": 1, "column_count": 4,
    },
    "bit_serial": {"lanes": 4, "weight": "int4", "activation": "int8", "digits": "essential"},
    "ternary_add": {"lanes": 4, "weight": "ternary", "activation": "int8"},
}  # fmt: skip
_SYSTOLIC = {"links": "systolic"}
_BROADCAST = {"links": "broadcast"}
_STATIONARY = {"links": "systolic", "dataflow": "weight_stationary"}
_SMALL = ((1, 1), (2, 2), (4, 4))
#: Sizes by element and what else is chosen; the largest where they take a few minutes at most.
_SIZES: list[tuple[str, dict[str, str], tuple[tuple[int, int], ...]]] = [
    ("integer", _SYSTOLIC, (*_SMALL, (3, 5), (8, 8))),
    ("integer", _BROADCAST, (*_SMALL, (3, 5), (8, 8))),
    ("integer", _STATIONARY, (*_SMALL, (3, 5))),
    ("integer", {"links": "systolic", "dataflow": "input_stationary"}, ((2, 2),)),
    ("bitmod", _SYSTOLIC, _SMALL),
    ("bitmod", _BROADCAST, _SMALL),
    ("fma", _SYSTOLIC, _SMALL),
    ("fma", _BROADCAST, _SMALL),
    ("mx_dot", _SYSTOLIC, (*_SMALL, (3, 5))),
    ("mx_dot", _BROADCAST, _SMALL),
    ("lut_tensor_core", _SYSTOLIC, _SMALL),
    ("lut_tensor_core", _BROADCAST, _SMALL),
    ("bit_serial", _SYSTOLIC, (*_SMALL, (3, 2))),
    ("bit_serial", _BROADCAST, _SMALL),
    ("ternary_add", _SYSTOLIC, _SMALL),
    ("ternary_add", _BROADCAST, _SMALL),
]

_SECTION = """## Arrays

An array of units is too large to be mapped and simulated whole, so `hwsim simulate` composes it of
what its elements take as they are in it (`cost_models/element.py`) and of the registers between
them (`cost_models/array_cost.py`). Small arrays can be estimated whole, too. This is by how much
composed figures are larger than those, mapped for the least area, with default operands: of area,
of the delay, and of the energy of a cycle, as {technologies}. At most {allowed:g} % are wanted.

In either case the elements are mapped once, all alike; mapped as one design, each copy comes out of
ABC a little different, and the slowest of all is the array's delay.

{table}
Furthest off: {worst}. `hwsim cost-model arrays` makes these
figures again, in about {minutes} minutes on one core if nothing is in the cache.
"""
_MINUTES = 17


@dataclass(frozen=True)
class Row:
    """One array in one technology."""

    array: ArrayUnit
    technology: str
    found: dict[str, Comparison]


def arrays() -> list[ArrayUnit]:
    """Return the arrays that are compared."""
    found = [
        make("array", element=family, rows=rows, columns=cols, **_ELEMENTS[family], **chosen)
        for family, chosen, sizes in _SIZES
        for rows, cols in sizes
    ]
    return [one for one in found if isinstance(one, ArrayUnit)]


def measure_one(array: ArrayUnit) -> list[Row]:
    """Return an array's figures in every technology that comes with the package."""
    return [
        Row(array, name, compare(array, technology.load(name))) for name in technology.shipped()
    ]


def measure(progress: Callable[[str], None] | None = None) -> list[Row]:
    """Return the figures of all arrays, made now."""
    chosen, found = arrays(), {}
    # The largest first, as they take longest.
    order = sorted(chosen, key=lambda one: -one.rows * one.columns)
    for array, result in each(measure_one, order):
        if isinstance(result, Exception):
            raise result
        found[array] = result
        if progress is not None:
            progress(array.name)
    return [row for array in chosen for row in found[array]]


def text(rows: Sequence[Row]) -> str:
    """Return figures as the text of ``arrays.csv``."""
    header = ["array", "technology"]
    header += [f"{name}_{kind}" for name in QUANTITIES for kind in ("whole", "composed")]
    lines = [",".join(header)]
    for row in rows:
        values = [(row.found[name].whole, row.found[name].composed) for name in QUANTITIES]
        cells = [f"{value:.6g}" for pair in values for value in pair]
        lines.append(",".join([row.array.name, row.technology, *cells]))
    return "\n".join(lines) + "\n"


def stored() -> list[Row]:
    """Return the figures that come with the package."""
    by_name = {array.name: array for array in arrays()}
    return [
        Row(
            by_name[row["array"]],
            row["technology"],
            {
                name: Comparison(float(row[f"{name}_whole"]), float(row[f"{name}_composed"]))
                for name in QUANTITIES
            },
        )
        for row in data.read(FILE)
    ]


def section(rows: Sequence[Row]) -> str:
    """Return figures as a section of a document."""
    names = list(dict.fromkeys(row.technology for row in rows))
    by_array: dict[ArrayUnit, list[Row]] = {}
    for row in rows:
        by_array.setdefault(row.array, []).append(row)
    lines = [
        [
            array.processing_element.name,
            f"{array.rows} x {array.columns}",
            " ".join((array.dataflow, array.links)).replace("_", "-"),
            *(" / ".join(f"{one.found[name].percent:+.1f}" for one in own) for name in QUANTITIES),
        ]
        for array, own in by_array.items()
    ]
    heads = ["element", "array", "dataflow, links", *(f"{name} %" for name in QUANTITIES)]
    worst = ", ".join(
        f"{name} {max((row.found[name].percent for row in rows), key=abs):+.1f} %"
        for name in QUANTITIES
    )
    return _SECTION.format(
        technologies=" / ".join(names), allowed=ALLOWED, table=tables.markdown(heads, lines),
        worst=worst, minutes=_MINUTES,
    )  # fmt: skip
