"""What summing costs: area, delay and energy per MAC by element format, accumulation and lanes.

    python benchmarks/accumulation.py --points points.jsonl > docs/accumulation.md

Estimates the `float` unit with both operands in one format, and writes Markdown: one table of all
points, and how much the accumulation is worth against a step of element width. Every point is
kept in the file `points.jsonl` as soon as it is there; a run that was interrupted goes on. With an
empty cache of netlists it takes hours.
"""

import argparse
import json
import sys
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import geometric_mean
from typing import NamedTuple

from cost_models import technology
from cost_models.estimate import features, price
from hwsim.pool import each
from hwsim.units import make

TECHNOLOGY = "sky130"
#: One style of Yosys for all, to save time: adders and small multipliers hardly differ.
STYLE = "noalumacc"
ELEMENTS = ("e2m1", "e2m3", "e3m2", "e4m3", "e5m2", "fp16", "bf16")
#: Parameters by what stands in the tables.
SUMS: dict[str, dict[str, str]] = {
    "exact": {},
    "aligned13": {"accumulation": "aligned13"},
    "fp16": {"accumulator": "fp16"},
    "fp32": {"accumulator": "fp32"},
}
ACCUMULATIONS = tuple(SUMS)
LANES = (1, 4, 8, 16, 32)


class Point(NamedTuple):
    """Cost of one unit: um^2 for a MAC a cycle, ns, settled pJ a MAC, and the effort of mapping."""

    area: float
    delay: float
    energy: float
    effort: str

    def __str__(self) -> str:
        mark = "*" if self.effort == "bounded" else ""
        return f"{self.area:.0f} / {self.delay:.1f} / {self.energy:.2f}{mark}"


#: By element format, accumulation and lanes.
Points = dict[str, dict[tuple[str, int], Point]]


def wanted() -> list[tuple[str, str, int]]:
    """Return element format, accumulation and lanes of all points, the small ones first."""
    return [
        (element, accumulation, lanes)
        for lanes in LANES
        for accumulation in ACCUMULATIONS
        for element in ELEMENTS
    ]


def measure(point: tuple[str, str, int]) -> Point:
    """Return the estimated cost of the unit with an element format, accumulation and lanes."""
    element, accumulation, lanes = point
    unit = make("float", lanes=lanes, weight=element, activation=element, **SUMS[accumulation])
    cost = price(unit, features(unit, style=STYLE), technology.load(TECHNOLOGY))
    return Point(
        cost.area_per_mac, cost.delay_ns, cost.settled_energy_per_mac, cost.provenance["effort"]
    )


def complete(path: Path) -> Points:
    """Return all points: those in the file, and the others, which are added to it."""
    known: dict[tuple[str, str, int], Point] = {}
    if path.exists():
        for line in path.read_text().splitlines():
            element, accumulation, lanes, *point = json.loads(line)
            known[element, accumulation, lanes] = Point(*point)
    todo = [point for point in wanted() if point not in known]
    with path.open("a") as file:
        for key, result in each(measure, todo):
            if isinstance(result, Exception):
                raise result
            known[key] = result
            file.write(json.dumps([*key, *result]) + "\n")
            file.flush()
            print(f"{len(known)} of {len(wanted())}: {key}", file=sys.stderr, flush=True)
    points: Points = defaultdict(dict)
    for element, accumulation, lanes in wanted():
        points[element][accumulation, lanes] = known[element, accumulation, lanes]
    return points


def ratio(points: Points, quantity: str, one: tuple[str, str], other: tuple[str, str]) -> float:
    """Return how much more ``one`` takes than ``other``: geometric mean over all lanes.

    Both are an element format and an accumulation.
    """
    return geometric_mean(
        getattr(points[one[0]][one[1], n], quantity)
        / getattr(points[other[0]][other[1], n], quantity)
        for n in LANES
    )


def print_points(points: Points) -> None:
    """Print all points, a row for an element format and an accumulation."""
    print("| element | accumulation | " + " | ".join(map(str, LANES)) + " |")
    print("|---|---|" + "---:|" * len(LANES))
    for element, costs in points.items():
        for accumulation in ACCUMULATIONS:
            cells = [str(costs[accumulation, n]) for n in LANES]
            print(f"| {element} | {accumulation} | " + " | ".join(cells) + " |")


def print_ratios(points: Points) -> None:
    """Print what another accumulation costs, and what another element format costs."""
    print("\n## Another accumulation of the same elements\n")
    print(
        "Relative to `exact`, geometric mean over all lanes: area per MAC/cycle, settled energy "
        "per MAC.\n"
    )
    others = [name for name in ACCUMULATIONS if name != "exact"]
    print_table(points, others, lambda element, _: (element, "exact"))
    print("\n## Another element format with the same accumulation\n")
    print("Relative to `e4m3`, likewise.\n")
    print_table(points, ACCUMULATIONS, lambda _, accumulation: ("e4m3", accumulation))


def print_table(
    points: Points, accumulations: Sequence[str], base: Callable[[str, str], tuple[str, str]]
) -> None:
    """Print area and energy relative to those of ``base(element, accumulation)``."""
    print("| element | " + " | ".join(accumulations) + " |")
    print("|---|" + "---:|" * len(accumulations))
    for element in points:
        cells = [
            ", ".join(
                f"{ratio(points, quantity, (element, name), base(element, name)):.2f}"
                for quantity in ("area", "energy")
            )
            for name in accumulations
        ]
        print(f"| {element} | " + " | ".join(cells) + " |")


def print_verdict(points: Points) -> None:
    """Print the two effects beside each other, as ranges over what is varied besides."""
    widths = [ratio(points, "area", ("e4m3", name), ("e2m1", name)) for name in ACCUMULATIONS]
    sums = {
        element: [ratio(points, "area", (element, name), (element, "exact")) for name in
                  ACCUMULATIONS]
        for element in points
    }  # fmt: skip
    print("\n## What the accumulation is worth\n")
    for element, ratios in sums.items():
        cheapest = ACCUMULATIONS[ratios.index(min(ratios))]
        dearest = ACCUMULATIONS[ratios.index(max(ratios))]
        print(
            f"- {element}: `{cheapest}` is the smallest; `{dearest}` takes "
            f"{max(ratios) / min(ratios):.1f} times its area."
        )
    print(
        "\nA step of element width, from e2m1 to e4m3, multiplies the area by "
        f"{min(widths):.1f} to {max(widths):.1f}, depending on the accumulation."
    )


def main() -> int:
    parser = argparse.ArgumentParser(description="What summing costs")
    parser.add_argument("--points", type=Path, required=True, metavar="FILE.jsonl")
    points = complete(parser.parse_args().points)
    print("# What summing costs\n")
    print("<!-- Generated by `python benchmarks/accumulation.py`. -->\n")
    print(
        "The `float` unit with both operands in one format, by how its products are summed "
        "([what the names mean](../hwsim/units/float_mac.py)). All numbers are estimates of "
        f"{TECHNOLOGY} with normally distributed operands, mapped in Yosys' style {STYLE} only; "
        "[cost-model.md](cost-model.md) has their error. Energy is settled energy, "
        "without glitches. "
        "The lanes of `fp16` and `fp32` add one after another in one cycle, with one rounding "
        "each, so their area per lane hardly changes and their delay grows with the lanes; those "
        "of `aligned13` and `exact` add in a tree.\n"
    )
    print(
        "Area in um^2 per MAC/cycle / delay in ns / settled energy in pJ per MAC, by lanes. * is "
        "a large unit, mapped with bounded effort; [design.md](design.md) says what that changes.\n"
    )
    print_points(points)
    print_ratios(points)
    print_verdict(points)
    return 0


if __name__ == "__main__":
    sys.exit(main())
