"""What mapping with bounded effort changes, in units that can be mapped with full effort, too.

    python benchmarks/effort.py

Chains of rounded additions and tables of rounded sums: estimates of area, delay and settled energy
of each, mapped by :mod:`cost_models.netlist` with bounded effort, relative to full effort, as
Markdown. Full effort takes hours of processor time if the cache of netlists is empty.
"""

import sys
from typing import NamedTuple

from cost_models import netlist, technology
from cost_models.estimate import features, price
from hwsim.pool import each
from hwsim.tables import markdown
from hwsim.units import UnitSpec, make

TECHNOLOGY = "sky130"
#: As in `hwsim study accumulation`.
STYLE = "noalumacc"
ELEMENTS = ("e2m1", "e2m3", "e3m2", "e4m3", "e5m2")


class Change(NamedTuple):
    """Area, delay and energy with bounded effort, minus those with full effort, in %."""

    area: float
    delay: float
    energy: float


def chain(element: str, accumulator: str, lanes: int) -> UnitSpec:
    """Return a unit whose lanes add one after another."""
    return make("float", lanes=lanes, weight=element, activation=element, accumulator=accumulator)


def units() -> list[UnitSpec]:
    """Return chains, some of them large, and tables."""
    return [
        *(chain(element, "fp16", 32) for element in ELEMENTS),
        *(chain(element, "fp32", 16) for element in (*ELEMENTS, "fp16", "bf16")),
        *(
            make("lut_table", lanes=lanes, activation=activation, table_lanes=lanes)
            for activation in ("e4m3", "fp16")
            for lanes in (4, 5)
        ),
    ]


def estimated(unit: UnitSpec, large: int) -> tuple[float, float, float]:
    """Return area, delay and energy with designs of ``large`` cells and more counted as large."""
    netlist.LARGE = large
    netlist.netlist.cache_clear()
    cost = price(unit, features(unit, style=STYLE), technology.load(TECHNOLOGY))
    return cost.area_um2, cost.delay_ns, cost.settled_pj


def change(unit: UnitSpec) -> Change:
    """Return what bounded effort changes of one unit."""
    full, bounded = estimated(unit, sys.maxsize), estimated(unit, 0)
    return Change(*(100 * (b / f - 1) for f, b in zip(full, bounded, strict=True)))


def main() -> None:
    changes = {}
    for unit, result in each(change, units()):
        if isinstance(result, Exception):
            raise result
        changes[unit] = result
    rows = [[unit.name, *(f"{x:+.1f} %" for x in changes[unit])] for unit in units()]
    print(markdown(["unit", "area", "delay", "settled energy"], rows), end="")


if __name__ == "__main__":
    main()
